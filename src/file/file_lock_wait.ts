/**
 * Waiting for a file lock, as a machine that is stepped: the thread parks, spins or awaits as for any other lock.
 *
 * States of a request, and what leads from one to the next; each step is one hold of the chain's lock:
 *
 * | state   | a block among the waiters | next                                                                        |
 * |---------|---------------------------|-----------------------------------------------------------------------------|
 * | new     | no                        | held, where nobody stands in the way; failed, where it may not wait; waits  |
 * | waits   | yes                       | held; failed: time over, aborted, closed, a circle, no memory, retired      |
 * | held    | no                        |                                                                             |
 * | failed  | no                        |                                                                             |
 *
 * Only being retired (or detaching) leaves `waits` by another's hand: who retires the agent removes the block, and the
 * agent, should it live, finds that it takes no lock any more.
 *
 * @module
 */
import { EAGAIN, EBADF, EDEADLK, EIDRM } from "../layout/errno.ts";
import {
  CHAIN_CHANGES,
  CHAIN_TURN,
  CHAIN_WAITING,
  FILE_LOCK_AGENT,
  FILE_LOCK_FLAG_WHOLE,
} from "../layout/file_locks.ts";
import { SUPER_DEADLOCK_LOCK } from "../layout/superblock.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "../store/store.ts";
import { LockAttempt, PENDING } from "../sync/attempt.ts";
import { LOCK_TUNING } from "../sync/lock_tuning.ts";
import { partyOf } from "../sync/party.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import { ANY_GENERATION } from "./data.ts";
import { closesCircleLocked } from "./file_lock_deadlock.ts";
import {
  addWaiterLocked,
  chainWordOf,
  deferMsLocked,
  type FileLock,
  findConflictLocked,
  LOOSENED,
  removeWaiterLocked,
  replaceLocked,
  takeTurnLocked,
} from "./file_lock_table.ts";

/**
 * For how long, all in all, a request lets others go first: longer than it takes to wake one that waits, and short, as they
 * may be waiting for what its owner holds of another file.
 */
const DEFER_LIMIT_MS = 20;
/** How long to wait, in milliseconds, where the chain's lock could not be had by a thread that may not block. */
const RETRY_MS = 4;
/** How often a release tries to take a chain's lock, in a thread that may not block: each try spins for 200 ms. */
const RELEASE_TRIES = 25;

/** What is known of who asks for a lock. */
export interface FileLockOptions {
  /** Whether the file is still open as what the lock is asked for; asked again whenever a wait has ended. */
  readonly isOpen?: (() => boolean) | undefined;
  /**
   * Nobody but this thread releases what the lock's agent holds, so that waiting for it without end is refused with
   * `-EDEADLK`. Not so where several threads are one process, or the thread goes on while it waits.
   */
  readonly alone?: boolean | undefined;
}

/** Counts the waits of this thread's agents. */
let waits = 0;

/** Takes a chain's lock for a release, which must not fail. Returns 0, or `-EIDRM`. */
export function lockForRelease(store: Store, chain: number): number {
  let locked = -EAGAIN;
  for (let tries = 0; locked === -EAGAIN && tries < RELEASE_TRIES; tries++) locked = lockExclusive(store.agent, chain);
  return locked;
}

/** Releases a chain's lock. `changed`: wakes those that wait in it, since they may go on now. */
export function unlockChain(store: Store, chain: number, changed: boolean): void {
  const { i32 } = store.memory;
  const wakes = changed && i32[chain + CHAIN_WAITING] !== 0;
  // Plain, under the lock: who parks has read it under the lock too, before this or after it. If before, it differs now,
  // and the comparison that parking begins with finds that, or the parking came before the wake-up.
  if (changed) i32[chain + CHAIN_CHANGES]!++;
  unlockExclusive(store.agent, chain);
  if (wakes) store.wasm.notify(chain + CHAIN_CHANGES, -1);
}

/** An attempt to take a file lock. */
export class FileLockAttempt extends LockAttempt {
  readonly #context: Context;
  readonly #lock: FileLock;
  readonly #generation: number;
  readonly #options: FileLockOptions;
  readonly #chain: number;
  /** Word of the block among the waiters, or 0. */
  #waiter = 0;
  #wait = 0;
  #seen: number;
  #searchAtMs = 0;
  #waitsForItself = false;

  /** Makes an attempt; nothing is taken yet. */
  constructor(context: Context, lock: FileLock, generation: number, options: FileLockOptions, async: boolean) {
    const chain = chainWordOf(lock.inodeWord);
    super(partyOf(context.store.agent), chain, { async });
    this.#context = context;
    this.#lock = lock;
    this.#generation = generation;
    this.#options = options;
    this.#chain = chain;
    this.#seen = this.party.wasm.load(chain + CHAIN_CHANGES);
  }

