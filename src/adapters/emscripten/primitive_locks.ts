/**
 * The pool's locks as a program takes them: by their addresses. They are those of {@linkcode Mutex}, {@linkcode RwLock},
 * {@linkcode Condition} and {@linkcode Event}, on the same words, so that threads of programs and workers exclude and wake
 * each other.
 *
 * What a thread holds is known to the object that took it, so the objects are kept by address. An object that holds nothing
 * knows nothing either: it stays right when its block is freed and used for another lock, and can be dropped at any time.
 *
 * @module
 */
import type { Allocator } from "../../alloc/allocator.ts";
import { EAGAIN, EBUSY, EIDRM, ENOLCK, ETIMEDOUT } from "../../layout/errno.ts";
import { ErrnoError } from "../../memory/errors.ts";
import { pause } from "../../memory/waiting.ts";
import type { Agent } from "../../sync/agent.ts";
import { Condition } from "../../sync/condition.ts";
import { LockTimeoutError } from "../../sync/errors.ts";
import { Event } from "../../sync/event.ts";
import { LOCK_TUNING } from "../../sync/lock_tuning.ts";
import { Mutex } from "../../sync/mutex.ts";
import { RwLock } from "../../sync/rw_lock.ts";
import { toWasi, WASI_EFAULT, WASI_EINVAL, WASI_EPERM } from "../wasi_errno.ts";

/** Results of several functions. */
const RETIRED = toWasi(-EIDRM);
const BUSY = toWasi(-EBUSY);
const TIMED_OUT = toWasi(-ETIMEDOUT);

/** So many objects are kept of a kind, beside those that hold something. */
const KEPT = 1024;
/** How long the main thread sleeps, in milliseconds, before it looks after what other threads have asked of it. */
const SERVE_MS = 2;

/** Takes a lock within a time, or throws. */
type Take<T> = (lock: T, timeoutMs: number) => void;
/** Takes a lock at once, or returns undefined. */
type TryTake<T> = (lock: T) => object | undefined;

/** Locks of one kind by their addresses. */
class Places<T> {
  readonly #locks = new Map<number, T>();
  readonly #make: (address: number) => T;
  readonly #isHeld: (lock: T) => boolean;

  constructor(make: (address: number) => T, isHeld: (lock: T) => boolean) {
    this.#make = make;
    this.#isHeld = isHeld;
  }

  /** The lock that is known at an address. */
  known(address: number): T | undefined {
    return this.#locks.get(address);
  }

  /** Makes a lock known; its address is good. */
  add(address: number): T {
    if (this.#locks.size >= KEPT) {
      for (const [at, lock] of this.#locks) if (!this.#isHeld(lock)) this.#locks.delete(at);
    }
    const lock = this.#make(address);
    this.#locks.set(address, lock);
    return lock;
  }
}

/** The locks as one thread takes them. */
export class PrimitiveLocks {
  readonly #agent: Agent;
  readonly #allocator: Allocator;
  readonly #first: number;
  readonly #serve: (() => void) | undefined;
  readonly #mutexes: Places<Mutex>;
  readonly #rwLocks: Places<RwLock>;
  readonly #conditions: Places<Condition>;
  readonly #events: Places<Event>;

  /**
   * Makes them; nothing is held.
   *
   * @param agent as whom the locks are taken
   * @param allocator gives the memory of locks
   * @param first the lowest address that a lock can have
   * @param serve on the program's main thread: does what other threads wait for
   */
  constructor(agent: Agent, allocator: Allocator, first: number, serve: (() => void) | undefined) {
    this.#agent = agent;
    this.#allocator = allocator;
    this.#first = first;
    this.#serve = serve;
    const pool = { agent, allocator };
    this.#mutexes = new Places((address) => new Mutex(pool, address), (mutex) => mutex.held);
    this.#rwLocks = new Places((address) => new RwLock(pool, address), (lock) => lock.writing || lock.reads > 0);
    this.#conditions = new Places((address) => new Condition(pool, address), () => false);
    this.#events = new Places((address) => new Event(pool, address), () => false);
  }

  /** Whether a range lies within the pool, and from an address on. Not so for what is no number. */
  contains(address: number, bytes: number, first: number): boolean {
    if (!(address >= first)) return false;
    const { memory, pagesWord } = this.#agent;
    if (address + bytes <= memory.bytes) return true;
    memory.sync(pagesWord);
    return address + bytes <= memory.bytes;
  }

