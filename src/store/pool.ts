/**
 * The pool: one shared memory with its agents and its heap. Formatting, attaching, detaching.
 *
 * Formatting writes all but the ready word first, and that last: who finds the magic number but not the ready word has
 * met a pool that is being formatted, or whose formatting was cut off.
 *
 * @module
 */
import { Allocator } from "../alloc/allocator.ts";
import { Heap } from "../alloc/heap.ts";
import { TABLE_CAPACITY } from "../layout/agent_table.ts";
import { COMPATIBILITY_HASH } from "../layout/compatibility.ts";
import {
  AGENT_CAPACITY,
  FEATURE_MEMORY64,
  FEATURES_KNOWN,
  FORMAT_VERSION,
  MAGIC_0,
  MAGIC_1,
  SUPER_AGENTS,
  SUPER_COMPATIBILITY,
  SUPER_FEATURES,
  SUPER_HASH_SEED,
  SUPER_MAGIC,
  SUPER_MAXIMUM_PAGES,
  SUPER_PAGES,
  SUPER_READY,
  SUPER_VERSION,
  SUPER_WORDS,
} from "../layout/superblock.ts";
import { MAXIMUM_MEMORY32_BYTES, MAXIMUM_POOL_BYTES, PAGE_BYTES } from "../layout/units.ts";
import {
  IncompatibleLayoutError,
  MemoryRefusedError,
  TruncatedMemoryError,
  UnformattedError,
  UnknownVersionError,
  WrongMagicError,
} from "../memory/errors.ts";
import { growMemory, SharedMemory } from "../memory/shared_memory.ts";
import { Agent, type AgentOptions } from "../sync/agent.ts";

/** Options of {@linkcode Pool.create}. */
export interface PoolOptions extends AgentOptions {
  /** The most bytes the pool may grow to; rounded up to 64 KiB. Default 4 GiB, or 16 GiB with 64-bit addresses. */
  readonly maximumBytes?: number;
  /** Bytes at the beginning; rounded up to 64 KiB. Default 1 MiB. */
  readonly initialBytes?: number;
  /** Width of the memory's addresses: `i32` up to 4 GiB (default), `i64` up to 16 GiB. */
  readonly address?: "i32" | "i64";
}

/** All that another agent needs to attach. Plain and structured-cloneable: post it to a worker. */
export interface PoolHandle {
  /** Says what this is. */
  readonly kind: "extmemfs";
  /** The pool. */
  readonly memory: WebAssembly.Memory;
}

const DEFAULT_INITIAL_BYTES = 2 ** 20;
const MAGIC_TEXT = "ExtMemFS";

/**
 * One shared `WebAssembly.Memory` with a table of agents and a heap in it, as this agent is attached to it.
 *
 * @example A pool, an allocator, and what another thread does with the handle
 * ```ts
 * import { Pool } from "@extmemfs/extmemfs";
 *
 * using pool = Pool.create({ maximumBytes: 64 << 20 });
 * const address = pool.allocator.allocate(100);
 * // In a worker that got `pool.handle` by postMessage:
 * using same = Pool.attach(pool.handle);
 * same.allocator.free(address);
 * ```
 */
export class Pool implements Disposable {
  /**
   * This agent, for the rooms above.
   *
   * @internal
   */
  readonly agent: Agent;
  /**
   * The heap, for the rooms above: it returns errnos, where {@linkcode Pool.allocator} throws.
   *
   * @internal
   */
  readonly heap: Heap;
  /** The allocator over the pool. */
  readonly allocator: Allocator;
  #detached = false;

  /** @param agent an agent of this pool, attached */
  private constructor(agent: Agent) {
    this.agent = agent;
    this.heap = new Heap(agent, SUPER_WORDS);
    this.allocator = new Allocator(this.heap);
  }

