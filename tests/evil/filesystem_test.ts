/**
 * The filesystem where memory is short: at every single allocation of every operation, and with a pool that is really full.
 * A refused operation has changed nothing, has kept nothing and holds no lock.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertInstanceOf, assertThrows } from "../support/assert.ts";
import { AgentTableFullError } from "../../src/memory/errors.ts";
import { assertEmptied, assertSound, attempt, countBlocks, LONG, removeAll, StressCrew } from "../support/stress.ts";
import { createWithSeed, namesBelowPrefix, namesOfOneHash } from "../support/stress_names.ts";
import { stateOf } from "../schedule/filesystem_threads.ts";

const ENOSPC = -28;

/** Lets allocations of an agent fail; counts them. */
class Shortage {
  count = 0;
  #from = Infinity;
  #to = Infinity;

  constructor(fs: FileSystem) {
    const { heap } = fs.pool;
    const { allocate, extend } = heap;
    heap.allocate = (...args) => this.#fails() ? ENOSPC : allocate.apply(heap, args);
    heap.extend = (...args) => this.#fails() ? 0 : extend.apply(heap, args);
  }

  /** From now on the allocations from number `from` to before number `to`, beginning with 1, fail. */
  set(from: number, to: number): void {
    this.count = 0;
    this.#from = from;
    this.#to = to;
  }

  #fails(): boolean {
    this.count++;
    return this.count >= this.#from && this.count < this.#to;
  }
}

/** Blocks that no empty filesystem has, and the tree. Inodes and indexes that were made in vain are kept for later. */
function footprint(fs: FileSystem, withBlocks: boolean): unknown {
  const { live, kept, agents } = countBlocks(fs);
  const { opens, orphans } = fs.stats();
  return { surplus: withBlocks ? live - kept - agents : 0, opens, orphans, tree: stateOf(fs) };
}

interface Hardship {
  /** What the operation finds; made by another agent, so that the one it belongs to has nothing in store. */
  setUp?(fs: FileSystem): void;
  /** Makes descriptors of the agent whose allocations fail. */
  open?(fs: FileSystem): void;
  /** Whether some of the memory that was had before the refusal stays with the file or directory, to be used later. */
  readonly keeps?: boolean;
  /** The operation. */
  operate(fs: FileSystem): void;
}

function operation(name: string, hardship: Hardship): void {
  Deno.test(`ENOSPC at every allocation: ${name}`, () => {
    const make = () => {
      const owner = createWithSeed({ initialBytes: 2 << 20, maximumBytes: 4 << 20 });
      hardship.setUp?.(owner);
      const fs = FileSystem.attach(owner.handle, { debugLevel: 3 });
      hardship.open?.(fs);
      return { owner, fs, shortage: new Shortage(fs) };
    };
    const plain = make();
    plain.shortage.set(Infinity, Infinity);
    hardship.operate(plain.fs);
    const allocations = plain.shortage.count;
    assertGreater(allocations, 0, "the operation allocates");
    const codes: Record<string, number> = {};
    for (let number = 1; number <= allocations; number++) {
      for (const width of [1, 2, Infinity]) {
        const { owner, fs, shortage } = make();
        const withBlocks = hardship.keeps !== true;
        const before = footprint(owner, withBlocks);
        shortage.set(number, number + width);
        const code = attempt(() => hardship.operate(fs));
        codes[code] = (codes[code] ?? 0) + 1;
        shortage.set(Infinity, Infinity);
        const what = `allocations ${number} to ${
          number + width - 1
        } of ${allocations} failed, the operation gave ${code}`;
        assert(code === "ENOSPC" || code === "ok", what);
        assertEquals(owner.check(), [], what);
        if (code === "ENOSPC") {
          assertEquals(footprint(owner, withBlocks), before, what);
          hardship.operate(fs);
          assertEquals(owner.check(), [], what);
        }
        fs.detach();
        removeAll(owner);
        assertSound(owner, what);
        assertEmptied(owner, what);
      }
    }
    assertGreater(codes.ENOSPC ?? 0, 0, "the operation can be refused");
  });
}

const LONG_NAME = "n".repeat(200);

/** A directory whose only bucket takes no more entries of that length. */
function fillBucket(fs: FileSystem): void {
  fs.writeFileSync("/f", "f");
  fs.mkdirSync("/d");
  for (let name = 0; name < 4; name++) fs.linkSync("/f", `/d/${LONG_NAME}${name}`);
}

