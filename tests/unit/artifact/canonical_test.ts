/** The canonical encoding: against itself, against cborg, against bytes that are none. */
import * as fc from "fast-check";
import { decode as cborgDecode, encode as cborgEncode, rfc8949EncodeOptions } from "cborg";
import {
  type CanonicalValue,
  compareBytes,
  decodeCanonical,
  encodeCanonical,
  encodeTagged,
} from "../../../src/artifact/canonical.ts";
import { toHex } from "../../../src/artifact/digest.ts";
import { EncodingError } from "../../../src/artifact/errors.ts";
import { assert, assertEquals, assertInstanceOf, assertThrows } from "../../support/assert.ts";
import { assertProperty, canonicalValues, fromHex, mapOf, toShared } from "./support.ts";

/** What cborg takes for maps, so that `__proto__` is a key like others. */
function withMaps(value: CanonicalValue): unknown {
  if (Array.isArray(value)) return value.map(withMaps);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return new Map(Object.entries(value).map(([key, item]) => [key, withMaps(item)]));
}

function withoutMaps(value: unknown): CanonicalValue {
  if (Array.isArray(value)) return value.map(withoutMaps);
  if (!(value instanceof Map)) return value as CanonicalValue;
  return mapOf([...value].map(([key, item]) => [key as string, withoutMaps(item)]));
}

/** Cborg at its strictest; the order of keys is the one thing it does not look at. */
const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
  useMaps: true,
} as const;

function assertRefused(bytes: Uint8Array, what: string, message?: string): void {
  assertThrows(() => decodeCanonical(bytes), EncodingError, message, `${what}: ${toHex(bytes)} is decoded`);
}

Deno.test("encodeCanonical() and decodeCanonical() are each other's inverse", () => {
  assertProperty(
    fc.property(canonicalValues, (value) => {
      const bytes = encodeCanonical(value);
      assertEquals(decodeCanonical(bytes), value);
      assertEquals(decodeCanonical(toShared(bytes)), value);
    }),
    600,
  );
});

Deno.test("encodeCanonical() gives the bytes that cborg gives by RFC 8949, and each decodes the other's", () => {
  assertProperty(
    fc.property(canonicalValues, (value) => {
      const theirs = cborgEncode(withMaps(value), rfc8949EncodeOptions);
      assertEquals(toHex(encodeCanonical(value)), toHex(theirs));
      assertEquals(withoutMaps(cborgDecode(encodeCanonical(value), STRICT)), value);
      assertEquals(decodeCanonical(theirs), value);
    }),
    600,
  );
});

Deno.test("encodeCanonical() gives the examples of RFC 8949, appendix A", () => {
  const examples: readonly [CanonicalValue, string][] = [
    [0, "00"],
    [1, "01"],
    [10, "0a"],
    [23, "17"],
    [24, "1818"],
    [25, "1819"],
    [100, "1864"],
    [1000, "1903e8"],
    [1_000_000, "1a000f4240"],
    [1_000_000_000_000, "1b000000e8d4a51000"],
    [-1, "20"],
    [-10, "29"],
    [-100, "3863"],
    [-1000, "3903e7"],
    [false, "f4"],
    [true, "f5"],
    [null, "f6"],
    [fromHex(""), "40"],
    [fromHex("01020304"), "4401020304"],
    ["", "60"],
    ["a", "6161"],
    ["IETF", "6449455446"],
    ['"\\', "62225c"],
    ["\u00fc", "62c3bc"],
    ["\u6c34", "63e6b0b4"],
    ["\ud800\udd51", "64f0908591"],
    [[], "80"],
    [[1, 2, 3], "83010203"],
    [[1, [2, 3], [4, 5]], "8301820203820405"],
    [Array.from({ length: 25 }, (_, index) => index + 1), `9819${hexOfCount(23)}18181819`],
    [{}, "a0"],
    [{ a: 1, b: [2, 3] }, "a26161016162820203"],
    [["a", { b: "c" }], "826161a161626163"],
    [{ a: "A", b: "B", c: "C", d: "D", e: "E" }, "a56161614161626142616361436164614461656145"],
  ];
  for (const [value, hex] of examples) {
    assertEquals(toHex(encodeCanonical(value)), hex);
    assertEquals(decodeCanonical(fromHex(hex)), Array.isArray(value) ? withoutMaps(withMaps(value)) : plain(value));
  }
});

