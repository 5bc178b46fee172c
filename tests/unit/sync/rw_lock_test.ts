import { SLOT_STATE } from "../../../src/layout/agent_table.ts";
import { AgentRetiredError, DeadlockError, LockTimeoutError, WouldBlockError } from "../../../src/sync/errors.ts";
import { LOCK_TUNING } from "../../../src/sync/lock_tuning.ts";
import { RwLock } from "../../../src/sync/rw_lock.ts";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "../../support/assert.ts";
import { attachPool, createLockMemory, placeOf } from "../../support/lock_pool.ts";

type Maker = () => [RwLock, RwLock, RwLock];

const places: Record<string, Maker> = {
  "in a pool": () => {
    const memory = createLockMemory();
    return [0, 1, 2].map(() => new RwLock(attachPool(memory), placeOf(0))) as [RwLock, RwLock, RwLock];
  },
  "on bare memory": () => {
    const memory = createLockMemory();
    return [1, 2, 3].map((owner) => new RwLock(memory, placeOf(0), { owner })) as [RwLock, RwLock, RwLock];
  },
};

for (const [place, make] of Object.entries(places)) {
  Deno.test(`RwLock ${place}: many read, one writes`, () => {
    const [a, b, c] = make();
    a.lockRead();
    b.lockRead();
    assertEquals(c.tryLockWrite(), undefined);
    assertThrows(() => c.lockWrite({ timeoutMs: 10 }), LockTimeoutError, "readers");
    // The writer that gave up keeps nobody out.
    const again = c.tryLockRead();
    assert(again !== undefined);
    again[Symbol.dispose]();
    a.unlockRead();
    b.unlockRead();
    {
      using _guard = c.lockWrite();
      assert(c.writing);
      assertEquals(a.tryLockRead(), undefined);
      assertEquals(a.tryLockWrite(), undefined);
      assertThrows(() => a.lockRead({ timeoutMs: 10 }), LockTimeoutError, "held by slot");
      assertEquals(a.reads, 0);
    }
    assert(!c.writing);
    using _read = a.lockRead();
    assertEquals(a.reads, 1);
  });

  Deno.test(`RwLock ${place}: waiting for oneself is a deadlock`, () => {
    const [a, b] = make();
    a.lockRead();
    assertThrows(() => a.lockWrite(), DeadlockError, "EDEADLK");
    a.unlockRead();
    a.lockWrite();
    assertThrows(() => a.lockRead(), DeadlockError);
    assertThrows(() => a.lockWrite(), DeadlockError);
    a.unlockWrite();
    b.lockWrite();
    b.unlockWrite();
  });

  Deno.test(`RwLock ${place}: an agent reads as often as it likes`, () => {
    const [a, b] = make();
    for (let k = 0; k < 3; k++) a.lockRead();
    for (let k = 0; k < 3; k++) {
      assertEquals(b.tryLockWrite(), undefined);
      a.unlockRead();
    }
    assertThrows(() => a.unlockRead(), TypeError, "not held");
    assertThrows(() => a.unlockWrite(), TypeError, "not held");
    using _guard = b.lockWrite();
  });

  Deno.test(`RwLock ${place}: waits without blocking, gives up, aborts`, async () => {
    const [a, b, c] = make();
    a.lockWrite();
    const reads = [b.lockReadAsync(), c.lockReadAsync()];
    await assertRejects(() => b.lockWriteAsync({ timeoutMs: 10 }), LockTimeoutError);
    await assertRejects(() => b.lockReadAsync({ timeoutMs: 10 }), LockTimeoutError);
    const controller = new AbortController();
    const aborted = [b.lockWriteAsync({ signal: controller.signal }), c.lockReadAsync({ signal: controller.signal })];
    const reason = new Error("enough");
    controller.abort(reason);
    for (const pending of aborted) assertStrictEquals(await assertRejects(() => pending, Error), reason);
    a.unlockWrite();
    const guards = await Promise.all(reads);
    const write = a.lockWriteAsync();
    guards[0]![Symbol.dispose]();
    assert(!a.writing);
    guards[1]![Symbol.dispose]();
    (await write)[Symbol.dispose]();
    using _guard = c.lockWrite();
  });
}

