/**
 * What a run looks like: the machine, the rows, and their three forms (a table for the terminal, Markdown, JSON).
 *
 * @module
 */
import { cpus, release, totalmem } from "node:os";
import type { SideKind, SideResult } from "./harness.ts";
import { type Judgement, quotient, type RowResult, type Unit } from "./row.ts";
import { tmpfsLocation } from "./subjects.ts";

/** Where and how a run was made. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
  readonly deno: string;
  readonly v8: string;
  readonly tmpfs: string;
}

/** A whole run. */
export interface Report {
  readonly startedAt: string;
  readonly seconds: number;
  readonly rounds: number;
  readonly machine: Machine;
  readonly rows: readonly RowResult[];
  /** Ids of the rows that miss a target or could not be measured. */
  readonly short: readonly string[];
}

/** Describes the machine that this process runs on. */
export function describeMachine(): Machine {
  const processors = cpus();
  const { directory, note } = tmpfsLocation();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${Deno.build.os} ${release()} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    tmpfs: note ?? directory,
  };
}

/** Whether a row misses a target, or could not be judged by it. */
export function fallsShort(row: RowResult): boolean {
  return row.targets.some((target) => target.reached !== true);
}

/** Three significant digits, without an exponent. */
function digits(value: number): string {
  if (value === 0) return "0";
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(decimals, 3));
}

/**
 * A value in its unit, as a reader wants it.
 *
 * @param value The value.
 * @param unit Its unit.
 * @returns For example `1.24 µs`.
 */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case "ns":
      if (value < 999.5) return `${digits(value)} ns`;
      if (value < 999.5e3) return `${digits(value / 1e3)} µs`;
      if (value < 999.5e6) return `${digits(value / 1e6)} ms`;
      return `${digits(value / 1e9)} s`;
    case "bytes":
      return value < 10_000 ? `${value.toFixed(0)} B` : `${digits(value / 1024)} KiB`;
    case "times":
      return `${digits(value)} ×`;
  }
}

/** A side of a row in its cell: its value and, beside others than the subject, how many times the subject's it is. */
function cell(row: RowResult, side: SideResult | undefined): string {
  if (side === undefined) return "";
  if (side.median === null) return "–";
  const value = formatValue(side.median, row.unit);
  if (side.name === row.subject || row.unit === "times") return value;
  const times = quotient(side, row.sides.find(({ name }) => name === row.subject));
  return times === null ? value : `${value} (${digits(times)}×)`;
}

/** How far the rounds of the subject lie apart. */
function range(row: RowResult): string {
  const rounds = row.sides.find(({ name }) => name === row.subject)?.rounds ?? [];
  if (rounds.length < 2) return "";
  return `${formatValue(Math.min(...rounds), row.unit)} … ${formatValue(Math.max(...rounds), row.unit)}`;
}

/** What was measured of a target, in the terms of its text. */
function measured(row: RowResult, target: Judgement): string {
  if (target.value === null) return "not measured";
  switch (target.check.kind) {
    case "atMost":
    case "atLeast":
      return formatValue(target.value, row.unit);
    default:
      return `${digits(target.value)} ×`;
  }
}

const VERDICT = { true: "yes", false: "NO", null: "–" } as const;

/** The order of the columns. */
const KINDS: readonly SideKind[] = ["subject", "peer", "floor"];

/** Rows that share their columns. */
interface Section {
  readonly group: string;
  columns: string[];
  readonly rows: RowResult[];
}

/** Puts rows under the heading of their group, and apart where they have no column in common. */
function sections(rows: readonly RowResult[]): Section[] {
  const result: Section[] = [];
  for (const row of rows) {
    const names = row.sides.map(({ name }) => name);
    let section = result.find(({ group, columns }) =>
      group === row.group && names.some((name) => columns.includes(name))
    );
    if (section === undefined) {
      section = { group: row.group, columns: [], rows: [] };
      result.push(section);
    }
    for (const name of names) if (!section.columns.includes(name)) section.columns.push(name);
    section.rows.push(row);
  }
  for (const section of result) {
    const sides = section.rows.flatMap((row) => row.sides);
    const rank = (name: string) => KINDS.indexOf(sides.find((side) => side.name === name)!.kind);
    section.columns.sort((a, b) => rank(a) - rank(b));
  }
  return result;
}

