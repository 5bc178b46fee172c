/**
 * Several guards at once, for what changes two directories or removes one.
 *
 * @module
 */
import { STRIPE_LOCK } from "../layout/directory.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive } from "../sync/raw_lock.ts";
import { allGuards, ESTALE, guardOf, isDirectory, isGeneration, unlockGuard } from "./directory.ts";

/** One guard that is wanted, or (without a hash) all guards of a directory. */
export interface WantedGuard {
  /** The directory. */
  readonly directoryWord: number;
  /** Its generation. */
  readonly generation: number;
  /** The hash to be guarded; undefined for all. */
  readonly hash: number | undefined;
}

/** Several guards, taken in ascending order, each asked at once whether it still is what was wanted. */
export class GuardSet {
  readonly #store: Store;
  #held: number[] = [];

  /** Makes an empty set. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** Takes all or none. Returns 0, `-ESTALE` or a negative errno. */
  lock(wanted: readonly WantedGuard[]): number {
    const words = new Set<number>();
    for (const one of wanted) {
      for (const word of this.#wordsOf(one)) words.add(word);
      if (!isGeneration(this.#store, one.directoryWord, one.generation)) return -ESTALE;
    }
    for (const word of [...words].sort((left, right) => left - right)) {
      const locked = lockExclusive(this.#store.agent, word + STRIPE_LOCK);
      if (locked !== 0) {
        this.unlock();
        return locked;
      }
      this.#held.push(word);
      for (const one of wanted) {
        if (!isDirectory(this.#store.memory.i32, one.directoryWord, one.generation)) {
          this.unlock();
          return -ESTALE;
        }
      }
    }
    for (const one of wanted) {
      if (!this.#wordsOf(one).every((word) => words.has(word))) {
        this.unlock();
        return -ESTALE;
      }
    }
    return 0;
  }

  #wordsOf(one: WantedGuard): number[] {
    const { i32 } = this.#store.memory;
    if (one.hash === undefined) return allGuards(i32, one.directoryWord);
    return [guardOf(i32, one.directoryWord, one.hash)];
  }

  /** Releases all, the last first. */
  unlock(): void {
    for (let word = this.#held.pop(); word !== undefined; word = this.#held.pop()) unlockGuard(this.#store, word);
  }
}
