/** Locks of keys in a pool: between objects, agents and threads, and those of threads that are gone. */
import { FileSystem } from "../../../../mod.ts";
import type { BackendLock } from "../../../../src/artifact/store/backend.ts";
import { PoolLocks } from "../../../../src/artifact/store/pool_locks.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "../../../support/assert.ts";
import { CheckRandom } from "../../../support/backend_check.ts";
import { assertSound } from "../../api/support.ts";
import { SEED } from "../support.ts";
import type { LockAnswer, LockTask } from "./pool_locks_worker.ts";

const random = new CheckRandom(SEED);
const [KEY, OTHER] = [random.key(), random.key()];
const WORKER = import.meta.resolve("./pool_locks_worker.ts");

function create(): FileSystem {
  return FileSystem.create({ maximumBytes: 32 << 20, debugLevel: 3 });
}

const take = async (locks: PoolLocks, timeoutMs = 5000, key = KEY): Promise<BackendLock> => {
  const lock = await locks.lock(key, { timeoutMs });
  assert(lock !== undefined, "the lock was not to be had");
  return lock;
};
const release = async (lock: BackendLock) => await lock[Symbol.asyncDispose]();
const isFree = async (locks: PoolLocks, key = KEY) => {
  const lock = await locks.lock(key, { timeoutMs: 0 });
  if (lock !== undefined) await release(lock);
  return lock !== undefined;
};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Two that must exclude each other, by what they are. */
const PAIRS: Record<string, (fs: FileSystem) => { locks: [PoolLocks, PoolLocks]; end: () => void }> = {
  "one object": (fs) => {
    const locks = new PoolLocks(fs, "/locks");
    return { locks: [locks, locks], end: () => locks[Symbol.dispose]() };
  },
  "two objects of one agent": (fs) => {
    const locks: [PoolLocks, PoolLocks] = [new PoolLocks(fs, "/locks"), new PoolLocks(fs, "/locks")];
    return { locks, end: () => locks.forEach((lock) => lock[Symbol.dispose]()) };
  },
  "two agents": (fs) => {
    const other = FileSystem.attach(fs.handle);
    const locks: [PoolLocks, PoolLocks] = [new PoolLocks(fs, "/locks"), new PoolLocks(other, "/locks")];
    return {
      locks,
      end: () => {
        locks[0][Symbol.dispose]();
        other.detach();
      },
    };
  },
};

for (const [name, open] of Object.entries(PAIRS)) {
  Deno.test(`PoolLocks.lock() of ${name} excludes, hands over, times out and aborts`, async () => {
    using fs = create();
    const { locks: [one, two], end } = open(fs);
    const held = await take(one);
    assertEquals(fs.stats().fileLocks, 1);
    assertEquals(await isFree(two), false);
    assert(await isFree(two, OTHER), "the lock of another key is held with it");
    const start = performance.now();
    assertEquals(await two.lock(KEY, { timeoutMs: 80 }), undefined);
    const waitedMs = performance.now() - start;
    assertGreater(waitedMs, 70);
    assertLess(waitedMs, 3000);

    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = assertRejects(() => two.lock(KEY, { timeoutMs: Infinity, signal: controller.signal }));
    const waiting = take(two, Infinity);
    setTimeout(() => controller.abort(reason), 20);
    assertEquals(await aborted, reason);
    assertEquals(await assertRejects(() => two.lock(OTHER, { timeoutMs: 5, signal: controller.signal })), reason);
    await release(held);
    const next = await waiting;
    assertEquals(await isFree(one), false);
    await release(held);
    assertEquals(await isFree(one), false, "releasing twice released the next holder's");
    await release(next);
    assert(await isFree(one) && await isFree(two));
    assertEquals(fs.stats().fileLocks, 0);
    end();
    assertEquals(fs.stats().opens, 0);
    assertSound(fs);
  });

  Deno.test(`PoolLocks.lock() of ${name} gives each of many waiters its turn, however some of them give up`, async () => {
    using fs = create();
    const { locks, end } = open(fs);
    let inside = 0;
    let turns = 0;
    let given = 0;
    await Promise.all(Array.from({ length: 24 }, async (_, index) => {
      const controller = new AbortController();
      if (index % 4 === 3) setTimeout(() => controller.abort(new Error("enough")), 1 + index);
      const timeoutMs = index % 4 === 2 ? index : 60_000;
      let lock: BackendLock | undefined;
      try {
        lock = await locks[index % 2]!.lock(KEY, { timeoutMs, signal: controller.signal });
      } catch (error) {
        assertEquals((error as Error).message, "enough");
      }
      if (lock === undefined) {
        assertGreater(index % 4, 1, "one without a limit gave up");
        given++;
        return;
      }
      assertEquals(++inside, 1, "two inside");
      turns++;
      await sleep(3);
      inside--;
      await release(lock);
    }));
    assertEquals(turns + given, 24);
    assertGreater(given, 0, "nobody gave up: nothing was tried");
    assertEquals(fs.stats().fileLocks, 0);
    end();
    assertSound(fs);
  });
}

