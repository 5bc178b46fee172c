/**
 * Arguments of filesystem calls, checked and converted as Node does.
 *
 * @module
 */
import { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../file/flags.ts";
import { rangeError, typeError, valueError } from "./errors.ts";

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
  else if (value instanceof Uint8Array) path = new TextDecoder().decode(Uint8Array.from(value));
  else if (value instanceof URL) {
    if (value.protocol !== "file:") {
      throw Object.assign(new TypeError("The URL must be of scheme file"), { code: "ERR_INVALID_URL_SCHEME" });
    }
    path = decodeURIComponent(value.pathname);
  } else throw typeError(name, "of type string or an instance of Buffer or URL", value);
  if (path.includes("\0")) throw valueError(name, value, "must be a string, Uint8Array, or URL without null bytes");
  return path;
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

/** Converts a time to milliseconds since the epoch. */
export function toTimeMs(value: TimeLike, name: string): number {
  if (value instanceof Date) return value.getTime();
  if (typeof value === "string" && value.trim() !== "" && !Number.isNaN(+value)) return +value * 1000;
  if (typeof value === "number" && Number.isFinite(value)) return value < 0 ? Date.now() : value * 1000;
  throw typeError(name, "an instance of Date or of type number, Time in seconds", value);
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
  if (value === null || value === undefined) return {};
  if (typeof value === "string") return { encoding: value } as Partial<T> & { encoding?: string };
  if (typeof value !== "object") throw typeError("options", "of type string or an instance of Object", value);
  return value as Partial<T> & { encoding?: string };
}
