/**
 * The node:fs-shaped calls on the metadata of paths: stat and access, permissions, owners, times, length.
 *
 * @module
 */
import { change, type MetadataChange, stat } from "../file/metadata.ts";
import { EACCES, EINVAL, ENOENT, ENOTDIR } from "../layout/errno.ts";
import { S_IFMT, S_IFREG } from "../store/inodes.ts";
import { isTime, type PathLike, type TimeLike, toBits, toInteger, toMode, toPath, toTimeMs } from "./arguments.ts";
import { systemError } from "./errors.ts";
import type { StatOptions } from "./file_calls.ts";
import { BigIntStats, Stats } from "./stats.ts";
import { WholeFileCalls } from "./whole_file_calls.ts";

/** Options of `statSync` and `lstatSync`. */
export interface PathStatOptions extends StatOptions {
  /** Whether a missing entry is an error; where not, the call returns undefined. Default true. */
  readonly throwIfNoEntry?: boolean;
}

/** Mode of `accessSync`: the path exists. */
export const F_OK = 0;
/** Mode of `accessSync`: it may be executed. */
export const X_OK = 1;
/** Mode of `accessSync`: it may be written. */
export const W_OK = 2;
/** Mode of `accessSync`: it may be read. */
export const R_OK = 4;
/** The calls on the metadata of paths of one agent's filesystem. */
export class MetadataCalls extends WholeFileCalls {
  /** Metadata of what a path leads to, through symbolic links. */
  statSync(path: PathLike, options?: PathStatOptions & { bigint?: false; throwIfNoEntry?: true }): Stats;
  /** Metadata of what a path leads to, in bigints. */
  statSync(path: PathLike, options: PathStatOptions & { bigint: true; throwIfNoEntry?: true }): BigIntStats;
  /** Metadata of what a path leads to, or undefined where there is nothing and that is no error. */
  statSync(path: PathLike, options: PathStatOptions & { bigint?: false }): Stats | undefined;
  /** Metadata of what a path leads to. */
  statSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined;
  statSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined {
    return this.#stat(path, true, "stat", options);
  }

  /** Metadata of what a path names, a symbolic link itself included. */
  lstatSync(path: PathLike, options?: PathStatOptions & { bigint?: false; throwIfNoEntry?: true }): Stats;
  /** Metadata of what a path names, in bigints. */
  lstatSync(path: PathLike, options: PathStatOptions & { bigint: true; throwIfNoEntry?: true }): BigIntStats;
  /** Metadata of what a path names, or undefined where there is nothing and that is no error. */
  lstatSync(path: PathLike, options: PathStatOptions & { bigint?: false }): Stats | undefined;
  /** Metadata of what a path names. */
  lstatSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined;
  lstatSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined {
    return this.#stat(path, false, "lstat", options);
  }

  #stat(
    path: PathLike,
    follow: boolean,
    syscall: string,
    options: PathStatOptions | undefined,
  ): Stats | BigIntStats | undefined {
    const text = toPath(path);
    const result = stat(this.context, text, follow, this.found);
    if (result !== 0) {
      // As in Node, a file on the way to what is not there is told by lstat.
      const missing = result === -ENOENT || (follow && result === -ENOTDIR);
      if (missing && options?.throwIfNoEntry === false) return undefined;
      throw systemError(result, syscall, text);
    }
    return options?.bigint === true ? new BigIntStats(this.found) : new Stats(this.found);
  }

  /** Whether a path leads to something. Never throws, and makes no error where it does not. */
  existsSync(path: PathLike): boolean {
    if (typeof path === "string" && !path.includes("\0")) return stat(this.context, path, true, this.found) === 0;
    try {
      return stat(this.context, toPath(path), true, this.found) === 0;
    } catch {
      return false;
    }
  }

  /** Checks that a path exists and, with `X_OK`, that somebody may execute it; nobody is refused reading or writing. */
  accessSync(path: PathLike, mode: number | null = F_OK): void {
    const text = toPath(path);
    const wanted = toBits(mode, F_OK | X_OK | W_OK | R_OK);
    let result = stat(this.context, text, true, this.found);
    if (result === 0 && (wanted & X_OK) !== 0 && (this.found.mode & S_IFMT) === S_IFREG) {
      if ((this.found.mode & 0o111) === 0) result = -EACCES;
    }
    if (result === 0 && (wanted & W_OK) !== 0) result = this.context.mayWrite();
    if (result !== 0) throw systemError(result, "access", text);
  }

  #change(path: string, syscall: string, follow: boolean, changes: MetadataChange): void {
    const result = change(this.context, path, follow, changes);
    if (result !== 0) throw systemError(result, syscall, path);
  }

  /** Changes permissions. They are kept, and nobody is refused by them. */
  chmodSync(path: PathLike, mode: number | string): void {
    this.#change(toPath(path), "chmod", true, { permissions: toMode(mode, "mode") });
  }

  /** Changes the owner; -1 leaves an id as it is. */
  chownSync(path: PathLike, uid: number, gid: number): void {
    this.#chown(path, uid, gid, "chown", true);
  }

  /** Changes the owner of a symbolic link itself. */
  lchownSync(path: PathLike, uid: number, gid: number): void {
    this.#chown(path, uid, gid, "lchown", false);
  }

  #chown(path: PathLike, uid: number, gid: number, syscall: string, follow: boolean): void {
    const text = toPath(path);
    toInteger(uid, "uid", -1, 0xffff_ffff);
    toInteger(gid, "gid", -1, 0xffff_ffff);
    this.#change(text, syscall, follow, { uid: uid | 0, gid: gid | 0 });
  }

  /** Changes access and modification time. */
  utimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
    this.#setTimes(path, atime, mtime, "utime", true);
  }

  /** Changes access and modification time of a symbolic link itself. */
  lutimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
    this.#setTimes(path, atime, mtime, "lutime", false);
  }

  #setTimes(path: PathLike, atime: TimeLike, mtime: TimeLike, syscall: string, follow: boolean): void {
    const text = toPath(path);
    const changes = { atimeMs: toTimeMs(atime), mtimeMs: toTimeMs(mtime) };
    if (!isTime(changes.atimeMs) || !isTime(changes.mtimeMs)) throw systemError(-EINVAL, syscall, text);
    this.#change(text, syscall, follow, changes);
  }

  /** Changes the length of a file; what is added reads as zero. */
  truncateSync(path: PathLike, length: number = 0): void {
    const fd = this.openSync(path, "r+");
    try {
      this.ftruncateSync(fd, length);
    } finally {
      this.closeSync(fd);
    }
  }
}
