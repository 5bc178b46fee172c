/**
 * The buckets of a directory: one bucket of a small directory, or the tables of an index. Extendible hashing (Fagin et
 * al., 1979) in fixed tables of 256 slots: each level consumes eight bits of the hash, a bucket of depth `d` stands in
 * `2^(8 - d)` neighbouring slots, and splitting or merging touches one bucket and its buddy, never the directory.
 *
 * Invariants, for a directory that nobody changes:
 * - every slot is 0, a bucket whose depth tells which aligned run of slots holds it, or a tagged table;
 * - in an index's first table a bucket's depth is at least 4, so that no bucket belongs to two stripes;
 * - an entry is in the bucket to which its hash leads.
 *
 * All functions but {@linkcode locateBucket} need the guard of the hash held.
 *
 * @module
 */
import { EFBIG } from "../layout/errno.ts";
import {
  BUCKET_BYTES,
  BUCKET_COUNT,
  BUCKET_DEPTH,
  BUCKET_ENTRIES,
  BUCKET_SIZES,
  ENTRY_HASH,
  INDEX_TABLE,
  SLOT_IS_TABLE,
  STRIPE_SHIFT,
  TABLE_SLOTS,
} from "../layout/directory.ts";
import { DIR_BUCKET, DIR_INDEX } from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "../store/store.ts";
import {
  bucketSizeFor,
  copyEntries,
  entryBytes,
  entryWordOf,
  freeBucket,
  makeBucket,
  nameBytesOf,
  roomOf,
  usedBytes,
} from "./bucket.ts";

/** Result of {@linkcode makeRoom}: the small directory has been given an index; take its guard anew. */
export const CONVERT = 1;

const LARGEST = BUCKET_SIZES[BUCKET_SIZES.length - 1]!;
/** Two buckets are joined where together they fill at most this much: half, so that they do not split again at once. */
const MERGE_BYTES = BUCKET_SIZES[BUCKET_SIZES.length - 2]!;
/** Levels of tables: four of eight bits. */
const LAST_SHIFT = 0;
const FIRST_SHIFT = 24;
/** A bucket in the first table spans at most the slots of one stripe. */
const FIRST_DEPTH = 4;
/** The bits of the hash that choose the stripe. */
const STRIPE_MASK = 0xf000_0000 | 0;

/** Where a hash leads. */
export interface BucketPlace {
  /** Word of the bucket, or 0. */
  bucket: number;
  /** Word of the slot that refers to it: a table's, or a small directory's `DIR_BUCKET`. */
  slot: number;
  /** Word of the table of the slot; 0 for a small directory. */
  table: number;
  /** Shift of the hash at that level. */
  shift: number;
}

/** Makes a place to be filled by {@linkcode locateBucket}; one is kept by each agent, so that looking up allocates nothing. */
export function makePlace(): BucketPlace {
  return { bucket: 0, slot: 0, table: 0, shift: 0 };
}

/**
 * Follows a hash to its bucket. Without the guard the result may be garbage: 0 or a word within or beyond the memory,
 * to be validated by the version.
 */
export function locateBucket(i32: Int32Array, directoryWord: number, hash: number, place: BucketPlace): number {
  const index = i32[directoryWord + DIR_INDEX]! | 0;
  if (index === 0) {
    place.table = 0;
    place.shift = FIRST_SHIFT;
    place.slot = directoryWord + DIR_BUCKET;
    return place.bucket = (i32[directoryWord + DIR_BUCKET]! | 0) * GRANULE_WORDS;
  }
  let table = index * GRANULE_WORDS + INDEX_TABLE;
  let shift = FIRST_SHIFT;
  for (;;) {
    const slot = table + ((hash >>> shift) & (TABLE_SLOTS - 1));
    const ref = i32[slot]! | 0;
    if ((ref & SLOT_IS_TABLE) === 0 || shift === LAST_SHIFT) {
      place.table = table;
      place.shift = shift;
      place.slot = slot;
      return place.bucket = (ref & ~SLOT_IS_TABLE) * GRANULE_WORDS;
    }
    table = (ref & ~SLOT_IS_TABLE) * GRANULE_WORDS;
    shift -= 8;
  }
}

/** Lets the slots of a place refer to a bucket (word, or 0) of a depth. */
function setSlots(i32: Int32Array, place: BucketPlace, hash: number, depth: number, bucketWord: number): void {
  const ref = bucketWord / GRANULE_WORDS;
  if (place.table === 0) {
    i32[place.slot] = ref;
    return;
  }
  const span = TABLE_SLOTS >> depth;
  const first = place.table + (((hash >>> place.shift) & (TABLE_SLOTS - 1)) & ~(span - 1));
  i32.fill(ref, first, first + span);
}

