/**
 * A worker of the attach row: fresh, it attaches once and says how long that took, then again many times.
 *
 * @module
 */
import * as ours from "../ours.ts";
import { listen } from "./start.ts";

/** How long attaching took, in nanoseconds. */
export interface AttachTimes {
  readonly first: number;
  readonly later: number;
}

const REPETITIONS = 200;

/** Attaches, looks at the root, and returns the nanoseconds of the attaching. */
function attachOnce(handle: unknown): number {
  const start = performance.now();
  const fs = ours.attachFileSystem(handle);
  const elapsed = performance.now() - start;
  if (!fs.existsSync("/")) throw new Error("An attached filesystem has no root");
  fs.detach();
  return elapsed * 1e6;
}

listen<unknown, AttachTimes>((handle, answer) => {
  const first = attachOnce(handle);
  const later = Float64Array.from({ length: REPETITIONS }, () => attachOnce(handle)).sort();
  answer({ first, later: later[REPETITIONS >> 1] });
});
