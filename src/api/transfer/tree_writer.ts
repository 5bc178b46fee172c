/**
 * Writes a tree under one directory and never anywhere else.
 *
 * Three rules keep it inside: every name is checked by itself; every parent is a directory that was looked at without
 * following links, or was made here; and files are made with `O_EXCL`, so that nothing that exists, link or file, is
 * ever opened for writing. A symbolic link of the tree is thus written as it is, wherever it points, but nothing is
 * written through it. Another process that rearranges the target meanwhile is outside of what this can promise:
 * `node:fs` has no `openat`.
 *
 * The permission bits and times of directories are set at the end, when nothing is written into them any more.
 * Imports `pacer.ts` and `errors.ts`. Takes no locks of its own.
 *
 * @module
 */

import { transferError } from "./errors.ts";
import type { Pacer } from "./pacer.ts";
import type { TransferFileSystem } from "./types.ts";

/** What is kept of an entry beside its contents. */
export interface Metadata {
  /** Permission bits. */
  readonly mode: number;
  /** Last access, in milliseconds since 1970. */
  readonly atimeMs: number;
  /** Last change, in milliseconds since 1970. */
  readonly mtimeMs: number;
}

/** How a {@linkcode TreeWriter} writes. */
export interface TreeWriterOptions {
  /** The filesystem that is written. */
  readonly fs: TransferFileSystem;
  /** The directory that receives the tree; made where it is missing. */
  readonly root: string;
  /** Counts what is written. */
  readonly pacer: Pacer;
  /** Names the transfer in errors. */
  readonly syscall: string;
  /** The flags that make a new file and refuse whatever is there. */
  readonly createFlags: string | number;
  /** What names may not hold, beyond what none may. */
  readonly forbiddenInNames: RegExp | undefined;
  /** The permission bits of files that are kept. */
  readonly fileModeMask: number;
  /** Whether an existing file or link may be replaced. */
  readonly overwrite: boolean;
  /** Whether an entry written earlier by this same writer may be replaced (a tar archive may hold a path twice). */
  readonly replaceOwn: boolean;
}

/** The permission bits, without the type of the file. */
const MODE_MASK = 0o7777;
/** A directory while it is being filled: nobody else looks into what may turn out to be private. */
const FILLING_DIRECTORY_MODE = 0o700;
/** A file while it is being filled. */
const FILLING_FILE_MODE = 0o600;

/** The file being written. */
interface OpenFile {
  readonly fd: number;
  readonly path: string;
  readonly fullPath: string;
  readonly metadata: Metadata;
  position: number;
  endsInHole: boolean;
}

/** Writes one tree. Paths are relative to the root, with `/` between names. */
export class TreeWriter {
  readonly #fs: TransferFileSystem;
  readonly #root: string;
  readonly #options: TreeWriterOptions;
  readonly #pacer: Pacer;
  /** Directories known to be real ones. */
  readonly #directories = new Set<string>([""]);
  /** Directories whose permission bits and times are still to be set, in the order they were met. */
  readonly #unsettled = new Map<string, Metadata>();
  /** What this writer made that is no directory; kept only where it may be replaced. */
  readonly #own = new Set<string>();
  readonly #madeRoot: boolean;
  #file: OpenFile | undefined;

