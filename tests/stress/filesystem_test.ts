/**
 * The filesystem under several workers at once: every mix of operations with two to eight workers, without checks and with
 * all. Every now and then one of them checks the whole pool; afterwards everything is verified, deleted, and must have been
 * given back.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assertEquals, assertGreater } from "../support/assert.ts";
import { assertEmptied, assertSound, attempt, LONG, Random, removeAll, SEED, StressCrew } from "../support/stress.ts";
import { MIXES } from "./filesystem_mixes.ts";

const MODULE = import.meta.resolve("./filesystem_worker.ts");
const DURATION_MS = LONG ? 10_000 : 300;

for (const [name, mix] of Object.entries(MIXES)) {
  if (mix.apart === true) continue;
  Deno.test(`filesystem: ${name}, with two to eight workers`, async (t) => {
    using crew = new StressCrew(MODULE);
    for (const workers of [2, 4, 8]) {
      for (const debugLevel of [0, 3] as const) {
        await t.step(`${workers} workers at debug level ${debugLevel}`, async () => {
          using fs = FileSystem.create({ maximumBytes: 512 << 20, initialBytes: 1, debugLevel });
          mix.prepare?.(fs, new Random(SEED));
          const reports = await crew.run({
            handle: fs.handle,
            mix: name,
            workers,
            durationMs: DURATION_MS,
            debugLevel,
          });
          assertSound(fs, "after the workers have left");
          mix.verify?.(fs, reports);
          assertGreater(fs.stats().inodes, 0);
          removeAll(fs);
          assertSound(fs, "after everything has been deleted");
          assertEmptied(fs, "after everything has been deleted");
        });
      }
    }
  });
}

Deno.test("FileSystem.retire() gives back all that a terminated worker had", async () => {
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  fs.writeFileSync("/shared", "shared");
  fs.writeFileSync("/appended", "");
  const agents = fs.stats().agents;
  for (let turn = 0; turn < 3; turn++) {
    const worker = new Worker(import.meta.resolve("./filesystem_parked_worker.ts"), { type: "module" });
    const agentId = await new Promise<number>((resolve, reject) => {
      worker.onmessage = (event) => resolve(event.data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(fs.handle);
    });
    worker.terminate();
    assertEquals(fs.stats(), { ...fs.stats(), agents: agents + 1, opens: 72, orphans: 1 });
    assertSound(fs, "with a worker that is gone");
    fs.retire(agentId);
    assertEquals(fs.stats(), { ...fs.stats(), agents, opens: 0, orphans: 0 });
    assertSound(fs, "after it has been retired");
    assertEquals(attempt(() => fs.retire(agentId)), "EIDRM");
  }
  removeAll(fs);
  assertEmptied(fs, "after everything has been deleted");
});
