/**
 * Reading and writing the bytes of open files, and changing their length.
 *
 * A read holds the inode's lock shared, through a pin in the agent's own slot: readers do not meet each other, and what
 * they copy is not torn. A write holds it exclusively, so that it is atomic against reads and other writes, and an append
 * always lands at the end.
 *
 * @module
 */
import { EBADF, EFBIG, EINVAL, EISDIR, ENOENT } from "../layout/errno.ts";
import {
  INODE_CTIME,
  INODE_LOCK,
  INODE_MTIME,
  INODE_SIZE,
  INODE_VERSION,
  MAXIMUM_FILE_BYTES,
} from "../layout/inode.ts";
import {
  addressOfRange,
  copyBytes,
  coverRange,
  fitSize,
  readBytes,
  releaseBeyond,
  writeBytes,
} from "../store/extents.ts";
import { ESTALE } from "../names/directory.ts";
import { FOLLOW } from "../names/walk.ts";
import { generationOf, S_IFDIR, S_IFMT } from "../store/inodes.ts";
import { publishAndRelease, releaseFile } from "../store/inspect_file.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, lockShared, unlockShared } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import type { OpenFile } from "./descriptors.ts";

/**
 * Reads into `to[offset, offset + bytes)`, a range within it; bytes of it behind those read keep their value.
 *
 * @param position where in the file, or -1 for the current position, which then moves
 * @returns how many bytes were read, or a negative errno.
 */
export function read(
  context: Context,
  file: OpenFile,
  to: Uint8Array,
  offset: number,
  bytes: number,
  position: number,
): number {
  if (!file.readable) return -EBADF;
  if (file.directory) return -EISDIR;
  const at = position < 0 ? file.position : position;
  const count = readInode(context, file.inodeWord, ANY_GENERATION, to, offset, bytes, at);
  if (position < 0 && count > 0) file.position = at + count;
  return count;
}

/** For an inode that the caller knows to be open: its generation cannot change. */
export const ANY_GENERATION = -1;

/** Whether a locked inode is still of the generation at which the caller found it. */
function isStill(context: Context, inode: number, generation: number): boolean {
  return generation === ANY_GENERATION || context.isSame(inode, generation);
}

/**
 * Reads bytes of an inode of a generation, as {@linkcode read} does.
 *
 * @returns how many bytes were read, or a negative errno: `-EBADF` if it is not of that generation any more.
 */
