/**
 * The tar header block: its fields, its two ways of writing numbers, its checksum, and the pax records that override
 * it. After POSIX.1-2017 (pax, "ustar Interchange Format" and "pax Header Block") and GNU tar's manual ("Basic Tar
 * Format"). Imports `errors.ts`.
 *
 * @module
 */

import { TarError } from "./errors.ts";

/** Headers and contents come in blocks of this many bytes. */
export const TAR_BLOCK_BYTES = 512;

/** A header block as it stands, before pax records and GNU long names are applied. */
export interface TarHeader {
  name: string;
  mode: number;
  size: number;
  mtimeSec: number;
  type: string;
  linkName: string;
}

/** A field of the header: where it begins and how long it is. */
interface Field {
  readonly offset: number;
  readonly size: number;
}

const FIELDS = {
  name: { offset: 0, size: 100 },
  mode: { offset: 100, size: 8 },
  size: { offset: 124, size: 12 },
  mtime: { offset: 136, size: 12 },
  checksum: { offset: 148, size: 8 },
  type: { offset: 156, size: 1 },
  linkName: { offset: 157, size: 100 },
  magic: { offset: 257, size: 6 },
  prefix: { offset: 345, size: 155 },
} as const satisfies Record<string, Field>;

/** POSIX writes the prefix of a long name into a field that GNU uses for other things; the magic tells them apart. */
const USTAR_MAGIC = "ustar\0";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a header block.
 *
 * @param block 512 bytes.
 * @param position Where the block begins in the archive, for messages.
 * @returns The header.
 * @throws {TarError} If the checksum does not match or a field cannot be read.
 */
export function parseTarHeader(block: Uint8Array, position: number): TarHeader {
  const where = `the header at byte ${position}`;
  checkChecksum(block, where);
  const magic = String.fromCharCode(...fieldBytes(block, FIELDS.magic));
  const name = text(fieldBytes(block, FIELDS.name), where);
  const prefix = magic === USTAR_MAGIC ? text(fieldBytes(block, FIELDS.prefix), where) : "";
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, FIELDS.mode, where),
    size: number(block, FIELDS.size, where),
    mtimeSec: number(block, FIELDS.mtime, where),
    type: String.fromCharCode(block[FIELDS.type.offset]!),
    linkName: text(fieldBytes(block, FIELDS.linkName), where),
  };
}

/**
 * Reads the records of a pax header.
 *
 * @param bytes The contents of the header's entry.
 * @returns The values by keyword; an empty value takes back what a global header said.
 * @throws {TarError} If a record is malformed.
 */
export function parsePaxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let offset = 0; offset < bytes.length;) {
    // A record is "<length> <keyword>=<value>\n", its length counting all of it.
    const space = bytes.indexOf(0x20, offset);
    const digits = space < 0 ? "" : String.fromCharCode(...bytes.subarray(offset, Math.min(space, offset + 20)));
    const length = /^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0;
    const end = offset + length;
    const equals = bytes.indexOf(0x3d, space);
    if (length === 0 || end > bytes.length || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw new TarError(`Cannot read the tar archive: malformed pax record at byte ${offset} of its header`);
    }
    const keyword = text(bytes.subarray(space + 1, equals), "a pax header");
    // Values that matter here are text; others (such as binary attributes) need not be.
    const value = isKept(keyword) ? text(bytes.subarray(equals + 1, end - 1), `pax keyword ${keyword}`, false) : "";
    records.set(keyword, value);
    offset = end;
  }
  return records;
}

/** Whether every byte of a block is zero, which marks the end of the archive. */
export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/**
 * Decodes text that ends at the first NUL.
 *
 * @param bytes The bytes.
 * @param where Where they stand, for the message.
 * @param endsAtNul Whether a NUL ends the text, as in header fields; otherwise one is refused.
 * @returns The text.
 * @throws {TarError} If it is not UTF-8, or holds a NUL that may not be there.
 */
export function text(bytes: Uint8Array, where: string, endsAtNul = true): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0 && !endsAtNul) throw new TarError(`Cannot read the tar archive: NUL byte in ${where}`);
  try {
    return decoder.decode(nul < 0 ? bytes : bytes.subarray(0, nul));
  } catch {
    throw new TarError(`Cannot read the tar archive: text in ${where} is not UTF-8`);
  }
}

function isKept(keyword: string): boolean {
  return keyword === "path" || keyword === "linkpath" || keyword === "size" || keyword === "mtime";
}

function fieldBytes(block: Uint8Array, field: Field): Uint8Array {
  return block.subarray(field.offset, field.offset + field.size);
}

/** Reads a number: octal digits, or where the first bit is set GNU's big-endian binary (two's complement). */
function number(block: Uint8Array, field: Field, where: string): number {
  const bytes = fieldBytes(block, field);
  let value = 0;
  if ((bytes[0]! & 0x80) !== 0) {
    const isNegative = (bytes[0]! & 0x40) !== 0;
    value = isNegative ? (bytes[0]! & 0x7f) - 0x80 : bytes[0]! & 0x7f;
    for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  } else {
    const digits = text(bytes, where).trim();
    if (!/^[0-7]*$/.test(digits)) {
      throw new TarError(`Cannot read the tar archive: ${JSON.stringify(digits)} in ${where} is not an octal number`);
    }
    value = digits === "" ? 0 : parseInt(digits, 8);
  }
  if (!Number.isSafeInteger(value)) {
    throw new TarError(`Cannot read the tar archive: a number in ${where} is too large`);
  }
  return value;
}

/** The sum of all bytes, the checksum's own taken as spaces; some old archivers summed signed bytes. */
function checkChecksum(block: Uint8Array, where: string): void {
  const { offset, size } = FIELDS.checksum;
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < block.length; index++) {
    const byte = index >= offset && index < offset + size ? 0x20 : block[index]!;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const digits = String.fromCharCode(...fieldBytes(block, FIELDS.checksum)).replace(/[\0 ]+$/, "").trim();
  const expected = /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
  if (expected !== unsigned && expected !== signed) {
    const found = Number.isNaN(expected) ? JSON.stringify(digits) : String(expected);
    throw new TarError(
      `Cannot read the tar archive: the checksum of ${where} is ${found}, expected ${unsigned} ` +
        `(damaged, or not a tar archive)`,
    );
  }
}
