/**
 * Small modules and the features that each of them uses.
 *
 * @module
 */
import type { FeatureName } from "../../../../src/artifact/features.ts";
import { fromBinaryenText, fromCode, fromSections, fromText } from "./oracles.ts";

/** A module and what is to be found in it. */
export interface Sample {
  /** What it shows. */
  readonly name: string;
  /** The module. */
  readonly bytes: Uint8Array;
  /** The features that it uses, in the order of FEATURES. */
  readonly features: readonly FeatureName[];
  /** Features that are used while neither Binaryen nor WABT refuses the module where they are off. */
  readonly unjudged: readonly FeatureName[];
  /** Features that Binaryen asks for though they are not needed. */
  readonly alsoInBinaryen: readonly FeatureName[];
}

type Make = (text: string) => Uint8Array;
interface Judges {
  readonly unjudged?: readonly FeatureName[];
  readonly alsoInBinaryen?: readonly FeatureName[];
}

function sample(name: string, bytes: Uint8Array, features: string, judges: Judges = {}): Sample {
  const names = features === "" ? [] : features.split(" ") as FeatureName[];
  return { name, bytes, features: names, unjudged: [], alsoInBinaryen: [], ...judges };
}

function text(make: Make, name: string, features: string, source: string, judges?: Judges): Sample {
  return sample(name, make(`(module ${source})`), features, judges);
}

const wabt = (name: string, features: string, source: string, judges?: Judges): Sample =>
  text(fromText, name, features, source, judges);
const binaryen = (name: string, features: string, source: string, judges?: Judges): Sample =>
  text(fromBinaryenText, name, features, source, judges);

const TABLE = [4, 1, 0x70, 0, 1];
const MEMORY = [5, 1, 0, 1];

