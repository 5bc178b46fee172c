/**
 * Hand-picked sequences of operations, of what is easy to get wrong, on the filesystem under test and on Node 24's own.
 *
 * @module
 */

import { assert } from "@std/assert";
import { READING, SIZES, UNLINKED, WRITING } from "./cases_content.ts";
import { LINKS } from "./cases_links.ts";
import { MODES, TIMES } from "./cases_metadata.ts";
import { OPENING } from "./cases_opening.ts";
import { WALKING } from "./cases_paths.ts";
import { COPYING, LINKING, LISTING, MAKING, REMOVING, RENAMING } from "./cases_tree.ts";
import { NodeOracle } from "./node_oracle.ts";
import { explain, runSequence } from "./runner.ts";
import type { Cases } from "./writing.ts";

const GROUPS: Record<string, Cases> = {
  "walking a path": WALKING,
  "symbolic links": LINKS,
  "opening": OPENING,
  "reading": READING,
  "writing": WRITING,
  "sizes": SIZES,
  "files without a name": UNLINKED,
  "renaming": RENAMING,
  "linking": LINKING,
  "making directories": MAKING,
  "removing": REMOVING,
  "listing": LISTING,
  "copying": COPYING,
  "modes and owners": MODES,
  "times": TIMES,
};

Deno.test("FileSystem does what Node's fs does: hand-picked cases", async (t) => {
  await using oracle = await NodeOracle.start();
  for (const [group, cases] of Object.entries(GROUPS)) {
    for (const [name, operations] of Object.entries(cases)) {
      await t.step(`${group}: ${name}`, async () => {
        const run = await runSequence(oracle, operations);
        assert(!run.difference, `Node ${oracle.greeting.version} and ExtMemFS differ:\n${explain(run)}`);
      });
    }
  }
});
