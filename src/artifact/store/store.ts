/**
 * The store of artifacts: what was compiled once, for whom it fits, wherever it is kept.
 *
 * What is found under a key is loaded only if its header fits the engine, its own inputs give that key, and its seal is
 * whole under the store's key; anything else counts as a miss. A look-up that misses goes through these states; at any of
 * them the thread may be cut off, and nothing but a lock remains, which ends with its holder:
 *
 *     look up ── hit ─────────────────────────────────────────────▶ load
 *       │ miss                                                       ▲
 *       ▼                                                            │
 *     wait for the key's lock ── got it ──▶ look up again ── hit ────┤
 *       │ not in time                          │ miss                │
 *       ▼                                      ▼                     │
 *     compile without it                    compile ──▶ publish ─────┘
 *
 * Publishing without the lock is as safe as with it: entries appear whole, and two under one key are equally good.
 *
 * @module
 */
import type { FileSystem } from "../../api/file_system.ts";
import { sha256, sha256Async } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { ArtifactError, ArtifactStoreError } from "../errors.ts";
import { compileArtifact, compileOnHost, openArtifact } from "../precompile.ts";
import { sealKey, verifySealAsync } from "../seal.ts";
import { type ArtifactBackend, assertKey, type BackendEntry, type BackendLock, type BackendValue } from "./backend.ts";
import { digestExtra, encodeKey, type ExtraInputs, type KeyInputs } from "./key.ts";
import { Entries, type Verified } from "./entries.ts";
import { chooseVictims } from "./eviction.ts";
import { rekey } from "./migration.ts";
import { PoolBackend, type PoolBackendOptions } from "./pool_backend.ts";
import { PoolLocks } from "./pool_locks.ts";
import { assertFunction, assertLimit, assertMakesModules, toModule } from "./store_arguments.ts";
import type {
  ArtifactStoreOptions,
  InspectedEntry,
  PruneOptions,
  PruneResult,
  StoreCompileOptions,
  StoreCounters,
  StoreGetOptions,
  WasmSource,
} from "./store_types.ts";

/** A compilation of this agent that others of it wait for. */
interface Flight {
  readonly result: Promise<Verified>;
  /** Whether it was the caller who failed or gave up, and not the module, so that another may have more success. */
  abandoned: boolean;
  /** Whether others wait for it. */
  joined: boolean;
}

/**
 * A store of precompiled modules for engines of any versions and configurations: each finds what fits it and nothing else.
 *
 * @example Every worker gets the module, one compiles it
 * ```ts
 * import { FileSystem } from "@extmemfs/extmemfs";
 * import { ArtifactStore, Engine } from "@extmemfs/extmemfs/artifact";
 *
 * using fs = FileSystem.create({ maximumBytes: 64 << 20 }); // in workers: FileSystem.attach(handle)
 * await using store = ArtifactStore.inPool(fs);
 * const engine = await Engine.create();
 * const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
 * const module = await store.getOrCompile(wasm, engine);
 * console.log(module, store.counters.compiled);
 * ```
 */
export class ArtifactStore implements AsyncDisposable {
  /** Where the artifacts are kept. */
  readonly backend: ArtifactBackend;
  readonly #entries: Entries;
  readonly #options: ArtifactStoreOptions;
  readonly #locks: PoolLocks | undefined;
  readonly #flights = new Map<string, Flight>();
  #closing: Promise<void> | undefined;

