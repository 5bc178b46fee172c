/**
 * A small module to compile and run in any host, whose result shows whether all of it is as it was.
 *
 * @module
 */

import type { EngineConfig } from "../../artifact.ts";

/** A configuration for it that leaves nothing to the host, so that all hosts make the same of it. */
export const SAMPLE_CONFIG: EngineConfig = {
  target: { architecture: "x86_64", operatingSystem: "linux", engine: { name: "v8", version: "14.9.207.2" } },
  compiler: { name: "binaryen", version: "132.0.0" },
  features: ["multi-value", "sign-extensions", "simd"],
};

const TEXT = "one pool for all threads";
const AT = 64;
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;
const ROUNDS = 1000;

/** The module as text: the FNV-1a hash over its own data, some rounds of it, then the lowest byte, sign-extended. */
export const SAMPLE_TEXT = `(module
  (memory (export "memory") 1)
  (data (i32.const ${AT}) "${TEXT}")
  (func $hash (param $rounds i32) (result i32)
    (local $hash i32) (local $at i32)
    (local.set $hash (i32.const ${BASIS}))
    (loop $round
      (local.set $at (i32.const ${AT}))
      (loop $byte
        (local.set $hash
          (i32.mul (i32.xor (local.get $hash) (i32.load8_u (local.get $at))) (i32.const ${PRIME})))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $byte (i32.lt_u (local.get $at) (i32.const ${AT + TEXT.length}))))
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $round (local.get $rounds)))
    (local.get $hash))
  (func (export "hash") (param $rounds i32) (result i32 i32)
    (local $hash i32)
    (local.set $hash (call $hash (local.get $rounds)))
    (local.get $hash)
    (i32.extend8_s (local.get $hash))))`;

/** What {@linkcode runSample} gives of a module that does what the text says, as JavaScript finds it. */
export const SAMPLE_RESULT: readonly number[] = expected();

/** Runs the module. */
export async function runSample(module: WebAssembly.Module): Promise<number[]> {
  const { exports } = await WebAssembly.instantiate(module);
  return [...(exports as unknown as { hash(rounds: number): Iterable<number> }).hash(ROUNDS)];
}

function expected(): number[] {
  let hash = BASIS;
  for (let round = 0; round < ROUNDS; round++) {
    for (let at = 0; at < TEXT.length; at++) hash = Math.imul(hash ^ TEXT.charCodeAt(at), PRIME);
  }
  return [hash, hash << 24 >> 24];
}
