/**
 * What repair will rely on: an agent may die between any two stores, and the chains of blocks can be walked all the same.
 * The views are replaced by ones that walk all chains after every single store.
 *
 * @module
 */
import { Heap } from "../../../src/alloc/heap.ts";
import {
  ARENA_SEGMENTS,
  BLOCK_FREE,
  BLOCK_SIZE,
  BLOCK_SIZE_SHIFT,
  HEAP_ARENA_COUNT,
  HEAP_ARENAS,
  HEAP_FIRST,
  SEGMENT_FIRST_BLOCK,
  SEGMENT_GRANULES,
  SEGMENT_NEXT,
} from "../../../src/layout/heap.ts";
import { SharedMemory } from "../../../src/memory/shared_memory.ts";
import { Agent } from "../../../src/sync/agent.ts";
import { assert, assertEquals, assertGreater } from "../../support/assert.ts";
import {
  assertEmpty,
  attachHeap,
  check,
  createHeapMemory,
  HEAP_WORD,
  logUniform,
  PAGES_WORD,
  randomOf,
  TABLE_WORD,
} from "./support.ts";

/** A memory whose words call back after each plain store. */
class WatchedMemory extends SharedMemory {
  onStore: (() => void) | undefined;

  override refresh(): void {
    super.refresh();
    const plain = this.i32;
    this.i32 = new Proxy(plain, {
      get: (_, key) => {
        const value = Reflect.get(plain, key, plain);
        return typeof value === "function" ? value.bind(plain) : value;
      },
      set: (_, key, value) => {
        plain[Number(key)] = value;
        this.onStore?.();
        return true;
      },
    });
  }
}

/** All used blocks, by walking every chain from the words alone; fails where a chain cannot be walked. */
function walkChains(i32: Int32Array): Set<number> {
  const used = new Set<number>();
  const chain = (first: number, last: number | undefined) => {
    let block = first;
    for (let count = 0;; count++) {
      assert(count < 10000, `the chain from ${first} does not end`);
      const header = i32[block + BLOCK_SIZE];
      const granules = header >>> BLOCK_SIZE_SHIFT;
      if (granules === 0) break;
      assertGreater(granules, 1, `granules of the block at word ${block}`);
      if ((header & BLOCK_FREE) === 0) used.add((block + 2) * 4);
      block += granules * 4;
      assert(block < i32.length, `the chain from ${first} leaves the memory`);
    }
    if (last !== undefined) assertEquals(block, last, `end of the chain from ${first}`);
  };
  chain(i32[HEAP_WORD + HEAP_FIRST] * 4 + 2, undefined);
  for (let index = 1; index < i32[HEAP_WORD + HEAP_ARENA_COUNT]; index++) {
    const arena = i32[HEAP_WORD + HEAP_ARENAS + index] * 4;
    for (let ref = i32[arena + ARENA_SEGMENTS]; ref !== 0; ref = i32[ref * 4 + SEGMENT_NEXT]) {
      assert(used.has(ref * 16), "a segment is a used block of arena 0");
      const first = ref * 4 + SEGMENT_FIRST_BLOCK;
      chain(first, first + i32[ref * 4 + SEGMENT_GRANULES] * 4);
    }
  }
  return used;
}

for (const arenas of [1, 2]) {
  Deno.test(`All chains can be walked after every store, with ${arenas} arenas`, () => {
    // With one arena the memory is full of garbage, with two it grows.
    const memory = createHeapMemory(arenas === 1 ? 128 : 1, 128);
    if (arenas === 1) new Uint8Array(memory.buffer, (HEAP_WORD + Heap.headerWords + 4) * 4).fill(0xee);
    const other = attachHeap(memory);
    const ballast = arenas === 2 ? other.allocate(4 << 20) : 0;
    const watched = new WatchedMemory(memory);
    const heap = new Heap(new Agent(watched, TABLE_WORD, PAGES_WORD), HEAP_WORD);
    if (arenas === 2) assertEquals(heap.free(heap.allocate(1)), 0);
    const live = new Set<number>(ballast === 0 ? [] : [ballast]);
    let touched = 0;
    let stores = 0;
    watched.onStore = () => {
      stores++;
      const used = walkChains(new Int32Array(memory.buffer));
      for (const addr of live) assert(addr === touched || used.has(addr), `the block at ${addr} is lost`);
    };
    const random = randomOf(4711);
    for (let step = 0; step < 500; step++) {
      const own = [...live].filter((addr) => addr !== ballast);
      const choice = random();
      touched = own[Math.floor(random() * own.length)] ?? 0;
      if (choice < 0.45 || touched === 0) {
        touched = 0;
        const addr = heap.allocate(logUniform(random, 20000), random() < 0.3 ? 256 : 16);
        assertGreater(addr, 0);
        live.add(addr);
      } else if (choice < 0.75) {
        assertEquals(heap.free(touched), 0);
        live.delete(touched);
      } else if (choice < 0.85) {
        heap.shrink(touched, logUniform(random, heap.usableBytes(touched)));
      } else if (choice < 0.93) {
        heap.extend(touched, 1, logUniform(random, 40000));
      } else {
        const down = heap.extendDown(touched, heap.usableBytes(touched) + 16, 16, 0);
        if (down !== 0) {
          live.delete(touched);
          live.add(down);
        }
      }
      assertEquals(check(other), []);
    }
    assertGreater(stores, 5000);
    for (touched of live) {
      assertEquals(heap.free(touched), 0);
      live.delete(touched);
    }
    assertEmpty(other);
  });
}