/**
 * Makes sure that the bucket of a hash has room for an entry. `versionWord` is the guard's version, made odd while slots
 * change.
 *
 * @returns 0, {@linkcode CONVERT} where the directory is small and its only bucket is full, or a negative errno.
 */
export function makeRoom(
  store: Store,
  directoryWord: number,
  versionWord: number,
  hash: number,
  nameBytes: number,
  place: BucketPlace,
): number {
  const { memory, wasm } = store;
  const need = entryBytes(nameBytes);
  for (;;) {
    const bucket = locateBucket(memory.i32, directoryWord, hash, place);
    if (bucket === 0) {
      const depth = place.table === 0 ? 0 : emptyDepth(memory.i32, place, hash);
      const made = makeBucket(store, bucketSizeFor(need + BUCKET_ENTRIES * 4), depth);
      if (made < 0) return made;
      wasm.beginChange(versionWord);
      setSlots(memory.i32, place, hash, depth, made);
      wasm.endChange(versionWord);
      place.bucket = made;
      return 0;
    }
    if (roomOf(memory.i32, bucket) >= need) return 0;
    const used = usedBytes(memory.i32, bucket);
    const depth = memory.i32[bucket + BUCKET_DEPTH]!;
    const size = bucketSizeFor(used + need);
    let result: number;
    if (size !== 0 && (size <= LARGEST || (place.shift === LAST_SHIFT && depth === 8))) {
      result = resizeBucket(store, versionWord, hash, place, size);
      if (result === 0) return 0;
    } else if (place.table === 0) return CONVERT;
    else if (depth < 8) result = splitBucket(store, versionWord, hash, place);
    else if (place.shift > LAST_SHIFT) result = deepenBucket(store, versionWord, place);
    else return -EFBIG;
    if (result !== 0) return result;
  }
}

/** The smallest depth at which a new bucket can stand around an empty slot: over as many empty neighbours as it may. */
function emptyDepth(i32: Int32Array, place: BucketPlace, hash: number): number {
  const least = place.shift === FIRST_SHIFT ? FIRST_DEPTH : 0;
  let depth = 8;
  while (depth > least) {
    const span = TABLE_SLOTS >> (depth - 1);
    const first = place.table + (((hash >>> place.shift) & (TABLE_SLOTS - 1)) & ~(span - 1));
    for (let slot = first; slot < first + span; slot++) {
      if (i32[slot] !== 0) return depth;
    }
    depth--;
  }
  return depth;
}

/** Moves a bucket's entries into a bucket of another size. */
function resizeBucket(store: Store, versionWord: number, hash: number, place: BucketPlace, bytes: number): number {
  const { memory, wasm } = store;
  const old = place.bucket;
  const depth = memory.i32[old + BUCKET_DEPTH]!;
  const made = makeBucket(store, bytes, depth);
  if (made < 0) return made;
  copyEntries(store, old, made, 0, 0);
  wasm.beginChange(versionWord);
  setSlots(memory.i32, place, hash, depth, made);
  wasm.endChange(versionWord);
  freeBucket(store, old);
  place.bucket = made;
  return 0;
}

/** Divides a bucket in two by the next bit of its entries' hashes. */
function splitBucket(store: Store, versionWord: number, hash: number, place: BucketPlace): number {
  const { memory, wasm } = store;
  const old = place.bucket;
  const depth = memory.i32[old + BUCKET_DEPTH]!;
  const bit = 1 << (place.shift + 7 - depth);
  const low = makePart(store, old, bit, 0, depth + 1);
  if (low < 0) return low;
  const high = makePart(store, old, bit, bit, depth + 1);
  if (high < 0) {
    if (low !== 0) freeBucket(store, low);
    return high;
  }
  wasm.beginChange(versionWord);
  setSlots(memory.i32, place, hash & ~bit, depth + 1, low);
  setSlots(memory.i32, place, hash | bit, depth + 1, high);
  wasm.endChange(versionWord);
  freeBucket(store, old);
  return 0;
}

/** Makes a bucket of those entries whose hash, masked, has a value; 0 where there are none. */
function makePart(store: Store, from: number, mask: number, value: number, depth: number): number {
  const { i32 } = store.memory;
  const count = i32[from + BUCKET_COUNT]!;
  let used = 0;
  for (let index = 0; index < count; index++) {
    const entry = entryWordOf(from, index);
    if ((i32[entry + ENTRY_HASH]! & mask) === value) used += entryBytes(nameBytesOf(i32, entry));
  }
  if (used === 0) return 0;
  const made = makeBucket(store, bucketSizeFor(used + BUCKET_ENTRIES * 4), depth);
  if (made > 0) copyEntries(store, from, made, mask, value);
  return made;
}

