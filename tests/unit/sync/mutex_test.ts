import { SLOT_LOCK_WAITS, SLOT_PARKS, SLOT_STATE, SLOT_WAITED_MS } from "../../../src/layout/agent_table.ts";
import { LOCK_RESERVATION, LOCK_RESERVED, LOCK_SLOT_BITS } from "../../../src/layout/lock_word.ts";
import { AgentRetiredError, DeadlockError, LockTimeoutError, WouldBlockError } from "../../../src/sync/errors.ts";
import { LOCK_TUNING } from "../../../src/sync/lock_tuning.ts";
import { Mutex } from "../../../src/sync/mutex.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import { attachPool, createLockMemory, placeOf } from "../../support/lock_pool.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Two agents in this thread, each with its mutex at the same place. */
function pair(options: { spins?: boolean } = {}) {
  const memory = createLockMemory();
  const [first, second] = [attachPool(memory), attachPool(memory, { mayBlock: options.spins !== true })];
  const address = placeOf(0);
  return { memory, first, second, address, mine: new Mutex(first, address), theirs: new Mutex(second, address) };
}

/** Runs with other times. */
async function tuned(changes: Partial<typeof LOCK_TUNING>, body: () => Promise<void> | void): Promise<void> {
  const before = { ...LOCK_TUNING };
  Object.assign(LOCK_TUNING, changes);
  try {
    await body();
  } finally {
    Object.assign(LOCK_TUNING, before);
  }
}

Deno.test("Mutex.lock() holds until unlock(), and names the holder", () => {
  const { mine, theirs, first } = pair();
  assertEquals(mine.holder, undefined);
  mine.lock();
  assert(mine.held);
  assert(!theirs.held);
  assertEquals(theirs.holder, { slot: first.agent.slot, generation: first.agent.state >> 2 });
  assertEquals(theirs.tryLock(), undefined);
  mine.unlock();
  assertEquals(theirs.holder, undefined);
  theirs.lock();
  theirs.unlock();
});

Deno.test("Mutex guards release once, and only their own acquisition", () => {
  const { mine, theirs } = pair();
  {
    using _guard = mine.lock();
    assertEquals(theirs.tryLock(), undefined);
  }
  assert(!mine.held);
  const old = mine.lock();
  old[Symbol.dispose]();
  const current = mine.tryLock();
  assert(current !== undefined);
  old[Symbol.dispose]();
  assert(mine.held, "an old guard leaves a later acquisition alone");
  current[Symbol.dispose]();
  assert(!mine.held);
});

Deno.test("Mutex.lock() throws DeadlockError at once when the agent holds it", () => {
  const { mine, first, address } = pair();
  mine.lock();
  const start = performance.now();
  assertThrows(() => mine.lock(), DeadlockError, "EDEADLK");
  assertThrows(() => new Mutex(first, address).lock(), DeadlockError);
  assertLess(performance.now() - start, 40);
  mine.unlock();
  mine.lock();
  mine.unlock();
});

Deno.test("Mutex.lock({ timeoutMs }) throws LockTimeoutError that names the holder, and counts the wait", () => {
  const { mine, theirs, first, second } = pair();
  mine.lock();
  const start = performance.now();
  const error = assertThrows(() => theirs.lock({ timeoutMs: 30 }), LockTimeoutError);
  const tookMs = performance.now() - start;
  assert(tookMs >= 29 && tookMs < 500, `took ${tookMs} ms`);
  assertEquals([error.code, error.errno, error.syscall], ["ETIMEDOUT", -110, "lock"]);
  assertEquals(error.holder?.slot, first.agent.slot);
  assertStringIncludes(error.message, `slot ${first.agent.slot}, generation`);
  const { i32, f64 } = second.agent.memory;
  assertEquals(i32[second.agent.slotWord + SLOT_LOCK_WAITS], 1);
  assert(i32[second.agent.slotWord + SLOT_PARKS]! >= 1);
  assert(f64[(second.agent.slotWord + SLOT_WAITED_MS) / 2]! >= 29);
  mine.unlock();
  theirs.lock({ timeoutMs: 0 });
  theirs.unlock();
});

Deno.test("Mutex.lock() on a thread that may not block spins, then throws WouldBlockError with the holder", async () => {
  await tuned({ spinLimitMs: 20 }, () => {
    const { mine, theirs, first, memory, address } = pair({ spins: true });
    mine.lock();
    const error = assertThrows(() => theirs.lock(), WouldBlockError, "may not block");
    assertEquals(error.code, "EAGAIN");
    assertEquals(error.holder, { slot: first.agent.slot, generation: first.agent.state >> 2 });
    assertStringIncludes(error.message, "lockAsync");
    const words = new Int32Array(memory.buffer, address, 2);
    assertEquals(words[0]! & LOCK_RESERVED, 0, "no reservation is left behind");
    assertEquals(words[1]! & ((1 << LOCK_SLOT_BITS) - 1), 0);
    mine.unlock();
    theirs.lock();
    theirs.unlock();
  });
});

