/**
 * The allocator under several workers at once, while the memory grows. At each meeting, when all have stopped, the whole
 * heap is checked and its live blocks are counted against what the workers say they have; in the end nothing is left.
 *
 * `EXTMEMFS_LONG=1` makes runs twenty times as long, `EXTMEMFS_SEED` repeats a run's choices.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { assertEmpty, attachHeap, check, createHeapMemory, stats } from "../unit/alloc/support.ts";
import {
  type AllocatorJob,
  CONTROL_ARRIVED,
  CONTROL_KEPT,
  CONTROL_MAIL,
  CONTROL_ROUND,
  CONTROL_SWAPPED,
  CONTROL_WORDS,
  MAILBOXES,
} from "./allocator_worker.ts";

const LONG = Deno.env.get("EXTMEMFS_LONG") === "1";
const SEED = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const LIMIT_MS = LONG ? 600_000 : 60_000;

type Setting = Pick<AllocatorJob, "workers" | "mix" | "keep" | "debugLevel" | "steps" | "rounds">;

async function run(setting: Setting): Promise<void> {
  const seed = `EXTMEMFS_SEED=${SEED}`;
  const memory = createHeapMemory(1, 16384);
  const heap = attachHeap(memory);
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  const { workers: count, rounds } = setting;
  const workers = Array.from(
    { length: count },
    () => new Worker(new URL("./allocator_worker.ts", import.meta.url), { type: "module" }),
  );
  let failure: Error | undefined;
  const replies = workers.map((worker, index) =>
    new Promise<void>((resolve) => {
      const fail = (message: string) => {
        failure ??= new Error(`worker ${index}, ${seed}: ${message}`);
        resolve();
      };
      worker.onmessage = ({ data }) => data.error === undefined ? resolve() : fail(data.error);
      worker.onerror = (event) => {
        event.preventDefault();
        fail(event.message);
      };
      worker.postMessage({ ...setting, memory, control, seed: SEED + index * 7919 } satisfies AllocatorJob);
    })
  );
  const mail = () => control.subarray(CONTROL_MAIL, CONTROL_MAIL + MAILBOXES);
  const deadline = performance.now() + LIMIT_MS;
  try {
    for (let round = 0; round <= rounds; round++) {
      while (Atomics.load(control, CONTROL_ARRIVED) < count * (round + 1)) {
        if (failure !== undefined) throw failure;
        assert(performance.now() < deadline, `no end after ${LIMIT_MS} ms, ${seed}`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      assertEquals(check(heap), [], `check() before round ${round}, ${seed}`);
      const waiting = mail().filter((ref) => ref !== 0).length;
      assertEquals(
        stats(heap).liveBlocks,
        control[CONTROL_KEPT] + waiting,
        `live blocks before round ${round}, ${seed}`,
      );
      Atomics.store(control, CONTROL_ROUND, round + 1);
      Atomics.notify(control, CONTROL_ROUND);
    }
    await Promise.all(replies);
    if (failure !== undefined) throw failure;
  } finally {
    for (const worker of workers) worker.terminate();
  }
  assertGreater(control[CONTROL_SWAPPED], setting.steps * rounds / 100, "blocks have gone from worker to worker");
  assertGreater(heap.agent.memory.pages, 1, "the memory has grown");
  for (const ref of mail()) if (ref !== 0) assertEquals(heap.free((ref >>> 0) * 16), 0);
  assertEmpty(heap);
}

const STEPS = LONG ? 200_000 : 10_000;

for (const workers of [2, 4, 8]) {
  for (const mix of ["small", "logUniform", "files"] as const) {
    for (const debugLevel of [0, 3] as const) {
      Deno.test(`allocator: ${workers} workers, ${mix}, debug level ${debugLevel}`, () =>
        run({ workers, mix, debugLevel, keep: 400, rounds: 4, steps: Math.floor(2 * STEPS / workers) }));
    }
  }
}
