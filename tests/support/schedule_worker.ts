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
  /** Whether plain accesses are scheduled. */
  readonly plain: boolean;
}

/** A typed array whose elements are read and written by steps; its methods are not. */
function scheduledView<T extends Int32Array | Float64Array>(
  view: T,
  touch: (index: number, writes: boolean) => void,
): T {
  return new Proxy(view, {
    get(target, key) {
      const index = typeof key === "string" ? Number(key) : NaN;
      if (Number.isInteger(index)) {
        touch(index, false);
        return target[index];
      }
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, key, value) {
      touch(Number(key), true);
      target[Number(key)] = value;
      return true;
    },
  });
}

/** A memory whose plain accesses are scheduled. */
class PlainScheduledMemory extends SharedMemory {
  readonly #control: Control;
  readonly #thread: number;

  constructor(memory: WebAssembly.Memory, wasm: Intrinsics, control: Control, thread: number) {
    super(memory, wasm);
    this.#control = control;
    this.#thread = thread;
    this.#wrap();
  }

  override refresh(): void {
    super.refresh();
    if (#control in this) this.#wrap();
  }

  override copyOut(to: Uint8Array, toOffset: number, addr: number, bytes: number): void {
    this.#touch(addr, bytes, Kind.READ);
    super.copyOut(to, toOffset, addr, bytes);
  }

  override copyIn(addr: number, from: Uint8Array, fromOffset: number, bytes: number): void {
    this.#touch(addr, bytes, Kind.WRITE);
    super.copyIn(addr, from, fromOffset, bytes);
  }

  #wrap(): void {
    const touch = (word: number, span: number, writes: boolean) =>
      this.#control.step(this.#thread, word, writes ? Kind.WRITE : Kind.READ, span);
    this.i32 = scheduledView(this.i32, (index, writes) => touch(index, 1, writes));
    this.f64 = scheduledView(this.f64, (index, writes) => touch(index * 2, 2, writes));
  }

  #touch(addr: number, bytes: number, kind: number): void {
    const word = Math.floor(addr / 4);
    if (bytes > 0) this.#control.step(this.#thread, word, kind, Math.ceil((addr + bytes) / 4) - word);
  }
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
        stepWords: (word: number, span: number, writes: number) =>
          control.step(index, word, writes === 0 ? Kind.READ : Kind.WRITE, span),
        stepRange: (addr: number, bytes: number, writes: number) => {
          const word = Math.floor(addr / 4);
          if (bytes <= 0) return;
          control.step(index, word, writes === 0 ? Kind.READ : Kind.WRITE, Math.ceil((addr + bytes) / 4) - word);
        },
        wait: (word: number, expected: number, timeoutMs: number) => {
          if (!control.active) throw new Error("a thread waits while it prepares");
          control.step(index, word, Kind.WAIT);
          return words[word] === expected ? control.park(index, word, timeoutMs) : 1;
        },
        notify: (word: number, count: number) => {
          if (!control.active) return 0;
          control.step(index, word, Kind.NOTIFY);
          return control.wake(word, count);
        },
      },
    }).exports as unknown as Intrinsics;
    const words = new Int32Array(start.memory.buffer);
    const memory = start.plain
      ? new PlainScheduledMemory(start.memory, wasm, control, index)
      : new SharedMemory(start.memory, wasm);
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
