/**
 * Inodes: taking and giving back, generations, open counts.
 *
 * @module
 */
import { Pool } from "../../../mod.ts";
import { CHUNK_INODES, INODE_LOCK, INODE_MODE, INODE_VERSION, OPENS_COUNT } from "../../../src/layout/inode.ts";
import {
  addOpen,
  claimUnusedLocked,
  dropOpen,
  generationOf,
  giveInode,
  S_IFREG,
  takeInode,
} from "../../../src/store/inodes.ts";
import { Store } from "../../../src/store/store.ts";
import { lockExclusive, unlockExclusive } from "../../../src/sync/raw_lock.ts";
import { assert, assertEquals, assertGreater } from "../../support/assert.ts";

function open(): Store {
  const pool = Pool.create({ maximumBytes: 4 << 20 });
  const store = Store.open(pool.agent, pool.heap);
  if (typeof store === "number") throw new Error(`Store.open() returned ${store}`);
  return store;
}

function claim(store: Store, inode: number): boolean {
  assertEquals(lockExclusive(store.agent, inode + INODE_LOCK), 0);
  const claimed = claimUnusedLocked(store, inode);
  unlockExclusive(store.agent, inode + INODE_LOCK);
  return claimed;
}

Deno.test("takeInode() gives distinct inodes, 128 bytes apart, and uses those given back first", () => {
  const store = open();
  const inodes = Array.from({ length: CHUNK_INODES + 3 }, () => takeInode(store, S_IFREG, 1, 5));
  assertEquals(new Set(inodes).size, inodes.length);
  for (const inode of inodes) assertEquals(inode * 4 % 128, 0);
  giveInode(store, inodes[7]!);
  assertEquals(store.memory.i32[inodes[7]! + INODE_MODE], 0);
  assertEquals(takeInode(store, S_IFREG, 1, 5), inodes[7]);
});

Deno.test("an inode's version only grows and is even, also over being given back and taken again", () => {
  const store = open();
  const inode = takeInode(store, S_IFREG, 1, 5);
  let last = store.memory.i32[inode + INODE_VERSION]!;
  for (let turn = 0; turn < 5; turn++) {
    assert(claim(store, inode));
    giveInode(store, inode);
    assertEquals(takeInode(store, S_IFREG, 1, 5), inode);
    const version = store.memory.i32[inode + INODE_VERSION]!;
    assertGreater(version, last);
    assertEquals(version & 1, 0);
    last = version;
  }
});

Deno.test("addOpen() wins or loses against claimUnusedLocked(), never both", () => {
  const store = open();
  const inode = takeInode(store, S_IFREG, 1, 5);
  const generation = generationOf(store, inode);
  assert(addOpen(store, inode, generation));
  assert(addOpen(store, inode, generation));
  assert(!claim(store, inode), "it is open");
  assertEquals(generationOf(store, inode), generation);
  assertEquals(dropOpen(store, inode), 1);
  assertEquals(dropOpen(store, inode), 0);
  assert(claim(store, inode));
  assert(generationOf(store, inode) !== generation);
  assert(!addOpen(store, inode, generation), "it is of another generation");
  assertEquals(dropOpen(store, inode) & OPENS_COUNT, OPENS_COUNT, "the count is a count");
});

Deno.test("generations come round after 4096 without touching the open count", () => {
  const store = open();
  const inode = takeInode(store, S_IFREG, 1, 5);
  const generation = generationOf(store, inode);
  for (let turn = 0; turn < 4096; turn++) assert(claim(store, inode));
  assertEquals(generationOf(store, inode), generation);
  assert(addOpen(store, inode, generation));
  assertEquals(dropOpen(store, inode), 0);
});

Deno.test("takeInode() turns to the other shards where the pool is full", () => {
  using pool = Pool.create({ initialBytes: 2 << 20, maximumBytes: 2 << 20 });
  const store = Store.open(pool.agent, pool.heap) as Store;
  using second = Pool.attach(pool.handle);
  const other = Store.open(second.agent, second.heap) as Store;
  const first = takeInode(other, S_IFREG, 1, 5);
  for (const bytes of [4096, 256, 16]) while (pool.heap.allocate(bytes) > 0);
  const inodes: number[] = [];
  for (let inode = takeInode(store, S_IFREG, 1, 5); inode > 0; inode = takeInode(store, S_IFREG, 1, 5)) {
    inodes.push(inode);
  }
  assertEquals(inodes.length, CHUNK_INODES - 1, "all of the other shard's chunk");
  assert(!inodes.includes(first));
  giveInode(store, inodes[0]!);
  assertEquals(takeInode(store, S_IFREG, 1, 5), inodes[0]);
});
