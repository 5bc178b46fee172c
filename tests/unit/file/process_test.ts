/**
 * The descriptors that the threads of one program share.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { AT_END, readInode, writeInode } from "../../../src/file/data.ts";
import { Context } from "../../../src/file/context.ts";
import { O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC } from "../../../src/file/flags.ts";
import { pathOf } from "../../../src/file/listing.ts";
import { open } from "../../../src/file/open.ts";
import { Process } from "../../../src/file/process.ts";
import { hostOf } from "../../../src/file/process_descriptors.ts";
import { EBADF, EBUSY, EINVAL, EMFILE, ENOENT, ENOTDIR } from "../../../src/layout/errno.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { assertEmptied, assertSound, attempt, removeAll } from "../../support/stress.ts";
import { contextOf } from "./support.ts";

interface Thread {
  readonly context: Context;
  readonly process: Process;
}

function keeperOf(fs: FileSystem): Thread {
  const context = new Context(contextOf(fs).store, 0);
  const process = Process.create(context, 0o022);
  if (typeof process === "number") throw new Error(`Process.create returned ${process}`);
  return { context, process };
}

function threadOf(fs: FileSystem, { process }: Thread): Thread {
  const context = new Context(contextOf(fs).store, 0);
  return { context, process: Process.join(context, process.word) };
}

function openIn({ context, process }: Thread, path: string, flags = O_RDWR | O_CREAT): number {
  return open(context, path, flags, 0o644, process);
}

/** Writes at the shared position, as `write` does. */
function write({ context, process }: Thread, fd: number, text: string): number {
  const found = process.find(fd);
  if (found !== 0) return found;
  const locked = process.lockPosition();
  if (locked !== 0) return locked;
  const bytes = new TextEncoder().encode(text);
  const { inodeWord, generation } = process.found;
  const written = writeInode(context, inodeWord, generation, bytes, 0, bytes.length, process.position);
  if (written > 0) process.position = context.endOfWrite;
  process.unlockPosition();
  return written;
}

Deno.test("Process.create() has the host's standard streams, and gives out the lowest descriptor", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const main = keeperOf(fs);
  assertEquals([0, 1, 2].map((fd) => hostOf(main.process.entry(fd))), [0, 1, 2]);
  assertEquals([openIn(main, "/a"), openIn(main, "/b"), openIn(main, "/c")], [3, 4, 5]);
  assertEquals(main.process.close(4), 0);
  assertEquals(main.process.close(4), -EBADF);
  assertEquals(openIn(main, "/d"), 4);
  assertEquals(main.process.adopt(77), 6);
  assertEquals(hostOf(main.process.entry(6)), 77);
  assertEquals(main.process.countHost(77), 1);
  // What is the host's, the caller closes there: its descriptor + 1.
  assertEquals(main.process.close(6), 78);
  assertEquals(main.process.close(1), 2);
  assertEquals(openIn(main, "/e"), 1);
  assertEquals(openIn(main, "/missing/f"), -ENOENT);
  assertEquals(openIn(main, "/f"), 6);
  assertSound(fs, "with descriptors open");
});

Deno.test("threads of a process share descriptors and positions", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  using second = FileSystem.attach(fs.handle);
  const main = keeperOf(fs);
  const thread = threadOf(second, main);
  const fd = openIn(main, "/f");
  assertEquals(write(main, fd, "one "), 4);
  assertEquals(write(thread, fd, "two "), 4);
  const copy = thread.process.duplicate(fd, 0, true);
  assertEquals(copy, fd + 1);
  assertEquals([main.process.closesOnExec(fd), main.process.closesOnExec(copy)], [false, true]);
  assertEquals(thread.process.close(fd), 0);
  assertEquals(write(main, fd, "lost"), -EBADF);
  assertEquals(write(main, copy, "three"), 5);
  assertEquals(fs.readFileSync("/f", "utf8"), "one two three");
  fs.unlinkSync("/f");
  assertEquals(write(thread, copy, "!"), 1);
  assertEquals(fs.stats().orphans, 1);
  assertSound(fs, "with an unlinked file open");
  assertEquals(main.process.close(copy), 0);
  assertEquals(fs.stats().orphans, 0);
});

Deno.test("Process.duplicateTo() replaces what a descriptor stood for", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const main = keeperOf(fs);
  const { process } = main;
  const a = openIn(main, "/a");
  const b = openIn(main, "/b");
  assertEquals(process.duplicateTo(a, b, false), 0);
  assertEquals(fs.stats().opens, 1);
  assertEquals(process.duplicateTo(a, 1, false), 2);
  assertEquals(process.duplicateTo(a, 2000, false), 0);
  assertEquals(write(main, 2000, "x"), 1);
  assertEquals(process.duplicateTo(99, 3, false), -EBADF);
  assertEquals(process.duplicateTo(99, 99, false), -EBADF);
  assertEquals(process.duplicateTo(a, a, false), 0);
  assertEquals(process.duplicateTo(a, 65536, false), -EBADF);
  assertEquals(process.duplicateTo(a, -1, false), -EBADF);
  assertEquals(process.duplicate(a, 65536, false), -EINVAL);
  assertEquals(process.duplicate(99, 0, false), -EBADF);
  // A descriptor that somebody is opening under cannot be replaced.
  const reserved = process.reserve();
  assertEquals(process.duplicateTo(a, reserved, false), -EBUSY);
  assertEquals(process.close(reserved), -EBADF);
  process.cancel(reserved);
  assertEquals(process.reserve(), reserved);
  process.cancel(reserved);
  for (const fd of [a, b, 1, 2000]) assertEquals(process.close(fd), 0);
  assertEquals(fs.stats().opens, 0);
  assertSound(fs, "after all have been closed");
});

