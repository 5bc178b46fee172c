/**
 * Which arena an agent allocates from.
 *
 * All begin in arena 0, so that a program with one agent has one arena and nothing is wasted. An agent leaves when it
 * meets contention again and again from agents that allocate there too (contention by those that only give back blocks
 * would follow it anywhere), and of those that meet only one leaves at a time. What it has allocated stays behind; hence
 * an agent that comes when another has much in arena 0 already begins elsewhere.
 *
 * @module
 */
import { SLOT_LIVE, SLOT_STATE, SLOT_STATE_MASK } from "../layout/agent_table.ts";
import {
  ARENA_DEPARTURES,
  ARENA_LIMIT,
  ARENA_LIVE_GRANULES,
  ARENA_LOCK,
  ARENA_USER,
  ARENA_WORDS,
  BLOCK_TAG,
  HEAP_ARENA_0,
  HEAP_ARENA_COUNT,
  HEAP_ARENAS,
  HEAP_SEED,
  TAG_OWN,
} from "../layout/heap.ts";
import { LOCK_SLOT_BITS, LOCK_SLOT_SHIFT } from "../layout/lock_word.ts";
import { GRANULE_BYTES, GRANULE_WORDS, LINE_BYTES } from "../layout/units.ts";
import { type Agent, ownerOf, slotWordOf } from "../sync/agent.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import { granulesFor, payloadOf, tagOf } from "./block.ts";
import { takeMain } from "./main_arena.ts";

/** What a contended acquisition adds to an agent's measure of contention; each allocation takes 1 off. */
const PRESSURE_STEP = 4096;
/** From here on an agent leaves its arena: a third contended acquisition within some thousand allocations. */
const PRESSURE_LIMIT = 2 * PRESSURE_STEP;
/** From so much in arena 0 on, 4 MiB, an agent that comes to share it begins with another arena. */
const START_GRANULES = 2 ** 22 / GRANULE_BYTES;

/** An agent's home arena, and its measure of the contention there. */
export class Home {
  /** Index of the arena. */
  index = 0;
  /** Words of the arenas known so far. */
  readonly arenas: number[];
  /** At first beyond the limit, which leads to the choice of a home at the first allocation. */
  #pressure = PRESSURE_LIMIT + 1;
  #departures = 0;
  #started = false;
  readonly #agent: Agent;
  readonly #headerWord: number;

  /** For an agent of the heap with this header. */
  constructor(agent: Agent, headerWord: number) {
    this.#agent = agent;
    this.#headerWord = headerWord;
    this.arenas = [headerWord + HEAP_ARENA_0];
  }

  /** The word of an arena. */
  arena(index: number): number {
    const { arenas } = this;
    const { i32 } = this.#agent.memory;
    // An arena is stored before any block is tagged with it, and such a block comes to us by some synchronization.
    while (arenas.length <= index) arenas.push(i32[this.#headerWord + HEAP_ARENAS + arenas.length] * GRANULE_WORDS);
    return arenas[index];
  }

  /** To be called at each allocation: whether {@linkcode Home.move} is due. */
  ease(): boolean {
    return this.#pressure !== 0 && --this.#pressure >= PRESSURE_LIMIT;
  }

  /** To be called when somebody else held the lock of the home arena. A plain read of a hint. */
  press(): void {
    const arena = this.arenas[this.index];
    if (this.#agent.memory.i32[arena + ARENA_USER] !== this.#agent.owner) this.#pressure += PRESSURE_STEP;
  }

  /** Moves to another arena if that is due. No lock of the heap is held. */
  move(): void {
    if (!this.#started) {
      this.#started = true;
      this.#pressure = 0;
      const { i32 } = this.#agent.memory;
      const main = this.arenas[0];
      // Both are hints.
      if (i32[main + ARENA_LIVE_GRANULES] >= START_GRANULES && this.#isUsed(main)) this.#choose();
    } else if (this.#pressure >= PRESSURE_LIMIT) {
      this.#pressure = 0;
      if (this.#mayLeave()) this.#choose();
    }
  }

  /** Whether nobody has left this arena since the contention began: then this agent is the one that does. */
  #mayLeave(): boolean {
    const agent = this.#agent;
    const arena = this.arenas[this.index];
    if (lockExclusive(agent, arena + ARENA_LOCK) !== 0) return false;
    const { i32 } = agent.memory;
    const departures = i32[arena + ARENA_DEPARTURES];
    const leaves = departures === this.#departures;
    if (leaves) i32[arena + ARENA_DEPARTURES] = departures + 1;
    else this.#departures = departures;
    unlockExclusive(agent, arena + ARENA_LOCK);
    return leaves;
  }

  /** Takes an arena that no other agent uses as home, else a new one, else the next. */
  #choose(): void {
    const agent = this.#agent;
    const count = agent.wasm.load(this.#headerWord + HEAP_ARENA_COUNT);
    agent.memory.sync(agent.pagesWord);
    let index = -1;
    for (let step = 1; step < count && index < 0; step++) {
      const candidate = (this.index + step) % count;
      if (!this.#isUsed(this.arena(candidate))) index = candidate;
    }
    if (index < 0 && count < ARENA_LIMIT) index = this.#make();
    if (index < 0) index = (this.index + 1) % count;
    this.index = index;
    this.#departures = agent.memory.i32[this.arena(index) + ARENA_DEPARTURES];
  }

  /** Whether another agent that is still attached was the last to allocate in an arena. */
  #isUsed(arena: number): boolean {
    const agent = this.#agent;
    const owner = agent.memory.i32[arena + ARENA_USER];
    if (owner === 0 || owner === agent.owner) return false;
    const slot = ((owner >>> LOCK_SLOT_SHIFT) & ((1 << LOCK_SLOT_BITS) - 1)) - 1;
    const state = agent.memory.i32[slotWordOf(agent.tableWord, slot) + SLOT_STATE];
    return (state & SLOT_STATE_MASK) === SLOT_LIVE && ownerOf(slot, state) === owner;
  }

  /** Makes a further arena. Returns its index, or -1. */
  #make(): number {
    const agent = this.#agent;
    const header = this.#headerWord;
    const main = this.arenas[0];
    if (lockExclusive(agent, main + ARENA_LOCK) !== 0) return -1;
    const index = agent.memory.i32[header + HEAP_ARENA_COUNT];
    const block = index < ARENA_LIMIT
      ? takeMain(agent, header, granulesFor(ARENA_WORDS * 4), LINE_BYTES / GRANULE_BYTES)
      : 0;
    if (block !== 0) {
      const { i32 } = agent.memory;
      i32[block + BLOCK_TAG] = tagOf(block, i32[header + HEAP_SEED], TAG_OWN);
      const addr = payloadOf(block);
      agent.wasm.fill(addr, 0, ARENA_WORDS * 4);
      agent.wasm.store(header + HEAP_ARENAS + index, addr / GRANULE_BYTES);
      // Pairs with the loads of the count: whoever sees it sees the arena.
      agent.wasm.store(header + HEAP_ARENA_COUNT, index + 1);
    }
    unlockExclusive(agent, main + ARENA_LOCK);
    return block !== 0 ? index : -1;
  }
}
