/**
 * The node:fs-shaped calls on descriptors, and on whole files.
 *
 * @module
 */
import type { Context } from "../file/context.ts";
import * as data from "../file/data.ts";
import type { OpenFile } from "../file/descriptors.ts";
import { close, open } from "../file/open.ts";
import { changeDescriptor, Metadata, type MetadataChange, statDescriptor } from "../file/metadata.ts";
import { EBADF, EISDIR } from "../layout/errno.ts";
import {
  type PathLike,
  type TimeLike,
  toBytes,
  toDescriptor,
  toFlags,
  toInteger,
  toMode,
  toOptions,
  toPath,
  toPosition,
  toTimeMs,
} from "./arguments.ts";
import { decode, encode, type Encoding, toEncoding } from "./encoding.ts";
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

/** Options of calls that return a text or bytes. */
export interface EncodingOptions {
  /** Encoding of the text; none for bytes. */
  readonly encoding?: Encoding | "buffer" | null;
}

/** Options of `readFileSync`. */
export interface ReadFileOptions extends EncodingOptions {
  /** How the file is opened. Default `r`. */
  readonly flag?: string | number;
}

/** Options of `writeFileSync` and `appendFileSync`. */
export interface WriteFileOptions extends EncodingOptions {
  /** How the file is opened. Default `w`, or `a` to append. */
  readonly flag?: string | number;
  /** Permissions of a file that is created. Default 0o666, less the umask. */
  readonly mode?: number | string;
  /** Accepted for Node's sake: memory has nothing to flush. */
  readonly flush?: boolean;
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
  /** The state of this agent's operations; not for users. */
  protected readonly context: Context;
  readonly #metadata = new Metadata();

  /** @param context the state of the agent's operations */
  protected constructor(context: Context) {
    this.context = context;
  }

  /**
   * Opens a file and returns a descriptor, which belongs to this agent alone.
   *
   * @param flags such as `"r"` or `"wx+"`, or a number
   * @param mode permissions of a file that is created
   */
  openSync(path: PathLike, flags: string | number = "r", mode: number | string = 0o666): number {
    const text = toPath(path);
    return this.#open(text, toFlags(flags), toMode(mode, "mode", 0o666));
  }

