import { Allocator } from "../../../src/alloc/allocator.ts";
import { Heap } from "../../../src/alloc/heap.ts";
import {
  REGION_COMPATIBILITY,
  REGION_GRANULES,
  REGION_READY,
  REGION_VERSION,
  REGION_WORDS,
} from "../../../src/layout/heap.ts";
import {
  AgentTableFullError,
  IncompatibleLayoutError,
  TruncatedMemoryError,
  UnformattedError,
  UnknownVersionError,
  WrongMagicError,
} from "../../../src/memory/errors.ts";
import { assertEquals, assertGreater, assertLess, assertStringIncludes, assertThrows } from "../../support/assert.ts";

function createMemory(pages = 4): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

function createRegion(offset = 0): { memory: WebAssembly.Memory; i32: Int32Array } {
  const memory = createMemory();
  Allocator.format(memory, { offset, bytes: 2 ** 17 });
  return { memory, i32: new Int32Array(memory.buffer, offset) };
}

Deno.test("Allocator.format() keeps within the region", () => {
  const memory = createMemory();
  const bytes = new Uint8Array(memory.buffer).fill(0xa5);
  Allocator.format(memory, { offset: 65536, bytes: 100000 });
  using allocator = Allocator.attach(memory, { offset: 65536 });
  for (let size = 50000; size >= 1;) {
    const address = allocator.tryAllocate(size);
    if (address === 0) size = Math.floor(size / 2);
    else bytes.fill(0, address, address + allocator.usableBytes(address));
  }
  assertEquals(allocator.check(), []);
  assertEquals(bytes.subarray(0, 65536).findIndex((byte) => byte !== 0xa5), -1);
  assertEquals(bytes.subarray(165536).findIndex((byte) => byte !== 0xa5), -1);
  const { footprintBytes, tailBytes, overheadBytes } = allocator.stats();
  assertGreater(footprintBytes + tailBytes, 100000 - REGION_WORDS * 4 - 16 * 512 - 64);
  assertLess(overheadBytes, 4096);
});

Deno.test("Two regions of one memory know nothing of each other", () => {
  const memory = createMemory();
  Allocator.format(memory, { offset: 0, bytes: 2 ** 17 });
  using first = Allocator.attach(memory);
  const address = first.allocate(1000);
  Allocator.format(memory, { offset: 2 ** 17, bytes: 2 ** 17 });
  using second = Allocator.attach(memory, { offset: 2 ** 17 });
  assertThrows(() => second.free(address), RangeError, "lies outside");
  second.allocate(1000);
  assertEquals(first.stats().liveBlocks, 1);
  assertEquals(first.check(), []);
  assertEquals(second.check(), []);
});

Deno.test("Allocator.format() gives the smallest region one block, and refuses a smaller one", () => {
  const memory = createMemory();
  const least = REGION_WORDS * 4 + 512 + Heap.minimumBytes;
  assertThrows(
    () => Allocator.format(memory, { bytes: least - 1, agents: 1 }),
    RangeError,
    `bytes is ${least - 1}, expected a whole number, at least ${least} for 1 agents`,
  );
  Allocator.format(memory, { bytes: least, agents: 1 });
  using allocator = Allocator.attach(memory);
  assertGreater(allocator.tryAllocate(24), 0);
  assertEquals(allocator.tryAllocate(24), 0);
  assertEquals(allocator.check(), []);
});

Deno.test("Allocator.format() refuses what is no region of a shared memory", () => {
  const memory = createMemory();
  const bytes = 2 ** 17;
  assertThrows(() => Allocator.format({} as WebAssembly.Memory, { bytes }), TypeError, "expected a WebAssembly.Memory");
  assertThrows(
    () => Allocator.format(new WebAssembly.Memory({ initial: 4 }), { bytes }),
    TypeError,
    "the memory is not shared",
  );
  assertThrows(() => Allocator.format(memory, { bytes: "1" as unknown as number }), TypeError, "bytes is 1");
  assertThrows(() => Allocator.format(memory, { offset: "0" as unknown as number, bytes }), TypeError, "offset is 0");
  for (const wrong of [-64, 32, 1.5, NaN]) {
    assertThrows(() => Allocator.format(memory, { offset: wrong, bytes }), RangeError, `offset is ${wrong}`);
  }
  for (const wrong of [0, -1, NaN, 100000.5]) {
    assertThrows(() => Allocator.format(memory, { bytes: wrong }), RangeError, `bytes is ${wrong}`);
  }
  for (const wrong of [0, 1025, 1.5, NaN]) {
    assertThrows(() => Allocator.format(memory, { bytes, agents: wrong }), RangeError, `agents is ${wrong}`);
  }
  assertThrows(
    () => Allocator.format(memory, { offset: 2 ** 17, bytes: 2 ** 17 + 64 }),
    RangeError,
    "the region ends at 262208, the memory at 262144",
  );
});

Deno.test("Allocator.attach() refuses a memory without a region", () => {
  const error = assertThrows(() => Allocator.attach(createMemory()), WrongMagicError);
  assertStringIncludes(error.message, '"ExtMHeap"');
  assertEquals(error.code, "ERR_POOL_MAGIC");
  assertThrows(() => Allocator.attach(createMemory(), { offset: 4 * 65536 - 64 }), TruncatedMemoryError);
  assertThrows(() => Allocator.attach(createMemory(), { offset: 8 }), RangeError, "offset is 8");
});

Deno.test("Allocator.attach() refuses another format version", () => {
  const { memory, i32 } = createRegion(4096);
  i32[REGION_VERSION] = 99;
  const error = assertThrows(() => Allocator.attach(memory, { offset: 4096 }), UnknownVersionError);
  assertStringIncludes(error.message, "99");
});

Deno.test("Allocator.attach() refuses another layout", () => {
  const { memory, i32 } = createRegion();
  i32[REGION_COMPATIBILITY + 7] ^= 1;
  const error = assertThrows(() => Allocator.attach(memory), IncompatibleLayoutError);
  assertEquals(error.found.length, 64);
  assertEquals(error.expected.length, 64);
});

Deno.test("Allocator.attach() refuses a memory that ends before the region does", () => {
  const { memory, i32 } = createRegion();
  i32[REGION_GRANULES] = 2 ** 20;
  const error = assertThrows(() => Allocator.attach(memory), TruncatedMemoryError);
  assertStringIncludes(error.message, "at least 16777216");
});

Deno.test("Allocator.attach() refuses a region whose formatting was cut off", () => {
  const { memory, i32 } = createRegion();
  i32[REGION_READY] = 0;
  assertThrows(() => Allocator.attach(memory), UnformattedError);
});

Deno.test("Allocator.attach() refuses one agent more than there are slots", () => {
  const memory = createMemory();
  Allocator.format(memory, { bytes: 2 ** 17, agents: 3 });
  const attached = [1, 2, 3].map(() => Allocator.attach(memory));
  assertThrows(() => Allocator.attach(memory), AgentTableFullError);
  attached[1].detach();
  using again = Allocator.attach(memory);
  assertGreater(again.allocate(1), 0);
});
