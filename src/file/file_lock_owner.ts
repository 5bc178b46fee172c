/**
 * Owner words of file locks: whose they are.
 *
 * @module
 */
import {
  SLOT_GENERATION_SHIFT,
  SLOT_LIVE,
  SLOT_STATE,
  SLOT_STATE_MASK,
  TABLE_CAPACITY,
} from "../layout/agent_table.ts";
import { LOCK_GENERATION_SHIFT, LOCK_SLOT_BITS, LOCK_SLOT_SHIFT } from "../layout/lock_word.ts";
import { type Agent, slotWordOf } from "../sync/agent.ts";
import { agentIdAt } from "../sync/retire.ts";

/** The number of the attached agent with an owner word; undefined where it is not attached any more. */
export function agentIdOfOwner(agent: Agent, owner: number): number | undefined {
  const state = slotStateOfOwner(agent, owner);
  if (state === undefined || (state & SLOT_STATE_MASK) !== SLOT_LIVE) return undefined;
  return agentIdAt(slotOf(owner), state);
}

/** The state of the slot of an owner word, where its generation is still that of the owner word. */
export function slotStateOfOwner(agent: Agent, owner: number): number | undefined {
  const slot = slotOf(owner);
  if (slot < 0 || slot >= agent.memory.i32[agent.tableWord + TABLE_CAPACITY]!) return undefined;
  const state = agent.wasm.load(slotWordOf(agent.tableWord, slot) + SLOT_STATE);
  const generation = (state >>> SLOT_GENERATION_SHIFT) & 0xffff;
  return generation === owner >>> LOCK_GENERATION_SHIFT ? state : undefined;
}

function slotOf(owner: number): number {
  return ((owner >>> LOCK_SLOT_SHIFT) & ((1 << LOCK_SLOT_BITS) - 1)) - 1;
}
