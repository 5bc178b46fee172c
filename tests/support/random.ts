/**
 * Random numbers for tests that can be run again. Imports nothing, and needs no host's API.
 *
 * @module
 */

/** Random numbers that a seed determines (mulberry32). */
export class Random {
  #state: number;

  /** Begins a sequence. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An integer from 0 to below a bound. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * bound);
  }

  /** True once in so many times. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  /** One of a list. */
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
