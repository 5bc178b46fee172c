/**
 * What programs do to an allocator that they should not, and memory that runs out everywhere.
 *
 * @module
 */
import { Allocator } from "../../src/alloc/allocator.ts";
import { AllocatorAddressError } from "../../src/alloc/errors.ts";
import { CorruptionError, ErrnoError } from "../../src/memory/errors.ts";
import { assert, assertEquals, assertGreater, assertNotEquals, assertThrows } from "../support/assert.ts";
import {
  assertEmpty,
  attachHeap,
  check,
  createHeapMemory,
  fillPattern,
  findForeign,
  formatHeapMemory,
  stats,
  walk,
} from "../unit/alloc/support.ts";

function createAllocators(count: number, debugLevel: 0 | 1 | 2 | 3 = 1): Allocator[] {
  const memory = createHeapMemory(4, 16);
  return Array.from({ length: count }, () => new Allocator(attachHeap(memory, { debugLevel })));
}

Deno.test("evil: a block is freed by two agents, and the second is told", () => {
  const [first, second] = createAllocators(2);
  const addresses = Array.from({ length: 10 }, () => first.allocate(100));
  for (const address of addresses) {
    second.free(address);
    assertThrows(() => first.free(address), AllocatorAddressError, "is not in use");
  }
  assertEquals(first.check(), []);
});

Deno.test("evil: a block is freed again after its memory has become another's", () => {
  const [allocator] = createAllocators(1);
  const stale = allocator.allocate(100);
  allocator.free(stale);
  const address = allocator.allocate(100);
  assertEquals(address, stale, "the same place: this double free cannot be told from a free");
  allocator.free(stale);
  // But where the new block begins elsewhere, it can.
  const low = allocator.allocate(100);
  const high = allocator.allocate(100);
  allocator.free(low);
  allocator.free(high);
  const both = allocator.allocate(200);
  assertEquals(both, low);
  fillPattern(new Uint8Array(allocator.memory.buffer, both, 200), 1);
  assertThrows(() => allocator.free(high), AllocatorAddressError);
  assertEquals(findForeign(new Uint8Array(allocator.memory.buffer, both, 200), 1), -1);
  assertEquals(allocator.check(), []);
});

Deno.test("evil: a forged header, copied from a true one, is not taken for a block", () => {
  const [allocator] = createAllocators(1);
  const address = allocator.allocate(100);
  const target = allocator.allocate(1000);
  const bytes = new Uint8Array(allocator.memory.buffer);
  bytes.copyWithin(target + 8, address - 8, address);
  assertThrows(() => allocator.free(target + 16), AllocatorAddressError, "is not where a block begins");
  assertEquals(allocator.check(), []);
});

Deno.test("evil: an address of before the heap was formatted anew is refused", () => {
  const memory = createHeapMemory(4);
  const before = new Allocator(attachHeap(memory));
  const stale = Array.from({ length: 5 }, () => before.allocate(100));
  formatHeapMemory(memory, 4);
  const allocator = new Allocator(attachHeap(memory));
  allocator.allocate(5000);
  // The first of them is where the first block is now.
  for (const address of stale.slice(1)) assertThrows(() => allocator.free(address), AllocatorAddressError);
  assertEquals(allocator.check(), []);
});

Deno.test("evil: writing beyond a block is found by check(), and by debug level 3 at the block before", () => {
  const [allocator, other] = createAllocators(2, 3);
  const addresses = [1, 2, 3].map(() => allocator.allocate(100));
  new Uint8Array(allocator.memory.buffer, addresses[0] + allocator.usableBytes(addresses[0]), 8).fill(0xff);
  assertGreater(allocator.check().length, 0);
  assertThrows(() => allocator.reallocate(addresses[0], 90), CorruptionError, `block at ${addresses[1]}`);
  assertThrows(() => allocator.free(addresses[1]), AllocatorAddressError, "is not where a block begins");
  assertGreater(other.allocate(10), 0, "nothing stays locked");
});

Deno.test("evil: writing into a freed block is found by check()", () => {
  const [allocator] = createAllocators(1);
  const address = allocator.allocate(100);
  allocator.allocate(100);
  allocator.free(address);
  new Uint8Array(allocator.memory.buffer, address, 100).fill(7);
  assertGreater(allocator.check().length, 0);
});

Deno.test("evil: an agent frees, lengthens and looks at blocks in memory that others have added since", () => {
  const memory = createHeapMemory(1, 256);
  const stale = new Allocator(attachHeap(memory));
  const fresh = new Allocator(attachHeap(memory));
  fresh.allocate(40 * 65536);
  const [first, second, third, fourth] = [1, 2, 3, 4].map(() => fresh.allocate(5000));
  assertEquals(stale.usableBytes(first), 5000);
  stale.free(first);
  const longer = new Allocator(attachHeap(memory)).allocate(10);
  assertGreater(longer, 0);
  fresh.allocate(40 * 65536);
  const last = fresh.allocate(5000);
  stale.reallocate(last, 10000);
  for (const address of [second, third, fourth]) stale.free(address);
  assertThrows(() => stale.free(2 ** 31), AllocatorAddressError, "lies outside");
  assertEquals(stale.check(), []);
});