  /**
   * Opens the root, making it where it is missing.
   *
   * @throws An error of the filesystem, or `ENOTDIR` where the root is something else.
   */
  constructor(options: TreeWriterOptions) {
    this.#options = options;
    this.#fs = options.fs;
    this.#pacer = options.pacer;
    this.#root = options.root === "/" ? "" : options.root.replace(/\/+$/, "");
    this.#madeRoot = this.#fs.lstatSync(options.root, { throwIfNoEntry: false }) === undefined;
    if (this.#madeRoot) this.#fs.mkdirSync(options.root, { recursive: true });
    else if (!this.#fs.statSync(options.root).isDirectory()) {
      throw transferError("ENOTDIR", "not a directory", options.syscall, options.root);
    }
  }

  /** Makes a directory, or merges into one that is there. The empty path stands for the root. */
  directory(path: string, metadata: Metadata): void {
    if (path === "") {
      // A root that was there before keeps its own permission bits and times.
      if (this.#madeRoot) this.#unsettled.set("", metadata);
      return;
    }
    this.#checkParent(path);
    if (!this.#directories.has(path)) {
      this.#makeDirectory(path);
      this.#directories.add(path);
    }
    if (!this.#unsettled.has(path)) this.#pacer.counts.directories++;
    this.#unsettled.set(path, metadata);
  }

  /** Makes a new, empty file and leaves it open for {@linkcode write}, {@linkcode skip} and {@linkcode endFile}. */
  beginFile(path: string, metadata: Metadata): void {
    const fullPath = this.#place(path);
    const open = () => this.#fs.openSync(fullPath, this.#options.createFlags, FILLING_FILE_MODE);
    const fd = this.#createInPlace(path, fullPath, open);
    this.#file = { fd, path, fullPath, metadata, position: 0, endsInHole: false };
  }

  /** Appends bytes to the open file. */
  write(buffer: Uint8Array, offset: number, length: number): void {
    const file = this.#file!;
    while (length > 0) {
      const count = this.#fs.writeSync(file.fd, buffer, offset, length, file.position);
      if (count <= 0) throw transferError("EIO", "nothing was written", "write", file.fullPath);
      offset += count;
      length -= count;
      file.position += count;
      this.#pacer.counts.bytes += count;
    }
    file.endsInHole = false;
  }

  /** Appends a hole to the open file. */
  skip(length: number): void {
    const file = this.#file!;
    file.position += length;
    file.endsInHole = true;
    this.#pacer.counts.bytes += length;
  }

  /** Finishes the open file: sets its permission bits and times and closes it. */
  endFile(): void {
    const file = this.#file!;
    const fs = this.#fs;
    if (file.endsInHole) fs.ftruncateSync(file.fd, file.position);
    fs.fchmodSync(file.fd, file.metadata.mode & this.#options.fileModeMask);
    fs.closeSync(file.fd);
    this.#file = undefined;
    this.#setTimes(file.fullPath, file.metadata);
    this.#pacer.counts.files++;
  }

  /** Makes a symbolic link; where it points is nobody's business here. */
  symlink(path: string, target: string, metadata: Metadata): void {
    const fullPath = this.#place(path);
    this.#createInPlace(path, fullPath, () => this.#fs.symlinkSync(target, fullPath));
    this.#setTimes(fullPath, metadata);
    this.#pacer.counts.symlinks++;
  }

  /** Gives a file of the tree another name. */
  hardLink(path: string, existing: string): void {
    const existingPath = this.#place(existing);
    if (!this.#fs.lstatSync(existingPath)!.isFile()) {
      throw transferError("EPERM", "a hard link must name a regular file", this.#options.syscall, existingPath);
    }
    const fullPath = this.#place(path);
    this.#createInPlace(path, fullPath, () => this.#fs.linkSync(existingPath, fullPath));
    this.#pacer.counts.hardLinks++;
  }

  /** Sets the permission bits and times of the directories, the deepest first. */
  finish(): void {
    // In descending order a directory comes after all that it holds.
    for (const path of [...this.#unsettled.keys()].sort().reverse()) {
      const metadata = this.#unsettled.get(path)!;
      const fullPath = path === "" ? this.#options.root : `${this.#root}/${path}`;
      this.#fs.chmodSync(fullPath, metadata.mode & MODE_MASK);
      this.#setTimes(fullPath, metadata);
      this.#unsettled.delete(path);
    }
  }

  /** Leaves what was written consistent after a failure: removes the unfinished file and settles the directories. */
  abandon(): void {
    const file = this.#file;
    this.#file = undefined;
    // The failure that led here is the one to report, so what fails on the way out stays unsaid.
    if (file !== undefined) {
      attempt(() => this.#fs.closeSync(file.fd));
      attempt(() => this.#fs.unlinkSync(file.fullPath));
    }
    attempt(() => this.finish());
  }

  /** Checks the way to a path; returns the full path. */
  #place(path: string): string {
    this.#checkParent(path);
    return `${this.#root}/${path}`;
  }

  /** Checks a path's last name, and that its parent is a real directory; makes missing parents. */
  #checkParent(path: string): void {
    const end = path.lastIndexOf("/");
    this.#checkName(path.slice(end + 1), path);
    if (end < 0) return;
    const parent = path.slice(0, end);
    if (this.#directories.has(parent)) return;
    this.#checkParent(parent);
    const fullPath = `${this.#root}/${parent}`;
    const stats = this.#fs.lstatSync(fullPath, { throwIfNoEntry: false });
    if (stats === undefined) this.#fs.mkdirSync(fullPath);
    else if (!stats.isDirectory()) {
      const what = stats.isSymbolicLink() ? "refusing to write through a symbolic link" : "not a directory";
      throw transferError("ENOTDIR", what, this.#options.syscall, fullPath);
    }
    this.#directories.add(parent);
  }

  #checkName(name: string, path: string): void {
    if (
      name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0") ||
      this.#options.forbiddenInNames?.test(name)
    ) {
      throw transferError("EINVAL", "a name that cannot be written", this.#options.syscall, path);
    }
  }

  #makeDirectory(path: string): void {
    const fullPath = `${this.#root}/${path}`;
    const stats = this.#fs.lstatSync(fullPath, { throwIfNoEntry: false });
    if (stats?.isDirectory()) return;
    if (stats !== undefined && this.#mayReplace(path)) this.#fs.unlinkSync(fullPath);
    this.#fs.mkdirSync(fullPath);
    this.#fs.chmodSync(fullPath, FILLING_DIRECTORY_MODE);
  }

  /** Makes an entry; where a file or link that may be replaced is in the way, removes it first. */
  #createInPlace<T>(path: string, fullPath: string, create: () => T): T {
    let made: T;
    try {
      made = create();
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EEXIST" || !this.#mayReplace(path)) throw error;
      if (this.#fs.lstatSync(fullPath)!.isDirectory()) {
        throw transferError("EISDIR", "a directory is in the way", this.#options.syscall, fullPath);
      }
      this.#fs.unlinkSync(fullPath);
      made = create();
    }
    if (this.#options.replaceOwn) this.#own.add(path);
    return made;
  }

  /** Sets times, of a link itself; `futimes` would do for files, but Deno's is a millisecond off half of the time. */
  #setTimes(fullPath: string, metadata: Metadata): void {
    this.#fs.lutimesSync(fullPath, timeOf(metadata.atimeMs), timeOf(metadata.mtimeMs));
  }

  #mayReplace(path: string): boolean {
    return this.#options.overwrite || this.#own.has(path);
  }
}

/**
 * A time as `utimes` takes it. Whole milliseconds go as a `Date`: as a fraction of seconds they would be a hair less,
 * and lose one millisecond where they are truncated.
 */
function timeOf(ms: number): number | Date {
  return Number.isInteger(ms) ? new Date(ms) : ms / 1000;
}

/** Runs a clean-up step that may fail in its turn. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // Nothing more can be done on the way out.
  }
}
