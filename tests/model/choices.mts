/**
 * Makes the choices that generated operations leave open, by what is in the sandbox and what is open when their turn
 * comes: most operations then meet something, and the sequence that was run can be printed and repeated as it was.
 *
 * @module
 */

import * as fs from "node:fs";
import type { Interpreter } from "./interpreter.mts";
import type { Argument, Operation, PathArgument, PickArgument } from "./language.ts";

/** Names for what is to be made. */
const FREE_NAMES = ["a", "b", "c", "d", "é"];

/** Returns the operation with each choice in its arguments made. */
export function choose(operation: Operation, sandbox: string, interpreter: Interpreter): Operation {
  const args = operation.args.map((argument): Argument => {
    if (argument === null || typeof argument !== "object") return argument;
    if ("pick" in argument) return pickPath(argument, sandbox);
    if (!("openFd" in argument)) return argument;
    const open = interpreter.open;
    return { fd: open.length === 0 ? 0 : open[argument.openFd % open.length] };
  });
  return { call: operation.call, args };
}

function pickPath({ pick, of, suffix = "" }: PickArgument, sandbox: string): PathArgument {
  const found: string[] = [];
  if (of === "free") {
    const directories = [""];
    collect(sandbox, "", "directory", directories);
    for (const directory of directories) {
      for (const name of FREE_NAMES) {
        const path = directory === "" ? name : `${directory}/${name}`;
        if (!isThere(`${sandbox}/${path}`)) found.push(path);
      }
    }
  } else {
    collect(sandbox, "", of, found);
  }
  return { at: (found.length === 0 ? "a" : found[pick % found.length]) + suffix };
}

function collect(sandbox: string, below: string, of: PickArgument["of"], found: string[]): void {
  let entries: fs.Dirent[];
  try {
    entries = fs.readdirSync(below === "" ? sandbox : `${sandbox}/${below}`, { withFileTypes: true });
  } catch {
    return;
  }
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const entry of entries) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const kind = entry.isDirectory() ? "directory" : entry.isSymbolicLink() ? "link" : "file";
    if (of === "any" || of === kind) found.push(path);
    if (kind === "directory") collect(sandbox, path, of, found);
  }
}

function isThere(path: string): boolean {
  try {
    return fs.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}