Deno.test("RwLock: a second read while a writer waits for the first is let in", async () => {
  const [a, b] = places["in a pool"]!();
  a.lockRead();
  const write = b.lockWriteAsync();
  // The writer keeps others out, but not the agent that it waits for.
  a.lockRead({ timeoutMs: 1000 });
  a.unlockRead();
  assert(!b.writing);
  a.unlockRead();
  (await write)[Symbol.dispose]();
});

Deno.test("RwLock: a thread that may not block gets WouldBlockError", () => {
  const before = LOCK_TUNING.spinLimitMs;
  LOCK_TUNING.spinLimitMs = 10;
  try {
    const memory = createLockMemory();
    const holder = new RwLock(attachPool(memory), placeOf(0));
    const spinner = new RwLock(attachPool(memory, { mayBlock: false }), placeOf(0));
    holder.lockWrite();
    assertThrows(() => spinner.lockRead(), WouldBlockError, "lockReadAsync");
    assertThrows(() => spinner.lockWrite(), WouldBlockError, "lockWriteAsync");
    holder.unlockWrite();
    holder.lockRead();
    assertThrows(() => spinner.lockWrite(), WouldBlockError, "readers");
    spinner.lockRead();
    spinner.unlockRead();
    holder.unlockRead();
    spinner.lockWrite();
    spinner.unlockWrite();
  } finally {
    LOCK_TUNING.spinLimitMs = before;
  }
});

Deno.test("RwLock: a retired agent takes no lock, and others go on", () => {
  const memory = createLockMemory();
  const pool = attachPool(memory);
  const { agent } = pool;
  const lock = new RwLock(pool, placeOf(0));
  const other = new RwLock(attachPool(memory), placeOf(0));
  agent.wasm.store(agent.slotWord + SLOT_STATE, (agent.state & ~3) | 2);
  assertThrows(() => lock.lockWrite(), AgentRetiredError);
  assertThrows(() => lock.tryLockRead(), AgentRetiredError);
  other.lockWrite();
  other.unlockWrite();
});

Deno.test("RwLock: pins and lanes run out with a clear error, or are waited for", () => {
  const memory = createLockMemory();
  const pool = attachPool(memory);
  const locks = Array.from({ length: 16 }, (_, k) => new RwLock(pool, placeOf(0) + k * 256));
  for (const lock of locks.slice(0, 15)) lock.lockRead();
  assertThrows(() => locks[15]!.lockRead(), RangeError, "15 read locks");
  for (const lock of locks.slice(0, 15)) lock.unlockRead();
  locks[15]!.lockRead();
  locks[15]!.unlockRead();

  const readers = Array.from({ length: 49 }, (_, k) => new RwLock(memory, placeOf(40), { owner: k + 1 }));
  for (const reader of readers.slice(0, 48)) reader.lockRead();
  assertEquals(readers[48]!.tryLockRead(), undefined);
  assertThrows(() => readers[48]!.lockRead({ timeoutMs: 10 }), LockTimeoutError);
  readers[7]!.unlockRead();
  readers[48]!.lockRead();
  for (const reader of readers) if (reader.reads > 0) reader.unlockRead();
  using _guard = readers[0]!.lockWrite();
});

Deno.test("RwLock.create() takes lines of the pool, and free() gives them back", () => {
  const pool = attachPool(createLockMemory());
  const lock = RwLock.create(pool);
  assertEquals(lock.address % 64, 0);
  lock.lockRead();
  assertThrows(() => lock.free(), TypeError, "held");
  lock.unlockRead();
  lock.free();
  assertEquals(pool.allocator.live, 0);
});
