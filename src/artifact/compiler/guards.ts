/**
 * Checks that go into a module before its memories are lowered, so that what traps before traps afterwards.
 *
 * Binaryen's lowering of 64-bit memories drops the upper half of addresses, so that an access beyond 4 GiB would reach
 * what is at the bottom of memory. Its lowering of several memories to one puts them behind each other: an access beyond
 * one reaches the next; and the variant of it with checks compares bytes with pages, so that all accesses trap. With the
 * checks here neither can happen: each access is made by a function that traps where the access would.
 *
 * @module
 */
import { UnsupportedFeatureError } from "../errors.ts";
import {
  type Code,
  F32,
  F64,
  get,
  type Helper,
  I32,
  i32,
  I64,
  i64,
  I64_OPS,
  RETURN,
  set,
  UNREACHABLE,
  unsigned,
  V128,
  type ValueType,
  when,
} from "./assembler.ts";
import type { Instruction } from "./instructions.ts";
import type { Limits, ModuleParts } from "./module_parts.ts";
import type { Decide, Replacement } from "./rewrite.ts";
import { assertSegmentsFit } from "./segments.ts";

/** What is to be lowered after the checks are in. */
export interface GuardPlan {
  /** Addresses of 64 bits become such of 32. */
  readonly memory64: boolean;
  /** All memories become one. */
  readonly multiMemory: boolean;
}

const FOUR_GIB = 2n ** 32n;

/** An access: how many bytes, what is stored or given besides the address, what is loaded. */
interface Access {
  readonly bytes: number;
  readonly operands: readonly ValueType[];
  readonly results: readonly ValueType[];
}

const load = (bytes: number, type: ValueType): Access => ({ bytes, operands: [], results: [type] });
const store = (bytes: number, type: ValueType): Access => ({ bytes, operands: [type], results: [] });

/** From opcode 0x28. */
const SCALAR: readonly Access[] = [
  ...[load(4, I32), load(8, I64), load(4, F32), load(8, F64)],
  ...[load(1, I32), load(1, I32), load(2, I32), load(2, I32)],
  ...[load(1, I64), load(1, I64), load(2, I64), load(2, I64), load(4, I64), load(4, I64)],
  ...[store(4, I32), store(8, I64), store(4, F32), store(8, F64)],
  ...[store(1, I32), store(2, I32), store(1, I64), store(2, I64), store(4, I64)],
];

/** What atomic loads, stores and read-modify-writes go through, seven at a time: bytes and type. */
const ATOMIC: readonly (readonly [bytes: number, type: ValueType])[] = [
  [4, I32],
  [8, I64],
  [1, I32],
  [2, I32],
  [1, I64],
  [2, I64],
  [4, I64],
];

function vectorAccess(sub: number): Access | undefined {
  if (sub === 11) return store(16, V128);
  if (sub <= 10) return load([16, 8, 8, 8, 8, 8, 8, 1, 2, 4, 8][sub], V128);
  if (sub === 92 || sub === 93) return load(sub === 92 ? 4 : 8, V128);
  if (sub < 84 || sub > 91) return undefined;
  const bytes = [1, 2, 4, 8][(sub - 84) & 3];
  return { bytes, operands: [V128], results: sub < 88 ? [V128] : [] };
}

function atomicAccess(sub: number): Access | undefined {
  if (sub === 0) return { bytes: 4, operands: [I32], results: [I32] };
  if (sub === 1) return { bytes: 4, operands: [I32, I64], results: [I32] };
  if (sub === 2) return { bytes: 8, operands: [I64, I64], results: [I32] };
  if (sub < 0x10) return undefined;
  const [bytes, type] = ATOMIC[(sub - 0x10) % 7];
  if (sub < 0x17) return load(bytes, type);
  if (sub < 0x1e) return store(bytes, type);
  return { bytes, operands: sub < 0x48 ? [type] : [type, type], results: [type] };
}

function accessOf({ opcode, sub }: Instruction): Access | undefined {
  if (opcode >= 0x28 && opcode <= 0x3e) return SCALAR[opcode - 0x28];
  if (opcode === 0xfc && (sub === 0x30 || sub === 0x31)) return sub === 0x30 ? load(2, F32) : store(2, F32);
  if (opcode === 0xfd) return vectorAccess(sub);
  return opcode === 0xfe ? atomicAccess(sub) : undefined;
}

/**
 * Decides which instructions get checks.
 *
 * The function that it gives throws {UnsupportedFeatureError} for instructions on 64-bit tables that have no lowering.
 *
 * @throws {UnsupportedFeatureError} for memories that cannot be lowered: too large, shared, or with pages of other sizes.
 */
