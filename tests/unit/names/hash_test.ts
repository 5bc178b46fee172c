/**
 * The hash of names: that it divides directories evenly, and differs from pool to pool.
 *
 * @module
 */
import { hashByte, hashFinish } from "../../../src/names/hash.ts";
import { assert, assertEquals, assertLess } from "../../support/assert.ts";

function hashOf(seed: number, name: string): number {
  let hash = seed;
  for (const byte of new TextEncoder().encode(name)) hash = hashByte(hash, byte);
  return hashFinish(hash);
}

const KINDS: Readonly<Record<string, (number: number) => string>> = {
  "numbers": (number) => String(number),
  "numbers with zeros": (number) => String(number).padStart(8, "0"),
  "a common beginning": (number) => `some-long-common-beginning-${number}`,
  "a common end": (number) => `${number}.test.d.ts.map`,
  "one letter repeated": (number) => "a".repeat(1 + number % 250) + number,
  "two bytes": (number) => String.fromCharCode(33 + number % 90, 33 + Math.floor(number / 90) % 90, number >> 13),
};

for (const [kind, nameOf] of Object.entries(KINDS)) {
  Deno.test(`hashes of names of ${kind} fill the slots of a table evenly`, () => {
    const count = 256 * 64;
    for (const seed of [0, 1, 0x5eed, -1]) {
      for (const shift of [24, 16, 8, 0]) {
        const slots = new Array<number>(256).fill(0);
        for (let number = 0; number < count; number++) slots[(hashOf(seed, nameOf(number)) >>> shift) & 255]!++;
        // 255 degrees of freedom: 512 and more comes once in 10^19 for an even distribution.
        const chiSquare = slots.reduce((sum, slot) => sum + (slot - 64) ** 2 / 64, 0);
        assertLess(chiSquare, 512, `seed ${seed}, shift ${shift}`);
      }
    }
  });
}

Deno.test("hashes of many names hardly ever agree, and depend on the seed", () => {
  const count = 100_000;
  const hashes = new Set(Array.from({ length: count }, (_, number) => hashOf(7, `name-${number}`)));
  // 1.2 pairs are to be expected.
  assert(hashes.size > count - 15, `${count - hashes.size} names share a hash`);
  let same = 0;
  for (let number = 0; number < 1000; number++) if (hashOf(1, `${number}`) === hashOf(2, `${number}`)) same++;
  assertEquals(same, 0);
});
