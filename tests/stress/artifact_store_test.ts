/**
 * Stores in one pool, used by up to eight workers: who asks at the same time, who evicts, who damages what is stored, who
 * is terminated, and a pool that is too small. What is asked for is always what is given; afterwards the pool is sound and
 * nothing is left behind.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { ArtifactStore } from "../../src/artifact/store/store.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../support/assert.ts";
import { assertEmptied, assertSound, LONG, Random, removeAll, SEED, StressCrew } from "../support/stress.ts";
import { assertRight } from "../unit/artifact/store/bench.ts";
import { ENGINE, moduleOf } from "../unit/artifact/store/modules.ts";
import { allPairs, type ArtifactReport, Customer } from "./artifact_work.ts";
import type { VictimJob } from "./artifact_worker.ts";

const MODULE = import.meta.resolve("./artifact_worker.ts");
const DURATION_MS = LONG ? 20_000 : 2500;
const KEY = new Uint8Array(32).fill(0x5a);
const WORKERS = 8;

function sum(reports: readonly ArtifactReport[], name: keyof ArtifactReport["counters"]): number {
  return reports.reduce((total, { counters }) => total + counters[name], 0);
}

function assertAllRight(reports: readonly ArtifactReport[]): void {
  assertEquals(reports.flatMap(({ wrong }) => wrong), [], `EXTMEMFS_SEED=${SEED}`);
}

/** Fails unless workers that are gone have left entries, and nothing else. */
function assertTidy(fs: FileSystem): void {
  assertSound(fs, "after the workers have left");
  const { opens, orphans, fileLocks } = fs.stats();
  assertEquals({ opens, orphans, fileLocks }, { opens: 0, orphans: 0, fileLocks: 0 }, `EXTMEMFS_SEED=${SEED}`);
  const names = fs.readdirSync("/artifacts").filter((name) => name !== ".locks" && !/^[\w-]{43}$/.test(name));
  assertEquals(names, [], `left in the directory; EXTMEMFS_SEED=${SEED}`);
  removeAll(fs);
  assertSound(fs, "after everything has been deleted");
  assertEmptied(fs, "after everything has been deleted");
}

