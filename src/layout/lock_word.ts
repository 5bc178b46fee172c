/**
 * The two words of every lock in shared memory, and the bits in them. Imports nothing above `rows.ts`.
 *
 * `STATE`: `gen:16 | slot+1:11 | -:1 | DRAINING | RESERVED | READERS | PARKED`. The owner is the agent that holds the
 * lock exclusively: its slot + 1 and the low 16 bits of its generation; an owner of zero means that nobody does.
 *
 * `RESERVATION`: `deadline:21 | slot+1:11`, meaningful while `RESERVED` is set: the waiter that has lost patience, and
 * until when (milliseconds of the wall clock, modulo 2^21) others defer to it.
 *
 * @module
 */
import { row, type Structure } from "./rows.ts";

/** Word of a lock that holds owner and flags. */
export const LOCK_STATE = 0;
/** Word of a lock that holds the reservation of an impatient waiter. */
export const LOCK_RESERVATION = 1;
/** Words of a lock. */
export const LOCK_WORDS = 2;

/** Somebody may be parked on the state word. A hint: whoever parks sets it, whoever releases clears it and wakes. */
export const LOCK_PARKED = 1;
/** Some agent may hold the lock shared (see its slot's pins). A hint: a reader sets it, a writer that scanned clears it. */
export const LOCK_READERS = 2;
/** A waiter past its patience has a reservation; others defer until its deadline. */
export const LOCK_RESERVED = 4;
/** The owner waits for readers to leave: a reader that leaves wakes it. */
export const LOCK_DRAINING = 8;
/** All bits that are not the owner's. */
export const LOCK_FLAGS = 31;
/** Shift of the owner's slot + 1. */
export const LOCK_SLOT_SHIFT = 5;
/** Bits of slot + 1. */
export const LOCK_SLOT_BITS = 11;
/** Shift of the owner's generation. */
export const LOCK_GENERATION_SHIFT = 16;
/** Mask of the owner in a state word. */
export const LOCK_OWNER: number = ~LOCK_FLAGS;

/** The lock word as a structure of the format. */
export const LOCK: Structure = {
  name: "lock",
  bytes: LOCK_WORDS * 4,
  doc: "A mutex or read-write lock: two words, never shared with another lock's 64-byte line.",
  rows: [
    row(
      LOCK_STATE,
      "state",
      "u32",
      "atomic",
      "bit 0 PARKED, bit 1 READERS, bit 2 RESERVED, bit 3 DRAINING, bits 5-15 owner's slot + 1, bits 16-31 owner's generation",
    ),
    row(
      LOCK_RESERVATION,
      "reservation",
      "u32",
      "atomic",
      "bits 0-10 slot + 1 of the waiter, bits 11-31 deadline in ms modulo 2^21; means nothing unless RESERVED",
    ),
  ],
};
