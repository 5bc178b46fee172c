/**
 * What debug level 3 checks after each operation, under the lock that is still held: the block that was touched and its
 * two neighbours.
 *
 * @module
 */
import {
  BLOCK_FREE,
  BLOCK_MINIMUM_GRANULES,
  BLOCK_PREVIOUS_FREE,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  BLOCK_TAG,
  FREE_NEXT,
  FREE_PREVIOUS,
  FREE_SIZE_BEFORE,
  TAG_ARENA,
} from "../layout/heap.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { blockOfRef, type BlockWord, payloadOf, refOfBlock, tagOf } from "./block.ts";

/** What is wrong with a block and its neighbours; empty when nothing is. The lock of their arena is held. */
export function auditBlock(i32: Int32Array, block: BlockWord, seed: number): string {
  const header = i32[block + BLOCK_SIZE];
  const own = auditOne(i32, block, seed);
  if (own !== "") return own;
  const next = block + (header >>> BLOCK_SIZE_SHIFT) * GRANULE_WORDS;
  const nextHeader = i32[next + BLOCK_SIZE];
  const free = (header & BLOCK_FREE) !== 0;
  if (free !== ((nextHeader & BLOCK_PREVIOUS_FREE) !== 0)) {
    return `${at(next)} takes the block before it for ${free ? "used" : "free"}`;
  }
  if (nextHeader >>> BLOCK_SIZE_SHIFT !== 0) {
    if (free && (nextHeader & BLOCK_FREE) !== 0) return `${at(block)} and the block behind it are both free`;
    const fault = auditOne(i32, next, seed);
    if (fault !== "") return fault;
  }
  if ((header & BLOCK_PREVIOUS_FREE) === 0) return "";
  if (free) return `${at(block)} and the block before it are both free`;
  const before = i32[block + FREE_SIZE_BEFORE];
  const previous = block - before * GRANULE_WORDS;
  const previousHeader = i32[previous + BLOCK_SIZE];
  if ((previousHeader & BLOCK_FREE) === 0 || previousHeader >>> BLOCK_SIZE_SHIFT !== before) {
    return `${at(block)} finds no free block of ${before} granules before it`;
  }
  return auditOne(i32, previous, seed);
}

function auditOne(i32: Int32Array, block: BlockWord, seed: number): string {
  const header = i32[block + BLOCK_SIZE];
  const granules = header >>> BLOCK_SIZE_SHIFT;
  const tag = i32[block + BLOCK_TAG];
  const next = block + granules * GRANULE_WORDS;
  if (granules < BLOCK_MINIMUM_GRANULES || next >= i32.length) return `${at(block)} has ${granules} granules`;
  if ((header & BLOCK_FREE) === 0) {
    return tag === tagOf(block, seed, tag & TAG_ARENA) ? "" : `${at(block)} is used, but has the tag ${tag}`;
  }
  if (tag !== 0) return `${at(block)} is free, but has the tag ${tag}`;
  if (i32[next + FREE_SIZE_BEFORE] !== granules) {
    return `${at(block)} has ${granules} granules, at its end ${i32[next + FREE_SIZE_BEFORE]}`;
  }
  const ref = refOfBlock(block);
  const after = i32[block + FREE_NEXT];
  const before = i32[block + FREE_PREVIOUS];
  if (after !== 0 && i32[blockOfRef(after) + FREE_PREVIOUS] !== ref) {
    return `${at(block)} is not the previous of its next in the list`;
  }
  if (before !== 0 && i32[blockOfRef(before) + FREE_NEXT] !== ref) {
    return `${at(block)} is not the next of its previous in the list`;
  }
  return "";
}

function at(block: BlockWord): string {
  return `block at ${payloadOf(block)}`;
}
