import { readFile } from "node:fs/promises";
import process from "node:process";
import { BINARYEN, BINARYEN_VERSION } from "../../../../src/artifact/compiler/binaryen.ts";
import { type Binaryen, BinaryenInstance } from "../../../../src/artifact/compiler/binaryen_instance.ts";
import {
  CompileError,
  ConfigError,
  MalformedWasmError,
  UnsupportedFeatureError,
} from "../../../../src/artifact/errors.ts";
import type { CompilerSettings, Tunables } from "../../../../src/artifact/settings.ts";
import { scanModule } from "../../../../src/artifact/wasm/scan.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../../support/assert.ts";
import {
  assemble,
  assembleByBinaryen,
  type ConfigChanges,
  configOf,
  HOST_FEATURES,
  instantiate,
  outcome,
  without,
} from "./support.ts";

const ROOT = new URL("../../../../", import.meta.url);

async function compile(bytes: Uint8Array, changes: ConfigChanges = {}): Promise<Uint8Array> {
  return (await BINARYEN.compile(bytes, configOf(changes))).bytes;
}

/** Settings without optimization. */
const PLAIN: Partial<CompilerSettings> = { optimizeLevel: 0, shrinkLevel: 0 };

/** The sizes of what comes of settings, of which one must be smaller than without. */
async function assertShrinks(text: string, setting: Partial<CompilerSettings>): Promise<void> {
  const bytes = await assemble(text);
  const [base, changed] = [
    await compile(bytes, { settings: { optimizeLevel: 3, shrinkLevel: 0 } }),
    await compile(bytes, { settings: { optimizeLevel: 3, shrinkLevel: 0, ...setting } }),
  ];
  assertLess(changed.length, base.length, JSON.stringify(setting));
}

Deno.test("BINARYEN_VERSION is the version that is installed and pinned", async () => {
  const installed = JSON.parse(await readFile(new URL("node_modules/binaryen/package.json", ROOT), "utf8"));
  const pins = JSON.parse(await readFile(new URL("deno.json", ROOT), "utf8"));
  assertEquals(BINARYEN_VERSION, installed.version);
  assertEquals(pins.imports.binaryen, `npm:binaryen@${BINARYEN_VERSION}`);
  assertEquals(await BINARYEN.version(), BINARYEN_VERSION);
});

const FIBONACCI = `(module
  (func $fib (export "fib") (param i32) (result i32)
    (local i32)
    (local.set 1 (i32.add (i32.const 1) (i32.const 1)))
    (if (result i32) (i32.lt_s (local.get 0) (local.get 1))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))`;

Deno.test("BINARYEN.compile() optimizes by levels and keeps what the module does", async () => {
  const bytes = await assemble(FIBONACCI);
  const plain = await BINARYEN.compile(bytes, configOf({ settings: PLAIN }));
  const optimized = await BINARYEN.compile(bytes, configOf({ settings: { optimizeLevel: 2, shrinkLevel: 0 } }));
  const small = await BINARYEN.compile(bytes, configOf({ settings: { optimizeLevel: 0, shrinkLevel: 2 } }));
  assertLess(optimized.bytes.length, plain.bytes.length);
  assertLess(small.bytes.length, plain.bytes.length);
  for (const compiled of [plain, optimized, small]) {
    assertEquals([compiled.kind, compiled.features, compiled.signatureLowered], ["module", [], []]);
    assertEquals(instantiate(compiled.bytes).fib(20), 6765);
  }
});

Deno.test("BINARYEN.compile() with settings for what may be assumed makes use of them", async () => {
  await assertShrinks(
    `(module (func (export "f") (param f32) (result f32) (f32.sub (local.get 0) (f32.const 0)))
      (func (export "g") (param f64) (result f64) (f64.neg (f64.neg (f64.mul (local.get 0) (f64.const 1))))))`,
    { fastMath: true },
  );
  await assertShrinks(
    `(module (memory 1) (func (export "f") (param i32) (drop (i32.load (local.get 0))) (drop (i32.div_s (local.get 0) (i32.const 0)))))`,
    { trapsNeverHappen: true },
  );
  await assertShrinks(
    `(module (memory (export "m") 1) (func (export "f") (param i32) (result i32)
      (i32.load (i32.add (local.get 0) (i32.const 40)))))`,
    { lowMemoryUnused: true },
  );
  await assertShrinks(
    `(module (import "e" "m" (memory 1)) (data (i32.const 0) "${"\\00".repeat(600)}"))`,
    { zeroFilledMemory: true },
  );
});