  /**
   * Makes a store over a backend, which is the store's from then on and closed with it.
   *
   * @throws {ArtifactStoreError} where hosts share the backend and there is no key.
   * @throws {ArtifactKeyError} for a key that is too short; {TypeError}, {RangeError} for other options that make no sense.
   */
  constructor(backend: ArtifactBackend, options: ArtifactStoreOptions = {}) {
    if (typeof backend !== "object" || backend === null || typeof backend.read !== "function") {
      throw new TypeError(`"backend" must be an ArtifactBackend, such as new PoolBackend(fs)`);
    }
    const { key, limits = {}, lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS, locks, migrate, onError } = options;
    assertLimit("limits.entries", limits.entries);
    assertLimit("limits.bytes", limits.bytes);
    if (typeof lockTimeoutMs !== "number" || !(lockTimeoutMs >= 0)) {
      throw new RangeError(`"lockTimeoutMs" must be a number of milliseconds, 0 or more, not ${lockTimeoutMs}`);
    }
    assertFunction("migrate", migrate);
    assertFunction("onError", onError);
    if (backend.shared && key === undefined) {
      throw new ArtifactStoreError(
        `${backend.name} is shared between hosts and needs a key: whoever may write it could otherwise run code in ` +
          `every reader. Pass { key } with at least 32 random bytes that all hosts know`,
      );
    }
    this.backend = backend;
    this.#entries = new Entries(backend, key === undefined ? undefined : sealKey(key), options);
    this.#options = { ...options };
    this.#locks = locks === undefined ? undefined : new PoolLocks(locks, LOCK_FILE);
  }

  /** A store in the filesystem of a pool, shared by all agents of it. Options as those of the constructor and backend. */
  static inPool(fs: FileSystem, options: ArtifactStoreOptions & PoolBackendOptions = {}): ArtifactStore {
    const backend = new PoolBackend(fs, options);
    try {
      return new ArtifactStore(backend, options);
    } catch (error) {
      void backend.close();
      throw error;
    }
  }

  /** What this object has counted since it was made. */
  get counters(): Readonly<StoreCounters> {
    return { ...this.#entries.counters };
  }

  /** The key of what an engine makes of a module: 43 characters of base64url. */
  key(wasm: Uint8Array, engine: Engine, extra?: ExtraInputs): string {
    return encodeKey(inputsOf(sha256(toModule(wasm)), engine, extra));
  }

  /** {@linkcode ArtifactStore.key} off this thread where the host can do that. */
  async keyAsync(wasm: Uint8Array, engine: Engine, extra?: ExtraInputs): Promise<string> {
    return encodeKey(inputsOf(await sha256Async(toModule(wasm)), engine, extra));
  }

  /**
   * Gets a module by its key.
   *
   * @returns undefined where there is none that this engine loads.
   * @throws (rejects) {TypeError} for what is no key; the signal's reason.
   */
  async get(key: string, engine: Engine, options: StoreGetOptions = {}): Promise<WebAssembly.Module | undefined> {
    assertMakesModules(engine);
    const { signal } = options;
    signal?.throwIfAborted();
    this.#assertOpen();
    const { loaded } = await this.#entries.lookUp(key, engine, signal);
    if (loaded !== undefined) return await compileOnHost(loaded);
    this.#entries.counters.misses++;
    return undefined;
  }

  /**
   * Gets a module, compiling it where the store has none that this engine loads. However many agents ask at once, one
   * compiles, as far as the backend's locks, or those of the pool, reach.
   *
   * A store that cannot be reached, or is full, costs the time of compiling, not the result: see `onError`.
   *
   * @throws (rejects) as {@linkcode Engine.precompileModule} where it has to be compiled; {TypeError} for what is no key, or
   * where the module's bytes turn out to belong under another; the signal's reason.
   */
  async getOrCompile(
    wasm: WasmSource,
    engine: Engine,
    options: StoreCompileOptions = {},
  ): Promise<WebAssembly.Module> {
    assertMakesModules(engine);
    const { loaded } = await this.#getOrCompile(wasm, engine, options);
    return await compileOnHost(loaded);
  }

  /** {@linkcode ArtifactStore.getOrCompile} for the artifact's bytes, verified: for native code, or to be passed on. */
  async getOrCompileArtifact(
    wasm: WasmSource,
    engine: Engine,
    options: StoreCompileOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { loaded, joined } = await this.#getOrCompile(wasm, engine, options);
    // Each caller may do with its bytes what it likes.
    return joined ? loaded.slice() : loaded;
  }

  /** Resolves to the artifact, and whether other callers have the same bytes. */
  async #getOrCompile(
    wasm: WasmSource,
    engine: Engine,
    options: StoreCompileOptions,
  ): Promise<{ readonly loaded: Verified; readonly joined: boolean }> {
    this.#assertOpen();
    const { signal } = options;
    if (!(wasm instanceof Uint8Array) && typeof wasm !== "function") {
      throw new TypeError(`"wasm" must be a Uint8Array, or a function that gives one`);
    }
    signal?.throwIfAborted();
    const source = wasm instanceof Uint8Array ? wasm : undefined;
    if (options.key === undefined && source === undefined) {
      throw new TypeError(`Where "wasm" is a function, "key" must be given: it is what the store looks up`);
    }
    const key = options.key ?? await this.keyAsync(source!, engine, options.extra);
    // A caller who gives a wrong key must not be given another engine's artifact.
    const name = `${key} ${engine.serializationCompatibilityHash()}`;
    for (;;) {
      const flight = this.#flights.get(name);
      if (flight === undefined) break;
      flight.joined = true;
      try {
        return { loaded: await abortable(flight.result, signal), joined: true };
      } catch (error) {
        if (signal?.aborted || !flight.abandoned) throw error;
        // Who led has given up: one of those who waited goes on.
      }
    }
    let resolve!: (loaded: Verified) => void;
    let reject!: (error: unknown) => void;
    const result = new Promise<Verified>((...settle) => [resolve, reject] = settle);
    result.catch(() => {});
    const flight: Flight = { result, abandoned: false, joined: false };
    this.#flights.set(name, flight);
    try {
      const { loaded, unusable } = await this.#entries.lookUp(key, engine, signal);
      const artifact = loaded ?? await this.#miss(key, wasm, engine, options, unusable);
      resolve(artifact);
      return { loaded: artifact, joined: flight.joined };
    } catch (error) {
      // Any other error is of this caller's own making: its signal, its source, its callbacks, its key.
      flight.abandoned = signal?.aborted || !(error instanceof ArtifactError);
      reject(error);
      throw error;
    } finally {
      this.#flights.delete(name);
    }
  }

