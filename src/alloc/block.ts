/**
 * Blocks: where a header is, where its payload, and the tag that proves that an address is a block's.
 *
 * A block's header and its payload are different addresses of the same block, 8 bytes apart. Code of the allocator deals
 * in headers ({@linkcode BlockWord}); a payload's byte address occurs only where callers pass and get it. The functions
 * here are the only way from one to the other.
 *
 * @module
 */
import {
  BLOCK_HEADER_BYTES,
  BLOCK_HEADER_WORDS,
  BLOCK_MINIMUM_GRANULES,
  BLOCK_PHASE_WORDS,
  TAG_CHECK,
  TAG_MULTIPLIER,
  TAG_USED,
} from "../layout/heap.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";

/** Word index of a block's header. */
export type BlockWord = number & { readonly __block?: never };
/** Granule in which a block's header lies: what is stored. */
export type BlockRef = number & { readonly __blockRef?: never };

/** The header of the block with this payload address. */
export function blockOfPayload(addr: number): BlockWord {
  return addr / 4 - BLOCK_HEADER_WORDS;
}

/** The payload address of a block. */
export function payloadOf(block: BlockWord): number {
  return (block + BLOCK_HEADER_WORDS) * 4;
}

/** The header of a stored block ref. */
export function blockOfRef(ref: BlockRef): BlockWord {
  return ref * GRANULE_WORDS + BLOCK_PHASE_WORDS;
}

/** The ref of a block; exact for every word index below 2^32. */
export function refOfBlock(block: BlockWord): BlockRef {
  return block >>> 2;
}

/** Granules of the block for a payload of so many bytes. */
export function granulesFor(bytes: number): number {
  if (bytes <= BLOCK_MINIMUM_GRANULES * GRANULE_BYTES - BLOCK_HEADER_BYTES) return BLOCK_MINIMUM_GRANULES;
  const sum = bytes + (BLOCK_HEADER_BYTES + GRANULE_BYTES - 1);
  return sum < 0x7fff_ffff ? sum >>> 4 : Math.floor(sum / GRANULE_BYTES);
}

/** Payload bytes of a block of so many granules. */
export function usableOf(granules: number): number {
  return granules * GRANULE_BYTES - BLOCK_HEADER_BYTES;
}

/** The tag of a used block. The check bits depend on address and heap, so that other words are seldom taken for it. */
export function tagOf(block: BlockWord, seed: number, arena: number): number {
  return (Math.imul((block >>> 2) ^ seed, TAG_MULTIPLIER) & TAG_CHECK) | TAG_USED | arena;
}
