/**
 * What rewriting a module needs to know of it: how many types and functions there are, its memories and tables, and where
 * the bodies of its functions are. Imports the reader of binaries and errors only.
 *
 * @module
 */
import { Reader } from "../wasm/reader.ts";
import {
  type Section,
  SECTION_CODE,
  SECTION_EXPORT,
  SECTION_FUNCTION,
  SECTION_IMPORT,
  SECTION_MEMORY,
  SECTION_TABLE,
  SECTION_TYPE,
  sections,
} from "../wasm/sections.ts";
import { type Body, skipExpression, skipValueType, skipValueTypes } from "./instructions.ts";

/** A memory or a table. */
export interface Limits {
  /** Whether its addresses or indices are numbers of 64 bits. */
  readonly wide: boolean;
  /** Whether it is shared between threads. */
  readonly shared: boolean;
  /** How much there is at first: pages or elements. */
  readonly minimum: bigint;
  /** How much there may be at most; undefined where nothing is said. */
  readonly maximum: bigint | undefined;
  /** The binary logarithm of the size of a page in bytes; of no meaning for tables. */
  readonly pageShift: number;
}

/** A module, as rewriting sees it. */
export interface ModuleParts {
  /** The whole binary. */
  readonly bytes: Uint8Array;
  /** All sections, in order. */
  readonly sections: readonly Section[];
  /** How many types there are, those in recursive groups each counted. */
  readonly typeCount: number;
  /** How many functions there are, imported and own. */
  readonly functionCount: number;
  /** Imported and own memories. */
  readonly memories: readonly Limits[];
  /** How many of the memories are imported. */
  readonly importedMemories: number;
  /** The indices of memories that are exported. */
  readonly exportedMemories: readonly number[];
  /** Imported and own tables. */
  readonly tables: readonly Limits[];
  /** The bodies of the module's own functions. */
  readonly bodies: readonly Body[];
}

const KIND_FUNCTION = 0;
const KIND_TABLE = 1;
const KIND_MEMORY = 2;
const KIND_GLOBAL = 3;
const KIND_TAG = 4;

/**
 * Takes a module apart.
 *
 * @throws {MalformedWasmError} for what is no module.
 */
export function readParts(bytes: Uint8Array): ModuleParts {
  const all = [...sections(bytes)];
  const memories: Limits[] = [];
  const tables: Limits[] = [];
  let typeCount = 0;
  let functionCount = 0;
  let bodies: Body[] = [];
  let importedMemories = 0;
  let exportedMemories: number[] = [];
  for (const section of all) {
    const reader = new Reader(bytes, section.contentStart, section.end);
    switch (section.id) {
      case SECTION_TYPE:
        typeCount = countTypes(reader);
        break;
      case SECTION_IMPORT:
        functionCount += readImports(reader, memories, tables);
        importedMemories = memories.length;
        break;
      case SECTION_EXPORT:
        exportedMemories = readMemoryExports(reader);
        break;
      case SECTION_FUNCTION:
        functionCount += reader.u32();
        break;
      case SECTION_TABLE:
        for (let count = reader.u32(); count > 0; count--) tables.push(readTable(reader));
        break;
      case SECTION_MEMORY:
        for (let count = reader.u32(); count > 0; count--) memories.push(readLimits(reader));
        break;
      case SECTION_CODE:
        bodies = readBodies(reader);
    }
  }
  return {
    bytes,
    sections: all,
    typeCount,
    functionCount,
    memories,
    importedMemories,
    exportedMemories,
    tables,
    bodies,
  };
}

function readMemoryExports(reader: Reader): number[] {
  const memories: number[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    reader.name();
    const kind = reader.byte();
    const index = reader.u32();
    if (kind === KIND_MEMORY) memories.push(index);
  }
  return memories;
}

function readBodies(reader: Reader): Body[] {
  const bodies: Body[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    const size = reader.u32();
    const start = reader.at;
    reader.skip(size);
    bodies.push({ start, end: reader.at });
  }
  return bodies;
}

function readImports(reader: Reader, memories: Limits[], tables: Limits[]): number {
  let functions = 0;
  for (let count = reader.u32(); count > 0; count--) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === KIND_FUNCTION) {
      reader.u32();
      functions++;
    } else if (kind === KIND_TABLE) {
      tables.push(readTable(reader));
    } else if (kind === KIND_MEMORY) {
      memories.push(readLimits(reader));
    } else if (kind === KIND_GLOBAL) {
      skipValueType(reader);
      reader.byte();
    } else if (kind === KIND_TAG) {
      reader.byte();
      reader.u32();
    } else {
      reader.fail(`there are no imports of kind ${kind}`, reader.at - 1);
    }
  }
  return functions;
}

function readTable(reader: Reader): Limits {
  if (reader.bytes[reader.at] !== 0x40) {
    skipValueType(reader);
    return readLimits(reader);
  }
  reader.skip(2);
  skipValueType(reader);
  const limits = readLimits(reader);
  skipExpression(reader);
  return limits;
}

function readLimits(reader: Reader): Limits {
  const flags = reader.byte();
  const minimum = reader.u64();
  const maximum = flags & 1 ? reader.u64() : undefined;
  const pageShift = flags & 8 ? reader.u32() : 16;
  return { wide: (flags & 4) !== 0, shared: (flags & 2) !== 0, minimum, maximum, pageShift };
}

function countTypes(reader: Reader): number {
  let types = 0;
  for (let count = reader.u32(); count > 0; count--) {
    if (reader.bytes[reader.at] !== 0x4e) {
      skipSubtype(reader);
      types++;
      continue;
    }
    reader.byte();
    for (let members = reader.u32(); members > 0; members--, types++) skipSubtype(reader);
  }
  return types;
}

function skipSubtype(reader: Reader): void {
  let form = reader.byte();
  if (form === 0x50 || form === 0x4f) {
    for (let count = reader.u32(); count > 0; count--) reader.u32();
    form = reader.byte();
  }
  if (form === 0x60) {
    skipValueTypes(reader);
    skipValueTypes(reader);
  } else if (form === 0x5e) {
    skipField(reader);
  } else if (form === 0x5f) {
    for (let count = reader.u32(); count > 0; count--) skipField(reader);
  } else if (form === 0x5d) {
    reader.s33();
  } else {
    reader.fail(`there is no type of form ${form}`, reader.at - 1);
  }
}

function skipField(reader: Reader): void {
  skipValueType(reader);
  reader.byte();
}
