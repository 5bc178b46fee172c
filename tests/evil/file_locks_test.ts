/**
 * File locks that contradict themselves: `check()` says what is wrong. Many locks on one file, and many files.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { chainWordOf } from "../../src/file/file_lock_table.ts";
import {
  CHAIN_ENTRIES,
  CHAIN_HELD,
  CHAIN_TURN,
  CHAIN_WAITING,
  FILE_LOCK_AGENT,
  FILE_LOCK_END,
  FILE_LOCK_FLAG_EXCLUSIVE,
  FILE_LOCK_FLAGS,
  FILE_LOCK_INODE,
  FILE_LOCK_NEXT,
  FILE_LOCK_START,
  FILE_LOCK_WAITER,
} from "../../src/layout/file_locks.ts";
import { INODE_WORDS } from "../../src/layout/inode.ts";
import { GRANULE_WORDS } from "../../src/layout/units.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { assertEmptied, removeAll, surplusBlocks } from "../support/stress.ts";

interface Pieces {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  /** Word of the chain. */
  readonly chain: number;
  /** Words of the locks: that of the second agent, that of bytes 10 to 20, that of bytes 0 to 10. */
  readonly locks: readonly number[];
}

function corrupt(name: string, damage: (pieces: Pieces) => void, expected: RegExp): void {
  Deno.test(`check() reports ${name}`, () => {
    const fs = FileSystem.create({ maximumBytes: 16 << 20 });
    const other = FileSystem.attach(fs.handle);
    fs.writeFileSync("/f", "x");
    const [fd, otherFd] = [fs.openSync("/f", "r+"), other.openSync("/f", "r+")];
    fs.setLockSync(fd, { type: "read", start: 0, length: 10 });
    fs.setLockSync(fd, { type: "write", start: 10, length: 10 });
    other.setLockSync(otherFd, { type: "read", start: 0, length: 10 });
    assertEquals(fs.check(), []);
    const { i32, f64 } = fs.pool.agent.memory;
    const chain = chainWordOf(fs.statSync("/f").ino * GRANULE_WORDS);
    const locks: number[] = [];
    for (let ref = i32[chain + CHAIN_HELD]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + FILE_LOCK_NEXT]!) {
      locks.push(ref * GRANULE_WORDS);
    }
    damage({ i32, f64, chain, locks });
    const text = fs.check().map(({ where, what }) => `${where} ${what}`).join("\n");
    assert(expected.test(text), text === "" ? "it finds nothing" : text);
  });
}

