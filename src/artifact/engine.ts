/**
 * The engine: a configuration, what it compiles, and what it loads.
 *
 * @module
 */
import { compareWithEngine, encodeCompatibility } from "./compatibility.ts";
import { BINARYEN_VERSION } from "./compiler/binaryen.ts";
import { compilerOf } from "./compiler/compilers.ts";
import { type ProcessResult, runWasmtime, type RunWasmtimeOptions } from "./compiler/wasmtime.ts";
import { resolveCompilerName, resolveConfig } from "./config.ts";
import { type ArtifactKind, decodeContainer, detectKind, nativePayload } from "./container.ts";
import { type DigestFormat, formatDigest, isPrivate, sha256, sha256Async } from "./digest.ts";
import { IncompatibleArtifactError, UnsafeArtifactError } from "./errors.ts";
import { detectFeatures, detectTarget } from "./host.ts";
import { compileArtifact, compileOnHost, openArtifact, openModule, refusedByHost } from "./precompile.ts";
import { type SealKey, sealKey, verifySeal, verifySealAsync } from "./seal.ts";
import type { CompileProgress, EngineConfig, ResolvedConfig } from "./types.ts";

/** Options of what reads or writes artifacts. */
export interface SealOptions {
  /** The secret that artifacts are sealed with, at least 32 bytes. Without one only damage is noticed, not malice. */
  readonly key?: Uint8Array;
}

/** Options of {@linkcode Engine.precompileModule}. */
export interface PrecompileOptions extends SealOptions {
  /** Ends the work before its next step, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each step. */
  readonly onProgress?: (progress: CompileProgress) => void;
}

/** Options of {@linkcode Engine.deserializeNative}. */
export interface NativeOptions extends SealOptions {
  /** Says that the caller knows: native code does whatever it was made to, outside of WebAssembly's sandbox. */
  readonly unsafe?: boolean;
}

/** Native code that was loaded. */
export interface NativeArtifact {
  /** The compiler's own format. */
  readonly code: Uint8Array;
  /** Runs it in the engine that it was compiled for. */
  run(options?: Omit<RunWasmtimeOptions, "config">): Promise<ProcessResult>;
}

/**
 * A configuration for which modules are precompiled: target, compiler, features, version. Engines with an equal
 * {@linkcode Engine.serializationCompatibilityHash} load each other's artifacts; what else loads,
 * {@linkcode Engine.checkCompatible} tells.
 *
 * @example Precompile once, load often
 * ```ts
 * import { Engine } from "@extmemfs/extmemfs/artifact";
 *
 * const engine = await Engine.create(); // for this host
 * const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
 * const artifact = await engine.precompileModule(wasm);
 * const module = engine.deserialize(artifact);
 * console.log(module instanceof WebAssembly.Module, engine.serializationCompatibilityHash());
 * ```
 */
export class Engine {
  /** The configuration, with every default in its place. */
  readonly config: ResolvedConfig;
  #hash: Uint8Array<ArrayBuffer> | undefined;

  /**
   * Makes an engine of a configuration that leaves nothing to the host: it has a target, a list of features, and, for other
   * compilers than Binaryen, the compiler's version.
   *
   * @throws {ConfigError} naming what is missing, unknown, out of range, or contradicts something else.
   */
  constructor(config: EngineConfig) {
    const name = resolveCompilerName(config?.compiler?.name);
    this.config = resolveConfig(config, { compilerVersion: name === "binaryen" ? BINARYEN_VERSION : undefined });
  }

  /**
   * Makes an engine; what the configuration leaves out is asked of this host.
   *
   * @throws (rejects) {ConfigError} as the constructor; {CompilerUnavailableError} where the compiler's version is not
   * given and the compiler not to be had.
   */
  static async create(config: EngineConfig = {}): Promise<Engine> {
    const name = resolveCompilerName(config?.compiler?.name);
    const [here, has, compilerVersion] = await Promise.all([
      config?.target === undefined ? detectTarget() : undefined,
      Array.isArray(config?.features) ? undefined : detectFeatures(),
      config?.compiler?.version === undefined ? compilerOf(name).version() : undefined,
    ]);
    const { target, compiler: { version }, features } = resolveConfig(config, {
      target: here,
      features: has,
      compilerVersion,
    });
    return new Engine({ ...config, target, compiler: { ...config.compiler, version }, features });
  }

