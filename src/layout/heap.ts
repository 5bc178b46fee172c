/**
 * The heap: its header, its arenas, their segments, and the blocks that all memory is cut into.
 *
 * A *block* begins with a header of two words at an address that is 8 modulo 16, so that its payload is aligned to 16
 * bytes; its *block ref* is the granule in which the header lies. Sizes count granules, header included.
 *
 * @module
 */
import { TABLE_HEADER_WORDS } from "./agent_table.ts";
import { row, type Structure } from "./rows.ts";
import { GRANULE_BYTES, GRANULE_WORDS, LINE_WORDS, PAGE_BYTES } from "./units.ts";

/** Block word: `granules << 2 | PREVIOUS_FREE | FREE`; 0 granules for the sentinel that ends a chain. */
export const BLOCK_SIZE = 0;
/** Block word: 0 for a free block, else `check:27 | 1 | arena:4`; for a segment's sentinel the segment's first block. */
export const BLOCK_TAG = 1;
/** Word of a free block: block ref of the next free block of its class, or 0. */
export const FREE_NEXT = 2;
/** Word of a free block: block ref of the previous free block of its class, or 0. */
export const FREE_PREVIOUS = 3;
/** The last word of a free block, relative to the block behind it: its size in granules. */
export const FREE_SIZE_BEFORE = -1;
/** Words of a block's header. */
export const BLOCK_HEADER_WORDS = 2;
/** Bytes of a block's header. */
export const BLOCK_HEADER_BYTES: number = BLOCK_HEADER_WORDS * 4;
/** Words from the start of a granule to the header of the block that lies in it. */
export const BLOCK_PHASE_WORDS = 2;
/** Granules of the smallest block: header, two links and the size at the end. */
export const BLOCK_MINIMUM_GRANULES = 2;
/** Granules that no block reaches. */
export const BLOCK_LIMIT_GRANULES: number = 2 ** 30;
/** The largest alignment that can be asked for, in bytes. */
export const ALIGNMENT_MAXIMUM = 4096;

/** Flag of a block's size word: the block is free. */
export const BLOCK_FREE = 1;
/** Flag of a block's size word: the block before it is free, and its size stands in the word before this header. */
export const BLOCK_PREVIOUS_FREE = 2;
/** Shift of the granules in a block's size word. */
export const BLOCK_SIZE_SHIFT = 2;
/** Bits of a tag that hold the arena. */
export const TAG_ARENA = 15;
/** In place of the arena in the tag of a block of arena 0 that is the heap's own: a segment, or another arena. */
export const TAG_OWN = 15;
/** Bit of a tag that is always set, so that no tag is 0. */
export const TAG_USED = 16;
/** Bits of a tag that are neither. */
export const TAG_CHECK = ~31;
/** Multiplier that spreads a block ref over the check bits (the golden ratio's, as in Fibonacci hashing). */
export const TAG_MULTIPLIER = 0x9e3779b1;

/** A block. */
export const BLOCK: Structure = {
  name: "block",
  bytes: 0,
  doc:
    "At 8 modulo 16. The chain of sizes is authoritative; tags, flags of the block before, sizes at the end, lists, bitmaps and counters derive from it. Guarded by the lock of the arena.",
  rows: [
    row(BLOCK_SIZE, "size", "u32", "guarded", "bit 0 free, bit 1 previous block free, bits 2-31 granules"),
    row(
      BLOCK_TAG,
      "tag",
      "u32",
      "guarded",
      "0 free; else bits 0-3 arena (15 the heap's own), bit 4 set, bits 5-31 check; read unlocked by who owns the block",
    ),
    row(FREE_NEXT, "next", "ref", "guarded", "free: next of its class, or 0; used: payload begins here"),
    row(FREE_PREVIOUS, "previous", "ref", "guarded", "free: previous of its class, or 0"),
  ],
};

/** Subclasses of a power of two, and bits of a bitmap word. */
export const CLASS_COLUMNS = 32;
/** Shift of the same. */
export const CLASS_COLUMN_SHIFT = 5;
/** Rows of classes: one for less than 32 granules, then one per power of two. */
export const CLASS_ROWS = 26;
/** Blocks below this many granules have a class per size. */
export const CLASS_EXACT_GRANULES = 64;

