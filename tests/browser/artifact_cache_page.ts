/**
 * The page of `artifact_cache_test.ts`: what the test calls in it, as `globalThis.artifactCache`; and in a worker, which
 * is this module again.
 *
 * @module
 */
import { CacheBackend } from "../../src/artifact/store/cache_backend.ts";
import { CheckRandom, mustLock } from "../support/backend_check.ts";
import { BACKEND_CHECKS, runBackendCheck } from "../support/backend_checks.ts";

/** What the test can have done. */
export interface CachePage {
  /** Runs all checks. Returns what failed, and how many passed. */
  check(cache: string, seed: number): Promise<{ passed: number; failures: string[] }>;
  /** Writes an entry of the seed, and touches it at a time. Returns its key. */
  write(cache: string, seed: number, lastUsedMs: number): Promise<string>;
  /** The number of bytes of an entry of the seed that are as written, and when it was used; -1 where there is none. */
  read(cache: string, seed: number): Promise<{ same: number; lastUsedMs: number }>;
  /** Takes turns at a lock, and writes and reads one entry meanwhile. Returns what went wrong. */
  contend(cache: string, seed: number, shared: Int32Array, turns: number): Promise<string[]>;
  /** Takes a lock and keeps it. */
  hold(cache: string, seed: number): Promise<void>;
  /** Waits for the lock that another holds. Returns whether it was to be had. */
  take(cache: string, seed: number, timeoutMs: number): Promise<boolean>;
  /** What opening a cache fails with: code and message; empty where it does not. */
  openFailure(): Promise<string>;
}

const SIZE = 300_000;
/** Of the memory that page and worker share: how many hold the lock now; and how often one found another. */
const HOLDERS = 0;
const OVERLAPS = 1;

const page: CachePage = {
  async check(cache, seed) {
    const failures: string[] = [];
    let passed = 0;
    const open = () => CacheBackend.open(cache, { touchIntervalMs: 1000 });
    for (const [index, check] of BACKEND_CHECKS.entries()) {
      try {
        await runBackendCheck(check, await open(), open, { touchIntervalMs: 1000 }, seed + index);
        passed++;
      } catch (error) {
        failures.push(`${check.name}: ${error} (EXTMEMFS_SEED=${seed})`);
      }
    }
    return { passed, failures };
  },
  async write(cache, seed, lastUsedMs) {
    const backend = await CacheBackend.open(cache);
    const random = new CheckRandom(seed);
    const key = random.key();
    await backend.write(key, random.bytes(SIZE));
    await backend.touch(key, lastUsedMs);
    return key;
  },
  async read(cache, seed) {
    const backend = await CacheBackend.open(cache);
    const random = new CheckRandom(seed);
    const key = random.key();
    const expected = random.bytes(SIZE);
    const found = (await backend.read(key))?.bytes;
    let lastUsedMs = -1;
    for await (const entry of backend.list()) if (entry.key === key) lastUsedMs = entry.lastUsedMs;
    return { same: found?.filter((byte, at) => byte === expected[at]).length ?? -1, lastUsedMs };
  },
  async contend(cache, seed, shared, turns) {
    const failures: string[] = [];
    const backend = await CacheBackend.open(cache);
    const random = new CheckRandom(seed);
    const key = random.key();
    // Values that say their own length and content by their first byte.
    const valueOf = (kind: number) => new Uint8Array(50_000 + kind * 1000).fill(kind);
    for (let turn = 0; turn < turns; turn++) {
      const lock = await mustLock(backend, key, 60_000);
      if (Atomics.add(shared, HOLDERS, 1) !== 0) Atomics.add(shared, OVERLAPS, 1);
      await backend.write(key, valueOf(turn % 7));
      Atomics.sub(shared, HOLDERS, 1);
      await lock[Symbol.asyncDispose]();
      await backend.write(key, valueOf(turn % 5));
      const found = (await backend.read(key))?.bytes;
      const kind = found?.[0] ?? -1;
      if (found === undefined || found.length !== 50_000 + kind * 1000 || found.some((byte) => byte !== kind)) {
        failures.push(`turn ${turn}: ${found?.length} bytes that nobody wrote`);
      }
      await backend.touch(key, Date.now() + turn * 100_000);
    }
    if (shared[OVERLAPS] !== 0) failures.push(`${shared[OVERLAPS]} times two held the lock at once`);
    return failures;
  },
  async hold(cache, seed) {
    await mustLock(await CacheBackend.open(cache), new CheckRandom(seed).key(), 10_000);
  },
  async take(cache, seed, timeoutMs) {
    const backend = await CacheBackend.open(cache);
    const lock = await backend.lock!(new CheckRandom(seed).key(), { timeoutMs });
    await lock?.[Symbol.asyncDispose]();
    return lock !== undefined;
  },
  async openFailure() {
    try {
      await CacheBackend.open();
      return "";
    } catch (error) {
      return `${(error as { code?: string }).code}: ${(error as Error).message}`;
    }
  },
};

type Call = { method: keyof CachePage; args: unknown[] };

/** Calls one of the functions above here, wherever that is. */
function call({ method, args }: Call): Promise<unknown> {
  return (page[method] as (...args: unknown[]) => Promise<unknown>)(...args);
}

/** What the page lets the test do beyond that. */
export interface CacheWorkers {
  /** Starts a worker that is called by a name, of this module's URL or of a blob. */
  start(name: string, of: "url" | "blob"): Promise<void>;
  /** Calls a function in a worker. */
  in(name: string, call: Call): Promise<unknown>;
  /** Ends a worker. */
  end(name: string): void;
}

if (!("document" in globalThis)) {
  globalThis.addEventListener("message", async (event) => {
    const { data, ports: [port] } = event as MessageEvent<Call>;
    try {
      port!.postMessage({ value: await call(data) });
    } catch (error) {
      port!.postMessage({ failure: String(error) });
    }
  });
} else {
  const workers = new Map<string, Worker>();
  const inWorker = (name: string, call: Call) =>
    new Promise((resolve, reject) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => "failure" in data ? reject(new Error(data.failure)) : resolve(data.value);
      const worker = workers.get(name)!;
      worker.onerror = (event) => reject(new Error(`worker ${name}: ${event.message}`));
      worker.postMessage(call, [port2]);
    });
  const control: CacheWorkers = {
    async start(name, of) {
      let url = import.meta.url;
      if (of === "blob") {
        const source = await (await fetch(url)).text();
        url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      }
      workers.set(name, new Worker(url, { type: "module" }));
    },
    in: inWorker,
    end(name) {
      workers.get(name)!.terminate();
    },
  };
  Object.assign(globalThis, { artifactCache: page, cacheWorkers: control });
}
