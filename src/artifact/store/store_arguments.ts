/**
 * Checks of what callers give to stores, before anything is done with it.
 *
 * @module
 */
import type { Engine } from "../engine.ts";
import { UnsafeArtifactError } from "../errors.ts";

/**
 * Refuses an engine whose artifacts no WebAssembly host loads.
 *
 * @throws {UnsafeArtifactError} naming the compiler.
 */
export function assertMakesModules({ config: { compiler } }: Engine): void {
  if (compiler.name === "binaryen") return;
  throw new UnsafeArtifactError(
    `What ${compiler.name} makes is native code, not a WebAssembly.Module: use getOrCompileArtifact() and ` +
      `engine.deserializeNative(bytes, { unsafe: true })`,
  );
}

/** Refuses what is to be called and cannot be. */
export function assertFunction(name: string, value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  throw new TypeError(`"${name}" must be a function, not ${value === null ? "null" : typeof value}`);
}

/** Refuses what is no bytes before it is hashed: there are hashes of many things. */
export function toModule(wasm: Uint8Array): Uint8Array {
  if (wasm instanceof Uint8Array) return wasm;
  throw new TypeError(`A module must be a Uint8Array, not ${wasm === null ? "null" : typeof wasm}`);
}

/** Refuses what is no limit: a number, 0 or more; infinity is one. */
export function assertLimit(name: string, value: number | undefined): void {
  if (value === undefined || (typeof value === "number" && value >= 0)) return;
  throw new RangeError(`"${name}" must be a number, 0 or more, not ${String(value)}`);
}
