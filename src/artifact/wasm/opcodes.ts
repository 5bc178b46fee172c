/**
 * The instructions of WebAssembly, as tables: what follows the opcode, and which features the instruction belongs to.
 * Imports features only.
 *
 * The sources are the specification 3.0 and the proposals threads, wide arithmetic, stack switching, half precision and,
 * for the first form of exceptions, the specification's legacy part.
 *
 * @module
 */
import type { FeatureName } from "../features.ts";
import { featureBits } from "./uses.ts";

/** There is no such instruction. The kinds of what follows an opcode are numbers from 0 without gaps. */
export const NO_INSTRUCTION = 0;
/** Nothing follows. */
export const PLAIN = 1;
/** A number: an index or a label. */
export const INDEX = 2;
/** Two numbers. */
export const INDEX_2 = 3;
/** Alignment, memory, offset. */
export const MEMARG = 4;
/** A signed number of 32 bits. */
export const CONST_32 = 5;
/** A signed number of 64 bits. */
export const CONST_64 = 6;
/** A block type; the instruction opens a block. */
export const BLOCK = 7;
/** Nothing; the instruction closes a block. */
export const END = 8;
/** A memory. */
export const MEMORY = 9;
/** A type and a table. */
export const TYPE_TABLE = 10;
/** Labels, and one more label. */
export const LABELS = 11;
/** 4 bytes. */
export const BYTES_4 = 12;
/** 8 bytes. */
export const BYTES_8 = 13;
/** 16 bytes. */
export const BYTES_16 = 14;
/** A lane: 1 byte. */
export const LANE = 15;
/** Alignment, memory, offset, lane. */
export const MEMARG_LANE = 16;
/** Value types. */
export const VALUE_TYPES = 17;
/** A heap type. */
export const HEAP_TYPE = 18;
/** Flags, a label and two heap types. */
export const CAST_BRANCH = 19;
/** A label; the instruction closes a block. */
export const DELEGATE = 20;
/** A block type and clauses; the instruction opens a block. */
export const TRY_TABLE = 21;
/** A segment and a memory. */
export const SEGMENT_MEMORY = 22;
/** Two memories. */
export const MEMORY_2 = 23;
/** A segment and a table. */
export const SEGMENT_TABLE = 24;
/** Two tables. */
export const TABLE_2 = 25;
/** A byte that is 0. */
export const ZERO = 26;
/** A type and handlers. */
export const HANDLERS = 27;
/** A type, a tag and handlers. */
export const TAG_HANDLERS = 28;
/** The opcode goes on with a number: see {@linkcode PREFIXED}. */
export const PREFIX = 29;

/** Instructions by opcode. */
export interface OpcodeTable {
  /** What follows the opcode. Opcodes from its length on have no instruction. */
  readonly kinds: Uint8Array;
  /** The features that the instruction belongs to, as bits. */
  readonly features: Uint32Array;
}

/** Opcodes from, to (inclusive), what follows them, features. Later rows replace earlier ones. */
type Row = readonly [from: number, to: number, kind: number, ...features: FeatureName[]];

function table(length: number, rows: readonly Row[]): OpcodeTable {
  const kinds = new Uint8Array(length);
  const features = new Uint32Array(length);
  for (const [from, to, kind, ...names] of rows) {
    kinds.fill(kind, from, to + 1);
    features.fill(featureBits(...names), from, to + 1);
  }
  return { kinds, features };
}

/** Instructions whose opcode is one byte. */
export const SINGLE: OpcodeTable = table(0x100, [
  [0x00, 0x01, PLAIN], // unreachable, nop
  [0x02, 0x04, BLOCK], // block, loop, if
  [0x05, 0x05, PLAIN], // else
  [0x06, 0x06, BLOCK, "exceptions"], // try
  [0x07, 0x07, INDEX, "exceptions"], // catch
  [0x08, 0x08, INDEX], // throw: of either form of exceptions, as its tag is
  [0x09, 0x09, INDEX, "exceptions"], // rethrow
  [0x0a, 0x0a, PLAIN, "exceptions-final"], // throw_ref
  [0x0b, 0x0b, END],
  [0x0c, 0x0d, INDEX], // br, br_if
  [0x0e, 0x0e, LABELS], // br_table
  [0x0f, 0x0f, PLAIN], // return
  [0x10, 0x10, INDEX], // call
  [0x11, 0x11, TYPE_TABLE], // call_indirect
  [0x12, 0x12, INDEX, "tail-call"], // return_call
  [0x13, 0x13, TYPE_TABLE, "tail-call"], // return_call_indirect
  [0x14, 0x14, INDEX, "typed-function-references"], // call_ref
  [0x15, 0x15, INDEX, "typed-function-references", "tail-call"], // return_call_ref
  [0x18, 0x18, DELEGATE, "exceptions"],
  [0x19, 0x19, PLAIN, "exceptions"], // catch_all
  [0x1a, 0x1b, PLAIN], // drop, select
  [0x1c, 0x1c, VALUE_TYPES, "reference-types"], // select with types
  [0x1f, 0x1f, TRY_TABLE, "exceptions-final"],
  [0x20, 0x24, INDEX], // local.get, local.set, local.tee, global.get, global.set
  [0x25, 0x26, INDEX, "reference-types"], // table.get, table.set
  [0x28, 0x3e, MEMARG], // loads and stores
  [0x3f, 0x40, MEMORY], // memory.size, memory.grow
  [0x41, 0x41, CONST_32],
  [0x42, 0x42, CONST_64],
  [0x43, 0x43, BYTES_4], // f32.const
  [0x44, 0x44, BYTES_8], // f64.const
  [0x45, 0xbf, PLAIN], // comparison, arithmetic, conversion
  [0xc0, 0xc4, PLAIN, "sign-extensions"],
  [0xd0, 0xd0, HEAP_TYPE, "reference-types"], // ref.null
  [0xd1, 0xd1, PLAIN, "reference-types"], // ref.is_null
  [0xd2, 0xd2, INDEX, "reference-types"], // ref.func
  [0xd3, 0xd3, PLAIN, "gc"], // ref.eq
  [0xd4, 0xd4, PLAIN, "typed-function-references"], // ref.as_non_null
  [0xd5, 0xd6, INDEX, "typed-function-references"], // br_on_null, br_on_non_null
  [0xe0, 0xe0, INDEX, "stack-switching"], // cont.new
  [0xe1, 0xe1, INDEX_2, "stack-switching"], // cont.bind
  [0xe2, 0xe2, INDEX, "stack-switching"], // suspend
  [0xe3, 0xe3, HANDLERS, "stack-switching"], // resume
  [0xe4, 0xe4, TAG_HANDLERS, "stack-switching"], // resume_throw
  [0xe5, 0xe5, HANDLERS, "stack-switching"], // resume_throw_ref
  [0xe6, 0xe6, INDEX_2, "stack-switching"], // switch
  [0xfb, 0xfe, PREFIX],
]);

