/**
 * The condition for programs: a word that counts notifications.
 *
 * A waiter reads the count while it holds the mutex, releases the mutex, and parks while the count is unchanged. Who
 * notifies counts up, then wakes: a notification that comes between release and parking finds another count, and the
 * parking does not happen.
 *
 * @module
 */
import { LINE_BYTES } from "../layout/units.ts";
import { pause } from "../memory/waiting.ts";
import { parkAsync } from "./async_drive.ts";
import { AgentRetiredError, WouldBlockError } from "./errors.ts";
import { LOCK_TUNING } from "./lock_tuning.ts";
import { type Mutex, releaseForWait, relock, relockAsync } from "./mutex.ts";
import {
  allocatePlace,
  type BareLockOptions,
  type LockAsyncOptions,
  type LockOptions,
  type LockPool,
  type Seat,
  takeSeat,
  timeoutOf,
} from "./seat.ts";

/**
 * Lets agents sleep until another says that something they look at under a mutex has changed.
 *
 * @example
 * ```ts ignore
 * using _guard = mutex.lock();
 * while (queueIsEmpty()) condition.wait(mutex);
 * ```
 */
export class Condition {
  /** Bytes that a condition takes. */
  static readonly BYTES: number = 8;

  /** Byte address of the condition. */
  readonly address: number;
  readonly #seat: Seat;
  readonly #word: number;
  #allocated = false;

  /**
   * Uses the condition at an address. Eight zero bytes are a condition that nobody waits for.
   *
   * @param place a pool, or a shared memory
   * @param address byte address, a multiple of 8
   * @param options on a bare memory: who this thread is
   * @throws {RangeError} if the address is misaligned or beyond the memory.
   * @throws {TypeError} if `place` is neither a pool nor a shared memory.
   */
  constructor(place: LockPool | WebAssembly.Memory, address: number, options: BareLockOptions = {}) {
    this.#seat = takeSeat(place, address, Condition.BYTES, options, "condition");
    this.address = address;
    this.#word = address / 4;
  }

  /**
   * Allocates a condition in a pool.
   *
   * @throws an error with code `ENOSPC` if the pool is full.
   */
  static create(pool: LockPool): Condition {
    const condition = new Condition(pool, allocatePlace(pool, LINE_BYTES));
    condition.#allocated = true;
    return condition;
  }

  /**
   * Releases the mutex, sleeps until notified, and takes the mutex again. Like all conditions it may wake although
   * nobody has notified: look again at what you wait for.
   *
   * @returns false when `timeoutMs` was over first. The mutex is held either way, and its guard is still good.
   * @throws {TypeError} if the mutex is not held.
   * @throws {WouldBlockError} if this thread may not block, after spinning for a while; the mutex is held.
   * @throws {AgentRetiredError} if the agent has been retired; the mutex is not held.
   */
  wait(mutex: Mutex, options?: LockOptions): boolean {
    const timeoutMs = timeoutOf(options, "wait");
    const { party, memory: { wasm } } = this.#seat;
    const word = this.#word;
    // Read under the mutex: what is notified from now on is not missed.
    const count = wasm.load(word);
    const ticket = releaseForWait(mutex);
    let notified = true;
    let gaveUp = false;
    if (party.mayBlock) {
      notified = wasm.wait(word, count, timeoutMs) !== 2;
    } else {
      const start = performance.now();
      while (wasm.load(word) === count && notified) {
        pause();
        const waitedMs = performance.now() - start;
        gaveUp = waitedMs >= LOCK_TUNING.spinLimitMs;
        notified = waitedMs < timeoutMs && !gaveUp;
      }
    }
    relock(mutex, ticket);
    if (gaveUp && !notified && timeoutMs > LOCK_TUNING.spinLimitMs) {
      throw new WouldBlockError("wait", undefined, "use waitAsync", "nobody has notified");
    }
    return notified;
  }

  /**
   * Waits until `predicate` returns true, which is called while the mutex is held.
   *
   * @returns the predicate's last value: false when `timeoutMs` was over first.
   */
  waitFor(mutex: Mutex, predicate: () => boolean, options?: LockOptions): boolean {
    const timeoutMs = timeoutOf(options, "waitFor");
    const start = performance.now();
    while (!predicate()) {
      const leftMs = timeoutMs - (performance.now() - start);
      if (leftMs <= 0 || !this.wait(mutex, { timeoutMs: leftMs })) return predicate();
    }
    return true;
  }

  /**
   * As {@linkcode Condition.wait}, without blocking the thread. Keeps the process alive while pending.
   *
   * @throws (rejects) the signal's reason; the mutex is held then too, and no notification is lost to other waiters.
   */
  async waitAsync(mutex: Mutex, options: LockAsyncOptions = {}): Promise<boolean> {
    const timeoutMs = timeoutOf(options, "waitAsync");
    const { signal } = options;
    signal?.throwIfAborted();
    const { memory, party } = this.#seat;
    const word = this.#word;
    const count = memory.wasm.load(word);
    const ticket = releaseForWait(mutex);
    const start = performance.now();
    let leftMs = timeoutMs;
    let how = await parkAsync(memory, word, count, leftMs, signal);
    // Without Atomics.waitAsync the parking ends every few milliseconds.
    while (how === "over" && (leftMs = timeoutMs - (performance.now() - start)) > 0 && party.isLive()) {
      how = await parkAsync(memory, word, count, leftMs, signal);
    }
    await relockAsync(mutex, ticket);
    if (how === "aborted") throw signal!.reason;
    return how !== "over";
  }

  /** Wakes one waiter, if there is any. Usually called while the mutex is held. */
  notifyOne(): void {
    this.#notify(1);
  }

  /** Wakes all waiters. */
  notifyAll(): void {
    this.#notify(-1);
  }

  /**
   * Gives back the memory of a condition that {@linkcode Condition.create} made. No agent may use it any more.
   *
   * @throws {TypeError} if this object did not create it.
   */
  free(): void {
    if (!this.#allocated) throw new TypeError("Cannot free: the condition was not created by this object");
    this.#allocated = false;
    this.#seat.allocator!.free(this.address);
  }

  #notify(count: number): void {
    const { party, memory: { wasm } } = this.#seat;
    if (!party.isLive()) throw new AgentRetiredError("notify");
    // Pairs with the load under the mutex, and with the comparison that parking begins with.
    wasm.add(this.#word, 1);
    wasm.notify(this.#word, count);
  }
}
