/**
 * The system calls that read, write and duplicate descriptors. A descriptor leads into the pool, to Emscripten's own filesystem (the *host*: standard
 * streams, devices, pipes, sockets, what is mounted there), or nowhere.
 *
 * Calls named `fd_…` are WASI's: they return an error number, 0 for none. All others return a result, or a negated error
 * number. Numbers are Emscripten's.
 *
 * @module
 */
import type { Context } from "../../file/context.ts";
import { AT_END, readInode, readPieces, writeInode } from "../../file/data.ts";
import { O_ACCMODE, O_APPEND, O_DIRECTORY, O_RDONLY, O_WRONLY } from "../../file/flags.ts";
import { CURSOR_END } from "../../file/listing.ts";
import { Metadata, statInode } from "../../file/metadata.ts";
import type { Process } from "../../file/process.ts";
import { hostOf } from "../../file/process_descriptors.ts";
import { EBADF, EISDIR } from "../../layout/errno.ts";
import { INODE_SIZE } from "../../layout/inode.ts";
import { toWasi, WASI_EBADF, WASI_EFBIG, WASI_EINVAL, WASI_ENOSYS, WASI_ENOTTY } from "../wasi_errno.ts";
import {
  type Abi,
  CHANGEABLE_FLAGS,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  FILETYPE,
  O_CLOEXEC,
  O_LARGEFILE,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "./abi.ts";
import type { ProgramMemory } from "./program_memory.ts";

/** Emscripten's own call of a name: what would have served the program without this library. */
export type HostCall = (...args: number[]) => number;

/** Emscripten's own calls, by the names of the system calls without their prefix. Any may be missing. */
export type HostCalls = Readonly<Partial<Record<string, HostCall>>>;

/**
 * Writes a `struct dirent` whose name stands in the pool. Returns its length, 0 where it does not fit into the room, -1 where
 * it cannot.
 */
export type PutEntry = (
  pointer: number,
  room: number,
  nameAddr: number,
  nameBytes: number,
  type: number,
  ino: number,
  offset: number,
) => number;

/** What the calls of one thread of a program work with. */
export interface CallState {
  /** The operations of this thread on the pool. Its mask of permissions is 0: the process's applies. */
  readonly context: Context;
  /** The process that the thread belongs to. */
  readonly process: Process;
  /** The program's memory. */
  readonly memory: ProgramMemory;
  /** Where the fields of its structures are. */
  readonly abi: Abi;
  /** Emscripten's own calls. */
  readonly host: HostCalls;
}

/** Positions beyond this are no positions of files. */
const POSITION_LIMIT = Number.MAX_SAFE_INTEGER;
/** Positions of a directory before those of its entries: `.` and `..`. */
export const DOTS = 2;

/** Ranges that a list of buffers names, reused from call to call. */
class Ranges {
  count = 0;
  total = 0;
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
}

/** The calls on descriptors of one thread. */
export class DescriptorCalls {
  /** What the calls work with. */
  protected readonly state: CallState;
  /** Where metadata are read into. */
  protected readonly metadata: Metadata = new Metadata();
  readonly #ranges = new Ranges();
  #gathered = new Uint8Array(0);

  /** @param state what the calls work with */
  constructor(state: CallState) {
    this.state = state;
  }

  /** Calls the host; `-ENOSYS` where the program was linked without that call. */
  protected callHost(name: string, ...args: number[]): number {
    const call = this.state.host[name];
    return call === undefined ? -WASI_ENOSYS : call(...args);
  }

  /** The same for calls of WASI, whose error numbers are positive. */
  protected callHostWasi(name: string, ...args: number[]): number {
    const call = this.state.host[name];
    return call === undefined ? WASI_ENOSYS : call(...args);
  }

  // -- Reading and writing -------------------------------------------------------------------------------------------

  /** Collects the ranges of an array of `struct iovec`. False if one lies outside of the program's memory. */
  #collect(iovec: number, count: number): boolean {
    const { memory, abi } = this.state;
    const ranges = this.#ranges;
    ranges.count = 0;
    ranges.total = 0;
    for (let index = 0; index < count; index++) {
      const at = iovec + index * abi.iovec.__size__;
      const length = memory.pointer(at + abi.iovec.iov_len);
      if (length === 0) continue;
      const base = memory.pointer(at + abi.iovec.iov_base);
      if (!memory.contains(base, length)) return false;
      ranges.offsets[ranges.count] = base;
      ranges.lengths[ranges.count++] = length;
      ranges.total += length;
    }
    return true;
  }

  /** Reads at a position into the collected ranges. */
  #readRanges(position: number): number {
    const { context, process, memory } = this.state;
    const { inodeWord, generation, flags } = process.found;
    if ((flags & O_ACCMODE) === O_WRONLY) return -EBADF;
    if ((flags & O_DIRECTORY) !== 0) return -EISDIR;
    const ranges = this.#ranges;
    if (ranges.count === 1) {
      return readInode(context, inodeWord, generation, memory.u8, ranges.offsets[0]!, ranges.total, position);
    }
    return readPieces(context, inodeWord, generation, memory.u8, ranges, position);
  }

  /** Writes the collected ranges at a position, as one write. */
  #writeRanges(position: number): number {
    const { context, process, memory } = this.state;
    const { inodeWord, generation, flags } = process.found;
    if ((flags & O_ACCMODE) === O_RDONLY) return -EBADF;
    const may = context.mayWrite();
    if (may !== 0) return may;
    const ranges = this.#ranges;
    if (ranges.total === 0) {
      context.endOfWrite = position;
      return 0;
    }
    let from = memory.u8;
    let offset = ranges.offsets[0]!;
    if (ranges.count > 1) {
      from = this.#gather();
      offset = 0;
    }
    const written = writeInode(context, inodeWord, generation, from, offset, ranges.total, position);
    if (context.grew) process.noteGrowth();
    return written;
  }

  #gather(): Uint8Array {
    const ranges = this.#ranges;
    if (this.#gathered.length < ranges.total) this.#gathered = new Uint8Array(Math.max(8192, ranges.total));
    let at = 0;
    for (let index = 0; index < ranges.count; index++) {
      const start = ranges.offsets[index]!;
      this.#gathered.set(this.state.memory.u8.subarray(start, start + ranges.lengths[index]!), at);
      at += ranges.lengths[index]!;
    }
    return this.#gathered;
  }

  /** Stores how many bytes a call moved, and makes its result WASI's. */
  #finish(moved: number, countPointer: number): number {
    if (moved < 0) return -toWasi(moved);
    this.state.memory.setPointer(countPointer, moved);
    return 0;
  }

  /** Reads from the current position. */
  fd_read(fd: number, iovec: number, count: number, countPointer: number): number {
    const { process, context } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.#hostWasi("fd_read", entry, iovec, count, countPointer);
    if (context.mayRead() !== 0 || process.find(fd) !== 0) return WASI_EBADF;
    if (!this.#collect(iovec, count)) return WASI_EINVAL;
    const locked = process.lockPosition();
    if (locked !== 0) return -toWasi(locked);
    const position = process.position;
    const read = this.#readRanges(position);
    if (read > 0) process.position = position + read;
    process.unlockPosition();
    return this.#finish(read, countPointer);
  }

  /** Reads from a position. */
  fd_pread(fd: number, iovec: number, count: number, position: number, countPointer: number): number {
    const { process, context } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.#hostWasi("fd_pread", entry, iovec, count, position, countPointer);
    if (!(position >= 0 && position <= POSITION_LIMIT)) return WASI_EINVAL;
    if (context.mayRead() !== 0 || process.find(fd) !== 0) return WASI_EBADF;
    if (!this.#collect(iovec, count)) return WASI_EINVAL;
    return this.#finish(this.#readRanges(position), countPointer);
  }

  /** Writes at the current position, or at the end. */
  fd_write(fd: number, iovec: number, count: number, countPointer: number): number {
    const { process, context } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.#hostWasi("fd_write", entry, iovec, count, countPointer);
    if (process.find(fd) !== 0) return WASI_EBADF;
    if (!this.#collect(iovec, count)) return WASI_EINVAL;
    const locked = process.lockPosition();
    if (locked !== 0) return -toWasi(locked);
    const position = process.position;
    const written = this.#writeRanges((process.found.flags & O_APPEND) !== 0 ? AT_END : position);
    if (written > 0) process.position = context.endOfWrite;
    process.unlockPosition();
    return this.#finish(written, countPointer);
  }

  /** Writes at a position; to a file opened for appending at its end, as Linux does. */
  fd_pwrite(fd: number, iovec: number, count: number, position: number, countPointer: number): number {
    const { process } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.#hostWasi("fd_pwrite", entry, iovec, count, position, countPointer);
    if (!(position >= 0 && position <= POSITION_LIMIT)) return WASI_EINVAL;
    if (process.find(fd) !== 0) return WASI_EBADF;
    if (!this.#collect(iovec, count)) return WASI_EINVAL;
    const written = this.#writeRanges((process.found.flags & O_APPEND) !== 0 ? AT_END : position);
    return this.#finish(written, countPointer);
  }

  /** A call that goes to the host with its own descriptor. */
  #hostWasi(name: string, entry: number, ...rest: number[]): number {
    return entry === 0 ? WASI_EBADF : this.callHostWasi(name, hostOf(entry), ...rest);
  }

  /** The same for calls that return a negated error number. */
  protected callHostWith(name: string, entry: number, ...rest: number[]): number {
    return entry === 0 ? -WASI_EBADF : this.callHost(name, hostOf(entry), ...rest);
  }

  /** Moves the current position; of a directory its cursor. */
  fd_seek(fd: number, offset: number, whence: number, resultPointer: number): number {
    const { process, memory } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.#hostWasi("fd_seek", entry, offset, whence, resultPointer);
    if (process.find(fd) !== 0) return WASI_EBADF;
    if (Number.isNaN(offset)) return WASI_EFBIG;
    const locked = process.lockPosition();
    if (locked !== 0) return -toWasi(locked);
    const isDirectory = (process.found.flags & O_DIRECTORY) !== 0;
    let base = 0;
    if (whence === SEEK_CUR) base = process.position;
    else if (whence === SEEK_END) base = isDirectory ? DOTS + CURSOR_END : this.#sizeOf(process.found.inodeWord);
    else if (whence !== SEEK_SET) base = NaN;
    const position = base + offset;
    const valid = position >= 0 && position <= POSITION_LIMIT;
    if (valid) process.position = position;
    process.unlockPosition();
    if (!valid) return WASI_EINVAL;
    memory.setI64(resultPointer, Math.floor(position));
    return 0;
  }

  #sizeOf(inodeWord: number): number {
    const { context } = this.state;
    const found = statInode(context, inodeWord, this.metadata);
    return found === 0 ? this.metadata.size : context.store.memory.f64[(inodeWord + INODE_SIZE) / 2]!;
  }

  // -- Descriptors ---------------------------------------------------------------------------------------------------

  /** Closes a descriptor. */
  fd_close(fd: number): number {
    const closed = this.state.process.close(fd);
    if (closed <= 0) return -toWasi(closed);
    return this.#closeHost(closed - 1);
  }

  /** Closes a descriptor of the host that nothing stands for any more. */
  #closeHost(hostDescriptor: number): number {
    return this.state.process.countHost(hostDescriptor) > 0 ? 0 : this.callHostWasi("fd_close", hostDescriptor);
  }

  /** Duplicates a descriptor. */
  dup(fd: number): number {
    return toWasi(this.state.process.duplicate(fd, 0, false));
  }

  /** Makes one descriptor stand for what another does. */
  dup3(fd: number, target: number, flags: number): number {
    if (fd === target || (flags & ~O_CLOEXEC) !== 0) return -WASI_EINVAL;
    const replaced = this.state.process.duplicateTo(fd, target, (flags & O_CLOEXEC) !== 0);
    if (replaced < 0) return toWasi(replaced);
    if (replaced > 0) this.#closeHost(replaced - 1);
    return target;
  }

  /** Duplicates, reads and changes flags. Locks are in `lock_calls.ts`. */
  fcntl64(fd: number, command: number, varargs: number): number {
    const { process, memory } = this.state;
    const entry = process.entry(fd);
    if (entry === 0) return -WASI_EBADF;
    const argument = () => memory.i32(varargs);
    switch (command) {
      case F_DUPFD:
      case F_DUPFD_CLOEXEC:
        return toWasi(process.duplicate(fd, argument(), command === F_DUPFD_CLOEXEC));
      case F_GETFD:
        return process.closesOnExec(fd) ? FD_CLOEXEC : 0;
      case F_SETFD:
        if (entry > 0) process.setClosesOnExec(fd, (argument() & FD_CLOEXEC) !== 0);
        return 0;
    }
    if (entry < 0) return this.callHost("fcntl64", hostOf(entry), command, varargs);
    if (process.find(fd) !== 0) return -WASI_EBADF;
    switch (command) {
      case F_GETFL:
        return (process.found.flags & ~O_CLOEXEC) | O_LARGEFILE;
      case F_SETFL:
        process.setFlags((process.found.flags & ~CHANGEABLE_FLAGS) | (argument() & CHANGEABLE_FLAGS));
        return 0;
    }
    return -WASI_EINVAL;
  }

  /** Commands for devices: files of the pool are none. */
  ioctl(fd: number, command: number, varargs: number): number {
    const entry = this.state.process.entry(fd);
    return entry > 0 ? -WASI_ENOTTY : this.callHostWith("ioctl", entry, command, varargs);
  }

  /** What a descriptor is, for the C library's `isatty` and `fdopen`. */
  fd_fdstat_get(fd: number, pointer: number): number {
    const { process, memory, abi } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.#hostWasi("fd_fdstat_get", entry, pointer);
    if (process.find(fd) !== 0) return WASI_EBADF;
    const isDirectory = (process.found.flags & O_DIRECTORY) !== 0;
    memory.setU8(pointer + abi.fdstat.fs_filetype, isDirectory ? FILETYPE.directory : FILETYPE.regular);
    memory.setI16(pointer + abi.fdstat.fs_flags, (process.found.flags & O_APPEND) !== 0 ? 1 : 0);
    memory.setI64(pointer + abi.fdstat.fs_rights_base, 0);
    memory.setI64(pointer + abi.fdstat.fs_rights_inheriting, 0);
    return 0;
  }

  /** Nothing has to be written anywhere: a write is visible to all when it returns. */
  fd_sync(fd: number): number {
    const entry = this.state.process.entry(fd);
    return entry > 0 ? 0 : this.#hostWasi("fd_sync", entry);
  }

  /** As {@linkcode DescriptorCalls.fd_sync}. */
  fdatasync(fd: number): number {
    const entry = this.state.process.entry(fd);
    return entry > 0 ? 0 : this.callHostWith("fdatasync", entry);
  }
}