const GARBAGE_COLLECTION = table(0x1f, [
  [0x00, 0x01, INDEX, "gc"], // struct.new, struct.new_default
  [0x02, 0x05, INDEX_2, "gc"], // struct.get, struct.get_s, struct.get_u, struct.set
  [0x06, 0x07, INDEX, "gc"], // array.new, array.new_default
  [0x08, 0x0a, INDEX_2, "gc"], // array.new_fixed, array.new_data, array.new_elem
  [0x0b, 0x0e, INDEX, "gc"], // array.get, array.get_s, array.get_u, array.set
  [0x0f, 0x0f, PLAIN, "gc"], // array.len
  [0x10, 0x10, INDEX, "gc"], // array.fill
  [0x11, 0x13, INDEX_2, "gc"], // array.copy, array.init_data, array.init_elem
  [0x14, 0x17, HEAP_TYPE, "gc"], // ref.test, ref.test null, ref.cast, ref.cast null
  [0x18, 0x19, CAST_BRANCH, "gc"], // br_on_cast, br_on_cast_fail
  [0x1a, 0x1e, PLAIN, "gc"], // any.convert_extern, extern.convert_any, ref.i31, i31.get_s, i31.get_u
]);

const MISCELLANEOUS = table(0x32, [
  [0x00, 0x07, PLAIN, "saturated-float-to-int"],
  [0x08, 0x08, SEGMENT_MEMORY, "bulk-memory"], // memory.init
  [0x09, 0x09, INDEX, "bulk-memory"], // data.drop
  [0x0a, 0x0a, MEMORY_2, "bulk-memory"], // memory.copy
  [0x0b, 0x0b, MEMORY, "bulk-memory"], // memory.fill
  [0x0c, 0x0c, SEGMENT_TABLE, "bulk-memory"], // table.init
  [0x0d, 0x0d, INDEX, "bulk-memory"], // elem.drop
  [0x0e, 0x0e, TABLE_2, "bulk-memory"], // table.copy
  [0x0f, 0x11, INDEX, "reference-types"], // table.grow, table.size, table.fill
  [0x13, 0x16, PLAIN, "wide-arithmetic"], // i64.add128, i64.sub128, i64.mul_wide_s, i64.mul_wide_u
  [0x30, 0x31, MEMARG, "fp16"], // f32.load_f16, f32.store_f16
]);

const UNASSIGNED_VECTOR_OPCODES = [
  ...[0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb],
  ...[0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee],
];

const VECTOR = table(0x150, [
  [0x00, 0x0b, MEMARG, "simd"], // loads and store
  [0x0c, 0x0d, BYTES_16, "simd"], // v128.const, i8x16.shuffle
  [0x0e, 0x14, PLAIN, "simd"], // i8x16.swizzle, splats
  [0x15, 0x22, LANE, "simd"], // extract_lane, replace_lane
  [0x23, 0x53, PLAIN, "simd"], // comparison, bits
  [0x54, 0x5b, MEMARG_LANE, "simd"], // loads and stores of a lane
  [0x5c, 0x5d, MEMARG, "simd"], // v128.load32_zero, v128.load64_zero
  [0x5e, 0xff, PLAIN, "simd"], // arithmetic, conversion
  ...UNASSIGNED_VECTOR_OPCODES.map((opcode): Row => [opcode, opcode, NO_INSTRUCTION]),
  [0x100, 0x113, PLAIN, "simd", "relaxed-simd"],
  [0x120, 0x120, PLAIN, "simd", "fp16"], // f16x8.splat
  [0x121, 0x122, LANE, "simd", "fp16"], // f16x8.extract_lane, f16x8.replace_lane
  [0x130, 0x14b, PLAIN, "simd", "fp16"], // comparison, arithmetic, conversion
  [0x14e, 0x14f, PLAIN, "simd", "fp16"], // f16x8.madd, f16x8.nmadd
]);

const ATOMIC = table(0x4f, [
  [0x00, 0x02, MEMARG, "threads"], // memory.atomic.notify, memory.atomic.wait32, memory.atomic.wait64
  [0x03, 0x03, ZERO, "threads"], // atomic.fence
  [0x10, 0x4e, MEMARG, "threads"], // loads, stores, read-modify-write
]);

/** Instructions whose opcode is a byte of 0xfb to 0xfe and a number: by that byte less 0xfb. */
export const PREFIXED: readonly OpcodeTable[] = [GARBAGE_COLLECTION, MISCELLANEOUS, VECTOR, ATOMIC];
