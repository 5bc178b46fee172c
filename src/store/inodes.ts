/**
 * Inodes: taking one, giving one back, their metadata and open counts.
 *
 * Free inodes stand in eight shards, lists linked through the inode's body; an agent uses the shard of its slot and
 * turns to the others only when the pool is full. A chunk of inodes is never given back, an inode's lock and version
 * are never reset: whoever holds an old reference finds a lock word that is a lock word, and a version that differs.
 *
 * Lock rank: the shard's lock, above the heap's.
 *
 * @module
 */
import { ENOSPC } from "../layout/errno.ts";
import {
  CHUNK_COUNT,
  CHUNK_HEADER_WORDS,
  CHUNK_INODES,
  CHUNK_NEXT,
  INODE_ATIME,
  INODE_BODY,
  INODE_BTIME,
  INODE_CTIME,
  INODE_EXTENT_BLOCK,
  INODE_EXTENT_COUNT,
  INODE_EXTENT_ROOM,
  INODE_FLAGS,
  INODE_GID,
  INODE_MODE,
  INODE_MTIME,
  INODE_NLINK,
  INODE_OPENS,
  INODE_SIZE,
  INODE_UID,
  INODE_VERSION,
  INODE_WORDS,
  OPENS_COUNT,
  OPENS_GENERATION_SHIFT,
} from "../layout/inode.ts";
import {
  SHARD_CHUNKS,
  SHARD_COUNT,
  SHARD_FREE,
  SHARD_FREE_COUNT,
  SHARD_LOCK,
  SHARD_WORDS,
  SUPER_SHARDS,
} from "../layout/superblock.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Store } from "./store.ts";

/** Mask of the file type in a mode. */
export const S_IFMT = 0o170000;
/** Type of a directory. */
export const S_IFDIR = 0o040000;
/** Type of a regular file. */
export const S_IFREG = 0o100000;
/** Type of a symbolic link. */
export const S_IFLNK = 0o120000;

/** Word of a shard. */
export function shardWordOf(index: number): number {
  return SUPER_SHARDS + index * SHARD_WORDS;
}

/** Takes a free inode and fills in its metadata. Returns its word or a negative errno. Nobody else can see it yet. */
export function takeInode(store: Store, mode: number, nlink: number, timeMs: number): number {
  const own = store.agent.slot % SHARD_COUNT;
  let word = takeFromShard(store, shardWordOf(own), true);
  for (let other = 1; word === -ENOSPC && other < SHARD_COUNT; other++) {
    word = takeFromShard(store, shardWordOf((own + other) % SHARD_COUNT), false);
  }
  if (word < 0) return word;
  const { i32, f64 } = store.memory;
  // A reader with an old reference must not take half of the new metadata for the whole.
  store.wasm.beginChange(word + INODE_VERSION);
  i32[word + INODE_MODE] = mode;
  i32[word + INODE_NLINK] = nlink;
  i32[word + INODE_EXTENT_COUNT] = 0;
  i32[word + INODE_EXTENT_BLOCK] = 0;
  i32[word + INODE_EXTENT_ROOM] = 0;
  i32[word + INODE_FLAGS] = 0;
  i32[word + INODE_UID] = 0;
  i32[word + INODE_GID] = 0;
  const double = word / 2;
  f64[double + INODE_SIZE / 2] = 0;
  f64[double + INODE_MTIME / 2] = timeMs;
  f64[double + INODE_CTIME / 2] = timeMs;
  f64[double + INODE_ATIME / 2] = timeMs;
  f64[double + INODE_BTIME / 2] = timeMs;
  i32[word + INODE_BODY] = 0;
  i32[word + INODE_BODY + 1] = 0;
  i32[word + INODE_BODY + 2] = 0;
  i32[word + INODE_BODY + 3] = 0;
  store.wasm.endChange(word + INODE_VERSION);
  return word;
}

function takeFromShard(store: Store, shardWord: number, mayAllocate: boolean): number {
  const { agent } = store;
  const locked = lockExclusive(agent, shardWord + SHARD_LOCK);
  if (locked !== 0) return locked;
  let result = -ENOSPC;
  if (store.memory.i32[shardWord + SHARD_FREE] === 0 && mayAllocate) result = addChunkLocked(store, shardWord);
  const { i32 } = store.memory;
  const ref = i32[shardWord + SHARD_FREE]!;
  if (ref !== 0) {
    result = ref * GRANULE_WORDS;
    i32[shardWord + SHARD_FREE] = i32[result + INODE_BODY]!;
    i32[shardWord + SHARD_FREE_COUNT]!--;
  }
  unlockExclusive(agent, shardWord + SHARD_LOCK);
  return result;
}

