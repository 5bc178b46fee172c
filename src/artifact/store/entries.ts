/**
 * The entries of a store: reading, trusting, publishing and removing them, and what is counted of that.
 *
 * An entry is trusted if its header fits the engine, its own inputs give the key that it lies under, and its seal is whole
 * under the store's key.
 *
 * @module
 */
import { type ArtifactHeader, type ArtifactLayout, decodeContainer } from "../container.ts";
import type { Engine } from "../engine.ts";
import { AlteredArtifactError } from "../errors.ts";
import { openArtifact } from "../precompile.ts";
import { assertKeyFits, type SealKey, verifySealAsync } from "../seal.ts";
import { type ArtifactBackend, assertKey, type BackendEntry, type BackendValue } from "./backend.ts";
import { chooseVictims } from "./eviction.ts";
import { keyOfHeader } from "./key.ts";
import type { ArtifactStoreOptions, InspectedEntry, StoreCounters, StoreLimits } from "./store_types.ts";

/** An artifact that has been verified: its bytes. */
export type Verified = Uint8Array<ArrayBuffer>;

/** The entries of a backend, as one store object uses them. */
export class Entries {
  /** Where they are kept. */
  readonly backend: ArtifactBackend;
  /** What seals them. */
  readonly key: SealKey | undefined;
  /** What has been counted. */
  readonly counters: StoreCounters = {
    hits: 0,
    misses: 0,
    unusable: 0,
    compiled: 0,
    waited: 0,
    migrated: 0,
    evicted: 0,
    bytesRead: 0,
    bytesWritten: 0,
    failures: 0,
    compileMs: 0,
    savedMs: 0,
  };
  readonly #limits: StoreLimits | undefined;
  readonly #onError: ArtifactStoreOptions["onError"];
  /** What callers need not wait for, but closing does. */
  readonly #pending = new Set<Promise<void>>();

  /** Uses the entries of a backend. */
  constructor(backend: ArtifactBackend, key: SealKey | undefined, options: ArtifactStoreOptions) {
    this.backend = backend;
    this.key = key;
    this.#limits = options.limits;
    this.#onError = options.onError;
  }

  /** Publishes an artifact. Resolves to whether that succeeded. */
  async publish(key: string, bytes: Uint8Array): Promise<boolean> {
    try {
      await this.#write(key, bytes);
    } catch (error) {
      this.failed(error, "write");
      return false;
    }
    this.counters.bytesWritten += bytes.length;
    if (this.#limits !== undefined) await this.#clean(this.#limits, key);
    return true;
  }

  /**
   * Writes an entry. Where the place is full, the least recently used entries make room for it: more each time, since
   * others may take what has come free, or it may lie in pieces.
   */
  async #write(key: string, bytes: Uint8Array): Promise<void> {
    for (let freeBytes = Math.max(1, bytes.length);; freeBytes *= 2) {
      try {
        return await this.backend.write(key, bytes);
      } catch (error) {
        if ((error as { code?: unknown } | null)?.code !== "ENOSPC") throw error;
        const victims = chooseVictims(await this.listed(), { freeBytes, share: 1 });
        if (victims.length === 0) throw error;
        for (const { key } of victims) if (await this.backend.remove(key)) this.counters.evicted++;
      }
    }
  }

  async #clean(limits: StoreLimits, keep: string): Promise<void> {
    try {
      const victims = chooseVictims(await this.listed(), { ...limits, keep });
      for (const { key } of victims) if (await this.backend.remove(key)) this.counters.evicted++;
    } catch (error) {
      this.failed(error, "clean");
    }
  }

  /**
   * Finds what is kept under a key, if this engine loads it.
   *
   * @param counted Whether something unusable has been found and counted before.
   * @returns the artifact, or whether there was something that cannot be used.
   */
  async lookUp(
    key: string,
    engine: Engine,
    signal: AbortSignal | undefined,
    counted = false,
  ): Promise<{ readonly loaded: Verified | undefined; readonly unusable: boolean }> {
    assertKey(key);
    const began = performance.now();
    let value: BackendValue | undefined;
    try {
      value = await this.backend.read(key, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted();
      this.failed(error, "read");
    }
    if (value === undefined) return { loaded: undefined, unusable: false };
    let layout: ArtifactLayout;
    try {
      layout = openArtifact(engine.config, value.bytes);
      await this.#verify(key, value, layout);
    } catch (error) {
      if (!counted) this.refused(error);
      return { loaded: undefined, unusable: true };
    }
    const counters = this.counters;
    counters.hits++;
    counters.bytesRead += value.bytes.length;
    const { compileMs = 0 } = layout.header.provenance;
    counters.savedMs += Math.max(0, compileMs - (performance.now() - began));
    this.#background(async () => await this.backend.touch(key, Date.now()));
    return { loaded: value.bytes, unusable: false };
  }

  async #verify(key: string, value: BackendValue, layout: ArtifactLayout): Promise<void> {
    if (keyOfHeader(layout.header) !== key) {
      throw new AlteredArtifactError(`The artifact under ${key} belongs under ${keyOfHeader(layout.header)}`);
    }
    if (value.verified) return assertKeyFits(value.bytes, layout, this.key);
    await verifySealAsync(value.bytes, layout, this.key);
    try {
      value.confirm?.();
    } catch (error) {
      this.failed(error, "write");
    }
  }

  /** Removes an entry that is not needed any more. That it stays harms nobody. */
  async discard(key: string): Promise<void> {
    try {
      await this.backend.remove(key);
    } catch (error) {
      this.failed(error, "clean");
    }
  }

  /**
   * Reads an entry, and tells what it is and whether it is whole.
   *
   * @returns undefined where there is none.
   */
  async inspect(key: string): Promise<InspectedEntry | undefined> {
    const value = await this.backend.read(key);
    if (value === undefined) return undefined;
    let header: ArtifactHeader | undefined;
    let problem: Error | undefined;
    try {
      const layout = decodeContainer(value.bytes);
      header = layout.header;
      await this.#verify(key, { bytes: value.bytes, verified: false }, layout);
    } catch (error) {
      problem = error as Error;
    }
    return { key, bytes: value.bytes.length, header, problem };
  }

  /** All entries at once, in no particular order. */
  async listed(): Promise<BackendEntry[]> {
    const entries: BackendEntry[] = [];
    for await (const entry of this.backend.list()) entries.push(entry);
    return entries;
  }

  /** Waits for what is under way in the background. */
  async settle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #background(work: () => Promise<void>): void {
    const pending = work().catch((error) => this.failed(error, "write")).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** Counts what failed, and tells of it. */
  failed(error: unknown, during: "read" | "write" | "clean"): void {
    this.counters.failures++;
    this.#tell(error, during);
  }

  /** Counts something that was found and cannot be used. */
  refused(error: unknown): void {
    this.counters.unusable++;
    this.#tell(error, "read");
  }

  #tell(error: unknown, during: "read" | "write" | "clean"): void {
    try {
      this.#onError?.(error, during);
    } catch {
      // It is told for information; the caller who asks for a module is not to miss it for that.
    }
  }
}
