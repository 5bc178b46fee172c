/**
 * The harness of stress tests on a filesystem: a crew of workers that attach by the handle, start at one gate and work
 * until a moment; seeded choices; and what must hold once all have left.
 *
 * `EXTMEMFS_LONG=1` makes runs twenty times as long, `EXTMEMFS_SEED` repeats a run's choices.
 *
 * @module
 */
import type { FileSystem } from "../../mod.ts";
import { heapStats } from "../../src/alloc/heap_inspect.ts";
import {
  SLOT_GENERATION_SHIFT,
  SLOT_LEDGER,
  SLOT_LIVE,
  SLOT_SCRATCH,
  SLOT_STATE,
  SLOT_STATE_MASK,
} from "../../src/layout/agent_table.ts";
import { AGENT_CAPACITY } from "../../src/layout/superblock.ts";
import { INDEX_NEXT_ALL } from "../../src/layout/directory.ts";
import { CHUNK_NEXT, LEDGER_NEXT } from "../../src/layout/inode.ts";
import { SHARD_CHUNKS, SHARD_COUNT, SHARD_INDEXES } from "../../src/layout/superblock.ts";
import { GRANULE_WORDS } from "../../src/layout/units.ts";
import type { PoolHandle } from "../../src/store/pool.ts";
import { shardWordOf } from "../../src/store/inodes.ts";
import { slotWordOf } from "../../src/sync/agent.ts";
import { assertEquals } from "./assert.ts";

export { Random } from "./random.ts";

/** Whether runs are to be long. */
export const LONG: boolean = Deno.env.get("EXTMEMFS_LONG") === "1";
/** Seed of all choices of a run. */
export const SEED: number = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** What a worker is to do. */
export interface StressJob {
  /** By which it attaches. */
  readonly handle: PoolHandle;
  /** Which mix of operations. */
  readonly mix: string;
  /** Number of the worker, from 0. */
  readonly index: number;
  /** Number of workers. */
  readonly workers: number;
  /** How long to go on, in milliseconds. */
  readonly durationMs: number;
  /** Seed of this worker's choices. */
  readonly seed: number;
  /** Debug level to attach at. */
  readonly debugLevel: 0 | 1 | 2 | 3;
  /** Words for what the workers of a job share: word 0 is the gate. */
  readonly shared: Int32Array;
}

/** What a worker sends back: what the mix returns, or an error. */
export interface StressReply {
  /** What the mix returned. */
  readonly report?: unknown;
  /** What it threw. */
  readonly error?: string;
}

/** Words of {@linkcode StressJob.shared}. */
export const SHARED_WORDS = 64;

/** Lets all workers of a job begin at once. */
export function passGate(job: StressJob): void {
  const { shared, workers } = job;
  if (Atomics.add(shared, 0, 1) + 1 === workers) Atomics.notify(shared, 0);
  for (let seen = Atomics.load(shared, 0); seen < workers; seen = Atomics.load(shared, 0)) {
    Atomics.wait(shared, 0, seen, 1000);
  }
}

/** Workers of one module, started once and given one job after the other. */
export class StressCrew implements Disposable {
  readonly #module: string;
  readonly #workers: Worker[] = [];

  /** @param module absolute, such as `import.meta.resolve("./worker.ts")` */
  constructor(module: string) {
    this.#module = module;
  }

