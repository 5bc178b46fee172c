/**
 * What the tests of the file layer look at in the pool.
 *
 * @module
 */
import type { FileSystem } from "../../../mod.ts";
import { SLOT_LEDGER } from "../../../src/layout/agent_table.ts";
import { LEDGER_COUNT, LEDGER_ENTRIES, LEDGER_NEXT } from "../../../src/layout/inode.ts";
import { GRANULE_WORDS } from "../../../src/layout/units.ts";

/** The refs of the inodes that an agent's ledger names. */
export function ledgerOf(fs: FileSystem): number[] {
  const { memory, slotWord } = fs.pool.agent;
  const { i32 } = memory;
  const refs: number[] = [];
  for (let block = i32[slotWord + SLOT_LEDGER]! * GRANULE_WORDS; block !== 0;) {
    const first = block + LEDGER_ENTRIES;
    refs.push(...i32.slice(first, first + LEDGER_COUNT).filter((entry) => entry !== 0));
    block = i32[block + LEDGER_NEXT]! * GRANULE_WORDS;
  }
  return refs;
}
