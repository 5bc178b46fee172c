/**
 * Taking a lock exclusively: wait for the owner, then for the readers inside; at the outermost of the pool's own locks
 * also for a thaw.
 *
 * @module
 */
import { SLOT_HELD_INTERNAL } from "../layout/agent_table.ts";
import { EDEADLK, EIDRM } from "../layout/errno.ts";
import { LOCK_DRAINING, LOCK_OWNER, LOCK_PARKED, LOCK_READERS, LOCK_RESERVATION } from "../layout/lock_word.ts";
import { LOCKED, LOCKED_DRAIN, LOCKED_FROZEN, LOCKED_RETIRED } from "../memory/intrinsics.ts";
import { type AttemptOptions, LockAttempt, PENDING } from "./attempt.ts";
import { LOCK_TUNING } from "./lock_tuning.ts";
import type { Party } from "./party.ts";

/** The lock's word is another's. */
const WAITING = 0;
/** The lock's word is ours, readers may be inside. */
const DRAINING = 1;
/** The lock's word is not ours; mutation is frozen. */
const FROZEN = 2;

/** An attempt to take a lock exclusively. */
export class ExclusiveAttempt extends LockAttempt {
  readonly #record: number;
  #phase = WAITING;
  /** No reader has an id below this: none can have come since they were looked at, the lock's word being ours. */
  #drainedTo = 0;

  /**
   * Makes an attempt. `record`: index of the slot's record that names this lock, or -1 where the party has no slot.
   */
  constructor(party: Party, lockWord: number, record: number, options: AttemptOptions = {}) {
    super(party, lockWord, options);
    this.#record = record;
  }

  /** Goes on where the fast path ended with `status`: it may hold the lock's word. Returns as {@linkcode poll}. */
  resume(status: number): number {
    switch (status) {
      case LOCKED:
        return 0;
      case LOCKED_FROZEN:
      case LOCKED_RETIRED: {
        const checked = this.#checkTaken(this.party.wasm.load(this.lockWord));
        return checked === 0 && this.#phase === DRAINING ? this.poll() : checked;
      }
      case LOCKED_DRAIN:
        this.#phase = DRAINING;
        return this.poll();
      default:
        return PENDING;
    }
  }

  override poll(): number {
    const { party, lockWord } = this;
    const { wasm } = party;
    if (this.#phase === FROZEN) {
      if (this.#isFrozen()) return PENDING;
      this.#phase = WAITING;
    }
    while (this.#phase === WAITING) {
      const state = wasm.load(lockWord);
      if ((state & LOCK_OWNER) !== 0 || this.deferMs(state) > 0) return PENDING;
      // READERS stays until they have left. PARKED stays, and is set by one that a wake-up may have been spent on:
      // others may be parked behind it, and its own release wakes the next.
      const next = party.owner | (state & (LOCK_READERS | LOCK_PARKED)) | (this.parked ? LOCK_PARKED : 0);
      if (wasm.compareExchange(lockWord, state, next) !== state) continue;
      this.settleReservation(state);
      const status = this.#checkTaken(state);
      if (status !== 0 || this.#phase === WAITING) return status;
    }
    if (this.#phase === DRAINING) {
      if (this.#readersInside()) return PENDING;
      // Both are hints for others; nobody but the owner sets DRAINING.
      wasm.and(lockWord, ~(LOCK_DRAINING | LOCK_READERS));
      return 0;
    }
    return PENDING;
  }

  override prepare(waitedMs: number, mayPark: boolean): number {
    const { party, lockWord } = this;
    const { wasm } = party;
    for (;;) {
      const status = this.poll();
      if (status !== PENDING) return status;
      if (this.#isFenced()) {
        this.giveUp();
        return -EIDRM;
      }
      if (this.#phase === FROZEN) {
        const thaws = wasm.load(party.thawsWord);
        // The thaw clears the freeze word, then changes this one, then wakes: frozen still means that it is to come.
        if (!this.#isFrozen()) continue;
        this.#parkOn(party.thawsWord, thaws);
        return PENDING;
      }
      if (this.#phase === DRAINING) {
        const reservation = wasm.load(lockWord + LOCK_RESERVATION);
        wasm.or(lockWord, LOCK_DRAINING);
        // A reader that is still seen here finds DRAINING when it leaves, and changes the word that was read before.
        if (!this.#readersInside()) continue;
        if (this.#ownReader()) {
          this.giveUp();
          return -EDEADLK;
        }
        this.#parkOn(lockWord + LOCK_RESERVATION, reservation);
        return PENDING;
      }
      const state = wasm.load(lockWord);
      if ((state & LOCK_OWNER) === party.owner && !this.async) {
        this.giveUp();
        return -EDEADLK;
      }
      const defer = this.deferMs(state);
      if ((state & LOCK_OWNER) === 0 && defer === 0) continue;
      if (this.chooseParking(state, defer, waitedMs, mayPark)) return PENDING;
    }
  }

  override giveUp(): void {
    if (this.#phase === DRAINING) this.#release();
    this.leave();
    this.party.clearRecord(this.#record);
  }

  /** The lock's word has just become ours. Returns 0 where it stays so. `state` tells whether readers may be inside. */
  #checkTaken(state: number): number {
    this.#drainedTo = 0;
    if (this.#record === 0 && this.#isFrozen()) {
      this.#release();
      this.#phase = FROZEN;
      return PENDING;
    }
    if (this.#isFenced()) {
      this.#release();
      this.#phase = WAITING;
      this.giveUp();
      return -EIDRM;
    }
    this.#phase = (state & LOCK_READERS) !== 0 ? DRAINING : WAITING;
    return 0;
  }

  /** Whether the agent has been retired. Not asked for the pool's inner locks: what has begun is finished. */
  #isFenced(): boolean {
    const inner = this.#record > 0 && this.#record < SLOT_HELD_INTERNAL;
    return !inner && !this.party.isLive();
  }

  /** Gives the word back. Readers may be inside, so READERS stays. */
  #release(): void {
    const { wasm, owner } = this.party;
    wasm.releaseSlow(this.lockWord, owner, wasm.load(this.lockWord), LOCK_READERS);
    this.#phase = WAITING;
  }

  #isFrozen(): boolean {
    const { wasm, freezeWord, owner } = this.party;
    if (freezeWord < 0) return false;
    const freezer = wasm.load(freezeWord);
    return freezer !== 0 && freezer !== owner;
  }

  #readersInside(): boolean {
    const reader = this.party.readerOf(this.lockWord, this.#drainedTo);
    this.#drainedTo = reader;
    return reader !== 0;
  }

  /** Whether the reader that is waited for is this party: it would wait for ever. */
  #ownReader(): boolean {
    return !this.async && this.#drainedTo === this.party.id;
  }

  #parkOn(word: number, value: number): void {
    this.parkWord = word;
    this.parkValue = value;
    this.parkMs = LOCK_TUNING.sliceMs;
  }
}
