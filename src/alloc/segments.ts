/**
 * Segments: blocks of arena 0 that another arena cuts up. The caller holds that arena's lock.
 *
 * A segment stands in its arena's list once it is whole, and is out of it before its block is free again, so that the
 * lists of all arenas and the chain of arena 0 agree at every instruction, but for a block that is on its way.
 *
 * @module
 */
import {
  ARENA_GRANULES,
  ARENA_LOCK,
  ARENA_SEGMENT_COUNT,
  ARENA_SEGMENTS,
  ARENA_SPARE,
  BLOCK_FREE,
  BLOCK_HEADER_WORDS,
  BLOCK_PREVIOUS_FREE,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  BLOCK_TAG,
  FREE_SIZE_BEFORE,
  SEGMENT_ARENA,
  SEGMENT_FIRST_BLOCK,
  SEGMENT_GRANULES,
  SEGMENT_NEXT,
  SEGMENT_OVERHEAD_GRANULES,
  SEGMENT_PREVIOUS,
} from "../layout/heap.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Agent } from "../sync/agent.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import { giveBack, insertFree, removeFree } from "./arena.ts";
import { type BlockWord, refOfBlock } from "./block.ts";

/** Makes a used block of arena 0 a segment of an arena: one free block. */
export function addSegment(i32: Int32Array, arena: number, index: number, block: BlockWord): void {
  const granules = (i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT) - SEGMENT_OVERHEAD_GRANULES;
  const segment = block + BLOCK_HEADER_WORDS;
  const first = segment + SEGMENT_FIRST_BLOCK;
  const sentinel = first + granules * GRANULE_WORDS;
  const next = i32[arena + ARENA_SEGMENTS];
  const ref = segment / GRANULE_WORDS;
  i32[segment + SEGMENT_NEXT] = next;
  i32[segment + SEGMENT_PREVIOUS] = 0;
  i32[segment + SEGMENT_ARENA] = index;
  i32[segment + SEGMENT_GRANULES] = granules;
  i32[sentinel + BLOCK_SIZE] = BLOCK_PREVIOUS_FREE;
  i32[sentinel + BLOCK_TAG] = refOfBlock(first);
  i32[sentinel + FREE_SIZE_BEFORE] = granules;
  i32[first + BLOCK_SIZE] = (granules << BLOCK_SIZE_SHIFT) | BLOCK_FREE;
  i32[first + BLOCK_TAG] = 0;
  if (next !== 0) i32[next * GRANULE_WORDS + SEGMENT_PREVIOUS] = ref;
  i32[arena + ARENA_SEGMENTS] = ref;
  i32[arena + ARENA_SEGMENT_COUNT] += 1;
  i32[arena + ARENA_GRANULES] += granules;
  insertFree(i32, arena, first, granules);
}

/** After a block has become free: gives its segment back if that is all free, but keeps one such. */
export function trimSegment(agent: Agent, main: number, arena: number, free: BlockWord): void {
  const { i32 } = agent.memory;
  const end = free + (i32[free + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT) * GRANULE_WORDS;
  const ref = refOfBlock(free);
  // A sentinel names the first block of its segment.
  if (i32[end + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT !== 0 || i32[end + BLOCK_TAG] !== ref) return;
  // One is kept, so that an arena at the edge does not get and give one all the time.
  if (i32[arena + ARENA_SPARE] === 0) i32[arena + ARENA_SPARE] = ref;
  else releaseSegment(agent, main, arena, free - SEGMENT_FIRST_BLOCK);
}

/** Gives back every segment of an arena that is one free block. */
export function releaseFreeSegments(agent: Agent, main: number, arena: number): void {
  const { i32 } = agent.memory;
  for (let ref = i32[arena + ARENA_SEGMENTS]; ref !== 0;) {
    const segment = ref * GRANULE_WORDS;
    ref = i32[segment + SEGMENT_NEXT];
    const header = i32[segment + SEGMENT_FIRST_BLOCK + BLOCK_SIZE];
    if ((header & BLOCK_FREE) !== 0 && header >>> BLOCK_SIZE_SHIFT === i32[segment + SEGMENT_GRANULES]) {
      if (!releaseSegment(agent, main, arena, segment)) return;
    }
  }
}

/** Gives a segment, all of which is one free block, back to arena 0. False if that cannot be locked. */
function releaseSegment(agent: Agent, main: number, arena: number, segment: number): boolean {
  if (lockExclusive(agent, main + ARENA_LOCK) !== 0) return false;
  const { i32 } = agent.memory;
  const granules = i32[segment + SEGMENT_GRANULES];
  const next = i32[segment + SEGMENT_NEXT];
  const previous = i32[segment + SEGMENT_PREVIOUS];
  const first = segment + SEGMENT_FIRST_BLOCK;
  removeFree(i32, arena, first, granules);
  if (i32[arena + ARENA_SPARE] === refOfBlock(first)) i32[arena + ARENA_SPARE] = 0;
  i32[arena + ARENA_GRANULES] -= granules;
  i32[arena + ARENA_SEGMENT_COUNT] -= 1;
  if (next !== 0) i32[next * GRANULE_WORDS + SEGMENT_PREVIOUS] = previous;
  if (previous !== 0) i32[previous * GRANULE_WORDS + SEGMENT_NEXT] = next;
  else i32[arena + ARENA_SEGMENTS] = next;
  giveBack(i32, main, segment - BLOCK_HEADER_WORDS);
  unlockExclusive(agent, main + ARENA_LOCK);
  return true;
}
