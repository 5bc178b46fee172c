/**
 * Rows of one directory that grows from 1,000 to 1,000,000 empty files: create, stat and unlink at each size, and the
 * slowest single create on the way. The columns are the sizes.
 *
 * @module
 */
import { absentResult, collectGarbage, median, resultOf, type SideResult, sink, specialize } from "../harness.ts";
import { distinct, flatPaths, random } from "../random.ts";
import { atMost, type Context, type Experiment, OURS, type RowMeasurement, type RowSpec } from "../row.ts";
import { MEMFS, type NodeLike, openSubjects, type Subject, TMPFS } from "../subjects.ts";

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
/** Peers stop here: beyond it a round of them takes minutes. */
const PEER_SIZES = SIZES.slice(0, 3);
/** Files that are removed, created again and asked for at each size, chosen at random. */
const PROBES = 500;
/** Repetitions of that at each size, with other files. */
const PASSES = 4;
/** Operations between two looks at the clock. */
const TIMED_TOGETHER = 20;
const WORKS = ["create", "stat", "unlink"] as const;
type Work = typeof WORKS[number];
/** A million files with their directory, and the room that "touched before" is about. */
const CAPACITY_BYTES = 768 * 2 ** 20;
/** Column of a loop that does nothing but look at the clock: how long the machine itself stops us. */
const CLOCK_ONLY = "clock only";
const SLOWEST = "directory.slowest_create";

const columnOf = (size: number) => `${size.toLocaleString("en")} entries`;
const rowOf = (work: Work, name: string) => name === OURS ? `directory.${work}` : `directory.${work}_${name}`;

/** The operations, each on the paths from `from` to `to` of an order. Refers to nothing outside itself. */
function operations(
  fs: NodeLike,
  paths: readonly string[],
): Record<Work, (order: Uint32Array, from: number, to: number) => number> {
  return {
    create: (order, from, to) => {
      for (let index = from; index < to; index++) fs.closeSync(fs.openSync(paths[order[index]], "wx"));
      return to;
    },
    stat: (order, from, to) => {
      let sum = 0;
      for (let index = from; index < to; index++) sum += fs.statSync(paths[order[index]]).mode;
      return sum;
    },
    unlink: (order, from, to) => {
      for (let index = from; index < to; index++) fs.unlinkSync(paths[order[index]]);
      return to;
    },
  };
}

/** Creates files one by one and returns the longest time between two looks at the clock. Refers to nothing outside. */
function slowestCreate(fs: NodeLike, paths: readonly string[]): (from: number, to: number) => number {
  return (from, to) => {
    let slowest = 0;
    let last = performance.now();
    for (let index = from; index < to; index++) {
      fs.closeSync(fs.openSync(paths[index], "wx"));
      const now = performance.now();
      if (now - last > slowest) slowest = now - last;
      last = now;
    }
    return slowest;
  };
}

/** Looks at the clock for some milliseconds and returns the longest time between two looks. */
function slowestClock(milliseconds: number): number {
  const end = performance.now() + milliseconds;
  let slowest = 0;
  let last = performance.now();
  while (last < end) {
    const now = performance.now();
    if (now - last > slowest) slowest = now - last;
    last = now;
  }
  return slowest;
}

/** One filesystem and what its rounds have shown, in nanoseconds. */
class Grower {
  readonly subject: Subject;
  readonly sizes: readonly number[];
  readonly medians: Record<Work, number[][]>;
  readonly slowest: number[] = [];
  readonly stalls: number[] = [];
  failure?: string;
  readonly #operations: ReturnType<typeof operations>;
  readonly #fill: ReturnType<typeof slowestCreate>;

  constructor(subject: Subject, sizes: readonly number[], paths: readonly string[]) {
    this.subject = subject;
    this.sizes = sizes;
    this.medians = { create: sizes.map(() => []), stat: sizes.map(() => []), unlink: sizes.map(() => []) };
    this.#operations = specialize(operations, subject.fs, paths);
    this.#fill = specialize(slowestCreate, subject.fs, paths);
    subject.fs.mkdirSync(subject.path("/d"));
  }

  /** Grows the directory from nothing to the largest size, probes it at each, and empties it again. */
  round(number: number): void {
    let entries = 0;
    let slowest = 0;
    const began = performance.now();
    for (const [index, size] of this.sizes.entries()) {
      slowest = Math.max(slowest, this.#fill(entries, size));
      entries = size;
      const samples: Record<Work, number[]> = { create: [], stat: [], unlink: [] };
      for (let pass = 0; pass < PASSES; pass++) this.#probe(size, number * PASSES + pass, samples);
      for (const work of WORKS) this.medians[work][index].push(median(samples[work]));
    }
    const all = Uint32Array.from({ length: entries }, (_, index) => index);
    this.#operations.unlink(all, 0, entries);
    this.slowest.push(slowest * 1e6);
    this.stalls.push(slowestClock(performance.now() - began) * 1e6);
  }

  /** Removes, creates and asks for random files; the directory is the same afterwards. */
  #probe(size: number, seed: number, samples: Record<Work, number[]>): void {
    const next = random(seed);
    const chosen = distinct(PROBES, size, next);
    const others = distinct(PROBES, size, next);
    for (const [work, order] of [["unlink", chosen], ["create", chosen], ["stat", others]] as const) {
      const run = this.#operations[work];
      for (let from = 0; from < PROBES; from += TIMED_TOGETHER) {
        const start = performance.now();
        sink.value = (sink.value + run(order, from, from + TIMED_TOGETHER)) | 0;
        samples[work].push((performance.now() - start) * 1e6 / TIMED_TOGETHER);
      }
    }
  }

