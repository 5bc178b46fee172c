/**
 * Arguments of filesystem calls, checked and converted as Node does.
 *
 * @module
 */
import { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../file/flags.ts";
import { decodeName } from "../names/text.ts";
import { codedTypeError, rangeError, typeError, valueError } from "./errors.ts";

/** A path: text, a `file:` URL, or UTF-8 bytes. */
export type PathLike = string | URL | Uint8Array;
/** A time: seconds since the epoch, a date, or a text of digits. */
export type TimeLike = number | string | Date;

const O_SYNC = 0o4010000;

const FLAGS: Readonly<Record<string, number>> = {
  "r": O_RDONLY,
  "rs": O_RDONLY | O_SYNC,
  "sr": O_RDONLY | O_SYNC,
  "r+": O_RDWR,
  "rs+": O_RDWR | O_SYNC,
  "sr+": O_RDWR | O_SYNC,
  "w": O_TRUNC | O_CREAT | O_WRONLY,
  "wx": O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  "xw": O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  "w+": O_TRUNC | O_CREAT | O_RDWR,
  "wx+": O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  "xw+": O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  "a": O_APPEND | O_CREAT | O_WRONLY,
  "ax": O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  "xa": O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  "as": O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  "sa": O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  "a+": O_APPEND | O_CREAT | O_RDWR,
  "ax+": O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  "xa+": O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  "as+": O_APPEND | O_CREAT | O_RDWR | O_SYNC,
  "sa+": O_APPEND | O_CREAT | O_RDWR | O_SYNC,
};

/** Converts a path; refuses what is no path and what has a zero byte in it. */
export function toPath(value: PathLike, name = "path"): string {
  let path: string;
  if (typeof value === "string") path = value;
  else if (value instanceof Uint8Array) path = decodeName(Uint8Array.from(value));
  else if (value instanceof URL) path = toUrlPath(value);
  else throw typeError(name, "of type string or an instance of Buffer or URL", value);
  if (path.includes("\0")) throw valueError(name, value, "must be a string, Uint8Array, or URL without null bytes");
  return path;
}

function toUrlPath(url: URL): string {
  if (url.protocol !== "file:") throw codedTypeError("ERR_INVALID_URL_SCHEME", "The URL must be of scheme file");
  if (url.hostname !== "") {
    throw codedTypeError("ERR_INVALID_FILE_URL_HOST", `File URL host must be "localhost" or empty on linux`);
  }
  if (/%2f/i.test(url.pathname)) {
    throw codedTypeError("ERR_INVALID_FILE_URL_PATH", "File URL path must not include encoded / characters");
  }
  try {
    return decodeURIComponent(url.pathname);
  } catch {
    throw codedTypeError("ERR_INVALID_FILE_URL_PATH", "File URL path must be percent-encoded UTF-8");
  }
}

/** Checks a descriptor. */
export function toDescriptor(value: number): number {
  if (typeof value !== "number") throw typeError("fd", "of type number", value);
  if (!Number.isInteger(value)) throw rangeError("fd", "an integer", value);
  if (value < 0 || value > 0x7fff_ffff) throw rangeError("fd", ">= 0 && <= 2147483647", value);
  return value;
}

/** Converts the flags of `open`. */
export function toFlags(value: string | number | null | undefined, name = "flags"): number {
  if (typeof value === "number") return toInteger(value, name, -0x8000_0000, 0x7fff_ffff);
  if (value === null || value === undefined) return O_RDONLY;
  const flags = typeof value === "string" && Object.hasOwn(FLAGS, value) ? FLAGS[value] : undefined;
  if (flags === undefined) throw valueError(name, value);
  return flags;
}

/** Converts a mode: a number, or a text of octal digits. */
export function toMode(value: number | string | null | undefined, name: string, fallback?: number): number {
  if (value === null || value === undefined) {
    if (fallback !== undefined) return fallback;
  }
  if (typeof value === "string") {
    if (!/^[0-7]+$/.test(value)) throw valueError(name, value, "must be a 32-bit unsigned integer or an octal string");
    return toInteger(parseInt(value, 8), name, 0, 0xffff_ffff);
  }
  return toInteger(value as number, name, 0, 0xffff_ffff);
}

/** Checks an integer in a range. */
export function toInteger(
  value: number,
  name: string,
  minimum: number = Number.MIN_SAFE_INTEGER,
  maximum: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number") throw typeError(name, "of type number", value);
  if (!Number.isInteger(value)) throw rangeError(name, "an integer", value);
  if (value < minimum || value > maximum) throw rangeError(name, `>= ${minimum} && <= ${maximum}`, value);
  return value;
}

/** Converts the mode of `access` or `copyFile`: a number, of which a fraction is cut off; nothing stands for 0. */
export function toBits(value: number | null | undefined, maximum: number): number {
  if (value === null || value === undefined) return 0;
  if (typeof value !== "number") throw typeError("mode", "of type number", value);
  if (!Number.isFinite(value)) throw rangeError("mode", "a finite number", value);
  return toInteger(Math.trunc(value), "mode", 0, maximum);
}

/** Checks a flag of an options object. */
export function toBoolean(value: boolean, name: string): boolean {
  if (typeof value !== "boolean") throw typeError(name, "of type boolean", value);
  return value;
}

/**
 * Converts a time to milliseconds since the epoch. A negative number, or infinity in a text, stands for now; a date that is
 * none for undefined: the time stays as it is.
 */
export function toTimeMs(value: TimeLike, name = "time"): number | undefined {
  if (typeof value === "string" && !Number.isNaN(+value)) return Number.isFinite(+value) ? +value * 1000 : Date.now();
  if (typeof value === "number" && Number.isFinite(value)) return value < 0 ? Date.now() : value * 1000;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.getTime();
  throw typeError(name, "an instance of Date or of type number, Time in seconds", value);
}

/** Whether a time in milliseconds is one that 64 bits of seconds can hold. */
export function isTime(ms: number | undefined): boolean {
  return ms === undefined || Math.abs(ms) < 2 ** 63 * 1000;
}

/** The bytes of a caller's buffer, without a copy. */
export function toBytes(value: ArrayBufferView, name = "buffer"): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (!ArrayBuffer.isView(value)) {
    throw typeError(name, "an instance of Buffer, TypedArray, or DataView", value);
  }
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Converts a position to what the operations take: -1 stands for the current one. */
export function toPosition(value: number | bigint | null | undefined, length: number): number {
  if (value === null || value === undefined) return -1;
  if (typeof value === "number") {
    if (!Number.isInteger(value)) throw rangeError("position", "an integer", value);
    if (value < -1 || value > Number.MAX_SAFE_INTEGER) {
      throw rangeError("position", `>= -1 && <= ${Number.MAX_SAFE_INTEGER}`, value);
    }
    return value;
  }
  if (typeof value === "bigint") {
    const maximum = 2n ** 63n - 1n - BigInt(length);
    if (value < -1n || value > maximum) throw rangeError("position", `>= -1 && <= ${maximum}`, value);
    return Number(value);
  }
  throw typeError("position", "of type number or bigint", value);
}

/** Checks an options object, or an encoding in its place. */
export function toOptions<T extends object>(value: T | string | null | undefined): Partial<T> & { encoding?: string } {
  if (value === null || value === undefined || typeof value === "function") return {};
  if (typeof value === "string") return { encoding: value } as Partial<T> & { encoding?: string };
  if (typeof value !== "object") throw typeError("options", "of type string or an instance of Object", value);
  return value as Partial<T> & { encoding?: string };
}
