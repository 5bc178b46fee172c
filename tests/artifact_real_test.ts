/**
 * Modules that people use (SQLite, esbuild, Python), precompiled, stored and shared: what was made of them puts out what
 * the original does, and the store did what it says it did.
 *
 * @module
 */
import {
  ArtifactStore,
  Engine,
  type EngineConfig,
  type FeatureName,
  type StoreCounters,
  UnsupportedFeatureError,
} from "../artifact.ts";
import { type ProgramName, PROGRAMS } from "../examples/artifacts/modules.ts";
import { runTask } from "../examples/artifacts/run_task.ts";
import type { Outcome } from "../examples/artifacts/worker.ts";
import { FileSystem } from "../mod.ts";
import { scanModule } from "../src/artifact/wasm/scan.ts";
import { assert, assertEquals, assertNotEquals, assertRejects } from "./support/assert.ts";

/** Binaryen reads and writes the module, and does not optimize: what takes the least time. */
const PLAIN: EngineConfig = { compiler: { settings: { optimizeLevel: 0, shrinkLevel: 0 } } };
const POOL_BYTES = 64 << 20;
const CROWD = 8;

async function readModule(program: ProgramName): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(PROGRAMS[program].wasm);
}

/** Counters without the times and sizes, which differ from run to run. */
function countsOf(
  { counters }: Outcome,
): Pick<StoreCounters, "hits" | "misses" | "compiled" | "unusable" | "failures"> {
  const { hits, misses, compiled, unusable, failures } = counters!;
  return { hits, misses, compiled, unusable, failures };
}

const MISS = { hits: 0, misses: 1, compiled: 1, unusable: 0, failures: 0 };
const HIT = { hits: 1, misses: 0, compiled: 0, unusable: 0, failures: 0 };

/** What the store of a pool says about the only entry in it. */
async function onlyEntry(fs: FileSystem): Promise<{ key: string; features: readonly string[]; verified: boolean }> {
  await using store = ArtifactStore.inPool(fs);
  const entries = await Array.fromAsync(store.list());
  assertEquals(entries.length, 1);
  const { key } = entries[0]!;
  const { header, problem } = (await store.inspect(key))!;
  assertEquals(problem, undefined);
  return { key, features: header!.features, verified: (await store.backend.read(key))!.verified };
}

const originals = new Map<ProgramName, Promise<Outcome>>();

/** What a program puts out with its own module: asked once in a run. */
function original(program: ProgramName): Promise<Outcome> {
  const found = originals.get(program) ?? runTask({ program, config: PLAIN, from: "original", run: true });
  originals.set(program, found);
  return found;
}

for (const program of Object.keys(PROGRAMS) as ProgramName[]) {
  Deno.test(`ArtifactStore gives later workers what the first made of ${program}, and it does the same`, async () => {
    using fs = FileSystem.create({ maximumBytes: POOL_BYTES });
    const task = { program, config: PLAIN, from: fs.handle, run: true };
    const [{ result }, first] = await Promise.all([original(program), runTask(task)]);
    assert(result!.length > 100, `${program} put out ${JSON.stringify(result)}`);
    assertEquals(first.result, result);
    assertEquals(countsOf(first), MISS);
    const { key, verified } = await onlyEntry(fs);
    assertEquals(verified, false);
    await using store = ArtifactStore.inPool(fs);
    assertEquals(key, store.key(await readModule(program), await Engine.create(PLAIN)));

    const second = await runTask(task);
    assertEquals(second.result, result);
    assertEquals(countsOf(second), HIT);
    assertEquals(second.bytes, first.bytes);
    assertEquals((await onlyEntry(fs)).verified, true);
  });
}

Deno.test("Engine.deserialize() and a verified entry of a store give sql.js that does the same", async () => {
  const program: ProgramName = "sql.js";
  using fs = FileSystem.create({ maximumBytes: POOL_BYTES });
  const { result } = await original(program);
  assertEquals((await runTask({ program, config: PLAIN, from: "precompile", run: true })).result, result);
  const task = { program, config: PLAIN, from: fs.handle, run: true };
  for (const expected of [MISS, HIT, HIT, HIT]) {
    const outcome = await runTask(task);
    assertEquals(countsOf(outcome), expected);
    assertEquals(outcome.result, result);
  }
});