Deno.test("BINARYEN.compile() with closedWorld removes fields that nobody within reads", async () => {
  const bytes = await assembleByBinaryen(`(module
    (type $s (struct (field (mut i32)) (field (mut i64))))
    (global $kept (mut (ref null $s)) (ref.null $s))
    (func (export "set") (param i32) (global.set $kept (struct.new $s (local.get 0) (i64.const 123456789123))))
    (func (export "get") (result i32) (struct.get $s 0 (global.get $kept))))`);
  const settings = { optimizeLevel: 3, shrinkLevel: 0 };
  const open = await compile(bytes, { settings });
  const closed = await compile(bytes, { settings: { ...settings, closedWorld: true } });
  assertLess(closed.length, open.length);
  for (const compiled of [open, closed]) {
    const calls = instantiate(compiled);
    calls.set(7);
    assertEquals(calls.get(), 7);
  }
});

Deno.test("BINARYEN.compile() with debugInfo keeps the names of functions", async () => {
  const bytes = await assemble(`(module (func $a_name_of_its_own (export "f") (result i32) (i32.const 1)))`, true);
  const text = (of: Uint8Array) => new TextDecoder("latin1").decode(of);
  assertStringIncludes(text(bytes), "a_name_of_its_own");
  assertStringIncludes(text(await compile(bytes, { settings: { debugInfo: true } })), "a_name_of_its_own");
  assert(!text(await compile(bytes)).includes("a_name_of_its_own"));
  assert(!text(await compile(bytes, { settings: PLAIN })).includes("a_name_of_its_own"));
});

function customSection(name: string, contents: number[]): number[] {
  const encoded = [...new TextEncoder().encode(name)];
  return [0, 1 + encoded.length + contents.length, encoded.length, ...encoded, ...contents];
}

Deno.test("BINARYEN.compile() keeps custom sections but for those of tools, and dylink.0 as the first", async () => {
  const plain = await assemble(`(module (memory 1) (func (export "f") (result i32) (i32.const 1)))`);
  const bytes = Uint8Array.from([
    ...plain.subarray(0, 8),
    ...customSection("dylink.0", [1, 4, 8, 2, 0, 0]),
    ...plain.subarray(8),
    ...customSection("mine", [1, 2, 3]),
    ...customSection("producers", [0]),
    ...customSection("target_features", [0]),
    ...customSection(".debug_info", []),
  ]);
  for (const settings of [PLAIN, { optimizeLevel: 4, shrinkLevel: 2 }]) {
    const compiled = await compile(bytes, { settings });
    const found = scanModule(compiled).customSections;
    assertEquals(found.map(({ name }) => name), ["dylink.0", "mine"]);
    assertEquals(compiled[8], 0, "the first section is a custom one");
    assertEquals(found[0].offset, 8 + 2 + 9);
    const module = new WebAssembly.Module(compiled as Uint8Array<ArrayBuffer>);
    assertEquals([...new Uint8Array(WebAssembly.Module.customSections(module, "mine")[0])], [1, 2, 3]);
    assertEquals([...new Uint8Array(WebAssembly.Module.customSections(module, "dylink.0")[0])], [1, 4, 8, 2, 0, 0]);
  }
});

Deno.test("BINARYEN.compile() runs passes after the optimization, in order", async () => {
  const bytes = await assemble(`(module (func (export "a")) (func (export "b") (result i32) (i32.const 2)))`);
  const compiled = await compile(bytes, { settings: { passes: ["remove-exports", "vacuum"] } }).catch((error) => error);
  // Without its argument this one refuses: it ran.
  assert(compiled instanceof CompileError);
  assertStringIncludes(compiled.message, "remove-exports");
  const without = await compile(await assemble(`(module (memory 1) (data (i32.const 0) "abc"))`), {
    settings: { passes: ["remove-memory-init"] },
  });
  assert(!new TextDecoder("latin1").decode(without).includes("abc"));
});

