/**
 * The chains of file locks: finding who stands in the way, and changing what an owner holds. All under the chain's lock.
 *
 * What holds of a chain whenever its lock is free:
 *
 *     entries = blocks of the list of held locks + blocks of the list of waiters;  waiting = blocks of the latter
 *     ranges that one owner holds of one file do not overlap, and where two of them meet they are of different kinds
 *     two locks of one space on one file that overlap belong to one owner, or are both shared
 *
 * Lock rank: the chain's lock, above the heap's.
 *
 * @module
 */
import { ENOLCK, ENOSPC } from "../layout/errno.ts";
import {
  CHAIN_COUNT,
  CHAIN_ENTRIES,
  CHAIN_HELD,
  CHAIN_TURN,
  CHAIN_TURN_UNTIL,
  CHAIN_WAITERS,
  CHAIN_WAITING,
  CHAIN_WORDS,
  FILE_LOCK_AGENT,
  FILE_LOCK_DESCRIPTION,
  FILE_LOCK_END,
  FILE_LOCK_FLAG_EXCLUSIVE,
  FILE_LOCK_FLAG_WHOLE,
  FILE_LOCK_FLAGS,
  FILE_LOCK_INODE,
  FILE_LOCK_NEXT,
  FILE_LOCK_START,
  FILE_LOCK_WAIT,
  FILE_LOCK_WAITER,
  FILE_LOCK_WORDS,
} from "../layout/file_locks.ts";
import { INODE_WORDS } from "../layout/inode.ts";
import { SUPER_FILE_LOCKS, SUPER_FILE_LOCKS_USED } from "../layout/superblock.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "../store/store.ts";
import { LOCK_TUNING } from "../sync/lock_tuning.ts";

/** A lock as somebody asks for it. */
export interface FileLock {
  /** Word of the inode. */
  readonly inodeWord: number;
  /** Owner word of the agent that it is to belong to. */
  readonly agent: number;
  /** Serial number of the open file description, as a signed word, or 0. */
  readonly description: number;
  /** Bits as in a block of the pool. */
  readonly flags: number;
  /** First byte. */
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** The word of the chain that serves an inode. Neighbours in a chunk of inodes are served by different ones. */
export function chainWordOf(inodeWord: number): number {
  return SUPER_FILE_LOCKS + ((inodeWord / INODE_WORDS) & (CHAIN_COUNT - 1)) * CHAIN_WORDS;
}

/** The word of the n-th chain. */
export function chainWordAt(index: number): number {
  return SUPER_FILE_LOCKS + index * CHAIN_WORDS;
}

/** Whether a block of a chain belongs to the owner of a lock. */
function isOwnLocked(i32: Int32Array, block: number, lock: FileLock): boolean {
  return i32[block + FILE_LOCK_AGENT] === lock.agent && i32[block + FILE_LOCK_DESCRIPTION] === lock.description;
}

/** Whether a block of a chain is of the same file and space as a lock. */
function isAlikeLocked(i32: Int32Array, block: number, lock: FileLock): boolean {
  return i32[block + FILE_LOCK_INODE] === lock.inodeWord / GRANULE_WORDS &&
    ((i32[block + FILE_LOCK_FLAGS]! ^ lock.flags) & FILE_LOCK_FLAG_WHOLE) === 0;
}

/** Whether a block of a chain stands in the way of a lock. */
export function conflictsLocked(i32: Int32Array, f64: Float64Array, block: number, lock: FileLock): boolean {
  return isAlikeLocked(i32, block, lock) &&
    ((i32[block + FILE_LOCK_FLAGS]! | lock.flags) & FILE_LOCK_FLAG_EXCLUSIVE) !== 0 &&
    !isOwnLocked(i32, block, lock) && f64[(block + FILE_LOCK_START) / 2]! < lock.end &&
    lock.start < f64[(block + FILE_LOCK_END) / 2]!;
}

/** The word of the first block, of those held, that stands in the way of a lock; 0 if none does. */
export function findConflictLocked(store: Store, chain: number, lock: FileLock): number {
  const { i32, f64 } = store.memory;
  for (let ref = i32[chain + CHAIN_HELD]!; ref !== 0;) {
    const block = ref * GRANULE_WORDS;
    if (conflictsLocked(i32, f64, block, lock)) return block;
    ref = i32[block + FILE_LOCK_NEXT]!;
  }
  return 0;
}

/** Whether the owner of a lock holds anything of its space on the file. */
function holdsSomeLocked(store: Store, chain: number, lock: FileLock): boolean {
  const { i32 } = store.memory;
  for (let ref = i32[chain + CHAIN_HELD]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + FILE_LOCK_NEXT]!) {
    const block = ref * GRANULE_WORDS;
    if (isOwnLocked(i32, block, lock) && isAlikeLocked(i32, block, lock)) return true;
  }
  return false;
}

