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
  ENTRY_INODE,
  ENTRY_NAME,
  STRIPE_COUNT_PER_INDEX,
  STRIPE_LOCK,
  STRIPE_WORDS,
} from "../layout/directory.ts";
import { DIR_INDEX } from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { entryWordOf } from "../names/bucket.ts";
import { isDirectory, isGeneration, TYPE_DIRECTORY } from "../names/directory.ts";
import { eachBucket } from "../names/table.ts";
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
