/**
 * What callers give to stores, and what stores tell them. Imports types only.
 *
 * @module
 */
import type { FileSystem } from "../../api/file_system.ts";
import type { ArtifactHeader } from "../container.ts";
import type { CompileProgress } from "../types.ts";
import type { PruneLimits } from "./eviction.ts";
import type { ExtraInputs, KeyInputs } from "./key.ts";

/** Soft limits of a store: after a publication that exceeds one, the least recently used entries go until 70 % is left. */
export interface StoreLimits {
  /** How many entries. Default: no limit. */
  readonly entries?: number;
  /** How many bytes. Default: no limit. */
  readonly bytes?: number;
}

/** Options of {@linkcode ArtifactStore}. */
export interface ArtifactStoreOptions {
  /**
   * The secret that artifacts are sealed with, at least 32 random bytes. A store that hosts share must have one: who may
   * write such a store may otherwise run code in every reader.
   */
  readonly key?: Uint8Array;
  /** Soft limits. */
  readonly limits?: StoreLimits;
  /**
   * A pool whose locks keep the agents of this host from compiling the same module at the same time, for backends that
   * have no locks, or locks that are slower.
   */
  readonly locks?: FileSystem;
  /** How long to wait for another who compiles the same module, in milliseconds, before doing it too. Default 300,000. */
  readonly lockTimeoutMs?: number;
  /** The keys under which earlier versions of a program kept what is now asked for: what is found there is moved. */
  readonly migrate?: (inputs: KeyInputs) => readonly string[];
  /**
   * Told of what failed without failing the caller: an entry that could not be read, published or removed, or that cannot
   * be used. What it throws is ignored.
   */
  readonly onError?: (error: unknown, during: "read" | "write" | "clean") => void;
}

/** Options of {@linkcode ArtifactStore.get}. */
export interface StoreGetOptions {
  /** What else decided the result; see {@linkcode ExtraInputs}. */
  readonly extra?: ExtraInputs;
  /** Ends the transfer, or the wait. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode ArtifactStore.getOrCompile}. */
export interface StoreCompileOptions extends StoreGetOptions {
  /** The key, as {@linkcode ArtifactStore.key} made it of the same module, engine and inputs: saves hashing the module. */
  readonly key?: string;
  /** Called before each step of a compilation. */
  readonly onProgress?: (progress: CompileProgress) => void;
}

/** A module, or where to get it from if it has to be compiled. */
export type WasmSource = Uint8Array | (() => Uint8Array | Promise<Uint8Array>);

/**
 * What a store object has counted since it was made. Calls of one agent that ask for the same module while it is looked up
 * or compiled already share that look-up, and are not counted again.
 */
export interface StoreCounters {
  /** Look-ups that found an artifact which loads. */
  hits: number;
  /** Look-ups that did not. */
  misses: number;
  /** Misses where something was found that cannot be used: altered, of another key, or not fitting. */
  unusable: number;
  /** Artifacts that were compiled. */
  compiled: number;
  /** Misses that became hits by waiting for another who compiled. */
  waited: number;
  /** Entries that were moved from an old key. */
  migrated: number;
  /** Entries that were removed to keep the limits, or to make room. */
  evicted: number;
  /** Bytes of artifacts that were loaded. */
  bytesRead: number;
  /** Bytes of artifacts that were published. */
  bytesWritten: number;
  /** Reads, publications and clean-ups that the backend failed. */
  failures: number;
  /** Time spent compiling, in milliseconds. */
  compileMs: number;
  /** Time that hits saved, in milliseconds: what compiling took then, less what loading took now. */
  savedMs: number;
}

/** What is known of an entry after reading it. */
export interface InspectedEntry {
  /** Its key. */
  readonly key: string;
  /** Its size in bytes. */
  readonly bytes: number;
  /** What the artifact says of itself; undefined where it cannot be read. Not to be trusted where there is a problem. */
  readonly header: ArtifactHeader | undefined;
  /** Why it cannot be used with this store's key; undefined where it can. */
  readonly problem: Error | undefined;
}

/** What was removed. */
export interface PruneResult {
  /** How many entries. */
  readonly entries: number;
  /** How many bytes. */
  readonly bytes: number;
}

/** Options of {@linkcode ArtifactStore.prune}. */
export interface PruneOptions extends PruneLimits {
  /** Also remove what cannot be used with this store's key: reads every entry. */
  readonly unusable?: boolean;
}
