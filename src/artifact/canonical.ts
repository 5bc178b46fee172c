/**
 * The canonical encoding that compatibility hashes, keys and headers are made of: the deterministic form of CBOR
 * (RFC 8949, section 4.2.1) for the values that {@linkcode CanonicalValue} lists, so that there is one encoding of a value
 * and no two values share one. docs/artifact.md describes it byte by byte. Imports errors only.
 *
 * @module
 */
import { EncodingError } from "./errors.ts";

/** What has a canonical encoding: null, booleans, safe integers, well-formed text, bytes, lists, and maps with text keys. */
export type CanonicalValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CanonicalValue[]
  | CanonicalMap;

/** A map of the canonical encoding. Decoded ones have no prototype. */
export interface CanonicalMap {
  /** The value of a name. */
  readonly [name: string]: CanonicalValue;
}

/** Deeper nesting is refused: what is encoded here never needs it, and a decoder must not run out of stack. */
const MAXIMUM_DEPTH = 32;

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const LIST = 4;
const MAP = 5;
const SIMPLE = 7;
const FALSE = 20;
const TRUE = 21;
const NULL = 22;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Encodes a value.
 *
 * @throws {EncodingError} for what has no canonical encoding: fractions, integers beyond 2^53 - 1, text with lone
 * surrogates, undefined, functions, objects that are not plain (Date, Map, …), nesting deeper than 32.
 */
export function encodeCanonical(value: CanonicalValue): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.finish();
}

/**
 * Encodes a value under a domain: the list `[domain, version, value]`. What two domains, or two versions of one, encode is
 * never alike.
 *
 * @param domain What the encoding is for, such as `extmemfs.serialization-compatibility`.
 * @param version The version of the value's structure.
 * @throws {EncodingError} as {@linkcode encodeCanonical}.
 */
export function encodeTagged(domain: string, version: number, value: CanonicalValue): Uint8Array<ArrayBuffer> {
  return encodeCanonical([domain, version, value]);
}

class Writer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  value(value: CanonicalValue, depth: number): void {
    if (depth > MAXIMUM_DEPTH) throw new EncodingError(`a value nested deeper than ${MAXIMUM_DEPTH} is not encoded`);
    switch (typeof value) {
      case "boolean":
        return this.#head(SIMPLE, value ? TRUE : FALSE);
      case "number":
        if (!Number.isSafeInteger(value)) {
          throw new EncodingError(`${value} has no canonical encoding: numbers must be integers within 2^53 - 1`);
        }
        return value < 0 ? this.#head(NEGATIVE, -1 - value) : this.#head(UNSIGNED, value);
      case "string":
        return this.#text(value);
      case "object":
        if (value === null) return this.#head(SIMPLE, NULL);
        if (value instanceof Uint8Array) return this.#string(BYTES, value);
        if (Array.isArray(value)) {
          this.#head(LIST, value.length);
          for (const item of value) this.value(item, depth + 1);
          return;
        }
        if (!isPlain(value)) throw new EncodingError(`an object that is not plain has no canonical encoding`);
        return this.#map(value as CanonicalMap, depth);
      default:
        throw new EncodingError(`a value of type ${typeof value} has no canonical encoding`);
    }
  }

  #map(map: CanonicalMap, depth: number): void {
    const keys = Object.keys(map);
    this.#head(MAP, keys.length);
    for (const key of sortKeys(keys)) {
      this.#text(key);
      this.value(map[key]!, depth + 1);
    }
  }

  #text(text: string): void {
    if (text.length < 64 && isAscii(text)) {
      this.#head(TEXT, text.length);
      this.#reserve(text.length);
      for (let index = 0; index < text.length; index++) this.#bytes[this.#length++] = text.charCodeAt(index);
      return;
    }
    if (!text.isWellFormed()) throw new EncodingError(`text with a lone surrogate has no canonical encoding`);
    this.#string(TEXT, utf8.encode(text));
  }

  #string(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length);
    this.#append(bytes);
  }

  /** The head of an item: its type in the top three bits, its argument in the shortest of five forms. */
  #head(major: number, argument: number): void {
    this.#reserve(9);
    const first = major << 5;
    if (argument < 24) {
      this.#view.setUint8(this.#length, first | argument);
      this.#length += 1;
    } else if (argument < 2 ** 8) {
      this.#view.setUint8(this.#length, first | 24);
      this.#view.setUint8(this.#length + 1, argument);
      this.#length += 2;
    } else if (argument < 2 ** 16) {
      this.#view.setUint8(this.#length, first | 25);
      this.#view.setUint16(this.#length + 1, argument);
      this.#length += 3;
    } else if (argument < 2 ** 32) {
      this.#view.setUint8(this.#length, first | 26);
      this.#view.setUint32(this.#length + 1, argument);
      this.#length += 5;
    } else {
      this.#view.setUint8(this.#length, first | 27);
      this.#view.setBigUint64(this.#length + 1, BigInt(argument));
      this.#length += 9;
    }
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) >= 0x80) return false;
  return true;
}