  override poll(): number {
    return this.party.wasm.load(this.#chain + CHAIN_CHANGES) === this.#seen ? PENDING : this.#look(0, false);
  }

  override prepare(waitedMs: number): number {
    if (this.#options.isOpen?.() === false) {
      this.giveUp();
      return this.party.isLive() ? -EBADF : -EIDRM;
    }
    const status = this.#look(waitedMs, true);
    if (status !== PENDING || this.#waiter === 0) return status;
    if (this.#waitsForItself && !this.async) {
      this.giveUp();
      return -EDEADLK;
    }
    const isRange = this.#lock.description === 0 && (this.#lock.flags & FILE_LOCK_FLAG_WHOLE) === 0;
    if (!isRange || waitedMs < this.#searchAtMs) return PENDING;
    // Again after a while: tasks of one agent, and threads of one process, take further locks while others wait.
    this.#searchAtMs = waitedMs + LOCK_TUNING.sliceMs;
    return this.#search();
  }

  override giveUp(): void {
    const { store } = this.#context;
    if (this.#waiter === 0 || lockForRelease(store, this.#chain) !== 0) return;
    unlockChain(store, this.#chain, this.#leaveLocked());
  }

  #search(): number {
    const { store } = this.#context;
    const { agent } = store;
    // One at a time, so that of those that close a circle at once one is told, and the others go on waiting.
    if (lockExclusive(agent, SUPER_DEADLOCK_LOCK) !== 0) return PENDING;
    const deadlock = closesCircleLocked(store, this.#lock.agent, this.#wait);
    if (deadlock) this.giveUp();
    unlockExclusive(agent, SUPER_DEADLOCK_LOCK);
    return deadlock ? -EDEADLK : PENDING;
  }

  /** Looks under the chain's lock; where the lock is not to be had and `register`, becomes one that waits. */
  #look(waitedMs: number, register: boolean): number {
    const { store } = this.#context;
    const chain = this.#chain;
    const locked = lockExclusive(store.agent, chain);
    if (locked === -EAGAIN) {
      this.#parkFor(store.wasm.load(chain + CHAIN_CHANGES), RETRY_MS);
      return PENDING;
    }
    if (locked !== 0) return locked;
    let status = stepLocked(this.#context, this.#lock, this.#generation, false, waitedMs, this.#waiter);
    let changed = status === LOOSENED;
    if (status === PENDING && register) {
      const dropped = this.#waitLocked(waitedMs);
      if (dropped < 0) status = dropped;
      else changed = dropped === LOOSENED;
    }
    if (status !== PENDING && this.#leaveLocked()) changed = true;
    const { i32 } = store.memory;
    this.#seen = (i32[chain + CHAIN_CHANGES]! + (changed ? 1 : 0)) | 0;
    if (status === PENDING) this.parkValue = this.#seen;
    unlockChain(store, chain, changed);
    return status === LOOSENED ? 0 : status;
  }

  /** Becomes one that waits, and says for how long to park. Returns 0, {@linkcode LOOSENED} or a negative errno. */
  #waitLocked(waitedMs: number): number {
    const { store } = this.#context;
    const { i32 } = store.memory;
    const lock = this.#lock;
    const chain = this.#chain;
    const blocker = findConflictLocked(store, chain, lock);
    this.#waitsForItself = this.#options.alone === true && blocker !== 0 &&
      i32[blocker + FILE_LOCK_AGENT] === lock.agent;
    let result = 0;
    if (this.#waiter === 0) {
      this.#wait = waits = (waits + 1) | 0;
      const waiter = addWaiterLocked(store, chain, lock, this.#wait);
      if (waiter < 0) return waiter;
      this.#waiter = waiter;
      // As on Linux: who converts a lock of the whole file and has to wait gives the old one up, so that two who do so
      // do not wait for each other.
      if ((lock.flags & FILE_LOCK_FLAG_WHOLE) !== 0 && !this.#waitsForItself) {
        result = replaceLocked(store, chain, lock, true);
      }
    }
    let parkMs = LOCK_TUNING.sliceMs;
    if (blocker === 0) {
      const leftMs = Math.max(0, DEFER_LIMIT_MS - waitedMs);
      parkMs = Math.min(leftMs, deferMsLocked(store, chain, lock, this.#waiter)) + 1;
    } else if (waitedMs >= LOCK_TUNING.patienceMs && takeTurnLocked(store, chain, this.#waiter)) {
      parkMs = LOCK_TUNING.reservationMs / 2;
    }
    this.#parkFor(0, parkMs);
    return result;
  }

  #parkFor(value: number, parkMs: number): void {
    this.parkWord = this.#chain + CHAIN_CHANGES;
    this.parkValue = value;
    this.parkMs = parkMs;
  }

  /** Is no longer one that waits. Returns whether others wait for the turn that this one had. */
  #leaveLocked(): boolean {
    const { store } = this.#context;
    const waiter = this.#waiter;
    if (waiter === 0) return false;
    this.#waiter = 0;
    const hadTurn = store.memory.i32[this.#chain + CHAIN_TURN] === waiter / GRANULE_WORDS;
    removeWaiterLocked(store, this.#chain, waiter);
    return hadTurn;
  }
}

/**
 * One look at a chain whose lock is held: takes the lock where nobody stands in the way, and nobody has to go first.
 *
 * @returns 0, {@linkcode LOOSENED}, `PENDING` or a negative errno.
 */
export function stepLocked(
  context: Context,
  lock: FileLock,
  generation: number,
  unlock: boolean,
  waitedMs: number,
  waiter: number,
): number {
  const { store } = context;
  if (generation !== ANY_GENERATION && !context.isSame(lock.inodeWord, generation)) return -EBADF;
  const chain = chainWordOf(lock.inodeWord);
  if (!unlock) {
    if (findConflictLocked(store, chain, lock) !== 0) return PENDING;
    if (waitedMs < DEFER_LIMIT_MS && deferMsLocked(store, chain, lock, waiter) > 0) return PENDING;
  }
  return replaceLocked(store, chain, lock, unlock);
}
