/**
 * What `stat` tells, and changing it: permissions, owners, times.
 *
 * @module
 */
import { EAGAIN, EBADF, ENOENT } from "../layout/errno.ts";
import { STRIPE_COUNT_PER_INDEX, STRIPE_MTIME, STRIPE_SUBDIRS, STRIPE_WORDS } from "../layout/directory.ts";
import {
  DIR_INDEX,
  INODE_ATIME,
  INODE_BTIME,
  INODE_CTIME,
  INODE_EXTENT_BLOCK,
  INODE_EXTENT_COUNT,
  INODE_GID,
  INODE_INLINE_EXTENTS,
  INODE_LOCK,
  INODE_MODE,
  INODE_MTIME,
  INODE_NLINK,
  INODE_SIZE,
  INODE_UID,
  INODE_VERSION,
} from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { allGuards, ESTALE, versionOf } from "../names/directory.ts";
import { GuardSet } from "../names/guard_set.ts";
import { FOLLOW } from "../names/walk.ts";
import { allocatedBytes } from "../store/extents.ts";
import { generationOf, S_IFDIR, S_IFMT } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, lockShared, unlockExclusive, unlockShared } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o10;
/** The size that directories report. */
const DIRECTORY_BYTES = 4096;

/** Metadata of an inode. Times in milliseconds since the epoch. */
export class Metadata {
  /** Inode number: the ref of the inode. */
  ino = 0;
  /** Type and permissions. */
  mode = 0;
  /** Number of names. */
  nlink = 0;
  /** Owner's user id. */
  uid = 0;
  /** Owner's group id. */
  gid = 0;
  /** Bytes. */
  size = 0;
  /** Bytes of memory that the contents take. */
  allocatedBytes = 0;
  /** Access time. */
  atimeMs = 0;
  /** Modification time. */
  mtimeMs = 0;
  /** Change time. */
  ctimeMs = 0;
  /** Birth time. */
  birthtimeMs = 0;
}

/** Reads the metadata of a path into `into`. Returns 0 or a negative errno. */
export function stat(context: Context, path: string, follow: boolean, into: Metadata): number {
  const may = context.mayRead();
  if (may !== 0) return may;
  const { walk, store } = context;
  for (;;) {
    const resolved = walk.resolve(path, follow ? FOLLOW : 0);
    if (resolved !== 0) return resolved;
    if (walk.inodeWord === 0) return -ENOENT;
    // The path led to this inode when the walk was validated; if it still does afterwards, it is this inode's metadata.
    if (readMetadata(store, walk.inodeWord, into) && context.isSame(walk.inodeWord, walk.generation)) return 0;
  }
}

/** Reads the metadata of a descriptor. Returns 0 or a negative errno. */
export function statDescriptor(context: Context, descriptor: number, into: Metadata): number {
  const may = context.mayRead();
  if (may !== 0) return may;
  const file = context.descriptors.get(descriptor);
  return file === undefined ? -EBADF : statInode(context, file.inodeWord, into);
}

/** Reads the metadata of an inode that is open. Returns 0 or a negative errno. */
export function statInode(context: Context, inodeWord: number, into: Metadata): number {
  const may = context.mayRead();
  if (may !== 0) return may;
  while (!readMetadata(context.store, inodeWord, into));
  return 0;
}

const OPTIMISTIC_TRIES = 100;

/** Reads an inode's metadata as of one moment; after some tries without a quiet moment it takes the lock shared. */
function readMetadata(store: Store, inodeWord: number, into: Metadata): boolean {
  const { wasm, agent } = store;
  for (let attempt = 0; attempt < OPTIMISTIC_TRIES; attempt++) {
    const version = wasm.load(inodeWord + INODE_VERSION);
    if ((version & 1) !== 0) continue;
    store.memory.sync(agent.pagesWord);
    const { i32 } = store.memory;
    if (i32[inodeWord + INODE_EXTENT_BLOCK] !== 0 && i32[inodeWord + INODE_EXTENT_COUNT]! > INODE_INLINE_EXTENTS) break;
    copyMetadata(store, inodeWord, into);
    if (wasm.fenceLoad(inodeWord + INODE_VERSION) === version) return true;
  }
  if (lockShared(agent, inodeWord + INODE_LOCK) !== 0) return !agent.live;
  copyMetadata(store, inodeWord, into);
  unlockShared(agent, inodeWord + INODE_LOCK);
  return true;
}

