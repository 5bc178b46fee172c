/**
 * File locks: those of `flock` on whole files, those of `fcntl` on ranges of bytes, of an agent or of an open file
 * description. All of them stand in the pool, so that they hold between all agents.
 *
 * Whole files and ranges are two spaces that know nothing of each other, as on Linux. What an owner holds of a range is
 * replaced as one step by what it asks for next: locks are split, joined, raised and lowered. Nothing stands between a
 * lock and reading or writing: locks bind those that ask for them.
 *
 * Lock rank: the chain's lock (`file_lock_table.ts`), alone or within an operation; before it, where a request has to
 * wait, the lock over the search for circles.
 *
 * @module
 */
import { EAGAIN, EBADF, EINVAL } from "../layout/errno.ts";
import {
  CHAIN_COUNT,
  CHAIN_ENTRIES,
  CHAIN_HELD,
  CHAIN_WAITERS,
  FILE_LOCK_AGENT,
  FILE_LOCK_DESCRIPTION,
  FILE_LOCK_END,
  FILE_LOCK_FLAG_EXCLUSIVE,
  FILE_LOCK_FLAG_WHOLE,
  FILE_LOCK_FLAGS,
  FILE_LOCK_INODE,
  FILE_LOCK_START,
  FILE_LOCK_WAITER,
} from "../layout/file_locks.ts";
import { SUPER_FILE_LOCKS_USED } from "../layout/superblock.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "../store/store.ts";
import { driveAsync } from "../sync/async_drive.ts";
import { drive, PENDING } from "../sync/attempt.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import {
  chainWordAt,
  chainWordOf,
  type FileLock,
  findConflictLocked,
  LOOSENED,
  removeWhereLocked,
} from "./file_lock_table.ts";
import { FileLockAttempt, type FileLockOptions, lockForRelease, stepLocked, unlockChain } from "./file_lock_wait.ts";

export type { FileLockOptions } from "./file_lock_wait.ts";

/** Who holds a file lock. */
export interface FileLockOwner {
  /** Owner word of an agent: of the one that asks, or of the one that keeps the process it is a thread of. */
  readonly agentOwner: number;
  /**
   * 0 for range locks of the agent or process; otherwise a serial number, unique among those of the agent, of the open
   * file description that the lock belongs to. Numbers from 2^31 on are those of {@linkcode nextDescriptionSerial}.
   */
  readonly description: number;
}

/** What a lock bars: `flock` locks are on whole files, `range` locks on bytes. The two do not meet. */
export type FileLockSpace = "flock" | "range";

/** Several owners may hold it at once. */
export const FILE_LOCK_SHARED = 0;
/** One owner holds it, and nobody holds a shared one of the same bytes. */
export const FILE_LOCK_EXCLUSIVE = 1;
/** Nothing is held. */
export const FILE_LOCK_UNLOCK = 2;

/** A lock that somebody holds. */
export interface HeldFileLock {
  /** {@linkcode FILE_LOCK_SHARED} or {@linkcode FILE_LOCK_EXCLUSIVE}. */
  readonly kind: number;
  /** First byte. */
  readonly start: number;
  /** Behind the last byte; infinity: to the end of the file, wherever that is. */
  readonly end: number;
  /** Who holds it. */
  readonly owner: FileLockOwner;
}

/**
 * Takes, changes or releases a file lock; waits while others hold what stands in its way.
 *
 * The owner's locks of the range are replaced at once: nobody sees a moment in which neither the old nor the new are
 * held. With one exception, as on Linux: a `flock` lock that is to become exclusive, or shared, and has to wait for that,
 * is given up first. A try keeps it.
 *
 * @param generation of the inode, which the caller has open; or -1 where it cannot be closed meanwhile
 * @param kind {@linkcode FILE_LOCK_SHARED}, {@linkcode FILE_LOCK_EXCLUSIVE} or {@linkcode FILE_LOCK_UNLOCK}
 * @param start first byte; 0 for `flock`
 * @param end behind the last byte; what is above 2^53 - 1 stands for infinity
 * @param timeoutMs milliseconds; 0 tries, infinity waits without end
 * @returns 0, or a negative errno: `-EAGAIN` others hold it (a try, or a thread that may not block and has spun long
 * enough); `-ETIMEDOUT`; `-EDEADLK` those who hold it wait for this owner (range locks of agents only), or see
 * {@linkcode FileLockOptions}; `-ENOLCK` no memory is left, and nothing is changed; `-EBADF` the file has been closed
 * meanwhile; `-EIDRM` the agent was retired; `-EINVAL` for an empty range.
 */
