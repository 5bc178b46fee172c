/**
 * Finding circles of agents that wait for each other's range locks.
 *
 * Who waits for whom is worked out anew at each search, chain by chain, with one chain's lock held at a time. What is seen
 * of two chains may therefore never have been true at once. So where the first pass finds a circle, a second asks for the
 * same waits and the same holders again. One that waits holds what it holds until its wait has ended, and a wait that both
 * passes have seen did not end between them: of each pair of edges that meet in an agent, the chain of whose wait comes
 * before the chain it is waited for in has the second pass to tell that the edge stood when the first pass ended, and the
 * other order has the first. All edges that both passes have seen therefore stood at that moment, together.
 *
 * As on Linux: only range locks of agents take part, not those of open file descriptions nor those of whole files.
 *
 * Lock rank: the lock over the search is held; takes those of the chains, one at a time.
 *
 * @module
 */
import {
  CHAIN_COUNT,
  CHAIN_HELD,
  CHAIN_WAITERS,
  CHAIN_WAITING,
  FILE_LOCK_AGENT,
  FILE_LOCK_DESCRIPTION,
  FILE_LOCK_END,
  FILE_LOCK_FLAG_WHOLE,
  FILE_LOCK_FLAGS,
  FILE_LOCK_INODE,
  FILE_LOCK_NEXT,
  FILE_LOCK_START,
  FILE_LOCK_WAIT,
  FILE_LOCK_WAITER,
} from "../layout/file_locks.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import { agentIdOfOwner } from "./file_lock_owner.ts";
import { chainWordAt, conflictsLocked, type FileLock } from "./file_lock_table.ts";

/** A wait, and the agents that have to release something before it can end. */
interface Wait {
  readonly agent: number;
  readonly holders: Set<number>;
}

/**
 * Whether a wait of an agent of locks cannot end before the agent itself releases something: one of this thread's waits,
 * by its number.
 */
export function closesCircleLocked(store: Store, agent: number, wait: number): boolean {
  const key = keyOf(store.agent.owner, wait);
  const first = collect(store);
  if (!leadsBack(first, agent, key)) return false;
  const second = collect(store);
  for (const [key, { holders }] of second) {
    const before = first.get(key)?.holders;
    for (const holder of holders) if (before?.has(holder) !== true) holders.delete(holder);
  }
  return leadsBack(second, agent, key);
}

function keyOf(waiter: number, wait: number): string {
  return `${waiter} ${wait}`;
}

function collect(store: Store): Map<string, Wait> {
  const { agent, memory, wasm } = store;
  const found = new Map<string, Wait>();
  for (let index = 0; index < CHAIN_COUNT; index++) {
    const chain = chainWordAt(index);
    // Pairs with the release of the chain's lock by one that has become a waiter: it searches after that itself.
    if (wasm.load(chain + CHAIN_WAITING) === 0 || lockExclusive(agent, chain) !== 0) continue;
    const { i32, f64 } = memory;
    for (let ref = i32[chain + CHAIN_WAITERS]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + FILE_LOCK_NEXT]!) {
      const waiter = ref * GRANULE_WORDS;
      if (!takesPart(i32, waiter) || agentIdOfOwner(agent, i32[waiter + FILE_LOCK_WAITER]!) === undefined) continue;
      const lock: FileLock = {
        inodeWord: i32[waiter + FILE_LOCK_INODE]! * GRANULE_WORDS,
        agent: i32[waiter + FILE_LOCK_AGENT]!,
        description: 0,
        flags: i32[waiter + FILE_LOCK_FLAGS]!,
        start: f64[(waiter + FILE_LOCK_START) / 2]!,
        end: f64[(waiter + FILE_LOCK_END) / 2]!,
      };
      const holders = new Set<number>();
      for (let held = i32[chain + CHAIN_HELD]!; held !== 0; held = i32[held * GRANULE_WORDS + FILE_LOCK_NEXT]!) {
        const block = held * GRANULE_WORDS;
        if (takesPart(i32, block) && conflictsLocked(i32, f64, block, lock)) holders.add(i32[block + FILE_LOCK_AGENT]!);
      }
      found.set(keyOf(i32[waiter + FILE_LOCK_WAITER]!, i32[waiter + FILE_LOCK_WAIT]!), { agent: lock.agent, holders });
    }
    unlockExclusive(agent, chain);
  }
  return found;
}

function takesPart(i32: Int32Array, block: number): boolean {
  return i32[block + FILE_LOCK_DESCRIPTION] === 0 && (i32[block + FILE_LOCK_FLAGS]! & FILE_LOCK_FLAG_WHOLE) === 0;
}

function leadsBack(waits: Map<string, Wait>, agent: number, key: string): boolean {
  const seen = new Set<number>();
  const next = [...waits.get(key)?.holders ?? []];
  for (let holder = next.pop(); holder !== undefined; holder = next.pop()) {
    if (holder === agent) return true;
    if (seen.has(holder)) continue;
    seen.add(holder);
    for (const wait of waits.values()) if (wait.agent === holder) next.push(...wait.holders);
  }
  return false;
}
