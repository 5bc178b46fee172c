/**
 * Looks at where a module's active data segments go, before its memories are lowered: a module of which one does not fit
 * is refused by the host when it is instantiated; lowered, it would write to where another memory is.
 *
 * @module
 */
import { UnsupportedFeatureError } from "../errors.ts";
import { Reader } from "../wasm/reader.ts";
import { SECTION_DATA } from "../wasm/sections.ts";
import { skipExpression } from "./instructions.ts";
import type { ModuleParts } from "./module_parts.ts";

const PASSIVE = 1;
const EXPLICIT = 2;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const END = 0x0b;

/**
 * Refuses active segments that do not fit into the memory that is there at first, or of which that cannot be told.
 *
 * @param feature the feature that is to be lowered, for the message.
 * @throws {UnsupportedFeatureError} for such a segment.
 */
export function assertSegmentsFit(parts: ModuleParts, feature: "memory64" | "multi-memory"): void {
  const section = parts.sections.find(({ id }) => id === SECTION_DATA);
  if (section === undefined) return;
  const reader = new Reader(parts.bytes, section.contentStart, section.end);
  const count = reader.u32();
  for (let index = 0; index < count; index++) {
    const start = reader.at;
    const flags = reader.u32();
    if (flags !== PASSIVE) {
      const memory = parts.memories[flags === EXPLICIT ? reader.u32() : 0];
      const offset = readOffset(reader);
      if (offset === undefined) refuse(feature, index, start, "goes where only the host knows");
      const size = memory === undefined ? 0n : memory.minimum << BigInt(memory.pageShift);
      const length = reader.u32();
      if (offset + BigInt(length) > size) refuse(feature, index, start, `goes beyond the ${size} bytes of its memory`);
      reader.skip(length);
    } else {
      reader.skip(reader.u32());
    }
  }
}

/**
 * Refuses passive data segments: what makes use of them has no lowering.
 *
 * @throws {UnsupportedFeatureError} for one.
 */
export function assertNoPassiveData(parts: ModuleParts): void {
  const section = parts.sections.find(({ id }) => id === SECTION_DATA);
  if (section === undefined) return;
  const reader = new Reader(parts.bytes, section.contentStart, section.end);
  const count = reader.u32();
  for (let index = 0; index < count; index++) {
    const start = reader.at;
    const flags = reader.u32();
    if (flags === PASSIVE) {
      throw new UnsupportedFeatureError(
        ["bulk-memory"],
        `data segment ${index} at byte ${start} is a passive one, of bulk-memory: the target lacks that, and of it only ` +
          "'memory.copy' and 'memory.fill' can be lowered. Compile for a target that has it, or build the module without it",
      );
    }
    if (flags === EXPLICIT) reader.u32();
    skipExpression(reader);
    reader.skip(reader.u32());
  }
}

/** Reads a constant expression that is one number without sign; undefined, and the reader anywhere, for all others. */
function readOffset(reader: Reader): bigint | undefined {
  const opcode = reader.byte();
  if (opcode !== I32_CONST && opcode !== I64_CONST) return undefined;
  let value = 0n;
  let shift = 0n;
  let byte: number;
  do {
    byte = reader.byte();
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
  } while (byte >= 0x80);
  if ((byte & 0x40) !== 0) value -= 1n << shift;
  return reader.byte() === END ? BigInt.asUintN(opcode === I32_CONST ? 32 : 64, value) : undefined;
}

function refuse(feature: string, index: number, start: number, why: string): never {
  throw new UnsupportedFeatureError(
    [feature],
    `data segment ${index} at byte ${start} ${why}: the target lacks ${feature}, and lowering it keeps what a module does ` +
      "only where all its segments are within their memories. Compile for a target that has it",
  );
}