export function setFileLock(
  context: Context,
  inodeWord: number,
  generation: number,
  owner: FileLockOwner,
  space: FileLockSpace,
  kind: number,
  start: number,
  end: number,
  timeoutMs: number,
  options: FileLockOptions = {},
): number {
  const lock = lockOf(inodeWord, owner, space, kind, start, end);
  if (lock === undefined) return -EINVAL;
  const unlock = kind === FILE_LOCK_UNLOCK;
  let status = setOnce(context, lock, generation, unlock, timeoutMs > 0);
  if (status === PENDING) {
    if (!(timeoutMs > 0)) return -EAGAIN;
    status = drive(new FileLockAttempt(context, lock, generation, options, false), timeoutMs);
  }
  return status === 0 && !unlock ? confirmOpen(context, inodeWord, owner, options) : status;
}

/**
 * {@linkcode setFileLock} without blocking the thread.
 *
 * @returns as {@linkcode setFileLock}.
 * @throws the signal's reason, when it aborts; then nothing waits any more.
 */
export async function setFileLockAsync(
  context: Context,
  inodeWord: number,
  generation: number,
  owner: FileLockOwner,
  space: FileLockSpace,
  kind: number,
  start: number,
  end: number,
  timeoutMs: number,
  signal?: AbortSignal,
  options: FileLockOptions = {},
): Promise<number> {
  const lock = lockOf(inodeWord, owner, space, kind, start, end);
  if (lock === undefined) return -EINVAL;
  signal?.throwIfAborted();
  const unlock = kind === FILE_LOCK_UNLOCK;
  let status = setOnce(context, lock, generation, unlock, timeoutMs > 0);
  // Not even the chain could be had by a thread that may not block: that is waited for, too.
  if (status === -EAGAIN && !unlock) status = PENDING;
  if (status === PENDING) {
    if (!(timeoutMs > 0)) return -EAGAIN;
    status = await driveAsync(new FileLockAttempt(context, lock, generation, options, true), timeoutMs, signal);
  }
  return status === 0 && !unlock ? confirmOpen(context, inodeWord, owner, options) : status;
}

/** The first lock of others that stands in the way of one, as `F_GETLK` tells; undefined where none does; a negative errno. */
export function getFileLock(
  context: Context,
  inodeWord: number,
  owner: FileLockOwner,
  space: FileLockSpace,
  kind: number,
  start: number,
  end: number,
): HeldFileLock | undefined | number {
  const { store } = context;
  const lock = lockOf(inodeWord, owner, space, kind, start, end);
  if (lock === undefined || kind === FILE_LOCK_UNLOCK) return -EINVAL;
  const chain = chainWordOf(inodeWord);
  const locked = lockExclusive(store.agent, chain);
  if (locked !== 0) return locked;
  const block = findConflictLocked(store, chain, lock);
  const { i32, f64 } = store.memory;
  const found: HeldFileLock | undefined = block === 0 ? undefined : {
    kind: i32[block + FILE_LOCK_FLAGS]! & FILE_LOCK_FLAG_EXCLUSIVE,
    start: f64[(block + FILE_LOCK_START) / 2]!,
    end: f64[(block + FILE_LOCK_END) / 2]!,
    owner: { agentOwner: i32[block + FILE_LOCK_AGENT]!, description: i32[block + FILE_LOCK_DESCRIPTION]! >>> 0 },
  };
  unlockExclusive(store.agent, chain);
  return found;
}

/**
 * Releases all that an owner holds of a file: for a description when it is closed, for an agent or process when it closes
 * any descriptor of the file. Costs a load or two where nobody holds anything near.
 */
export function releaseFileLocks(context: Context, inodeWord: number, owner: FileLockOwner): void {
  const { store } = context;
  // Both sequentially consistent, as is the store that has marked the file as closed: another thread of the process that
  // takes a lock at the same moment has released the chain by then, or looks after that whether the file is open still.
  if (store.wasm.load(SUPER_FILE_LOCKS_USED) === 0) return;
  const chain = chainWordOf(inodeWord);
  if (store.wasm.load(chain + CHAIN_ENTRIES) === 0) return;
  const agent = owner.agentOwner | 0;
  const description = owner.description | 0;
  releaseSlow(store, chain, inodeWord, agent, description, description);
}