operation("creating a file", { operate: (fs) => fs.closeSync(fs.openSync("/n", "wx")) });
operation("making a directory", { operate: (fs) => fs.mkdirSync("/n") });
operation("making a symbolic link to a short target", { operate: (fs) => fs.symlinkSync("t", "/n") });
operation("making a symbolic link to a long target", { operate: (fs) => fs.symlinkSync("t".repeat(900), "/n") });
operation("linking into a directory without entries", {
  setUp: (fs) => {
    fs.writeFileSync("/f", "f");
    fs.mkdirSync("/d");
  },
  operate: (fs) => fs.linkSync("/f", "/d/n"),
});
operation("linking into a bucket that must grow", {
  setUp: (fs) => {
    fs.writeFileSync("/f", "f");
    fs.mkdirSync("/d");
    fs.linkSync("/f", `/d/${"a".repeat(20)}`);
  },
  operate: (fs) => fs.linkSync("/f", `/d/${"b".repeat(60)}`),
});
operation("renaming into a bucket that must grow", {
  setUp: (fs) => {
    fs.writeFileSync("/f", "f");
    fs.mkdirSync("/d");
    fs.linkSync("/f", `/d/${"a".repeat(20)}`);
  },
  operate: (fs) => fs.renameSync("/f", `/d/${"b".repeat(60)}`),
});
operation("linking into a directory that must get an index", {
  keeps: true,
  setUp: fillBucket,
  operate: (fs) => fs.linkSync("/f", `/d/${LONG_NAME}4`),
});
operation("creating a file in a directory that must get an index", {
  keeps: true,
  setUp: fillBucket,
  operate: (fs) => fs.closeSync(fs.openSync(`/d/${LONG_NAME}4`, "wx")),
});
operation("renaming a directory into one that must get an index", {
  keeps: true,
  setUp: (fs) => {
    fillBucket(fs);
    fs.mkdirSync("/e");
  },
  operate: (fs) => fs.renameSync("/e", `/d/${LONG_NAME}4`),
});
/** A directory with an index and one full bucket, of these names; the last is left for the operation. */
function fillIndex(fs: FileSystem, names: readonly string[]): void {
  fillBucket(fs);
  fs.linkSync("/f", `/d/${LONG_NAME}4`);
  for (let name = 0; name < 5; name++) fs.unlinkSync(`/d/${LONG_NAME}${name}`);
  for (const name of names.slice(0, -1)) fs.linkSync("/f", `/d/${name}`);
}

/** So many entries of names of 20 letters fill a bucket, and one more. */
const OVERFULL = 32;
operation("linking into an index whose bucket must be split", {
  setUp: (fs) => fillIndex(fs, namesBelowPrefix(fs, 4, 3, OVERFULL, 20)),
  operate: (fs) => fs.linkSync("/f", `/d/${namesBelowPrefix(fs, 4, 3, OVERFULL, 20).at(-1)}`),
});
operation("linking into an index that must get a table below the first", {
  keeps: true,
  setUp: (fs) => fillIndex(fs, namesBelowPrefix(fs, 8, 3, OVERFULL, 20)),
  operate: (fs) => fs.linkSync("/f", `/d/${namesBelowPrefix(fs, 8, 3, OVERFULL, 20).at(-1)}`),
});
operation("linking names of one hash, down to the last table", {
  keeps: true,
  setUp: (fs) => fillIndex(fs, namesOfOneHash(fs, 6).slice(0, 28)),
  operate: (fs) => fs.linkSync("/f", `/d/${namesOfOneHash(fs, 6)[27]}`),
});

let descriptor = -1;
const openFile = (fs: FileSystem) => void (descriptor = fs.openSync("/f", "r+"));
const bytesOf = (count: number) => new Uint8Array(count).fill(66);

