import { Heap } from "../../../src/alloc/heap.ts";
import {
  ARENA_GRANULES,
  ARENA_LIMIT,
  ARENA_LOCK,
  ARENA_SEGMENT_COUNT,
  ARENA_USER,
  HEAP_ARENA_0,
  HEAP_ARENA_COUNT,
  HEAP_ARENAS,
} from "../../../src/layout/heap.ts";
import { EAGAIN, EIDRM, EINVAL, ENOSPC } from "../../../src/layout/errno.ts";
import { instantiateIntrinsics } from "../../../src/memory/intrinsics.ts";
import { SharedMemory } from "../../../src/memory/shared_memory.ts";
import { Agent } from "../../../src/sync/agent.ts";
import { LOCK_TUNING } from "../../../src/sync/lock_tuning.ts";
import { lockExclusive, unlockExclusive } from "../../../src/sync/raw_lock.ts";
import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "../../support/assert.ts";
import {
  assertEmpty,
  attachHeap,
  check,
  createHeapMemory,
  HEAP_WORD,
  PAGES_WORD,
  stats,
  TABLE_WORD,
  walk,
} from "./support.ts";

const MEBIBYTE = 2 ** 20;
const MAIN_LOCK = HEAP_ARENA_0 + ARENA_LOCK;

/** Word of an arena. */
function arenaOf(heap: Heap, index: number): number {
  return heap.agent.memory.i32[heap.headerWord + HEAP_ARENAS + index] * 4;
}

function arenaCount(heap: Heap): number {
  return heap.agent.memory.i32[heap.headerWord + HEAP_ARENA_COUNT];
}

/** Two agents, the second of which begins in an arena of its own since the first has much in arena 0. */
function createTwo(maximumPages = 1024): { first: Heap; second: Heap; big: number } {
  const memory = createHeapMemory(4, maximumPages);
  const first = attachHeap(memory, { debugLevel: 3 });
  const second = attachHeap(memory, { debugLevel: 3 });
  const big = first.allocate(4 * MEBIBYTE);
  second.free(second.allocate(1));
  assertEquals(arenaCount(first), 2);
  return { first, second, big };
}

/** Runs with waits that end soon for agents that may not block. */
function impatiently(run: () => void): void {
  const { spinLimitMs } = LOCK_TUNING;
  LOCK_TUNING.spinLimitMs = 1;
  try {
    run();
  } finally {
    LOCK_TUNING.spinLimitMs = spinLimitMs;
  }
}

Deno.test("An agent alone stays in arena 0", () => {
  const heap = attachHeap(createHeapMemory(4, 1024));
  for (let count = 0; count < 20000; count++) heap.allocate(1000);
  assertEquals(arenaCount(heap), 1);
});

Deno.test("An agent that comes when another has much in arena 0 begins in an arena of its own", () => {
  const { first, second, big } = createTwo();
  const addr = second.allocate(100);
  assertEquals(walk(first).find((block) => block.address === addr)?.arena, 1);
  assertEquals(first.free(addr), 0, "who has not allocated it frees it");
  assertEquals(second.free(big), 0);
  assertEquals(check(first), []);
  assertEmpty(second);
});

Deno.test("An agent that comes when the other is gone takes arena 0", () => {
  const memory = createHeapMemory(4, 1024);
  const first = attachHeap(memory);
  first.allocate(4 * MEBIBYTE);
  first.agent.release();
  const second = attachHeap(memory);
  second.allocate(1);
  assertEquals(arenaCount(second), 1);
});

Deno.test("An agent leaves an arena after contention with others that allocate there, one agent at a time", () =>
  impatiently(() => {
    const memory = createHeapMemory(4, 1024);
    const holder = attachHeap(memory);
    const leavers = [1, 2].map(() => attachHeap(memory, { mayBlock: false }));
    for (const leaver of leavers) leaver.allocate(1);
    holder.allocate(1);
    const lockWord = holder.headerWord + MAIN_LOCK;
    assertEquals(lockExclusive(holder.agent, lockWord), 0);
    for (let count = 0; count < 3; count++) {
      for (const leaver of leavers) assertEquals(leaver.allocate(100), -EAGAIN);
    }
    unlockExclusive(holder.agent, lockWord);
    const arenas = leavers.map((leaver) => {
      const addr = leaver.allocate(100);
      return walk(holder).find((block) => block.address === addr)?.arena;
    });
    assertEquals(arenas, [1, 0], "of two that meet one leaves");
    assertEquals(check(holder), []);
  }));

