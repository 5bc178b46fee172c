/**
 * Listing directories. Entries come stripe by stripe, in the order of their hashes, each stripe as of one moment: an entry
 * that is there all the while appears exactly once, any other at most once.
 *
 * @module
 */
import { ENOENT, ENOTDIR } from "../layout/errno.ts";
import {
  BUCKET_BYTES,
  BUCKET_COUNT,
  BUCKET_NAMES,
  ENTRY_HASH,
  ENTRY_INODE,
  ENTRY_NAME,
  STRIPE_COUNT_PER_INDEX,
  STRIPE_LOCK,
  STRIPE_WORDS,
} from "../layout/directory.ts";
import { DIR_INDEX, DIR_PARENT, INODE_WORDS } from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { entryWordOf } from "../names/bucket.ts";
import { isDirectory, isGeneration, TYPE_DIRECTORY } from "../names/directory.ts";
import { eachBucket, eachBucketFrom } from "../names/table.ts";
import { decodeName } from "../names/text.ts";
import { type DirectoryPlace, FOLLOW } from "../names/walk.ts";
import { generationOf, S_IFDIR, S_IFMT } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { lockShared, unlockShared } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";

/**
 * Takes the entries of a directory, one by one: name, type (`S_IFMT` bits shifted right by 12), word of the inode and, for
 * a directory, its generation (0 for others).
 */
export type EntryVisitor = (name: string, type: number, inodeWord: number, generation: number) => void;

/**
 * Lists a path, from the root or a directory. The visitor must not throw and must not use the filesystem.
 *
 * @param how `FOLLOW`, or 0 where a symbolic link at the end is not followed
 * @returns 0 or a negative errno.
 */