operation("opening more files than a block of the ledger has", {
  setUp: (fs) => fs.writeFileSync("/f", "f"),
  open: (fs) => {
    for (let file = 0; file < 60; file++) fs.openSync("/f", "r");
  },
  operate: (fs) => fs.closeSync(fs.openSync("/f", "r")),
});
operation("writing more than an inode holds", {
  setUp: (fs) => fs.writeFileSync("/f", "inline"),
  open: openFile,
  operate: (fs) => fs.writeSync(descriptor, bytesOf(3000), 0, 3000, 3),
});
operation("writing into an empty file", {
  setUp: (fs) => fs.writeFileSync("/f", ""),
  open: openFile,
  operate: (fs) => fs.writeSync(descriptor, bytesOf(100_000), 0, 100_000, 0),
});
operation("appending", {
  setUp: (fs) => {
    fs.writeFileSync("/f", bytesOf(5000));
    // Stands behind it, so that it cannot grow in place for ever.
    fs.writeFileSync("/g", bytesOf(5000));
  },
  open: openFile,
  operate: (fs) => fs.writeSync(descriptor, bytesOf(200_000), 0, 200_000, 5000),
});
operation("writing far behind the end", {
  keeps: true,
  setUp: (fs) => fs.writeFileSync("/f", "inline"),
  open: openFile,
  operate: (fs) => fs.writeSync(descriptor, bytesOf(700), 0, 700, 1_000_001),
});
operation("writing over several holes", {
  keeps: true,
  setUp: (fs) => {
    const fd = fs.openSync("/f", "w");
    for (let extent = 0; extent < 3; extent++) fs.writeSync(fd, bytesOf(64), 0, 64, 1000 + extent * 6400);
    fs.closeSync(fd);
  },
  open: openFile,
  operate: (fs) => fs.writeSync(descriptor, bytesOf(20_000), 0, 20_000, 100),
});
operation("a list of extents that must grow", {
  setUp: (fs) => {
    const fd = fs.openSync("/f", "w");
    for (let extent = 0; extent < 10; extent++) fs.writeSync(fd, bytesOf(64), 0, 64, extent * 6400);
    fs.closeSync(fd);
  },
  open: openFile,
  operate: (fs) => fs.writeSync(descriptor, bytesOf(64), 0, 64, 640_000),
});
operation("lengthening a short file", {
  setUp: (fs) => fs.writeFileSync("/f", "inline"),
  open: openFile,
  operate: (fs) => fs.ftruncateSync(descriptor, 50_000),
});
operation("reserving room", {
  setUp: (fs) => fs.writeFileSync("/f", bytesOf(300)),
  open: openFile,
  operate: (fs) => fs.fallocateSync(descriptor, 0, 100, 60_000),
});
operation("reserving room behind the end", {
  setUp: (fs) => fs.writeFileSync("/f", bytesOf(300)),
  open: openFile,
  operate: (fs) => fs.fallocateSync(descriptor, 1, 1000, 60_000),
});

Deno.test("removing needs no memory", () => {
  using owner = FileSystem.create({ maximumBytes: 16 << 20 });
  using fs = FileSystem.attach(owner.handle, { debugLevel: 3 });
  fs.mkdirSync("/d");
  for (let name = 0; name < 500; name++) fs.writeFileSync(`/d/${name}`, bytesOf(name * 3));
  for (let name = 0; name < 300; name++) fs.linkSync(`/d/${name}`, `/d/second-${name}`);
  new Shortage(fs).set(1, Infinity);
  for (let name = 0; name < 200; name++) fs.truncateSync(`/d/${name}`, name);
  fs.rmSync("/d", { recursive: true });
  assertSound(owner, "after everything has been removed");
  assertEmptied(owner, "after everything has been removed");
});

Deno.test("FileSystem.attach() to a full pool fails with ENOSPC and leaves no agent behind", () => {
  using fs = FileSystem.create({ maximumBytes: 2 << 20 });
  const fd = fs.openSync("/f", "w");
  let size = 0;
  for (const piece of [4096, 64]) {
    while (attempt(() => fs.writeSync(fd, bytesOf(piece))) === "ok") size += piece;
  }
  const { agents } = fs.stats();
  assertEquals(attempt(() => FileSystem.attach(fs.handle)), "ENOSPC");
  assertEquals(fs.stats().agents, agents);
  assertEquals(fs.fstatSync(fd).size, size);
  fs.ftruncateSync(fd, size >> 1);
  using other = FileSystem.attach(fs.handle);
  assertEquals(other.statSync("/f").size, size >> 1);
  assertSound(fs, "afterwards");
});

Deno.test("a pool that eight workers fill at once, verify, empty and fill again", async () => {
  using fs = FileSystem.create({ maximumBytes: 4 << 20 });
  using crew = new StressCrew(import.meta.resolve("../stress/filesystem_worker.ts"));
  const refused = await crew.run<number>({
    handle: fs.handle,
    mix: "fill",
    workers: 8,
    durationMs: LONG ? 20_000 : 1500,
    debugLevel: 0,
  });
  assertGreater(Math.min(...refused), 0, "everybody has met the end of the pool");
  assertSound(fs, "after the workers have left");
  assertEmptied(fs, "after the workers have left");
});

Deno.test("1,024 agents attach; one more gets AgentTableFullError until one has left", () => {
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  fs.writeFileSync("/f", "f");
  const others = Array.from({ length: 1023 }, () => FileSystem.attach(fs.handle));
  assertEquals(new Set(others.map((other) => other.agentId)).size, 1023);
  assertThrows(() => FileSystem.attach(fs.handle), AgentTableFullError, "1024");
  assertEquals(others.at(-1)!.readFileSync("/f", "utf8"), "f");
  others[500]!.detach();
  others[500] = FileSystem.attach(fs.handle);
  const full = assertThrows(() => FileSystem.attach(fs.handle));
  assertInstanceOf(full, AgentTableFullError);
  assertSound(fs, "with all slots taken");
  for (const other of others) other.detach();
  assertEquals(fs.stats().agents, 1);
  fs.unlinkSync("/f");
  assertEmptied(fs, "after all others have left");
});