  /** SHA-256 over what decides whether artifacts load, as hexadecimal digits or base64url; as docs/artifact.md defines it. */
  serializationCompatibilityHash(format?: "hex" | "base64url"): string;
  /** SHA-256 over what decides whether artifacts load, as its 32 bytes. */
  serializationCompatibilityHash(format: "bytes"): Uint8Array<ArrayBuffer>;
  serializationCompatibilityHash(format: DigestFormat = "hex"): string | Uint8Array<ArrayBuffer> {
    return formatDigest(this.#hash ??= sha256(encodeCompatibility(this.config)), format);
  }

  /** {@linkcode Engine.serializationCompatibilityHash} through Web Crypto where there is one. */
  serializationCompatibilityHashAsync(format?: "hex" | "base64url"): Promise<string>;
  /** {@linkcode Engine.serializationCompatibilityHash} through Web Crypto where there is one. */
  serializationCompatibilityHashAsync(format: "bytes"): Promise<Uint8Array<ArrayBuffer>>;
  async serializationCompatibilityHashAsync(
    format: DigestFormat = "hex",
  ): Promise<string | Uint8Array<ArrayBuffer>> {
    return formatDigest(this.#hash ??= await sha256Async(encodeCompatibility(this.config)), format);
  }

  /** The bytes that {@linkcode Engine.serializationCompatibilityHash} is the SHA-256 of. */
  compatibilityEncoding(): Uint8Array<ArrayBuffer> {
    return encodeCompatibility(this.config);
  }

  /**
   * Tells why an artifact does not load in this engine, in the order of {@linkcode IncompatibilityKind}. Where its header
   * cannot be read, that is all. The seal is not verified.
   *
   * @returns one error for each thing that does not fit; empty where it loads.
   */
  checkCompatible(artifact: Uint8Array): IncompatibleArtifactError[] {
    try {
      return compareWithEngine(decodeContainer(toBytes("artifact", artifact)).header, this.config);
    } catch (error) {
      if (error instanceof IncompatibleArtifactError) return [error];
      throw error;
    }
  }

  /**
   * Compiles a module for this engine: lowered where the target lacks a feature, instrumented as configured, optimized,
   * stripped. The same module and configuration give the same bytes.
   *
   * @returns the artifact: for Binaryen a WebAssembly module that any loader takes; for other compilers a container.
   * @throws (rejects) {UnsupportedFeatureError} before compiling, naming the feature that the target lacks and that cannot
   * be lowered; {MalformedWasmError}; {CompileError}; {CompilerUnavailableError}; {ArtifactKeyError} for a short key; the
   * signal's reason.
   */
  async precompileModule(wasm: Uint8Array, options: PrecompileOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return await compileArtifact(this, toPrivate("wasm", wasm), { ...options, key: keyOf(options) });
  }

  /**
   * Loads an artifact, after it was found to fit and its seal to be whole. Blocks while the host compiles: see
   * {@linkcode Engine.deserializeAsync}.
   *
   * @throws {IncompatibleArtifactError} where it does not fit, naming what; {AlteredArtifactError} where header or payload
   * are not as they were sealed; {ArtifactKeyError} where the key is missing or another; {UnsafeArtifactError} for native
   * code; {CompileError} where the host refuses the module.
   */
  deserialize(artifact: Uint8Array, options: SealOptions = {}): WebAssembly.Module {
    const bytes = toPrivate("artifact", artifact);
    const layout = openModule(this.config, bytes);
    verifySeal(bytes, layout, keyOf(options));
    try {
      return new WebAssembly.Module(bytes);
    } catch (error) {
      throw refusedByHost(error);
    }
  }

  /** {@linkcode Engine.deserialize} without blocking this thread. The bytes must not change until it settles. */
  async deserializeAsync(artifact: Uint8Array, options: SealOptions = {}): Promise<WebAssembly.Module> {
    const bytes = toPrivate("artifact", artifact);
    const layout = openModule(this.config, bytes);
    await verifySealAsync(bytes, layout, keyOf(options));
    return await compileOnHost(bytes);
  }

  /**
   * Loads the code of a native compiler, after it was found to fit and its seal to be whole.
   *
   * @throws {UnsafeArtifactError} without `unsafe: true`; otherwise as {@linkcode Engine.deserialize}.
   */
  deserializeNative(artifact: Uint8Array, options: NativeOptions = {}): NativeArtifact {
    if (options.unsafe !== true) {
      throw new UnsafeArtifactError(
        "Native code runs outside of WebAssembly's sandbox: pass { unsafe: true } for artifacts that you trust",
      );
    }
    const bytes = toPrivate("artifact", artifact);
    const layout = openArtifact(this.config, bytes);
    if (layout.header.kind !== "native") {
      throw new IncompatibleArtifactError(
        "module-kind",
        "module-kind",
        layout.header.kind,
        "native",
        "The artifact is a WebAssembly module: load it with deserialize()",
      );
    }
    verifySeal(bytes, layout, keyOf(options));
    const code = nativePayload(bytes, layout);
    return { code, run: (runOptions = {}) => runWasmtime(code, { ...runOptions, config: this.config }) };
  }

  /**
   * Tells by the first bytes what kind of artifact this is, without reading or trusting it; 64 bytes are enough.
   *
   * @returns undefined for what is none, an ordinary module included.
   */
  static detectPrecompiled(bytes: Uint8Array): ArtifactKind | undefined {
    return detectKind(toBytes("bytes", bytes));
  }

  /**
   * {@linkcode Engine.detectPrecompiled} for a file: a path or file URL (needs `node:fs`), or a `Blob`.
   *
   * @throws (rejects) the system error where the file cannot be read.
   */
  static async detectPrecompiledFile(file: string | URL | Blob): Promise<ArtifactKind | undefined> {
    if (file instanceof Blob) return detectKind(new Uint8Array(await file.slice(0, DETECTION_BYTES).arrayBuffer()));
    if (typeof file !== "string" && !(file instanceof URL)) {
      throw new TypeError(`A file is a path, a file URL or a Blob, not ${file === null ? "null" : typeof file}`);
    }
    const { open } = await import("node:fs/promises");
    const handle = await open(file);
    try {
      const bytes = new Uint8Array(DETECTION_BYTES);
      const { bytesRead } = await handle.read(bytes, 0, DETECTION_BYTES, 0);
      return detectKind(bytes.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
  }
}

/** Enough to know an artifact by. */
const DETECTION_BYTES = 64;

function keyOf({ key }: SealOptions): SealKey | undefined {
  return key === undefined ? undefined : sealKey(key);
}

function toBytes(name: string, value: Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`"${name}" must be a Uint8Array, not ${value === null ? "null" : typeof value}`);
}

/** What is hashed must be what is compiled: bytes that other threads can change are copied before they are looked at. */
function toPrivate(name: string, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = toBytes(name, value);
  return isPrivate(bytes) ? bytes : new Uint8Array(bytes);
}
