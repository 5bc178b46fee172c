import { decode, encode, encodingOf, inEncoding, toEncoding } from "../../../src/api/encoding.ts";
import { assertEquals } from "../../support/assert.ts";
import { assertFails, pattern } from "./support.ts";

Deno.test("toEncoding() knows Node's names, and refuses others", () => {
  assertEquals(
    ["utf8", "UTF-8", "Latin1", "binary", "ascii", "HEX", "ucs-2", "utf16LE"].map((name) => toEncoding(name)),
    [
      "utf8",
      "utf8",
      "latin1",
      "latin1",
      "ascii",
      "hex",
      "utf16le",
      "utf16le",
    ],
  );
  assertEquals([undefined, null, "buffer", ""].map((name) => toEncoding(name)), new Array(4).fill(undefined));
  assertFails(() => toEncoding("utf-9"), "ERR_INVALID_ARG_VALUE");
  assertFails(() => toEncoding(5 as unknown as string), "ERR_INVALID_ARG_VALUE");
});

Deno.test("decode() and encode() give back what went in", () => {
  for (const size of [0, 1, 2, 3, 255, 8192, 8193, 20_001]) {
    const bytes = pattern(size);
    for (const encoding of ["latin1", "hex", "base64", "base64url"] as const) {
      assertEquals(encode(decode(bytes, encoding), encoding), bytes, `${encoding} of ${size} bytes`);
    }
    const even = bytes.slice(0, size - size % 2);
    assertEquals(encode(decode(even, "utf16le"), "utf16le"), even);
  }
  assertEquals(encode("xyz", "hex").length, 0);
  assertEquals([...encode("4142z", "hex")], [0x41, 0x42]);
  assertEquals([...encode(" YW J\nj= ", "base64")], [...new TextEncoder().encode("abc")]);
  assertEquals(decode(Uint8Array.of(0xe1, 0x41), "ascii"), "aA");
  assertEquals([...encode("\ud800", "utf8")], [0xef, 0xbf, 0xbd]);
});

Deno.test("encodingOf() takes what names no encoding for UTF-8, and odd hex for a mistake", () => {
  assertEquals([undefined, 5, "x", "HEX", "ucs2"].map((value) => encodingOf("ab", value)), [
    "utf8",
    "utf8",
    "utf8",
    "hex",
    "utf16le",
  ]);
  assertFails(() => encodingOf("abc", "hex"), "ERR_INVALID_ARG_VALUE");
});

Deno.test("inEncoding() gives a text, its bytes, or its bytes in an encoding", () => {
  assertEquals(inEncoding("é", undefined), "é");
  assertEquals(inEncoding("é", "buffer"), Uint8Array.of(0xc3, 0xa9));
  assertEquals(inEncoding("é", "hex"), "c3a9");
  assertEquals(inEncoding("é", "latin1"), "Ã©");
});
