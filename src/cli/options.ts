/**
 * The values of options: sizes, durations, counts, keys. Each refuses what makes no sense with commander's error, so that
 * the message names the option.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { MINIMUM_KEY_BYTES } from "../artifact/seal.ts";
import { UsageError } from "./errors.ts";
import { readNamedFile } from "./host.ts";
import type { CliIo } from "./io.ts";

/** The variable of the environment that a key may be in. */
export const KEY_VARIABLE = "EXTMEMFS_ARTIFACT_KEY";

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/**
 * A size such as `500MB` (powers of 1,000), `64MiB` (powers of 1,024) or `4096`, in bytes.
 *
 * @throws {InvalidArgumentError} for anything else.
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text);
  const factor = match === null ? undefined : SIZE_UNITS[match[2]!.toLowerCase()];
  const bytes = factor === undefined ? NaN : Math.round(Number(match![1]) * factor);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("A size is a number with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 64MiB.");
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * A duration such as `30d`, `12h` or `1h30m`, in milliseconds.
 *
 * @throws {InvalidArgumentError} for anything else.
 */
export function parseDuration(text: string): number {
  const parts = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/.test(text) ? [...text.matchAll(/([\d.]+)(ms|[smhdw])/g)] : [];
  const ms = parts.reduce((sum, [, value, unit]) => sum + Number(value) * DURATION_UNITS[unit!]!, 0);
  if (parts.length > 0 && Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError("A duration is a number with ms, s, m, h, d or w, such as 30d, 12h or 1h30m.");
}

/**
 * A whole number from 0 on.
 *
 * @throws {InvalidArgumentError} for anything else.
 */
export function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError("A count is a whole number, 0 or more.");
}

/**
 * The key that artifacts are sealed with: of a file, or else of the environment.
 *
 * A file has the key's bytes as they are, or as text; the environment has text. Text is hexadecimal digits, or base64 of
 * either alphabet.
 *
 * @param file What `--key-file` says.
 * @returns undefined where neither is given.
 * @throws (rejects) {UsageError} where the file cannot be read, or the key is none or too short. The key is not shown.
 */
export async function readKey(file: string | undefined, io: CliIo): Promise<Uint8Array | undefined> {
  if (file !== undefined) {
    const bytes = await readNamedFile(file);
    // What has bytes that are no printable ASCII is no text; a typing error in a text must not become another key.
    if (!bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || isBlank(byte))) return assertLength(bytes, file, file);
    return keyOfText(new TextDecoder().decode(bytes), file, file);
  }
  const text = io.env(KEY_VARIABLE);
  return text === undefined || text === "" ? undefined : keyOfText(text, KEY_VARIABLE, undefined);
}

function isBlank(byte: number): boolean {
  return byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function keyOfText(text: string, where: string, file: string | undefined): Uint8Array {
  const trimmed = text.trim();
  // Base64 of a random key has other letters, too, so that only digits are never base64.
  const bytes = /^[0-9a-f]+$/i.test(trimmed) ? fromHex(trimmed) : fromBase64(trimmed);
  if (bytes !== undefined) return assertLength(bytes, where, file);
  throw keyError(
    `The key in ${where} is no hexadecimal digits and no base64url: ` +
      `make one with 'openssl rand -hex ${MINIMUM_KEY_BYTES}'`,
    file,
  );
}

function fromHex(digits: string): Uint8Array | undefined {
  if (digits.length % 2 !== 0) return undefined;
  return Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16));
}

function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return undefined;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function assertLength(bytes: Uint8Array, where: string, file: string | undefined): Uint8Array {
  if (bytes.length >= MINIMUM_KEY_BYTES) return bytes;
  throw keyError(
    `The key in ${where} has ${bytes.length} bytes, it must have at least ${MINIMUM_KEY_BYTES}: ` +
      `make one with 'openssl rand -hex ${MINIMUM_KEY_BYTES}'`,
    file,
  );
}

function keyError(message: string, file: string | undefined): UsageError {
  return new UsageError(message, { code: "ERR_ARTIFACT_KEY", ...(file === undefined ? {} : { file }) });
}
