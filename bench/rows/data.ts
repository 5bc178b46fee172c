/**
 * Rows of data at a position: 4 KiB into and from a caller's buffer, hot, at aligned and at odd offsets.
 *
 * @module
 */
import { type Absent, measureSides, type Side, specialize } from "../harness.ts";
import { SET, touchedMemory, WASM_COPY, wasmCopy } from "../floor.ts";
import { random } from "../random.ts";
import { atMostTimes, type Experiment, type Target, timesFasterThan } from "../row.ts";
import { MEMFS, type NodeLike, openSubjects, type Subject, TMPFS, ZENFS } from "../subjects.ts";

/** Bytes of one access. */
export const PIECE_BYTES = 4096;
/** Bytes of the file: small enough to stay in the cache. */
export const FILE_BYTES = 2 ** 20;
const POSITIONS = 512;
const OPS_PER_BATCH = 2048;
const SLOW_OPS_PER_BATCH = 64;
/** Direction of an access. */
export type Direction = "read" | "write";
/** Where an access starts. */
export type Alignment = "aligned" | "odd";

/**
 * Positions to access, in random order.
 *
 * @param alignment Multiples of 4096, or odd numbers.
 * @returns The positions, all with a whole piece behind them.
 */
export function positions(alignment: Alignment): Int32Array {
  const next = random(11);
  const last = FILE_BYTES / PIECE_BYTES - 1;
  return Int32Array.from(
    { length: POSITIONS },
    () =>
      alignment === "aligned"
        ? Math.floor(next() * (last + 1)) * PIECE_BYTES
        : Math.floor(next() * last * PIECE_BYTES / 2) * 2 + 1,
  );
}

/** Reads pieces at positions. Refers to nothing outside itself. */
export function readLoop(fs: NodeLike, fd: number, buffer: Uint8Array, at: Int32Array, count: number): () => number {
  return () => {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      sum += fs.readSync(fd, buffer, 0, buffer.length, at[index & (at.length - 1)]) + buffer[index & 4095];
    }
    return sum;
  };
}

/** Writes pieces at positions. Refers to nothing outside itself. */
export function writeLoop(fs: NodeLike, fd: number, buffer: Uint8Array, at: Int32Array, count: number): () => number {
  return () => {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      buffer[index & 4095] = index;
      sum += fs.writeSync(fd, buffer, 0, buffer.length, at[index & (at.length - 1)]);
    }
    return sum;
  };
}

/** Bare `set` out of shared memory. Refers to nothing outside itself. */
function setReadLoop(view: Uint8Array, buffer: Uint8Array, at: Int32Array, count: number): () => number {
  return () => {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const from = at[index & (at.length - 1)];
      buffer.set(view.subarray(from, from + buffer.length));
      sum += buffer[index & 4095];
    }
    return sum;
  };
}

/** Bare `set` into shared memory. Refers to nothing outside itself. */
function setWriteLoop(view: Uint8Array, buffer: Uint8Array, at: Int32Array, count: number): () => number {
  return () => {
    for (let index = 0; index < count; index++) {
      buffer[index & 4095] = index;
      view.set(buffer, at[index & (at.length - 1)]);
    }
    return view[at[0]];
  };
}

/** Bare `memory.copy` within shared memory, to or from the page behind the file. Refers to nothing outside itself. */
function wasmLoop(
  copy: (destination: number, source: number, bytes: number) => void,
  [scratch, bytes, reads]: readonly [number, number, boolean],
  view: Uint8Array,
  at: Int32Array,
  count: number,
): () => number {
  return () => {
    for (let index = 0; index < count; index++) {
      const place = at[index & (at.length - 1)];
      if (reads) copy(scratch, place, bytes);
      else copy(place, scratch, bytes);
    }
    return view[scratch] + view[at[0]];
  };
}

/**
 * The floors of an access of 4 KiB: always at aligned positions, which is what the targets compare with.
 *
 * @param direction Out of shared memory or into it.
 * @returns A side for `set` and one for `memory.copy`.
 */
export function bareSides(direction: Direction): Side[] {
  const memory = touchedMemory(FILE_BYTES + PIECE_BYTES);
  const view = new Uint8Array(memory.buffer);
  const buffer = new Uint8Array(PIECE_BYTES);
  const at = positions("aligned");
  const set = direction === "read" ? setReadLoop : setWriteLoop;
  return [
    {
      name: SET,
      kind: "floor",
      opsPerBatch: OPS_PER_BATCH,
      batch: specialize(set, view, buffer, at, OPS_PER_BATCH),
      note: "at aligned positions",
    },
    {
      name: WASM_COPY,
      kind: "floor",
      opsPerBatch: OPS_PER_BATCH,
      batch: specialize(
        wasmLoop,
        wasmCopy(memory),
        [FILE_BYTES, PIECE_BYTES, direction === "read"],
        view,
        at,
        OPS_PER_BATCH,
      ),
      note: "within one memory, at aligned positions",
    },
  ];
}

/** The side of one filesystem. */
function accessSide(subject: Subject | Absent, direction: Direction, alignment: Alignment): Side | Absent {
  if ("absent" in subject) return subject;
  const { fs } = subject;
  const path = subject.path("/data.bin");
  fs.writeFileSync(path, subject.buffer(FILE_BYTES).fill(0x33));
  const fd = fs.openSync(path, "r+");
  const loop = direction === "read" ? readLoop : writeLoop;
  const ops = subject.slow ? SLOW_OPS_PER_BATCH : OPS_PER_BATCH;
  return {
    name: subject.name,
    kind: subject.kind,
    opsPerBatch: ops,
    batch: specialize(loop, fs, fd, subject.buffer(PIECE_BYTES), positions(alignment), ops),
    dispose: () => {
      fs.closeSync(fd);
      subject.dispose();
    },
  };
}

/** One experiment per direction and alignment. */
function accessExperiment(direction: Direction, alignment: Alignment): Experiment {
  const id = `data.${direction}_${alignment}`;
  const targets: Target[] = [
    atMostTimes(SET, direction === "read" ? 1.5 : 2),
    timesFasterThan(MEMFS, 1.8),
    timesFasterThan(TMPFS, 1.8),
  ];
  return {
    id,
    group: "Data at a position, 4 KiB of a hot 1 MiB file",
    rows: [{ id, work: `${direction}, ${alignment} offsets`, unit: "ns", targets }],
    async measure(context) {
      const subjects = await openSubjects({
        capacityBytes: 2 * FILE_BYTES,
        peers: [MEMFS, ZENFS, TMPFS],
        without: context.without,
      });
      const sides = subjects.map((subject) => accessSide(subject, direction, alignment));
      return { [id]: { sides: measureSides([...sides, ...bareSides(direction)], context) } };
    },
  };
}

export const experiments: readonly Experiment[] = [
  accessExperiment("read", "aligned"),
  accessExperiment("read", "odd"),
  accessExperiment("write", "aligned"),
  accessExperiment("write", "odd"),
];