/** Puts a table of the next level in place of a bucket that stands in one slot. */
function deepenBucket(store: Store, versionWord: number, place: BucketPlace): number {
  const { memory, wasm } = store;
  const addr = store.heap.allocate(TABLE_SLOTS * 4);
  if (addr < 0) return addr;
  const { i32 } = memory;
  const table = addr / 4;
  i32.fill(place.bucket / GRANULE_WORDS, table, table + TABLE_SLOTS);
  wasm.beginChange(versionWord);
  i32[place.bucket + BUCKET_DEPTH] = 0;
  i32[place.slot] = (table / GRANULE_WORDS) | SLOT_IS_TABLE;
  wasm.endChange(versionWord);
  return 0;
}

/**
 * After a removal: gives an empty bucket back, shrinks one that is mostly empty, or joins it with its buddy. Only saves
 * space; where memory is short it does nothing.
 */
export function tidyBucket(
  store: Store,
  directoryWord: number,
  versionWord: number,
  hash: number,
  place: BucketPlace,
): void {
  const { memory, wasm } = store;
  const { i32 } = memory;
  const bucket = place.bucket;
  const used = usedBytes(i32, bucket);
  const depth = i32[bucket + BUCKET_DEPTH]!;
  if (i32[bucket + BUCKET_COUNT] === 0) {
    wasm.beginChange(versionWord);
    setSlots(i32, place, hash, depth, 0);
    wasm.endChange(versionWord);
    freeBucket(store, bucket);
    dropEmptyTable(store, directoryWord, versionWord, hash, place);
    return;
  }
  if (used * 4 > i32[bucket + BUCKET_BYTES]!) return;
  if (place.table !== 0 && joinBuddy(store, versionWord, hash, place, depth, used)) return;
  const size = bucketSizeFor(2 * used);
  if (size < i32[bucket + BUCKET_BYTES]!) resizeBucket(store, versionWord, hash, place, size);
}

function joinBuddy(
  store: Store,
  versionWord: number,
  hash: number,
  place: BucketPlace,
  depth: number,
  used: number,
): boolean {
  const { memory, wasm } = store;
  const { i32 } = memory;
  if (depth <= (place.shift === FIRST_SHIFT ? FIRST_DEPTH : 0)) return false;
  const bit = 1 << (place.shift + 8 - depth);
  const span = TABLE_SLOTS >> depth;
  const first = place.table + ((((hash ^ bit) >>> place.shift) & (TABLE_SLOTS - 1)) & ~(span - 1));
  const ref = i32[first]!;
  if ((ref & SLOT_IS_TABLE) !== 0) return false;
  const buddy = ref * GRANULE_WORDS;
  if (buddy === 0) {
    for (let slot = first; slot < first + span; slot++) {
      if (i32[slot] !== 0) return false;
    }
    wasm.beginChange(versionWord);
    i32[place.bucket + BUCKET_DEPTH] = depth - 1;
    setSlots(i32, place, hash, depth - 1, place.bucket);
    wasm.endChange(versionWord);
    return false;
  }
  if (i32[buddy + BUCKET_DEPTH] !== depth) return false;
  const both = used + usedBytes(i32, buddy) - BUCKET_ENTRIES * 4;
  if (both > MERGE_BYTES) return false;
  const made = makeBucket(store, bucketSizeFor(both), depth - 1);
  if (made < 0) return false;
  copyEntries(store, place.bucket, made, 0, 0);
  copyEntries(store, buddy, made, 0, 0);
  wasm.beginChange(versionWord);
  setSlots(memory.i32, place, hash, depth - 1, made);
  wasm.endChange(versionWord);
  freeBucket(store, place.bucket);
  freeBucket(store, buddy);
  place.bucket = made;
  return true;
}

/** Takes away a table below the first one that has become empty. */
function dropEmptyTable(
  store: Store,
  directoryWord: number,
  versionWord: number,
  hash: number,
  place: BucketPlace,
): void {
  const { memory, wasm } = store;
  const { i32 } = memory;
  while (place.table !== 0 && place.shift < FIRST_SHIFT) {
    for (let slot = place.table; slot < place.table + TABLE_SLOTS; slot++) {
      if (i32[slot] !== 0) return;
    }
    const empty = place.table;
    let table = i32[directoryWord + DIR_INDEX]! * GRANULE_WORDS + INDEX_TABLE;
    let shift = FIRST_SHIFT;
    while (shift > place.shift + 8) {
      table = (i32[table + ((hash >>> shift) & (TABLE_SLOTS - 1))]! & ~SLOT_IS_TABLE) * GRANULE_WORDS;
      shift -= 8;
    }
    wasm.beginChange(versionWord);
    i32[table + ((hash >>> shift) & (TABLE_SLOTS - 1))] = 0;
    wasm.endChange(versionWord);
    store.heap.free(empty * 4);
    place.table = table;
    place.shift = shift;
  }
}

