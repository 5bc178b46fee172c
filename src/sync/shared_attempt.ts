/**
 * Taking a lock shared: publish a pin, look whether a writer holds or waits for the lock, and take the pin back if so.
 *
 * @module
 */
import { EDEADLK, EIDRM } from "../layout/errno.ts";
import {
  LOCK_DRAINING,
  LOCK_OWNER,
  LOCK_PARKED,
  LOCK_READERS,
  LOCK_RESERVATION,
  LOCK_RESERVED,
} from "../layout/lock_word.ts";
import { type AttemptOptions, LockAttempt, PENDING } from "./attempt.ts";
import type { Party } from "./party.ts";

/** An attempt to take a lock shared. */
export class SharedAttempt extends LockAttempt {
  readonly #pinWord: number;
  readonly #pin: number;
  readonly #unpinned: number;

  /**
   * Makes an attempt. The pin is a word of the party's own in which writers look for `pin`; between looks, and after an
   * attempt that has ended without the lock, it is `unpinned`.
   */
  constructor(
    party: Party,
    lockWord: number,
    pinWord: number,
    pin: number,
    unpinned: number,
    options: AttemptOptions = {},
  ) {
    super(party, lockWord, options);
    this.#pinWord = pinWord;
    this.#pin = pin;
    this.#unpinned = unpinned;
  }

  override poll(): number {
    const { party, lockWord } = this;
    const { wasm } = party;
    // The pin is published before the state is looked at; a writer takes the state before it looks for pins.
    wasm.store(this.#pinWord, this.#pin);
    for (;;) {
      const state = wasm.load(lockWord);
      if ((state & LOCK_OWNER) !== 0 || this.deferMs(state) > 0) break;
      // Without an owner PARKED is there only because of the reservation: it ends, so the parked are woken below.
      const next = (state & ~(LOCK_RESERVED | LOCK_PARKED)) | LOCK_READERS;
      if (next !== state && wasm.compareExchange(lockWord, state, next) !== state) continue;
      this.settleReservation(state);
      // A reader's release wakes nobody that waits for the owner, so the wake-up is passed on now: the next one in line
      // comes in too, or takes the word and waits for readers to leave.
      if ((state & LOCK_PARKED) !== 0 || this.parked) wasm.notify(lockWord, 1);
      if (party.isLive()) return 0;
      this.#unpin();
      return -EIDRM;
    }
    this.#unpin();
    return PENDING;
  }

  override prepare(waitedMs: number, mayPark: boolean): number {
    const { party, lockWord } = this;
    for (;;) {
      const status = this.poll();
      if (status !== PENDING) return status;
      if (!party.isLive()) {
        this.giveUp();
        return -EIDRM;
      }
      const state = party.wasm.load(lockWord);
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
    this.leave();
  }

  /** As the intrinsic unlockShared: a writer that waits for readers may have seen the pin. */
  #unpin(): void {
    const { wasm } = this.party;
    wasm.store(this.#pinWord, this.#unpinned);
    if ((wasm.load(this.lockWord) & LOCK_DRAINING) !== 0) wasm.bump(this.lockWord + LOCK_RESERVATION);
  }
}
