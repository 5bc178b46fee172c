/**
 * The pace of a transfer: a few times a second it reports progress, lets the event loop run and heeds an abort.
 *
 * Transfers work synchronously in between, which is several times faster than a promise per file. Imports types only.
 *
 * @module
 */

import type { TransferCounts, TransferOptions, TransferProgress } from "./types.ts";

/** The time between two reports, and the longest a transfer keeps the event loop waiting between two entries. */
const INTERVAL_MS = 50;

/** Paces one transfer and holds its counts. */
export class Pacer {
  readonly #onProgress: ((progress: TransferProgress) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  #lastMs = performance.now();

  /** What has been written so far. */
  readonly counts: TransferCounts = { files: 0, directories: 0, symlinks: 0, hardLinks: 0, bytes: 0 };
  /** Regular files in all, where known. */
  totalFiles: number | undefined;
  /** Bytes in all, where known. */
  totalBytes: number | undefined;
  /** The entry being written. */
  path = "";

  /** @param options Where to report, and what may abort the transfer. */
  constructor(options: TransferOptions) {
    this.#onProgress = options.onProgress;
    this.#signal = options.signal;
    this.#signal?.throwIfAborted();
  }

  /** Whether it is time to call {@linkcode breathe}. Cheap: one look at the clock. */
  isDue(): boolean {
    return performance.now() - this.#lastMs >= INTERVAL_MS;
  }

  /**
   * Reports progress, lets timers and events run, and heeds an abort that arrived.
   *
   * @throws The signal's reason, when aborted.
   */
  async breathe(): Promise<void> {
    this.report();
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#signal?.throwIfAborted();
    this.#lastMs = performance.now();
  }

  /** Reports what has been written so far. */
  report(): void {
    if (this.#onProgress === undefined) return;
    this.#onProgress({
      files: this.counts.files,
      bytes: this.counts.bytes,
      ...(this.totalFiles === undefined ? {} : { totalFiles: this.totalFiles }),
      ...(this.totalBytes === undefined ? {} : { totalBytes: this.totalBytes }),
      path: this.path,
    });
  }
}
