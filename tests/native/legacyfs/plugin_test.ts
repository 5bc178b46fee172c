/**
 * What the plugin promises beyond what MEMFS does: the tree is shared, and nothing of it is remembered.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { createExtMemFS } from "../../../emscripten.ts";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "../../support/assert.ts";
import { assertSound } from "../../support/stress.ts";
import { ERRNO, errnoOf, FLAGS, loadPrograms, mountIn, type Program, type ProgramFS, type Python } from "./programs.ts";

/** Runs a test in all three programs: on a pool with a second agent, the program's folder being its root. */
function inAll(
  name: string,
  run: (program: Program, folder: string, other: FileSystem, fs: FileSystem) => void,
): void {
  Deno.test(name, async (t) => {
    for (const program of await loadPrograms()) {
      await t.step(program.name, () => {
        using fs = FileSystem.create({ maximumBytes: 32 << 20, debugLevel: 3 });
        using other = FileSystem.attach(fs.handle, { debugLevel: 3 });
        const folder = mountIn(program, fs);
        run(program, folder, other, fs);
        program.FS.unmount(folder);
        assertSound(other, "at the end");
        assertEquals(other.stats().opens, 0);
      });
    }
  });
}

inAll("a mount shows at once what another agent creates, changes, renames, replaces and removes", (
  { FS },
  folder,
  other,
) => {
  const file = `${folder}/d/file`;
  assertEquals(errnoOf(() => FS.stat(file)), ERRNO.ENOENT);
  other.mkdirSync("/d");
  other.writeFileSync("/d/file", "one");
  assertEquals(FS.readFile(file, { encoding: "utf8" }), "one");
  const { ino } = FS.stat(file);
  assertEquals(ino, other.statSync("/d/file").ino);
  other.appendFileSync("/d/file", " two");
  assertEquals(FS.stat(file).size, 7);
  other.writeFileSync("/d/new", "replaced");
  other.renameSync("/d/new", "/d/file");
  assertEquals(FS.readFile(file, { encoding: "utf8" }), "replaced");
  assert(FS.stat(file).ino !== ino);
  assertEquals(FS.readdir(`${folder}/d`), [".", "..", "file"]);
  other.renameSync("/d", "/e");
  assertEquals(errnoOf(() => FS.stat(file)), ERRNO.ENOENT);
  assertEquals(FS.readFile(`${folder}/e/file`, { encoding: "utf8" }), "replaced");
  // A file where a directory was, under the same name.
  other.writeFileSync("/d", "a file");
  // The core of Emscripten 2 says so with another number.
  assertEquals(errnoOf(() => FS.stat(file)), FS.fstat === undefined ? ERRNO.EACCES : ERRNO.ENOTDIR);
  assertEquals(FS.readFile(`${folder}/d`, { encoding: "utf8" }), "a file");
  other.unlinkSync("/d");
  other.mkdirSync("/d");
  assertEquals(FS.readdir(`${folder}/d`), [".", ".."]);
  other.rmSync("/e", { recursive: true });
  assertEquals(errnoOf(() => FS.readdir(`${folder}/e`)), ERRNO.ENOENT);
});

inAll("a mount tells others at once what the program does", ({ FS }, folder, other) => {
  FS.mkdir(`${folder}/d`, 0o750);
  FS.writeFile(`${folder}/d/file`, "text");
  FS.symlink("file", `${folder}/d/link`);
  assertEquals(other.readFileSync("/d/link", "utf8"), "text");
  assertEquals(other.statSync("/d").mode & 0o777, 0o750);
  FS.chmod(`${folder}/d/file`, 0o600);
  FS.utime(`${folder}/d/file`, 1_000_000, 2_000_000);
  assertEquals(other.statSync("/d/file").mode & 0o777, 0o600);
  assertEquals(other.statSync("/d/file").mtimeMs, 2_000_000);
  FS.rename(`${folder}/d/file`, `${folder}/moved`);
  assertEquals(other.readFileSync("/moved", "utf8"), "text");
  FS.unlink(`${folder}/moved`);
  assertEquals(errnoOf(() => FS.stat(`${folder}/moved`)), ERRNO.ENOENT);
  assertEquals(other.readdirSync("/"), ["d"]);
});

