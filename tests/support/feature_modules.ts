/**
 * A module for each WebAssembly feature, assembled by Binaryen from text: made in another way than the bytes by which the
 * library asks a host, and with other instructions.
 *
 * @module
 */
import binaryen from "binaryen";
import { type FeatureName, FEATURES } from "../../src/artifact/features.ts";

const { Features } = binaryen;

/** Binaryen's names of the features that it knows under a name of their own. */
export const BINARYEN_FEATURES: Readonly<Record<FeatureName, number>> = {
  "mutable-globals": Features.MutableGlobals,
  "sign-extensions": Features.SignExt,
  "saturated-float-to-int": Features.NontrappingFPToInt,
  "multi-value": Features.Multivalue,
  "bulk-memory": Features.BulkMemory | Features.BulkMemoryOpt,
  "reference-types": Features.ReferenceTypes,
  "simd": Features.SIMD128,
  "relaxed-simd": Features.RelaxedSIMD,
  "threads": Features.Atomics,
  "tail-call": Features.TailCall,
  "extended-const": Features.ExtendedConst,
  "exceptions": Features.ExceptionHandling,
  "exceptions-final": Features.ExceptionHandling,
  "typed-function-references": Features.GC,
  "gc": Features.GC,
  "memory64": Features.Memory64,
  "multi-memory": Features.MultiMemory,
  "wide-arithmetic": Features.WideArithmetic,
  "custom-page-sizes": Features.CustomPageSizes,
  "stack-switching": Features.StackSwitching,
  "fp16": Features.FP16,
};

const TEXTS: Readonly<Record<FeatureName, string>> = {
  "mutable-globals": `(import "a" "b" (global $g (mut i32))) (func (global.set $g (i32.const 1)))`,
  "sign-extensions": `(func (param i32) (result i32) (i32.extend16_s (local.get 0)))`,
  "saturated-float-to-int": `(func (param f64) (result i32) (i32.trunc_sat_f64_u (local.get 0)))`,
  "multi-value": `(func (result i64 i32) (tuple.make 2 (i64.const 1) (i32.const 2)))`,
  "bulk-memory": `(memory 1) (func (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)))`,
  "reference-types": `(table $t 1 externref) (func (param externref) (table.set $t (i32.const 0) (local.get 0)))`,
  "simd": `(func (param v128) (result v128) (i32x4.add (local.get 0) (local.get 0)))`,
  "relaxed-simd": `(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))`,
  "threads": `(memory 1 1 shared) (func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))`,
  "tail-call": `(func $f (param i32) (return_call $f (local.get 0)))`,
  "extended-const": `(global i32 (i32.mul (i32.const 2) (i32.const 3)))`,
  "exceptions": `(tag $t (param i32)) (func (try (do (throw $t (i32.const 1))) (catch_all)))`,
  "exceptions-final": `(tag $t) (func (block $b (try_table (catch $t $b) (throw $t))))`,
  "typed-function-references": `(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))`,
  "gc": `(type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1))))`,
  "memory64": `(memory i64 1) (func (drop (i32.load (i64.const 0))))`,
  "multi-memory": `(memory $a 1) (memory $b 1) (func (drop (i32.load $b (i32.const 0))))`,
  "wide-arithmetic": `(func (param i64) (result i64 i64)
    (i64.mul_wide_u (local.get 0) (local.get 0)))`,
  "custom-page-sizes": `(memory 5 (pagesize 1)) (func (drop (i32.load (i32.const 0))))`,
  "stack-switching": `(type $f (func)) (type $c (cont $f)) (elem declare func $g) (func $g)
    (func (resume $c (cont.new $c (ref.func $g))))`,
  "fp16": `(func (param v128) (result v128) (f16x8.add (local.get 0) (local.get 0)))`,
};

/** What must be on beside the feature itself for Binaryen to write its module. */
const BESIDE: Readonly<Partial<Record<FeatureName, number>>> = {
  "relaxed-simd": Features.SIMD128,
  "fp16": Features.SIMD128,
  "exceptions-final": Features.ReferenceTypes,
  "typed-function-references": Features.ReferenceTypes,
  "gc": Features.ReferenceTypes,
  "wide-arithmetic": Features.Multivalue,
  "stack-switching": Features.ReferenceTypes | Features.GC | Features.ExceptionHandling,
};

/** Assembles the module of each feature. */
export function featureModules(): Record<FeatureName, Uint8Array<ArrayBuffer>> {
  return Object.fromEntries(FEATURES.map((name) => {
    const module = binaryen.parseText(`(module ${TEXTS[name]})`);
    try {
      module.setFeatures(BINARYEN_FEATURES[name] | (BESIDE[name] ?? 0));
      if (!module.validate()) throw new Error(`Binaryen refuses the module of ${name}`);
      return [name, module.emitBinary().slice()];
    } finally {
      module.dispose();
    }
  })) as Record<FeatureName, Uint8Array<ArrayBuffer>>;
}

/** Whether Binaryen takes a binary for valid where nothing but the given features is on. */
export function isValidWith(bytes: Uint8Array, features: number): boolean {
  const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
  const module = read(bytes, features);
  try {
    return module.validate() === 1;
  } finally {
    module.dispose();
  }
}