/** What is done with a heap while it runs out of memory: sizes, alignments, and lengthening. */
function exercise(allocator: Allocator, live: Set<number>): number {
  let refused = 0;
  const attempt = (action: () => void) => {
    const before = [...allocator.walk()].filter((block) => !block.free);
    try {
      action();
    } catch (error) {
      assert(error instanceof ErrnoError && error.code === "ENOSPC", String(error));
      refused++;
      assertEquals([...allocator.walk()].filter((block) => !block.free), before, "a refused call changes nothing");
    }
    assertEquals(allocator.check(), []);
  };
  const allocate = (bytes: number, align?: number) =>
    attempt(() => live.add(fill(allocator, allocator.allocate(bytes, align), bytes)));
  for (const bytes of [1, 100, 1000, 5000]) for (const align of [16, 64, 4096]) allocate(bytes, align);
  const [first, second, third] = live;
  if (third !== undefined) {
    attempt(() => {
      allocator.free(second);
      live.delete(second);
    });
    for (const bytes of [500, 3000, 9000]) {
      attempt(() => {
        const moved = allocator.reallocate(third, bytes);
        live.delete(third);
        live.add(fill(allocator, moved, 1));
      });
      if (!live.has(third)) break;
    }
    attempt(() => allocator.reallocate(first, 1));
  }
  return refused;
}

function fill(allocator: Allocator, address: number, bytes: number): number {
  fillPattern(new Uint8Array(allocator.memory.buffer, address, bytes), address);
  return address;
}

Deno.test("evil: memory runs out at every step; nothing is lost or locked, and all of it comes back", () => {
  const seen = new Set<number>();
  for (let bytes = 12400; bytes < 60000; bytes += 336) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    Allocator.format(memory, { bytes: Math.floor(bytes / 16) * 16, agents: 16 });
    using allocator = Allocator.attach(memory, { debugLevel: 3 });
    using other = Allocator.attach(memory);
    const live = new Set<number>();
    seen.add(exercise(allocator, live));
    assertEquals(other.stats().liveBlocks, live.size);
    for (const address of live) other.free(address);
    assertEquals(other.check(), []);
    const { liveBlocks, fragmentation } = other.stats();
    assertEquals({ liveBlocks, fragmentation }, { liveBlocks: 0, fragmentation: 0 });
  }
  assert(seen.has(0) && Math.max(...seen) > 10, `refusals: ${[...seen]}`);
});

Deno.test("evil: the engine refuses to grow the memory at every page", () => {
  for (let pages = 1; pages <= 24; pages++) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: pages, shared: true });
    formatHeapMemory(memory, 4096);
    const heap = attachHeap(memory, { debugLevel: 3 });
    const addresses: number[] = [];
    for (let bytes = 2 ** 20; bytes >= 1;) {
      const address = heap.allocate(bytes, bytes > 4096 ? 64 : 16);
      if (address > 0) addresses.push(address);
      else bytes = Math.floor(bytes / 3);
      assertEquals(heap.agent.depth, 0);
    }
    assertEquals(heap.agent.memory.pages, pages);
    assertEquals(check(heap), []);
    assertGreater(stats(heap).footprintBytes, (pages - 1) * 65536);
    for (const address of addresses) assertEquals(heap.free(address), 0);
    assertEmpty(heap);
    assertEquals(walk(heap).length, 1);
  }
});

Deno.test("evil: two workers free the same blocks at once; each is freed once, and the other is told", async () => {
  const count = 20000;
  const memory = createHeapMemory(4, 1024);
  const allocator = new Allocator(attachHeap(memory));
  const addresses = Array.from({ length: count }, (_, index) => allocator.allocate(1 + index % 200));
  const guard = allocator.allocate(1);
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers = [1, 2].map(() => new Worker(new URL("./allocator_worker.ts", import.meta.url), { type: "module" }));
  const freed = await Promise.all(workers.map((worker) =>
    new Promise<number>((resolve, reject) => {
      worker.onmessage = ({ data }) => data.error === undefined ? resolve(data.freed) : reject(new Error(data.error));
      worker.postMessage({ memory, addresses, gate });
    })
  ));
  for (const worker of workers) worker.terminate();
  assertEquals(freed[0] + freed[1], count);
  assertNotEquals(freed[0] * freed[1], 0, "both have met");
  assertEquals(allocator.stats().liveBlocks, 1);
  assertEquals(allocator.check(), []);
  allocator.free(guard);
});
