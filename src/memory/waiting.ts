/**
 * What waiting needs of the engine beyond the intrinsics, where the engine has it.
 *
 * @module
 */

const engine = Atomics as unknown as {
  pause?: () => void;
  waitAsync?: (
    view: Int32Array,
    index: number,
    value: number,
    timeoutMs: number,
  ) => { async: boolean; value: string | Promise<string> };
};

/** Tells the processor, where the engine can, that this thread spins. Looked up each time: schedule tests replace it. */
export function pause(): void {
  engine.pause?.();
}

/**
 * Awaits that a word is woken, while it has the expected value.
 *
 * @returns a promise of whether it was woken rather than timed out, `false` where the value was another, and `undefined`
 * where the engine has no `Atomics.waitAsync`. The promise does not keep the process alive.
 */
export function waitAsync(
  view: Int32Array,
  word: number,
  expected: number,
  timeoutMs: number,
): Promise<boolean> | false | undefined {
  if (typeof engine.waitAsync !== "function") return undefined;
  const { async, value } = engine.waitAsync(view, word, expected, timeoutMs);
  return async ? (value as Promise<string>).then((result) => result === "ok") : false;
}

let blocking: boolean | undefined;

/** Finds out whether this thread may block: a wait that ends at once throws where it may not. */
export function threadMayBlock(): boolean {
  if (blocking === undefined) {
    try {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
      blocking = true;
    } catch {
      blocking = false;
    }
  }
  return blocking;
}
