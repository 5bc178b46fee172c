/**
 * One arena: taking and giving back blocks, with the arena's lock held by the caller. No function here locks, grows the
 * memory, or throws.
 *
 * Accounting, per arena, in granules:
 *
 *     granules     = sum of all blocks of its chains = used + free
 *     liveGranules = sum of used blocks,  liveBlocks = their number
 *     arena 0:  granules = top - first        (one chain, from `first` to the sentinel at `top`)
 *     others:   granules = sum of SEGMENT_GRANULES over its segments (a chain each)
 *
 * Two free blocks are never neighbours. A free block is in exactly one list, that of `classOf(size)`; a bit of `columns`
 * is set if and only if its list is not empty, a bit of `rows` if and only if its word of `columns` is not 0.
 *
 * Order of stores. The chain of sizes can be walked at every instruction, should the agent die there: what a cut makes
 * is written inside the block that is cut, before the one store that shortens it; joining blocks is one store that
 * lengthens the first; the untouched tail is entered by writing the new sentinel, then what lies before it, then the
 * header that replaces the old sentinel. Everything else can be rebuilt from the chain. Plain stores suffice: whoever
 * reads them has the lock, whose release and acquisition order them.
 *
 * @module
 */
import {
  ARENA_COLUMNS,
  ARENA_END,
  ARENA_GRANULES,
  ARENA_HEADS,
  ARENA_LIVE_BLOCKS,
  ARENA_LIVE_GRANULES,
  ARENA_ROWS,
  ARENA_TOP,
  BLOCK_FREE,
  BLOCK_MINIMUM_GRANULES,
  BLOCK_PREVIOUS_FREE,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  BLOCK_TAG,
  CLASS_COLUMN_SHIFT,
  CLASS_COLUMNS,
  CLASS_EXACT_GRANULES,
  FREE_NEXT,
  FREE_PREVIOUS,
  FREE_SIZE_BEFORE,
} from "../layout/heap.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { blockOfRef, type BlockWord, refOfBlock } from "./block.ts";
import { classAtLeast, classOf } from "./size_class.ts";

/** How many blocks of its own class a request looks at before it takes one from a higher class. */
const FIT_TRIES = 3;

/** Puts a free block whose header is written at the front of its list. */
export function insertFree(i32: Int32Array, arena: number, block: BlockWord, granules: number): void {
  const index = classOf(granules);
  const headWord = arena + ARENA_HEADS + index;
  const head = i32[headWord];
  const ref = refOfBlock(block);
  i32[block + FREE_NEXT] = head;
  i32[block + FREE_PREVIOUS] = 0;
  if (head !== 0) {
    i32[blockOfRef(head) + FREE_PREVIOUS] = ref;
  } else {
    const row = index >>> CLASS_COLUMN_SHIFT;
    i32[arena + ARENA_COLUMNS + row] |= 1 << (index & (CLASS_COLUMNS - 1));
    i32[arena + ARENA_ROWS] |= 1 << row;
  }
  i32[headWord] = ref;
}

/** Takes a free block out of its list. */
export function removeFree(i32: Int32Array, arena: number, block: BlockWord, granules: number): void {
  const next = i32[block + FREE_NEXT];
  const previous = i32[block + FREE_PREVIOUS];
  if (next !== 0) i32[blockOfRef(next) + FREE_PREVIOUS] = previous;
  if (previous !== 0) {
    i32[blockOfRef(previous) + FREE_NEXT] = next;
    return;
  }
  const index = classOf(granules);
  i32[arena + ARENA_HEADS + index] = next;
  if (next === 0) {
    const row = index >>> CLASS_COLUMN_SHIFT;
    const columns = i32[arena + ARENA_COLUMNS + row] & ~(1 << (index & (CLASS_COLUMNS - 1)));
    i32[arena + ARENA_COLUMNS + row] = columns;
    if (columns === 0) i32[arena + ARENA_ROWS] &= ~(1 << row);
  }
}

/**
 * A free block of at least so many granules, or 0: one of the first few of its own class, else the first of a higher one.
 * Constant time. The few cost nothing that can be measured, and a hundredth of footprint is saved by them.
 */
export function findFree(i32: Int32Array, arena: number, granules: number): BlockWord {
  if (granules >= CLASS_EXACT_GRANULES) {
    let ref = i32[arena + ARENA_HEADS + classOf(granules)];
    for (let tries = FIT_TRIES; ref !== 0 && tries !== 0; tries--) {
      const block = blockOfRef(ref);
      if (i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT >= granules) return block;
      ref = i32[block + FREE_NEXT];
    }
  }
  return firstFrom(i32, arena, classAtLeast(granules));
}