  /**
   * Sleeps while a word has a value, serving other threads where this is the main one.
   *
   * @returns 0 when woken, 1 where the value is another, or a negated error number.
   */
  park(word: number, expected: number, timeoutMs: number, sliceMs: number): number {
    const { wasm } = this.#agent;
    const start = performance.now();
    const longest = this.#serve === undefined ? sliceMs : SERVE_MS;
    for (let leftMs = timeoutMs;;) {
      if (!this.#agent.live) return RETIRED;
      if (this.#agent.mayBlock) {
        const how = wasm.wait(word, expected, Math.min(longest, leftMs));
        if (how !== 2) return how;
        this.#serve?.();
      } else {
        if (wasm.load(word) !== (expected | 0)) return 1;
        if (timeoutMs - leftMs >= LOCK_TUNING.spinLimitMs) return toWasi(-EAGAIN);
        pause();
      }
      leftMs = timeoutMs === Infinity && this.#agent.mayBlock ? Infinity : timeoutMs - (performance.now() - start);
      if (!(leftMs > 0)) return TIMED_OUT;
    }
  }

  /** Finds a lock, or the fault of its address. */
  #at<T>(places: Places<T>, address: number, bytes: number): T | number {
    const known = places.known(address);
    if (known !== undefined) return known;
    const fault = this.#fault(address, bytes);
    return fault !== 0 ? fault : places.add(address);
  }

  #fault(address: number, bytes: number): number {
    if (address % 8 !== 0) return -WASI_EINVAL;
    return this.contains(address, bytes, this.#first) ? 0 : -WASI_EFAULT;
  }

  /** Takes a lock within a time. The main thread serves others between two attempts. */
  #take<T>(lock: T | number, timeoutMs: number, take: Take<T>, tryTake: TryTake<T>): number {
    if (typeof lock === "number") return lock;
    if (!(timeoutMs >= 0)) return -WASI_EINVAL;
    try {
      if (this.#serve === undefined) {
        take(lock, timeoutMs);
        return 0;
      }
      if (tryTake(lock) !== undefined) return 0;
    } catch (error) {
      return errnoOfLock(error);
    }
    const start = performance.now();
    for (;;) {
      const leftMs = timeoutMs - (performance.now() - start);
      if (!(leftMs > 0)) return TIMED_OUT;
      try {
        take(lock, Math.min(SERVE_MS, leftMs));
        return 0;
      } catch (error) {
        if (!(error instanceof LockTimeoutError)) return errnoOfLock(error);
      }
      this.#serve();
    }
  }

