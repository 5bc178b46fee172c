/**
 * The bytes of a file: inline in its inode, or in extents.
 *
 * Invariants, while nobody holds the inode's lock:
 * - no extents and `size <= INODE_INLINE_BYTES`: the bytes are in the inode's body;
 * - otherwise extents are sorted by file position and do not overlap; a position below `size` that none covers is a hole
 *   and reads as zero;
 * - bytes of extents (or of the body) at or beyond `size` mean nothing: whoever raises `size` zeroes what it skips.
 *
 * An extent never moves while its file lives (only {@linkcode moveExtent} of defragmentation moves it): growth extends the
 * last one in place, or adds one. All functions need the inode's lock held exclusively, but for {@linkcode readBytes},
 * which needs it held shared or exclusively.
 *
 * @module
 */
import { ENOSPC } from "../layout/errno.ts";
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
  INODE_INLINE_BYTES,
  INODE_INLINE_EXTENTS,
  INODE_SIZE,
} from "../layout/inode.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "./store.ts";

/** The most by which a growing file is extended ahead of need. */
const AHEAD_MAXIMUM_BYTES = 2 ** 26;
/** Pieces smaller than this are not worth an extent of their own while larger ones may be had. */
const PIECE_MINIMUM_UNITS = 16;

/** Word of the first extent. */
export function extentsWordOf(i32: Int32Array, inodeWord: number): number {
  const block = i32[inodeWord + INODE_EXTENT_BLOCK]!;
  return block === 0 ? inodeWord + INODE_BODY : block * GRANULE_WORDS;
}