/** The cells of a section, heading first; a row takes one line per target. */
function grid({ columns, rows }: Section): string[][] {
  const lines = [["work", ...columns, "min … max", "target", "measured", "reached"]];
  for (const row of rows) {
    const values = columns.map((column) => cell(row, row.sides.find(({ name }) => name === column)));
    const judged = row.targets.length === 0
      ? [["", "", ""]]
      : row.targets.map((target) => [target.text, measured(row, target), VERDICT[`${target.reached}`]]);
    lines.push([row.work, ...values, range(row), ...judged[0]]);
    for (const more of judged.slice(1)) lines.push(["", ...columns.map(() => ""), "", ...more]);
  }
  return lines;
}

/** Remarks on the rows of a section: notes, and why sides are absent. */
function remarks({ rows }: Section): string[] {
  const found = new Map<string, { works: Set<string>; sides: Set<string> }>();
  const add = (remark: string, row: RowResult, side?: SideResult) => {
    const entry = found.get(remark) ?? { works: new Set(), sides: new Set() };
    entry.works.add(row.work);
    if (side !== undefined) entry.sides.add(side.name);
    found.set(remark, entry);
  };
  for (const row of rows) {
    for (const note of row.notes) add(note, row);
    for (const side of row.sides) {
      if (side.note !== undefined) add(side.note, row, side);
      if (side.absent !== undefined && side.absent !== "left out") add(`not measured: ${side.absent}`, row, side);
    }
  }
  return [...found].map(([remark, { works, sides }]) => {
    const where = works.size === rows.length ? [] : [works.size > 3 ? `${works.size} rows` : [...works].join("; ")];
    const who = sides.size === 0 ? [] : [[...sides].join(", ")];
    return [...where, ...who, remark].join(": ");
  });
}

/** What the numbers mean, in one line each. */
const LEGEND = [
  "Values are medians of the rounds, per operation; min … max are the rounds of the column that is judged.",
  "(2.5×) beside a peer: it takes 2.5 times what the judged column takes, median over the rounds of the quotient in one round.",
];

/** The line about the machine. */
function headline({ machine, rounds, startedAt }: Report): string {
  return `Deno ${machine.deno} (V8 ${machine.v8}), ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ` +
    `${machine.os}; tmpfs: ${machine.tmpfs}; ${rounds} rounds; ${startedAt}`;
}

/** How many rows reach their targets, and which do not. */
function summary(report: Report): string[] {
  const judged = report.rows.filter(({ targets }) => targets.length > 0);
  const lines = [`${judged.length - report.short.length} of ${judged.length} rows with targets reach them all.`];
  for (const row of report.rows) {
    if (!report.short.includes(row.id)) continue;
    const missed = row.targets.filter(({ reached }) => reached !== true);
    const words = missed.map((target) => `${target.text} (${measured(row, target)})`).join(", ");
    lines.push(`${row.id}: ${row.work}: ${words}`);
  }
  return lines;
}

/**
 * A run as a table for the terminal.
 *
 * @param report The run.
 * @returns Lines of text.
 */
export function formatTable(report: Report): string {
  const lines = [headline(report), ...LEGEND];
  for (const section of sections(report.rows)) {
    const cells = grid(section);
    const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)));
    const last = widths.length - 1;
    lines.push("", section.group);
    for (const [number, line] of cells.entries()) {
      const padded = line.map((text, column) =>
        column === 0 || column >= last - 2 ? text.padEnd(widths[column]) : text.padStart(widths[column])
      );
      lines.push(`  ${padded.join("  ").trimEnd()}`);
      if (number === 0) lines.push(`  ${widths.map((width) => "─".repeat(width)).join("  ")}`);
    }
    for (const remark of remarks(section)) lines.push(`  · ${remark}`);
  }
  const [first, ...short] = summary(report);
  lines.push("", first);
  if (short.length > 0) lines.push("Falling short:", ...short.map((line) => `  ${line}`));
  return lines.join("\n");
}

/**
 * A run as Markdown, to be put into the documentation.
 *
 * @param report The run.
 * @returns Lines of Markdown.
 */
export function formatMarkdown(report: Report): string {
  const escape = (text: string) => text.replaceAll("|", "\\|");
  const lines = [headline(report), ""];
  for (const section of sections(report.rows)) {
    const [head, ...body] = grid(section);
    const line = (cells: readonly string[]) => `| ${cells.map(escape).join(" | ")} |`;
    lines.push(`### ${section.group}`, "", line(head), line(head.map((_, column) => column === 0 ? "---" : "--:")));
    lines.push(...body.map(line), "");
    const notes = remarks(section);
    if (notes.length > 0) lines.push(...notes.map((remark) => `- ${remark}`), "");
  }
  const [first, ...short] = summary(report);
  lines.push("### Summary", "", first);
  if (short.length > 0) lines.push("", "Falling short:", "", ...short.map((text) => `- ${text}`));
  return lines.join("\n") + "\n";
}
