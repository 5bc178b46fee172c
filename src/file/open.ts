/**
 * Opening and closing.
 *
 * @module
 */
import { EBADF, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, EOPNOTSUPP, EROFS } from "../layout/errno.ts";
import { INODE_LOCK, INODE_NLINK } from "../layout/inode.ts";
import { ESTALE, lockGuard, unlockGuard, versionOf } from "../names/directory.ts";
import { inspectName } from "../names/inspect_bucket.ts";
import { CREATE, FOLLOW, type Walk } from "../names/walk.ts";
import {
  claimUnusedLocked,
  generationOf,
  giveInode,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  takeInode,
} from "../store/inodes.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import { setSizeLocked, trim } from "./data.ts";
import type { DescriptorTable, OpenFile } from "./descriptors.ts";
import { releaseOnClose } from "./file_locks.ts";
import { O_ACCMODE, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_TMPFILE, O_TRUNC } from "./flags.ts";

/** Opens a path, under a descriptor of a table. Returns the descriptor or a negative errno. */
export function open(
  context: Context,
  path: string,
  flags: number,
  mode: number,
  table: DescriptorTable = context.descriptors,
): number {
  if ((flags & O_ACCMODE) === O_ACCMODE) return -EINVAL;
  if ((flags & O_TMPFILE) === O_TMPFILE) return -EOPNOTSUPP;
  if ((flags & O_CREAT) !== 0 && (flags & O_DIRECTORY) !== 0) return -EINVAL;
  const began = context.begin();
  if (began !== 0) return began;
  const descriptor = table.reserve();
  let result = descriptor;
  if (descriptor >= 0) {
    result = openSteps(context, path, flags, mode, table, descriptor);
    if (result < 0) table.cancel(descriptor);
  }
  context.end();
  return result;
}

function openSteps(
  context: Context,
  path: string,
  flags: number,
  mode: number,
  table: DescriptorTable,
  descriptor: number,
): number {
  const create = (flags & O_CREAT) !== 0;
  const exclusive = create && (flags & O_EXCL) !== 0;
  const changes = create || (flags & O_TRUNC) !== 0 || (flags & O_ACCMODE) !== O_RDONLY;
  const { walk } = context;
  const how = ((flags & O_NOFOLLOW) === 0 && !exclusive ? FOLLOW : 0) | (create ? CREATE : 0);
  for (;;) {
    const resolved = walk.resolve(path, how);
    if (resolved !== 0) return resolved;
    let result: number;
    if (walk.inodeWord === 0) {
      if (!create) return -ENOENT;
      if (context.mayWrite() !== 0) return context.mayWrite();
      result = createFile(context, walk, flags, mode, table, descriptor);
    } else {
      if (exclusive) return -EEXIST;
      const refused = refuseOpen(walk.mode, flags, changes);
      if (refused !== 0) return refused;
      if (changes && context.mayWrite() === -EROFS) return -EROFS;
      result = openFound(context, walk.inodeWord, walk.generation, walk.mode, flags, table, descriptor);
    }
    if (result !== -ESTALE) return result === 0 ? descriptor : result;
  }
}

function refuseOpen(mode: number, flags: number, changes: boolean): number {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return changes ? -EISDIR : 0;
  if ((flags & O_DIRECTORY) !== 0) return -ENOTDIR;
  return type === S_IFLNK ? -ELOOP : 0;
}

/**
 * Opens an inode that was found before, under a descriptor of a table. Returns the descriptor or a negative errno: `-ENOENT`
 * if it is not of that generation any more.
 */
export function openInode(
  context: Context,
  inodeWord: number,
  generation: number,
  mode: number,
  flags: number,
  table: DescriptorTable,
): number {
  const changes = (flags & O_TRUNC) !== 0 || (flags & O_ACCMODE) !== O_RDONLY;
  const refused = changes ? context.mayWrite() : context.mayRead();
  if (refused !== 0) return refused;
  const began = context.begin();
  if (began !== 0) return began;
  const descriptor = table.reserve();
  let result = descriptor;
  if (descriptor >= 0) {
    result = refuseOpen(mode, flags, changes);
    if (result === 0) result = openFound(context, inodeWord, generation, mode, flags, table, descriptor);
    if (result !== 0) table.cancel(descriptor);
  }
  context.end();
  if (result === -ESTALE) return -ENOENT;
  return result === 0 ? descriptor : result;
}

