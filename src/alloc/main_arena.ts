/**
 * Arena 0 beyond its lists: the untouched tail, and the growth of the memory. The caller holds arena 0's lock.
 *
 * @module
 */
import {
  ARENA_END,
  BLOCK_LIMIT_GRANULES,
  GROWTH_SHARE,
  HEAP_ARENA_0,
  HEAP_FLAGS,
  HEAP_GROWABLE,
  HEAP_LIMIT,
} from "../layout/heap.ts";
import { GRANULE_BYTES, PAGE_BYTES } from "../layout/units.ts";
import type { Agent } from "../sync/agent.ts";
import { findFreeAligned, padOf, tailNeed, takeFree, takeTail } from "./arena.ts";
import type { BlockRef, BlockWord } from "./block.ts";

/** Granules at the end of a region that no payload reaches: the sentinel's and one more. */
const END_GRANULES = 2;

/** The block ref that a sentinel may reach in a region that ends at this address. */
export function endRef(endBytes: number): BlockRef {
  return Math.min(Math.floor(endBytes / GRANULE_BYTES), BLOCK_LIMIT_GRANULES) - END_GRANULES;
}

/**
 * A block of arena 0: from its lists, else from the tail, else by growth.
 *
 * @returns the used block, whose tag is still to be written; 0 if there is none.
 */
export function takeMain(agent: Agent, headerWord: number, granules: number, alignGranules: number): BlockWord {
  if (granules >= BLOCK_LIMIT_GRANULES) return 0;
  const { memory } = agent;
  const { i32 } = memory;
  const main = headerWord + HEAP_ARENA_0;
  const free = findFreeAligned(i32, main, granules, alignGranules);
  if (free !== 0) return takeFree(i32, main, free, padOf(free, alignGranules), granules);
  const block = takeTail(i32, main, granules, alignGranules);
  if (block !== 0) return block;
  if (!growTo(agent, headerWord, tailNeed(i32, main, granules, alignGranules))) return 0;
  return takeTail(memory.i32, main, granules, alignGranules);
}

/**
 * Grows the memory, where it must, so that the sentinel may reach a block ref: by an eighth of its size, or by what is
 * needed if that is more, or if the engine refuses the eighth. The views of this agent are made anew.
 *
 * @returns whether the sentinel may reach it.
 */
export function growTo(agent: Agent, headerWord: number, ref: BlockRef): boolean {
  const { memory } = agent;
  const main = headerWord + HEAP_ARENA_0;
  if (ref <= memory.i32[main + ARENA_END]) return true;
  const limit = memory.i32[headerWord + HEAP_LIMIT];
  if (ref > limit || (memory.i32[headerWord + HEAP_FLAGS] & HEAP_GROWABLE) === 0) return false;
  // Whoever else has grown the memory (the program may) has saved us the trouble.
  memory.refresh();
  const limitPages = Math.floor(((limit + END_GRANULES) * GRANULE_BYTES) / PAGE_BYTES);
  const need = Math.ceil(((ref + END_GRANULES) * GRANULE_BYTES) / PAGE_BYTES) - memory.pages;
  if (need > 0) {
    const step = Math.min(Math.max(need, Math.ceil(memory.pages / GROWTH_SHARE)), limitPages - memory.pages);
    if (!memory.grow(step) && (step === need || !memory.grow(need))) return false;
  }
  // Pairs with the load of this word after each acquisition of a lock: stored before any ref into the new part is.
  agent.wasm.store(agent.pagesWord, memory.pages);
  memory.i32[main + ARENA_END] = Math.min(limit, endRef(memory.bytes));
  return true;
}
