/**
 * File locks between real workers: overlap by who is inside each byte, the longest wait and the shares, circles of workers
 * that wait for each other, workers that are gone while they hold or wait.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { contextOf, heldLocks } from "../unit/file/support.ts";
import { CHAIN_WAITERS } from "../../src/layout/file_locks.ts";
import { GRANULE_WORDS } from "../../src/layout/units.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { assertEmptied, assertSound, LONG, removeAll, SEED, StressCrew } from "../support/stress.ts";
import type { FileLockAnswer, FileLockCall, FileLockReport } from "./file_locks_worker.ts";

const MODULE = import.meta.resolve("./file_locks_worker.ts");
const RANGES_MS = LONG ? 10_000 : 500;
const FAIRNESS_MS = LONG ? 10_000 : 2000;
const cores = navigator.hardwareConcurrency;
/** What else wants the processors: threads that could run, averaged over the minute before this file's first test. */
const others = Deno.loadavg()[0]!;

function createWithFiles(): FileSystem {
  const fs = FileSystem.create({ maximumBytes: 64 << 20 });
  for (const name of ["0", "1", "2"]) fs.writeFileSync(`/${name}`, "x");
  return fs;
}

Deno.test("file locks: nobody is inside a range with its writer, and nothing is left", async () => {
  using crew = new StressCrew(MODULE);
  for (const workers of [2, 5, 8]) {
    for (const debugLevel of [0, 3] as const) {
      using fs = createWithFiles();
      const job = { mix: "ranges", workers, durationMs: RANGES_MS, debugLevel, handle: fs.handle };
      const reports = await crew.run<FileLockReport>(job);
      const sum = (of: (report: FileLockReport) => number) => reports.reduce((total, one) => total + of(one), 0);
      assertEquals(sum(({ overlaps }) => overlaps), 0, `overlaps; EXTMEMFS_SEED=${SEED}`);
      assert(reports.every(({ count }) => count > 20), `${reports.map(({ count }) => count)}; EXTMEMFS_SEED=${SEED}`);
      const known = ["EAGAIN", "ETIMEDOUT", "EDEADLK"];
      assert(reports.every(({ errors }) => Object.keys(errors).every((code) => known.includes(code))));
      console.log(
        `  ${workers} workers, level ${debugLevel}: ${sum(({ count }) => count)} locks, ` +
          known.map((code) => `${sum(({ errors }) => errors[code] ?? 0)} ${code}`).join(", ") +
          `, longest wait ${Math.max(...reports.map(({ longestMs }) => longestMs)).toFixed(1)} ms`,
      );
      assertEquals(fs.stats().fileLocks, 0);
      assertSound(fs, "after the ranges");
      removeAll(fs);
      assertEmptied(fs, "after the ranges");
    }
  }
});

for (const mix of ["flock", "range"]) {
  Deno.test(`file locks: eight workers that loop on one ${mix} lock all get their turn`, async () => {
    using crew = new StressCrew(MODULE);
    using fs = createWithFiles();
    const job = { mix, workers: 8, durationMs: FAIRNESS_MS, debugLevel: 1 as const, handle: fs.handle };
    const reports = await crew.run<FileLockReport>(job);
    const scale = Math.max(1, (8 + others) / cores);
    const counts = reports.map(({ count }) => count);
    const longest = Math.max(...reports.map(({ longestMs }) => longestMs));
    console.log(
      `  longest wait ${longest.toFixed(1)} ms of ${(100 * scale).toFixed(0)} ms allowed; taken ${counts.join(" ")}`,
    );
    assertEquals(reports.map(({ overlaps }) => overlaps), reports.map(() => 0));
    assert(longest <= 100 * scale, `a wait took ${longest} ms`);
    assert(Math.max(...counts) / Math.min(...counts) <= 4, `not within 4 : 1: ${counts.join(" ")}`);
    assertSound(fs, "after the turns");
  });
}

/** A worker that makes one call after the other. */
class Puppet implements Disposable {
  readonly #worker = new Worker(MODULE, { type: "module" });
  readonly #handle;
  #last: Promise<FileLockAnswer> | undefined;

