/**
 * What the demo measured, as a table and as JSON.
 *
 * @module
 */

import type { WorkerReport } from "./plan.ts";

/** One phase of the demo. */
export interface Phase {
  readonly name: string;
  /** Files and bytes that went through; absent where the phase has none. */
  readonly files?: number | undefined;
  readonly bytes?: number | undefined;
  readonly seconds: number;
}

/** Everything the demo found. */
export interface Report {
  readonly ok: true;
  readonly directory: string;
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly hardLinks: number;
  readonly bytes: number;
  readonly phases: readonly Phase[];
  readonly workers: readonly WorkerReport[];
  /** The time in which all workers were at work, as a part of the time from the first start to the last end. */
  readonly overlap: number;
  /** Neighbouring lines of the shared log that are by different workers. */
  readonly logAlternations: number;
  /** The pool at the end of the workers' phase. */
  readonly pool: {
    /** Bytes up to the highest block in use, fixed structures included. */
    readonly footprintBytes: number;
    /** Bytes of live blocks. */
    readonly liveBytes: number;
    /** Bytes of the memory. */
    readonly poolBytes: number;
  };
  /** What contention cost, over all agents. */
  readonly locks: {
    readonly waits: number;
    readonly parks: number;
    readonly waitedMs: number;
  };
  /** How many entries the exported tree was compared in, and how many differed (always none, or the demo fails). */
  readonly compared: { readonly files: number; readonly bytes: number };
}

/** The time in which all workers were at work, as a part of the whole. */
export function overlapOf(workers: readonly WorkerReport[]): number {
  const firstStart = Math.min(...workers.map(({ startMs }) => startMs));
  const lastStart = Math.max(...workers.map(({ startMs }) => startMs));
  const firstEnd = Math.min(...workers.map(({ endMs }) => endMs));
  const lastEnd = Math.max(...workers.map(({ endMs }) => endMs));
  return Math.max(0, firstEnd - lastStart) / Math.max(lastEnd - firstStart, Number.MIN_VALUE);
}

/** Renders the report as text. */
export function renderReport(report: Report): string {
  const firstStart = Math.min(...report.workers.map(({ startMs }) => startMs));
  const phases = table(["phase", "files", "MB", "seconds", "MB/s"], [
    ...report.phases.map(({ name, files, bytes, seconds }) => [
      name,
      files === undefined ? "" : count(files),
      bytes === undefined ? "" : megabytes(bytes),
      seconds.toFixed(3),
      bytes === undefined ? "" : (bytes / 1e6 / seconds).toFixed(0),
    ]),
  ]);
  const workers = table(["worker", "files", "MB", "from", "to"], [
    ...report.workers.map(({ worker, files, bytes, startMs, endMs }) => [
      String(worker),
      count(files),
      megabytes(bytes),
      `+${(startMs - firstStart).toFixed(0)} ms`,
      `+${(endMs - firstStart).toFixed(0)} ms`,
    ]),
  ]);
  const { footprintBytes, liveBytes, poolBytes } = report.pool;
  const { waits, parks, waitedMs } = report.locks;
  const factor = (footprintBytes / liveBytes).toFixed(2);
  return [
    `${report.directory}`,
    `${count(report.files)} files, ${megabytes(report.bytes)} MB, ${count(report.directories)} directories, ` +
    `${count(report.symlinks)} symbolic links, ${count(report.hardLinks)} hard links`,
    "",
    phases,
    "",
    workers,
    `all at work together for ${(report.overlap * 100).toFixed(0)} % of the time; ` +
    `${count(report.logAlternations)} of ${count(Math.max(0, report.files - 1))} neighbouring log lines ` +
    `are by different workers`,
    "",
    `pool        ${megabytes(footprintBytes)} MB in use for ${megabytes(liveBytes)} MB live (${factor} x), ` +
    `${megabytes(poolBytes)} MB of memory`,
    `lock waits  ${count(waits)}, with ${count(parks)} parks, ${waitedMs.toFixed(1)} ms in all`,
    "",
    `Every byte is right: ${count(report.files)} hashes match the files on disk, the log and the pool are whole, ` +
    `and the tree came back the same.`,
  ].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  return [head, ...rows].map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join("  ")
      .trimEnd()
  ).join("\n");
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
