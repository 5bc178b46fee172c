/**
 * The plugin against MEMFS: one sequence of random calls on both, in the same program, must tell the same.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { assertEquals } from "../../support/assert.ts";
import { assertEmptied, assertSound, LONG, Random, removeAll, SEED } from "../../support/stress.ts";
import { FLAGS, loadPrograms, mountIn, type Program, type ProgramFS, type ProgramStream } from "./programs.ts";

const STEPS = LONG ? 60_000 : 6_000;
const NAMES = ["a", "b", "c", "ä€", "d.txt", ".hidden"];
const PIECES = [0, 1, 7, 40, 41, 63, 64, 100, 1000, 4096, 10_000];
const OPENS = [
  FLAGS.RDONLY,
  FLAGS.WRONLY,
  FLAGS.RDWR,
  FLAGS.RDWR | FLAGS.CREAT,
  FLAGS.RDWR | FLAGS.CREAT | FLAGS.EXCL,
  FLAGS.WRONLY | FLAGS.CREAT | FLAGS.TRUNC,
  FLAGS.RDWR | FLAGS.CREAT | FLAGS.APPEND,
  FLAGS.RDONLY | FLAGS.DIRECTORY,
  FLAGS.RDONLY | FLAGS.NOFOLLOW,
  FLAGS.RDWR | FLAGS.TRUNC,
];
const STREAMS = 4;

/** One of the two sides: a folder, and what is open below it. */
class Side {
  readonly FS: ProgramFS;
  readonly root: string;
  readonly streams: (ProgramStream | undefined)[] = new Array(STREAMS);

  constructor(FS: ProgramFS, root: string) {
    this.FS = FS;
    this.root = root;
  }

  /** What a call tells: its value, or the error's number. */
  tell(call: (side: Side) => unknown): unknown {
    try {
      return call(this) ?? null;
    } catch (error) {
      const { errno } = error as { errno?: unknown };
      // The core of Emscripten 2 has no end in a loop of links.
      if (error instanceof RangeError) return "no end";
      if (typeof errno !== "number") throw error;
      return `errno ${errno}`;
    }
  }
}

interface Step {
  readonly text: string;
  readonly run: (side: Side) => unknown;
}

/** A path: mostly one that leads to something on a side. */
function pathOf(random: Random, { FS, root }: Side): string {
  if (!random.oneIn(3)) {
    let found = "";
    for (let level = 1 + random.below(3); level > 0; level--) {
      try {
        const names = FS.readdir(root + found).filter((name) => name !== "." && name !== "..").sort();
        if (names.length > 0) found += `/${random.of(names)}`;
      } catch {
        break;
      }
    }
    if (found !== "") return found;
  }
  let path = "";
  for (let level = random.below(3); level > 0; level--) path += `/${random.of(NAMES)}`;
  // Not as the last name: MEMFS lets entries be made that are called so.
  if (path !== "" && random.oneIn(20)) path += random.of(["/..", "/."]);
  path += `/${random.of(NAMES)}`;
  return random.oneIn(20) ? path + "/" : path;
}

/** What looking at a path fails with. */
function errorOf(FS: ProgramFS, path: string): number | undefined {
  try {
    FS.lstat(path);
    return undefined;
  } catch (error) {
    return (error as { errno: number }).errno;
  }
}