  /** Runs a job on some workers, and returns what they report. */
  async run<T>(
    job: Pick<StressJob, "mix" | "workers" | "durationMs" | "debugLevel" | "handle">,
    limitMs = 30_000 + 20 * job.durationMs,
  ): Promise<T[]> {
    while (this.#workers.length < job.workers) this.#workers.push(new Worker(this.#module, { type: "module" }));
    const shared = new Int32Array(new SharedArrayBuffer(SHARED_WORDS * 4));
    const replies = Array.from({ length: job.workers }, (_, index) => {
      const worker = this.#workers[index]!;
      return new Promise<T>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<StressReply>) => {
          if (data.error === undefined) resolve(data.report as T);
          else reject(new Error(`worker ${index} (EXTMEMFS_SEED=${SEED}): ${data.error}`));
        };
        worker.onerror = (event) => reject(new Error(`worker ${index} (EXTMEMFS_SEED=${SEED}): ${event.message}`));
        const seed = Math.imul(SEED, 31) + index * 7919;
        worker.postMessage({ ...job, index, seed, shared } satisfies StressJob);
      });
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${limitMs} ms (EXTMEMFS_SEED=${SEED})`)), limitMs);
    });
    try {
      return await Promise.race([Promise.all(replies), late]);
    } catch (error) {
      // Others may not come back: the next job gets new ones.
      for (const worker of this.#workers.splice(0)) worker.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the workers. */
  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

/** Fails with what `check()` finds wrong. */
export function assertSound(fs: FileSystem, when: string): void {
  const violations = fs.check();
  assertEquals(violations, [], `check() ${when}; EXTMEMFS_SEED=${SEED}`);
}

/** How the blocks of a pool come about, for a filesystem without files: what is left over has leaked. */
export interface BlockCount {
  /** Used blocks. */
  readonly live: number;
  /** Blocks of inodes and directory indexes, which are never given back. */
  readonly kept: number;
  /** Scratches and ledgers of attached agents. */
  readonly agents: number;
}

/** Counts the blocks of a pool. Nobody works on it meanwhile. */
export function countBlocks(fs: FileSystem): BlockCount {
  const { agent, heap } = fs.pool;
  const { memory, tableWord } = agent;
  const figures = heapStats(agent, heap.headerWord);
  if (typeof figures === "number") throw new Error(`heapStats returned ${figures}`);
  memory.sync(agent.pagesWord);
  const { i32 } = memory;
  let kept = 0;
  const countList = (first: number, next: number) => {
    for (let ref = first; ref !== 0; ref = i32[ref * GRANULE_WORDS + next]!) kept++;
  };
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    countList(i32[shardWordOf(shard) + SHARD_CHUNKS]!, CHUNK_NEXT);
    countList(i32[shardWordOf(shard) + SHARD_INDEXES]!, INDEX_NEXT_ALL);
  }
  let agents = 0;
  for (let slot = 0; slot < AGENT_CAPACITY; slot++) {
    const slotWord = slotWordOf(tableWord, slot);
    if ((i32[slotWord + SLOT_STATE]! & SLOT_STATE_MASK) !== SLOT_LIVE) continue;
    if (i32[slotWord + SLOT_SCRATCH] !== 0) agents++;
    for (let ref = i32[slotWord + SLOT_LEDGER]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + LEDGER_NEXT]!) agents++;
  }
  return { live: figures.liveBlocks, kept, agents };
}

/** Blocks in use besides those that an empty filesystem has: 0 where nothing has leaked. */
export function surplusBlocks(fs: FileSystem): number {
  const { live, kept, agents } = countBlocks(fs);
  return live - kept - agents;
}

/** Fails unless a filesystem whose files have all been deleted has given back all that they took. */
export function assertEmptied(fs: FileSystem, when: string): void {
  const { orphans, files, symlinks, directories, opens } = fs.stats();
  assertEquals({ files, symlinks, directories, orphans, opens }, {
    files: 0,
    symlinks: 0,
    directories: 1,
    orphans: 0,
    opens: 0,
  }, `what is left ${when}; EXTMEMFS_SEED=${SEED}`);
  assertEquals(surplusBlocks(fs), 0, `blocks that leaked ${when}; EXTMEMFS_SEED=${SEED}`);
}

/** Retires all agents but this one, as somebody does who knows that they are gone. */
export function retireOthers(fs: FileSystem): void {
  const { agent } = fs.pool;
  for (let slot = 0; slot < AGENT_CAPACITY; slot++) {
    const state = agent.memory.i32[slotWordOf(agent.tableWord, slot) + SLOT_STATE]!;
    // Also one that was fenced in the middle of something, which it has ended since.
    if ((state & SLOT_STATE_MASK) < SLOT_LIVE || slot === agent.slot) continue;
    fs.retire((state >>> SLOT_GENERATION_SHIFT) * AGENT_CAPACITY + slot);
  }
}

/** Deletes all files. */
export function removeAll(fs: FileSystem): void {
  for (const name of fs.readdirSync("/")) fs.rmSync(`/${name}`, { recursive: true });
}

/** The errno code of what a function throws, or `ok`; other errors pass through. */
export function attempt(action: () => unknown): string {
  try {
    action();
    return "ok";
  } catch (error) {
    const { code, errno } = error as { code?: unknown; errno?: unknown };
    if (typeof code !== "string" || typeof errno !== "number") throw error;
    return code;
  }
}

/** Runs a function that may fail in some ways only. Returns whether it succeeded. */
export function allow(codes: readonly string[], action: () => unknown): boolean {
  let failure: unknown;
  const code = attempt(() => {
    try {
      action();
    } catch (error) {
      failure = error;
      throw error;
    }
  });
  if (code === "ok") return true;
  if (!codes.includes(code)) throw failure;
  return false;
}
