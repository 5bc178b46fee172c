/**
 * Adding and removing names: mkdir, symlink, link, unlink, rmdir.
 *
 * Locks: the guard of the name in its parent, with rmdir all guards of the directory removed, in ascending order; then
 * the inode of a file that gains or loses a name.
 *
 * @module
 */
import {
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  EMLINK,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
} from "../layout/errno.ts";
import {
  DIR_INDEX,
  DIR_PARENT,
  INODE_CTIME,
  INODE_LOCK,
  INODE_NLINK,
  INODE_SIZE,
  INODE_VERSION,
} from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { inodeWordOf } from "../names/bucket.ts";
import {
  ESTALE,
  giveIndex,
  guardOf,
  isEmptyLocked,
  killDirectory,
  lockGuard,
  TYPE_DIRECTORY,
  unlockGuard,
  versionOf,
} from "../names/directory.ts";
import { inspectName } from "../names/inspect_bucket.ts";
import { GuardSet } from "../names/guard_set.ts";
import { encodeText } from "../names/text.ts";
import {
  type DirectoryPlace,
  ENTRY,
  FOLLOW,
  LAST_DOT,
  LAST_DOT_DOT,
  LAST_NAME,
  LAST_ROOT,
  LAST_TOO_LONG,
  PATH_BYTES,
  type Walk,
} from "../names/walk.ts";
import { coverRange, writeBytes } from "../store/extents.ts";
import { claimUnusedLocked, S_IFDIR, S_IFLNK, S_IFMT, takeInode } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";

const LINK_LIMIT = 0x7fff_fff0;

/** Creates a directory. Returns 0 or a negative errno. */
export function makeDirectory(context: Context, path: string, mode: number): number {
  const began = context.begin();
  if (began !== 0) return began;
  const result = makeDirectorySteps(context, path, mode);
  context.end();
  return result;
}

function makeDirectorySteps(context: Context, path: string, mode: number): number {
  const { walk, store } = context;
  let inode = 0;
  for (;;) {
    let result = resolveMissing(context, walk, path);
    if (result === 0) {
      const now = context.now();
      if (inode === 0) inode = takeInode(store, S_IFDIR | (mode & 0o1777 & ~context.umask), 2, now);
      if (inode < 0) return inode;
      store.memory.i32[inode + DIR_PARENT] = walk.parentWord / GRANULE_WORDS;
      result = addName(context, walk, inode, TYPE_DIRECTORY, now);
    }
    if (result === -ESTALE) continue;
    if (result !== 0 && inode > 0) context.dispose(inode);
    return result;
  }
}

/** Creates a symbolic link. Returns 0 or a negative errno. */
export function makeSymlink(context: Context, target: string, path: string): number {
  const began = context.begin();
  if (began !== 0) return began;
  const result = makeSymlinkSteps(context, target, path);
  context.end();
  return result;
}

function makeSymlinkSteps(context: Context, target: string, path: string): number {
  if (target.length === 0) return -ENOENT;
  const bytes = encodeText(target);
  if (bytes.length > PATH_BYTES) return -ENAMETOOLONG;
  const { walk, store } = context;
  let inode = 0;
  for (;;) {
    let result = resolveMissing(context, walk, path);
    if (result === 0 && walk.trailingSlash) result = -ENOENT;
    if (result === 0) {
      const now = context.now();
      if (inode === 0) inode = takeInode(store, S_IFLNK | 0o777, 1, now);
      if (inode < 0) return inode;
      result = setTarget(store, inode, bytes);
      if (result === 0) result = addName(context, walk, inode, S_IFLNK >> 12, now);
    }
    if (result === -ESTALE) continue;
    if (result !== 0 && inode > 0) context.dispose(inode);
    return result;
  }
}

function setTarget(store: Store, inode: number, bytes: Uint8Array): number {
  const { f64 } = store.memory;
  if (f64[(inode + INODE_SIZE) / 2] !== 0) return 0;
  const covered = coverRange(store, inode, 0, bytes.length, true, false);
  if (covered !== 0) return covered;
  writeBytes(store, inode, bytes, 0, bytes.length, 0);
  store.memory.f64[(inode + INODE_SIZE) / 2] = bytes.length;
  return 0;
}

/**
 * Gives a file a further name. Returns 0 or a negative errno.
 *
 * @param follow whether a symbolic link at the end of the existing path is followed; it gets the name itself where not
 */
export function link(context: Context, existing: string, path: string, follow = false): number {
  const began = context.begin();
  if (began !== 0) return began;
  const result = linkSteps(context, existing, path, follow);
  context.end();
  return result;
}