  /**
   * Creates a memory, formats it as a pool and attaches to it.
   *
   * @throws {MemoryRefusedError} if the engine does not give a memory of that size.
   * @throws {RangeError} if a size is not a positive number of bytes, or the initial size is above the maximum.
   */
  static create(options: PoolOptions = {}): Pool {
    const address = options.address ?? "i32";
    if (address !== "i32" && address !== "i64") {
      throw new TypeError(`Cannot create a pool: address is ${String(address)}, expected "i32" or "i64"`);
    }
    const limit = address === "i32" ? MAXIMUM_MEMORY32_BYTES : MAXIMUM_POOL_BYTES;
    const maximum = pagesOf("maximumBytes", options.maximumBytes ?? limit);
    const least = Math.ceil((SUPER_WORDS * 4 + Heap.headerWords * 4 + 4096) / PAGE_BYTES);
    const initial = pagesOf(
      "initialBytes",
      options.initialBytes ?? Math.min(DEFAULT_INITIAL_BYTES, maximum * PAGE_BYTES),
    );
    if (initial > maximum) {
      throw new RangeError(
        `Cannot create a pool: initialBytes is ${initial * PAGE_BYTES}, above maximumBytes, ${maximum * PAGE_BYTES}`,
      );
    }
    if (maximum < least) {
      throw new RangeError(
        `Cannot create a pool: maximumBytes is ${maximum * PAGE_BYTES}, a pool needs at least ${least * PAGE_BYTES}`,
      );
    }
    if (maximum * PAGE_BYTES > limit) throw new MemoryRefusedError(maximum * PAGE_BYTES, limit, address);
    const memory = createMemory(address, Math.max(initial, least), maximum);
    Pool.format(memory, { address, maximumBytes: maximum * PAGE_BYTES });
    return Pool.attach({ kind: "extmemfs", memory }, options);
  }

  /**
   * Formats a fresh shared memory as a pool. Whatever it held is lost; nobody may be using it.
   *
   * @throws {TypeError} if the memory is not shared.
   * @throws {TruncatedMemoryError} if it is too short for a pool.
   */
  static format(
    memory: WebAssembly.Memory,
    options: { readonly maximumBytes: number; readonly address?: "i32" | "i64" },
  ): void {
    assertShared(memory);
    const least = (SUPER_WORDS + Heap.headerWords) * 4 + 4096;
    if (memory.buffer.byteLength < least) throw new TruncatedMemoryError(memory.buffer.byteLength, least);
    const shared = new SharedMemory(memory);
    const { i32, wasm } = shared;
    wasm.fill(0, 0, SUPER_WORDS * 4);
    const maximumPages = pagesOf("maximumBytes", options.maximumBytes);
    i32[SUPER_MAGIC] = MAGIC_0;
    i32[SUPER_MAGIC + 1] = MAGIC_1;
    i32[SUPER_VERSION] = FORMAT_VERSION;
    i32[SUPER_FEATURES] = options.address === "i64" ? FEATURE_MEMORY64 : 0;
    COMPATIBILITY_HASH.forEach((word, index) => i32[SUPER_COMPATIBILITY + index] = word);
    i32[SUPER_HASH_SEED] = crypto.getRandomValues(new Int32Array(1))[0]!;
    i32[SUPER_MAXIMUM_PAGES] = maximumPages;
    i32[SUPER_PAGES] = shared.pages;
    i32[SUPER_AGENTS + TABLE_CAPACITY] = AGENT_CAPACITY;
    Heap.format(shared, SUPER_WORDS, {
      endBytes: shared.bytes,
      limitBytes: maximumPages * PAGE_BYTES,
      growable: true,
    });
    // Pairs with the load in attach: who sees 1 sees all of the above.
    wasm.store(SUPER_READY, 1);
  }

