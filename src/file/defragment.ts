/**
 * Joining the extents of files that nobody has open.
 *
 * A file is moved under its inode's lock: its bytes are copied into one extent, then the new list takes the place of the
 * old one, then the old blocks are freed. Nobody reads meanwhile: a reader would hold the lock shared.
 *
 * @module
 */
import {
  EXTENT_FILE,
  EXTENT_REF,
  EXTENT_UNIT_BYTES,
  EXTENT_UNITS,
  EXTENT_WORDS,
  INODE_BODY,
  INODE_EXTENT_BLOCK,
  INODE_EXTENT_COUNT,
  INODE_EXTENT_ROOM,
  INODE_INLINE_EXTENTS,
  INODE_LOCK,
  INODE_MODE,
  INODE_OPENS,
  INODE_VERSION,
  OPENS_COUNT,
} from "../layout/inode.ts";
import { GRANULE_BYTES } from "../layout/units.ts";
import { extentsWordOf } from "../store/extents.ts";
import { S_IFMT, S_IFREG } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import { eachInode } from "./survey.ts";

/** Joins extents until the budget is spent. */
export function defragment(
  context: Context,
  budgetMs: number,
): { files: number; extents: number; bytes: number; complete: boolean } {
  const { store } = context;
  const end = performance.now() + budgetMs;
  const result = { files: 0, extents: 0, bytes: 0, complete: true };
  store.memory.sync(store.agent.pagesWord);
  const candidates: number[] = [];
  eachInode(store.memory.i32, (inode) => {
    if (store.memory.i32[inode + INODE_EXTENT_COUNT]! > 1) candidates.push(inode);
  });
  for (const inode of candidates) {
    if (performance.now() >= end) {
      result.complete = false;
      break;
    }
    if (lockExclusive(store.agent, inode + INODE_LOCK) !== 0) break;
    const joined = joinLocked(store, inode);
    unlockExclusive(store.agent, inode + INODE_LOCK);
    if (joined === undefined) continue;
    result.files++;
    result.extents += joined.extents;
    result.bytes += joined.bytes;
  }
  return result;
}

function joinLocked(store: Store, inode: number): { extents: number; bytes: number } | undefined {
  const { memory, wasm, heap } = store;
  let { i32 } = memory;
  const count = i32[inode + INODE_EXTENT_COUNT]!;
  if ((i32[inode + INODE_MODE]! & S_IFMT) !== S_IFREG || count < 2) return undefined;
  if ((wasm.load(inode + INODE_OPENS) & OPENS_COUNT) !== 0) return undefined;
  // Runs without a hole in between become one extent each.
  const runs: { first: number; count: number; start: number; units: number; addr: number }[] = [];
  const extents = extentsWordOf(i32, inode);
  for (let index = 0; index < count; index++) {
    const extent = extents + index * EXTENT_WORDS;
    const start = i32[extent + EXTENT_FILE]! >>> 0;
    const units = i32[extent + EXTENT_UNITS]! >>> 0;
    const last = runs[runs.length - 1];
    if (last !== undefined && last.start + last.units === start) {
      last.count++;
      last.units += units;
    } else runs.push({ first: index, count: 1, start, units, addr: i32[extent + EXTENT_REF]! * GRANULE_BYTES });
  }
  if (runs.length === count) return undefined;
  const made: number[] = [];
  let bytes = 0;
  for (const run of runs) {
    if (run.count === 1) continue;
    const addr = heap.allocate(run.units * EXTENT_UNIT_BYTES, EXTENT_UNIT_BYTES);
    if (addr < 0) {
      for (const other of made) heap.free(other);
      return undefined;
    }
    made.push(addr);
    i32 = memory.i32;
    let at = addr;
    for (let index = run.first; index < run.first + run.count; index++) {
      const extent = extents + index * EXTENT_WORDS;
      const length = (i32[extent + EXTENT_UNITS]! >>> 0) * EXTENT_UNIT_BYTES;
      wasm.copy(at, i32[extent + EXTENT_REF]! * GRANULE_BYTES, length);
      at += length;
    }
    bytes += at - addr;
    run.addr = addr;
  }
  replaceExtents(store, inode, extents, runs);
  return { extents: count - runs.length, bytes };
}

function replaceExtents(
  store: Store,
  inode: number,
  extents: number,
  runs: readonly { first: number; count: number; start: number; units: number; addr: number }[],
): void {
  const { memory, wasm, heap } = store;
  const { i32 } = memory;
  const old: number[] = [];
  for (const run of runs) {
    if (run.count === 1) continue;
    for (let index = run.first; index < run.first + run.count; index++) {
      old.push(i32[extents + index * EXTENT_WORDS + EXTENT_REF]! * GRANULE_BYTES);
    }
  }
  const block = i32[inode + INODE_EXTENT_BLOCK]!;
  wasm.beginChange(inode + INODE_VERSION);
  const inline = runs.length <= INODE_INLINE_EXTENTS;
  const target = inline ? inode + INODE_BODY : extents;
  runs.forEach((run, index) => {
    const extent = target + index * EXTENT_WORDS;
    i32[extent + EXTENT_FILE] = run.start;
    i32[extent + EXTENT_REF] = run.addr / GRANULE_BYTES;
    i32[extent + EXTENT_UNITS] = run.units;
  });
  i32[inode + INODE_EXTENT_COUNT] = runs.length;
  if (inline) {
    i32[inode + INODE_EXTENT_BLOCK] = 0;
    i32[inode + INODE_EXTENT_ROOM] = 0;
    if (block !== 0) old.push(block * GRANULE_BYTES);
  }
  wasm.endChange(inode + INODE_VERSION);
  for (const addr of old) heap.free(addr);
}