function copyMetadata(store: Store, inodeWord: number, into: Metadata): void {
  const { i32, f64 } = store.memory;
  const double = inodeWord / 2;
  const mode = i32[inodeWord + INODE_MODE]!;
  into.ino = inodeWord / GRANULE_WORDS;
  into.mode = mode;
  into.nlink = i32[inodeWord + INODE_NLINK]!;
  into.uid = i32[inodeWord + INODE_UID]! >>> 0;
  into.gid = i32[inodeWord + INODE_GID]! >>> 0;
  into.atimeMs = f64[double + INODE_ATIME / 2]!;
  into.mtimeMs = f64[double + INODE_MTIME / 2]!;
  into.ctimeMs = f64[double + INODE_CTIME / 2]!;
  into.birthtimeMs = f64[double + INODE_BTIME / 2]!;
  if ((mode & S_IFMT) !== S_IFDIR) {
    into.size = f64[double + INODE_SIZE / 2]!;
    const count = i32[inodeWord + INODE_EXTENT_COUNT]!;
    into.allocatedBytes = count === 0 ? 0 : allocatedBytes(i32, inodeWord);
    return;
  }
  into.size = DIRECTORY_BYTES;
  into.allocatedBytes = DIRECTORY_BYTES;
  const index = i32[inodeWord + DIR_INDEX]! | 0;
  if (index === 0) return;
  for (let stripe = 0; stripe < STRIPE_COUNT_PER_INDEX; stripe++) {
    const stripeWord = index * GRANULE_WORDS + stripe * STRIPE_WORDS;
    into.nlink += i32[stripeWord + STRIPE_SUBDIRS]! | 0;
    const time = f64[(stripeWord + STRIPE_MTIME) / 2]!;
    if (time > into.mtimeMs) into.mtimeMs = time;
    if (time > into.ctimeMs) into.ctimeMs = time;
  }
}

/** What to change of an inode's metadata; what is undefined stays. */
export interface MetadataChange {
  /** Permission bits. */
  readonly permissions?: number;
  /** User id; -1 leaves it. */
  readonly uid?: number;
  /** Group id; -1 leaves it. */
  readonly gid?: number;
  /** Access time in ms. */
  readonly atimeMs?: number;
  /** Modification time in ms. */
  readonly mtimeMs?: number;
  /** The version that the inode must still have, by {@linkcode descriptorVersion}: otherwise nothing changes, `-EAGAIN`. */
  readonly ifVersion?: number;
}

/**
 * The version of a descriptor's inode, which every change of the inode, its data included, moves on; while a change is
 * under way it is one that no other moment has. `-EBADF` for what is no descriptor.
 */
export function descriptorVersion(context: Context, descriptor: number): number {
  const file = context.descriptors.get(descriptor);
  return file === undefined ? -EBADF : context.store.wasm.load(file.inodeWord + INODE_VERSION) >>> 0;
}

/** Changes the metadata of a path. Returns 0 or a negative errno. */
export function change(context: Context, path: string, follow: boolean, changes: MetadataChange): number {
  const { walk } = context;
  for (;;) {
    const may = context.mayRead();
    if (may !== 0) return may;
    const resolved = walk.resolve(path, follow ? FOLLOW : 0);
    if (resolved !== 0) return resolved;
    if (walk.inodeWord === 0) return -ENOENT;
    const result = changeInode(context, walk.inodeWord, walk.generation, changes);
    if (result !== -ESTALE) return result;
  }
}

