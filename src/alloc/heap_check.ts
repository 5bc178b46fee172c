/**
 * The checker of a heap: chains, tags, flags, lists, bitmaps, counters and segments against each other, from the shared
 * words alone, under the locks of all arenas.
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
  ARENA_SEGMENT_COUNT,
  ARENA_SEGMENTS,
  ARENA_SPARE,
  ARENA_TOP,
  BLOCK_FREE,
  BLOCK_HEADER_WORDS,
  BLOCK_MINIMUM_GRANULES,
  BLOCK_PREVIOUS_FREE,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  BLOCK_TAG,
  CLASS_COLUMN_SHIFT,
  CLASS_COLUMNS,
  CLASS_ROWS,
  FREE_NEXT,
  FREE_PREVIOUS,
  FREE_SIZE_BEFORE,
  HEAP_FIRST,
  HEAP_LIMIT,
  HEAP_SEED,
  SEGMENT_ARENA,
  SEGMENT_FIRST_BLOCK,
  SEGMENT_GRANULES,
  SEGMENT_NEXT,
  SEGMENT_OVERHEAD_GRANULES,
  SEGMENT_PREVIOUS,
  TAG_ARENA,
  TAG_OWN,
} from "../layout/heap.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Violation } from "../memory/errors.ts";
import type { Agent } from "../sync/agent.ts";
import { lockArenas, unlockArenas } from "./arena_locks.ts";
import { blockOfRef, type BlockWord, payloadOf, refOfBlock, tagOf } from "./block.ts";
import { classOf } from "./size_class.ts";

/** A check reports no more than this: what is wrong once is often wrong everywhere. */
const VIOLATION_LIMIT = 100;

/** Checks a whole heap. Empty when all is well; a negative errno where it cannot be locked. */
export function checkHeap(agent: Agent, headerWord: number): Violation[] | number {
  const arenas = lockArenas(agent, headerWord);
  if (typeof arenas === "number") return arenas;
  const checker = new Checker(agent.memory.i32, headerWord, arenas);
  checker.run();
  unlockArenas(agent, arenas);
  return checker.violations;
}

/** What was counted along the chains of one arena. */
interface Counted {
  granules: number;
  liveGranules: number;
  liveBlocks: number;
  /** Block ref and granules of each free block. */
  free: Map<number, number>;
}

class Checker {
  readonly violations: Violation[] = [];
  readonly #i32: Int32Array;
  readonly #headerWord: number;
  readonly #arenas: readonly number[];
  readonly #seed: number;
  /** Payload words of the blocks of arena 0 that are the heap's own. */
  readonly #own = new Set<number>();

  constructor(i32: Int32Array, headerWord: number, arenas: readonly number[]) {
    this.#i32 = i32;
    this.#headerWord = headerWord;
    this.#arenas = arenas;
    this.#seed = i32[headerWord + HEAP_SEED];
  }

