/**
 * Compares two directory trees on disk: names, kinds, contents, permission bits, times, link targets, hard links.
 *
 * @module
 */

import * as fs from "node:fs";

/** What was compared. */
export interface Comparison {
  readonly files: number;
  readonly bytes: number;
  /** One line for each difference, with its path. */
  readonly differences: string[];
}

/** Permission bits that an export keeps. */
const MODE_MASK = 0o777;

/**
 * Compares two trees.
 *
 * @param expected The tree as it should be.
 * @param actual The tree as it is.
 * @returns What was compared, and each difference.
 */
export function compareTrees(expected: string, actual: string): Comparison {
  const differences: string[] = [];
  let files = 0;
  let bytes = 0;
  /** The first name of a file on one side, by its identity on the other. */
  const firstNames = { expected: new Map<string, string>(), actual: new Map<string, string>() };
  const firstName = (side: "expected" | "actual", stats: fs.Stats, path: string) => {
    const identity = `${stats.dev}:${stats.ino}`;
    if (!firstNames[side].has(identity)) firstNames[side].set(identity, path);
    return firstNames[side].get(identity);
  };

  const compare = (path: string) => {
    const a = fs.lstatSync(`${expected}/${path}`);
    const b = fs.lstatSync(`${actual}/${path}`);
    const differ = (what: string, x: unknown, y: unknown) => {
      if (x !== y) differences.push(`'${path}': ${what} ${y}, expected ${x}`);
      return x !== y;
    };
    if (differ("kind", kindOf(a), kindOf(b))) return;
    if (a.isSymbolicLink()) {
      differ("link target", fs.readlinkSync(`${expected}/${path}`), fs.readlinkSync(`${actual}/${path}`));
      return;
    }
    differ("mode", (a.mode & MODE_MASK).toString(8), (b.mode & MODE_MASK).toString(8));
    differ("modification time", Math.trunc(a.mtimeMs), Math.trunc(b.mtimeMs));
    if (a.isDirectory()) return compareDirectory(path);
    files++;
    bytes += a.size;
    differ("first name of its hard links", firstName("expected", a, path), firstName("actual", b, path));
    if (differ("size", a.size, b.size)) return;
    const offset = firstDifference(fs.readFileSync(`${expected}/${path}`), fs.readFileSync(`${actual}/${path}`));
    if (offset !== undefined) differences.push(`'${path}': the byte at ${offset} differs`);
  };

  const compareDirectory = (path: string) => {
    const prefix = path === "" ? "" : `${path}/`;
    const names = fs.readdirSync(`${expected}/${path}`).sort();
    const found = new Set(fs.readdirSync(`${actual}/${path}`));
    for (const name of names) {
      if (found.delete(name)) compare(`${prefix}${name}`);
      else differences.push(`'${prefix}${name}': missing`);
    }
    for (const name of found) differences.push(`'${prefix}${name}': unexpected`);
  };

  compareDirectory("");
  return { files, bytes, differences };
}

function kindOf(stats: fs.Stats): string {
  return stats.isDirectory() ? "directory" : stats.isFile() ? "file" : stats.isSymbolicLink() ? "link" : "other";
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    if (a[index] !== b[index]) return index;
  }
  return undefined;
}
