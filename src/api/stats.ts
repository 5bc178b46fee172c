/**
 * What `stat`, `readdir` and `statfs` return, in the shape of Node's classes.
 *
 * @module
 */
import type { Metadata } from "../file/metadata.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../store/inodes.ts";

/** Device number that all files of a pool report. */
const DEVICE = 0;
/** Preferred size of reads and writes. */
const BLOCK_BYTES = 4096;
/** Unit of `blocks`. */
const SECTOR_BYTES = 512;

/** Metadata of a file, as Node's `fs.Stats`. */
export class Stats {
  /** Device; 0. */
  readonly dev: number = DEVICE;
  /** Type and permissions. */
  readonly mode: number;
  /** Number of names. */
  readonly nlink: number;
  /** User id. */
  readonly uid: number;
  /** Group id. */
  readonly gid: number;
  /** Device of a special file; 0. */
  readonly rdev: number = 0;
  /** Preferred size of reads and writes in bytes. */
  readonly blksize: number = BLOCK_BYTES;
  /** Inode number, unique in the pool while the file exists. */
  readonly ino: number;
  /** Length in bytes. */
  readonly size: number;
  /** Memory that the contents take, in units of 512 bytes. */
  readonly blocks: number;
  /** Access time, ms since the epoch. */
  readonly atimeMs: number;
  /** Modification time, ms since the epoch. */
  readonly mtimeMs: number;
  /** Change time, ms since the epoch. */
  readonly ctimeMs: number;
  /** Birth time, ms since the epoch. */
  readonly birthtimeMs: number;

  /** Takes the metadata over. */
  constructor(metadata: Metadata) {
    this.mode = metadata.mode;
    this.nlink = metadata.nlink;
    this.uid = metadata.uid;
    this.gid = metadata.gid;
    this.ino = metadata.ino;
    this.size = metadata.size;
    this.blocks = Math.ceil(metadata.allocatedBytes / SECTOR_BYTES);
    this.atimeMs = metadata.atimeMs;
    this.mtimeMs = metadata.mtimeMs;
    this.ctimeMs = metadata.ctimeMs;
    this.birthtimeMs = metadata.birthtimeMs;
  }

  /** Access time. */
  get atime(): Date {
    return new Date(Math.round(this.atimeMs));
  }
  /** Modification time. */
  get mtime(): Date {
    return new Date(Math.round(this.mtimeMs));
  }
  /** Change time. */
  get ctime(): Date {
    return new Date(Math.round(this.ctimeMs));
  }
  /** Birth time. */
  get birthtime(): Date {
    return new Date(Math.round(this.birthtimeMs));
  }
  /** Whether this is a regular file. */
  isFile(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }
  /** Whether this is a directory. */
  isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }
  /** Whether this is a symbolic link. */
  isSymbolicLink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }
  /** Never: pools hold no devices. */
  isBlockDevice(): boolean {
    return false;
  }
  /** Never: pools hold no devices. */
  isCharacterDevice(): boolean {
    return false;
  }
  /** Never: pools hold no pipes. */
  isFIFO(): boolean {
    return false;
  }
  /** Never: pools hold no sockets. */
  isSocket(): boolean {
    return false;
  }
}

/** Metadata with all numbers as bigints and times in nanoseconds too, as Node's `fs.BigIntStats`. */
export class BigIntStats {
  /** Device; 0. */
  readonly dev: bigint = BigInt(DEVICE);
  /** Type and permissions. */
  readonly mode: bigint;
  /** Number of names. */
  readonly nlink: bigint;
  /** User id. */
  readonly uid: bigint;
  /** Group id. */
  readonly gid: bigint;
  /** Device of a special file; 0. */
  readonly rdev: bigint = 0n;
  /** Preferred size of reads and writes in bytes. */
  readonly blksize: bigint = BigInt(BLOCK_BYTES);
  /** Inode number. */
  readonly ino: bigint;
  /** Length in bytes. */
  readonly size: bigint;
  /** Memory that the contents take, in units of 512 bytes. */
  readonly blocks: bigint;
  /** Access time, ns since the epoch. */
  readonly atimeNs: bigint;
  /** Modification time, ns since the epoch. */
  readonly mtimeNs: bigint;
  /** Change time, ns since the epoch. */
  readonly ctimeNs: bigint;
  /** Birth time, ns since the epoch. */
  readonly birthtimeNs: bigint;
  readonly #stats: Stats;