export function readInode(
  context: Context,
  inode: number,
  generation: number,
  to: Uint8Array,
  offset: number,
  bytes: number,
  at: number,
): number {
  const { store } = context;
  const { agent } = store;
  const locked = lockShared(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  let count = -EBADF;
  if (isStill(context, inode, generation)) {
    const left = store.memory.f64[(inode + INODE_SIZE) / 2]! - at;
    count = left <= 0 ? 0 : left < bytes ? left : bytes;
    if (count > 0) copyRange(store, inode, to, offset, count, at);
  }
  unlockShared(agent, inode + INODE_LOCK);
  return count;
}

function copyRange(store: Store, inode: number, to: Uint8Array, offset: number, bytes: number, at: number): void {
  const addr = addressOfRange(store, inode, at, bytes);
  if (addr !== 0) store.memory.copyOut(to, offset, addr, bytes);
  else readBytes(store, inode, to, offset, bytes, at);
}

/** Ranges of one array, one after the other: what `readv` and `writev` name. */
export interface Pieces {
  /** Number of ranges. */
  readonly count: number;
  /** Where each begins. */
  readonly offsets: readonly number[];
  /** Bytes of each. */
  readonly lengths: readonly number[];
}

/** {@linkcode readInode} into several ranges of an array: what the file holds at one moment. */
export function readPieces(
  context: Context,
  inode: number,
  generation: number,
  to: Uint8Array,
  pieces: Pieces,
  position: number,
): number {
  const { store } = context;
  const { agent } = store;
  const locked = lockShared(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  let total = -EBADF;
  if (isStill(context, inode, generation)) {
    total = 0;
    const size = store.memory.f64[(inode + INODE_SIZE) / 2]!;
    for (let index = 0; index < pieces.count; index++) {
      const bytes = Math.min(pieces.lengths[index]!, size - position - total);
      if (bytes > 0) {
        copyRange(store, inode, to, pieces.offsets[index]!, bytes, position + total);
        total += bytes;
      }
    }
  }
  unlockShared(agent, inode + INODE_LOCK);
  return total;
}

/**
 * Reads from a position to the end: what the file holds at one moment. The current position stays.
 *
 * @returns the bytes, or a negative errno.
 * @throws {RangeError} if there is no memory for so large an array.
 */
export function readToEnd(context: Context, file: OpenFile, position: number): Uint8Array<ArrayBuffer> | number {
  if (!file.readable) return -EBADF;
  if (file.directory) return -EISDIR;
  return copyInode(context, file.inodeWord, generationOf(context.store, file.inodeWord), position);
}

/**
 * Reads the file that a path leads to as a whole, as it is at one moment, without opening it.
 *
 * @returns the bytes, or a negative errno, `-EISDIR` for a directory.
 * @throws {RangeError} if there is no memory for so large an array.
 */
export function readPath(context: Context, path: string): Uint8Array<ArrayBuffer> | number {
  const may = context.mayRead();
  if (may !== 0) return may;
  const { walk } = context;
  for (;;) {
    const resolved = walk.resolve(path, FOLLOW);
    if (resolved !== 0) return resolved;
    if (walk.inodeWord === 0) return -ENOENT;
    if ((walk.mode & S_IFMT) === S_IFDIR) return -EISDIR;
    const bytes = copyInode(context, walk.inodeWord, walk.generation, 0);
    if (bytes !== -ESTALE) return bytes;
  }
}

/** A copy of an inode's bytes from a position on; `-ESTALE` if it is not of the generation at which it was found. */
function copyInode(
  context: Context,
  inode: number,
  generation: number,
  position: number,
): Uint8Array<ArrayBuffer> | number {
  const { store } = context;
  const locked = lockShared(store.agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  try {
    // While the lock is held shared nobody claims the inode: what is of the generation now stays it.
    if (!context.isSame(inode, generation)) return -ESTALE;
    const size = store.memory.f64[(inode + INODE_SIZE) / 2]!;
    return copyBytes(store, inode, Math.max(0, size - position), position);
  } finally {
    unlockShared(store.agent, inode + INODE_LOCK);
  }
}

/**
 * Writes `from[offset, offset + bytes)`, a range within it: all of it or nothing.
 *
 * @param position where in the file, or -1 for the current position, which then moves; a file opened for appending is
 * written at its end in either case
 * @returns how many bytes were written, or a negative errno.
 */
export function write(
  context: Context,
  file: OpenFile,
  from: Uint8Array,
  offset: number,
  bytes: number,
  position: number,
): number {
  if (!file.writable) return -EBADF;
  const may = context.mayWrite();
  if (may !== 0) return may;
  if (bytes === 0) return 0;
  const at = file.append ? AT_END : position < 0 ? file.position : position;
  const written = writeInode(context, file.inodeWord, ANY_GENERATION, from, offset, bytes, at);
  if (context.grew) file.grew = true;
  if (position < 0 && written > 0) file.position = context.endOfWrite;
  return written;
}

/** The position of {@linkcode writeInode} that stands for the end of the file, wherever it is once it is locked. */
export const AT_END = -1;

/**
 * Writes bytes to an inode of a generation, as {@linkcode write} does. Leaves in the context where the write ended, and
 * whether it has made room for more.
 *
 * @returns how many bytes were written, or a negative errno: `-EBADF` if it is not of that generation any more.
 */
export function writeInode(
  context: Context,
  inode: number,
  generation: number,
  from: Uint8Array,
  offset: number,
  bytes: number,
  position: number,
): number {
  const { store } = context;
  const { agent, memory, wasm } = store;
  const now = context.now();
  context.grew = false;
  const locked = lockExclusive(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  const size = memory.f64[(inode + INODE_SIZE) / 2]!;
  const at = position === AT_END ? size : position;
  const end = at + bytes;
  let result = 0;
  const addr = at <= size ? addressOfRange(store, inode, at, bytes) : 0;
  if (!isStill(context, inode, generation)) result = -EBADF;
  else if (addr !== 0) memory.copyIn(addr, from, offset, bytes);
  else if (end > MAXIMUM_FILE_BYTES) result = -EFBIG;
  else {
    // The first write of a file gets what it needs; one that goes on gets more, which closing gives back.
    const ahead = size > 0 && end > size;
    wasm.beginChange(inode + INODE_VERSION);
    result = coverRange(store, inode, at, bytes, true, ahead);
    if (result !== 0) releaseBeyond(store, inode, size);
    wasm.endChange(inode + INODE_VERSION);
    context.grew = ahead;
    if (result === 0) writeBytes(store, inode, from, offset, bytes, at);
  }
  if (result !== 0) {
    releaseFile(store, inode);
    return result;
  }
  publishAndRelease(store, inode, end > size ? end : size, now);
  context.endOfWrite = end;
  return bytes;
}

/** Changes the length of an open file. Returns 0 or a negative errno. */
export function truncate(context: Context, file: OpenFile, length: number): number {
  return file.writable ? truncateInode(context, file.inodeWord, ANY_GENERATION, length) : -EINVAL;
}

/** Changes the length of an inode of a generation; `-EBADF` if it is not of that generation any more. */
export function truncateInode(context: Context, inode: number, generation: number, length: number): number {
  const may = context.mayWrite();
  if (may !== 0) return may;
  if (length > MAXIMUM_FILE_BYTES) return -EFBIG;
  const { agent } = context.store;
  const now = context.now();
  const locked = lockExclusive(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  const result = isStill(context, inode, generation) ? setSizeLocked(context.store, inode, length, now) : -EBADF;
  releaseFile(context.store, inode);
  return result;
}

/** Sets the size of a file whose lock is held. */
export function setSizeLocked(store: Store, inodeWord: number, length: number, timeMs: number): number {
  const { memory, wasm } = store;
  wasm.beginChange(inodeWord + INODE_VERSION);
  const result = fitSize(store, inodeWord, length);
  if (result === 0) {
    const { f64 } = memory;
    f64[(inodeWord + INODE_SIZE) / 2] = length;
    f64[(inodeWord + INODE_MTIME) / 2] = timeMs;
    f64[(inodeWord + INODE_CTIME) / 2] = timeMs;
  }
  wasm.endChange(inodeWord + INODE_VERSION);
  return result;
}

/**
 * Reserves room for a range, so that writing it cannot fail for lack of space; new bytes read as zero.
 *
 * @param keepSize whether the size stays as it is where the range reaches beyond it
 * @returns 0 or a negative errno.
 */
export function allocate(
  context: Context,
  file: OpenFile,
  offset: number,
  bytes: number,
  keepSize: boolean,
): number {
  return file.writable ? allocateInode(context, file.inodeWord, ANY_GENERATION, offset, bytes, keepSize) : -EBADF;
}

/** {@linkcode allocate} for an inode of a generation; `-EBADF` if it is not of that generation any more. */
export function allocateInode(
  context: Context,
  inode: number,
  generation: number,
  offset: number,
  bytes: number,
  keepSize: boolean,
): number {
  const may = context.mayWrite();
  if (may !== 0) return may;
  if (offset < 0 || bytes <= 0) return -EINVAL;
  if (offset + bytes > MAXIMUM_FILE_BYTES) return -EFBIG;
  const { store } = context;
  const { agent, memory, wasm } = store;
  const now = context.now();
  const locked = lockExclusive(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  if (!isStill(context, inode, generation)) {
    releaseFile(store, inode);
    return -EBADF;
  }
  const size = memory.f64[(inode + INODE_SIZE) / 2]!;
  wasm.beginChange(inode + INODE_VERSION);
  let result = coverRange(store, inode, offset, bytes, false, false);
  if (result === 0 && !keepSize && offset + bytes > size) result = fitSize(store, inode, offset + bytes);
  if (result !== 0) releaseBeyond(store, inode, size);
  wasm.endChange(inode + INODE_VERSION);
  if (result === 0) wasm.publishWrite(inode, keepSize ? size : Math.max(size, offset + bytes), now);
  releaseFile(store, inode);
  return result;
}

/** Gives back what was allocated ahead of a file that has grown, when its last writer closes it. */
export function trim(context: Context, inode: number): void {
  const { store } = context;
  if (lockExclusive(store.agent, inode + INODE_LOCK) !== 0) return;
  store.wasm.beginChange(inode + INODE_VERSION);
  releaseBeyond(store, inode, store.memory.f64[(inode + INODE_SIZE) / 2]!);
  store.wasm.endChange(inode + INODE_VERSION);
  releaseFile(store, inode);
}
