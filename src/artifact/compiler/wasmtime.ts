/**
 * Wasmtime as a compiler: drives the `wasmtime` program on the PATH, which makes native code of a module.
 *
 * What it makes is for one processor, one operating system and one version of Wasmtime, and is run by the program too:
 * {@linkcode runWasmtime}.
 *
 * @module
 */
import { CompileError, UnsupportedFeatureError } from "../errors.ts";
import type { ResolvedConfig, Target } from "../types.ts";
import { scanModule } from "../wasm/scan.ts";
import type { Compiled, CompileOptions, Compiler } from "./compiler.ts";
import { describeTarget, usedFeatures } from "./lowering.ts";
import {
  type ProcessResult,
  spawnWasmtime,
  textOf,
  wasmtimeVersion,
  withTemporaryDirectory,
} from "./wasmtime_process.ts";
import { compileArguments, knownOptions, NEVER_IN_WASMTIME, runArguments, wasmOptions } from "./wasmtime_options.ts";

/** How much of what Wasmtime says goes into an error, in characters. */
const MESSAGE_CHARACTERS = 500;

/** Wasmtime, from the PATH. It lowers nothing: what the target lacks, the module must not use. */
export const WASMTIME: Compiler = {
  name: "wasmtime",
  version: () => wasmtimeVersion(),
  compile,
};

async function compile(wasm: Uint8Array, config: ResolvedConfig, options: CompileOptions = {}): Promise<Compiled> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const bytes = new Uint8Array(wasm);
  const scan = scanModule(bytes);
  const used = usedFeatures(scan, config.features);
  const missing = used.filter((name) => !config.features.includes(name) || NEVER_IN_WASMTIME.includes(name));
  if (missing.length > 0) {
    const names = missing.map((name) => `'${name}' (first at byte ${scan.firstUse.get(name)})`).join(", ");
    throw new UnsupportedFeatureError(
      missing,
      `the module uses ${names}, which the target ${describeTarget(config.target)} lacks, or Wasmtime: configure the ` +
        "feature as on if it is there, or lower the module with 'binaryen' first",
    );
  }
  onProgress?.({ phase: "parse", done: 0, total: 3 });
  await wasmtimeVersion(signal);
  const known = await readKnownOptions(signal);
  return await withTemporaryDirectory(async (directory) => {
    const { readFile, writeFile } = await import("node:fs/promises");
    const { join } = await import("node:path");
    const [input, output] = [join(directory, "module.wasm"), join(directory, "module.cwasm")];
    const args = compileArguments(config, known, thisHost(), input, output);
    await writeFile(input, bytes);
    onProgress?.({ phase: "optimize", done: 1, total: 3 });
    const { code, stderr } = await spawnWasmtime(args, signal);
    if (code !== 0) {
      throw new CompileError(
        `Wasmtime ended with code ${code}: ${textOf(stderr).slice(0, MESSAGE_CHARACTERS) || "it said nothing"}`,
      );
    }
    onProgress?.({ phase: "emit", done: 2, total: 3 });
    let compiled: Uint8Array;
    try {
      compiled = new Uint8Array(await readFile(output));
    } catch (cause) {
      throw new CompileError("Wasmtime ended without an error and without a result", { cause });
    }
    return { kind: "native", bytes: compiled, features: used, signatureLowered: [] };
  });
}

/** The `-W` options that the program has: they differ from version to version, and it refuses those it does not know. */
async function readKnownOptions(signal: AbortSignal | undefined): Promise<ReadonlySet<string>> {
  const { code, stdout } = await spawnWasmtime(["compile", "-W", "help"], signal);
  const known = knownOptions(textOf(stdout));
  if (code === 0 && known.size > 0) return known;
  throw new CompileError(`Wasmtime does not list its options: 'wasmtime compile -W help' ended with code ${code}`);
}

/** How to run precompiled code. */
export interface RunWasmtimeOptions {
  /** What the program gets as its arguments. */
  readonly args?: readonly string[];
  /** The exported function to call. Default: `_start`. */
  readonly invoke?: string;
  /** Kills the program. */
  readonly signal?: AbortSignal;
  /** What it was compiled for. Wasmtime refuses code that was compiled with other features than it runs with. */
  readonly config?: ResolvedConfig;
}

/**
 * Runs what {@linkcode WASMTIME} made, as a program of its own. It is native code: run only what is trusted.
 *
 * @returns how it ended; a trap or a refusal is an exit code that is not 0.
 * @throws (rejects) {CompilerUnavailableError} where there is no Wasmtime; the signal's reason.
 */
export async function runWasmtime(precompiled: Uint8Array, options: RunWasmtimeOptions = {}): Promise<ProcessResult> {
  const { args, invoke, signal, config } = options;
  signal?.throwIfAborted();
  const bytes = new Uint8Array(precompiled);
  await wasmtimeVersion(signal);
  const wasm = config === undefined ? [] : wasmOptions(config, await readKnownOptions(signal));
  return await withTemporaryDirectory(async (directory) => {
    const { writeFile } = await import("node:fs/promises");
    const { join } = await import("node:path");
    const path = join(directory, "module.cwasm");
    await writeFile(path, bytes);
    return await spawnWasmtime(
      runArguments(path, {
        wasm,
        ...(args === undefined ? {} : { args }),
        ...(invoke === undefined ? {} : { invoke }),
      }),
      signal,
    );
  });
}

export type { ProcessResult } from "./wasmtime_process.ts";

/** Processors as Node calls them, and as triples do. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "x86_64",
  arm64: "aarch64",
  ia32: "i686",
  riscv64: "riscv64gc",
};

function thisHost(): Pick<Target, "architecture" | "operatingSystem"> {
  const { arch = "unknown", platform = "unknown" } = globalThis.process ?? {};
  return {
    architecture: ARCHITECTURES[arch] ?? arch,
    operatingSystem: platform === "win32" ? "windows" : platform,
  };
}
