/**
 * Rows of metadata: stat, open and close, create, rename, unlink, append, readdir, and paths that are not there. All
 * paths have three components.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type Absent, collectGarbage, measureSides, type Side, specialize } from "../harness.ts";
import { flatPaths } from "../random.ts";
import { atMost, type Experiment, OURS, type RowSpec, timesFasterThan } from "../row.ts";
import {
  DENO_TMPFS,
  MEMFS,
  memfsOpener,
  type NodeLike,
  openOurs,
  openSubjects,
  type Subject,
  TMPFS,
  ZENFS,
} from "../subjects.ts";

const GROUP = "Metadata, paths of three components";
const CAPACITY_BYTES = 64 * 2 ** 20;
const PIECE_BYTES = 4096;
/** Files that stat, open and missing paths go round in; a power of two. */
const FILES = 64;
const OPS_PER_BATCH = 256;
const SLOW_OPS_PER_BATCH = 8;
/** Files per batch of create and unlink. */
const CREATED = 500;
const SLOW_CREATED = 10;
const DIRECTORY_ENTRIES = 1_000;
const RECORD_BYTES = 100;

/** Sums a field of stat results, round the paths. Refers to nothing outside itself. */
function statLoop(fs: NodeLike, paths: readonly string[], count: number): () => number {
  return () => {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const stat = fs.statSync(paths[index & (paths.length - 1)]);
      sum += stat.size + stat.mode;
    }
    return sum;
  };
}

/** Opens and closes, round the paths. Refers to nothing outside itself. */
function openCloseLoop(fs: NodeLike, paths: readonly string[], count: number): () => number {
  return () => {
    let opened = 0;
    for (let index = 0; index < count; index++) {
      fs.closeSync(fs.openSync(paths[index & (paths.length - 1)], "r"));
      opened += 1;
    }
    return opened;
  };
}

/** Asks for paths that are not there. Refers to nothing outside itself. */
function existsLoop(fs: NodeLike, paths: readonly string[], count: number): () => number {
  return () => {
    let missing = 0;
    for (let index = 0; index < count; index++) {
      if (!fs.existsSync(paths[index & (paths.length - 1)])) missing += 1;
    }
    if (missing !== count) throw new Error("A missing path was found");
    return missing;
  };
}

/** Asks for the stat of paths that are not there. Refers to nothing outside itself. */
function statMissingLoop(fs: NodeLike, paths: readonly string[], count: number): () => number {
  const options = { throwIfNoEntry: false } as const;
  return () => {
    let missing = 0;
    for (let index = 0; index < count; index++) {
      if (fs.statSync(paths[index & (paths.length - 1)], options) === undefined) missing += 1;
    }
    if (missing !== count) throw new Error("A missing path was found");
    return missing;
  };
}

/** Creates every path, writes one piece, closes. Refers to nothing outside itself. */
function createLoop(holder: { readonly fs: NodeLike }, paths: readonly string[], data: Uint8Array): () => number {
  return () => {
    const { fs } = holder;
    let written = 0;
    for (let index = 0; index < paths.length; index++) {
      const fd = fs.openSync(paths[index], "w");
      written += fs.writeSync(fd, data, 0, data.length, null);
      fs.closeSync(fd);
    }
    if (written !== paths.length * data.length) throw new Error("A write was short");
    return written;
  };
}

/** Removes every path. Refers to nothing outside itself. */
function unlinkLoop(fs: NodeLike, paths: readonly string[]): () => number {
  return () => {
    for (let index = 0; index < paths.length; index++) fs.unlinkSync(paths[index]);
    return paths.length;
  };
}

/** Renames every path there and back. Refers to nothing outside itself. */
function renameLoop(fs: NodeLike, paths: readonly string[], others: readonly string[]): () => number {
  return () => {
    for (let index = 0; index < paths.length; index++) fs.renameSync(paths[index], others[index]);
    for (let index = 0; index < paths.length; index++) fs.renameSync(others[index], paths[index]);
    return paths.length;
  };
}

/** Appends a record. Refers to nothing outside itself. */
function appendLoop(fs: NodeLike, fd: number, record: Uint8Array, count: number): () => number {
  return () => {
    let written = 0;
    for (let index = 0; index < count; index++) written += fs.writeSync(fd, record, 0, record.length, null);
    if (written !== count * record.length) throw new Error("An append was short");
    return written;
  };
}

/** Lists a directory. Refers to nothing outside itself. */
function readdirLoop(fs: NodeLike, path: string, count: number, entries: number): () => number {
  return () => {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const names = fs.readdirSync(path);
      if (names.length !== entries) throw new Error(`Listed ${names.length} entries of ${entries}`);
      sum += names[index % entries].length;
    }
    return sum;
  };
}