function hexOfCount(count: number): string {
  return toHex(Uint8Array.from({ length: count }, (_, index) => index + 1));
}

function plain(value: CanonicalValue): CanonicalValue {
  return withoutMaps(withMaps(value));
}

Deno.test("encodeCanonical() orders keys by their encoding: shorter ones first, then by byte", () => {
  const bytes = encodeCanonical({ "b": 1, "aa": 2, "": 3, "\u00fc": 4, "z": 5, "\ue000": 6, "\ud83d\ude00": 7 });
  assertEquals(Object.keys(decodeCanonical(bytes) as object), ["", "b", "z", "aa", "\u00fc", "\ue000", "\ud83d\ude00"]);
  // Texts of 24 bytes and more have a longer head.
  const long = ["x".repeat(23), "a".repeat(24), "a".repeat(256)];
  const mixed = encodeCanonical(mapOf(long.toReversed().map((key) => [key, 0])));
  assertEquals(Object.keys(decodeCanonical(mixed) as object), long);
});

Deno.test("encodeCanonical() depends on what a map holds, not on the order it was written in", () => {
  assertProperty(
    fc.property(
      fc.dictionary(fc.string({ unit: "binary" }), fc.nat(), { maxKeys: 12 }),
      fc.nat(),
      (map, by) => {
        const entries = Object.entries(map);
        const turned = [...entries.slice(by % (entries.length + 1)), ...entries.slice(0, by % (entries.length + 1))];
        assertEquals(encodeCanonical(mapOf(turned)), encodeCanonical(mapOf(entries)));
      },
    ),
    200,
  );
});

Deno.test("encodeCanonical() gives different bytes for different values", () => {
  assertProperty(
    fc.property(canonicalValues, canonicalValues, (a, b) => {
      const same = compareBytes(encodeCanonical(a), encodeCanonical(b)) === 0;
      assertEquals(same, toHex(cborgEncode(withMaps(a))) === toHex(cborgEncode(withMaps(b))));
    }),
    300,
  );
  // One value each, however alike they look.
  const alike: CanonicalValue[] = [
    ...[0, 1, -1, "", "0", "1", [], {}, [0], ["0"], null, false, true, [null], [[]], [""], "null", "false"],
    ...[{ "": 0 }, { "0": 0 }, { a: 1 }, ["a", 1], [["a", 1]], fromHex(""), fromHex("30"), fromHex("00"), "\0"],
    ...[["a", "b"], ["ab"], ["a", ["b"]], [["a"], "b"], "e\u0301", "\u00e9"],
  ];
  const seen = new Set(alike.map((value) => toHex(encodeCanonical(value))));
  assertEquals(seen.size, alike.length);
});

Deno.test("encodeTagged() keeps domains and versions apart", () => {
  assertEquals(toHex(encodeTagged("d", 1, [])), "8361640180");
  const all = [encodeTagged("d", 1, []), encodeTagged("d", 2, []), encodeTagged("e", 1, []), encodeTagged("d", 1, "")];
  assertEquals(new Set(all.map(toHex)).size, all.length);
});

Deno.test("encodeCanonical() refuses what has no encoding", () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const fine = { a: 1 };
  const refused: readonly unknown[] = [
    ...[0.5, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 1e300, Number.MIN_VALUE],
    ...[undefined, 1n, Symbol("a"), () => 0, [undefined], { a: undefined }, new Array(1), { a: 1n }],
    ...["\ud800", "\udc00", "a\udfff", "\udc00\ud800", { "\ud800": 1 }, ["\udbff"]],
    ...[
      new Date(),
      new Map([["a", 1]]),
      new Set(),
      /a/,
      new Uint16Array(2),
      new ArrayBuffer(2),
      new DataView(new ArrayBuffer(1)),
    ],
    ...[Object.create(fine), new (class A {})(), new String("a"), new Number(1), new Boolean(true), Promise.resolve()],
    cyclic,
  ];
  for (const value of refused) {
    assertThrows(() => encodeCanonical(value as CanonicalValue), EncodingError, undefined, String(typeof value));
    assertThrows(() => encodeCanonical([{ a: value as CanonicalValue }]), EncodingError);
  }
});

