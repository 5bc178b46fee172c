/**
 * Rows of data at a position in files that lie high: above 3 GiB in a memory32 pool, above 5 GiB in a memory64 pool,
 * against the same access in a file that lies low in the same pool.
 *
 * @module
 */
import { absentResult, measureSides, type Side, specialize } from "../harness.ts";
import * as ours from "../ours.ts";
import { type Experiment, OURS, type RowMeasurement, type RowSpec } from "../row.ts";
import { SET } from "../floor.ts";
import {
  type Alignment,
  bareSides,
  type Direction,
  FILE_BYTES,
  PIECE_BYTES,
  positions,
  readLoop,
  writeLoop,
} from "./data.ts";

const GIB = 2 ** 30;
/** Column of the file at low addresses. */
const LOW = "low file";
const OPS_PER_BATCH = 2048;
const DIRECTIONS: readonly Direction[] = ["read", "write"];
const ALIGNMENTS: readonly Alignment[] = ["aligned", "odd"];

/** A pool that reaches high. */
interface Reach {
  readonly id: string;
  readonly words: string;
  readonly address: "i32" | "i64";
  readonly maximumBytes: number;
  /** The high file lies at or above this address. */
  readonly aboveBytes: number;
}

/** Available memory of the machine, or infinity where it cannot be asked. */
function availableBytes(): number {
  try {
    return Deno.systemMemoryInfo().available;
  } catch {
    return Infinity;
  }
}

/** Writes a file of one pattern and leaves it open. */
function patternFile(fs: ours.OurFileSystem, path: string, pattern: number): number {
  fs.writeFileSync(path, new Uint8Array(FILE_BYTES).fill(pattern));
  return fs.openSync(path, "r+");
}

/** Whether the pattern of a file is found in the memory at or above an address: where it really lies. */
function liesAbove(memory: WebAssembly.Memory, address: number, pattern: number): boolean {
  const word = pattern * 0x01010101 | 0;
  const bytes = memory.buffer.byteLength - address;
  if (bytes <= 0) return false;
  // Windows below 2 GiB each: plain access to a view is slow beyond that.
  for (let start = 0; start < bytes; start += GIB) {
    const words = new Int32Array(memory.buffer, address + start, Math.min(GIB, bytes - start) >> 2);
    for (let index = 0; index + 16 < words.length; index += 16) {
      if (words[index] === word && words[index + 7] === word && words[index + 15] === word) return true;
    }
  }
  return false;
}

/** Fills a pool up to an address with reserved files, then makes a file above it. */
function openHigh(reach: Reach): { fs: ours.OurFileSystem; low: number; high: number } {
  const fs = ours.createFileSystem({ maximumBytes: reach.maximumBytes, address: reach.address });
  const low = patternFile(fs, "/low.bin", 0x21);
  for (let filled = 0; filled < reach.aboveBytes; filled += GIB / 2) {
    const fd = fs.openSync(`/ballast${filled}`, "w");
    fs.fallocateSync(fd, 0, 0, GIB / 2);
    fs.closeSync(fd);
  }
  const high = patternFile(fs, "/high.bin", 0x7b);
  if (!liesAbove(ours.memoryOf(fs), reach.aboveBytes, 0x7b)) {
    throw new Error(`The file does not lie above ${reach.aboveBytes / GIB} GiB`);
  }
  return { fs, low, high };
}

/** Rows of one pool: both directions at both alignments. */
function highExperiment(reach: Reach): Experiment {
  const cases = DIRECTIONS.flatMap((direction) =>
    ALIGNMENTS.map((alignment) => ({ direction, alignment, id: `high.${direction}_${alignment}_${reach.id}` }))
  );
  return {
    id: `high.${reach.id}`,
    group: "The same at high addresses",
    rows: cases.map(({ direction, alignment, id }): RowSpec => ({
      id,
      work: `${direction}, ${alignment}, ${reach.words}`,
      unit: "ns",
      targets: [
        { text: "≤ 1.2 × low file", check: { kind: "atMostTimes", side: LOW, limit: 1.2 } },
        {
          text: `≤ ${direction === "read" ? 1.5 : 2} × ${SET}`,
          check: { kind: "atMostTimes", side: SET, limit: direction === "read" ? 1.5 : 2 },
        },
      ],
    })),
    measure(context) {
      const absent = (reason: string): Promise<Record<string, RowMeasurement>> =>
        Promise.resolve(
          Object.fromEntries(cases.map(({ id }) => [id, { sides: [absentResult(OURS, "subject", reason)] }])),
        );
      if (!ours.available) return absent(ours.unavailable);
      const needed = reach.maximumBytes + GIB / 2;
      if (availableBytes() < needed) {
        return absent(
          `needs ${needed / GIB} GiB of memory, the machine has ${(availableBytes() / GIB).toFixed(1)} GiB left`,
        );
      }
      let opened: ReturnType<typeof openHigh>;
      try {
        opened = openHigh(reach);
      } catch (error) {
        return absent(`failed: ${(error as Error).message}`);
      }
      const { fs, low, high } = opened;
      const results: Record<string, RowMeasurement> = {};
      for (const { direction, alignment, id } of cases) {
        const loop = direction === "read" ? readLoop : writeLoop;
        const at = positions(alignment);
        const side = (name: string, kind: Side["kind"], fd: number): Side => ({
          name,
          kind,
          opsPerBatch: OPS_PER_BATCH,
          batch: specialize(loop, fs, fd, new Uint8Array(PIECE_BYTES), at, OPS_PER_BATCH),
        });
        results[id] = {
          sides: measureSides(
            [side(OURS, "subject", high), side(LOW, "peer", low), ...bareSides(direction)],
            context,
          ),
        };
      }
      return Promise.resolve(results);
    },
  };
}

export const experiments: readonly Experiment[] = [
  highExperiment({
    id: "3gib",
    words: "memory32 above 3 GiB",
    address: "i32",
    maximumBytes: 4 * GIB,
    aboveBytes: 3 * GIB,
  }),
  highExperiment({
    id: "5gib",
    words: "memory64 above 5 GiB",
    address: "i64",
    maximumBytes: 6 * GIB,
    aboveBytes: 5 * GIB,
  }),
];