inAll("a mount leaves no nodes in the table of names", ({ FS }, folder) => {
  const count = () => {
    let nodes = 0;
    for (const first of FS.nameTable) {
      for (let node = first; node !== undefined; node = node.name_next as typeof node) nodes++;
    }
    return nodes;
  };
  const before = count();
  for (let round = 0; round < 20; round++) {
    FS.mkdir(`${folder}/d${round}`);
    FS.writeFile(`${folder}/d${round}/f`, "x");
    FS.symlink("f", `${folder}/d${round}/l`);
    FS.stat(`${folder}/d${round}/l`);
    assertEquals(count(), before);
    FS.unlink(`${folder}/d${round}/l`);
    FS.rename(`${folder}/d${round}/f`, `${folder}/d${round}/g`);
    FS.rename(`${folder}/d${round}`, `${folder}/e${round}`);
    FS.unlink(`${folder}/e${round}/g`);
    FS.rmdir(`${folder}/e${round}`);
  }
  FS.readdir(folder);
  errnoOf(() => FS.stat(`${folder}/none`));
  assertEquals(count(), before);
});

inAll("a file that another agent has removed or replaced stays what it was for who has it open", (
  { FS },
  folder,
  other,
) => {
  other.writeFileSync("/file", "first");
  const stream = FS.open(`${folder}/file`, FLAGS.RDWR);
  other.unlinkSync("/file");
  other.writeFileSync("/file", "second!");
  const to = new Uint8Array(20);
  assertEquals(FS.read(stream, to, 0, 20, 0), 5);
  FS.write(stream, new TextEncoder().encode("F"), 0, 1, 0);
  FS.ftruncate(stream.fd, 3);
  assertEquals(FS.llseek(stream, 0, 2), 3);
  FS.fchmod(stream.fd, 0o600);
  if (FS.fstat !== undefined) assertEquals(FS.fstat(stream.fd).mode & 0o777, 0o600);
  if (FS.fstat !== undefined) assertEquals(FS.fstat(stream.fd).nlink, 0);
  assertEquals(other.stats().orphans, 1);
  assertEquals(other.readFileSync("/file", "utf8"), "second!");
  FS.close(stream);
  assertEquals(other.stats().orphans, 0);
});

inAll("FS.write with O_APPEND writes at the end, wherever another agent has moved it", ({ FS }, folder, other) => {
  const stream = FS.open(`${folder}/log`, FLAGS.WRONLY | FLAGS.CREAT | FLAGS.APPEND, 0o644);
  const write = (text: string) => FS.write(stream, new TextEncoder().encode(text), 0, text.length);
  write("one,");
  other.appendFileSync("/log", "two,");
  write("three,");
  assertEquals(stream.position, 14);
  // The other agent is faster than the look that the core takes at the end.
  const ops = (stream as unknown as { stream_ops: { llseek: unknown } }).stream_ops;
  const { llseek } = ops;
  ops.llseek = (...args: unknown[]) => {
    const end = (llseek as (...args: unknown[]) => number)(...args);
    other.appendFileSync("/log", "four,");
    return end;
  };
  write("five");
  ops.llseek = llseek;
  assertEquals(other.readFileSync("/log", "utf8"), "one,two,three,four,five");
  assertEquals(stream.position, 23);
  FS.close(stream);
});

