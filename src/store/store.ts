/**
 * What one agent needs to work on the filesystem of a pool: its agent, its heap, its scratch and the roots.
 *
 * The scratch is a block in the pool that only its agent uses: the bytes of the names of the path being walked, where the
 * intrinsics can compare them, and a buffer for copies between addresses that differ modulo 8.
 *
 * @module
 */
import type { Heap } from "../alloc/heap.ts";
import { SLOT_SCRATCH } from "../layout/agent_table.ts";
import { SUPER_HASH_SEED, SUPER_ROOT } from "../layout/superblock.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import type { Intrinsics } from "../memory/intrinsics.ts";
import type { SharedMemory } from "../memory/shared_memory.ts";
import type { Agent } from "../sync/agent.ts";

/** Bytes of the scratch for the names of a path. A path has at most 4095 bytes; two are walked in a rename. */
export const NAMES_BYTES = 4096;
/** Bytes of the scratch for copies. */
const COPY_BYTES = 16384 + 64;
/** Bytes of the whole scratch. */
const SCRATCH_BYTES = 2 * NAMES_BYTES + COPY_BYTES;

/** One agent's access to the filesystem of a pool. */
export class Store {
  /** The agent. */
  readonly agent: Agent;
  /** Its views. */
  readonly memory: SharedMemory;
  /** The intrinsics, for short. */
  readonly wasm: Intrinsics;
  /** The heap of the pool. */
  readonly heap: Heap;
  /** Word of the root directory's inode. */
  readonly rootWord: number;
  /** Seed of the name hash. */
  readonly hashSeed: number;
  /** Byte view over the scratch for names. */
  readonly names: Uint8Array;
  /** Word of the scratch for names. */
  readonly namesWord: number;
  /** What debug level 3 found wrong under a lock, to be thrown once nothing is held. */
  corruption: string | undefined;

  private constructor(agent: Agent, heap: Heap, scratchAddr: number) {
    this.agent = agent;
    this.memory = agent.memory;
    this.wasm = agent.wasm;
    this.heap = heap;
    this.rootWord = this.memory.i32[SUPER_ROOT]! * GRANULE_WORDS;
    this.hashSeed = this.memory.i32[SUPER_HASH_SEED]!;
    this.names = this.memory.view(scratchAddr, 2 * NAMES_BYTES);
    this.namesWord = scratchAddr / 4;
    this.memory.useScratch(scratchAddr + 2 * NAMES_BYTES, COPY_BYTES);
  }

  /**
   * Allocates the agent's scratch.
   *
   * @returns the store, or a negative errno where the pool has no room for the scratch.
   */
  static open(agent: Agent, heap: Heap): Store | number {
    const scratchAddr = heap.allocate(SCRATCH_BYTES, 64);
    if (scratchAddr < 0) return scratchAddr;
    agent.memory.i32[agent.slotWord + SLOT_SCRATCH] = scratchAddr / GRANULE_BYTES;
    return new Store(agent, heap, scratchAddr);
  }

  /** Gives the scratch back. The store is not used any more. */
  close(): void {
    const { i32 } = this.memory;
    i32[this.agent.slotWord + SLOT_SCRATCH] = 0;
    this.heap.free(this.namesWord * 4);
  }
}
