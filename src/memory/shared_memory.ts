/**
 * One agent's access to a shared memory: the typed views and the intrinsics. The only place that makes views.
 *
 * Views have a fixed length, because a view that tracks the length of a growing memory costs 46 ns an access instead of
 * one. Another agent may grow the memory at any time; a view made before does not reach the new part. Hence the rule:
 * after taking a lock, and after loading a version for an unlocked read, code calls {@linkcode SharedMemory.sync} with
 * the size word before it follows a reference. A plain read beyond a view gives `undefined`, never a trap, so that an
 * unlocked reader that follows garbage reads zero and fails its version check.
 *
 * @module
 */
import { PAGE_BYTES } from "../layout/units.ts";
import { instantiateIntrinsics, type Intrinsics } from "./intrinsics.ts";

/** Bytes from the start of one window to the start of the next; a window spans twice as much. */
const WINDOW_STRIDE = 2 ** 30;
/** The most bytes copied at once; a run of this length always lies within one window. */
const WINDOW_RUN = 2 ** 30;
/** From this length on a copy between addresses that differ modulo 8 goes through the scratch. */
const MISALIGNED_MINIMUM = 64;

/**
 * Copies between another WebAssembly memory and this one, made by WebAssembly: two to ten times as fast as typed arrays.
 * Both return 1, or 0 where a range lies beyond what the instance sees: then nothing has been copied.
 */
export interface ProgramCopies {
  /** Copies into this memory. */
  copyIn(toAddr: number, fromAddr: number, bytes: number): number;
  /** Copies out of this memory. */
  copyOut(toAddr: number, fromAddr: number, bytes: number): number;
}

/** Views and intrinsics over one shared WebAssembly memory. */
export class SharedMemory {
  /** The memory itself. */
  readonly memory: WebAssembly.Memory;
  /** The intrinsics. */
  readonly wasm: Intrinsics;
  /** The memory as 32-bit words. */
  i32: Int32Array = new Int32Array(0);
  /** The memory as doubles. */
  f64: Float64Array = new Float64Array(0);
  /** The first 2 GiB as bytes. */
  u8: Uint8Array = new Uint8Array(0);
  /** Size in pages that the views cover. */
  pages = 0;
  #windows: (Uint8Array | undefined)[] = [];
  /** The window beyond the first 2 GiB that was used last, and its address: a program tends to stay in one. */
  #high: Uint8Array = new Uint8Array(0);
  #highAddr = 0;
  #scratch: Uint8Array | undefined;
  #scratchAddr = 0;
  #part: Uint8Array = new Uint8Array(0);
  #partShift = 0;
  #program: Uint8Array | undefined;
  #programCopies: ProgramCopies | undefined;

  /**
   * @param memory a shared memory
   * @param intrinsics other intrinsics than the usual; only for tests that drive the schedule
   */
  constructor(memory: WebAssembly.Memory, intrinsics: Intrinsics = instantiateIntrinsics(memory)) {
    this.memory = memory;
    this.wasm = intrinsics;
    this.refresh();
  }

  /** Current size in bytes, as far as the views reach. */
  get bytes(): number {
    return this.pages * PAGE_BYTES;
  }

  /**
   * Makes the views anew over the memory's present size, which is at least `leastPages`.
   *
   * V8 tells the other isolates of a growth by an interrupt: until this thread has handled it, `memory.buffer` and the
   * bounds of its WebAssembly instances are the old ones. Growing by nothing brings both up to date at once.
   */
  refresh(leastPages = 0): void {
    while (this.memory.buffer.byteLength < leastPages * PAGE_BYTES) growMemory(this.memory, 0);
    const buffer = this.memory.buffer;
    const bytes = buffer.byteLength;
    this.i32 = new Int32Array(buffer, 0, bytes / 4);
    this.f64 = new Float64Array(buffer, 0, bytes / 8);
    this.u8 = new Uint8Array(buffer, 0, Math.min(bytes, 2 * WINDOW_STRIDE));
    this.#windows = [this.u8];
    this.#high = this.u8;
    this.#highAddr = 0;
    this.pages = bytes / PAGE_BYTES;
  }

  /** Refreshes the views if the size word says that the memory has grown beyond them. One plain load otherwise. */
  sync(pagesWord: number): void {
    const pages = this.i32[pagesWord]!;
    if (pages > this.pages) this.refresh(pages);
  }

  /** Grows the memory by some pages; false where the engine or the maximum refuses. */
  grow(pages: number): boolean {
    if (!growMemory(this.memory, pages)) return false;
    this.refresh();
    return true;
  }

  /** Gives a region, aligned to 64 bytes, for copies between addresses that differ modulo 8. */
  useScratch(addr: number, bytes: number): void {
    this.#scratchAddr = addr;
    this.#part = new Uint8Array(0);
    this.#scratch = new Uint8Array(this.memory.buffer, addr, bytes);
  }

  /** Says which array is the whole memory of a WebAssembly program, and what copies between that and this one. */
  useProgram(bytes: Uint8Array, copies: ProgramCopies): void {
    this.#program = bytes;
    this.#programCopies = copies;
  }

