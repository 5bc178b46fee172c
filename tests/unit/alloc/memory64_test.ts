/**
 * Regions above 4 GiB, and above 8 GiB, where word indices leave the small integers.
 *
 * @module
 */
import { Allocator } from "../../../src/alloc/allocator.ts";
import { assert, assertEquals, assertGreater } from "../../support/assert.ts";
import { fillPattern, findForeign, logUniform, randomOf } from "./support.ts";

const GIBIBYTE = 2 ** 30;

/** Creates a shared memory with 64-bit addresses; only what is touched costs memory. */
function createMemory64(bytes: number): WebAssembly.Memory {
  const pages = BigInt(bytes / 65536);
  const descriptor = { initial: pages, maximum: pages, shared: true, address: "i64" };
  return new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
}

for (const offset of [4 * GIBIBYTE, 6 * GIBIBYTE - 65536, 8 * GIBIBYTE - 2 ** 20, 9 * GIBIBYTE]) {
  Deno.test(`Allocator works at ${offset}, and touches nothing ${4 * GIBIBYTE} below`, () => {
    const bytes = 2 ** 21;
    const memory = createMemory64(offset + 2 ** 22);
    const { buffer } = memory;
    const below = new Uint8Array(buffer, offset - 4 * GIBIBYTE, bytes).fill(0x5a);
    Allocator.format(memory, { offset, bytes });
    using allocator = Allocator.attach(memory, { offset, debugLevel: 3 });
    const random = randomOf(64);
    const live: [address: number, bytes: number, stamp: number][] = [];
    for (let step = 0; step < 1500; step++) {
      const index = Math.floor(random() * live.length);
      const choice = random();
      if (choice < 0.45 || live.length === 0) {
        const size = logUniform(random, 30000);
        const address = allocator.tryAllocate(size, random() < 0.3 ? 64 : 16);
        if (address === 0) continue;
        assert(address >= offset && address + size <= offset + bytes);
        fillPattern(new Uint8Array(buffer, address, size), step);
        live.push([address, size, step]);
      } else {
        const [address, size, stamp] = live[index];
        assertEquals(findForeign(new Uint8Array(buffer, address, size), stamp), -1);
        if (choice < 0.85) {
          allocator.free(address);
          live.splice(index, 1);
        } else {
          const next = logUniform(random, 30000);
          if (allocator.stats().tailBytes < 2 ** 16) continue;
          const moved = allocator.reallocate(address, next);
          assertEquals(findForeign(new Uint8Array(buffer, moved, Math.min(size, next)), stamp), -1);
          fillPattern(new Uint8Array(buffer, moved, next), stamp);
          live[index] = [moved, next, stamp];
        }
      }
      if (step % 50 === 0) assertEquals(allocator.check(), []);
    }
    assertGreater(live.length, 10);
    assertEquals(below.findIndex((byte) => byte !== 0x5a), -1);
    for (const [address] of live) allocator.free(address);
    assertEquals(allocator.check(), []);
    assertEquals(allocator.stats().liveBlocks, 0);
    assertEquals([...allocator.walk()].length, 1);
  });
}

Deno.test("One allocator spans 5 GiB", () => {
  const memory = createMemory64(5 * GIBIBYTE);
  Allocator.format(memory, { bytes: 5 * GIBIBYTE });
  using allocator = Allocator.attach(memory, { debugLevel: 3 });
  const low = allocator.allocate(3 * GIBIBYTE);
  const high = allocator.allocate(1.5 * GIBIBYTE);
  assertEquals(allocator.usableBytes(high), 1.5 * GIBIBYTE + 8);
  const end = high + 1.5 * GIBIBYTE;
  assertGreater(end, 4 * GIBIBYTE);
  new Uint8Array(memory.buffer, end - 4, 4).set([1, 2, 3, 4]);
  assertEquals(allocator.tryAllocate(GIBIBYTE), 0);
  assertEquals(allocator.check(), []);
  allocator.free(low);
  const again = allocator.allocate(2 * GIBIBYTE, 4096);
  assertGreater(2 * GIBIBYTE, again);
  const longer = allocator.reallocate(high, 1.5 * GIBIBYTE + 4096);
  assertEquals(longer, high, "into the tail");
  assertEquals([...new Uint8Array(memory.buffer, end - 4, 4)], [1, 2, 3, 4]);
  allocator.free(again);
  allocator.free(longer);
  assertEquals(allocator.check(), []);
  assertEquals([...allocator.walk()].length, 1);
});
