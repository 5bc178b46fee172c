/**
 * The read-write lock under every structure of the pool: two words (`src/layout/lock_word.ts`), taken exclusively by a
 * compare-exchange or shared through a pin in the reader's own slot. The fast paths; waiting is in `raw_lock_slow.ts`.
 * The protocol is in docs/locking.md.
 *
 * The functions here record locks of the pool itself: taken in rank order, released in reverse order.
 *
 * @module
 */
import { SLOT_HELD, SLOT_PINS } from "../layout/agent_table.ts";
import { EBUSY } from "../layout/errno.ts";
import { LOCK_CONTENDED, LOCKED } from "../memory/intrinsics.ts";
import type { Agent } from "./agent.ts";
import { lockExclusiveSlow, lockSharedSlow } from "./raw_lock_slow.ts";

/**
 * Takes a lock exclusively; waits where it must. On success the views reach all that the lock guards.
 *
 * @returns 0, or a negative errno and then the lock is not held: `-EIDRM` the agent was retired, `-EAGAIN` the thread
 * may not block and has spun long enough.
 */
export function lockExclusive(agent: Agent, lockWord: number): number {
  const status = agent.wasm.lockExclusive(
    lockWord,
    agent.owner,
    agent.slotWord,
    agent.depth,
    agent.tableWord,
    agent.state,
  );
  if (status !== LOCKED) {
    const result = lockExclusiveSlow(agent, lockWord, status, Infinity);
    if (result !== 0) return result;
  }
  agent.depth++;
  agent.memory.sync(agent.pagesWord);
  return 0;
}

/** Releases the lock that was taken last. */
export function unlockExclusive(agent: Agent, lockWord: number): void {
  agent.depth--;
  agent.wasm.unlockExclusive(lockWord, agent.owner, agent.slotWord, agent.depth);
}

/**
 * Takes a lock shared through the agent's first pin. An agent holds at most one lock so, and takes no lock while it does.
 *
 * @returns as {@linkcode lockExclusive}.
 */
export function lockShared(agent: Agent, lockWord: number): number {
  const pinWord = agent.slotWord + SLOT_PINS;
  if (agent.wasm.lockShared(lockWord, pinWord) !== 0) {
    const result = lockSharedSlow(agent, lockWord, pinWord, Infinity);
    if (result !== 0) return result;
  }
  agent.memory.sync(agent.pagesWord);
  return 0;
}

/** Releases the lock held shared through the first pin. */
export function unlockShared(agent: Agent, lockWord: number): void {
  agent.wasm.unlockShared(lockWord, agent.slotWord + SLOT_PINS);
}

/**
 * Takes a lock exclusively if nobody holds it at this moment. It waits only for a thaw.
 *
 * @returns 0; `-EBUSY` somebody else holds it; `-EIDRM` the agent was retired.
 */
export function tryLockExclusive(agent: Agent, lockWord: number): number {
  const status = agent.wasm.lockExclusive(
    lockWord,
    agent.owner,
    agent.slotWord,
    agent.depth,
    agent.tableWord,
    agent.state,
  );
  if (status !== LOCKED) {
    if (status === LOCK_CONTENDED) {
      // The record of the intention goes, since nothing was taken.
      agent.memory.i32[agent.slotWord + SLOT_HELD + agent.depth] = 0;
      return -EBUSY;
    }
    const result = lockExclusiveSlow(agent, lockWord, status, Infinity);
    if (result !== 0) return result;
  }
  agent.depth++;
  agent.memory.sync(agent.pagesWord);
  return 0;
}
