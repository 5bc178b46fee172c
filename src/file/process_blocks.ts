/**
 * The blocks that a process takes up in the pool: listed for checks, given back at its end.
 *
 * @module
 */
import * as row from "../layout/process.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import type { Context } from "./context.ts";
import { closeLedger } from "./ledger.ts";

/**
 * Visits the blocks of a process, all but its ledger's. No block is read after its visit, so that a visit may free it.
 *
 * @param i32 the pool's words
 * @param word word of the process
 * @param visit takes the ref of a block and what it is
 */
export function eachProcessBlock(i32: Int32Array, word: number, visit: (ref: number, what: string) => void): void {
  eachOfList(i32, word + row.PROCESS_CHUNKS, row.DESCRIPTIONS_NEXT, (ref) => visit(ref, "descriptions of a process"));
  eachOfList(i32, word + row.PROCESS_MAPPINGS, row.MAPPING_NEXT, (ref) => visit(ref, "mapping of a process"));
  for (let part = 0; part < row.PROCESS_TABLE_PARTS; part++) {
    const ref = i32[word + row.PROCESS_TABLE + part]!;
    if (ref !== 0) visit(ref, "descriptors of a process");
  }
  visit(word / GRANULE_WORDS, "process");
}

function eachOfList(i32: Int32Array, headWord: number, nextOffset: number, visit: (ref: number) => void): void {
  for (let ref = i32[headWord]!; ref !== 0;) {
    const next = i32[ref * GRANULE_WORDS + nextOffset]!;
    visit(ref);
    ref = next;
  }
}

/** Closes the files of a process that nobody uses any more, and gives its memory back. */
export function freeProcess(context: Context, word: number): void {
  const { heap, memory } = context.store;
  closeLedger(context, memory.i32[word + row.PROCESS_LEDGER]! * GRANULE_WORDS);
  eachProcessBlock(memory.i32, word, (ref) => heap.free(ref * GRANULE_BYTES));
}
