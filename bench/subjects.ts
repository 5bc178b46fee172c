/**
 * The filesystems that are measured, behind one interface shaped like `node:fs`: ours, memfs, ZenFS's SingleBuffer on a
 * SharedArrayBuffer, and node:fs on tmpfs.
 *
 * @module
 */
import nodeFs from "node:fs";
import { Buffer } from "node:buffer";
import { tmpdir } from "node:os";
import type { Absent, SideKind } from "./harness.ts";
import * as ours from "./ours.ts";
import { OURS } from "./row.ts";

/** Columns of the peers. */
export const MEMFS = "memfs";
export const ZENFS = "ZenFS";
export const TMPFS = "tmpfs";
export const DENO_TMPFS = "tmpfs by Deno.*";

/** What the rows call; a file descriptor is opaque to them. */
export interface NodeLike {
  openSync(path: string, flags: string): number;
  closeSync(fd: number): void;
  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  ftruncateSync(fd: number, bytes: number): void;
  readFileSync(path: string): Uint8Array;
  writeFileSync(path: string, data: Uint8Array): void;
  statSync(path: string): FileStat;
  statSync(path: string, options: { throwIfNoEntry: false }): FileStat | undefined;
  existsSync(path: string): boolean;
  mkdirSync(path: string): unknown;
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
  readdirSync(path: string): string[];
}

/** The fields of a stat result that the rows read. */
export interface FileStat {
  readonly size: number;
  readonly mode: number;
}

/** A filesystem under measurement. */
export interface Subject {
  /** Column of the table. */
  readonly name: string;
  readonly kind: SideKind;
  readonly fs: NodeLike;
  /** The subject's own form of an absolute path. */
  path(absolute: string): string;
  /** A buffer of the kind that the subject is fastest with. */
  buffer(bytes: number): Uint8Array;
  /** Whether single operations take long, so that batches must be small. */
  readonly slow: boolean;
  dispose(): void;
}

/** What to open. */
export interface Wanted {
  /** Most bytes that the row keeps in files at a time. */
  readonly capacityBytes: number;
  /** Peers of this row; ours is always there. */
  readonly peers: readonly string[];
  /** Sides that the caller does not want. */
  readonly without: ReadonlySet<string>;
  /** Why a peer cannot take part, by its column. */
  readonly reasons?: Readonly<Record<string, string>>;
}

/**
 * Opens an empty filesystem of each kind wanted.
 *
 * @param wanted Which ones, and how large.
 * @returns The subjects, and in place of those that cannot take part the reason.
 */
export async function openSubjects(wanted: Wanted): Promise<(Subject | Absent)[]> {
  const opened: (Subject | Absent)[] = [];
  for (const name of [OURS, ...wanted.peers]) {
    const reason = wanted.reasons?.[name] ?? (wanted.without.has(name) ? "left out" : undefined);
    if (reason !== undefined) opened.push({ name, kind: name === OURS ? "subject" : "peer", absent: reason });
    else opened.push(await open(name, wanted.capacityBytes));
  }
  return opened;
}

/** Opens one filesystem. */
async function open(name: string, capacityBytes: number): Promise<Subject | Absent> {
  switch (name) {
    case OURS:
      return openOurs(capacityBytes);
    case MEMFS:
      return (await memfsOpener())();
    case ZENFS:
      return await openZenfs();
    case TMPFS:
      return openTmpfs();
    case DENO_TMPFS:
      return openDenoTmpfs();
    default:
      throw new Error(`Cannot open a filesystem named "${name}"`);
  }
}

/**
 * Opens a filesystem of ours.
 *
 * @param capacityBytes Most bytes in files at a time; the pool may grow to twice that and 64 MiB.
 * @returns The subject, or why there is none.
 */
export function openOurs(capacityBytes: number): Subject | Absent {
  if (!ours.available) return { name: OURS, kind: "subject", absent: ours.unavailable };
  const fs = ours.createFileSystem({ maximumBytes: Math.min(2 * capacityBytes + 64 * 2 ** 20, 4 * 2 ** 30) });
  return {
    name: OURS,
    kind: "subject",
    fs,
    path: (absolute) => absolute,
    buffer: (bytes) => new Uint8Array(bytes),
    slow: false,
    dispose: () => fs.detach(),
  };
}

/**
 * Loads memfs. The methods are called on the volume itself, the shortest way in, and with `Buffer`s: a plain Uint8Array
 * costs it twice as much on writes.
 *
 * @returns A function that opens an empty volume.
 */
export async function memfsOpener(): Promise<() => Subject> {
  const { Volume } = await import("memfs");
  return () => {
    const volume = new Volume();
    return {
      name: MEMFS,
      kind: "peer",
      fs: volume as unknown as NodeLike,
      path: (absolute) => absolute,
      buffer: (bytes) => Buffer.alloc(bytes),
      slow: false,
      dispose: () => volume.reset(),
    };
  };
}

