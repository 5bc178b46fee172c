/**
 * One worker of the stress tests of stores: attaches, waits at the gate, works, closes its store, detaches.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { ArtifactStore } from "../../src/artifact/store/store.ts";
import type { ArtifactStoreOptions } from "../../src/artifact/store/store_types.ts";
import { passGate, Random, type StressJob, type StressReply } from "../support/stress.ts";
import { engineOf, moduleOf, VARIANTS } from "../unit/artifact/store/modules.ts";
import { allPairs, Customer, damageInPool } from "./artifact_work.ts";

/** The secret of stores that have one. */
const KEY = new Uint8Array(32).fill(0x5a);
/** Data of the modules of a pool that is too small for them. */
const LARGE_BYTES = 300_000;

interface Mix {
  readonly options?: ArtifactStoreOptions;
  readonly dataBytes?: number;
  work(customer: Customer, fs: FileSystem, job: StressJob, random: Random): Promise<void>;
}

const end = (job: StressJob) => performance.now() + job.durationMs;

const MIXES: Record<string, Mix> = {
  "the same module": {
    work: (customer) => customer.ask(allPairs(1)[0]!),
  },
  "modules and configurations": {
    options: { key: KEY },
    work: (customer) => customer.askAll(allPairs(6)),
  },
  "eviction": {
    options: { limits: { entries: 6, bytes: 4000 } },
    async work(customer, _fs, job, random) {
      const { store } = customer;
      await customer.askUntil(allPairs(3), end(job), async () => {
        if (random.oneIn(6)) await store.prune({ entries: random.below(6) });
        if (random.oneIn(20)) await store.prune({ unusedForMs: random.below(50), unusable: true });
        if (random.oneIn(20)) {
          for await (const { key, problem } of store.verify()) {
            if (problem !== undefined) throw new Error(`${key} is unusable`, { cause: problem });
          }
        }
      });
    },
  },
  "hostile": {
    options: { key: KEY, lockTimeoutMs: 10_000 },
    work: (customer, fs, job) =>
      job.index === 0
        ? customer.damageUntil((random) => damageInPool(fs, random), end(job))
        : customer.askUntil(allPairs(2), end(job)),
  },
  "full": {
    dataBytes: LARGE_BYTES,
    work: (customer, _fs, job) => customer.askUntil(allPairs(4), end(job)),
  },
};

async function run(job: StressJob): Promise<StressReply> {
  const mix = MIXES[job.mix];
  if (mix === undefined) throw new Error(`no mix ${job.mix}`);
  const fs = FileSystem.attach(job.handle, { debugLevel: job.debugLevel });
  const told = new Set<string>();
  const onError = (error: unknown, during: string) => {
    const { code, name } = error as { code?: string; name?: string };
    told.add(`${during} ${code ?? name}`);
  };
  const store = ArtifactStore.inPool(fs, { onError, ...mix.options });
  const random = new Random(job.seed);
  const customer = new Customer(store, random, told, mix.dataBytes);
  await customer.warmUp();
  passGate(job);
  await mix.work(customer, fs, job, random);
  await store.close();
  fs.detach();
  return { report: customer.report() };
}

/** What a worker that is to be terminated is told: to compile a module, and to say when it gets to a step. */
export interface VictimJob {
  readonly victim: { readonly handle: StressJob["handle"]; readonly id: number; readonly step: number };
}

/** Compiles, tells its agent's number at a step of that, and goes on. */
async function sufferFor({ handle, id, step }: VictimJob["victim"]): Promise<void> {
  const fs = FileSystem.attach(handle);
  const store = ArtifactStore.inPool(fs);
  let steps = 0;
  await store.getOrCompile(moduleOf(id), engineOf(VARIANTS[0]!), {
    onProgress: () => {
      if (steps++ === step) scope.postMessage({ report: fs.agentId });
      // It is terminated in here: there are steps enough ahead of this one, and it never comes to the end.
      if (steps > step) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  });
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<StressJob | VictimJob>) => void;
  postMessage(message: StressReply): void;
};

scope.onmessage = async ({ data }) => {
  try {
    if ("victim" in data) await sufferFor(data.victim);
    else scope.postMessage(await run(data));
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? error.stack ?? error.message : String(error) });
  }
};
