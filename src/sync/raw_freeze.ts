/**
 * Freezing: one agent stops all mutation of the pool, for whole-pool checks and snapshots.
 *
 * An agent that mutates takes its outermost lock, then looks at the freeze word; the freezer stores the freeze word, then
 * looks at the locks that agents have recorded. Both are sequentially consistent, so that at least one sees the other:
 * either the agent sees the freeze and gives its lock back, or the freezer sees the lock held and waits for its release.
 * Inner locks are not asked for: they are taken and released while the outermost is held.
 *
 * @module
 */
import {
  SLOT_HELD,
  SLOT_HELD_INTERNAL,
  SLOT_LIVE,
  SLOT_STATE,
  SLOT_STATE_MASK,
  TABLE_FREEZE,
  TABLE_HIGH,
  TABLE_THAWS,
} from "../layout/agent_table.ts";
import { EAGAIN, EDEADLK, EIDRM, ETIMEDOUT } from "../layout/errno.ts";
import { LOCK_OWNER } from "../layout/lock_word.ts";
import { pause } from "../memory/waiting.ts";
import { type Agent, ownerOf, slotWordOf } from "./agent.ts";
import { LOCK_TUNING } from "./lock_tuning.ts";

/** How long the freezer sleeps, in milliseconds, before it looks again: releases do not wake it. */
const FREEZE_SLICE_MS = 1;

/**
 * Stops mutation by all other agents, and waits until those in the middle of one have finished. The caller holds none of
 * the pool's locks; while the freeze lasts it may itself take them.
 *
 * @returns 0; or, with nothing frozen, `-ETIMEDOUT`, `-EDEADLK` (the agent has frozen already, or holds a lock),
 * `-EIDRM` (retired), `-EAGAIN` (the thread may not block and has spun long enough).
 */
export function freeze(agent: Agent, timeoutMs = Infinity): number {
  const { wasm, tableWord, owner } = agent;
  if (agent.depth !== 0) return -EDEADLK;
  const start = performance.now();
  const freezeWord = tableWord + TABLE_FREEZE;
  for (;;) {
    // Read before the freeze word: see thaw.
    const thaws = wasm.load(tableWord + TABLE_THAWS);
    // Pairs with the load after the outermost lock has been taken (intrinsics.wat, lockExclusive).
    const freezer = wasm.compareExchange(freezeWord, 0, owner);
    if (freezer === 0) break;
    if (freezer === owner) return -EDEADLK;
    const status = rest(agent, tableWord + TABLE_THAWS, thaws, LOCK_TUNING.sliceMs, start, timeoutMs);
    if (status !== 0) return status;
  }
  for (let busy = busySlot(agent, 0); busy >= 0; busy = busySlot(agent, busy)) {
    const status = rest(agent, freezeWord, owner, FREEZE_SLICE_MS, start, timeoutMs);
    if (status !== 0) {
      thaw(agent);
      return status;
    }
  }
  if (agent.live) return 0;
  thaw(agent);
  return -EIDRM;
}

/** Lets the others go on. Does nothing if this agent has not frozen the pool. */
export function thaw(agent: Agent): void {
  const { wasm, tableWord } = agent;
  if (wasm.compareExchange(tableWord + TABLE_FREEZE, agent.owner, 0) !== agent.owner) return;
  // Who found the pool frozen has read this word before: it changes after the freeze has ended, so none sleeps through.
  wasm.add(tableWord + TABLE_THAWS, 1);
  wasm.notify(tableWord + TABLE_THAWS, -1);
}

/** Sleeps for a slice; 0, or why not to go on. */
function rest(
  agent: Agent,
  word: number,
  value: number,
  sliceMs: number,
  start: number,
  timeoutMs: number,
): number {
  if (!agent.live) return -EIDRM;
  const leftMs = timeoutMs - (performance.now() - start);
  if (leftMs <= 0) return -ETIMEDOUT;
  if (agent.mayBlock) {
    agent.wasm.wait(word, value, Math.min(sliceMs, leftMs));
  } else {
    if (performance.now() - start >= LOCK_TUNING.spinLimitMs) return -EAGAIN;
    pause();
  }
  return 0;
}

/** The first slot from `from` on whose live agent, another than this, holds one of the pool's own locks; -1 if none. */
function busySlot(agent: Agent, from: number): number {
  const { wasm, tableWord } = agent;
  for (let slot = from; slot < wasm.load(tableWord + TABLE_HIGH); slot++) {
    if (slot === agent.slot) continue;
    const slotWord = slotWordOf(tableWord, slot);
    const state = wasm.load(slotWord + SLOT_STATE);
    if ((state & SLOT_STATE_MASK) !== SLOT_LIVE) continue;
    const owner = ownerOf(slot, state);
    for (let record = 0; record < SLOT_HELD_INTERNAL; record++) {
      // The record is stored before the lock is taken, so a lock that was taken before the freeze is recorded.
      const lockWord = wasm.load(slotWord + SLOT_HELD + record);
      if (lockWord !== 0 && (wasm.load(lockWord >>> 0) & LOCK_OWNER) === owner) return slot;
    }
  }
  return -1;
}