Deno.test("An agent stays where others only give back blocks", () =>
  impatiently(() => {
    const memory = createHeapMemory(4, 1024);
    const other = attachHeap(memory);
    const heap = attachHeap(memory, { mayBlock: false });
    heap.allocate(1);
    const lockWord = heap.headerWord + MAIN_LOCK;
    assertEquals(lockExclusive(other.agent, lockWord), 0);
    for (let count = 0; count < 10; count++) assertEquals(heap.allocate(100), -EAGAIN);
    unlockExclusive(other.agent, lockWord);
    heap.allocate(100);
    assertEquals(arenaCount(heap), 1);
  }));

Deno.test("An arena whose agent is gone is taken over before a new one is made", () => {
  const { first, second } = createTwo();
  second.agent.release();
  const third = attachHeap(first.agent.memory.memory);
  third.allocate(1);
  assertEquals(arenaCount(first), 2);
  assertEquals(first.agent.memory.i32[arenaOf(first, 1) + ARENA_USER], third.agent.owner);
});

Deno.test("There are no more arenas than the limit", () => {
  const memory = createHeapMemory(4, 1024);
  const first = attachHeap(memory);
  first.allocate(4 * MEBIBYTE);
  const heaps = Array.from({ length: 12 }, () => attachHeap(memory));
  for (const heap of heaps) assertGreater(heap.allocate(1000), 0);
  assertEquals(arenaCount(first), ARENA_LIMIT);
  assertEquals(stats(first).arenas, ARENA_LIMIT);
  assertEquals(check(first), []);
});

Deno.test("A further arena takes segments as it grows, keeps one that is free and gives back the others", () => {
  const { first, second, big } = createTwo();
  const arena = arenaOf(first, 1);
  const { i32 } = first.agent.memory;
  const addrs: number[] = [];
  while (i32[arena + ARENA_SEGMENT_COUNT] < 20) addrs.push(second.allocate(1 + ((addrs.length * 97) % 3000)));
  assertEquals(check(first), []);
  const grown = i32[arena + ARENA_GRANULES] * 16;
  const { liveBytes, footprintBytes, overheadBytes } = stats(first);
  assertLess(grown, (liveBytes - 4 * MEBIBYTE) * 1.2);
  assertLess(overheadBytes, 20000 + addrs.length * 8);
  for (const [index, addr] of addrs.entries()) {
    assertEquals((index % 2 === 0 ? first : second).free(addr), 0);
    if (index % 64 === 0) assertEquals(check(first), []);
  }
  assertEquals(i32[arena + ARENA_SEGMENT_COUNT], 1);
  first.free(big);
  assertEmpty(first);
  assertEquals(stats(first).footprintBytes, footprintBytes);
});

Deno.test("A block too large for a segment comes from arena 0", () => {
  const { first, second } = createTwo();
  const addr = second.allocate(MEBIBYTE);
  assertEquals(walk(first).find((block) => block.address === addr)?.arena, 0);
});

Deno.test("What is left behind in arena 0 is used before more is added", () => {
  const { first, second, big } = createTwo();
  first.allocate(16);
  first.free(big);
  const { footprintBytes } = stats(first);
  for (let count = 0; count < 300; count++) second.allocate(10000);
  assertEquals(stats(first).footprintBytes, footprintBytes);
  assertEquals(check(first), []);
});