Deno.test("encodeCanonical() encodes whatever it is given, or throws an EncodingError", () => {
  const options = { withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true };
  let refused = 0;
  assertProperty(
    fc.property(fc.anything({ ...options, withSparseArray: true, withTypedArray: true, maxDepth: 4 }), (value) => {
      let bytes: Uint8Array;
      try {
        bytes = encodeCanonical(value as CanonicalValue);
      } catch (error) {
        assertInstanceOf(error, EncodingError);
        refused++;
        return;
      }
      assertEquals(encodeCanonical(decodeCanonical(bytes)), bytes);
    }),
    2000,
  );
  assert(refused > 0);
});

Deno.test("encodeCanonical() and decodeCanonical() stop at the same depth", () => {
  const nested = (depth: number): CanonicalValue => depth === 0 ? 1 : [nested(depth - 1)];
  const nestedMap = (depth: number): CanonicalValue => depth === 0 ? 1 : { a: nestedMap(depth - 1) };
  assertEquals(decodeCanonical(encodeCanonical(nested(32))), nested(32));
  assertEquals(decodeCanonical(encodeCanonical(nestedMap(32))), plain(nestedMap(32)));
  assertThrows(() => encodeCanonical(nested(33)), EncodingError, "32");
  assertThrows(() => encodeCanonical(nestedMap(33)), EncodingError, "32");
  assertRefused(fromHex(`${"81".repeat(33)}01`), "33 lists", "32");
  assertRefused(fromHex(`${"a16161".repeat(33)}01`), "33 maps", "32");
  assertRefused(new Uint8Array(1_000_000).fill(0x81), "a million lists");
});

Deno.test("decodeCanonical() refuses every other encoding of a value", () => {
  const forms: readonly [what: string, hex: string][] = [
    ["nothing", ""],
    ["a byte too many", "0000"],
    ["two values", "6161 6162"],
    ["23 in two bytes", "1817"],
    ["0 in two bytes", "1800"],
    ["255 in three bytes", "1900ff"],
    ["65535 in five bytes", "1a0000ffff"],
    ["2^32 - 1 in nine bytes", "1b00000000ffffffff"],
    ["-1 in two bytes", "3800"],
    ["-256 in three bytes", "3900ff"],
    ["2^53", "1b0020000000000000"],
    ["-2^53", "3b001fffffffffffff"],
    ["2^64 - 1", "1bffffffffffffffff"],
    ["a text with a long length", "780161"],
    ["bytes with a long length", "580100"],
    ["a list with a long length", "980100"],
    ["a map with a long length", "b8016161 00"],
    ["a reserved length 28", "1c"],
    ["a reserved length 29", "7d"],
    ["a reserved length 30", "9e"],
    ["an indefinite integer", "1f"],
    ["indefinite bytes", "5f4100ff"],
    ["an indefinite text", "7f6161ff"],
    ["an indefinite list", "9f01ff"],
    ["an indefinite map", "bf616101ff"],
    ["a break alone", "ff"],
    ["keys out of order", "a2 6162 01 6161 02"],
    ["keys by RFC 7049 and not by RFC 8949", "a2 78186161616161616161616161616161616161616161616161616161 00 6162 00"],
    ["a longer key first", "a2 626161 01 6162 02"],
    ["a key twice", "a2 6161 01 6161 01"],
    ["a key that is a number", "a1 01 01"],
    ["a key that is bytes", "a1 4161 01"],
    ["a key that is a list", "a1 80 01"],
    ["a key that is null", "a1 f6 01"],
    ["a key with a long length", "a1 780161 01"],
    ["a tag (date)", "c0 6161"],
    ["a tag (bignum)", "c2 4101"],
    ["a self-described value", "d9d9f7 01"],
    ["undefined", "f7"],
    ["a half", "f93800"],
    ["1.0", "f93c00"],
    ["a float", "fa47c35000"],
    ["a double", "fb3ff199999999999a"],
    ["not a number", "f97e00"],
    ["infinity", "f97c00"],
    ["simple 0", "e0"],
    ["simple 19", "f3"],
    ["false in two bytes", "f814"],
    ["simple 32", "f820"],
    ["UTF-8 that goes on without a beginning", "6180"],
    ["UTF-8 that stops in between", "61c3"],
    ["UTF-8 that is longer than needed", "62c080"],
    ["UTF-8 of a surrogate", "63eda080"],
    ["UTF-8 of a surrogate pair", "66eda080edb080"],
    ["UTF-8 beyond U+10FFFF", "64f4908080"],
    ["a key that is no UTF-8", "a1 61ff 00"],
    ["a length that is cut off", "1a0000"],
    ["a text that is cut off", "636161"],
    ["bytes that are cut off", "4300"],
    ["a list that is cut off", "820 1"],
    ["a map without its last value", "a1 6161"],
    ["a list longer than memory", "9b001fffffffffffff"],
    ["bytes longer than memory", "5b001fffffffffffff"],
    ["a map longer than memory", "bb001fffffffffffff"],
  ];
  for (const [what, hex] of forms) assertRefused(fromHex(hex), what, "no canonical encoding");
});

