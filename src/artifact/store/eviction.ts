/**
 * Which entries go when a store is to become smaller: the least recently used. Imports types only.
 *
 * @module
 */
import type { BackendEntry } from "./backend.ts";

/** What a clean-up by limits leaves of them. */
const SHARE_LEFT = 0.7;

/** What is to be left of a store. */
export interface PruneLimits {
  /** At most so many entries. */
  readonly entries?: number;
  /** At most so many bytes. */
  readonly bytes?: number;
  /** At least so many bytes less than now. */
  readonly freeBytes?: number;
  /** Nothing that has not been used for so many milliseconds. */
  readonly unusedForMs?: number;
}

/**
 * Chooses what has to go. Nothing goes while no limit is exceeded; where one is, the oldest entries go until what is left
 * is within `share` of every limit.
 *
 * @param options.share Default 0.7: so that not every publication at the limit has to clean up.
 * @param options.keep The key of an entry that stays as long as there is another.
 * @param options.nowMs The time that `unusedForMs` is counted to, in milliseconds since 1970.
 */
export function chooseVictims(
  entries: readonly BackendEntry[],
  options: PruneLimits & { readonly share?: number; readonly keep?: string; readonly nowMs?: number },
): BackendEntry[] {
  const { share = SHARE_LEFT, keep, nowMs = 0, unusedForMs = Infinity } = options;
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  let count = entries.length;
  const entryLimit = options.entries ?? Infinity;
  const byteLimit = Math.min(
    options.bytes ?? Infinity,
    options.freeBytes === undefined ? Infinity : bytes - options.freeBytes,
  );
  const exceeded = count > entryLimit || bytes > byteLimit;
  const order = [...entries].sort((a, b) =>
    Number(a.key === keep) - Number(b.key === keep) || a.lastUsedMs - b.lastUsedMs || (a.key < b.key ? -1 : 1)
  );
  const victims: BackendEntry[] = [];
  for (const entry of order) {
    // What is to be kept goes only where it is too much alone.
    const part = entry.key === keep ? 1 : share;
    const tooMuch = exceeded && (count > entryLimit * part || bytes > byteLimit * part);
    if (!tooMuch && entry.lastUsedMs > nowMs - unusedForMs) continue;
    victims.push(entry);
    count--;
    bytes -= entry.bytes;
  }
  return victims;
}