/** What a row needs of a subject to become a side: its loop, and what to do around a batch. */
type Work = Pick<Side, "opsPerBatch" | "batch" | "before" | "after">;

/** Paths below `/one/two` in the subject's form. */
function pathsOf(subject: Subject, count: number, prefix: string): string[] {
  return flatPaths(count, (index) => subject.path(`/one/two/${prefix}${String(index).padStart(4, "0")}`));
}

/** Makes `/one/two` with files that hold one piece each. */
function withFiles(subject: Subject, count: number): string[] {
  const paths = pathsOf(subject, count, "file");
  const data = subject.buffer(PIECE_BYTES);
  for (const path of paths) subject.fs.writeFileSync(path, data);
  return paths;
}

/** One experiment per kind of work. */
function metadataExperiment(
  row: RowSpec,
  peers: readonly string[],
  work: (subject: Subject) => Work,
  reasons: Readonly<Record<string, string>> = {},
): Experiment {
  return {
    id: row.id,
    group: GROUP,
    rows: [row],
    async measure(context) {
      const subjects = await openSubjects({ capacityBytes: CAPACITY_BYTES, peers, without: context.without, reasons });
      const sides = subjects.map((subject): Side | Absent => {
        if ("absent" in subject) return subject;
        subject.fs.mkdirSync(subject.path("/one"));
        subject.fs.mkdirSync(subject.path("/one/two"));
        return { name: subject.name, kind: subject.kind, ...work(subject), dispose: () => subject.dispose() };
      });
      return { [row.id]: { sides: measureSides(sides, context) } };
    },
  };
}

const ALL = [MEMFS, ZENFS, TMPFS, DENO_TMPFS];
const opsOf = (subject: Subject) => subject.slow ? SLOW_OPS_PER_BATCH : OPS_PER_BATCH;
const createdBy = (subject: Subject) => subject.slow ? SLOW_CREATED : CREATED;

/** Work on paths that are not there. */
function missingExperiment(
  id: string,
  name: string,
  loop: (fs: NodeLike, paths: readonly string[], count: number) => () => number,
): Experiment {
  return metadataExperiment(
    { id, work: `missing path, ${name}`, unit: "ns", targets: [atMost("≤ 0.5 µs", 500)] },
    [MEMFS, ZENFS, TMPFS],
    (subject) => {
      withFiles(subject, FILES);
      const ops = opsOf(subject);
      return { opsPerBatch: ops, batch: specialize(loop, subject.fs, pathsOf(subject, FILES, "gone"), ops) };
    },
  );
}

/** A side whose filesystem is made anew before every batch, so that it creates in memory that nobody has touched. */
function coldSide(name: string, kind: Side["kind"], open: () => Subject): Side {
  const paths = flatPaths(CREATED, (index) => `/one/two/new${String(index).padStart(4, "0")}`);
  const holder: { fs: NodeLike; subject?: Subject } = { fs: undefined as unknown as NodeLike };
  const data = new Uint8Array(PIECE_BYTES);
  const batch = specialize(createLoop, holder, paths, name === MEMFS ? Buffer.from(data.buffer) : data);
  return {
    name,
    kind,
    opsPerBatch: CREATED,
    batch,
    before: () => {
      // The memory of the batch before must be gone before the next is made: each reserves gigabytes of addresses.
      collectGarbage("major");
      holder.subject = open();
      holder.fs = holder.subject.fs;
      holder.fs.mkdirSync("/one");
      holder.fs.mkdirSync("/one/two");
    },
    after: () => {
      holder.subject?.dispose();
      holder.subject = undefined;
      holder.fs = undefined as unknown as NodeLike;
    },
  };
}

/** Creating in a fresh filesystem; tmpfs has none, and appears as it is. */
const createCold: Experiment = {
  id: "metadata.create_cold",
  group: GROUP,
  rows: [{ id: "metadata.create_cold", work: "create + write 4 KiB + close, cold", unit: "ns", targets: [] }],
  async measure(context) {
    const sides: (Side | Absent)[] = [];
    const probe = openOurs(CAPACITY_BYTES);
    if ("absent" in probe) sides.push(probe);
    else {
      probe.dispose();
      sides.push(coldSide(OURS, "subject", () => openOurs(CAPACITY_BYTES) as Subject));
    }
    if (!context.without.has(MEMFS)) sides.push(coldSide(MEMFS, "peer", await memfsOpener()));
    const peers = await openSubjects({
      capacityBytes: 0,
      peers: [TMPFS],
      without: new Set([...context.without, OURS]),
    });
    for (const tmpfs of peers) {
      if ("absent" in tmpfs) continue;
      const { fs } = tmpfs;
      fs.mkdirSync("one");
      fs.mkdirSync("one/two");
      const paths = pathsOf(tmpfs, CREATED, "new");
      sides.push({
        name: TMPFS,
        kind: "peer",
        opsPerBatch: CREATED,
        batch: specialize(createLoop, tmpfs, paths, tmpfs.buffer(PIECE_BYTES)),
        after: () => paths.forEach((path) => fs.unlinkSync(path)),
        dispose: () => tmpfs.dispose(),
        note: "the same as recycled: the kernel takes pages from where it likes",
      });
    }
    return { "metadata.create_cold": { sides: measureSides(sides, context) } };
  },
};

