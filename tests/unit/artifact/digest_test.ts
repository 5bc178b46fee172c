/** Digests: the vectors of the standards, all implementations alike, the forms of digests. */
import * as fc from "fast-check";
import { createHash, createHmac } from "node:crypto";
import {
  type DigestFormat,
  equalDigests,
  formatDigest,
  hmacSha256,
  hmacSha256Async,
  sha256,
  sha256Async,
  toBase64Url,
  toHex,
} from "../../../src/artifact/digest.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import type { DigestAnswer, DigestJob } from "./digest_worker.ts";
import { assertAsyncProperty, assertProperty, fromHex, toShared } from "./support.ts";

const utf8 = new TextEncoder();
const repeated = (byte: number, count: number) => new Uint8Array(count).fill(byte);

/** FIPS 180-2, appendix B, and NIST's examples of long messages. */
const SHA256_VECTORS: readonly [Uint8Array, string][] = [
  [utf8.encode(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  [utf8.encode("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    utf8.encode("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
  [
    utf8.encode(
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
    ),
    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
  ],
  [repeated(0x61, 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"],
];

/** RFC 4231, section 4; the fifth is cut to 16 bytes there. */
const HMAC_VECTORS: readonly [key: Uint8Array, data: Uint8Array, code: string][] = [
  [repeated(0x0b, 20), utf8.encode("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
  [
    utf8.encode("Jefe"),
    utf8.encode("what do ya want for nothing?"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  [repeated(0xaa, 20), repeated(0xdd, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
  [
    fromHex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
    repeated(0xcd, 50),
    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
  ],
  [repeated(0x0c, 20), utf8.encode("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b"],
  [
    repeated(0xaa, 131),
    utf8.encode("Test Using Larger Than Block-Size Key - Hash Key First"),
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  ],
  [
    repeated(0xaa, 131),
    utf8.encode(
      "This is a test using a larger than block-size key and a larger than block-size data. " +
        "The key needs to be hashed before being used by the HMAC algorithm.",
    ),
    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
  ],
];

Deno.test("sha256() and sha256Async() give the digests of FIPS 180-2", async () => {
  for (const [message, digest] of SHA256_VECTORS) {
    assertEquals(toHex(sha256(message)), digest);
    assertEquals(toHex(await sha256Async(message)), digest);
    assertEquals(toHex(sha256(toShared(message))), digest);
    assertEquals(toHex(await sha256Async(toShared(message))), digest);
  }
  assertEquals(toHex(sha256()), SHA256_VECTORS[0]![1]);
  assertEquals(toHex(await sha256Async()), SHA256_VECTORS[0]![1]);
});

Deno.test("hmacSha256() and hmacSha256Async() give the codes of RFC 4231", async () => {
  for (const [key, data, code] of HMAC_VECTORS) {
    const { length } = code;
    assertEquals(toHex(hmacSha256(key, data)).slice(0, length), code);
    assertEquals(toHex(await hmacSha256Async(key, data)).slice(0, length), code);
    assertEquals(toHex(hmacSha256(key, toShared(data))).slice(0, length), code);
    assertEquals(toHex(await hmacSha256Async(toShared(key), toShared(data))).slice(0, length), code);
  }
});

/** Parts of all kinds: private and shared, empty, longer than the pieces that shared memory goes in by. */
const partLists: fc.Arbitrary<Uint8Array[]> = fc.array(
  fc.record({ bytes: fc.uint8Array({ maxLength: 400 }), shared: fc.boolean() })
    .map(({ bytes, shared }) => shared ? toShared(bytes) : bytes),
  { maxLength: 6 },
);

function expectedDigests(key: Uint8Array, parts: readonly Uint8Array[]): [string, string] {
  const hash = createHash("sha256");
  const mac = createHmac("sha256", key);
  for (const part of parts) for (const one of [hash, mac]) one.update(new Uint8Array(part));
  return [hash.digest("hex"), mac.digest("hex")];
}

Deno.test("digests of several parts are those of the parts joined, waiting or not, in shared memory or not", async () => {
  await assertAsyncProperty(
    fc.asyncProperty(partLists, fc.uint8Array({ minLength: 1, maxLength: 150 }), async (parts, key) => {
      const [digest, code] = expectedDigests(key, parts);
      assertEquals(toHex(sha256(...parts)), digest);
      assertEquals(toHex(await sha256Async(...parts)), digest);
      assertEquals(toHex(hmacSha256(key, ...parts)), code);
      assertEquals(toHex(await hmacSha256Async(key, ...parts)), code);
    }),
    150,
  );
  const large = Uint8Array.from({ length: (1 << 20) * 2 + 5 }, (_, index) => index * 7);
  for (const cut of [0, 1, 1 << 20, (1 << 20) + 1]) {
    const shared = [toShared(large).subarray(0, cut), toShared(large).subarray(cut)];
    assertEquals(toHex(sha256(...shared)), toHex(sha256(large)));
  }
});

async function digestElsewhere(job: DigestJob): Promise<DigestAnswer> {
  const worker = new Worker(new URL("./digest_worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<DigestAnswer>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(job);
    });
  } finally {
    worker.terminate();
  }
}

Deno.test("digests without node:crypto, and without Web Crypto, are the same", async () => {
  const key = fromHex("a5".repeat(32));
  const random = fc.sample(partLists, { numRuns: 40, seed: 1 });
  const lists = [[], ...SHA256_VECTORS.map(([message]) => [message]), ...random];
  for (const subtle of [true, false]) {
    const answers = await digestElsewhere({ subtle, key, partLists: lists });
    assertEquals(answers.length, lists.length);
    for (const [index, parts] of lists.entries()) {
      const [digest, code] = expectedDigests(key, parts);
      assertEquals(answers[index]!.map(toHex), [digest, code, digest, code], `Web Crypto ${subtle}, list ${index}`);
    }
  }
});

Deno.test("digests leave their inputs as they were", () => {
  const key = repeated(1, 40);
  const part = toShared(repeated(2, 100));
  const before = [new Uint8Array(key), new Uint8Array(part)];
  sha256(part);
  hmacSha256(key, part);
  assertEquals([key, new Uint8Array(part)], before);
});

Deno.test("formatDigest() gives hexadecimal digits, base64url, or a copy", () => {
  const digest = sha256(utf8.encode("abc"));
  assertEquals(formatDigest(digest, "hex"), SHA256_VECTORS[1]![1]);
  assertEquals(formatDigest(digest, "base64url"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
  const copy = formatDigest(digest, "bytes") as Uint8Array;
  assertEquals(copy, digest);
  copy[0]! ^= 1;
  assertEquals(toHex(digest), SHA256_VECTORS[1]![1]);
  for (const format of ["base64", "HEX", "", null, undefined, 16, {}]) {
    assertThrows(() => formatDigest(digest, format as DigestFormat), TypeError, '"base64url"');
  }
});

Deno.test("toBase64Url() gives what Buffer gives", async () => {
  const { Buffer } = await import("node:buffer");
  assertProperty(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assertEquals(toBase64Url(bytes), Buffer.from(bytes).toString("base64url"));
      assertEquals(toHex(bytes), Buffer.from(bytes).toString("hex"));
    }),
    300,
  );
});

Deno.test("equalDigests() sees a difference in every bit, and in length", () => {
  const digest = sha256();
  assert(equalDigests(digest, new Uint8Array(digest)));
  for (let bit = 0; bit < 256; bit++) {
    const other = new Uint8Array(digest);
    other[bit >> 3]! ^= 1 << (bit & 7);
    assert(!equalDigests(digest, other), `bit ${bit}`);
  }
  assert(!equalDigests(digest, digest.subarray(0, 31)));
  assert(!equalDigests(digest.subarray(0, 0), digest));
  assert(equalDigests(new Uint8Array(0), new Uint8Array(0)));
});