inAll(
  "FS.read and FS.write take signed and unsigned bytes, and sizes of more than 32 bits",
  ({ FS }, folder, other) => {
    const stream = FS.open(`${folder}/big`, FLAGS.RDWR | FLAGS.CREAT);
    const at = 5 * 2 ** 32 + 17;
    assertEquals(FS.write(stream, Int8Array.of(0, -1, -128, 127), 1, 3, at), 3);
    assertEquals(FS.stat(`${folder}/big`).size, at + 3);
    assertEquals(FS.llseek(stream, -3, 2), at);
    const to = new Int8Array(5);
    assertEquals(FS.read(stream, to, 1, 4), 3);
    assertEquals([...to], [0, -1, -128, 127, 0]);
    FS.ftruncate(stream.fd, 2 ** 33);
    assertEquals(other.statSync("/big").size, 2 ** 33);
    const all = Uint8Array.from({ length: 256 }, (_, value) => value);
    FS.write(stream, all.subarray(100, 200), 0, 100, 0);
    const back = new Uint8Array(256).subarray(50, 150);
    FS.read(stream, back, 0, 100, 0);
    assertEquals([...back], [...all.subarray(100, 200)]);
    FS.close(stream);
  },
);

inAll("errors of the pool come as the program's own, with its numbers", ({ FS }, folder, other, fs) => {
  const stream = FS.open(`${folder}/full`, FLAGS.RDWR | FLAGS.CREAT);
  FS.write(stream, new Uint8Array(1000), 0, 1000, 0);
  assertEquals(errnoOf(() => FS.write(stream, new Uint8Array(64 << 20), 0, 64 << 20, 0)), ERRNO.ENOSPC);
  assertEquals(FS.stat(`${folder}/full`).size, 1000);
  assertEquals(errnoOf(() => FS.truncate(`${folder}/full`, 2 ** 40)), ERRNO.EFBIG);
  assertEquals(errnoOf(() => FS.mknod(`${folder}/device`, 0o020666, 5)), ERRNO.EPERM);
  // That of Emscripten 2 takes dots away before it looks: then it is the folder, or what holds it, that is meant.
  for (const last of FS.fstat === undefined ? [] : [".", ".."]) {
    assert(errnoOf(() => FS.mkdir(`${folder}/${last}`)) !== "ok");
    assert(errnoOf(() => FS.rmdir(`${folder}/${last}`)) !== "ok");
    assert(errnoOf(() => FS.symlink("x", `${folder}/${last}/`)) !== "ok");
    assert(errnoOf(() => FS.rename(`${folder}/full`, `${folder}/${last}`)) !== "ok");
  }
  assertEquals(other.readdirSync("/"), ["full"]);
  using readOnly = FileSystem.attach(fs.handle, { readOnly: true });
  const second = `${folder}-read-only`;
  FS.mkdir(second);
  FS.mount(createExtMemFS(FS), { fs: readOnly }, second);
  assertEquals(errnoOf(() => FS.writeFile(`${second}/new`, "x")), ERRNO.EROFS);
  assertEquals(errnoOf(() => FS.chmod(`${second}/full`, 0o600)), ERRNO.EROFS);
  assertEquals(FS.readFile(`${second}/full`).length, 1000);
  const open = FS.open(`${second}/full`, FLAGS.RDONLY);
  readOnly.detach();
  assertEquals(errnoOf(() => FS.stat(`${second}/full`)), ERRNO.EIDRM);
  assertEquals(errnoOf(() => FS.read(open, new Uint8Array(1), 0, 1, 0)), ERRNO.EIDRM);
  FS.close(open);
  FS.unmount(second);
  FS.close(stream);
});

