/**
 * Programs in C and C++ print on every file system what they print on Linux; what is known to differ is written down,
 * with the reason, in `programs/differences`.
 *
 * Emscripten's own file systems are run in their simplest variant only, and of this library's the smaller programs in the
 * simplest and the one that has everything; `EXTMEMFS_LONG=1` runs all in all.
 * `EXTMEMFS_CONFIGURATIONS=memfs,wasmfs_memory` runs some rows only. `EXTMEMFS_RECORD=linux` writes the expected output
 * anew from this machine; `EXTMEMFS_RECORD=NAME` writes `programs/differences/NAME.txt` anew from the tests whose last
 * file it is (with threads, that is `NAME_threads`), and leaves reasons to be filled in.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assertEquals } from "../support/assert.ts";
import { LONG } from "../support/stress.ts";
import {
  type Configuration,
  differencesOf,
  selectedConfigurations,
  type Variant,
  VARIANTS,
} from "./support/configurations.ts";
import { applyDifferences, expectationFor, readDifferences } from "./support/expectation.ts";
import {
  assertLines,
  BINARIES,
  type Binary,
  buildForEmscripten,
  buildNatively,
  linesOf,
  PROGRAMS_FOLDER,
  runNatively,
} from "./support/programs.ts";
import { recordDifferences, recordExpected, UNEXPLAINED } from "./support/record.ts";
import { runProgram } from "./support/run_program.ts";

const RECORD = Deno.env.get("EXTMEMFS_RECORD");
const STDIN = "first line\nsecond";

for (const binary of BINARIES) {
  Deno.test(`Linux prints what ${binary.name} is expected to print`, async (t) => {
    const path = await buildNatively(binary);
    for (const program of binary.programs) {
      if (binary.needRoot?.includes(program) && Deno.uid() !== 0) {
        console.log(`${program}: only the superuser can prove it, and this is user ${Deno.uid()}`);
        continue;
      }
      await t.step(program, async () => {
        const outcome = await runNatively(path, [program], { stdin: STDIN });
        if (RECORD === "linux") await recordExpected(program, linesOf(outcome));
        assertLines(linesOf(outcome), (await expectationFor(program, [])).lines);
        assertEquals(outcome.exitCode, 0);
      });
    }
  });
}

Deno.test("every difference has a reason", async () => {
  const unexplained: string[] = [];
  for await (const { name } of Deno.readDir(`${PROGRAMS_FOLDER}/differences`)) {
    const file = name.replace(/\.txt$/, "");
    for (const [program, { hunks }] of await readDifferences(file)) {
      for (const [title, list] of hunks) {
        if (list.some(({ reason }) => reason === UNEXPLAINED)) unexplained.push(`${name}: ${program}, ${title}`);
      }
    }
  }
  assertEquals(unexplained, []);
});

for (const configuration of selectedConfigurations()) {
  for (const variant of configuration.variants) {
    for (const binary of BINARIES) {
      if (!LONG && RECORD === undefined && !isRun(configuration, variant, binary)) continue;
      Deno.test(`${configuration.name} prints what ${binary.name} is expected to print, ${variant.name}`, async (t) => {
        const path = await buildForEmscripten(binary, configuration, variant);
        for (const program of binary.programs) {
          if (!configuration.flock && binary.needFlock?.includes(program)) continue;
          await t.step(program, () => runOne(path, program, configuration, variant));
        }
      });
    }
  }
}

/** Whether a program is run on a variant by default. */
function isRun({ pool }: Configuration, variant: Variant, { name }: Binary): boolean {
  if (variant === VARIANTS.unshared) return true;
  return pool && (name === "conformance" || variant === VARIANTS.memory64_thread);
}

async function runOne(path: string, program: string, configuration: Configuration, variant: Variant): Promise<void> {
  const files = differencesOf(configuration, variant);
  const recording = RECORD !== undefined && RECORD === files.at(-1);
  const without = recording ? await omittedCases(program, files) : (await expectationFor(program, files)).without;
  using fs = configuration.pool ? FileSystem.create({ maximumBytes: 256 << 20 }) : undefined;
  const outcome = await runProgram({
    path,
    args: [program, without.join(",")],
    stdin: STDIN,
    module: fs === undefined ? {} : { extmemfs: fs.handle },
  });
  if (recording) {
    const before = await expectationFor(program, files.slice(0, -1));
    const own = (await readDifferences(RECORD)).get(program);
    const omitted = new Map(own?.omitted);
    const lines = applyDifferences(before.lines, { omitted, hunks: new Map() }, RECORD);
    await recordDifferences(RECORD, program, lines, linesOf(outcome));
  }
  assertLines(linesOf(outcome), (await expectationFor(program, files)).lines);
  assertEquals(outcome.exitCode, 0);
  if (fs !== undefined) assertEquals(fs.check(), [], "check() after the program");
}

/** The cases that files of differences leave out, without a look at their lines. */
async function omittedCases(program: string, files: readonly string[]): Promise<string[]> {
  const omitted: string[] = [];
  for (const file of files) omitted.push(...((await readDifferences(file)).get(program)?.omitted.keys() ?? []));
  return omitted;
}
