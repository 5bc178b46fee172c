/**
 * One worker of the lock stress tests: takes a lock over and over, and looks for others inside.
 *
 * @module
 */
import { lockExclusive, lockShared, unlockExclusive, unlockShared } from "../../src/sync/raw_lock.ts";
import { Mutex } from "../../src/sync/mutex.ts";
import { RwLock } from "../../src/sync/rw_lock.ts";
import { attachPool, placeOf, type TestPool } from "../support/lock_pool.ts";

/** What a worker is to do. */
export interface LockJob {
  /** The memory with the agent table. */
  readonly memory: WebAssembly.Memory;
  /** Which lock. */
  readonly kind: "raw" | "mutex" | "bareMutex" | "rwLock" | "bareRwLock";
  /** Number of the worker, from 0. */
  readonly index: number;
  /** Number of workers. */
  readonly workers: number;
  /** How long to stay inside, in microseconds. */
  readonly holdUs: number;
  /** How long to go on, in milliseconds. */
  readonly durationMs: number;
  /** Share of acquisitions that are exclusive, in percent. */
  readonly writePercent: number;
  /** Seed of this worker's choices. */
  readonly seed: number;
}

/** What a worker has seen. */
export interface LockReport {
  /** Acquisitions. */
  readonly count: number;
  /** Longest wait in milliseconds. */
  readonly longestMs: number;
  /** Times that somebody else was inside who may not be. */
  readonly overlaps: number;
}

/** Byte address of the words that the sections use. */
export const SECTION_ADDRESS: number = placeOf(8);
const LOCK_ADDRESS = placeOf(0);
/** Word 0: who writes. 1: how many read. 2: how many have arrived at the gate. 3: a plain counter. */
const [WRITER, READERS, GATE, COUNTER] = [0, 1, 2, 3];

let pool: TestPool | undefined;

function run(job: LockJob): LockReport {
  pool ??= attachPool(job.memory);
  const { agent } = pool;
  const words = new Int32Array(job.memory.buffer, SECTION_ADDRESS, 16);
  const me = job.index + 1;
  let overlaps = 0;
  let seed = job.seed | 1;
  const random = () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) / 2 ** 32;
  };
  const stay = () => {
    if (job.holdUs === 0) return;
    const until = performance.now() + job.holdUs / 1000;
    while (performance.now() < until);
  };
  const write = () => {
    if (words[WRITER] !== 0 || Atomics.load(words, READERS) !== 0) overlaps++;
    words[WRITER] = me;
    words[COUNTER]!++;
    stay();
    if (words[WRITER] !== me || Atomics.load(words, READERS) !== 0) overlaps++;
    words[WRITER] = 0;
  };
  const read = () => {
    Atomics.add(words, READERS, 1);
    if (words[WRITER] !== 0) overlaps++;
    const counter = words[COUNTER];
    stay();
    if (words[WRITER] !== 0 || words[COUNTER] !== counter) overlaps++;
    Atomics.sub(words, READERS, 1);
  };
  const lockWord = LOCK_ADDRESS / 4;
  const options = { owner: me };
  const mutex = job.kind === "bareMutex" ? new Mutex(job.memory, LOCK_ADDRESS, options) : new Mutex(pool, LOCK_ADDRESS);
  const rwLock = job.kind === "bareRwLock"
    ? new RwLock(job.memory, LOCK_ADDRESS, options)
    : new RwLock(pool, LOCK_ADDRESS);
  const demand = (status: number) => {
    if (status !== 0) throw new Error(`the lock returned ${status}`);
  };
  const takes: Record<LockJob["kind"], [() => void, () => void, () => void, () => void]> = {
    raw: [
      () => demand(lockExclusive(agent, lockWord)),
      () => unlockExclusive(agent, lockWord),
      () => demand(lockShared(agent, lockWord)),
      () => unlockShared(agent, lockWord),
    ],
    mutex: [() => void mutex.lock(), () => mutex.unlock(), () => void mutex.lock(), () => mutex.unlock()],
    bareMutex: [() => void mutex.lock(), () => mutex.unlock(), () => void mutex.lock(), () => mutex.unlock()],
    rwLock: [
      () => void rwLock.lockWrite(),
      () => rwLock.unlockWrite(),
      () => void rwLock.lockRead(),
      () => rwLock.unlockRead(),
    ],
    bareRwLock: [
      () => void rwLock.lockWrite(),
      () => rwLock.unlockWrite(),
      () => void rwLock.lockRead(),
      () => rwLock.unlockRead(),
    ],
  };
  const [lockWrite, unlockWrite, lockRead, unlockRead] = takes[job.kind];
  // The gate: nobody starts before all are there.
  Atomics.add(words, GATE, 1);
  while (Atomics.load(words, GATE) < job.workers) Atomics.wait(words, GATE, Atomics.load(words, GATE), 1);
  const end = performance.now() + job.durationMs;
  let count = 0;
  let longestMs = 0;
  for (;;) {
    const before = performance.now();
    if (before >= end) break;
    if (random() * 100 < job.writePercent) {
      lockWrite();
      longestMs = Math.max(longestMs, performance.now() - before);
      write();
      unlockWrite();
    } else {
      lockRead();
      longestMs = Math.max(longestMs, performance.now() - before);
      read();
      unlockRead();
    }
    count++;
  }
  return { count, longestMs, overlaps };
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LockJob>) => void;
  postMessage(message: unknown): void;
};
scope.onmessage = (event) => {
  try {
    scope.postMessage(run(event.data));
  } catch (error) {
    scope.postMessage({ error: String(error instanceof Error ? error.stack : error) });
  }
};
