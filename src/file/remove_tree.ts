/**
 * Removing a directory with all that is in it, also what other agents put there meanwhile.
 *
 * It goes from directory to directory by inode, not by path: a tree may be deeper than a path can say. Each removal is an
 * operation of its own, so that a freeze waits for one name, not for the tree.
 *
 * @module
 */
import { EISDIR, ENOENT, ENOTEMPTY } from "../layout/errno.ts";
import { TYPE_DIRECTORY } from "../names/directory.ts";
import type { DirectoryPlace } from "../names/walk.ts";
import type { Context } from "./context.ts";
import { list, listPlace } from "./listing.ts";
import { removeDirectory, unlink } from "./tree.ts";

/** A directory on the way down: how it is reached, and itself (the top is reached by its path, and listed by it). */
interface Level {
  readonly name: string;
  readonly parent: DirectoryPlace | undefined;
  readonly place: DirectoryPlace | undefined;
}

/** Removes a tree by the path of its top. Returns 0, also where something is gone already, or a negative errno. */
export function removeTree(context: Context, path: string): number {
  const levels: Level[] = [{ name: path, parent: undefined, place: undefined }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { name, parent } = level;
    const removed = removeDirectory(context, name, parent);
    if (removed === 0 || removed === -ENOENT) levels.pop();
    else if (removed !== -ENOTEMPTY) return removed;
    else {
      const emptied = removeEntries(context, level, levels);
      if (emptied !== 0) return emptied;
    }
  }
  return 0;
}

/** Removes the entries of a directory that are none, and puts the others on top of the levels. */
function removeEntries(context: Context, level: Level, levels: Level[]): number {
  const entries: { name: string; place: DirectoryPlace | undefined }[] = [];
  const collect = (name: string, type: number, word: number, generation: number) => {
    entries.push({ name, place: type === TYPE_DIRECTORY ? { word, generation } : undefined });
  };
  let own = level.place;
  if (own === undefined) {
    const listed = list(context, level.name, collect);
    if (listed !== 0) return listed === -ENOENT ? 0 : listed;
    own = { word: context.walk.inodeWord, generation: context.walk.generation };
  } else {
    const listed = listPlace(context, own, collect);
    if (listed !== 0) return listed;
  }
  for (const { name, place } of entries) {
    if (place !== undefined) levels.push({ name, parent: own, place });
    else {
      const removed = unlink(context, name, own);
      // What has become a directory meanwhile is met when this directory is listed again.
      if (removed !== 0 && removed !== -ENOENT && removed !== -EISDIR) return removed;
    }
  }
  return 0;
}