function linkSteps(context: Context, existing: string, path: string, follow: boolean): number {
  const { walk, secondWalk, store } = context;
  for (;;) {
    const resolved = walk.resolve(existing, follow ? FOLLOW : 0);
    if (resolved !== 0) return resolved;
    if (walk.inodeWord === 0) return -ENOENT;
    let result = resolveMissing(context, secondWalk, path);
    if (result === 0 && secondWalk.trailingSlash) result = -ENOENT;
    if (result === 0 && (walk.mode & S_IFMT) === S_IFDIR) result = -EPERM;
    if (result === 0) result = linkFound(context, walk, secondWalk, context.now());
    if (result !== -ESTALE) return result;
  }

  function linkFound(context: Context, from: Walk, to: Walk, now: number): number {
    const inode = from.inodeWord;
    const { directories } = context;
    const guard = lockGuard(store, to.parentWord, to.parentGeneration, to.hash);
    if (guard < 0) return guard;
    let result = directories.find(to.parentWord, to) !== 0 ? -ESTALE : lockExclusive(store.agent, inode + INODE_LOCK);
    if (result === 0) {
      const names = store.memory.i32[inode + INODE_NLINK]!;
      if (!context.isSame(inode, from.generation) || names === 0) result = -ESTALE;
      else if (names >= LINK_LIMIT) result = -EMLINK;
      // Last of what may fail: a bucket made for an entry that does not come would stay empty.
      else result = directories.prepareInsert(to.parentWord, guard, to);
      if (result === 0) {
        const { i32, f64 } = store.memory;
        store.wasm.beginChange(inode + INODE_VERSION);
        i32[inode + INODE_NLINK] = names + 1;
        f64[(inode + INODE_CTIME) / 2] = now;
        store.wasm.endChange(inode + INODE_VERSION);
        store.wasm.beginChange(versionOf(guard));
        directories.insert(to.parentWord, guard, to, inode, (from.mode & S_IFMT) >> 12, now);
        store.wasm.endChange(versionOf(guard));
        inspectName(store, to.parentWord, to.hash);
      }
      unlockExclusive(store.agent, inode + INODE_LOCK);
    }
    unlockGuard(store, guard);
    return result;
  }
}

/** Resolves a path that must not exist yet. */
function resolveMissing(context: Context, walk: Walk, path: string): number {
  const may = context.mayRead();
  if (may !== 0) return may;
  const resolved = walk.resolve(path, ENTRY);
  if (resolved !== 0) return resolved;
  if (walk.last === LAST_TOO_LONG) return -ENAMETOOLONG;
  if (walk.inodeWord !== 0) return -EEXIST;
  return context.mayWrite();
}

/** Adds the name that the walk did not find. Returns 0, `-ESTALE` or a negative errno. */
function addName(context: Context, walk: Walk, inode: number, type: number, now: number): number {
  const { store, directories } = context;
  const guard = lockGuard(store, walk.parentWord, walk.parentGeneration, walk.hash);
  if (guard < 0) return guard;
  const result = directories.find(walk.parentWord, walk) !== 0
    ? -ESTALE
    : directories.prepareInsert(walk.parentWord, guard, walk);
  if (result === 0) {
    store.wasm.beginChange(versionOf(guard));
    directories.insert(walk.parentWord, guard, walk, inode, type, now);
    store.wasm.endChange(versionOf(guard));
    inspectName(store, walk.parentWord, walk.hash);
  }
  unlockGuard(store, guard);
  return result;
}

/** Removes a name of a file or symbolic link, from the root or a directory. Returns 0 or a negative errno. */
export function unlink(context: Context, path: string, start?: DirectoryPlace): number {
  const began = context.begin();
  if (began !== 0) return began;
  const result = unlinkSteps(context, path, start);
  context.end();
  return result;
}

function unlinkSteps(context: Context, path: string, start?: DirectoryPlace): number {
  const { walk } = context;
  for (;;) {
    const may = context.mayRead();
    if (may !== 0) return may;
    const resolved = walk.resolve(path, ENTRY, start);
    if (resolved !== 0) return resolved;
    if (walk.last !== LAST_NAME) return walk.last === LAST_TOO_LONG ? -ENAMETOOLONG : -EISDIR;
    if (walk.inodeWord === 0) return -ENOENT;
    const mayWrite = context.mayWrite();
    if (mayWrite !== 0) return mayWrite;
    if ((walk.mode & S_IFMT) === S_IFDIR) return -EISDIR;
    if (walk.trailingSlash) return -ENOTDIR;
    const result = unlinkFound(context, walk, context.now());
    if (result !== -ESTALE) return result;
  }
}