export function decideGuards(parts: ModuleParts, plan: GuardPlan): Decide {
  assertLowerable(parts, plan);
  assertSegmentsFit(parts, plan.multiMemory ? "multi-memory" : "memory64");
  return (instruction) => {
    const access = accessOf(instruction);
    if (access !== undefined) {
      const memory = parts.memories[instruction.index];
      if (memory === undefined || !(plan.multiMemory || memory.wide)) return undefined;
      const bytes = parts.bytes.slice(instruction.start, instruction.end);
      const { index, offset } = instruction;
      return { key: bytes.join(), helper: () => accessHelper(access, bytes, index, offset, memory, plan) };
    }
    return rangeReplacement(parts, instruction, plan) ??
      (plan.memory64 ? tableReplacement(parts, instruction) : undefined);
  };
}

function assertLowerable(parts: ModuleParts, plan: GuardPlan): void {
  if (plan.multiMemory && (parts.importedMemories > 1 || parts.exportedMemories.some((index) => index > 0))) {
    throw new UnsupportedFeatureError(
      ["multi-memory"],
      "the module imports several memories, or exports another than its first: the target lacks multi-memory, and such " +
        "memories cannot become one. Compile for a target that has it",
    );
  }
  for (const [index, memory] of parts.memories.entries()) {
    if (plan.memory64 && memory.wide && memory.minimum << BigInt(memory.pageShift) > FOUR_GIB) {
      throw new UnsupportedFeatureError(
        ["memory64"],
        `memory ${index} starts with ${memory.minimum} pages, more than 4 GiB: the target lacks memory64, and there is no ` +
          "such memory without it. Compile for a target that has it",
      );
    }
    if (!plan.multiMemory || (!memory.shared && memory.pageShift === 16)) continue;
    throw new UnsupportedFeatureError(
      ["multi-memory"],
      `memory ${index} ${
        memory.shared ? "is shared between threads" : "has pages of another size"
      }: the target lacks ` +
        "multi-memory, and such a memory cannot be joined with others. Compile for a target that has it",
    );
  }
}

/** Leaves the address or number in a local on the stack, as 64 bits. */
function widened(local: number, wide: boolean): Code {
  return [get(local), wide ? [] : [I64_OPS.extend]];
}

/** Leaves the size of a memory in bytes on the stack, as 64 bits. */
function sizeOf(index: number, memory: Limits): Code {
  return [0x3f, unsigned(index), memory.wide ? [] : [I64_OPS.extend], i64(memory.pageShift), I64_OPS.shl];
}

function accessHelper(
  access: Access,
  instruction: Uint8Array,
  index: number,
  offset: bigint,
  memory: Limits,
  plan: GuardPlan,
): Helper {
  const beyond = offset + BigInt(access.bytes);
  const operands = [memory.wide ? I64 : I32, ...access.operands];
  const head = { params: operands, results: access.results, locals: [] };
  if (beyond > FOUR_GIB && memory.wide && plan.memory64) return { ...head, code: UNREACHABLE };
  return {
    ...head,
    code: [
      memory.wide && plan.memory64 ? [get(0), i64(FOUR_GIB - beyond), I64_OPS.gtU, when(UNREACHABLE)] : [],
      plan.multiMemory ? assertBelow(widened(0, memory.wide), i64(beyond), index, memory) : [],
      operands.map((_, local) => get(local)),
      [...instruction],
    ],
  };
}

/** Traps where an address and a number of bytes, of 64 bits each, go beyond a memory. Neither sum nor size overflow. */
function assertBelow(address: Code, count: Code, index: number, memory: Limits): Code {
  return [
    [count, sizeOf(index, memory), I64_OPS.gtU, when(UNREACHABLE)],
    [address, sizeOf(index, memory), count, I64_OPS.sub, I64_OPS.gtU, when(UNREACHABLE)],
  ];
}

/** The checks of a range of memory that a bulk instruction goes over. */
function assertRange(
  start: number,
  count: number,
  wideCount: boolean,
  index: number,
  memory: Limits,
  plan: GuardPlan,
): Code {
  return [
    assertBelow(widened(start, memory.wide), widened(count, wideCount), index, memory),
    // A count of exactly 4 GiB, in a memory of that size, would become 0.
    memory.wide && plan.memory64 && wideCount ? [get(count), i64(FOUR_GIB - 1n), I64_OPS.gtU, when(UNREACHABLE)] : [],
  ];
}