Deno.test("ArtifactStore.getOrCompile() compiles sql.js once for eight workers at once", async () => {
  using fs = FileSystem.create({ maximumBytes: POOL_BYTES });
  const task = { program: "sql.js", config: PLAIN, from: fs.handle, run: true } as const;
  const outcomes = await Promise.all(Array.from({ length: CROWD }, () => runTask(task)));
  const sum = (name: keyof StoreCounters) => outcomes.reduce((total, { counters }) => total + counters![name], 0);
  assertEquals(sum("compiled"), 1);
  assertEquals(sum("hits"), CROWD - 1);
  assertEquals(sum("failures"), 0);
  // Who missed either compiled or waited.
  assertEquals(sum("misses"), 1 + sum("waited"));
  const { result } = await original("sql.js");
  assertEquals([...new Set(outcomes.map((outcome) => outcome.result))], [result]);
});

/** Targets with less than the modules ask for, and what has to be lowered for them. */
const LOWERED: readonly (readonly [ProgramName, readonly FeatureName[], readonly FeatureName[]])[] = [
  // The first version of WebAssembly.
  ["sql.js", [], ["sign-extensions", "saturated-float-to-int", "bulk-memory"]],
  // The standard form of exceptions in the place of the first, and nothing that can be done without.
  ["pyodide", ["mutable-globals", "multi-value", "reference-types", "exceptions-final"], [
    "sign-extensions",
    "saturated-float-to-int",
    "bulk-memory",
    "exceptions",
  ]],
];

for (const [program, features, missing] of LOWERED) {
  Deno.test(`Engine.precompileModule() makes ${program} for a target with less, and it does the same`, async () => {
    const wasm = await readModule(program);
    assertEquals(scanModule(wasm).features.filter((name) => !features.includes(name)), missing);
    const config: EngineConfig = { ...PLAIN, features };
    using fs = FileSystem.create({ maximumBytes: POOL_BYTES });
    const [{ result }, lowered] = await Promise.all([
      original(program),
      runTask({ program, config, from: fs.handle, run: true }),
    ]);
    assertEquals(lowered.result, result);
    const entry = await onlyEntry(fs);
    assertEquals(entry.features.filter((name) => !(features as readonly string[]).includes(name)), []);
    // For other targets it is another entry.
    await using store = ArtifactStore.inPool(fs);
    assertEquals(entry.key, store.key(wasm, await Engine.create(config)));
    assertNotEquals(entry.key, store.key(wasm, await Engine.create(PLAIN)));
  });
}

Deno.test("Engine.precompileModule() names what keeps Python from a target without any exceptions", async () => {
  const engine = await Engine.create({
    ...PLAIN,
    features: { "exceptions": false, "exceptions-final": false, "stack-switching": false },
  });
  const wasm = await readModule("pyodide");
  const error = await assertRejects(() => engine.precompileModule(wasm), UnsupportedFeatureError);
  assertEquals(error.features, ["exceptions"]);
  assert(error.message.includes("'exceptions'"), error.message);
});

Deno.test("Engine.precompileModule() with the tunables denan and trapMode makes sql.js that does the same", async () => {
  const program = "sql.js";
  const config: EngineConfig = { ...PLAIN, tunables: { denan: true, trapMode: "clamp" } };
  const [{ result }, tuned, plain] = await Promise.all([
    original(program),
    runTask({ program, config, from: "precompile", run: true }),
    runTask({ program, config: PLAIN, from: "precompile", run: true }),
  ]);
  assertEquals(tuned.result, result);
  assert(tuned.bytes > plain.bytes, `${tuned.bytes} bytes, ${plain.bytes} without: nothing was put in`);
});
