/**
 * The node:fs-shaped calls on whole files.
 *
 * @module
 */
import * as data from "../file/data.ts";
import type { OpenFile } from "../file/descriptors.ts";
import { close } from "../file/open.ts";
import { EBADF, EISDIR } from "../layout/errno.ts";
import { type PathLike, toBoolean, toBytes, toDescriptor, toFlags, toMode, toOptions, toPath } from "./arguments.ts";
import { decode, encode, type Encoding, toEncoding } from "./encoding.ts";
import { codedRangeError, codedTypeError, systemError, typeError } from "./errors.ts";
import { LockCalls } from "./lock_calls.ts";

/** Options of calls that return a text or bytes. */
export interface EncodingOptions {
  /** Encoding of the text; none for bytes. */
  readonly encoding?: Encoding | "buffer" | null;
}

/** Options of `readFileSync`. */
export interface ReadFileOptions extends EncodingOptions {
  /** How the file is opened. Default `r`. */
  readonly flag?: string | number | null;
}

/** Options of `writeFileSync` and `appendFileSync`. */
export interface WriteFileOptions extends EncodingOptions {
  /** How the file is opened. Default `w`, or `a` to append. */
  readonly flag?: string | number | null;
  /** Permissions of a file that is created. Default 0o666, less the umask. */
  readonly mode?: number | string | null;
  /** Accepted for Node's sake: memory has nothing to flush. */
  readonly flush?: boolean | null;
}

/** The calls on whole files of one agent's filesystem. */
export class WholeFileCalls extends LockCalls {
  /**
   * Reads a whole file: bytes, or a text where an encoding is given. The contents are those of one moment. A descriptor is
   * read on from its current position.
   */
  readFileSync(
    path: PathLike | number,
    options?: (ReadFileOptions & { encoding?: null | "buffer" }) | null,
  ): Uint8Array<
    ArrayBuffer
  >;
  /** Reads a whole file as a text. */
  readFileSync(path: PathLike | number, options: Encoding | (ReadFileOptions & { encoding: Encoding })): string;
  /** Reads a whole file. */
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
    let bytes: Uint8Array<ArrayBuffer>;
    if (isDescriptor(path)) {
      // With an encoding that Node reads in one go, it does not ask for the size first.
      const syscall = encoding === "utf8" ? "read" : "fstat";
      if (encoding !== "utf8") toDescriptor(path);
      bytes = this.#readWhole(this.#fileOfAny(path, syscall), false);
    } else if (given.flag === undefined || given.flag === null || given.flag === "r") {
      const text = toPath(path as PathLike);
      const read = withinMemory(() => data.readPath(this.context, text));
      if (read === -EISDIR) throw systemError(read, "read");
      if (typeof read === "number") throw systemError(read, "open", text);
      bytes = read;
    } else {
      const fd = this.openPath(toPath(path as PathLike), toFlags(given.flag), 0o666);
      try {
        bytes = this.#readWhole(this.fileOf(fd, "read"), true);
      } finally {
        close(this.context, fd);
      }
    }
    return encoding === undefined ? bytes : decode(bytes, encoding);
  }

  /** The open file of any number of 32 bits. */
  #fileOfAny(fd: number, syscall: string): OpenFile {
    if (fd < 0) throw systemError(-EBADF, syscall);
    return this.fileOf(fd, syscall);
  }

  #readWhole(file: OpenFile, fromStart: boolean): Uint8Array<ArrayBuffer> {
    const start = fromStart ? 0 : file.position;
    const bytes = withinMemory(() => data.readToEnd(this.context, file, start));
    if (typeof bytes === "number") throw systemError(bytes, "read");
    if (!fromStart) file.position = start + bytes.length;
    return bytes;
  }

  /** Writes a whole file, replacing what it held. To a descriptor it writes on from its current position. */
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
    const encoding = toEncoding(given.encoding);
    if (given.flush !== undefined && given.flush !== null) toBoolean(given.flush, "options.flush");
    if (typeof contents !== "string" && !ArrayBuffer.isView(contents)) {
      throw typeError("data", "of type string or an instance of Buffer, TypedArray, or DataView", contents);
    }
    const isText = typeof contents === "string";
    if (isText && given.encoding === "buffer") throw codedTypeError("ERR_UNKNOWN_ENCODING", "Unknown encoding: buffer");
    if (isDescriptor(path)) {
      const bytes = isText ? encode(contents, encoding ?? "utf8") : toBytes(contents);
      // As in Node, a text of UTF-8 goes the short way; and where there is nothing to write, nothing is looked at.
      const isShort = isText && (given.encoding ?? (isOptions(options) ? "" : "utf8")) === "utf8";
      if (bytes.length === 0) {
        if (!isShort && given.flush === true) this.fsyncSync(path);
        return;
      }
      if (!isShort) toDescriptor(path);
      this.#writeAll(this.#fileOfAny(path, "write"), bytes);
      return;
    }
    const text = toPath(path as PathLike);
    const flags = toFlags(given.flag || fallback);
    const mode = toMode(given.mode, "mode", 0o666);
    const bytes = isText ? encode(contents, encoding ?? "utf8") : toBytes(contents);
    const fd = this.openPath(text, flags, mode);
    try {
      if (bytes.length > 0) this.#writeAll(this.fileOf(fd, "write"), bytes);
    } finally {
      close(this.context, fd);
    }
  }

  #writeAll(file: OpenFile, bytes: Uint8Array): void {
    const written = data.write(this.context, file, bytes, 0, bytes.length, -1);
    if (written < 0) throw systemError(written, "write");
  }
}

function isOptions(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** Whether a number stands for a descriptor, as Node tells it from what is no path either. */
function isDescriptor(value: unknown): value is number {
  return typeof value === "number" && (value | 0) === value;
}

/** Reads, and tells as Node does where there is no memory for what is read. */
function withinMemory<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const error = codedRangeError("ERR_FS_FILE_TOO_LARGE", "The file is greater than a buffer can be");
    throw Object.assign(error, { cause });
  }
}
