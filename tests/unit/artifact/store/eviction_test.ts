/** Who goes when a store becomes smaller: tables, a property, and stores that do it. */
import * as fc from "fast-check";
import type { BackendEntry } from "../../../../src/artifact/store/backend.ts";
import { chooseVictims } from "../../../../src/artifact/store/eviction.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "../../../support/assert.ts";
import { assertProperty } from "../support.ts";
import { assertRight, Bench, counted, sleep } from "./bench.ts";
import { ENGINE, moduleOf } from "./modules.ts";

/** Ten entries of 10 bytes, used at 1 to 10 ms, given in another order. */
const TEN: BackendEntry[] = [7, 2, 10, 1, 5, 9, 3, 8, 4, 6].map((age) => ({
  key: `k${String(age).padStart(2, "0")}`,
  bytes: 10,
  lastUsedMs: age,
}));
const agesOf = (victims: readonly BackendEntry[]) => victims.map(({ lastUsedMs }) => lastUsedMs);

Deno.test("chooseVictims() takes nothing as long as no limit is exceeded", () => {
  for (const limits of [{}, { entries: 10 }, { bytes: 100 }, { entries: 10, bytes: 100 }, { freeBytes: 0 }]) {
    assertEquals(chooseVictims(TEN, limits), [], JSON.stringify(limits));
  }
  assertEquals(chooseVictims([], { entries: 0, bytes: 0, freeBytes: 5, unusedForMs: 0 }), []);
});

