/**
 * The measuring itself: sides of one row are warmed, calibrated to rounds of equal length and run round by round, so
 * that a drift of the machine hits all of them alike. Knows nothing of filesystems and imports nothing.
 *
 * @module
 */

/** What a side is to its row: the thing judged, a peer beside it, or the bare cost that nobody can undercut. */
export type SideKind = "subject" | "peer" | "floor";

/** One measured side of a row. Only `batch` is timed. */
export interface Side {
  /** Column it appears in. */
  readonly name: string;
  readonly kind: SideKind;
  /** Operations that one call of `batch` performs. */
  readonly opsPerBatch: number;
  /** What differs from the other sides, for the reader of the table. */
  readonly note?: string;
  /** Prepares one batch; not timed. */
  before?(): void;
  /** Performs the operations and returns a number that depends on their results, so that none can be left out. */
  batch(): number;
  /** Undoes one batch; not timed. */
  after?(): void;
  /** Called once, when the row is done. */
  dispose?(): void;
}

/** A side that is not measured, and why. */
export interface Absent {
  readonly name: string;
  readonly kind: SideKind;
  readonly absent: string;
}

/** What was measured of one side. */
export interface SideResult {
  readonly name: string;
  readonly kind: SideKind;
  /** One value per round, in the row's unit; empty when absent. */
  readonly rounds: readonly number[];
  /** Median of the rounds; `null` when absent. */
  readonly median: number | null;
  readonly note?: string;
  /** Why there is no value. */
  readonly absent?: string;
}

/** How long to measure. */
export interface Effort {
  /** Measured rounds, at least one; the table asks for five or more. */
  readonly rounds: number;
  /** Timed part of one round of one side, in milliseconds. */
  readonly roundMs: number;
}

/** A round may last at most this many milliseconds of wall time (preparing and undoing included). */
const ROUND_WALL_MS = 1_500;
/** Warm-up of one side: until this much timed work is done, or this much wall time has gone. */
const WARM_MS = 150;
const WARM_WALL_MS = 2_000;

/** Results flow in here; a reader outside keeps the compiler from proving them unused. */
export const sink: { value: number } = { value: 0 };

/**
 * Builds a function anew from its own source, so that its call sites are compiled for one side only, as they would be
 * in a program that uses only that side. Without it, the first side measured would be fast and the others would pay for
 * the shared call site.
 *
 * @param factory A function that refers to nothing but its parameters and globals.
 * @param parameters What to call it with.
 * @returns What the fresh copy of `factory` returned.
 */
export function specialize<A extends unknown[], R>(factory: (...parameters: A) => R, ...parameters: A): R {
  specializations += 1;
  const fresh = new Function(`/* copy ${specializations} */ return (${factory.toString()});`)() as typeof factory;
  return fresh(...parameters);
}
let specializations = 0;

/**
 * Median of some values.
 *
 * @param values At least one number; not changed.
 * @returns The middle value, or the mean of the two in the middle.
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of no values");
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Wraps values measured elsewhere (workers, footprints) as the result of a side.
 *
 * @param name Column of the side.
 * @param kind What the side is to its row.
 * @param rounds One value per round.
 * @param note What the reader should know.
 * @returns The result.
 */
export function resultOf(name: string, kind: SideKind, rounds: readonly number[], note?: string): SideResult {
  return { name, kind, rounds, median: median(rounds), ...(note === undefined ? {} : { note }) };
}

/**
 * Wraps the reason why a side has no value.
 *
 * @param name Column of the side.
 * @param kind What the side is to its row.
 * @param reason Why there is no value.
 * @returns The result.
 */
export function absentResult(name: string, kind: SideKind, reason: string): SideResult {
  return { name, kind, rounds: [], median: null, absent: reason };
}

/**
 * Runs garbage collection where the engine lets us (`--expose-gc`), so that one side does not pay for another's.
 *
 * @param type `minor` clears young objects only and leaves compiled code alone.
 */
export function collectGarbage(type: "minor" | "major" = "minor"): void {
  (globalThis as { gc?: (options: { type: string }) => void }).gc?.({ type });
}

/** A side under measurement. */
interface Running {
  readonly side: Side;
  batches: number;
  readonly rounds: number[];
  failure?: string;
}

/**
 * Measures sides against each other: warm-up, then rounds in which every side runs once, each round starting with
 * another side. A side that throws is reported as absent with its message; the others go on.
 *
 * @param sides What to measure, or why not.
 * @param effort Rounds and their length.
 * @returns Nanoseconds per operation of each side, in the order given.
 */
export function measureSides(sides: readonly (Side | Absent)[], effort: Effort): SideResult[] {
  const running = new Map<string, Running>();
  for (const side of sides) {
    if ("absent" in side) continue;
    if (running.has(side.name)) throw new Error(`Two sides of one row are named "${side.name}"`);
    running.set(side.name, { side, batches: 1, rounds: [] });
  }
  const order = [...running.values()];
  for (const entry of order) attempt(entry, () => warm(entry, effort));
  for (let round = 0; round < effort.rounds; round++) {
    for (let turn = 0; turn < order.length; turn++) {
      const entry = order[(turn + round) % order.length];
      collectGarbage();
      attempt(entry, () => entry.rounds.push(runRound(entry)));
    }
  }
  for (const { side } of order) side.dispose?.();
  return sides.map((side) => {
    if ("absent" in side) return absentResult(side.name, side.kind, side.absent);
    const entry = running.get(side.name)!;
    if (entry.failure !== undefined) return absentResult(side.name, side.kind, entry.failure);
    return resultOf(side.name, side.kind, entry.rounds, side.note);
  });
}

/** Runs one step of a side unless it has failed before. */
function attempt(entry: Running, step: () => void): void {
  if (entry.failure !== undefined) return;
  try {
    step();
  } catch (error) {
    entry.failure = `failed: ${error instanceof Error ? error.message : String(error)}`;
    console.error(`${entry.side.name}:`, error);
  }
}

/** Runs one batch and returns the milliseconds of its timed part. */
function timeBatch(side: Side): number {
  side.before?.();
  const start = performance.now();
  const consumed = side.batch();
  const elapsed = performance.now() - start;
  sink.value = (sink.value + consumed) | 0;
  side.after?.();
  return elapsed;
}

/** Warms a side, then decides how many batches make a round of the wanted length. */
function warm(entry: Running, effort: Effort): void {
  const wallStart = performance.now();
  let timedMs = 0;
  let count = 0;
  let fastest = Infinity;
  do {
    const elapsed = timeBatch(entry.side);
    fastest = Math.min(fastest, elapsed);
    timedMs += elapsed;
    count += 1;
  } while (timedMs < WARM_MS && performance.now() - wallStart < WARM_WALL_MS);
  const wallPerBatch = (performance.now() - wallStart) / count;
  const byTime = effort.roundMs / Math.max(fastest, 1e-4);
  const byWall = ROUND_WALL_MS / Math.max(wallPerBatch, 1e-4);
  entry.batches = Math.max(1, Math.round(Math.min(byTime, byWall)));
}

/** Runs one round of a side and returns nanoseconds per operation. */
function runRound(entry: Running): number {
  let timedMs = 0;
  for (let index = 0; index < entry.batches; index++) timedMs += timeBatch(entry.side);
  return timedMs * 1e6 / (entry.batches * entry.side.opsPerBatch);
}