/** Keys in the order of their encodings: the shorter first, then by bytes. */
function sortKeys(keys: string[]): string[] {
  if (keys.every(isAscii)) return keys.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  const encoded = keys.map((key) => [encodeCanonical(key), key] as const);
  return encoded.sort(([a], [b]) => compareBytes(a, b)).map(([, key]) => key);
}

/**
 * Decodes exactly what {@linkcode encodeCanonical} makes, and refuses any other encoding of the same value.
 *
 * @throws {EncodingError} for what is no canonical encoding, naming the offset.
 */
export function decodeCanonical(bytes: Uint8Array): CanonicalValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  reader.assertEnd();
  return value;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  assertEnd(): void {
    if (this.#at !== this.#bytes.length) this.#fail(`${this.#bytes.length - this.#at} bytes follow the value`);
  }

  value(depth: number): CanonicalValue {
    if (depth > MAXIMUM_DEPTH) this.#fail(`nested deeper than ${MAXIMUM_DEPTH}`);
    const start = this.#at;
    const first = this.#byte();
    const major = first >> 5;
    if (major === SIMPLE) {
      switch (first & 31) {
        case FALSE:
          return false;
        case TRUE:
          return true;
        case NULL:
          return null;
      }
      this.#at = start;
      this.#fail("neither false, true nor null");
    }
    const argument = this.#argument(first & 31);
    switch (major) {
      case UNSIGNED:
        return argument;
      case NEGATIVE:
        if (argument === Number.MAX_SAFE_INTEGER) this.#fail("an integer beyond 2^53 - 1");
        return -1 - argument;
      case BYTES:
        // Not slice(), which for Node's Buffer is a view.
        return new Uint8Array(this.#take(argument));
      case TEXT:
        return this.#decodeText(argument);
      case LIST: {
        const list: CanonicalValue[] = [];
        for (let index = 0; index < argument; index++) list.push(this.value(depth + 1));
        return list;
      }
      case MAP:
        return this.#map(argument, depth);
    }
    this.#at = start;
    this.#fail("a tag");
  }

  #map(count: number, depth: number): CanonicalMap {
    const map: Record<string, CanonicalValue> = Object.create(null);
    let previous: Uint8Array | undefined;
    for (let index = 0; index < count; index++) {
      const start = this.#at;
      const first = this.#byte();
      if (first >> 5 !== TEXT) this.#fail("a key that is no text");
      const key = this.#decodeText(this.#argument(first & 31));
      const encoded = this.#bytes.subarray(start, this.#at);
      if (previous !== undefined && compareBytes(previous, encoded) >= 0) this.#fail("keys out of order, or twice");
      previous = encoded;
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  #decodeText(length: number): string {
    const bytes = this.#take(length);
    try {
      // A copy: not every host decodes from shared memory.
      return strictUtf8.decode(new Uint8Array(bytes));
    } catch {
      this.#fail("text that is not UTF-8");
    }
  }

  #argument(info: number): number {
    if (info < 24) return info;
    if (info > 27) this.#fail("an indefinite or reserved length");
    const size = 1 << (info - 24);
    if (this.#at + size > this.#bytes.length) this.#fail("cut off");
    const at = this.#at;
    this.#at += size;
    let value: number;
    if (size === 1) value = this.#view.getUint8(at);
    else if (size === 2) value = this.#view.getUint16(at);
    else if (size === 4) value = this.#view.getUint32(at);
    else {
      const wide = this.#view.getBigUint64(at);
      if (wide > BigInt(Number.MAX_SAFE_INTEGER)) this.#fail("an integer beyond 2^53 - 1");
      value = Number(wide);
    }
    // The shortest form is the only one.
    if (value < (size === 1 ? 24 : 2 ** (4 * size))) this.#fail("not the shortest form");
    return value;
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) this.#fail("cut off");
    return this.#bytes[this.#at++]!;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) this.#fail("cut off");
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }

  #fail(what: string): never {
    throw new EncodingError(`no canonical encoding: ${what} (at byte ${this.#at})`);
  }
}

/** Whether an object is one of braces or `Object.create(null)`, in any realm: others would lose what they hold. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The order of bytes: the first difference decides, then the length. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}