  constructor(fs: FileSystem, ...paths: string[]) {
    this.#handle = fs.handle;
    for (const path of paths) void this.call("openSync", path);
  }

  call(name: FileLockCall["name"], path?: string, ...args: unknown[]): Promise<FileLockAnswer> {
    const call: FileLockCall = { handle: this.#handle, name, args, ...(path === undefined ? {} : { path }) };
    const before = this.#last ?? Promise.resolve();
    return this.#last = before.then(() =>
      new Promise((resolve, reject) => {
        this.#worker.onmessage = ({ data }) => data.error === undefined ? resolve(data) : reject(new Error(data.error));
        this.#worker.onerror = (event) => reject(new Error(event.message));
        this.#worker.postMessage(call);
      })
    );
  }

  async code(name: FileLockCall["name"], path?: string, ...args: unknown[]): Promise<string> {
    return (await this.call(name, path, ...args)).code;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

const byte = (start: number, type: "read" | "write" = "write") => ({ type, start, length: 1 });

/** Waits until so many requests wait for locks of a file. */
async function untilWaiting(fs: FileSystem, path: string, count: number): Promise<void> {
  const inode = fs.statSync(path).ino * GRANULE_WORDS;
  const end = performance.now() + 10_000;
  while (heldLocks(fs, inode, CHAIN_WAITERS).length !== count) {
    assert(performance.now() < end, `${heldLocks(fs, inode, CHAIN_WAITERS).length} wait, not ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

for (const size of [2, 3, 5]) {
  Deno.test(`setLockSync(): of ${size} workers in a circle one is told EDEADLK, and the others get on`, async () => {
    using fs = createWithFiles();
    const puppets = Array.from({ length: size }, () => new Puppet(fs, "/0", "/1"));
    // Every other in another file: the circle leads through several chains.
    const place = (index: number) => [`/${index % 2}`, byte(index)] as const;
    for (let round = 0; round < 5; round++) {
      for (const [index, puppet] of puppets.entries()) {
        assertEquals(await puppet.code("setLockSync", ...place(index)), "ok");
      }
      // Those who are not told release when they have got what they want, and so lets the one that was told try again.
      const codes = await Promise.all(puppets.map(async (puppet, index) => {
        const code = await puppet.code("setLockSync", ...place((index + 1) % size));
        for (const path of ["/0", "/1"]) await puppet.call("setLockSync", path, { type: "unlock" });
        return code;
      }));
      assertEquals(codes.filter((code) => code === "EDEADLK").length, 1, codes.join(" "));
      assertEquals(codes.filter((code) => code === "ok").length, size - 1, codes.join(" "));
    }
    assertEquals(fs.stats().fileLocks, 0);
    assertSound(fs, "after the circles");
    for (const puppet of puppets) puppet[Symbol.dispose]();
  });
}

Deno.test("setLockSync(): two who read and both want to write are a circle; a chain of waits is none", async () => {
  using fs = createWithFiles();
  using first = new Puppet(fs, "/0");
  using second = new Puppet(fs, "/0");
  using third = new Puppet(fs, "/0");
  for (const puppet of [first, second]) assertEquals(await puppet.code("setLockSync", "/0", byte(0, "read")), "ok");
  const waits = first.code("setLockSync", "/0", byte(0));
  await untilWaiting(fs, "/0", 1);
  const chained = third.code("setLockSync", "/0", byte(0));
  await untilWaiting(fs, "/0", 2);
  assertEquals(await second.code("setLockSync", "/0", byte(0)), "EDEADLK");
  // What it read it reads still, and the others wait on.
  assertEquals(heldLocks(fs, fs.statSync("/0").ino * GRANULE_WORDS).length, 2);
  assertEquals(await second.code("setLockSync", "/0", { type: "unlock" }), "ok");
  assertEquals(await waits, "ok");
  assertEquals(await first.code("setLockSync", "/0", { type: "unlock" }), "ok");
  assertEquals(await chained, "ok");
});

Deno.test("file locks: a release wakes the one that waits, at once", async () => {
  using fs = createWithFiles();
  using puppet = new Puppet(fs, "/0");
  const fd = fs.openSync("/0", "a+");
  const delays: number[][] = [[], [], [], [], []];
  const releases: [
    take: () => void,
    wait: readonly unknown[],
    name: "flockSync" | "setLockSync",
    release: () => void,
  ][] = [
    [() => fs.flockSync(fd, "ex"), ["ex"], "flockSync", () => fs.flockSync(fd, "un")],
    [() => fs.flockSync(fd, "ex"), ["sh"], "flockSync", () => fs.flockSync(fd, "sh")],
    [() => fs.setLockSync(fd, byte(3)), [byte(3)], "setLockSync", () => fs.setLockSync(fd, { type: "unlock" })],
    [() => fs.setLockSync(fd, byte(3)), [byte(3, "read")], "setLockSync", () => fs.setLockSync(fd, byte(3, "read"))],
    [() => fs.setLockSync(fd, byte(3)), [byte(3)], "setLockSync", () => fs.closeSync(fs.openSync("/0"))],
  ];
  for (let round = 0; round < 4; round++) {
    for (const [kind, [take, wait, name, release]] of releases.entries()) {
      take();
      const answer = puppet.call(name, "/0", ...wait);
      await untilWaiting(fs, "/0", 1);
      // Somewhere within a slice.
      await new Promise((resolve) => setTimeout(resolve, 5 + 3 * round));
      const released = performance.timeOrigin + performance.now();
      release();
      const { code, endedAt } = await answer;
      assertEquals(code, "ok");
      delays[kind]!.push(endedAt - released);
      fs.flockSync(fd, "un");
      fs.setLockSync(fd, { type: "unlock" });
      await puppet.call("flockSync", "/0", "un");
      await puppet.call("setLockSync", "/0", { type: "unlock" });
    }
  }
  const shortest = delays.map((list) => Math.min(...list));
  console.log(`  from each kind of release to the return: ${shortest.map((ms) => ms.toFixed(2)).join(", ")} ms`);
  // Without a wake-up, those who wait would look again after what is left of their 50 ms.
  assert(shortest.every((ms) => ms < 10), JSON.stringify(delays));
});

Deno.test("file locks: a worker that is gone keeps its locks until it is retired, and then leaves nothing", async () => {
  using fs = createWithFiles();
  using holder = new Puppet(fs, "/0");
  const waiter = new Puppet(fs, "/0");
  using next = new Puppet(fs, "/0");
  const { agentId: holderId } = await holder.call("setLockSync", "/0", byte(0));
  await holder.call("flockSync", "/0", "ex");
  const { agentId: waiterId } = await waiter.call("setLockSync", "/0", byte(7));
  void waiter.call("setLockSync", "/0", byte(0));
  await untilWaiting(fs, "/0", 1);
  const waiting = next.code("setLockSync", "/0", { type: "write" });
  await untilWaiting(fs, "/0", 2);
  // Gone while it waits and holds: what it waits for is nobody's loss, what it holds is kept.
  waiter[Symbol.dispose]();
  await holder.call("closeSync", "/0");
  assertEquals(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 150, "waits"))]), "waits");
  assertSound(fs, "with a waiter that is gone");
  fs.retire(waiterId);
  assertEquals(await waiting, "ok");
  assertEquals(fs.stats().fileLocks, 1);
  assertSound(fs, "after it has been retired");
  fs.retire(holderId);
  await next.call("detach");
  removeAll(fs);
  assertEmptied(fs, "after all are gone");
});

Deno.test("file locks: while the pool is frozen nobody takes one, and who waits goes on afterwards", async () => {
  using fs = createWithFiles();
  using puppet = new Puppet(fs, "/0");
  const fd = fs.openSync("/0", "a+");
  fs.setLockSync(fd, byte(0));
  const waiting = puppet.code("setLockSync", "/0", byte(0));
  await untilWaiting(fs, "/0", 1);
  for (let round = 0; round < 20; round++) assertSound(fs, "while one waits");
  fs.setLockSync(fd, { type: "unlock" });
  assertEquals(await waiting, "ok");
  assert(contextOf(fs).store.agent.depth === 0);
});