/** Arena word: the arena's lock. */
export const ARENA_LOCK = 0;
/** Arena word: which rows of the bitmap below are not 0. */
export const ARENA_ROWS = LINE_WORDS;
/** Arena word: granules in used blocks, headers included. */
export const ARENA_LIVE_GRANULES: number = ARENA_ROWS + 1;
/** Arena word: used blocks. */
export const ARENA_LIVE_BLOCKS: number = ARENA_ROWS + 2;
/** Arena word: granules of all blocks, used and free. */
export const ARENA_GRANULES: number = ARENA_ROWS + 3;
/** Arena word: ref of the newest segment (0 in arena 0). */
export const ARENA_SEGMENTS: number = ARENA_ROWS + 4;
/** Arena word: number of segments. */
export const ARENA_SEGMENT_COUNT: number = ARENA_ROWS + 5;
/** Arena word: block ref of the first block of the one segment that is kept though it is free, or 0. */
export const ARENA_SPARE: number = ARENA_ROWS + 6;
/** Arena word, arena 0: block ref of the sentinel; everything from here on is untouched. */
export const ARENA_TOP: number = ARENA_ROWS + 7;
/** Arena word, arena 0: block ref that the sentinel may reach without growth of the memory. */
export const ARENA_END: number = ARENA_ROWS + 8;
/** Arena word: owner word of the agent that allocated here last, or 0; a hint for who looks for another arena. */
export const ARENA_USER: number = ARENA_ROWS + 9;
/** Arena word: number of agents that have left for another arena. */
export const ARENA_DEPARTURES: number = ARENA_ROWS + 10;
/** Arena words: for each row, which of its lists are not empty. */
export const ARENA_COLUMNS: number = 2 * LINE_WORDS;
/** Arena words: first free block of each class, or 0. */
export const ARENA_HEADS: number = 4 * LINE_WORDS;
/** Words of an arena. */
export const ARENA_WORDS: number = ARENA_HEADS + CLASS_ROWS * CLASS_COLUMNS;

/** An arena. */
export const ARENA: Structure = {
  name: "arena",
  bytes: ARENA_WORDS * 4,
  doc: "Free lists and counters over the heap's region (arena 0) or over segments of it. Aligned to a line.",
  rows: [
    row(ARENA_LOCK, "lock", "u32", "atomic", "guards the arena and its blocks", 2),
    row(ARENA_ROWS, "rows", "u32", "guarded", "bit per row of columns that is not 0"),
    row(ARENA_LIVE_GRANULES, "liveGranules", "u32", "guarded", "granules in used blocks"),
    row(ARENA_LIVE_BLOCKS, "liveBlocks", "u32", "guarded", "used blocks"),
    row(ARENA_GRANULES, "granules", "u32", "guarded", "granules of all blocks"),
    row(ARENA_SEGMENTS, "segments", "ref", "guarded", "newest segment, or 0"),
    row(ARENA_SEGMENT_COUNT, "segmentCount", "u32", "guarded", "segments"),
    row(ARENA_SPARE, "spare", "ref", "guarded", "first block of the free segment that is kept, or 0"),
    row(ARENA_TOP, "top", "ref", "guarded", "arena 0: block ref of the sentinel, the high-water mark"),
    row(ARENA_END, "end", "ref", "guarded", "arena 0: how far the sentinel may rise without growth"),
    row(
      ARENA_USER,
      "user",
      "u32",
      "guarded",
      "owner word of the agent that allocated here last; read unlocked as a hint",
    ),
    row(ARENA_DEPARTURES, "departures", "u32", "guarded", "agents that have left for another arena"),
    row(ARENA_COLUMNS, "columns", "u32", "guarded", "bit per list of a row that is not empty", CLASS_ROWS),
    row(ARENA_HEADS, "heads", "ref", "guarded", "first free block of each class, or 0", CLASS_ROWS * CLASS_COLUMNS),
  ],
};

/** Segment word: ref of the next older segment, or 0. */
export const SEGMENT_NEXT = 0;
/** Segment word: ref of the next newer segment, or 0. */
export const SEGMENT_PREVIOUS = 1;
/** Segment word: the arena that owns it. */
export const SEGMENT_ARENA = 2;
/** Segment word: granules of its blocks. */
export const SEGMENT_GRANULES = 3;
/** Word of the first block's header. */
export const SEGMENT_FIRST_BLOCK: number = GRANULE_WORDS + BLOCK_PHASE_WORDS;
/** Granules of a segment's block in arena 0 that hold no block of the segment. */
export const SEGMENT_OVERHEAD_GRANULES = 3;
/** Granules of the smallest segment that is asked for: 64 KiB. */
export const SEGMENT_MINIMUM_GRANULES: number = PAGE_BYTES / GRANULE_BYTES;
/** A new segment is this part of what its arena has. */
export const SEGMENT_SHARE = 16;
/** A block that would fill more than this part of a new segment comes from arena 0. */
export const SEGMENT_BLOCK_SHARE = 2;

/** A segment. */
export const SEGMENT: Structure = {
  name: "segment",
  bytes: 0,
  doc:
    "The payload of a block of arena 0, lent to another arena: this header, blocks, a sentinel. Guarded by the latter.",
  rows: [
    row(SEGMENT_NEXT, "next", "ref", "guarded", "next older segment, or 0"),
    row(SEGMENT_PREVIOUS, "previous", "ref", "guarded", "next newer segment, or 0"),
    row(SEGMENT_ARENA, "arena", "u32", "const", "the arena"),
    row(SEGMENT_GRANULES, "granules", "u32", "guarded", "granules of its blocks"),
  ],
};

