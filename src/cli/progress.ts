/**
 * A bar for what takes long, on terminals only.
 *
 * @module
 */
import { Writable } from "node:stream";
import type { CompileProgress } from "../../artifact.ts";
import type { Output } from "./io.ts";

/** A bar that is shown until it is disposed of, and then leaves nothing behind. */
export interface ProgressBar extends AsyncDisposable {
  /** Shows how a compilation gets on. */
  readonly onProgress: (progress: CompileProgress) => void;
}

/** Shows a bar on a terminal; undefined where the output is none. */
export async function showProgress(output: Output): Promise<ProgressBar | undefined> {
  if (!output.isTerminal) return undefined;
  const { default: cliProgress } = await import("cli-progress");
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => void output.write(chunk).then(() => done(), () => done()),
  });
  const bar = new cliProgress.SingleBar({
    format: "{phase} [{bar}] {value}/{total}  {duration_formatted}",
    stream: Object.assign(stream, { isTTY: true, columns: output.columns ?? 80 }),
    clearOnComplete: true,
    hideCursor: true,
    // Interruptions are for those to handle who compile; the bar is stopped with them.
    gracefulExit: false,
  });
  let started = false;
  return {
    onProgress: ({ phase, done, total }) => {
      if (!started) bar.start(total, 0, { phase: phase.padEnd(PHASE_WIDTH) });
      started = true;
      bar.setTotal(total);
      bar.update(done, { phase: phase.padEnd(PHASE_WIDTH) });
    },
    [Symbol.asyncDispose]: async () => {
      if (started) bar.stop();
      // What is printed next must not overtake the removal of the bar.
      await new Promise<void>((resolve) => stream.end(resolve));
    },
  };
}

const PHASE_WIDTH = "optimize".length;
