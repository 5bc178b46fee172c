/**
 * The one place that knows the names of our own public API: everything else in `bench/` goes through it.
 *
 * @module
 */
import type { NodeLike } from "./subjects.ts";

/** Size and address options, as `FileSystem.create` and `Pool.create` take them. */
export interface CreateOptions {
  readonly maximumBytes: number;
  readonly initialBytes?: number;
  readonly address?: "i32" | "i64";
}

/** A filesystem of ours, as far as the benchmarks need it. */
export interface OurFileSystem extends NodeLike {
  /** Structured-cloneable; all that a worker needs. */
  readonly handle: unknown;
  fallocateSync(fd: number, mode: number, offset: number, length: number): void;
  detach(): void;
}

/** A pool with its allocator. */
export interface OurPool {
  readonly handle: unknown;
  readonly allocator: {
    allocate(bytes: number, align?: number): number;
    free(address: number): void;
  };
}

/** Anything that locks and unlocks. */
export interface OurLock {
  lock(): void;
  unlock(): void;
}

// deno-lint-ignore no-explicit-any
const loaded: any = await import(new URL("../mod.ts", import.meta.url).href).catch(() => null);

/** Whether the module could be loaded. */
export const available: boolean = loaded !== null;

/** Why there is no side of ours, when {@linkcode available} is false. */
export const unavailable = "mod.ts is not there";

/** Creates and formats a filesystem in a pool of its own. */
export function createFileSystem(options: CreateOptions): OurFileSystem {
  return loaded.FileSystem.create(options);
}

/** Attaches to a filesystem by its handle. */
export function attachFileSystem(handle: unknown): OurFileSystem {
  return loaded.FileSystem.attach(handle);
}

/** Bytes of the pool in use, from `fs.stats()`. */
export function footprintBytes(fs: OurFileSystem): number {
  // deno-lint-ignore no-explicit-any
  return (fs as any).stats().footprintBytes;
}

/** The pool's memory. */
export function memoryOf(fs: OurFileSystem): WebAssembly.Memory {
  // deno-lint-ignore no-explicit-any
  return (fs as any).pool.memory;
}

/** Creates a pool without a filesystem. */
export function createPool(options: CreateOptions): OurPool {
  return loaded.Pool.create(options);
}

/** Attaches to a pool by its handle. */
export function attachPool(handle: unknown): OurPool {
  return loaded.Pool.attach(handle);
}

/** Bytes that the pool's allocator has taken from the pool, free blocks between live ones included. */
export function allocatorFootprintBytes(pool: OurPool): number {
  // deno-lint-ignore no-explicit-any
  return (pool.allocator as any).stats().footprintBytes;
}

/** A mutex allocated in a pool. */
export function createMutex(pool: OurPool): OurLock {
  return loaded.Mutex.create(pool);
}

/** The read half of a read-write lock allocated in a pool. */
export function createReadLock(pool: OurPool): { lockRead(): void; unlockRead(): void } {
  return loaded.RwLock.create(pool);
}

/** The module of artifacts, loaded only by the rows that measure it. */
export function loadArtifacts(): Promise<typeof import("../artifact.ts")> {
  return import("../artifact.ts");
}

/** An artifact, and where it belongs. */
export interface KeyedArtifact {
  readonly key: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Makes artifacts with the same payload and other bytes: the header of each has another digest of further inputs.
 *
 * @param artifact An artifact that was sealed without a key.
 * @returns A function that makes the variant of a number.
 */
export async function artifactVariants(artifact: Uint8Array): Promise<(index: number) => KeyedArtifact> {
  const [{ decodeContainer, encodeContainer }, { applySeal }, { digestExtra, keyOfHeader }] = await Promise.all([
    import("../src/artifact/container.ts"),
    import("../src/artifact/seal.ts"),
    import("../src/artifact/store/key.ts"),
  ]);
  const { header, payloadAt } = decodeContainer(artifact);
  // encodeContainer() takes a whole module, and leaves out the 8 bytes before its first section.
  const payload = artifact.subarray(payloadAt - 8);
  return (index) => {
    const changed = { ...header, extra: digestExtra([`variant ${index}`]) };
    const { bytes, sealAt } = encodeContainer(changed, payload, undefined);
    applySeal(bytes, sealAt, undefined);
    return { key: keyOfHeader(changed), bytes };
  };
}