/** The first block of the first list that is not empty, from this class on; 0 if there is none. */
function firstFrom(i32: Int32Array, arena: number, index: number): BlockWord {
  let row = index >>> CLASS_COLUMN_SHIFT;
  let columns = i32[arena + ARENA_COLUMNS + row] & (-1 << (index & (CLASS_COLUMNS - 1)));
  if (columns === 0) {
    const rows = i32[arena + ARENA_ROWS] & (-2 << row);
    if (rows === 0) return 0;
    row = 31 - Math.clz32(rows & -rows);
    columns = i32[arena + ARENA_COLUMNS + row];
  }
  const column = 31 - Math.clz32(columns & -columns);
  return blockOfRef(i32[arena + ARENA_HEADS + (row << CLASS_COLUMN_SHIFT) + column]);
}

/** Granules before the first place in a block where a payload is aligned; never one, which could not be a block. */
export function padOf(block: BlockWord, alignGranules: number): number {
  if (alignGranules === 1) return 0;
  // The payload begins in the granule behind the header's.
  const pad = -(refOfBlock(block) + 1) & (alignGranules - 1);
  return pad === 0 || pad >= BLOCK_MINIMUM_GRANULES ? pad : pad + alignGranules;
}

/** As {@linkcode findFree}, for a payload aligned to 1, 2, 4 … 256 granules. */
export function findFreeAligned(i32: Int32Array, arena: number, granules: number, alignGranules: number): BlockWord {
  if (alignGranules === 1) return findFree(i32, arena, granules);
  let ref = i32[arena + ARENA_HEADS + classOf(granules)];
  for (let tries = FIT_TRIES; ref !== 0 && tries !== 0; tries--) {
    const block = blockOfRef(ref);
    if ((i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT) - padOf(block, alignGranules) >= granules) return block;
    ref = i32[block + FREE_NEXT];
  }
  const block = firstFrom(i32, arena, classAtLeast(granules));
  if (block === 0) return 0;
  if ((i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT) - padOf(block, alignGranules) >= granules) return block;
  // The largest pad is one granule more than the alignment.
  return firstFrom(i32, arena, classAtLeast(granules + alignGranules + 1));
}

/**
 * Uses `granules` of a free block, `pad` granules behind its start; what is left before and behind stays free.
 *
 * @returns the used block; its tag is still to be written.
 */