Deno.test("a process has 65,536 descriptors, and says so when they are used up", () => {
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  const main = keeperOf(fs);
  const fd = openIn(main, "/f");
  let last = fd;
  for (let copy = fd; copy >= 0; copy = main.process.duplicate(fd, 0, false)) last = copy;
  assertEquals(last, 65535);
  assertEquals(main.process.duplicate(fd, 0, false), -EMFILE);
  assertEquals(openIn(main, "/g"), -EMFILE);
  assertEquals(main.process.close(40_000), 0);
  assertEquals(openIn(main, "/g"), 40_000);
  assertSound(fs, "with all descriptors in use");
});

Deno.test("the current directory follows its directory, and outlives its name", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const main = keeperOf(fs);
  const { context, process } = main;
  fs.mkdirSync("/a/b", { recursive: true });
  fs.writeFileSync("/a/file", "");
  assertEquals(process.findDirectory(), -ENOENT);
  assertEquals(process.changeDirectory("/a/file"), -ENOTDIR);
  assertEquals(process.changeDirectory("/a/none"), -ENOENT);
  assertEquals(process.changeDirectory("/a/b"), 0);
  const where = () => {
    assertEquals(process.findDirectory(), 0);
    const { inodeWord: word, generation } = process.found;
    context.walk.base = { word, generation };
    return pathOf(context, { word, generation });
  };
  assertEquals(where(), "/a/b");
  fs.renameSync("/a", "/moved");
  assertEquals(where(), "/moved/b");
  assertEquals(openIn(main, "inside"), 3);
  assert(fs.existsSync("/moved/b/inside"));
  fs.unlinkSync("/moved/b/inside");
  fs.rmdirSync("/moved/b");
  assertEquals(where(), -ENOENT);
  assertEquals(openIn(main, "inside"), -ENOENT);
  assertEquals(process.changeDirectoryTo(3), -ENOTDIR);
  const root = openIn(main, "/", O_RDONLY | O_DIRECTORY);
  assertEquals(process.changeDirectoryTo(root), 0);
  assertEquals(process.close(root), 0);
  assertEquals(where(), "/");
  assertSound(fs, "after changes of directory");
  assertEquals(process.changeDirectory(""), 0);
  assertEquals(process.findDirectory(), -ENOENT);
  process.close(3);
  assertEquals(fs.stats().opens, 0);
});

Deno.test("ending a process gives back all that it had, also what its threads had open", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const first = FileSystem.attach(fs.handle);
  const second = FileSystem.attach(fs.handle);
  const main = keeperOf(first);
  const thread = threadOf(second, main);
  const { agents } = fs.stats();
  for (let file = 0; file < 200; file++) openIn(file % 2 === 0 ? main : thread, `/f${file}`);
  main.process.changeDirectory("/");
  main.process.find(10);
  assertEquals(main.process.noteMapping(65536, main.process.hold()), 0);
  assertEquals(main.process.mappingAt(65536), main.process.found.description);
  assertSound(fs, "with a process that has much open");
  fs.retire(first.agentId);
  // The threads of a process go with it.
  assertEquals(fs.stats().agents, agents - 2);
  assertEquals(openIn(thread, "/late") < 0, true);
  first.detach();
  second.detach();
  removeAll(fs);
  assertSound(fs, "after the process has been retired");
  assertEmptied(fs, "after the process has been retired");
  // The same by detaching.
  const third = FileSystem.attach(fs.handle);
  const other = keeperOf(third);
  openIn(other, "/g");
  third.detach();
  removeAll(fs);
  assertSound(fs, "after the process has ended");
  assertEmptied(fs, "after the process has ended");
});

Deno.test("a process with a thread that is cut off stays until the thread has ended and its keeper is retired", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const first = FileSystem.attach(fs.handle);
  const second = FileSystem.attach(fs.handle);
  const main = keeperOf(first);
  const thread = threadOf(second, main);
  openIn(main, "/f");
  // In the middle of an operation, as a thread that has been terminated.
  assertEquals(thread.context.begin(), 0);
  const { agentId } = first;
  first.detach();
  assertEquals(fs.stats().opens, 1, "what the process has open stays open");
  assertEquals(attempt(() => fs.retire(agentId)), "EBUSY");
  thread.context.end();
  assertSound(fs, "with a process that waits for its end");
  fs.retire(agentId);
  second.detach();
  removeAll(fs);
  assertSound(fs, "after the process has ended");
  assertEmptied(fs, "after the process has ended");
});

Deno.test("what a descriptor stood for is not mistaken for what has taken its place", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const main = keeperOf(fs);
  const { context, process } = main;
  const fd = openIn(main, "/a");
  write(main, fd, "a".repeat(100));
  assertEquals(process.find(fd), 0);
  const { inodeWord, generation, description } = process.found;
  process.close(fd);
  fs.unlinkSync("/a");
  // The inode is reused, and so is the description.
  fs.writeFileSync("/b", "b".repeat(100));
  assertEquals(openIn(main, "/b"), fd);
  const bytes = new Uint8Array(100).fill(7);
  assertEquals(readInode(context, inodeWord, generation, bytes, 0, 100, 0), -EBADF);
  assertEquals(writeInode(context, inodeWord, generation, bytes, 0, 100, AT_END), -EBADF);
  process.found.generation = generation;
  process.found.inodeWord = inodeWord;
  process.found.description = description;
  assertEquals(process.lockPosition(), -EBADF);
  assertEquals(process.hold(), -EBADF);
  assertEquals(bytes.every((byte) => byte === 7), true);
  assertEquals(fs.readFileSync("/b", "utf8"), "b".repeat(100));
  const truncated = openIn(main, "/b", O_RDWR | O_TRUNC);
  assertEquals(fs.statSync("/b").size, 0);
  process.close(truncated);
});