Deno.test("chooseVictims() leaves 70 % of a limit that is exceeded, and takes the least recently used", () => {
  assertEquals(agesOf(chooseVictims(TEN, { entries: 9 })), [1, 2, 3, 4], "6 of 9 are left: 6.3 is the most");
  assertEquals(agesOf(chooseVictims(TEN, { bytes: 99 })), [1, 2, 3, 4], "60 bytes are left: 69.3 is the most");
  assertEquals(agesOf(chooseVictims(TEN, { bytes: 99, entries: 5 })), [1, 2, 3, 4, 5, 6, 7]);
  assertEquals(agesOf(chooseVictims(TEN, { entries: 9, share: 1 })), [1]);
  assertEquals(agesOf(chooseVictims(TEN, { freeBytes: 11, share: 1 })), [1, 2]);
  assertEquals(agesOf(chooseVictims(TEN, { freeBytes: 1000, share: 1 })), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

Deno.test("chooseVictims() keeps the entry that is to stay, unless it is too much alone", () => {
  assertEquals(agesOf(chooseVictims(TEN, { entries: 1, keep: "k01" })), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assertEquals(agesOf(chooseVictims(TEN, { bytes: 10, keep: "k01" })), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assertEquals(agesOf(chooseVictims(TEN, { bytes: 9, keep: "k01" })), [2, 3, 4, 5, 6, 7, 8, 9, 10, 1]);
  assertEquals(agesOf(chooseVictims(TEN, { entries: 0, keep: "k01" })).length, 10);
});

Deno.test("chooseVictims() takes what has not been used for long, whatever the limits", () => {
  assertEquals(agesOf(chooseVictims(TEN, { unusedForMs: 6, nowMs: 10 })), [1, 2, 3, 4]);
  assertEquals(agesOf(chooseVictims(TEN, { unusedForMs: 0, nowMs: 10 })).length, 10);
  assertEquals(agesOf(chooseVictims(TEN, { unusedForMs: Infinity, nowMs: 10 })), []);
  assertEquals(agesOf(chooseVictims(TEN, { unusedForMs: 9, nowMs: 10, entries: 9, share: 1 })), [1]);
});

Deno.test("chooseVictims() goes no further than it has to, and never takes a newer entry before an older one", () => {
  const entries = fc.uniqueArray(
    fc.record({ key: fc.string({ minLength: 1, maxLength: 3 }), bytes: fc.nat(50), lastUsedMs: fc.nat(20) }),
    { selector: ({ key }) => key, maxLength: 30 },
  );
  const limit = fc.option(fc.nat(600), { nil: undefined });
  assertProperty(
    fc.property(entries, limit, limit, fc.constantFrom(0.7, 1), (all, count, bytes, share) => {
      const limits = {
        ...(count === undefined ? {} : { entries: count % 40 }),
        ...(bytes === undefined ? {} : { bytes }),
      };
      const before = structuredClone(all);
      const victims = chooseVictims(all, { ...limits, share });
      assertEquals(all, before, "what was given has changed");
      assertEquals(new Set(victims.map(({ key }) => key)).size, victims.length);
      const left = all.filter((entry) => !victims.includes(entry));
      const sum = (list: readonly BackendEntry[]) => list.reduce((total, entry) => total + entry.bytes, 0);
      const within = (list: readonly BackendEntry[], part: number) =>
        list.length <= (limits.entries ?? Infinity) * part && sum(list) <= (limits.bytes ?? Infinity) * part;
      if (within(all, 1)) {
        assertEquals(victims, []);
        return;
      }
      assert(within(left, share), "too much is left");
      // Back with the last victim: one less would not have been enough.
      assert(!within([...left, victims.at(-1)!], share), "more than necessary was taken");
      for (const gone of victims) {
        for (const kept of left) assert(gone.lastUsedMs <= kept.lastUsedMs, "a newer entry was taken before an older");
      }
    }),
    500,
  );
});

/** Modules 1 to `count` in a store, each used a millisecond or more after the one before. Returns their keys. */
async function fill({ store }: Bench, count: number, fillBytes = 0): Promise<string[]> {
  const keys: string[] = [];
  for (let id = 1; id <= count; id++) {
    const wasm = moduleOf(id, fillBytes);
    await store.getOrCompile(wasm, ENGINE);
    keys.push(store.key(wasm, ENGINE));
    await sleep(2);
  }
  return keys;
}

Deno.test("ArtifactStore keeps its limit of entries, removes the least recently used, and counts them", async () => {
  await using bench = new Bench({ limits: { entries: 10 } });
  const { store } = bench;
  const keys = await fill(bench, 10);
  assertEquals(bench.keys(), keys.toSorted());
  assertEquals(store.counters.evicted, 0);
  await store.get(keys[0]!, ENGINE);
  await sleep(2);
  await fill(bench, 11);
  // 7 are left: the new one, and those used last; the first was used again by fill().
  const left = bench.keys();
  assertEquals(left.length, 7);
  assertEquals(store.counters.evicted, 4);
  assert(left.includes(store.key(moduleOf(11), ENGINE)));
  assertEquals(bench.told, []);
});

Deno.test("ArtifactStore keeps its limit of bytes, and the newest entry stays if it fits alone", async () => {
  let size: number;
  {
    await using bench = new Bench();
    await fill(bench, 1, 1000);
    size = bench.store.counters.bytesWritten;
  }
  await using bench = new Bench({ limits: { bytes: 4 * size + 50 } });
  const { store } = bench;
  const keys = await fill(bench, 4, 1000);
  assertEquals(bench.keys().length, 4);
  await store.get(keys[0]!, ENGINE);
  await sleep(2);
  const newest = await store.getOrCompile(moduleOf(5, 1000), ENGINE);
  assertRight(newest, 5);
  // Two and the newest are more than 70 % of four: one goes with it that was not used since.
  assertEquals(bench.keys(), [store.key(moduleOf(5, 1000), ENGINE), keys[0]!].toSorted());
  assertEquals(store.counters.evicted, 3);

  await using narrow = new Bench({ limits: { bytes: size - 100 } });
  assertRight(await narrow.store.getOrCompile(moduleOf(5, 1000), ENGINE), 5);
  assertEquals(narrow.keys(), [], "what is too large alone does not stay");
  await using single = new Bench({ limits: { entries: 1 } });
  const ids = await fill(single, 3);
  assertEquals(single.keys(), [ids[2]!]);
  await using none = new Bench({ limits: { entries: 0 } });
  await fill(none, 2);
  assertEquals([none.keys().length, none.store.counters.evicted], [0, 2]);
});

Deno.test("ArtifactStore.prune() removes what its options say and tells what", async () => {
  await using bench = new Bench();
  const { store, fs } = bench;
  const keys = await fill(bench, 10);
  const sizeOf = (list: string[]) => list.reduce((sum, key) => sum + fs.statSync(bench.path(key)).size, 0);
  assertEquals(await store.prune(), { entries: 0, bytes: 0 });
  assertEquals(await store.prune({ entries: 10, bytes: sizeOf(keys), freeBytes: 0, unusedForMs: 60_000 }), {
    entries: 0,
    bytes: 0,
  });
  let bytes = sizeOf(keys.slice(0, 2));
  assertEquals(await store.prune({ entries: 8 }), { entries: 2, bytes });
  assertEquals(bench.keys(), keys.slice(2).toSorted());
  bytes = sizeOf(keys.slice(2, 3));
  assertEquals(await store.prune({ bytes: sizeOf(keys.slice(3)) }), { entries: 1, bytes });
  bytes = sizeOf(keys.slice(3, 5));
  assertEquals(await store.prune({ freeBytes: bytes }), { entries: 2, bytes });
  fs.utimesSync(bench.path(keys[7]!), new Date(Date.now() - 100_000), new Date());
  assertEquals((await store.prune({ unusedForMs: 50_000 })).entries, 1);
  assertEquals(bench.keys(), [keys[5]!, keys[6]!, keys[8]!, keys[9]!].toSorted());
  bench.alter(keys[8]!, (found) => found.subarray(1));
  fs.renameSync(bench.path(keys[9]!), bench.path(keys[6]!));
  assertEquals((await store.prune({ unusable: true })).entries, 2);
  assertEquals(bench.keys(), [keys[5]!]);
  for (const name of ["entries", "bytes", "freeBytes", "unusedForMs"]) {
    for (const value of [-1, NaN, "5", null]) {
      await assertRejects(() => store.prune({ [name]: value }), RangeError, name);
    }
  }
  assertEquals((await store.prune({ entries: 0 })).entries, 1);
  assertEquals(counted(store).evicted, undefined, "what is asked for is no eviction");
});

Deno.test("ArtifactStore.prune({ unusable }) removes what another key sealed, and nothing else", async () => {
  await using bench = new Bench({ key: new Uint8Array(32).fill(1) });
  await fill(bench, 2);
  const other = bench.open({ key: new Uint8Array(32).fill(2) });
  await other.getOrCompile(moduleOf(3), ENGINE);
  assertEquals((await Array.fromAsync(other.verify())).map(({ problem }) => problem?.name).toSorted(), [
    "ArtifactKeyError",
    "ArtifactKeyError",
    undefined,
  ]);
  assertEquals((await other.prune({ unusable: true })).entries, 2);
  assertEquals(bench.keys(), [other.key(moduleOf(3), ENGINE)]);
});

Deno.test("ArtifactStore in a pool that is full makes room, and where it cannot, gives the result all the same", async () => {
  await using bench = new Bench({}, 8 << 20);
  const { store, fs } = bench;
  const size = 600_000;
  const keys = await fill(bench, 20, size);
  assertGreater(store.counters.evicted, 5);
  assertLess(bench.keys().length, 15);
  assertEquals(bench.told, []);
  assert(bench.keys().includes(keys[19]!));
  assertEquals(bench.keys(), keys.slice(-bench.keys().length).toSorted(), "the oldest have gone");
  // What does not fit into an empty pool fails to be kept, not to be compiled.
  assertRight(await store.getOrCompile(moduleOf(99, 9 << 20), ENGINE), 99);
  assertEquals(bench.told.map(([error, during]) => `${during} ${(error as Error & { code: string }).code}`), [
    "write ENOSPC",
  ]);
  assertEquals(store.counters.failures, 1);
  assertRight(await store.getOrCompile(moduleOf(1, size), ENGINE), 1);
  assertEquals(fs.check(), []);
});