export const experiments: readonly Experiment[] = [
  metadataExperiment(
    { id: "metadata.stat", work: "stat", unit: "ns", targets: [timesFasterThan(TMPFS, 4)] },
    ALL,
    (subject) => {
      const ops = opsOf(subject);
      return { opsPerBatch: ops, batch: specialize(statLoop, subject.fs, withFiles(subject, FILES), ops) };
    },
  ),
  metadataExperiment(
    { id: "metadata.open_close", work: "open + close", unit: "ns", targets: [timesFasterThan(TMPFS, 4)] },
    ALL,
    (subject) => {
      const ops = opsOf(subject);
      return { opsPerBatch: ops, batch: specialize(openCloseLoop, subject.fs, withFiles(subject, FILES), ops) };
    },
  ),
  metadataExperiment(
    {
      id: "metadata.create",
      work: "create + write 4 KiB + close, recycled",
      unit: "ns",
      targets: [timesFasterThan(TMPFS, 3), timesFasterThan(MEMFS, 10)],
    },
    ALL,
    (subject) => {
      const { fs } = subject;
      const paths = pathsOf(subject, createdBy(subject), "new");
      return {
        opsPerBatch: paths.length,
        batch: specialize(createLoop, subject, paths, subject.buffer(PIECE_BYTES)),
        after: () => paths.forEach((path) => fs.unlinkSync(path)),
      };
    },
  ),
  createCold,
  metadataExperiment(
    { id: "metadata.rename", work: "rename", unit: "ns", targets: [timesFasterThan(TMPFS, 3)] },
    ALL,
    (subject) => {
      const paths = withFiles(subject, subject.slow ? SLOW_CREATED : FILES);
      const others = pathsOf(subject, paths.length, "else");
      return { opsPerBatch: 2 * paths.length, batch: specialize(renameLoop, subject.fs, paths, others) };
    },
  ),
  metadataExperiment(
    { id: "metadata.unlink", work: "unlink of a 4 KiB file", unit: "ns", targets: [timesFasterThan(TMPFS, 3)] },
    ALL,
    (subject) => {
      const { fs } = subject;
      const paths = pathsOf(subject, createdBy(subject), "old");
      const create = createLoop(subject, paths, subject.buffer(PIECE_BYTES));
      return { opsPerBatch: paths.length, before: () => void create(), batch: specialize(unlinkLoop, fs, paths) };
    },
  ),
  metadataExperiment(
    { id: "metadata.append", work: "append 100 B", unit: "ns", targets: [timesFasterThan(TMPFS, 2.5)] },
    ALL,
    (subject) => {
      const { fs } = subject;
      const ops = subject.slow ? 20 : 10_000;
      const fd = fs.openSync(pathsOf(subject, 1, "log")[0], "a");
      return {
        opsPerBatch: ops,
        before: () => fs.ftruncateSync(fd, 0),
        batch: specialize(appendLoop, fs, fd, subject.buffer(RECORD_BYTES).fill(0x61), ops),
      };
    },
  ),
  metadataExperiment(
    { id: "metadata.readdir", work: "readdir of 1,000", unit: "ns", targets: [timesFasterThan(TMPFS, 4)] },
    ALL,
    (subject) => {
      const { fs } = subject;
      const data = subject.buffer(1);
      for (const path of pathsOf(subject, DIRECTORY_ENTRIES, "name")) fs.writeFileSync(path, data);
      const path = flatPaths(1, () => subject.path("/one/two"))[0];
      return { opsPerBatch: 4, batch: specialize(readdirLoop, fs, path, 4, DIRECTORY_ENTRIES) };
    },
    { [ZENFS]: "one call takes about 3 s, after 10 s of filling the directory" },
  ),
  missingExperiment("metadata.exists_missing", "existsSync", existsLoop),
  missingExperiment("metadata.stat_missing", "statSync, throwIfNoEntry: false", statMissingLoop),
];
