/** The filesystem as a whole: attachments, read-only ones, those that are gone, and arguments that make no sense. */
import { FileSystem, Pool } from "../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { Random, SEED } from "../../support/stress.ts";
import {
  assertFails,
  assertSound,
  assertSoundAndEmptied,
  create,
  describeTree,
  failureOf,
  pattern,
} from "./support.ts";

/** Every call that changes something, on a tree of `/d`, `/d/f` and `/l`. */
const CHANGES: Record<string, (fs: FileSystem, fd: number) => unknown> = {
  "openSync w": (fs) => fs.openSync("/d/f", "w"),
  "openSync r+": (fs) => fs.openSync("/d/f", "r+"),
  "openSync a": (fs) => fs.openSync("/d/f", "a"),
  "openSync creating": (fs) => fs.openSync("/new", "w"),
  "openSync O_TRUNC": (fs) => fs.openSync("/d/f", 0o1000),
  "writeFileSync": (fs) => fs.writeFileSync("/d/f", "x"),
  "writeFileSync new": (fs) => fs.writeFileSync("/new", "x"),
  "appendFileSync": (fs) => fs.appendFileSync("/d/f", "x"),
  "truncateSync": (fs) => fs.truncateSync("/d/f"),
  "mkdirSync": (fs) => fs.mkdirSync("/new"),
  "mkdirSync recursive": (fs) => fs.mkdirSync("/new/x/y", { recursive: true }),
  "mkdtempSync": (fs) => fs.mkdtempSync("/tmp"),
  "rmdirSync": (fs) => fs.rmdirSync("/empty"),
  "rmSync": (fs) => fs.rmSync("/d/f"),
  "rmSync recursive": (fs) => fs.rmSync("/d", { recursive: true }),
  "renameSync": (fs) => fs.renameSync("/d/f", "/new"),
  "renameSync replacing": (fs) => fs.renameSync("/d/f", "/other"),
  "unlinkSync": (fs) => fs.unlinkSync("/d/f"),
  "linkSync": (fs) => fs.linkSync("/d/f", "/new"),
  "symlinkSync": (fs) => fs.symlinkSync("x", "/new"),
  "chmodSync": (fs) => fs.chmodSync("/d/f", 0),
  "chownSync": (fs) => fs.chownSync("/d/f", 1, 1),
  "lchownSync": (fs) => fs.lchownSync("/l", 1, 1),
  "utimesSync": (fs) => fs.utimesSync("/d/f", 1, 1),
  "lutimesSync": (fs) => fs.lutimesSync("/l", 1, 1),
  "copyFileSync": (fs) => fs.copyFileSync("/d/f", "/new"),
  "copyFileSync replacing": (fs) => fs.copyFileSync("/d/f", "/other"),
  "fchmodSync": (fs, fd) => fs.fchmodSync(fd, 0),
  "fchownSync": (fs, fd) => fs.fchownSync(fd, 1, 1),
  "futimesSync": (fs, fd) => fs.futimesSync(fd, 1, 1),
  "defragment": (fs) => fs.defragment(),
};

/** Every call that looks only. */
const LOOKS: Record<string, (fs: FileSystem, fd: number) => unknown> = {
  "openSync": (fs) => fs.openSync("/d/f"),
  "readSync": (fs, fd) => fs.readSync(fd, new Uint8Array(8), 0, 8, 0),
  "readvSync": (fs, fd) => fs.readvSync(fd, [new Uint8Array(8)], 0),
  "readFileSync": (fs) => fs.readFileSync("/d/f"),
  "readFileSync by descriptor": (fs, fd) => fs.readFileSync(fd, "utf8"),
  "statSync": (fs) => fs.statSync("/d/f"),
  "lstatSync": (fs) => fs.lstatSync("/l"),
  "fstatSync": (fs, fd) => fs.fstatSync(fd),
  "accessSync": (fs) => fs.accessSync("/d/f"),
  "readdirSync": (fs) => fs.readdirSync("/d"),
  "readdirSync recursive": (fs) => fs.readdirSync("/", { recursive: true }),
  "readlinkSync": (fs) => fs.readlinkSync("/l"),
  "realpathSync": (fs) => fs.realpathSync("/l"),
  "statfsSync": (fs) => fs.statfsSync("/"),
  "fsyncSync": (fs, fd) => fs.fsyncSync(fd),
  "fdatasyncSync": (fs, fd) => fs.fdatasyncSync(fd),
  "check": (fs) => fs.check(),
  "stats": (fs) => fs.stats(),
  "closeSync": (fs, fd) => fs.closeSync(fd),
};

