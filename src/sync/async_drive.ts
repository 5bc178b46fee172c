/**
 * Waiting without blocking the thread: `Atomics.waitAsync` where the engine has it, timers otherwise.
 *
 * A pending `Atomics.waitAsync` cannot be taken back. When the waiter has gone (aborted, or its time was over) and a
 * wake-up reaches the promise it left behind, the wake-up is passed on to the next that is parked there.
 *
 * @module
 */
import { ETIMEDOUT } from "../layout/errno.ts";
import type { SharedMemory } from "../memory/shared_memory.ts";
import { waitAsync } from "../memory/waiting.ts";
import { type LockAttempt, PENDING } from "./attempt.ts";

/** How often, in milliseconds, a word is looked at where the engine has no `Atomics.waitAsync`. */
const POLL_MS = 4;
/** Longest timer that all engines take, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** How parking without blocking ended. */
export type Parked = "woken" | "changed" | "over" | "aborted";

/**
 * Awaits a wake-up of a word that holds the expected value. Keeps the process alive while pending, by a timer.
 *
 * @returns `changed` if the word has another value, or (without `Atomics.waitAsync`) when it has been found changed;
 * `over` after `timeoutMs`, or, without `Atomics.waitAsync`, perhaps earlier; `aborted` when the signal has aborted.
 */
export function parkAsync(
  memory: SharedMemory,
  word: number,
  expected: number,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Parked> {
  if (signal?.aborted) return Promise.resolve("aborted");
  if (word >= memory.i32.length) memory.refresh();
  // The engine's own timeout is a little later, so that it is the timer that ends a wait which nobody ends.
  const woken = waitAsync(memory.i32, word, expected, Math.min(timeoutMs + 10, LONGEST_MS));
  if (woken === false) return Promise.resolve("changed");
  return new Promise((resolve) => {
    let pending = true;
    let timer: ReturnType<typeof setTimeout>;
    const end = (how: Parked) => {
      pending = false;
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve(how);
    };
    const abort = () => end("aborted");
    signal?.addEventListener("abort", abort);
    if (woken === undefined) {
      timer = setTimeout(
        () => end(memory.wasm.load(word) === expected ? "over" : "changed"),
        Math.min(timeoutMs, POLL_MS),
      );
      return;
    }
    // Referenced: it is what keeps the process alive.
    timer = setTimeout(() => end("over"), Math.min(timeoutMs, LONGEST_MS));
    woken.then((wasWoken) => {
      if (pending) end(wasWoken ? "woken" : "over");
      else if (wasWoken) memory.wasm.notify(word, 1);
    });
  });
}

/**
 * Steps an attempt to its end without blocking.
 *
 * @returns 0 or a negative errno, as `drive`.
 * @throws the signal's reason, when it aborts; then the lock is not held and no wake-up is lost.
 */
export async function driveAsync(
  attempt: LockAttempt,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { party } = attempt;
  const start = performance.now();
  let waitedMs = 0;
  let parks = 0;
  try {
    for (;;) {
      if (signal?.aborted) {
        attempt.giveUp();
        throw signal.reason;
      }
      const status = attempt.prepare(waitedMs, true);
      if (status !== PENDING) return status;
      if (waitedMs >= timeoutMs) {
        attempt.giveUp();
        return -ETIMEDOUT;
      }
      attempt.parked = true;
      parks++;
      const sliceMs = Math.min(attempt.parkMs, timeoutMs - waitedMs);
      await parkAsync(party.memory, attempt.parkWord, attempt.parkValue, sliceMs, signal);
      waitedMs = performance.now() - start;
    }
  } finally {
    party.noteWait(parks, waitedMs);
  }
}
