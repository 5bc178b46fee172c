/**
 * Pools that contradict themselves: `check()` says what is wrong and where.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { CorruptionError } from "../../src/memory/errors.ts";
import {
  BUCKET_COUNT,
  BUCKET_NAMES,
  ENTRY_HASH,
  ENTRY_INODE,
  INDEX_TABLE,
  STRIPE_COUNT,
} from "../../src/layout/directory.ts";
import {
  DIR_BUCKET,
  DIR_COUNT,
  DIR_INDEX,
  DIR_PARENT,
  EXTENT_FILE,
  EXTENT_REF,
  EXTENT_UNITS,
  EXTENT_WORDS,
  INODE_BODY,
  INODE_EXTENT_COUNT,
  INODE_MODE,
  INODE_NLINK,
  INODE_OPENS,
  INODE_SIZE,
  INODE_VERSION,
} from "../../src/layout/inode.ts";
import { SHARD_FREE_COUNT, SUPER_SHARDS } from "../../src/layout/superblock.ts";
import { GRANULE_WORDS } from "../../src/layout/units.ts";
import { entryWordOf } from "../../src/names/bucket.ts";

interface Pieces {
  readonly fs: FileSystem;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  /** Word of an inode. */
  inode(path: string): number;
}

function build(): Pieces {
  const fs = FileSystem.create({ maximumBytes: 16 << 20 });
  fs.mkdirSync("/d");
  fs.writeFileSync("/d/file", "x".repeat(1000));
  fs.writeFileSync("/other", "y".repeat(1000));
  fs.linkSync("/other", "/d/linked");
  const fd = fs.openSync("/holes", "w");
  for (let extent = 0; extent < 3; extent++) fs.writeSync(fd, "z".repeat(64), extent * 6400);
  fs.closeSync(fd);
  fs.mkdirSync("/large");
  for (let name = 0; name < 200; name++) fs.linkSync("/other", `/large/${name}`);
  const { i32, f64 } = fs.pool.agent.memory;
  return { fs, i32, f64, inode: (path) => fs.lstatSync(path).ino * GRANULE_WORDS };
}

function corrupt(name: string, damage: (pieces: Pieces) => void, expected: RegExp): void {
  Deno.test(`check() reports ${name}`, () => {
    const pieces = build();
    assertEquals(pieces.fs.check(), []);
    damage(pieces);
    const violations = pieces.fs.check();
    const text = violations.map(({ where, what }) => `${where} ${what}`).join("\n");
    assert(expected.test(text), text === "" ? "it finds nothing" : text);
    for (const { where, what } of violations) assert(where !== "" && what !== "");
  });
}

const bucketOf = ({ i32, inode }: Pieces, path: string) => i32[inode(path) + DIR_BUCKET]! * GRANULE_WORDS;

