/**
 * Listing a directory some entries at a time.
 *
 * @module
 */
import * as fc from "fast-check";
import { FileSystem } from "../../../mod.ts";
import { CURSOR_END, readEntries } from "../../../src/file/listing.ts";
import { generationOf } from "../../../src/store/inodes.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { SEED } from "../../support/stress.ts";
import { contextOf } from "./support.ts";

/** Takes up to some entries from a cursor on; returns their names and the next cursor. */
function take(fs: FileSystem, path: string, cursor: number, most: number): { names: string[]; next: number } {
  const context = contextOf(fs);
  const word = fs.statSync(path).ino * 4;
  const names: string[] = [];
  const { memory } = context.store;
  const next = readEntries(context, word, generationOf(context.store, word), cursor, (addr, bytes) => {
    if (names.length === most) return false;
    names.push(new TextDecoder().decode(memory.u8.slice(addr, addr + bytes)));
    return true;
  });
  assert(next >= 0, `readEntries returned ${next}`);
  return { names, next };
}

Deno.test("readEntries() gives each entry once, whatever comes and goes between two calls", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 900 }),
      fc.array(fc.record({ most: fc.integer({ min: 1, max: 80 }), adds: fc.nat(40), removes: fc.nat(40) }), {
        minLength: 1,
        maxLength: 8,
      }),
      (entries, turns) => {
        using fs = FileSystem.create({ maximumBytes: 16 << 20 });
        fs.mkdirSync("/d");
        const there = new Set<string>();
        const stayed = new Set<string>();
        const ever = new Set<string>();
        for (let index = 0; index < entries; index++) {
          const name = `${index}-${"ü".repeat(index % 7)}`;
          fs.writeFileSync(`/d/${name}`, "");
          for (const set of [there, stayed, ever]) set.add(name);
        }
        const seen: string[] = [];
        let cursor = 0;
        for (let turn = 0; cursor !== CURSOR_END; turn++) {
          const { most, adds, removes } = turns[turn % turns.length]!;
          const { names, next } = take(fs, "/d", cursor, most);
          seen.push(...names);
          assert(next > cursor, "the cursor moves on");
          cursor = next;
          // Only so many come and go: a directory that grows for ever is never listed.
          if (turn > 20) continue;
          for (let added = 0; added < adds; added++) {
            const name = `new-${turn}-${added}`;
            fs.writeFileSync(`/d/${name}`, "");
            there.add(name);
            ever.add(name);
          }
          for (const name of [...there].slice(0, removes)) {
            fs.unlinkSync(`/d/${name}`);
            there.delete(name);
            stayed.delete(name);
          }
        }
        assertEquals(new Set(seen).size, seen.length, "no entry comes twice");
        for (const name of stayed) assert(seen.includes(name), `${name} was there all the while`);
        for (const name of seen) assert(ever.has(name), `${name} never was there`);
      },
    ),
    { seed: SEED, numRuns: 30 },
  );
});

Deno.test("readEntries() of a directory that has been removed ends at once", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  fs.mkdirSync("/d");
  const context = contextOf(fs);
  const word = fs.statSync("/d").ino * 4;
  const generation = generationOf(context.store, word);
  fs.rmdirSync("/d");
  assertEquals(readEntries(context, word, generation, 0, () => false), CURSOR_END);
});