/** Whether a path's directory lies in what another leads to. */
function isWithin(FS: ProgramFS, path: string, other: string): boolean {
  try {
    const parent = (name: string) => name.replace(/\/+$/, "").replace(/[^/]+$/, "");
    const from = FS.lookupPath(parent(path), { follow: true }).path + path.slice(parent(path).length - 1);
    return `${FS.lookupPath(parent(other), { follow: true }).path}/`.startsWith(from.replace(/\/*$/, "/"));
  } catch {
    return false;
  }
}

function bytesOf(random: Random, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  // ASCII, since one core complains of what is no UTF-8; and no zeros, where reading as a text ends.
  for (let at = 0; at < length; at++) bytes[at] = 1 + random.below(127);
  return bytes;
}

/** Type, permissions and size; MEMFS tells the size of a link in characters. */
function statOf({ mode, size }: { mode: number; size: number }): string {
  return `${mode.toString(8)} ${(mode & 0o170000) === 0o120000 ? "" : size}`;
}

/** Draws a call. Everything random is drawn before it is made, so that both sides get the same; paths by what one has. */
function draw(random: Random, has: { fstat: boolean; dup: boolean }, side: Side): Step {
  const path = pathOf(random, side);
  const other = pathOf(random, side);
  const length = random.of(PIECES);
  const slot = random.below(STREAMS);
  const opened = (side: Side, use: (stream: ProgramStream) => unknown) => {
    const stream = side.streams[slot];
    return stream === undefined ? "closed" : use(stream);
  };
  switch (random.below(24)) {
    case 0:
    case 1:
    case 4: {
      const mode = random.of([0o777, 0o755, 0o700, 0o1777]);
      return { text: `mkdir ${path} ${mode}`, run: ({ FS, root }) => void FS.mkdir(root + path, mode) };
    }
    case 2:
      return { text: `rmdir ${path}`, run: ({ FS, root }) => FS.rmdir(root + path) };
    case 3:
      return { text: `unlink ${path}`, run: ({ FS, root }) => FS.unlink(root + path) };
    case 5:
      return {
        text: `rename ${path} ${other}`,
        // MEMFS moves a directory into itself where the path to it leads over a link.
        // That of Emscripten 2 finds a file that was replaced again, once what has replaced it is gone; and its core moves
        // what is to go into a file.
        run: ({ FS, root }) =>
          isWithin(FS, root + path, root + other) || (!has.fstat && errorOf(FS, root + other) !== 44)
            ? null
            : FS.rename(root + path, root + other),
      };
    case 6:
    case 7: {
      const bytes = bytesOf(random, length);
      return { text: `writeFile ${path} ${length}`, run: ({ FS, root }) => FS.writeFile(root + path, bytes) };
    }
    case 8:
      return { text: `readFile ${path}`, run: ({ FS, root }) => Array.from(FS.readFile(root + path)) };
    case 9:
      return {
        text: `readFile utf8 ${path}`,
        run: ({ FS, root }) => FS.readFile(root + path, { encoding: "utf8" }),
      };
    case 10: {
      const names = random.of(NAMES);
      const target = random.oneIn(3) ? path : random.oneIn(2) ? names : `./${names}/`;
      const absolute = target.startsWith("/");
      return {
        text: `symlink ${target} ${other}`,
        run: ({ FS, root }) => void FS.symlink(absolute ? root + target : target, root + other),
      };
    }
    case 11:
      return { text: `readlink ${path}`, run: ({ FS, root }) => FS.readlink(root + path).replace(root, "") };
    case 12:
      return { text: `readdir ${path}`, run: ({ FS, root }) => FS.readdir(root + path).sort() };
    case 13:
      return { text: `stat ${path}`, run: ({ FS, root }) => statOf(FS.stat(root + path)) };
    case 14:
      return { text: `lstat ${path}`, run: ({ FS, root }) => statOf(FS.lstat(root + path)) };
    case 15: {
      const mode = random.oneIn(8) ? random.of([0o444, 0o000]) : random.of([0o755, 0o4755, 0o700]);
      return { text: `chmod ${path} ${mode}`, run: ({ FS, root }) => FS.chmod(root + path, mode) };
    }
    case 16: {
      const [atime, mtime] = [random.below(2 ** 30) * 1000, random.below(2 ** 30) * 1000];
      return {
        text: `utime ${path} ${atime} ${mtime}`,
        run: ({ FS, root }) => {
          FS.utime(root + path, atime, mtime);
          const stat = FS.stat(root + path);
          return [stat.atime.getTime(), stat.mtime.getTime()];
        },
      };
    }
    case 17:
      return { text: `truncate ${path} ${length}`, run: ({ FS, root }) => FS.truncate(root + path, length) };
    case 18:
    case 19: {
      const flags = random.of(OPENS);
      return {
        text: `open ${slot} ${path} ${flags.toString(8)}`,
        run: (side) => {
          const stream = side.FS.open(side.root + path, flags, 0o640);
          if (side.streams[slot] !== undefined) side.FS.close(side.streams[slot]!);
          side.streams[slot] = stream;
          return [stream.position, stream.path.replace(side.root, "")];
        },
      };
    }
    case 20: {
      const position = random.oneIn(2) ? undefined : random.below(5000);
      const signed = random.oneIn(2);
      const offset = random.below(9);
      return {
        text: `read ${slot} ${length} ${position}`,
        run: (side) =>
          opened(side, (stream) => {
            const to = signed ? new Int8Array(length + offset) : new Uint8Array(length + offset);
            const count = side.FS.read(stream, to, offset, length, position);
            return [count, Array.from(to), stream.position];
          }),
      };
    }
    case 21: {
      const bytes = bytesOf(random, length);
      // At a place of its own, only without O_APPEND: MEMFS then writes there, we at the end, as POSIX has it.
      const position = random.oneIn(2) ? random.below(20_000) : undefined;
      return {
        text: `write ${slot} ${length} ${position}`,
        run: (side) =>
          opened(side, (stream) => {
            const appends = ((stream as unknown as { flags: number }).flags & FLAGS.APPEND) !== 0;
            const count = side.FS.write(stream, bytes, 0, length, appends ? undefined : position);
            return [count, stream.position];
          }),
      };
    }
    case 22: {
      const whence = random.below(4);
      const offset = random.below(3000) - 500;
      return {
        text: `llseek ${slot} ${offset} ${whence}`,
        run: (side) => opened(side, (stream) => side.FS.llseek(stream, offset, whence)),
      };
    }
    default: {
      const what = random.below(4);
      return {
        text: `stream ${slot}: ${["ftruncate", "fstat", "fchmod", "dup"][what]} ${length}`,
        run: (side) =>
          opened(side, (stream) => {
            if (what === 0) {
              // The core asks for the permission once more; we know it as it was at the opening.
              side.FS.fchmod(stream.fd, 0o664);
              return side.FS.ftruncate(stream.fd, length);
            }
            if (what === 1) return has.fstat ? statOf(side.FS.fstat!(stream.fd)) : null;
            if (what === 2) return side.FS.fchmod(stream.fd, 0o664);
            if (!has.dup) return null;
            const copy = side.FS.dupStream!(stream);
            side.FS.close(stream);
            side.streams[slot] = copy;
            return copy.position;
          }),
      };
    }
  }
}

function compare(program: Program, seed: number): void {
  const { FS, name } = program;
  using fs = FileSystem.create({ maximumBytes: 64 << 20, debugLevel: 3 });
  const folder = mountIn(program, fs);
  const memory = `${folder}-memory`;
  FS.mkdir(memory);
  FS.mount(FS.filesystems.MEMFS!, {}, memory);
  const expected = new Side(FS, memory);
  const actual = new Side(FS, folder);
  const random = new Random(seed);
  const has = { fstat: FS.fstat !== undefined, dup: FS.dupStream !== undefined };
  const done: string[] = [];
  // The core of Emscripten 2 takes its time to notice a loop of links.
  for (let step = 0; step < (has.fstat ? STEPS : STEPS / 4); step++) {
    const { text, run } = draw(random, has, expected);
    done.push(text);
    const wanted = expected.tell(run);
    const told = actual.tell(run);
    assertEquals(
      told,
      wanted,
      `step ${step} in ${name}, EXTMEMFS_SEED=${SEED}; the last calls:\n${done.slice(-8).join("\n")}\n`,
    );
  }
  for (const side of [expected, actual]) {
    // All that is open: the core does not close what it fails to read as a whole.
    for (const stream of FS.streams) if (stream?.path?.startsWith(`${side.root}/`)) FS.close(stream);
    FS.unmount(side.root);
  }
  assertSound(fs, `after the calls in ${name}`);
  removeAll(fs);
  assertEmptied(fs, `after the calls in ${name}`);
}

Deno.test("createExtMemFS() behaves as MEMFS does, in three versions of the core", async (t) => {
  for (const [index, program] of (await loadPrograms()).entries()) {
    await t.step(program.name, () => compare(program, Math.imul(SEED, 31) + index));
  }
});
