/**
 * Rows of larger pieces: whole files of 4 KiB and 1 MiB, and 256 MiB from end to end.
 *
 * @module
 */
import { type Absent, measureSides, type Side, specialize } from "../harness.ts";
import { SET, touchedMemory, WASM_COPY, wasmCopy } from "../floor.ts";
import { flatPaths } from "../random.ts";
import { atMostTimes, type Experiment, type RowSpec, timesFasterThan } from "../row.ts";
import { DENO_TMPFS, MEMFS, type NodeLike, openSubjects, type Subject, TMPFS, ZENFS } from "../subjects.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SEQUENTIAL_BYTES = 256 * MIB;
const SEQUENTIAL_PIECE_BYTES = 64 * KIB;
/** Column of a copy into a fresh array, the floor of a whole-file read. */
const FRESH_COPY = "new Uint8Array(view)";

/** Reads whole files. Refers to nothing outside itself. */
function readWholeLoop(fs: NodeLike, paths: readonly string[], bytes: number, count: number): () => number {
  return () => {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const data = fs.readFileSync(paths[index & (paths.length - 1)]);
      if (data.length !== bytes) throw new Error(`Read ${data.length} bytes of ${bytes}`);
      sum += data[index & 1023];
    }
    return sum;
  };
}

/** Writes whole files over what they held. Refers to nothing outside itself. */
function writeWholeLoop(fs: NodeLike, paths: readonly string[], data: Uint8Array, count: number): () => number {
  return () => {
    for (let index = 0; index < count; index++) {
      data[index & 1023] = index;
      fs.writeFileSync(paths[index & (paths.length - 1)], data);
    }
    return count;
  };
}

/** Copies views of shared memory into fresh arrays. Refers to nothing outside itself. */
function freshCopyLoop(views: readonly Uint8Array[], count: number): () => number {
  return () => {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      sum += new Uint8Array(views[index & (views.length - 1)])[index & 1023];
    }
    return sum;
  };
}

/** Copies an array over views of shared memory. Refers to nothing outside itself. */
function overwriteLoop(views: readonly Uint8Array[], data: Uint8Array, count: number): () => number {
  return () => {
    for (let index = 0; index < count; index++) {
      data[index & 1023] = index;
      views[index & (views.length - 1)].set(data);
    }
    return views[0][0];
  };
}

/** Reads or writes a file from its start to its end. Refers to nothing outside itself. */
function sequentialLoop(fs: NodeLike, path: string, piece: Uint8Array, pieces: number, reads: boolean): () => number {
  return () => {
    let moved = 0;
    const fd = fs.openSync(path, "r+");
    for (let index = 0; index < pieces; index++) {
      if (reads) {
        moved += fs.readSync(fd, piece, 0, piece.length, null);
      } else {
        piece[index & 1023] = index;
        moved += fs.writeSync(fd, piece, 0, piece.length, null);
      }
    }
    fs.closeSync(fd);
    if (moved !== pieces * piece.length) throw new Error(`Moved ${moved} bytes of ${pieces * piece.length}`);
    return moved + piece[0];
  };
}

/** The same with bare `set`. Refers to nothing outside itself. */
function sequentialSetLoop(view: Uint8Array, piece: Uint8Array, pieces: number, reads: boolean): () => number {
  return () => {
    for (let index = 0; index < pieces; index++) {
      const from = index * piece.length;
      if (reads) {
        piece.set(view.subarray(from, from + piece.length));
      } else {
        piece[index & 1023] = index;
        view.set(piece, from);
      }
    }
    return view[0] + piece[0];
  };
}

/** The same with bare `memory.copy`. Refers to nothing outside itself. */
function sequentialWasmLoop(
  copy: (destination: number, source: number, bytes: number) => void,
  view: Uint8Array,
  bytes: number,
  pieces: number,
  reads: boolean,
): () => number {
  const scratch = pieces * bytes;
  return () => {
    for (let index = 0; index < pieces; index++) {
      if (reads) copy(scratch, index * bytes, bytes);
      else copy(index * bytes, scratch, bytes);
    }
    return view[0] + view[scratch];
  };
}

/** Makes some files of a size. */
function withFiles(subject: Subject, count: number, bytes: number): string[] {
  const paths = flatPaths(count, (index) => subject.path(`/whole${index}`));
  const data = subject.buffer(bytes).fill(0x44);
  for (const path of paths) subject.fs.writeFileSync(path, data);
  return paths;
}