export function takeFree(
  i32: Int32Array,
  arena: number,
  free: BlockWord,
  pad: number,
  granules: number,
): BlockWord {
  const size = i32[free + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT;
  removeFree(i32, arena, free, size);
  const block = free + pad * GRANULE_WORDS;
  const rest = size - pad - granules;
  const behind = block + granules * GRANULE_WORDS;
  if (rest >= BLOCK_MINIMUM_GRANULES) {
    i32[behind + BLOCK_SIZE] = (rest << BLOCK_SIZE_SHIFT) | BLOCK_FREE;
    i32[behind + BLOCK_TAG] = 0;
    i32[behind + rest * GRANULE_WORDS + FREE_SIZE_BEFORE] = rest;
    insertFree(i32, arena, behind, rest);
  } else {
    granules += rest;
    i32[behind + rest * GRANULE_WORDS + BLOCK_SIZE] &= ~BLOCK_PREVIOUS_FREE;
  }
  if (pad === 0) {
    i32[block + BLOCK_SIZE] = granules << BLOCK_SIZE_SHIFT;
  } else {
    i32[block + FREE_SIZE_BEFORE] = pad;
    i32[block + BLOCK_SIZE] = (granules << BLOCK_SIZE_SHIFT) | BLOCK_PREVIOUS_FREE;
    i32[free + BLOCK_SIZE] = (pad << BLOCK_SIZE_SHIFT) | BLOCK_FREE;
    insertFree(i32, arena, free, pad);
  }
  i32[arena + ARENA_LIVE_GRANULES] += granules;
  i32[arena + ARENA_LIVE_BLOCKS] += 1;
  return block;
}

/**
 * Frees a used block and joins it with free neighbours.
 *
 * @returns the free block.
 */
export function giveBack(i32: Int32Array, arena: number, block: BlockWord): BlockWord {
  const header = i32[block + BLOCK_SIZE];
  let granules = header >>> BLOCK_SIZE_SHIFT;
  i32[arena + ARENA_LIVE_GRANULES] -= granules;
  i32[arena + ARENA_LIVE_BLOCKS] -= 1;
  i32[block + BLOCK_TAG] = 0;
  const next = block + granules * GRANULE_WORDS;
  const nextHeader = i32[next + BLOCK_SIZE];
  if ((nextHeader & BLOCK_FREE) !== 0) {
    const nextGranules = nextHeader >>> BLOCK_SIZE_SHIFT;
    removeFree(i32, arena, next, nextGranules);
    granules += nextGranules;
  } else {
    i32[next + BLOCK_SIZE] = nextHeader | BLOCK_PREVIOUS_FREE;
  }
  if ((header & BLOCK_PREVIOUS_FREE) !== 0) {
    const previousGranules = i32[block + FREE_SIZE_BEFORE];
    block -= previousGranules * GRANULE_WORDS;
    removeFree(i32, arena, block, previousGranules);
    granules += previousGranules;
  }
  i32[block + granules * GRANULE_WORDS + FREE_SIZE_BEFORE] = granules;
  i32[block + BLOCK_SIZE] = (granules << BLOCK_SIZE_SHIFT) | BLOCK_FREE;
  insertFree(i32, arena, block, granules);
  return block;
}

/** Block ref that the sentinel would have to reach for a block from the untouched tail of arena 0. */
export function tailNeed(i32: Int32Array, arena: number, granules: number, alignGranules: number): number {
  const last = lastFree(i32, arena);
  return refOfBlock(last) + padOf(last, alignGranules) + granules;
}

/** The free block that ends at the sentinel of arena 0, or the sentinel. */
function lastFree(i32: Int32Array, arena: number): BlockWord {
  const top = blockOfRef(i32[arena + ARENA_TOP]);
  if ((i32[top + BLOCK_SIZE] & BLOCK_PREVIOUS_FREE) === 0) return top;
  return top - i32[top + FREE_SIZE_BEFORE] * GRANULE_WORDS;
}

/**
 * Uses the last free block, if there is one, and as much of the untouched tail of arena 0 as is needed.
 *
 * @returns the used block, whose tag is still to be written; or 0 if the end is too near.
 */
export function takeTail(i32: Int32Array, arena: number, granules: number, alignGranules: number): BlockWord {
  const top = i32[arena + ARENA_TOP];
  const topBlock = blockOfRef(top);
  const free = lastFree(i32, arena);
  const pad = padOf(free, alignGranules);
  const newTop = refOfBlock(free) + pad + granules;
  if (newTop <= top && free !== topBlock) return takeFree(i32, arena, free, pad, granules);
  if (newTop > i32[arena + ARENA_END]) return 0;
  if (free !== topBlock) removeFree(i32, arena, free, top - refOfBlock(free));
  const sentinel = blockOfRef(newTop);
  i32[sentinel + BLOCK_SIZE] = 0;
  i32[sentinel + BLOCK_TAG] = 0;
  const block = free + pad * GRANULE_WORDS;
  if (pad === 0) {
    i32[block + BLOCK_SIZE] = granules << BLOCK_SIZE_SHIFT;
  } else {
    i32[block + FREE_SIZE_BEFORE] = pad;
    i32[block + BLOCK_SIZE] = (granules << BLOCK_SIZE_SHIFT) | BLOCK_PREVIOUS_FREE;
    i32[free + BLOCK_SIZE] = (pad << BLOCK_SIZE_SHIFT) | BLOCK_FREE;
    i32[free + BLOCK_TAG] = 0;
    insertFree(i32, arena, free, pad);
  }
  i32[arena + ARENA_TOP] = newTop;
  i32[arena + ARENA_GRANULES] += newTop - top;
  i32[arena + ARENA_LIVE_GRANULES] += granules;
  i32[arena + ARENA_LIVE_BLOCKS] += 1;
  return block;
}

/** Granules that a used block could have if it took the free block behind it; in arena 0 up to `end` at the tail. */
export function reachOf(i32: Int32Array, block: BlockWord, top: number, end: number): number {
  const granules = i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT;
  const next = block + granules * GRANULE_WORDS;
  const nextHeader = i32[next + BLOCK_SIZE];
  const reach = granules + ((nextHeader & BLOCK_FREE) !== 0 ? nextHeader >>> BLOCK_SIZE_SHIFT : 0);
  return refOfBlock(block) + reach === top ? Math.max(reach, end - refOfBlock(block)) : reach;
}

/**
 * Lengthens a used block to `granules`, into the free block behind it and, at the end of arena 0, into the tail. The
 * caller has seen by {@linkcode reachOf} that there is room.
 *
 * @returns its granules, one more than asked for where a block of one would be left.
 */
export function lengthen(i32: Int32Array, arena: number, block: BlockWord, granules: number, top: number): number {
  const header = i32[block + BLOCK_SIZE];
  const old = header >>> BLOCK_SIZE_SHIFT;
  const next = block + old * GRANULE_WORDS;
  const nextHeader = i32[next + BLOCK_SIZE];
  let reach = old;
  if ((nextHeader & BLOCK_FREE) !== 0) {
    const nextGranules = nextHeader >>> BLOCK_SIZE_SHIFT;
    removeFree(i32, arena, next, nextGranules);
    reach += nextGranules;
  }
  const rest = reach - granules;
  const behind = block + granules * GRANULE_WORDS;
  if (rest >= BLOCK_MINIMUM_GRANULES) {
    i32[behind + BLOCK_SIZE] = (rest << BLOCK_SIZE_SHIFT) | BLOCK_FREE;
    i32[behind + BLOCK_TAG] = 0;
    i32[behind + rest * GRANULE_WORDS + FREE_SIZE_BEFORE] = rest;
    insertFree(i32, arena, behind, rest);
  } else if (rest >= 0) {
    granules += rest;
    i32[block + granules * GRANULE_WORDS + BLOCK_SIZE] &= ~BLOCK_PREVIOUS_FREE;
  } else {
    const newTop = refOfBlock(behind);
    i32[behind + BLOCK_SIZE] = 0;
    i32[behind + BLOCK_TAG] = 0;
    i32[arena + ARENA_TOP] = newTop;
    i32[arena + ARENA_GRANULES] += newTop - top;
  }
  i32[block + BLOCK_SIZE] = (granules << BLOCK_SIZE_SHIFT) | (header & BLOCK_PREVIOUS_FREE);
  i32[arena + ARENA_LIVE_GRANULES] += granules - old;
  return granules;
}

/**
 * Shortens a used block to `granules` and frees what is behind.
 *
 * @returns its granules, more than asked for where too little would be freed to be a block.
 */
export function shorten(i32: Int32Array, arena: number, block: BlockWord, granules: number): number {
  const header = i32[block + BLOCK_SIZE];
  const old = header >>> BLOCK_SIZE_SHIFT;
  const next = block + old * GRANULE_WORDS;
  const nextHeader = i32[next + BLOCK_SIZE];
  const nextFree = (nextHeader & BLOCK_FREE) !== 0;
  let rest = old - granules;
  if (rest <= 0 || (rest < BLOCK_MINIMUM_GRANULES && !nextFree)) return old;
  const behind = block + granules * GRANULE_WORDS;
  if (nextFree) {
    const nextGranules = nextHeader >>> BLOCK_SIZE_SHIFT;
    removeFree(i32, arena, next, nextGranules);
    rest += nextGranules;
  } else {
    i32[next + BLOCK_SIZE] = nextHeader | BLOCK_PREVIOUS_FREE;
  }
  i32[behind + rest * GRANULE_WORDS + FREE_SIZE_BEFORE] = rest;
  i32[behind + BLOCK_SIZE] = (rest << BLOCK_SIZE_SHIFT) | BLOCK_FREE;
  i32[behind + BLOCK_TAG] = 0;
  i32[block + BLOCK_SIZE] = (granules << BLOCK_SIZE_SHIFT) | (header & BLOCK_PREVIOUS_FREE);
  insertFree(i32, arena, behind, rest);
  i32[arena + ARENA_LIVE_GRANULES] -= old - granules;
  return granules;
}

/**
 * Joins a used block with the free block before it and the one behind it, as one used block that begins where the former
 * did. Nothing is copied; the caller sees to that.
 *
 * @returns the joined block, whose tag is still to be written; 0 if the block before is not free, would not begin
 * aligned, or is not enough.
 */
export function joinBackward(
  i32: Int32Array,
  arena: number,
  block: BlockWord,
  granules: number,
  alignGranules: number,
): BlockWord {
  const header = i32[block + BLOCK_SIZE];
  if ((header & BLOCK_PREVIOUS_FREE) === 0) return 0;
  const old = header >>> BLOCK_SIZE_SHIFT;
  const before = i32[block + FREE_SIZE_BEFORE];
  const previous = block - before * GRANULE_WORDS;
  const next = block + old * GRANULE_WORDS;
  const nextHeader = i32[next + BLOCK_SIZE];
  const behind = (nextHeader & BLOCK_FREE) !== 0 ? nextHeader >>> BLOCK_SIZE_SHIFT : 0;
  const joined = before + old + behind;
  if (joined < granules || padOf(previous, alignGranules) !== 0) return 0;
  removeFree(i32, arena, previous, before);
  if (behind !== 0) removeFree(i32, arena, next, behind);
  i32[previous + BLOCK_SIZE] = joined << BLOCK_SIZE_SHIFT;
  i32[previous + joined * GRANULE_WORDS + BLOCK_SIZE] &= ~BLOCK_PREVIOUS_FREE;
  i32[block + BLOCK_TAG] = 0;
  i32[arena + ARENA_LIVE_GRANULES] += joined - old;
  return previous;
}
