/**
 * Who takes part in a lock: an agent with a slot in a table, or a bare number that a program gives to itself. The slow
 * paths see only this, so that one protocol serves both.
 *
 * @module
 */
import {
  SLOT_HELD,
  SLOT_LOCK_WAITS,
  SLOT_PARKS,
  SLOT_STATE,
  SLOT_WAITED_MS,
  TABLE_FREEZE,
  TABLE_THAWS,
} from "../layout/agent_table.ts";
import { LOCK_SLOT_SHIFT } from "../layout/lock_word.ts";
import type { Intrinsics } from "../memory/intrinsics.ts";
import type { SharedMemory } from "../memory/shared_memory.ts";
import type { Agent } from "./agent.ts";

/** One that takes locks. */
export interface Party {
  /** Views and intrinsics of this thread. */
  readonly memory: SharedMemory;
  /** The intrinsics, for short. */
  readonly wasm: Intrinsics;
  /** What a lock's state word holds while this party owns it. */
  readonly owner: number;
  /** What a reservation of this party's holds: slot + 1, or the bare number; never 0. */
  readonly id: number;
  /** Whether the thread may block. */
  readonly mayBlock: boolean;
  /** False once the party has been retired or has detached: it then must not change anything. */
  isLive(): boolean;
  /** The lowest id, from `fromId` on, of a party that holds the lock shared; 0 where there is none. */
  readerOf(lockWord: number, fromId: number): number;
  /** Clears the record of a lock that is not held after all, or no longer. */
  clearRecord(record: number): void;
  /** Word that is not 0 while others than its owner must not mutate, or -1 where nothing freezes. */
  readonly freezeWord: number;
  /** Word that changes with each thaw. */
  readonly thawsWord: number;
  /** Counts a wait that is over. */
  noteWait(parks: number, waitedMs: number): void;
}

/** An agent as a party. */
class AgentParty implements Party {
  readonly memory: SharedMemory;
  readonly wasm: Intrinsics;
  readonly owner: number;
  readonly id: number;
  readonly mayBlock: boolean;
  readonly freezeWord: number;
  readonly thawsWord: number;
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
    this.memory = agent.memory;
    this.wasm = agent.wasm;
    this.owner = agent.owner;
    this.id = agent.slot + 1;
    this.mayBlock = agent.mayBlock;
    this.freezeWord = agent.tableWord + TABLE_FREEZE;
    this.thawsWord = agent.tableWord + TABLE_THAWS;
  }

  isLive(): boolean {
    // Pairs with the compare-exchange that retires the slot.
    return this.wasm.load(this.#agent.slotWord + SLOT_STATE) === this.#agent.state;
  }

  readerOf(lockWord: number, fromId: number): number {
    return this.wasm.findPin(lockWord, this.#agent.tableWord, fromId === 0 ? 0 : fromId - 1) + 1;
  }

  clearRecord(record: number): void {
    // Plain: while the record stands and the lock is not ours, whoever reads it finds another owner in the lock.
    if (record >= 0) this.memory.i32[this.#agent.slotWord + SLOT_HELD + record] = 0;
  }

  noteWait(parks: number, waitedMs: number): void {
    // Plain: only the slot's agent writes these, others read them as a hint. A retired slot is no longer its own.
    if (!this.#agent.live) return;
    const { slotWord } = this.#agent;
    const { i32, f64 } = this.memory;
    i32[slotWord + SLOT_LOCK_WAITS]! += 1;
    i32[slotWord + SLOT_PARKS]! += parks;
    f64[(slotWord + SLOT_WAITED_MS) / 2]! += waitedMs;
  }
}

const parties = new WeakMap<Agent, Party>();

/** The party of an agent; always the same. */
export function partyOf(agent: Agent): Party {
  let party = parties.get(agent);
  if (party === undefined) {
    party = new AgentParty(agent);
    parties.set(agent, party);
  }
  return party;
}

/** The largest number that a bare party can have: as many as fit where an agent has its slot + 1. */
export const MAXIMUM_OWNER = 2047;

/** What the lane of a bare party holds that is about to read, and does not yet. Negative, as no party's number is. */
export const LANE_CLAIMED = -1;

/** A party without a slot. It cannot be retired, nothing freezes it, and nobody can tell whether it is still there. */
export class BareParty implements Party {
  /** Views and intrinsics of this thread. */
  readonly memory: SharedMemory;
  /** The intrinsics, for short. */
  readonly wasm: Intrinsics;
  /** The owner word. */
  readonly owner: number;
  /** The bare number. */
  readonly id: number;
  /** Whether the thread may block. */
  readonly mayBlock: boolean;
  /** Nothing freezes. */
  readonly freezeWord = -1;
  /** Nothing thaws. */
  readonly thawsWord = -1;
  readonly #lanes: number;
  readonly #firstLane: number;

  /** Makes a party; the lock has `lanes` words for its readers from `firstLane` on, counted from the lock's word. */
  constructor(memory: SharedMemory, id: number, mayBlock: boolean, firstLane = 0, lanes = 0) {
    this.memory = memory;
    this.wasm = memory.wasm;
    this.id = id;
    this.owner = id << LOCK_SLOT_SHIFT;
    this.mayBlock = mayBlock;
    this.#firstLane = firstLane;
    this.#lanes = lanes;
  }

  /** Always. */
  isLive(): boolean {
    return true;
  }

  /** The id of some reader, or 0. Lanes are in no order, so all are looked at. */
  readerOf(lockWord: number): number {
    const first = lockWord + this.#firstLane;
    for (let word = first; word < first + this.#lanes; word++) {
      // A lane holds its reader's number, or LANE_CLAIMED. Pairs with the reader's store: see SharedAttempt.
      const reader = this.wasm.load(word);
      if (reader > 0) return reader;
    }
    return 0;
  }

  /** There is none. */
  clearRecord(): void {}

  /** Not counted. */
  noteWait(): void {}
}
