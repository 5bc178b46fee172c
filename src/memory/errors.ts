/**
 * The errors of the pool, its locks and its allocator. Errors of filesystem calls are made in `src/api`.
 *
 * @module
 */
import { ERRNO_TEXT } from "../layout/errno.ts";

/** What is wrong with a memory that was to be attached. */
export type AttachErrorCode =
  | "ERR_POOL_MAGIC"
  | "ERR_POOL_VERSION"
  | "ERR_POOL_COMPATIBILITY"
  | "ERR_POOL_TRUNCATED"
  | "ERR_POOL_UNFORMATTED";

/** A memory cannot be attached because it is not what this library reads. Shows what was found and expected. */
export class AttachError extends Error {
  /** Name of the class. */
  override readonly name: string = "AttachError";
  /** Which of the reasons it is. */
  readonly code: AttachErrorCode;
  /** What the memory holds. */
  readonly found: string;
  /** What it would have to hold. */
  readonly expected: string;

  /** Makes the error; `advice` says what to do. */
  constructor(code: AttachErrorCode, what: string, found: string, expected: string, advice: string) {
    super(`Cannot attach: ${what} is ${found}, expected ${expected}; ${advice}`);
    this.code = code;
    this.found = found;
    this.expected = expected;
  }
}

/** The memory does not begin with the magic number: it holds no pool, or the region no heap. */
export class WrongMagicError extends AttachError {
  /** Name of the class. */
  override readonly name = "WrongMagicError";
  /** Makes the error. */
  constructor(found: string, expected: string, advice = "format it first, or pass the memory of a formatted one") {
    super("ERR_POOL_MAGIC", "the magic number", found, expected, advice);
  }
}

/** The pool was formatted by a version of the format that this library does not know. */
export class UnknownVersionError extends AttachError {
  /** Name of the class. */
  override readonly name = "UnknownVersionError";
  /** Makes the error. */
  constructor(found: string, expected: string) {
    super("ERR_POOL_VERSION", "the format version", found, expected, "use a library of that format version");
  }
}

/** The pool's layout differs from this library's, although the format version is the same. */
export class IncompatibleLayoutError extends AttachError {
  /** Name of the class. */
  override readonly name = "IncompatibleLayoutError";
  /** Makes the error. */
  constructor(found: string, expected: string) {
    super("ERR_POOL_COMPATIBILITY", "the compatibility hash", found, expected, "use the same library in all agents");
  }
}

/** The memory is shorter than the pool or heap that it is to hold. */
export class TruncatedMemoryError extends AttachError {
  /** Name of the class. */
  override readonly name = "TruncatedMemoryError";
  /** Makes the error. */
  constructor(foundBytes: number, expectedBytes: number) {
    super(
      "ERR_POOL_TRUNCATED",
      "the memory's length",
      `${foundBytes} bytes`,
      `at least ${expectedBytes}`,
      "restore the whole memory",
    );
  }
}

/** The pool holds no filesystem, or its formatting has not been completed. */
export class UnformattedError extends AttachError {
  /** Name of the class. */
  override readonly name = "UnformattedError";
  /** Makes the error. */
  constructor(what: string) {
    super("ERR_POOL_UNFORMATTED", what, "not formatted", "formatted", "format it before others attach");
  }
}

/** The engine refuses a memory of the size asked for. */
export class MemoryRefusedError extends RangeError {
  /** Name of the class. */
  override readonly name = "MemoryRefusedError";
  /** `ERR_POOL_MEMORY`. */
  readonly code = "ERR_POOL_MEMORY";
  /** Bytes asked for. */
  readonly askedBytes: number;
  /** The most that this engine allows, in bytes, as far as could be found out. */
  readonly allowedBytes: number;
  /** Makes the error. */
  constructor(askedBytes: number, allowedBytes: number, address: string, options?: ErrorOptions) {
    super(
      `Cannot create a pool of at most ${askedBytes} bytes with ${address} addresses: this engine allows ${allowedBytes}; ` +
        (address === "i32" ? 'ask for less, or for { address: "i64" }' : "ask for less"),
      options,
    );
    this.askedBytes = askedBytes;
    this.allowedBytes = allowedBytes;
  }
}

/** All slots of the agent table are taken. */
export class AgentTableFullError extends Error {
  /** Name of the class. */
  override readonly name = "AgentTableFullError";
  /** `ERR_AGENTS`. */
  readonly code = "ERR_AGENTS";
  /** Makes the error. */
  constructor(capacity: number) {
    super(`Cannot attach: all ${capacity} agent slots are taken; detach agents, or retire those that are gone`);
  }
}

/** An error with an error number, as system calls have. */
export class ErrnoError extends Error {
  /** Name of the class. */
  override readonly name: string = "Error";
  /** Such as `ENOSPC`. */
  readonly code: string;
  /** The negated error number, as in Node. */
  readonly errno: number;
  /** What was being done. */
  readonly syscall: string;
  /** Makes the error from a positive error number; `detail` follows the standard message. */
  constructor(errno: number, syscall: string, detail = "") {
    const [code, message] = ERRNO_TEXT.get(errno) ?? [`E${errno}`, "unknown error"];
    super(`${code}: ${message}, ${syscall}${detail === "" ? "" : `: ${detail}`}`);
    this.code = code;
    this.errno = -errno;
    this.syscall = syscall;
  }
}

/** The shared memory contradicts itself. Nothing was changed. */
export class CorruptionError extends Error {
  /** Name of the class. */
  override readonly name = "CorruptionError";
  /** `ERR_CORRUPT`. */
  readonly code = "ERR_CORRUPT";
}

/** One thing that a `check()` found wrong. */
export interface Violation {
  /** Where: a structure and its address or path. */
  readonly where: string;
  /** What is wrong, with the values found and expected. */
  readonly what: string;
}
