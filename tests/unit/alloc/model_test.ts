/**
 * Random operations on a heap against a model that knows which bytes belong to whom: no block overlaps another, every
 * block keeps its contents, and the heap is whole after each step.
 *
 * @module
 */
import fc from "fast-check";
import { Allocator } from "../../../src/alloc/allocator.ts";
import type { Heap } from "../../../src/alloc/heap.ts";
import { ErrnoError } from "../../../src/memory/errors.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { assertEmpty, attachHeap, check, createHeapMemory, fillPattern, findForeign, stats, walk } from "./support.ts";

/** One step: what to do, to which of the live blocks, by which of the agents. */
interface Step {
  kind: "allocate" | "free" | "reallocate" | "extend" | "shrink";
  pick: number;
  bytes: number;
  align: number;
  agent: number;
}

interface Live {
  address: number;
  bytes: number;
  stamp: number;
}

/** All orders of magnitude alike. */
const size = fc.tuple(fc.integer({ min: 0, max: 14 }), fc.nat(2 ** 15)).map(([power, more]) => 1 + more % 2 ** power);

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("allocate", "allocate", "allocate", "free", "free", "reallocate", "extend", "shrink"),
  pick: fc.nat(),
  bytes: size,
  align: fc.constantFrom(16, 16, 16, 16, 64, 64, 128, 4096, 1, 32),
  agent: fc.nat(),
});

class Model {
  readonly live: Live[] = [];
  readonly #heaps: readonly Heap[];
  readonly #allocators: readonly Allocator[];
  #stamp = 0;

  constructor(heaps: readonly Heap[]) {
    this.#heaps = heaps;
    this.#allocators = heaps.map((heap) => new Allocator(heap));
  }

  run(step: Step): void {
    const heap = this.#heaps[step.agent % this.#heaps.length];
    const allocator = this.#allocators[step.agent % this.#heaps.length];
    if (step.kind === "allocate" || this.live.length === 0) {
      const address = allocator.tryAllocate(step.bytes, step.align);
      if (address === 0) return;
      assertEquals(address % Math.max(16, step.align), 0);
      const block = { address, bytes: step.bytes, stamp: this.#stamp++ };
      this.#write(block);
      this.live.push(block);
      return;
    }
    const index = step.pick % this.live.length;
    const block = this.live[index];
    this.#verify(block, block.bytes);
    switch (step.kind) {
      case "free":
        allocator.free(block.address);
        this.live.splice(index, 1);
        return;
      case "reallocate":
        try {
          block.address = allocator.reallocate(block.address, step.bytes, step.align);
        } catch (error) {
          assert(error instanceof ErrnoError && error.code === "ENOSPC", String(error));
          this.#verify(block, block.bytes);
          return;
        }
        assertEquals(block.address % Math.max(16, step.align), 0);
        this.#verify(block, Math.min(block.bytes, step.bytes));
        block.bytes = step.bytes;
        break;
      case "extend": {
        const wanted = step.bytes + step.align;
        const usable = heap.extend(block.address, step.bytes, wanted);
        if (usable === 0) return;
        assert(usable >= step.bytes && usable === heap.usableBytes(block.address));
        this.#verify(block, block.bytes);
        block.bytes = Math.max(block.bytes, usable);
        break;
      }
      case "shrink":
        block.bytes = Math.min(block.bytes, step.bytes);
        assert(heap.shrink(block.address, block.bytes) >= block.bytes);
        this.#verify(block, block.bytes);
        return;
    }
    this.#write(block);
  }

  /** The heap's blocks are exactly the model's, and nothing overlaps. */
  compare(): void {
    const heap = this.#heaps[0];
    assertEquals(check(heap), []);
    const found = walk(heap).filter((block) => !block.free).sort((left, right) => left.address - right.address);
    const expected = this.live.toSorted((left, right) => left.address - right.address);
    assertEquals(found.map(({ address }) => address), expected.map(({ address }) => address));
    for (const [index, { address, bytes }] of found.entries()) {
      assert(bytes >= expected[index].bytes);
      if (index > 0) assert(found[index - 1].address + found[index - 1].bytes <= address - 8);
    }
    assertEquals(stats(heap).liveBlocks, expected.length);
  }

  finish(): void {
    for (const block of this.live) {
      this.#verify(block, block.bytes);
      this.#allocators[0].free(block.address);
    }
    assertEmpty(this.#heaps[0]);
  }

  #write(block: Live): void {
    fillPattern(this.#bytes(block), block.stamp);
  }

  #verify(block: Live, bytes: number): void {
    const foreign = findForeign(this.#bytes({ ...block, bytes }), block.stamp);
    assertEquals(foreign, -1, `the block at ${block.address} has lost its byte ${foreign}`);
  }

  #bytes({ address, bytes }: { address: number; bytes: number }): Uint8Array {
    return new Uint8Array(this.#heaps[0].agent.memory.memory.buffer, address, bytes);
  }
}

for (const debugLevel of [0, 3] as const) {
  Deno.test(`Allocator agrees with a model over random operations, debug level ${debugLevel}`, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80, size: "max" }), (steps) => {
        const model = new Model([attachHeap(createHeapMemory(1, 3), { debugLevel })]);
        for (const each of steps) {
          model.run(each);
          model.compare();
        }
        model.finish();
      }),
      { numRuns: 150 },
    );
  });

  Deno.test(`Allocators of three agents agree with a model over random operations, debug level ${debugLevel}`, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400, size: "max" }), (steps) => {
        // The ballast makes each agent begin in an arena of its own.
        const memory = createHeapMemory(1, 80);
        const heaps = [1, 2, 3].map(() => attachHeap(memory, { debugLevel }));
        const ballast = heaps[0].allocate(4 << 20);
        const model = new Model(heaps);
        for (const each of steps) model.run(each);
        heaps[0].free(ballast);
        model.compare();
        model.finish();
      }),
      { numRuns: 40 },
    );
  });
}
