/**
 * The words through which the thread that measures starts and stops its workers, and through which they answer.
 *
 * @module
 */

/** Words of the control block. */
export const WORD = {
  /** Number of the current window; a change of it is the start signal. */
  window: 0,
  /** Bit set of the workers that take part in the window. */
  mask: 1,
  /** 1 while the window is open. */
  open: 2,
  /** Workers that have finished the window, tidying included. */
  done: 3,
  /** 1 when the workers shall end. */
  end: 4,
} as const;

const WORDS = 16;
/** Numbers that each worker answers with. */
const ANSWERS = 2;

/** A control block in shared memory. */
export class Gate {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  /** Per worker: operations done, milliseconds taken. */
  readonly answers: Float64Array;

  /** Opens a control block, or makes one for some workers. */
  constructor(source: SharedArrayBuffer | number) {
    this.buffer = typeof source === "number" ? new SharedArrayBuffer(WORDS * 4 + source * ANSWERS * 8) : source;
    this.words = new Int32Array(this.buffer, 0, WORDS);
    this.answers = new Float64Array(this.buffer, WORDS * 4);
  }

  /**
   * Opens a window for some workers, waits, closes it, and waits for their answers. Blocks the calling thread.
   *
   * @param mask Bit set of the workers that work; the others stay parked.
   * @param workers Number of all workers.
   * @param milliseconds How long the window is open.
   * @returns Operations per millisecond of all workers together.
   */
  run(mask: number, workers: number, milliseconds: number): number {
    const { words, answers } = this;
    answers.fill(0);
    Atomics.store(words, WORD.mask, mask);
    Atomics.store(words, WORD.done, 0);
    Atomics.store(words, WORD.open, 1);
    Atomics.add(words, WORD.window, 1);
    Atomics.notify(words, WORD.window);
    Atomics.wait(words, WORD.open, 1, milliseconds);
    Atomics.store(words, WORD.open, 0);
    for (let done = 0; done < workers; done = Atomics.load(words, WORD.done)) {
      if (Atomics.wait(words, WORD.done, done, 60_000) === "timed-out") throw new Error("A worker does not answer");
    }
    let rate = 0;
    for (let index = 0; index < workers; index++) {
      if ((mask & (1 << index)) === 0) continue;
      const [operations, elapsed] = answers.subarray(index * ANSWERS);
      if (!(operations > 0)) throw new Error(`Worker ${index} has failed; its message is on standard error`);
      rate += operations / elapsed;
    }
    return rate;
  }

  /** Tells the workers to end. */
  end(): void {
    Atomics.store(this.words, WORD.end, 1);
    Atomics.add(this.words, WORD.window, 1);
    Atomics.notify(this.words, WORD.window);
  }

  /**
   * Serves windows until told to end. Blocks the calling worker.
   *
   * @param index Number of this worker.
   * @param chunk Works a little and returns the operations done; 0 when it can do no more.
   * @param tidy Undoes a window; not timed.
   */
  serve(index: number, chunk: () => number, tidy: () => void): void {
    const { words, answers } = this;
    let seen = 0;
    for (;;) {
      Atomics.wait(words, WORD.window, seen);
      seen = Atomics.load(words, WORD.window);
      if (Atomics.load(words, WORD.end) === 1) return;
      if (Atomics.load(words, WORD.open) === 1 && (Atomics.load(words, WORD.mask) & (1 << index)) !== 0) {
        try {
          let operations = 0;
          const start = performance.now();
          do {
            const did = chunk();
            if (did === 0) break;
            operations += did;
          } while (Atomics.load(words, WORD.open) === 1);
          const elapsed = performance.now() - start;
          tidy();
          answers[index * ANSWERS] = operations;
          answers[index * ANSWERS + 1] = elapsed;
        } catch (error) {
          // The answer stays zero, which the measuring thread reports as a failure.
          console.error(`worker ${index}:`, error);
        }
      }
      Atomics.add(words, WORD.done, 1);
      Atomics.notify(words, WORD.done);
    }
  }
}