function unlinkFound(context: Context, walk: Walk, now: number): number {
  const { store, directories } = context;
  const inode = walk.inodeWord;
  const parent = walk.parentWord;
  const guard = lockGuard(store, parent, walk.parentGeneration, walk.hash);
  if (guard < 0) return guard;
  let claimed = false;
  let result = 0;
  const entry = directories.find(parent, walk);
  if (entry === 0 || inodeWordOf(store.memory.i32, entry) !== inode) result = -ESTALE;
  else result = lockExclusive(store.agent, inode + INODE_LOCK);
  if (result === 0) {
    if (!context.isSame(inode, walk.generation)) result = -ESTALE;
    else {
      store.wasm.beginChange(versionOf(guard));
      directories.remove(parent, guard, walk, (walk.mode & S_IFMT) >> 12, now);
      store.wasm.endChange(versionOf(guard));
      claimed = dropNameLocked(store, inode, now);
    }
    unlockExclusive(store.agent, inode + INODE_LOCK);
    if (result === 0) directories.tidy(parent, guard, walk.hash);
    inspectName(store, parent, walk.hash);
  }
  unlockGuard(store, guard);
  if (claimed) context.dispose(inode);
  return result;
}

/** Takes one name from an inode whose lock is held; true where the caller must dispose of it: nothing holds it any more. */
export function dropNameLocked(store: Store, inode: number, now: number): boolean {
  const { i32, f64 } = store.memory;
  const left = i32[inode + INODE_NLINK]! - 1;
  store.wasm.beginChange(inode + INODE_VERSION);
  i32[inode + INODE_NLINK] = left;
  f64[(inode + INODE_CTIME) / 2] = now;
  store.wasm.endChange(inode + INODE_VERSION);
  return left === 0 && claimUnusedLocked(store, inode);
}

/** Removes an empty directory, by a path from the root or a directory. Returns 0 or a negative errno. */
export function removeDirectory(context: Context, path: string, start?: DirectoryPlace): number {
  const began = context.begin();
  if (began !== 0) return began;
  const result = removeDirectorySteps(context, path, start);
  context.end();
  return result;
}

function removeDirectorySteps(context: Context, path: string, start?: DirectoryPlace): number {
  const { walk } = context;
  for (;;) {
    const may = context.mayRead();
    if (may !== 0) return may;
    const resolved = walk.resolve(path, ENTRY, start);
    if (resolved !== 0) return resolved;
    if (walk.last === LAST_TOO_LONG) return -ENAMETOOLONG;
    if (walk.last === LAST_ROOT) return -EBUSY;
    if (walk.last === LAST_DOT) return -EINVAL;
    if (walk.last === LAST_DOT_DOT) return -ENOTEMPTY;
    if (walk.inodeWord === 0) return -ENOENT;
    const mayWrite = context.mayWrite();
    if (mayWrite !== 0) return mayWrite;
    if ((walk.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
    const result = removeFound(context, walk, context.now());
    if (result !== -ESTALE) return result;
  }
}

function removeFound(context: Context, walk: Walk, now: number): number {
  const { store, directories } = context;
  const inode = walk.inodeWord;
  const parent = walk.parentWord;
  const guards = new GuardSet(store);
  let result = guards.lock([
    { directoryWord: parent, generation: walk.parentGeneration, hash: walk.hash },
    { directoryWord: inode, generation: walk.generation, hash: undefined },
  ]);
  if (result !== 0) return result;
  const indexWord = store.memory.i32[inode + DIR_INDEX]! * GRANULE_WORDS;
  const guard = guardOf(store.memory.i32, parent, walk.hash);
  const entry = directories.find(parent, walk);
  let claimed = false;
  if (entry === 0 || inodeWordOf(store.memory.i32, entry) !== inode) result = -ESTALE;
  else if (!isEmptyLocked(store, inode)) result = -ENOTEMPTY;
  else {
    store.wasm.beginChange(versionOf(guard));
    directories.remove(parent, guard, walk, TYPE_DIRECTORY, now);
    store.wasm.endChange(versionOf(guard));
    killDirectory(store, inode);
    claimed = claimUnusedLocked(store, inode);
    directories.tidy(parent, guard, walk.hash);
    inspectName(store, parent, walk.hash);
  }
  guards.unlock();
  if (result === 0 && indexWord !== 0) giveIndex(store, indexWord);
  if (claimed) context.dispose(inode);
  return result;
}
