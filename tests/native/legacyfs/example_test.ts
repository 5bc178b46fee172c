/**
 * The example, run as its users run it.
 *
 * @module
 */
import { assertEquals } from "../../support/assert.ts";

Deno.test("native/legacyfs/python.ts imports in one interpreter what another has written", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "native/legacyfs/python.ts"],
    cwd: new URL("../../../", import.meta.url),
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assertEquals(lines, ["hello from the other interpreter", "greeting.py"]);
});
