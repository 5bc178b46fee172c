/**
 * One scheduled thread: a worker that runs real code over intrinsics which ask the scheduler before every atomic step.
 *
 * @module
 */
import type { Intrinsics } from "../../src/memory/intrinsics.ts";
import { SharedMemory } from "../../src/memory/shared_memory.ts";
import { LOCK_TUNING, type LockTuning } from "../../src/sync/lock_tuning.ts";
import { Control, ExecutionEnded, Kind } from "./schedule_control.ts";

/** What a thread's function gets. */
export interface ScheduledThread {
  /** Number of the thread, from 0. */
  readonly index: number;
  /** The memory, with scheduled intrinsics. */
  readonly memory: SharedMemory;
  /** The scheduled intrinsics: also for a test's own loads and stores, so that these take part in the schedule. */
  readonly wasm: Intrinsics;
  /** What the test gave this thread. */
  readonly data: unknown;
}

/** A thread: prepares without being scheduled, and returns what is to be scheduled; that returns what `check` gets. */
export type ThreadFunction = (thread: ScheduledThread) => () => unknown;

/** The first message to a worker. */
export interface ThreadStart {
  /** Number of the thread. */
  readonly index: number;
  /** The memory. */
  readonly memory: WebAssembly.Memory;
  /** The scheduled intrinsics, compiled. */
  readonly intrinsics: WebAssembly.Module;
  /** The control words. */
  readonly control: SharedArrayBuffer;
  /** Module of the thread's function. */
  readonly module: string;
  /** Its name. */
  readonly name: string;
  /** What the test gives this thread. */
  readonly data: unknown;
  /** How waiters wait. */
  readonly tuning: Partial<LockTuning>;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ThreadStart>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async (event) => {
  const start = event.data;
  try {
    const { index } = start;
    const control = new Control(start.control);
    // Time stands still but for timeouts, so that an execution can be repeated.
    Date.now = () => 1_700_000_000_000 + control.nowMs;
    performance.now = () => control.nowMs;
    (Atomics as unknown as { pause(): void }).pause = () => control.step(index, -1, Kind.YIELD);
    Object.assign(LOCK_TUNING, { spins: 0 }, start.tuning);
    const wasm = new WebAssembly.Instance(start.intrinsics, {
      extmemfs: {
        memory: start.memory,
        step: (word: number, writes: number) => control.step(index, word, writes === 0 ? Kind.READ : Kind.WRITE),
        wait: (word: number, expected: number, timeoutMs: number) => {
          if (!control.active) throw new Error("a thread waits while it prepares");
          control.step(index, word, Kind.WAIT);
          return memory.i32[word >>> 0] === expected ? control.park(index, word, timeoutMs) : 1;
        },
        notify: (word: number, count: number) => {
          if (!control.active) return 0;
          control.step(index, word, Kind.NOTIFY);
          return control.wake(word, count);
        },
      },
    }).exports as unknown as Intrinsics;
    const memory = new SharedMemory(start.memory, wasm);
    const thread: ScheduledThread = { index, memory, wasm, data: start.data };
    const loaded = await import(start.module) as Record<string, ThreadFunction>;
    const prepare = loaded[start.name];
    if (typeof prepare !== "function") throw new Error(`${start.module} does not export ${start.name}`);
    scope.postMessage("ready");
    for (;;) {
      control.awaitPrepare(index);
      let text: string | undefined;
      let failed = false;
      try {
        const run = prepare(thread);
        control.prepared(index);
        if (control.end === 0) text = JSON.stringify(run());
      } catch (error) {
        if (!(error instanceof ExecutionEnded)) {
          failed = true;
          text = error instanceof Error ? error.stack ?? error.message : String(error);
          if (!control.active) control.prepared(index);
        }
      }
      control.done(index, text, failed);
    }
  } catch (error) {
    scope.postMessage(error instanceof Error ? error.stack ?? error.message : String(error));
  }
};
