import { Condition } from "../../../src/sync/condition.ts";
import { WouldBlockError } from "../../../src/sync/errors.ts";
import { Event } from "../../../src/sync/event.ts";
import { LOCK_TUNING } from "../../../src/sync/lock_tuning.ts";
import { Mutex } from "../../../src/sync/mutex.ts";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "../../support/assert.ts";
import { attachPool, createLockMemory, placeOf } from "../../support/lock_pool.ts";

function setUp(mayBlock = true) {
  const memory = createLockMemory();
  const part = () => {
    const pool = attachPool(memory, { mayBlock });
    return { pool, mutex: new Mutex(pool, placeOf(0)), condition: new Condition(pool, placeOf(1)) };
  };
  return [part(), part(), part()] as const;
}

Deno.test("Condition.wait() gives up after timeoutMs, with the mutex held and its guard still good", () => {
  const [a, b] = setUp();
  {
    using _guard = a.mutex.lock();
    assertEquals(a.condition.wait(a.mutex, { timeoutMs: 10 }), false);
    assert(a.mutex.held);
    assertEquals(b.mutex.tryLock(), undefined);
  }
  assert(!a.mutex.held);
  assertThrows(() => a.condition.wait(a.mutex), TypeError, "not held");
  a.mutex.lock();
  assertEquals(a.condition.waitFor(a.mutex, () => true), true);
  assertEquals(a.condition.waitFor(a.mutex, () => false, { timeoutMs: 5 }), false);
  a.mutex.unlock();
});

Deno.test("Condition.waitAsync() releases the mutex, and notifyOne() wakes one waiter", async () => {
  const [a, b, c] = setUp();
  const woken: string[] = [];
  const wait = async (name: string, part: typeof a) => {
    using _guard = await part.mutex.lockAsync();
    assert(await part.condition.waitAsync(part.mutex));
    woken.push(name);
  };
  const waits = [wait("a", a), wait("b", b)];
  await new Promise((resolve) => setTimeout(resolve, 20));
  c.condition.notifyOne();
  await Promise.race(waits);
  await new Promise((resolve) => setTimeout(resolve, 80));
  assertEquals(woken.length, 1);
  c.condition.notifyAll();
  await Promise.all(waits);
  assertEquals(woken.length, 2);
});

Deno.test("Condition.waitAsync() that is aborted holds the mutex, and passes a notification on", async () => {
  const [a, b, c] = setUp();
  const controller = new AbortController();
  const reason = new Error("enough");
  let held = false;
  const aborted = (async () => {
    using _guard = await a.mutex.lockAsync();
    try {
      await a.condition.waitAsync(a.mutex, { signal: controller.signal });
    } finally {
      held = a.mutex.held;
    }
  })();
  const waiting = (async () => {
    using _guard = await b.mutex.lockAsync();
    return await b.condition.waitAsync(b.mutex, { timeoutMs: 5000 });
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  // The notification goes to the first, which is aborted before it can know.
  c.condition.notifyOne();
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => aborted, Error), reason);
  assert(held);
  const start = performance.now();
  assertEquals(await waiting, true);
  assert(performance.now() - start < 2000);
});

Deno.test("Condition and Event throw WouldBlockError on a thread that may not block", () => {
  const before = LOCK_TUNING.spinLimitMs;
  LOCK_TUNING.spinLimitMs = 10;
  try {
    const [a] = setUp(false);
    using _guard = a.mutex.lock();
    assertThrows(() => a.condition.wait(a.mutex), WouldBlockError, "waitAsync");
    assert(a.mutex.held);
    assertEquals(a.condition.wait(a.mutex, { timeoutMs: 5 }), false);
    const event = new Event(a.pool, placeOf(2));
    assertThrows(() => event.wait(), WouldBlockError, "waitAsync");
    event.set();
    assertEquals(event.wait(), true);
  } finally {
    LOCK_TUNING.spinLimitMs = before;
  }
});

Deno.test("Event happens once, for all that wait and all that come later", async () => {
  const memory = createLockMemory();
  const pools = [attachPool(memory), attachPool(memory)] as const;
  const event = Event.create(pools[0]);
  const seen = new Event(pools[1], event.address);
  assertEquals(seen.isSet, false);
  assertEquals(seen.wait({ timeoutMs: 10 }), false);
  assertEquals(await seen.waitAsync({ timeoutMs: 10 }), false);
  const controller = new AbortController();
  const aborted = seen.waitAsync({ signal: controller.signal });
  controller.abort();
  await assertRejects(() => aborted, DOMException);
  const waits = [seen.waitAsync(), event.waitAsync()];
  event.set();
  event.set();
  assertEquals(await Promise.all(waits), [true, true]);
  assertEquals([seen.isSet, seen.wait()], [true, true]);
  event.free();
  assertThrows(() => seen.free(), TypeError);
  assertEquals(pools[0].allocator.live, 0);
});
