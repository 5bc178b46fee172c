/**
 * Lowerings of single instructions: conversions that saturate, `memory.copy` and `memory.fill`.
 *
 * Binaryen's own passes for these are for code that LLVM made of C, where what they change is undefined anyway: its
 * conversion gives the smallest number for all that does not fit, and its copy wraps at the end of the address space,
 * writes before it traps, and always traps in a memory of 4 GiB. A module may depend on all of that.
 *
 * @module
 */
import { UnsupportedFeatureError } from "../errors.ts";
import {
  type AddressOps,
  type Code,
  END,
  F32,
  f32,
  F64,
  f64,
  get,
  type Helper,
  I32,
  i32,
  I64,
  i64,
  I64_OPS,
  memarg,
  NARROW,
  RETURN,
  set,
  UNREACHABLE,
  unsigned,
  when,
  WIDE,
} from "./assembler.ts";
import type { Instruction } from "./instructions.ts";
import type { Limits, ModuleParts } from "./module_parts.ts";
import type { Decide, Replacement } from "./rewrite.ts";
import { assertNoPassiveData } from "./segments.ts";

/** The second opcodes, behind 0xfc, of instructions that are replaced or refused here. */
const MEMORY_INIT = 8;
const MEMORY_COPY = 10;
const MEMORY_FILL = 11;
const BULK_NAMES: Readonly<Record<number, string>> = {
  8: "memory.init",
  9: "data.drop",
  12: "table.init",
  13: "elem.drop",
  14: "table.copy",
};

/** Replaces conversions that saturate by ones that trap, behind comparisons. */
export const decideSaturation: Decide = ({ opcode, sub }): Replacement | undefined =>
  opcode === 0xfc && sub < MEMORY_INIT
    ? { key: `saturation ${sub}`, helper: () => saturatingConversion(sub) }
    : undefined;

function saturatingConversion(sub: number): Helper {
  const wide = sub >= 4;
  const double = (sub & 2) !== 0;
  const isSigned = (sub & 1) === 0;
  const bits = wide ? 64 : 32;
  const float = double ? f64 : f32;
  const integer = wide ? i64 : i32;
  const [notEqual, lessOrEqual, greaterOrEqual] = double ? [0x62, 0x65, 0x66] : [0x5c, 0x5f, 0x60];
  const low = isSigned ? -(2n ** BigInt(bits - 1)) : 0n;
  const high = isSigned ? 2n ** BigInt(bits - 1) - 1n : -1n;
  const trapping = [0xa8, 0xa9, 0xaa, 0xab, 0xae, 0xaf, 0xb0, 0xb1][sub];
  return {
    params: [double ? F64 : F32],
    results: [wide ? I64 : I32],
    locals: [],
    code: [
      [get(0), get(0), notEqual, when([integer(0), RETURN])],
      [get(0), float(Number(low)), lessOrEqual, when([integer(low), RETURN])],
      [get(0), float(isSigned ? 2 ** (bits - 1) : 2 ** bits), greaterOrEqual, when([integer(high), RETURN])],
      [get(0), trapping],
    ],
  };
}

/**
 * Replaces `memory.copy` and `memory.fill` by loops.
 *
 * The function that it gives throws {UnsupportedFeatureError} for other instructions of bulk memory.
 *
 * @throws {UnsupportedFeatureError} for passive data segments.
 */
export function decideBulk(parts: ModuleParts): Decide {
  assertNoPassiveData(parts);
  return (instruction): Replacement | undefined => {
    const { opcode, sub, index, second } = instruction;
    if (opcode !== 0xfc) return undefined;
    if (sub === MEMORY_FILL) {
      return { key: `fill ${index}`, helper: () => fill(index, memoryOf(parts, index)) };
    }
    if (sub === MEMORY_COPY) {
      return {
        key: `copy ${index} ${second}`,
        helper: () => copy(instruction, index, memoryOf(parts, index), second, memoryOf(parts, second)),
      };
    }
    if (BULK_NAMES[sub] === undefined) return undefined;
    throw new UnsupportedFeatureError(
      ["bulk-memory"],
      `the module uses '${
        BULK_NAMES[sub]
      }' of bulk-memory at byte ${instruction.start}: the target lacks bulk-memory, ` +
        "and only 'memory.copy' and 'memory.fill' can be lowered. Compile for a target that has it, or build the module " +
        "without it",
    );
  };
}

