/**
 * The heap: arenas over one region of a shared memory, and the locks around them. Everything here returns a value or a
 * negative errno; nothing throws while a lock is held.
 *
 * Arena 0 owns the region, the untouched tail behind its high-water mark, and the growth of the memory. Further arenas,
 * made when agents meet at a lock, own segments, which are blocks of arena 0. An agent allocates from its home arena; a
 * block goes back to the arena that its tag names.
 *
 * Lock rank: allocator, the lowest. The lock of an arena, then that of arena 0; never two others. Only what looks at the
 * whole heap takes them all, arena 0 last.
 *
 * @module
 */
import { EAGAIN, EBUSY, EINVAL, ENOSPC } from "../layout/errno.ts";
import {
  ARENA_END,
  ARENA_GRANULES,
  ARENA_LIMIT,
  ARENA_LIVE_GRANULES,
  ARENA_LOCK,
  ARENA_SPARE,
  ARENA_TOP,
  ARENA_USER,
  BLOCK_FREE,
  BLOCK_LIMIT_GRANULES,
  BLOCK_PHASE_WORDS,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  BLOCK_TAG,
  HEAP_ARENA_0,
  HEAP_ARENA_COUNT,
  HEAP_ARENAS,
  HEAP_FIRST,
  HEAP_FLAGS,
  HEAP_GROWABLE,
  HEAP_LIMIT,
  HEAP_SEED,
  HEAP_WORDS,
  SEGMENT_BLOCK_SHARE,
  SEGMENT_MINIMUM_GRANULES,
  SEGMENT_OVERHEAD_GRANULES,
  SEGMENT_SHARE,
  TAG_ARENA,
  TAG_OWN,
} from "../layout/heap.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import { CorruptionError } from "../memory/errors.ts";
import type { SharedMemory } from "../memory/shared_memory.ts";
import type { Agent } from "../sync/agent.ts";
import { lockExclusive, tryLockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import { findFree, findFreeAligned, giveBack, lengthen, padOf, reachOf, shorten, takeFree } from "./arena.ts";
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
import { auditBlock } from "./block_audit.ts";
import { Home } from "./home.ts";
import { endRef, growTo, takeMain } from "./main_arena.ts";
import { joinDown, moveDown } from "./move_down.ts";
import { addSegment, releaseFreeSegments, trimSegment } from "./segments.ts";

/** What a heap spans. */
export interface HeapRegion {
  /** Address behind the last byte that exists now. */
  readonly endBytes: number;
  /** Address that the heap never passes. */
  readonly limitBytes: number;
  /** Whether the heap may grow the memory up to the limit. Default false. */
  readonly growable?: boolean;
}

/** One agent's access to a heap. */
export class Heap {
  /** Words of a heap's header. */
  static readonly headerWords: number = HEAP_WORDS;
  /** The least bytes of a region that a heap can be formatted in: its header and the smallest block. */
  static readonly minimumBytes: number = HEAP_WORDS * 4 + 4 * GRANULE_BYTES;

  /** The agent. */
  readonly agent: Agent;
  /** Word of the heap's header. */
  readonly headerWord: number;
  readonly #memory: SharedMemory;
  readonly #seed: number;
  readonly #checked: boolean;
  readonly #audited: boolean;
  readonly #home: Home;
  readonly #arenas: number[];
  readonly #deferred: number[] = [];
  #fault = "";

  /**
   * Formats a heap: the header at `headerWord`, a multiple of 16, and blocks from there to the end of the region.
   * Nobody else uses the region meanwhile; the caller publishes the heap.
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
    this.#audited = agent.debugLevel >= 3;
    this.#home = new Home(agent, headerWord);
    this.#arenas = this.#home.arenas;
  }

  /**
   * Allocates a block.
   *
   * @param bytes how many, at least 1
   * @param align a power of two up to 4096; the address is a multiple of it, and of 16 anyway
   * @returns the byte address, or `-ENOSPC`, `-EIDRM`, `-EAGAIN`.
   * @throws {CorruptionError} at debug level 3, if the block or its neighbours contradict each other.
   */
  allocate(bytes: number, align: number = GRANULE_BYTES): number {
    const granules = granulesFor(bytes);
    const alignGranules = align <= GRANULE_BYTES ? 1 : align / GRANULE_BYTES;
    if (this.#deferred.length !== 0) this.drain();
    const home = this.#home;
    if (home.ease()) home.move();
    const index = home.index;
    const arena = this.#arenas[index];
    const { agent } = this;
    let status = tryLockExclusive(agent, arena + ARENA_LOCK);
    if (status !== 0) {
      if (status === -EBUSY) {
        home.press();
        status = lockExclusive(agent, arena + ARENA_LOCK);
      }
      if (status !== 0) return status;
    }
    const { i32 } = this.#memory;
    if (i32[arena + ARENA_USER] !== agent.owner) i32[arena + ARENA_USER] = agent.owner;
    const free = alignGranules === 1
      ? findFree(i32, arena, granules)
      : findFreeAligned(i32, arena, granules, alignGranules);
    if (free === 0) return this.#allocateSlow(index, granules, alignGranules);
    return this.#finish(arena, this.#use(i32, index, arena, free, granules, alignGranules));
  }

  /**
   * Frees a block. Where its arena cannot be locked, because the thread may not block, it is freed by a later call.
   *
   * @returns 0; `-EIDRM`; `-EINVAL` for an address that is not a used block's, from debug level 1 on. At level 0 nobody
   * looks, and such a call destroys the heap.
   * @throws {CorruptionError} at debug level 3, if the block or its neighbours contradict each other.
   */
  free(addr: number): number {
    if (this.#deferred.length !== 0) this.drain();
    const status = this.#free(addr);
    if (status !== -EAGAIN) return status;
    this.#deferred.push(addr);
    return 0;
  }

  /** Frees what could not be freed when it was asked for; what still cannot be waits for the next call. */
  drain(): void {
    const waiting = this.#deferred.splice(0);
    for (const addr of waiting) {
      if (this.#free(addr) === -EAGAIN) this.#deferred.push(addr);
    }
  }

  /** Payload bytes of a used block. */
  usableBytes(addr: number): number {
    const block = blockOfPayload(addr);
    const memory = this.#memory;
    if (block >= memory.i32.length) memory.sync(this.agent.pagesWord);
    // The owner of a block may read its size without the lock: only the flag of the block before changes meanwhile.
    return usableOf(memory.i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT);
  }

  /** Why an address is not that of a used block; empty if it is one. A look without the lock. */
  faultOf(addr: number): string {
    const block = blockOfPayload(addr);
    if (addr % GRANULE_BYTES !== 0) return `is no multiple of ${GRANULE_BYTES}, as every block's is`;
    const memory = this.#memory;
    memory.sync(this.agent.pagesWord);
    const { i32 } = memory;
    const first = i32[this.headerWord + HEAP_FIRST];
    const top = i32[this.#arenas[0] + ARENA_TOP];
    if (!(block >= blockOfRef(first) && block < blockOfRef(top))) {
      return "lies outside of the heap's blocks";
    }
    if (this.#tagged(block) >= 0) return "";
    return i32[block + BLOCK_TAG] === 0
      ? "is not in use: it has been freed, or never was allocated"
      : "is not where a block begins";
  }

  /**
   * Lengthens a block where it is, into the free block or the untouched tail behind it.
   *
   * @param addr address of the block
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
      const top = index === 0 ? i32[arena + ARENA_TOP] : -1;
      let reach = reachOf(i32, block, top, index === 0 ? i32[arena + ARENA_END] : 0);
      if (reach < wanted && index === 0 && ref + reach >= top) {
        if (growTo(this.agent, this.headerWord, ref + wanted) || growTo(this.agent, this.headerWord, ref + minimum)) {
          i32 = this.#memory.i32;
          reach = reachOf(i32, block, top, i32[arena + ARENA_END]);
        }
      }
      const target = Math.min(reach, wanted);
      if (target > granules && target >= minimum) granules = lengthen(i32, arena, block, target, top);
    }
    this.#finish(arena, block);
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
    this.#finish(arena, block);
    return usableOf(granules);
  }

  /**
   * Lengthens a block over the free block before it, and moves its contents there.
   *
   * @param addr address of the block
   * @param bytes how many payload bytes it shall then have
   * @param align what the new address shall be a multiple of
   * @param minimumDistanceBytes how far it must move for that to be worth the many short copies of a small distance
   * @returns the new address, or 0 if that is not possible.
   */
  extendDown(addr: number, bytes: number, align: number, minimumDistanceBytes: number): number {
    const block = blockOfPayload(addr);
    const index = this.#arenaOfBlock(block);
    if (index < 0) return 0;
    const arena = this.#arenas[index];
    const alignGranules = align <= GRANULE_BYTES ? 1 : align / GRANULE_BYTES;
    if (lockExclusive(this.agent, arena + ARENA_LOCK) !== 0) return 0;
    const oldGranules = this.#memory.i32[block + BLOCK_SIZE] >>> BLOCK_SIZE_SHIFT;
    const distance = minimumDistanceBytes / GRANULE_BYTES;
    const joined = joinDown(
      this.agent,
      this.headerWord,
      index,
      arena,
      block,
      granulesFor(bytes),
      alignGranules,
      distance,
    );
    if (joined !== 0) this.#memory.i32[joined + BLOCK_TAG] = tagOf(joined, this.#seed, index);
    this.#finish(arena, joined !== 0 ? joined : block);
    if (joined === 0) return 0;
    // The joined block is this agent's own: nobody waits while its contents move.
    moveDown(this.agent, block, joined, usableOf(oldGranules));
    this.shrink(payloadOf(joined), bytes);
    return payloadOf(joined);
  }

  /** Uses a free block that has been found. The arena is locked. */
  #use(
    i32: Int32Array,
    index: number,
    arena: number,
    free: BlockWord,
    granules: number,
    alignGranules: number,
  ): BlockWord {
    if (index !== 0 && refOfBlock(free) === i32[arena + ARENA_SPARE]) i32[arena + ARENA_SPARE] = 0;
    const block = takeFree(i32, arena, free, alignGranules === 1 ? 0 : padOf(free, alignGranules), granules);
    i32[block + BLOCK_TAG] = tagOf(block, this.#seed, index);
    return block;
  }

  /** Unlocks an arena, after the checks of debug level 3. Returns the payload address of the block. */
  #finish(arena: number, block: BlockWord): number {
    this.#audit(block);
    return this.#release(arena, block);
  }

  /** At debug level 3: looks at a block and its neighbours. The arena that the block belongs to is locked. */
  #audit(block: BlockWord): void {
    if (this.#audited) this.#fault = auditBlock(this.#memory.i32, block, this.#seed);
  }

  /** Unlocks the last arena held. Returns the payload address of a block. */
  #release(arena: number, block: BlockWord): number {
    unlockExclusive(this.agent, arena + ARENA_LOCK);
    if (this.#audited) this.#raise();
    return payloadOf(block);
  }

  /** Throws what {@linkcode Heap.#audit} has found, once no lock of the heap is held. */
  #raise(): void {
    const fault = this.#fault;
    this.#fault = "";
    if (fault !== "") throw new CorruptionError(`The heap contradicts itself: ${fault}`);
  }

  /** Nothing in the home arena, which is locked, fits: more memory for it, or a block of arena 0. Unlocks. */
  #allocateSlow(home: number, granules: number, alignGranules: number): number {
    const { agent } = this;
    const main = this.#arenas[0];
    const arena = this.#arenas[home];
    let block = 0;
    if (home === 0) {
      block = this.#takeMain(granules, alignGranules, 0);
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
          addSegment(this.#memory.i32, arena, home, segment);
          block = this.#takeListed(home, granules, alignGranules);
        }
      }
      if (block === 0) block = this.#takeMain(granules, alignGranules, 0);
      // The block may be arena 0's: looked at before that is unlocked.
      if (block !== 0) this.#audit(block);
      unlockExclusive(agent, main + ARENA_LOCK);
      if (block !== 0) return this.#release(arena, block);
    }
    if (block !== 0) return this.#finish(arena, block);
    unlockExclusive(agent, arena + ARENA_LOCK);
    return this.#allocateLast(granules, alignGranules);
  }

  /** Before giving up: every arena gives back its free segments and is tried, then arena 0. No lock is held. */
  #allocateLast(granules: number, alignGranules: number): number {
    const { agent } = this;
    if (granules >= BLOCK_LIMIT_GRANULES) return -ENOSPC;
    const count = agent.wasm.load(this.headerWord + HEAP_ARENA_COUNT);
    if (count === 1) return -ENOSPC;
    for (let turn = 1; turn <= count; turn++) {
      const index = turn % count;
      const arena = this.#home.arena(index);
      const status = lockExclusive(agent, arena + ARENA_LOCK);
      if (status !== 0) return status;
      if (index !== 0) releaseFreeSegments(agent, this.#arenas[0], arena);
      const block = index === 0
        ? this.#takeMain(granules, alignGranules, 0)
        : this.#takeListed(index, granules, alignGranules);
      if (block !== 0) return this.#finish(arena, block);
      unlockExclusive(agent, arena + ARENA_LOCK);
    }
    return -ENOSPC;
  }

  /** A block from the lists of an arena, which is locked; 0 if none fits. */
  #takeListed(index: number, granules: number, alignGranules: number): BlockWord {
    const { i32 } = this.#memory;
    const arena = this.#arenas[index];
    const free = findFreeAligned(i32, arena, granules, alignGranules);
    return free === 0 ? 0 : this.#use(i32, index, arena, free, granules, alignGranules);
  }

  /** A block of arena 0, which is locked, from its lists, the tail, or by growth; 0 if there is none. */
  #takeMain(granules: number, alignGranules: number, tag: number): BlockWord {
    const block = takeMain(this.agent, this.headerWord, granules, alignGranules);
    if (block !== 0) this.#memory.i32[block + BLOCK_TAG] = tagOf(block, this.#seed, tag);
    return block;
  }

  #free(addr: number): number {
    const block = blockOfPayload(addr);
    const index = this.#arenaOfBlock(block);
    if (index < 0) return -EINVAL;
    const { agent } = this;
    const arena = this.#arenas[index];
    let status = tryLockExclusive(agent, arena + ARENA_LOCK);
    if (status !== 0) {
      if (status === -EBUSY) {
        if (index === this.#home.index) this.#home.press();
        status = lockExclusive(agent, arena + ARENA_LOCK);
      }
      if (status !== 0) return status;
    }
    const { i32 } = this.#memory;
    // Somebody else may have freed the block since: then the tag is gone.
    if (this.#checked && i32[block + BLOCK_TAG] !== tagOf(block, this.#seed, index)) {
      unlockExclusive(agent, arena + ARENA_LOCK);
      return -EINVAL;
    }
    const free = giveBack(i32, arena, block);
    if (this.#audited) this.#fault = auditBlock(i32, free, this.#seed);
    if (index !== 0) trimSegment(agent, this.#arenas[0], arena, free);
    unlockExclusive(agent, arena + ARENA_LOCK);
    if (this.#audited) this.#raise();
    return 0;
  }

  /** The arena of a used block, from its tag; negative for what is no used block. Needs no lock: the caller owns it. */
  #arenaOfBlock(block: BlockWord): number {
    const memory = this.#memory;
    if (block >= memory.i32.length) memory.sync(this.agent.pagesWord);
    const index = this.#checked ? this.#tagged(block) : memory.i32[block + BLOCK_TAG] & TAG_ARENA;
    if (index >= this.#arenas.length) this.#home.arena(index);
    return index;
  }

  /** The arena of a used block; -1 if the tag is not that of a block that begins there. */
  #tagged(block: BlockWord): number {
    const tag = this.#memory.i32[block + BLOCK_TAG];
    const index = tag & TAG_ARENA;
    if (tag !== tagOf(block, this.#seed, index) || index >= ARENA_LIMIT) return -1;
    // Word 2 of a granule; whatever else the address may be, no block begins there.
    if ((block & (GRANULE_WORDS - 1)) !== BLOCK_PHASE_WORDS) return -1;
    return (this.#memory.i32[block + BLOCK_SIZE] & BLOCK_FREE) === 0 ? index : -1;
  }
}
