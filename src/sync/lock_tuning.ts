/**
 * The times and counts that decide how a waiter waits. Nothing about correctness depends on them; tests change them.
 *
 * @module
 */

/** How a waiter for a lock waits. */
export interface LockTuning {
  /** How often a waiter looks again before it parks. */
  spins: number;
  /** A waiter that has waited this long, in milliseconds, makes a reservation. */
  patienceMs: number;
  /** For how long, in milliseconds, others defer to a reservation that is not renewed: what a dead waiter costs. */
  reservationMs: number;
  /** The longest, in milliseconds, that a waiter stays parked before it looks again: what a dead waker costs. */
  sliceMs: number;
  /** After this long, in milliseconds, a thread that may not block gives up. */
  spinLimitMs: number;
}

/** The values in use in this thread. */
export const LOCK_TUNING: LockTuning = {
  spins: 100,
  patienceMs: 2,
  reservationMs: 50,
  sliceMs: 50,
  spinLimitMs: 200,
};
