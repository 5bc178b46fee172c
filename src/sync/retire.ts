/**
 * Fencing an agent that is known to be gone.
 *
 * The fence comes first: from then on each of the agent's operations ends before it changes anything, since every
 * outermost lock asks for the slot's state once it is held. An operation that had begun may still finish, if the agent
 * lives after all; that is waited for. One that was cut off in the middle has left a change half done: the agent stays
 * fenced, and its slot and its locks stay as they are.
 *
 * @module
 */
import {
  SLOT_GENERATION_SHIFT,
  SLOT_HELD,
  SLOT_HELD_INTERNAL,
  SLOT_LIVE,
  SLOT_PIN_COUNT,
  SLOT_PINS,
  SLOT_RETIRED,
  SLOT_STATE,
  SLOT_STATE_MASK,
  TABLE_CAPACITY,
} from "../layout/agent_table.ts";
import { EBUSY, EIDRM, EINVAL } from "../layout/errno.ts";
import { LOCK_OWNER } from "../layout/lock_word.ts";
import { pause } from "../memory/waiting.ts";
import { type Agent, ownerOf, slotWordOf } from "./agent.ts";

/** Bits of an agent's number that are its slot. */
const SLOT_BITS = 10;
/** How long the agent's last operation is waited for. */
const FINISH_MS = 100;

/** The number by which an agent is known: its slot, and the generation of the slot. Never used twice. */
export function agentIdOf(agent: Agent): number {
  return agentIdAt(agent.slot, agent.state);
}

/** The number of the agent that has a slot with this state word. */
export function agentIdAt(slot: number, state: number): number {
  return (state >>> SLOT_GENERATION_SHIFT) * 2 ** SLOT_BITS + slot;
}

/** An agent that has been fenced, and holds nothing of the pool's own but what its slot tells. */
export interface FencedAgent {
  /** Word of its slot. */
  readonly slotWord: number;
  /** The slot's state word. */
  readonly state: number;
}

/**
 * Fences an agent and takes its pins away. The caller gives back what else it held, then its slot.
 *
 * @returns the agent; or `-EINVAL` for a number that no other agent has had, `-EIDRM` if it has detached or was retired
 * already, `-EBUSY` if it holds one of the pool's own locks and does not release it.
 */
export function fence(agent: Agent, agentId: number): FencedAgent | number {
  const { memory, wasm } = agent;
  const slot = agentId % 2 ** SLOT_BITS;
  const generation = Math.floor(agentId / 2 ** SLOT_BITS);
  if (!Number.isSafeInteger(agentId) || generation < 1 || generation >= 2 ** (32 - SLOT_GENERATION_SHIFT)) {
    return -EINVAL;
  }
  if (slot >= memory.i32[agent.tableWord + TABLE_CAPACITY]! || agentId === agentIdOf(agent)) return -EINVAL;
  const slotWord = slotWordOf(agent.tableWord, slot);
  const live = (generation << SLOT_GENERATION_SHIFT) | SLOT_LIVE;
  const retired = (live & ~SLOT_STATE_MASK) | SLOT_RETIRED;
  const found = wasm.compareExchange(slotWord + SLOT_STATE, live, retired);
  if (found !== live && found !== retired) {
    return found >>> SLOT_GENERATION_SHIFT < generation ? -EINVAL : -EIDRM;
  }
  const owner = ownerOf(slot, live);
  const end = performance.now() + FINISH_MS;
  for (let record = 0; record < SLOT_HELD_INTERNAL; record++) {
    while (owns(agent, slotWord + SLOT_HELD + record, owner)) {
      if (performance.now() > end) return -EBUSY;
      pause();
    }
  }
  for (let pinWord = slotWord + SLOT_PINS; pinWord < slotWord + SLOT_PINS + SLOT_PIN_COUNT; pinWord++) {
    const lockWord = memory.i32[pinWord]!;
    if (lockWord !== 0) wasm.unlockShared(lockWord, pinWord);
  }
  return { slotWord, state: retired };
}

/** Fences an agent by itself: its slot stays, with what it could not give back, until somebody retires it. */
export function fenceSelf(agent: Agent): void {
  agent.wasm.compareExchange(agent.slotWord + SLOT_STATE, agent.state, (agent.state & ~SLOT_STATE_MASK) | SLOT_RETIRED);
}

function owns(agent: Agent, recordWord: number, owner: number): boolean {
  const lockWord = agent.wasm.load(recordWord);
  return lockWord !== 0 && (agent.wasm.load(lockWord) & LOCK_OWNER) === owner;
}
