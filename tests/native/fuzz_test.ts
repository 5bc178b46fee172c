/**
 * Threads of a C program do seeded random operations, check each against a model in their heap, and meet in a directory
 * whose invariants hold whoever comes first (`programs/fuzz.c`).
 *
 * `EXTMEMFS_SEED` repeats a run's choices, `EXTMEMFS_LONG=1` makes runs twenty times as long.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assertEquals } from "../support/assert.ts";
import { LONG, SEED } from "../support/stress.ts";
import { selectedConfigurations, VARIANTS } from "./support/configurations.ts";
import { buildForEmscripten, buildNatively, FUZZ, type Outcome, runNatively } from "./support/programs.ts";
import { runProgram } from "./support/run_program.ts";

const THREADS = 4;
const STEPS = LONG ? 30_000 : 1500;
/** Runs of one test, each with a seed of its own. */
const RUNS = 2;

function assertClean({ stdout, stderr, exitCode }: Outcome, seed: number): void {
  const printed = [...stdout, ...stderr].join("\n");
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}, EXTMEMFS_SEED=${SEED} (seed ${seed})\n${printed}`);
}

const seeds = Array.from({ length: RUNS }, (_, run) => (SEED + run) >>> 0);

Deno.test("threads of a C program agree with their model on Linux", async () => {
  const path = await buildNatively(FUZZ);
  for (const seed of seeds) {
    assertClean(await runNatively(path, [String(seed), String(THREADS), String(STEPS)]), seed);
  }
});

for (const configuration of selectedConfigurations()) {
  const variants = [VARIANTS.thread, VARIANTS.memory64_thread].filter((one) => configuration.variants.includes(one));
  const own = configuration.pool || LONG ? seeds : seeds.slice(0, 1);
  for (const variant of variants) {
    const name = `threads of a C program agree with their model on ${configuration.name}, ${variant.name}`;
    Deno.test(name, async () => {
      const path = await buildForEmscripten(FUZZ, configuration, variant);
      for (const seed of own) {
        using fs = configuration.pool ? FileSystem.create({ maximumBytes: 512 << 20 }) : undefined;
        const args = [String(seed), String(THREADS), String(STEPS), (configuration.fuzzWithout ?? []).join(",")];
        const module = fs === undefined ? {} : { extmemfs: fs.handle };
        assertClean(await runProgram({ path, args, module, timeoutMs: 60_000 + STEPS * 20 }), seed);
        if (fs !== undefined) assertEquals(fs.check(), [], `check() after seed ${seed}`);
      }
    });
  }
}