Deno.test("PoolLocks.lock() takes a wait that no timer can for one without end", async () => {
  using fs = create();
  using locks = new PoolLocks(fs, "/locks");
  for (const timeoutMs of [2 ** 31, 1e15, Number.MAX_VALUE, Infinity]) {
    const held = await take(locks);
    const waiting = locks.lock(KEY, { timeoutMs });
    await sleep(15);
    await release(held);
    const lock = await waiting;
    assert(lock !== undefined, `${timeoutMs} ms were over at once`);
    await release(lock);
  }
});

Deno.test("PoolLocks: closing gives back what is held, ends what waits, and is harmless twice", async () => {
  using fs = create();
  const locks = new PoolLocks(fs, "/locks");
  using other = FileSystem.attach(fs.handle);
  using others = new PoolLocks(other, "/locks");
  const foreign = await take(others, 0, OTHER);
  const held = await take(locks);
  const waiting = assertRejects(() => locks.lock(OTHER, { timeoutMs: Infinity }));
  await sleep(5);
  locks[Symbol.dispose]();
  locks[Symbol.dispose]();
  assertEquals(((await waiting) as Error & { code: string }).code, "EBADF");
  assert(await isFree(others));
  await release(held);
  await release(foreign);
  assertEquals(fs.stats().fileLocks, 0);
});

/** What a worker answers to a task. */
function tell(worker: Worker, task: LockTask): Promise<LockAnswer> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<LockAnswer>) => {
      if (data.error === undefined) resolve(data);
      else reject(new Error(data.error));
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(task);
  });
}

Deno.test("PoolLocks.lock() lets one of four workers, with two tasks each, in at a time", async () => {
  using fs = create();
  fs.writeFileSync("/locks", "");
  const keys = [KEY, OTHER, random.key()];
  const inside = new Int32Array(new SharedArrayBuffer(4 * (keys.length + 1)));
  const workers = Array.from({ length: 4 }, () => new Worker(WORKER, { type: "module" }));
  try {
    const task = { handle: fs.handle, keys, turns: 30, inside, workers: workers.length };
    const answers = await Promise.all(workers.map((worker) => tell(worker, task)));
    assertEquals(answers.map(({ overlaps }) => overlaps), [0, 0, 0, 0]);
  } finally {
    for (const worker of workers) worker.terminate();
  }
  assertEquals(fs.stats().fileLocks, 0);
  assertSound(fs);
});

Deno.test("PoolLocks: the lock of a worker that was terminated ends when its agent is retired, and not before", async () => {
  using fs = create();
  using locks = new PoolLocks(fs, "/locks");
  const worker = new Worker(WORKER, { type: "module" });
  const task = { handle: fs.handle, keys: [KEY], turns: 0, inside: new Int32Array(1), workers: 1 };
  const { agentId } = await tell(worker, task);
  assertEquals(await isFree(locks), false);
  const waiting = take(locks, Infinity);
  worker.terminate();
  await sleep(30);
  assertEquals(await locks.lock(KEY, { timeoutMs: 30 }), undefined);
  fs.retire(agentId);
  await release(await waiting);
  assertEquals(fs.stats().fileLocks, 0);
  assertSound(fs);
});