const BY_DESCRIPTOR: Record<string, (fs: FileSystem, fd: number) => unknown> = {
  "writeSync": (fs, fd) => fs.writeSync(fd, "x"),
  "writevSync": (fs, fd) => fs.writevSync(fd, [new Uint8Array(3)]),
  "writeFileSync": (fs, fd) => fs.writeFileSync(fd, "x"),
  "ftruncateSync": (fs, fd) => fs.ftruncateSync(fd, 1),
  "fallocateSync": (fs, fd) => fs.fallocateSync(fd, 0, 0, 100_000),
};

function makeTree(fs: FileSystem): void {
  fs.mkdirSync("/d");
  fs.mkdirSync("/empty");
  fs.writeFileSync("/d/f", pattern(5000));
  fs.writeFileSync("/other", "other");
  fs.symlinkSync("d/f", "/l");
}

Deno.test("a read-only attachment refuses every change with EROFS, and reads all", () => {
  using fs = create();
  makeTree(fs);
  using reader = FileSystem.attach(fs.handle, { readOnly: true });
  const before = describeTree(fs);
  const fd = reader.openSync("/d/f");
  for (const [name, change] of Object.entries(CHANGES)) {
    assertFails(() => change(reader, fd), "EROFS", name);
    assertEquals(describeTree(fs), before, name);
  }
  assertEquals(describeTree(reader), before);
  for (const look of Object.values(LOOKS)) look(reader, fd);
  assertSound(fs);
});

Deno.test("a detached agent gets a clear error from every call, and changes nothing", () => {
  using fs = create();
  makeTree(fs);
  const gone = FileSystem.attach(fs.handle);
  const fd = gone.openSync("/d/f", "r+");
  gone.detach();
  gone.detach();
  assertGone(fs, gone, fd);
  using next = FileSystem.attach(fs.handle);
  assertGone(fs, gone, fd);
  assertEquals(describeTree(next), describeTree(fs));
  next.detach();
  assertSoundAndEmptied(fs);
});

Deno.test("a retired agent gets a clear error from every call, and changes nothing", () => {
  using fs = create();
  makeTree(fs);
  const gone = FileSystem.attach(fs.handle);
  const fd = gone.openSync("/d/f", "r+");
  const orphan = gone.openSync("/orphan", "w+");
  gone.unlinkSync("/orphan");
  gone.writeSync(orphan, pattern(100_000));
  assertEquals(fs.stats().orphans, 1);
  fs.retire(gone.agentId);
  assertEquals([fs.stats().orphans, fs.stats().opens], [0, 0]);
  assertGone(fs, gone, fd);
  using next = FileSystem.attach(fs.handle);
  next.openSync("/d/f");
  assertGone(fs, gone, fd);
  gone.detach();
  assertEquals(fs.stats().opens, 1);
  assertFails(() => fs.retire(gone.agentId), "EIDRM");
  next.detach();
  assertSoundAndEmptied(fs);
});

function assertGone(fs: FileSystem, gone: FileSystem, fd: number): void {
  const before = describeTree(fs);
  const calls = { ...CHANGES, ...LOOKS, ...BY_DESCRIPTOR };
  for (const [name, call] of Object.entries(calls)) {
    assertEquals(failureOf(() => call(gone, fd)).code, "EIDRM", name);
  }
  assertEquals(gone.existsSync("/d"), false);
  assertFails(() => gone.retire(fs.agentId), "EIDRM");
  assertEquals(describeTree(fs), before);
  assertSound(fs);
}

Deno.test("retire() refuses numbers that no agent has", () => {
  using fs = create();
  const other = FileSystem.attach(fs.handle);
  const { agentId } = other;
  for (const id of [fs.agentId, 1023, 5000, 2 ** 42 + agentId, Number.MAX_SAFE_INTEGER]) {
    assertFails(() => fs.retire(id), "EINVAL", String(id));
  }
  for (const id of [-1, 1.5, NaN, "1", null]) assert(failureOf(() => fs.retire(id as number)).code.startsWith("ERR_"));
  other.detach();
  assertFails(() => fs.retire(agentId), "EIDRM");
  assertSound(fs);
});

Deno.test("1,024 agents attach, and one more is refused", () => {
  using fs = create();
  const others = Array.from({ length: 1023 }, () => FileSystem.attach(fs.handle));
  others.forEach((other, index) => other.writeFileSync(`/${index}`, String(index)));
  assertFails(() => FileSystem.attach(fs.handle), "ERR_AGENTS");
  assertEquals(fs.stats().agents, 1024);
  assertEquals(others[0]!.readFileSync("/1022", "utf8"), "1022");
  assertEquals(new Set(others.map((other) => other.agentId)).size, 1023);
  for (const other of others) other.detach();
  FileSystem.attach(fs.handle).detach();
  assertSoundAndEmptied(fs);
});