  /** Takes the metadata over. */
  constructor(metadata: Metadata) {
    const stats = this.#stats = new Stats(metadata);
    this.mode = BigInt(stats.mode);
    this.nlink = BigInt(stats.nlink);
    this.uid = BigInt(stats.uid);
    this.gid = BigInt(stats.gid);
    this.ino = BigInt(stats.ino);
    this.size = BigInt(stats.size);
    this.blocks = BigInt(stats.blocks);
    this.atimeNs = nanoseconds(stats.atimeMs);
    this.mtimeNs = nanoseconds(stats.mtimeMs);
    this.ctimeNs = nanoseconds(stats.ctimeMs);
    this.birthtimeNs = nanoseconds(stats.birthtimeMs);
  }

  /** Access time, ms since the epoch. */
  get atimeMs(): bigint {
    return this.atimeNs / 1_000_000n;
  }
  /** Modification time, ms since the epoch. */
  get mtimeMs(): bigint {
    return this.mtimeNs / 1_000_000n;
  }
  /** Change time, ms since the epoch. */
  get ctimeMs(): bigint {
    return this.ctimeNs / 1_000_000n;
  }
  /** Birth time, ms since the epoch. */
  get birthtimeMs(): bigint {
    return this.birthtimeNs / 1_000_000n;
  }
  /** Access time. */
  get atime(): Date {
    return this.#stats.atime;
  }
  /** Modification time. */
  get mtime(): Date {
    return this.#stats.mtime;
  }
  /** Change time. */
  get ctime(): Date {
    return this.#stats.ctime;
  }
  /** Birth time. */
  get birthtime(): Date {
    return this.#stats.birthtime;
  }
  /** Whether this is a regular file. */
  isFile(): boolean {
    return this.#stats.isFile();
  }
  /** Whether this is a directory. */
  isDirectory(): boolean {
    return this.#stats.isDirectory();
  }
  /** Whether this is a symbolic link. */
  isSymbolicLink(): boolean {
    return this.#stats.isSymbolicLink();
  }
  /** Never: pools hold no devices. */
  isBlockDevice(): boolean {
    return false;
  }
  /** Never: pools hold no devices. */
  isCharacterDevice(): boolean {
    return false;
  }
  /** Never: pools hold no pipes. */
  isFIFO(): boolean {
    return false;
  }
  /** Never: pools hold no sockets. */
  isSocket(): boolean {
    return false;
  }
}

function nanoseconds(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
}

/** An entry of a directory, as Node's `fs.Dirent`. */
export class Dirent<Name extends string | Uint8Array = string> {
  /** The entry's name. */
  readonly name: Name;
  /** Path of the directory that holds it, as it was given. */
  readonly parentPath: string;
  readonly #type: number;

  /**
   * Makes an entry.
   *
   * @param type the mode's type bits
   */
  constructor(name: Name, parentPath: string, type: number) {
    this.name = name;
    this.parentPath = parentPath;
    this.#type = type;
  }

  /** Whether this is a regular file. */
  isFile(): boolean {
    return this.#type === S_IFREG;
  }
  /** Whether this is a directory. */
  isDirectory(): boolean {
    return this.#type === S_IFDIR;
  }
  /** Whether this is a symbolic link. */
  isSymbolicLink(): boolean {
    return this.#type === S_IFLNK;
  }
  /** Never: pools hold no devices. */
  isBlockDevice(): boolean {
    return false;
  }
  /** Never: pools hold no devices. */
  isCharacterDevice(): boolean {
    return false;
  }
  /** Never: pools hold no pipes. */
  isFIFO(): boolean {
    return false;
  }
  /** Never: pools hold no sockets. */
  isSocket(): boolean {
    return false;
  }
}

/** The filesystem as a whole, as Node's `fs.StatFs`. */
export interface StatFs<Value extends number | bigint = number> {
  /** Type of filesystem: the first magic word of the pool. */
  readonly type: Value;
  /** Bytes of a block. */
  readonly bsize: Value;
  /** Bytes of a fragment: a block. */
  readonly frsize: Value;
  /** Blocks in all, up to the pool's maximum. */
  readonly blocks: Value;
  /** Free blocks. */
  readonly bfree: Value;
  /** Free blocks, for everybody. */
  readonly bavail: Value;
  /** Inodes in all. */
  readonly files: Value;
  /** Free inodes; more are made as long as there is space. */
  readonly ffree: Value;
}