/** Fills an index's table from the only bucket of a small directory. Returns 0, or a negative errno and nothing is left behind. */
export function fillTable(store: Store, bucketWord: number, tableWord: number): number {
  for (let stripe = 0; stripe < 16; stripe++) {
    const part = makePart(store, bucketWord, STRIPE_MASK, stripe << STRIPE_SHIFT, FIRST_DEPTH);
    if (part < 0) {
      const { i32 } = store.memory;
      for (let slot = 0; slot < stripe * 16; slot += 16) {
        if (i32[tableWord + slot] !== 0) freeBucket(store, i32[tableWord + slot]! * GRANULE_WORDS);
      }
      i32.fill(0, tableWord, tableWord + TABLE_SLOTS);
      return part;
    }
    store.memory.i32.fill(part / GRANULE_WORDS, tableWord + stripe * 16, tableWord + stripe * 16 + 16);
  }
  return 0;
}

/** Calls a function with the word of each bucket of a stripe (or of a small directory), once each, in hash order. */
export function eachBucket(
  i32: Int32Array,
  directoryWord: number,
  stripe: number,
  visit: (bucketWord: number) => void,
): void {
  eachBucketFrom(i32, directoryWord, stripe << STRIPE_SHIFT, (bucket) => {
    visit(bucket);
    return true;
  });
}

/**
 * Visits buckets in the order of their hashes: those of the stripe of a hash that can hold it or a larger one, until the
 * visitor returns false. The only bucket of a small directory counts for all stripes.
 */
export function eachBucketFrom(
  i32: Int32Array,
  directoryWord: number,
  hash: number,
  visit: (bucketWord: number) => boolean,
): void {
  const index = i32[directoryWord + DIR_INDEX]!;
  if (index === 0) {
    const bucket = i32[directoryWord + DIR_BUCKET]!;
    if (bucket !== 0) visit(bucket * GRANULE_WORDS);
    return;
  }
  const table = index * GRANULE_WORDS + INDEX_TABLE;
  bucketsFrom(i32, table, ((hash >>> STRIPE_SHIFT) + 1) * 16, FIRST_SHIFT, hash, visit);
}

function bucketsFrom(
  i32: Int32Array,
  table: number,
  end: number,
  shift: number,
  hash: number,
  visit: (bucketWord: number) => boolean,
): boolean {
  for (let slot = (hash >>> shift) & 255; slot < end;) {
    const ref = i32[table + slot]!;
    if (ref === 0) slot++;
    else if ((ref & SLOT_IS_TABLE) !== 0) {
      if (!bucketsFrom(i32, (ref & ~SLOT_IS_TABLE) * GRANULE_WORDS, TABLE_SLOTS, shift - 8, hash, visit)) return false;
      slot++;
    } else {
      const bucket = ref * GRANULE_WORDS;
      if (!visit(bucket)) return false;
      const span = TABLE_SLOTS >> i32[bucket + BUCKET_DEPTH]!;
      slot = (slot & -span) + span;
    }
    // Behind the slot of the hash all that follows is larger.
    hash = 0;
  }
  return true;
}

/** Gives back all buckets and tables of a directory without entries, and leaves its index's table empty. */
export function freeTables(store: Store, directoryWord: number): void {
  const { i32 } = store.memory;
  const index = i32[directoryWord + DIR_INDEX]!;
  if (index === 0) {
    const bucket = i32[directoryWord + DIR_BUCKET]!;
    i32[directoryWord + DIR_BUCKET] = 0;
    if (bucket !== 0) freeBucket(store, bucket * GRANULE_WORDS);
    return;
  }
  const table = index * GRANULE_WORDS + INDEX_TABLE;
  const buckets: number[] = [];
  bucketsFrom(i32, table, TABLE_SLOTS, FIRST_SHIFT, 0, (bucket) => buckets.push(bucket) > 0);
  for (const bucket of buckets) freeBucket(store, bucket);
  freeSubtables(store, table);
  i32.fill(0, table, table + TABLE_SLOTS);
}

function freeSubtables(store: Store, table: number): void {
  for (let slot = table; slot < table + TABLE_SLOTS; slot++) {
    const ref = store.memory.i32[slot]!;
    if ((ref & SLOT_IS_TABLE) === 0) continue;
    const child = (ref & ~SLOT_IS_TABLE) * GRANULE_WORDS;
    freeSubtables(store, child);
    store.heap.free(child * 4);
  }
}
