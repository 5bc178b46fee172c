/**
 * A program's own memory, as the calls that it makes read their arguments from it and write their results to it. It may be
 * shared or not, with addresses of 32 or 64 bits, and it grows: a view that has become too short, or lost its buffer, is
 * made anew.
 *
 * @module
 */

import { growMemory } from "../../memory/shared_memory.ts";

const decoder = new TextDecoder("utf-8");
const encoder = new TextEncoder();

/** Views over a program's memory. */
export class ProgramMemory {
  readonly #current: () => WebAssembly.Memory;
  readonly #pointerBytes: 4 | 8;
  /** The memory as bytes. Valid up to the next call into the program; {@linkcode ProgramMemory.reach} brings it up to date. */
  u8: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  readonly #codes: number[] = [];
  #follow: ((bytes: Uint8Array) => void) | undefined;

  /** @param current returns the program's memory */
  constructor(current: () => WebAssembly.Memory, pointerBytes: 4 | 8) {
    this.#current = current;
    this.#pointerBytes = pointerBytes;
  }

  /** Makes sure that the views reach an address, as far as the memory does. */
  reach(end: number): void {
    if (end > this.u8.length) this.#refresh(end);
  }

  /** Calls a function with the memory as bytes, now and whenever the view is made anew. */
  follow(use: (bytes: Uint8Array) => void): void {
    this.#follow = use;
    this.#refresh(0);
  }

  #refresh(end: number): void {
    const memory = this.#current();
    // Another thread has grown it, and this one has not been told: growing by nothing tells it.
    if (memory.buffer.byteLength < end && memory.buffer instanceof SharedArrayBuffer) growMemory(memory, 0);
    const { buffer } = memory;
    this.u8 = new Uint8Array(buffer, 0, buffer.byteLength);
    this.#view = new DataView(buffer, 0, buffer.byteLength);
    this.#follow?.(this.u8);
  }

  /** Whether a range lies within the memory. */
  contains(pointer: number, bytes: number): boolean {
    this.reach(pointer + bytes);
    // Pointers of 32 bits beyond 2 GiB come as negative numbers to a program whose memory does not reach there.
    return pointer >= 0 && pointer + bytes <= this.u8.length;
  }

  /** Reads a C string. What is no UTF-8 becomes replacement characters. */
  string(pointer: number): string {
    this.reach(pointer + 1);
    let { u8 } = this;
    const codes = this.#codes;
    let count = 0;
    for (let at = pointer;; at++) {
      if (at === u8.length) {
        this.#refresh(at + 1);
        if (at === this.u8.length) break;
        u8 = this.u8;
      }
      const byte = u8[at]!;
      if (byte === 0) break;
      if (byte > 127) return this.#wideString(pointer);
      codes[count++] = byte;
    }
    codes.length = count;
    // Long strings in pieces: an engine takes only so many arguments.
    if (count <= 4096) return String.fromCharCode.apply(null, codes);
    let text = "";
    for (let at = 0; at < count; at += 4096) text += String.fromCharCode.apply(null, codes.slice(at, at + 4096));
    return text;
  }

  #wideString(pointer: number): string {
    let end = pointer;
    while (end < this.u8.length && this.u8[end] !== 0) end++;
    // A copy: decoders refuse shared memory.
    return decoder.decode(this.u8.slice(pointer, end));
  }

  /** Writes a text as a C string, if it fits. Returns its bytes with the terminating zero, or -1. */
  writeString(pointer: number, bytes: number, text: string): number {
    const encoded = encoder.encode(text);
    if (encoded.length + 1 > bytes) return -1;
    this.reach(pointer + encoded.length + 1);
    this.u8.set(encoded, pointer);
    this.u8[pointer + encoded.length] = 0;
    return encoded.length + 1;
  }

  /** Writes the first bytes of a text, without a terminating zero. Returns how many. */
  writeBytes(pointer: number, bytes: number, text: string): number {
    const encoded = encoder.encode(text).subarray(0, bytes);
    this.reach(pointer + encoded.length);
    this.u8.set(encoded, pointer);
    return encoded.length;
  }

  /** Sets bytes to zero. */
  clear(pointer: number, bytes: number): void {
    this.reach(pointer + bytes);
    this.u8.fill(0, pointer, pointer + bytes);
  }

  /** Reads a pointer, or a `size_t`. */
  pointer(at: number): number {
    return this.#pointerBytes === 4 ? this.u32(at) : this.i64(at);
  }

  /** Writes a pointer, or a `size_t`. */
  setPointer(at: number, value: number): void {
    if (this.#pointerBytes === 4) this.setI32(at, value);
    else this.setI64(at, value);
  }

  /** Reads a 16-bit number. */
  i16(at: number): number {
    this.reach(at + 2);
    return this.#view.getInt16(at, true);
  }

  /** Writes a 16-bit number. */
  setI16(at: number, value: number): void {
    this.reach(at + 2);
    this.#view.setInt16(at, value, true);
  }

  /** Writes a byte. */
  setU8(at: number, value: number): void {
    this.reach(at + 1);
    this.u8[at] = value;
  }

  /** Reads a 32-bit number. */
  i32(at: number): number {
    this.reach(at + 4);
    return this.#view.getInt32(at, true);
  }

  /** Reads a 32-bit number without sign. */
  u32(at: number): number {
    return this.i32(at) >>> 0;
  }

  /** Writes a 32-bit number. */
  setI32(at: number, value: number): void {
    this.reach(at + 4);
    this.#view.setInt32(at, value, true);
  }

  /** Reads a 64-bit number; beyond 2^53 what comes closest. */
  i64(at: number): number {
    this.reach(at + 8);
    return this.#view.getInt32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** Writes a 64-bit number. */
  setI64(at: number, value: number): void {
    this.reach(at + 8);
    this.#view.setUint32(at, value % 2 ** 32, true);
    this.#view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
  }
}
