/**
 * Goes over the instructions of an expression, that is of a function's body or of a constant, and notes the features
 * they belong to. Imports the tables of instructions, types and the reader.
 *
 * One loop with a switch over what follows each opcode: what is rare is read by the reader, the rest in place. Bytes are
 * read without looking at the end, which is looked at before each instruction and behind the last: what is behind the end
 * of the binary reads as undefined, which ends every number.
 *
 * @module
 */
import * as op from "./opcodes.ts";
import { Reader } from "./reader.ts";
import { readBlockType, readHeapType, readValueTypes } from "./types.ts";
import { EXTENDED_CONST, type FeatureUses, GC, MULTI_MEMORY, REFERENCE_TYPES } from "./uses.ts";

/** What constants may do without further features. */
export interface ConstantRules {
  /** How many globals come first that are imported: constants may have the values of those. */
  readonly importedGlobals: number;
}

/**
 * Reads an expression up to and with its last `end`.
 *
 * @param constant what is allowed where the expression is a constant; undefined for the body of a function.
 * @throws {MalformedWasmError} for unknown instructions, and where the expression does not end before `reader.end`.
 */
export function readExpression(reader: Reader, uses: FeatureUses, constant: ConstantRules | undefined): void {
  const { bytes, end } = reader;
  const { kinds, features } = op.SINGLE;
  let seen = uses.seen;
  let depth = 1;
  let p = reader.at;

  while (p < end) {
    const start = p;
    const opcode = bytes[p++];
    let kind = kinds[opcode];
    let bits = features[opcode];
    if (kind === op.PREFIX) {
      let low = bytes[p++];
      if (low >= 0x80) {
        const number = new Reader(bytes, p - 1, end);
        low = number.u32();
        p = number.at;
      }
      const prefixed = op.PREFIXED[opcode - 0xfb];
      kind = low < prefixed.kinds.length ? prefixed.kinds[low] : op.NO_INSTRUCTION;
      bits = kind === op.NO_INSTRUCTION ? 0 : prefixed.features[low];
      if (kind === op.NO_INSTRUCTION) {
        if (p > end) break;
        reader.fail(`there is no instruction 0x${opcode.toString(16)} 0x${low.toString(16)}`, start);
      }
    }
    if (constant !== undefined) bits |= constantFeatures(opcode, bytes, p, end, constant);
    if ((bits & ~seen) !== 0) {
      uses.add(bits, start);
      seen = uses.seen;
    }

    switch (kind) {
      case op.PLAIN:
        continue;
      case op.INDEX:
        if (bytes[p++] >= 0x80) p = longNumber(reader, p - 1, 5);
        continue;
      case op.CONST_32:
        if (bytes[p++] >= 0x80) p = longSigned(reader, p - 1, 5, 0x07, 0x78);
        continue;
      case op.MEMARG:
        if (bytes[p++] >= 0x20) p = longAlignment(reader, p - 1, uses);
        if (bytes[p++] >= 0x80) p = longNumber(reader, p - 1, 10);
        continue;
      case op.BLOCK:
        depth++;
        if (bytes[p] >= 0x7c && bytes[p] <= 0x7f || bytes[p] === 0x40) {
          p++;
        } else {
          reader.at = p;
          readBlockType(reader, uses);
          p = reader.at;
        }
        continue;
      case op.END:
        if (--depth > 0) continue;
        reader.at = p;
        return;
      case op.CONST_64:
        if (bytes[p++] >= 0x80) p = longSigned(reader, p - 1, 10, 0x00, 0x7f);
        continue;
      case op.BYTES_4:
        p += 4;
        continue;
      case op.BYTES_8:
        p += 8;
        continue;
      case op.BYTES_16:
        p += 16;
        continue;
      case op.LANE:
        p++;
        continue;
      case op.NO_INSTRUCTION:
        return reader.fail(`there is no instruction 0x${opcode.toString(16).padStart(2, "0")}`, start);
      case op.DELEGATE:
        if (--depth === 0) reader.fail("'delegate' ends what is no 'try'", start);
        if (bytes[p++] >= 0x80) p = longNumber(reader, p - 1, 5);
        continue;
      case op.TRY_TABLE:
        depth++;
        break;
    }
    reader.at = p;
    readRareImmediates(kind, reader, uses);
    p = reader.at;
    seen = uses.seen;
  }
  reader.fail("an expression does not end", Math.min(p, end));
}

/** Goes over a number that has more than one byte: unsigned, of 32 bits (5 bytes) or 64 (10). Returns where it ends. */
function longNumber(reader: Reader, start: number, maxBytes: 5 | 10): number {
  const { bytes } = reader;
  const last = start + maxBytes - 1;
  let p = start;
  while (p < last) {
    // Not `< 0x80`: behind the end of the binary this is undefined.
    if (!(bytes[p++] >= 0x80)) return p;
  }
  if (bytes[p++] > (maxBytes === 5 ? 0x0f : 0x01)) {
    reader.fail(`a number of more than ${maxBytes === 5 ? 32 : 64} bits`, start);
  }
  return p;
}

