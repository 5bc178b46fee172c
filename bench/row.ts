/**
 * What a row of the table is: its work, its unit, its targets, and the judgement of a measurement by them. Imports only
 * the result types of the harness.
 *
 * @module
 */
import { type Effort, median, type SideResult } from "./harness.ts";

/** Column of the thing judged, unless a row says otherwise. */
export const OURS = "ExtMemFS";

/** Column of the allocator's peer. */
export const THI_NG = "@thi.ng/malloc";

/** What the numbers of a row count. */
export type Unit = "ns" | "bytes" | "times";

/** A condition that a program can decide. */
export type Check =
  /** The subject's median is at most `limit`, in the row's unit. */
  | { readonly kind: "atMost"; readonly limit: number }
  /** The subject's median is at least `limit`, in the row's unit. */
  | { readonly kind: "atLeast"; readonly limit: number }
  /** The subject takes at most `limit` times what `side` takes. */
  | { readonly kind: "atMostTimes"; readonly side: string; readonly limit: number }
  /** `side` takes at least `limit` times what the subject takes. */
  | { readonly kind: "timesFasterThan"; readonly side: string; readonly limit: number }
  /** The largest median of `sides` is at most `limit` times the smallest. */
  | { readonly kind: "spreadAtMost"; readonly sides: readonly string[]; readonly limit: number };

/** A target of the issue: its text and the same as a condition. */
export interface Target {
  readonly text: string;
  readonly check: Check;
}

/** A row as it is declared. */
export interface RowSpec {
  /** Stable name, `theme.work`. */
  readonly id: string;
  /** The work, in words. */
  readonly work: string;
  readonly unit: Unit;
  /** Column that is judged; {@linkcode OURS} if absent. */
  readonly subject?: string;
  readonly targets: readonly Target[];
}

/** What an experiment may use. */
export interface Context extends Effort {
  /** Sides that the caller does not want measured. */
  readonly without: ReadonlySet<string>;
}

/** What an experiment hands back for one of its rows. */
export interface RowMeasurement {
  readonly sides: readonly SideResult[];
  readonly notes?: readonly string[];
}

/** Rows that are measured together, in a process of their own. */
export interface Experiment {
  readonly id: string;
  /** Heading of the table that its rows appear in. */
  readonly group: string;
  readonly rows: readonly RowSpec[];
  /** Measures all rows; the answer has one entry per row id. */
  measure(context: Context): Promise<Readonly<Record<string, RowMeasurement>>>;
}

/** A target, judged. */
export interface Judgement extends Target {
  /** What was measured, to be compared with the limit of the check; `null` when a side is missing. */
  readonly value: number | null;
  /** Whether the target is reached; `null` when it could not be measured. */
  readonly reached: boolean | null;
}

/** A row, measured and judged. */
export interface RowResult {
  readonly id: string;
  readonly group: string;
  readonly work: string;
  readonly unit: Unit;
  readonly subject: string;
  readonly sides: readonly SideResult[];
  readonly targets: readonly Judgement[];
  readonly notes: readonly string[];
}

/**
 * Judges a measured row by its targets.
 *
 * @param group Heading the row belongs under.
 * @param spec The row.
 * @param measurement What was measured of it.
 * @returns The row's result.
 */
export function judge(group: string, spec: RowSpec, measurement: RowMeasurement): RowResult {
  const subject = spec.subject ?? OURS;
  const targets = spec.targets.map((target): Judgement => {
    const value = valueFor(target.check, subject, measurement.sides);
    return { ...target, value, reached: value === null ? null : holds(target.check, value) };
  });
  return {
    id: spec.id,
    group,
    work: spec.work,
    unit: spec.unit,
    subject,
    sides: measurement.sides,
    targets,
    notes: measurement.notes ?? [],
  };
}

/**
 * How many times `side` takes what `base` takes: the median, over the rounds, of the quotient within a round, so that
 * both terms saw the same machine.
 *
 * @param side Numerator.
 * @param base Denominator.
 * @returns The quotient, or `null` when one of them has no value.
 */
export function quotient(side: SideResult | undefined, base: SideResult | undefined): number | null {
  if (side === undefined || base === undefined || side.median === null || base.median === null) return null;
  if (side.rounds.length !== base.rounds.length) return side.median / base.median;
  return median(side.rounds.map((value, round) => value / base.rounds[round]));
}

/** The measured value that a check compares with its limit. */
function valueFor(check: Check, subject: string, sides: readonly SideResult[]): number | null {
  const find = (name: string) => sides.find((side) => side.name === name);
  switch (check.kind) {
    case "atMost":
    case "atLeast":
      return find(subject)?.median ?? null;
    case "atMostTimes":
      return quotient(find(subject), find(check.side));
    case "timesFasterThan":
      return quotient(find(check.side), find(subject));
    case "spreadAtMost": {
      const medians = check.sides.map((name) => find(name)?.median ?? null);
      if (medians.includes(null)) return null;
      return Math.max(...medians as number[]) / Math.min(...medians as number[]);
    }
  }
}

/** Whether a value satisfies a check. */
function holds(check: Check, value: number): boolean {
  switch (check.kind) {
    case "atMost":
    case "atMostTimes":
    case "spreadAtMost":
      return value <= check.limit;
    case "atLeast":
    case "timesFasterThan":
      return value >= check.limit;
  }
}

/** Shorthand: `text` with "at most `limit` in the row's unit". */
export function atMost(text: string, limit: number): Target {
  return { text, check: { kind: "atMost", limit } };
}

/** Shorthand: `text` with "at least `limit` in the row's unit". */
export function atLeast(text: string, limit: number): Target {
  return { text, check: { kind: "atLeast", limit } };
}

/** Shorthand: "at most `limit` × `side`". */
export function atMostTimes(side: string, limit: number): Target {
  return { text: `≤ ${limit} × ${side}`, check: { kind: "atMostTimes", side, limit } };
}

/** Shorthand: "at least `limit` × faster than `side`". */
export function timesFasterThan(side: string, limit: number): Target {
  return { text: `≥ ${limit} × faster than ${side}`, check: { kind: "timesFasterThan", side, limit } };
}
