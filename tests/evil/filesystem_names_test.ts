/**
 * Directories whose names were chosen so that their hashes agree: buckets that split down to the last table, and join again.
 *
 * `EXTMEMFS_SEED` repeats a run's choices.
 *
 * @module
 */
import type { FileSystem } from "../../mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { assertEmptied, assertSound, attempt, Random, SEED } from "../support/stress.ts";
import { createWithSeed, hashOf, namesBelowPrefix, namesOfOneHash } from "../support/stress_names.ts";

/** Adds names one by one, then takes them out at random; asks for others in between, and checks every so often. */
function fillAndEmpty(fs: FileSystem, names: readonly string[], checkEvery: number): void {
  const random = new Random(SEED);
  const there = new Set<string>();
  const look = () => {
    assertSound(fs, `with ${there.size} names`);
    const listed = fs.readdirSync("/d");
    assertEquals(listed.length, there.size);
    assert(listed.every((name) => there.has(name)), "only names that are there are listed");
    for (let step = 0; step < 20; step++) {
      const name = random.of(names);
      assertEquals(fs.existsSync(`/d/${name}`), there.has(name), name);
    }
  };
  for (const name of names) {
    fs.linkSync("/f", `/d/${name}`);
    there.add(name);
    if (there.size % checkEvery === 0) look();
  }
  look();
  const order = [...names];
  while (order.length > 0) {
    const at = random.below(order.length);
    const name = order[at]!;
    order[at] = order.at(-1)!;
    order.pop();
    fs.unlinkSync(`/d/${name}`);
    there.delete(name);
    // Some come back, so that buckets that were joined are split again.
    if (random.oneIn(5)) {
      const again = random.of(names);
      if (!there.has(again)) {
        fs.linkSync("/f", `/d/${again}`);
        there.add(again);
        order.push(again);
      }
    }
    if (order.length % checkEvery === 0) look();
  }
  assertEquals(fs.statSync("/f").nlink, 1);
}

function directory(name: string, names: (fs: FileSystem) => string[], checkEvery: number): void {
  Deno.test(`a directory of ${name}: filled and emptied at random`, () => {
    using fs = createWithSeed({ maximumBytes: 256 << 20, debugLevel: 3 });
    fs.writeFileSync("/f", "f");
    fs.mkdirSync("/d");
    fillAndEmpty(fs, names(fs), checkEvery);
    fs.rmdirSync("/d");
    fs.unlinkSync("/f");
    assertSound(fs, "after everything has been deleted");
    assertEmptied(fs, "after everything has been deleted");
  });
}

directory("any names, step by step", () => Array.from({ length: 150 }, (_, number) => `name-${number}`), 1);
directory("any names", () => Array.from({ length: 4000 }, (_, number) => `name-${number}`), 500);
directory("names in one stripe", (fs) => namesBelowPrefix(fs, 4, 9, 2000, 12), 400);
directory("names in one slot of the first table", (fs) => namesBelowPrefix(fs, 8, 0x9c, 1000, 12), 200);
directory("names in one slot, step by step", (fs) => namesBelowPrefix(fs, 8, 0x9c, 120, 12), 1);
directory("names in one slot of the second table", (fs) => namesBelowPrefix(fs, 16, 0x9c41, 60, 12), 5);
directory("names of one hash", (fs) => namesOfOneHash(fs, 9), 64);
directory("long names", () => Array.from({ length: 400 }, (_, number) => `${number}`.padEnd(255, "-")), 40);
directory(
  "names of 1 to 255 bytes, in more than one byte a character",
  () => Array.from({ length: 300 }, (_, number) => `${number}${"é".repeat(number % 120)}`),
  30,
);

Deno.test("a directory takes no more names of one hash than a bucket can hold, and loses none of them", () => {
  using fs = createWithSeed({ maximumBytes: 64 << 20 });
  fs.writeFileSync("/f", "f");
  fs.mkdirSync("/d");
  const names = namesOfOneHash(fs, 11);
  assertEquals(new Set(names.map((name) => hashOf(fs, name))).size, 1);
  const there: string[] = [];
  let refused = 0;
  for (const name of names) {
    const code = attempt(() => fs.linkSync("/f", `/d/${name}`));
    if (code === "ok") there.push(name);
    else {
      assertEquals(code, "EFBIG");
      refused++;
    }
  }
  assert(there.length > 1000 && refused > 0, `${there.length} names of one hash, ${refused} refused`);
  assertEquals(fs.readdirSync("/d").sort(), [...there].sort());
  fs.linkSync("/f", "/d/another");
  assertSound(fs, "with a full bucket");
  fs.rmSync("/d", { recursive: true });
  fs.unlinkSync("/f");
  assertEmptied(fs, "after everything has been deleted");
});