export function list(
  context: Context,
  path: string,
  visit: EntryVisitor,
  start?: DirectoryPlace,
  how: number = FOLLOW,
): number {
  const may = context.mayRead();
  if (may !== 0) return may;
  const { walk, store } = context;
  const resolved = walk.resolve(path, how, start);
  if (resolved !== 0) return resolved;
  if (walk.inodeWord === 0) return -ENOENT;
  if ((walk.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
  return listInode(store, walk.inodeWord, walk.generation, visit);
}

/** Lists a directory found before. One that is removed meanwhile has no entries any more. */
export function listPlace(context: Context, place: DirectoryPlace, visit: EntryVisitor): number {
  const may = context.mayRead();
  return may !== 0 ? may : listInode(context.store, place.word, place.generation, visit);
}

function listInode(store: Store, directoryWord: number, generation: number, visit: EntryVisitor): number {
  for (let stripe = 0; stripe < STRIPE_COUNT_PER_INDEX;) {
    const index = store.memory.i32[directoryWord + DIR_INDEX]! | 0;
    const guard = index === 0 ? directoryWord : index * GRANULE_WORDS + stripe * STRIPE_WORDS;
    if (!isGeneration(store, directoryWord, generation)) return 0;
    const locked = lockShared(store.agent, guard + STRIPE_LOCK);
    if (locked !== 0) return locked;
    const { i32 } = store.memory;
    const alive = isDirectory(i32, directoryWord, generation);
    const same = alive && i32[directoryWord + DIR_INDEX] === index;
    if (same) eachBucket(i32, directoryWord, stripe, (bucket) => visitBucket(store, bucket, visit));
    unlockShared(store.agent, guard + STRIPE_LOCK);
    if (!alive) return 0;
    if (!same) continue;
    if (index === 0) return 0;
    stripe++;
  }
  return 0;
}

/**
 * Takes one entry of {@linkcode readEntries}: byte address and length of its name, type, inode, and the cursor behind it.
 * Returns false where it does not want it: the listing then ends before it.
 */
export type RawEntryVisitor = (
  nameAddr: number,
  nameBytes: number,
  type: number,
  inodeWord: number,
  cursor: number,
) => boolean;

/** A cursor counts in 2^30 hash prefixes; its fraction in entries of one prefix. */
const CURSOR_PREFIX_SHIFT = 2;
const CURSOR_ORDINALS = 4096;
const STRIPE_PREFIXES = 2 ** 26;

/**
 * Lists a directory from a cursor on, in the order of hashes, for callers that take some entries at a time. A cursor stays
 * good whatever happens to the directory: an entry that is there all the while appears exactly once, any other at most once.
 *
 * The visitor must not throw, must not use the filesystem, and runs while the directory is locked.
 *
 * @param cursor 0 for the beginning, or what the visitor was given. Rounded down it is good, too: entries that share a
 * prefix of their hash with the last one may then come again.
 * @returns the cursor of what comes next, {@linkcode CURSOR_END} behind the last, or a negative errno.
 */
export function readEntries(
  context: Context,
  directoryWord: number,
  generation: number,
  cursor: number,
  visit: RawEntryVisitor,
): number {
  const may = context.mayRead();
  if (may !== 0) return may;
  const { store } = context;
  while (cursor < CURSOR_END) {
    const prefix = Math.floor(cursor);
    const hash = (prefix << CURSOR_PREFIX_SHIFT) >>> 0;
    const index = store.memory.i32[directoryWord + DIR_INDEX]! | 0;
    const guard = index === 0
      ? directoryWord
      : index * GRANULE_WORDS + Math.floor(prefix / STRIPE_PREFIXES) * STRIPE_WORDS;
    if (!isGeneration(store, directoryWord, generation)) return CURSOR_END;
    const locked = lockShared(store.agent, guard + STRIPE_LOCK);
    if (locked !== 0) return locked;
    const { i32 } = store.memory;
    const alive = isDirectory(i32, directoryWord, generation);
    const same = alive && i32[directoryWord + DIR_INDEX] === index;
    let wanted = true;
    if (same) {
      eachBucketFrom(i32, directoryWord, hash, (bucket) => {
        const next = visitFrom(store, bucket, cursor, visit);
        wanted = next < 0;
        cursor = wanted ? cursor : next;
        return wanted;
      });
    }
    unlockShared(store.agent, guard + STRIPE_LOCK);
    if (!alive) return CURSOR_END;
    if (!wanted) return cursor;
    if (same) cursor = index === 0 ? CURSOR_END : (Math.floor(prefix / STRIPE_PREFIXES) + 1) * STRIPE_PREFIXES;
  }
  return CURSOR_END;
}

/** The cursor behind the last entry. */
export const CURSOR_END = 2 ** 30;

const order: number[] = [];

/** Visits the entries of a bucket from a cursor on. Returns -1, or the cursor of the entry that was not wanted. */
function visitFrom(store: Store, bucketWord: number, cursor: number, visit: RawEntryVisitor): number {
  const { i32 } = store.memory;
  const first = Math.floor(cursor);
  const skipped = Math.round((cursor - first) * CURSOR_ORDINALS);
  const count = i32[bucketWord + BUCKET_COUNT]!;
  let wanted = 0;
  for (let index = 0; index < count; index++) {
    const entry = entryWordOf(bucketWord, index);
    const hash = i32[entry + ENTRY_HASH]! >>> 0;
    if (hash >>> CURSOR_PREFIX_SHIFT < first) continue;
    let at = wanted++;
    for (; at > 0 && i32[order[at - 1]! + ENTRY_HASH]! >>> 0 > hash; at--) order[at] = order[at - 1]!;
    order[at] = entry;
  }
  let prefix = -1;
  let ordinal = 0;
  for (let at = 0; at < wanted; at++) {
    const entry = order[at]!;
    const own = i32[entry + ENTRY_HASH]! >>> CURSOR_PREFIX_SHIFT;
    ordinal = own === prefix ? ordinal + 1 : 0;
    prefix = own;
    if (own === first && ordinal < skipped) continue;
    const word = i32[entry + ENTRY_NAME]!;
    const next = at + 1 < wanted ? i32[order[at + 1]! + ENTRY_HASH]! >>> CURSOR_PREFIX_SHIFT : own + 1;
    const cursorBehind = next === own ? own + (ordinal + 1) / CURSOR_ORDINALS : own + 1;
    const taken = visit(
      bucketWord * 4 + (word & 0xffff),
      (word >>> 16) & 255,
      word >>> 24,
      i32[entry + ENTRY_INODE]! * GRANULE_WORDS,
      cursorBehind,
    );
    if (!taken) return own + ordinal / CURSOR_ORDINALS;
  }
  return -1;
}

const PATH_TRIES = 100;

/**
 * The path of a directory, from the root of the pool: what it is called now.
 *
 * @returns the path, or a negative errno: `-ENOENT` if it has been removed.
 */
export function pathOf(context: Context, place: DirectoryPlace): string | number {
  const { store } = context;
  for (let attempt = 0; attempt < PATH_TRIES; attempt++) {
    let path = "";
    let { word, generation } = place;
    while (word !== store.rootWord) {
      if (!isDirectory(store.memory.i32, word, generation)) {
        if (word === place.word) return -ENOENT;
        break;
      }
      const parent = (store.memory.i32[word + DIR_PARENT]! | 0) * GRANULE_WORDS;
      if (parent <= 0 || parent + INODE_WORDS > store.memory.i32.length) break;
      const parentGeneration = generationOf(store, parent);
      let name: string | undefined;
      const listed = listInode(store, parent, parentGeneration, (entry, _type, inode) => {
        if (inode === word) name = entry;
      });
      if (listed !== 0) return listed;
      // It has moved meanwhile: begin again.
      if (name === undefined) break;
      path = `/${name}${path}`;
      word = parent;
      generation = parentGeneration;
    }
    if (word === store.rootWord) return path === "" ? "/" : path;
  }
  return -ENOENT;
}

const scratch = new Uint8Array(65536);

function visitBucket(store: Store, bucketWord: number, visit: EntryVisitor): void {
  const { memory } = store;
  const { i32 } = memory;
  const count = i32[bucketWord + BUCKET_COUNT]!;
  const low = i32[bucketWord + BUCKET_NAMES]!;
  const bytes = i32[bucketWord + BUCKET_BYTES]! - low;
  memory.copyOut(scratch, 0, bucketWord * 4 + low, bytes);
  // All names of the bucket are decoded at once; where all are ASCII they are slices of one string.
  const text = decodeName(scratch.subarray(0, bytes));
  const ascii = text.length === bytes;
  for (let index = 0; index < count; index++) {
    const entry = entryWordOf(bucketWord, index);
    const word = i32[entry + ENTRY_NAME]!;
    const start = (word & 0xffff) - low;
    const end = start + ((word >>> 16) & 255);
    const inode = i32[entry + ENTRY_INODE]! * GRANULE_WORDS;
    const type = word >>> 24;
    visit(
      ascii ? text.substring(start, end) : decodeName(scratch.subarray(start, end)),
      type,
      inode,
      // The entry keeps its directory alive while its guard is held: the generation is the entry's.
      type === TYPE_DIRECTORY ? generationOf(store, inode) : 0,
    );
  }
}
