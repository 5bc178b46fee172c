/**
 * The demo's progress bar, drawn on the error output when that is a terminal.
 *
 * @module
 */

// @ts-types="@types/cli-progress"
import { Presets, SingleBar } from "cli-progress";

/** One phase's progress. */
export interface Progress {
  /** Says how far the phase has come. */
  update(done: number, total: number): void;
  /** Takes the bar away. */
  stop(): void;
}

/**
 * Starts a bar.
 *
 * @param phase What is being done.
 * @param unit What is counted.
 * @returns The bar; one that does nothing where nobody would see it.
 */
export function startProgress(phase: string, unit: string): Progress {
  if (!Deno.stderr.isTerminal()) return { update() {}, stop() {} };
  const bar = new SingleBar({
    format: `${phase.padEnd(8)} {bar} {percentage}% | {value}/{total} ${unit} | {eta_formatted}`,
    clearOnComplete: true,
    hideCursor: true,
  }, Presets.shades_classic);
  let isStarted = false;
  return {
    update(done, total) {
      if (!isStarted) bar.start(total, done);
      else {
        bar.setTotal(total);
        bar.update(done);
      }
      isStarted = true;
    },
    stop() {
      if (isStarted) bar.stop();
    },
  };
}
