/**
 * What WasmFS makes impossible between programs (`limits.c`): the list of native/README.md, with `extmemfs_calls.cpp` and
 * without. A limit that is gone fails as well as one that comes.
 *
 * @module
 */
import { runProgram } from "../../../tools/native/run.ts";
import { assertEquals } from "../../support/assert.ts";
import { baseOf, build, makePool } from "./support.ts";

const WITH_CALLS = ["first look at ..", "rewinddir"];

const WITHOUT = [
  "append",
  "append by fcntl",
  "exclusive creation",
  "truncating creation",
  "mkdir",
  "symlink",
  "reason",
  "link",
  "open of what is replaced",
  "chmod of an open file",
  "number of names",
  "inode number",
  "getcwd",
  "first look at ..",
  "rewinddir",
  "fcntl",
];

for (const calls of [true, false]) {
  Deno.test(`WasmFS between programs, ${calls ? "with" : "without"} extmemfs_calls.cpp`, async () => {
    const linking = { root: false, calls };
    const path = await build("limits", linking);
    using fs = makePool();
    const { code, stdout, stderr } = await runProgram(path, {
      arguments: ["limits", baseOf(linking, "test"), "/test"],
      module: { extmemfs: fs.handle },
    });
    const lines = stdout.trim().split("\n");
    assertEquals(lines.filter((line) => !/: (exact|limit)$/.test(line)).join("\n") + stderr, "");
    assertEquals(code, 0);
    const limits = lines.filter((line) => line.endsWith(": limit")).map((line) => line.slice(0, -": limit".length));
    assertEquals(limits, calls ? WITH_CALLS : WITHOUT);
    assertEquals(fs.check(), []);
  });
}
