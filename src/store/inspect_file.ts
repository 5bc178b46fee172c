/**
 * What is wrong with one file's extents: for the whole-pool check, and for debug level 3, which looks at what an operation
 * touched while its lock is still held.
 *
 * @module
 */
import {
  EXTENT_FILE,
  EXTENT_REF,
  EXTENT_UNIT_BYTES,
  EXTENT_UNITS,
  EXTENT_WORDS,
  INODE_EXTENT_BLOCK,
  INODE_EXTENT_COUNT,
  INODE_EXTENT_ROOM,
  INODE_INLINE_EXTENTS,
  INODE_LOCK,
  INODE_SIZE,
} from "../layout/inode.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import { CorruptionError } from "../memory/errors.ts";
import { unlockExclusive } from "../sync/raw_lock.ts";
import { extentsWordOf } from "./extents.ts";
import type { Store } from "./store.ts";

/** Reports what is wrong with a file's extents, and tells each ref of a block that it uses. The lock is held. */
export function inspectFile(
  store: Store,
  inodeWord: number,
  report: (what: string) => void,
  claim: (ref: number, what: string) => void,
): void {
  const { i32, f64 } = store.memory;
  const size = f64[(inodeWord + INODE_SIZE) / 2]!;
  if (!(size >= 0) || !Number.isInteger(size)) report(`has size ${size}`);
  const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
  const block = i32[inodeWord + INODE_EXTENT_BLOCK]!;
  if (block !== 0) claim(block, "extent list");
  const room = block === 0 ? INODE_INLINE_EXTENTS : i32[inodeWord + INODE_EXTENT_ROOM]!;
  if (count > room) {
    report(`has ${count} extents where there is room for ${room}`);
    return;
  }
  const extents = extentsWordOf(i32, inodeWord);
  let end = 0;
  for (let index = 0; index < count; index++) {
    const extent = extents + index * EXTENT_WORDS;
    const start = i32[extent + EXTENT_FILE]! >>> 0;
    const units = i32[extent + EXTENT_UNITS]! >>> 0;
    const addr = i32[extent + EXTENT_REF]! * GRANULE_BYTES;
    claim(i32[extent + EXTENT_REF]!, `extent ${index}`);
    if (units === 0 || (index > 0 && start < end)) report(`has extent ${index} at ${start} of ${units} units`);
    if (addr % EXTENT_UNIT_BYTES !== 0) report(`has extent ${index} at ${addr}, which is not aligned`);
    if (store.heap.usableBytes(addr) < units * EXTENT_UNIT_BYTES) {
      report(`has extent ${index} of ${units} units in a block of ${store.heap.usableBytes(addr)} bytes`);
    }
    end = start + units;
  }
}

/** Ends a write: publishes size and time and releases the file's lock, in one call but at debug level 3. */
export function publishAndRelease(store: Store, inodeWord: number, size: number, timeMs: number): void {
  const { agent, wasm } = store;
  if (agent.debugLevel >= 3) {
    wasm.publishWrite(inodeWord, size, timeMs);
    releaseFile(store, inodeWord);
  } else {
    agent.depth--;
    wasm.publishAndUnlock(inodeWord, size, timeMs, agent.owner, agent.slotWord, agent.depth);
  }
}

/**
 * Releases the lock of a file that was changed. At debug level 3 it looks at the file first.
 *
 * @throws {CorruptionError} at debug level 3, with the lock released, if the file contradicts itself.
 */
export function releaseFile(store: Store, inodeWord: number): void {
  let wrong: string | undefined;
  if (store.agent.debugLevel >= 3) inspectFile(store, inodeWord, (what) => wrong ??= what, () => {});
  unlockExclusive(store.agent, inodeWord + INODE_LOCK);
  if (wrong !== undefined) throw new CorruptionError(`inode ${inodeWord / GRANULE_WORDS} ${wrong}`);
}