/** Heap word: flag bits, see {@linkcode HEAP_GROWABLE}. */
export const HEAP_FLAGS = 0;
/** Heap word: random; goes into the tags of blocks. */
export const HEAP_SEED = 1;
/** Heap word: block ref of the first block. */
export const HEAP_FIRST = 2;
/** Heap word: block ref that the sentinel never passes. */
export const HEAP_LIMIT = 3;
/** Heap word: number of arenas. */
export const HEAP_ARENA_COUNT = 4;
/** Heap words: refs of the arenas. */
export const HEAP_ARENAS = 8;
/** The most arenas of a heap. */
export const ARENA_LIMIT = 8;
/** Heap words: arena 0. */
export const HEAP_ARENA_0 = LINE_WORDS;
/** Words of a heap's header. */
export const HEAP_WORDS: number = HEAP_ARENA_0 + ARENA_WORDS;
/** Flag of a heap: it may grow the memory. */
export const HEAP_GROWABLE = 1;
/** Growth of the memory is at least this part of its size. */
export const GROWTH_SHARE = 8;

/** The header of a heap. */
export const HEAP: Structure = {
  name: "heap",
  bytes: HEAP_WORDS * 4,
  doc: "Aligned to a line; the first block follows it.",
  rows: [
    row(HEAP_FLAGS, "flags", "u32", "const", "bit 0: may grow the memory"),
    row(HEAP_SEED, "seed", "u32", "const", "random, part of every tag"),
    row(HEAP_FIRST, "first", "ref", "const", "block ref of the first block"),
    row(HEAP_LIMIT, "limit", "ref", "const", "block ref that the sentinel never passes"),
    row(HEAP_ARENA_COUNT, "arenaCount", "u32", "atomic", "arenas; only grows, under arena 0's lock"),
    row(HEAP_ARENAS, "arenas", "ref", "atomic", "the arenas; each stored once, before the count", ARENA_LIMIT),
    row(HEAP_ARENA_0, "arena0", "bytes", "guarded", "arena 0", ARENA_WORDS),
  ],
};

/** Region word: magic, "ExtMHeap" in memory order. */
export const REGION_MAGIC = 0;
/** First magic word of a region, "ExtM". */
export const REGION_MAGIC_0 = 0x4d747845;
/** Second magic word of a region, "Heap". */
export const REGION_MAGIC_1 = 0x70616548;
/** Region word: version of the format. */
export const REGION_VERSION = 2;
/** Region word: granules of the region. */
export const REGION_GRANULES = 3;
/** Region words: compatibility hash. */
export const REGION_COMPATIBILITY = 4;
/** Region word: pages that the memory has at least. */
export const REGION_PAGES = 12;
/** Region word: 1 once the region is formatted. */
export const REGION_READY = 13;
/** Region word: the agent table. */
export const REGION_AGENTS = LINE_WORDS;
/** Words of a region before the slots of its agent table; the heap follows these. */
export const REGION_WORDS: number = REGION_AGENTS + TABLE_HEADER_WORDS;

/** The header of an allocator that is used alone. */
export const REGION: Structure = {
  name: "region",
  bytes: REGION_AGENTS * 4,
  doc:
    "What a region of a shared memory begins with when an allocator has it for itself; the agent table follows, then the heap.",
  rows: [
    row(REGION_MAGIC, "magic", "bytes", "const", '"ExtMHeap"', 2),
    row(REGION_VERSION, "formatVersion", "u32", "const", "version of this format"),
    row(REGION_GRANULES, "granules", "u32", "const", "size of the region"),
    row(REGION_COMPATIBILITY, "compatibility", "bytes", "const", "SHA-256 over the rows of the layout", 8),
    row(REGION_PAGES, "pages", "u32", "const", "the least size of the memory in 64 KiB pages"),
    row(REGION_READY, "ready", "u32", "atomic", "1 once formatting is complete; stored last"),
  ],
};

/** Intent: a block is being moved down over the free block before it. */
export const INTENT_MOVE = 0x100;
/** Intent word: block ref of the old place. */
export const INTENT_MOVE_FROM = 1;
/** Intent word: block ref of the new place. */
export const INTENT_MOVE_TO = 2;
/** Intent word: payload bytes to move, in units of 8. */
export const INTENT_MOVE_UNITS = 3;
/** Intent word: units that have been moved. */
export const INTENT_MOVE_DONE = 4;

/** The intent record of a move. */
export const MOVE_INTENT: Structure = {
  name: "moveIntent",
  bytes: 20,
  doc:
    "In the agent's slot while it moves a block down. No copy is longer than the distance, so that the source of an unfinished one is whole.",
  rows: [
    row(0, "operation", "u32", "owner", "0x100; stored after the operands"),
    row(INTENT_MOVE_FROM, "from", "ref", "owner", "block ref of the old place"),
    row(INTENT_MOVE_TO, "to", "ref", "owner", "block ref of the new place"),
    row(INTENT_MOVE_UNITS, "units", "u32", "owner", "payload to move, in units of 8 bytes"),
    row(INTENT_MOVE_DONE, "done", "u32", "owner", "units moved"),
  ],
};
