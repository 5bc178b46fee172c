/**
 * The read-write lock for programs. In a pool a reader publishes itself in its agent's slot; on bare memory in one of the
 * lanes behind the lock's words.
 *
 * @module
 */
import { SLOT_PINS } from "../layout/agent_table.ts";
import { LOCK_OWNER, LOCK_READERS, LOCK_RESERVED } from "../layout/lock_word.ts";
import { LINE_BYTES } from "../layout/units.ts";
import { type Intrinsics, LOCK_CONTENDED, LOCKED } from "../memory/intrinsics.ts";
import type { Agent } from "./agent.ts";
import { driveAsync } from "./async_drive.ts";
import { drive, PENDING } from "./attempt.ts";
import { holderOf, lockError, type LockHolder } from "./errors.ts";
import { ExclusiveAttempt } from "./exclusive_attempt.ts";
import { claimLane, claimLaneAsync, LANE_COUNT, LANE_FIRST, LANES_BYTES } from "./lanes.ts";
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
import { LANE_CLAIMED } from "./party.ts";
import { SharedAttempt } from "./shared_attempt.ts";

/** What keeps readers out. */
const LOCK_BARS = LOCK_OWNER | LOCK_RESERVED;

/** A read-write lock held, shared or exclusively: releases it when disposed. */
export class RwLockGuard implements Disposable {
  readonly #lock: RwLock;
  readonly #write: boolean;
  #held = true;

  /** Made by {@linkcode RwLock.lockRead}, {@linkcode RwLock.lockWrite} and their kin. */
  constructor(lock: RwLock, write: boolean) {
    this.#lock = lock;
    this.#write = write;
  }

  /** Releases the lock, once. */
  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#write) this.#lock.unlockWrite();
    else this.#lock.unlockRead();
  }
}

/**
 * A lock that many agents hold for reading, or one for writing.
 *
 * A writer that waits keeps new readers out, a reader that has waited for two milliseconds has the next turn: neither
 * starves. An agent may take it for reading again while it reads; what it must not do is to take it for writing then.
 * An uncontended `lockRead` and `unlockRead` cost about 60 ns; readers do not write to a line that they share.
 *
 * Release each hold once: by its guard, or by `unlockRead` or `unlockWrite`.
 *
 * @example
 * ```ts
 * import { RwLock } from "@extmemfs/extmemfs";
 *
 * const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
 * const lock = new RwLock(memory, 0, { owner: 1 });
 * {
 *   using _guard = lock.lockRead();
 * }
 * lock.lockWrite();
 * lock.unlockWrite();
 * ```
 */
export class RwLock {
  /**
   * Bytes that a read-write lock takes, in a pool and on bare memory: a line for its words, and for bare memory three
   * lines in which 48 readers at a time publish themselves. A 49th waits until one of them has left.
   */
  static readonly BYTES: number = LANES_BYTES;

  /** Byte address of the lock. */
  readonly address: number;
  readonly #seat: Seat;
  readonly #wasm: Intrinsics;
  readonly #lockWord: number;
  readonly #agent: Agent | undefined;
  readonly #records: ProgramRecords | undefined;
  #allocated = false;
  /** Pins (bare: words of lanes) of the reads held through this object. */
  readonly #reads: number[] = [];
  #record = -1;
  #writing = false;

