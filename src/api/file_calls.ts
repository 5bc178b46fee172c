/**
 * The node:fs-shaped calls on descriptors.
 *
 * @module
 */
import type { Context } from "../file/context.ts";
import * as data from "../file/data.ts";
import type { OpenFile } from "../file/descriptors.ts";
import { CONTEXT } from "../file/context_of.ts";
import { close, open } from "../file/open.ts";
import { changeDescriptor, Metadata, type MetadataChange, statDescriptor } from "../file/metadata.ts";
import { EBADF, EINVAL } from "../layout/errno.ts";
import {
  isTime,
  type PathLike,
  type TimeLike,
  toBytes,
  toDescriptor,
  toFlags,
  toInteger,
  toMode,
  toPath,
  toPosition,
  toTimeMs,
} from "./arguments.ts";
import { encode, encodingOf } from "./encoding.ts";
import { rangeError, systemError, typeError, valueError } from "./errors.ts";
import { BigIntStats, Stats } from "./stats.ts";

/** Where of a buffer and of a file a read or write takes place. */
export interface ReadWriteOptions {
  /** First byte of the buffer. Default 0. */
  readonly offset?: number;
  /** Bytes. Default: to the end of the buffer. */
  readonly length?: number;
  /** Position in the file; null for the current one, which then moves. Default null. */
  readonly position?: number | bigint | null;
}

/** Options of calls that return metadata. */
export interface StatOptions {
  /** Whether numbers are bigints. */
  readonly bigint?: boolean;
}

/** Mode of `fallocateSync`: the size stays as it is. */
export const FALLOC_FL_KEEP_SIZE = 1;

/** The calls on descriptors of one agent's filesystem. */
export class FileCalls {
  /**
   * The state of this agent's operations.
   *
   * @internal
   */
  protected readonly context: Context;
  /**
   * Where metadata are read into.
   *
   * @internal
   */
  protected readonly found: Metadata = new Metadata();

  /**
   * Takes the state of an agent's operations.
   *
   * @internal
   */
  protected constructor(context: Context) {
    this.context = context;
  }

  /**
   * The same for adapters.
   *
   * @internal
   */
  get [CONTEXT](): Context {
    return this.context;
  }

  /**
   * Opens a file and returns a descriptor, which belongs to this agent alone.
   *
   * @param flags such as `"r"` or `"wx+"`, or a number
   * @param mode permissions of a file that is created
   */
  openSync(path: PathLike, flags: string | number = "r", mode: number | string = 0o666): number {
    const text = toPath(path);
    return this.openPath(text, toFlags(flags), toMode(mode, "mode", 0o666));
  }

  /**
   * Opens a path that has been checked.
   *
   * @internal
   */
  protected openPath(path: string, flags: number, mode: number): number {
    const descriptor = open(this.context, path, flags, mode);
    if (descriptor < 0) throw systemError(descriptor, "open", path);
    return descriptor;
  }

  /** Closes a descriptor. */
  closeSync(fd: number): void {
    const result = typeof fd === "number" ? close(this.context, fd) : -EBADF;
    if (result !== 0) throw this.#noFile(fd, "close");
  }

  /**
   * The open file of a descriptor.
   *
   * @internal
   */
  protected fileOf(fd: number, syscall: string): OpenFile {
    const file = typeof fd === "number" ? this.context.descriptors.get(fd) : undefined;
    if (file === undefined) throw this.#noFile(fd, syscall);
    const may = this.context.mayRead();
    if (may !== 0) throw systemError(may, syscall);
    return file;
  }