  #open(path: string, flags: number, mode: number): number {
    const descriptor = open(this.context, path, flags, mode);
    if (descriptor < 0) throw systemError(descriptor, "open", path);
    return descriptor;
  }

  /** Closes a descriptor. */
  closeSync(fd: number): void {
    const result = close(this.context, toDescriptor(fd));
    if (result !== 0) throw systemError(result, "close");
  }

  #file(fd: number, syscall: string): OpenFile {
    const file = this.context.descriptors.get(toDescriptor(fd));
    if (file === undefined) throw systemError(-EBADF, syscall);
    const may = this.context.mayRead();
    if (may !== 0) throw systemError(may, syscall);
    return file;
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
    toDescriptor(fd);
    const bytes = toBytes(buffer);
    if (length === undefined || (offset !== null && typeof offset === "object")) {
      if (offset !== undefined && typeof offset !== "object") {
        throw typeError("options", "of type object", offset);
      }
      const options: ReadWriteOptions = offset ?? {};
      offset = options.offset ?? 0;
      length = options.length ?? bytes.length - offset;
      position = options.position ?? null;
    }
    const start = offset === undefined || offset === null ? 0 : toInteger(offset, "offset", 0);
    const count = Math.trunc(length ?? 0) || 0;
    if (count === 0) return 0;
    if (bytes.length === 0) throw valueError("buffer", buffer, "is empty and cannot be written");
    checkRange(start, count, bytes.length);
    const at = toPosition(position, count);
    const file = this.#file(fd, "read");
    const read = data.read(this.context, file, bytes, start, count, at);
    if (read < 0) throw systemError(read, "read");
    return read;
  }

  /** Reads into several buffers, one after the other, as far as the file goes. Returns how many bytes in all. */
  readvSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number {
    toDescriptor(fd);
    const list = toBuffers(buffers);
    const file = this.#file(fd, "read");
    let at = typeof position === "number" ? position : -1;
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
   * @returns how many bytes were written.
   */
  writeSync(
    fd: number,
    buffer: ArrayBufferView | string,
    offset?: number | ReadWriteOptions | null,
    length?: number | string | null,
    position?: number | bigint | null,
  ): number {
    toDescriptor(fd);
    let bytes: Uint8Array;
    let start = 0;
    let count: number;
    let at = -1;
    if (typeof buffer === "string") {
      const encoding = toEncoding(typeof length === "string" ? length : undefined) ?? "utf8";
      bytes = encode(buffer, encoding);
      count = bytes.length;
      if (typeof offset === "number") at = offset;
    } else {
      if (!ArrayBuffer.isView(buffer)) {
        throw typeError("buffer", "of type string or an instance of Buffer, TypedArray, or DataView", buffer);
      }
      bytes = toBytes(buffer);
      if (offset !== null && typeof offset === "object") {
        const options: ReadWriteOptions = offset;
        offset = options.offset ?? 0;
        length = options.length ?? bytes.length - offset;
        position = options.position ?? null;
      }
      start = offset === undefined || offset === null ? 0 : toInteger(offset, "offset", 0);
      count = typeof length === "number" ? length : bytes.length - start;
      if (start > bytes.length) throw rangeError("offset", `<= ${bytes.length}`, start);
      if (count > bytes.length - start) throw rangeError("length", `<= ${bytes.length - start}`, count);
      toInteger(count, "length", 0);
      if (typeof position === "number" || typeof position === "bigint") at = Number(position);
    }
    const file = this.#file(fd, "write");
    const written = data.write(this.context, file, bytes, start, count, at < 0 ? -1 : at);
    if (written < 0) throw systemError(written, "write");
    return written;
  }

  /** Writes several buffers, one after the other, as one write. Returns how many bytes in all. */
  writevSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number {
    toDescriptor(fd);
    const list = toBuffers(buffers);
    if (list.length === 0) return 0;
    return this.writeSync(fd, concat(list), 0, undefined, typeof position === "number" ? position : null);
  }

  /** Changes the length of an open file; what is added reads as zero. */
  ftruncateSync(fd: number, length: number | null = 0): void {
    toDescriptor(fd);
    const size = Math.max(0, toInteger(length ?? 0, "len"));
    const result = data.truncate(this.context, this.#file(fd, "ftruncate"), size);
    if (result !== 0) throw systemError(result, "ftruncate");
  }

  /**
   * Reserves memory for a range of an open file, so that writing it cannot fail for lack of space, as POSIX `fallocate`.
   *
   * @param mode 0, or {@linkcode FALLOC_FL_KEEP_SIZE}
   */
  fallocateSync(fd: number, mode: number, offset: number, length: number): void {
    toDescriptor(fd);
    toInteger(mode, "mode", 0, FALLOC_FL_KEEP_SIZE);
    toInteger(offset, "offset", 0);
    toInteger(length, "length", 1);
    const file = this.#file(fd, "fallocate");
    const result = data.allocate(this.context, file, offset, length, mode === FALLOC_FL_KEEP_SIZE);
    if (result !== 0) throw systemError(result, "fallocate");
  }

  /** Metadata of an open file. */
  fstatSync(fd: number, options?: StatOptions & { bigint?: false }): Stats;
  fstatSync(fd: number, options: StatOptions & { bigint: true }): BigIntStats;
  fstatSync(fd: number, options?: StatOptions): Stats | BigIntStats;
  fstatSync(fd: number, options?: StatOptions): Stats | BigIntStats {
    const result = statDescriptor(this.context, toDescriptor(fd), this.#metadata);
    if (result !== 0) throw systemError(result, "fstat");
    return options?.bigint === true ? new BigIntStats(this.#metadata) : new Stats(this.#metadata);
  }

  #change(fd: number, syscall: string, changes: MetadataChange): void {
    const result = changeDescriptor(this.context, toDescriptor(fd), changes);
    if (result !== 0) throw systemError(result, syscall);
  }

  /** Changes permissions of an open file. */
  fchmodSync(fd: number, mode: number | string): void {
    toDescriptor(fd);
    this.#change(fd, "fchmod", { permissions: toMode(mode, "mode") });
  }

  /** Changes the owner of an open file; -1 leaves an id as it is. */
  fchownSync(fd: number, uid: number, gid: number): void {
    toDescriptor(fd);
    toInteger(uid, "uid", -1, 0xffff_ffff);
    toInteger(gid, "gid", -1, 0xffff_ffff);
    this.#change(fd, "fchown", { uid: uid | 0, gid: gid | 0 });
  }

  /** Changes access and modification time of an open file. */
  futimesSync(fd: number, atime: TimeLike, mtime: TimeLike): void {
    toDescriptor(fd);
    this.#change(fd, "futime", { atimeMs: toTimeMs(atime, "atime"), mtimeMs: toTimeMs(mtime, "mtime") });
  }

  /** Checks the descriptor; a write is visible to all agents when it returns, so that there is nothing to do. */
  fsyncSync(fd: number): void {
    this.#file(fd, "fsync");
  }

  /** As {@linkcode FileCalls.fsyncSync}. */
  fdatasyncSync(fd: number): void {
    this.#file(fd, "fdatasync");
  }

  /** Reads a whole file: bytes, or a text where an encoding is given. The contents are those of one moment. */
  readFileSync(
    path: PathLike | number,
    options?: (ReadFileOptions & { encoding?: null | "buffer" }) | null,
  ): Uint8Array<
    ArrayBuffer
  >;
  readFileSync(path: PathLike | number, options: Encoding | (ReadFileOptions & { encoding: Encoding })): string;
  readFileSync(
    path: PathLike | number,
    options?: Encoding | "buffer" | ReadFileOptions | null,
  ): string | Uint8Array<ArrayBuffer>;
  readFileSync(
    path: PathLike | number,
    options?: Encoding | "buffer" | ReadFileOptions | null,
  ): string | Uint8Array<ArrayBuffer> {
    const given = toOptions<ReadFileOptions>(options);
    const encoding = toEncoding(given.encoding);
    const opened = typeof path !== "number";
    const fd = opened ? this.#open(toPath(path), toFlags(given.flag ?? "r"), 0o666) : toDescriptor(path);
    try {
      const bytes = this.#readWhole(this.#file(fd, "read"), opened);
      return encoding === undefined ? bytes : decode(bytes, encoding);
    } finally {
      if (opened) close(this.context, fd);
    }
  }

  #readWhole(file: OpenFile, fromStart: boolean): Uint8Array<ArrayBuffer> {
    if (file.directory) throw systemError(-EISDIR, "read");
    if (!file.readable) throw systemError(-EBADF, "read");
    const start = fromStart ? 0 : file.position;
    for (;;) {
      const size = data.sizeOf(this.context.store, file);
      if (size < 0) throw systemError(size, "read");
      const bytes = new Uint8Array(Math.max(0, size - start));
      if (bytes.length === 0) return bytes;
      const read = data.read(this.context, file, bytes, 0, bytes.length, start);
      if (read < 0) throw systemError(read, "read");
      // A file that became shorter between the two is shorter; one that became longer is read as it was.
      if (!fromStart) file.position = start + read;
      return read === bytes.length ? bytes : bytes.slice(0, read);
    }
  }

  /** Writes a whole file, replacing what it held. */
  writeFileSync(
    path: PathLike | number,
    contents: string | ArrayBufferView,
    options?: Encoding | WriteFileOptions | null,
  ): void {
    this.#writeWhole(path, contents, options, "w");
  }

  /** Adds to the end of a file, creating it where it does not exist. */
  appendFileSync(
    path: PathLike | number,
    contents: string | ArrayBufferView,
    options?: Encoding | WriteFileOptions | null,
  ): void {
    this.#writeWhole(path, contents, options, "a");
  }

  #writeWhole(
    path: PathLike | number,
    contents: string | ArrayBufferView,
    options: Encoding | WriteFileOptions | null | undefined,
    fallback: string,
  ): void {
    const given = toOptions<WriteFileOptions>(options);
    const encoding = toEncoding(given.encoding) ?? "utf8";
    const opened = typeof path !== "number";
    const flags = toFlags(given.flag ?? fallback);
    if (typeof contents !== "string" && !ArrayBuffer.isView(contents)) {
      throw typeError("data", "of type string or an instance of Buffer, TypedArray, or DataView", contents);
    }
    const bytes = typeof contents === "string" ? encode(contents, encoding) : toBytes(contents, "data");
    const fd = opened ? this.#open(toPath(path), flags, toMode(given.mode, "mode", 0o666)) : toDescriptor(path);
    try {
      const written = data.write(this.context, this.#file(fd, "write"), bytes, 0, bytes.length, -1);
      if (written < 0) throw systemError(written, "write");
    } finally {
      if (opened) close(this.context, fd);
    }
  }
}

function checkRange(offset: number, length: number, room: number): void {
  if (offset < 0) throw rangeError("offset", ">= 0", offset);
  if (length < 0) throw rangeError("length", ">= 0", length);
  if (offset + length > room) throw rangeError("length", `<= ${room - offset}`, length);
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
