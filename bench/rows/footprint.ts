/**
 * Rows of memory and of attaching: bytes per small file, and the time from a handle to a filesystem.
 *
 * @module
 */
import { absentResult, collectGarbage, resultOf, type SideResult } from "../harness.ts";
import * as ours from "../ours.ts";
import { flatPaths } from "../random.ts";
import { atMost, type Context, type Experiment, OURS, type RowMeasurement, type Target } from "../row.ts";
import { MEMFS, type NodeLike } from "../subjects.ts";
import type { AttachTimes } from "../workers/attach_worker.ts";
import { nextMessage, startWorker } from "../workers/start.ts";

const FILES = 10_000;

/** Makes the files whose memory is asked for. */
function makeFiles(fs: NodeLike, paths: readonly string[], bytes: number): void {
  const data = new Uint8Array(bytes).fill(0x77);
  for (const path of paths) fs.writeFileSync(path, data);
}

/** Bytes per file of ours, by the pool's own count. */
function ourBytes(paths: readonly string[], bytes: number): SideResult {
  if (!ours.available) return absentResult(OURS, "subject", ours.unavailable);
  const fs = ours.createFileSystem({ maximumBytes: 256 * 2 ** 20 });
  try {
    fs.mkdirSync("/d");
    const before = ours.footprintBytes(fs);
    makeFiles(fs, paths, bytes);
    return resultOf(OURS, "subject", [(ours.footprintBytes(fs) - before) / FILES]);
  } finally {
    fs.detach();
  }
}

/** Bytes of the process's heap and of the buffers it keeps, after a collection. */
function heapBytes(): number {
  collectGarbage("major");
  collectGarbage("major");
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Bytes per file of memfs, by the growth of the heap. */
async function memfsBytes(paths: readonly string[], bytes: number): Promise<SideResult> {
  const { Volume } = await import("memfs");
  const volume = new Volume();
  volume.mkdirSync("/d");
  makeFiles(volume as unknown as NodeLike, paths.slice(0, 100), bytes);
  const before = heapBytes();
  makeFiles(volume as unknown as NodeLike, paths.slice(100), bytes);
  const perFile = (heapBytes() - before) / (FILES - 100);
  if (volume.readdirSync("/d").length !== FILES) throw new Error("A file is missing");
  return resultOf(MEMFS, "peer", [perFile], "growth of the JavaScript heap and its buffers");
}

/** One experiment per size. */
function memoryExperiment(id: string, work: string, bytes: number, target: Target): Experiment {
  return {
    id,
    group: "Memory and attaching",
    rows: [{ id, work, unit: "bytes", targets: [target] }],
    async measure(context) {
      const paths = flatPaths(FILES, (index) => `/d/${String(index).padStart(8, "0")}`);
      const sides = [ourBytes(paths, bytes)];
      if (!context.without.has(MEMFS)) sides.push(await memfsBytes(paths, bytes));
      return { [id]: { sides } };
    },
  };
}

/** Column of attaching again in a thread that has attached before. */
const AGAIN = "attach again";

/** A fresh worker per round attaches to one filesystem. */
async function measureAttach(context: Context): Promise<Record<string, RowMeasurement>> {
  const id = "footprint.attach";
  if (!ours.available) return { [id]: { sides: [absentResult(OURS, "subject", ours.unavailable)] } };
  const fs = ours.createFileSystem({ maximumBytes: 64 * 2 ** 20 });
  const times: AttachTimes[] = [];
  for (let round = 0; round < Math.max(context.rounds, 5); round++) {
    const worker = await startWorker("attach_worker.ts");
    worker.postMessage(fs.handle);
    times.push(await nextMessage<AttachTimes>(worker));
  }
  fs.detach();
  const sides = [
    resultOf(OURS, "subject", times.map(({ first }) => first), "the first attach in a fresh worker"),
    resultOf(AGAIN, "peer", times.map(({ later }) => later), "in a worker that has attached before"),
  ];
  return { [id]: { sides } };
}

export const experiments: readonly Experiment[] = [
  memoryExperiment("footprint.file_1b", "a 1-byte file, 8-byte name", 1, atMost("≤ 256 B", 256)),
  memoryExperiment("footprint.file_4k", "a 4 KiB file, 8-byte name", 4096, atMost("≤ 4.4 KiB", 4.4 * 1024)),
  {
    id: "footprint.attach",
    group: "Memory and attaching",
    rows: [{ id: "footprint.attach", work: "attach by handle", unit: "ns", targets: [atMost("≤ 2 ms", 2e6)] }],
    measure: measureAttach,
  },
];
