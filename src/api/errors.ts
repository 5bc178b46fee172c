/**
 * Errors of filesystem calls, as Node makes them: system errors with `errno`, `code`, `syscall`, `path` and `dest`, and
 * errors of arguments with a `code` such as `ERR_INVALID_ARG_TYPE`.
 *
 * @module
 */
import { ERRNO_TEXT } from "../layout/errno.ts";

/** A failed call: what Node calls a system error. */
export interface SystemError extends Error {
  /** The negated error number. */
  errno: number;
  /** Its name, such as `ENOENT`. */
  code: string;
  /** The call that failed. */
  syscall: string;
  /** The path it was about, if it was about one. */
  path?: string;
  /** The second path, if there was one. */
  dest?: string;
}

/** Makes a system error from a negative errno. Paths are told as they were understood: as what UTF-8 can say. */
export function systemError(errno: number, syscall: string, path?: string, dest?: string): SystemError {
  path = path?.toWellFormed();
  dest = dest?.toWellFormed();
  const [code, message] = ERRNO_TEXT.get(-errno) ?? [`E${-errno}`, "unknown error"];
  let text = `${code}: ${message}, ${syscall}`;
  if (path !== undefined) text += ` '${path}'`;
  if (dest !== undefined) text += ` -> '${dest}'`;
  const error = new Error(text) as SystemError;
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  return error;
}

function coded<E extends Error>(error: E, code: string): E {
  Object.defineProperty(error, "code", { value: code, writable: true, enumerable: true, configurable: true });
  return error;
}

/** An argument of the wrong type: `ERR_INVALID_ARG_TYPE`. */
export function typeError(name: string, expected: string, value: unknown): TypeError {
  const what = name.includes(".") ? "property" : "argument";
  return coded(
    new TypeError(`The "${name}" ${what} must be ${expected}. Received ${received(value)}`),
    "ERR_INVALID_ARG_TYPE",
  );
}

/** A number out of its range: `ERR_OUT_OF_RANGE`. */
export function rangeError(name: string, range: string, value: unknown): RangeError {
  return coded(
    new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${numberText(value)}`),
    "ERR_OUT_OF_RANGE",
  );
}

/** A value that an argument cannot have: `ERR_INVALID_ARG_VALUE`. */
export function valueError(name: string, value: unknown, reason = "is invalid"): TypeError {
  const what = name.includes(".") ? "property" : "argument";
  return coded(
    new TypeError(`The ${what} '${name}' ${reason}. Received ${inspect(value)}`),
    "ERR_INVALID_ARG_VALUE",
  );
}

/** Any other error with a code. */
export function codedError(code: string, message: string): Error {
  return coded(new Error(message), code);
}

/** Any other error of an argument, with a code. */
export function codedTypeError(code: string, message: string): TypeError {
  return coded(new TypeError(message), code);
}

/** Any other error of a size, with a code. */
export function codedRangeError(code: string, message: string): RangeError {
  return coded(new RangeError(message), code);
}

function numberText(value: unknown): string {
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) > 2 ** 32) return grouped(String(value));
  if (typeof value === "bigint") {
    return (value > 2n ** 32n || value < -(2n ** 32n) ? grouped(String(value)) : String(value)) + "n";
  }
  return inspect(value);
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, "_");
}

function received(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value === "object") {
    const name = value.constructor?.name;
    return name ? `an instance of ${name}` : inspect(value);
  }
  let text = inspect(value);
  if (text.length > 28) text = text.slice(0, 25) + "...";
  return `type ${typeof value} (${text})`;
}

function inspect(value: unknown): string {
  if (typeof value === "string") {
    const escaped = value.replace(/[\\\p{Cc}]/gu, (character) => {
      if (character === "\\") return "\\\\";
      if (character === "\n") return "\\n";
      return "\\x" + character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
    });
    return escaped.includes("'") && !escaped.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (ArrayBuffer.isView(value)) {
    const view = value as Uint8Array;
    const bytes = Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).subarray(0, 50), String);
    return `${value.constructor.name}(${(view as { length?: number }).length ?? view.byteLength}) [ ${
      bytes.join(", ")
    } ]`;
  }
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "[]" : Object.keys(value).length === 0 ? "{}" : JSON.stringify(value);
  }
  return String(value);
}
