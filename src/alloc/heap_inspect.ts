/**
 * What a heap holds: figures and a list of all blocks, from the shared words alone, under the locks of all arenas, so that
 * what is seen is one state.
 *
 * @module
 */
import {
  ARENA_COLUMNS,
  ARENA_GRANULES,
  ARENA_HEADS,
  ARENA_LIVE_BLOCKS,
  ARENA_LIVE_GRANULES,
  ARENA_ROWS,
  ARENA_SEGMENT_COUNT,
  ARENA_SEGMENTS,
  ARENA_TOP,
  BLOCK_FREE,
  BLOCK_HEADER_BYTES,
  BLOCK_HEADER_WORDS,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  BLOCK_TAG,
  CLASS_COLUMN_SHIFT,
  FREE_NEXT,
  HEAP_FIRST,
  HEAP_LIMIT,
  SEGMENT_FIRST_BLOCK,
  SEGMENT_NEXT,
  SEGMENT_OVERHEAD_GRANULES,
  TAG_ARENA,
  TAG_OWN,
} from "../layout/heap.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import type { Agent } from "../sync/agent.ts";
import { lockArenas, unlockArenas } from "./arena_locks.ts";
import { blockOfRef, type BlockWord, payloadOf, usableOf } from "./block.ts";

export { checkHeap } from "./heap_check.ts";

/**
 * Figures of a heap. They add up:
 * `footprintBytes = liveBytes + freeBytes + overheadBytes`, and `footprintBytes + tailBytes` is what the heap may have.
 */
export interface HeapStats {
  /** Payload bytes of all used blocks: what was asked for, rounded up to what a block gives. */
  liveBytes: number;
  /** Number of used blocks. */
  liveBlocks: number;
  /** Bytes of all free blocks. */
  freeBytes: number;
  /** Bytes of the heap's own: its header, its further arenas and segments, and 8 bytes for each used block. */
  overheadBytes: number;
  /** Bytes from the heap's header to its high-water mark; memory beyond has never been touched. */
  footprintBytes: number;
  /** Bytes beyond the high-water mark, up to the heap's limit, whether or not the memory has grown so far. */
  tailBytes: number;
  /** The largest payload that a free block could give, the tail not counted. */
  largestFreeBytes: number;
  /** 0 where all free blocks are one, near 1 where they are many and small: 1 - largest / all. */
  fragmentation: number;
  /** Number of arenas. */
  arenas: number;
}

/** A block as {@linkcode walkHeap} sees it. */
export interface HeapBlock {
  /** Address of its payload. */
  address: number;
  /** Bytes of its payload. */
  bytes: number;
  /** Whether it is free. */
  free: boolean;
  /** The arena that it belongs to. */
  arena: number;
}

/** Figures of a heap, or a negative errno. */
export function heapStats(agent: Agent, headerWord: number): HeapStats | number {
  const arenas = lockArenas(agent, headerWord);
  if (typeof arenas === "number") return arenas;
  const { i32 } = agent.memory;
  let live = 0;
  let blocks = 0;
  let free = 0;
  let largest = 0;
  for (const [index, arena] of arenas.entries()) {
    const granules = i32[arena + ARENA_GRANULES];
    free += granules - i32[arena + ARENA_LIVE_GRANULES];
    live += i32[arena + ARENA_LIVE_GRANULES];
    blocks += i32[arena + ARENA_LIVE_BLOCKS];
    largest = Math.max(largest, largestFree(i32, arena));
    if (index > 0) {
      // The blocks of arena 0 that hold segments and arenas are nobody's.
      const segments = i32[arena + ARENA_SEGMENT_COUNT];
      blocks -= segments + 1;
      live -= granules + segments * SEGMENT_OVERHEAD_GRANULES;
      const own = arena - BLOCK_HEADER_WORDS;
      live -= i32[own + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT;
    }
  }
  const footprintBytes = (i32[arenas[0] + ARENA_TOP] + 1) * GRANULE_BYTES - headerWord * 4;
  const tailBytes = (i32[headerWord + HEAP_LIMIT] - i32[arenas[0] + ARENA_TOP]) * GRANULE_BYTES;
  unlockArenas(agent, arenas);
  const liveBytes = live * GRANULE_BYTES - blocks * BLOCK_HEADER_BYTES;
  const freeBytes = free * GRANULE_BYTES;
  return {
    liveBytes,
    liveBlocks: blocks,
    freeBytes,
    overheadBytes: footprintBytes - liveBytes - freeBytes,
    footprintBytes,
    tailBytes,
    largestFreeBytes: largest === 0 ? 0 : usableOf(largest),
    fragmentation: free === 0 ? 0 : 1 - largest / free,
    arenas: arenas.length,
  };
}

/** Granules of the largest free block of an arena. */
function largestFree(i32: Int32Array, arena: number): number {
  const rows = i32[arena + ARENA_ROWS];
  if (rows === 0) return 0;
  const row = 31 - Math.clz32(rows);
  const column = 31 - Math.clz32(i32[arena + ARENA_COLUMNS + row]);
  let largest = 0;
  for (let ref = i32[arena + ARENA_HEADS + (row << CLASS_COLUMN_SHIFT) + column]; ref !== 0;) {
    const block = blockOfRef(ref);
    largest = Math.max(largest, i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT);
    ref = i32[block + FREE_NEXT];
  }
  return largest;
}

/** All blocks of a heap but its own, by arena and address; or a negative errno. */
export function walkHeap(agent: Agent, headerWord: number): HeapBlock[] | number {
  const arenas = lockArenas(agent, headerWord);
  if (typeof arenas === "number") return arenas;
  const { i32 } = agent.memory;
  const blocks: HeapBlock[] = [];
  const add = (arena: number, from: BlockWord) => {
    let block = from;
    for (;;) {
      const header = i32[block + BLOCK_SIZE];
      const granules = header >>> BLOCK_SIZE_SHIFT;
      if (granules === 0) return;
      const free = (header & BLOCK_FREE) !== 0;
      if (free || (i32[block + BLOCK_TAG] & TAG_ARENA) !== TAG_OWN) {
        blocks.push({ address: payloadOf(block), bytes: usableOf(granules), free, arena });
      }
      block += granules * GRANULE_WORDS;
    }
  };
  add(0, blockOfRef(i32[headerWord + HEAP_FIRST]));
  for (let index = 1; index < arenas.length; index++) {
    for (let ref = i32[arenas[index] + ARENA_SEGMENTS]; ref !== 0;) {
      const segment = ref * GRANULE_WORDS;
      add(index, segment + SEGMENT_FIRST_BLOCK);
      ref = i32[segment + SEGMENT_NEXT];
    }
  }
  unlockArenas(agent, arenas);
  return blocks;
}
