/**
 * One program on a pool through WasmFS: from its main thread and from another, with the pool mounted and as the root, while
 * somebody else changes the pool between its calls (`cases.c`).
 *
 * @module
 */
import { runProgram } from "../../../tools/native/run.ts";
import { assertEquals } from "../../support/assert.ts";
import { baseOf, build, type Linking, makePool } from "./support.ts";

const CASES = [
  "files",
  "directories",
  "links",
  "renames",
  "metadata",
  "stale",
  "unlinked",
  "full",
  "threads",
  "mounts",
];

for (const linking of [{ root: false, calls: true }, { root: true, calls: true }] satisfies Linking[]) {
  Deno.test(`WasmFS, the pool ${linking.root ? "as the root" : "mounted"}`, async (t) => {
    const path = await build("cases", linking);
    for (const name of CASES) {
      for (const thread of [[], ["thread"]]) {
        await t.step(`${name}${thread.map((text) => `, on a ${text}`)}`, async () => {
          using fs = makePool(name === "full" ? 4 << 20 : undefined);
          const { code, stdout, stderr } = await runProgram(path, {
            arguments: [name, baseOf(linking, "test"), "/test", ...thread],
            module: { extmemfs: fs.handle },
            limitMs: 30_000,
          });
          assertEquals([code, stdout + stderr], [0, ""]);
          assertEquals(fs.check(), []);
          // Both threads that attached, and all that was open, have gone.
          assertEquals([fs.stats().opens, fs.stats().orphans], [0, 0]);
        });
      }
    }
  });
}
