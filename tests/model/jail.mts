/**
 * Keeps the oracle inside its sandbox, and away from what Node does oddly: says of an operation, before Node runs it on
 * the real disk, why it must not run. What is refused here is not run on the filesystem under test either.
 *
 * @module
 */

import * as fs from "node:fs";
import { posix } from "node:path";
import type { Argument, Operation } from "./language.ts";
import { expandPath } from "./interpreter.mts";

/** How many symbolic links a walk follows before it gives up, as the kernel does. */
const MAX_LINKS = 40;

/** Calls that may be given the root directory itself: they read, or the kernel refuses them. */
const HARMLESS_AT_ROOT = new Set([
  "statSync",
  "lstatSync",
  "existsSync",
  "accessSync",
  "realpathSync",
  "readlinkSync",
  "mkdirSync",
  "rmdirSync",
  "unlinkSync",
]);

/** Calls whose first argument is a descriptor. */
const TAKES_DESCRIPTOR = new Set([
  "closeSync",
  "readSync",
  "readvSync",
  "writeSync",
  "writevSync",
  "fstatSync",
  "ftruncateSync",
  "fsyncSync",
]);

/** Calls whose first argument is a path or a descriptor. */
const TAKES_BOTH = new Set(["readFileSync", "writeFileSync", "appendFileSync"]);

/** Raw strings that may stand as paths. */
const ROOT_PATHS = new Set(["/", ".", "/.", "/..", "//"]);

/** The directory that holds the sandbox, and that nothing may touch or leave: two levels above it. */
export function jailOf(sandbox: string): string {
  return posix.dirname(posix.dirname(sandbox));
}

/**
 * Says why an operation must not run.
 *
 * @param operation The operation.
 * @param sandbox The sandbox of its sequence.
 * @returns The reason, or `undefined` where it may run.
 */
export function refusal(operation: Operation, sandbox: string): string | undefined {
  const { call, args } = operation;
  if (call === "$tree") return undefined;
  if (process.getuid?.() !== 0 && needsRoot(operation)) return "only root may do this, or what comes after it";
  for (const [index, argument] of args.entries()) {
    if (call === "symlinkSync" && index === 0) continue;
    if (typeof argument === "string" && index < pathCount(call) && !isHarmless(argument, call)) {
      return "a path outside the sandbox";
    }
    if (index === 0 && isOpenInside(argument) && (pathCount(call) === 0 || TAKES_BOTH.has(call))) {
      return "a descriptor of Node's own";
    }
    if (!isPath(argument)) continue;
    const path = expandPath(argument, sandbox);
    if (!staysInside(path, jailOf(sandbox))) return "leaves the sandbox";
    if (call === "rmSync" && (/(^|\/)\.{1,2}\/*$/.test(path) || (path.endsWith("/") && isLink(path)))) {
      return "rmSync empties what `.`, `..` and a link with a slash lead to, and may then fail";
    }
    if (
      call === "copyFileSync" && index === 1 && isPath(args[0]) && destroysByCopy(expandPath(args[0], sandbox), path)
    ) {
      return "copyFileSync of a directory removes the destination, or makes and removes it";
    }
    if (call === "readdirSync" && isRecursive(args[1]) && linksToDirectory(path)) {
      return "readdirSync recursive follows links to directories";
    }
  }
  return undefined;
}

/** Whether an operation gives a file away, or takes permissions from its owner that later operations need. */
function needsRoot({ call, args }: Operation): boolean {
  if (call === "chownSync") return true;
  const modes = args.flatMap((argument) =>
    typeof argument === "object" && argument !== null && "options" in argument ? [argument.options.mode] : [argument]
  );
  const last = modes.at(-1);
  return ["chmodSync", "mkdirSync", "openSync", "writeFileSync", "appendFileSync"].includes(call) &&
    (typeof last === "number" || (typeof last === "string" && /^[0-7]+$/.test(last))) &&
    (Number.parseInt(String(last), typeof last === "string" ? 8 : 10) & 0o7700) !== 0o700;
}

/** How many of the first arguments of a call may be paths. */
function pathCount(call: string): number {
  if (TAKES_DESCRIPTOR.has(call)) return 0;
  return ["renameSync", "linkSync", "symlinkSync", "copyFileSync"].includes(call) ? 2 : 1;
}

/** Whether a raw string as a path cannot do harm: the empty path, one that Node refuses, or the root looked at. */
function isHarmless(path: string, call: string): boolean {
  return path === "" || path.includes("\0") || (ROOT_PATHS.has(path) && HARMLESS_AT_ROOT.has(call));
}

/** Whether a raw number is a descriptor that this process has open. */
function isOpenInside(descriptor: Argument): boolean {
  return typeof descriptor === "number" && Number.isInteger(descriptor) && descriptor >= 0 && descriptor < 1000;
}

function isPath(argument: Argument): argument is { at: string } {
  return typeof argument === "object" && argument !== null && "at" in argument;
}

function isRecursive(argument: Argument | undefined): boolean {
  return typeof argument === "object" && argument !== null && "options" in argument &&
    argument.options.recursive === true;
}

/** Whether neither the path as the kernel walks it nor the path as text ever comes to the jail itself or out of it. */
function staysInside(path: string, jail: string): boolean {
  const absolute = path.startsWith("/") ? path : `/${path}`;
  if (!posix.normalize(absolute).startsWith(`${jail}/`)) return false;
  let todo = absolute.split("/").filter((name) => name !== "" && name !== ".");
  let here = "";
  let entered = false;
  let links = 0;
  while (todo.length > 0) {
    const name = todo.shift()!;
    here = name === ".." ? posix.dirname(here) : `${here}/${name}`;
    if (here.startsWith(`${jail}/`)) entered = true;
    else if (entered || !`${jail}/`.startsWith(`${here}/`)) return false;
    const target = linkTarget(here);
    if (target === undefined) continue;
    if (++links > MAX_LINKS) return true;
    todo = [...target.split("/").filter((part) => part !== "" && part !== "."), ...todo];
    here = target.startsWith("/") ? "" : posix.dirname(here);
    entered = !target.startsWith("/");
  }
  return entered;
}

function isLink(path: string): boolean {
  return linkTarget(path.replace(/\/+$/, "")) !== undefined;
}

function linkTarget(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Whether copying would remove the destination, or give a time that was set to its directory. */
function destroysByCopy(source: string, destination: string): boolean {
  if (!fs.existsSync(`${source}/.`)) return false;
  if (fs.existsSync(`${destination}/.`)) return false;
  if (fs.existsSync(destination) || isLink(destination)) return true;
  const parent = statOf(posix.dirname(destination));
  return parent !== undefined && Date.now() - parent.mtimeMs > 60_000;
}

function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path);
  } catch {
    return undefined;
  }
}

/** Whether a directory contains, at any depth, a link that leads to a directory. */
function linksToDirectory(path: string): boolean {
  let entries: fs.Dirent[];
  try {
    entries = fs.readdirSync(path, { withFileTypes: true });
  } catch {
    return false;
  }
  return entries.some((entry) => {
    const below = `${path}/${entry.name}`;
    if (entry.isSymbolicLink()) return fs.existsSync(`${below}/.`);
    return entry.isDirectory() && linksToDirectory(below);
  });
}
