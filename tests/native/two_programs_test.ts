/**
 * Two programs, each with a memory of its own, work on one pool at the same time (`programs/two_programs.c`). On Linux
 * the same are two processes in one folder.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assertEquals } from "../support/assert.ts";
import { LONG } from "../support/stress.ts";
import { type Configuration, selectedConfigurations, type Variant, VARIANTS } from "./support/configurations.ts";
import { buildForEmscripten, buildNatively, type Outcome, runNatively, TWO_PROGRAMS } from "./support/programs.ts";
import { loadProgram } from "./support/run_program.ts";

const CASES = [
  "append",
  "exclusive",
  "rename_over",
  "unlink_while_open",
  "fcntl_sections",
  "fcntl_ranges",
  "fcntl_shared",
  "fcntl_close",
  "fcntl_deadlock",
  "fcntl_exit",
  "flock_sections",
  "flock_shared",
  "flock_exit",
];

/** A program in one of the ways to build it. */
interface Side {
  readonly configuration: Configuration;
  readonly variant: Variant;
}

function nameOf({ configuration, variant }: Side): string {
  return `${configuration.name} (${variant.name})`;
}

/**
 * Which ways meet: each once as the first and once as the second, with the configurations mixed, and the simplest of
 * each configuration itself. With `EXTMEMFS_LONG=1` every way meets itself too, and all of its configuration in a ring.
 */
function pairs(): [Side, Side][] {
  const rows = selectedConfigurations().filter(({ pool }) => pool).map((configuration) =>
    configuration.variants.map((variant): Side => ({ configuration, variant }))
  );
  const [first = [], second = first] = rows;
  const mixed = first.map((side, index): [Side, Side] => [side, second[(index + 1) % second.length]!]);
  const alone = (row: readonly Side[]): [Side, Side][] =>
    row.filter(({ variant }) => LONG || variant === VARIANTS.unshared).map((side) => [side, side]);
  const ring = (row: readonly Side[]): [Side, Side][] =>
    LONG && rows.length > 1 ? row.map((side, index) => [side, row[(index + 1) % row.length]!]) : [];
  return [...mixed, ...rows.flatMap((row) => [...alone(row), ...ring(row)])];
}

function assertBothFine(outcomes: readonly Outcome[]): void {
  const printed = outcomes.flatMap(({ stdout, stderr }) => [...stdout, ...stderr]).join("\n");
  assertEquals(outcomes.map(({ exitCode }) => exitCode), [0, 0], printed);
}

Deno.test("two programs meet on Linux", async (t) => {
  const path = await buildNatively(TWO_PROGRAMS);
  for (const name of CASES) {
    await t.step(name, async () => {
      const cwd = await Deno.makeTempDir({ prefix: "extmemfs_two_" });
      try {
        assertBothFine(await Promise.all(["0", "1"].map((role) => runNatively(path, [name, role], { cwd }))));
      } finally {
        await Deno.remove(cwd, { recursive: true });
      }
    });
  }
});

for (const pair of pairs()) {
  Deno.test(`two programs meet on one pool, ${pair.map(nameOf).join(" and ")}`, async (t) => {
    const paths = await Promise.all(
      pair.map(({ configuration, variant }) => buildForEmscripten(TWO_PROGRAMS, configuration, variant)),
    );
    const address = pair.some(({ variant }) => variant.address === "i64") ? "i64" : "i32";
    const flock = pair.every(({ configuration }) => configuration.flock);
    for (const name of CASES.filter((name) => flock || !name.startsWith("flock"))) {
      await t.step(name, async () => {
        using fs = FileSystem.create({ maximumBytes: 256 << 20, address });
        const module = { extmemfs: fs.handle };
        const loaded = await Promise.all(
          paths.map((path, role) => loadProgram({ path, args: [name, String(role)], module })),
        );
        try {
          // Both are loaded by now; what they print and their gates tell the rest.
          assertBothFine(await Promise.all(loaded.map((program) => program.run())));
        } finally {
          for (const program of loaded) program[Symbol.dispose]();
        }
        assertEquals(fs.check(), [], "check() after both");
      });
    }
  });
}
