/**
 * Reservations: how a waiter that has lost patience gets its turn. See the proof in docs/locking.md.
 *
 * The reservation word (`deadline:21 | id:11`) changes so:
 *
 * | from                  | to                 | by                                              |
 * |-----------------------|--------------------|-------------------------------------------------|
 * | id 0, or expired      | mine               | a waiter past its patience, compare-exchange    |
 * | mine                  | mine, later        | the same waiter, while it waits                 |
 * | mine                  | id 0, later        | the same waiter, when it has acquired or left   |
 * | any                   | deadline + 1 ms    | a release that the parked on it must notice     |
 *
 * The deadline always grows, also when the id goes: who has read the word, looks at something else, and parks on the
 * value that it read, relies on a value that has changed not coming back.
 *
 * @module
 */
import { LOCK_RESERVATION, LOCK_RESERVED, LOCK_SLOT_BITS } from "../layout/lock_word.ts";
import { LOCK_TUNING } from "./lock_tuning.ts";
import type { Party } from "./party.ts";

const ID_MASK = (1 << LOCK_SLOT_BITS) - 1;
const DEADLINE_MASK = 2 ** (32 - LOCK_SLOT_BITS) - 1;

/** The id in a reservation word. */
export function reservationId(reservation: number): number {
  return reservation & ID_MASK;
}

/** For how many more milliseconds others defer to a reservation; 0 where it names nobody or its deadline has passed. */
export function reservationLeftMs(reservation: number): number {
  if ((reservation & ID_MASK) === 0) return 0;
  const left = ((reservation >>> LOCK_SLOT_BITS) - Date.now()) & DEADLINE_MASK;
  // More than a reservation can have left means that the deadline has passed, or that the clock was set back. Releases
  // add to a deadline a millisecond each, hence twice.
  return left <= 2 * LOCK_TUNING.reservationMs ? left : 0;
}

/** For how many milliseconds this party has to defer to another's reservation of the lock, whose state word is `state`. */
export function deferMs(party: Party, lockWord: number, state: number): number {
  if ((state & LOCK_RESERVED) === 0) return 0;
  const reservation = party.wasm.load(lockWord + LOCK_RESERVATION);
  return reservationId(reservation) === party.id ? 0 : reservationLeftMs(reservation);
}

/**
 * Makes or renews this party's reservation, unless another's stands.
 *
 * @returns the reservation word as stored, or 0 where another's stands.
 */
export function reserve(party: Party, lockWord: number): number {
  const { wasm } = party;
  const { reservationMs } = LOCK_TUNING;
  for (;;) {
    const found = wasm.load(lockWord + LOCK_RESERVATION);
    if (reservationId(found) !== party.id && reservationLeftMs(found) > 0) return 0;
    let deadline = Date.now() + reservationMs;
    // Beyond what was there, unless that is so far off that it cannot be a deadline: see the head of this file.
    const ahead = ((found >>> LOCK_SLOT_BITS) - deadline) & DEADLINE_MASK;
    if (ahead < reservationMs - 1) deadline += ahead + 1;
    const mine = (deadline << LOCK_SLOT_BITS) | party.id;
    if (wasm.compareExchange(lockWord + LOCK_RESERVATION, found, mine) === found) return mine;
  }
}

/** Ends this party's reservation, if it still stands. RESERVED in the state word has been cleared before. */
export function endReservation(party: Party, lockWord: number): void {
  const { wasm } = party;
  for (;;) {
    const found = wasm.load(lockWord + LOCK_RESERVATION);
    if (reservationId(found) !== party.id) return;
    const ended = (found + (1 << LOCK_SLOT_BITS)) & ~ID_MASK;
    if (wasm.compareExchange(lockWord + LOCK_RESERVATION, found, ended) !== found) continue;
    // Another task of the same agent may be parked on the reservation that they shared.
    wasm.notify(lockWord + LOCK_RESERVATION, -1);
    return;
  }
}
