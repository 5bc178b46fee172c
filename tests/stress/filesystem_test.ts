/**
 * The filesystem under several workers at once: every mix of operations with two to eight workers, without checks and with
 * all. Every now and then one of them checks the whole pool; afterwards everything is verified, deleted, and must have been
 * given back.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assertGreater } from "../support/assert.ts";
import { assertEmptied, assertSound, LONG, Random, removeAll, SEED, StressCrew } from "../support/stress.ts";
import { MIXES } from "./filesystem_mixes.ts";

const MODULE = import.meta.resolve("./filesystem_worker.ts");
const DURATION_MS = LONG ? 10_000 : 300;

for (const [name, mix] of Object.entries(MIXES)) {
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
