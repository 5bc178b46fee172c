/**
 * What the threads of the lock schedules do. Each critical section leaves its mark through scheduled stores, so that two
 * in it at once are seen whatever they do.
 *
 * @module
 */
import { SLOT_STATE } from "../../src/layout/agent_table.ts";
import type { Intrinsics } from "../../src/memory/intrinsics.ts";
import { Condition } from "../../src/sync/condition.ts";
import { LockTimeoutError, WouldBlockError } from "../../src/sync/errors.ts";
import { Event } from "../../src/sync/event.ts";
import { Mutex } from "../../src/sync/mutex.ts";
import { freeze, thaw } from "../../src/sync/raw_freeze.ts";
import { lockExclusive, lockShared, unlockExclusive, unlockShared } from "../../src/sync/raw_lock.ts";
import { lockExclusiveSlow } from "../../src/sync/raw_lock_slow.ts";
import { useSharedMemory } from "../../src/sync/seat.ts";
import { RwLock } from "../../src/sync/rw_lock.ts";
import { type Agent, slotWordOf } from "../../src/sync/agent.ts";
import { attachAgent, attachPool, placeOf } from "../support/lock_pool.ts";
import type { ScheduledThread } from "../support/schedule_worker.ts";

/** Word of the lock. */
export const LOCK: number = placeOf(0) / 4;
/** Word of a second lock. */
export const INNER_LOCK: number = placeOf(1) / 4;
/** Word in which a writer leaves its mark. */
export const WRITER: number = placeOf(2) / 4;
/** Word in which readers are counted. */
export const READERS: number = placeOf(3) / 4;
/** Word that writers count up. */
export const COUNTER: number = placeOf(4) / 4;
/** Word that a test hands over under a condition. */
export const ITEMS: number = placeOf(5) / 4;
/** Word of the condition or event. */
export const SIGNAL: number = placeOf(6) / 4;

/** Parameters that tests give. */
export interface LockThreadData {
  /** How often to take the lock; 1 by default. */
  readonly times?: number;
  /** Give up after so many milliseconds. */
  readonly timeoutMs?: number;
  /** The thread may not block. */
  readonly spins?: boolean;
}

function dataOf(thread: ScheduledThread): LockThreadData {
  return (thread.data ?? {}) as LockThreadData;
}

function demand(status: number): void {
  if (status !== 0) throw new Error(`the lock returned ${status}`);
}

function writeSection(wasm: Intrinsics, me: number): void {
  const before = wasm.exchange(WRITER, me);
  if (before !== 0) throw new Error(`thread ${me - 1} found writer ${before - 1} inside`);
  const readers = wasm.load(READERS);
  if (readers !== 0) throw new Error(`writer ${me - 1} found ${readers} readers inside`);
  wasm.store(COUNTER, wasm.load(COUNTER) + 1);
  const after = wasm.exchange(WRITER, 0);
  if (after !== me) throw new Error(`thread ${me - 1} left, but ${after - 1} was inside`);
}

function readSection(wasm: Intrinsics): void {
  wasm.add(READERS, 1);
  const writer = wasm.load(WRITER);
  if (writer !== 0) throw new Error(`a reader found writer ${writer - 1} inside`);
  wasm.add(READERS, -1);
}

/** The memory of a thread as the seat of bare locks, with the scheduled intrinsics. */
function bareMemoryOf(thread: ScheduledThread): WebAssembly.Memory {
  useSharedMemory(thread.memory);
  return thread.memory.memory;
}

function agentOf(thread: ScheduledThread): Agent {
  return attachAgent(thread.memory, { mayBlock: dataOf(thread).spins !== true });
}