Deno.test("BINARYEN.compile() refuses passes that there are not, before it does anything", async () => {
  const bytes = await assemble(FIBONACCI);
  const phases: string[] = [];
  const error = await assertRejects(
    () =>
      BINARYEN.compile(bytes, configOf({ settings: { passes: ["vacuum", "no-such-pass"] } }), {
        onProgress: ({ phase }) => phases.push(phase),
      }),
    ConfigError,
  );
  assertEquals(error.setting, "compiler.settings.passes");
  assertStringIncludes(error.message, '"no-such-pass"');
  assertEquals(phases, []);
});

const WORK = `(module
  (import "env" "imported" (func $imported (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "f") (param i32) (result i32)
    (local i32)
    (local.set 1 (i32.load (local.get 0)))
    (i32.store (local.get 0) (i32.add (local.get 1) (i32.const 5)))
    (call $imported (local.get 1))))`;

/** The imports of what a tunable put into a module: each calls `report` and gives back its last argument. */
function reporting(bytes: Uint8Array, report: (name: string, values: unknown[]) => void): WebAssembly.Imports {
  const env: Record<string, (...values: unknown[]) => unknown> = {};
  for (const { name } of scanModule(bytes).imports) {
    env[name] = (...values) => {
      report(name, values);
      return values.at(-1);
    };
  }
  return { env };
}

Deno.test("Tunables that report tell what the module does, whatever the optimization", async () => {
  const bytes = await assemble(WORK);
  const cases: [Partial<Tunables>, string[]][] = [
    [{ logExecution: true }, ["log_execution"]],
    [{ instrumentLocals: true }, ["get_i32", "set_i32"]],
    [{ instrumentMemory: true }, ["load_ptr", "load_val_i32", "store_ptr", "store_val_i32"]],
  ];
  for (const [tunables, expected] of cases) {
    for (const settings of [PLAIN, { optimizeLevel: 3, shrinkLevel: 2 }]) {
      const compiled = await compile(bytes, { tunables, settings });
      const seen = new Set<string>();
      const calls = instantiate(compiled, reporting(compiled, (name) => seen.add(name)));
      calls.f(16);
      assertEquals(calls.f(16), 5);
      for (const name of expected) assert(seen.has(name), `${name} of ${JSON.stringify(tunables)} in ${[...seen]}`);
    }
  }
});

Deno.test("Tunable safeHeap refuses the zero page and what is beyond the heap", async () => {
  const bytes = await assemble(WORK);
  for (const settings of [PLAIN, { optimizeLevel: 3 }]) {
    const compiled = await compile(bytes, { tunables: { safeHeap: true }, settings });
    const faults: string[] = [];
    const calls = instantiate(compiled, {
      env: {
        imported: (value: number) => value,
        emscripten_get_sbrk_ptr: () => 4,
        segfault: () => faults.push("segfault"),
        alignfault: () => faults.push("alignfault"),
      },
    });
    new Uint32Array((calls.memory as unknown as WebAssembly.Memory).buffer)[1] = 1024;
    assertEquals(calls.f(16), 0);
    assertEquals(faults, []);
    assertEquals(outcome(() => calls.f(0)), "trap");
    assertEquals(outcome(() => calls.f(1024)), "trap");
    assertEquals(faults, ["segfault", "segfault"]);
  }
  await compile(await assemble("(module)"), { tunables: { safeHeap: true } });
});

Deno.test("Tunable stackCheck traps where the stack pointer leaves the stack", async () => {
  const text = `(module (memory 1) (global $__stack_pointer (mut i32) (i32.const 1024))
    (func (export "f") (param i32) (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (local.get 0)))))`;
  for (const settings of [PLAIN, { optimizeLevel: 3 }]) {
    const calls = instantiate(await compile(await assemble(text, true), { tunables: { stackCheck: true }, settings }));
    calls.__set_stack_limits(1024, 512);
    calls.f(100);
    assertEquals(outcome(() => calls.f(1000)), "trap");
  }
  const nameless = await assemble(text.replaceAll("$__stack_pointer", "0").replace("(global 0", "(global"));
  await assertRejects(
    () => compile(nameless, { tunables: { stackCheck: true } }),
    CompileError,
    "no stack pointer",
  );
});