  /** Copies bytes of the pool into a caller's array. The range lies within the pool and within the array. */
  copyOut(to: Uint8Array, toOffset: number, addr: number, bytes: number): void {
    if (to === this.#program && this.#programCopies!.copyOut(toOffset, addr, bytes) === 1) return;
    const scratch = this.#scratch;
    if (((to.byteOffset + toOffset - addr) & 7) !== 0 && bytes >= MISALIGNED_MINIMUM && scratch !== undefined) {
      // V8 copies byte by byte where the addresses differ modulo 8: move the bytes to where they agree first.
      const shift = (to.byteOffset + toOffset) & 7;
      const room = scratch.length - 64;
      for (let done = 0; done < bytes;) {
        const run = Math.min(room, bytes - done);
        this.wasm.copy(this.#scratchAddr + shift, addr + done, run);
        to.set(this.#scratchPart(scratch, shift, run), toOffset + done);
        done += run;
      }
      return;
    }
    if (addr + bytes <= this.u8.length) {
      to.set(this.u8.subarray(addr, addr + bytes), toOffset);
      return;
    }
    const near = addr - this.#highAddr;
    if (near >= 0 && near + bytes <= this.#high.length) {
      to.set(this.#high.subarray(near, near + bytes), toOffset);
      return;
    }
    for (let done = 0; done < bytes;) {
      const run = Math.min(WINDOW_RUN, bytes - done);
      const at = addr + done;
      const window = this.#window(at);
      const start = at % WINDOW_STRIDE;
      to.set(window.subarray(start, start + run), toOffset + done);
      done += run;
    }
  }

  /** A part of the scratch; the last one is kept, since a program tends to read pieces of one length at one alignment. */
  #scratchPart(scratch: Uint8Array, shift: number, bytes: number): Uint8Array {
    if (this.#part.length !== bytes || this.#partShift !== shift) {
      this.#part = scratch.subarray(shift, shift + bytes);
      this.#partShift = shift;
    }
    return this.#part;
  }

  /** Copies bytes of a caller's array into the pool. The range lies within the array and within the pool. */
  copyIn(addr: number, from: Uint8Array, fromOffset: number, bytes: number): void {
    if (from === this.#program && this.#programCopies!.copyIn(addr, fromOffset, bytes) === 1) return;
    const scratch = this.#scratch;
    if (((from.byteOffset + fromOffset - addr) & 7) !== 0 && bytes >= MISALIGNED_MINIMUM && scratch !== undefined) {
      const shift = (from.byteOffset + fromOffset) & 7;
      const room = scratch.length - 64;
      for (let done = 0; done < bytes;) {
        const run = Math.min(room, bytes - done);
        const start = fromOffset + done;
        scratch.set(from.subarray(start, start + run), shift);
        this.wasm.copy(addr + done, this.#scratchAddr + shift, run);
        done += run;
      }
      return;
    }
    if (addr + bytes <= this.u8.length) {
      this.u8.set(
        fromOffset === 0 && bytes === from.length ? from : from.subarray(fromOffset, fromOffset + bytes),
        addr,
      );
      return;
    }
    const near = addr - this.#highAddr;
    if (near >= 0 && near + bytes <= this.#high.length) {
      this.#high.set(
        fromOffset === 0 && bytes === from.length ? from : from.subarray(fromOffset, fromOffset + bytes),
        near,
      );
      return;
    }
    for (let done = 0; done < bytes;) {
      const run = Math.min(WINDOW_RUN, bytes - done);
      const start = fromOffset + done;
      const at = addr + done;
      this.#window(at).set(from.subarray(start, start + run), at % WINDOW_STRIDE);
      done += run;
    }
  }

  /** A private copy of some bytes. Not zeroed first, as an array that is made and then copied into is. */
  copyOf(addr: number, bytes: number): Uint8Array<ArrayBuffer> {
    if (addr + bytes <= this.u8.length) {
      return new Uint8Array(this.u8.subarray(addr, addr + bytes));
    }
    const copy = new Uint8Array(bytes);
    this.copyOut(copy, 0, addr, bytes);
    return copy;
  }

  /** A fixed view over some bytes of the pool; valid for ever, since memory never shrinks. */
  view(addr: number, bytes: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, addr, bytes);
  }

  #window(addr: number): Uint8Array {
    const index = Math.floor(addr / WINDOW_STRIDE);
    let window = this.#windows[index];
    if (window === undefined) {
      const start = index * WINDOW_STRIDE;
      window = new Uint8Array(this.memory.buffer, start, Math.min(2 * WINDOW_STRIDE, this.bytes - start));
      this.#windows[index] = window;
    }
    this.#high = window;
    this.#highAddr = index * WINDOW_STRIDE;
    return window;
  }
}

/** Grows a memory by some pages, whatever the width of its addresses; false where the engine or the maximum refuses. */
export function growMemory(memory: WebAssembly.Memory, pages: number): boolean {
  try {
    (memory.grow as (delta: number) => unknown).call(memory, pages);
    return true;
  } catch (error) {
    if (!(error instanceof TypeError)) return false;
  }
  try {
    // 64-bit addresses: the engine wants a bigint.
    (memory.grow as unknown as (delta: bigint) => unknown).call(memory, BigInt(pages));
    return true;
  } catch {
    return false;
  }
}