/** Takes the raw lock exclusively. */
export function writer(thread: ScheduledThread): () => number {
  const agent = agentOf(thread);
  const { times = 1, timeoutMs } = dataOf(thread);
  return () => {
    let taken = 0;
    for (let time = 0; time < times; time++) {
      if (timeoutMs === undefined) demand(lockExclusive(agent, LOCK));
      else {
        const fast = agent.wasm.lockExclusive(LOCK, agent.owner, agent.slotWord, 0, agent.tableWord, agent.state);
        const status = fast === 0 ? 0 : lockExclusiveSlow(agent, LOCK, fast, timeoutMs);
        if (status !== 0) continue;
        agent.depth++;
      }
      taken++;
      writeSection(agent.wasm, thread.index + 1);
      unlockExclusive(agent, LOCK);
    }
    return taken;
  };
}

/** Takes the raw lock shared. */
export function reader(thread: ScheduledThread): () => number {
  const agent = agentOf(thread);
  const { times = 1 } = dataOf(thread);
  return () => {
    for (let time = 0; time < times; time++) {
      demand(lockShared(agent, LOCK));
      readSection(agent.wasm);
      unlockShared(agent, LOCK);
    }
    return times;
  };
}

/** Takes the raw lock, and another inside it. */
export function nestedWriter(thread: ScheduledThread): () => number {
  const agent = agentOf(thread);
  return () => {
    demand(lockExclusive(agent, LOCK));
    demand(lockExclusive(agent, INNER_LOCK));
    writeSection(agent.wasm, thread.index + 1);
    unlockExclusive(agent, INNER_LOCK);
    unlockExclusive(agent, LOCK);
    return 1;
  };
}

/** Freezes, and demands that no writer is inside meanwhile. */
export function freezer(thread: ScheduledThread): () => number {
  const agent = agentOf(thread);
  const { wasm } = agent;
  return () => {
    demand(freeze(agent));
    const before = wasm.load(COUNTER);
    if (wasm.load(WRITER) !== 0) throw new Error("a writer is inside although the pool is frozen");
    if (wasm.load(COUNTER) !== before) throw new Error("a writer has written although the pool is frozen");
    thaw(agent);
    return before;
  };
}

/** Retires the agent in slot 0, as one that finds it gone does. */
export function retirer(thread: ScheduledThread): () => number {
  const agent = agentOf(thread);
  const { wasm } = agent;
  const slotWord = slotWordOf(agent.tableWord, 0);
  return () => {
    const state = wasm.load(slotWord + SLOT_STATE);
    wasm.compareExchange(slotWord + SLOT_STATE, state, (state & ~3) | 2);
    return 1;
  };
}

/** Takes the lock exclusively, and accepts to be told that it has been retired. */
export function retiredWriter(thread: ScheduledThread): () => number {
  const agent = agentOf(thread);
  return () => {
    const status = lockExclusive(agent, LOCK);
    if (status !== 0) return status;
    writeSection(agent.wasm, thread.index + 1);
    unlockExclusive(agent, LOCK);
    return 0;
  };
}

/** Takes a mutex; returns how often it got it. */
export function mutexUser(thread: ScheduledThread): () => number {
  const pool = attachPool(thread.memory, { mayBlock: dataOf(thread).spins !== true });
  const mutex = new Mutex(pool, LOCK * 4);
  const { times = 1, timeoutMs } = dataOf(thread);
  return () => {
    let taken = 0;
    for (let time = 0; time < times; time++) {
      try {
        mutex.lock(timeoutMs === undefined ? undefined : { timeoutMs });
      } catch (error) {
        if (error instanceof LockTimeoutError || error instanceof WouldBlockError) continue;
        throw error;
      }
      taken++;
      writeSection(thread.wasm, thread.index + 1);
      mutex.unlock();
    }
    return taken;
  };
}

/** Takes a mutex on bare memory. */
export function bareMutexUser(thread: ScheduledThread): () => number {
  const mutex = new Mutex(bareMemoryOf(thread), LOCK * 4, { owner: thread.index + 1 });
  return () => {
    mutex.lock();
    writeSection(thread.wasm, thread.index + 1);
    mutex.unlock();
    return 1;
  };
}