Deno.test("Tunable trapMode decides what conversions and divisions do that would trap", async () => {
  const bytes = await assemble(`(module
    (func (export "trunc") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
    (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))`);
  for (const settings of [PLAIN, { optimizeLevel: 3 }]) {
    const allow = instantiate(await compile(bytes, { settings }));
    assertEquals([outcome(() => allow.trunc(1e10)), outcome(() => allow.div(1, 0))], ["trap", "trap"]);
    const clamp = instantiate(await compile(bytes, { tunables: { trapMode: "clamp" }, settings }));
    assertEquals([clamp.trunc(1e10), clamp.trunc(3.7), clamp.div(1, 0), clamp.div(7, 2)], [-0x80000000, 3, 0, 3]);
  }
  const js = await compile(bytes, { tunables: { trapMode: "js" }, settings: PLAIN });
  const calls = instantiate(js, { "asm2wasm": { "f64-to-int": (value: number) => value | 0 } });
  assertEquals([calls.trunc(1e10), calls.div(1, 0)], [1e10 | 0, 0]);
});

Deno.test("Tunable denan leaves no not-a-number, fastMath or not", async () => {
  const bytes = await assemble(
    `(module (func (export "f") (param f64 f64) (result f64) (f64.div (local.get 0) (local.get 1))))`,
  );
  for (const settings of [PLAIN, { optimizeLevel: 3 }, { optimizeLevel: 3, fastMath: true }]) {
    assertEquals(instantiate(await compile(bytes, { settings })).f(0, 0), NaN);
    const calls = instantiate(await compile(bytes, { tunables: { denan: true }, settings }));
    assertEquals([calls.f(0, 0), calls.f(NaN, 1), calls.f(1, 4)], [0, 0, 0.25]);
  }
});

Deno.test("Tunable asyncify lets a module be paused in an import and resumed", async () => {
  const bytes = await assemble(`(module
    (import "env" "wait" (func $wait (param i32) (result i32)))
    (memory (export "memory") 1)
    (func $inner (param i32) (result i32) (i32.mul (call $wait (local.get 0)) (i32.const 10)))
    (func (export "f") (param i32) (result i32) (i32.add (call $inner (local.get 0)) (local.get 0))))`);
  const sizes: number[] = [];
  for (const settings of [PLAIN, { optimizeLevel: 3 }]) {
    const compiled = await compile(bytes, { tunables: { asyncify: true }, settings });
    sizes.push(compiled.length);
    let result = 0;
    const calls = instantiate(compiled, {
      env: {
        wait: (value: number) => {
          if (calls.asyncify_get_state() === 2) {
            calls.asyncify_stop_rewind();
            return result;
          }
          result = value + 1;
          calls.asyncify_start_unwind(16);
          return 0;
        },
      },
    });
    new Int32Array((calls.memory as unknown as WebAssembly.Memory).buffer).set([24, 1024], 4);
    calls.f(4);
    assertEquals(calls.asyncify_get_state(), 1);
    calls.asyncify_stop_unwind();
    calls.asyncify_start_rewind(16);
    assertEquals(calls.f(4), 54);
  }
  assertLess(sizes[1], sizes[0]);
});

Deno.test("BINARYEN.compile() gives the same bytes again, and at the same time as others with other settings", async () => {
  const bytes = await assemble(WORK);
  const all: ConfigChanges[] = [
    { settings: PLAIN },
    { settings: { optimizeLevel: 3, fastMath: true, lowMemoryUnused: true } },
    { settings: { optimizeLevel: 1, shrinkLevel: 2, debugInfo: true } },
    { settings: { optimizeLevel: 4 }, tunables: { asyncify: true, denan: true } },
    { settings: PLAIN, tunables: { safeHeap: true, trapMode: "clamp" } },
  ];
  const alone: Uint8Array[] = [];
  for (const changes of all) alone.push(await compile(bytes, changes));
  const together = await Promise.all([...all, ...all].map((changes) => compile(bytes, changes)));
  for (const [index, result] of together.entries()) assertEquals(result, alone[index % all.length], `of ${index}`);
  assertNotEquals(alone[0], alone[1]);
});

