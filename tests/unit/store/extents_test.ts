/**
 * The bytes of a file below the surface: inline, in extents, over holes; against an array that does the same.
 *
 * @module
 */
import { Pool } from "../../../mod.ts";
import {
  EXTENT_FILE,
  EXTENT_UNITS,
  EXTENT_WORDS,
  INODE_EXTENT_BLOCK,
  INODE_EXTENT_COUNT,
  INODE_INLINE_BYTES,
  INODE_INLINE_EXTENTS,
  INODE_SIZE,
} from "../../../src/layout/inode.ts";
import {
  allocatedBytes,
  coverRange,
  extentsWordOf,
  findExtent,
  fitSize,
  readBytes,
  releaseBeyond,
  writeBytes,
  zeroRange,
} from "../../../src/store/extents.ts";
import { S_IFREG, takeInode } from "../../../src/store/inodes.ts";
import { inspectFile } from "../../../src/store/inspect_file.ts";
import { Store } from "../../../src/store/store.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { Random, SEED } from "../../support/stress.ts";

function makeFile(): { store: Store; inode: number } {
  const pool = Pool.create({ maximumBytes: 64 << 20, debugLevel: 3 });
  const store = Store.open(pool.agent, pool.heap);
  if (typeof store === "number") throw new Error(`Store.open() returned ${store}`);
  return { store, inode: takeInode(store, S_IFREG | 0o644, 1, 0) };
}

const sizeOf = ({ memory }: Store, inode: number) => memory.f64[(inode + INODE_SIZE) / 2]!;
const countOf = ({ memory }: Store, inode: number) => memory.i32[inode + INODE_EXTENT_COUNT]!;

/** What `write` of the file layer does, without its locks. */
function write(store: Store, inode: number, bytes: Uint8Array, position: number): void {
  assertEquals(coverRange(store, inode, position, bytes.length, true, false), 0);
  writeBytes(store, inode, bytes, 0, bytes.length, position);
  store.memory.f64[(inode + INODE_SIZE) / 2] = Math.max(sizeOf(store, inode), position + bytes.length);
}

function resize(store: Store, inode: number, size: number): void {
  assertEquals(fitSize(store, inode, size), 0);
  store.memory.f64[(inode + INODE_SIZE) / 2] = size;
}

function contentOf(store: Store, inode: number): Uint8Array {
  const bytes = new Uint8Array(sizeOf(store, inode));
  readBytes(store, inode, bytes, 0, bytes.length, 0);
  return bytes;
}

function assertSoundFile(store: Store, inode: number): void {
  const faults: string[] = [];
  inspectFile(store, inode, (what) => faults.push(what), () => {});
  assertEquals(faults, []);
}

Deno.test("findExtent() finds the first extent that ends beyond a unit", () => {
  const i32 = new Int32Array(100);
  // Units 2-3, 5, and 10-19.
  [[2, 2], [5, 1], [10, 10]].forEach(([file, units], index) => {
    i32[7 + index * EXTENT_WORDS + EXTENT_FILE] = file!;
    i32[7 + index * EXTENT_WORDS + EXTENT_UNITS] = units!;
  });
  const found = Array.from({ length: 22 }, (_, unit) => findExtent(i32, 7, 3, unit));
  assertEquals(found, [0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3]);
  assertEquals(findExtent(i32, 7, 0, 0), 0);
});

Deno.test("coverRange() keeps small files inline and moves them to an extent when they grow", () => {
  const { store, inode } = makeFile();
  write(store, inode, new Uint8Array(INODE_INLINE_BYTES).fill(1), 0);
  assertEquals([countOf(store, inode), allocatedBytes(store.memory.i32, inode)], [0, 0]);
  write(store, inode, new Uint8Array(1).fill(2), INODE_INLINE_BYTES);
  assertEquals(countOf(store, inode), 1);
  const content = contentOf(store, inode);
  assertEquals([content.length, content[0], content.at(-1)], [INODE_INLINE_BYTES + 1, 1, 2]);
  resize(store, inode, 0);
  assertEquals([countOf(store, inode), allocatedBytes(store.memory.i32, inode)], [0, 0]);
});

