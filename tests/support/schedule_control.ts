/**
 * The words by which scheduled threads and the explorer hand control to each other, in a shared buffer of their own, and
 * the choice of who runs next. Exactly one of them is awake at a time; it makes the choice for the next step itself, so
 * that a thread which goes on costs no hand-over.
 *
 * @module
 */

/** Most threads of a schedule. */
export const MAXIMUM_THREADS = 6;
/** Most steps of one execution. */
export const MAXIMUM_STEPS = 20_000;

/** Kinds of steps. Reads commute with reads of the same word; local steps with everything; a timeout with nothing. */
export const Kind = { READ: 0, WRITE: 1, WAIT: 2, NOTIFY: 3, LOCAL: 4, YIELD: 5, TIMEOUT: 6 } as const;
/** Names of the kinds, for traces. */
export const KIND_NAMES: readonly string[] = ["load", "store", "wait", "notify", "go on", "yield", "time out"];

/** What a thread is doing. */
export const Status = { READY: 0, PARKED: 1, YIELDED: 2, DONE: 3 } as const;

/** How an execution ended. */
export const End = { RUNNING: 0, DONE: 1, DEADLOCK: 2, LIVELOCK: 3, FAILED: 4, PRUNED: 5, DIVERGED: 6 } as const;

// Words of the whole.
const END = 0;
const NOW_MS = 1;
const STEPS = 2;
const PLAN_LENGTH = 3;
const SLEEPING = 4;
const SLEEP_AFTER_PLAN = 5;
const TIMEOUTS_LEFT = 6;
const QUIESCENT_TIMEOUTS = 7;
const THREADS = 8;
const ACTIVE = 9;
const EXPLORER_GATE = 10;
const SEQUENCE = 11;
const STEP_LIMIT = 12;
const FAILED_THREAD = 13;

// Words of a thread.
const THREAD_FIRST = 32;
const THREAD_WORDS = 16;
const T_STATUS = 0;
const T_WORD = 1;
const T_KIND = 2;
const T_DEADLINE = 3;
const T_RESULT = 4;
const T_GATE = 5;
const T_SEQUENCE = 6;
const T_CAUSE = 7;
const T_COMMAND = 8;
const T_TEXT_BYTES = 9;
const T_SPINS = 10;
const T_SPAN = 11;

const PLAN_FIRST = 256;
const LOG_FIRST: number = PLAN_FIRST + MAXIMUM_STEPS;
const LOG_WORDS = 8;
const TEXT_FIRST: number = LOG_FIRST + MAXIMUM_STEPS * LOG_WORDS;
/** Bytes of a thread's result or error. */
const TEXT_BYTES = 16384;
const CONTROL_WORDS: number = TEXT_FIRST + MAXIMUM_THREADS * TEXT_BYTES / 4;

/** Never ends: deadline of a thread parked without a timeout. */
const NEVER = -1;

/** What a step touches. */
export interface Touch {
  /** The first word, as an unsigned index. */
  readonly word: number;
  /** How many words. */
  readonly span: number;
  /** See {@linkcode Kind}. */
  readonly kind: number;
}

/** One step of an execution. */
export interface Step extends Touch {
  /** Who made it. */
  readonly thread: number;
  /** Bits of the threads that could have made a step instead. */
  readonly enabled: number;
  /** Bits of the threads whose next step had been explored already. */
  readonly sleeping: number;
  /** The step that made this one possible, or -1. */
  readonly cause: number;
  /** Bits of the threads that could have timed out instead. */
  readonly timeouts: number;
}

/** Thrown out of a thread whose execution has ended early. */
export class ExecutionEnded extends Error {}

/** Whether two steps of different threads do not commute. */
export function dependent(a: Touch, b: Touch): boolean {
  if (a.kind === Kind.TIMEOUT || b.kind === Kind.TIMEOUT) return true;
  if (a.kind >= Kind.LOCAL || b.kind >= Kind.LOCAL) return false;
  if (a.word >= b.word + b.span || b.word >= a.word + a.span) return false;
  return a.kind !== Kind.READ || b.kind !== Kind.READ;
}

/** The control words. */
export class Control {
  /** The buffer. */
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** Uses a buffer, or makes one. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(CONTROL_WORDS * 4)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /** Virtual time in milliseconds. */
  get nowMs(): number {
    return this.#words[NOW_MS]!;
  }

  /** Whether steps are scheduled: not while threads prepare. */
  get active(): boolean {
    return this.#words[ACTIVE] === 1;
  }

  /** How the execution ended. */
  get end(): number {
    return this.#words[END]!;
  }

