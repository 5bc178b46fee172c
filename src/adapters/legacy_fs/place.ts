/**
 * Operations on an entry of a directory that is known by its inode: the directory may have been renamed since.
 *
 * @module
 */
import type { Context } from "../../file/context.ts";
import { EINVAL } from "../../layout/errno.ts";
import type { DirectoryPlace } from "../../names/walk.ts";

/** A directory of the pool: word and generation of its inode. */
export type Place = DirectoryPlace;

/**
 * Runs an operation whose first path is relative to a directory, and whose second, if it has one, to another. What it
 * creates gets the permissions as they are: the program has a mask of its own.
 */
export function within<T>(context: Context, first: Place, second: Place, operation: () => T): T {
  const { walk, secondWalk, umask } = context;
  walk.base = first;
  secondWalk.base = second;
  context.umask = 0;
  try {
    return operation();
  } finally {
    walk.base = undefined;
    secondWalk.base = undefined;
    context.umask = umask;
  }
}

/** The errno of a name that cannot be an entry's, for what would create it; 0 for others. */
export function refuseName(name: string): number {
  return isName(name) ? 0 : -EINVAL;
}

/** Whether a name can be that of an entry: the dots cannot, nor what has a slash or a zero in it. */
export function isName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}
