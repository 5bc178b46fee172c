/**
 * What the locks of every place for artifacts must do: part of the list in `backend_checks.ts`. Imports the
 * parts of a check, and no host's API.
 *
 * @module
 */
import { type BackendCheck, type CheckSetting, expect, mustLock, reasonOf, sleep } from "./backend_check.ts";

/** Long enough for a lock that is free, in milliseconds. */
const PATIENT_MS = 15_000;

/** A check that only backends with locks have to pass; that the others have none is a check of its own. */
function lockCheck(name: string, run: (setting: CheckSetting) => Promise<void>): BackendCheck {
  return {
    name,
    async run(setting) {
      if (setting.traits.lock) await run(setting);
      else expect(setting.backend.lock === undefined, "it has locks, and its traits say that it has none");
    },
  };
}

/** The checks. */
export const LOCK_CHECKS: readonly BackendCheck[] = [
  lockCheck("lock() excludes a second taker, in time and without time, and hands over when it is disposed", async (
    { backend, other, random },
  ) => {
    expect(typeof backend.lock === "function", "it has no locks, and its traits say that it has");
    const key = random.key();
    const first = await mustLock(backend, key, PATIENT_MS);
    expect(await other.lock!(key, { timeoutMs: 0 }) === undefined, "a second taker got the lock without waiting");
    expect(await backend.lock!(key, { timeoutMs: 0 }) === undefined, "the same connection got the lock twice");
    const start = performance.now();
    expect(await other.lock!(key, { timeoutMs: 150 }) === undefined, "a second taker got the lock within its time");
    const waitedMs = performance.now() - start;
    expect(waitedMs > 100 && waitedMs < 5000, `a wait of 150 ms took ${waitedMs} ms`);

    let held = true;
    const second = mustLock(other, key, PATIENT_MS).then((lock) => {
      expect(!held, "the second taker got the lock while the first held it");
      return lock;
    });
    await sleep(50);
    held = false;
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    for (let turn = 0; turn < 10; turn++) {
      const lock = await backend.lock!(key, { timeoutMs: 0 });
      expect(lock !== undefined, "a lock was not free once disposing it had resolved");
      await lock[Symbol.asyncDispose]();
    }
  }),
  lockCheck("lock() disposed twice is harmless, also to the next holder", async ({ backend, other, random }) => {
    const key = random.key();
    const first = await mustLock(backend, key, PATIENT_MS);
    await first[Symbol.asyncDispose]();
    const second = await mustLock(other, key, PATIENT_MS);
    await first[Symbol.asyncDispose]();
    expect(
      await backend.lock!(key, { timeoutMs: 0 }) === undefined,
      "disposing twice took the next holder's lock away",
    );
    await second[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  }),
  lockCheck("lock() rejects with the signal's reason, before and while it waits, and waits no more", async (
    { backend, other, random },
  ) => {
    const key = random.key();
    const reason = new Error("enough");
    const aborted = { timeoutMs: 1000, signal: AbortSignal.abort(reason) };
    expect(
      await reasonOf("lock() of a free lock", () => backend.lock!(key, aborted)) === reason,
      "lock() does not reject with the reason of a signal that has aborted",
    );
    const first = await mustLock(backend, key, PATIENT_MS);
    const controller = new AbortController();
    const start = performance.now();
    setTimeout(() => controller.abort(reason), 60);
    expect(
      await reasonOf("lock()", () => other.lock!(key, { timeoutMs: 60_000, signal: controller.signal })) === reason,
      "lock() does not reject with the signal's reason",
    );
    expect(performance.now() - start < 10_000, "lock() went on waiting after its signal");
    await first[Symbol.asyncDispose]();
    // Neither who was aborted nor who ran out of time may be given the lock later.
    await (await mustLock(backend, key, PATIENT_MS))[Symbol.asyncDispose]();
    await (await mustLock(other, key, PATIENT_MS))[Symbol.asyncDispose]();
  }),
  lockCheck("a signal that aborts once the lock is held changes nothing", async ({ backend, other, random }) => {
    const key = random.key();
    const controller = new AbortController();
    const lock = await backend.lock!(key, { timeoutMs: PATIENT_MS, signal: controller.signal });
    expect(lock !== undefined, "a free lock was not to be had");
    controller.abort(new Error("enough"));
    await sleep(20);
    expect(await other.lock!(key, { timeoutMs: 0 }) === undefined, "the signal took the lock from its holder");
    await lock[Symbol.asyncDispose]();
    await (await mustLock(other, key, PATIENT_MS))[Symbol.asyncDispose]();
  }),
  lockCheck("locks of different keys, and locks and entries, know nothing of each other", async (
    { backend, other, traits, random },
  ) => {
    const keys = [random.key(), random.key(), random.key()];
    const locks = [];
    for (const key of keys) locks.push(await mustLock(backend, key, PATIENT_MS));
    const key = keys[0]!;
    expect(await other.read(key) === undefined, "a lock is an entry");
    expect(await other.remove(key) === false, "remove() takes a lock for an entry");
    if (traits.list) {
      for await (const entry of other.list()) expect(!keys.includes(entry.key), "list() gives a lock");
    }
    await other.write(key, Uint8Array.of(1, 2, 3));
    expect((await backend.read(key))?.bytes.length === 3, "an entry that is locked cannot be written and read");
    expect(await other.remove(key) === true, "an entry that is locked cannot be removed");
    expect(await other.lock!(key, { timeoutMs: 0 }) === undefined, "removing an entry took its lock away");
    for (const lock of locks) await lock[Symbol.asyncDispose]();
  }),
  lockCheck(
    "of many takers at most one holds the lock at a time, and each gets it",
    async ({ backend, other, random }) => {
      const key = random.key();
      let holders = 0;
      let most = 0;
      let turns = 0;
      await Promise.all(Array.from({ length: 8 }, async (_, index) => {
        const via = index % 2 ? other : backend;
        for (let turn = 0; turn < 3; turn++) {
          const lock = await mustLock(via, key, 60_000);
          holders++;
          most = Math.max(most, holders);
          turns++;
          await sleep(1 + index % 3);
          holders--;
          await lock[Symbol.asyncDispose]();
        }
      }));
      expect(most === 1, `${most} held the lock at the same time`);
      expect(turns === 24, `${turns} turns instead of 24`);
    },
  ),
];