inAll("a mount of a directory shows that directory and nothing beyond it", (program, _, other, fs) => {
  const { FS } = program;
  other.mkdirSync("/sub/inner", { recursive: true });
  other.writeFileSync("/secret", "outside");
  other.writeFileSync("/sub/file", "inside");
  other.symlinkSync("../secret", "/sub/relative");
  other.symlinkSync("/secret", "/sub/absolute");
  const folder = mountIn(program, fs, "/sub");
  assertEquals(FS.readFile(`${folder}/file`, { encoding: "utf8" }), "inside");
  assertEquals(errnoOf(() => FS.stat(`${folder}/relative`)), ERRNO.ENOENT);
  assertEquals(errnoOf(() => FS.stat(`${folder}/absolute`)), ERRNO.ENOENT);
  assertEquals(errnoOf(() => FS.open(`${folder}/absolute`, FLAGS.WRONLY)), ERRNO.ENOENT);
  assertEquals(errnoOf(() => FS.stat(`${folder}/inner/../../secret`)), ERRNO.ENOENT);
  // It is the directory itself that is mounted, not its path.
  other.renameSync("/sub", "/elsewhere");
  assertEquals(FS.readFile(`${folder}/file`, { encoding: "utf8" }), "inside");
  FS.unmount(folder);
});

inAll("mounts of several pools, and mounts within a mount, stand side by side", (program, folder, other) => {
  const { FS } = program;
  using second = FileSystem.create({ maximumBytes: 8 << 20 });
  const elsewhere = mountIn(program, second);
  FS.writeFile(`${folder}/file`, "one");
  FS.writeFile(`${elsewhere}/file`, "two");
  assertEquals(errnoOf(() => FS.rename(`${folder}/file`, `${elsewhere}/moved`)), ERRNO.EXDEV);
  assert(FS.stat(folder).dev !== FS.stat(elsewhere).dev);
  assertStrictEquals(createExtMemFS(FS), createExtMemFS(FS));
  FS.unmount(elsewhere);
  FS.mkdir(`${folder}/inner`);
  FS.mount(FS.filesystems.MEMFS!, {}, `${folder}/inner`);
  FS.writeFile(`${folder}/inner/private`, "x");
  assertEquals(other.readdirSync("/inner"), []);
  assertEquals(FS.readdir(`${folder}/inner`), [".", "..", "private"]);
  other.renameSync("/inner", "/moved");
  assertEquals(FS.readdir(`${folder}/moved`), [".", "..", "private"]);
  FS.unmount(`${folder}/moved`);
  assertEquals(FS.readdir(`${folder}/moved`), [".", ".."]);
});

Deno.test("readdir of a program tells what was there when it began, whatever another agent removes", async () => {
  const { python, FS } = (await loadPrograms())[1] as Python;
  using fs = FileSystem.create({ maximumBytes: 8 << 20, debugLevel: 3 });
  const folder = mountIn({ name: "", FS, memory: () => new Uint8Array(0) }, fs);
  for (let index = 0; index < 100; index++) {
    if (index % 2 === 0) fs.mkdirSync(`/entry${index}`);
    else fs.writeFileSync(`/entry${index}`, "");
  }
  python.globals.set("folder", folder);
  python.runPython(`
import os
entries = os.scandir(folder)
seen = [next(entries) for _ in range(3)]
`);
  for (const name of fs.readdirSync("/")) fs.rmSync(`/${name}`, { recursive: true });
  fs.writeFileSync("/new", "");
  assertEquals(
    python.runPython(`
seen += list(entries)
str((len(seen), len({e.name for e in seen}), all(e.is_dir() == (int(e.name[5:]) % 2 == 0) for e in seen),
     len({e.inode() for e in seen}), os.listdir(folder)))`),
    "(100, 100, True, 100, ['new'])",
  );
  FS.unmount(folder);
  assertEquals(fs.stats().opens, 0);
});

Deno.test("FS.allocate makes room where the core has it", async () => {
  const program = (await loadPrograms())[0]!;
  const { FS } = program as unknown as {
    FS: ProgramFS & { allocate(stream: object, at: number, bytes: number): void };
  };
  using fs = FileSystem.create({ maximumBytes: 8 << 20, debugLevel: 3 });
  const folder = mountIn(program, fs);
  const stream = FS.open(`${folder}/file`, FLAGS.RDWR | FLAGS.CREAT);
  FS.allocate(stream, 1000, 5000);
  assertEquals(fs.statSync("/file").size, 6000);
  assertEquals(errnoOf(() => FS.allocate(stream, 0, 64 << 20)), ERRNO.ENOSPC);
  FS.close(stream);
  FS.unmount(folder);
});