corrupt("a wrong number of file locks", ({ i32, chain }) => {
  i32[chain + CHAIN_ENTRIES]!++;
}, /file locks \d+ counts 4 locks, 0 of them waiting; its lists have 3 and 0/);
corrupt("a wrong number of waiters", ({ i32, chain }) => {
  i32[chain + CHAIN_WAITING]!++;
}, /1 of them waiting/);
corrupt("a lock that is listed twice", ({ i32, locks }) => {
  i32[locks[2]! + FILE_LOCK_NEXT] = locks[0]! / GRANULE_WORDS;
}, /lists the lock \d+ twice/);
corrupt("locks that exclude each other", ({ i32, locks }) => {
  i32[locks[0]! + FILE_LOCK_FLAGS]! |= FILE_LOCK_FLAG_EXCLUSIVE;
}, /file locks of inode \d+ \S+ holds 0 to 10 beside/);
corrupt("ranges of one owner that overlap", ({ f64, locks }) => {
  f64[(locks[1]! + FILE_LOCK_START) / 2] = 5;
}, /holds 5 to 20 beside/);
corrupt("ranges of one owner that should be one", ({ i32, locks }) => {
  i32[locks[1]! + FILE_LOCK_FLAGS] = 0;
}, /holds 10 to 20 beside \S+ with 0 to 10/);
corrupt("a range that is none", ({ f64, locks }) => {
  f64[(locks[1]! + FILE_LOCK_END) / 2] = 3;
}, /file lock \d+ is on bytes 10 to 3/);
corrupt("a lock of an agent that is not there", ({ i32, locks }) => {
  i32[locks[0]! + FILE_LOCK_AGENT]! += 1 << 16;
}, /file lock \d+ belongs to the agent \d+, which is gone/);
corrupt("a lock in the wrong chain", ({ i32, locks }) => {
  i32[locks[0]! + FILE_LOCK_INODE]! += INODE_WORDS / GRANULE_WORDS;
}, /file lock \d+ is in a chain that is not its inode's/);
corrupt("a lock on a file that nobody has open", ({ i32, locks }) => {
  i32[locks[0]! + FILE_LOCK_INODE]! += 64 * INODE_WORDS / GRANULE_WORDS;
}, /file lock \d+ is on (the free )?inode \d+/);
corrupt("a lock that is held and waits", ({ i32, locks }) => {
  i32[locks[0]! + FILE_LOCK_WAITER] = i32[locks[0]! + FILE_LOCK_AGENT]!;
}, /holds \d+, which waits/);
corrupt("a turn of one that does not wait", ({ i32, chain, locks }) => {
  i32[chain + CHAIN_TURN] = locks[0]! / GRANULE_WORDS;
}, /gives the turn to \d+, which does not wait/);
corrupt("a lock whose block is not in use", ({ i32, chain, locks }) => {
  i32[chain + CHAIN_HELD] = locks[0]! / GRANULE_WORDS + 1;
}, /is not in use/);

Deno.test("setLockSync(): thousands of locks on one file, taken in any order, end as one", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const fd = fs.openSync("/f", "w+");
  const before = surplusBlocks(fs);
  const COUNT = 3000;
  for (let step = 0; step < COUNT; step++) {
    fs.setLockSync(fd, { type: "write", start: ((step * 1201) % COUNT) * 2, length: 1 });
  }
  assertEquals(fs.stats().fileLocks, COUNT);
  assertEquals(fs.check(), []);
  fs.setLockSync(fd, { type: "read", start: 1, length: 2 * COUNT });
  assertEquals(fs.stats().fileLocks, 2);
  for (let step = 0; step < COUNT; step++) {
    fs.setLockSync(fd, { type: "unlock", start: ((step * 1201) % COUNT) * 2 + 1, length: 1 });
  }
  assertEquals(fs.check(), []);
  fs.closeSync(fd);
  assertEquals(surplusBlocks(fs), before);
});

Deno.test("file locks: a thousand files with locks, all of which go with their agent", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const other = FileSystem.attach(fs.handle);
  const { agentId } = other;
  for (let file = 0; file < 1000; file++) {
    const fd = other.openSync(`/${file}`, "w+");
    other.flockSync(fd, "ex");
    other.setLockSync(fd, { type: "write", start: file, length: 1 });
    other.setLockSync(fd, { type: "read", ofd: true, start: 2000 });
  }
  assertEquals(fs.stats().fileLocks, 3000);
  assertEquals(fs.check(), []);
  fs.retire(agentId);
  assertEquals(fs.stats().fileLocks, 0);
  removeAll(fs);
  assertEmptied(fs, "after the agent has been retired");
  assertEquals(fs.check(), []);
});

Deno.test("file locks: a file that takes the place of another that was locked is free", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  using other = FileSystem.attach(fs.handle);
  const seen = new Set<number>();
  for (let round = 0; round < 50; round++) {
    const [fd, otherFd] = [fs.openSync("/f", "w+"), other.openSync("/f", "r+")];
    seen.add(fs.fstatSync(fd).ino);
    fs.setLockSync(fd, { type: "write" }, { wait: false });
    other.flockSync(otherFd, "ex", { wait: false });
    fs.unlinkSync("/f");
    other.closeSync(otherFd);
    fs.closeSync(fd);
  }
  assert(seen.size < 50, "inodes are used again");
  assertEquals(fs.stats().fileLocks, 0);
  assertEquals(fs.check(), []);
});
