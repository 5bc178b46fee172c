/**
 * All arenas of a heap at once, for who looks at the whole of it.
 *
 * Lock rank: allocator; the further arenas in ascending order, then arena 0.
 *
 * @module
 */
import { ARENA_LOCK, HEAP_ARENA_COUNT, HEAP_ARENAS } from "../layout/heap.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Agent } from "../sync/agent.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";

/** Takes the locks of all arenas. Returns their words, arena 0 first, or a negative errno and then none is held. */
export function lockArenas(agent: Agent, headerWord: number): number[] | number {
  for (;;) {
    const count = agent.wasm.load(headerWord + HEAP_ARENA_COUNT);
    const arenas: number[] = [];
    for (let index = 0; index < count; index++) {
      arenas.push(agent.memory.i32[headerWord + HEAP_ARENAS + index] * GRANULE_WORDS);
    }
    for (let index = 1; index <= count; index++) {
      const status = lockExclusive(agent, arenas[index % count] + ARENA_LOCK);
      if (status !== 0) {
        for (let held = index - 1; held >= 1; held--) unlockExclusive(agent, arenas[held] + ARENA_LOCK);
        return status;
      }
    }
    // Arenas are added under arena 0's lock: from here on the count stays.
    if (agent.wasm.load(headerWord + HEAP_ARENA_COUNT) === count) return arenas;
    unlockArenas(agent, arenas);
  }
}

/** Releases what {@linkcode lockArenas} took. */
export function unlockArenas(agent: Agent, arenas: readonly number[]): void {
  unlockExclusive(agent, arenas[0] + ARENA_LOCK);
  for (let index = arenas.length - 1; index >= 1; index--) unlockExclusive(agent, arenas[index] + ARENA_LOCK);
}
