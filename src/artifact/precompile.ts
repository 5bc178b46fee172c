/**
 * Making an artifact of a module, and opening one, as engines and stores do it.
 *
 * @module
 */
import { compareWithEngine, differing, strategyName, versionText } from "./compatibility.ts";
import type { CompileOptions } from "./compiler/compiler.ts";
import { compilerOf } from "./compiler/compilers.ts";
import { type ArtifactHeader, type ArtifactLayout, decodeContainer, detectKind, encodeContainer } from "./container.ts";
import { sha256 } from "./digest.ts";
import { CompileError, UnsafeArtifactError } from "./errors.ts";
import { applySeal, type SealKey } from "./seal.ts";
import { COMPILER_SETTINGS, TUNABLES } from "./settings.ts";
import type { ResolvedConfig } from "./types.ts";

/** What of an engine goes into an artifact. */
export interface ArtifactMaker {
  /** Its configuration. */
  readonly config: ResolvedConfig;
  /** Its compatibility hash. */
  serializationCompatibilityHash(format: "bytes"): Uint8Array<ArrayBuffer>;
}

/** Options of {@linkcode compileArtifact}. */
export interface ArtifactOptions extends CompileOptions {
  /** What seals it. */
  readonly key: SealKey | undefined;
  /** The SHA-256 of the module, where it is known. */
  readonly source?: Uint8Array;
  /** The SHA-256 of what else goes in. */
  readonly extra?: Uint8Array;
  /** Whether the artifact notes how long it took; it is not reproducible then. */
  readonly timed?: boolean;
}

/** Compiles a module and makes an artifact of it; rejects as `Engine.precompileModule`. */
export async function compileArtifact(
  maker: ArtifactMaker,
  wasm: Uint8Array,
  options: ArtifactOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { key, source = sha256(wasm), extra = new Uint8Array(0), timed = false } = options;
  options.signal?.throwIfAborted();
  if (detectKind(wasm) !== undefined) {
    throw new CompileError("The module has been precompiled already: load it as it is");
  }
  const { config } = maker;
  const { target, compiler } = config;
  const began = performance.now();
  const compiled = await compilerOf(compiler.name).compile(wasm, config, options);
  const compileMs = Math.round(performance.now() - began);
  const header: ArtifactHeader = {
    kind: compiled.kind,
    versionStrategy: strategyName(config.version),
    version: versionText(config),
    target: {
      architecture: target.architecture,
      operatingSystem: target.operatingSystem,
      engine: target.engine.name,
    },
    compiler: compiler.name,
    settings: differing(COMPILER_SETTINGS, compiler.settings),
    isaFlags: config.isaFlags,
    tunables: differing(TUNABLES, config.tunables),
    features: compiled.features,
    signatureLowered: compiled.signatureLowered,
    source,
    sourceBytes: wasm.length,
    extra,
    compatibility: maker.serializationCompatibilityHash("bytes"),
    provenance: {
      engineVersion: target.engine.version,
      compilerVersion: compiler.version,
      ...(timed ? { compileMs } : {}),
    },
  };
  const { bytes, sealAt } = encodeContainer(header, compiled.bytes, key);
  applySeal(bytes, sealAt, key);
  return bytes;
}

/**
 * Reads an artifact's header and refuses what does not fit. The seal is not verified.
 *
 * @throws {IncompatibleArtifactError} for the first thing that does not fit.
 */
export function openArtifact(config: ResolvedConfig, bytes: Uint8Array): ArtifactLayout {
  const layout = decodeContainer(bytes);
  const problem = compareWithEngine(layout.header, config)[0];
  if (problem !== undefined) throw problem;
  return layout;
}

/**
 * {@linkcode openArtifact} for what is to be a module.
 *
 * @throws {UnsafeArtifactError} for native code; {IncompatibleArtifactError} for what does not fit.
 */
export function openModule(config: ResolvedConfig, bytes: Uint8Array): ArtifactLayout {
  const layout = openArtifact(config, bytes);
  if (layout.header.kind === "module") return layout;
  throw new UnsafeArtifactError("The artifact is native code: load it with deserializeNative(bytes, { unsafe: true })");
}

/**
 * Gives a module that has been verified to the host.
 *
 * @throws (rejects) {CompileError} where the host refuses it.
 */
export async function compileOnHost(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw refusedByHost(error);
  }
}

/** The error for a module that the host refuses. */
export function refusedByHost(error: unknown): CompileError {
  return new CompileError(`This host refuses the module: ${(error as Error).message}`, { cause: error });
}
