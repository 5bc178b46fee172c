import { readFile } from "node:fs/promises";
import { BINARYEN } from "../../../../src/artifact/compiler/binaryen.ts";
import { UnsupportedFeatureError } from "../../../../src/artifact/errors.ts";
import type { FeatureName } from "../../../../src/artifact/features.ts";
import type { CompilerSettings } from "../../../../src/artifact/settings.ts";
import { scanModule } from "../../../../src/artifact/wasm/scan.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../../support/assert.ts";
import { assemble, assembleByBinaryen, type Calls, configOf, instantiate, outcome, without } from "./support.ts";

interface Lowered {
  readonly before: Calls;
  /** The module without optimization, and with. */
  readonly after: readonly Calls[];
  readonly signatureLowered: readonly FeatureName[];
}

/** A module from text, by the tool that knows what is in it. */
function assembleAny(text: string): Promise<Uint8Array> {
  return /\(data \(memory|\(table \$t i64/.test(text) ? assembleByBinaryen(text) : assemble(text);
}

/** Compiles a module for a target that lacks features, checks that they are gone, and instantiates both. */
async function lower(
  text: string,
  features: readonly FeatureName[],
  settings: Partial<CompilerSettings> = {},
  imports: WebAssembly.Imports = {},
  alsoMissing: readonly FeatureName[] = [],
): Promise<Lowered> {
  const bytes = await assembleAny(text);
  const used = scanModule(bytes).features;
  for (const name of features) assert(used.includes(name), `the module does not use ${name}`);
  const after: Calls[] = [];
  let signatureLowered: readonly FeatureName[] = [];
  for (const level of [0, 2]) {
    const config = configOf({
      features: without(...features, ...alsoMissing),
      settings: { optimizeLevel: level, shrinkLevel: 0, ...settings },
    });
    const compiled = await BINARYEN.compile(bytes, config);
    assertEquals(compiled.kind, "module");
    assertEquals(compiled.features, scanModule(compiled.bytes).features);
    for (const name of [...features, ...alsoMissing]) {
      assert(!compiled.features.includes(name), `${name} is left at level ${level}`);
    }
    after.push(instantiate(compiled.bytes, imports));
    signatureLowered = compiled.signatureLowered;
  }
  return { before: instantiate(bytes, imports), after, signatureLowered };
}

/** Calls the same of both and compares what they give. */
function compare({ before, after }: Lowered, call: (calls: Calls) => unknown, message: string): void {
  const expected = outcome(() => call(before));
  for (const calls of after) assertEquals(outcome(() => call(calls)), expected, message);
}

async function refusal(
  text: string,
  features: readonly FeatureName[],
  settings: Partial<CompilerSettings> = {},
): Promise<UnsupportedFeatureError> {
  const bytes = await assembleAny(text);
  const steps: string[] = [];
  const error = await assertRejects(
    () =>
      BINARYEN.compile(bytes, configOf({ features: without(...features), settings }), {
        onProgress: ({ phase }) => steps.push(phase),
      }),
    UnsupportedFeatureError,
  );
  assertEquals(steps, [], "refused before anything is compiled");
  return error;
}

Deno.test("Lowering of sign-extensions gives the same numbers", async () => {
  const operations = ["i32.extend8_s", "i32.extend16_s", "i64.extend8_s", "i64.extend16_s", "i64.extend32_s"];
  const functions = operations.map((operation) => {
    const type = operation.slice(0, 3);
    return `(func (export "${operation}") (param ${type}) (result ${type}) (${operation} (local.get 0)))`;
  });
  const lowered = await lower(`(module ${functions.join("")})`, ["sign-extensions"]);
  for (const operation of operations) {
    for (const value of [0, 1, -1, 127, 128, 255, 256, 32767, 32768, 65535, -128, -129, 0x7fffffff, -0x80000000]) {
      const argument = operation.startsWith("i64") ? BigInt(value) * 0x10001n : value;
      compare(lowered, (calls) => calls[operation](argument), `${operation}(${argument})`);
    }
  }
});

Deno.test("Lowering of saturated-float-to-int saturates as before, not-a-number included", async () => {
  const operations = ["i32", "i64"].flatMap((to) =>
    ["f32", "f64"].flatMap((from) => ["s", "u"].map((sign) => `${to}.trunc_sat_${from}_${sign}`))
  );
  const functions = operations.map((operation) => {
    const [to, from] = [operation.slice(0, 3), operation.slice(14, 17)];
    return `(func (export "${operation}") (param ${from}) (result ${to}) (${operation} (local.get 0)))`;
  });
  const lowered = await lower(`(module ${functions.join("")})`, ["saturated-float-to-int"]);
  const edges = [0, -0, 0.5, -0.5, -0.999, 0.999, 1, -1, 1.5, -1.5, NaN, Infinity, -Infinity, 1e300, -1e300, 5e-324];
  for (const power of [31, 32, 63, 64]) {
    for (
      const nudge of [
        -1,
        0,
        1,
        -0.5,
        0.5,
        2 ** (power - 24),
        -(2 ** (power - 24)),
        2 ** (power - 53),
        -(2 ** (power - 53)),
      ]
    ) {
      edges.push(2 ** power + nudge, -(2 ** power) + nudge);
    }
  }
  for (const operation of operations) {
    for (const value of edges) compare(lowered, (calls) => calls[operation](value), `${operation}(${value})`);
  }
});

const BULK = `(module
  (memory (export "memory") 1 2)
  (data (i32.const 0) "0123456789abcdefghijklmnopqrstuvwxyz")
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`;

/** Calls, and takes what is in the memory afterwards into the comparison. */
function withMemory(call: (calls: Calls) => unknown): (calls: Calls) => unknown {
  return (calls) => {
    const result = outcome(() => call(calls));
    const memory = (calls.memory as unknown as WebAssembly.Memory).buffer;
    let hash = 17;
    for (const word of new Uint32Array(memory)) hash = Math.imul(hash ^ word, 0x01000193);
    return [result, hash, new Uint8Array(memory, 0, 80).join()];
  };
}

Deno.test("Lowering of memory.copy and memory.fill moves the same bytes, and traps before it writes", async () => {
  const lowered = await lower(BULK, ["bulk-memory"]);
  const places = [0, 1, 3, 7, 8, 9, 17, 40, 65528, 65535, 65536, 65537, 131072, 0x7fffffff, -65536, -8, -1];
  const counts = [0, 1, 2, 7, 8, 9, 15, 16, 31, 60, 65536, 0x7fffffff, -65536, -1];
  const sweep = () => {
    for (const to of places) {
      for (const count of counts) {
        for (const from of places) {
          compare(lowered, (calls) => outcome(() => calls.copy(to, from, count)), `copy(${to}, ${from}, ${count})`);
        }
        compare(lowered, (calls) => outcome(() => calls.fill(to, to + count, count)), `fill(${to}, ${count})`);
      }
      compare(lowered, withMemory(() => 0), `after ${to}`);
    }
  };
  sweep();
  compare(lowered, (calls) => calls.grow(1), "grow");
  sweep();
});

Deno.test("Lowering of memory.copy moves overlapping ranges in either direction", async () => {
  const lowered = await lower(BULK, ["bulk-memory"]);
  for (let distance = -12; distance <= 12; distance++) {
    for (const count of [1, 5, 8, 12, 20, 29]) {
      compare(lowered, withMemory((calls) => calls.copy(20 + distance, 20, count)), `${distance}, ${count}`);
    }
  }
});

Deno.test("Lowering of bulk-memory refuses other instructions of it by name", async () => {
  const init = await refusal(
    `(module (memory 1) (data (i32.const 0) "x") (data "abc")
      (func (export "f") (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1))))`,
    ["bulk-memory"],
  );
  assertEquals(init.features, ["bulk-memory"]);
  assertStringIncludes(init.message, "data segment 1 at byte");
  const drop = await refusal(`(module (memory 1) (elem func 0) (func (export "f") (elem.drop 0)))`, ["bulk-memory"]);
  assertStringIncludes(drop.message, "'elem.drop'");
  const table = await refusal(
    `(module (table 4 funcref) (func (export "f") (table.copy (i32.const 0) (i32.const 0) (i32.const 1))))`,
    ["bulk-memory"],
  );
  assertStringIncludes(table.message, "'table.copy'");
});

const WIDE = `(module
  (memory (export "memory") i64 1 3)
  (data (i64.const 8) "abcdefghijklmnop")
  (func (export "size") (result i64) (memory.size))
  (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
  (func (export "load") (param i64) (result i64) (i64.load offset=3 (local.get 0)))
  (func (export "load8") (param i64) (result i32) (i32.load8_u (local.get 0)))
  (func (export "far") (param i64) (result i32) (i32.load8_u offset=0xffffffff (local.get 0)))
  (func (export "farther") (param i64) (result i32) (i32.load8_u offset=0x100000001 (local.get 0)))
  (func (export "store") (param i64 f64) (f64.store (local.get 0) (local.get 1)))
  (func (export "vector") (param i64) (result i64) (i64x2.extract_lane 0 (v128.load32_lane 1 (local.get 0) (v128.const i64x2 -1 -1))))
  (func (export "add") (param i64 i32) (result i32) (i32.atomic.rmw.add (local.get 0) (local.get 1)))
  (func (export "fill") (param i64 i32 i64) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i64 i64 i64) (memory.copy (local.get 0) (local.get 1) (local.get 2))))`;

Deno.test("Lowering of memory64 keeps what accesses give, and that those beyond 4 GiB trap", async () => {
  const lowered = await lower(WIDE, ["memory64"], { signatureLowering: true });
  assertEquals(lowered.signatureLowered, ["memory64"]);
  const places = [0n, 1n, 8n, 65528n, 65535n, 65536n, 0xffffffffn, 2n ** 32n, 2n ** 32n + 8n, -8n, -1n, 2n ** 63n];
  const sweep = () => {
    for (const place of places) {
      for (const name of ["load", "load8", "far", "farther", "vector"]) {
        compare(lowered, (calls) => calls[name](place), `${name}(${place})`);
      }
      compare(lowered, (calls) => calls.store(place, 1.5), `store(${place})`);
      compare(lowered, (calls) => calls.add(place, 3), `add(${place})`);
      for (const count of [0n, 1n, 9n, 65536n, 2n ** 32n, 2n ** 32n + 1n, -1n]) {
        compare(lowered, (calls) => calls.fill(place, 7, count), `fill(${place}, ${count})`);
        compare(lowered, (calls) => calls.copy(place, 8n, count), `copy(${place}, 8, ${count})`);
        compare(lowered, (calls) => calls.copy(8n, place, count), `copy(8, ${place}, ${count})`);
      }
    }
    compare(lowered, withMemory((calls) => calls.size()), "size");
  };
  sweep();
  for (const pages of [0n, 2n ** 32n, 2n ** 32n + 1n, 1n, 5n, -1n]) {
    compare(lowered, (calls) => calls.grow(pages), `grow(${pages})`);
  }
  sweep();
});

/** All instructions that access memory: name, bytes, and the types of operands and result. */
const ACCESSES: [name: string, bytes: number, operands: string[], result: string, lane?: string][] = [];
for (const type of ["i32", "i64", "f32", "f64"]) {
  const bytes = Number(type.slice(1)) / 8;
  ACCESSES.push([`${type}.load`, bytes, [], type], [`${type}.store`, bytes, [type], ""]);
  if (type.startsWith("f")) continue;
  for (const bits of [8, 16, 32].filter((bits) => bits < bytes * 8)) {
    ACCESSES.push([`${type}.load${bits}_s`, bits / 8, [], type], [`${type}.load${bits}_u`, bits / 8, [], type]);
    ACCESSES.push([`${type}.store${bits}`, bits / 8, [type], ""]);
  }
  for (const bits of [8, 16, 32, 64].filter((bits) => bits <= bytes * 8)) {
    const [size, suffix] = bits === bytes * 8 ? ["", ""] : [String(bits), "_u"];
    ACCESSES.push([`${type}.atomic.load${size}${suffix}`, bits / 8, [], type]);
    ACCESSES.push([`${type}.atomic.store${size}`, bits / 8, [type], ""]);
    for (const operation of ["add", "sub", "and", "or", "xor", "xchg"]) {
      ACCESSES.push([`${type}.atomic.rmw${size}.${operation}${suffix}`, bits / 8, [type], type]);
    }
    ACCESSES.push([`${type}.atomic.rmw${size}.cmpxchg${suffix}`, bits / 8, [type, type], type]);
  }
}
ACCESSES.push(["memory.atomic.notify", 4, ["i32"], "i32"], ["v128.load", 16, [], "v128"], [
  "v128.store",
  16,
  ["v128"],
  "",
]);
for (const [shape, index] of [["8x8", 0], ["16x4", 1], ["32x2", 2]] as const) {
  ACCESSES.push([`v128.load${shape}_s`, 8, [], "v128"], [`v128.load${shape}_u`, 8, [], "v128"]);
  if (index > 0) ACCESSES.push([`v128.load${index * 32}_zero`, index * 4, [], "v128"]);
}
for (const bits of [8, 16, 32, 64]) {
  ACCESSES.push([`v128.load${bits}_splat`, bits / 8, [], "v128"]);
  ACCESSES.push([`v128.load${bits}_lane`, bits / 8, ["v128"], "v128", "1"]);
  ACCESSES.push([`v128.store${bits}_lane`, bits / 8, ["v128"], "", "1"]);
}

for (
  const [feature, memories, address] of [["memory64", "(memory i64 1)", "i64"], [
    "multi-memory",
    "(memory 1) (memory 1)",
    "i32",
  ]] as const
) {
  Deno.test(`Lowering of ${feature} keeps each instruction that accesses memory, to the last byte`, async () => {
    // Vectors do not go to JavaScript: a function stores or makes one within.
    const functions = ACCESSES.map(([name, , operands, result, lane = ""]) => {
      const given = operands.map((type) =>
        type === "v128" ? "(v128.const i64x2 81985529216486895 -3)" : `(${type}.const 77)`
      );
      const call = `(${name} ${lane} (local.get 0) ${given.join(" ")})`;
      const body = result === "v128"
        ? `(i64.add (i64x2.extract_lane 0 ${call}) (i64.const 1))`
        : result === ""
        ? `${call} (i64.const 0)`
        : result === "i64"
        ? call
        : result === "i32"
        ? `(i64.extend_i32_u ${call})`
        : result === "f32"
        ? `(i64.extend_i32_u (i32.reinterpret_f32 ${call}))`
        : `(i64.reinterpret_f64 ${call})`;
      return `(func (export "${name}") (param ${address}) (result i64) ${body})`;
    });
    const lowered = await lower(`(module ${memories} ${functions.join("\n")})`, [feature], { signatureLowering: true });
    for (const [name, bytes] of ACCESSES) {
      for (const place of [0, 65536 - bytes, 65536 - bytes + 1, 65535, 65536, -bytes, -1]) {
        const at = address === "i64" ? BigInt(place) : place;
        compare(lowered, (calls) => calls[name](at), `${name} at ${place}`);
      }
    }
  });
}

Deno.test("Lowering of memory64 and bulk-memory at once", async () => {
  const lowered = await lower(WIDE, ["memory64", "bulk-memory"], { signatureLowering: true });
  for (const place of [0n, 8n, 65528n, 2n ** 32n, -1n]) {
    for (const count of [0n, 5n, 20n, 65536n, 2n ** 32n]) {
      compare(lowered, withMemory((calls) => calls.copy(place, 3n, count)), `copy(${place}, ${count})`);
      compare(lowered, withMemory((calls) => calls.fill(place, 3, count)), `fill(${place}, ${count})`);
    }
  }
});

const SEVERAL = (first: string) =>
  `(module
  (memory $a ${first} 1 4)
  (memory $b 1 2)
  (memory $c 1 3)
  (data (memory $a) (i32.const 0) "aaaaaaaa")
  (data (memory $b) (i32.const 65528) "bbbbbbbb")
  (data (memory $c) (i32.const 0) "cccccccc")
  (data $passive "ppppp")
  ${
    ["a", "b", "c"].map((name) => `
  (func (export "load_${name}") (param i32) (result i64) (i64.load $${name} offset=2 (local.get 0)))
  (func (export "far_${name}") (param i32) (result i32) (i32.load8_u $${name} offset=0xfffffff0 (local.get 0)))
  (func (export "store_${name}") (param i32 i32) (i32.store16 $${name} (local.get 0) (local.get 1)))
  (func (export "size_${name}") (result i32) (memory.size $${name}))
  (func (export "grow_${name}") (param i32) (result i32) (memory.grow $${name} (local.get 0)))
  (func (export "fill_${name}") (param i32 i32 i32) (memory.fill $${name} (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init_${name}") (param i32 i32 i32) (memory.init $${name} $passive (local.get 0) (local.get 1) (local.get 2)))`)
      .join("")
  }
  (func (export "copy_ab") (param i32 i32 i32) (memory.copy $a $b (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy_ca") (param i32 i32 i32) (memory.copy $c $a (local.get 0) (local.get 1) (local.get 2))))`;

function compareSeveral(lowered: Lowered, withInit: boolean): void {
  const places = [0, 1, 65520, 65526, 65528, 65530, 65534, 65535, 65536, 131064, 131072, 196608, -65536, -16, -2, -1];
  const sweep = () => {
    for (const name of ["a", "b", "c"]) {
      compare(lowered, (calls) => calls[`size_${name}`](), `size ${name}`);
      for (const place of places) {
        compare(lowered, (calls) => calls[`store_${name}`](place, place), `store ${name} ${place}`);
        compare(lowered, (calls) => calls[`load_${name}`](place), `load ${name} ${place}`);
        compare(lowered, (calls) => calls[`far_${name}`](place), `far ${name} ${place}`);
        for (const count of [0, 1, 5, 65536, -1]) {
          compare(lowered, (calls) => calls[`fill_${name}`](place, place, count), `fill ${name} ${place} ${count}`);
          if (!withInit) continue;
          compare(lowered, (calls) => calls[`init_${name}`](place, 0, count), `init ${name} ${place} ${count}`);
        }
      }
    }
    for (const to of places) {
      for (const count of [0, 3, 65536, -1]) {
        compare(lowered, (calls) => calls.copy_ab(to, 65528, count), `copy_ab ${to} ${count}`);
        compare(lowered, (calls) => calls.copy_ca(65528, to, count), `copy_ca ${to} ${count}`);
      }
    }
  };
  sweep();
  for (
    const [name, pages] of [["b", 1], ["b", 1], ["a", 2], ["c", 5], ["c", 1], ["a", 1], ["a", 1], ["a", -1]] as const
  ) {
    compare(lowered, (calls) => calls[`grow_${name}`](pages), `grow ${name} ${pages}`);
    sweep();
  }
}

Deno.test("Lowering of multi-memory keeps memories apart, and their ends", async () => {
  const lowered = await lower(SEVERAL(""), ["multi-memory"]);
  assertEquals(lowered.signatureLowered, []);
  compareSeveral(lowered, true);
});

Deno.test("Lowering of multi-memory for a target without bulk-memory", async () => {
  const text = SEVERAL("").replace(/\(data \$passive.*/, "").replace(/\(func \(export "init_.*/g, "");
  compareSeveral(await lower(text, ["multi-memory", "bulk-memory"]), false);
});

Deno.test("Lowering of multi-memory brings no bulk-memory to a target without it", async () => {
  const lowered = await lower(
    `(module (memory $a 1 3) (memory $b 1) (func (export "grow") (param i32) (result i32) (memory.grow $a (local.get 0)))
      (func (export "store") (param i32 i32) (i32.store $b (local.get 0) (local.get 1)))
      (func (export "load") (param i32) (result i32) (i32.load $b (local.get 0)))
      (func (export "load_a") (param i32) (result i32) (i32.load $a (local.get 0))))`,
    ["multi-memory"],
    {},
    {},
    ["bulk-memory"],
  );
  compare(lowered, (calls) => calls.store(8, 77), "store");
  compare(lowered, (calls) => calls.grow(1), "grow");
  compare(lowered, (calls) => calls.load(8), "load");
  compare(lowered, (calls) => calls.load_a(65544), "what was in the other memory");
});

Deno.test("Lowering of multi-memory changes an exported memory only where that is allowed", async () => {
  const text = SEVERAL(`(export "memory")`);
  const error = await refusal(text, ["multi-memory"]);
  assertEquals(error.features, ["multi-memory"]);
  assertStringIncludes(error.message, "compiler.settings.signatureLowering");
  const lowered = await lower(text, ["multi-memory"], { signatureLowering: true });
  assertEquals(lowered.signatureLowered, ["multi-memory"]);
  compareSeveral(lowered, true);
});

Deno.test("Lowering of memory64 is refused without signatureLowering, and what has no lowering with it", async () => {
  const error = await refusal(WIDE, ["memory64"]);
  assertEquals(error.features, ["memory64"]);
  assertStringIncludes(error.message, "compiler.settings.signatureLowering");
  const large = await refusal("(module (memory i64 65537))", ["memory64"], { signatureLowering: true });
  assertStringIncludes(large.message, "more than 4 GiB");
});

Deno.test("Lowering of memories refuses segments that may not fit, and memories that hosts know apart", async () => {
  const cases: [string, FeatureName][] = [
    [`(memory 1) (memory $b 1) (memory 1) (data (memory $b) (i32.const 65535) "abc")`, "multi-memory"],
    [`(import "e" "a" (memory 1)) (import "e" "b" (memory 1))`, "multi-memory"],
    [`(memory 1) (memory (export "b") 1)`, "multi-memory"],
    [`(memory i64 1) (data (i64.const 0x100000000) "abc")`, "memory64"],
    [`(memory i64 1) (data (i64.const -1) "abc")`, "memory64"],
    [`(import "env" "base" (global i64)) (memory i64 1) (data (global.get 0) "abc")`, "memory64"],
  ];
  for (const [text, feature] of cases) {
    const error = await refusal(`(module ${text})`, [feature], { signatureLowering: true });
    assertEquals(error.features, [feature]);
    assertStringIncludes(error.message, text.includes("data") ? "data segment 0" : "cannot become one");
  }
});

Deno.test("Lowering of memory64 with 64-bit tables keeps calls, and refuses what else there is", async () => {
  const table = (code: string) =>
    `(module (type $t (func (result i32))) (table $t i64 2 2 funcref) (elem (i64.const 0) $a $b)
      (func $a (result i32) (i32.const 1)) (func $b (result i32) (i32.const 2)) ${code})`;
  const calls = table(`
    (func (export "call") (param i64) (result i32) (call_indirect (type $t) (local.get 0)))
    (func (export "size") (result i64) (table.size $t))`);
  const lowered = await lower(calls, ["memory64"], { signatureLowering: true });
  for (const index of [0n, 1n, 2n, 2n ** 32n, 2n ** 32n + 1n, -1n]) {
    compare(lowered, ({ call }) => call(index), `call(${index})`);
  }
  compare(lowered, ({ size }) => size(), "size");
  const get = table(`(func (export "f") (param i64) (result funcref) (table.get $t (local.get 0)))`);
  const error = await refusal(get, ["memory64"], { signatureLowering: true });
  assertStringIncludes(error.message, "'table.get'");
});

Deno.test("Lowering of all of SQLite for a target without features gives a module that sql.js runs", async () => {
  const wasm = await readFile(new URL("../../../../node_modules/sql.js/dist/sql-wasm.wasm", import.meta.url));
  const used = scanModule(wasm).features;
  for (const name of ["sign-extensions", "saturated-float-to-int", "bulk-memory"] as const) assert(used.includes(name));
  const config = configOf({ features: [], settings: { optimizeLevel: 0, shrinkLevel: 0 } });
  const compiled = await BINARYEN.compile(wasm, config);
  assertEquals(compiled.features, []);
  const { default: initSqlJs } = await import("sql.js");
  // deno-lint-ignore no-explicit-any
  const sql: any = await (initSqlJs as any)({ wasmBinary: compiled.bytes });
  const database = new sql.Database();
  database.run("create table t (a real)");
  for (let row = -20; row < 20; row++) database.run("insert into t values (?)", [row * 1e18]);
  const [result] = database.exec("select max(cast(a as integer)) = 9223372036854775807, min(a), count(*) from t");
  assertEquals(result.values, [[1, -2e19, 40]]);
  database.close();
});

Deno.test("Lowering of exceptions gives the standard form", async () => {
  const lowered = await lower(
    `(module
      (tag $t (param i32))
      (func $throws (param i32) (if (local.get 0) (then (throw $t (local.get 0)))))
      (func (export "f") (param i32) (result i32)
        (try (result i32)
          (do (call $throws (local.get 0)) (i32.const 0))
          (catch $t (i32.const 100) (i32.add)))))`,
    ["exceptions"],
  );
  for (const value of [0, 1, 41]) compare(lowered, (calls) => calls.f(value), `f(${value})`);
});

Deno.test("Lowering of exceptions needs a target with the standard form", async () => {
  const error = await refusal(
    `(module (tag $t) (func (export "f") (try (do (throw $t)) (catch_all))))`,
    ["exceptions", "exceptions-final"],
  );
  assertEquals(error.features, ["exceptions"]);
});

Deno.test("Features without a lowering are refused by name, place and target", async () => {
  const simd = await refusal(
    `(module (func (export "f") (result i32) (i32x4.extract_lane 0 (v128.const i32x4 1 2 3 4))))`,
    ["simd", "relaxed-simd"],
  );
  assertEquals(simd.features, ["simd"]);
  assertStringIncludes(simd.message, "'simd' (first at byte ");
  assertStringIncludes(simd.message, "any-any, v8 14.0");
  const several = await refusal(
    `(module (memory 1 1 shared) (func $f (export "f") (result i32) (return_call $f)))`,
    ["threads", "tail-call"],
  );
  assertEquals(several.features, ["threads", "tail-call"]);
});
