/**
 * Seeded randomness, so that every side of a row and every run sees the same positions, names and sizes. Imports
 * nothing of ours.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** A source of numbers in [0, 1). */
export type Random = () => number;

/**
 * A small seeded generator (mulberry32 by Tommy Ettinger).
 *
 * @param seed Any integer.
 * @returns A function that yields the next number in [0, 1).
 */
export function random(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Different whole numbers below a bound.
 *
 * @param count How many; at most `bound`.
 * @param bound Exclusive upper bound.
 * @param next Source of randomness.
 * @returns `count` different numbers in random order.
 */
export function distinct(count: number, bound: number, next: Random): Uint32Array {
  const seen = new Set<number>();
  while (seen.size < count) seen.add(Math.floor(next() * bound));
  return Uint32Array.from(seen);
}

/** A trace of replacements in a set of live blocks. */
export interface Trace {
  /** Sizes to fill the set with. */
  readonly initial: Int32Array;
  /** Which block to replace, per step. */
  readonly slots: Int32Array;
  /** Bytes of its successor, per step. */
  readonly sizes: Int32Array;
}

/**
 * A trace of random replacements: sizes log-uniform between 16 B and 64 KiB, blocks chosen uniformly.
 *
 * @param live Blocks alive at any time.
 * @param steps Replacements in the trace; it may be run in a circle.
 * @param seed Any integer.
 * @returns The trace.
 */
export function replacementTrace(live: number, steps: number, seed: number): Trace {
  const next = random(seed);
  const size = () => Math.floor(16 * Math.pow(4096, next()));
  const initial = Int32Array.from({ length: live }, size);
  const slots = new Int32Array(steps);
  const sizes = new Int32Array(steps);
  for (let step = 0; step < steps; step++) {
    slots[step] = Math.floor(next() * live);
    sizes[step] = size();
  }
  return { initial, slots, sizes };
}

/**
 * Path strings in one piece: a concatenated or cut string is a reference to others until somebody flattens it, and the
 * first side to read it would pay for that.
 *
 * @param count How many.
 * @param name Makes the path of an index.
 * @returns The flat paths.
 */
export function flatPaths(count: number, name: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => Buffer.from(name(index)).toString());
}