  #tryTake<T>(lock: T | number, tryTake: TryTake<T>): number {
    if (typeof lock === "number") return lock;
    try {
      return tryTake(lock) === undefined ? BUSY : 0;
    } catch (error) {
      return errnoOfLock(error);
    }
  }

  /** Clears the words of a lock: nobody holds it, nothing has happened. */
  #init(address: number, bytes: number, held: boolean): number {
    const fault = this.#fault(address, bytes);
    if (fault !== 0) return fault;
    if (held) return BUSY;
    // Atomic stores: whoever learns of the address by a message or a word sees a lock that is free.
    for (let word = address / 4; word < (address + bytes) / 4; word++) this.#agent.wasm.store(word, 0);
    return 0;
  }

  /** Allocates a lock of its own lines; returns its address. */
  #create(make: (pool: { agent: Agent; allocator: Allocator }) => { readonly address: number }): number {
    try {
      return make({ agent: this.#agent, allocator: this.#allocator }).address;
    } catch (error) {
      return errnoOfLock(error);
    }
  }

  // -- Mutexes -------------------------------------------------------------------------------------------------------

  /** Allocates a mutex. */
  mutexCreate(): number {
    return this.#create((pool) => Mutex.create(pool));
  }

  /** Makes a mutex of memory. */
  mutexInit(address: number): number {
    return this.#init(address, Mutex.BYTES, this.#mutexes.known(address)?.held ?? false);
  }

  /** Takes a mutex. */
  mutexLock(address: number, timeoutMs: number): number {
    return this.#take(this.#at(this.#mutexes, address, Mutex.BYTES), timeoutMs, lockMutex, tryLockMutex);
  }

  /** Takes a mutex that is free. */
  mutexTryLock(address: number): number {
    return this.#tryTake(this.#at(this.#mutexes, address, Mutex.BYTES), tryLockMutex);
  }

  /** Releases a mutex. */
  mutexUnlock(address: number): number {
    const mutex = this.#at(this.#mutexes, address, Mutex.BYTES);
    if (typeof mutex === "number") return mutex;
    if (!mutex.held) return -WASI_EPERM;
    mutex.unlock();
    return 0;
  }

  // -- Read-write locks ----------------------------------------------------------------------------------------------

  /** Allocates a read-write lock. */
  rwlockCreate(): number {
    return this.#create((pool) => RwLock.create(pool));
  }

  /** Makes a read-write lock of memory. */
  rwlockInit(address: number): number {
    const known = this.#rwLocks.known(address);
    return this.#init(address, RwLock.BYTES, known !== undefined && (known.writing || known.reads > 0));
  }

  /** Takes a lock for reading. */
  rwlockReadLock(address: number, timeoutMs: number): number {
    return this.#take(this.#at(this.#rwLocks, address, RwLock.BYTES), timeoutMs, lockRead, tryLockRead);
  }

  /** Takes a lock for reading if no writer is in the way. */
  rwlockTryReadLock(address: number): number {
    return this.#tryTake(this.#at(this.#rwLocks, address, RwLock.BYTES), tryLockRead);
  }

  /** Ends one read. */
  rwlockReadUnlock(address: number): number {
    const lock = this.#at(this.#rwLocks, address, RwLock.BYTES);
    if (typeof lock === "number") return lock;
    if (lock.reads === 0) return -WASI_EPERM;
    lock.unlockRead();
    return 0;
  }

  /** Takes a lock for writing. */
  rwlockWriteLock(address: number, timeoutMs: number): number {
    return this.#take(this.#at(this.#rwLocks, address, RwLock.BYTES), timeoutMs, lockWrite, tryLockWrite);
  }

  /** Takes a lock for writing if nobody is in the way. */
  rwlockTryWriteLock(address: number): number {
    return this.#tryTake(this.#at(this.#rwLocks, address, RwLock.BYTES), tryLockWrite);
  }

  /** Ends writing. */
  rwlockWriteUnlock(address: number): number {
    const lock = this.#at(this.#rwLocks, address, RwLock.BYTES);
    if (typeof lock === "number") return lock;
    if (!lock.writing) return -WASI_EPERM;
    lock.unlockWrite();
    return 0;
  }

  // -- Conditions ----------------------------------------------------------------------------------------------------

  /** Allocates a condition. */
  conditionCreate(): number {
    return this.#create((pool) => Condition.create(pool));
  }

  /** Makes a condition of memory. */
  conditionInit(address: number): number {
    return this.#init(address, Condition.BYTES, false);
  }

  /** Releases a mutex, sleeps until notified, and takes the mutex again: the protocol of {@linkcode Condition.wait}. */
  conditionWait(address: number, mutexAddress: number, timeoutMs: number): number {
    const condition = this.#at(this.#conditions, address, Condition.BYTES);
    if (typeof condition === "number") return condition;
    if (!(timeoutMs >= 0)) return -WASI_EINVAL;
    const mutex = this.#at(this.#mutexes, mutexAddress, Mutex.BYTES);
    if (typeof mutex === "number") return mutex;
    if (!mutex.held) return -WASI_EPERM;
    const word = address / 4;
    // Read under the mutex: what is notified from now on is not missed.
    const count = this.#agent.wasm.load(word);
    mutex.unlock();
    const how = this.park(word, count, timeoutMs, Infinity);
    const locked = this.#take(mutex, Infinity, lockMutex, tryLockMutex);
    return locked !== 0 ? locked : Math.min(0, how);
  }

  /** Wakes some that wait: one, or all. */
  conditionNotify(address: number, all: number): number {
    const condition = this.#at(this.#conditions, address, Condition.BYTES);
    if (typeof condition === "number") return condition;
    if (!this.#agent.live) return RETIRED;
    if (all !== 0) condition.notifyAll();
    else condition.notifyOne();
    return 0;
  }

  // -- Events --------------------------------------------------------------------------------------------------------

  /** Allocates an event. */
  eventCreate(): number {
    return this.#create((pool) => Event.create(pool));
  }

  /** Makes an event of memory. */
  eventInit(address: number): number {
    return this.#init(address, Event.BYTES, false);
  }

  /** Makes an event happen. */
  eventSet(address: number): number {
    const event = this.#at(this.#events, address, Event.BYTES);
    if (typeof event === "number") return event;
    if (!this.#agent.live) return RETIRED;
    event.set();
    return 0;
  }

  /** 1 if an event has happened, 0 if not. */
  eventIsSet(address: number): number {
    const event = this.#at(this.#events, address, Event.BYTES);
    return typeof event === "number" ? event : Number(event.isSet);
  }

  /** Waits until an event has happened. */
  eventWait(address: number, timeoutMs: number): number {
    const event = this.#at(this.#events, address, Event.BYTES);
    if (typeof event === "number") return event;
    if (!(timeoutMs >= 0)) return -WASI_EINVAL;
    const start = performance.now();
    while (!event.isSet) {
      // At least once, also where there is no time: a look is a look.
      const leftMs = Math.max(0, timeoutMs - (performance.now() - start));
      const how = this.park(address / 4, 0, leftMs, LOCK_TUNING.sliceMs);
      if (how < 0) return event.isSet ? 0 : how;
    }
    return 0;
  }
}

const lockMutex: Take<Mutex> = (mutex, timeoutMs) => mutex.lock(timeoutMs === Infinity ? undefined : { timeoutMs });
const tryLockMutex: TryTake<Mutex> = (mutex) => mutex.tryLock();
const lockRead: Take<RwLock> = (lock, timeoutMs) => lock.lockRead(timeoutMs === Infinity ? undefined : { timeoutMs });
const tryLockRead: TryTake<RwLock> = (lock) => lock.tryLockRead();
const lockWrite: Take<RwLock> = (lock, timeoutMs) => lock.lockWrite(timeoutMs === Infinity ? undefined : { timeoutMs });
const tryLockWrite: TryTake<RwLock> = (lock) => lock.tryLockWrite();

/** An error of a lock as a number. Its only error of range is that the agent's slot records no more locks. */
function errnoOfLock(error: unknown): number {
  if (error instanceof ErrnoError) return toWasi(error.errno);
  if (error instanceof RangeError) return toWasi(-ENOLCK);
  throw error;
}