/** A row of whole files. */
function wholeExperiment(row: RowSpec, files: number, bytes: number, ops: number, reads: boolean): Experiment {
  return {
    id: row.id,
    group: "Whole files and long runs",
    rows: [row],
    async measure(context) {
      const capacityBytes = 2 * files * bytes;
      const peers = [MEMFS, ZENFS, TMPFS, DENO_TMPFS];
      const subjects = await openSubjects({ capacityBytes, peers, without: context.without });
      const sides = subjects.map((subject): Side | Absent => {
        if ("absent" in subject) return subject;
        const paths = withFiles(subject, files, bytes);
        const opsPerBatch = subject.slow ? Math.min(ops, 4) : ops;
        const batch = reads
          ? specialize(readWholeLoop, subject.fs, paths, bytes, opsPerBatch)
          : specialize(writeWholeLoop, subject.fs, paths, subject.buffer(bytes), opsPerBatch);
        return { name: subject.name, kind: subject.kind, opsPerBatch, batch, dispose: () => subject.dispose() };
      });
      const shared = new Uint8Array(touchedMemory(files * bytes).buffer);
      const views = Array.from({ length: files }, (_, index) => shared.subarray(index * bytes, (index + 1) * bytes));
      sides.push({
        name: reads ? FRESH_COPY : SET,
        kind: "floor",
        opsPerBatch: ops,
        batch: reads
          ? specialize(freshCopyLoop, views, ops)
          : specialize(overwriteLoop, views, new Uint8Array(bytes), ops),
      });
      return { [row.id]: { sides: measureSides(sides, context) } };
    },
  };
}

/** A row of 256 MiB in pieces of 64 KiB; its numbers are per piece. */
function sequentialExperiment(reads: boolean): Experiment {
  const id = reads ? "bulk.read_sequential" : "bulk.write_sequential";
  const pieces = SEQUENTIAL_BYTES / SEQUENTIAL_PIECE_BYTES;
  return {
    id,
    group: "Whole files and long runs",
    rows: [{
      id,
      work: `${reads ? "read" : "write"} 256 MiB in 64 KiB pieces, warm (per piece)`,
      unit: "ns",
      targets: [atMostTimes(SET, 1.15)],
    }],
    async measure(context) {
      const subjects = await openSubjects({
        capacityBytes: SEQUENTIAL_BYTES,
        peers: [MEMFS, ZENFS, TMPFS],
        without: context.without,
        reasons: reads ? { [ZENFS]: "one read of 64 KiB from a file this long takes about 0.7 s" } : {},
      });
      const sides = subjects.map((subject): Side | Absent => {
        if ("absent" in subject) return subject;
        const path = flatPaths(1, () => subject.path("/long.bin"))[0];
        subject.fs.writeFileSync(path, subject.buffer(SEQUENTIAL_BYTES).fill(0x55));
        return {
          name: subject.name,
          kind: subject.kind,
          opsPerBatch: pieces,
          batch: specialize(
            sequentialLoop,
            subject.fs,
            path,
            subject.buffer(SEQUENTIAL_PIECE_BYTES),
            pieces,
            reads,
          ),
          dispose: () => subject.dispose(),
        };
      });
      const memory = touchedMemory(SEQUENTIAL_BYTES + SEQUENTIAL_PIECE_BYTES);
      const view = new Uint8Array(memory.buffer);
      const piece = new Uint8Array(SEQUENTIAL_PIECE_BYTES);
      sides.push({
        name: SET,
        kind: "floor",
        opsPerBatch: pieces,
        batch: specialize(sequentialSetLoop, view, piece, pieces, reads),
      }, {
        name: WASM_COPY,
        kind: "floor",
        opsPerBatch: pieces,
        batch: specialize(sequentialWasmLoop, wasmCopy(memory), view, SEQUENTIAL_PIECE_BYTES, pieces, reads),
        note: "within one memory",
      });
      return { [id]: { sides: measureSides(sides, context) } };
    },
  };
}

const faster = [timesFasterThan(TMPFS, 3)];
export const experiments: readonly Experiment[] = [
  wholeExperiment(
    { id: "bulk.read_4k", work: "read a whole 4 KiB file", unit: "ns", targets: faster },
    64,
    4 * KIB,
    256,
    true,
  ),
  wholeExperiment(
    { id: "bulk.write_4k", work: "write a whole 4 KiB file", unit: "ns", targets: faster },
    64,
    4 * KIB,
    256,
    false,
  ),
  wholeExperiment(
    { id: "bulk.read_1m", work: "read a whole 1 MiB file", unit: "ns", targets: [atMostTimes(FRESH_COPY, 1.15)] },
    4,
    MIB,
    16,
    true,
  ),
  wholeExperiment(
    { id: "bulk.write_1m", work: "write a whole 1 MiB file", unit: "ns", targets: faster },
    4,
    MIB,
    16,
    false,
  ),
  sequentialExperiment(true),
  sequentialExperiment(false),
];
