/**
 * Precompiled WebAssembly of many engine versions and configurations, stored together safely: {@linkcode Engine} tells by a
 * hash what fits whom, compiles and loads; {@linkcode ArtifactStore} keeps what was compiled, in a pool, a directory, the
 * browser's cache, Redis or S3.
 *
 * @example Compile once, whoever asks
 * ```ts
 * import { FileSystem } from "@extmemfs/extmemfs";
 * import { ArtifactStore, Engine } from "@extmemfs/extmemfs/artifact";
 *
 * using fs = FileSystem.create({ maximumBytes: 64 << 20 });
 * await using store = ArtifactStore.inPool(fs);
 * const engine = await Engine.create({ compiler: { settings: { optimizeLevel: 1 } } });
 * const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
 * const module = await store.getOrCompile(wasm, engine);
 * await WebAssembly.instantiate(module);
 * ```
 *
 * @module
 */
export type { CanonicalMap, CanonicalValue } from "./src/artifact/canonical.ts";
export type { ProcessResult, RunWasmtimeOptions } from "./src/artifact/compiler/wasmtime.ts";
export { parseConfig } from "./src/artifact/config.ts";
export type { ArtifactHeader, ArtifactKind, Provenance } from "./src/artifact/container.ts";
export type { DigestFormat } from "./src/artifact/digest.ts";
export {
  Engine,
  type NativeArtifact,
  type NativeOptions,
  type PrecompileOptions,
  type SealOptions,
} from "./src/artifact/engine.ts";
export {
  AlteredArtifactError,
  ArtifactError,
  type ArtifactErrorCode,
  ArtifactKeyError,
  ArtifactStoreError,
  CompileError,
  CompilerUnavailableError,
  ConfigError,
  EncodingError,
  type IncompatibilityKind,
  IncompatibleArtifactError,
  MalformedWasmError,
  UnsafeArtifactError,
  UnsupportedFeatureError,
} from "./src/artifact/errors.ts";
export { type FeatureName, FEATURES } from "./src/artifact/features.ts";
export { detectFeatures, detectTarget } from "./src/artifact/host.ts";
export {
  COMPILER_SETTINGS,
  type CompilerName,
  COMPILERS,
  type CompilerSettings,
  type SettingRow,
  type SettingValue,
  TUNABLES,
  type Tunables,
} from "./src/artifact/settings.ts";
export type {
  ArtifactBackend,
  BackendEntry,
  BackendLock,
  BackendLockOptions,
  BackendOptions,
  BackendValue,
} from "./src/artifact/store/backend.ts";
export { CacheBackend, type CacheBackendOptions } from "./src/artifact/store/cache_backend.ts";
export { DirectoryBackend, type DirectoryBackendOptions } from "./src/artifact/store/directory_backend.ts";
export type { PruneLimits } from "./src/artifact/store/eviction.ts";
export type { ExtraInputs, KeyInputs } from "./src/artifact/store/key.ts";
export { openStore, type OpenStoreOptions } from "./src/artifact/store/open_store.ts";
export { PoolBackend, type PoolBackendOptions } from "./src/artifact/store/pool_backend.ts";
export {
  RedisBackend,
  type RedisBackendOptions,
  type RedisCommands,
  type RedisConnectionOptions,
  type RedisConnectOptions,
} from "./src/artifact/store/redis_backend.ts";
export {
  S3Backend,
  type S3BackendOptions,
  type S3Commands,
  type S3ConnectOptions,
  type S3Place,
  type S3RequestOptions,
} from "./src/artifact/store/s3_backend.ts";
export { ArtifactStore } from "./src/artifact/store/store.ts";
export type {
  ArtifactStoreOptions,
  InspectedEntry,
  PruneOptions,
  PruneResult,
  StoreCompileOptions,
  StoreCounters,
  StoreGetOptions,
  StoreLimits,
  WasmSource,
} from "./src/artifact/store/store_types.ts";
export type {
  CompileProgress,
  EngineConfig,
  HostEngine,
  ResolvedConfig,
  Target,
  VersionStrategy,
} from "./src/artifact/types.ts";
