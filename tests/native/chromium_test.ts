/**
 * The conformance programs in Chromium: in the page's own thread, which may not block, on a thread that the page
 * started, and in a worker. `EXTMEMFS_LONG=1` has all configurations run everywhere.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { LONG } from "../support/stress.ts";
import { startBrowser } from "./support/browser.ts";
import { differencesOf, selectedConfigurations, VARIANTS } from "./support/configurations.ts";
import { expectationFor } from "./support/expectation.ts";
import { assertLines, BINARIES, buildForEmscripten, linesOf } from "./support/programs.ts";

const STDIN = "first line\nsecond";
/** A program as a page loads it. */
const PLACES = [
  { place: "page", variant: VARIANTS.unshared },
  { place: "page", variant: VARIANTS.shared },
  { place: "page", variant: VARIANTS.thread },
  { place: "worker", variant: VARIANTS.unshared },
] as const;

Deno.test("programs print in Chromium what they are expected to print", async (t) => {
  await using browser = await startBrowser();
  for (const configuration of selectedConfigurations()) {
    for (const { place, variant } of PLACES) {
      if (!configuration.variants.includes(variant)) continue;
      if (!LONG && !configuration.pages.includes(`${variant.name}, ${place}`)) continue;
      for (const binary of BINARIES) {
        const path = await buildForEmscripten(binary, configuration, variant);
        for (const program of binary.programs) {
          if (!configuration.flock && binary.needFlock?.includes(program)) continue;
          await t.step(`${configuration.name}, ${variant.name}, in the ${place}: ${program}`, async () => {
            const { without, lines } = await expectationFor(program, differencesOf(configuration, variant));
            const { stdout, stderr, exitCode, violations } = await browser.run(path, {
              args: [program, without.join(",")],
              stdin: STDIN,
              place,
              poolBytes: configuration.pool ? 256 << 20 : 0,
            });
            assertLines(linesOf({ stdout, stderr }), lines);
            assertEquals(exitCode, 0);
            assertEquals(violations, [], "check() after the program");
          });
        }
      }
    }
  }
});
