/**
 * Random sequences of operations on the filesystem under test and on Node 24's own, which must give the same.
 *
 * `EXTMEMFS_SEED` (a number) is used instead of the fixed and the fresh seed; `EXTMEMFS_LONG=1` runs twenty times as many
 * sequences.
 *
 * @module
 */

import * as fc from "fast-check";
import { assert } from "@std/assert";
import type { Operation } from "./language.ts";
import { NodeOracle } from "./node_oracle.ts";
import { sequences } from "./operations.ts";
import type { SubjectOptions } from "./subject.ts";
import { explain, minimize, runSequence } from "./runner.ts";

/** The seed whose sequences every run repeats. */
const FIXED_SEED = 20_017;

/** How long a sequence may be. */
const MAX_LENGTH = 150;

/** At least so many operations are compared in a run of the fixed seed. */
const MIN_OPERATIONS = 20_000;

/** How often more sequences are run than by default. */
const MORE = Deno.env.get("EXTMEMFS_LONG") === "1" ? 20 : 1;

const FIXED_SEQUENCES = 320 * MORE;
const FRESH_SEQUENCES = 160 * MORE;

/** The sequences of the fixed seed by one agent that checks nothing, those of a fresh one by two that check all. */
const ONE_AGENT: SubjectOptions = { debugLevel: 0, agentCount: 1 };
const TWO_AGENTS: SubjectOptions = { debugLevel: 3, agentCount: 2 };

/**
 * Runs the sequences of a seed.
 *
 * @returns How many operations were compared.
 * @throws {Error} With the smallest sequence found that makes a difference.
 */
async function compare(seed: number, sequenceCount: number, options: SubjectOptions): Promise<number> {
  await using oracle = await NodeOracle.start();
  const tally = new Map<string, number>();
  let comparedCount = 0;
  let oracleFailure: Error | undefined;
  const property = fc.asyncProperty(sequences(MAX_LENGTH), async (operations) => {
    const run = await runSequence(oracle, operations, options).catch((error) => {
      oracleFailure ??= error;
      throw error;
    });
    comparedCount += run.comparedCount;
    for (const [kind, count] of run.tally) tally.set(kind, (tally.get(kind) ?? 0) + count);
    return run.difference === undefined;
  });
  const details = await fc.check(property, { seed, numRuns: sequenceCount });
  if (details.failed) {
    if (oracleFailure) throw oracleFailure;
    const found = await runSequence(oracle, details.counterexample?.[0] as Operation[], options);
    const smallest = await runSequence(oracle, await minimize(oracle, found.operations, options), options);
    const shown = smallest.difference ? explain(smallest) : "(the difference does not show when run again)";
    throw new Error(
      `Node ${oracle.greeting.version} and ExtMemFS differ (EXTMEMFS_SEED=${seed}, ${options.agentCount} agents, after ` +
        `${details.numRuns} sequences, ${details.numShrinks} times made smaller):\n${shown}`,
    );
  }
  const kinds = [...tally].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`);
  console.log(`seed ${seed}: ${comparedCount} operations in ${sequenceCount} sequences: ${kinds.join(", ")}`);
  return comparedCount;
}

const chosenSeed = Deno.env.get("EXTMEMFS_SEED");
const fixedSeed = chosenSeed === undefined ? FIXED_SEED : Number(chosenSeed);

Deno.test("FileSystem does what Node's fs does: a fixed seed", async () => {
  const comparedCount = await compare(fixedSeed, FIXED_SEQUENCES, ONE_AGENT);
  assert(comparedCount >= MIN_OPERATIONS, `${comparedCount} operations were compared, fewer than ${MIN_OPERATIONS}`);
});

Deno.test("FileSystem does what Node's fs does: a fresh seed, two agents in turn", async () => {
  const seed = chosenSeed === undefined ? Date.now() % 2 ** 31 : fixedSeed;
  await compare(seed, FRESH_SEQUENCES, TWO_AGENTS);
});