Deno.test("format(), over() and attach() refuse what is not as it should be", () => {
  using pool = Pool.create({ maximumBytes: 4 << 20 });
  assertThrows(() => FileSystem.over(pool));
  assertThrows(() => FileSystem.attach(pool.handle));
  using fs = FileSystem.format(pool, { umask: 0o077 });
  fs.mkdirSync("/d");
  assertEquals(fs.statSync("/d").mode & 0o777, 0o700);
  assertFails(() => FileSystem.format(pool), "EEXIST");
  assertFails(() => FileSystem.over(pool), "EBUSY");
  for (const umask of [-1, 0o1000, 1.5, "7", NaN]) {
    assert(failureOf(() => FileSystem.attach(fs.handle, { umask: umask as number })).code.startsWith("ERR_"));
  }
  assertEquals(fs.stats().agents, 1, "who could not attach has no slot");
  assertSoundAndEmptied(fs);
});

/** Values that few arguments take. */
const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  1.5,
  NaN,
  -Infinity,
  2 ** 53,
  10n,
  "",
  "\0",
  "nonsense",
  Symbol("s"),
  {},
  [],
  [1],
  () => 1,
  new Date(NaN),
  new URL("http://x/"),
  new Uint8Array(3),
  new Map(),
];

Deno.test("nonsense as any argument gives an error with a code, or nothing; and harms nothing", () => {
  using fs = create();
  makeTree(fs);
  const names = new Set<string>();
  for (let from = Object.getPrototypeOf(fs); from !== Object.prototype; from = Object.getPrototypeOf(from)) {
    for (const name of Object.getOwnPropertyNames(from)) if (name.endsWith("Sync")) names.add(name);
  }
  assert(names.size >= 40, `${names.size} calls`);
  const random = new Random(SEED);
  const sensible: readonly unknown[] = ["/d", "/d/f", "/l", "/x", 3, 4, 0, 1, 5, "r+", "utf8", new Uint8Array(9), {
    recursive: true,
  }];
  fs.openSync("/d/f", "r+");
  for (const name of [...names].sort()) {
    for (let round = 0; round < 300; round++) {
      const args = Array.from({ length: random.below(6) }, () => random.of(random.oneIn(3) ? sensible : NONSENSE));
      try {
        (fs as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);
      } catch (error) {
        const { code } = error as { code?: unknown };
        const what = `${name}(${args.map(show).join(", ")}) threw ${String(error)}; EXTMEMFS_SEED=${SEED}`;
        assert(typeof code === "string", what);
        if (code.startsWith("ERR_") && code !== "ERR_FS_EISDIR") {
          assert(error instanceof TypeError || error instanceof RangeError, what);
        } else assert(error instanceof Error && code.startsWith("E"), what);
      }
    }
    assertSound(fs);
  }
  fs.writeFileSync("/after", "all");
  assertEquals(fs.readFileSync("/after", "utf8"), "all");
});

Deno.test("nonsense to create(), attach(), format(), over() and defragment()", () => {
  using fs = create();
  fs.writeFileSync("/a", "x");
  const before = fs.stats();
  for (const value of NONSENSE) {
    const what = show(value);
    const isObject = typeof value === "object" && value !== null;
    assertThrows(() => FileSystem.attach(value as typeof fs.handle), Error, undefined, what);
    assertFails(() => FileSystem.format(value as Pool), "ERR_INVALID_ARG_TYPE", what);
    assertFails(() => FileSystem.over(value as Pool), "ERR_INVALID_ARG_TYPE", what);
    if (!isObject && value !== undefined) {
      assertFails(() => FileSystem.attach(fs.handle, value as object), "ERR_INVALID_ARG_TYPE", what);
      assertFails(() => FileSystem.create(value as object), "ERR_INVALID_ARG_TYPE", what);
      assertFails(() => fs.defragment(value as object), "ERR_INVALID_ARG_TYPE", what);
    }
    if (typeof value !== "number" && value !== undefined) {
      assertFails(() => fs.defragment({ budgetMs: value as number }), "ERR_INVALID_ARG_TYPE", what);
      if (value !== null) {
        assertThrows(() => FileSystem.create({ maximumBytes: value as number }), TypeError, undefined, what);
        assertFails(() => FileSystem.attach(fs.handle, { umask: value as number }), "ERR_INVALID_ARG_TYPE", what);
      }
    }
  }
  assertThrows(() => FileSystem.create({ maximumBytes: 100 }), RangeError);
  assertThrows(() => FileSystem.create({ maximumBytes: NaN }), RangeError);
  assertThrows(() => FileSystem.create({ maximumBytes: 2 ** 40 }), RangeError);
  assertFails(() => fs.defragment({ budgetMs: NaN }), "ERR_OUT_OF_RANGE");
  assertFails(() => fs.defragment({ budgetMs: -1 }), "ERR_OUT_OF_RANGE");
  assertEquals(fs.stats(), before);
  assertSoundAndEmptied(fs);
});

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "object" && value !== null ? value.constructor.name : String(value);
}
