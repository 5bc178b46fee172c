/**
 * Runs real code through all interleavings of its atomic steps, as loom does for Rust.
 *
 * Each thread is a worker that runs the library's own code; the intrinsics call the scheduler before every atomic step.
 * Executions are repeated from the same memory with different choices, depth first. Which choices are worth trying is
 * decided by what races in the executions seen: dynamic partial-order reduction (Flanagan and Godefroid, POPL 2005) with
 * sleep sets, which is exhaustive; with a bound on preemptions, its bounded form (Coons, Musuvathi and McKinley, OOPSLA
 * 2013).
 *
 * Plain accesses through views are scheduled only with `plain: true`; otherwise they go with the step before them, which
 * is enough where they are guarded by a lock. What a test itself marks and asserts it loads and stores through
 * `thread.wasm`. A copy is one step. Memory is sequentially consistent here: that fences are where
 * they must be on weaker processors is not checked.
 *
 * @module
 */
import { assembleIntrinsics } from "../../tools/assemble_intrinsics.ts";
import { intrinsicsSource } from "../../tools/intrinsics_source.ts";
import type { LockTuning } from "../../src/sync/lock_tuning.ts";
import { Control, dependent, End, Kind, KIND_NAMES, MAXIMUM_THREADS, type Step } from "./schedule_control.ts";
import type { ThreadStart } from "./schedule_worker.ts";

/** A thread of a schedule. */
export interface ThreadSpec {
  /** Module of its function, absolute: `import.meta.resolve("./x.ts")`. */
  readonly module: string;
  /** Name of a {@linkcode ThreadFunction} that the module exports. */
  readonly name: string;
  /** Something for that function; must survive structured cloning. */
  readonly data?: unknown;
}

/** What to explore. */
export interface ScheduleOptions {
  /** The memory as it is before each execution; it must not grow. */
  readonly memory: WebAssembly.Memory;
  /** The threads; they prepare in this order. */
  readonly threads: readonly ThreadSpec[];
  /** Looks at the memory and the threads' results after each execution, and throws if something is wrong. */
  readonly check?: (results: unknown[]) => void;
  /** At most so many times is a thread stopped that could go on. Without it the exploration is exhaustive. */
  readonly preemptions?: number;
  /**
   * `never`: a thread that parks needs a wake-up, else it is a deadlock. `quiescent` (the default): timeouts fire when
   * nothing else can run. A number: also so many at any moment.
   */
  readonly timeouts?: "never" | "quiescent" | number;
  /** How waiters wait; no spinning by default. */
  readonly tuning?: Partial<LockTuning>;
  /** Steps after which an execution counts as endless; 2000 by default. */
  readonly steps?: number;
  /** Fails where more executions would be needed; 200,000 by default. */
  readonly executions?: number;
  /** Also schedules plain accesses through the views, word by word, and copies in and out: for unlocked reads. */
  readonly plain?: boolean;
  /** Changes the text of the intrinsics: to plant a fault. */
  readonly mutate?: (source: string) => string;
  /** Runs only this schedule: the threads by step, as printed with a failure. */
  readonly replay?: readonly number[];
  /** Names a word in traces. */
  readonly nameWord?: (word: number) => string;
}

/** What an exploration found. */
export interface Exploration {
  /** Executions run, those cut short because they repeat another included. */
  readonly executions: number;
  /** Steps of the longest. */
  readonly longest: number;
  /** The first failure; none if undefined. */
  readonly failure: ScheduleFailure | undefined;
}

/** A schedule that went wrong. */
export class ScheduleFailure extends Error {
  override readonly name = "ScheduleFailure";
  /** The threads, step by step: pass it as `replay`. */
  readonly schedule: readonly number[];

  /** Makes the error. */
  constructor(message: string, schedule: readonly number[], trace: string) {
    super(`${message}\nreplay: [${schedule.join(",")}]\n${trace}`);
    this.schedule = schedule;
  }
}

