/**
 * The language in which the model-based tests speak of filesystem calls: operations as data (so that they can be
 * generated, shrunk, sent to another process and printed) and what came of them.
 *
 * Imports nothing: Deno and Node both read it.
 *
 * @module
 */

/** A path inside the sandbox of a sequence. */
export interface PathArgument {
  /** The path below the sandbox, without a leading slash; empty for the sandbox itself. */
  at: string;
  /** Whether the path is given without its leading slash (the working directory is `/` on both sides). */
  relative?: true;
  /** The bytes that the whole path is to have: filled up with `./` behind the sandbox. */
  bytes?: number;
  /** What the path is given as, where not as a string. */
  as?: "bytes" | "url";
}

/** A path that Node's process chooses when the operation's turn comes, by what is there; it then becomes a plain path. */
export interface PickArgument {
  /** Which of those that there are. */
  pick: number;
  /** What to choose among: everything, one kind, or names that are free in some directory. */
  of: "any" | "file" | "directory" | "link" | "free";
  /** Text to add at the end. */
  suffix?: string;
}

/** Bytes to write: `length` bytes of a pattern that depends on `data`. */
export interface DataArgument {
  /** The seed of the pattern. */
  data: number;
  /** How many bytes. */
  length: number;
  /** The kind of view; `Uint8Array` unless told. */
  view?: ViewKind;
}

/** A buffer to read into, filled with a sentinel; its whole content is part of what is compared. */
export interface IntoArgument {
  /** How many bytes. */
  into: number;
  /** The kind of view; `Uint8Array` unless told. */
  view?: ViewKind;
}

/** Kinds of views over memory; `shared` is a `Uint8Array` over a `SharedArrayBuffer`, `inside` one at an odd offset. */
export type ViewKind = "Uint8Array" | "Uint16Array" | "DataView" | "shared" | "inside";

/** One argument of a call. Plain JSON values stand for themselves. */
export type Argument =
  | null
  | boolean
  | number
  | string
  | PathArgument
  | PickArgument
  | DataArgument
  | IntoArgument
  /** The descriptor opened last (0), the one before (1), … also where it was closed since. */
  | { fd: number }
  /** One of the descriptors that are open when the operation's turn comes; it then becomes one of the above. */
  | { openFd: number }
  /** Flags by name, `O_CREAT`, `COPYFILE_EXCL`, `R_OK`, …, or-ed together. */
  | { flags: string[] }
  /** What JSON cannot say: `undefined`, `NaN`, `Infinity`, `-Infinity`, or a bigint such as `5n`. */
  | { value: string }
  | { options: Record<string, Argument> }
  | { list: Argument[] };

/** One call of a method of a filesystem. `$tree` (no method) lists all that is there. */
export interface Operation {
  /** The name of the method. */
  call: string;
  /** Its arguments. */
  args: Argument[];
}

/** What came of an operation, as text that is equal where the results are. */
export interface Outcome {
  /** What was returned. */
  returned?: string;
  /** The error that was thrown. */
  error?: ErrorFields;
  /** What the buffers to read into contain afterwards. */
  buffers?: string[];
  /** Why the operation was not run: it could leave the sandbox, or Node is odd there. */
  skipped?: string;
}

/** The fields of an error that are compared. */
export interface ErrorFields {
  /** The class: `Error`, `TypeError`, `RangeError`. */
  name: string;
  /** `ENOENT`, `ERR_OUT_OF_RANGE`, … */
  code?: string;
  /** The negative number of the errno. */
  errno?: number;
  /** The system call that failed. */
  syscall?: string;
  /** The path that the call was given. */
  path?: string;
  /** The second path. */
  dest?: string;
  /** The text; only of errors of the system, and of those without a code. */
  message?: string;
}

/** A sequence of operations for the other process. */
export interface Request {
  /** The directory that the sequence may change, empty at first. */
  sandbox: string;
  /** The calls to make. */
  operations: Operation[];
}

/** The answer to a {@linkcode Request}. */
export interface Response {
  /** The operations with all choices made. */
  operations: Operation[];
  /** What came of each. */
  outcomes: Outcome[];
}

/** The first line of the other process. */
export interface Greeting {
  /** Its version of Node, or of what it stands for. */
  version: string;
  /** A fresh directory, in which each sequence gets its sandbox. */
  base: string;
  /** Whether it may do what only root may: give files away, and use files without permission. */
  root: boolean;
}

/** Shortens runs of one character, so that names of 255 bytes stay readable. */
function abbreviate(text: string): string {
  return text.replace(/(.)\1{19,}/gu, (run, unit) => `${unit}{×${[...run].length}}`);
}

/** Writes an argument as code that a reader can follow. */
export function showArgument(argument: Argument): string {
  if (typeof argument === "string") return abbreviate(JSON.stringify(argument));
  if (argument === null || typeof argument !== "object") return String(argument);
  if ("at" in argument) {
    const path = abbreviate(JSON.stringify(argument.relative ? argument.at : `/${argument.at}`));
    const notes = [
      argument.relative ? "relative" : "",
      argument.bytes ? `${argument.bytes} bytes long` : "",
      argument.as ? `as ${argument.as}` : "",
    ];
    const said = notes.filter((note) => note).join(", ");
    return said ? `${path} /* ${said} */` : path;
  }
  const view = "view" in argument && argument.view ? `, ${argument.view}` : "";
  if ("data" in argument) return `data(${argument.data}, ${argument.length}${view})`;
  if ("into" in argument) return `buffer(${argument.into}${view})`;
  if ("pick" in argument) return `pick(${argument.pick}, ${argument.of}, ${JSON.stringify(argument.suffix ?? "")})`;
  if ("openFd" in argument) return `openFd(${argument.openFd})`;
  if ("fd" in argument) return `fd[-${argument.fd + 1}]`;
  if ("flags" in argument) return argument.flags.join(" | ") || "0";
  if ("value" in argument) return argument.value;
  if ("list" in argument) return `[${argument.list.map(showArgument).join(", ")}]`;
  const fields = Object.entries(argument.options).map(([name, value]) => `${name}: ${showArgument(value)}`);
  return `{ ${fields.join(", ")} }`;
}

/** Writes an operation as a call. */
export function showOperation(operation: Operation): string {
  return `${operation.call}(${operation.args.map(showArgument).join(", ")})`;
}

/** Writes an outcome on one line. */
export function showOutcome(outcome: Outcome): string {
  const buffers = outcome.buffers ? ` with ${outcome.buffers.join(", ")}` : "";
  if (outcome.skipped !== undefined) return `skipped: ${outcome.skipped}`;
  if (outcome.error) return abbreviate(`throws ${JSON.stringify(outcome.error)}`) + buffers;
  return abbreviate(`returns ${outcome.returned}`) + buffers;
}