/** {@linkcode replaceLocked}: something was given up that others may have waited for. */
export const LOOSENED = 2;

/**
 * Puts a lock into the place of all that its owner holds in its range; with `unlock`, nothing. Nobody stands in the way.
 *
 * @returns 0, {@linkcode LOOSENED}, or a negative errno and then nothing is changed.
 */
export function replaceLocked(store: Store, chain: number, lock: FileLock, unlock: boolean): number {
  const { memory } = store;
  let { i32, f64 } = memory;
  const exclusive = lock.flags & FILE_LOCK_FLAG_EXCLUSIVE;
  let { start, end } = lock;
  let reusable = false;
  let splits = false;
  for (let ref = i32[chain + CHAIN_HELD]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + FILE_LOCK_NEXT]!) {
    const block = ref * GRANULE_WORDS;
    if (!isOwnLocked(i32, block, lock) || !isAlikeLocked(i32, block, lock)) continue;
    const first = f64[(block + FILE_LOCK_START) / 2]!;
    const behind = f64[(block + FILE_LOCK_END) / 2]!;
    if (!unlock && (i32[block + FILE_LOCK_FLAGS]! & FILE_LOCK_FLAG_EXCLUSIVE) === exclusive) {
      if (first > lock.end || behind < lock.start) continue;
      if (first <= lock.start && behind >= lock.end) return 0;
      // It meets or overlaps: one block for both.
      if (first < start) start = first;
      if (behind > end) end = behind;
      reusable = true;
    } else if (first < lock.end && behind > lock.start) {
      if (first >= lock.start && behind <= lock.end) reusable = true;
      else if (first < lock.start && behind > lock.end) splits = true;
    }
  }
  // All that can fail comes before the first change. What splits leaves room for no second block of the owner's.
  let added = 0;
  let rest = 0;
  if (!unlock && !reusable) {
    added = allocateBlock(store);
    if (added < 0) return added;
  }
  if (splits) {
    rest = allocateBlock(store);
    if (rest < 0) {
      if (added > 0) store.heap.free(added * 4);
      return rest;
    }
  }
  ({ i32, f64 } = memory);
  let result = 0;
  let kept = added;
  for (let link = chain + CHAIN_HELD; i32[link] !== 0;) {
    const block = i32[link]! * GRANULE_WORDS;
    const next = block + FILE_LOCK_NEXT;
    if (!isOwnLocked(i32, block, lock) || !isAlikeLocked(i32, block, lock)) {
      link = next;
      continue;
    }
    const first = f64[(block + FILE_LOCK_START) / 2]!;
    const behind = f64[(block + FILE_LOCK_END) / 2]!;
    let covered: boolean;
    if (!unlock && (i32[block + FILE_LOCK_FLAGS]! & FILE_LOCK_FLAG_EXCLUSIVE) === exclusive) {
      covered = first <= lock.end && behind >= lock.start;
    } else {
      covered = first >= lock.start && behind <= lock.end;
      if (first < lock.end && behind > lock.start) {
        if (unlock || exclusive === 0) result = LOOSENED;
        if (first < lock.start) {
          f64[(block + FILE_LOCK_END) / 2] = lock.start;
          if (behind > lock.end) {
            fillBlock(store, rest, lock, lock.end, behind);
            i32[rest + FILE_LOCK_FLAGS] = i32[block + FILE_LOCK_FLAGS]!;
            pushLocked(i32, chain, CHAIN_HELD, rest);
          }
        } else if (behind > lock.end) f64[(block + FILE_LOCK_START) / 2] = lock.end;
      }
    }
    if (!covered) link = next;
    else if (!unlock && kept === 0) {
      kept = block;
      i32[block + FILE_LOCK_FLAGS] = lock.flags;
      f64[(block + FILE_LOCK_START) / 2] = start;
      f64[(block + FILE_LOCK_END) / 2] = end;
      link = next;
    } else removeLocked(store, chain, link);
  }
  if (added > 0) {
    fillBlock(store, added, lock, start, end);
    pushLocked(i32, chain, CHAIN_HELD, added);
  }
  return result;
}

/** Takes out of a chain, and gives back, the block that a link names. */
function removeLocked(store: Store, chain: number, link: number): void {
  const { i32 } = store.memory;
  const ref = i32[link]!;
  const block = ref * GRANULE_WORDS;
  i32[link] = i32[block + FILE_LOCK_NEXT]!;
  i32[chain + CHAIN_ENTRIES]!--;
  if (i32[block + FILE_LOCK_WAITER] !== 0) i32[chain + CHAIN_WAITING]!--;
  if (i32[chain + CHAIN_TURN] === ref) i32[chain + CHAIN_TURN] = 0;
  store.heap.free(ref * GRANULE_BYTES);
}

/**
 * Takes all blocks out of a list that a function names. Returns whether there were any.
 */
