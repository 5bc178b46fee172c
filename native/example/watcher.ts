/**
 * The worker: it watches the tree with the filesystem as JavaScript has it, reads each result as it appears, and counts in
 * the same file as the consumer.
 *
 * @module
 */
import { FileSystem, type PoolHandle } from "../../mod.ts";

/** What the worker is started with. */
export interface WatcherStart {
  /** The pool. */
  readonly handle: PoolHandle;
  /** How many results will come. */
  readonly results: number;
}

/** What the worker saw. */
export interface WatcherReport {
  /** Results read. */
  readonly results: number;
  /** Bytes of them. */
  readonly bytes: number;
  /** How many of them while the producer was still writing. */
  readonly early: number;
  /** The most jobs that were in the queue at one moment. */
  readonly longestQueue: number;
  /** Seconds. */
  readonly seconds: number;
  /** Names of results that are not what they should be. */
  readonly wrong: readonly string[];
}

/** What the result of a job has to be. */
function expectedResult(name: string): string {
  const [, thread, number] = name.split("-");
  const lines = Array.from(
    { length: Number(number) % 200 + 1 },
    (_, line) => `LINE ${line} OF JOB ${thread}-${number}\n`,
  );
  return lines.join("");
}

/** Adds 1 to the number in `/counter`, under the lock that the C program takes too. */
function countOne(fs: FileSystem): void {
  const counter = fs.openSync("/counter", "r+");
  fs.flockSync(counter, "ex");
  const count = Number(fs.readFileSync(counter, "utf8"));
  fs.writeSync(counter, String(count + 1), 0);
  fs.closeSync(counter);
}

function watch({ handle, results }: WatcherStart): WatcherReport {
  using fs = FileSystem.attach(handle);
  const start = performance.now();
  const read = new Set<string>();
  const wrong: string[] = [];
  let [bytes, early, longestQueue] = [0, 0, 0];
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (read.size < results) {
    longestQueue = Math.max(longestQueue, fs.readdirSync("/queue").length);
    const producing = !fs.existsSync("/produced");
    for (const name of fs.readdirSync("/results")) {
      if (read.has(name)) continue;
      read.add(name);
      const text = fs.readFileSync(`/results/${name}`, "utf8");
      if (text !== expectedResult(name)) wrong.push(name);
      bytes += text.length;
      if (producing) early++;
      fs.appendFileSync("/journal", `read ${name} ${text.length}\n`);
      countOne(fs);
    }
    Atomics.wait(pause, 0, 0, 1);
  }
  return { results: read.size, bytes, early, longestQueue, seconds: (performance.now() - start) / 1000, wrong };
}

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<WatcherStart>) => void) | null;
  postMessage(report: WatcherReport): void;
};

scope.onmessage = ({ data }) => scope.postMessage(watch(data));