/** Opens an empty ZenFS SingleBuffer on a SharedArrayBuffer, mounted as the root. */
async function openZenfs(): Promise<Subject> {
  const zen = await import("@zenfs/core");
  // The backend does not reuse space, so it gets all that it can address; the machine pays only for what is touched.
  const buffer = new SharedArrayBuffer(2 ** 31);
  await zen.configure({ mounts: { "/": { backend: zen.SingleBuffer, buffer } } });
  return {
    name: ZENFS,
    kind: "peer",
    fs: zen.fs as unknown as NodeLike,
    path: (absolute) => absolute,
    buffer: (bytes) => new Uint8Array(bytes),
    slow: true,
    dispose: () => zen.fs.umount("/"),
  };
}

/** Where tmpfs is mounted, or where files go on a machine without it. */
export function tmpfsLocation(): { directory: string; note?: string } {
  try {
    if (Deno.statSync("/dev/shm").isDirectory) return { directory: "/dev/shm" };
  } catch {
    // No such mount: fall through.
  }
  return { directory: tmpdir(), note: `no /dev/shm here: "${TMPFS}" is ${tmpdir()}, whatever that lies on` };
}

/** Environment variable by which the process that started this one says where it will clean up. */
export const SCRATCH_VARIABLE = "EXTMEMFS_BENCH_SCRATCH";

/**
 * Makes an empty directory on tmpfs.
 *
 * @param parent Directory to make it in; the mount itself if absent.
 * @returns Its absolute path.
 */
export function makeTmpfsDirectory(parent?: string): string {
  return Deno.makeTempDirSync({ dir: parent ?? tmpfsLocation().directory, prefix: "extmemfs-bench-" });
}

/**
 * Opens node:fs in an empty directory on tmpfs, which becomes the working directory: with relative paths the kernel
 * walks as many components as the others do.
 */
function openTmpfs(): Subject {
  const dispose = enterTmpfs();
  return {
    name: TMPFS,
    kind: "peer",
    fs: nodeFs as unknown as NodeLike,
    path: (absolute) => absolute.slice(1),
    buffer: (bytes) => new Uint8Array(bytes),
    slow: false,
    dispose,
  };
}

/**
 * Opens the same kind of directory through Deno's own API, which is faster than its node:fs for some calls. Not
 * complete: it has no reads and writes at a position, and no call for missing paths that does not throw.
 */
function openDenoTmpfs(): Subject {
  const dispose = enterTmpfs();
  const options = (flags: string): Deno.OpenOptions => {
    switch (flags) {
      case "r":
        return { read: true };
      case "w":
        return { write: true, create: true, truncate: true };
      case "a":
        return { append: true, create: true };
      default:
        throw new Error(`Cannot translate the flags "${flags}" to Deno's`);
    }
  };
  const handle = (fd: number) => fd as unknown as Deno.FsFile;
  const fs = {
    openSync: (path: string, flags: string) => Deno.openSync(path, options(flags)) as unknown as number,
    closeSync: (fd: number) => handle(fd).close(),
    writeSync: (fd: number, buffer: Uint8Array) => handle(fd).writeSync(buffer),
    ftruncateSync: (fd: number, bytes: number) => handle(fd).truncateSync(bytes),
    readFileSync: Deno.readFileSync,
    writeFileSync: Deno.writeFileSync,
    statSync: Deno.statSync,
    mkdirSync: Deno.mkdirSync,
    renameSync: Deno.renameSync,
    unlinkSync: Deno.removeSync,
    readdirSync: (path: string) => {
      const names: string[] = [];
      for (const entry of Deno.readDirSync(path)) names.push(entry.name);
      return names;
    },
  };
  return {
    name: DENO_TMPFS,
    kind: "peer",
    fs: fs as unknown as NodeLike,
    path: (absolute) => `deno-${absolute.slice(1)}`,
    buffer: (bytes) => new Uint8Array(bytes),
    slow: false,
    dispose,
  };
}

let entered: { readonly directory: string; users: number } | undefined;

/**
 * Makes an empty directory on tmpfs the working directory, shared by all who ask for it at the same time; worker
 * threads of this process share it too.
 *
 * @returns Gives it up; the last one removes it.
 */
export function enterTmpfs(): () => void {
  if (entered === undefined) {
    entered = { directory: makeTmpfsDirectory(Deno.env.get(SCRATCH_VARIABLE)), users: 0 };
    Deno.chdir(entered.directory);
  }
  const shared = entered;
  shared.users += 1;
  return () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    Deno.chdir("/");
    Deno.removeSync(shared.directory, { recursive: true });
    entered = undefined;
  };
}
