/**
 * How the command line fails: which exit code stands for what, and errors as text and as JSON.
 *
 * | code | meaning                                                                                        |
 * | ---- | ---------------------------------------------------------------------------------------------- |
 * | 0    | done; it fits                                                                                  |
 * | 1    | it does not fit, was altered, is no artifact; or the work failed                               |
 * | 2    | misuse: bad arguments, a bad configuration or key, a file named that cannot be read or written |
 * | 130  | interrupted (128 and the number of SIGINT)                                                     |
 * | 141  | who read the output has closed it (128 and the number of SIGPIPE)                              |
 *
 * Imports errors only.
 *
 * @module
 */
import { ArtifactError } from "../artifact/errors.ts";

/** All is well. */
export const EXIT_DONE = 0;
/** It does not fit, was altered, is no artifact; or the work failed. */
export const EXIT_FAILED = 1;
/** The command line, or a file that it names, makes no sense. */
export const EXIT_MISUSE = 2;
/** The user interrupted the program. */
export const EXIT_INTERRUPTED = 130;
/** Who read the output has closed it. */
export const EXIT_CLOSED_OUTPUT = 141;

/** A command line that makes no sense, or names what cannot be used. */
export class UsageError extends Error {
  /** `ERR_USAGE`, or the code of what it comes from, such as `ENOENT` or `ERR_ARTIFACT_CONFIG`. */
  readonly code: string;
  /** The file that it is about. */
  readonly file: string | undefined;
  /** The part of a configuration that it is about. */
  readonly setting: string | undefined;

  /** Makes an error about the use of the command line. */
  constructor(message: string, details: { code?: string; file?: string; setting?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "UsageError";
    this.code = details.code ?? "ERR_USAGE";
    this.file = details.file;
    this.setting = details.setting;
  }
}

/** The user ended the program. */
export class InterruptedError extends Error {
  /** Always `ERR_INTERRUPTED`. */
  readonly code: string = "ERR_INTERRUPTED";

  /** Makes an error about an interruption. */
  constructor() {
    super("interrupted");
    this.name = "InterruptedError";
  }
}

/** Whoever read the output does so no more. */
export class ClosedOutputError extends Error {
  /** Makes an error about closed output. */
  constructor(cause: unknown) {
    super("the output is closed", { cause });
    this.name = "ClosedOutputError";
  }
}

/** The exit code that stands for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return EXIT_INTERRUPTED;
  if (error instanceof ClosedOutputError) return EXIT_CLOSED_OUTPUT;
  return error instanceof UsageError ? EXIT_MISUSE : EXIT_FAILED;
}

/** An error as JSON shows it: `name`, `code` and `message`, and what errors of its class have beyond these. */
export interface ErrorDocument {
  /** The error's class. */
  readonly name: string;
  /** Its code; undefined, and left out, where it has none. */
  readonly code: string | undefined;
  /** What it says. */
  readonly message: string;
  /** What is special to it: `setting`, `found`, `expected`, `kind`, `features`, `compiler`, `offset`, `file`, … */
  readonly [member: string]: unknown;
}

/** Makes an error into what `--json` prints of it. */
export function errorDocument(error: unknown): ErrorDocument {
  if (!(error instanceof Error)) return { name: "Error", code: undefined, message: String(error) };
  const { code } = error as { code?: unknown };
  const own = error instanceof ArtifactError || error instanceof UsageError ? { ...error } : {};
  return { ...own, name: error.name, code: typeof code === "string" ? code : undefined, message: error.message };
}

/** What an error says to people. Errors that nobody foresaw say of which class they are. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const known = error instanceof ArtifactError || error instanceof UsageError || error instanceof InterruptedError ||
    typeof (error as { code?: unknown }).code === "string";
  return known ? error.message : `${error.name}: ${error.message}`;
}

/** What the system says about a file, in a few words. */
export function systemText(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return (code === undefined ? undefined : SYSTEM_TEXTS[code]) ?? message ?? String(error);
}

const SYSTEM_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the filesystem is read-only",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is no directory",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "the name is too long",
};
