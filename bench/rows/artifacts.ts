/**
 * Rows of the artifact store: the hash of a configuration, the key of a large module, and hits in a pool.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { ArtifactStore, Engine, EngineConfig } from "../../artifact.ts";
import type { FileSystem } from "../../mod.ts";
import {
  collectGarbage,
  type Effort,
  measureSides,
  resultOf,
  type Side,
  type SideKind,
  type SideResult,
  sink,
} from "../harness.ts";
import * as ours from "../ours.ts";
import { atMost, atMostTimes, type Experiment, OURS, type RowMeasurement } from "../row.ts";
import type { HitAssignment, HitTimes } from "../workers/artifact_worker.ts";
import { nextMessage, startWorker } from "../workers/start.ts";

const GROUP = "Artifacts";
/** Columns of the host's own SHA-256, waited for and not. */
const CREATE_HASH = "createHash";
const SUBTLE_DIGEST = "subtle.digest";
/** Columns of the least that a hit has to do. */
const COMPILE = "copy + compile";
const VERIFY_AND_COMPILE = "copy + SHA-256 + compile";

/** A configuration in which everything is said. */
const FULL_CONFIG: EngineConfig = {
  target: { architecture: "x86_64", operatingSystem: "linux", engine: { name: "v8", version: "14.9.207.2" } },
  compiler: {
    name: "binaryen",
    version: "132.0.0",
    settings: {
      optimizeLevel: 3,
      shrinkLevel: 2,
      passes: ["flatten", "rereloop", "vacuum"],
      debugInfo: true,
      fastMath: true,
      trapsNeverHappen: false,
      closedWorld: true,
      lowMemoryUnused: true,
      zeroFilledMemory: true,
      signatureLowering: true,
    },
  },
  isaFlags: {},
  tunables: {
    asyncify: true,
    denan: true,
    logExecution: true,
    instrumentLocals: true,
    instrumentMemory: true,
    safeHeap: true,
    stackCheck: true,
    trapMode: "clamp",
  },
  version: "engine",
};

/** The module of the large rows: Python's interpreter, 9.6 MB. */
const LARGE_MODULE = "pyodide/pyodide.asm.wasm";
/** Binaryen takes 40 s and more for it where it optimizes; what is loaded is as large without. */
const LARGE_CONFIG: EngineConfig = { compiler: { settings: { optimizeLevel: 0, shrinkLevel: 0 } } };
const HASHES_PER_BATCH = 200;
/** Rounds of hits before those that count. */
const WARM_UPS = 2;

async function readLargeModule(): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(new URL(import.meta.resolve(LARGE_MODULE)));
}

const hashExperiment: Experiment = {
  id: "artifacts.hash",
  group: GROUP,
  rows: [{
    id: "artifacts.hash",
    work: "hash of a configuration, from the configuration",
    unit: "ns",
    targets: [atMost("≤ 50 µs", 50_000)],
  }],
  async measure(context) {
    const { Engine, FEATURES } = await ours.loadArtifacts();
    const config: EngineConfig = { ...FULL_CONFIG, features: FEATURES };
    const encoding = new Engine(config).compatibilityEncoding();
    const repeated = (work: () => number): () => number => () => {
      let sum = 0;
      for (let index = 0; index < HASHES_PER_BATCH; index++) sum += work();
      return sum;
    };
    const subject: Side = {
      name: OURS,
      kind: "subject",
      opsPerBatch: HASHES_PER_BATCH,
      batch: repeated(() => new Engine(config).serializationCompatibilityHash().charCodeAt(0)),
    };
    const floor: Side = {
      name: CREATE_HASH,
      kind: "floor",
      opsPerBatch: HASHES_PER_BATCH,
      batch: repeated(() => createHash("sha256").update(encoding).digest("hex").charCodeAt(0)),
    };
    const notes = [`a new Engine each time, everything in the configuration said: ${encoding.length} bytes are hashed`];
    return { "artifacts.hash": { sides: measureSides([subject, floor], context), notes } };
  },
};

/** A side of {@linkcode measureAsync}. */
interface AsyncSide {
  readonly name: string;
  readonly kind: SideKind;
  /** Does the work once; resolves to a number that depends on its result. */
  run(): Promise<number>;
}

/** As measureSides(), for work that is waited for: the waiting is part of what is timed. */
async function measureAsync(sides: readonly AsyncSide[], { rounds, roundMs }: Effort): Promise<SideResult[]> {
  const times = sides.map((): number[] => []);
  // The first round is the warm-up.
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const index = (turn + round + 1) % sides.length;
      collectGarbage();
      let count = 0;
      const start = performance.now();
      do {
        sink.value = (sink.value + await sides[index]!.run()) | 0;
        count += 1;
      } while (performance.now() - start < roundMs);
      if (round >= 0) times[index]!.push((performance.now() - start) * 1e6 / count);
    }
  }
  return sides.map(({ name, kind }, index) => resultOf(name, kind, times[index]!));
}