  /** The error of what is no descriptor, or none of an open file. */
  #noFile(fd: number, syscall: string): Error {
    toDescriptor(fd);
    return systemError(this.context.mayRead() || -EBADF, syscall);
  }

  /**
   * Reads into any buffer, private or shared, at any offset.
   *
   * @returns how many bytes were read; 0 at the end of the file. Bytes of the buffer behind them keep their value.
   */
  readSync(
    fd: number,
    buffer: ArrayBufferView,
    offset?: number | ReadWriteOptions | null,
    length?: number | null,
    position?: number | bigint | null,
  ): number {
    const bytes = toBytes(buffer);
    if (arguments.length <= 3 || typeof offset === "object") {
      if (offset !== undefined && typeof offset !== "object") {
        throw typeError("options", "of type object", offset);
      }
      const options: ReadWriteOptions = offset ?? {};
      offset = options.offset ?? 0;
      length = options.length === undefined ? bytes.length - offset : options.length;
      position = options.position;
    }
    const start = offset === undefined ? 0 : toInteger(offset, "offset", 0);
    const count = toCount(length, bytes.length);
    const at = toPosition(position, count);
    if (count === 0) return 0;
    if (bytes.length === 0) throw valueError("buffer", buffer, "is empty and cannot be written");
    if (count < 0) throw rangeError("length", ">= 0", count);
    if (start + count > bytes.length) throw rangeError("length", `<= ${bytes.length - start}`, count);
    const read = data.read(this.context, this.fileOf(fd, "read"), bytes, start, count, at);
    if (read < 0) throw systemError(read, "read");
    return read;
  }

  /** Reads into several buffers, one after the other, as far as the file goes. Returns how many bytes in all. */
  readvSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number {
    const list = toBuffers(buffers);
    toDescriptor(fd);
    if (list.length === 0) throw systemError(-EINVAL, "read");
    const file = this.fileOf(fd, "read");
    let at = toPlace(position);
    let total = 0;
    for (const bytes of list) {
      const read = data.read(this.context, file, bytes, 0, bytes.length, at);
      if (read < 0) throw systemError(read, "read");
      total += read;
      if (at >= 0) at += read;
      if (read < bytes.length) break;
    }
    return total;
  }

  /**
   * Writes a text, or bytes of any buffer, private or shared, at any offset: all of it or, with an error, nothing.
   *
   * @param offset first byte of the buffer, or options; with a text, the position in the file
   * @param length bytes; with a text, its encoding
   * @param position where in the file; what is no integer stands for the current position, which then moves
   * @returns how many bytes were written.
   */
  writeSync(
    fd: number,
    buffer: ArrayBufferView | string,
    offset?: number | ReadWriteOptions | null,
    length?: number | string | null,
    position?: number | null,
  ): number {
    let bytes: Uint8Array;
    let start = 0;
    let count: number;
    let at: number;
    if (typeof buffer === "string") {
      bytes = encode(buffer, encodingOf(buffer, length));
      count = bytes.length;
      at = toPlace(offset);
    } else {
      if (!ArrayBuffer.isView(buffer)) {
        throw typeError("buffer", "of type string or an instance of Buffer, TypedArray, or DataView", buffer);
      }
      bytes = toBytes(buffer);
      let place: unknown = position;
      if (typeof offset === "object") {
        const options: ReadWriteOptions = offset ?? {};
        offset = options.offset;
        length = options.length;
        place = options.position;
      }
      if (offset !== undefined && offset !== null) start = toInteger(offset as number, "offset", 0);
      count = typeof length === "number" ? length : bytes.length - start;
      if (start > bytes.length) throw rangeError("offset", `<= ${bytes.length}`, start);
      if (count > bytes.length - start) throw rangeError("length", `<= ${bytes.length - start}`, count);
      if (!(count >= 0)) throw rangeError("length", ">= 0", count);
      if (!Number.isInteger(count)) throw rangeError("length", "an integer", count);
      at = toPlace(place);
    }
    const written = data.write(this.context, this.fileOf(fd, "write"), bytes, start, count, at);
    if (written < 0) throw systemError(written, "write");
    return written;
  }

  /** Writes several buffers, one after the other, as one write. Returns how many bytes in all. */
  writevSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number {
    const list = toBuffers(buffers);
    if (list.length === 0) return 0;
    const file = this.fileOf(fd, "write");
    const bytes = concat(list);
    const written = data.write(this.context, file, bytes, 0, bytes.length, toPlace(position));
    if (written < 0) throw systemError(written, "write");
    return written;
  }

  /** Changes the length of an open file; what is added reads as zero. */
  ftruncateSync(fd: number, length: number = 0): void {
    const size = Math.max(0, toInteger(length, "len"));
    const result = data.truncate(this.context, this.fileOf(fd, "ftruncate"), size);
    if (result !== 0) throw systemError(result, "ftruncate");
  }

  /**
   * Reserves memory for a range of an open file, so that writing it cannot fail for lack of space, as POSIX `fallocate`.
   *
   * @param mode 0, or {@linkcode FALLOC_FL_KEEP_SIZE}
   */
  fallocateSync(fd: number, mode: number, offset: number, length: number): void {
    toInteger(mode, "mode", 0, FALLOC_FL_KEEP_SIZE);
    toInteger(offset, "offset", 0);
    toInteger(length, "length", 1);
    const file = this.fileOf(fd, "fallocate");
    const result = data.allocate(this.context, file, offset, length, mode === FALLOC_FL_KEEP_SIZE);
    if (result !== 0) throw systemError(result, "fallocate");
  }

  /** Metadata of an open file. */
  fstatSync(fd: number, options?: StatOptions & { bigint?: false }): Stats;
  /** Metadata of an open file, in bigints. */
  fstatSync(fd: number, options: StatOptions & { bigint: true }): BigIntStats;
  /** Metadata of an open file. */
  fstatSync(fd: number, options?: StatOptions): Stats | BigIntStats;
  fstatSync(fd: number, options?: StatOptions): Stats | BigIntStats {
    this.fileOf(fd, "fstat");
    const result = statDescriptor(this.context, fd, this.found);
    if (result !== 0) throw systemError(result, "fstat");
    return options?.bigint === true ? new BigIntStats(this.found) : new Stats(this.found);
  }

  #change(fd: number, syscall: string, changes: MetadataChange): void {
    this.fileOf(fd, syscall);
    const result = changeDescriptor(this.context, fd, changes);
    if (result !== 0) throw systemError(result, syscall);
  }

  /** Changes permissions of an open file. */
  fchmodSync(fd: number, mode: number | string): void {
    this.#change(fd, "fchmod", { permissions: toMode(mode, "mode") });
  }

  /** Changes the owner of an open file; -1 leaves an id as it is. */
  fchownSync(fd: number, uid: number, gid: number): void {
    toInteger(uid, "uid", -1, 0xffff_ffff);
    toInteger(gid, "gid", -1, 0xffff_ffff);
    this.#change(fd, "fchown", { uid: uid | 0, gid: gid | 0 });
  }

  /** Changes access and modification time of an open file. */
  futimesSync(fd: number, atime: TimeLike, mtime: TimeLike): void {
    const changes = { atimeMs: toTimeMs(atime, "atime"), mtimeMs: toTimeMs(mtime, "mtime") };
    if (!isTime(changes.atimeMs) || !isTime(changes.mtimeMs)) throw systemError(-EINVAL, "futime");
    this.#change(fd, "futime", changes);
  }

  /** Checks the descriptor; a write is visible to all agents when it returns, so that there is nothing to do. */
  fsyncSync(fd: number): void {
    this.fileOf(fd, "fsync");
  }

  /** As {@linkcode FileCalls.fsyncSync}. */
  fdatasyncSync(fd: number): void {
    this.fileOf(fd, "fdatasync");
  }
}

