/**
 * The main program's side of the parallel phase: writes the plan, starts the workers, opens the gate, waits.
 *
 * @module
 */

import type { FileSystem } from "../../mod.ts";
import { DemoError } from "./demo_error.ts";
import {
  LOG,
  MOVED,
  PLAN,
  type Plan,
  REPORTS,
  RESULTS,
  SCRATCH,
  sharedWords,
  WORD,
  WORDS_BYTES,
  type WorkerReport,
} from "./plan.ts";
import type { Progress } from "./progress.ts";

/** How often the shared words are looked at. */
const POLL_MS = 20;
/** Workers that get nowhere for so long are stuck. */
const STALL_MS = 120_000;

/**
 * Runs the parallel phase.
 *
 * @param fs The filesystem, with the tree imported.
 * @param files The tree's regular files.
 * @param workers How many workers to start.
 * @param progress Told how many files were taken.
 * @returns The workers' reports, and the filesystem's counts while they were still attached.
 * @throws What a worker threw; {@linkcode DemoError} if none gets on.
 */
export async function runWorkers(
  fs: FileSystem,
  files: readonly string[],
  workers: number,
  progress: Progress,
): Promise<{ reports: WorkerReport[]; stats: ReturnType<FileSystem["stats"]> }> {
  for (const directory of [RESULTS, SCRATCH, MOVED, REPORTS]) fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(LOG, "");
  const wordsAddr = fs.pool.allocator.allocate(WORDS_BYTES, WORDS_BYTES);
  const words = sharedWords(fs, wordsAddr);
  words.fill(0);
  fs.writeFileSync(PLAN, JSON.stringify({ files, workers, wordsAddr } satisfies Plan));

  let failure: unknown;
  const started = Array.from({ length: workers }, () => {
    const worker = new Worker(new URL("../demo_worker.ts", import.meta.url), { type: "module" });
    worker.onerror = (event) => {
      event.preventDefault();
      failure ??= new DemoError(`a worker could not run: ${event.message}`);
    };
    worker.onmessage = (event) => failure ??= event.data;
    // The only message that a worker gets.
    worker.postMessage(fs.handle);
    return worker;
  });
  const wait = async (isDone: () => boolean) => {
    let seen = -1;
    let seenMs = performance.now();
    while (!isDone()) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (failure !== undefined) throw failure;
      const taken = Object.values(WORD).reduce<number>((sum, word) => sum + Atomics.load(words, word), 0);
      if (taken !== seen) [seen, seenMs] = [taken, performance.now()];
      if (performance.now() - seenMs > STALL_MS) {
        throw new DemoError(`the workers have not got on for ${STALL_MS / 1000} s: stuck at file ${words[WORD.next]}`);
      }
      progress.update(Math.min(Atomics.load(words, WORD.next), files.length), files.length);
    }
  };
  const openGate = (state: number) => {
    Atomics.store(words, WORD.gate, state);
    Atomics.notify(words, WORD.gate);
  };
  let stats;
  try {
    await wait(() => Atomics.load(words, WORD.attached) === workers);
    openGate(1);
    await wait(() => Atomics.load(words, WORD.finished) === workers);
    stats = fs.stats();
    openGate(2);
    await wait(() => Atomics.load(words, WORD.detached) === workers);
  } finally {
    for (const worker of started) worker.terminate();
  }
  fs.pool.allocator.free(wordsAddr);
  const reports = Array.from(
    { length: workers },
    (_, worker) => JSON.parse(fs.readFileSync(`${REPORTS}/${worker}.json`, "utf8")) as WorkerReport,
  );
  return { reports, stats };
}
