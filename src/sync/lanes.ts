/**
 * Where the readers of a read-write lock on bare memory publish themselves: words behind the lock's own line. A reader
 * claims one by a compare-exchange, stores its number while it reads, and clears it.
 *
 * @module
 */
import { EAGAIN, ETIMEDOUT } from "../layout/errno.ts";
import { LINE_WORDS } from "../layout/units.ts";
import { pause } from "../memory/waiting.ts";
import { parkAsync } from "./async_drive.ts";
import { LOCK_TUNING } from "./lock_tuning.ts";
import { LANE_CLAIMED, type Party } from "./party.ts";

/** Word of the first lane, from the lock's first word. */
export const LANE_FIRST = LINE_WORDS;
/** Number of lanes: so many readers at a time. */
export const LANE_COUNT = 48;
/** Bytes of a lock with its lanes. */
export const LANES_BYTES: number = (LANE_FIRST + LANE_COUNT) * 4;

/**
 * Claims a lane; where there is none, sleeps for up to `sliceMs` and looks again.
 *
 * @returns the lane's word, `-ETIMEDOUT` where there still is none, or `-EAGAIN` if the thread may not sleep.
 */
export function claimLane(party: Party, lockWord: number, sliceMs = 0): number {
  const { wasm } = party;
  const first = lockWord + LANE_FIRST;
  const deadline = sliceMs === 0 ? 0 : performance.now() + (party.mayBlock ? sliceMs : LOCK_TUNING.spinLimitMs);
  for (;;) {
    for (let step = 0; step < LANE_COUNT; step++) {
      const lane = first + (party.id + step) % LANE_COUNT;
      if (wasm.load(lane) === 0 && wasm.compareExchange(lane, 0, LANE_CLAIMED) === 0) return lane;
    }
    if (performance.now() >= deadline) return party.mayBlock ? -ETIMEDOUT : -EAGAIN;
    // Readers that leave wake nobody here: more readers than lanes are rare, and a millisecond is what it costs them.
    if (party.mayBlock) wasm.wait(first, wasm.load(first), sliceMs);
    else pause();
  }
}

/** Claims a lane without blocking; returns its word or `-ETIMEDOUT`. */
export async function claimLaneAsync(
  party: Party,
  lockWord: number,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const first = lockWord + LANE_FIRST;
  const start = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const lane = claimLane(party, lockWord);
    if (lane >= 0) return lane;
    if (performance.now() - start >= timeoutMs) return -ETIMEDOUT;
    await parkAsync(party.memory, first, party.wasm.load(first), 1, signal);
  }
}