/** A length as Node takes it, by its lowest 32 bits; but as it is where it fits a buffer longer than those can tell. */
function toCount(length: number | null | undefined, room: number): number {
  let count: number;
  try {
    count = (length as number) | 0;
  } catch {
    // A symbol, a bigint, an object that is no number: Node lets the engine's own error out.
    throw typeError("length", "of type number", length);
  }
  if (count !== length && typeof length === "number" && length >= 2 ** 31 && length <= room) return Math.trunc(length);
  return count;
}

/** Where to write: -1 for the current position, and for all that is no position. */
function toPlace(position: unknown): number {
  return typeof position === "number" && position >= 0 && Number.isSafeInteger(position) ? position : -1;
}

function toBuffers(buffers: readonly ArrayBufferView[]): Uint8Array[] {
  if (!Array.isArray(buffers) || !buffers.every((buffer) => ArrayBuffer.isView(buffer))) {
    throw typeError("buffers", "an instance of ArrayBufferView[]", buffers);
  }
  return buffers.map((buffer) => toBytes(buffer));
}

function concat(list: readonly Uint8Array[]): Uint8Array {
  if (list.length === 1) return list[0]!;
  const all = new Uint8Array(list.reduce((sum, bytes) => sum + bytes.length, 0));
  let at = 0;
  for (const bytes of list) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}
