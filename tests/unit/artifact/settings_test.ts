import { resolveConfig } from "../../../src/artifact/config.ts";
import { ConfigError } from "../../../src/artifact/errors.ts";
import { COMPILER_SETTINGS, describeValue, resolveSettings } from "../../../src/artifact/settings.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("resolveSettings() refuses a list with a hole", () => {
  // deno-lint-ignore no-sparse-arrays
  const passes = [, "vacuum"];
  assertThrows(() => resolveSettings("settings", COMPILER_SETTINGS, { passes }), ConfigError, "settings.passes");
});

Deno.test("describeValue() shows whatever it is given in one line", () => {
  const cyclic: unknown[] = [1];
  cyclic.push(cyclic);
  assertEquals(describeValue(cyclic), "[1, a list]");
  assertEquals(describeValue({ constructor: { name: Symbol("name") } }), "an object");
  assertEquals(describeValue(Object.create(null)), "an object");
  assertEquals(
    describeValue([1n, "a", null, undefined, new Map(), 6]),
    '[1n, "a", null, undefined, an object (Map), …]',
  );
});

Deno.test("an error has the name of its class, also where names of classes are shortened", () => {
  const error = assertThrows(() => resolveConfig({ version: "latest" as "none" }), ConfigError);
  assertEquals(error.name, "ConfigError");
});
