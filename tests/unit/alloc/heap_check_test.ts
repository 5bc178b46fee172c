import type { Heap } from "../../../src/alloc/heap.ts";
import {
  ARENA_COLUMNS,
  ARENA_GRANULES,
  ARENA_HEADS,
  ARENA_LIVE_BLOCKS,
  ARENA_LIVE_GRANULES,
  ARENA_ROWS,
  ARENA_SEGMENT_COUNT,
  ARENA_SEGMENTS,
  ARENA_SPARE,
  ARENA_TOP,
  BLOCK_FREE,
  BLOCK_PREVIOUS_FREE,
  BLOCK_SIZE,
  BLOCK_TAG,
  FREE_NEXT,
  FREE_PREVIOUS,
  FREE_SIZE_BEFORE,
  HEAP_ARENA_0,
  HEAP_ARENAS,
  SEGMENT_ARENA,
  SEGMENT_FIRST_BLOCK,
  SEGMENT_GRANULES,
  SEGMENT_PREVIOUS,
} from "../../../src/layout/heap.ts";
import { CorruptionError } from "../../../src/memory/errors.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { attachHeap, check, createHeapMemory } from "./support.ts";

interface Places {
  /** Word of arena 0. */
  main: number;
  /** Header of a used block between two free ones of equal size. */
  used: number;
  /** Header of the free block before it. */
  before: number;
  /** Header of the free block behind it. */
  behind: number;
  /** Header of the used block behind that. */
  last: number;
  /** Word of the second arena. */
  second: number;
  /** Word of its only segment. */
  segment: number;
}

function createPlaces(): { heap: Heap; places: Places } {
  const memory = createHeapMemory(2, 256);
  const heap = attachHeap(memory);
  const other = attachHeap(memory);
  const addrs = Array.from({ length: 5 }, () => heap.allocate(1000));
  heap.allocate(4 << 20);
  other.allocate(100);
  heap.free(addrs[1]);
  heap.free(addrs[3]);
  const { i32 } = heap.agent.memory;
  const second = i32[heap.headerWord + HEAP_ARENAS + 1] * 4;
  const word = (index: number) => addrs[index] / 4 - 2;
  const places = {
    main: heap.headerWord + HEAP_ARENA_0,
    used: word(2),
    before: word(1),
    behind: word(3),
    last: word(4),
    second,
    segment: i32[second + ARENA_SEGMENTS] * 4,
  };
  assertEquals(check(heap), []);
  return { heap, places };
}

/** What is destroyed, and a part of what the checker says to it. */
const DAMAGES: readonly [string, (i32: Int32Array, places: Places) => void, string][] = [
  ["size 0", (i32, { used }) => i32[used + BLOCK_SIZE] = 0, "has 0 granules"],
  ["size beyond the end", (i32, { used }) => i32[used + BLOCK_SIZE] = 1 << 28, "has 67108864 granules"],
  ["size too large", (i32, { used }) => i32[used + BLOCK_SIZE] += 4, "granules"],
  ["free flag", (i32, { used }) => i32[used + BLOCK_SIZE] |= BLOCK_FREE, "and so is the block before it"],
  ["used flag", (i32, { before }) => i32[before + BLOCK_SIZE] &= ~BLOCK_FREE, "is used, but has the tag 0"],
  [
    "previous-free flag",
    (i32, { used }) => i32[used + BLOCK_SIZE] &= ~BLOCK_PREVIOUS_FREE,
    "says that the block before it is used",
  ],
  [
    "previous-used flag",
    (i32, { before }) => i32[before + BLOCK_SIZE] |= BLOCK_PREVIOUS_FREE,
    "says that the block before it is free",
  ],
  ["tag of a used block", (i32, { used }) => i32[used + BLOCK_TAG] ^= 64, "is used, but has the tag"],
  ["tag of a free block", (i32, { before }) => i32[before + BLOCK_TAG] = 17, "is free, but has the tag 17"],
  ["size at the end", (i32, { used }) => i32[used + FREE_SIZE_BEFORE] ^= 1, "at its end"],
  ["next link", (i32, { behind }) => i32[behind + FREE_NEXT] = 5, "lists 5, which is no free block"],
  ["cut list", (i32, { behind }) => i32[behind + FREE_NEXT] = 0, "is free, but in no list"],
  ["cyclic list", (i32, { before, behind }) => i32[before + FREE_NEXT] = behind >>> 2, "listed twice"],
  ["previous link", (i32, { before }) => i32[before + FREE_PREVIOUS] = 9, "is 9, expected"],
  ["head", (i32, { main }) => i32[main + ARENA_HEADS + 63] = 0, "its bit does not agree with its head 0"],
  ["column", (i32, { main }) => i32[main + ARENA_COLUMNS + 3] |= 2, "its bit does not agree with its head"],
  ["row", (i32, { main }) => i32[main + ARENA_ROWS] ^= 1 << 20, "does not agree with its columns"],
  ["granules", (i32, { main }) => i32[main + ARENA_GRANULES]++, "granules, its chain has"],
  ["live granules", (i32, { main }) => i32[main + ARENA_LIVE_GRANULES]++, "live granules, its chain has"],
  ["live blocks", (i32, { main }) => i32[main + ARENA_LIVE_BLOCKS]--, "live blocks, its chain has"],
  ["top", (i32, { main }) => i32[main + ARENA_TOP] = 1, "are not in ascending order"],
  ["sentinel", (i32, { main }) => i32[i32[main + ARENA_TOP] * 4 + 2 + BLOCK_SIZE] = 8, "is no sentinel"],
  ["sentinel's tag", (i32, { main }) => i32[i32[main + ARENA_TOP] * 4 + 2 + BLOCK_TAG] = 8, "the sentinel's tag is 8"],
  ["segment list", (i32, { second }) => i32[second + ARENA_SEGMENTS] = 0, "neither an arena nor a segment"],
  ["segment count", (i32, { second }) => i32[second + ARENA_SEGMENT_COUNT] = 2, "counts 2 segments, has 1"],
  ["foreign segment", (i32, { second, main }) => i32[second + ARENA_SEGMENTS] = main / 4, "none of the heap's own"],
  ["segment's previous", (i32, { segment }) => i32[segment + SEGMENT_PREVIOUS] = 3, "its previous is 3"],
  ["segment's arena", (i32, { segment }) => i32[segment + SEGMENT_ARENA] = 7, "belongs to arena 7"],
  ["segment's size", (i32, { segment }) => i32[segment + SEGMENT_GRANULES]--, "granules in a block of"],
  [
    "segment's sentinel",
    (i32, { segment }) => {
      const end = segment + SEGMENT_FIRST_BLOCK + i32[segment + SEGMENT_GRANULES] * 4;
      i32[end + BLOCK_TAG]++;
    },
    "the sentinel names block",
  ],
  ["spare", (i32, { second }) => i32[second + ARENA_SPARE] = 77, "the spare 77 is no free segment"],
];