corrupt("an extent of no length", ({ i32, inode }) => {
  i32[inode("/d/file") + INODE_BODY + EXTENT_UNITS] = 0;
}, /inode \d+ has extent 0 at 0 of 0 units/);
corrupt("an extent that is longer than its block", ({ i32, inode }) => {
  i32[inode("/d/file") + INODE_BODY + EXTENT_UNITS] = 1000;
}, /inode \d+ has extent 0 of 1000 units in a block of/);
corrupt("extents that overlap", ({ i32, inode }) => {
  i32[inode("/holes") + INODE_BODY + EXTENT_WORDS + EXTENT_FILE] = 0;
}, /inode \d+ has extent 1 at 0/);
corrupt("an extent that is no block", ({ i32, inode }) => {
  i32[inode("/d/file") + INODE_BODY + EXTENT_REF]! += 4;
}, /extent 0 of inode \d+ refers to the block at \d+, which is not in use/);
corrupt("an extent that two files share", ({ i32, inode }) => {
  i32[inode("/d/file") + INODE_BODY + EXTENT_REF] = i32[inode("/other") + INODE_BODY + EXTENT_REF]!;
}, /shares the block at \d+ with/);
corrupt("too many extents", ({ i32, inode }) => {
  i32[inode("/d/file") + INODE_EXTENT_COUNT] = 9;
}, /inode \d+ has 9 extents where there is room for/);
corrupt("a size that is no number of bytes", ({ f64, inode }) => {
  f64[(inode("/d/file") + INODE_SIZE) / 2] = -1;
}, /inode \d+ has size -1/);
corrupt("a wrong number of names", ({ i32, inode }) => {
  i32[inode("/other") + INODE_NLINK]!++;
}, /inode \d+ nlink is 203, expected 202/);
corrupt("a wrong number of subdirectories", ({ i32, inode }) => {
  i32[inode("/d") + INODE_NLINK]!++;
}, /\/d nlink is 3, expected 2/);
corrupt("an entry of a free inode", (pieces) => {
  pieces.i32[pieces.inode("/d/file") + INODE_MODE] = 0;
}, /\/d has "file" of type 8, whose inode has mode 00/);
corrupt("an entry of the wrong type", (pieces) => {
  pieces.i32[pieces.inode("/d/file") + INODE_MODE] = 0o040755;
}, /\/d has "file" of type 8, whose inode has mode 040755/);
corrupt("an entry with a wrong hash", (pieces) => {
  pieces.i32[entryWordOf(bucketOf(pieces, "/d"), 0) + ENTRY_HASH]! ^= 1;
}, /\/d has "(file|linked)" with a wrong hash/);
corrupt("an entry that leads to another file", (pieces) => {
  const entry = entryWordOf(bucketOf(pieces, "/d"), 0);
  pieces.i32[entry + ENTRY_INODE] = pieces.inode("/holes") / GRANULE_WORDS;
}, /inode \d+ nlink is 1, expected 2/);
corrupt("a bucket whose names begin elsewhere", (pieces) => {
  pieces.i32[bucketOf(pieces, "/d") + BUCKET_NAMES]! += 4;
}, /\/d has/);
corrupt("a bucket without entries", (pieces) => {
  pieces.i32[bucketOf(pieces, "/d") + BUCKET_COUNT] = 0;
}, /\/d has an empty bucket/);
corrupt("a wrong number of entries", ({ i32, inode }) => {
  i32[inode("/d") + DIR_COUNT]!++;
}, /\/d entries is 3, expected 2/);
corrupt("a wrong number of entries of a stripe", ({ i32, inode }) => {
  i32[i32[inode("/large") + DIR_INDEX]! * GRANULE_WORDS + STRIPE_COUNT]!++;
}, /\/large stripe 0 entries is/);
corrupt("a bucket in the wrong slots", ({ i32, inode }) => {
  const table = i32[inode("/large") + DIR_INDEX]! * GRANULE_WORDS + INDEX_TABLE;
  i32[table] = i32[table + 16]!;
}, /\/large has/);
corrupt("a wrong parent", ({ i32, inode }) => {
  i32[inode("/d") + DIR_PARENT] = inode("/large") / GRANULE_WORDS;
}, /\/d has parent \d+, is in \d+/);
corrupt("an odd version", ({ i32, inode }) => {
  i32[inode("/d/file") + INODE_VERSION]! |= 1;
}, /inode \d+ has an odd version/);
corrupt("an odd version of a stripe", ({ i32, inode }) => {
  i32[i32[inode("/large") + DIR_INDEX]! * GRANULE_WORDS + 2]! |= 1;
}, /\/large stripe 0 has an odd version/);
corrupt("a file that is counted open by nobody", ({ i32, inode }) => {
  i32[inode("/d/file") + INODE_OPENS]!++;
}, /inode \d+ is counted open 1 times/);
corrupt("a wrong number of free inodes", ({ i32 }) => {
  i32[SUPER_SHARDS + SHARD_FREE_COUNT]!++;
}, /shard 0 counts \d+ free inodes, its list has \d+/);

Deno.test("debug level 3 reports what it touches as CorruptionError, and holds no lock afterwards", () => {
  const { fs, i32, inode } = build();
  using strict = FileSystem.attach(fs.handle, { debugLevel: 3 });
  i32[inode("/d/file") + INODE_BODY + EXTENT_WORDS + EXTENT_UNITS] = 0;
  i32[inode("/d/file") + INODE_EXTENT_COUNT] = 2;
  const fd = strict.openSync("/d/file", "r+");
  assertThrows(() => strict.writeSync(fd, "new", 0), CorruptionError, "has extent 1");
  i32[inode("/d/file") + INODE_EXTENT_COUNT] = 1;
  fs.writeFileSync("/d/file", "new");
  assertEquals(fs.check(), []);
});
