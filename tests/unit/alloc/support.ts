/**
 * What the tests of the allocator share: a bare heap over a memory that may grow, a seeded generator, and patterns that
 * tell whose bytes are whose.
 *
 * @module
 */
import { Heap } from "../../../src/alloc/heap.ts";
import { checkHeap, type HeapBlock, type HeapStats, heapStats, walkHeap } from "../../../src/alloc/heap_inspect.ts";
import { SLOT_WORDS, TABLE_CAPACITY, TABLE_HEADER_WORDS } from "../../../src/layout/agent_table.ts";
import { PAGE_BYTES } from "../../../src/layout/units.ts";
import type { Violation } from "../../../src/memory/errors.ts";
import { SharedMemory } from "../../../src/memory/shared_memory.ts";
import { Agent, type AgentOptions } from "../../../src/sync/agent.ts";
import { assertEquals } from "../../support/assert.ts";

/** Word that holds the size of a test heap's memory in pages. */
export const PAGES_WORD = 0;
/** Word of the agent table of a test heap. */
export const TABLE_WORD = 16;
const AGENTS = 32;
/** Word of the header of every test heap. */
export const HEAP_WORD: number = TABLE_WORD + TABLE_HEADER_WORDS + AGENTS * SLOT_WORDS;

/** Creates a memory with a heap in it that grows to `maximumPages`. */
export function createHeapMemory(initialPages: number, maximumPages: number = initialPages): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages, shared: true });
  formatHeapMemory(memory, maximumPages);
  return memory;
}

/** Formats a heap into a memory; its limit may be another than the memory's. */
export function formatHeapMemory(memory: WebAssembly.Memory, limitPages: number): void {
  const shared = new SharedMemory(memory);
  shared.i32[PAGES_WORD] = shared.pages;
  shared.i32[TABLE_WORD + TABLE_CAPACITY] = AGENTS;
  Heap.format(shared, HEAP_WORD, { endBytes: shared.bytes, limitBytes: limitPages * PAGE_BYTES, growable: true });
}

/** Attaches an agent to the heap of such a memory. */
export function attachHeap(memory: WebAssembly.Memory, options: AgentOptions = {}): Heap {
  const shared = new SharedMemory(memory);
  return new Heap(new Agent(shared, TABLE_WORD, PAGES_WORD, options), HEAP_WORD);
}

/** The check of a heap; must be lockable. */
export function check(heap: Heap): Violation[] {
  return value(checkHeap(heap.agent, heap.headerWord));
}

/** The figures of a heap; must be lockable. */
export function stats(heap: Heap): HeapStats {
  return value(heapStats(heap.agent, heap.headerWord));
}

/** The blocks of a heap; must be lockable. */
export function walk(heap: Heap): HeapBlock[] {
  return value(walkHeap(heap.agent, heap.headerWord));
}

/** Asserts that nothing is in use, that nothing is wrong, and that all memory of arena 0 is one free block. */
export function assertEmpty(heap: Heap): void {
  assertEquals(check(heap), []);
  const { liveBlocks, liveBytes } = stats(heap);
  assertEquals({ liveBlocks, liveBytes }, { liveBlocks: 0, liveBytes: 0 });
  assertEquals(heap.agent.depth, 0);
}

function value<T>(result: T | number): T {
  if (typeof result === "number") throw new Error(`the heap cannot be locked: errno ${-result}`);
  return result;
}

/** A generator of numbers from 0 to 1, exclusive, that a seed determines (splitmix32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A size from 1 to `maximum`, all orders of magnitude alike. */
export function logUniform(random: () => number, maximum: number): number {
  return Math.max(1, Math.floor(maximum ** random()));
}

/** Fills bytes with a pattern that depends on the stamp and the place. */
export function fillPattern(bytes: Uint8Array, stamp: number): void {
  for (let index = 0; index < bytes.length; index++) bytes[index] = stamp + index * 7;
}

/** Index of the first byte that is not the pattern's; -1 if all are. */
export function findForeign(bytes: Uint8Array, stamp: number): number {
  for (let index = 0; index < bytes.length; index++) {
    if (bytes[index] !== ((stamp + index * 7) & 255)) return index;
  }
  return -1;
}
