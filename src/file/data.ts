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
  const { store } = context;
  const { agent } = store;
  const inode = file.inodeWord;
  const at = position < 0 ? file.position : position;
  const locked = lockShared(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  const left = store.memory.f64[(inode + INODE_SIZE) / 2]! - at;
  const count = left <= 0 ? 0 : left < bytes ? left : bytes;
  if (count > 0) {
    const addr = addressOfRange(store, inode, at, count);
    if (addr !== 0) store.memory.copyOut(to, offset, addr, count);
    else readBytes(store, inode, to, offset, count, at);
  }
  unlockShared(agent, inode + INODE_LOCK);
  if (position < 0) file.position = at + count;
  return count;
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
  const { store } = context;
  const { agent, memory, wasm } = store;
  const inode = file.inodeWord;
  const now = context.now();
  const locked = lockExclusive(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
  const size = memory.f64[(inode + INODE_SIZE) / 2]!;
  const at = file.append ? size : position < 0 ? file.position : position;
  const end = at + bytes;
  let result = 0;
  const addr = at <= size ? addressOfRange(store, inode, at, bytes) : 0;
  if (addr !== 0) memory.copyIn(addr, from, offset, bytes);
  else if (end > MAXIMUM_FILE_BYTES) result = -EFBIG;
  else {
    wasm.beginChange(inode + INODE_VERSION);
    result = coverRange(store, inode, at, bytes, true, size > 0 && end > size);
    if (result !== 0) releaseBeyond(store, inode, size);
    wasm.endChange(inode + INODE_VERSION);
    file.grew = true;
    if (result === 0) writeBytes(store, inode, from, offset, bytes, at);
  }
  if (result !== 0) {
    releaseFile(store, inode);
    return result;
  }
  publishAndRelease(store, inode, end > size ? end : size, now);
  if (position < 0) file.position = end;
  return bytes;
}

/** Changes the length of an open file. Returns 0 or a negative errno. */
export function truncate(context: Context, file: OpenFile, length: number): number {
  if (!file.writable) return -EINVAL;
  const may = context.mayWrite();
  if (may !== 0) return may;
  if (length > MAXIMUM_FILE_BYTES) return -EFBIG;
  const { agent } = context.store;
  const now = context.now();
  const locked = lockExclusive(agent, file.inodeWord + INODE_LOCK);
  if (locked !== 0) return locked;
  const result = setSizeLocked(context.store, file.inodeWord, length, now);
  releaseFile(context.store, file.inodeWord);
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
  if (!file.writable) return -EBADF;
  const may = context.mayWrite();
  if (may !== 0) return may;
  if (offset < 0 || bytes <= 0) return -EINVAL;
  if (offset + bytes > MAXIMUM_FILE_BYTES) return -EFBIG;
  const { store } = context;
  const { agent, memory, wasm } = store;
  const inode = file.inodeWord;
  const now = context.now();
  const locked = lockExclusive(agent, inode + INODE_LOCK);
  if (locked !== 0) return locked;
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
export function trim(context: Context, file: OpenFile): void {
  const { store } = context;
  const inode = file.inodeWord;
  if (lockExclusive(store.agent, inode + INODE_LOCK) !== 0) return;
  store.wasm.beginChange(inode + INODE_VERSION);
  releaseBeyond(store, inode, store.memory.f64[(inode + INODE_SIZE) / 2]!);
  store.wasm.endChange(inode + INODE_VERSION);
  releaseFile(store, inode);
}