  /** The thread that failed. */
  get failedThread(): number {
    return this.#words[FAILED_THREAD]!;
  }

  // -- For the explorer ----------------------------------------------------------------------------------------------

  /** Makes ready for an execution. `timeouts`: how many may fire at any time; `quiescent`: when nothing else can run. */
  begin(
    plan: readonly number[],
    sleepAfterPlan: number,
    threads: number,
    timeouts: number,
    quiescent: boolean,
    stepLimit: number,
  ): void {
    const words = this.#words;
    words.fill(0, 0, EXPLORER_GATE);
    words[SEQUENCE] = 0;
    words[STEP_LIMIT] = Math.min(stepLimit, MAXIMUM_STEPS);
    words[FAILED_THREAD] = -1;
    words[PLAN_LENGTH] = plan.length;
    for (let k = 0; k < plan.length; k++) words[PLAN_FIRST + k] = plan[k]!;
    words[SLEEP_AFTER_PLAN] = sleepAfterPlan;
    words[TIMEOUTS_LEFT] = timeouts;
    words[QUIESCENT_TIMEOUTS] = quiescent ? 1 : 0;
    words[THREADS] = threads;
    for (let thread = 0; thread < threads; thread++) {
      const at = this.#at(thread);
      words[at + T_STATUS] = Status.READY;
      words[at + T_WORD] = -1;
      words[at + T_KIND] = Kind.LOCAL;
      words[at + T_CAUSE] = -1;
      words[at + T_TEXT_BYTES] = -1;
      words[at + T_GATE] = 0;
      words[at + T_SPINS] = 0;
      words[at + T_SPAN] = 1;
    }
  }

  /** Lets a thread prepare, and waits until it has. */
  prepare(thread: number): void {
    const at = this.#at(thread);
    this.#open(at + T_COMMAND);
    this.#pass(EXPLORER_GATE);
  }