/** A store and an engine, for keys. */
async function prepareKeys(): Promise<{ store: ArtifactStore; engine: Engine }> {
  const { ArtifactStore, Engine } = await ours.loadArtifacts();
  const fs = ours.createFileSystem({ maximumBytes: 16 * 2 ** 20 }) as unknown as FileSystem;
  return { store: ArtifactStore.inPool(fs), engine: await Engine.create(LARGE_CONFIG) };
}

const keyExperiment: Experiment = {
  id: "artifacts.key",
  group: GROUP,
  rows: [
    {
      id: "artifacts.key",
      work: "key of a module of 9.6 MB",
      unit: "ns",
      targets: [atMostTimes(CREATE_HASH, 1.05)],
    },
    {
      id: "artifacts.key_async",
      work: "key of a module of 9.6 MB, off this thread",
      unit: "ns",
      targets: [atMostTimes(SUBTLE_DIGEST, 1.05)],
    },
  ],
  async measure(context) {
    const wasm = await readLargeModule();
    const { store, engine } = await prepareKeys();
    const waiting = measureSides([
      { name: OURS, kind: "subject", opsPerBatch: 1, batch: () => store.key(wasm, engine).charCodeAt(0) },
      {
        name: CREATE_HASH,
        kind: "floor",
        opsPerBatch: 1,
        batch: () => createHash("sha256").update(wasm).digest()[0]!,
      },
    ], context);
    const async = await measureAsync([
      { name: OURS, kind: "subject", run: async () => (await store.keyAsync(wasm, engine)).charCodeAt(0) },
      {
        name: SUBTLE_DIGEST,
        kind: "floor",
        run: async () => new Uint8Array(await crypto.subtle.digest("SHA-256", wasm))[0]!,
      },
    ], context);
    return { "artifacts.key": { sides: waiting }, "artifacts.key_async": { sides: async } };
  },
};

/** The pool with artifacts, and the rest of what the worker is told. */
async function prepareHits(rounds: number): Promise<HitAssignment> {
  const { Engine, PoolBackend } = await ours.loadArtifacts();
  const engine = await Engine.create(LARGE_CONFIG);
  const variant = await ours.artifactVariants(await engine.precompileModule(await readLargeModule()));
  const artifactBytes = variant(0).bytes.length;
  const count = rounds + WARM_UPS;
  const fs = ours.createFileSystem({ maximumBytes: Math.ceil(2.2 * count * artifactBytes) + 2 ** 26 });
  const backend = new PoolBackend(fs as unknown as FileSystem);
  const bare = new Uint8Array(new SharedArrayBuffer(2 * count * artifactBytes));
  const marked: string[] = [];
  const unmarked: string[] = [];
  for (let index = 0; index < count; index++) {
    for (const keys of [marked, unmarked]) {
      const { key, bytes } = variant(4 * index + (keys === marked ? 0 : 1));
      await backend.write(key, bytes);
      // The bytes were sealed just now, so that verifying them again would tell nothing.
      if (keys === marked) (await backend.read(key))!.confirm!();
      if ((await backend.read(key))!.verified !== (keys === marked)) throw new Error(`${key} is marked wrongly`);
      keys.push(key);
    }
    bare.set(variant(4 * index + 2).bytes, 2 * index * artifactBytes);
    bare.set(variant(4 * index + 3).bytes, (2 * index + 1) * artifactBytes);
  }
  const { handle } = fs as unknown as FileSystem;
  return { handle, config: LARGE_CONFIG, marked, unmarked, bare: bare.buffer, artifactBytes, warmUps: WARM_UPS };
}

const DIFFERENT_BYTES =
  "each time another artifact with the same payload, since V8 shares what it compiled of equal bytes";

const hitExperiment: Experiment = {
  id: "artifacts.hit",
  group: GROUP,
  rows: [
    {
      id: "artifacts.hit",
      work: "hit on 9.6 MB in the pool, verified by another agent",
      unit: "ns",
      targets: [atMostTimes(COMPILE, 1.2)],
    },
    { id: "artifacts.first_hit", work: "hit on 9.6 MB in the pool, the first", unit: "ns", targets: [] },
  ],
  async measure({ rounds }): Promise<Record<string, RowMeasurement>> {
    const assignment = await prepareHits(rounds);
    const worker = await startWorker("artifact_worker.ts");
    worker.postMessage(assignment);
    const times = await nextMessage<HitTimes>(worker);
    worker.terminate();
    return {
      "artifacts.hit": {
        sides: [resultOf(OURS, "subject", times.hit), resultOf(COMPILE, "floor", times.compile)],
        notes: [DIFFERENT_BYTES],
      },
      "artifacts.first_hit": {
        sides: [
          resultOf(OURS, "subject", times.firstHit),
          resultOf(COMPILE, "floor", times.compile),
          resultOf(VERIFY_AND_COMPILE, "floor", times.verifyAndCompile),
        ],
        notes: [DIFFERENT_BYTES],
      },
    };
  },
};

/** The experiments of this file. */
export const experiments: readonly Experiment[] = [hashExperiment, keyExperiment, hitExperiment];
