/**
 * Reads a WebAssembly module and tells which features it uses and what it links with, without compiling it. Imports the
 * other files of this folder and errors.
 *
 * A feature counts as used where a host that lacks it refuses the module. This is no validation: types of operands,
 * indices within functions and the like are not looked at, but the binary is read to its last byte.
 *
 * @module
 */
import { MalformedWasmError } from "../errors.ts";
import { type ConstantRules, readExpression } from "./code.ts";
import type { CustomSection, ExternKind, ModuleExport, ModuleImport, ModuleScan } from "./module_scan.ts";
import { Reader } from "./reader.ts";
import * as section from "./sections.ts";
import { readReferenceType, readValueType, TypeSpace, type ValueType } from "./types.ts";
import * as uses from "./uses.ts";

export type { CustomSection, ExternKind, ModuleExport, ModuleImport, ModuleScan } from "./module_scan.ts";

/**
 * Scans a module.
 *
 * @throws {MalformedWasmError} for what is no module, is cut off, or has parts that are not known here.
 */
export function scanModule(bytes: Uint8Array): ModuleScan {
  return new ModuleScanner(bytes).scan();
}

const KINDS: readonly ExternKind[] = ["function", "table", "memory", "global", "tag"];

/** The order in which sections stand that are no custom ones. */
const SECTION_ORDER: readonly number[] = [
  section.SECTION_TYPE,
  section.SECTION_IMPORT,
  section.SECTION_FUNCTION,
  section.SECTION_TABLE,
  section.SECTION_MEMORY,
  section.SECTION_TAG,
  section.SECTION_GLOBAL,
  section.SECTION_EXPORT,
  section.SECTION_START,
  section.SECTION_ELEMENT,
  section.SECTION_DATA_COUNT,
  section.SECTION_CODE,
  section.SECTION_DATA,
];

/** Limits of tables and memories: flags. */
const LIMITS_MAXIMUM = 0x01;
const LIMITS_SHARED = 0x02;
const LIMITS_64 = 0x04;
const LIMITS_PAGE_SIZE = 0x08;

/** Segments: flags. The second is of active ones a table or memory, of passive element segments that they only declare. */
const SEGMENT_PASSIVE = 0x01;
const SEGMENT_EXPLICIT = 0x02;
const SEGMENT_EXPRESSIONS = 0x04;

