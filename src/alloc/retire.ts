/**
 * Retiring an agent of an allocator that is used alone, once it is known to be gone: its slot becomes free. In a pool the
 * filesystem does this, since there an agent holds more than locks.
 *
 * The fence comes first: from then on the agent takes no lock any more. One that was cut off while it held a lock of the
 * heap has left a change half done; it stays fenced, and its slot and the lock stay as they are.
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
import { type Agent, freeSlot, ownerOf, slotWordOf } from "../sync/agent.ts";

/** Bits of an agent's number that are its slot. */
const SLOT_BITS = 10;

/** The number by which an agent is known: its slot, and the generation of the slot. Never used twice. */
export function agentIdOf(agent: Agent): number {
  return (agent.state >>> SLOT_GENERATION_SHIFT) * 2 ** SLOT_BITS + agent.slot;
}

/**
 * Fences an agent and frees its slot.
 *
 * @returns 0; `-EINVAL` for a number that no agent has had; `-EIDRM` if it has detached or was retired already; `-EBUSY`
 * if it holds a lock of the heap.
 */
export function retireAgent(agent: Agent, agentId: number): number {
  const { memory, wasm } = agent;
  const slot = agentId % 2 ** SLOT_BITS;
  const generation = Math.floor(agentId / 2 ** SLOT_BITS);
  if (!Number.isSafeInteger(agentId) || !(slot < memory.i32[agent.tableWord + TABLE_CAPACITY])) return -EINVAL;
  if (agentId === agentIdOf(agent)) return -EINVAL;
  const slotWord = slotWordOf(agent.tableWord, slot);
  const live = (generation << SLOT_GENERATION_SHIFT) | SLOT_LIVE;
  const retired = (live & ~SLOT_STATE_MASK) | SLOT_RETIRED;
  const found = wasm.compareExchange(slotWord + SLOT_STATE, live, retired);
  if (found !== live && found !== retired) {
    return found >>> SLOT_GENERATION_SHIFT < generation ? -EINVAL : -EIDRM;
  }
  const { i32 } = memory;
  const owner = ownerOf(slot, live);
  for (let record = 0; record < SLOT_HELD_INTERNAL; record++) {
    const lockWord = i32[slotWord + SLOT_HELD + record];
    if (lockWord !== 0 && (wasm.load(lockWord) & LOCK_OWNER) === owner) return -EBUSY;
  }
  for (let pin = 0; pin < SLOT_PIN_COUNT; pin++) {
    const lockWord = i32[slotWord + SLOT_PINS + pin];
    if (lockWord !== 0) wasm.unlockShared(lockWord, slotWord + SLOT_PINS + pin);
  }
  freeSlot(memory, slotWord, retired);
  return 0;
}