Deno.test("Tunables that report number places anew in each compilation, from where the last one ended", async () => {
  // Binaryen's counters are global: such modules do the same, and differ in these numbers.
  const bytes = await assemble(WORK);
  const numbers: number[][] = [];
  for (let time = 0; time < 2; time++) {
    const compiled = await compile(bytes, { tunables: { logExecution: true }, settings: PLAIN });
    const seen: number[] = [];
    const imports = reporting(compiled, (name, values) => name === "log_execution" && seen.push(values[0] as number));
    instantiate(compiled, imports).f(16);
    numbers.push(seen.map((number) => number - Math.min(...seen)));
  }
  assertEquals(numbers[1], numbers[0]);
});

Deno.test("BINARYEN.compile() works on a copy of what it is given", async () => {
  const original = await assemble(FIBONACCI);
  const shared = new Uint8Array(new SharedArrayBuffer(original.length));
  shared.set(original);
  const compiling = compile(shared);
  shared.fill(0);
  assertEquals(await compiling, await compile(original));
});

Deno.test("BINARYEN.compile() tells its steps, and ends between two of them when it is aborted", async () => {
  const bytes = await assemble(FIBONACCI);
  const steps: [string, number, number][] = [];
  await BINARYEN.compile(bytes, configOf(), {
    onProgress: ({ phase, done, total }) => steps.push([phase, done, total]),
  });
  assertEquals(steps.map(([phase]) => phase), ["parse", "lower", "optimize", "emit"]);
  assertEquals(steps.map(([, done, total]) => [done, total]), [[0, 4], [1, 4], [2, 4], [3, 4]]);

  const reason = new Error("enough");
  const seen: string[] = [];
  const controller = new AbortController();
  const error = await assertRejects(() =>
    BINARYEN.compile(bytes, configOf(), {
      signal: controller.signal,
      onProgress: ({ phase }) => {
        seen.push(phase);
        // A timer runs between the steps: they leave the event loop room.
        if (phase === "lower") setTimeout(() => controller.abort(reason), 0);
      },
    })
  );
  assert(error === reason);
  assert(!seen.includes("emit"), seen.join());
  await assertRejects(
    () => BINARYEN.compile(bytes, configOf(), { signal: AbortSignal.abort(reason) }),
    Error,
    "enough",
  );
});

Deno.test("BINARYEN.compile() refuses nonsense as what it is, and prints nothing", async () => {
  const printed: unknown[][] = [];
  const { log, error } = console;
  console.log = console.error = (...data) => printed.push(data);
  const exitCode = process.exitCode;
  try {
    await assertRejects(() => compile(Uint8Array.of(1, 2, 3)), MalformedWasmError);
    await assertRejects(() => compile(new Uint8Array()), MalformedWasmError);
    const valid = await assemble(FIBONACCI);
    for (let end = 9; end < valid.length; end++) {
      // Between two sections is a place where a module may end.
      if (WebAssembly.validate(valid.slice(0, end))) continue;
      await assertRejects(() => compile(valid.slice(0, end)), MalformedWasmError);
    }
    // (func (result i32) (i64.const 1)): well-formed, and not valid.
    const invalid = Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0],
      ...[10, 6, 1, 4, 0, 0x42, 1, 0x0b],
    ]);
    const failure = await assertRejects(() => compile(invalid), CompileError);
    assert(failure.message.length > 20, failure.message);
    await compile(valid);
  } finally {
    Object.assign(console, { log, error });
  }
  assertEquals(printed, []);
  assertEquals(process.exitCode, exitCode);
});

