/**
 * The one-shot event for programs: a word that is 0 until the event happens, and 1 ever after.
 *
 * @module
 */
import { LINE_BYTES } from "../layout/units.ts";
import { pause } from "../memory/waiting.ts";
import { parkAsync } from "./async_drive.ts";
import { AgentRetiredError, WouldBlockError } from "./errors.ts";
import { LOCK_TUNING } from "./lock_tuning.ts";
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
 * Something that happens once, and that agents wait for. It cannot be set back: who still waits, or comes later, could
 * not tell the old happening from the next. Take another event for that.
 *
 * @example
 * ```ts ignore
 * const ready = Event.create(pool); // send ready.address to the others: new Event(pool, address)
 * ready.wait({ timeoutMs: 1000 });
 * ```
 */
export class Event {
  /** Bytes that an event takes. */
  static readonly BYTES: number = 8;

  /** Byte address of the event. */
  readonly address: number;
  readonly #seat: Seat;
  readonly #word: number;
  #allocated = false;

  /**
   * Uses the event at an address. Eight zero bytes are an event that has not happened.
   *
   * @param place a pool, or a shared memory
   * @param address byte address, a multiple of 8
   * @param options on a bare memory: who this thread is
   * @throws {RangeError} if the address is misaligned or beyond the memory.
   * @throws {TypeError} if `place` is neither a pool nor a shared memory.
   */
  constructor(place: LockPool | WebAssembly.Memory, address: number, options: BareLockOptions = {}) {
    this.#seat = takeSeat(place, address, Event.BYTES, options, "event");
    this.address = address;
    this.#word = address / 4;
  }

  /**
   * Allocates an event in a pool.
   *
   * @throws an error with code `ENOSPC` if the pool is full.
   */
  static create(pool: LockPool): Event {
    const event = new Event(pool, allocatePlace(pool, LINE_BYTES));
    event.#allocated = true;
    return event;
  }

  /** Whether the event has happened. */
  get isSet(): boolean {
    // Pairs with the store in set: what was written before it is seen after this.
    return this.#seat.memory.wasm.load(this.#word) !== 0;
  }

  /**
   * Makes the event happen, and wakes all that wait for it. Once is enough, more does no harm.
   *
   * @throws {AgentRetiredError} if the agent has detached or been retired.
   */
  set(): void {
    const { party, memory: { wasm } } = this.#seat;
    if (!party.isLive()) throw new AgentRetiredError("set");
    // Publishes all that was written before. The word changes before the wake-up, so none parks afterwards.
    wasm.store(this.#word, 1);
    wasm.notify(this.#word, -1);
  }

  /**
   * Blocks the thread until the event has happened.
   *
   * @returns false when `timeoutMs` was over first.
   * @throws {WouldBlockError} if this thread may not block, after spinning for a while.
   * @throws {AgentRetiredError} if the agent has been retired.
   */
  wait(options?: LockOptions): boolean {
    const timeoutMs = timeoutOf(options, "wait");
    const { party, memory: { wasm } } = this.#seat;
    if (this.isSet) return true;
    const start = performance.now();
    for (;;) {
      const waitedMs = performance.now() - start;
      if (waitedMs >= timeoutMs) return false;
      if (!party.isLive()) throw new AgentRetiredError("wait");
      if (party.mayBlock) {
        wasm.wait(this.#word, 0, Math.min(LOCK_TUNING.sliceMs, timeoutMs - waitedMs));
      } else {
        if (waitedMs >= LOCK_TUNING.spinLimitMs) {
          throw new WouldBlockError("wait", undefined, "use waitAsync", "nobody has made the event happen");
        }
        pause();
      }
      if (this.isSet) return true;
    }
  }

  /**
   * As {@linkcode Event.wait}, without blocking the thread. Keeps the process alive while pending.
   *
   * @throws (rejects) the signal's reason when it aborts.
   */
  async waitAsync(options: LockAsyncOptions = {}): Promise<boolean> {
    const timeoutMs = timeoutOf(options, "waitAsync");
    const { signal } = options;
    const { party, memory } = this.#seat;
    const start = performance.now();
    for (;;) {
      signal?.throwIfAborted();
      if (this.isSet) return true;
      const leftMs = timeoutMs - (performance.now() - start);
      if (leftMs <= 0) return false;
      if (!party.isLive()) throw new AgentRetiredError("waitAsync");
      await parkAsync(memory, this.#word, 0, leftMs, signal);
    }
  }

  /**
   * Gives back the memory of an event that {@linkcode Event.create} made. No agent may use it any more.
   *
   * @throws {TypeError} if this object did not create it.
   */
  free(): void {
    if (!this.#allocated) throw new TypeError("Cannot free: the event was not created by this object");
    this.#allocated = false;
    this.#seat.allocator!.free(this.address);
  }
}