Deno.test("Mutex.lock() throws AgentRetiredError once the agent has been retired", () => {
  const { mine, first, theirs } = pair();
  const { agent } = first;
  agent.wasm.store(agent.slotWord + SLOT_STATE, (agent.state & ~3) | 2);
  assertThrows(() => mine.lock(), AgentRetiredError, "EIDRM");
  assertThrows(() => mine.tryLock(), AgentRetiredError);
  theirs.lock();
  theirs.unlock();
});

Deno.test("Mutex: a waiter that is gone costs the others one deadline", async () => {
  await tuned({ reservationMs: 60 }, () => {
    const { mine, memory, address } = pair();
    const words = new Int32Array(memory.buffer, address, 2);
    words[LOCK_RESERVATION] = ((Date.now() + 60) << LOCK_SLOT_BITS) | 9;
    words[0] = LOCK_RESERVED;
    const start = performance.now();
    mine.lock();
    const tookMs = performance.now() - start;
    assert(tookMs >= 40 && tookMs < 200, `took ${tookMs} ms`);
    mine.unlock();
    assertEquals(words[0], 0);
    // Long past, and a clock that was set back: neither is waited for.
    for (const deadline of [Date.now() - 1, Date.now() - 25 * 60_000, Date.now() + 60_000]) {
      words[LOCK_RESERVATION] = (deadline << LOCK_SLOT_BITS) | 9;
      words[0] = LOCK_RESERVED;
      const begin = performance.now();
      mine.lock();
      mine.unlock();
      assertLess(performance.now() - begin, 30);
    }
  });
});

Deno.test("Mutex refuses a wrong place or owner, and misuse", () => {
  const memory = createLockMemory();
  const pool = attachPool(memory);
  for (const address of [4, -8, 1.5, NaN]) assertThrows(() => new Mutex(pool, address), RangeError, "multiple of 8");
  assertThrows(() => new Mutex(pool, 65536), RangeError, "beyond the memory");
  assertThrows(() => new Mutex({} as never, 0), TypeError, "neither a pool");
  assertThrows(() => new Mutex(undefined as never, 0), TypeError, "neither a pool");
  assertThrows(() => new Mutex(new WebAssembly.Memory({ initial: 1 }), 0), TypeError, "not shared");
  for (const owner of [0, 2048, 1.5]) {
    assertThrows(() => new Mutex(memory, placeOf(0), { owner }), RangeError, "1 to 2047");
  }
  const mutex = new Mutex(pool, placeOf(0));
  assertThrows(() => mutex.unlock(), TypeError, "not held");
  assertThrows(() => mutex.lock({ timeoutMs: -1 }), RangeError, "timeoutMs");
  assertThrows(() => mutex.free(), TypeError, "not created");
});

Deno.test("Mutex.create() takes a line of the pool, and free() gives it back", () => {
  const pool = attachPool(createLockMemory());
  const mutex = Mutex.create(pool);
  assertEquals(mutex.address % 64, 0);
  assertEquals(pool.allocator.live, 1);
  mutex.lock();
  assertThrows(() => mutex.free(), TypeError, "held");
  mutex.unlock();
  mutex.free();
  assertEquals(pool.allocator.live, 0);
  assertThrows(() => mutex.free(), TypeError);
});

Deno.test("Mutex.lock() throws RangeError when the slot's records are used up", () => {
  const pool = attachPool(createLockMemory());
  const mutexes = Array.from({ length: 41 }, (_, k) => new Mutex(pool, placeOf(0) + k * 64));
  for (const mutex of mutexes.slice(0, 40)) mutex.lock();
  assertThrows(() => mutexes[40]!.lock(), RangeError, "40 locks");
  mutexes[3]!.unlock();
  mutexes[40]!.lock();
  for (const mutex of mutexes) if (mutex.held) mutex.unlock();
});

Deno.test("Mutex on bare memory: holders are told by their number", () => {
  const memory = createLockMemory();
  const [one, two] = [1, 2].map((owner) => new Mutex(memory, placeOf(0), { owner })) as [Mutex, Mutex];
  one.lock();
  assertEquals(two.holder, { slot: 1, generation: 0 });
  assertThrows(() => one.lock(), DeadlockError);
  assertThrows(() => two.lock({ timeoutMs: 10 }), LockTimeoutError);
  assertEquals(two.tryLock(), undefined);
  one.unlock();
  assert(two.tryLock() !== undefined);
  two.unlock();
  // Without a number waiting for oneself is not noticed.
  const nameless = new Mutex(memory, placeOf(0));
  nameless.lock();
  assertThrows(() => nameless.lock({ timeoutMs: 10 }), LockTimeoutError);
  nameless.unlock();
});