for (const [name, damage, expected] of DAMAGES) {
  Deno.test(`checkHeap() finds a wrong ${name}`, () => {
    const { heap, places } = createPlaces();
    damage(heap.agent.memory.i32, places);
    const violations = check(heap);
    assert(
      violations.some(({ what }) => what.includes(expected)),
      `${JSON.stringify(expected)} is not in ${JSON.stringify(violations)}`,
    );
    assertEquals(heap.agent.depth, 0, "nothing stays locked");
  });
}

Deno.test("checkHeap() reports a hundred violations at most", () => {
  const heap = attachHeap(createHeapMemory(4));
  const { i32 } = heap.agent.memory;
  for (let count = 0; count < 300; count++) i32[heap.allocate(16) / 4 - 2 + BLOCK_TAG] = 1;
  assertEquals(check(heap).length, 100);
});

/** What is destroyed around a block, and what is said when the block is touched at debug level 3. */
const NEIGHBOUR_DAMAGES: typeof DAMAGES = [
  ["tag of the next block", (i32, { last }) => i32[last + BLOCK_TAG] ^= 64, "is used, but has the tag"],
  ["size of the next block", (i32, { last }) => i32[last + BLOCK_SIZE] = 1 << 2, "has 1 granules"],
  ["size at the end of the block before", (i32, { used }) => i32[used + FREE_SIZE_BEFORE] = 1, "finds no free block"],
  ["size of the block before", (i32, { before }) => i32[before + BLOCK_SIZE] += 4, "finds no free block"],
  ["tag of the block before", (i32, { before }) => i32[before + BLOCK_TAG] = 16, "is free, but has the tag 16"],
  ["next link", (i32, { before }) => i32[before + FREE_NEXT] ^= 64, "is not the previous of its next"],
  ["previous link", (i32, { before }) => i32[before + FREE_PREVIOUS] = before >>> 2, "is not the next of its previous"],
  ["flag of the next block", (i32, { last }) => i32[last + BLOCK_SIZE] |= 2, "takes the block before it for free"],
];

for (const [name, damage, expected] of NEIGHBOUR_DAMAGES) {
  Deno.test(`Debug level 3 finds a wrong ${name}`, () => {
    const heap = attachHeap(createHeapMemory(2), { debugLevel: 3 });
    const addrs = Array.from({ length: 6 }, () => heap.allocate(1000));
    const word = (index: number) => addrs[index] / 4 - 2;
    heap.free(addrs[5]);
    heap.free(addrs[1]);
    const places = { main: 0, before: word(1), used: word(2), last: word(3), behind: 0, second: 0, segment: 0 };
    assertEquals(heap.extend(addrs[2], 1, 1), 1000, "nothing to do, nothing wrong");
    damage(heap.agent.memory.i32, places);
    assertThrows(() => heap.extend(addrs[2], 1, 1), CorruptionError, expected);
    assertEquals(heap.agent.depth, 0, "nothing stays locked");
  });
}