/**
 * Goes over a signed number that has more than one byte, whose last byte, where it has all, must be at most `positive`, or
 * from `negative` on. Returns where it ends.
 */
function longSigned(reader: Reader, start: number, maxBytes: number, positive: number, negative: number): number {
  const { bytes } = reader;
  const last = start + maxBytes - 1;
  let p = start;
  while (p < last) {
    if (!(bytes[p++] >= 0x80)) return p;
  }
  const byte = bytes[p++];
  if (byte > positive && byte < negative || byte > 0x7f) {
    reader.fail(`a number of more than ${maxBytes === 5 ? 32 : 64} bits`, start);
  }
  return p;
}

/** Reads an alignment that is not the single byte of a sensible one, and the memory behind it. Returns where they end. */
function longAlignment(reader: Reader, start: number, uses: FeatureUses): number {
  reader.at = start;
  const flags = reader.u32();
  // Bit 5 is of relaxed atomics, which this does not know: a further byte would follow.
  if (flags >= 0x80 || (flags & 0x20) !== 0) reader.fail(`an access with flags 0x${flags.toString(16)}`, start);
  if ((flags & 0x40) !== 0) {
    uses.add(MULTI_MEMORY, start);
    reader.u32();
  }
  return reader.at;
}

/** The features that an instruction belongs to because it is in a constant. */
function constantFeatures(opcode: number, bytes: Uint8Array, at: number, end: number, rules: ConstantRules): number {
  switch (opcode) {
    case 0x23: // global.get
      return new Reader(bytes, at, end).u32() >= rules.importedGlobals ? GC : 0;
    case 0x6a: // i32.add, i32.sub, i32.mul
    case 0x6b:
    case 0x6c:
    case 0x7c: // i64.add, i64.sub, i64.mul
    case 0x7d:
    case 0x7e:
      return EXTENDED_CONST;
    default:
      return 0;
  }
}

/** Reads what follows an instruction that is no frequent one. */
function readRareImmediates(kind: number, reader: Reader, uses: FeatureUses): void {
  switch (kind) {
    case op.INDEX_2:
      reader.u32();
      reader.u32();
      return;
    case op.MEMORY:
      return readZeroIndex(reader, uses, MULTI_MEMORY);
    case op.TYPE_TABLE:
    case op.SEGMENT_TABLE:
      reader.u32();
      return readZeroIndex(reader, uses, REFERENCE_TYPES);
    case op.SEGMENT_MEMORY:
      reader.u32();
      return readZeroIndex(reader, uses, MULTI_MEMORY);
    case op.MEMORY_2:
      readZeroIndex(reader, uses, MULTI_MEMORY);
      return readZeroIndex(reader, uses, MULTI_MEMORY);
    case op.TABLE_2:
      readZeroIndex(reader, uses, REFERENCE_TYPES);
      return readZeroIndex(reader, uses, REFERENCE_TYPES);
    case op.LABELS:
      for (let left = reader.u32(); left > 0; left--) reader.u32();
      reader.u32();
      return;
    case op.MEMARG_LANE:
      reader.at = longAlignment(reader, reader.at, uses);
      reader.u64();
      reader.byte();
      return;
    case op.VALUE_TYPES:
      readValueTypes(reader, uses);
      return;
    case op.HEAP_TYPE:
      return readHeapType(reader, uses);
    case op.CAST_BRANCH: {
      const flags = reader.byte();
      if (flags > 3) reader.fail(`a cast with flags 0x${flags.toString(16)}`, reader.at - 1);
      reader.u32();
      readHeapType(reader, uses);
      return readHeapType(reader, uses);
    }
    case op.TRY_TABLE:
      return readTryTable(reader, uses);
    case op.ZERO:
      if (reader.byte() !== 0) reader.fail("a byte that is not 0", reader.at - 1);
      return;
    case op.TAG_HANDLERS:
      reader.u32();
      reader.u32();
      return readHandlers(reader);
    case op.HANDLERS:
      reader.u32();
      return readHandlers(reader);
    default:
      throw new Error(`no immediates are known of kind ${kind}`);
  }
}

/** Reads the index of a memory or table, which without a feature is one byte that is 0. */
function readZeroIndex(reader: Reader, uses: FeatureUses, feature: number): void {
  const start = reader.at;
  if (reader.u32() !== 0 || reader.at !== start + 1) uses.add(feature, start);
}

function readTryTable(reader: Reader, uses: FeatureUses): void {
  readBlockType(reader, uses);
  for (let left = reader.u32(); left > 0; left--) {
    const clause = reader.byte();
    if (clause > 3) reader.fail(`a clause 0x${clause.toString(16)} of 'try_table'`, reader.at - 1);
    if (clause < 2) reader.u32();
    reader.u32();
  }
}

function readHandlers(reader: Reader): void {
  for (let left = reader.u32(); left > 0; left--) {
    const clause = reader.byte();
    if (clause > 1) reader.fail(`a handler 0x${clause.toString(16)} of 'resume'`, reader.at - 1);
    reader.u32();
    if (clause === 0) reader.u32();
  }
}
