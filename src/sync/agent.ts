/**
 * Agents: threads attached to a pool (or to an allocator that is used alone), each with a slot in its table.
 *
 * State of a slot's word (`generation << 2 | state`), and who may change it:
 *
 * | from    | to      | by                                    | when                                              |
 * |---------|---------|---------------------------------------|---------------------------------------------------|
 * | free    | live    | the attaching agent, compare-exchange | generation + 1: an owner word never comes back    |
 * | live    | free    | the agent itself, store               | after it has given back all that it held          |
 * | live    | retired | anybody, compare-exchange             | the agent is known to be gone; fences it          |
 * | retired | free    | the agent that retired it, store      | after it has given back what the gone agent held  |
 *
 * @module
 */
import {
  SLOT_ATTACHED_AT,
  SLOT_FLAGS,
  SLOT_FREE,
  SLOT_GENERATION_SHIFT,
  SLOT_HELD,
  SLOT_HELD_COUNT,
  SLOT_INTENT,
  SLOT_INTENT_WORDS,
  SLOT_LEDGER,
  SLOT_LIVE,
  SLOT_PIN_COUNT,
  SLOT_PINS,
  SLOT_PROCESS,
  SLOT_SCRATCH,
  SLOT_STATE,
  SLOT_STATE_MASK,
  SLOT_WORDS,
  TABLE_CAPACITY,
  TABLE_HEADER_WORDS,
  TABLE_HIGH,
} from "../layout/agent_table.ts";
import { LOCK_GENERATION_SHIFT, LOCK_SLOT_SHIFT } from "../layout/lock_word.ts";
import { AgentTableFullError } from "../memory/errors.ts";
import type { Intrinsics } from "../memory/intrinsics.ts";
import type { SharedMemory } from "../memory/shared_memory.ts";
import { threadMayBlock } from "../memory/waiting.ts";

/** How an agent attaches. */
export interface AgentOptions {
  /** Refuse every change through this attachment. Prevents accidents, not malice: who has the memory can write it. */
  readOnly?: boolean;
  /**
   * Whether this thread may block. Where not, waiting for a lock spins for a bounded time and then fails with `EAGAIN`.
   * Found out by default.
   */
  mayBlock?: boolean;
  /** 0 no checks, 1 preconditions, 2 internal assertions, 3 full checks of what each operation touched. Default 1. */
  debugLevel?: 0 | 1 | 2 | 3;
}

/** An agent: its slot, its owner word, and what it holds. */
export class Agent {
  /** Views and intrinsics of this agent. */
  readonly memory: SharedMemory;
  /** The intrinsics, for short. */
  readonly wasm: Intrinsics;
  /** Word of the agent table. */
  readonly tableWord: number;
  /** Word that holds the memory's size in pages. */
  readonly pagesWord: number;
  /** Index of the agent's slot. */
  readonly slot: number;
  /** Word of the slot. */
  readonly slotWord: number;
  /** The slot's state word while this agent is live. */
  readonly state: number;
  /** What a lock's state word holds while this agent owns it. */
  readonly owner: number;
  /** Whether changes are refused. */
  readonly readOnly: boolean;
  /** Whether the thread may block. */
  readonly mayBlock: boolean;
  /** Debug level. */
  readonly debugLevel: number;
  /** Number of the pool's own locks held: the index of the next record. */
  depth = 0;

  /**
   * Takes a free slot.
   *
   * @throws {AgentTableFullError} if there is none.
   */
  constructor(memory: SharedMemory, tableWord: number, pagesWord: number, options: AgentOptions = {}) {
    this.memory = memory;
    this.wasm = memory.wasm;
    this.tableWord = tableWord;
    this.pagesWord = pagesWord;
    this.readOnly = options.readOnly ?? false;
    this.mayBlock = options.mayBlock ?? threadMayBlock();
    this.debugLevel = options.debugLevel ?? 1;
    const { wasm } = this;
    const capacity = memory.i32[tableWord + TABLE_CAPACITY]!;
    for (let slot = 0; slot < capacity; slot++) {
      const slotWord = slotWordOf(tableWord, slot);
      const found = wasm.load(slotWord + SLOT_STATE);
      if ((found & SLOT_STATE_MASK) !== SLOT_FREE) continue;
      const state = (((found >> SLOT_GENERATION_SHIFT) + 1) << SLOT_GENERATION_SHIFT) | SLOT_LIVE;
      // Pairs with the store of the free state: what the slot's last agent cleared is seen as cleared.
      if (wasm.compareExchange(slotWord + SLOT_STATE, found, state) !== found) continue;
      // The mark rises before the agent pins anything, so that a writer that scans up to it misses no pin.
      for (;;) {
        const high = wasm.load(tableWord + TABLE_HIGH);
        if (high > slot || wasm.compareExchange(tableWord + TABLE_HIGH, high, slot + 1) === high) break;
      }
      const { i32, f64 } = memory;
      i32[slotWord + SLOT_FLAGS] = this.readOnly ? 1 : 0;
      f64[(slotWord + SLOT_ATTACHED_AT) / 2] = Date.now();
      this.slot = slot;
      this.slotWord = slotWord;
      this.state = state;
      this.owner = ownerOf(slot, state);
      return;
    }
    throw new AgentTableFullError(capacity);
  }

  /** Whether the agent still is what it attached as: false after it detached or was retired. One plain load. */
  get live(): boolean {
    return this.memory.i32[this.slotWord + SLOT_STATE] === this.state;
  }

  /** Gives the slot back. The agent holds nothing any more. Does nothing to a slot that is no longer its own. */
  release(): void {
    if (this.live) freeSlot(this.memory, this.slotWord, this.state);
  }
}

/** The word of a slot. */
export function slotWordOf(tableWord: number, slot: number): number {
  return tableWord + TABLE_HEADER_WORDS + slot * SLOT_WORDS;
}

/** The owner word of the agent with this slot and state word. */
export function ownerOf(slot: number, state: number): number {
  return ((slot + 1) << LOCK_SLOT_SHIFT) | ((state >> SLOT_GENERATION_SHIFT) << LOCK_GENERATION_SHIFT);
}

/** Clears a slot and marks it free; its generation stays. The caller owns the slot: its agent, or who retired it. */
export function freeSlot(memory: SharedMemory, slotWord: number, state: number): void {
  const { i32 } = memory;
  i32.fill(0, slotWord + SLOT_PINS, slotWord + SLOT_PINS + SLOT_PIN_COUNT);
  i32.fill(0, slotWord + SLOT_HELD, slotWord + SLOT_HELD + SLOT_HELD_COUNT);
  i32.fill(0, slotWord + SLOT_INTENT, slotWord + SLOT_INTENT + SLOT_INTENT_WORDS);
  i32[slotWord + SLOT_LEDGER] = 0;
  i32[slotWord + SLOT_SCRATCH] = 0;
  i32[slotWord + SLOT_PROCESS] = 0;
  memory.wasm.store(slotWord + SLOT_STATE, (state & ~SLOT_STATE_MASK) | SLOT_FREE);
}