/** Reads or writes under a read-write lock on bare memory. */
export function bareReader(thread: ScheduledThread): () => number {
  const lock = new RwLock(bareMemoryOf(thread), LOCK * 4, { owner: thread.index + 1 });
  return () => {
    lock.lockRead();
    readSection(thread.wasm);
    lock.unlockRead();
    return 1;
  };
}

/** See {@linkcode bareReader}. */
export function bareWriter(thread: ScheduledThread): () => number {
  const lock = new RwLock(bareMemoryOf(thread), LOCK * 4, { owner: thread.index + 1 });
  return () => {
    lock.lockWrite();
    writeSection(thread.wasm, thread.index + 1);
    lock.unlockWrite();
    return 1;
  };
}

/** Reads twice at once under a read-write lock of a pool. */
export function recursiveReader(thread: ScheduledThread): () => number {
  const pool = attachPool(thread.memory);
  const [first, second] = [new RwLock(pool, LOCK * 4), new RwLock(pool, LOCK * 4)];
  return () => {
    first.lockRead();
    second.lockRead();
    first.unlockRead();
    readSection(thread.wasm);
    second.unlockRead();
    return 1;
  };
}

/** Writes under a read-write lock of a pool. */
export function poolWriter(thread: ScheduledThread): () => number {
  const lock = new RwLock(attachPool(thread.memory), LOCK * 4);
  return () => {
    lock.lockWrite();
    writeSection(thread.wasm, thread.index + 1);
    lock.unlockWrite();
    return 1;
  };
}

/** Takes an item; waits for one where there is none. */
export function consumer(thread: ScheduledThread): () => number {
  const pool = attachPool(thread.memory);
  const mutex = new Mutex(pool, LOCK * 4);
  const condition = new Condition(pool, SIGNAL * 4);
  const { wasm } = thread;
  return () => {
    mutex.lock();
    while (wasm.load(ITEMS) === 0) condition.wait(mutex);
    wasm.store(ITEMS, wasm.load(ITEMS) - 1);
    mutex.unlock();
    return 1;
  };
}

/** Puts items, and tells one waiter of each, or all of all. */
export function producer(thread: ScheduledThread): () => number {
  const pool = attachPool(thread.memory);
  const mutex = new Mutex(pool, LOCK * 4);
  const condition = new Condition(pool, SIGNAL * 4);
  const { wasm } = thread;
  const { times = 1 } = dataOf(thread);
  return () => {
    mutex.lock();
    wasm.store(ITEMS, wasm.load(ITEMS) + times);
    if (times === 1) condition.notifyOne();
    else condition.notifyAll();
    mutex.unlock();
    return times;
  };
}

/** Makes the event happen, after it has written something. */
export function eventSetter(thread: ScheduledThread): () => number {
  const event = new Event(attachPool(thread.memory), SIGNAL * 4);
  return () => {
    thread.wasm.store(ITEMS, 7);
    event.set();
    return 7;
  };
}

/** Waits for the event; returns what was written before it. */
export function eventWaiter(thread: ScheduledThread): () => number {
  const event = new Event(attachPool(thread.memory), SIGNAL * 4);
  return () => {
    event.wait();
    return thread.wasm.load(ITEMS);
  };
}

/** Tries to read without waiting. */
export function tryReader(thread: ScheduledThread): () => number {
  const lock = new RwLock(attachPool(thread.memory), LOCK * 4);
  return () => {
    if (lock.tryLockRead() === undefined) return 0;
    readSection(thread.wasm);
    lock.unlockRead();
    return 1;
  };
}

/** Tries to write without waiting. */
export function tryWriter(thread: ScheduledThread): () => number {
  const lock = new RwLock(attachPool(thread.memory), LOCK * 4);
  return () => {
    if (lock.tryLockWrite() === undefined) return 0;
    writeSection(thread.wasm, thread.index + 1);
    lock.unlockWrite();
    return 1;
  };
}
