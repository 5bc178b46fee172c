/**
 * What the tests of the file layer look at in the pool.
 *
 * @module
 */
import type { FileSystem } from "../../../mod.ts";
import type { Context } from "../../../src/file/context.ts";
import { chainWordOf } from "../../../src/file/file_lock_table.ts";
import { SLOT_LEDGER } from "../../../src/layout/agent_table.ts";
import {
  CHAIN_HELD,
  FILE_LOCK_AGENT,
  FILE_LOCK_DESCRIPTION,
  FILE_LOCK_END,
  FILE_LOCK_FLAGS,
  FILE_LOCK_INODE,
  FILE_LOCK_NEXT,
  FILE_LOCK_START,
} from "../../../src/layout/file_locks.ts";
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

/** The state of an agent's operations, which a filesystem keeps to itself. */
export function contextOf(fs: FileSystem): Context {
  return (fs as unknown as { context: Context }).context;
}

/** A lock as the pool has it. */
export interface HeldLock {
  /** Owner word of the agent. */
  readonly agent: number;
  /** Serial number of the description, or 0. */
  readonly description: number;
  /** 0 shared, 1 exclusive; 2 more for one on the whole file. */
  readonly kind: number;
  /** First byte. */
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** The locks that are held on an inode; `list`: those that wait. Nobody changes them meanwhile. */
export function heldLocks(fs: FileSystem, inodeWord: number, list: number = CHAIN_HELD): HeldLock[] {
  const { memory, pagesWord } = fs.pool.agent;
  memory.sync(pagesWord);
  const { i32, f64 } = memory;
  const found: HeldLock[] = [];
  for (let ref = i32[chainWordOf(inodeWord) + list]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + FILE_LOCK_NEXT]!) {
    const block = ref * GRANULE_WORDS;
    if (i32[block + FILE_LOCK_INODE] !== inodeWord / GRANULE_WORDS) continue;
    found.push({
      agent: i32[block + FILE_LOCK_AGENT]!,
      description: i32[block + FILE_LOCK_DESCRIPTION]! >>> 0,
      kind: i32[block + FILE_LOCK_FLAGS]!,
      start: f64[(block + FILE_LOCK_START) / 2]!,
      end: f64[(block + FILE_LOCK_END) / 2]!,
    });
  }
  return found;
}
