/** Keys: what they are made of, by their definition spelt out here, and that no two inputs share one. */
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { encodeTagged } from "../../../../src/artifact/canonical.ts";
import { EncodingError } from "../../../../src/artifact/errors.ts";
import { assertKey } from "../../../../src/artifact/store/backend.ts";
import { digestExtra, encodeKey, type ExtraInputs } from "../../../../src/artifact/store/key.ts";
import { assertEquals, assertNotEquals, assertThrows } from "../../../support/assert.ts";
import { assertProperty } from "../support.ts";

const digest = (...parts: (string | Uint8Array)[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};
const INPUTS = { source: digest("module"), compatibility: digest("engine"), extra: new Uint8Array(0) };

Deno.test("encodeKey() is the SHA-256 of its inputs under a domain of its own, in base64url", () => {
  const bytes = encodeTagged("extmemfs.artifact-key", 1, [INPUTS.source, INPUTS.compatibility, INPUTS.extra]);
  assertEquals(encodeKey(INPUTS), createHash("sha256").update(bytes).digest("base64url"));
});

Deno.test("encodeKey() gives what assertKey() takes, and another key for every other input", () => {
  const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const inputs = fc.record({
    source: bytes32,
    compatibility: bytes32,
    extra: fc.oneof(bytes32, fc.constant(INPUTS.extra)),
  });
  assertProperty(
    fc.property(inputs, inputs, fc.constantFrom("source", "compatibility", "extra"), (a, b, part) => {
      const key = encodeKey(a);
      assertKey(key);
      assertEquals(encodeKey({ ...a }), key);
      const other = { ...a, [part]: b[part] };
      const same = Array.from(a[part]).join() === Array.from(other[part]!).join();
      assertEquals(encodeKey(other) === key, same);
    }),
    300,
  );
  // The same digest in another place is another key.
  assertNotEquals(
    encodeKey({ ...INPUTS, source: INPUTS.compatibility, compatibility: INPUTS.source }),
    encodeKey(INPUTS),
  );
  assertThrows(() => encodeKey({ ...INPUTS, source: new Uint8Array(31) }), TypeError);
});

Deno.test("digestExtra() tells lists apart by their parts, types and order, and is empty without any", () => {
  assertEquals(digestExtra(), new Uint8Array(0));
  assertEquals(digestExtra([]), new Uint8Array(0));
  const lists: ExtraInputs[] = [
    [""],
    ["", ""],
    ["ab"],
    ["a", "b"],
    ["b", "a"],
    [new Uint8Array()],
    [new TextEncoder().encode("ab")],
    ["a", new TextEncoder().encode("b")],
    [new Uint8Array([0])],
    ["\0"],
  ];
  const found = lists.map((list) => digestExtra(list).join());
  assertEquals(new Set(found).size, lists.length);
  for (const list of lists) assertEquals(digestExtra(list).length, 32);
});

Deno.test("digestExtra() refuses what is no list of texts and bytes, with a TypeError or EncodingError", () => {
  for (const bad of [null, "text", 5, {}, [1], [undefined], [["a"]], [new Uint16Array(2)], [new ArrayBuffer(2)]]) {
    assertThrows(() => digestExtra(bad as unknown as ExtraInputs), TypeError);
  }
  assertThrows(() => digestExtra(["\ud800"]), EncodingError);
});

Deno.test("assertKey() refuses everything that is not 43 characters of base64url with a TypeError", () => {
  const key = encodeKey(INPUTS);
  assertKey(key);
  for (const bad of [key.slice(1), `${key}A`, `${key.slice(1)}=`, `${key.slice(1)}+`, `${key.slice(1)}.`, `${key}\n`]) {
    assertThrows(() => assertKey(bad), TypeError);
  }
  assertProperty(
    fc.property(fc.anything(), (value) => {
      if (typeof value === "string" && /^[A-Za-z0-9_-]{43}$/.test(value)) return;
      assertThrows(() => assertKey(value as string), TypeError);
    }),
    500,
  );
});
