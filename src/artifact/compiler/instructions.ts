/**
 * Goes through the instructions of a function. Imports the tables of instructions and the reader only.
 *
 * @module
 */
import * as opcodes from "../wasm/opcodes.ts";
import { Reader } from "../wasm/reader.ts";

/** The body of a function: locals and code. */
export interface Body {
  /** The offset of the number of groups of locals. */
  readonly start: number;
  /** The offset behind the last instruction. */
  readonly end: number;
}

/** An instruction, where it is, and what follows its opcode. One object serves for all: take from it, do not keep it. */
export interface Instruction {
  /** The opcode: one byte, or a prefix of 0xfb to 0xfe. */
  opcode: number;
  /** The number behind a prefix; 0 where there is none. */
  sub: number;
  /** The offset of the opcode. */
  start: number;
  /** The offset behind the instruction. */
  end: number;
  /** The memory that it accesses, the first index that it names, or 0. */
  index: number;
  /** The second index that it names, or 0. */
  second: number;
  /** What an access adds to its address. */
  offset: bigint;
}

/**
 * Calls back for each instruction of a function.
 *
 * @throws {MalformedWasmError} for an instruction that is unknown.
 */
export function eachInstruction(bytes: Uint8Array, body: Body, visit: (instruction: Instruction) => void): void {
  const reader = new Reader(bytes, body.start, body.end);
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.u32();
    skipValueType(reader);
  }
  const instruction = emptyInstruction();
  while (reader.at < reader.end) {
    readInstruction(reader, instruction);
    visit(instruction);
  }
}

/**
 * Goes over a constant expression and its end.
 *
 * @throws {MalformedWasmError} for an instruction that is unknown.
 */
export function skipExpression(reader: Reader): void {
  const instruction = emptyInstruction();
  do readInstruction(reader, instruction); while (instruction.opcode !== 0x0b);
}

function emptyInstruction(): Instruction {
  return { opcode: 0, sub: 0, start: 0, end: 0, index: 0, second: 0, offset: 0n };
}

function readInstruction(reader: Reader, instruction: Instruction): void {
  instruction.start = reader.at;
  instruction.opcode = reader.byte();
  instruction.sub = instruction.index = instruction.second = 0;
  instruction.offset = 0n;
  let kind = opcodes.SINGLE.kinds[instruction.opcode];
  if (kind === opcodes.PREFIX) {
    instruction.sub = reader.u32();
    kind = opcodes.PREFIXED[instruction.opcode - 0xfb].kinds[instruction.sub] ?? opcodes.NO_INSTRUCTION;
  }
  readImmediates(reader, kind, instruction);
  instruction.end = reader.at;
}

function readImmediates(reader: Reader, kind: number, instruction: Instruction): void {
  switch (kind) {
    case opcodes.PLAIN:
    case opcodes.END:
      return;
    case opcodes.INDEX:
    case opcodes.MEMORY:
    case opcodes.DELEGATE:
      instruction.index = reader.u32();
      return;
    case opcodes.INDEX_2:
    case opcodes.TYPE_TABLE:
    case opcodes.SEGMENT_MEMORY:
    case opcodes.SEGMENT_TABLE:
    case opcodes.MEMORY_2:
    case opcodes.TABLE_2:
      instruction.index = reader.u32();
      instruction.second = reader.u32();
      return;
    case opcodes.MEMARG:
    case opcodes.MEMARG_LANE: {
      const flags = reader.u32();
      instruction.index = flags & 0x40 ? reader.u32() : 0;
      instruction.offset = reader.u64();
      if (kind === opcodes.MEMARG_LANE) reader.byte();
      return;
    }
    case opcodes.CONST_32:
    case opcodes.HEAP_TYPE:
      reader.s33();
      return;
    case opcodes.BLOCK:
      skipBlockType(reader);
      return;
    case opcodes.CONST_64:
      while (reader.byte() >= 0x80);
      return;
    case opcodes.LABELS:
      for (let count = reader.u32(); count >= 0; count--) reader.u32();
      return;
    case opcodes.BYTES_4:
      return reader.skip(4);
    case opcodes.BYTES_8:
      return reader.skip(8);
    case opcodes.BYTES_16:
      return reader.skip(16);
    case opcodes.LANE:
    case opcodes.ZERO:
      return reader.skip(1);
    case opcodes.VALUE_TYPES:
      return skipValueTypes(reader);
    case opcodes.CAST_BRANCH:
      reader.byte();
      reader.u32();
      reader.s33();
      reader.s33();
      return;
    case opcodes.TRY_TABLE:
      skipBlockType(reader);
      for (let count = reader.u32(); count > 0; count--) {
        if (reader.byte() < 2) reader.u32();
        reader.u32();
      }
      return;
    case opcodes.HANDLERS:
    case opcodes.TAG_HANDLERS:
      reader.u32();
      if (kind === opcodes.TAG_HANDLERS) reader.u32();
      for (let count = reader.u32(); count > 0; count--) {
        const switches = reader.byte() === 1;
        reader.u32();
        if (!switches) reader.u32();
      }
      return;
    default:
      reader.fail("an instruction that is unknown", instruction.start);
  }
}

/** A block type is a signed number: a type's index or code. That of `(ref …)` has a heap type behind it. */
function skipBlockType(reader: Reader): void {
  const first = reader.bytes[reader.at];
  reader.s33();
  if (first === 0x63 || first === 0x64) reader.s33();
}

/** Goes over a list of value types. */
export function skipValueTypes(reader: Reader): void {
  for (let count = reader.u32(); count > 0; count--) skipValueType(reader);
}

/** Goes over a value type. */
export function skipValueType(reader: Reader): void {
  const type = reader.byte();
  if (type === 0x63 || type === 0x64) reader.s33();
}
