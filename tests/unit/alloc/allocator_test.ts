import { Allocator } from "../../../src/alloc/allocator.ts";
import { AllocatorAddressError } from "../../../src/alloc/errors.ts";
import { ErrnoError } from "../../../src/memory/errors.ts";
import type { AgentOptions } from "../../../src/sync/agent.ts";
import { assert, assertEquals, assertGreater, assertNotEquals, assertThrows } from "../../support/assert.ts";
import { attachHeap, createHeapMemory, fillPattern, findForeign } from "./support.ts";

function createAllocator(bytes = 2 ** 18, options: AgentOptions = {}): Allocator {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  Allocator.format(memory, { offset: 4096, bytes });
  return Allocator.attach(memory, { offset: 4096, debugLevel: 3, ...options });
}

function bytesOf(allocator: Allocator, address: number, bytes: number): Uint8Array {
  return new Uint8Array(allocator.memory.buffer, address, bytes);
}

function assertErrno(code: string, call: () => unknown): void {
  assertEquals(assertThrows(call, ErrnoError).code, code);
}

Deno.test("Allocator.allocate() gives aligned addresses within the region", () => {
  const allocator = createAllocator();
  for (let align = 1; align <= 4096; align *= 2) {
    const address = allocator.allocate(100, align);
    assertEquals(address % Math.max(16, align), 0);
    assertGreater(address, 4096);
  }
  assertEquals(allocator.check(), []);
});

Deno.test("Allocator refuses sizes and alignments that are none, and says what they were", () => {
  const allocator = createAllocator();
  const address = allocator.allocate(100);
  const calls: [string, (bytes: number, align?: number) => unknown][] = [
    ["allocate", (bytes, align) => allocator.allocate(bytes, align)],
    ["allocate", (bytes, align) => allocator.tryAllocate(bytes, align)],
    ["reallocate", (bytes, align) => allocator.reallocate(address, bytes, align)],
  ];
  for (const [name, call] of calls) {
    for (const bytes of [0, -1, NaN, 1.5, Infinity, 2 ** 53]) {
      assertThrows(() => call(bytes), RangeError, `Cannot ${name}: bytes is ${bytes}`);
    }
    for (const bytes of ["8", null, undefined, 8n, {}]) {
      assertThrows(() => call(bytes as unknown as number), TypeError, `Cannot ${name}: bytes is ${String(bytes)}`);
    }
    for (const align of [0, -16, 3, 24, 2.5, 8192, NaN, Infinity]) {
      assertThrows(() => call(8, align), RangeError, `Cannot ${name}: align is ${align}`);
    }
    assertThrows(() => call(8, "16" as unknown as number), TypeError, `Cannot ${name}: align is 16`);
  }
  assertEquals(allocator.stats().liveBlocks, 1);
});

Deno.test("Allocator.allocate() throws ENOSPC and tryAllocate() returns 0 when full", () => {
  const allocator = createAllocator();
  assertErrno("ENOSPC", () => allocator.allocate(2 ** 20));
  const error = assertThrows(() => allocator.allocate(2 ** 20, 64), ErrnoError);
  assertEquals(error.message, "ENOSPC: no space left on device, allocate: 1048576 bytes aligned to 64 asked for");
  assertEquals(allocator.tryAllocate(2 ** 20), 0);
  assertEquals(allocator.tryAllocate(2 ** 40), 0);
  assertGreater(allocator.tryAllocate(2 ** 10), 0);
});

