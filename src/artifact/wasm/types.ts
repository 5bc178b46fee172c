/**
 * Value types, heap types and the type section: which features they belong to, and types as texts that do not depend on
 * the order of a module's types. Imports the reader and the sets of features.
 *
 * @module
 */
import type { Reader } from "./reader.ts";
import {
  EXCEPTIONS_FINAL,
  type FeatureBits,
  type FeatureUses,
  GC,
  MULTI_VALUE,
  REFERENCE_TYPES,
  SIMD,
  STACK_SWITCHING,
  TYPED_FUNCTION_REFERENCES,
} from "./uses.ts";

/** A reference to a type that the module defines. */
export interface TypeReference {
  /** Whether it may be null. */
  readonly nullable: boolean;
  /** The index of the type. */
  readonly index: number;
}

/** A type of values, or of fields; as text where it does not depend on the module's types. */
export type ValueType = string | TypeReference;

/** A type that a module defines. */
interface DefinedType {
  readonly form: "func" | "struct" | "array" | "cont";
  /** Parameters, fields, the element, or the type of a continuation's function. */
  readonly items: readonly (ValueType | MutableType)[];
  /** Results of functions. */
  readonly results: readonly ValueType[];
}

/** The type of a field that can be set. */
interface MutableType {
  readonly mutable: ValueType;
}

/** Number types by their byte, less 0x77. */
const NUMBER_TYPES = ["i16", "i8", "", "", "v128", "f64", "f32", "i64", "i32"];

/** Abstract heap types by their byte: name in `(ref …)`, name of the nullable reference, features. */
const HEAP_TYPES: ReadonlyMap<number, readonly [name: string, nullable: string, features: FeatureBits]> = new Map([
  [0x68, ["cont", "contref", STACK_SWITCHING]],
  [0x69, ["exn", "exnref", EXCEPTIONS_FINAL]],
  [0x6a, ["array", "arrayref", GC]],
  [0x6b, ["struct", "structref", GC]],
  [0x6c, ["i31", "i31ref", GC]],
  [0x6d, ["eq", "eqref", GC]],
  [0x6e, ["any", "anyref", GC]],
  [0x6f, ["extern", "externref", 0]],
  [0x70, ["func", "funcref", 0]],
  [0x71, ["none", "nullref", GC]],
  [0x72, ["noextern", "nullexternref", GC]],
  [0x73, ["nofunc", "nullfuncref", GC]],
  [0x74, ["noexn", "nullexnref", EXCEPTIONS_FINAL]],
  [0x75, ["nocont", "nullcontref", STACK_SWITCHING]],
]);

/** Reads a heap type: the byte of an abstract one as a negative number, as in the binary, or an index. */
function heapType(reader: Reader): number {
  const start = reader.at;
  const value = reader.s33();
  if (value < 0 && !HEAP_TYPES.has(value + 0x80)) reader.fail("a heap type that is unknown", start);
  return value;
}

function heapFeatures(heap: number): FeatureBits {
  return heap < 0 ? HEAP_TYPES.get(heap + 0x80)![2] : TYPED_FUNCTION_REFERENCES;
}

/** Reads a heap type and notes the features it belongs to. */
export function readHeapType(reader: Reader, uses: FeatureUses): void {
  const start = reader.at;
  uses.add(heapFeatures(heapType(reader)), start);
}

/**
 * Reads a reference type and notes the features it belongs to.
 *
 * @param plain the features of a `funcref`: none as the type of the first table, else those of references.
 */
export function readReferenceType(reader: Reader, uses: FeatureUses, plain: FeatureBits): ValueType {
  const start = reader.at;
  const byte = reader.byte();
  const abstract = HEAP_TYPES.get(byte);
  if (abstract !== undefined) {
    uses.add(byte === 0x70 ? plain : REFERENCE_TYPES | abstract[2], start);
    return abstract[1];
  }
  if (byte !== 0x63 && byte !== 0x64) reader.fail("a reference type is missing", start);
  const heap = heapType(reader);
  uses.add(REFERENCE_TYPES | TYPED_FUNCTION_REFERENCES | heapFeatures(heap), start);
  const nullable = byte === 0x63;
  if (heap >= 0) return { nullable, index: heap };
  const names = HEAP_TYPES.get(heap + 0x80)!;
  return nullable ? names[1] : `(ref ${names[0]})`;
}

/** Reads the type of a value and notes the features it belongs to. */
export function readValueType(reader: Reader, uses: FeatureUses): ValueType {
  if (reader.at < reader.end) {
    const byte = reader.bytes[reader.at];
    if (byte >= 0x7b && byte <= 0x7f) {
      if (byte === 0x7b) uses.add(SIMD, reader.at);
      reader.at++;
      return NUMBER_TYPES[byte - 0x77];
    }
  }
  return readReferenceType(reader, uses, REFERENCE_TYPES);
}

/** Reads types of values and notes the features they belong to. */
export function readValueTypes(reader: Reader, uses: FeatureUses): ValueType[] {
  const types: ValueType[] = [];
  for (let left = reader.u32(); left > 0; left--) types.push(readValueType(reader, uses));
  return types;
}

/** Reads a block type and notes the features it belongs to. */
export function readBlockType(reader: Reader, uses: FeatureUses): void {
  const start = reader.at;
  const byte = start < reader.end ? reader.bytes[start] : 0;
  if (byte === 0x40) {
    reader.at++;
  } else if (byte >= 0x41 && byte < 0x80) {
    readValueType(reader, uses);
  } else {
    // Without the feature there are no indices here, whatever the type they stand for.
    if (reader.s33() < 0) reader.fail("a block type that is unknown", start);
    uses.add(MULTI_VALUE, start);
  }
}

