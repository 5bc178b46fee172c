/**
 * Lengthening a block downwards: joining it with the free block before it, then moving its contents there.
 *
 * The chain is changed first, under the arena's lock; the contents are moved afterwards without it, since the joined
 * block belongs to the agent alone. While they move, the agent's intent record says what is where: no copy is longer
 * than the distance, so that the source of one that was cut off is whole and can be copied again.
 *
 * @module
 */
import { SLOT_INTENT } from "../layout/agent_table.ts";
import {
  ARENA_END,
  ARENA_TOP,
  BLOCK_FREE,
  BLOCK_PREVIOUS_FREE,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  FREE_SIZE_BEFORE,
  INTENT_MOVE,
  INTENT_MOVE_DONE,
  INTENT_MOVE_FROM,
  INTENT_MOVE_TO,
  INTENT_MOVE_UNITS,
} from "../layout/heap.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Agent } from "../sync/agent.ts";
import { joinBackward, lengthen, reachOf } from "./arena.ts";
import { type BlockWord, payloadOf, refOfBlock } from "./block.ts";
import { growTo } from "./main_arena.ts";

/** The longest copy. */
const COPY_BYTES = 2 ** 20;
/** Bytes of a unit of the intent record. */
const UNIT_BYTES = 8;

/**
 * Joins a used block with the free block before it and whatever is free behind it, in arena 0 with the tail too, if that
 * makes it long enough. The arena is locked.
 *
 * @returns the joined block, whose tag is still to be written and whose contents are still where they were; or 0.
 */
export function joinDown(
  agent: Agent,
  headerWord: number,
  index: number,
  arena: number,
  block: BlockWord,
  granules: number,
  alignGranules: number,
  minimumDistanceGranules: number,
): BlockWord {
  let { i32 } = agent.memory;
  const header = i32[block + BLOCK_SIZE];
  if ((header & BLOCK_PREVIOUS_FREE) === 0) return 0;
  const before = i32[block + FREE_SIZE_BEFORE];
  if (before < minimumDistanceGranules) return 0;
  const need = granules - before;
  const size = header >>> BLOCK_SIZE_SHIFT;
  const next = block + size * GRANULE_WORDS;
  const nextHeader = i32[next + BLOCK_SIZE];
  const reach = size + ((nextHeader & BLOCK_FREE) !== 0 ? nextHeader >>> BLOCK_SIZE_SHIFT : 0);
  if (reach < need) {
    const top = index === 0 ? i32[arena + ARENA_TOP] : -1;
    if (refOfBlock(block) + reach !== top || !growTo(agent, headerWord, refOfBlock(block) + need)) return 0;
    i32 = agent.memory.i32;
    if (reachOf(i32, block, top, i32[arena + ARENA_END]) < need) return 0;
    lengthen(i32, arena, block, need, top);
  }
  return joinBackward(i32, arena, block, granules, alignGranules);
}

/** Moves the payload of a block that has been joined to the start of the joined block. No lock is needed. */
export function moveDown(agent: Agent, from: BlockWord, to: BlockWord, bytes: number): void {
  const { wasm } = agent;
  const { i32 } = agent.memory;
  const intent = agent.slotWord + SLOT_INTENT;
  const source = payloadOf(from);
  const target = payloadOf(to);
  const step = Math.min(source - target, COPY_BYTES);
  i32[intent + INTENT_MOVE_FROM] = refOfBlock(from);
  i32[intent + INTENT_MOVE_TO] = refOfBlock(to);
  i32[intent + INTENT_MOVE_UNITS] = bytes / UNIT_BYTES;
  i32[intent + INTENT_MOVE_DONE] = 0;
  i32[intent] = INTENT_MOVE;
  for (let done = 0; done < bytes;) {
    const run = Math.min(step, bytes - done);
    wasm.copy(target + done, source + done, run);
    done += run;
    i32[intent + INTENT_MOVE_DONE] = done / UNIT_BYTES;
  }
  i32[intent] = 0;
}
