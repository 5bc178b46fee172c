/**
 * Locks under real contention: workers that take one lock over and over. Overlap is asserted by who is inside, not by
 * sums; fairness by the longest wait and by how the acquisitions are shared out.
 *
 * `EXTMEMFS_LONG=1` makes each run ten seconds long, `EXTMEMFS_SEED` repeats a run's choices.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { createLockMemory, placeOf } from "../support/lock_pool.ts";
import { type LockJob, type LockReport, SECTION_ADDRESS } from "./locks_worker.ts";

const LONG = Deno.env.get("EXTMEMFS_LONG") === "1";
const SEED = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const FAIRNESS_MS = LONG ? 10_000 : 3000;
const GRID_MS = LONG ? 2000 : 120;

/** Workers over one memory, started once. */
class Crew implements Disposable {
  readonly memory: WebAssembly.Memory = createLockMemory();
  readonly #workers: Worker[] = [];

  constructor(count: number) {
    for (let index = 0; index < count; index++) {
      this.#workers.push(new Worker(new URL("./locks_worker.ts", import.meta.url), { type: "module" }));
    }
  }

  /** Runs one job on as many workers as there are `writePercents`. */
  async run(job: Omit<LockJob, "memory" | "index" | "workers" | "writePercent" | "seed">, writePercents: number[]) {
    new Int32Array(this.memory.buffer, SECTION_ADDRESS, 16).fill(0);
    const reports = await Promise.all(writePercents.map((writePercent, index) => {
      const worker = this.#workers[index]!;
      return new Promise<LockReport>((resolve, reject) => {
        worker.onmessage = (event: MessageEvent<LockReport & { error?: string }>) => {
          if (event.data.error !== undefined) reject(new Error(event.data.error));
          else resolve(event.data);
        };
        const seed = SEED + index * 7919;
        worker.postMessage(
          { ...job, memory: this.memory, index, workers: writePercents.length, writePercent, seed } satisfies LockJob,
        );
      });
    }));
    assertEquals(reports.map((report) => report.overlaps), reports.map(() => 0), `overlaps; EXTMEMFS_SEED=${SEED}`);
    const lockWords = new Int32Array(this.memory.buffer, placeOf(0), 64);
    // READERS alone may stay: it is a hint that the next writer clears.
    assertEquals(lockWords[0]! & ~2, 0, "the lock's state afterwards");
    return reports;
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

Deno.test("locks: nobody is inside with a writer, whatever the workers, the hold time and the kind", async () => {
  using crew = new Crew(8);
  for (const kind of ["raw", "mutex", "bareMutex", "rwLock", "bareRwLock"] as const) {
    for (const workers of LONG ? [2, 3, 5, 8] : [2, 8]) {
      for (const holdUs of LONG ? [0, 5, 30, 300, 3000] : [0, 30, 300]) {
        const percent = kind === "mutex" || kind === "bareMutex" ? 100 : 20;
        // The words are cleared between kinds of locks, which differ in what stands behind the first two.
        new Int32Array(crew.memory.buffer, placeOf(0), 64).fill(0);
        await crew.run({ kind, holdUs, durationMs: GRID_MS }, new Array<number>(workers).fill(percent));
      }
    }
  }
});

const cores = navigator.hardwareConcurrency;

/** What else wants the processors: threads that could run, averaged over the minute before this file's first test. */
const others = Deno.loadavg()[0]!;

function judge(what: string, reports: LockReport[], groups: number[][]): void {
  const scale = Math.max(1, (reports.length + others) / cores);
  const longest = reports.map((report) => report.longestMs);
  const counts = reports.map((report) => report.count);
  console.log(
    `  ${what}: ${reports.length} workers on ${cores} cores beside a load of ${others.toFixed(1)}, oversubscribed ` +
      `${scale.toFixed(1)} times; longest wait ` +
      `${Math.max(...longest).toFixed(1)} ms of ${(100 * scale).toFixed(0)} ms allowed; acquisitions ${
        counts.join(" ")
      }`,
  );
  assert(Math.max(...longest) <= 100 * scale, `a wait took ${Math.max(...longest)} ms; EXTMEMFS_SEED=${SEED}`);
  for (const group of groups) {
    const shares = group.map((index) => counts[index]!);
    const ratio = Math.max(...shares) / Math.min(...shares);
    assert(ratio <= 4, `acquisitions are not within 4 : 1: ${shares.join(" ")}; EXTMEMFS_SEED=${SEED}`);
  }
}

for (const kind of ["mutex", "bareMutex"] as const) {
  Deno.test(`${kind}: eight workers that loop on one lock all get their turn`, async () => {
    using crew = new Crew(8);
    const reports = await crew.run({ kind, holdUs: 2000, durationMs: FAIRNESS_MS }, new Array<number>(8).fill(100));
    judge(kind, reports, [[0, 1, 2, 3, 4, 5, 6, 7]]);
  });
}

for (const kind of ["rwLock", "raw", "bareRwLock"] as const) {
  Deno.test(`${kind}: a writer among readers and a reader among writers get their turn`, async () => {
    using crew = new Crew(8);
    const majority = [1, 2, 3, 4, 5, 6, 7];
    const durationMs = kind === "rwLock" ? FAIRNESS_MS : FAIRNESS_MS / 3;
    judge(
      `${kind}, a writer among readers`,
      await crew.run({ kind, holdUs: 2000, durationMs }, [100, 0, 0, 0, 0, 0, 0, 0]),
      [majority, [0, 1]],
    );
    judge(
      `${kind}, a reader among writers`,
      await crew.run({ kind, holdUs: 2000, durationMs }, [0, 100, 100, 100, 100, 100, 100, 100]),
      [majority, [0, 1]],
    );
  });
}
