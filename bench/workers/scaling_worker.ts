/**
 * A worker of the scaling rows: attaches to what it is given, prepares its job, and serves the windows of the gate.
 *
 * @module
 */
import nodeFs from "node:fs";
import * as ours from "../ours.ts";
import { flatPaths, random, replacementTrace } from "../random.ts";
import { fill, replacer } from "../rows/allocator.ts";
import { positions, readLoop, writeLoop } from "../rows/data.ts";
import type { NodeLike } from "../subjects.ts";
import { Gate } from "./gate.ts";
import { listen } from "./start.ts";

/** What a worker can do. */
export type JobName = "compute" | "allocate" | "read_same" | "write_own" | "create_own" | "create_same";

/** What a worker is told. */
export interface Assignment {
  readonly gate: SharedArrayBuffer;
  readonly index: number;
  readonly job: JobName;
  /** Handle of our filesystem or pool; absent for node:fs and for computing. */
  readonly handle?: unknown;
  /** Put before every path; tmpfs takes paths relative to the working directory. */
  readonly prefix: string;
}

/** Pieces of work, and how to undo a window. */
interface Job {
  chunk(): number;
  tidy(): void;
}

const CHUNK = 32;
const COMPUTE_STEPS = 20_000;
/** More names than a window can use up. */
const NAMES = 400_000;
const LIVE_BLOCKS = 10_000;

/** Integer arithmetic in registers: what two workers can do at best on this machine. */
function computeJob(): Job {
  let state = 1;
  return {
    chunk: () => {
      for (let step = 0; step < COMPUTE_STEPS; step++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
      }
      if (state === 0) throw new Error("A xorshift generator cannot reach zero");
      return COMPUTE_STEPS;
    },
    tidy: () => {},
  };
}

/** Random replacement among this worker's own live blocks in the shared pool. */
function allocateJob(handle: unknown, index: number): Job {
  const heap = ours.attachPool(handle).allocator;
  const trace = replacementTrace(LIVE_BLOCKS, 1 << 17, 100 + index);
  const run = replacer(heap, trace, fill(heap, trace));
  return {
    chunk: () => {
      run(CHUNK);
      return CHUNK;
    },
    tidy: () => {},
  };
}

/** Reads or writes 4 KiB at random aligned positions. */
function accessJob(fs: NodeLike, path: string, writes: boolean): Job {
  const fd = fs.openSync(path, "r+");
  const buffer = new Uint8Array(4096);
  // Each chunk walks a part of the positions, so that a window sees them all.
  const at = positions("aligned");
  const runs = Array.from(
    { length: at.length / CHUNK },
    (_, part) => (writes ? writeLoop : readLoop)(fs, fd, buffer, at.slice(part * CHUNK, (part + 1) * CHUNK), CHUNK),
  );
  let part = 0;
  return {
    chunk: () => {
      part = (part + 1) % runs.length;
      return runs[part]() === 0 ? 0 : CHUNK;
    },
    tidy: () => {},
  };
}

/** Creates empty files in a directory and removes them after the window. */
function createJob(fs: NodeLike, directory: string, index: number): Job {
  const next = random(index);
  const paths = flatPaths(NAMES, (name) => `${directory}/${index}${String(name).padStart(7, "0")}`);
  // A different order in each worker, so that both do not walk the buckets of a shared directory in step.
  for (let left = paths.length - 1; left > 0; left--) {
    const other = Math.floor(next() * (left + 1));
    [paths[left], paths[other]] = [paths[other], paths[left]];
  }
  let created = 0;
  return {
    chunk: () => {
      const end = Math.min(created + CHUNK, paths.length);
      const count = end - created;
      for (; created < end; created++) fs.closeSync(fs.openSync(paths[created], "wx"));
      return count;
    },
    tidy: () => {
      for (let name = 0; name < created; name++) fs.unlinkSync(paths[name]);
      created = 0;
    },
  };
}

/** The filesystem of an assignment: ours by its handle, or node:fs. */
function openFs(handle: unknown): NodeLike {
  return handle === undefined ? nodeFs as unknown as NodeLike : ours.attachFileSystem(handle);
}

/** Prepares the job of an assignment. */
function prepare({ job, handle, index, prefix }: Assignment): Job {
  switch (job) {
    case "compute":
      return computeJob();
    case "allocate":
      return allocateJob(handle, index);
    case "read_same":
      return accessJob(openFs(handle), `${prefix}same.bin`, false);
    case "write_own":
      return accessJob(openFs(handle), `${prefix}own${index}.bin`, true);
    case "create_own":
      return createJob(openFs(handle), `${prefix}own${index}`, index);
    case "create_same":
      return createJob(openFs(handle), `${prefix}same`, index);
  }
}

listen<Assignment, "ready">((assignment, answer) => {
  const job = prepare(assignment);
  // One chunk before the gate, so that a failure shows at once and not as a missing answer.
  job.chunk();
  job.tidy();
  answer("ready");
  new Gate(assignment.gate).serve(assignment.index, () => job.chunk(), () => job.tidy());
});
