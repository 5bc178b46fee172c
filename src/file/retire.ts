/**
 * Retiring an agent that is known to be gone: it is fenced, then its open files are closed by its ledger, its scratch and
 * its slot given back.
 *
 * @module
 */
import { SLOT_LEDGER, SLOT_SCRATCH } from "../layout/agent_table.ts";
import { LEDGER_COUNT, LEDGER_ENTRIES, LEDGER_NEXT, LEDGER_PENDING } from "../layout/inode.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import { dropOpen, generationOf } from "../store/inodes.ts";
import { freeSlot } from "../sync/agent.ts";
import { fence } from "../sync/retire.ts";
import type { Context } from "./context.ts";
import { reapInode } from "./open.ts";

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
  closeLedger(context, memory.i32[slotWord + SLOT_LEDGER]! * GRANULE_WORDS);
  const scratch = memory.i32[slotWord + SLOT_SCRATCH]!;
  if (scratch !== 0) store.heap.free(scratch * GRANULE_BYTES);
  freeSlot(memory, slotWord, state);
  return 0;
}

function closeLedger(context: Context, firstBlock: number): void {
  const { store } = context;
  const { i32 } = store.memory;
  for (let block = firstBlock; block !== 0;) {
    for (let entry = block + LEDGER_ENTRIES; entry < block + LEDGER_ENTRIES + LEDGER_COUNT; entry++) {
      const ref = i32[entry]!;
      // An entry in transition may or may not be counted: counting it as open errs on the side of keeping the file.
      if (ref === 0 || (ref & LEDGER_PENDING) !== 0) continue;
      i32[entry] = ref | LEDGER_PENDING;
      const inode = ref * GRANULE_WORDS;
      const generation = generationOf(store, inode);
      if (dropOpen(store, inode) === 0) reapInode(context, inode, generation);
      i32[entry] = 0;
    }
    const next = i32[block + LEDGER_NEXT]! * GRANULE_WORDS;
    store.heap.free(block * 4);
    block = next;
  }
}
