/**
 * A worker that takes the locks of keys: over and over, looking for others inside; or one, which it keeps until it is told
 * to give it back, or is terminated.
 *
 * @module
 */
import { FileSystem } from "../../../../mod.ts";
import type { BackendLock } from "../../../../src/artifact/store/backend.ts";
import { PoolLocks } from "../../../../src/artifact/store/pool_locks.ts";
import type { PoolHandle } from "../../../../src/store/pool.ts";

/** What a worker is told. */
export interface LockTask {
  /** The pool. */
  readonly handle: PoolHandle;
  /** Keys to take in turn. */
  readonly keys: readonly string[];
  /** How often; 0: take the first key's lock and keep it until the next message. */
  readonly turns: number;
  /** One word for each key: who is inside, and after them one for who waits at the gate. */
  readonly inside: Int32Array;
  /** How many workers pass the gate together. */
  readonly workers: number;
}

/** What it answers. */
export interface LockAnswer {
  readonly agentId: number;
  /** How often somebody else was inside. */
  readonly overlaps: number;
  readonly error?: string;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LockTask>) => void;
  postMessage(message: LockAnswer): void;
};
let kept: BackendLock | undefined;

async function work({ handle, keys, turns, inside, workers }: LockTask): Promise<LockAnswer> {
  const fs = FileSystem.attach(handle);
  const { agentId } = fs;
  const locks = new PoolLocks(fs, "/locks");
  if (turns === 0) {
    kept = await locks.lock(keys[0]!, { timeoutMs: 10_000 });
    if (kept === undefined) throw new Error("the lock was not to be had");
    return { agentId, overlaps: 0 };
  }
  const gate = keys.length;
  if (Atomics.add(inside, gate, 1) + 1 === workers) Atomics.notify(inside, gate);
  for (let seen = Atomics.load(inside, gate); seen < workers; seen = Atomics.load(inside, gate)) {
    Atomics.wait(inside, gate, seen, 1000);
  }
  let overlaps = 0;
  // Two at once in one agent: they must keep out each other, too.
  await Promise.all([0, 1].map(async (half) => {
    for (let turn = 0; turn < turns; turn++) {
      const index = (turn + half) % keys.length;
      const lock = await locks.lock(keys[index]!, { timeoutMs: 60_000 });
      if (lock === undefined) throw new Error("a lock was not to be had in a minute");
      const me = agentId * 2 + half + 1;
      if (Atomics.compareExchange(inside, index, 0, me) !== 0) overlaps++;
      await new Promise((resolve) => setTimeout(resolve, turn % 3));
      if (Atomics.compareExchange(inside, index, me, 0) !== me) overlaps++;
      await lock[Symbol.asyncDispose]();
    }
  }));
  locks[Symbol.dispose]();
  fs.detach();
  return { agentId, overlaps };
}

scope.onmessage = async ({ data }) => {
  try {
    if (kept !== undefined) {
      await kept[Symbol.asyncDispose]();
      kept = undefined;
      return;
    }
    scope.postMessage(await work(data));
  } catch (error) {
    scope.postMessage({ agentId: -1, overlaps: -1, error: String((error as Error).stack ?? error) });
  }
};