  /**
   * Uses the lock at an address. {@linkcode RwLock.BYTES} zero bytes are a lock that nobody holds.
   *
   * @param place a pool, or a shared memory
   * @param address byte address, a multiple of 8; best a multiple of 64
   * @param options on a bare memory: who this thread is
   * @throws {RangeError} if the address is misaligned or beyond the memory, or `owner` is out of range.
   * @throws {TypeError} if `place` is neither a pool nor a shared memory.
   */
  constructor(place: LockPool | WebAssembly.Memory, address: number, options: BareLockOptions = {}) {
    this.#seat = takeSeat(place, address, RwLock.BYTES, options, "read-write lock", {
      first: LANE_FIRST,
      count: LANE_COUNT,
    });
    this.address = address;
    this.#lockWord = address / 4;
    this.#wasm = this.#seat.memory.wasm;
    this.#agent = this.#seat.agent;
    this.#records = this.#seat.records;
  }

  /**
   * Allocates a lock in a pool, on lines of its own.
   *
   * @throws an error with code `ENOSPC` if the pool is full.
   */
  static create(pool: LockPool): RwLock {
    const lock = new RwLock(pool, allocatePlace(pool, Math.ceil(RwLock.BYTES / LINE_BYTES) * LINE_BYTES));
    lock.#allocated = true;
    return lock;
  }

  /** How often this object holds the lock for reading. */
  get reads(): number {
    return this.#reads.length;
  }

  /** Whether this object holds the lock for writing. */
  get writing(): boolean {
    return this.#writing;
  }

  /** Who holds the lock for writing at this moment, or is about to and waits for readers; undefined if nobody does. */
  get holder(): LockHolder | undefined {
    return holderOf(this.#wasm.load(this.#lockWord), this.#agent === undefined);
  }

  /**
   * Takes the lock for reading; blocks the thread while a writer holds it.
   *
   * @returns a guard that releases it when disposed; or call {@linkcode RwLock.unlockRead}.
   * @throws {LockTimeoutError} after `timeoutMs`.
   * @throws {DeadlockError} if this agent holds it for writing.
   * @throws {WouldBlockError} if this thread may not block, after spinning for a while; it names the holder.
   * @throws {AgentRetiredError} if the agent has detached or been retired.
   * @throws {RangeError} if the agent holds as many read locks as its slot has pins (15).
   */
  lockRead(options?: LockOptions): RwLockGuard {
    const timeoutMs = options === undefined ? Infinity : timeoutOf(options, "lockRead");
    const agent = this.#agent;
    if (agent === undefined) {
      this.#readBare(timeoutMs, "lockRead");
    } else {
      const pin = this.#records!.takePin();
      if (this.#wasm.lockShared(this.#lockWord, agent.slotWord + SLOT_PINS + pin) === 0) {
        this.#records!.pinCounts[pin] = 1;
        this.#reads.push(pin);
      } else this.#readSlow(agent, pin, timeoutMs, "lockRead");
    }
    return new RwLockGuard(this, false);
  }

  /** Takes the lock for reading if that is possible at once; otherwise returns undefined. */
  tryLockRead(): RwLockGuard | undefined {
    const { party } = this.#seat;
    if (this.#readAgain()) return new RwLockGuard(this, false);
    const agent = this.#agent;
    const pin = agent === undefined ? claimLane(party, this.#lockWord) : this.#records!.takePin();
    if (pin < 0) return undefined;
    const attempt = this.#sharedAttempt(pin, true);
    const result = attempt.poll();
    if (result === 0) {
      this.#read(pin);
      return new RwLockGuard(this, false);
    }
    if (result === PENDING) attempt.giveUp();
    this.#givePin(pin);
    if (result < 0) throw lockError(result, "tryLockRead", 0, this.holder);
    return undefined;
  }

  /**
   * Takes the lock for reading without blocking the thread. The process stays alive while this is pending.
   *
   * @throws (rejects) as {@linkcode RwLock.lockRead}, or with the signal's reason; then no wake-up is lost to others.
   */
  async lockReadAsync(options: LockAsyncOptions = {}): Promise<RwLockGuard> {
    const timeoutMs = timeoutOf(options, "lockReadAsync");
    options.signal?.throwIfAborted();
    const agent = this.#agent;
    const { party } = this.#seat;
    if (this.#readAgain()) return new RwLockGuard(this, false);
    const start = performance.now();
    const pin = agent === undefined
      ? await claimLaneAsync(party, this.#lockWord, timeoutMs, options.signal)
      : this.#records!.takePin();
    if (pin < 0) throw lockError(pin, "lockReadAsync", timeoutMs, this.holder);
    let result = PENDING;
    try {
      const leftMs = Math.max(0, timeoutMs - (performance.now() - start));
      result = await driveAsync(this.#sharedAttempt(pin, true), leftMs, options.signal);
    } finally {
      if (result !== 0) this.#givePin(pin);
    }
    if (result !== 0) throw lockError(result, "lockReadAsync", timeoutMs, this.holder);
    this.#read(pin);
    return new RwLockGuard(this, false);
  }

  /**
   * Ends one read.
   *
   * @throws {TypeError} if this object holds none.
   */
  unlockRead(): void {
    const pin = this.#reads.pop();
    if (pin === undefined) throw new TypeError("Cannot unlockRead: the lock is not held for reading by this object");
    const agent = this.#agent;
    if (agent === undefined) {
      this.#wasm.unlockShared(this.#lockWord, pin);
      return;
    }
    const counts = this.#records!.pinCounts;
    const count = counts[pin]! - 1;
    counts[pin] = count;
    if (count === 0) {
      // A slot that is no longer this agent's may have a pin of its next agent's there.
      if (agent.live) this.#wasm.unlockShared(this.#lockWord, agent.slotWord + SLOT_PINS + pin);
      this.#records!.givePin(pin);
    }
  }

  /**
   * Takes the lock for writing; blocks the thread while others hold it.
   *
   * @returns a guard that releases it when disposed; or call {@linkcode RwLock.unlockWrite}.
   * @throws as {@linkcode RwLock.lockRead}; {@linkcode DeadlockError} also if this agent holds it for reading.
   */
  lockWrite(options?: LockOptions): RwLockGuard {
    const timeoutMs = options === undefined ? Infinity : timeoutOf(options, "lockWrite");
    const record = this.#records === undefined ? -1 : this.#records.takeRecord();
    const status = this.#writeFast(record);
    if (status !== LOCKED) {
      const attempt = this.#exclusiveAttempt(record, this.#seat.anonymous);
      let result = attempt.resume(status);
      if (result === PENDING) result = drive(attempt, timeoutMs);
      this.#settleWrite(record, result, timeoutMs, "lockWrite");
    }
    this.#record = record;
    this.#writing = true;
    return new RwLockGuard(this, true);
  }

  /** Takes the lock for writing if that is possible at once; otherwise returns undefined. */
  tryLockWrite(): RwLockGuard | undefined {
    const record = this.#records === undefined ? -1 : this.#records.takeRecord();
    const attempt = this.#exclusiveAttempt(record, true);
    let result = attempt.resume(this.#writeFast(record));
    if (result === PENDING) result = attempt.poll();
    if (result === PENDING) {
      attempt.giveUp();
      this.#records?.giveRecord(record);
      return undefined;
    }
    this.#settleWrite(record, result, 0, "tryLockWrite");
    this.#record = record;
    this.#writing = true;
    return new RwLockGuard(this, true);
  }

  /**
   * Takes the lock for writing without blocking the thread. The process stays alive while this is pending.
   *
   * @throws (rejects) as {@linkcode RwLock.lockWrite}, or with the signal's reason; then no wake-up is lost to others.
   */
  async lockWriteAsync(options: LockAsyncOptions = {}): Promise<RwLockGuard> {
    const timeoutMs = timeoutOf(options, "lockWriteAsync");
    options.signal?.throwIfAborted();
    const record = this.#records === undefined ? -1 : this.#records.takeRecord();
    const attempt = this.#exclusiveAttempt(record, true);
    let result = PENDING;
    try {
      result = attempt.resume(this.#writeFast(record));
      if (result === PENDING) result = await driveAsync(attempt, timeoutMs, options.signal);
    } catch (error) {
      this.#records?.giveRecord(record);
      throw error;
    }
    this.#settleWrite(record, result, timeoutMs, "lockWriteAsync");
    this.#record = record;
    this.#writing = true;
    return new RwLockGuard(this, true);
  }

  /**
   * Ends writing.
   *
   * @throws {TypeError} if this object does not hold the lock for writing.
   */
  unlockWrite(): void {
    if (!this.#writing) throw new TypeError("Cannot unlockWrite: the lock is not held for writing by this object");
    this.#writing = false;
    const { owner } = this.#seat.party;
    const agent = this.#agent;
    if (agent !== undefined) {
      this.#wasm.unlockExclusive(this.#lockWord, owner, agent.slotWord, this.#record);
      this.#records!.giveRecord(this.#record);
      return;
    }
    const state = this.#wasm.compareExchange(this.#lockWord, owner, 0);
    if (state !== owner) this.#wasm.releaseSlow(this.#lockWord, owner, state, 0);
  }

  /**
   * Gives back the memory of a lock that {@linkcode RwLock.create} made. No agent may use it any more.
   *
   * @throws {TypeError} if this object did not create it, or the lock is held.
   */
  free(): void {
    if (!this.#allocated) throw new TypeError("Cannot free: the lock was not created by this object");
    if ((this.#wasm.load(this.#lockWord) & LOCK_OWNER) !== 0 || this.#seat.party.readerOf(this.#lockWord, 0) !== 0) {
      throw new TypeError("Cannot free: the lock is held");
    }
    this.#allocated = false;
    this.#seat.allocator!.free(this.address);
  }

  #read(pin: number): void {
    if (this.#records !== undefined) this.#records.pinCounts[pin] = 1;
    this.#reads.push(pin);
  }

  /** Where this agent reads already no writer can be inside: one more read needs neither a pin nor a look. */
  #readAgain(): boolean {
    const agent = this.#agent;
    if (agent === undefined) return false;
    const { pinCounts } = this.#records!;
    const first = agent.slotWord + SLOT_PINS;
    for (let pin = 1; pin < pinCounts.length; pin++) {
      // Plain: this agent's own words. A count above 0 says that the read is established, and not an attempt.
      if (pinCounts[pin]! > 0 && this.#seat.memory.i32[first + pin] === (this.#lockWord | 0)) {
        pinCounts[pin]!++;
        this.#reads.push(pin);
        return true;
      }
    }
    return false;
  }

  #readSlow(agent: Agent, pin: number, timeoutMs: number, operation: string): void {
    if (this.#readAgain()) {
      this.#records!.givePin(pin);
      return;
    }
    const attempt = this.#sharedAttempt(pin, false);
    const result = agent.live ? drive(attempt, timeoutMs) : attempt.prepare(0, false);
    if (result !== 0) {
      this.#givePin(pin);
      throw lockError(result, operation, timeoutMs, this.holder);
    }
    this.#read(pin);
  }

  #readBare(timeoutMs: number, operation: string): void {
    const { party } = this.#seat;
    const wasm = this.#wasm;
    const own = this.#lockWord + LANE_FIRST + party.id % LANE_COUNT;
    let lane = -1;
    if (wasm.compareExchange(own, 0, party.id) === 0) {
      // As the intrinsic lockShared: the lane is published, then the state looked at, then the hint set for writers.
      if (wasm.load(this.#lockWord) === LOCK_READERS || (wasm.or(this.#lockWord, LOCK_READERS) & LOCK_BARS) === 0) {
        this.#reads.push(own);
        return;
      }
      lane = own;
    } else lane = claimLane(party, this.#lockWord);
    const start = performance.now();
    while (lane < 0) {
      const waitedMs = performance.now() - start;
      if (waitedMs >= timeoutMs) throw lockError(lane, operation, timeoutMs, this.holder);
      lane = claimLane(party, this.#lockWord, Math.min(1, timeoutMs - waitedMs));
    }
    const attempt = this.#sharedAttempt(lane, this.#seat.anonymous);
    let result = attempt.poll();
    if (result === PENDING) result = drive(attempt, timeoutMs - (performance.now() - start));
    if (result !== 0) {
      this.#givePin(lane);
      throw lockError(result, operation, timeoutMs, this.holder);
    }
    this.#reads.push(lane);
  }

  #sharedAttempt(pin: number, async: boolean): SharedAttempt {
    const { party } = this.#seat;
    const agent = this.#agent;
    return agent === undefined
      ? new SharedAttempt(party, this.#lockWord, pin, party.id, LANE_CLAIMED, { async })
      : new SharedAttempt(party, this.#lockWord, agent.slotWord + SLOT_PINS + pin, this.#lockWord, 0, { async });
  }

  #givePin(pin: number): void {
    if (this.#records !== undefined) this.#records.givePin(pin);
    else this.#wasm.store(pin, 0);
  }

  #writeFast(record: number): number {
    const { owner } = this.#seat.party;
    const agent = this.#agent;
    if (agent !== undefined) {
      return this.#wasm.lockExclusive(this.#lockWord, owner, agent.slotWord, record, agent.tableWord, agent.state);
    }
    return this.#wasm.compareExchange(this.#lockWord, 0, owner) === 0 ? LOCKED : LOCK_CONTENDED;
  }

  #exclusiveAttempt(record: number, async: boolean): ExclusiveAttempt {
    return new ExclusiveAttempt(this.#seat.party, this.#lockWord, record, { async });
  }

  #settleWrite(record: number, result: number, timeoutMs: number, operation: string): void {
    if (result === 0) return;
    this.#records?.giveRecord(record);
    throw lockError(result, operation, timeoutMs, this.holder);
  }
}