Deno.test("ArtifactStore in a pool: eight workers", async (t) => {
  using crew = new StressCrew(MODULE);
  const run = (fs: FileSystem, mix: string, durationMs = 0, debugLevel: 0 | 3 = 0) =>
    crew.run<ArtifactReport>(
      { handle: fs.handle, mix, workers: WORKERS, durationMs, debugLevel },
      60_000 + 4 * durationMs,
    );

  for (let turn = 0; turn < 3; turn++) {
    await t.step(`who ask at once for the same module compile it once (${turn})`, async () => {
      using fs = FileSystem.create({ maximumBytes: 64 << 20 });
      const reports = await run(fs, "the same module");
      assertAllRight(reports);
      assertEquals([sum(reports, "compiled"), sum(reports, "hits")], [1, WORKERS - 1], `EXTMEMFS_SEED=${SEED}`);
      assertEquals(reports.flatMap(({ told }) => told), []);
      assertTidy(fs);
    });
  }

  for (const debugLevel of [0, 3] as const) {
    await t.step(`compile each module once for each configuration, at debug level ${debugLevel}`, async () => {
      using fs = FileSystem.create({ maximumBytes: 64 << 20, debugLevel });
      const pairs = allPairs(6);
      const reports = await run(fs, "modules and configurations", 0, debugLevel);
      assertAllRight(reports);
      assertEquals(reports.map(({ answers }) => answers), reports.map(() => pairs.length));
      assertEquals(sum(reports, "compiled"), pairs.length, `EXTMEMFS_SEED=${SEED}`);
      assertEquals([sum(reports, "unusable"), sum(reports, "failures")], [0, 0]);
      assertEquals(reports.flatMap(({ told }) => told), []);
      assertEquals(fs.readdirSync("/artifacts").filter((name) => !name.startsWith(".")).length, pairs.length);
      assertTidy(fs);
    });
  }

  await t.step("get what they ask for while entries are evicted all the time", async () => {
    using fs = FileSystem.create({ maximumBytes: 64 << 20 });
    const reports = await run(fs, "eviction", DURATION_MS);
    assertAllRight(reports);
    assertEquals(reports.flatMap(({ told }) => told), []);
    assertGreater(sum(reports, "evicted"), 3);
    assertGreater(sum(reports, "hits"), 3);
    assertLessOrEqual(fs.readdirSync("/artifacts").length, 1 + 6 + WORKERS);
    assertTidy(fs);
  });

  for (const debugLevel of [0, 3] as const) {
    await t.step(`never load what somebody damages, and replace it, at debug level ${debugLevel}`, async () => {
      using fs = FileSystem.create({ maximumBytes: 64 << 20, debugLevel });
      const reports = await run(fs, "hostile", DURATION_MS, debugLevel);
      assertAllRight(reports);
      assertGreater(reports[0]!.damages, 30);
      assertGreater(sum(reports, "unusable"), 3);
      assertGreater(sum(reports, "hits"), 3);
      const kinds = new Set(reports.flatMap(({ told }) => told));
      for (const kind of kinds) assert(/^read ERR_ARTIFACT_/.test(kind), kind);
      // Nobody damages any more: what is there is good, or is replaced once.
      {
        await using store = ArtifactStore.inPool(fs, { key: KEY });
        const customer = new Customer(store, new Random(SEED), new Set());
        const pairs = allPairs(2);
        for (const turn of [1, 2]) {
          const before = store.counters.compiled;
          for (const pair of pairs) await customer.ask(pair);
          if (turn === 2) assertEquals(store.counters.compiled, before);
        }
        assertAllRight([customer.report()]);
        for (const pair of pairs) assertEquals((await store.inspect(customer.keyOf(pair)))?.problem, undefined);
      }
      assertTidy(fs);
    });
  }

  await t.step("get what they ask for in a pool that is too small for it all", async () => {
    // Of 24 modules of 300,000 bytes each about five have room.
    using fs = FileSystem.create({ maximumBytes: 3 << 20 });
    const reports = await run(fs, "full", DURATION_MS);
    assertAllRight(reports);
    assertGreater(sum(reports, "evicted"), 3);
    const kinds = new Set(reports.flatMap(({ told }) => told));
    // Where there is no room for a lock either, somebody compiles without one.
    for (const kind of kinds) assert(["write ENOSPC", "read ENOLCK"].includes(kind), kind);
    assertEquals(kinds.size > 0, sum(reports, "failures") > 0, "onError was not told of each failure");
    assertTidy(fs);
  });
});

Deno.test("ArtifactStore in a pool: a worker that is terminated while it compiles keeps nobody waiting after its time", async () => {
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  await using patient = ArtifactStore.inPool(fs);
  await using hasty = ArtifactStore.inPool(fs, { lockTimeoutMs: 50 });
  const agents = fs.stats().agents;
  for (let step = 0; step < 2; step++) {
    const id = 100 + step;
    const worker = new Worker(MODULE, { type: "module" });
    const agentId = await new Promise<number>((resolve, reject) => {
      worker.onmessage = ({ data: { report, error } }) =>
        error === undefined ? resolve(report) : reject(new Error(error));
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ victim: { handle: fs.handle, id, step } } satisfies VictimJob);
    });
    const waiting = patient.getOrCompile(moduleOf(id), ENGINE);
    await new Promise((resolve) => setTimeout(resolve, 20));
    worker.terminate();
    assertEquals(fs.stats().fileLocks, 1, "it was not compiling");
    // Nobody knows yet that it is gone.
    if (step === 0) {
      assertRight(await hasty.getOrCompile(moduleOf(id), ENGINE), id);
      assertEquals(hasty.counters.compiled, 1);
    }
    fs.retire(agentId);
    assertRight(await waiting, id);
    assertEquals(patient.counters.compiled, step, "whether there was something to find");
    assertEquals(patient.counters.waited, 1);
    assertEquals(fs.stats().agents, agents);
    assertEquals(fs.stats().fileLocks, 0);
    assertSound(fs, "after it has been retired");
  }
});
