/**
 * Random sequences of operations on the filesystem under test and on Node 24's own, which must give the same.
 *
 * `EXTMEMFS_SEED` (a number) runs the sequences of that seed instead of the fixed and the fresh one;
 * `EXTMEMFS_SEQUENCES` says how many.
 *
 * @module
 */

import * as fc from "fast-check";
import { assert } from "@std/assert";
import type { Operation } from "./language.ts";
import { NodeOracle } from "./node_oracle.ts";
import { sequences } from "./operations.ts";
import { explain, minimize, runSequence } from "./runner.ts";

/** The seed whose sequences every run repeats. */
const FIXED_SEED = 20_017;

/** How long a sequence may be. */
const MAX_LENGTH = 150;

/** At least so many operations are compared in a run of the fixed seed. */
const MIN_OPERATIONS = 20_000;

const FIXED_SEQUENCES = 320;
const FRESH_SEQUENCES = 80;

/** Runs the sequences of a seed; throws with the smallest sequence found that makes a difference. */
async function compare(seed: number, sequenceCount: number): Promise<number> {
  await using oracle = await NodeOracle.start();
  const tally = new Map<string, number>();
  let comparedCount = 0;
  const property = fc.asyncProperty(sequences(MAX_LENGTH), async (operations) => {
    const run = await runSequence(oracle, operations);
    comparedCount += run.comparedCount;
    for (const [kind, count] of run.tally) tally.set(kind, (tally.get(kind) ?? 0) + count);
    return run.difference === undefined;
  });
  const details = await fc.check(property, { seed, numRuns: sequenceCount });
  if (details.failed) {
    const found = await runSequence(oracle, details.counterexample?.[0] as Operation[]);
    const smallest = await runSequence(oracle, await minimize(oracle, found.operations));
    const shown = smallest.difference ? explain(smallest) : "(the difference does not show when run again)";
    throw new Error(
      `Node ${oracle.greeting.version} and ExtMemFS differ (EXTMEMFS_SEED=${seed}, after ${details.numRuns} sequences, ` +
        `${details.numShrinks} times made smaller):\n${shown}`,
      { cause: details.errorInstance ?? undefined },
    );
  }
  const kinds = [...tally].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`);
  console.log(`seed ${seed}: ${comparedCount} operations in ${sequenceCount} sequences: ${kinds.join(", ")}`);
  return comparedCount;
}

const chosenSeed = Deno.env.get("EXTMEMFS_SEED");
const chosenCount = Number(Deno.env.get("EXTMEMFS_SEQUENCES") ?? FIXED_SEQUENCES);

if (chosenSeed !== undefined) {
  Deno.test(`FileSystem does what Node's fs does: sequences of seed ${chosenSeed}`, async () => {
    await compare(Number(chosenSeed), chosenCount);
  });
} else {
  Deno.test("FileSystem does what Node's fs does: sequences of the fixed seed", async () => {
    const comparedCount = await compare(FIXED_SEED, FIXED_SEQUENCES);
    assert(comparedCount >= MIN_OPERATIONS, `${comparedCount} operations were compared, fewer than ${MIN_OPERATIONS}`);
  });

  Deno.test("FileSystem does what Node's fs does: sequences of a fresh seed", async () => {
    await compare(Date.now() % 2 ** 31, FRESH_SEQUENCES);
  });
}