Deno.test("Before ENOSPC every arena gives back its free segments and is tried", () => {
  const { first, second, big } = createTwo(80);
  // Free segments stay with arena 1 where arena 0 cannot be had.
  const addrs: number[] = [];
  for (;;) {
    const addr = second.allocate(3000);
    if (addr < 0) {
      assertEquals(addr, -ENOSPC);
      break;
    }
    addrs.push(addr);
  }
  // Of each arena something is free now, too little for this in arena 0 alone.
  const mine = addrs.filter((_, index) => index % 2 === 0);
  for (const addr of mine) second.free(addr);
  let more = 0;
  while (first.allocate(3000) > 0) more++;
  assertEquals(more, mine.length);
  assertEquals(check(first), []);
  for (const block of walk(first)) if (!block.free) first.free(block.address);
  assertEquals(first.free(big), -EINVAL);
  assertEmpty(first);
  assertGreater(first.allocate(4 * MEBIBYTE), 0);
  assertGreater(first.allocate(1000000), 0, "the spare segment, too, is given back");
  assertEquals(check(first), []);
});

Deno.test("extend, extendDown and shrink stay within a segment", () => {
  const { first, second } = createTwo();
  const hole = second.allocate(5000);
  const addr = second.allocate(5000);
  assertEquals(second.free(hole), 0);
  const most = second.extend(addr, 6000, 2 ** 30);
  assertGreater(most, 6000);
  assertLess(most, 65536);
  assertEquals(check(first), []);
  assertEquals(second.extendDown(addr, 60000, 16, 0), hole);
  assertEquals(second.extendDown(hole, 70000, 16, 0), 0);
  assertEquals(check(first), []);
  assertEquals(second.shrink(hole, 100), 104);
  second.free(hole);
  assertEquals(check(first), []);
});

Deno.test("Heap.free() defers a block whose arena cannot be locked, and a later call frees it", () =>
  impatiently(() => {
    const memory = createHeapMemory(4);
    const other = attachHeap(memory);
    const heap = attachHeap(memory, { mayBlock: false });
    const addrs = [1, 2, 3].map(() => heap.allocate(100));
    const lockWord = heap.headerWord + MAIN_LOCK;
    assertEquals(lockExclusive(other.agent, lockWord), 0);
    assertEquals(heap.free(addrs[0]), 0);
    assertEquals(heap.free(addrs[1]), 0);
    unlockExclusive(other.agent, lockWord);
    assertEquals(stats(other).liveBlocks, 3);
    assertEquals(heap.free(addrs[2]), 0);
    assertEmpty(other);
  }));

Deno.test("A retired agent changes nothing any more", () => {
  const { first, second } = createTwo();
  const addr = second.allocate(100);
  second.agent.release();
  const before = walk(first);
  assertEquals(second.allocate(100), -EIDRM);
  assertEquals(second.free(addr), -EIDRM);
  assertEquals(second.extend(addr, 500, 500), 0);
  assertEquals(second.shrink(addr, 10), 104);
  assertEquals(second.extendDown(addr, 500, 16, 0), 0);
  assertEquals(walk(first), before);
  assertEquals(check(first), []);
  assertNotEquals(first.allocate(10), -EIDRM);
});

Deno.test("The blocks of arenas and segments cannot be freed", () => {
  const { first, second } = createTwo();
  second.allocate(100);
  const arena = arenaOf(first, 1);
  assertEquals(first.free(arena * 4), -EINVAL);
  assert(first.faultOf(arena * 4) !== "");
  assertEquals(check(first), []);
});

Deno.test("Who looks at the whole heap sees an arena that was made while it took the locks", () => {
  const memory = createHeapMemory(4, 1024);
  const first = attachHeap(memory);
  const second = attachHeap(memory);
  first.allocate(4 * MEBIBYTE);
  const plain = instantiateIntrinsics(memory);
  let made = false;
  const shared = new SharedMemory(memory, {
    ...plain,
    lockExclusive(...call) {
      if (!made) {
        made = true;
        second.allocate(100);
      }
      return plain.lockExclusive(...call);
    },
  });
  const looker = new Heap(new Agent(shared, TABLE_WORD, PAGES_WORD), HEAP_WORD);
  assertEquals(check(looker), []);
  assertEquals(stats(looker).arenas, 2);
});
