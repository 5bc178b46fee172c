/**
 * What importing and exporting speak: the few methods they use of a filesystem, their options and what they report.
 *
 * Both ends of a transfer, the shared filesystem and the host's `node:fs`, are seen through the same interface, so that
 * one writer and one walker serve both directions. Imports nothing. Takes no locks of its own.
 *
 * @module
 */

/** What a transfer needs to know of an entry: the part of node's `Stats` that is kept. */
export interface TransferStats {
  /** Bytes of a regular file. */
  readonly size: number;
  /** Type and permission bits. */
  readonly mode: number;
  /** Last access, in milliseconds since 1970. */
  readonly atimeMs: number;
  /** Last change of the contents, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** The device; with `ino` it tells hard links to one file. */
  readonly dev: number;
  /** The inode number. */
  readonly ino: number;
  /** How many names the file has. */
  readonly nlink: number;
  /** Units of 512 bytes that are really stored; less than the size where the file has holes. */
  readonly blocks?: number;
  /** Whether this is a regular file. */
  isFile(): boolean;
  /** Whether this is a directory. */
  isDirectory(): boolean;
  /** Whether this is a symbolic link. */
  isSymbolicLink(): boolean;
}

/** The node:fs-shaped, synchronous methods that a transfer calls on either end. */
export interface TransferFileSystem {
  /** Opens a file. */
  openSync(path: string, flags: string | number, mode?: number): number;
  /** Closes a descriptor. */
  closeSync(fd: number): void;
  /** Reads into a buffer; returns the count of bytes, 0 at the end. */
  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  /** Writes from a buffer; returns the count of bytes. */
  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  /** Sets the length of an open file. */
  ftruncateSync(fd: number, length: number): void;
  /** Tells about an open file. */
  fstatSync(fd: number): TransferStats;
  /** Tells about a path, following symbolic links. */
  statSync(path: string): TransferStats;
  /** Tells about a path itself; `undefined` where there is none and `throwIfNoEntry` is false. */
  lstatSync(path: string, options?: { throwIfNoEntry?: boolean }): TransferStats | undefined;
  /** Lists the names in a directory. */
  readdirSync(path: string): string[];
  /** Reads a symbolic link. */
  readlinkSync(path: string): string;
  /** Makes a directory. */
  mkdirSync(path: string, options?: { recursive?: boolean }): unknown;
  /** Makes a symbolic link. */
  symlinkSync(target: string, path: string): void;
  /** Makes a hard link. */
  linkSync(existingPath: string, newPath: string): void;
  /** Removes a name that is not a directory. */
  unlinkSync(path: string): void;
  /** Sets permission bits. */
  chmodSync(path: string, mode: number): void;
  /** Sets permission bits of an open file. */
  fchmodSync(fd: number, mode: number): void;
  /** Sets the times of a path itself, not following a link; in seconds since 1970 or as dates. */
  lutimesSync(path: string, atime: number | Date, mtime: number | Date): void;
}

/** How far a transfer has come. */
export interface TransferProgress {
  /** Regular files written so far. */
  readonly files: number;
  /** Bytes of file contents written so far. */
  readonly bytes: number;
  /** Regular files in all, where that is known beforehand (not for a tar stream). */
  readonly totalFiles?: number;
  /** Bytes of file contents in all, where that is known beforehand (not for a tar stream). */
  readonly totalBytes?: number;
  /** The entry being written, relative to the tree's root. */
  readonly path: string;
}

/** What a finished transfer wrote. */
export interface TransferCounts {
  /** Regular files, each counted once however many names it has. */
  files: number;
  /** Directories made or merged into, without the root itself. */
  directories: number;
  /** Symbolic links. */
  symlinks: number;
  /** Further names of files that were already written. */
  hardLinks: number;
  /** Bytes of file contents. */
  bytes: number;
}

/** Options of both directions. */
export interface TransferOptions {
  /**
   * Write into what is there: an existing file or link that is in the way is replaced (never written through), an
   * existing directory is merged into. Without it an entry that is in the way is an `EEXIST`.
   */
  readonly overwrite?: boolean;
  /** Called at most about 20 times a second, and once at the end. */
  readonly onProgress?: (progress: TransferProgress) => void;
  /** Stops the transfer: it rejects with the signal's reason, and what was written so far stays. */
  readonly signal?: AbortSignal;
}

/** Options of an import. */
export interface ImportOptions extends TransferOptions {
  /** The directory in the filesystem that receives the entries; made where it is missing. Default: `/`. */
  readonly into?: string;
}

/** Options of an export. */
export interface ExportOptions extends TransferOptions {
  /** The directory in the filesystem whose entries are written. Default: `/`. */
  readonly from?: string;
}

/** What can be imported: a directory of the host, or a tar archive (plain or gzip) as a stream. */
export type ImportSource = string | URL | ReadableStream<Uint8Array>;
