/**
 * What backends over a network share: waiting that a signal ends, copies to send from, errors with a way out. Imports
 * errors only.
 *
 * @module
 */
import { ArtifactStoreError } from "../errors.ts";

/**
 * Waits for something that cannot be ended itself.
 *
 * @throws the signal's reason; what was waited for goes on, and its failure is nobody's.
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}

/** Waits, in milliseconds. @throws the signal's reason. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await untilAborted(new Promise<void>((resolve) => timer = setTimeout(resolve, ms)), signal);
  } finally {
    clearTimeout(timer);
  }
}

/** A copy over an `ArrayBuffer` of its own, whatever the bytes are over. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}

/** What an error says; some have no message of their own, only a code or further errors inside. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(textOf).join("; ");
  const { code } = error as { code?: unknown };
  return error.message !== "" ? error.message : typeof code === "string" ? code : error.name;
}

/** What to do about failures whose text matches. */
export type Advice = readonly (readonly [text: RegExp, advice: string])[];

/**
 * Makes of a failure what a backend rejects with: the signal's reason where that has aborted, errors of a store as they
 * are, all else as an error of a store.
 *
 * @param name of the backend
 * @param asked what was asked of it, such as `read`
 */
export function failureOf(
  name: string,
  asked: string,
  error: unknown,
  advice: Advice,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof ArtifactStoreError) return error;
  const named = error instanceof Error && error.name !== "Error" && !textOf(error).startsWith(error.name);
  const text = named ? `${error.name}: ${textOf(error)}` : textOf(error);
  const way = advice.find(([pattern]) => pattern.test(text))?.[1];
  return new ArtifactStoreError(`${name}: ${asked} failed: ${text}${way === undefined ? "" : ` (${way})`}`, {
    cause: error,
  });
}

/** What failed connections say, in Deno, Node and Bun. */
export const UNREACHABLE =
  /ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPIPE|ETIMEDOUT|timed? ?out|socket (hang|closed)|refused|reset by/i;