  /** What follows on a look-up without a hit; `unusable` tells whether something was found, and has been counted. */
  async #miss(
    key: string,
    wasm: WasmSource,
    engine: Engine,
    options: StoreCompileOptions,
    unusable: boolean,
  ): Promise<Verified> {
    const { signal } = options;
    this.#entries.counters.misses++;
    const locks = await this.#lock(key, signal);
    try {
      this.#assertOpen();
      if (locks.length > 0) {
        const { loaded } = await this.#entries.lookUp(key, engine, signal, unusable);
        if (loaded !== undefined) {
          this.#entries.counters.waited++;
          return loaded;
        }
      }
      this.#assertOpen();
      // What is hashed must be what is compiled, and in between others may change what is theirs.
      const module = new Uint8Array(toModule(typeof wasm === "function" ? await wasm() : wasm));
      const inputs = inputsOf(await sha256Async(module), engine, options.extra);
      if (encodeKey(inputs) !== key) {
        throw new TypeError(
          `The key ${key} is not that of this module, engine and extra inputs: store.key() gives ${encodeKey(inputs)}`,
        );
      }
      signal?.throwIfAborted();
      return await this.#migrate(key, inputs, engine, signal) ??
        await this.#compile(key, module, inputs, engine, options);
    } finally {
      for (const lock of locks.reverse()) await this.#release(lock);
    }
  }

  /** Takes the locks of a key, as far as they are to be had: none means to go on without. */
  async #lock(key: string, signal: AbortSignal | undefined): Promise<BackendLock[]> {
    const { lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS } = this.#options;
    const deadline = performance.now() + lockTimeoutMs;
    const locks: BackendLock[] = [];
    for (const place of [this.#locks, this.backend]) {
      if (place?.lock === undefined) continue;
      try {
        const timeoutMs = Math.max(0, deadline - performance.now());
        const lock = await place.lock(key, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
        if (lock !== undefined) locks.push(lock);
      } catch (error) {
        if (signal?.aborted) {
          for (const lock of locks.reverse()) await this.#release(lock);
          throw error;
        }
        this.#entries.failed(error, "read");
      }
    }
    return locks;
  }

  async #release(lock: BackendLock): Promise<void> {
    try {
      await lock[Symbol.asyncDispose]();
    } catch (error) {
      this.#entries.failed(error, "clean");
    }
  }

  async #compile(
    key: string,
    module: Uint8Array,
    inputs: KeyInputs,
    engine: Engine,
    options: StoreCompileOptions,
  ): Promise<Verified> {
    const began = performance.now();
    const bytes = await compileArtifact(engine, module, {
      key: this.#entries.key,
      source: inputs.source,
      extra: inputs.extra,
      timed: true,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    });
    this.#entries.counters.compiled++;
    this.#entries.counters.compileMs += performance.now() - began;
    await this.#entries.publish(key, bytes);
    return bytes;
  }

  async #migrate(
    key: string,
    inputs: KeyInputs,
    engine: Engine,
    signal: AbortSignal | undefined,
  ): Promise<Verified | undefined> {
    for (const oldKey of this.#options.migrate?.(inputs) ?? []) {
      assertKey(oldKey);
      if (oldKey === key) continue;
      let value: BackendValue | undefined;
      try {
        value = await this.backend.read(oldKey, signal === undefined ? {} : { signal });
      } catch (error) {
        signal?.throwIfAborted();
        this.#entries.failed(error, "read");
      }
      if (value === undefined) continue;
      let moved: Uint8Array<ArrayBuffer>;
      try {
        const layout = openArtifact(engine.config, value.bytes);
        await verifySealAsync(value.bytes, layout, this.#entries.key);
        moved = rekey(value.bytes, layout, inputs, this.#entries.key);
      } catch (error) {
        this.#entries.refused(error);
        continue;
      }
      this.#entries.counters.migrated++;
      // Where the new entry could not be written, the old one is still worth its place.
      if (await this.#entries.publish(key, moved)) await this.#entries.discard(oldKey);
      return moved;
    }
    return undefined;
  }

  /** All entries, in no particular order. */
  async *list(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<BackendEntry> {
    this.#assertOpen();
    yield* this.backend.list(options);
  }

  /**
   * Reads an entry, and tells what it is and whether it is whole.
   *
   * @returns undefined where there is none.
   */
  async inspect(key: string): Promise<InspectedEntry | undefined> {
    this.#assertOpen();
    return await this.#entries.inspect(key);
  }

  /** Reads every entry and yields what it is and whether it is whole, removing nothing. */
  async *verify(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<InspectedEntry> {
    for await (const entry of this.list(options)) {
      const found = await this.inspect(entry.key);
      if (found !== undefined) yield found;
    }
  }

  /**
   * Removes entries: the least recently used beyond limits, those not used for long, those that cannot be used.
   *
   * @returns what was removed.
   */
  async prune(options: PruneOptions = {}): Promise<PruneResult> {
    this.#assertOpen();
    assertLimit("entries", options.entries);
    assertLimit("bytes", options.bytes);
    assertLimit("freeBytes", options.freeBytes);
    assertLimit("unusedForMs", options.unusedForMs);
    let entries = 0;
    let bytes = 0;
    const remove = async (entry: { readonly key: string; readonly bytes: number }) => {
      if (!(await this.backend.remove(entry.key))) return;
      entries++;
      bytes += entry.bytes;
    };
    if (options.unusable) {
      for await (const entry of this.verify()) if (entry.problem !== undefined) await remove(entry);
    }
    for (const victim of chooseVictims(await this.#entries.listed(), { ...options, share: 1, nowMs: Date.now() })) {
      await remove(victim);
    }
    return { entries, bytes };
  }

  /**
   * Waits for what is under way in the background and closes the backend. Calls that are not over then reject with an
   * {@linkcode ArtifactStoreError}, unless they compile already. Every further call waits for the first.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#entries.settle();
    this.#locks?.[Symbol.dispose]();
    await this.backend.close?.();
  }

  /** Closes the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ArtifactStoreError(`The store ${this.backend.name} has been closed`);
  }
}

const DEFAULT_LOCK_TIMEOUT_MS = 300_000;
const LOCK_FILE = "/.artifact-locks";

function inputsOf(source: Uint8Array, engine: Engine, extra: ExtraInputs | undefined): KeyInputs {
  return { source, compatibility: engine.serializationCompatibilityHash("bytes"), extra: digestExtra(extra) };
}

/** The result of a promise, or the reason of a signal that comes first. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  let onAbort!: () => void;
  const aborted = new Promise<never>((_, reject) => onAbort = () => reject(signal.reason));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
