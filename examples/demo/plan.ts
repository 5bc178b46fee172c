/**
 * What the demo's main program and its workers agree on: paths in the shared filesystem, and a few words of shared
 * memory. A worker is sent the handle and nothing else; all the rest it finds here.
 *
 * @module
 */

import type { FileSystem } from "../../mod.ts";

/** Where the imported tree lies in the filesystem. */
export const TREE = "/tree";
/** Where the work is written down. */
export const PLAN = "/run/plan.json";
/** One file for each file of the tree, with its hash. */
export const RESULTS = "/run/results";
/** One line for each file of the tree, appended by all workers. */
export const LOG = "/run/log";
/** Where scratch files are created. */
export const SCRATCH = "/run/scratch";
/** Where scratch files are renamed to, and deleted. */
export const MOVED = "/run/moved";
/** One report for each worker. */
export const REPORTS = "/run/workers";

/** The work, as the main program writes it. */
export interface Plan {
  /** The regular files of the tree, relative to it. */
  readonly files: readonly string[];
  /** How many workers take part. */
  readonly workers: number;
  /** Byte address of the shared words. */
  readonly wordsAddr: number;
}

/** What a worker found in one file. */
export interface Result {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly worker: number;
}

/** What a worker says at its end. */
export interface WorkerReport {
  readonly worker: number;
  readonly files: number;
  readonly bytes: number;
  /** When it passed the gate and when it found nothing more to do, in milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
}

/** The shared words, by index. */
export const WORD = {
  /** The next file to take. */
  next: 0,
  /** Workers that have attached; also the number of the next one. */
  attached: 1,
  /** 0 until all workers have attached, then 1; 2 when they may detach. */
  gate: 2,
  /** Workers that have found nothing more to do. */
  finished: 3,
  /** Workers that have detached. */
  detached: 4,
} as const;

/** Bytes the shared words take; a cache line of their own. */
export const WORDS_BYTES = 64;

/** A view of the shared words. It stays valid while the pool grows. */
export function sharedWords(fs: FileSystem, wordsAddr: number): Int32Array {
  return new Int32Array(fs.pool.memory.buffer, wordsAddr, WORDS_BYTES / 4);
}

/** The line that a worker appends to the log for one file. */
export function logLine(index: number, result: Result): string {
  return `${index} ${result.sha256} ${result.bytes} ${result.worker}\n`;
}
