/**
 * One attempt of one party to take a lock, as a machine that its driver steps: {@linkcode drive} parks the thread between
 * steps, or spins where it may not block; `async_drive.ts` awaits. What is common to taking a lock shared and exclusively
 * is here: parking, reserving, and leaving without the lock.
 *
 * @module
 */
import { EAGAIN, ETIMEDOUT } from "../layout/errno.ts";
import { LOCK_OWNER, LOCK_PARKED, LOCK_RESERVATION, LOCK_RESERVED } from "../layout/lock_word.ts";
import { LOCK_TUNING } from "./lock_tuning.ts";
import { pause } from "../memory/waiting.ts";
import type { Party } from "./party.ts";
import { deferMs, endReservation, reservationId, reserve } from "./reservation.ts";

/** What a step returns while the lock is not held; 0 means held, a negative errno that the attempt has ended. */
export const PENDING = 1;

/** How an attempt is made. */
export interface AttemptOptions {
  /** The attempt does not hold up its thread: the party itself may release what it waits for. */
  readonly async?: boolean;
}

/** An attempt to take a lock. */
export abstract class LockAttempt {
  /** Word to park on, while {@linkcode parkValue} is in it, for {@linkcode parkMs}. */
  parkWord = 0;
  /** See {@linkcode parkWord}. */
  parkValue = 0;
  /** See {@linkcode parkWord}; milliseconds. */
  parkMs = 0;
  /** The driver sets it once it has parked: a wake-up may have been spent on this attempt, which has to pass it on. */
  parked = false;
  /** Who attempts. */
  readonly party: Party;
  /** The lock. */
  readonly lockWord: number;
  /** Whether this party's own hold of the lock is something to wait for, rather than a deadlock. */
  protected readonly async: boolean;
  #reserved = false;

  /** Makes an attempt; nothing is taken yet. */
  constructor(party: Party, lockWord: number, options: AttemptOptions) {
    this.party = party;
    this.lockWord = lockWord;
    this.async = options.async ?? false;
  }

  /** Looks once, without preparing to park. */
  abstract poll(): number;

  /** Looks, and where the lock is not free says what to park on. `waitedMs`: since the attempt began. */
  abstract prepare(waitedMs: number, mayPark: boolean): number;

  /** Ends the attempt without the lock: nothing stays locked, recorded or reserved, and no wake-up is lost. */
  abstract giveUp(): void;

  /**
   * Says what to park on, and reserves where patience is at its end. `state` was seen as barring this attempt, for
   * `defer` milliseconds because of another's reservation.
   *
   * @returns false where the state has changed meanwhile: look again.
   */
  protected chooseParking(state: number, defer: number, waitedMs: number, mayPark: boolean): boolean {
    const { party, lockWord } = this;
    const { wasm } = party;
    let parkMs = LOCK_TUNING.sliceMs;
    if (defer > 0) {
      parkMs = Math.min(parkMs, defer + 1);
    } else if (waitedMs >= LOCK_TUNING.patienceMs) {
      const reservation = reserve(party, lockWord);
      if (reservation !== 0) {
        this.#reserved = true;
        // PARKED too where a wake-up may have been spent on us: those parked on the state word keep their claim to one.
        const next = state | LOCK_RESERVED | (this.parked ? LOCK_PARKED : 0);
        // The state is looked at after the reservation was stored, and a release of a reserved lock changes the
        // reservation word afterwards: a release that this does not see ends the parking.
        const seen = next === state ? wasm.load(lockWord) : wasm.compareExchange(lockWord, state, next);
        if (seen !== state) return false;
        this.parkWord = lockWord + LOCK_RESERVATION;
        this.parkValue = reservation;
        this.parkMs = LOCK_TUNING.reservationMs / 2;
        return true;
      }
    }
    // No shorter, so as to reserve when patience ends: the engine wakes in the order of parking, so the one that has been
    // parked longest is the next to be woken, finds the lock taken again perhaps, and reserves then. One that came later
    // and woke by itself would overtake it.
    const next = mayPark ? state | LOCK_PARKED : state;
    // The owner, or the one with the reservation, changes the word before it wakes: parking on another value fails.
    if (next !== state && wasm.compareExchange(lockWord, state, next) !== state) return false;
    this.parkWord = lockWord;
    this.parkValue = next;
    this.parkMs = parkMs;
    return true;
  }

  /** After the lock was taken by an exchange of `state` that cleared RESERVED. */
  protected settleReservation(state: number): void {
    const { party, lockWord } = this;
    if (this.#reserved) {
      endReservation(party, lockWord);
      this.#reserved = false;
    } else if ((state & LOCK_RESERVED) !== 0) {
      // It was another's and had expired; should that one live after all, it has to set the bit again.
      party.wasm.bump(lockWord + LOCK_RESERVATION);
    }
  }

  /** Takes back the reservation and passes on a wake-up that this attempt may have had. The lock is not held. */
  protected leave(): void {
    const { party, lockWord } = this;
    const { wasm } = party;
    if (this.#reserved) {
      for (;;) {
        const state = wasm.load(lockWord);
        if ((state & LOCK_RESERVED) === 0) break;
        if (reservationId(wasm.load(lockWord + LOCK_RESERVATION)) !== party.id) break;
        const free = (state & LOCK_OWNER) === 0;
        const next = state & ~(free ? LOCK_RESERVED | LOCK_PARKED : LOCK_RESERVED);
        if (wasm.compareExchange(lockWord, state, next) !== state) continue;
        if (free && (state & LOCK_PARKED) !== 0) wasm.notify(lockWord, 1);
        break;
      }
      endReservation(party, lockWord);
      this.#reserved = false;
    }
    if (this.parked) wasm.notify(lockWord, 1);
  }

  /** For how long this attempt defers to another's reservation. */
  protected deferMs(state: number): number {
    return deferMs(this.party, this.lockWord, state);
  }
}

/**
 * Steps an attempt to its end in this thread: spins a little, then parks in slices. Where the thread may not block it
 * spins on, and gives up after {@linkcode LOCK_TUNING}'s `spinLimitMs`.
 *
 * @returns 0, or a negative errno: `-ETIMEDOUT`, `-EAGAIN` (the thread may not block), `-EIDRM` (retired) or `-EDEADLK`
 * (this party holds the lock).
 */
export function drive(attempt: LockAttempt, timeoutMs: number): number {
  const { party } = attempt;
  const start = performance.now();
  let parks = 0;
  let status = PENDING;
  for (let spin = 0; spin < LOCK_TUNING.spins && status === PENDING; spin++) {
    pause();
    status = attempt.poll();
  }
  let waitedMs = 0;
  while (status === PENDING) {
    waitedMs = performance.now() - start;
    status = attempt.prepare(waitedMs, party.mayBlock);
    if (status !== PENDING) break;
    if (waitedMs >= timeoutMs) {
      attempt.giveUp();
      status = -ETIMEDOUT;
    } else if (party.mayBlock) {
      attempt.parked = true;
      parks++;
      party.wasm.wait(attempt.parkWord, attempt.parkValue, Math.min(attempt.parkMs, timeoutMs - waitedMs));
    } else if (waitedMs >= LOCK_TUNING.spinLimitMs) {
      attempt.giveUp();
      status = -EAGAIN;
    } else {
      for (let spin = 0; spin <= LOCK_TUNING.spins; spin++) pause();
    }
  }
  party.noteWait(parks, waitedMs);
  return status;
}
