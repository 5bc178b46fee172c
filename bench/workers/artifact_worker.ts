/**
 * A worker of the rows about hits: it has compiled nothing, finds artifacts in a pool that another agent has filled, and
 * does beside each hit the bare work on another variant of the same artifact.
 *
 * @module
 */
import type { EngineConfig } from "../../artifact.ts";
import type { FileSystem, PoolHandle } from "../../mod.ts";
import { collectGarbage } from "../harness.ts";
import * as ours from "../ours.ts";

/** What is measured in each round. */
export type HitSide = "hit" | "firstHit" | "compile" | "verifyAndCompile";

/** What a worker is told. */
export interface HitAssignment {
  readonly handle: PoolHandle;
  readonly config: EngineConfig;
  /** Keys for the hits on artifacts with the mark, one per round; the first rounds are the warm-up. */
  readonly marked: readonly string[];
  /** Keys for the hits on artifacts without it. */
  readonly unmarked: readonly string[];
  /** Shared memory with artifacts for the bare work, one after the other: two per round. */
  readonly bare: SharedArrayBuffer;
  readonly artifactBytes: number;
  readonly warmUps: number;
}

/** Nanoseconds of each round after the warm-up. */
export type HitTimes = Readonly<Record<HitSide, readonly number[]>>;

async function measure(assignment: HitAssignment): Promise<HitTimes> {
  const { handle, config, marked, unmarked, bare, artifactBytes, warmUps } = assignment;
  const { ArtifactStore, Engine } = await ours.loadArtifacts();
  const fs = ours.attachFileSystem(handle) as unknown as FileSystem;
  const store = ArtifactStore.inPool(fs);
  const engine = await Engine.create(config);
  const view = (index: number) => new Uint8Array(bare, index * artifactBytes, artifactBytes);
  const work: Readonly<Record<HitSide, (round: number) => Promise<unknown>>> = {
    hit: (round) => store.get(marked[round]!, engine),
    firstHit: (round) => store.get(unmarked[round]!, engine),
    compile: (round) => WebAssembly.compile(new Uint8Array(view(2 * round))),
    verifyAndCompile: async (round) => {
      const copy = new Uint8Array(view(2 * round + 1));
      await crypto.subtle.digest("SHA-256", copy);
      return await WebAssembly.compile(copy);
    },
  };
  const sides = Object.keys(work) as HitSide[];
  const times: Record<HitSide, number[]> = { hit: [], firstHit: [], compile: [], verifyAndCompile: [] };
  for (let round = 0; round < marked.length; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const side = sides[(turn + round) % sides.length]!;
      // What earlier modules took is to be given back now, and not while another is timed.
      collectGarbage("major");
      const start = performance.now();
      const module = await work[side](round);
      const elapsed = performance.now() - start;
      if (!(module instanceof WebAssembly.Module)) throw new Error(`round ${round}: no module came of "${side}"`);
      if (round >= warmUps) times[side].push(elapsed * 1e6);
    }
  }
  await store.close();
  fs.detach();
  return times;
}

const scope = self as unknown as Worker;
scope.onmessage = async ({ data }: MessageEvent<HitAssignment>) => scope.postMessage(await measure(data));
scope.postMessage("listening");
