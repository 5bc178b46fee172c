/**
 * One bucket of directory entries: entries grow upwards behind the header, names downwards from the end, without gaps.
 *
 *     used = BUCKET_ENTRIES * 4 + count * ENTRY_WORDS * 4 + sum of nameBytes <= bytes
 *     names = bytes - sum of nameBytes
 *
 * All functions but the reading ones need the guard of the bucket's directory (or stripe) and its version made odd.
 *
 * @module
 */
import {
  BUCKET_BYTES,
  BUCKET_COUNT,
  BUCKET_DEPTH,
  BUCKET_ENTRIES,
  BUCKET_LIMIT,
  BUCKET_NAMES,
  BUCKET_SIZES,
  ENTRY_HASH,
  ENTRY_INODE,
  ENTRY_NAME,
  ENTRY_WORDS,
} from "../layout/directory.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "../store/store.ts";

const HEADER_BYTES = BUCKET_ENTRIES * 4;
const ENTRY_BYTES = ENTRY_WORDS * 4;

/** Word of an entry. */
export function entryWordOf(bucketWord: number, index: number): number {
  return bucketWord + BUCKET_ENTRIES + index * ENTRY_WORDS;
}

/** Length of an entry's name in bytes. */
export function nameBytesOf(i32: Int32Array, entryWord: number): number {
  return (i32[entryWord + ENTRY_NAME]! >>> 16) & 255;
}

/** Word of an entry's inode. */
export function inodeWordOf(i32: Int32Array, entryWord: number): number {
  return i32[entryWord + ENTRY_INODE]! * GRANULE_WORDS;
}

/** Type of an entry's inode: its mode's type bits, shifted right by 12. */
export function typeOf(i32: Int32Array, entryWord: number): number {
  return i32[entryWord + ENTRY_NAME]! >>> 24;
}

/** Bytes that an entry takes in a bucket. */
export function entryBytes(nameBytes: number): number {
  return ENTRY_BYTES + nameBytes;
}

/** Bytes in use. */
export function usedBytes(i32: Int32Array, bucketWord: number): number {
  return HEADER_BYTES + i32[bucketWord + BUCKET_COUNT]! * ENTRY_BYTES +
    (i32[bucketWord + BUCKET_BYTES]! - i32[bucketWord + BUCKET_NAMES]!);
}

/** Bytes free. */
export function roomOf(i32: Int32Array, bucketWord: number): number {
  return i32[bucketWord + BUCKET_NAMES]! - HEADER_BYTES - i32[bucketWord + BUCKET_COUNT]! * ENTRY_BYTES;
}

/** The smallest bucket size for some used bytes; 0 where none is large enough. */
export function bucketSizeFor(used: number): number {
  for (const size of BUCKET_SIZES) {
    if (used <= size) return size;
  }
  for (let size = 2 * BUCKET_SIZES[BUCKET_SIZES.length - 1]! + 8; size <= BUCKET_LIMIT; size = 2 * size + 8) {
    if (used <= size) return size;
  }
  return 0;
}

/** Allocates an empty bucket. Returns its word or a negative errno. */
export function makeBucket(store: Store, bytes: number, depth: number): number {
  const addr = store.heap.allocate(bytes);
  if (addr < 0) return addr;
  const { i32 } = store.memory;
  const word = addr / 4;
  i32[word + BUCKET_COUNT] = 0;
  i32[word + BUCKET_NAMES] = bytes;
  i32[word + BUCKET_BYTES] = bytes;
  i32[word + BUCKET_DEPTH] = depth;
  return word;
}

/** Gives a bucket back. */
export function freeBucket(store: Store, bucketWord: number): void {
  store.heap.free(bucketWord * 4);
}

/** Adds an entry whose name stands at a byte address. There is room for it. */
export function addEntry(
  store: Store,
  bucketWord: number,
  hash: number,
  inodeRef: number,
  type: number,
  nameAddr: number,
  nameBytes: number,
): void {
  const { i32 } = store.memory;
  const offset = i32[bucketWord + BUCKET_NAMES]! - nameBytes;
  store.wasm.copy(bucketWord * 4 + offset, nameAddr, nameBytes);
  const count = i32[bucketWord + BUCKET_COUNT]!;
  const entry = entryWordOf(bucketWord, count);
  i32[entry + ENTRY_HASH] = hash;
  i32[entry + ENTRY_INODE] = inodeRef;
  i32[entry + ENTRY_NAME] = (type << 24) | (nameBytes << 16) | offset;
  i32[bucketWord + BUCKET_NAMES] = offset;
  // Last, so that a bucket cut off here holds the entry or does not.
  i32[bucketWord + BUCKET_COUNT] = count + 1;
}

/** Removes an entry: the last one takes its place, and the names below its own move up. */
export function removeEntry(store: Store, bucketWord: number, entryWord: number): void {
  const { i32 } = store.memory;
  const name = i32[entryWord + ENTRY_NAME]!;
  const offset = name & 0xffff;
  const nameBytes = (name >>> 16) & 255;
  const count = i32[bucketWord + BUCKET_COUNT]! - 1;
  const last = entryWordOf(bucketWord, count);
  i32[bucketWord + BUCKET_COUNT] = count;
  i32[entryWord + ENTRY_HASH] = i32[last + ENTRY_HASH]!;
  i32[entryWord + ENTRY_INODE] = i32[last + ENTRY_INODE]!;
  i32[entryWord + ENTRY_NAME] = i32[last + ENTRY_NAME]!;
  const names = i32[bucketWord + BUCKET_NAMES]!;
  if (offset > names) {
    store.wasm.copy(bucketWord * 4 + names + nameBytes, bucketWord * 4 + names, offset - names);
    for (let entry = entryWordOf(bucketWord, 0); entry < last; entry += ENTRY_WORDS) {
      const word = i32[entry + ENTRY_NAME]!;
      if ((word & 0xffff) < offset) i32[entry + ENTRY_NAME] = word + nameBytes;
    }
  }
  i32[bucketWord + BUCKET_NAMES] = names + nameBytes;
}

/** Copies one entry of a bucket into another, which has room. */
export function copyEntry(store: Store, from: number, entryWord: number, to: number): void {
  const { i32 } = store.memory;
  const name = i32[entryWord + ENTRY_NAME]!;
  addEntry(
    store,
    to,
    i32[entryWord + ENTRY_HASH]!,
    i32[entryWord + ENTRY_INODE]!,
    name >>> 24,
    from * 4 + (name & 0xffff),
    (name >>> 16) & 255,
  );
}

/** Copies the entries of a bucket whose hash, masked, has a value into another, which has room. */
export function copyEntries(store: Store, from: number, to: number, mask: number, value: number): void {
  const { i32 } = store.memory;
  const count = i32[from + BUCKET_COUNT]!;
  for (let index = 0; index < count; index++) {
    const entry = entryWordOf(from, index);
    if ((i32[entry + ENTRY_HASH]! & mask) === value) copyEntry(store, from, entry, to);
  }
}