  /**
   * Attaches this thread to a pool. Each attach is an agent of its own, also within one thread.
   *
   * @throws {WrongMagicError} if the memory holds no pool.
   * @throws {UnknownVersionError} if its format version is not this library's.
   * @throws {IncompatibleLayoutError} if its layout is not this library's.
   * @throws {TruncatedMemoryError} if it is shorter than its superblock says.
   * @throws {UnformattedError} if its formatting has not been completed.
   * @throws {AgentTableFullError} if 1,024 agents are attached.
   */
  static attach(handle: PoolHandle, options: AgentOptions = {}): Pool {
    if (handle === null || typeof handle !== "object" || handle.kind !== "extmemfs") {
      throw new TypeError(`Cannot attach: expected the handle of a pool, got ${describe(handle)}`);
    }
    assertShared(handle.memory);
    const buffer = handle.memory.buffer;
    const least = (SUPER_WORDS + Heap.headerWords) * 4;
    const head = new Int32Array(buffer, 0, Math.min(SUPER_AGENTS, Math.floor(buffer.byteLength / 4)));
    if (head[SUPER_MAGIC] !== MAGIC_0 || head[SUPER_MAGIC + 1] !== MAGIC_1) {
      throw new WrongMagicError(textOf(head), JSON.stringify(MAGIC_TEXT));
    }
    if (head[SUPER_VERSION] !== FORMAT_VERSION) {
      throw new UnknownVersionError(String(head[SUPER_VERSION]), String(FORMAT_VERSION));
    }
    const features = head[SUPER_FEATURES]!;
    if ((features & ~FEATURES_KNOWN) !== 0) {
      throw new UnknownVersionError(
        `${FORMAT_VERSION} with features ${hex(features)}`,
        `features within ${hex(FEATURES_KNOWN)}`,
      );
    }
    const hash = head.subarray(SUPER_COMPATIBILITY, SUPER_COMPATIBILITY + COMPATIBILITY_HASH.length);
    if (!COMPATIBILITY_HASH.every((word, index) => hash[index] === word)) {
      throw new IncompatibleLayoutError(hashText(hash), hashText(COMPATIBILITY_HASH));
    }
    const expected = Math.max(least, head[SUPER_PAGES]! * PAGE_BYTES);
    // Another agent may have grown it since, and this thread not have been told: growing by nothing tells it.
    if (buffer.byteLength < expected) growMemory(handle.memory, 0);
    const found = handle.memory.buffer.byteLength;
    if (found < expected) throw new TruncatedMemoryError(found, expected);
    const memory = new SharedMemory(handle.memory);
    if (memory.wasm.load(SUPER_READY) !== 1) throw new UnformattedError("the pool");
    return new Pool(new Agent(memory, SUPER_AGENTS, SUPER_PAGES, options));
  }

  /** Attaches with given views and intrinsics, without looking at the superblock: for tests that drive the schedule. */
  static attachTo(memory: SharedMemory, options: AgentOptions = {}): Pool {
    return new Pool(new Agent(memory, SUPER_AGENTS, SUPER_PAGES, options));
  }

  /** The pool's memory. */
  get memory(): WebAssembly.Memory {
    return this.agent.memory.memory;
  }

  /** What another agent attaches by: plain, structured-cloneable, the same for all. */
  get handle(): PoolHandle {
    return { kind: "extmemfs", memory: this.memory };
  }

  /** Gives this agent's slot back. A second call does nothing. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    if (!this.agent.live) return;
    this.heap.drain();
    this.agent.release();
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.detach();
  }
}

function createMemory(address: "i32" | "i64", initial: number, maximum: number): WebAssembly.Memory {
  const make = (pages: number) =>
    address === "i32" ? new WebAssembly.Memory({ initial, maximum: pages, shared: true }) : new WebAssembly.Memory(
      {
        initial: BigInt(initial),
        maximum: BigInt(pages),
        shared: true,
        address: "i64",
      } as unknown as WebAssembly.MemoryDescriptor,
    );
  try {
    return make(maximum);
  } catch (cause) {
    // How much would it have given? Reservations cost nothing until touched.
    let allowed = initial;
    for (let low = initial, high = maximum; low < high;) {
      const middle = Math.ceil((low + high) / 2);
      try {
        make(middle);
        allowed = low = middle;
      } catch {
        high = middle - 1;
      }
    }
    throw new MemoryRefusedError(maximum * PAGE_BYTES, allowed * PAGE_BYTES, address, { cause });
  }
}

function assertShared(memory: WebAssembly.Memory): void {
  if (!(memory instanceof WebAssembly.Memory)) {
    throw new TypeError(`Cannot use as a pool: expected a WebAssembly.Memory, got ${describe(memory)}`);
  }
  if (!(memory.buffer instanceof SharedArrayBuffer)) {
    throw new TypeError("Cannot use as a pool: the memory is not shared; create it with { shared: true, maximum }");
  }
}

function pagesOf(name: string, bytes: number): number {
  if (typeof bytes !== "number") throw new TypeError(`${name} must be a number of bytes, got ${describe(bytes)}`);
  if (!Number.isFinite(bytes) || bytes <= 0) {
    throw new RangeError(`${name} must be a positive number of bytes, got ${bytes}`);
  }
  return Math.ceil(bytes / PAGE_BYTES);
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return String(value);
  return `an object of class ${value.constructor?.name ?? "null"}`;
}

function hex(word: number): string {
  return "0x" + (word >>> 0).toString(16).padStart(8, "0");
}

function textOf(head: Int32Array): string {
  const bytes = new Uint8Array(new Int32Array([head[0] ?? 0, head[1] ?? 0]).buffer);
  return JSON.stringify(String.fromCharCode(...bytes));
}

function hashText(words: ArrayLike<number>): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
