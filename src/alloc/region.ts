/**
 * The region of an allocator that is used alone: a header, a table of agents, a heap. Formatting and attaching.
 *
 * Formatting writes the ready word last; who finds the magic number without it has met a region whose formatting has not
 * been completed.
 *
 * @module
 */
import { TABLE_CAPACITY } from "../layout/agent_table.ts";
import { SLOT_WORDS } from "../layout/agent_table.ts";
import { COMPATIBILITY_HASH } from "../layout/compatibility.ts";
import {
  REGION_AGENTS,
  REGION_COMPATIBILITY,
  REGION_GRANULES,
  REGION_MAGIC,
  REGION_MAGIC_0,
  REGION_MAGIC_1,
  REGION_PAGES,
  REGION_READY,
  REGION_VERSION,
  REGION_WORDS,
} from "../layout/heap.ts";
import { FORMAT_VERSION } from "../layout/superblock.ts";
import { GRANULE_BYTES, LINE_BYTES, MAXIMUM_POOL_BYTES, PAGE_BYTES } from "../layout/units.ts";
import {
  IncompatibleLayoutError,
  TruncatedMemoryError,
  UnformattedError,
  UnknownVersionError,
  WrongMagicError,
} from "../memory/errors.ts";
import { SharedMemory } from "../memory/shared_memory.ts";
import { Agent, type AgentOptions } from "../sync/agent.ts";
import { Heap } from "./heap.ts";

/** Where in a shared memory an allocator's region lies. */
export interface RegionOptions {
  /** Address of its first byte, a multiple of 64. Default 0. */
  readonly offset?: number;
  /** Its size in bytes. */
  readonly bytes: number;
  /** How many agents can be attached at once, 512 bytes each. Default 16. */
  readonly agents?: number;
}

/** How an agent attaches to a region. */
export interface RegionAttachOptions extends AgentOptions {
  /** Address of the region's first byte. Default 0. */
  readonly offset?: number;
}

const DEFAULT_AGENTS = 16;
const AGENTS_MAXIMUM = 1024;

/** Formats a region. Throws as `Allocator.format` says. */
export function formatRegion(memory: WebAssembly.Memory, options: RegionOptions): void {
  assertShared(memory, "format");
  const offset = offsetOf(options.offset, "format");
  const { bytes, agents = DEFAULT_AGENTS } = options;
  if (typeof bytes !== "number") throw new TypeError(`Cannot format: bytes is ${String(bytes)}, expected a number`);
  if (!Number.isInteger(agents) || agents < 1 || agents > AGENTS_MAXIMUM) {
    throw new RangeError(
      `Cannot format: agents is ${String(agents)}, expected a whole number from 1 to ${AGENTS_MAXIMUM}`,
    );
  }
  const heapWords = REGION_WORDS + agents * SLOT_WORDS;
  const least = heapWords * 4 + Heap.minimumBytes;
  if (!Number.isSafeInteger(bytes) || bytes < least) {
    throw new RangeError(
      `Cannot format: bytes is ${bytes}, expected a whole number, at least ${least} for ${agents} agents`,
    );
  }
  const end = offset + bytes;
  const present = memory.buffer.byteLength;
  if (end > present) {
    throw new RangeError(`Cannot format: the region ends at ${end}, the memory at ${present}; grow the memory first`);
  }
  if (end > MAXIMUM_POOL_BYTES) {
    throw new RangeError(`Cannot format: the region ends at ${end}, the limit is ${MAXIMUM_POOL_BYTES}`);
  }
  const shared = new SharedMemory(memory);
  const { i32, wasm } = shared;
  const word = offset / 4;
  wasm.store(word + REGION_READY, 0);
  wasm.fill(offset, 0, heapWords * 4);
  i32[word + REGION_MAGIC] = REGION_MAGIC_0;
  i32[word + REGION_MAGIC + 1] = REGION_MAGIC_1;
  i32[word + REGION_VERSION] = FORMAT_VERSION;
  i32[word + REGION_GRANULES] = Math.floor(bytes / GRANULE_BYTES);
  COMPATIBILITY_HASH.forEach((hash, index) => i32[word + REGION_COMPATIBILITY + index] = hash);
  i32[word + REGION_PAGES] = Math.ceil(end / PAGE_BYTES);
  i32[word + REGION_AGENTS + TABLE_CAPACITY] = agents;
  Heap.format(shared, word + heapWords, { endBytes: end, limitBytes: end });
  // Pairs with the load in attachRegion: who sees 1 sees all of the above.
  wasm.store(word + REGION_READY, 1);
}

/** Attaches to a region. Throws as `Allocator.attach` says. */
export function attachRegion(memory: WebAssembly.Memory, options: RegionAttachOptions): Heap {
  assertShared(memory, "attach");
  const offset = offsetOf(options.offset, "attach");
  const { buffer } = memory;
  if (buffer.byteLength < offset + REGION_WORDS * 4) {
    throw new TruncatedMemoryError(buffer.byteLength, offset + REGION_WORDS * 4);
  }
  const head = new Int32Array(buffer, offset, REGION_WORDS);
  if (head[REGION_MAGIC] !== REGION_MAGIC_0 || head[REGION_MAGIC + 1] !== REGION_MAGIC_1) {
    throw new WrongMagicError(
      magicText(head[REGION_MAGIC], head[REGION_MAGIC + 1]),
      magicText(REGION_MAGIC_0, REGION_MAGIC_1),
    );
  }
  if (head[REGION_VERSION] !== FORMAT_VERSION) {
    throw new UnknownVersionError(String(head[REGION_VERSION]), String(FORMAT_VERSION));
  }
  const found = head.subarray(REGION_COMPATIBILITY, REGION_COMPATIBILITY + COMPATIBILITY_HASH.length);
  if (!COMPATIBILITY_HASH.every((hash, index) => found[index] === hash)) {
    throw new IncompatibleLayoutError(hashText(found), hashText(COMPATIBILITY_HASH));
  }
  const end = offset + (head[REGION_GRANULES] >>> 0) * GRANULE_BYTES;
  if (buffer.byteLength < end) throw new TruncatedMemoryError(buffer.byteLength, end);
  const shared = new SharedMemory(memory);
  const word = offset / 4;
  if (shared.wasm.load(word + REGION_READY) !== 1) throw new UnformattedError("the region");
  const capacity = head[REGION_AGENTS + TABLE_CAPACITY];
  const agent = new Agent(shared, word + REGION_AGENTS, word + REGION_PAGES, options);
  return new Heap(agent, word + REGION_WORDS + capacity * SLOT_WORDS);
}

function assertShared(memory: WebAssembly.Memory, operation: string): void {
  if (!(memory instanceof WebAssembly.Memory)) {
    throw new TypeError(`Cannot ${operation}: expected a WebAssembly.Memory, got ${String(memory)}`);
  }
  if (!(memory.buffer instanceof SharedArrayBuffer)) {
    throw new TypeError(`Cannot ${operation}: the memory is not shared; create it with { shared: true, maximum }`);
  }
}

function offsetOf(offset: number = 0, operation: string): number {
  if (typeof offset !== "number") {
    throw new TypeError(`Cannot ${operation}: offset is ${String(offset)}, expected a number`);
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % LINE_BYTES !== 0) {
    throw new RangeError(`Cannot ${operation}: offset is ${offset}, expected a multiple of ${LINE_BYTES}`);
  }
  return offset;
}

function magicText(first: number, second: number): string {
  return JSON.stringify(String.fromCharCode(...new Uint8Array(new Int32Array([first, second]).buffer)));
}

function hashText(words: ArrayLike<number>): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