Deno.test("Allocator.free() refuses a double free, a foreign and a misaligned address, and leaves the heap intact", () => {
  const allocator = createAllocator();
  const other = createAllocator();
  const address = allocator.allocate(100);
  const freed = allocator.allocate(100);
  allocator.allocate(100);
  const foreign = Array.from({ length: 5 }, () => other.allocate(3000)).at(-1)!;
  allocator.free(freed);
  const before = [...allocator.walk()];
  const cases: [unknown, string][] = [
    [freed, "is not in use: it has been freed, or never was allocated"],
    [foreign, "lies outside of the heap's blocks"],
    [address + 8, "is no multiple of 16"],
    [address + 1, "is no multiple of 16"],
    [address + 16, "is not"],
    [0, "lies outside of the heap's blocks"],
    [-16, "lies outside of the heap's blocks"],
    [NaN, "is no multiple of 16"],
    [undefined, "is no number"],
  ];
  for (const [wrong, why] of cases) {
    for (
      const [operation, call] of [
        ["free", (at: number) => allocator.free(at)],
        ["reallocate", (at: number) => allocator.reallocate(at, 10)],
        ["tell the length", (at: number) => allocator.usableBytes(at)],
      ] as const
    ) {
      const error = assertThrows(() => call(wrong as number), AllocatorAddressError, why);
      assertEquals(error.code, "ERR_ALLOCATOR_ADDRESS");
      assert(error.message.startsWith(`Cannot ${operation}: the address ${wrong} `), error.message);
      assertEquals(error.address, wrong as number);
    }
  }
  assertEquals([...allocator.walk()], before);
  assertEquals(allocator.check(), []);
});

Deno.test("Allocator.reallocate() shrinks in place and returns the space", () => {
  const allocator = createAllocator();
  const address = allocator.allocate(1000);
  allocator.allocate(16);
  const { liveBytes } = allocator.stats();
  assertEquals(allocator.reallocate(address, 100), address);
  assertEquals(allocator.usableBytes(address), 104);
  assertEquals(allocator.stats().liveBytes, liveBytes - 1000 + 104);
});

Deno.test("Allocator.reallocate() grows forwards, into the tail, and backwards before it moves", () => {
  const allocator = createAllocator();
  const fill = (address: number) => fillPattern(bytesOf(allocator, address, 1000), 5);
  const holds = (address: number) => assertEquals(findForeign(bytesOf(allocator, address, 1000), 5), -1);
  const first = allocator.allocate(1000);
  const address = allocator.allocate(1000);
  fill(address);
  assertEquals(allocator.reallocate(address, 3000), address, "into the tail");
  const guard = allocator.allocate(1000);
  const end = allocator.allocate(16);
  allocator.free(guard);
  assertEquals(allocator.reallocate(address, 4000), address, "forwards");
  allocator.free(first);
  assertEquals(allocator.reallocate(address, 4800), first, "backwards");
  holds(first);
  const moved = allocator.reallocate(first, 20000);
  assertGreater(moved, end, "elsewhere");
  holds(moved);
  assertEquals(allocator.check(), []);
  allocator.free(moved);
  allocator.free(end);
  assertEquals([...allocator.walk()].length, 1);
});

Deno.test("Allocator.reallocate() moves rather than copying many short pieces backwards, unless there is no room", () => {
  const allocator = createAllocator();
  const hole = allocator.allocate(32);
  const address = allocator.allocate(20000);
  allocator.allocate(16);
  fillPattern(bytesOf(allocator, address, 20000), 3);
  allocator.free(hole);
  const { tailBytes } = allocator.stats();
  const filler = allocator.allocate(tailBytes - 100);
  assertEquals(allocator.reallocate(address, 20010), hole);
  assertEquals(findForeign(bytesOf(allocator, hole, 20000), 3), -1);
  allocator.free(filler);
  const next = allocator.reallocate(hole, 30000);
  assertNotEquals(next, hole);
  assertEquals(findForeign(bytesOf(allocator, next, 20000), 3), -1);
  assertEquals(allocator.check(), []);
});

Deno.test("Allocator.reallocate() leaves a block as it is where there is no room", () => {
  const allocator = createAllocator();
  const address = allocator.allocate(1000);
  fillPattern(bytesOf(allocator, address, 1000), 9);
  const before = [...allocator.walk()];
  assertErrno("ENOSPC", () => allocator.reallocate(address, 2 ** 20));
  assertEquals([...allocator.walk()], before);
  assertEquals(findForeign(bytesOf(allocator, address, 1000), 9), -1);
});

Deno.test("Allocator.reallocate() keeps the alignment that is asked for", () => {
  const allocator = createAllocator();
  allocator.allocate(16);
  const address = allocator.allocate(1000);
  fillPattern(bytesOf(allocator, address, 1000), 1);
  const aligned = allocator.reallocate(address, 500, 1024);
  assertEquals(aligned % 1024, 0);
  assertEquals(findForeign(bytesOf(allocator, aligned, 500), 1), -1);
  assertEquals(allocator.reallocate(aligned, 600, 1024), aligned);
  assertEquals(allocator.check(), []);
});

