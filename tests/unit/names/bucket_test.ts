/**
 * Buckets of directory entries: adding, removing and copying, against a map.
 *
 * @module
 */
import { Pool } from "../../../mod.ts";
import { BUCKET_BYTES, BUCKET_COUNT, BUCKET_LIMIT, BUCKET_NAMES, BUCKET_SIZES } from "../../../src/layout/directory.ts";
import {
  addEntry,
  bucketSizeFor,
  copyEntries,
  entryBytes,
  entryWordOf,
  freeBucket,
  inodeWordOf,
  makeBucket,
  nameBytesOf,
  removeEntry,
  roomOf,
  typeOf,
  usedBytes,
} from "../../../src/names/bucket.ts";
import { hashByte, hashFinish } from "../../../src/names/hash.ts";
import { Store } from "../../../src/store/store.ts";
import { GRANULE_WORDS } from "../../../src/layout/units.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { Random, SEED } from "../../support/stress.ts";

function open(): Store {
  const pool = Pool.create({ maximumBytes: 4 << 20, debugLevel: 3 });
  const store = Store.open(pool.agent, pool.heap);
  if (typeof store === "number") throw new Error(`Store.open() returned ${store}`);
  return store;
}

/** Puts a name into the scratch, as a walk does, and returns its hash. */
function scan(store: Store, name: string): number {
  const bytes = new TextEncoder().encode(name);
  store.names.set(bytes);
  let hash = store.hashSeed;
  for (const byte of bytes) hash = hashByte(hash, byte);
  return hashFinish(hash);
}

function find(store: Store, bucket: number, name: string): number {
  const index = store.wasm.bucketFind(
    bucket,
    scan(store, name),
    store.namesWord,
    0,
    new TextEncoder().encode(name).length,
  );
  return index < 0 ? 0 : entryWordOf(bucket, index);
}

function add(store: Store, bucket: number, name: string, ref: number, type: number): void {
  const bytes = new TextEncoder().encode(name).length;
  addEntry(store, bucket, scan(store, name), ref, type, store.namesWord * 4, bytes);
}

Deno.test("bucketSizeFor() gives the smallest size that holds what is asked for, and 0 beyond the limit", () => {
  assertEquals(BUCKET_SIZES.map((size) => bucketSizeFor(size)), [...BUCKET_SIZES]);
  assertEquals(BUCKET_SIZES.slice(0, -1).map((size) => bucketSizeFor(size + 1)), BUCKET_SIZES.slice(1));
  let largest = 0;
  for (let used = 1; used <= BUCKET_LIMIT; used += 97) {
    const size = bucketSizeFor(used);
    assert(size === 0 || (size >= used && size <= BUCKET_LIMIT), `${size} for ${used}`);
    assert(size === 0 || size >= largest);
    largest = Math.max(largest, size);
  }
  assertEquals(bucketSizeFor(BUCKET_LIMIT + 1), 0);
});

Deno.test("a bucket holds what was added and not removed, and its bytes add up", () => {
  const store = open();
  const random = new Random(SEED);
  for (const bytes of BUCKET_SIZES) {
    const bucket = makeBucket(store, bytes, 3);
    const expected = new Map<string, number>();
    for (let step = 0; step < 400; step++) {
      const name = "abcdefghij"[random.below(10)]!.repeat(1 + random.below(12)) + (random.oneIn(5) ? "é" : "");
      const entry = find(store, bucket, name);
      assertEquals(entry !== 0, expected.has(name), `${name}, EXTMEMFS_SEED=${SEED}`);
      if (entry === 0) {
        if (roomOf(store.memory.i32, bucket) < entryBytes(new TextEncoder().encode(name).length)) continue;
        add(store, bucket, name, 1000 + step, step % 16);
        expected.set(name, step);
      } else {
        const { i32 } = store.memory;
        assertEquals(inodeWordOf(i32, entry), (1000 + expected.get(name)!) * GRANULE_WORDS);
        assertEquals(typeOf(i32, entry), expected.get(name)! % 16);
        assertEquals(nameBytesOf(i32, entry), new TextEncoder().encode(name).length);
        removeEntry(store, bucket, entry);
        expected.delete(name);
      }
      const { i32 } = store.memory;
      assertEquals(i32[bucket + BUCKET_COUNT], expected.size);
      assertEquals(usedBytes(i32, bucket) + roomOf(i32, bucket), bytes);
    }
    for (const name of expected.keys()) removeEntry(store, bucket, find(store, bucket, name));
    assertEquals(store.memory.i32[bucket + BUCKET_NAMES], store.memory.i32[bucket + BUCKET_BYTES]);
    freeBucket(store, bucket);
  }
});

Deno.test("copyEntries() divides a bucket by the bits of its entries' hashes", () => {
  const store = open();
  const whole = makeBucket(store, 1016, 0);
  const names = Array.from({ length: 30 }, (_, number) => `name-${number}`);
  names.forEach((name, number) => add(store, whole, name, number + 1, 8));
  const halves = [0, 1].map((value) => {
    const half = makeBucket(store, 1016, 1);
    copyEntries(store, whole, half, 1 << 31, value << 31);
    return half;
  });
  for (const name of names) {
    const side = scan(store, name) >>> 31;
    assert(find(store, halves[side]!, name) !== 0, name);
    assertEquals(find(store, halves[1 - side]!, name), 0, name);
  }
});