  /** Lets the threads run, and waits until the execution has ended and all are back. */
  run(): void {
    this.#words[ACTIVE] = 1;
    const first = this.#choose(-1);
    if (first >= 0) this.#open(this.#at(first) + T_GATE);
    else this.#releaseAll();
    for (let thread = 0; thread < this.#words[THREADS]!; thread++) this.#pass(EXPLORER_GATE);
    this.#words[ACTIVE] = 0;
  }

  /** The steps of the execution. */
  log(): Step[] {
    const words = this.#words;
    const steps: Step[] = [];
    for (let k = 0; k < words[STEPS]!; k++) {
      const at = LOG_FIRST + k * LOG_WORDS;
      steps.push({
        thread: words[at]!,
        word: words[at + 1]!,
        kind: words[at + 2]!,
        enabled: words[at + 3]!,
        sleeping: words[at + 4]!,
        cause: words[at + 5]!,
        timeouts: words[at + 6]!,
        span: words[at + 7]!,
      });
    }
    return steps;
  }

  /** What a thread returned, as JSON, or the message it failed with. */
  text(thread: number): string | undefined {
    const bytes = this.#words[this.#at(thread) + T_TEXT_BYTES]!;
    if (bytes < 0) return undefined;
    return new TextDecoder().decode(
      new Uint8Array(this.buffer, (TEXT_FIRST * 4) + thread * TEXT_BYTES, bytes).slice(),
    );
  }

  // -- For threads ---------------------------------------------------------------------------------------------------

  /** Waits for the explorer's word to prepare. */
  awaitPrepare(thread: number): void {
    this.#pass(this.#at(thread) + T_COMMAND);
  }

  /** Tells the explorer that this thread has prepared, and waits for its first turn. */
  prepared(thread: number): void {
    this.#open(EXPLORER_GATE, true);
    this.#pass(this.#at(thread) + T_GATE);
  }

  /** Ends a thread's part of the execution. `text`: what it returned, or failed with. */
  done(thread: number, text: string | undefined, failed: boolean): void {
    const words = this.#words;
    const at = this.#at(thread);
    if (text !== undefined) {
      const target = new Uint8Array(this.buffer, (TEXT_FIRST * 4) + thread * TEXT_BYTES, TEXT_BYTES);
      const bytes = new TextEncoder().encode(text).subarray(0, TEXT_BYTES);
      target.set(bytes);
      words[at + T_TEXT_BYTES] = bytes.length;
    }
    words[at + T_STATUS] = Status.DONE;
    if (words[END] === End.RUNNING) {
      if (failed) {
        words[FAILED_THREAD] = thread;
        this.#finish(End.FAILED);
      } else this.#handOver(thread);
    }
    this.#open(EXPLORER_GATE, true);
  }

  /** Lets the scheduler choose; returns when this thread may make the step. */
  step(thread: number, word: number, kind: number, span = 1): void {
    if (this.#words[ACTIVE] !== 1) return;
    const at = this.#at(thread);
    if (this.#words[END] !== End.RUNNING) throw new ExecutionEnded();
    this.#words[at + T_WORD] = word;
    this.#words[at + T_SPAN] = span;
    this.#words[at + T_KIND] = kind === Kind.YIELD ? Kind.LOCAL : kind;
    this.#words[at + T_CAUSE] = -1;
    this.#words[at + T_STATUS] = kind === Kind.YIELD ? Status.YIELDED : Status.READY;
    this.#words[at + T_SPINS] = kind === Kind.YIELD ? 1 : 0;
    this.#handOver(thread);
  }

  /** After the step that looked at the word: parks. Returns 0 woken, 2 timed out. */
  park(thread: number, word: number, timeoutMs: number): number {
    const words = this.#words;
    const at = this.#at(thread);
    words[at + T_WORD] = word;
    words[at + T_SPAN] = 1;
    words[at + T_KIND] = Kind.LOCAL;
    words[at + T_STATUS] = Status.PARKED;
    words[at + T_DEADLINE] = timeoutMs < 1e9 ? this.nowMs + Math.ceil(timeoutMs) : NEVER;
    words[at + T_SEQUENCE] = words[SEQUENCE]!++;
    this.#handOver(thread);
    return words[at + T_RESULT]!;
  }

  /** Wakes threads parked on a word, in the order of parking. */
  wake(word: number, count: number): number {
    const words = this.#words;
    let woken = 0;
    for (; count < 0 || woken < count; woken++) {
      let first = -1;
      for (let thread = 0; thread < words[THREADS]!; thread++) {
        const at = this.#at(thread);
        if (words[at + T_STATUS] !== Status.PARKED || words[at + T_WORD] !== word) continue;
        if (first < 0 || words[at + T_SEQUENCE]! < words[this.#at(first) + T_SEQUENCE]!) first = thread;
      }
      if (first < 0) break;
      this.#unpark(first, 0, words[STEPS]! - 1);
    }
    return woken;
  }

  // -- The choice ----------------------------------------------------------------------------------------------------

  #at(thread: number): number {
    return THREAD_FIRST + thread * THREAD_WORDS;
  }

  #unpark(thread: number, result: number, cause: number): void {
    const at = this.#at(thread);
    this.#words[at + T_STATUS] = Status.READY;
    this.#words[at + T_RESULT] = result;
    this.#words[at + T_KIND] = result === 2 ? Kind.TIMEOUT : Kind.LOCAL;
    this.#words[at + T_CAUSE] = cause;
  }

  /** Chooses who runs next, wakes it, and sleeps until it is this thread's turn again (for ever, if it is done). */
  #handOver(thread: number): void {
    const next = this.#choose(thread);
    if (next === thread) return;
    const done = this.#words[this.#at(thread) + T_STATUS] === Status.DONE;
    if (next >= 0) {
      this.#open(this.#at(next) + T_GATE);
      if (done) return;
      this.#pass(this.#at(thread) + T_GATE);
    }
    if (this.#words[END] !== End.RUNNING && !done) throw new ExecutionEnded();
  }

  /** The thread that makes the next step, or -1 where the execution has ended. */
  #choose(current: number): number {
    const words = this.#words;
    const threads = words[THREADS]!;
    let ready = 0;
    let timeouts = 0;
    for (;;) {
      let yielded = 0;
      let live = 0;
      let earliest = -1;
      ready = timeouts = 0;
      for (let thread = 0; thread < threads; thread++) {
        const at = this.#at(thread);
        const status = words[at + T_STATUS];
        if (status !== Status.DONE) live++;
        if (status === Status.READY) ready |= 1 << thread;
        else if (status === Status.YIELDED) yielded |= 1 << thread;
        else if (status === Status.PARKED && words[at + T_DEADLINE] !== NEVER) {
          timeouts |= 1 << thread;
          if (earliest < 0 || words[at + T_DEADLINE]! < words[this.#at(earliest) + T_DEADLINE]!) earliest = thread;
        }
      }
      if (live === 0) return this.#finish(End.DONE);
      if (words[STEPS]! >= words[STEP_LIMIT]!) return this.#finish(End.LIVELOCK);
      if (ready !== 0) {
        // One that spins has its turn again once another has made a step.
        break;
      }
      if (yielded !== 0) {
        // All that can run only spin.
        for (let thread = 0; thread < threads; thread++) {
          const at = this.#at(thread);
          if (words[at + T_STATUS] === Status.YIELDED) words[at + T_STATUS] = Status.READY;
          else if (
            words[at + T_STATUS] === Status.PARKED && words[QUIESCENT_TIMEOUTS] === 1 &&
            words[at + T_DEADLINE] !== NEVER && words[at + T_DEADLINE]! <= words[NOW_MS]!
          ) this.#unpark(thread, 2, words[STEPS]! - 1);
        }
        continue;
      }
      if (words[TIMEOUTS_LEFT]! > 0 && timeouts !== 0) break;
      if (words[QUIESCENT_TIMEOUTS] !== 1 || earliest < 0) return this.#finish(End.DEADLOCK);
      words[NOW_MS] = Math.max(words[NOW_MS]!, words[this.#at(earliest) + T_DEADLINE]!);
      this.#unpark(earliest, 2, words[STEPS]! - 1);
    }
    if (words[TIMEOUTS_LEFT]! <= 0) timeouts = 0;
    const k = words[STEPS]!;
    const enabled = ready | timeouts;
    let next = -1;
    if (k < words[PLAN_LENGTH]!) {
      next = words[PLAN_FIRST + k]!;
      if ((enabled & (1 << next)) === 0) return this.#finish(End.DIVERGED);
    } else {
      const awake = enabled & ~words[SLEEPING]!;
      if (awake === 0) return this.#finish(End.PRUNED);
      const preferred = (awake & ready) !== 0 ? awake & ready : awake;
      for (let offset = 0; offset < threads && next < 0; offset++) {
        const thread = (Math.max(current, 0) + offset) % threads;
        if ((preferred & (1 << thread)) !== 0) next = thread;
      }
    }
    const at = this.#at(next);
    if (words[at + T_STATUS] === Status.PARKED) {
      words[TIMEOUTS_LEFT]!--;
      words[NOW_MS] = Math.max(words[NOW_MS]!, words[at + T_DEADLINE]!);
      this.#unpark(next, 2, k - 1);
    }
    // Spinning takes time, else a spin that is bounded by time would not end.
    if (words[at + T_SPINS] === 1) words[NOW_MS]!++;
    const word = words[at + T_WORD]!;
    const kind = words[at + T_KIND]!;
    const step: Touch = { word, kind, span: words[at + T_SPAN]! };
    const log = LOG_FIRST + k * LOG_WORDS;
    words[log] = next;
    words[log + 1] = word;
    words[log + 2] = kind;
    words[log + 3] = enabled;
    words[log + 4] = words[SLEEPING]!;
    words[log + 5] = words[at + T_CAUSE]!;
    words[log + 6] = timeouts;
    words[log + 7] = step.span;
    words[STEPS] = k + 1;
    if (k + 1 >= words[PLAN_LENGTH]!) {
      // Sleep sets (Godefroid): what was explored from here stays explored until a step that it does not commute with.
      let sleeping = k + 1 === words[PLAN_LENGTH]! ? words[SLEEP_AFTER_PLAN]! : words[SLEEPING]!;
      for (let thread = 0; thread < threads; thread++) {
        if ((sleeping & (1 << thread)) === 0) continue;
        const other = this.#at(thread);
        const pending: Touch = {
          word: words[other + T_WORD]!,
          kind: words[other + T_KIND]!,
          span: words[other + T_SPAN]!,
        };
        if (thread === next || dependent(step, pending)) {
          sleeping &= ~(1 << thread);
        }
      }
      words[SLEEPING] = sleeping;
    }
    for (let thread = 0; thread < threads; thread++) {
      const other = this.#at(thread);
      if (thread !== next && words[other + T_STATUS] === Status.YIELDED) words[other + T_STATUS] = Status.READY;
    }
    return next;
  }

  #finish(end: number): number {
    this.#words[END] = end;
    this.#releaseAll();
    return -1;
  }

  /** Wakes all that are not done, so that they leave. */
  #releaseAll(): void {
    for (let thread = 0; thread < this.#words[THREADS]!; thread++) {
      const at = this.#at(thread);
      if (this.#words[at + T_STATUS] !== Status.DONE) this.#open(at + T_GATE);
    }
  }

  #open(gate: number, count = false): void {
    if (count) Atomics.add(this.#words, gate, 1);
    else Atomics.store(this.#words, gate, 1);
    Atomics.notify(this.#words, gate);
  }

  #pass(gate: number): void {
    for (;;) {
      const value = Atomics.load(this.#words, gate);
      if (value > 0) {
        Atomics.sub(this.#words, gate, 1);
        return;
      }
      Atomics.wait(this.#words, gate, value);
    }
  }
}