Deno.test("BINARYEN.compile() goes on after Binaryen aborted, and tells why it did", async () => {
  // Asyncify cannot rewrite the standard form of exceptions: it aborts.
  const bytes = await compile(
    await assemble(`(module (import "env" "wait" (func $wait)) (tag $t)
      (func (export "f") (try (do (call $wait)) (catch $t))))`),
    { features: [...HOST_FEATURES].filter((name) => name !== "exceptions"), settings: PLAIN },
  );
  const failure = await assertRejects(() => compile(bytes, { tunables: { asyncify: true } }), CompileError);
  assertStringIncludes(failure.message, "asyncify");
  assertStringIncludes(failure.message, "UNREACHABLE executed");
  assertEquals(instantiate(await compile(await assemble(FIBONACCI))).fib(10), 55);
});

Deno.test("BinaryenInstance.call() refuses to go on with an instance that does not work any more", () => {
  // A stand-in: the real Binaryen cannot be broken for good without breaking all tests in this thread.
  const settings = configOf().compiler.settings;
  const broken = new Proxy({ Features: {} }, {
    get: (_, name) => () => {
      if (name === "parseText") throw new WebAssembly.RuntimeError("memory access out of bounds");
    },
  });
  const instance = new BinaryenInstance(broken as unknown as Binaryen);
  const first = assertThrows(() => instance.call("read", settings, (api) => api.parseText("(module)")), CompileError);
  assertStringIncludes(first.message, "failed to read: memory access out of bounds");
  const second = assertThrows(() => instance.call("read", settings, () => 1), CompileError);
  assertStringIncludes(second.message, "cannot be used in this thread any more");
  assertStringIncludes(second.message, "Start a new worker or process");
});

Deno.test("BINARYEN.compile() does not let the optimizer use what the target lacks", async () => {
  // Optimizing makes a sign extension of shifts, and a copy of loads and stores, where it may.
  const bytes = await assemble(`(module (func (export "f") (param i32) (result i32)
    (i32.shr_s (i32.shl (local.get 0) (i32.const 24)) (i32.const 24))))`);
  assertEquals((await BINARYEN.compile(bytes, configOf())).features, ["sign-extensions"]);
  const compiled = await BINARYEN.compile(bytes, configOf({ features: without("sign-extensions") }));
  assertEquals(compiled.features, []);
  assertEquals((await BINARYEN.compile(bytes, configOf({ features: [] }))).features, []);
  const passes = { passes: ["signext-lowering"] };
  assertEquals((await BINARYEN.compile(bytes, configOf({ settings: passes }))).features, []);
});

Deno.test("BINARYEN.compile() takes a tag for the form of exceptions that the target has", async () => {
  const bytes = await assemble(`(module (tag (export "t") (param i32)))`);
  const compiled = await BINARYEN.compile(bytes, configOf({ features: without("exceptions") }));
  assertEquals(compiled.features, ["exceptions-final"]);
  const neither = configOf({ features: without("exceptions", "exceptions-final") });
  await assertRejects(() => BINARYEN.compile(bytes, neither), UnsupportedFeatureError);
});

Deno.test("BINARYEN.compile() of SQLite gives a module that sql.js runs", async () => {
  const wasm = await readFile(new URL("node_modules/sql.js/dist/sql-wasm.wasm", ROOT));
  const compiled = await compile(wasm, { settings: { optimizeLevel: 1, shrinkLevel: 0 } });
  assertLess(compiled.length, wasm.length);
  const { default: initSqlJs } = await import("sql.js");
  // deno-lint-ignore no-explicit-any
  const sql: any = await (initSqlJs as any)({ wasmBinary: compiled });
  const database = new sql.Database();
  database.run("create table t (a integer, b text)");
  for (let row = 0; row < 100; row++) database.run("insert into t values (?, ?)", [row, `row ${row}`]);
  const [result] = database.exec("select sum(a), max(b), count(*) from t where a % 3 = 0");
  assertEquals(result.values, [[1683, "row 99", 34]]);
  database.close();
});

Deno.test("BINARYEN writes nulls of references as the module has them, on targets with objects, too", async () => {
  const bytes = await assemble(`(module (func (export "none") (result externref) (ref.null extern)))`);
  assertEquals(scanModule(bytes).features, ["reference-types"]);
  const compiled = await BINARYEN.compile(bytes, configOf({ settings: PLAIN }));
  assertEquals(compiled.features, ["reference-types"]);
});
