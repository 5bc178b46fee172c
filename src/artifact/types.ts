/**
 * What describes an engine: target, compiler with its settings, tunables, features, version strategy. Plain data; the
 * tables of what there is are in features.ts and settings.ts, validation in config.ts.
 *
 * @module
 */
import type { FeatureName } from "./features.ts";
import type { CompilerName, CompilerSettings, Tunables } from "./settings.ts";

/** The engine that runs a module, such as `v8` `14.9.207.2`. */
export interface HostEngine {
  /** Its name in lower case: `v8`, `spidermonkey`, `javascriptcore`, `wasmtime`, another, or `any`. */
  readonly name: string;
  /** Its full version; empty where it is not to be found out. The number before the first dot is the major version. */
  readonly version: string;
}

/**
 * What an artifact is made for. `any` in the place of a name stands for all of them: what Binaryen makes is portable, so
 * that a fleet may leave out of its description what does not matter to it.
 */
export interface Target {
  /** The processor, as in LLVM's triples: `x86_64`, `aarch64`, …, `unknown`, or `any`. */
  readonly architecture: string;
  /** The operating system: `linux`, `darwin`, `windows`, `android`, `ios`, …, `unknown`, or `any`. */
  readonly operatingSystem: string;
  /** The engine that runs the module. */
  readonly engine: HostEngine;
}

/**
 * Which version an artifact is bound to.
 *
 * - `engine`: the host engine's and the compiler's full versions are in the hash; on load their major versions must agree.
 * - `custom`: a text of the user's, in the hash and compared on load: at most 255 bytes of UTF-8.
 * - `none`: no version is in the hash, and any is accepted.
 */
export type VersionStrategy = "engine" | "none" | { readonly custom: string };

/** The configuration of an engine as a user writes it: what is left out is found out, or has its default. */
export interface EngineConfig {
  /** What artifacts are made for. Default: this host. */
  readonly target?: Target;
  /** What compiles, and how. Default: Binaryen with its default settings. */
  readonly compiler?: {
    /** Default `binaryen`. */
    readonly name?: CompilerName;
    /** The compiler's full version. Default: of the one that is installed. */
    readonly version?: string;
    /** Settings; those left out have their defaults. */
    readonly settings?: Partial<CompilerSettings>;
  };
  /** Flags of the processor that native code may use, such as `has_avx2`. One that is off counts as absent. */
  readonly isaFlags?: Readonly<Record<string, boolean>>;
  /** What is put into modules beyond what they do themselves; those left out have their defaults. */
  readonly tunables?: Partial<Tunables>;
  /**
   * WebAssembly features that modules may use: the names of exactly those, or changes to what the host has. Default: what
   * this host has.
   */
  readonly features?: readonly FeatureName[] | Readonly<Partial<Record<FeatureName, boolean>>>;
  /** Default `engine`. */
  readonly version?: VersionStrategy;
}

/** A configuration that is whole and valid: all defaults in their places, features sorted. */
export interface ResolvedConfig {
  /** See {@linkcode EngineConfig.target}. */
  readonly target: Target;
  /** See {@linkcode EngineConfig.compiler}. */
  readonly compiler: {
    readonly name: CompilerName;
    readonly version: string;
    readonly settings: CompilerSettings;
  };
  /** The flags that are on, sorted. */
  readonly isaFlags: readonly string[];
  /** See {@linkcode EngineConfig.tunables}. */
  readonly tunables: Tunables;
  /** The features that are on, in the order of {@linkcode FEATURES}. */
  readonly features: readonly FeatureName[];
  /** See {@linkcode EngineConfig.version}. */
  readonly version: VersionStrategy;
}

/** How a compilation gets on. */
export interface CompileProgress {
  /** What is being done, such as `optimize`. */
  readonly phase: "parse" | "lower" | "optimize" | "emit";
  /** Steps done so far, of `total`. */
  readonly done: number;
  /** How many steps there are. */
  readonly total: number;
}
