/**
 * The translation of error numbers.
 *
 * @module
 */
import { toWasi } from "../../../src/adapters/wasi_errno.ts";
import * as linux from "../../../src/layout/errno.ts";
import { assert, assertEquals } from "../../support/assert.ts";

/** The number in the place of one that is not known. */
const WASI_EIO = 29;

Deno.test("toWasi() has a number of its own for every errno of the filesystem", () => {
  const taken = new Map<number, string>();
  for (const [name, value] of Object.entries(linux)) {
    if (typeof value !== "number") continue;
    const translated = -toWasi(-value);
    assert(translated > 0 && translated !== WASI_EIO, `${name} has no number`);
    assertEquals(taken.get(translated), undefined, `${name} has the number of another`);
    taken.set(translated, name);
  }
  assert(taken.size >= 25, `only ${taken.size} numbers`);
});

Deno.test("toWasi() leaves results alone, and makes an input or output error of what it does not know", () => {
  for (const result of [0, 1, 4096, 2 ** 40]) assertEquals(toWasi(result), result);
  for (const unknown of [5, 159, 160, 100_000]) assertEquals(toWasi(-unknown), -WASI_EIO, `${unknown}`);
});
