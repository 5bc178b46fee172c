/**
 * Retiring an agent that is known to be gone: it is fenced, then its open files are closed by its ledger, its scratch and
 * its slot given back. With the agent that keeps a process go the process and all its threads.
 *
 * @module
 */
import {
  SLOT_FREE,
  SLOT_LEDGER,
  SLOT_PROCESS,
  SLOT_SCRATCH,
  SLOT_STATE,
  SLOT_STATE_MASK,
  SLOT_WORDS,
  TABLE_HIGH,
} from "../layout/agent_table.ts";
import { PROCESS_KEEPER } from "../layout/process.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import { freeSlot, ownerOf, slotWordOf } from "../sync/agent.ts";
import { agentIdAt, fence } from "../sync/retire.ts";
import type { Context } from "./context.ts";
import { releaseAllOf } from "./file_locks.ts";
import { closeLedger } from "./ledger.ts";
import { freeProcess } from "./process_blocks.ts";

/**
 * Fences an agent and gives back what it held.
 *
 * @returns 0; `-EINVAL` for a number that no agent has; `-EIDRM` if it has detached or was retired already; `-EBUSY` if it
 * holds one of the pool's own locks.
 */
export function retire(context: Context, agentId: number): number {
  const began = context.begin();
  if (began !== 0) return began;
  const result = retireSteps(context, agentId);
  context.end();
  return result;
}

function retireSteps(context: Context, agentId: number): number {
  const { store } = context;
  const { memory, agent } = store;
  const fenced = fence(agent, agentId);
  if (typeof fenced === "number") return fenced;
  const { slotWord, state } = fenced;
  const process = memory.i32[slotWord + SLOT_PROCESS]! * GRANULE_WORDS;
  if (process !== 0 && memory.i32[process + PROCESS_KEEPER] === ownerOf(slotOf(context, slotWord), state)) {
    const ended = endProcess(context, process);
    if (ended !== 0) return ended;
  }
  releaseAllOf(context, ownerOf(slotOf(context, slotWord), state));
  closeLedger(context, memory.i32[slotWord + SLOT_LEDGER]! * GRANULE_WORDS);
  const scratch = memory.i32[slotWord + SLOT_SCRATCH]!;
  if (scratch !== 0) store.heap.free(scratch * GRANULE_BYTES);
  freeSlot(memory, slotWord, state);
  return 0;
}

/**
 * Ends a process: its other threads are retired, its files closed, its memory given back.
 *
 * @returns 0, or `-EBUSY` if a thread was cut off in the middle of a change; the process then stays.
 */
export function endProcess(context: Context, processWord: number): number {
  const { agent, memory, wasm } = context.store;
  const high = wasm.load(agent.tableWord + TABLE_HIGH);
  const keeper = memory.i32[processWord + PROCESS_KEEPER]!;
  for (let slot = 0; slot < high; slot++) {
    const slotWord = slotWordOf(agent.tableWord, slot);
    const state = wasm.load(slotWord + SLOT_STATE);
    if ((state & SLOT_STATE_MASK) === SLOT_FREE || slotWord === agent.slotWord) continue;
    if (memory.i32[slotWord + SLOT_PROCESS]! * GRANULE_WORDS !== processWord) continue;
    if (ownerOf(slot, state) === keeper) continue;
    const retired = retireSteps(context, agentIdAt(slot, state));
    if (retired !== 0) return retired;
  }
  releaseAllOf(context, keeper);
  freeProcess(context, processWord);
  return 0;
}

/**
 * Leaves the process that this agent belongs to, before it detaches; ends it where the agent keeps it.
 *
 * @returns 0, or `-EBUSY` if a thread of the process was cut off in the middle of a change: the process then stays with
 * the agent's slot, for whoever retires the agent once that thread has ended.
 */
export function leaveProcess(context: Context): number {
  const { agent, memory } = context.store;
  const process = memory.i32[agent.slotWord + SLOT_PROCESS]! * GRANULE_WORDS;
  if (process === 0) return 0;
  if (memory.i32[process + PROCESS_KEEPER] === agent.owner) {
    let ended = context.begin();
    if (ended === 0) {
      ended = endProcess(context, process);
      context.end();
    }
    if (ended !== 0) return ended;
  }
  memory.i32[agent.slotWord + SLOT_PROCESS] = 0;
  return 0;
}

function slotOf(context: Context, slotWord: number): number {
  return (slotWord - slotWordOf(context.store.agent.tableWord, 0)) / SLOT_WORDS;
}
