/**
 * The mutex for programs. Its words are those of every lock (`src/layout/lock_word.ts`); it records itself in the agent's
 * slot behind the pool's own locks, so that a freeze of the pool does not wait for programs.
 *
 * @module
 */
import { LOCK_WORDS } from "../layout/lock_word.ts";
import { LINE_BYTES } from "../layout/units.ts";
import { type Intrinsics, LOCK_CONTENDED, LOCKED } from "../memory/intrinsics.ts";
import type { Agent } from "./agent.ts";
import { driveAsync } from "./async_drive.ts";
import { drive, PENDING } from "./attempt.ts";
import { holderOf, lockError, type LockHolder } from "./errors.ts";
import { ExclusiveAttempt } from "./exclusive_attempt.ts";
import {
  allocatePlace,
  type BareLockOptions,
  type LockAsyncOptions,
  type LockOptions,
  type LockPool,
  type ProgramRecords,
  type Seat,
  takeSeat,
  timeoutOf,
} from "./seat.ts";

/**
 * A mutex held: releases it when disposed.
 *
 * @example
 * ```ts ignore
 * {
 *   using _guard = mutex.lock();
 *   // only one agent at a time is here
 * }
 * ```
 */
export class MutexGuard implements Disposable {
  readonly #mutex: Mutex;
  readonly #ticket: number;

  /** Made by {@linkcode Mutex.lock} and its kin. */
  constructor(mutex: Mutex, ticket: number) {
    this.#mutex = mutex;
    this.#ticket = ticket;
  }