interface Node {
  chosen: number;
  readonly enabled: number;
  readonly sleeping: number;
  /** Bits of the threads explored from here, and of those to explore. */
  done: number;
  wanted: number;
  /** Preemptions before this step, and who made the step before. */
  readonly preemptions: number;
  readonly before: number;
  readonly timeouts: number;
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

function scheduledIntrinsics(mutate: ((source: string) => string) | undefined): Promise<WebAssembly.Module> {
  const key = mutate === undefined ? "" : mutate.toString();
  let module = modules.get(key);
  if (module === undefined) {
    module = (async () => {
      const source = await intrinsicsSource({ address: "i32", order: "weak", scheduled: true });
      const changed = mutate === undefined ? source : mutate(source);
      if (mutate !== undefined && changed === source) throw new Error("the mutation changed nothing");
      return new WebAssembly.Module(await assembleIntrinsics(changed));
    })();
    modules.set(key, module);
  }
  return module;
}

/** Explores, and throws the first failure. */
export async function exploreSchedules(options: ScheduleOptions): Promise<Exploration> {
  const found = await findFailure(options);
  if (found.failure !== undefined) throw found.failure;
  return found;
}

/** Explores until the first failure, and returns it. */
export async function findFailure(options: ScheduleOptions): Promise<Exploration> {
  const { threads, memory } = options;
  if (threads.length > MAXIMUM_THREADS) throw new RangeError(`at most ${MAXIMUM_THREADS} threads`);
  const intrinsics = await scheduledIntrinsics(options.mutate);
  const control = new Control();
  const workers = threads.map(() => new Worker(new URL("./schedule_worker.ts", import.meta.url), { type: "module" }));
  try {
    await Promise.all(workers.map((worker, index) =>
      new Promise<void>((resolve, reject) => {
        worker.onmessage = (event) => event.data === "ready" ? resolve() : reject(new Error(event.data));
        worker.onerror = (event) => reject(new Error(event.message));
        const { module, name, data } = threads[index]!;
        worker.postMessage(
          {
            index,
            memory,
            intrinsics,
            control: control.buffer,
            module,
            name,
            data,
            tuning: options.tuning ?? {},
            plain: options.plain ?? false,
          } satisfies ThreadStart,
        );
      })
    ));
    return search(options, control);
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

function search(options: ScheduleOptions, control: Control): Exploration {
  const bytes = new Uint8Array(options.memory.buffer);
  const initial = bytes.slice();
  const bound = options.preemptions ?? Infinity;
  const limit = options.executions ?? 200_000;
  const nodes: Node[] = [];
  let executions = 0;
  let longest = 0;
  for (;;) {
    bytes.set(initial);
    const last = nodes.at(-1);
    const failure = execute(
      options,
      control,
      options.replay ?? nodes.map((node) => node.chosen),
      last === undefined || bound !== Infinity ? 0 : (last.sleeping | last.done) & ~(1 << last.chosen),
    );
    executions++;
    const steps = control.log();
    longest = Math.max(longest, steps.length);
    if (failure !== undefined || options.replay !== undefined) return { executions, longest, failure };
    for (let k = nodes.length; k < steps.length; k++) {
      const step = steps[k]!;
      const before = k === 0 ? undefined : nodes[k - 1]!;
      const previous = before === undefined ? -1 : before.chosen;
      nodes.push({
        chosen: step.thread,
        enabled: step.enabled,
        sleeping: step.sleeping,
        done: 0,
        // A timeout is a choice of its own: no race in an execution without it asks for it.
        wanted: (1 << step.thread) | step.timeouts,
        preemptions: before === undefined ? 0 : before.preemptions + preempts(before, before.chosen),
        before: previous,
        timeouts: step.timeouts,
      });
    }
    markRaces(steps, nodes, bound);
    let next: Node | undefined;
    while ((next = nodes.at(-1)) !== undefined) {
      next.done |= 1 << next.chosen;
      const choice = pick(next, bound);
      if (choice >= 0) {
        next.chosen = choice;
        break;
      }
      nodes.pop();
    }
    if (next === undefined) return { executions, longest, failure: undefined };
    if (executions >= limit) {
      throw new Error(`more than ${limit} executions are needed; bound the preemptions, or make the threads shorter`);
    }
  }
}

/** 1 if choosing this thread stops one that could have gone on. */
function preempts(node: Node, thread: number): number {
  return node.before >= 0 && node.before !== thread && (node.enabled & ~node.timeouts & (1 << node.before)) !== 0
    ? 1
    : 0;
}

function pick(node: Node, bound: number): number {
  let open = node.wanted & ~node.done & node.enabled;
  if (bound === Infinity) open &= ~node.sleeping;
  for (let thread = 0; open !== 0; thread++, open >>>= 1) {
    if ((open & 1) !== 0 && node.preemptions + preempts(node, thread) <= bound) return thread;
  }
  return -1;
}

/** Finds the races of an execution, and asks for their other order. */
function markRaces(steps: readonly Step[], nodes: readonly Node[], bound: number): void {
  /** By thread: for each thread, how many of its steps happened before the thread's latest. */
  const clocks: number[][] = Array.from({ length: MAXIMUM_THREADS }, () => new Array<number>(MAXIMUM_THREADS).fill(0));
  /** By step: the clock of its thread after it. */
  const after: number[][] = [];
  const ordinal: number[] = [];
  const counts = new Array<number>(MAXIMUM_THREADS).fill(0);
  const byWord = new Map<number, number[]>();
  /** Steps that depend on more than those on one word: timeouts, and those that touch several words. */
  const wide: number[] = [];
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!;
    const { thread, word, span, kind, cause } = step;
    const isWide = kind === Kind.TIMEOUT || span > 1;
    const clock = clocks[thread]!;
    if (kind === Kind.TIMEOUT && (step.timeouts & (1 << thread)) === 0) {
      // It fired because nothing else could run: it comes after all else in every equivalent execution.
      for (const other of clocks) merge(clock, other);
    }
    const earlier = isWide ? undefined : byWord.get(word) ?? [];
    let raced = false;
    const consider = (j: number): void => {
      const other = steps[j]!;
      if (other.thread === thread || !dependent(other, step)) return;
      const known = clock[other.thread]! >= ordinal[j]!;
      if (!known && !raced) {
        raced = true;
        want(nodes, j, thread);
        if (bound !== Infinity) {
          // Bounded: the other order may only be affordable where the run that j belongs to began.
          let start = j;
          while (start > 0 && steps[start - 1]!.thread === other.thread) start--;
          want(nodes, start, thread);
        }
      }
      if (!known) merge(clock, after[j]!);
    };
    if (earlier === undefined) { for (let j = i - 1; j >= 0; j--) consider(j); }
    else {
      // Newest first: only the last race of each step is reversed, the others follow from the executions that this gives.
      let e = earlier.length - 1;
      let t = wide.length - 1;
      while (e >= 0 || t >= 0) {
        if (t < 0 || (e >= 0 && earlier[e]! > wide[t]!)) consider(earlier[e--]!);
        else consider(wide[t--]!);
      }
    }
    if (cause >= 0) merge(clock, after[cause]!);
    ordinal.push(++counts[thread]!);
    clock[thread] = counts[thread]!;
    after.push(clock.slice());
    if (isWide) wide.push(i);
    else if (kind < Kind.LOCAL) {
      if (earlier!.length === 0) byWord.set(word, earlier!);
      earlier!.push(i);
    }
  }
}

function want(nodes: readonly Node[], at: number, thread: number): void {
  const node = nodes[at]!;
  node.wanted |= (node.enabled & (1 << thread)) !== 0 ? 1 << thread : node.enabled;
}

function merge(clock: number[], other: readonly number[]): void {
  for (let thread = 0; thread < clock.length; thread++) clock[thread] = Math.max(clock[thread]!, other[thread]!);
}

/** Runs one execution; returns what went wrong. */
function execute(
  options: ScheduleOptions,
  control: Control,
  plan: readonly number[],
  sleepAfterPlan: number,
): ScheduleFailure | undefined {
  const { threads } = options;
  const timeouts = options.timeouts ?? "quiescent";
  control.begin(
    plan,
    sleepAfterPlan,
    threads.length,
    typeof timeouts === "number" ? timeouts : 0,
    timeouts !== "never",
    options.steps ?? 2000,
  );
  for (let thread = 0; thread < threads.length; thread++) control.prepare(thread);
  control.run();
  const fail = (message: string) => {
    const steps = control.log();
    return new ScheduleFailure(message, steps.map((step) => step.thread), trace(steps, options));
  };
  switch (control.end) {
    case End.PRUNED:
      return undefined;
    case End.DEADLOCK:
      return fail("deadlock: no thread can go on");
    case End.LIVELOCK:
      return fail(`no end after ${options.steps ?? 2000} steps`);
    case End.DIVERGED:
      return fail("the execution cannot be repeated: it depends on something other than the schedule");
    case End.FAILED:
      return fail(`thread ${control.failedThread} failed: ${control.text(control.failedThread)}`);
  }
  try {
    options.check?.(threads.map((_, thread) => {
      const text = control.text(thread);
      return text === undefined ? undefined : JSON.parse(text);
    }));
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  return undefined;
}

function trace(steps: readonly Step[], options: ScheduleOptions): string {
  const nameWord = options.nameWord ?? ((word: number) => `word ${word}`);
  return steps.map(({ thread, word, span, kind }, k) => {
    const what = kind >= Kind.LOCAL ? "" : ` ${nameWord(word)}${span > 1 ? ` and ${span - 1} more` : ""}`;
    return `${String(k).padStart(5)}  ${"            ".repeat(thread)}${thread}: ${KIND_NAMES[kind]}${what}`;
  }).join("\n");
}
