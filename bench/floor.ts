/**
 * The floor: what the bare work costs when nothing else is done. A shared memory of our own, `Uint8Array.set` over it,
 * and a Wasm module that is nothing but `memory.copy`. Imports nothing, so that no product code is in it.
 *
 * @module
 */

/** Column of a bare `Uint8Array.set` between shared and private memory. */
export const SET = "bare set";
/** Column of a bare Wasm `memory.copy` within one shared memory. */
export const WASM_COPY = "memory.copy";

const PAGE_BYTES = 65_536;

/**
 * A shared memory for bare copies, every byte touched.
 *
 * @param bytes Size wanted; rounded up to whole pages.
 * @returns The memory.
 */
export function touchedMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  new Uint8Array(memory.buffer).fill(0x5a);
  return memory;
}

/*
 * (module
 *   (import "e" "m" (memory 1 65536 shared))
 *   (func (export "copy") (param i32 i32 i32)
 *     local.get 0 local.get 1 local.get 2 memory.copy))
 */
// deno-fmt-ignore
const COPY_MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00,
  0x02, 0x0b, 0x01, 0x01, 0x65, 0x01, 0x6d, 0x02, 0x03, 0x01, 0x80, 0x80, 0x04,
  0x03, 0x02, 0x01, 0x00,
  0x07, 0x08, 0x01, 0x04, 0x63, 0x6f, 0x70, 0x79, 0x00, 0x00,
  0x0a, 0x0e, 0x01, 0x0c, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0a, 0x00, 0x00, 0x0b,
]);

/**
 * The bare Wasm `memory.copy` over a memory.
 *
 * @param memory A shared memory32.
 * @returns A function `(destination, source, bytes)`.
 */
export function wasmCopy(memory: WebAssembly.Memory): (destination: number, source: number, bytes: number) => void {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(COPY_MODULE), { e: { m: memory } });
  return instance.exports.copy as (destination: number, source: number, bytes: number) => void;
}