/** Index of the first extent that ends beyond a position, in units; the count where there is none. */
export function findExtent(i32: Int32Array, extentsWord: number, count: number, unit: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = extentsWord + middle * EXTENT_WORDS;
    if ((i32[at + EXTENT_FILE]! >>> 0) + (i32[at + EXTENT_UNITS]! >>> 0) > unit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Copies bytes `[position, position + bytes)`, all below the size, into a caller's array. */
export function readBytes(
  store: Store,
  inodeWord: number,
  to: Uint8Array,
  toOffset: number,
  bytes: number,
  position: number,
): void {
  const { memory } = store;
  const { i32 } = memory;
  const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
  if (count === 0) {
    if (memory.f64[(inodeWord + INODE_SIZE) / 2]! <= INODE_INLINE_BYTES) {
      memory.copyOut(to, toOffset, (inodeWord + INODE_BODY) * 4 + position, bytes);
    } else to.fill(0, toOffset, toOffset + bytes);
    return;
  }
  const extentsWord = extentsWordOf(i32, inodeWord);
  const end = position + bytes;
  let index = count === 1 ? 0 : findExtent(i32, extentsWord, count, Math.floor(position / EXTENT_UNIT_BYTES));
  let at = position;
  let offset = toOffset;
  while (at < end) {
    let run = end - at;
    if (index < count) {
      const extent = extentsWord + index * EXTENT_WORDS;
      const start = (i32[extent + EXTENT_FILE]! >>> 0) * EXTENT_UNIT_BYTES;
      if (start <= at) {
        const stop = start + (i32[extent + EXTENT_UNITS]! >>> 0) * EXTENT_UNIT_BYTES;
        if (stop > at) {
          if (stop - at < run) run = stop - at;
          memory.copyOut(to, offset, i32[extent + EXTENT_REF]! * GRANULE_BYTES + (at - start), run);
          at += run;
          offset += run;
        }
        index++;
        continue;
      }
      if (start - at < run) run = start - at;
    }
    to.fill(0, offset, offset + run);
    at += run;
    offset += run;
  }
}

/** A private copy of `[position, position + bytes)`, all below the size. */
export function copyBytes(
  store: Store,
  inodeWord: number,
  bytes: number,
  position: number,
): Uint8Array<ArrayBuffer> {
  const { memory } = store;
  const addr = addressOfRange(store, inodeWord, position, bytes);
  if (addr !== 0) return memory.copyOf(addr, bytes);
  const copy = new Uint8Array(bytes);
  readBytes(store, inodeWord, copy, 0, bytes, position);
  return copy;
}

/** Copies a caller's bytes into a range that {@linkcode coverRange} has made sure is covered. */
export function writeBytes(
  store: Store,
  inodeWord: number,
  from: Uint8Array,
  fromOffset: number,
  bytes: number,
  position: number,
): void {
  const { memory } = store;
  const { i32 } = memory;
  const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
  if (count === 0) {
    memory.copyIn((inodeWord + INODE_BODY) * 4 + position, from, fromOffset, bytes);
    return;
  }
  const extentsWord = extentsWordOf(i32, inodeWord);
  const end = position + bytes;
  let index = count === 1 ? 0 : findExtent(i32, extentsWord, count, Math.floor(position / EXTENT_UNIT_BYTES));
  for (let at = position; at < end; index++) {
    const extent = extentsWord + index * EXTENT_WORDS;
    const start = (i32[extent + EXTENT_FILE]! >>> 0) * EXTENT_UNIT_BYTES;
    const stop = start + (i32[extent + EXTENT_UNITS]! >>> 0) * EXTENT_UNIT_BYTES;
    const run = Math.min(end, stop) - at;
    memory.copyIn(i32[extent + EXTENT_REF]! * GRANULE_BYTES + (at - start), from, fromOffset + (at - position), run);
    at += run;
  }
}

/**
 * Byte address of a whole range that lies in one extent, or in the inode's body; 0 where it is not, or not wholly, in one
 * piece. What most reads and writes need: nothing has to be allocated, one copy does it.
 */
export function addressOfRange(store: Store, inodeWord: number, position: number, bytes: number): number {
  const { i32 } = store.memory;
  const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
  if (count === 0) {
    const inline = position + bytes <= INODE_INLINE_BYTES &&
      store.memory.f64[(inodeWord + INODE_SIZE) / 2]! <= INODE_INLINE_BYTES;
    return inline ? (inodeWord + INODE_BODY) * 4 + position : 0;
  }
  const extentsWord = extentsWordOf(i32, inodeWord);
  const index = count === 1 ? 0 : findExtent(i32, extentsWord, count, Math.floor(position / EXTENT_UNIT_BYTES));
  if (index === count) return 0;
  const extent = extentsWord + index * EXTENT_WORDS;
  const offset = position - (i32[extent + EXTENT_FILE]! >>> 0) * EXTENT_UNIT_BYTES;
  if (offset < 0 || offset + bytes > (i32[extent + EXTENT_UNITS]! >>> 0) * EXTENT_UNIT_BYTES) return 0;
  return i32[extent + EXTENT_REF]! * GRANULE_BYTES + offset;
}

/**
 * Makes sure that `[position, position + bytes)` is in extents (or in the body), and that all that a larger size would
 * bring to light reads as zero. The size itself is left for the caller to change.
 *
 * @param filled whether the caller writes the whole range now; where not, what was a hole reads as zero
 * @param ahead whether the file seems to grow, so that it gets more than it needs at its end
 * @returns 0 or `-ENOSPC`, and then the file's contents are as before.
 */
export function coverRange(
  store: Store,
  inodeWord: number,
  position: number,
  bytes: number,
  filled: boolean,
  ahead: boolean,
): number {
  const { memory } = store;
  const size = memory.f64[(inodeWord + INODE_SIZE) / 2]!;
  const end = position + bytes;
  if (memory.i32[inodeWord + INODE_EXTENT_COUNT] === 0 && size <= INODE_INLINE_BYTES) {
    if (end <= INODE_INLINE_BYTES) {
      if (position > size) memory.wasm.fill((inodeWord + INODE_BODY) * 4 + size, 0, position - size);
      return 0;
    }
    if (size > 0) {
      const spilled = spillInline(store, inodeWord, size, position <= INODE_INLINE_BYTES ? end : size);
      if (spilled !== 0) return spilled;
    }
  }
  const lastUnit = Math.ceil(end / EXTENT_UNIT_BYTES);
  let unit = Math.floor(position / EXTENT_UNIT_BYTES);
  while (unit < lastUnit) {
    const { i32 } = memory;
    const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
    const extentsWord = extentsWordOf(i32, inodeWord);
    const index = findExtent(i32, extentsWord, count, unit);
    const extent = extentsWord + index * EXTENT_WORDS;
    let limit = lastUnit;
    if (index < count) {
      const start = i32[extent + EXTENT_FILE]! >>> 0;
      if (start <= unit) {
        unit = start + (i32[extent + EXTENT_UNITS]! >>> 0);
        continue;
      }
      if (start < limit) limit = start;
    }
    const added = addUnits(store, inodeWord, index, count, unit, limit, ahead);
    if (added < 0) return added;
    // What the write does not fill, but what lies below the size, comes to light now and must read as zero.
    const from = unit * EXTENT_UNIT_BYTES;
    const to = Math.min((unit + added) * EXTENT_UNIT_BYTES, size);
    unit += added;
    if (unit < lastUnit || !filled) {
      // Where more is to be added, that may fail: then nothing will be written here either.
      if (from < to) zeroRange(store, inodeWord, from, to);
    } else {
      if (from < Math.min(position, to)) zeroRange(store, inodeWord, from, Math.min(position, to));
      if (Math.max(end, from) < to) zeroRange(store, inodeWord, Math.max(end, from), to);
    }
  }
  if (filled && position > size) zeroRange(store, inodeWord, size, position);
  return 0;
}

/** Zeroes what extents (or the body) hold of a range; holes read as zero by themselves. */
export function zeroRange(store: Store, inodeWord: number, from: number, to: number): void {
  const { memory } = store;
  const { i32 } = memory;
  const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
  if (count === 0) {
    if (from < INODE_INLINE_BYTES) {
      memory.wasm.fill((inodeWord + INODE_BODY) * 4 + from, 0, Math.min(to, INODE_INLINE_BYTES) - from);
    }
    return;
  }
  const extentsWord = extentsWordOf(i32, inodeWord);
  for (let index = findExtent(i32, extentsWord, count, Math.floor(from / EXTENT_UNIT_BYTES)); index < count; index++) {
    const extent = extentsWord + index * EXTENT_WORDS;
    const start = (i32[extent + EXTENT_FILE]! >>> 0) * EXTENT_UNIT_BYTES;
    const stop = start + (i32[extent + EXTENT_UNITS]! >>> 0) * EXTENT_UNIT_BYTES;
    if (start >= to) return;
    const first = Math.max(from, start);
    const last = Math.min(to, stop);
    memory.wasm.fill(i32[extent + EXTENT_REF]! * GRANULE_BYTES + (first - start), 0, last - first);
  }
}

/** Moves inline bytes into a first extent that reaches at least to `end`. */
function spillInline(store: Store, inodeWord: number, size: number, end: number): number {
  const { memory, heap } = store;
  const units = Math.ceil(end / EXTENT_UNIT_BYTES);
  const addr = heap.allocate(units * EXTENT_UNIT_BYTES, EXTENT_UNIT_BYTES);
  if (addr < 0) {
    // No run of that length: begin with one unit; the caller adds the rest in pieces.
    if (units > 1) return spillInline(store, inodeWord, size, EXTENT_UNIT_BYTES);
    return addr;
  }
  const { i32 } = memory;
  memory.wasm.copy(addr, (inodeWord + INODE_BODY) * 4, size);
  const extent = inodeWord + INODE_BODY;
  i32[extent + EXTENT_FILE] = 0;
  i32[extent + EXTENT_REF] = addr / GRANULE_BYTES;
  i32[extent + EXTENT_UNITS] = units;
  i32[inodeWord + INODE_EXTENT_COUNT] = 1;
  return 0;
}

/**
 * Adds extents, or a longer last one, for units `[unit, limit)` before the extent at `index`. May add less than asked
 * where memory is fragmented. Returns how many units it added, or `-ENOSPC`.
 */
function addUnits(
  store: Store,
  inodeWord: number,
  index: number,
  count: number,
  unit: number,
  limit: number,
  ahead: boolean,
): number {
  const { memory, heap } = store;
  const needed = limit - unit;
  const atEnd = index === count;
  let wanted = needed;
  if (ahead && atEnd && unit > 0) {
    const more = Math.min(unit * EXTENT_UNIT_BYTES, AHEAD_MAXIMUM_BYTES) / EXTENT_UNIT_BYTES;
    wanted = Math.max(needed, Math.ceil(more / 2));
  }
  if (index > 0) {
    const { i32 } = memory;
    const before = extentsWordOf(i32, inodeWord) + (index - 1) * EXTENT_WORDS;
    const units = i32[before + EXTENT_UNITS]! >>> 0;
    if ((i32[before + EXTENT_FILE]! >>> 0) + units === unit) {
      const usable = heap.extend(
        i32[before + EXTENT_REF]! * GRANULE_BYTES,
        (units + needed) * EXTENT_UNIT_BYTES,
        (units + wanted) * EXTENT_UNIT_BYTES,
      );
      const grown = Math.floor(usable / EXTENT_UNIT_BYTES) - units;
      if (usable > 0 && grown > 0) {
        const used = atEnd ? grown : Math.min(grown, needed);
        memory.i32[before + EXTENT_UNITS] = units + used;
        return used;
      }
    }
  }
  let units = wanted;
  for (;;) {
    const addr = heap.allocate(units * EXTENT_UNIT_BYTES, EXTENT_UNIT_BYTES);
    if (addr >= 0) {
      const inserted = insertExtent(store, inodeWord, index, unit, addr, units);
      if (inserted !== 0) {
        heap.free(addr);
        return inserted;
      }
      return units;
    }
    if (addr !== -ENOSPC) return addr;
    if (units > needed) units = needed;
    else if (units > PIECE_MINIMUM_UNITS) units = Math.max(PIECE_MINIMUM_UNITS, units >>> 1);
    else if (units > 1) units = 1;
    else return addr;
  }
}

function insertExtent(
  store: Store,
  inodeWord: number,
  index: number,
  unit: number,
  addr: number,
  units: number,
): number {
  const { memory, heap } = store;
  const count = memory.i32[inodeWord + INODE_EXTENT_COUNT]!;
  const block = memory.i32[inodeWord + INODE_EXTENT_BLOCK]!;
  const room = block === 0 ? INODE_INLINE_EXTENTS : memory.i32[inodeWord + INODE_EXTENT_ROOM]!;
  if (count === room) {
    const newRoom = room < 10 ? 10 : room * 2;
    const newAddr = heap.allocate(newRoom * EXTENT_WORDS * 4);
    if (newAddr < 0) return newAddr;
    memory.wasm.copy(newAddr, extentsWordOf(memory.i32, inodeWord) * 4, count * EXTENT_WORDS * 4);
    memory.i32[inodeWord + INODE_EXTENT_ROOM] = newRoom;
    memory.i32[inodeWord + INODE_EXTENT_BLOCK] = newAddr / GRANULE_BYTES;
    if (block !== 0) heap.free(block * GRANULE_BYTES);
  }
  const { i32 } = memory;
  const extentsWord = extentsWordOf(i32, inodeWord);
  const at = extentsWord + index * EXTENT_WORDS;
  if (index < count) memory.wasm.copy((at + EXTENT_WORDS) * 4, at * 4, (count - index) * EXTENT_WORDS * 4);
  i32[at + EXTENT_FILE] = unit;
  i32[at + EXTENT_REF] = addr / GRANULE_BYTES;
  i32[at + EXTENT_UNITS] = units;
  i32[inodeWord + INODE_EXTENT_COUNT] = count + 1;
  return 0;
}

/** Gives back all that lies beyond a length, in bytes: extents, the tail of the last one, the block of extents. */
export function releaseBeyond(store: Store, inodeWord: number, length: number): void {
  const { memory, heap } = store;
  const { i32 } = memory;
  const keepUnits = Math.ceil(length / EXTENT_UNIT_BYTES);
  let count = i32[inodeWord + INODE_EXTENT_COUNT]!;
  const extentsWord = extentsWordOf(i32, inodeWord);
  while (count > 0) {
    const extent = extentsWord + (count - 1) * EXTENT_WORDS;
    const start = i32[extent + EXTENT_FILE]! >>> 0;
    const units = i32[extent + EXTENT_UNITS]! >>> 0;
    if (start >= keepUnits) {
      count--;
      i32[inodeWord + INODE_EXTENT_COUNT] = count;
      heap.free(i32[extent + EXTENT_REF]! * GRANULE_BYTES);
      continue;
    }
    if (start + units > keepUnits) {
      i32[extent + EXTENT_UNITS] = keepUnits - start;
      heap.shrink(i32[extent + EXTENT_REF]! * GRANULE_BYTES, (keepUnits - start) * EXTENT_UNIT_BYTES);
    }
    break;
  }
  const block = i32[inodeWord + INODE_EXTENT_BLOCK]!;
  if (count <= INODE_INLINE_EXTENTS && block !== 0) {
    memory.wasm.copy((inodeWord + INODE_BODY) * 4, block * GRANULE_BYTES, count * EXTENT_WORDS * 4);
    i32[inodeWord + INODE_EXTENT_BLOCK] = 0;
    i32[inodeWord + INODE_EXTENT_ROOM] = 0;
    heap.free(block * GRANULE_BYTES);
  }
}

/**
 * Makes the extents fit a new size, which the caller then stores. Shrinking gives back what lies beyond; growing leaves a
 * hole. Returns 0, or `-ENOSPC` where inline bytes do not find room in an extent.
 */
export function fitSize(store: Store, inodeWord: number, newSize: number): number {
  const { memory } = store;
  const size = memory.f64[(inodeWord + INODE_SIZE) / 2]!;
  const wasInline = memory.i32[inodeWord + INODE_EXTENT_COUNT] === 0 && size <= INODE_INLINE_BYTES;
  if (newSize > size) {
    if (wasInline && newSize > INODE_INLINE_BYTES) {
      if (size === 0) return 0;
      const spilled = spillInline(store, inodeWord, size, size);
      if (spilled !== 0) return spilled;
    }
    zeroRange(store, inodeWord, size, newSize);
    return 0;
  }
  if (wasInline) return 0;
  releaseBeyond(store, inodeWord, newSize);
  if (memory.i32[inodeWord + INODE_EXTENT_COUNT] === 0 && newSize <= INODE_INLINE_BYTES) {
    // A hole that has become short enough to be inline.
    memory.i32.fill(0, inodeWord + INODE_BODY, inodeWord + INODE_BODY + INODE_INLINE_BYTES / 4);
  }
  return 0;
}

/** Bytes of memory that a file's extents take. */
export function allocatedBytes(i32: Int32Array, inodeWord: number): number {
  const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
  const extentsWord = extentsWordOf(i32, inodeWord);
  let units = 0;
  for (let index = 0; index < count; index++) {
    units += i32[extentsWord + index * EXTENT_WORDS + EXTENT_UNITS]! >>> 0;
  }
  return units * EXTENT_UNIT_BYTES;
}
