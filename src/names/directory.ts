/**
 * Directories: which lock guards a name, finding, adding, changing and removing entries, and listing them.
 *
 * The *guard* of a name is the structure whose first words are a lock and, two words on, a version: the inode of a small
 * directory, or the stripe of the name's hash in the index of a large one. Who changes entries holds the guard and makes
 * its version odd meanwhile; who only looks validates what was seen by the version.
 *
 * Lock rank: guards in ascending order of their word; above inodes of files, shards and the heap. A guard is asked again,
 * once held, whether it still is one (`ESTALE`: the directory was removed, its inode reused, or it was given an index),
 * and released at once if not, before anything else is waited for.
 *
 * @module
 */
import {
  ENTRY_HASH,
  ENTRY_INODE,
  ENTRY_NAME,
  INDEX_NEXT_ALL,
  INDEX_NEXT_FREE,
  INDEX_TABLE,
  INDEX_WORDS,
  STRIPE_COUNT,
  STRIPE_COUNT_PER_INDEX,
  STRIPE_LOCK,
  STRIPE_MTIME,
  STRIPE_SHIFT,
  STRIPE_SUBDIRS,
  STRIPE_VERSION,
  STRIPE_WORDS,
} from "../layout/directory.ts";
import {
  DIR_BUCKET,
  DIR_COUNT,
  DIR_INDEX,
  INODE_CTIME,
  INODE_FLAG_DEAD,
  INODE_FLAGS,
  INODE_MODE,
  INODE_MTIME,
  INODE_NLINK,
  INODE_OPENS,
  INODE_VERSION,
  OPENS_GENERATION_SHIFT,
} from "../layout/inode.ts";
import { SHARD_COUNT, SHARD_INDEX_FREE, SHARD_INDEXES, SHARD_LOCK } from "../layout/superblock.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import { S_IFDIR, S_IFMT, shardWordOf } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import { addEntry, entryWordOf, removeEntry } from "./bucket.ts";
import { type BucketPlace, fillTable, freeTables, locateBucket, makePlace, makeRoom, tidyBucket } from "./table.ts";

/** Result of what needs a guard: what was found before no longer holds, resolve the path anew. */
export const ESTALE = 116;

/** Type of a directory's entry: the mode's type bits, shifted right by 12. */
export const TYPE_DIRECTORY = S_IFDIR >> 12;

/** Word of the guard of a hash in a directory. Plain reads: asked again under the lock, or validated by the version. */
export function guardOf(i32: Int32Array, directoryWord: number, hash: number): number {
  const index = i32[directoryWord + DIR_INDEX]! | 0;
  return index === 0 ? directoryWord : index * GRANULE_WORDS + (hash >>> STRIPE_SHIFT) * STRIPE_WORDS;
}

/** Word of a guard's version. The layout puts it at the same place in an inode and in a stripe. */
export function versionOf(guardWord: number): number {
  return guardWord + STRIPE_VERSION;
}

/** Whether a held guard guards a hash of the directory that was found at a generation. */
export function isGuardLocked(
  store: Store,
  directoryWord: number,
  generation: number,
  hash: number,
  guardWord: number,
): boolean {
  const { i32 } = store.memory;
  return guardOf(i32, directoryWord, hash) === guardWord && isDirectory(i32, directoryWord, generation);
}