/** Changes the metadata of a descriptor's inode. Returns 0 or a negative errno. */
export function changeDescriptor(context: Context, descriptor: number, changes: MetadataChange): number {
  const file = context.descriptors.get(descriptor);
  if (file === undefined) return -EBADF;
  return changeFound(context, file.inodeWord, generationOf(context.store, file.inodeWord), changes);
}

/** Changes the metadata of an inode of a generation; `-EBADF` if it is not of that generation any more. */
export function changeFound(
  context: Context,
  inodeWord: number,
  generation: number,
  changes: MetadataChange,
): number {
  for (;;) {
    const result = changeInode(context, inodeWord, generation, changes);
    if (result !== -ESTALE) return result;
    if (generationOf(context.store, inodeWord) !== generation) return -EBADF;
  }
}

function changeInode(context: Context, inodeWord: number, generation: number, changes: MetadataChange): number {
  const may = context.mayWrite();
  if (may !== 0) return may;
  const { store } = context;
  const now = context.now();
  // The stripes of a large directory have times of their own, which a time that is set must not lose against.
  const striped = changes.mtimeMs !== undefined && hasStripes(store, inodeWord);
  const guards = new GuardSet(store);
  const guarded = striped ? guards.lock([{ directoryWord: inodeWord, generation, hash: undefined }]) : 0;
  if (guarded !== 0) return guarded;
  const locked = lockExclusive(store.agent, inodeWord + INODE_LOCK);
  if (locked !== 0) {
    guards.unlock();
    return locked;
  }
  let result = 0;
  if (!context.isSame(inodeWord, generation)) result = -ESTALE;
  else if (changes.mtimeMs !== undefined && hasStripes(store, inodeWord) !== striped) result = -ESTALE;
  else if (
    changes.ifVersion !== undefined && store.wasm.load(inodeWord + INODE_VERSION) >>> 0 !== changes.ifVersion
  ) result = -EAGAIN;
  else {
    const { i32, f64 } = store.memory;
    if (striped) clearStripeTimes(store, inodeWord);
    store.wasm.beginChange(inodeWord + INODE_VERSION);
    const { permissions, uid, gid, atimeMs, mtimeMs } = changes;
    if (uid !== undefined && uid !== -1) i32[inodeWord + INODE_UID] = uid;
    if (gid !== undefined && gid !== -1) i32[inodeWord + INODE_GID] = gid;
    if (uid !== undefined || gid !== undefined) {
      i32[inodeWord + INODE_MODE] = withoutSetId(i32[inodeWord + INODE_MODE]!);
    }
    if (permissions !== undefined) {
      i32[inodeWord + INODE_MODE] = (i32[inodeWord + INODE_MODE]! & S_IFMT) | (permissions & 0o7777);
    }
    if (atimeMs !== undefined) f64[(inodeWord + INODE_ATIME) / 2] = atimeMs;
    if (mtimeMs !== undefined) f64[(inodeWord + INODE_MTIME) / 2] = mtimeMs;
    f64[(inodeWord + INODE_CTIME) / 2] = now;
    store.wasm.endChange(inodeWord + INODE_VERSION);
  }
  unlockExclusive(store.agent, inodeWord + INODE_LOCK);
  guards.unlock();
  return result;
}

/** The mode of a file that is given to somebody else: nobody comes to run it with the new owner's rights. */
function withoutSetId(mode: number): number {
  if ((mode & S_IFMT) === S_IFDIR) return mode;
  return mode & ~S_ISUID & ~((mode & S_IXGRP) === 0 ? 0 : S_ISGID);
}

function hasStripes(store: Store, inodeWord: number): boolean {
  const { i32 } = store.memory;
  return (i32[inodeWord + INODE_MODE]! & S_IFMT) === S_IFDIR && i32[inodeWord + DIR_INDEX] !== 0;
}

function clearStripeTimes(store: Store, inodeWord: number): void {
  for (const guard of allGuards(store.memory.i32, inodeWord)) {
    store.wasm.beginChange(versionOf(guard));
    store.memory.f64[(guard + STRIPE_MTIME) / 2] = 0;
    store.wasm.endChange(versionOf(guard));
  }
}
