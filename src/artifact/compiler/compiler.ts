/**
 * What compiles modules for an engine. Imports types only.
 *
 * @module
 */
import type { FeatureName } from "../features.ts";
import type { CompilerName } from "../settings.ts";
import type { CompileProgress, ResolvedConfig } from "../types.ts";

/** What a compiler made of a module. */
export interface Compiled {
  /** `module`: a WebAssembly binary. `native`: the compiler's own format. */
  readonly kind: "module" | "native";
  /** The result. */
  readonly bytes: Uint8Array;
  /** The features that the result uses, in the order of FEATURES: what a host needs to load it. */
  readonly features: readonly FeatureName[];
  /** The features that were lowered such that imports or exports have other types than the module's own, sorted. */
  readonly signatureLowered: readonly FeatureName[];
}

/** Options of {@linkcode Compiler.compile}. */
export interface CompileOptions {
  /** Ends the work between two passes. */
  readonly signal?: AbortSignal;
  /** Called before each step. */
  readonly onProgress?: (progress: CompileProgress) => void;
}

/** A compiler. */
export interface Compiler {
  /** Its name. */
  readonly name: CompilerName;
  /**
   * Its full version.
   *
   * @throws (rejects) {CompilerUnavailableError} where it cannot be had on this host.
   */
  version(): Promise<string>;
  /**
   * Compiles a module.
   *
   * @throws (rejects) {UnsupportedFeatureError} before compiling, where the module uses what the target lacks and what
   * cannot be lowered; {MalformedWasmError} for what is no module; {CompileError} where the compiler refuses it;
   * {CompilerUnavailableError} where the compiler cannot be had.
   */
  compile(wasm: Uint8Array, config: ResolvedConfig, options?: CompileOptions): Promise<Compiled>;
}