/** Whether an inode is a directory that has not been removed since it was found at a generation. */
export function isDirectory(i32: Int32Array, directoryWord: number, generation: number): boolean {
  return (i32[directoryWord + INODE_MODE]! & S_IFMT) === S_IFDIR &&
    i32[directoryWord + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT === generation &&
    (i32[directoryWord + INODE_FLAGS]! & INODE_FLAG_DEAD) === 0;
}

/**
 * Whether an inode is of a generation still. Asked between reading where a guard is and touching it: an inode that has
 * been reused may hold anything where a directory has its index, and not before its generation has changed. The guards
 * of a directory that was one are locks for ever.
 */
export function isGeneration(store: Store, inodeWord: number, generation: number): boolean {
  return store.wasm.fenceLoad(inodeWord + INODE_OPENS) >>> OPENS_GENERATION_SHIFT === generation;
}

/**
 * Takes the guard of a hash. Returns its word, or `-ESTALE` where the directory is gone or changed its guards, or a
 * negative errno of the lock.
 */
export function lockGuard(store: Store, directoryWord: number, generation: number, hash: number): number {
  const guardWord = guardOf(store.memory.i32, directoryWord, hash);
  if (!isGeneration(store, directoryWord, generation)) return -ESTALE;
  const locked = lockExclusive(store.agent, guardWord + STRIPE_LOCK);
  if (locked !== 0) return locked;
  if (isGuardLocked(store, directoryWord, generation, hash, guardWord)) return guardWord;
  unlockExclusive(store.agent, guardWord + STRIPE_LOCK);
  return -ESTALE;
}

/** Releases a guard. */
export function unlockGuard(store: Store, guardWord: number): void {
  unlockExclusive(store.agent, guardWord + STRIPE_LOCK);
}

/** Words of all guards of a directory, ascending. */
export function allGuards(i32: Int32Array, directoryWord: number): number[] {
  const index = i32[directoryWord + DIR_INDEX]!;
  if (index === 0) return [directoryWord];
  return Array.from({ length: STRIPE_COUNT_PER_INDEX }, (_, stripe) => index * GRANULE_WORDS + stripe * STRIPE_WORDS);
}

/** A name as operations pass it: its hash, and where its bytes stand in the agent's scratch for names. */
export interface Name {
  /** Hash of the bytes. */
  hash: number;
  /** Byte offset in the scratch. */
  nameOffset: number;
  /** Length in bytes. */
  nameBytes: number;
}

/** An agent's use of directories; keeps what its look-ups need, so that they allocate nothing. */
export class Directories {
  readonly #store: Store;
  readonly #place: BucketPlace = makePlace();

  /** Makes the look-ups of an agent. */
  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Word of a name's entry, or 0. Without the guard held, to be validated by the versions of the directory's inode and
   * of the guard.
   */
  find(directoryWord: number, name: Name): number {
    const { memory, wasm, namesWord } = this.#store;
    const bucket = locateBucket(memory.i32, directoryWord, name.hash, this.#place);
    if (bucket === 0) return 0;
    const index = wasm.bucketFind(bucket, name.hash, namesWord, name.nameOffset, name.nameBytes);
    return index < 0 ? 0 : entryWordOf(bucket, index);
  }

  /**
   * Makes sure that an entry can be added under a held guard without allocating. Returns 0, a negative errno, or
   * `-ESTALE` where the directory was given an index for it: its guards have changed.
   */
  prepareInsert(directoryWord: number, guardWord: number, name: Name): number {
    const result = makeRoom(
      this.#store,
      directoryWord,
      versionOf(guardWord),
      name.hash,
      name.nameBytes,
      this.#place,
    );
    if (result <= 0) return result;
    const converted = convertToIndex(this.#store, directoryWord);
    return converted === 0 ? -ESTALE : converted;
  }

  /** Adds an entry that {@linkcode prepareInsert} has made room for. The guard's version is odd. */
  insert(directoryWord: number, guardWord: number, name: Name, inodeWord: number, type: number, timeMs: number): void {
    const { memory, namesWord } = this.#store;
    const bucket = locateBucket(memory.i32, directoryWord, name.hash, this.#place);
    addEntry(
      this.#store,
      bucket,
      name.hash,
      inodeWord / GRANULE_WORDS,
      type,
      namesWord * 4 + name.nameOffset,
      name.nameBytes,
    );
    countEntry(this.#store, directoryWord, guardWord, 1, type === TYPE_DIRECTORY ? 1 : 0, timeMs);
  }

  /** Removes an entry. The guard's version is odd. Call {@linkcode tidy} afterwards, with the version even. */
  remove(directoryWord: number, guardWord: number, name: Name, type: number, timeMs: number): void {
    const { memory, wasm, namesWord } = this.#store;
    const bucket = locateBucket(memory.i32, directoryWord, name.hash, this.#place);
    const index = wasm.bucketFind(bucket, name.hash, namesWord, name.nameOffset, name.nameBytes);
    removeEntry(this.#store, bucket, entryWordOf(bucket, index));
    countEntry(this.#store, directoryWord, guardWord, -1, type === TYPE_DIRECTORY ? -1 : 0, timeMs);
  }

  /** Gives back space after a removal. */
  tidy(directoryWord: number, guardWord: number, hash: number): void {
    const bucket = locateBucket(this.#store.memory.i32, directoryWord, hash, this.#place);
    if (bucket !== 0) tidyBucket(this.#store, directoryWord, versionOf(guardWord), hash, this.#place);
  }
}

/** Lets an entry name another inode: one store, so that the name never vanishes. The guard's version is odd. */
export function replaceEntry(store: Store, entryWord: number, inodeWord: number, type: number): void {
  const { i32 } = store.memory;
  i32[entryWord + ENTRY_INODE] = inodeWord / GRANULE_WORDS;
  setEntryType(i32, entryWord, type);
}

function setEntryType(i32: Int32Array, entryWord: number, type: number): void {
  const nameWord = entryWord + ENTRY_NAME;
  i32[nameWord] = (i32[nameWord]! & 0x00ff_ffff) | (type << 24);
}

/** Counts entries and subdirectories where they belong, and stamps the change. The guard's version is odd. */
export function countEntry(
  store: Store,
  directoryWord: number,
  guardWord: number,
  entries: number,
  subdirectories: number,
  timeMs: number,
): void {
  const { i32, f64 } = store.memory;
  if (guardWord === directoryWord) {
    i32[directoryWord + DIR_COUNT]! += entries;
    i32[directoryWord + INODE_NLINK]! += subdirectories;
    f64[(directoryWord + INODE_MTIME) / 2] = timeMs;
    f64[(directoryWord + INODE_CTIME) / 2] = timeMs;
  } else {
    i32[guardWord + STRIPE_COUNT]! += entries;
    i32[guardWord + STRIPE_SUBDIRS]! += subdirectories;
    f64[(guardWord + STRIPE_MTIME) / 2] = timeMs;
  }
}

/** Number of entries of a directory. Exact under all its guards, or validated by their versions. */
export function entryCount(i32: Int32Array, directoryWord: number): number {
  const index = i32[directoryWord + DIR_INDEX]! | 0;
  if (index === 0) return i32[directoryWord + DIR_COUNT]!;
  let count = 0;
  for (let stripe = 0; stripe < STRIPE_COUNT_PER_INDEX; stripe++) {
    count += i32[index * GRANULE_WORDS + stripe * STRIPE_WORDS + STRIPE_COUNT]!;
  }
  return count;
}

/** Gives a small directory an index. Its inode's lock is held. Returns 0 or a negative errno. */
function convertToIndex(store: Store, directoryWord: number): number {
  const { wasm, memory } = store;
  const indexWord = takeIndex(store);
  if (indexWord < 0) return indexWord;
  const bucket = memory.i32[directoryWord + DIR_BUCKET]! * GRANULE_WORDS;
  const filled = fillTable(store, bucket, indexWord + INDEX_TABLE);
  if (filled !== 0) {
    giveIndex(store, indexWord);
    return filled;
  }
  const { i32, f64 } = memory;
  const counts = new Array<number>(STRIPE_COUNT_PER_INDEX).fill(0);
  for (let index = 0; index < i32[bucket]!; index++) {
    counts[i32[entryWordOf(bucket, index) + ENTRY_HASH]! >>> STRIPE_SHIFT]!++;
  }
  // The stripes' locks and versions belong to whoever had the index before, too: they go on, they do not begin anew.
  for (let stripe = 0; stripe < STRIPE_COUNT_PER_INDEX; stripe++) {
    const stripeWord = indexWord + stripe * STRIPE_WORDS;
    wasm.beginChange(versionOf(stripeWord));
    i32[stripeWord + STRIPE_COUNT] = counts[stripe]!;
    i32[stripeWord + STRIPE_SUBDIRS] = 0;
    f64[(stripeWord + STRIPE_MTIME) / 2] = 0;
    wasm.endChange(versionOf(stripeWord));
  }
  wasm.beginChange(directoryWord + INODE_VERSION);
  i32[directoryWord + DIR_INDEX] = indexWord / GRANULE_WORDS;
  i32[directoryWord + DIR_BUCKET] = 0;
  i32[directoryWord + DIR_COUNT] = 0;
  wasm.endChange(directoryWord + INODE_VERSION);
  store.heap.free(bucket * 4);
  return 0;
}

/** Takes a directory index with an empty table. Returns its word or a negative errno. */
function takeIndex(store: Store): number {
  const { agent, memory } = store;
  const shardWord = shardWordOf(agent.slot % SHARD_COUNT);
  const locked = lockExclusive(agent, shardWord + SHARD_LOCK);
  if (locked !== 0) return locked;
  let word: number;
  const free = memory.i32[shardWord + SHARD_INDEX_FREE]!;
  if (free !== 0) {
    word = free * GRANULE_WORDS;
    memory.i32[shardWord + SHARD_INDEX_FREE] = memory.i32[word + INDEX_NEXT_FREE]!;
  } else {
    const addr = store.heap.allocate(INDEX_WORDS * 4, 64);
    if (addr < 0) word = addr;
    else {
      word = addr / 4;
      const { i32 } = memory;
      i32.fill(0, word, word + INDEX_WORDS);
      i32[word + INDEX_NEXT_ALL] = i32[shardWord + SHARD_INDEXES]!;
      i32[shardWord + SHARD_INDEXES] = addr / GRANULE_BYTES;
    }
  }
  unlockExclusive(agent, shardWord + SHARD_LOCK);
  return word;
}

/** Gives an index back: one never shown, or one of a killed directory whose stripes are no longer held. */
export function giveIndex(store: Store, indexWord: number): void {
  const { agent, memory } = store;
  const shardWord = shardWordOf(agent.slot % SHARD_COUNT);
  if (lockExclusive(agent, shardWord + SHARD_LOCK) !== 0) return;
  const { i32 } = memory;
  i32[indexWord + INDEX_NEXT_FREE] = i32[shardWord + SHARD_INDEX_FREE]!;
  i32[shardWord + SHARD_INDEX_FREE] = indexWord / GRANULE_WORDS;
  unlockExclusive(agent, shardWord + SHARD_LOCK);
}

/**
 * Marks a directory without entries as dead and gives back what it consists of but its inode. All its guards are held;
 * afterwards whoever gets one finds the directory dead.
 */
export function killDirectory(store: Store, directoryWord: number): void {
  const { memory, wasm } = store;
  const { i32 } = memory;
  const index = i32[directoryWord + DIR_INDEX]!;
  const guards = allGuards(i32, directoryWord);
  for (const guard of guards) wasm.beginChange(versionOf(guard));
  if (index !== 0) wasm.beginChange(directoryWord + INODE_VERSION);
  i32[directoryWord + INODE_FLAGS]! |= INODE_FLAG_DEAD;
  i32[directoryWord + INODE_NLINK] = 0;
  freeTables(store, directoryWord);
  i32[directoryWord + DIR_INDEX] = 0;
  if (index !== 0) wasm.endChange(directoryWord + INODE_VERSION);
  for (const guard of guards) wasm.endChange(versionOf(guard));
}

/** Checks that a directory is empty. All its guards are held. */
export function isEmptyLocked(store: Store, directoryWord: number): boolean {
  return entryCount(store.memory.i32, directoryWord) === 0;
}