function memoryOf(parts: ModuleParts, index: number): Limits {
  return parts.memories[index] ?? { wide: false, shared: false, minimum: 0n, maximum: undefined, pageShift: 16 };
}

/** Leaves the size of a memory in bytes on the stack, as 64 bits. */
function sizeOf(index: number, memory: Limits): Code {
  const ops = memory.wide ? WIDE : NARROW;
  return [0x3f, unsigned(index), ops.widen, i64(memory.pageShift), I64_OPS.shl];
}

/** Traps unless a range lies within a memory, before anything is written. */
function assertRange(index: number, memory: Limits, ops: AddressOps, startLocal: number, countLocal: number): Code {
  const count: Code = [get(countLocal), ops.widen];
  return [
    [count, sizeOf(index, memory), I64_OPS.gtU, when(UNREACHABLE)],
    [
      [get(startLocal), memory.wide ? [] : [I64_OPS.extend]],
      [sizeOf(index, memory), count, I64_OPS.sub],
      [I64_OPS.gtU, when(UNREACHABLE)],
    ],
  ];
}

const I64_LOAD = 0x29;
const I64_STORE = 0x37;
const I32_LOAD8_U = 0x2d;
const I32_STORE8 = 0x3a;

/** A loop that goes on while its condition, of which the negation is given, holds. */
function loop(until: Code, body: Code): Code {
  return [0x02, 0x40, 0x03, 0x40, until, 0x0d, 1, body, 0x0c, 0, END, END];
}

function fill(index: number, memory: Limits): Helper {
  const ops = memory.wide ? WIDE : NARROW;
  const [start, value, count, wideValue] = [0, 1, 2, 3];
  const step = (bytes: number): Code => [get(count), ops.constant(bytes), ops.sub, set(count)];
  const place: Code = [get(start), get(count), ops.add];
  return {
    params: [ops.type, I32, ops.type],
    results: [],
    locals: [I64],
    code: [
      assertRange(index, memory, ops, start, count),
      [get(value), i32(255), 0x71, I64_OPS.extend, i64(0x0101010101010101n), 0x7e, set(wideValue)],
      loop([get(count), ops.constant(8), ops.ltU], [
        step(8),
        [place, get(wideValue), I64_STORE, memarg(index)],
      ]),
      loop([get(count), ops.eqz], [
        step(1),
        [place, get(value), I32_STORE8, memarg(index)],
      ]),
    ],
  };
}

function copy(instruction: Instruction, to: number, target: Limits, from: number, source: Limits): Helper {
  if (target.wide !== source.wide) {
    throw new UnsupportedFeatureError(
      ["bulk-memory"],
      `the module copies between a 32-bit and a 64-bit memory at byte ${instruction.start}: the target lacks ` +
        "bulk-memory, and such a copy cannot be lowered. Compile for a target that has it",
    );
  }
  const ops = target.wide ? WIDE : NARROW;
  const [start, origin, count, done] = [0, 1, 2, 3];
  const piece = (bytes: number, at: Code): Code => [
    [get(start), at, ops.add],
    [get(origin), at, ops.add],
    bytes === 8 ? [I64_LOAD, memarg(from), I64_STORE, memarg(to)] : [I32_LOAD8_U, memarg(from), I32_STORE8, memarg(to)],
  ];
  const shrink = (bytes: number): Code => [get(count), ops.constant(bytes), ops.sub, set(count)];
  const advance = (bytes: number): Code => [get(done), ops.constant(bytes), ops.add, set(done)];
  const left: Code = [get(count), get(done), ops.sub];
  return {
    params: [ops.type, ops.type, ops.type],
    results: [],
    locals: [ops.type],
    code: [
      assertRange(to, target, ops, start, count),
      assertRange(from, source, ops, origin, count),
      // From the end where the target is above the source, so that no byte is overwritten before it is read.
      [get(origin), get(start), ops.ltU],
      when([
        loop([get(count), ops.constant(8), ops.ltU], [shrink(8), piece(8, get(count))]),
        loop([get(count), ops.eqz], [shrink(1), piece(1, get(count))]),
        RETURN,
      ]),
      loop([left, ops.constant(8), ops.ltU], [piece(8, get(done)), advance(8)]),
      loop([left, ops.eqz], [piece(1, get(done)), advance(1)]),
    ],
  };
}
