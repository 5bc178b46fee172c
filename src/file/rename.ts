/**
 * Renaming: one name goes, another comes or changes what it names, as one change.
 *
 * Locks: the pool-wide rename lock where a directory changes its parent (two crossing moves could otherwise each make the
 * other's directory its own ancestor); then, ascending, the guards of both names, all guards of a directory that is
 * replaced, and the inode of a small directory that moves; then the inode of an index-bearing directory that moves, or of
 * a file that is replaced.
 *
 * Both versions are odd while entries change. A target that exists never vanishes: its entry gets another inode by one
 * store.
 *
 * @module
 */
import { EBUSY, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY } from "../layout/errno.ts";
import { DIR_INDEX, DIR_PARENT, INODE_CTIME, INODE_LOCK, INODE_VERSION } from "../layout/inode.ts";
import { SUPER_RENAME_LOCK } from "../layout/superblock.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { inodeWordOf } from "../names/bucket.ts";
import {
  countEntry,
  ESTALE,
  giveIndex,
  guardOf,
  isEmptyLocked,
  killDirectory,
  replaceEntry,
  versionOf,
} from "../names/directory.ts";
import { inspectName } from "../names/inspect_bucket.ts";
import { GuardSet, type WantedGuard } from "../names/guard_set.ts";
import { ENTRY, LAST_NAME, LAST_TOO_LONG, type Walk } from "../names/walk.ts";
import { claimUnusedLocked, S_IFDIR, S_IFMT } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import { dropNameLocked } from "./tree.ts";

/** Renames. Returns 0 or a negative errno. */
export function rename(context: Context, fromPath: string, toPath: string): number {
  const began = context.begin();
  if (began !== 0) return began;
  const result = renameSteps(context, fromPath, toPath);
  context.end();
  return result;
}

function renameSteps(context: Context, fromPath: string, toPath: string): number {
  const { walk: from, secondWalk: to, store } = context;
  for (;;) {
    const may = context.mayRead();
    if (may !== 0) return may;
    const result = resolveBoth(context, fromPath, toPath);
    if (result !== 0) return result;
    const mayWrite = context.mayWrite();
    if (mayWrite !== 0) return mayWrite;
    const isDirectory = (from.mode & S_IFMT) === S_IFDIR;
    const now = context.now();
    let renamed: number;
    if (to.inodeWord === from.inodeWord) renamed = confirmSame(context, from, to);
    else if (isDirectory && from.parentWord !== to.parentWord) {
      renamed = lockExclusive(store.agent, SUPER_RENAME_LOCK);
      if (renamed !== 0) return renamed;
      renamed = isWithin(store, to.parentWord, from.inodeWord)
        ? refuseLoop(store, to)
        : renameFound(context, from, to, now);
      unlockExclusive(store.agent, SUPER_RENAME_LOCK);
    } else renamed = renameFound(context, from, to, now);
    if (renamed !== -ESTALE) return renamed;
  }
}

/**
 * Two names of one file: there is nothing to do, if both are its names at one moment. Where another agent has made the same
 * move since the first name was looked up, the second one leads to the file, and the first is gone.
 */
function confirmSame(context: Context, from: Walk, to: Walk): number {
  const { store, directories } = context;
  const guards = new GuardSet(store);
  const locked = guards.lock([
    { directoryWord: from.parentWord, generation: from.parentGeneration, hash: from.hash },
    { directoryWord: to.parentWord, generation: to.parentGeneration, hash: to.hash },
  ]);
  if (locked !== 0) return locked;
  const leads = (walk: Walk) => {
    const entry = directories.find(walk.parentWord, walk);
    return entry !== 0 && inodeWordOf(store.memory.i32, entry) === from.inodeWord;
  };
  const result = leads(from) && leads(to) ? 0 : -ESTALE;
  guards.unlock();
  return result;
}

/** A loop seen while the tree changed may not be one: only a parent that is still there makes it so. */
function refuseLoop(store: Store, to: Walk): number {
  return to.validate() ? -EINVAL : store.agent.live ? -ESTALE : -EINVAL;
}

/** Resolves both paths and refuses what can be told from them, in the order in which Linux does. */
function resolveBoth(context: Context, fromPath: string, toPath: string): number {
  const { walk: from, secondWalk: to, store } = context;
  const resolvedFrom = from.resolve(fromPath, ENTRY);
  if (resolvedFrom !== 0) return resolvedFrom;
  const resolvedTo = to.resolve(toPath, ENTRY);
  if (resolvedTo !== 0) return resolvedTo;
  if (!isName(from) || !isName(to)) return -EBUSY;
  if (from.last === LAST_TOO_LONG) return -ENAMETOOLONG;
  if (from.inodeWord === 0) return -ENOENT;
  if (to.last === LAST_TOO_LONG) return -ENAMETOOLONG;
  const isDirectory = (from.mode & S_IFMT) === S_IFDIR;
  if (!isDirectory && (from.trailingSlash || to.trailingSlash)) return -ENOTDIR;
  if (isDirectory && isWithin(store, to.parentWord, from.inodeWord)) return -EINVAL;
  if (to.inodeWord !== 0) {
    if (isWithin(store, from.parentWord, to.inodeWord)) return -ENOTEMPTY;
    if (to.inodeWord === from.inodeWord) return 0;
    const ontoDirectory = (to.mode & S_IFMT) === S_IFDIR;
    if (isDirectory && !ontoDirectory) return -ENOTDIR;
    if (!isDirectory && ontoDirectory) return -EISDIR;
  }
  return 0;
}

/** Whether a path ends in a name, and not in dots or slashes alone. */
function isName(walk: Walk): boolean {
  return walk.last === LAST_NAME || walk.last === LAST_TOO_LONG;
}