  /** Forgets what was measured so far. */
  forget(): void {
    for (const work of WORKS) for (const rounds of this.medians[work]) rounds.length = 0;
    this.slowest.length = 0;
    this.stalls.length = 0;
  }
}

/** Rows of one filesystem. */
function rowsOf(name: string, sizes: readonly number[]): RowSpec[] {
  const columns = sizes.map(columnOf);
  return WORKS.map((work): RowSpec => ({
    id: rowOf(work, name),
    work: `${work}, ${name}`,
    unit: "ns",
    subject: columns[0],
    targets: name === OURS
      ? [{
        text: "slowest size ≤ 1.5 × fastest size",
        check: { kind: "spreadAtMost", sides: columns, limit: 1.5 },
      }]
      : [],
  }));
}

/** The rows of one filesystem, measured. */
function measurementsOf(grower: Grower): [string, RowMeasurement][] {
  const { subject, sizes } = grower;
  return WORKS.map((work) => [rowOf(work, subject.name), {
    sides: sizes.map((size, index) =>
      grower.failure !== undefined
        ? absentResult(columnOf(size), subject.kind, grower.failure)
        : resultOf(columnOf(size), subject.kind, grower.medians[work][index])
    ),
  }]);
}

/** Touches the memory of a filesystem with one large file, then removes it. */
function touch(subject: Subject): void {
  const path = subject.path("/touch.bin");
  const piece = subject.buffer(2 ** 20).fill(1);
  const fd = subject.fs.openSync(path, "w");
  for (let written = 0; written < CAPACITY_BYTES; written += piece.length) {
    subject.fs.writeSync(fd, piece, 0, piece.length, null);
  }
  subject.fs.closeSync(fd);
  subject.fs.unlinkSync(path);
}

/** Runs one step of a filesystem unless it has failed before. */
function attempt(grower: Grower, step: () => void): void {
  if (grower.failure !== undefined) return;
  try {
    step();
  } catch (error) {
    grower.failure = `failed: ${(error as Error).message}`;
  }
}

/** Grows all filesystems, round by round. */
async function measure(context: Context): Promise<Record<string, RowMeasurement>> {
  const results: Record<string, RowMeasurement> = {};
  const growers: Grower[] = [];
  const subjects = await openSubjects({
    capacityBytes: CAPACITY_BYTES,
    peers: [MEMFS, TMPFS],
    without: context.without,
  });
  for (const subject of subjects) {
    const sizes = subject.name === OURS ? SIZES : PEER_SIZES;
    if ("absent" in subject) {
      for (const work of WORKS) {
        results[rowOf(work, subject.name)] = {
          sides: sizes.map((size) => absentResult(columnOf(size), subject.kind, subject.absent)),
        };
      }
      if (subject.name === OURS) results[SLOWEST] = { sides: [absentResult(OURS, "subject", subject.absent)] };
      continue;
    }
    const paths = flatPaths(sizes[sizes.length - 1], (index) => subject.path(`/d/f${String(index).padStart(7, "0")}`));
    const grower = new Grower(subject, sizes, paths);
    if (subject.name === OURS) attempt(grower, () => touch(subject));
    growers.push(grower);
  }
  for (let round = -1; round < context.rounds; round++) {
    for (let turn = 0; turn < growers.length; turn++) {
      const grower = growers[(turn + round + growers.length) % growers.length];
      collectGarbage("major");
      attempt(grower, () => grower.round(round + 1));
      // The first round is the warm-up.
      if (round < 0) grower.forget();
    }
  }
  for (const grower of growers) {
    for (const [id, measurement] of measurementsOf(grower)) results[id] = measurement;
    if (grower.subject.name === OURS) results[SLOWEST] = slowestOf(grower);
    grower.subject.dispose();
  }
  return results;
}

/** The row of the slowest single create, beside what the machine alone does to a loop of the same length. */
function slowestOf(grower: Grower): RowMeasurement {
  if (grower.failure !== undefined) return { sides: [absentResult(OURS, "subject", grower.failure)] };
  const sides: SideResult[] = [
    resultOf(OURS, "subject", grower.slowest, "slowest of a million, one value per round"),
    resultOf(CLOCK_ONLY, "floor", grower.stalls, "longest gap between two looks at the clock in as much time"),
  ];
  const worst = Math.max(...grower.slowest) / 1e6;
  return { sides, notes: [`slowest of all rounds together: ${worst.toFixed(2)} ms`] };
}

export const experiments: readonly Experiment[] = [{
  id: "directory",
  group: "One directory of empty files",
  rows: [
    ...rowsOf(OURS, SIZES),
    ...rowsOf(TMPFS, PEER_SIZES),
    ...rowsOf(MEMFS, PEER_SIZES),
    { id: SLOWEST, work: "slowest single create", unit: "ns", targets: [atMost("≤ 1 ms", 1e6)] },
  ],
  measure,
}];
