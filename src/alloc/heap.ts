/**
 * The heap: arenas over one region of a shared memory, and the locks around them. Everything here returns a value or a
 * negative errno.
 *
 * Arena 0 owns the region, the untouched tail behind its high-water mark, and the growth of the memory. Further arenas,
 * made when agents meet at a lock, own segments, which are blocks of arena 0. An agent allocates from its home arena and
 * changes it only under lasting contention; a block goes back to the arena that its tag names.
 *
 * Lock rank: allocator. The lock of an arena, then that of arena 0; never two others. Only the checker takes them all,
 * arena 0 last.
 *
 * @module
 */
import { SLOT_LIVE, SLOT_STATE, SLOT_STATE_MASK } from "../layout/agent_table.ts";
import { EAGAIN, EBUSY, EINVAL, ENOSPC } from "../layout/errno.ts";
import {
  ARENA_DEPARTURES,
  ARENA_END,
  ARENA_GRANULES,
  ARENA_LIMIT,
  ARENA_LIVE_GRANULES,
  ARENA_LOCK,
  ARENA_SEGMENT_COUNT,
  ARENA_SEGMENTS,
  ARENA_SPARE,
  ARENA_TOP,
  ARENA_USER,
  ARENA_WORDS,
  BLOCK_FREE,
  BLOCK_HEADER_WORDS,
  BLOCK_LIMIT_GRANULES,
  BLOCK_PREVIOUS_FREE,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  BLOCK_TAG,
  FREE_SIZE_BEFORE,
  GROWTH_SHARE,
  HEAP_ARENA_0,
  HEAP_ARENA_COUNT,
  HEAP_ARENAS,
  HEAP_FIRST,
  HEAP_FLAGS,
  HEAP_GROWABLE,
  HEAP_LIMIT,
  HEAP_SEED,
  HEAP_WORDS,
  SEGMENT_ARENA,
  SEGMENT_BLOCK_SHARE,
  SEGMENT_FIRST_BLOCK,
  SEGMENT_GRANULES,
  SEGMENT_MINIMUM_GRANULES,
  SEGMENT_NEXT,
  SEGMENT_OVERHEAD_GRANULES,
  SEGMENT_PREVIOUS,
  SEGMENT_SHARE,
  TAG_ARENA,
  TAG_OWN,
} from "../layout/heap.ts";
import { LOCK_SLOT_BITS, LOCK_SLOT_SHIFT } from "../layout/lock_word.ts";
import { GRANULE_BYTES, GRANULE_WORDS, LINE_BYTES, PAGE_BYTES } from "../layout/units.ts";
import type { SharedMemory } from "../memory/shared_memory.ts";
import { type Agent, ownerOf, slotWordOf } from "../sync/agent.ts";
import { lockExclusive, tryLockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import {
  findFree,
  findFreeAligned,
  giveBack,
  insertFree,
  lengthen,
  reachOf,
  removeFree,
  shorten,
  tailNeed,
  takeFree,
  takeTail,
} from "./arena.ts";
import {
  blockOfPayload,
  blockOfRef,
  type BlockWord,
  granulesFor,
  payloadOf,
  refOfBlock,
  tagOf,
  usableOf,
} from "./block.ts";

/** Granules at the end of the region that no payload reaches: the sentinel's and one more. */
const END_GRANULES = 2;
/** What a contended acquisition adds to an agent's measure of contention; each allocation takes 1 off. */
const PRESSURE_STEP = 4096;
/** From here on an agent looks for another arena. */
const PRESSURE_LIMIT = 2 * PRESSURE_STEP;

/** From so much in arena 0 on, 4 MiB, an agent that comes to share it starts with an arena of its own instead. */
const START_GRANULES = 2 ** 22 / GRANULE_BYTES;

/** What a heap spans. */
export interface HeapRegion {
  /** Address behind the last byte that exists now. */
  endBytes: number;
  /** Address that the heap never passes. */
  limitBytes: number;
  /** Whether the heap may grow the memory up to the limit. Default false. */
  growable?: boolean;
}

/** One agent's access to a heap. */
export class Heap {
  /** Words of a heap's header. */
  static readonly headerWords: number = HEAP_WORDS;

  /** The agent. */
  readonly agent: Agent;
  /** Word of the heap's header. */
  readonly headerWord: number;
  readonly #memory: SharedMemory;
  readonly #seed: number;
  readonly #checked: boolean;
  readonly #main: number;
  readonly #arenas: number[];
  readonly #deferred: number[] = [];
  #home = 0;
  /** At first beyond the limit, which leads to the choice of a home. */
  #pressure = PRESSURE_LIMIT + 1;
  #departures = 0;
  #started = false;

  /** Whether the region has room for the header and at least one block. */
  static fits(headerWord: number, region: HeapRegion): boolean {
    const first = (headerWord + HEAP_WORDS) / GRANULE_WORDS;
    return endRef(Math.min(region.endBytes, region.limitBytes)) >= first;
  }

  /**
   * Formats a heap: the header at `headerWord`, blocks from there to the end of the region.
   * Nobody else uses the memory meanwhile; the caller publishes the heap.
   */
  static format(memory: SharedMemory, headerWord: number, region: HeapRegion): void {
    const { i32, wasm } = memory;
    const first = (headerWord + HEAP_WORDS) / GRANULE_WORDS;
    const main = headerWord + HEAP_ARENA_0;
    wasm.fill(headerWord * 4, 0, HEAP_WORDS * 4);
    i32[headerWord + HEAP_FLAGS] = region.growable === true ? HEAP_GROWABLE : 0;
    i32[headerWord + HEAP_SEED] = Math.floor(Math.random() * 2 ** 32);
    i32[headerWord + HEAP_FIRST] = first;
    i32[headerWord + HEAP_LIMIT] = endRef(region.limitBytes);
    i32[main + ARENA_TOP] = first;
    i32[main + ARENA_END] = endRef(Math.min(region.endBytes, region.limitBytes));
    const sentinel = blockOfRef(first);
    i32[sentinel + BLOCK_SIZE] = 0;
    i32[sentinel + BLOCK_TAG] = 0;
    i32[headerWord + HEAP_ARENAS] = main / GRANULE_WORDS;
    i32[headerWord + HEAP_ARENA_COUNT] = 1;
  }

  /** Attaches to a heap that has been formatted. */
  constructor(agent: Agent, headerWord: number) {
    this.agent = agent;
    this.headerWord = headerWord;
    this.#memory = agent.memory;
    this.#seed = agent.memory.i32[headerWord + HEAP_SEED];
    this.#checked = agent.debugLevel >= 1;
    this.#main = headerWord + HEAP_ARENA_0;
    this.#arenas = [this.#main];
  }

  /**
   * Allocates a block.
   *
   * @param bytes how many, at least 1
   * @param align a power of two up to 4096; the address is a multiple of it, and of 16 anyway
   * @returns the byte address, or `-ENOSPC`, `-EIDRM`, `-EAGAIN`.
   */
  allocate(bytes: number, align = GRANULE_BYTES): number {
    const granules = granulesFor(bytes);
    const alignGranules = align <= GRANULE_BYTES ? 1 : align / GRANULE_BYTES;
    if (this.#deferred.length !== 0) this.drain();
    const home = this.#home;
    const arena = this.#arenas[home];
    const agent = this.agent;
    const status = tryLockExclusive(agent, arena + ARENA_LOCK);
    if (status !== 0) return this.#allocateContended(granules, alignGranules, status);
    if (this.#pressure !== 0 && --this.#pressure >= PRESSURE_LIMIT) {
      unlockExclusive(agent, arena + ARENA_LOCK);
      return this.#allocateContended(granules, alignGranules, -EBUSY);
    }
    const i32 = this.#memory.i32;
    if (i32[arena + ARENA_USER] !== agent.owner) i32[arena + ARENA_USER] = agent.owner;
    const free = alignGranules === 1
      ? findFree(i32, arena, granules)
      : findFreeAligned(i32, arena, granules, alignGranules);
    if (free === 0) return this.#allocateSlow(home, granules, alignGranules);
    const block = this.#take(i32, home, arena, free, granules, alignGranules);
    unlockExclusive(agent, arena + ARENA_LOCK);
    return payloadOf(block);
  }

  /**
   * Frees a block. Where its arena cannot be locked, because the thread may not block, it is freed by a later call.
   *
   * @returns 0; `-EINVAL` for an address that is no used block's (from debug level 1 on; at 0 that is not found out);
   * `-EIDRM`.
   */
  free(addr: number): number {
    if (this.#deferred.length !== 0) this.drain();
    const status = this.#free(addr);
    if (status !== -EAGAIN) return status;
    this.#deferred.push(addr);
    return 0;
  }

  /** Frees what could not be freed when it was asked for; what still cannot be stays for the next time. */
  drain(): void {
    const waiting = this.#deferred.splice(0);
    for (const addr of waiting) {
      if (this.#free(addr) === -EAGAIN) this.#deferred.push(addr);
    }
  }

  /** Payload bytes of a used block. */
  usableBytes(addr: number): number {
    // The owner of a block may read its size without the lock: only the flag of the block before changes meanwhile.
    return usableOf(this.#memory.i32[blockOfPayload(addr) + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT);
  }

  /**
   * Lengthens a block where it is, into the free block or the untouched tail behind it.
   *
   * @param minimumBytes how many payload bytes it must then have
   * @param wantedBytes how many it should have if there is room
   * @returns its payload bytes, which may be enough already; 0 if the minimum cannot be had.
   */
  extend(addr: number, minimumBytes: number, wantedBytes: number): number {
    const block = blockOfPayload(addr);
    const index = this.#arenaOfBlock(block);
    if (index < 0) return 0;
    const arena = this.#arenas[index];
    if (lockExclusive(this.agent, arena + ARENA_LOCK) !== 0) return 0;
    const minimum = granulesFor(minimumBytes);
    const wanted = Math.max(minimum, granulesFor(wantedBytes));
    let i32 = this.#memory.i32;
    let granules = i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT;
    if (granules < wanted) {
      const ref = refOfBlock(block);
      let top = -1;
      let end = 0;
      if (index === 0) {
        top = i32[arena + ARENA_TOP];
        end = i32[arena + ARENA_END];
      }
      let reach = reachOf(i32, block, top, end);
      if (reach < wanted && index === 0 && ref + reach >= top) {
        if (this.#grow(ref + wanted) || this.#grow(ref + minimum)) {
          i32 = this.#memory.i32;
          reach = reachOf(i32, block, top, i32[arena + ARENA_END]);
        }
      }
      const target = Math.min(reach, wanted);
      if (target > granules && target >= minimum) granules = lengthen(i32, arena, block, target, top);
    }
    unlockExclusive(this.agent, arena + ARENA_LOCK);
    return granules >= minimum ? usableOf(granules) : 0;
  }

  /**
   * Shortens a block and frees what is behind.
   *
   * @returns its payload bytes, which are more than asked for where too little would become free.
   */
  shrink(addr: number, bytes: number): number {
    const block = blockOfPayload(addr);
    const index = this.#arenaOfBlock(block);
    if (index < 0) return 0;
    const arena = this.#arenas[index];
    if (lockExclusive(this.agent, arena + ARENA_LOCK) !== 0) return this.usableBytes(addr);
    const granules = shorten(this.#memory.i32, arena, block, granulesFor(bytes));
    unlockExclusive(this.agent, arena + ARENA_LOCK);
    return usableOf(granules);
  }

  /** Uses a free block that has been found. The arena is locked. */
  #take(
    i32: Int32Array,
    index: number,
    arena: number,
    free: BlockWord,
    granules: number,
    alignGranules: number,
  ): BlockWord {
    let pad = 0;
    if (alignGranules !== 1) {
      pad = -(refOfBlock(free) + 1) & (alignGranules - 1);
      if (pad === 1) pad += alignGranules;
    }
    if (index !== 0 && refOfBlock(free) === i32[arena + ARENA_SPARE]) i32[arena + ARENA_SPARE] = 0;
    const block = takeFree(i32, arena, free, pad, granules);
    i32[block + BLOCK_TAG] = tagOf(block, this.#seed, index);
    return block;
  }

  /** The home arena is held by somebody else (or `status` says why it cannot be had). */
  #allocateContended(granules: number, alignGranules: number, status: number): number {
    if (status !== -EBUSY) return status;
    const { agent } = this;
    if (!this.#started) this.#start();
    let home = this.#home;
    let arena = this.#arenas[home];
    let result = lockExclusive(agent, arena + ARENA_LOCK);
    if (result !== 0) return result;
    // Contention counts if others allocate here, not if they give back blocks or take segments.
    const shared = this.#memory.i32[arena + ARENA_USER] !== agent.owner;
    if (shared && (this.#pressure += PRESSURE_STEP) >= PRESSURE_LIMIT && this.#mayLeave(arena)) {
      unlockExclusive(agent, arena + ARENA_LOCK);
      this.#changeHome();
      home = this.#home;
      arena = this.#arenas[home];
      result = lockExclusive(agent, arena + ARENA_LOCK);
      if (result !== 0) return result;
    }
    const { i32 } = this.#memory;
    i32[arena + ARENA_USER] = agent.owner;
    const free = findFreeAligned(i32, arena, granules, alignGranules);
    if (free === 0) return this.#allocateSlow(home, granules, alignGranules);
    const block = this.#take(i32, home, arena, free, granules, alignGranules);
    unlockExclusive(agent, arena + ARENA_LOCK);
    return payloadOf(block);
  }

  /** Nothing in the home arena, which is locked, fits: more memory for it, or a block of arena 0. Unlocks. */
  #allocateSlow(home: number, granules: number, alignGranules: number): number {
    const { agent } = this;
    const main = this.#main;
    const arena = this.#arenas[home];
    let block = 0;
    if (home === 0) {
      block = this.#takeMain(granules, alignGranules);
    } else {
      const status = lockExclusive(agent, main + ARENA_LOCK);
      if (status !== 0) {
        unlockExclusive(agent, arena + ARENA_LOCK);
        return status;
      }
      const { i32 } = this.#memory;
      const need = alignGranules === 1 ? granules : granules + alignGranules + 1;
      const step = Math.max(SEGMENT_MINIMUM_GRANULES, Math.floor(i32[arena + ARENA_GRANULES] / SEGMENT_SHARE));
      // Where agents left much behind in arena 0 when they found other homes, that is used up before more is added.
      if (i32[main + ARENA_LIVE_GRANULES] * 4 < 3 * i32[main + ARENA_GRANULES]) {
        block = this.#takeListed(0, granules, alignGranules);
      }
      if (block === 0 && need * SEGMENT_BLOCK_SHARE <= step) {
        const segment = this.#takeMain(step + SEGMENT_OVERHEAD_GRANULES, 1, TAG_OWN);
        if (segment !== 0) {
          this.#addSegment(home, segment);
          block = this.#takeListed(home, granules, alignGranules);
        }
      }
      if (block === 0) block = this.#takeMain(granules, alignGranules);
      unlockExclusive(agent, main + ARENA_LOCK);
    }
    unlockExclusive(agent, arena + ARENA_LOCK);
    return block !== 0 ? payloadOf(block) : this.#allocateLast(granules, alignGranules);
  }

  /** Before giving up: every arena gives back its free segments and is tried, then arena 0. No lock is held. */
  #allocateLast(granules: number, alignGranules: number): number {
    const { agent } = this;
    if (granules >= BLOCK_LIMIT_GRANULES) return -ENOSPC;
    const count = agent.wasm.load(this.headerWord + HEAP_ARENA_COUNT);
    if (count === 1) return -ENOSPC;
    for (let index = 1; index <= count; index++) {
      const last = index === count;
      const at = last ? 0 : index;
      const arena = this.#arena(at);
      const status = lockExclusive(agent, arena + ARENA_LOCK);
      if (status !== 0) return status;
      let block = 0;
      if (last) {
        block = this.#takeMain(granules, alignGranules);
      } else {
        this.#releaseFreeSegments(arena);
        block = this.#takeListed(at, granules, alignGranules);
      }
      unlockExclusive(agent, arena + ARENA_LOCK);
      if (block !== 0) return payloadOf(block);
    }
    return -ENOSPC;
  }

  /** A block from the lists of an arena, which is locked; 0 if none fits. */
  #takeListed(index: number, granules: number, alignGranules: number): BlockWord {
    const { i32 } = this.#memory;
    const arena = this.#arenas[index];
    const free = findFreeAligned(i32, arena, granules, alignGranules);
    return free === 0 ? 0 : this.#take(i32, index, arena, free, granules, alignGranules);
  }

  /** A block of arena 0, which is locked: from its lists, the tail, or by growth; 0 if it has none. */
  #takeMain(granules: number, alignGranules: number, tag = 0): BlockWord {
    const main = this.#main;
    const { i32 } = this.#memory;
    if (granules >= BLOCK_LIMIT_GRANULES) return 0;
    let block = this.#takeListed(0, granules, alignGranules);
    if (block === 0) {
      block = takeTail(i32, main, granules, alignGranules);
      if (block === 0 && this.#grow(tailNeed(i32, main, granules, alignGranules))) {
        block = takeTail(this.#memory.i32, main, granules, alignGranules);
      }
      if (block === 0) return 0;
    }
    this.#memory.i32[block + BLOCK_TAG] = tagOf(block, this.#seed, tag);
    return block;
  }

  /** Grows the memory so that the sentinel of arena 0, which is locked, may reach a block ref. */
  #grow(ref: number): boolean {
    const memory = this.#memory;
    const header = this.headerWord;
    const main = this.#main;
    const end = memory.i32[main + ARENA_END];
    if (ref <= end) return true;
    const limit = memory.i32[header + HEAP_LIMIT];
    if ((memory.i32[header + HEAP_FLAGS] & HEAP_GROWABLE) === 0 || ref > limit) return false;
    const limitPages = Math.floor(((limit + END_GRANULES) * GRANULE_BYTES) / PAGE_BYTES);
    // Whoever else has grown the memory (the program may) has saved us the trouble.
    memory.refresh();
    const need = Math.ceil(((ref + END_GRANULES) * GRANULE_BYTES) / PAGE_BYTES) - memory.pages;
    if (need > 0) {
      const step = Math.min(Math.max(need, Math.ceil(memory.pages / GROWTH_SHARE)), limitPages - memory.pages);
      if (!memory.grow(step) && (step === need || !memory.grow(need))) return false;
    }
    // Pairs with the load of the same word after each acquisition of a lock: stored before any ref into the new part is.
    this.agent.wasm.store(this.agent.pagesWord, memory.pages);
    memory.i32[main + ARENA_END] = Math.min(limit, endRef(memory.bytes));
    return true;
  }

  /** Makes a block of arena 0 a segment of an arena, which is locked. */
  #addSegment(index: number, block: BlockWord): void {
    const arena = this.#arenas[index];
    const { i32 } = this.#memory;
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

  /** Gives a segment, all of which is one free block, back to arena 0. Its arena is locked. False if that cannot be. */
  #releaseSegment(arena: number, segment: number): boolean {
    if (lockExclusive(this.agent, this.#main + ARENA_LOCK) !== 0) return false;
    const { i32 } = this.#memory;
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
    giveBack(i32, this.#main, segment - BLOCK_HEADER_WORDS);
    unlockExclusive(this.agent, this.#main + ARENA_LOCK);
    return true;
  }

  /** Gives back every segment of an arena, which is locked, that is one free block. */
  #releaseFreeSegments(arena: number): void {
    const { i32 } = this.#memory;
    for (let ref = i32[arena + ARENA_SEGMENTS]; ref !== 0;) {
      const segment = ref * GRANULE_WORDS;
      ref = i32[segment + SEGMENT_NEXT];
      const header = i32[segment + SEGMENT_FIRST_BLOCK + BLOCK_SIZE];
      if ((header & BLOCK_FREE) !== 0 && header >>> BLOCK_SIZE_SHIFT === i32[segment + SEGMENT_GRANULES]) {
        if (!this.#releaseSegment(arena, segment)) return;
      }
    }
  }

  #free(addr: number): number {
    const block = blockOfPayload(addr);
    const index = this.#arenaOfBlock(block);
    if (index < 0) return -EINVAL;
    const arena = this.#arenas[index];
    let status = tryLockExclusive(this.agent, arena + ARENA_LOCK);
    if (status !== 0) {
      if (status === -EBUSY) {
        if (index === this.#home && this.#memory.i32[arena + ARENA_USER] !== this.agent.owner) {
          this.#pressure += PRESSURE_STEP;
        }
        status = lockExclusive(this.agent, arena + ARENA_LOCK);
      }
      if (status !== 0) return status;
    }
    const { i32 } = this.#memory;
    // Somebody else may have freed the block since: then the tag is gone.
    if (this.#checked && i32[block + BLOCK_TAG] !== tagOf(block, this.#seed, index)) {
      unlockExclusive(this.agent, arena + ARENA_LOCK);
      return -EINVAL;
    }
    const free = giveBack(i32, arena, block);
    if (index !== 0) {
      const end = free + (i32[free + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT) * GRANULE_WORDS;
      const ref = refOfBlock(free);
      if (i32[end + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT === 0 && i32[end + BLOCK_TAG] === ref) {
        // The segment is free. One is kept, so that an arena at the edge does not get and give one all the time.
        if (i32[arena + ARENA_SPARE] === 0) i32[arena + ARENA_SPARE] = ref;
        else this.#releaseSegment(arena, free - SEGMENT_FIRST_BLOCK);
      }
    }
    unlockExclusive(this.agent, arena + ARENA_LOCK);
    return 0;
  }

  /** The arena of a used block, from its tag; negative for what is no used block. Needs no lock: the caller owns it. */
  #arenaOfBlock(block: BlockWord): number {
    const memory = this.#memory;
    if (block >= memory.i32.length) memory.sync(this.agent.pagesWord);
    const tag = memory.i32[block + BLOCK_TAG];
    const index = tag & TAG_ARENA;
    if (this.#checked && (index >= ARENA_LIMIT || tag !== tagOf(block, this.#seed, index) || (block & 3) !== 2)) {
      return -1;
    }
    if (index >= this.#arenas.length) this.#arena(index);
    return index;
  }

  /** Word of an arena. */
  #arena(index: number): number {
    const arenas = this.#arenas;
    const { i32 } = this.#memory;
    // An arena is stored before any block is tagged with it, and such a block comes to us by some synchronization.
    while (arenas.length <= index) arenas.push(i32[this.headerWord + HEAP_ARENAS + arenas.length] * GRANULE_WORDS);
    return arenas[index];
  }

  /** Chooses the first home: arena 0, unless another agent has taken much from it and may go on. No lock is held. */
  #start(): void {
    this.#started = true;
    this.#pressure = 0;
    const { i32 } = this.#memory;
    const user = i32[this.#main + ARENA_USER];
    if (i32[this.#main + ARENA_LIVE_GRANULES] < START_GRANULES || user === this.agent.owner) return;
    if (isLiveOwner(this.agent, user)) this.#changeHome();
  }

  /** Whether the agent shall leave the arena, which is locked. Of agents that meet there, one leaves at a time. */
  #mayLeave(arena: number): boolean {
    const { i32 } = this.#memory;
    const departures = i32[arena + ARENA_DEPARTURES];
    this.#pressure = 0;
    if (departures !== this.#departures) {
      this.#departures = departures;
      return false;
    }
    i32[arena + ARENA_DEPARTURES] = departures + 1;
    return true;
  }

  /** Makes another arena the agent's home: one that no agent uses, else a new one, else the next. No lock is held. */
  #changeHome(): void {
    const { agent } = this;
    const count = agent.wasm.load(this.headerWord + HEAP_ARENA_COUNT);
    let home = -1;
    for (let step = 1; step < count && home < 0; step++) {
      const index = (this.#home + step) % count;
      if (!isLiveOwner(agent, this.#memory.i32[this.#arena(index) + ARENA_USER])) home = index;
    }
    if (home < 0) home = this.#makeArena();
    if (home < 0) home = (this.#home + 1) % count;
    this.#home = home;
    this.#departures = this.#memory.i32[this.#arena(home) + ARENA_DEPARTURES];
  }

  /** Makes a further arena. Returns its index, or -1. */
  #makeArena(): number {
    const { agent } = this;
    if (lockExclusive(agent, this.#main + ARENA_LOCK) !== 0) return -1;
    const header = this.headerWord;
    const index = this.#memory.i32[header + HEAP_ARENA_COUNT];
    const block = index < ARENA_LIMIT
      ? this.#takeMain(granulesFor(ARENA_WORDS * 4), LINE_BYTES / GRANULE_BYTES, TAG_OWN)
      : 0;
    if (block !== 0) {
      const addr = payloadOf(block);
      agent.wasm.fill(addr, 0, ARENA_WORDS * 4);
      agent.wasm.store(header + HEAP_ARENAS + index, addr / GRANULE_BYTES);
      // Pairs with the loads of the count: whoever sees it sees the arena.
      agent.wasm.store(header + HEAP_ARENA_COUNT, index + 1);
    }
    unlockExclusive(agent, this.#main + ARENA_LOCK);
    return block !== 0 ? index : -1;
  }
}

/** The block ref that a sentinel may reach in a region that ends there. */
function endRef(endBytes: number): number {
  return Math.min(Math.floor(endBytes / GRANULE_BYTES), BLOCK_LIMIT_GRANULES) - END_GRANULES;
}

/** Whether an owner word is that of an agent that is attached. */
function isLiveOwner(agent: Agent, owner: number): boolean {
  if (owner === 0) return false;
  const slot = ((owner >>> LOCK_SLOT_SHIFT) & ((1 << LOCK_SLOT_BITS) - 1)) - 1;
  const state = agent.memory.i32[slotWordOf(agent.tableWord, slot) + SLOT_STATE];
  return (state & SLOT_STATE_MASK) === SLOT_LIVE && ownerOf(slot, state) === owner;
}