Deno.test("Allocator.walk() and stats() agree", () => {
  const allocator = createAllocator();
  const addresses = [100, 2000, 30].map((bytes) => allocator.allocate(bytes));
  allocator.free(addresses[1]);
  const blocks = [...allocator.walk()];
  assertEquals(blocks.map(({ address, free, arena }) => [address, free, arena]), [
    [addresses[0], false, 0],
    [addresses[1], true, 0],
    [addresses[2], false, 0],
  ]);
  const stats = allocator.stats();
  assertEquals(stats.liveBlocks, 2);
  assertEquals(stats.liveBytes, blocks[0].bytes + blocks[2].bytes);
  assertEquals(stats.freeBytes, blocks[1].bytes + 8);
  assertEquals(stats.fragmentation, 0);
});

Deno.test("A read-only allocator looks, and changes nothing", () => {
  const allocator = createAllocator();
  const address = allocator.allocate(100);
  const reader = Allocator.attach(allocator.memory, { offset: 4096, readOnly: true });
  assertErrno("EROFS", () => reader.allocate(1));
  assertErrno("EROFS", () => reader.tryAllocate(1));
  assertErrno("EROFS", () => reader.free(address));
  assertErrno("EROFS", () => reader.reallocate(address, 1));
  assertErrno("EROFS", () => reader.retire(allocator.agentId));
  assertEquals(reader.usableBytes(address), 104);
  assertEquals(reader.stats().liveBlocks, 1);
  assertEquals(reader.check(), []);
  assertEquals([...reader.walk()].length, 1);
});

Deno.test("Allocator.detach() frees the slot, keeps the blocks, and ends all further calls with EIDRM", () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  Allocator.format(memory, { bytes: 2 ** 17, agents: 1 });
  let address: number;
  let gone: Allocator;
  {
    using allocator = Allocator.attach(memory);
    address = allocator.allocate(100);
    assertThrows(() => Allocator.attach(memory), Error, "all 1 agent slots are taken");
    gone = allocator;
  }
  gone.detach();
  using allocator = Allocator.attach(memory);
  assertNotEquals(allocator.agentId, gone.agentId);
  assertEquals(allocator.usableBytes(address), 104);
  for (
    const call of [
      () => gone.allocate(1),
      () => gone.tryAllocate(1),
      () => gone.free(address),
      () => gone.reallocate(address, 500),
      () => gone.stats(),
      () => gone.check(),
      () => gone.walk(),
    ]
  ) assertErrno("EIDRM", call);
  allocator.free(address);
  assertEquals(allocator.check(), []);
});

Deno.test("Allocator.retire() fences an agent that is gone and frees its slot", () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  Allocator.format(memory, { bytes: 2 ** 17, agents: 2 });
  const lost = Allocator.attach(memory);
  const allocator = Allocator.attach(memory);
  const address = lost.allocate(100);
  assertErrno("EINVAL", () => allocator.retire(allocator.agentId));
  assertErrno("EINVAL", () => allocator.retire(lost.agentId + 4096));
  assertErrno("EINVAL", () => allocator.retire(0.5));
  allocator.retire(lost.agentId);
  assertErrno("EIDRM", () => allocator.retire(lost.agentId));
  assertErrno("EIDRM", () => lost.free(address));
  using next = Allocator.attach(memory);
  next.free(address);
  assertErrno("EIDRM", () => lost.allocate(1));
  assertEquals(allocator.check(), []);
});

Deno.test("The allocator of a heap with agents of its own does not detach or retire them", () => {
  const heap = attachHeap(createHeapMemory(2));
  const allocator = new Allocator(heap);
  allocator.detach();
  assertGreater(allocator.allocate(10), 0);
  assertThrows(() => allocator.retire(1), TypeError, "use the filesystem's retire");
});

Deno.test("At debug level 0 an allocator does the same with less checking", () => {
  const allocator = createAllocator(2 ** 18, { debugLevel: 0 });
  const addresses = Array.from({ length: 50 }, (_, index) => allocator.allocate(index * 20 + 1));
  for (const address of addresses) allocator.free(address);
  assertEquals(allocator.check(), []);
  assertEquals(allocator.stats().liveBlocks, 0);
});
