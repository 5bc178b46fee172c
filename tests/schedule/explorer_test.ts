/**
 * The explorer against brute force: for random small programs, what all interleavings can end in.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { createLockMemory } from "../support/lock_pool.ts";
import { exploreSchedules, findFailure } from "../support/schedule.ts";
import { type Instruction, WORDS } from "./explorer_threads.ts";

const MODULE = import.meta.resolve("./explorer_threads.ts");

function randomPrograms(seed: number): Instruction[][] {
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const kinds = ["load", "store", "add", "exchange", "spill", "load"] as const;
  return Array.from({ length: 3 }, (_, thread) =>
    Array.from({ length: 2 + random(2) }, (_, k) => ({
      what: kinds[random(kinds.length)]!,
      word: random(2),
      value: 1 + thread * 16 + k,
    })));
}

/** All ends that any order of the instructions leads to, as JSON of what was seen and of the two words. */
function bruteForce(programs: Instruction[][]): Set<string> {
  const ends = new Set<string>();
  const go = (at: number[], words: number[], seen: number[][]): void => {
    let over = true;
    for (let thread = 0; thread < programs.length; thread++) {
      const instruction = programs[thread]![at[thread]!];
      if (instruction === undefined) continue;
      over = false;
      const { what, word, value } = instruction;
      const nextWords = words.slice();
      const nextSeen = seen.map((list) => list.slice());
      if (what === "store") nextWords[word] = value;
      else if (what === "spill") nextWords[word] = seen[thread]!.at(-1) ?? 0;
      else {
        nextSeen[thread]!.push(words[word]!);
        if (what === "add") nextWords[word]! += value;
        if (what === "exchange") nextWords[word] = value;
      }
      go(at.with(thread, at[thread]! + 1), nextWords, nextSeen);
    }
    if (over) ends.add(JSON.stringify([seen, words]));
  };
  go(programs.map(() => 0), [0, 0], programs.map(() => []));
  return ends;
}

for (let seed = 1; seed <= 10; seed++) {
  Deno.test(`exploreSchedules() reaches every end of a random program (seed ${seed})`, async () => {
    const programs = randomPrograms(seed);
    const expected = bruteForce(programs);
    const threads = programs.map((data) => ({ module: MODULE, name: "interpreter", data }));
    // Without a bound, and with one that no execution of this length reaches.
    for (const preemptions of [undefined, 20]) {
      const memory = createLockMemory();
      const words = new Int32Array(memory.buffer);
      const ends = new Set<string>();
      await exploreSchedules({
        memory,
        threads,
        ...(preemptions === undefined ? {} : { preemptions }),
        check: (results) => void ends.add(JSON.stringify([results, WORDS.map((word) => words[word])])),
      });
      assertEquals([...ends].sort(), [...expected].sort(), `preemptions ${preemptions}`);
    }
  });
}

Deno.test("exploreSchedules() finds a wake-up that comes before the change", async () => {
  const thread = (name: string, data: unknown = Infinity) => ({ module: MODULE, name, data });
  const careful = await findFailure({
    memory: createLockMemory(),
    threads: [thread("parker"), thread("waker")],
    timeouts: "never",
  });
  assertEquals(careful.failure, undefined);
  const careless = await findFailure({
    memory: createLockMemory(),
    threads: [thread("parker"), thread("carelessWaker")],
    timeouts: "never",
  });
  assertStringIncludes(careless.failure?.message ?? "", "deadlock");
});

Deno.test("exploreSchedules() lets a timeout fire at any moment, as often as allowed", async () => {
  const ends = new Set<string>();
  await exploreSchedules({
    memory: createLockMemory(),
    threads: [{ module: MODULE, name: "parker", data: 10 }, { module: MODULE, name: "waker" }],
    timeouts: 1,
    check: (results) => void ends.add(JSON.stringify(results)),
  });
  // Woken; not parked because the word had changed; timed out before the store, or after it and before the wake-up.
  assertEquals([...ends].sort(), ["[0,1]", "[1,0]", "[2,0]"]);
});

Deno.test("exploreSchedules() reports a thread that never ends", async () => {
  const { failure } = await findFailure({
    memory: createLockMemory(),
    threads: [{ module: MODULE, name: "spinner" }],
    steps: 100,
  });
  assert(failure !== undefined);
  assertStringIncludes(failure.message, "no end after 100 steps");
});

Deno.test("exploreSchedules({ plain: true }) schedules plain accesses", async () => {
  const run = async (data: string) => {
    const seen = new Set<number>();
    await exploreSchedules({
      memory: createLockMemory(),
      threads: [{ module: MODULE, name: "versionedWriter" }, { module: MODULE, name: "versionedReader", data }],
      plain: true,
      check: (results) => void seen.add(results[1] as number),
    });
    return [...seen].sort();
  };
  assertEquals(await run("careful"), [-1, 0]);
  assertEquals(await run("careless"), [-1, 0, 1]);
});