Deno.test("FS.mmap copies a range into the program's memory, and FS.msync writes it back", async () => {
  for (const program of (await loadPrograms()).slice(0, 2)) {
    const { FS } = program;
    using fs = FileSystem.create({ maximumBytes: 8 << 20, debugLevel: 3 });
    const folder = mountIn(program, fs);
    fs.writeFileSync("/file", "0123456789");
    const stream = FS.open(`${folder}/file`, FLAGS.RDWR);
    // Before version 2.0.20 an address stands before the length.
    const { ptr } = FS.mmap(stream, ...(FS.fstat === undefined ? [0] : []), 100, 4, 3, 1);
    const mapped = program.memory().subarray(ptr, ptr + 100);
    assertEquals(new TextDecoder().decode(mapped.slice(0, 7)), "456789\0");
    mapped[1] = 65;
    FS.msync(stream, mapped, 4, 100, 1);
    // The file is as long as it was.
    assertEquals(fs.readFileSync("/file", "utf8"), "01234A6789");
    FS.close(stream);
    FS.unmount(folder);
  }
});

Deno.test("FS.link makes hard links where the core has them", async () => {
  const program = (await loadPrograms())[2]!;
  const { FS } = program;
  using fs = FileSystem.create({ maximumBytes: 8 << 20, debugLevel: 3 });
  const folder = mountIn(program, fs);
  FS.mkdir(`${folder}/d`);
  FS.writeFile(`${folder}/file`, "x");
  FS.link!(`${folder}/file`, `${folder}/d/again`);
  assertEquals(fs.statSync("/d/again").nlink, 2);
  assertEquals(FS.stat(`${folder}/d/again`).ino, fs.statSync("/file").ino);
  assertEquals(errnoOf(() => FS.link!(`${folder}/file`, `${folder}/d/again`)), ERRNO.EEXIST);
  assertEquals(errnoOf(() => FS.link!("/home/web_user/.gitconfig", `${folder}/outside`)), ERRNO.EXDEV);
  assertEquals(errnoOf(() => FS.link!(`${folder}/d`, `${folder}/e`)), ERRNO.EPERM);
  FS.unmount(folder);
});

Deno.test("createExtMemFS() and its mounts refuse what they cannot use, and say what", async () => {
  const { FS } = (await loadPrograms())[0]!;
  assertThrows(() => createExtMemFS(1 as unknown as object), TypeError, "FS must be the FS object of an Emscripten");
  assertThrows(() => createExtMemFS({ open() {} }), TypeError, "It has no ErrnoError, FSNode");
  using fs = FileSystem.create({ maximumBytes: 8 << 20 });
  FS.mkdir("/refused");
  const mount = (options: unknown) => FS.mount(createExtMemFS(FS), options as object, "/refused");
  assertThrows(() => mount(undefined), TypeError, "must be { fs, root? }. Received undefined");
  assertThrows(
    () => mount({}),
    TypeError,
    "option fs must be a FileSystem attached in this thread. Received undefined",
  );
  assertThrows(() => mount({ fs: fs.handle }), TypeError, "Received an instance of Object");
  assertThrows(() => mount({ fs, root: "sub" }), TypeError, "absolute path in the pool. Received 'sub'");
  assertThrows(() => mount({ fs, path: "/" }), TypeError, "options of a mount are fs and root. Received path");
  assertEquals(errnoOf(() => mount({ fs, root: "/none" })), ERRNO.ENOENT);
  fs.writeFileSync("/file", "");
  assertEquals(errnoOf(() => mount({ fs, root: "/file" })), ERRNO.ENOTDIR);
  FS.rmdir("/refused");
});