  run(): void {
    const i32 = this.#i32;
    const main = this.#arenas[0];
    const first = i32[this.#headerWord + HEAP_FIRST];
    const top = i32[main + ARENA_TOP];
    const end = i32[main + ARENA_END];
    const limit = i32[this.#headerWord + HEAP_LIMIT];
    if (!(first <= top && top <= end && end <= limit)) {
      this.#report("heap", `first ${first}, top ${top}, end ${end}, limit ${limit} are not in ascending order`);
      return;
    }
    const counted = emptyCount();
    const last = this.#chain(0, blockOfRef(first), blockOfRef(top), counted);
    if (last === blockOfRef(top) && i32[last + BLOCK_TAG] !== 0) {
      this.#report(this.#at(last), `the sentinel's tag is ${i32[last + BLOCK_TAG]}, expected 0`);
    }
    this.#compare(0, counted);
    this.#lists(0, counted.free);
    for (let index = 1; index < this.#arenas.length; index++) this.#arena(index);
    for (const word of this.#own) {
      this.#report(
        this.#at(word - BLOCK_HEADER_WORDS),
        "is the heap's own, but neither an arena nor a segment in a list",
      );
    }
  }

  #arena(index: number): void {
    const i32 = this.#i32;
    const arena = this.#arenas[index];
    if (!this.#own.delete(arena)) this.#report(`arena ${index}`, `its block at ${arena * 4} is none of the heap's own`);
    const counted = emptyCount();
    let segments = 0;
    let previous = 0;
    let spare = i32[arena + ARENA_SPARE];
    for (let ref = i32[arena + ARENA_SEGMENTS]; ref !== 0;) {
      const segment = ref * GRANULE_WORDS;
      const where = `arena ${index}, segment at ${segment * 4}`;
      if (!this.#own.delete(segment)) {
        this.#report(where, "is none of the heap's own blocks, or is in two lists");
        return;
      }
      segments++;
      if (i32[segment + SEGMENT_PREVIOUS] !== previous) {
        this.#report(where, `its previous is ${i32[segment + SEGMENT_PREVIOUS]}, expected ${previous}`);
      }
      if (i32[segment + SEGMENT_ARENA] !== index) {
        this.#report(where, `belongs to arena ${i32[segment + SEGMENT_ARENA]}`);
      }
      const size = i32[segment + SEGMENT_GRANULES];
      const owned = i32[segment - BLOCK_HEADER_WORDS + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT;
      if (size !== owned - SEGMENT_OVERHEAD_GRANULES) {
        this.#report(where, `has ${size} granules in a block of ${owned}`);
        return;
      }
      const first = segment + SEGMENT_FIRST_BLOCK;
      const sentinel = first + size * GRANULE_WORDS;
      const last = this.#chain(index, first, sentinel, counted);
      if (last === sentinel && i32[last + BLOCK_TAG] !== refOfBlock(first)) {
        this.#report(where, `the sentinel names block ${i32[last + BLOCK_TAG]}, expected ${refOfBlock(first)}`);
      }
      if (spare === refOfBlock(first) && counted.free.get(spare) === size) spare = 0;
      previous = ref;
      ref = i32[segment + SEGMENT_NEXT];
    }
    if (spare !== 0) this.#report(`arena ${index}`, `the spare ${spare} is no free segment`);
    if (segments !== i32[arena + ARENA_SEGMENT_COUNT]) {
      this.#report(`arena ${index}`, `counts ${i32[arena + ARENA_SEGMENT_COUNT]} segments, has ${segments}`);
    }
    this.#compare(index, counted);
    this.#lists(index, counted.free);
  }

  /** Follows a chain; returns the sentinel, or where it breaks off. */
  #chain(index: number, first: BlockWord, sentinel: BlockWord, counted: Counted): BlockWord {
    const i32 = this.#i32;
    let block = first;
    let previousFree = 0;
    while (block < sentinel) {
      const header = i32[block + BLOCK_SIZE];
      const granules = header >>> BLOCK_SIZE_SHIFT;
      const behind = block + granules * GRANULE_WORDS;
      if (granules < BLOCK_MINIMUM_GRANULES || behind > sentinel) {
        this.#report(this.#at(block), `has ${granules} granules, ${(sentinel - block) / GRANULE_WORDS} are left`);
        return block;
      }
      this.#flag(block, previousFree);
      const tag = i32[block + BLOCK_TAG];
      counted.granules += granules;
      if ((header & BLOCK_FREE) !== 0) {
        if (previousFree !== 0) this.#report(this.#at(block), "is free, and so is the block before it");
        if (tag !== 0) this.#report(this.#at(block), `is free, but has the tag ${tag}`);
        if (i32[behind + FREE_SIZE_BEFORE] !== granules) {
          this.#report(this.#at(block), `has ${granules} granules, at its end ${i32[behind + FREE_SIZE_BEFORE]}`);
        }
        counted.free.set(refOfBlock(block), granules);
        previousFree = granules;
      } else {
        const own = index === 0 && (tag & TAG_ARENA) === TAG_OWN;
        const expected = tagOf(block, this.#seed, own ? TAG_OWN : index);
        if (tag !== expected) this.#report(this.#at(block), `is used, but has the tag ${tag}, expected ${expected}`);
        else if (own) this.#own.add(block + BLOCK_HEADER_WORDS);
        counted.liveGranules += granules;
        counted.liveBlocks++;
        previousFree = 0;
      }
      block = behind;
    }
    const header = i32[sentinel + BLOCK_SIZE];
    if ((header & ~BLOCK_PREVIOUS_FREE) !== 0) this.#report(this.#at(sentinel), `is no sentinel: ${header}`);
    this.#flag(sentinel, previousFree);
    return sentinel;
  }

  #flag(block: BlockWord, previousFree: number): void {
    const flag = (this.#i32[block + BLOCK_SIZE] & BLOCK_PREVIOUS_FREE) !== 0;
    if (flag !== previousFree > 0) {
      this.#report(this.#at(block), `says that the block before it is ${flag ? "free" : "used"}, and it is not`);
    }
  }

  #compare(index: number, counted: Counted): void {
    const i32 = this.#i32;
    const arena = this.#arenas[index];
    const pairs: [string, number, number][] = [
      ["granules", i32[arena + ARENA_GRANULES], counted.granules],
      ["live granules", i32[arena + ARENA_LIVE_GRANULES], counted.liveGranules],
      ["live blocks", i32[arena + ARENA_LIVE_BLOCKS], counted.liveBlocks],
    ];
    for (const [name, found, expected] of pairs) {
      if (found !== expected) this.#report(`arena ${index}`, `counts ${found} ${name}, its chain has ${expected}`);
    }
  }

  /** Lists against bitmaps, and against the free blocks of the chains. */
  #lists(index: number, free: Map<number, number>): void {
    const i32 = this.#i32;
    const arena = this.#arenas[index];
    const missing = new Map(free);
    for (let row = 0; row < CLASS_ROWS; row++) {
      const columns = i32[arena + ARENA_COLUMNS + row];
      if ((columns !== 0) !== ((i32[arena + ARENA_ROWS] >>> row & 1) === 1)) {
        this.#report(`arena ${index}, row ${row}`, `its bit does not agree with its columns ${columns}`);
      }
      for (let column = 0; column < CLASS_COLUMNS; column++) {
        const classIndex = (row << CLASS_COLUMN_SHIFT) | column;
        const where = `arena ${index}, class ${classIndex}`;
        const head = i32[arena + ARENA_HEADS + classIndex];
        if ((head !== 0) !== ((columns >>> column & 1) === 1)) {
          this.#report(where, `its bit does not agree with its head ${head}`);
        }
        let previous = 0;
        for (let ref = head; ref !== 0;) {
          const block = blockOfRef(ref);
          const granules = missing.get(ref);
          if (granules === undefined) {
            this.#report(where, `lists ${ref}, which is no free block of the chain, or listed twice`);
            break;
          }
          missing.delete(ref);
          if (classOf(granules) !== classIndex) this.#report(where, `lists ${ref} of ${granules} granules`);
          if (i32[block + FREE_PREVIOUS] !== previous) {
            this.#report(where, `previous of ${ref} is ${i32[block + FREE_PREVIOUS]}, expected ${previous}`);
          }
          previous = ref;
          ref = i32[block + FREE_NEXT];
        }
      }
    }
    for (const ref of missing.keys()) this.#report(this.#at(blockOfRef(ref)), "is free, but in no list");
  }

  #at(block: BlockWord): string {
    return `block at ${payloadOf(block)}`;
  }

  #report(where: string, what: string): void {
    if (this.violations.length < VIOLATION_LIMIT) this.violations.push({ where, what });
  }
}

function emptyCount(): Counted {
  return { granules: 0, liveGranules: 0, liveBlocks: 0, free: new Map() };
}
