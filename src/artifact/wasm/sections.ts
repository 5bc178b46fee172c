/**
 * The outermost structure of WebAssembly binaries: what they are, and their sections. Imports the reader and errors only.
 *
 * @module
 */
import { MalformedWasmError } from "../errors.ts";
import { Reader } from "./reader.ts";

/** The id of a custom section. */
export const SECTION_CUSTOM = 0;
/** The id of the section with types. */
export const SECTION_TYPE = 1;
/** The id of the section with imports. */
export const SECTION_IMPORT = 2;
/** The id of the section with the types of functions. */
export const SECTION_FUNCTION = 3;
/** The id of the section with tables. */
export const SECTION_TABLE = 4;
/** The id of the section with memories. */
export const SECTION_MEMORY = 5;
/** The id of the section with globals. */
export const SECTION_GLOBAL = 6;
/** The id of the section with exports. */
export const SECTION_EXPORT = 7;
/** The id of the section that names the start function. */
export const SECTION_START = 8;
/** The id of the section with element segments. */
export const SECTION_ELEMENT = 9;
/** The id of the section with the bodies of functions. */
export const SECTION_CODE = 10;
/** The id of the section with data segments. */
export const SECTION_DATA = 11;
/** The id of the section with the number of data segments. */
export const SECTION_DATA_COUNT = 12;
/** The id of the section with tags. */
export const SECTION_TAG = 13;

/** How many bytes come before the first section. */
export const PREAMBLE_BYTES = 8;

/** A section of a module. All offsets are from the start of the binary, in bytes. */
export interface Section {
  /** What it is: 0 is a custom section. */
  readonly id: number;
  /** The offset of the byte with the id. */
  readonly start: number;
  /** The offset of its contents: behind the id and the size, and behind the name of a custom section. */
  readonly contentStart: number;
  /** The offset behind its last byte. */
  readonly end: number;
  /** The name of a custom section. */
  readonly name?: string;
}

/**
 * What a binary says it is, by its first 8 bytes. Undefined for what is no WebAssembly, or of a version that is unknown.
 */
export function binaryKind(bytes: Uint8Array): "module" | "component" | undefined {
  if (bytes.length < PREAMBLE_BYTES) return undefined;
  if (bytes[0] !== 0x00 || bytes[1] !== 0x61 || bytes[2] !== 0x73 || bytes[3] !== 0x6d) return undefined;
  const version = bytes[4] | bytes[5] << 8;
  const layer = bytes[6] | bytes[7] << 8;
  if (version === 1 && layer === 0) return "module";
  return version === 0x0d && layer === 1 ? "component" : undefined;
}

/**
 * The sections of a module, in the order of the binary. Neither their order nor their contents are looked at, but for the
 * names of custom sections.
 *
 * @throws {MalformedWasmError} while iterating: for what is no module, an unknown section, one that goes past the end, or
 * a custom section without a name.
 */
export function* sections(bytes: Uint8Array): Generator<Section, void, undefined> {
  assertModule(bytes);
  const reader = new Reader(bytes, PREAMBLE_BYTES, bytes.length);
  while (reader.at < reader.end) {
    const start = reader.at;
    const id = reader.byte();
    if (id > SECTION_TAG) reader.fail(`there is no section ${id}`, start);
    const size = reader.u32();
    const end = reader.at + size;
    if (end > reader.end) {
      reader.fail(`section ${id} has ${size} bytes, of which ${reader.end - reader.at} are there`, start);
    }
    const content = new Reader(bytes, reader.at, end);
    const name = id === SECTION_CUSTOM ? content.name() : undefined;
    yield { id, start, contentStart: content.at, end, ...(name === undefined ? {} : { name }) };
    reader.at = end;
  }
}

function assertModule(bytes: Uint8Array): void {
  const kind = binaryKind(bytes);
  if (kind === "module") return;
  if (kind === "component") {
    throw new MalformedWasmError(4, "this is a component, and a core module is needed: take the module out of it");
  }
  if (bytes.length < PREAMBLE_BYTES) {
    throw new MalformedWasmError(bytes.length, `it has ${bytes.length} bytes, and a module has at least 8`);
  }
  const head = Array.from(bytes.subarray(0, PREAMBLE_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const magic = head.startsWith("00 61 73 6d");
  throw new MalformedWasmError(magic ? 4 : 0, `it starts with ${head}, and a module with 00 61 73 6d 01 00 00 00`);
}