/** {@linkcode releaseFileLocks} for one descriptor of this agent: the agent's own range locks, and its description's. */
export function releaseOnClose(context: Context, inodeWord: number, description: number): void {
  const { store } = context;
  const { i32 } = store.memory;
  // Plain: what this agent holds, this thread has written.
  if (i32[SUPER_FILE_LOCKS_USED] === 0) return;
  const chain = chainWordOf(inodeWord);
  if (i32[chain + CHAIN_ENTRIES] === 0) return;
  releaseSlow(store, chain, inodeWord, store.agent.owner, 0, description | 0);
}

function releaseSlow(
  store: Store,
  chain: number,
  inodeWord: number,
  agent: number,
  first: number,
  second: number,
): void {
  const ref = inodeWord / GRANULE_WORDS;
  let waits = false;
  const matches = (i32: Int32Array, block: number): boolean => {
    const description = i32[block + FILE_LOCK_DESCRIPTION];
    return i32[block + FILE_LOCK_INODE] === ref && i32[block + FILE_LOCK_AGENT] === agent &&
      (description === first || description === second);
  };
  if (lockForRelease(store, chain) !== 0) return;
  const removed = removeWhereLocked(store, chain, CHAIN_HELD, matches);
  // Requests of the owner's that wait in other tasks or threads find the file closed when they wake.
  removeWhereLocked(store, chain, CHAIN_WAITERS, (i32, block) => {
    if (matches(i32, block)) waits = true;
    return false;
  });
  unlockChain(store, chain, removed || waits);
}

/** Releases all that belongs to an agent, and its requests that wait: it detaches, or is being retired. */
export function releaseAllOf(context: Context, agentOwner: number): void {
  const { store } = context;
  const agent = agentOwner | 0;
  for (let index = 0; index < CHAIN_COUNT; index++) {
    const chain = chainWordAt(index);
    // Pairs with the release of the chain's lock by the agent: it takes none any more.
    if (store.wasm.load(chain + CHAIN_ENTRIES) === 0 || lockForRelease(store, chain) !== 0) continue;
    const belongs = (i32: Int32Array, block: number) =>
      i32[block + FILE_LOCK_AGENT] === agent || i32[block + FILE_LOCK_WAITER] === agent;
    const released = removeWhereLocked(store, chain, CHAIN_HELD, belongs);
    const left = removeWhereLocked(store, chain, CHAIN_WAITERS, belongs);
    unlockChain(store, chain, released || left);
  }
}

let lastSerial = 0;

/** A serial number for an open file description of this agent's own. Those of processes are below 2^31. */
export function nextDescriptionSerial(): number {
  lastSerial = (lastSerial + 1) & 0x7fff_ffff;
  return (lastSerial | 0x8000_0000) >>> 0;
}

/** One look, without becoming one that waits. `defers`: another that has waited for long may go first. */
function setOnce(context: Context, lock: FileLock, generation: number, unlock: boolean, defers: boolean): number {
  const { store } = context;
  const chain = chainWordOf(lock.inodeWord);
  const locked = unlock ? lockForRelease(store, chain) : lockExclusive(store.agent, chain);
  if (locked !== 0) return locked;
  const status = stepLocked(context, lock, generation, unlock, defers ? 0 : Infinity, 0);
  unlockChain(store, chain, status === LOOSENED);
  return status === LOOSENED ? 0 : status;
}

/** What has been taken of a file that was closed meanwhile goes with the rest that its owner held. */
function confirmOpen(context: Context, inodeWord: number, owner: FileLockOwner, options: FileLockOptions): number {
  if (options.isOpen?.() !== false) return 0;
  releaseFileLocks(context, inodeWord, owner);
  return -EBADF;
}

function lockOf(
  inodeWord: number,
  owner: FileLockOwner,
  space: FileLockSpace,
  kind: number,
  start: number,
  end: number,
): FileLock | undefined {
  const first = Math.min(start, Number.MAX_SAFE_INTEGER);
  const behind = end > Number.MAX_SAFE_INTEGER ? Infinity : end;
  if (!(first >= 0 && first < behind)) return undefined;
  const flags = (kind === FILE_LOCK_EXCLUSIVE ? FILE_LOCK_FLAG_EXCLUSIVE : 0) |
    (space === "flock" ? FILE_LOCK_FLAG_WHOLE : 0);
  return {
    inodeWord,
    agent: owner.agentOwner | 0,
    description: owner.description | 0,
    flags,
    start: first,
    end: behind,
  };
}