  /** Releases the mutex. Does nothing if this acquisition has been released already. */
  [Symbol.dispose](): void {
    if (isCurrent(this.#mutex, this.#ticket)) this.#mutex.unlock();
  }
}

/** Whether a mutex is still held by the acquisition with this ticket. */
let isCurrent: (mutex: Mutex, ticket: number) => boolean;
/** Releases a mutex for the time of a wait; returns what `relock` needs. For {@linkcode Condition}. */
export let releaseForWait: (mutex: Mutex) => number;
/** Takes a mutex again after a wait, as the same acquisition: its guard stays good. For {@linkcode Condition}. */
export let relock: (mutex: Mutex, ticket: number) => void;
/** As {@linkcode relock}, without blocking. */
export let relockAsync: (mutex: Mutex, ticket: number) => Promise<void>;

/**
 * A lock that one agent at a time holds, on eight bytes of shared memory.
 *
 * It is fair where that matters: an agent may take it several times in a row while others are about to come, but one
 * that has waited for two milliseconds has the next turn. An uncontended `lock` and `unlock` cost about 30 ns.
 *
 * @example In a pool
 * ```ts ignore
 * const mutex = Mutex.create(pool); // send mutex.address to the others: new Mutex(pool, address)
 * using _guard = mutex.lock({ timeoutMs: 1000 });
 * ```
 *
 * @example On a bare memory
 * ```ts
 * import { Mutex } from "@extmemfs/extmemfs";
 *
 * const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
 * const mutex = new Mutex(memory, 0, { owner: 1 });
 * mutex.lock();
 * mutex.unlock();
 * ```
 */
export class Mutex {
  /** Bytes that a mutex takes. It is fastest on a 64-byte line of its own, which {@linkcode Mutex.create} gives it. */
  static readonly BYTES: number = LOCK_WORDS * 4;

  /** Byte address of the mutex. */
  readonly address: number;
  readonly #seat: Seat;
  readonly #wasm: Intrinsics;
  readonly #lockWord: number;
  readonly #owner: number;
  readonly #agent: Agent | undefined;
  readonly #records: ProgramRecords | undefined;
  #allocated = false;
  #record = -1;
  /** The acquisition that holds the mutex, or 0. */
  #ticket = 0;
  #lastTicket = 0;

  /**
   * Uses the mutex at an address. Eight zero bytes are a mutex that nobody holds.
   *
   * @param place a pool, or a shared memory
   * @param address byte address, a multiple of 8
   * @param options on a bare memory: who this thread is
   * @throws {RangeError} if the address is misaligned or beyond the memory, or `owner` is out of range.
   * @throws {TypeError} if `place` is neither a pool nor a shared memory.
   */
  constructor(place: LockPool | WebAssembly.Memory, address: number, options: BareLockOptions = {}) {
    this.#seat = takeSeat(place, address, Mutex.BYTES, options, "mutex");
    this.address = address;
    this.#lockWord = address / 4;
    this.#wasm = this.#seat.memory.wasm;
    this.#owner = this.#seat.party.owner;
    this.#agent = this.#seat.agent;
    this.#records = this.#seat.records;
  }

  static {
    isCurrent = (mutex, ticket) => mutex.#ticket === ticket;
    releaseForWait = (mutex) => {
      const ticket = mutex.#ticket;
      mutex.unlock();
      return ticket;
    };
    relock = (mutex, ticket) => {
      mutex.#take(Infinity, "relock");
      mutex.#ticket = ticket;
    };
    relockAsync = async (mutex, ticket) => {
      await mutex.#takeAsync({}, "relock");
      mutex.#ticket = ticket;
    };
  }

  /**
   * Allocates a mutex in a pool, on a line of its own.
   *
   * @throws an error with code `ENOSPC` if the pool is full.
   */
  static create(pool: LockPool): Mutex {
    const mutex = new Mutex(pool, allocatePlace(pool, LINE_BYTES));
    mutex.#allocated = true;
    return mutex;
  }

  /** Whether this object holds the mutex. */
  get held(): boolean {
    return this.#ticket !== 0;
  }

  /** Who holds the mutex at this moment; undefined if nobody does. */
  get holder(): LockHolder | undefined {
    return holderOf(this.#wasm.load(this.#lockWord), this.#agent === undefined);
  }

  /**
   * Takes the mutex; blocks the thread while another holds it.
   *
   * @returns a guard that releases it when disposed; or call {@linkcode Mutex.unlock}.
   * @throws {LockTimeoutError} after `timeoutMs`.
   * @throws {DeadlockError} if this agent holds it already.
   * @throws {WouldBlockError} if this thread may not block, after spinning for a while; it names the holder.
   * @throws {AgentRetiredError} if the agent has detached or been retired.
   * @throws {RangeError} if the agent holds as many locks as its slot records (40).
   */
  lock(options?: LockOptions): MutexGuard {
    this.#take(options === undefined ? Infinity : timeoutOf(options, "lock"), "lock");
    return new MutexGuard(this, this.#ticket);
  }

  /** Takes the mutex if it is free at once; otherwise returns undefined. Throws as {@linkcode Mutex.lock} otherwise. */
  tryLock(): MutexGuard | undefined {
    const record = this.#records === undefined ? -1 : this.#records.takeRecord();
    const status = this.#tryFast(record);
    if (status !== LOCKED) {
      const attempt = new ExclusiveAttempt(this.#seat.party, this.#lockWord, record);
      let result = attempt.resume(status);
      if (result === PENDING) result = attempt.poll();
      if (result !== 0) {
        if (result === PENDING) attempt.giveUp();
        this.#records?.giveRecord(record);
        if (result < 0) throw lockError(result, "tryLock", 0, this.holder);
        return undefined;
      }
    }
    this.#taken(record);
    return new MutexGuard(this, this.#ticket);
  }

  /**
   * Takes the mutex without blocking the thread. The process stays alive while this is pending. Another task of the same
   * agent may hold the mutex: this one waits for it.
   *
   * @throws (rejects) as {@linkcode Mutex.lock}, or with the signal's reason; then no wake-up is lost to others.
   */
  async lockAsync(options: LockAsyncOptions = {}): Promise<MutexGuard> {
    await this.#takeAsync(options, "lockAsync");
    return new MutexGuard(this, this.#ticket);
  }

  /**
   * Releases the mutex and wakes one that waits for it.
   *
   * @throws {TypeError} if it is not held through this object.
   */
  unlock(): void {
    if (this.#ticket === 0) throw new TypeError("Cannot unlock: the mutex is not held through this object");
    this.#ticket = 0;
    const agent = this.#agent;
    if (agent !== undefined) {
      this.#wasm.unlockExclusive(this.#lockWord, this.#owner, agent.slotWord, this.#record);
      this.#records!.giveRecord(this.#record);
      return;
    }
    const state = this.#wasm.compareExchange(this.#lockWord, this.#owner, 0);
    if (state !== this.#owner) this.#wasm.releaseSlow(this.#lockWord, this.#owner, state, 0);
  }

  /**
   * Gives back the memory of a mutex that {@linkcode Mutex.create} made. No agent may use it any more.
   *
   * @throws {TypeError} if this object did not create it, or somebody holds it.
   */
  free(): void {
    if (!this.#allocated) throw new TypeError("Cannot free: the mutex was not created by this object");
    if (this.holder !== undefined) throw new TypeError("Cannot free: the mutex is held");
    this.#allocated = false;
    this.#seat.allocator!.free(this.address);
  }

  #tryFast(record: number): number {
    const agent = this.#agent;
    if (agent !== undefined) {
      return this.#wasm.lockExclusive(
        this.#lockWord,
        this.#owner,
        agent.slotWord,
        record,
        agent.tableWord,
        agent.state,
      );
    }
    return this.#wasm.compareExchange(this.#lockWord, 0, this.#owner) === 0 ? LOCKED : LOCK_CONTENDED;
  }

  #take(timeoutMs: number, operation: string): void {
    const records = this.#records;
    const record = records === undefined ? -1 : records.takeRecord();
    const status = this.#tryFast(record);
    if (status !== LOCKED) this.#takeSlow(record, status, timeoutMs, operation);
    this.#taken(record);
  }

  #takeSlow(record: number, status: number, timeoutMs: number, operation: string): void {
    const attempt = new ExclusiveAttempt(this.#seat.party, this.#lockWord, record, { async: this.#seat.anonymous });
    let result = attempt.resume(status);
    if (result === PENDING) result = drive(attempt, timeoutMs);
    if (result !== 0) {
      this.#records?.giveRecord(record);
      throw lockError(result, operation, timeoutMs, this.holder);
    }
  }

  async #takeAsync(options: LockAsyncOptions, operation: string): Promise<void> {
    const timeoutMs = timeoutOf(options, operation);
    options.signal?.throwIfAborted();
    const record = this.#records === undefined ? -1 : this.#records.takeRecord();
    const attempt = new ExclusiveAttempt(this.#seat.party, this.#lockWord, record, { async: true });
    let result = PENDING;
    try {
      result = attempt.resume(this.#tryFast(record));
      if (result === PENDING) result = await driveAsync(attempt, timeoutMs, options.signal);
    } finally {
      if (result !== 0) this.#records?.giveRecord(record);
    }
    if (result !== 0) throw lockError(result, operation, timeoutMs, this.holder);
    this.#taken(record);
  }

  #taken(record: number): void {
    this.#record = record;
    this.#ticket = ++this.#lastTicket;
  }
}
