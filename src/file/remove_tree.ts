/**
 * Removing a directory with all that is in it, also what other agents put there meanwhile.
 *
 * It goes from directory to directory by inode, not by path: a tree may be deeper than a path can say. Each removal is an
 * operation of its own, so that a freeze waits for one name, not for the tree.
 *
 * @module
 */
import { EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } from "../layout/errno.ts";
import { TYPE_DIRECTORY } from "../names/directory.ts";
import type { DirectoryPlace } from "../names/walk.ts";
import type { Context } from "./context.ts";
import { list } from "./listing.ts";
import { removeDirectory, unlink } from "./tree.ts";

/**
 * A directory on the way down, by its name in its parent. Not by its inode: the name may come to stand for another
 * directory meanwhile, and it is the name that is to go.
 */
interface Level {
  readonly name: string;
  /** The parent; undefined at the top, whose name is a path. */
  readonly parent: DirectoryPlace | undefined;
}

/** Removes a tree by the path of its top. Returns 0, also where something is gone already, or a negative errno. */
export function removeTree(context: Context, path: string): number {
  const levels: Level[] = [{ name: path, parent: undefined }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { name, parent } = level;
    let removed = removeDirectory(context, name, parent);
    if (removed === -ENOTDIR && parent !== undefined) removed = unlink(context, name, parent);
    if (removed === 0 || removed === -ENOENT) levels.pop();
    else if (removed === -ENOTEMPTY) {
      const emptied = removeEntries(context, level, levels);
      if (emptied !== 0) return emptied;
    } else if (removed !== -EISDIR) return removed;
  }
  return 0;
}

/** Removes the entries of a directory that are none, and puts the others on top of the levels. */
function removeEntries(context: Context, level: Level, levels: Level[]): number {
  const files: string[] = [];
  const directories: string[] = [];
  const listed = list(
    context,
    level.name,
    (name, type) => (type === TYPE_DIRECTORY ? directories : files).push(name),
    level.parent,
    0,
  );
  // What it has become meanwhile is met when the level is tried again.
  if (listed === -ENOENT || listed === -ENOTDIR) return 0;
  if (listed !== 0) return listed;
  const own = { word: context.walk.inodeWord, generation: context.walk.generation };
  for (const name of directories) levels.push({ name, parent: own });
  for (const name of files) {
    const removed = unlink(context, name, own);
    if (removed !== 0 && removed !== -ENOENT && removed !== -EISDIR) return removed;
  }
  return 0;
}
