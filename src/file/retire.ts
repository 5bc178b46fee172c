/**
 * Retiring an agent that is known to be gone: fencing it and giving back what it held.
 *
 * The fence comes first: from then on each of its operations ends before it changes anything, since every outermost lock
 * asks for the slot's state once it is held. Then its open files are closed by its ledger, its pins removed, its scratch
 * and its slot given back. An agent that was cut off while it held one of the pool's own locks has left a change half
 * done; it stays fenced, and its slot and locks stay as they are.
 *
 * @module
 */
import {
  SLOT_GENERATION_SHIFT,
  SLOT_HELD,
  SLOT_HELD_INTERNAL,
  SLOT_LEDGER,
  SLOT_LIVE,
  SLOT_PIN_COUNT,
  SLOT_PINS,
  SLOT_RETIRED,
  SLOT_SCRATCH,
  SLOT_STATE,
  SLOT_STATE_MASK,
  TABLE_CAPACITY,
} from "../layout/agent_table.ts";
import { EBUSY, EIDRM, EINVAL } from "../layout/errno.ts";
import { LEDGER_COUNT, LEDGER_ENTRIES, LEDGER_NEXT, LEDGER_PENDING } from "../layout/inode.ts";
import { LOCK_OWNER } from "../layout/lock_word.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import { dropOpen, generationOf } from "../store/inodes.ts";
import { type Agent, freeSlot, ownerOf, slotWordOf } from "../sync/agent.ts";
import type { Context } from "./context.ts";
import { reapInode } from "./open.ts";

const SLOT_BITS = 10;

/** The number by which an agent is known: its slot, and the generation of the slot. Never used twice. */
export function agentIdOf(agent: Agent): number {
  return (agent.state >>> SLOT_GENERATION_SHIFT) * 2 ** SLOT_BITS + agent.slot;
}

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
  const { memory, wasm, agent } = store;
  const slot = agentId % 2 ** SLOT_BITS;
  const capacity = memory.i32[agent.tableWord + TABLE_CAPACITY]!;
  if (slot >= capacity || agentId === agentIdOf(agent)) return -EINVAL;
  const slotWord = slotWordOf(agent.tableWord, slot);
  const generation = Math.floor(agentId / 2 ** SLOT_BITS);
  if (generation === 0 || generation >= 2 ** (32 - SLOT_GENERATION_SHIFT)) return -EINVAL;
  const live = (generation << SLOT_GENERATION_SHIFT) | SLOT_LIVE;
  const retired = (live & ~SLOT_STATE_MASK) | SLOT_RETIRED;
  const found = wasm.compareExchange(slotWord + SLOT_STATE, live, retired);
  if (found !== live && found !== retired) {
    return found >>> SLOT_GENERATION_SHIFT < generation ? -EINVAL : -EIDRM;
  }
  const { i32 } = memory;
  const owner = ownerOf(slot, live);
  for (let record = 0; record < SLOT_HELD_INTERNAL; record++) {
    const lockWord = i32[slotWord + SLOT_HELD + record]!;
    if (lockWord !== 0 && (wasm.load(lockWord) & LOCK_OWNER) === owner) return -EBUSY;
  }
  for (let pin = 0; pin < SLOT_PIN_COUNT; pin++) {
    const lockWord = i32[slotWord + SLOT_PINS + pin]!;
    if (lockWord !== 0) wasm.unlockShared(lockWord, slotWord + SLOT_PINS + pin);
  }
  closeLedger(context, i32[slotWord + SLOT_LEDGER]! * GRANULE_WORDS);
  const scratch = i32[slotWord + SLOT_SCRATCH]!;
  if (scratch !== 0) store.heap.free(scratch * GRANULE_BYTES);
  freeSlot(memory, slotWord, retired);
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