function openFound(
  context: Context,
  inode: number,
  generation: number,
  mode: number,
  flags: number,
  table: DescriptorTable,
  descriptor: number,
): number {
  const { store } = context;
  if ((flags & O_TRUNC) !== 0) {
    // Before the file counts as open: one that is removed in between has been truncated in vain, which nobody sees.
    const now = context.now();
    let result = lockExclusive(store.agent, inode + INODE_LOCK);
    if (result !== 0) return result;
    result = context.isSame(inode, generation) ? setSizeLocked(store, inode, 0, now) : -ESTALE;
    unlockExclusive(store.agent, inode + INODE_LOCK);
    if (result !== 0) return result;
  }
  return table.open(descriptor, inode, flags, generation, (mode & S_IFMT) === S_IFDIR) ? 0 : -ESTALE;
}

/** Creates the file that the walk did not find, and opens it. */
function createFile(
  context: Context,
  walk: Walk,
  flags: number,
  mode: number,
  table: DescriptorTable,
  descriptor: number,
): number {
  const { store, directories } = context;
  const now = context.now();
  const inode = takeInode(store, S_IFREG | (mode & 0o7777 & ~context.umask), 1, now);
  if (inode < 0) return inode;
  const parent = walk.parentWord;
  const guard = lockGuard(store, parent, walk.parentGeneration, walk.hash);
  let result = guard < 0 ? guard : 0;
  if (result === 0) {
    result = directories.find(parent, walk) !== 0 ? -ESTALE : directories.prepareInsert(parent, guard, walk);
    if (result === 0) {
      // Open before it has a name, so that nobody who removes the name takes it away.
      table.open(descriptor, inode, flags, generationOf(store, inode), false);
      store.wasm.beginChange(versionOf(guard));
      directories.insert(parent, guard, walk, inode, S_IFREG >> 12, now);
      store.wasm.endChange(versionOf(guard));
      inspectName(store, parent, walk.hash);
    }
    unlockGuard(store, guard);
  }
  if (result !== 0) giveInode(store, inode);
  return result;
}

/** Closes a descriptor. Returns 0 or a negative errno. */
export function close(context: Context, descriptor: number): number {
  const file = context.descriptors.get(descriptor);
  if (file === undefined) return -EBADF;
  const began = context.begin();
  if (began !== 0) return began;
  closeSteps(context, descriptor, file);
  context.end();
  return 0;
}

function closeSteps(context: Context, descriptor: number, file: OpenFile): void {
  if (file.grew) trim(context, file.inodeWord);
  releaseOnClose(context, file.inodeWord, file.serial);
  // Nobody else can claim it while it is open: this is the generation that was opened.
  const generation = generationOf(context.store, file.inodeWord);
  const left = context.descriptors.close(descriptor);
  if (left === 0 && context.store.memory.i32[file.inodeWord + INODE_NLINK] === 0) {
    reapInode(context, file.inodeWord, generation);
  }
}

/**
 * Gives an inode back if it has neither names nor opens left, and is of the generation that it had when it was open. Whoever
 * removed its last name at the same moment may have claimed it already: then its generation is another.
 */
export function reapInode(context: Context, inodeWord: number, generation: number): void {
  const { store } = context;
  if (lockExclusive(store.agent, inodeWord + INODE_LOCK) !== 0) return;
  const claimed = context.isSame(inodeWord, generation) && store.memory.i32[inodeWord + INODE_NLINK] === 0 &&
    claimUnusedLocked(store, inodeWord);
  unlockExclusive(store.agent, inodeWord + INODE_LOCK);
  if (claimed) context.dispose(inodeWord);
}