for (const engine of ["with", "without"] as const) {
  const test = (name: string, body: () => Promise<void>) =>
    Deno.test(`Mutex.lockAsync() ${engine} Atomics.waitAsync ${name}`, async () => {
      const atomics = Atomics as unknown as { waitAsync?: unknown };
      const original = atomics.waitAsync;
      if (engine === "without") delete atomics.waitAsync;
      try {
        await body();
      } finally {
        atomics.waitAsync = original;
      }
    });

  test("waits for the holder, and for the same agent's other task", async () => {
    const { mine, theirs } = pair();
    for (const holder of [mine, theirs]) {
      const guard = holder.lock();
      let taken = false;
      const pending = theirs.lockAsync().then((got) => {
        taken = true;
        return got;
      });
      await sleep(10);
      assert(!taken);
      guard[Symbol.dispose]();
      using _got = await pending;
      assert(theirs.held);
    }
  });

  test("gives up after timeoutMs", async () => {
    const { mine, theirs } = pair();
    mine.lock();
    const error = await assertRejects(() => theirs.lockAsync({ timeoutMs: 20 }), LockTimeoutError);
    assertEquals(error.syscall, "lockAsync");
    mine.unlock();
    (await theirs.lockAsync({ timeoutMs: 0 }))[Symbol.dispose]();
  });

  test("rejects with the signal's reason", async () => {
    const { mine, theirs } = pair();
    mine.lock();
    const reason = new Error("changed my mind");
    const controller = new AbortController();
    const pending = theirs.lockAsync({ signal: controller.signal });
    await sleep(5);
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => pending, Error), reason);
    assertStrictEquals(await assertRejects(() => theirs.lockAsync({ signal: controller.signal }), Error), reason);
    mine.unlock();
    theirs.lock();
    theirs.unlock();
  });
}

Deno.test("Mutex.lockAsync() that is aborted passes a wake-up on", async () => {
  // Slices so long that a lost wake-up would be noticed.
  await tuned({ sliceMs: 20_000, reservationMs: 20_000, patienceMs: 20_000 }, async () => {
    for (let round = 0; round < 20; round++) {
      const memory = createLockMemory();
      const [holder, first, second] = [0, 1, 2].map(() => new Mutex(attachPool(memory), placeOf(0))) as [
        Mutex,
        Mutex,
        Mutex,
      ];
      holder.lock();
      const controller = new AbortController();
      const aborted = first.lockAsync({ signal: controller.signal });
      const waiting = second.lockAsync();
      await sleep(round % 3);
      // The release wakes the first, which is aborted before it can know.
      if (round % 2 === 0) {
        holder.unlock();
        controller.abort();
      } else {
        controller.abort();
        holder.unlock();
      }
      await assertRejects(() => aborted, DOMException);
      const start = performance.now();
      using _guard = await waiting;
      assertLess(performance.now() - start, 2000);
    }
  });
});

Deno.test("Mutex.lockAsync() keeps the process alive while pending", async () => {
  const program = `
    import { Mutex } from ${JSON.stringify(import.meta.resolve("../../../src/sync/mutex.ts"))};
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const words = new Int32Array(memory.buffer);
    words[0] = 5 << 5;
    // The only other thing that is to happen does not keep the process alive.
    Deno.unrefTimer(setTimeout(() => {
      Atomics.store(words, 0, 0);
      Atomics.notify(words, 0);
    }, 150));
    if (Deno.args[0] === "without") delete Atomics.waitAsync;
    await new Mutex(memory, 0, { owner: 1 }).lockAsync();
    console.log("taken");
  `;
  for (const engine of ["with", "without"]) {
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(path, program);
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          "--config",
          new URL("../../../deno.json", import.meta.url).pathname,
          path,
          engine,
        ],
      }).output();
      assertStringIncludes(new TextDecoder().decode(stdout), "taken", new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(path);
    }
  }
});

Deno.test("Mutex errors are Errors with code, errno and syscall", () => {
  const { mine } = pair();
  mine.lock();
  const error = assertThrows(() => mine.lock(), DeadlockError);
  assertInstanceOf(error, Error);
  assertEquals([error.name, error.code, error.errno, error.syscall], ["DeadlockError", "EDEADLK", -35, "lock"]);
  mine.unlock();
});
