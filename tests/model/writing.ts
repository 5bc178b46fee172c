/**
 * What the hand-picked cases are written with: calls that look like those of a filesystem, and give operations.
 *
 * @module
 */

import type { Argument, DataArgument, IntoArgument, Operation, PathArgument, ViewKind } from "./language.ts";

/** Sequences of operations by what they are about. */
export type Cases = Record<string, Operation[]>;

/** Makes operations: `fs.mkdirSync("/a")`. A string that starts with a slash is a path in the sandbox. */
export const fs: Record<string, (...args: Argument[]) => Operation> = new Proxy({}, {
  get: (_, call: string) => (...args: Argument[]): Operation => ({ call, args: args.map(toPath) }),
});

/** The same for the real root directory: strings are taken as they are. */
export const atRoot: Record<string, (...args: Argument[]) => Operation> = new Proxy({}, {
  get: (_, call: string) => (...args: Argument[]): Operation => ({ call, args }),
});

function toPath(argument: Argument): Argument {
  return typeof argument === "string" && argument.startsWith("/") ? { at: argument.slice(1) } : argument;
}

/** A path in the sandbox with particulars. */
export function path(at: string, particulars: Omit<PathArgument, "at">): PathArgument {
  return { at: at.slice(1), ...particulars };
}

/** Bytes to write. */
export function data(seed: number, length: number, view?: ViewKind): DataArgument {
  return view ? { data: seed, length, view } : { data: seed, length };
}

/** A buffer to read into. */
export function buffer(length: number, view?: ViewKind): IntoArgument {
  return view ? { into: length, view } : { into: length };
}

/** The descriptor opened last, or `back` before it. */
export function fd(back = 0): Argument {
  return { fd: back };
}

/** Flags by name. */
export function flags(...names: string[]): Argument {
  return { flags: names };
}

/** An options object. */
export function options(fields: Record<string, Argument>): Argument {
  return { options: fields };
}

/** A list of buffers. */
export function list(...items: Argument[]): Argument {
  return { list: items };
}

/** A value that JSON has no word for. */
export function value(name: string): Argument {
  return { value: name };
}

/** `undefined`. */
export const undef: Argument = value("undefined");

/** A file, a directory, links to both, a link to nothing, and a link to itself. */
export const SCENE: Operation[] = [
  fs.mkdirSync("/dir"),
  fs.writeFileSync("/file", "content"),
  fs.symlinkSync("dir", "/toDir"),
  fs.symlinkSync("file", "/toFile"),
  fs.symlinkSync("nothing", "/dangling"),
  fs.symlinkSync("loop", "/loop"),
];
