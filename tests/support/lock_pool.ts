/**
 * The least that locks need of a pool: an agent table and room behind it, without the filesystem and the allocator.
 *
 * @module
 */
import { SLOT_WORDS, TABLE_CAPACITY, TABLE_HEADER_WORDS } from "../../src/layout/agent_table.ts";
import { instantiateIntrinsics, type Intrinsics } from "../../src/memory/intrinsics.ts";
import { SharedMemory } from "../../src/memory/shared_memory.ts";
import { Agent, type AgentOptions } from "../../src/sync/agent.ts";

/** Word of the agent table. */
export const TABLE_WORD = 64;
/** Word that holds the memory's size in pages. */
export const PAGES_WORD = 16;
/** Word of the first of the places for locks, one line each. */
export const PLACE_WORD: number = 4096;

/** Slots of the table. */
const CAPACITY = 16;
/** Bytes of the memory. */
const PAGES = 1;

if (TABLE_WORD + TABLE_HEADER_WORDS + CAPACITY * SLOT_WORDS > PLACE_WORD) throw new Error("the table is too large");

/** What `new Mutex` and its kin take. */
export interface TestPool {
  /** This thread's agent. */
  readonly agent: Agent;
  /** Hands out lines, one after the other; counts those that are out. */
  readonly allocator: { allocate(bytes: number, align?: number): number; free(address: number): void; live: number };
}

/** Makes a shared memory with an empty agent table. */
export function createLockMemory(): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const words = new Int32Array(memory.buffer);
  words[TABLE_WORD + TABLE_CAPACITY] = CAPACITY;
  words[PAGES_WORD] = PAGES;
  return memory;
}

/** Attaches an agent. */
export function attachAgent(
  memory: WebAssembly.Memory | SharedMemory,
  options: AgentOptions = {},
  intrinsics?: Intrinsics,
): Agent {
  const shared = memory instanceof SharedMemory
    ? memory
    : new SharedMemory(memory, intrinsics ?? instantiateIntrinsics(memory));
  return new Agent(shared, TABLE_WORD, PAGES_WORD, options);
}

/** Attaches an agent as a pool. */
export function attachPool(memory: WebAssembly.Memory | SharedMemory, options: AgentOptions = {}): TestPool {
  let next = (PLACE_WORD + 2048) * 4;
  return {
    agent: attachAgent(memory, options),
    allocator: {
      live: 0,
      allocate(bytes: number): number {
        const address = next;
        next += Math.ceil(bytes / 64) * 64;
        this.live++;
        return address;
      },
      free(): void {
        this.live--;
      },
    },
  };
}

/** Byte address of the n-th place. */
export function placeOf(index: number): number {
  return (PLACE_WORD + index * 64) * 4;
}
