/**
 * Reads numbers and names of the WebAssembly binary format within bounds. Imports errors only.
 *
 * @module
 */
import { MalformedWasmError } from "../errors.ts";

const NAMES = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A place in a binary, and an end that reading does not go beyond. */
export class Reader {
  /** The binary. */
  readonly bytes: Uint8Array;
  /** The offset of the next byte. */
  at: number;
  /** The offset behind the last byte that may be read; at most the length of `bytes`. */
  readonly end: number;

  /** Starts at an offset. `end` is not above the length of `bytes`. */
  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /**
   * Fails.
   *
   * @param at where it went wrong; default: the next byte.
   * @throws {MalformedWasmError} always.
   */
  fail(message: string, at: number = this.at): never {
    throw new MalformedWasmError(at, message);
  }

  /** Reads a byte. */
  byte(): number {
    if (this.at >= this.end) this.fail("a byte is missing");
    return this.bytes[this.at++];
  }

  /** Reads an unsigned number of 32 bits. */
  u32(): number {
    const start = this.at;
    let value = this.byte();
    if (value < 0x80) return value;
    value &= 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.byte();
    if (last > 0x0f) this.fail("a number of more than 32 bits", start);
    return (value | last << 28) >>> 0;
  }

  /** Reads an unsigned number of 64 bits. */
  u64(): bigint {
    const start = this.at;
    let value = 0n;
    for (let shift = 0n; shift < 63n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.byte();
    if (last > 1) this.fail("a number of more than 64 bits", start);
    return value | BigInt(last) << 63n;
  }

  /** Reads a signed number of 33 bits, as types and block types are. */
  s33(): number {
    const start = this.at;
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 4; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return byte & 0x40 ? value - scale : value;
    }
    const last = this.byte();
    // Five bits are the number's own, the two above them repeat its sign.
    if (last > 0x0f && (last < 0x70 || last > 0x7f)) this.fail("a number of more than 33 bits", start);
    return value + (last & 0x0f) * scale - (last & 0x10 ? 2 ** 32 : 0);
  }

  /** Goes over a number of bytes. */
  skip(count: number): void {
    if (count > this.end - this.at) this.fail(`${count} bytes, of which ${this.end - this.at} are there`);
    this.at += count;
  }

  /** Reads a text: its length in bytes, and UTF-8. */
  name(): string {
    const length = this.u32();
    const start = this.at;
    this.skip(length);
    try {
      // A copy: decoders of browsers refuse shared memory.
      return NAMES.decode(new Uint8Array(this.bytes.subarray(start, this.at)));
    } catch {
      return this.fail("a name that is no UTF-8", start);
    }
  }
}
