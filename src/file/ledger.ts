/**
 * Ledgers of open files: closing for those who are gone.
 *
 * @module
 */
import { LEDGER_COUNT, LEDGER_ENTRIES, LEDGER_NEXT, LEDGER_PENDING } from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { dropOpen, generationOf } from "../store/inodes.ts";
import type { Context } from "./context.ts";
import { reapInode } from "./open.ts";

/** Closes what the entries of a ledger name, and gives its blocks back. */
export function closeLedger(context: Context, firstBlock: number): void {
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