export function removeWhereLocked(
  store: Store,
  chain: number,
  list: number,
  matches: (i32: Int32Array, block: number) => boolean,
): boolean {
  const { i32 } = store.memory;
  let removed = false;
  for (let link = chain + list; i32[link] !== 0;) {
    const block = i32[link]! * GRANULE_WORDS;
    if (matches(i32, block)) {
      removeLocked(store, chain, link);
      removed = true;
    } else link = block + FILE_LOCK_NEXT;
  }
  return removed;
}

/** Adds a request that waits. Returns the word of its block, or a negative errno. */
export function addWaiterLocked(store: Store, chain: number, lock: FileLock, wait: number): number {
  const block = allocateBlock(store);
  if (block < 0) return block;
  const { i32 } = store.memory;
  fillBlock(store, block, lock, lock.start, lock.end);
  i32[block + FILE_LOCK_WAITER] = store.agent.owner;
  i32[block + FILE_LOCK_WAIT] = wait;
  pushLocked(i32, chain, CHAIN_WAITERS, block);
  i32[chain + CHAIN_WAITING]!++;
  return block;
}

/** Takes a request out that waits, if it still is there: whoever retires its agent removes it. */
export function removeWaiterLocked(store: Store, chain: number, waiter: number): void {
  const { i32 } = store.memory;
  for (let link = chain + CHAIN_WAITERS; i32[link] !== 0; link = i32[link]! * GRANULE_WORDS + FILE_LOCK_NEXT) {
    if (i32[link]! * GRANULE_WORDS !== waiter) continue;
    removeLocked(store, chain, link);
    return;
  }
}

/**
 * For how long, in milliseconds, a lock that nobody stands in the way of lets another go first: one that waits for a
 * range in common and has lost patience. Whoever holds something of the file waits for nobody's turn, as that one may be
 * waiting for him.
 */
export function deferMsLocked(store: Store, chain: number, lock: FileLock, waiter: number): number {
  const { i32, f64 } = store.memory;
  const turn = i32[chain + CHAIN_TURN]! * GRANULE_WORDS;
  if (turn === 0 || turn === waiter || !conflictsLocked(i32, f64, turn, lock)) return 0;
  const leftMs = turnLeftMs(i32, chain);
  return leftMs > 0 && !holdsSomeLocked(store, chain, lock) ? leftMs : 0;
}

/** Gives a request that waits the next turn, or lengthens its turn; false while another has it. */
export function takeTurnLocked(store: Store, chain: number, waiter: number): boolean {
  const { i32 } = store.memory;
  const ref = waiter / GRANULE_WORDS;
  if (i32[chain + CHAIN_TURN] !== ref && i32[chain + CHAIN_TURN] !== 0 && turnLeftMs(i32, chain) > 0) return false;
  i32[chain + CHAIN_TURN] = ref;
  i32[chain + CHAIN_TURN_UNTIL] = (Date.now() + LOCK_TUNING.reservationMs) | 0;
  return true;
}

/** How long the present turn goes on; not positive where it is over. One far ahead is from before the clock was set. */
function turnLeftMs(i32: Int32Array, chain: number): number {
  const leftMs = (i32[chain + CHAIN_TURN_UNTIL]! - Date.now()) | 0;
  return leftMs > 2 * LOCK_TUNING.reservationMs ? 0 : leftMs;
}

/** Returns the word of a new block or a negative errno. The views may be new ones afterwards. */
function allocateBlock(store: Store): number {
  const addr = store.heap.allocate(FILE_LOCK_WORDS * 4);
  if (addr < 0) return addr === -ENOSPC ? -ENOLCK : addr;
  return addr / 4;
}

function fillBlock(store: Store, block: number, lock: FileLock, start: number, end: number): void {
  const { i32, f64 } = store.memory;
  i32[block + FILE_LOCK_INODE] = lock.inodeWord / GRANULE_WORDS;
  i32[block + FILE_LOCK_AGENT] = lock.agent;
  i32[block + FILE_LOCK_DESCRIPTION] = lock.description;
  i32[block + FILE_LOCK_FLAGS] = lock.flags;
  i32[block + FILE_LOCK_WAITER] = 0;
  i32[block + FILE_LOCK_WAIT] = 0;
  f64[(block + FILE_LOCK_START) / 2] = start;
  f64[(block + FILE_LOCK_END) / 2] = end;
}

function pushLocked(i32: Int32Array, chain: number, list: number, block: number): void {
  i32[block + FILE_LOCK_NEXT] = i32[chain + list]!;
  i32[chain + list] = block / GRANULE_WORDS;
  i32[chain + CHAIN_ENTRIES]!++;
  if (i32[SUPER_FILE_LOCKS_USED] === 0) i32[SUPER_FILE_LOCKS_USED] = 1;
}
