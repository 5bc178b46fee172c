/**
 * Waiting for the read-write lock of the pool's own structures: where the fast paths of `raw_lock.ts` end.
 *
 * @module
 */
import { drive, PENDING } from "./attempt.ts";
import type { Agent } from "./agent.ts";
import { ExclusiveAttempt } from "./exclusive_attempt.ts";
import { partyOf } from "./party.ts";
import { SharedAttempt } from "./shared_attempt.ts";

/**
 * Goes on where the fast path ended with `status`; `record` is the slot's record that it stored.
 *
 * @returns 0, or a negative errno and then the lock is neither held nor recorded: `-EIDRM` the agent was retired,
 * `-EAGAIN` the thread may not block and has spun long enough, `-ETIMEDOUT`, `-EDEADLK` the agent itself holds the lock.
 */
export function lockExclusiveSlow(
  agent: Agent,
  lockWord: number,
  status: number,
  timeoutMs: number,
  record: number = agent.depth,
): number {
  const attempt = new ExclusiveAttempt(partyOf(agent), lockWord, record);
  const resumed = attempt.resume(status);
  return resumed === PENDING ? drive(attempt, timeoutMs) : resumed;
}

/** Waits until no writer holds the lock, and takes it shared. Returns as {@linkcode lockExclusiveSlow}. */
export function lockSharedSlow(agent: Agent, lockWord: number, pinWord: number, timeoutMs: number): number {
  return drive(new SharedAttempt(partyOf(agent), lockWord, pinWord, lockWord, 0), timeoutMs);
}