/** All samples. */
export const SAMPLES: readonly Sample[] = [
  sample("no sections", fromSections(), ""),
  wabt(
    "the first version of WebAssembly",
    "",
    `(type $t (func (param i32) (result i32)))
     (import "m" "f" (func $f (param i32 i64 f32 f64)))
     (import "m" "g" (global $g i32))
     (memory (export "memory") 1 2) (table 2 3 funcref)
     (global $own (mut i32) (i32.const -2000000000)) (global $long i64 (i64.const -9000000000000000000))
     (elem (global.get $g) $h $h) (data (i32.const 3) "abc") (start $s)
     (func $s) (func $h (export "h") (type $t)
       (global.set $own (i32.const 128))
       (call $f (i32.const 64) (i64.const 70000000000) (f32.const 1.5) (f64.const 2.5))
       (block $a (loop $b (br_if $a (i32.eqz (local.get 0))) (br_table $a $b (i32.const 0))))
       (i64.store offset=70000 (i32.const 0) (i64.load8_u (memory.grow (memory.size))))
       (if (result i32) (local.get 0) (then (i32.const 1)) (else (select (i32.const 1) (i32.const 2) (i32.const 3))))
       (call_indirect (type $t) (i32.const 1)))`,
  ),
  wabt("a mutable global imported", "mutable-globals", `(import "m" "g" (global (mut i32)))`),
  wabt("a mutable global exported", "mutable-globals", `(global (export "g") (mut i64) (i64.const 0))`),
  wabt("an immutable global exported", "", `(global (export "g") f32 (f32.const 0))`),
  wabt("sign extension", "sign-extensions", `(func (result i64) (i64.extend32_s (i64.const 1)))`),
  wabt("saturation", "saturated-float-to-int", `(func (result i32) (i32.trunc_sat_f32_s (f32.const 1)))`),
  wabt("two results", "multi-value", `(func (result i32 i64) (i32.const 1) (i64.const 2))`),
  wabt("a block with two results", "multi-value", `(func (block (result i32 i32) (unreachable)) (drop) (drop))`),
  wabt("a block with a parameter", "multi-value", `(func (i32.const 1) (block (param i32) (drop)))`),
  sample("a block whose type is by index, though it is simple", fromCode([0x02, 0x00, 0x0b]), "multi-value"),
  wabt("memory.copy", "bulk-memory", `(memory 1) (func (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))`),
  wabt("memory.fill", "bulk-memory", `(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))`),
  wabt("a passive data segment", "bulk-memory", `(memory 1) (data "abc")`),
  wabt(
    "memory.init and data.drop",
    "bulk-memory",
    `(memory 1) (data $d "abc") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)) (data.drop $d))`,
  ),
  sample("a data segment that names memory 0", fromSections(MEMORY, [11, 1, 2, 0, 0x41, 0, 0x0b, 0]), "bulk-memory"),
  sample("a count of data segments", fromSections(MEMORY, [12, 1], [11, 1, 0, 0x41, 0, 0x0b, 0]), "bulk-memory"),
  wabt("a passive element segment", "bulk-memory", `(table 1 funcref) (func $f) (elem func $f)`, {
    unjudged: ["bulk-memory"],
    alsoInBinaryen: ["reference-types"],
  }),
  wabt(
    "table.init and elem.drop",
    "bulk-memory",
    `(table 1 funcref) (func $f) (elem $e func $f)
     (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e))`,
    { alsoInBinaryen: ["reference-types"] },
  ),
  wabt(
    "table.copy",
    "bulk-memory",
    `(table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 0)))`,
  ),
  sample("elements that name table 0", fromSections(TABLE, [9, 1, 2, 0, 0x41, 0, 0x0b, 0, 0]), "bulk-memory", {
    unjudged: ["bulk-memory"],
  }),
  wabt("a parameter externref", "reference-types", `(func (param externref))`),
  wabt("a local variable funcref", "reference-types", `(func (local funcref))`),
  wabt("a table of externref", "reference-types", `(table 1 externref)`),
  wabt("two tables", "reference-types", `(import "m" "t" (table 1 funcref)) (table 1 funcref)`),
  wabt(
    "call_indirect of table 1",
    "reference-types",
    `(table 1 funcref) (table $t 1 funcref) (func (call_indirect $t (i32.const 0)))`,
  ),
  sample(
    "call_indirect of table 0 in two bytes",
    fromCode([0x41, 0, 0x11, 0, 0x80, 0], TABLE),
    "reference-types",
  ),
  wabt(
    "select with a type",
    "reference-types",
    `(func (drop (select (result i32) (i32.const 0) (i32.const 0) (i32.const 0))))`,
    { unjudged: ["reference-types"] },
  ),
  wabt("ref.null and ref.is_null", "reference-types", `(func (drop (ref.is_null (ref.null extern))))`),
  wabt(
    "ref.func and elements that are declared",
    "reference-types",
    `(func $f) (elem declare func $f) (func (drop (ref.func $f)))`,
  ),
  wabt(
    "elements as expressions",
    "reference-types",
    `(table 1 funcref) (elem (i32.const 0) funcref (ref.null func))`,
  ),
  wabt("elements as passive expressions", "bulk-memory reference-types", `(elem funcref (ref.null func))`, {
    unjudged: ["bulk-memory"],
  }),
  wabt(
    "elements of table 1",
    "reference-types",
    `(table 1 funcref) (table $t 1 funcref) (func $f) (elem (table $t) (i32.const 0) func $f)`,
  ),
  wabt(
    "instructions of tables",
    "reference-types",
    `(table $t 1 funcref) (func (table.set $t (i32.const 0) (table.get $t (i32.const 0)))
       (table.fill $t (i32.const 0) (ref.null func) (table.grow $t (ref.null func) (table.size $t))))`,
    { alsoInBinaryen: ["bulk-memory"] },
  ),
  wabt("v128.const", "simd", `(func (drop (v128.const i32x4 1 2 3 4)))`),
  wabt("a parameter v128", "simd", `(func (param v128))`),
  wabt(
    "lanes of vectors",
    "simd",
    `(memory 1) (func (drop (i8x16.extract_lane_s 15 (v128.load32_lane offset=300 3 (i32.const 0)
       (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.load (i32.const 0)) (i8x16.splat (i32.const 1)))))))`,
  ),
  wabt(
    "relaxed vectors",
    "simd relaxed-simd",
    `(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))`,
  ),
  wabt("a shared memory", "threads", `(memory 1 2 shared)`),
  wabt(
    "an atomic access",
    "threads",
    `(memory 1 1 shared) (func (drop (i32.atomic.rmw8.add_u (i32.const 0) (i32.const 1))))`,
  ),
  wabt("atomic.fence", "threads", `(func (atomic.fence))`),
  wabt("return_call", "tail-call", `(func $f (return_call $f))`),
  wabt("return_call_indirect", "tail-call", `(table 1 funcref) (func (return_call_indirect (i32.const 0)))`),
  wabt("arithmetic in a constant", "extended-const", `(global i64 (i64.mul (i64.const 1) (i64.const 2)))`),
  wabt(
    "arithmetic in an offset",
    "extended-const",
    `(import "m" "g" (global i32)) (memory 1) (data (i32.add (global.get 0) (i32.const 2)) "a")`,
  ),
  binaryen(
    "try, catch, rethrow, catch_all and throw",
    "exceptions",
    `(tag $t (param i32)) (func (try $l (do (throw $t (i32.const 1)))
       (catch $t (drop (pop i32)) (rethrow $l)) (catch_all (rethrow $l))))`,
  ),
  binaryen(
    "try and delegate",
    "exceptions",
    `(tag $t) (func (try $l (do (try (do (throw $t)) (delegate $l))) (catch_all)))`,
  ),
  binaryen("a tag that is only thrown", "exceptions", `(tag $t (param i32)) (func (throw $t (i32.const 1)))`),
  binaryen("a tag imported", "exceptions", `(import "m" "t" (tag (param i32)))`),
  binaryen(
    "try_table",
    "exceptions-final",
    `(tag $t) (func (block $a (try_table (catch $t $a) (catch_all $a) (throw $t))))`,
  ),
  binaryen(
    "try_table and throw_ref",
    "reference-types exceptions-final",
    `(tag $t) (func (throw_ref (block $a (result exnref) (try_table (catch_all_ref $a) (throw $t)) (unreachable))))`,
  ),
  binaryen(
    "call_ref",
    "reference-types typed-function-references",
    `(type $f (func (result i32))) (func (param (ref null $f)) (drop (call_ref $f (local.get 0))))`,
  ),
  binaryen(
    "return_call_ref",
    "reference-types tail-call typed-function-references",
    `(type $f (func)) (func (param (ref $f)) (return_call_ref $f (local.get 0)))`,
  ),
  sample(
    "a table with a value",
    fromSections([1, 1, 0x60, 0, 0], [4, 1, 0x40, 0, 0x63, 0, 0, 1, 0xd0, 0, 0x0b]),
    "reference-types typed-function-references",
  ),
  binaryen(
    "null checks of references",
    "reference-types typed-function-references",
    `(type $f (func)) (func (param (ref null $f)) (block $l (drop (ref.as_non_null (local.get 0)))
       (drop (br_on_null $l (local.get 0)))))`,
  ),
  binaryen(
    "a struct",
    "gc",
    `(type $s (struct (field i8) (field (mut i16)) (field (mut f64))))
     (func (drop (struct.new_default $s)))`,
    {},
  ),
  binaryen(
    "groups of types that are recursive",
    "reference-types typed-function-references gc",
    `(rec (type $a (sub (struct (field (ref null $b))))) (type $b (sub $a (struct (field (ref null $b)) (field i32)))))
     (global (ref null $b) (ref.null $b))`,
  ),
  binaryen(
    "arrays and casts",
    "reference-types typed-function-references gc",
    `(type $a (array (mut i8))) (func (param anyref) (result i32)
       (drop (block $l (result (ref $a)) (drop (br_on_cast $l anyref (ref $a) (local.get 0))) (return (i32.const 0))))
       (drop (ref.test (ref i31) (local.get 0)))
       (array.get_u $a (ref.cast (ref $a) (local.get 0)) (i32.const 0)))`,
  ),
  binaryen(
    "segments of arrays",
    "bulk-memory reference-types typed-function-references gc",
    `(type $a (array (mut i8))) (data $d "abc") (func (result (ref $a)) (array.new_data $a $d (i32.const 0) (i32.const 3)))`,
  ),
  binaryen(
    "a parameter eqref",
    "reference-types gc",
    `(func (param eqref i31ref) (drop (ref.eq (local.get 0) (local.get 1))))`,
  ),
  binaryen(
    "a constant of a global that is not imported",
    "gc",
    `(global $a i32 (i32.const 1)) (global $b i32 (global.get $a))`,
  ),
  wabt(
    "a memory of 64 bits",
    "memory64",
    `(memory i64 1 5000000) (func (drop (i32.load offset=5000000000 (i64.const 0))))`,
  ),
  binaryen("a table of 64 bits", "memory64", `(table i64 1 2 funcref)`),
  binaryen("two memories", "multi-memory", `(memory 1) (memory 1)`),
  binaryen(
    "memory 1",
    "bulk-memory multi-memory",
    `(memory $a 1) (memory $b 1) (data (memory $b) (i32.const 0) "a") (func
       (i32.store $b offset=1000 (i32.load $b (memory.size $b)) (memory.grow $b (i32.const 1)))
       (memory.copy $b $a (i32.const 0) (i32.const 0) (i32.const 0))
       (memory.fill $b (i32.const 0) (i32.const 0) (i32.const 0)))`,
  ),
  binaryen(
    "wide arithmetic",
    "multi-value wide-arithmetic",
    `(func (result i64 i64) (i64.mul_wide_s (i64.const 1) (i64.const 2)))`,
  ),
  binaryen("pages of one byte", "custom-page-sizes", `(memory 1000 2000 (pagesize 1))`),
  binaryen(
    "stack switching",
    "reference-types typed-function-references stack-switching",
    `(type $f (func)) (type $c (cont $f)) (tag $t) (func $g (suspend $t)) (elem declare func $g)
     (func (drop (block $l (result (ref $c))
       (resume $c (on $t $l) (cont.new $c (ref.func $g))) (unreachable))))`,
    { unjudged: ["typed-function-references"] },
  ),
  binaryen(
    "half precision in memory",
    "fp16",
    `(memory 1) (func (f32.store_f16 (i32.const 0) (f32.load_f16 (i32.const 0))))`,
    { unjudged: ["fp16"] },
  ),
  binaryen(
    "half precision in vectors",
    "simd fp16",
    `(func (result v128) (f16x8.madd (f16x8.splat (f32.const 1))
     (f16x8.splat (f32.const 2)) (f16x8.splat (f32.const 3))))`,
  ),
];