/** Checks for `memory.grow`, `memory.init`, `memory.copy` and `memory.fill`. */
function rangeReplacement(parts: ModuleParts, instruction: Instruction, plan: GuardPlan): Replacement | undefined {
  const { opcode, sub, index, second } = instruction;
  const concerned = (memory: Limits | undefined): boolean => memory !== undefined && (plan.multiMemory || memory.wide);
  const typeOf = (memory: Limits): ValueType => memory.wide ? I64 : I32;
  const bytes = [...parts.bytes.subarray(instruction.start, instruction.end)];
  const key = bytes.join();
  const three: Code = [get(0), get(1), get(2), bytes];
  if (opcode === 0x40) {
    const memory = parts.memories[index];
    return concerned(memory) ? { key, helper: () => growHelper(bytes, index, memory, plan) } : undefined;
  }
  if (opcode !== 0xfc) return undefined;
  if (sub === 8 && concerned(parts.memories[second])) {
    const memory = parts.memories[second];
    const code = [assertRange(0, 2, false, second, memory, plan), three];
    return { key, helper: () => ({ params: [typeOf(memory), I32, I32], results: [], locals: [], code }) };
  }
  if (sub === 11 && concerned(parts.memories[index])) {
    const memory = parts.memories[index];
    const code = [assertRange(0, 2, memory.wide, index, memory, plan), three];
    return { key, helper: () => ({ params: [typeOf(memory), I32, typeOf(memory)], results: [], locals: [], code }) };
  }
  if (sub === 10 && (concerned(parts.memories[index]) || concerned(parts.memories[second]))) {
    const [to, from] = [parts.memories[index], parts.memories[second]];
    const wideCount = to.wide && from.wide;
    const code = [
      assertRange(0, 2, wideCount, index, to, plan),
      assertRange(1, 2, wideCount, second, from, plan),
      three,
    ];
    const params = [typeOf(to), typeOf(from), wideCount ? I64 : I32];
    return { key, helper: () => ({ params, results: [], locals: [], code }) };
  }
  return undefined;
}

/**
 * Growing fails beyond the memory's own maximum, and beyond what 32 bits can say. Binaryen makes room by moving the
 * memories behind, and leaves what was theirs where the new pages are: these are made zero.
 */
function growHelper(instruction: readonly number[], index: number, memory: Limits, plan: GuardPlan): Helper {
  const type = memory.wide ? I64 : I32;
  const minusOne: Code = memory.wide ? i64(-1) : i32(-1);
  const fails = when([minusOne, RETURN]);
  const maximum = memory.maximum ?? 0x10000n;
  const [delta, before] = [0, 1];
  const notEqual = memory.wide ? 0x52 : 0x47;
  const inBytes = (
    local: number,
  ): Code => [get(local), memory.wide ? i64(16) : i32(16), memory.wide ? I64_OPS.shl : 0x74];
  const grow: Code = [get(delta), instruction];
  const limit: Code = [
    [widened(delta, memory.wide), i64(maximum), I64_OPS.gtU, fails],
    [widened(delta, memory.wide), 0x3f, unsigned(index), memory.wide ? [] : I64_OPS.extend, I64_OPS.add],
    [i64(maximum), I64_OPS.gtU, fails],
  ];
  const clear: Code = [inBytes(before), i32(0), inBytes(delta), 0xfc, 11, unsigned(index)];
  return {
    params: [type],
    results: [type],
    locals: [type],
    code: [
      memory.wide && plan.memory64 ? [get(delta), i64(0x10000), I64_OPS.gtU, fails] : [],
      plan.multiMemory ? [limit, grow, set(before), get(before), minusOne, notEqual, when(clear), get(before)] : grow,
    ],
  };
}

/** Binaryen lowers neither these, which leaves modules that are not valid, nor most of those below. */
const TABLE_ACCESSES: Readonly<Record<number, string>> = { 0x25: "table.get", 0x26: "table.set" };
const UNLOWERED: Readonly<Record<number, string>> = {
  12: "table.init",
  14: "table.copy",
  15: "table.grow",
  17: "table.fill",
};

/** Instructions on 64-bit tables: calls, which have the index on top of the stack, get a check before them. */
function tableReplacement(parts: ModuleParts, instruction: Instruction): Replacement | undefined {
  const { opcode, sub, index, second, start } = instruction;
  const wide = (table: number): boolean => parts.tables[table]?.wide ?? false;
  const indirect = opcode === 0x11 || opcode === 0x13;
  if (indirect && wide(second)) {
    return { key: "table index", keep: true, helper: indexHelper };
  }
  const refused = opcode === 0xfc ? UNLOWERED[sub] : TABLE_ACCESSES[opcode];
  // table.init names a segment before its table.
  if (refused === undefined || !((sub !== 12 && wide(index)) || (sub !== 0 && sub <= 14 && wide(second)))) {
    return undefined;
  }
  throw new UnsupportedFeatureError(
    ["memory64"],
    `the module uses '${refused}' on a 64-bit table at byte ${start}: the target lacks memory64, and of instructions on ` +
      "64-bit tables only 'call_indirect', 'return_call_indirect' and 'table.size' can be lowered. Compile " +
      "for a target that has it",
  );
}

function indexHelper(): Helper {
  return {
    params: [I64],
    results: [I64],
    locals: [],
    code: [get(0), i64(FOUR_GIB - 1n), I64_OPS.gtU, when(UNREACHABLE), get(0)],
  };
}