Deno.test("decodeCanonical() keeps a byte order mark, which is part of the text", () => {
  assertEquals(decodeCanonical(encodeCanonical("\ufeffa")), "\ufeffa");
});

Deno.test("decodeCanonical() takes __proto__ for a key like others", () => {
  const map = decodeCanonical(fromHex("a1 69 5f5f70726f746f5f5f a1 6161 01")) as Record<string, CanonicalValue>;
  assertEquals(Object.keys(map), ["__proto__"]);
  assertEquals(Object.getPrototypeOf(map), null);
  assertEquals(map.a, undefined);
  assertEquals(({} as Record<string, unknown>).a, undefined);
  assertEquals(toHex(encodeCanonical(map)), "a1695f5f70726f746f5f5fa1616101");
  assertEquals(toHex(encodeCanonical(JSON.parse('{"__proto__":{"a":1}}'))), "a1695f5f70726f746f5f5fa1616101");
});

Deno.test("decodeCanonical() gives bytes of their own, also of a view that copies nothing when it is sliced", async () => {
  const { Buffer } = await import("node:buffer");
  for (const bytes of [fromHex("4301 0203"), Buffer.from("43010203", "hex"), toShared(fromHex("43010203"))]) {
    const value = decodeCanonical(bytes) as Uint8Array;
    bytes.fill(0xff);
    assertEquals(value, Uint8Array.of(1, 2, 3));
    assert(value.buffer instanceof ArrayBuffer);
  }
});

Deno.test("decodeCanonical() of any bytes throws an EncodingError or gives what encodes to them", () => {
  const roundTrip = (bytes: Uint8Array): boolean => {
    let value: CanonicalValue;
    try {
      value = decodeCanonical(bytes);
    } catch (error) {
      assertInstanceOf(error, EncodingError);
      return false;
    }
    assertEquals(toHex(encodeCanonical(value)), toHex(bytes));
    return true;
  };
  assertProperty(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void roundTrip(bytes)), 5000);
  // Bytes that are nearly an encoding come further.
  let decoded = 0;
  assertProperty(
    fc.property(
      canonicalValues,
      fc.nat(),
      fc.nat(255),
      fc.constantFrom("change", "insert", "remove", "cut"),
      (v, at, byte, how) => {
        const bytes = [...encodeCanonical(v)];
        const index = at % bytes.length;
        if (how === "change") bytes[index] = byte;
        else if (how === "insert") bytes.splice(index, 0, byte);
        else if (how === "remove") bytes.splice(index, 1);
        else bytes.length = index;
        if (roundTrip(Uint8Array.from(bytes))) decoded++;
      },
    ),
    3000,
  );
  assert(decoded > 0, "no altered encoding was an encoding: the alterations are too coarse");
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) roundTrip(Uint8Array.of(first, second));
  }
});