/** How deep types within types are written out in texts. */
const MAX_TEXT_DEPTH = 32;
/** How many parts of types within types are written out in all texts of a module. */
const MAX_TEXT_PARTS = 1_000_000;

/** The types that a module defines. */
export class TypeSpace {
  readonly #types: DefinedType[] = [];
  readonly #functionTexts = new Map<number, string>();
  readonly #valueTexts = new Map<number, string>();
  #partsLeft = MAX_TEXT_PARTS;

  /** Reads the contents of a type section. */
  read(reader: Reader, uses: FeatureUses): void {
    for (let left = reader.u32(); left > 0; left--) this.#recursionGroup(reader, uses);
  }

  /**
   * The type of a function, such as `(i32, i64) -> (f64)`. Types within it that the module defines are written out, with
   * a number by which they are meant where they come again: `(ref null #1=(struct i32 (mut (ref null #1))))`. What is
   * nested deeper than 32 types is `…`.
   *
   * @throws {MalformedWasmError} where there is no such type, or where it is of something else.
   */
  functionText(reader: Reader, index: number, at: number): string {
    const known = this.#functionTexts.get(index);
    if (known !== undefined) return known;
    if (index >= this.#types.length) reader.fail(`type ${index} of ${this.#types.length}`, at);
    if (this.#types[index].form !== "func") reader.fail(`type ${index} is of no function`, at);
    const text = this.#definition(index, new Map([[index, 0]]), 0);
    this.#functionTexts.set(index, text);
    return text;
  }

  /** Whether functions of a type have results; not where there is no such type. */
  hasResults(index: number): boolean {
    return index < this.#types.length && this.#types[index].results.length > 0;
  }

  /** A value's type as text; see {@linkcode functionText}. */
  valueText(type: ValueType): string {
    if (typeof type === "string") return type;
    const key = type.index * 2 + (type.nullable ? 1 : 0);
    let text = this.#valueTexts.get(key);
    if (text === undefined) this.#valueTexts.set(key, text = this.#value(type, new Map(), 0));
    return text;
  }

  #recursionGroup(reader: Reader, uses: FeatureUses): void {
    const start = reader.at;
    if (reader.byte() !== 0x4e) {
      reader.at = start;
      this.#subtype(reader, uses);
      return;
    }
    uses.add(GC, start);
    for (let left = reader.u32(); left > 0; left--) this.#subtype(reader, uses);
  }

  #subtype(reader: Reader, uses: FeatureUses): void {
    const start = reader.at;
    let form = reader.byte();
    if (form === 0x50 || form === 0x4f) {
      uses.add(GC, start);
      for (let left = reader.u32(); left > 0; left--) reader.u32();
      form = reader.byte();
    }
    this.#types.push(this.#composite(form, start, reader, uses));
  }

  #composite(form: number, start: number, reader: Reader, uses: FeatureUses): DefinedType {
    switch (form) {
      case 0x60: {
        const items = readValueTypes(reader, uses);
        const at = reader.at;
        const results = readValueTypes(reader, uses);
        if (results.length > 1) uses.add(MULTI_VALUE, at);
        return { form: "func", items, results };
      }
      case 0x5f: {
        uses.add(GC, start);
        const items: (ValueType | MutableType)[] = [];
        for (let left = reader.u32(); left > 0; left--) items.push(readField(reader, uses));
        return { form: "struct", items, results: [] };
      }
      case 0x5e:
        uses.add(GC, start);
        return { form: "array", items: [readField(reader, uses)], results: [] };
      case 0x5d: {
        uses.add(STACK_SWITCHING, start);
        const index = reader.s33();
        if (index < 0) reader.fail("a continuation of something that is no function", start);
        return { form: "cont", items: [{ nullable: false, index }], results: [] };
      }
      default:
        return reader.fail(`a type of form 0x${form.toString(16)}, which is unknown`, start);
    }
  }

  #definition(index: number, numbers: Map<number, number>, depth: number): string {
    const { form, items, results } = this.#types[index];
    const parts = items.map((item) =>
      typeof item === "object" && "mutable" in item
        ? `(mut ${this.#value(item.mutable, numbers, depth)})`
        : this.#value(item, numbers, depth)
    );
    if (form !== "func") return `(${[form, ...parts].join(" ")})`;
    return `(${parts.join(", ")}) -> (${results.map((result) => this.#value(result, numbers, depth)).join(", ")})`;
  }

  #value(type: ValueType, numbers: Map<number, number>, depth: number): string {
    if (typeof type === "string") return type;
    return `(ref ${type.nullable ? "null " : ""}${this.#nested(type.index, numbers, depth)})`;
  }

  #nested(index: number, numbers: Map<number, number>, depth: number): string {
    const known = numbers.get(index);
    if (known !== undefined) return `#${known}`;
    const type = this.#types.at(index);
    if (type === undefined) return "…";
    const parts = 1 + type.items.length + type.results.length;
    if (depth >= MAX_TEXT_DEPTH || parts > this.#partsLeft) return "…";
    this.#partsLeft -= parts;
    const number = numbers.size;
    numbers.set(index, number);
    return `#${number}=${this.#definition(index, numbers, depth + 1)}`;
  }
}

function readField(reader: Reader, uses: FeatureUses): ValueType | MutableType {
  const byte = reader.at < reader.end ? reader.bytes[reader.at] : 0;
  const packed = byte === 0x77 || byte === 0x78;
  const type = packed ? NUMBER_TYPES[byte - 0x77] : readValueType(reader, uses);
  if (packed) reader.at++;
  const mutability = reader.byte();
  if (mutability > 1) reader.fail("a field is neither immutable (0) nor mutable (1)", reader.at - 1);
  return mutability === 1 ? { mutable: type } : type;
}