class ModuleScanner {
  readonly #bytes: Uint8Array;
  readonly #uses = new uses.FeatureUses();
  readonly #types = new TypeSpace();
  /** The types of what there is of each kind, imported ones first: the index of a function's or tag's, else the text. */
  readonly #spaces: Record<ExternKind, (number | string)[]> = {
    function: [],
    table: [],
    memory: [],
    global: [],
    tag: [],
  };
  readonly #imports: ModuleImport[] = [];
  readonly #exports: ModuleExport[] = [];
  #rules: ConstantRules = { importedGlobals: 0 };
  #declared = 0;
  #firstTag = -1;
  #bodies = 0;
  #dataCount: number | undefined;
  #dataSegments = 0;
  /** The reader of the section that is being read. */
  #reader: Reader;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = new Reader(bytes, 0, 0);
  }

  scan(): ModuleScan {
    const customSections: CustomSection[] = [];
    let last = -1;
    for (const { id, start, contentStart, end, name } of section.sections(this.#bytes)) {
      if (name !== undefined) {
        customSections.push({ name, offset: contentStart, bytes: end - contentStart });
        continue;
      }
      const place = SECTION_ORDER.indexOf(id);
      if (place <= last) throw new MalformedWasmError(start, `section ${id} comes too late, or twice`);
      last = place;
      this.#reader = new Reader(this.#bytes, contentStart, end);
      this.#section(id);
      if (this.#reader.at !== end) this.#reader.fail(`section ${id} is longer than what is in it`);
    }
    this.#assertCounts();
    const eitherExceptions = this.#tagFeatures();
    return {
      features: this.#uses.names(),
      firstUse: this.#uses.firstUses(),
      eitherExceptions,
      imports: this.#imports,
      exports: this.#exports,
      customSections,
    };
  }

  #section(id: number): void {
    switch (id) {
      case section.SECTION_TYPE:
        return this.#types.read(this.#reader, this.#uses);
      case section.SECTION_IMPORT:
        return this.#each(() => this.#import());
      case section.SECTION_FUNCTION:
        return this.#each(() => {
          this.#spaces.function.push(this.#reader.u32());
          this.#declared++;
        });
      case section.SECTION_TABLE:
        return this.#each(() => this.#definedTable());
      case section.SECTION_MEMORY:
        return this.#each(() => this.#memory());
      case section.SECTION_GLOBAL:
        return this.#each(() => {
          this.#global();
          this.#constant();
        });
      case section.SECTION_EXPORT:
        return this.#each(() => this.#export());
      case section.SECTION_START:
        this.#reader.u32();
        return;
      case section.SECTION_ELEMENT:
        return this.#each(() => this.#elementSegment());
      case section.SECTION_CODE:
        return this.#each(() => this.#body());
      case section.SECTION_DATA:
        return this.#each(() => this.#dataSegment());
      case section.SECTION_DATA_COUNT:
        this.#uses.add(uses.BULK_MEMORY, this.#reader.at);
        this.#dataCount = this.#reader.u32();
        return;
      case section.SECTION_TAG:
        return this.#each(() => this.#tag());
    }
  }

  #each(read: () => void): void {
    for (let left = this.#reader.u32(); left > 0; left--) read();
  }

  #assertCounts(): void {
    const at = this.#bytes.length;
    if (this.#declared !== this.#bodies) {
      throw new MalformedWasmError(at, `it declares ${this.#declared} functions and has ${this.#bodies} bodies`);
    }
    if (this.#dataCount !== undefined && this.#dataCount !== this.#dataSegments) {
      throw new MalformedWasmError(at, `it announces ${this.#dataCount} data segments and has ${this.#dataSegments}`);
    }
  }

  /** Which feature tags are of can be told only when all is read. Returns whether either form of exceptions will do. */
  #tagFeatures(): boolean {
    const decided = uses.EXCEPTIONS | uses.EXCEPTIONS_FINAL | uses.STACK_SWITCHING;
    if (this.#firstTag < 0 || (this.#uses.seen & decided) !== 0) return false;
    this.#uses.add(uses.EXCEPTIONS, this.#firstTag);
    return true;
  }

  #import(): void {
    const reader = this.#reader;
    const module = reader.name();
    const name = reader.name();
    const kind = this.#kind();
    const type = this.#importedType(kind);
    this.#imports.push({ module, name, kind, type });
    if (kind === "global") this.#rules = { importedGlobals: this.#rules.importedGlobals + 1 };
  }

  #importedType(kind: ExternKind): string {
    switch (kind) {
      case "function": {
        const at = this.#reader.at;
        const index = this.#reader.u32();
        this.#spaces.function.push(index);
        return this.#types.functionText(this.#reader, index, at);
      }
      case "table":
        return this.#table();
      case "memory":
        return this.#memory();
      case "global": {
        const at = this.#reader.at;
        const type = this.#global();
        if (type.startsWith("mut ")) this.#uses.add(uses.MUTABLE_GLOBALS, at);
        return type;
      }
      case "tag":
        return this.#tag();
    }
  }

  #export(): void {
    const reader = this.#reader;
    const name = reader.name();
    const kind = this.#kind();
    const at = reader.at;
    const index = reader.u32();
    const space = this.#spaces[kind];
    if (index >= space.length) reader.fail(`${kind} ${index} of ${space.length} is exported`, at);
    const found = space[index];
    const type = typeof found === "number" ? this.#types.functionText(reader, found, at) : found;
    if (kind === "global" && type.startsWith("mut ")) this.#uses.add(uses.MUTABLE_GLOBALS, at);
    this.#exports.push({ name, kind, type });
  }

  #kind(): ExternKind {
    const kind = this.#reader.byte();
    if (kind >= KINDS.length) this.#reader.fail(`kind ${kind}, which is unknown`, this.#reader.at - 1);
    return KINDS[kind];
  }

  #definedTable(): void {
    const reader = this.#reader;
    const start = reader.at;
    const withValue = start < reader.end && reader.bytes[start] === 0x40;
    if (withValue) {
      reader.at++;
      if (reader.byte() !== 0) reader.fail("a table with a value is of a form that is unknown", start);
      this.#uses.add(uses.TYPED_FUNCTION_REFERENCES, start);
    }
    this.#table();
    if (withValue) this.#constant();
  }

  #table(): string {
    const reader = this.#reader;
    const start = reader.at;
    const element = readReferenceType(reader, this.#uses, 0);
    const limits = this.#limits(LIMITS_MAXIMUM | LIMITS_64);
    const type = `${limits} ${this.#types.valueText(element)}`;
    if (this.#spaces.table.push(type) > 1) this.#uses.add(uses.REFERENCE_TYPES, start);
    return type;
  }

  #memory(): string {
    const start = this.#reader.at;
    const type = this.#limits(LIMITS_MAXIMUM | LIMITS_SHARED | LIMITS_64 | LIMITS_PAGE_SIZE);
    if (this.#spaces.memory.push(type) > 1) this.#uses.add(uses.MULTI_MEMORY, start);
    return type;
  }

  #limits(known: number): string {
    const reader = this.#reader;
    const start = reader.at;
    const flags = reader.byte();
    if ((flags & ~known) !== 0) reader.fail(`limits with flags 0x${flags.toString(16)}`, start);
    const is64 = (flags & LIMITS_64) !== 0;
    const minimum = is64 ? reader.u64() : reader.u32();
    const maximum = (flags & LIMITS_MAXIMUM) === 0 ? "" : is64 ? reader.u64() : reader.u32();
    let text = `${is64 ? "i64" : "i32"} ${minimum}..${maximum}`;
    if (is64) this.#uses.add(uses.MEMORY64, start);
    if ((flags & LIMITS_SHARED) !== 0) {
      this.#uses.add(uses.THREADS, start);
      text += " shared";
    }
    if ((flags & LIMITS_PAGE_SIZE) !== 0) {
      this.#uses.add(uses.CUSTOM_PAGE_SIZES, start);
      const exponent = reader.u32();
      if (exponent > 63) reader.fail(`pages of 2^${exponent} bytes`);
      text += ` pages of ${2n ** BigInt(exponent)}`;
    }
    return text;
  }

  #global(): string {
    const reader = this.#reader;
    const value: ValueType = readValueType(reader, this.#uses);
    const mutability = reader.byte();
    if (mutability > 1) reader.fail("a global is neither immutable (0) nor mutable (1)", reader.at - 1);
    const type = `${mutability === 1 ? "mut " : ""}${this.#types.valueText(value)}`;
    this.#spaces.global.push(type);
    return type;
  }

  #tag(): string {
    const reader = this.#reader;
    const start = reader.at;
    if (reader.byte() !== 0) reader.fail("a tag is of a form that is unknown", start);
    const index = reader.u32();
    this.#spaces.tag.push(index);
    if (this.#firstTag < 0) this.#firstTag = start;
    if (this.#types.hasResults(index)) this.#uses.add(uses.STACK_SWITCHING, start);
    return this.#types.functionText(reader, index, start);
  }

  #constant(): void {
    readExpression(this.#reader, this.#uses, this.#rules);
  }

  #elementSegment(): void {
    const reader = this.#reader;
    const start = reader.at;
    const flags = reader.u32();
    if (flags > 7) reader.fail(`an element segment with flags 0x${flags.toString(16)}`, start);
    const expressions = (flags & SEGMENT_EXPRESSIONS) !== 0;
    const typed = (flags & (SEGMENT_PASSIVE | SEGMENT_EXPLICIT)) !== 0;
    if (expressions) this.#uses.add(uses.REFERENCE_TYPES, start);
    if ((flags & SEGMENT_PASSIVE) === 0) {
      if ((flags & SEGMENT_EXPLICIT) !== 0) this.#explicitIndex(start, uses.REFERENCE_TYPES);
      this.#constant();
    } else {
      this.#uses.add((flags & SEGMENT_EXPLICIT) !== 0 ? uses.REFERENCE_TYPES : uses.BULK_MEMORY, start);
    }
    if (typed && expressions) readReferenceType(reader, this.#uses, uses.REFERENCE_TYPES);
    else if (typed && reader.byte() !== 0) reader.fail("elements of a kind that is unknown", reader.at - 1);
    for (let left = reader.u32(); left > 0; left--) {
      if (expressions) this.#constant();
      else reader.u32();
    }
  }

  #dataSegment(): void {
    const reader = this.#reader;
    const start = reader.at;
    const flags = reader.u32();
    if (flags > 2) reader.fail(`a data segment with flags 0x${flags.toString(16)}`, start);
    if (flags === SEGMENT_PASSIVE) this.#uses.add(uses.BULK_MEMORY, start);
    else {
      if (flags === SEGMENT_EXPLICIT) this.#explicitIndex(start, uses.MULTI_MEMORY);
      this.#constant();
    }
    reader.skip(reader.u32());
    this.#dataSegments++;
  }

  /** Reads the table or memory that a segment names, though before bulk memory there was but one. */
  #explicitIndex(start: number, feature: uses.FeatureBits): void {
    this.#uses.add(this.#reader.u32() === 0 ? uses.BULK_MEMORY : feature, start);
  }

  #body(): void {
    const section = this.#reader;
    const size = section.u32();
    const start = section.at;
    section.skip(size);
    const body = new Reader(this.#bytes, start, section.at);
    let locals = 0;
    for (let left = body.u32(); left > 0; left--) {
      locals += body.u32();
      if (locals > 0xffff_ffff) body.fail(`${locals} local variables`);
      readValueType(body, this.#uses);
    }
    readExpression(body, this.#uses, undefined);
    if (body.at !== body.end) body.fail("a function is longer than what is in it");
    this.#bodies++;
  }
}