Deno.test("coverRange() adds extents in holes only, and what it adds reads as zero", () => {
  const { store, inode } = makeFile();
  for (const position of [6400, 640, 64_000]) write(store, inode, new Uint8Array(64).fill(7), position);
  assertEquals(countOf(store, inode), 3);
  assertEquals(coverRange(store, inode, 0, 65_000, false, false), 0);
  assertSoundFile(store, inode);
  const content = contentOf(store, inode);
  assertEquals(content.length, 64_064);
  content.forEach((byte, at) => {
    const written = [6400, 640, 64_000].some((position) => at >= position && at < position + 64);
    assertEquals(byte, written ? 7 : 0, `byte ${at}`);
  });
});

Deno.test("extents move from the inode to a block of their own and back", () => {
  const { store, inode } = makeFile();
  for (let extent = 0; extent < 25; extent++) write(store, inode, new Uint8Array(10).fill(extent + 1), extent * 1280);
  assertEquals(countOf(store, inode), 25);
  assert(store.memory.i32[inode + INODE_EXTENT_BLOCK] !== 0);
  assert(extentsWordOf(store.memory.i32, inode) !== inode);
  assertSoundFile(store, inode);
  resize(store, inode, (INODE_INLINE_EXTENTS - 1) * 1280 + 10);
  assertEquals(countOf(store, inode), INODE_INLINE_EXTENTS);
  assertEquals(store.memory.i32[inode + INODE_EXTENT_BLOCK], 0);
  assertSoundFile(store, inode);
});

Deno.test("a file that is cut off and lengthened does not bring old bytes to light", () => {
  const { store, inode } = makeFile();
  write(store, inode, new Uint8Array(1000).fill(9), 0);
  resize(store, inode, 100);
  resize(store, inode, 300);
  write(store, inode, new Uint8Array(10).fill(8), 500);
  const content = contentOf(store, inode);
  content.forEach((byte, at) => assertEquals(byte, at < 100 ? 9 : at >= 500 ? 8 : 0, `byte ${at}`));
  resize(store, inode, 40);
  resize(store, inode, 60);
  assertEquals([...contentOf(store, inode)], [...new Array(40).fill(9), ...new Array(20).fill(0)]);
});

Deno.test("random writes, truncations and reservations leave the bytes that an array would have", () => {
  for (let round = 0; round < 20; round++) {
    const random = new Random(SEED + round);
    const { store, inode } = makeFile();
    let expected = new Uint8Array(0);
    for (let step = 0; step < 60; step++) {
      const size = expected.length;
      const position = random.below(random.oneIn(4) ? 20_000 : size + 100);
      const what = random.below(6);
      if (what < 3) {
        const bytes = new Uint8Array(1 + random.below(random.oneIn(3) ? 5000 : 100)).fill(1 + random.below(255));
        write(store, inode, bytes, position);
        const next = new Uint8Array(Math.max(size, position + bytes.length));
        next.set(expected);
        next.set(bytes, position);
        expected = next;
      } else if (what === 3) {
        resize(store, inode, position);
        const next = new Uint8Array(position);
        next.set(expected.subarray(0, position));
        expected = next;
      } else if (what === 4) {
        assertEquals(coverRange(store, inode, position, 1 + random.below(3000), false, random.oneIn(2)), 0);
        if (random.oneIn(2)) releaseBeyond(store, inode, size);
      } else if (size > 0) {
        const from = random.below(size);
        const to = from + random.below(size - from + 1);
        zeroRange(store, inode, from, to);
        expected.fill(0, from, to);
      }
      assertSoundFile(store, inode);
      const content = contentOf(store, inode);
      assertEquals(content.length, expected.length);
      const wrong = content.findIndex((byte, at) => byte !== expected[at]);
      assertEquals(wrong, -1, `round ${round}, step ${step}, EXTMEMFS_SEED=${SEED}`);
    }
  }
});
