/**
 * A worker that gets a module ready in one of several ways, and runs it. This is all that a program does with a store: a
 * filesystem, an engine, `getOrCompile`.
 *
 * @module
 */
import { FileSystem, type PoolHandle } from "../../mod.ts";
import { ArtifactStore, Engine, type EngineConfig, type StoreCounters } from "../../artifact.ts";
import { type ProgramName, PROGRAMS } from "./modules.ts";

/** What a worker is to do. */
export interface Task {
  readonly program: ProgramName;
  /** What the module is precompiled for. */
  readonly config: EngineConfig;
  /**
   * How to get the module: `original` gives the host the module as it is, `precompile` does without a store, a handle names
   * the pool whose store is asked.
   */
  readonly from: "original" | "precompile" | PoolHandle;
  /** Whether to run the program when the module is ready. */
  readonly run: boolean;
}

/** What became of it. */
export interface Outcome {
  /** From the module's bytes to a compiled module, in milliseconds. */
  readonly readyMs: number;
  /** What the program put out; undefined where it was not run. */
  readonly result: string | undefined;
  /** The size of what the host compiled, in bytes. */
  readonly bytes: number;
  /** What the store counted, where one was asked. */
  readonly counters?: StoreCounters;
}

/** A module, and what is known of where it came from. */
type Ready = Pick<Outcome, "bytes" | "counters"> & { readonly module: WebAssembly.Module };

async function getReady(wasm: Uint8Array<ArrayBuffer>, engine: Engine, from: Task["from"]): Promise<Ready> {
  if (from === "original") return { module: await WebAssembly.compile(wasm), bytes: wasm.length };
  if (from === "precompile") {
    const artifact = await engine.precompileModule(wasm);
    return { module: await engine.deserializeAsync(artifact), bytes: artifact.length };
  }
  using fs = FileSystem.attach(from);
  await using store = ArtifactStore.inPool(fs);
  const module = await store.getOrCompile(wasm, engine);
  const { counters } = store;
  return { module, bytes: counters.bytesRead + counters.bytesWritten, counters };
}

async function perform({ program, config, from, run }: Task): Promise<Outcome> {
  const [bytes, engine] = await Promise.all([Deno.readFile(PROGRAMS[program].wasm), Engine.create(config)]);
  const start = performance.now();
  const { module, ...ready } = await getReady(bytes, engine, from);
  const readyMs = performance.now() - start;
  return { ...ready, readyMs, result: run ? await PROGRAMS[program].run(module) : undefined };
}

const scope = self as unknown as Worker;
scope.onmessage = async ({ data }: MessageEvent<Task>) => scope.postMessage(await perform(data));