/** Whether a directory is another, or lies within it. A hint unless the rename lock is held. */
function isWithin(store: Store, directoryWord: number, ancestorWord: number): boolean {
  const { i32 } = store.memory;
  let word = directoryWord;
  for (let depth = 0; depth < 1_000_000; depth++) {
    if (word === ancestorWord) return true;
    if (word === store.rootWord) return false;
    const parent = (i32[word + DIR_PARENT]! | 0) * GRANULE_WORDS;
    if (parent <= 0 || parent === word) return false;
    word = parent;
  }
  return false;
}

function renameFound(context: Context, from: Walk, to: Walk, now: number): number {
  const { store } = context;
  const moved = from.inodeWord;
  const victim = to.inodeWord;
  const isDirectory = (from.mode & S_IFMT) === S_IFDIR;
  const wanted: WantedGuard[] = [
    { directoryWord: from.parentWord, generation: from.parentGeneration, hash: from.hash },
    { directoryWord: to.parentWord, generation: to.parentGeneration, hash: to.hash },
  ];
  if (isDirectory && victim !== 0) {
    wanted.push({ directoryWord: victim, generation: to.generation, hash: undefined });
  }
  // A small directory's inode lock is its guard; that of one with an index ranks with the inodes of files.
  const reparented = isDirectory && from.parentWord !== to.parentWord;
  const isSmall = reparented && store.memory.i32[moved + DIR_INDEX] === 0;
  if (isSmall) wanted.push({ directoryWord: moved, generation: from.generation, hash: undefined });
  const guards = new GuardSet(store);
  let result = guards.lock(wanted);
  if (result !== 0) return result;
  let inode = 0;
  if (reparented && !isSmall) inode = moved;
  else if (!isDirectory && victim !== 0) inode = victim;
  if (inode !== 0) {
    result = lockExclusive(store.agent, inode + INODE_LOCK);
    if (result !== 0) {
      guards.unlock();
      return result;
    }
  }
  const indexWord = isDirectory && victim !== 0 ? store.memory.i32[victim + DIR_INDEX]! * GRANULE_WORDS : 0;
  let claimed = false;
  result = checkHeld(context, from, to);
  if (result === 0) {
    claimed = exchangeNames(context, from, to, now);
    if (reparented) reparent(store, moved, to.parentWord, now);
  }
  if (inode !== 0) unlockExclusive(store.agent, inode + INODE_LOCK);
  if (result === 0) {
    context.directories.tidy(from.parentWord, guardOf(store.memory.i32, from.parentWord, from.hash), from.hash);
    inspectName(store, from.parentWord, from.hash);
    inspectName(store, to.parentWord, to.hash);
  }
  guards.unlock();
  if (result === 0 && indexWord !== 0) giveIndex(store, indexWord);
  if (claimed) context.dispose(victim);
  return result;
}

/** Asks, with all locks held, whether what was resolved still is so, and makes room for a new name. */
function checkHeld(context: Context, from: Walk, to: Walk): number {
  const { store, directories } = context;
  const source = directories.find(from.parentWord, from);
  if (source === 0 || inodeWordOf(store.memory.i32, source) !== from.inodeWord) return -ESTALE;
  if (!context.isSame(from.inodeWord, from.generation)) return -ESTALE;
  const target = directories.find(to.parentWord, to);
  if (to.inodeWord === 0) {
    if (target !== 0) return -ESTALE;
    return directories.prepareInsert(to.parentWord, guardOf(store.memory.i32, to.parentWord, to.hash), to);
  }
  if (target === 0 || inodeWordOf(store.memory.i32, target) !== to.inodeWord) return -ESTALE;
  if (!context.isSame(to.inodeWord, to.generation)) return -ESTALE;
  if ((to.mode & S_IFMT) === S_IFDIR && !isEmptyLocked(store, to.inodeWord)) return -ENOTEMPTY;
  return 0;
}

/** Changes the entries. Returns whether the replaced inode has been claimed. */
function exchangeNames(context: Context, from: Walk, to: Walk, now: number): boolean {
  const { store, directories } = context;
  const { wasm } = store;
  const type = (from.mode & S_IFMT) >> 12;
  const fromGuard = guardOf(store.memory.i32, from.parentWord, from.hash);
  const toGuard = guardOf(store.memory.i32, to.parentWord, to.hash);
  wasm.beginChange(versionOf(fromGuard));
  if (toGuard !== fromGuard) wasm.beginChange(versionOf(toGuard));
  if (to.inodeWord === 0) directories.insert(to.parentWord, toGuard, to, from.inodeWord, type, now);
  else {
    replaceEntry(store, directories.find(to.parentWord, to), from.inodeWord, type);
    countEntry(store, to.parentWord, toGuard, 0, 0, now);
  }
  directories.remove(from.parentWord, fromGuard, from, type, now);
  if (toGuard !== fromGuard) wasm.endChange(versionOf(toGuard));
  wasm.endChange(versionOf(fromGuard));
  if (to.inodeWord === 0) return false;
  if ((to.mode & S_IFMT) === S_IFDIR) {
    killDirectory(store, to.inodeWord);
    return claimUnusedLocked(store, to.inodeWord);
  }
  return dropNameLocked(store, to.inodeWord, now);
}

/** Enters the new parent of a directory whose inode's lock is held. */
function reparent(store: Store, moved: number, parentWord: number, now: number): void {
  store.wasm.beginChange(moved + INODE_VERSION);
  store.memory.i32[moved + DIR_PARENT] = parentWord / GRANULE_WORDS;
  store.memory.f64[(moved + INODE_CTIME) / 2] = now;
  store.wasm.endChange(moved + INODE_VERSION);
}
