/**
 * The part of an Emscripten program's `FS` object that the plugin calls, and of the nodes and streams that it is called
 * with. They are the program's own: every version of Emscripten has its own of them.
 *
 * @module
 */
import type { Place } from "./place.ts";

/** A node of a program's tree: an entry as it was when it was looked up. */
export interface FSNode {
  /** The node of the directory; the root's is itself. */
  parent: FSNode;
  /** The mount that it belongs to. */
  mount: FSMount;
  /** Number by which the program's core tells parents apart. */
  id: number;
  /** Name in the directory. */
  name: string;
  /** Type and permissions. */
  mode: number;
  /** What is mounted on it. */
  mounted: FSMount | null;
  /** What the core calls for the entry. */
  node_ops: NodeOps;
  /** What the core calls for streams of it. */
  stream_ops: StreamOps;
  /** Of a directory of the pool: which. */
  place?: Place;
  /** Of the node of a stream: the descriptor of the open file; -1 once it is closed. */
  descriptor?: number;
  /** Of the node of a stream of a directory: what the program is being told of it. */
  listing?: Listing;
}

/** What a directory held when the program listed it. */
export interface Listing {
  /** Word of the directory's inode. */
  readonly word: number;
  /** Type and inode number by name. */
  readonly entries: ReadonlyMap<string, readonly [mode: number, ino: number]>;
}

/** An open file of a program. */
export interface FSStream {
  /** The program's descriptor. */
  fd: number;
  /** The node that it was opened by. */
  node: FSNode;
  /** Flags of the opening, without those that the core has dealt with. */
  flags: number;
  /** Current position. */
  position: number;
}

/** A mount. */
export interface FSMount {
  /** What was given to `FS.mount`. */
  readonly opts: unknown;
}

/** What `stat` tells a program. */
export interface FSStat {
  dev: number;
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  atime: Date;
  mtime: Date;
  ctime: Date;
  blksize: number;
  blocks: number;
}

/** What the core wants changed of a node; which of them it names depends on its version. */
export interface FSAttributes {
  mode?: number | null;
  size?: number;
  atime?: number | Date | null;
  mtime?: number | Date | null;
  ctime?: number | null;
  timestamp?: number;
}

/** What `statfs` tells a program. */
export interface FSStatFs {
  bsize: number;
  frsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
}

/** The calls of the core on nodes. */
export interface NodeOps {
  getattr(node: FSNode): FSStat;
  setattr(node: FSNode, attributes: FSAttributes): void;
  lookup?(parent: FSNode, name: string): FSNode;
  mknod?(parent: FSNode, name: string, mode: number, device: number): FSNode;
  rename?(node: FSNode, newParent: FSNode, newName: string): void;
  unlink?(parent: FSNode, name: string): void;
  rmdir?(parent: FSNode, name: string): void;
  readdir?(node: FSNode): string[];
  symlink?(parent: FSNode, name: string, target: string): FSNode;
  link?(parent: FSNode, name: string, existing: string, flags?: number): void;
  readlink?(node: FSNode): string;
  statfs?(): FSStatFs;
}

/** A buffer as the core hands it on: the program's memory, mostly, as signed bytes. */
export type FSBuffer = ArrayBufferView | readonly number[];

/** The calls of the core on streams. */
export interface StreamOps {
  open(stream: FSStream): void;
  close(stream: FSStream): void;
  llseek(stream: FSStream, offset: number, whence: number): number;
  read?(stream: FSStream, buffer: FSBuffer, offset: number, length: number, position: number): number;
  write?(stream: FSStream, buffer: FSBuffer, offset: number, length: number, position: number): number;
  allocate?(stream: FSStream, offset: number, length: number): void;
  mmap?(stream: FSStream, ...range: number[]): unknown;
  msync?(stream: FSStream, buffer: FSBuffer, offset: number, length: number, flags: number): number;
}

/** A program's `FS`, as far as the plugin calls it. */
export interface FSCore {
  readonly ErrnoError: new (errno: number) => Error & { errno: number };
  readonly FSNode: new (parent: FSNode | null, name: string, mode: number, device: number) => FSNode;
  readonly filesystems: { readonly MEMFS?: { readonly stream_ops: Partial<StreamOps> } } | null;
  readonly streams: readonly (FSStream | null | undefined)[];
  hashRemoveNode(node: FSNode): void;
  lookupPath(path: string, options: { follow?: boolean }): { node?: FSNode | null };
  closeStream(fd: number): void;
  close(stream: FSStream): void;
  open(path: string | FSNode, flags?: string | number, mode?: number, ...rest: unknown[]): FSStream;
  rename(from: string, to: string, ...rest: unknown[]): unknown;
  readFile(path: string | FSNode, options?: { flags?: string | number; encoding?: string }): unknown;
}

const METHODS: readonly string[] = [
  "ErrnoError",
  "FSNode",
  "hashRemoveNode",
  "lookupPath",
  "closeStream",
  "close",
  "open",
  "rename",
  "readFile",
];

/** Checks that something is a program's `FS`, with its names as Emscripten has them. */
export function toCore(value: unknown): FSCore {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) {
    throw new TypeError(`FS must be the FS object of an Emscripten program. Received ${describe(value)}`);
  }
  const missing = METHODS.filter((name) => typeof (value as Record<string, unknown>)[name] !== "function");
  if (missing.length > 0) {
    throw new TypeError(
      `FS must be the FS object of an Emscripten program built without WasmFS, its names kept. It has no ${
        missing.join(", ")
      }`,
    );
  }
  return value as FSCore;
}

/** Names a value in a message. */
export function describe(value: unknown): string {
  if (typeof value === "object" && value !== null) return `an instance of ${value.constructor?.name ?? "Object"}`;
  return typeof value === "string" ? `'${value}'` : String(value);
}
