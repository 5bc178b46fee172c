import { SLOT_HELD, SLOT_HELD_COUNT, TABLE_FREEZE, TABLE_THAWS } from "../../../src/layout/agent_table.ts";
import { EAGAIN, EDEADLK, ETIMEDOUT } from "../../../src/layout/errno.ts";
import { LOCK_TUNING } from "../../../src/sync/lock_tuning.ts";
import { freeze, thaw } from "../../../src/sync/raw_freeze.ts";
import { lockExclusive, lockShared, unlockExclusive, unlockShared } from "../../../src/sync/raw_lock.ts";
import { lockExclusiveSlow } from "../../../src/sync/raw_lock_slow.ts";
import { Mutex } from "../../../src/sync/mutex.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { attachAgent, attachPool, createLockMemory, placeOf, TABLE_WORD } from "../../support/lock_pool.ts";

const LOCK = placeOf(0) / 4;

Deno.test("freeze() waits for the locks of others, and thaw() lets them go on", () => {
  const memory = createLockMemory();
  const [a, b] = [attachAgent(memory), attachAgent(memory)];
  assertEquals(lockExclusive(b, LOCK), 0);
  assertEquals(freeze(a, 20), -ETIMEDOUT);
  assertEquals(a.wasm.load(TABLE_WORD + TABLE_FREEZE), 0, "nothing stays frozen");
  assertEquals(freeze(b), -EDEADLK, "the caller holds a lock");
  unlockExclusive(b, LOCK);
  assertEquals(freeze(a), 0);
  assertEquals(freeze(a), -EDEADLK);
  assertEquals(freeze(b, 10), -ETIMEDOUT);
  // The agent that froze goes on, the other waits; readers are not kept out.
  assertEquals(lockExclusive(a, LOCK), 0);
  unlockExclusive(a, LOCK);
  const status = b.wasm.lockExclusive(LOCK, b.owner, b.slotWord, 0, b.tableWord, b.state);
  assertEquals(lockExclusiveSlow(b, LOCK, status, 20), -ETIMEDOUT);
  assertEquals(b.wasm.load(LOCK), 0);
  assertEquals(lockShared(b, LOCK), 0);
  unlockShared(b, LOCK);
  thaw(b);
  assertEquals(a.wasm.load(TABLE_WORD + TABLE_FREEZE), a.owner, "only who froze thaws");
  const thaws = a.wasm.load(TABLE_WORD + TABLE_THAWS);
  thaw(a);
  assertEquals(a.wasm.load(TABLE_WORD + TABLE_THAWS), thaws + 1);
  assertEquals(lockExclusive(b, LOCK), 0);
  unlockExclusive(b, LOCK);
});

Deno.test("freeze() does not wait for locks of programs", () => {
  const memory = createLockMemory();
  const [a, b] = [attachPool(memory), attachPool(memory)];
  const mutex = new Mutex(b, placeOf(1));
  mutex.lock();
  assertEquals(freeze(a.agent, 1000), 0);
  mutex.unlock();
  mutex.lock();
  mutex.unlock();
  thaw(a.agent);
});

Deno.test("freeze() and frozen locks fail with EAGAIN on a thread that may not block", () => {
  const before = LOCK_TUNING.spinLimitMs;
  LOCK_TUNING.spinLimitMs = 10;
  try {
    const memory = createLockMemory();
    const [a, b] = [attachAgent(memory), attachAgent(memory, { mayBlock: false })];
    assertEquals(freeze(a), 0);
    assertEquals(freeze(b), -EAGAIN);
    assertEquals(lockExclusive(b, LOCK), -EAGAIN);
    assertEquals(b.depth, 0);
    thaw(a);
    assertEquals(lockExclusive(a, LOCK), 0);
    assertEquals(freeze(b), -EAGAIN);
    assertEquals(lockExclusive(b, LOCK), -EAGAIN);
    unlockExclusive(a, LOCK);
    assertEquals(lockExclusive(b, LOCK), 0);
    unlockExclusive(b, LOCK);
    const held = b.memory.i32.subarray(b.slotWord + SLOT_HELD, b.slotWord + SLOT_HELD + SLOT_HELD_COUNT);
    assert(held.every((word) => word === 0));
  } finally {
    LOCK_TUNING.spinLimitMs = before;
  }
});

Deno.test("lockExclusive() and lockShared() return EDEADLK to who holds the lock", () => {
  const agent = attachAgent(createLockMemory());
  assertEquals(lockExclusive(agent, LOCK), 0);
  assertEquals(lockExclusive(agent, LOCK), -EDEADLK);
  assertEquals(lockShared(agent, LOCK), -EDEADLK);
  unlockExclusive(agent, LOCK);
  assertEquals(lockShared(agent, LOCK), 0);
  assertEquals(lockExclusive(agent, LOCK), -EDEADLK);
  unlockShared(agent, LOCK);
  assertEquals(lockExclusive(agent, LOCK), 0);
  unlockExclusive(agent, LOCK);
  assertEquals(agent.wasm.load(LOCK), 0);
});