function addChunkLocked(store: Store, shardWord: number): number {
  const bytes = (CHUNK_HEADER_WORDS + CHUNK_INODES * INODE_WORDS) * 4;
  const addr = store.heap.allocate(bytes, 128);
  if (addr < 0) return addr;
  store.wasm.fill(addr, 0, bytes);
  const { i32 } = store.memory;
  const chunkWord = addr / 4;
  i32[chunkWord + CHUNK_COUNT] = CHUNK_INODES;
  i32[chunkWord + CHUNK_NEXT] = i32[shardWord + SHARD_CHUNKS]!;
  let next = 0;
  for (let index = CHUNK_INODES - 1; index >= 0; index--) {
    const word = chunkWord + CHUNK_HEADER_WORDS + index * INODE_WORDS;
    i32[word + INODE_BODY] = next;
    next = word / GRANULE_WORDS;
  }
  // The free list is complete before it is hung in, and the chunk's inodes before the chunk.
  i32[shardWord + SHARD_FREE] = next;
  i32[shardWord + SHARD_FREE_COUNT] = CHUNK_INODES;
  i32[shardWord + SHARD_CHUNKS] = chunkWord / GRANULE_WORDS;
  return 0;
}

/**
 * Gives back an inode that has no name, no opens and no blocks. The caller has won it with {@linkcode claimUnused}, or
 * took it and never showed it to anybody.
 */
export function giveInode(store: Store, word: number): number {
  const { agent, wasm } = store;
  wasm.beginChange(word + INODE_VERSION);
  store.memory.i32[word + INODE_MODE] = 0;
  wasm.endChange(word + INODE_VERSION);
  const shardWord = shardWordOf(agent.slot % SHARD_COUNT);
  const locked = lockExclusive(agent, shardWord + SHARD_LOCK);
  if (locked !== 0) return locked;
  const { i32 } = store.memory;
  i32[word + INODE_BODY] = i32[shardWord + SHARD_FREE]!;
  i32[shardWord + SHARD_FREE] = word / GRANULE_WORDS;
  i32[shardWord + SHARD_FREE_COUNT]!++;
  unlockExclusive(agent, shardWord + SHARD_LOCK);
  return 0;
}

/** The generation of an inode: it changes whenever the inode is given back. */
export function generationOf(store: Store, word: number): number {
  return store.wasm.load(word + INODE_OPENS) >>> OPENS_GENERATION_SHIFT;
}

/**
 * Counts one more open of an inode, if it still is of the generation at which it was found. False if it is not: it was
 * removed meanwhile. Pairs with {@linkcode claimUnused}: of an open and a removal one wins the word.
 */
export function addOpen(store: Store, word: number, generation: number): boolean {
  for (;;) {
    const opens = store.wasm.load(word + INODE_OPENS);
    if (opens >>> OPENS_GENERATION_SHIFT !== generation || (opens & OPENS_COUNT) === OPENS_COUNT) return false;
    if (store.wasm.compareExchange(word + INODE_OPENS, opens, opens + 1) === opens) return true;
  }
}

/** Counts one open less; returns how many are left. */
export function dropOpen(store: Store, word: number): number {
  return (store.wasm.add(word + INODE_OPENS, -1) & OPENS_COUNT) - 1;
}

/**
 * Claims an inode without names, if it is not open: the caller then gives it back, and nobody can open it any more. The
 * caller holds the inode's lock.
 */
export function claimUnusedLocked(store: Store, word: number): boolean {
  // A read-modify-write, not a load: of this and of the last close's decrement one comes first, and the other then sees
  // the name gone, or the file closed.
  const opens = store.wasm.add(word + INODE_OPENS, 0);
  if ((opens & OPENS_COUNT) !== 0) return false;
  const next = (opens + (1 << OPENS_GENERATION_SHIFT)) | 0;
  return store.wasm.compareExchange(word + INODE_OPENS, opens, next) === opens;
}
