/**
 * Failures of the demo, told in one line.
 *
 * @module
 */

/** A failure that is told in one line, without a stack. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

/**
 * Tells any failure in one line.
 *
 * @param error What was thrown.
 * @param directory The tree, if one was named.
 * @param maximumBytes How far the pool may grow, if that was said.
 * @returns The line.
 */
export function explain(error: unknown, directory: string | undefined, maximumBytes: number | undefined): string {
  if (isDemoError(error)) return error.message;
  const { code, path, message } = (error ?? {}) as { code?: unknown; path?: unknown; message?: unknown };
  const tree = directory === undefined ? "the default tree" : `'${directory}'`;
  const where = typeof path === "string" ? ` (at '${path}')` : "";
  switch (code) {
    case "ENOSPC":
      return `${tree} does not fit into the pool` +
        (maximumBytes === undefined ? "" : ` of at most ${maximumBytes} bytes; raise --maximum-bytes`) + where;
    case "EACCES":
    case "EPERM":
      return `cannot read ${tree}: permission denied${where}`;
    default:
      return String(message ?? error).split("\n")[0]!;
  }
}

/** Whether a failure says all there is to say; others are told with their stack. */
export function isExpected(error: unknown): boolean {
  return isDemoError(error) || typeof (error as { code?: unknown } | null | undefined)?.code === "string";
}

/** By its name: a worker's errors arrive as plain objects. */
function isDemoError(error: unknown): error is DemoError {
  return (error as { name?: unknown } | null | undefined)?.name === DemoError.name;
}
