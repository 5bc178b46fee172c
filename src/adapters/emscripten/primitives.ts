/**
 * What `native/include/extmemfs.h` declares beyond the system calls: files by descriptor without a position of their own,
 * the pool's memory, its allocator, and its locks.
 *
 * Every function returns what the header says: a result, or a negated error number in Emscripten's counting. Nothing
 * throws. Pointers are addresses of the program's memory, addresses those of the pool.
 *
 * @module
 */
import { Allocator } from "../../alloc/allocator.ts";
import { Heap } from "../../alloc/heap.ts";
import { Context } from "../../file/context.ts";
import { AT_END, readInode, truncateInode, writeInode } from "../../file/data.ts";
import { O_ACCMODE, O_APPEND, O_DIRECTORY, O_RDONLY, O_WRONLY } from "../../file/flags.ts";
import { Metadata, statInode } from "../../file/metadata.ts";
import type { Process } from "../../file/process.ts";
import { EBADF, EINVAL, EISDIR, ENOSPC } from "../../layout/errno.ts";
import { ALIGNMENT_MAXIMUM } from "../../layout/heap.ts";
import { SUPER_WORDS } from "../../layout/superblock.ts";
import { ErrnoError } from "../../memory/errors.ts";
import type { SharedMemory } from "../../memory/shared_memory.ts";
import type { Store } from "../../store/store.ts";
import { agentIdOf } from "../../sync/retire.ts";
import { toWasi, WASI_EFAULT, WASI_EFBIG, WASI_EINVAL } from "../wasi_errno.ts";
import { AT_FDCWD } from "./abi.ts";
import { PrimitiveLocks } from "./primitive_locks.ts";
import { ProgramMemory } from "./program_memory.ts";

/** The calls of the program that {@linkcode Primitives} passes on. */
export interface PrimitiveCalls {
  /** Opens a file. */
  openat(directory: number, path: number, flags: number, varargs: number): number;
  /** Closes a descriptor; returns a positive error number. */
  fd_close(fd: number): number;
  /** Locks a whole file. */
  flock(fd: number, operation: number): number;
}

/** What {@linkcode Primitives} needs of one thread of a program. */
export interface PrimitivesHost {
  /** Returns the program's memory as it is now. */
  readonly memory: () => WebAssembly.Memory;
  /** Bytes of a pointer: 4 or 8. */
  readonly pointerBytes: 4 | 8;
  /**
   * On the program's main thread: does what its other threads have asked it to do. They would wait for it otherwise, and it
   * for them.
   */
  readonly serve?: () => void;
}

/** The functions of one thread. */
export class Primitives {
  /** Locks at addresses of the pool. */
  readonly locks: PrimitiveLocks;
  readonly #context: Context;
  readonly #process: Process;
  readonly #calls: PrimitiveCalls;
  readonly #program: ProgramMemory;
  readonly #pool: SharedMemory;
  readonly #store: Store;
  readonly #allocator: Allocator;
  readonly #metadata = new Metadata();
  /** The pool's own words end here: nothing below is written by a program. */
  readonly #first: number = (SUPER_WORDS + Heap.headerWords) * 4;

  /**
   * Makes them for one attached thread.
   *
   * @param store the store of this thread's agent
   * @param process the program's process, as this thread has it
   * @param calls its system calls
   * @param host its memory
   */
  constructor(store: Store, process: Process, calls: PrimitiveCalls, host: PrimitivesHost) {
    this.#store = store;
    this.#context = new Context(store, 0);
    this.#process = process;
    this.#calls = calls;
    this.#program = new ProgramMemory(host.memory, host.pointerBytes);
    this.#pool = store.memory;
    this.#allocator = new Allocator(store.heap);
    this.locks = new PrimitiveLocks(store.agent, this.#allocator, this.#first, host.serve);
  }

  /** The number of this thread's agent. */
  agentId(): number {
    return agentIdOf(this.#store.agent);
  }

  // -- Files ---------------------------------------------------------------------------------------------------------

  /** Opens a file by a path of the program. `varargs`: where the mode is. */
  open(path: number, flags: number, varargs: number): number {
    return path === 0 ? -WASI_EFAULT : this.#calls.openat(AT_FDCWD, path, flags, varargs);
  }

  /** Closes a descriptor. */
  close(fd: number): number {
    return -this.#calls.fd_close(fd);
  }

  /** Locks a whole file, or unlocks it. */
  flock(fd: number, operation: number): number {
    return this.#calls.flock(fd, operation);
  }

  /** Reads from a position. */
  pread(fd: number, to: number, bytes: number, position: number): number {
    const fault = this.#ioFault(fd, to, bytes, position);
    if (fault !== 0) return fault;
    const { inodeWord, generation, flags } = this.#process.found;
    if ((flags & O_ACCMODE) === O_WRONLY) return toWasi(-EBADF);
    if ((flags & O_DIRECTORY) !== 0) return toWasi(-EISDIR);
    return toWasi(readInode(this.#context, inodeWord, generation, this.#program.u8, to, bytes, position));
  }

  /** Writes at a position; to a file opened for appending at its end. */
  pwrite(fd: number, from: number, bytes: number, position: number): number {
    const fault = this.#ioFault(fd, from, bytes, position);
    if (fault !== 0) return fault;
    return toWasi(this.#write(from, bytes, (this.#process.found.flags & O_APPEND) !== 0 ? AT_END : position));
  }

  /** Writes at the end, wherever that is by then. Returns the position at which the bytes begin. */
  append(fd: number, from: number, bytes: number): number {
    const fault = this.#ioFault(fd, from, bytes, 0);
    if (fault !== 0) return fault;
    if (bytes === 0) return this.size(fd);
    const written = this.#write(from, bytes, AT_END);
    return written < 0 ? toWasi(written) : this.#context.endOfWrite - bytes;
  }

  /** Length of an open file. */
  size(fd: number): number {
    if (this.#process.find(fd) !== 0) return toWasi(-EBADF);
    const found = statInode(this.#context, this.#process.found.inodeWord, this.#metadata);
    return found === 0 ? this.#metadata.size : toWasi(found);
  }

  /** Changes the length of an open file. */
  truncate(fd: number, length: number): number {
    if (!(length >= 0)) return Number.isNaN(length) ? -WASI_EFBIG : -WASI_EINVAL;
    if (this.#process.find(fd) !== 0) return toWasi(-EBADF);
    const { inodeWord, generation, flags } = this.#process.found;
    if ((flags & O_ACCMODE) === O_RDONLY) return toWasi(-EINVAL);
    return toWasi(truncateInode(this.#context, inodeWord, generation, length));
  }

  #ioFault(fd: number, pointer: number, bytes: number, position: number): number {
    if (!(position >= 0 && position <= Number.MAX_SAFE_INTEGER)) return -WASI_EINVAL;
    const may = this.#context.mayRead();
    if (may !== 0) return toWasi(may);
    if (this.#process.find(fd) !== 0) return toWasi(-EBADF);
    return this.#isProgram(pointer, bytes) ? 0 : -WASI_EFAULT;
  }

  #write(from: number, bytes: number, position: number): number {
    const context = this.#context;
    const { inodeWord, generation, flags } = this.#process.found;
    if ((flags & O_ACCMODE) === O_RDONLY) return -EBADF;
    const may = context.mayWrite();
    if (may !== 0 || bytes === 0) return may;
    const written = writeInode(context, inodeWord, generation, this.#program.u8, from, bytes, position);
    if (context.grew) this.#process.noteGrowth();
    return written;
  }

  // -- Memory of the pool --------------------------------------------------------------------------------------------

  /** Copies bytes of the pool into the program's memory. */
  read(address: number, to: number, bytes: number): number {
    const fault = this.#rangeFault(address, to, bytes, 0);
    if (fault !== 0) return fault;
    if (bytes > 0) this.#pool.copyOut(this.#program.u8, to, address, bytes);
    return 0;
  }

  /** Copies bytes of the program's memory into the pool. */
  write(address: number, from: number, bytes: number): number {
    const fault = this.#rangeFault(address, from, bytes, this.#first);
    if (fault !== 0) return fault;
    if (bytes > 0) this.#pool.copyIn(address, this.#program.u8, from, bytes);
    return 0;
  }

  /** Loads a word, without sign. */
  load32(address: number): number {
    const fault = this.#wordFault(address, 0);
    return fault !== 0 ? fault : this.#pool.wasm.load(address / 4) >>> 0;
  }

  /** Stores a word. */
  store32(address: number, value: number): number {
    const fault = this.#wordFault(address, this.#first);
    if (fault === 0) this.#pool.wasm.store(address / 4, value);
    return fault;
  }

  /** Adds to a word; returns what it was. */
  add32(address: number, value: number): number {
    const fault = this.#wordFault(address, this.#first);
    return fault !== 0 ? fault : this.#pool.wasm.add(address / 4, value) >>> 0;
  }

  /** Stores `value` where the word is `expected`; returns what it was. */
  compareExchange32(address: number, expected: number, value: number): number {
    const fault = this.#wordFault(address, this.#first);
    return fault !== 0 ? fault : this.#pool.wasm.compareExchange(address / 4, expected, value) >>> 0;
  }

  /** Sleeps while a word has a value. Returns 0 when woken, 1 if the value was another. */
  wait32(address: number, expected: number, timeoutMs: number): number {
    const fault = this.#wordFault(address, 0);
    if (fault !== 0) return fault;
    return timeoutMs >= 0 ? this.locks.park(address / 4, expected, timeoutMs, Infinity) : -WASI_EINVAL;
  }

  /** Wakes threads that sleep on a word; returns how many. */
  notify32(address: number, count: number): number {
    const fault = this.#wordFault(address, 0);
    return fault !== 0 ? fault : this.#pool.wasm.notify(address / 4, count);
  }

  #rangeFault(address: number, pointer: number, bytes: number, first: number): number {
    if (!this.#isProgram(pointer, bytes)) return -WASI_EFAULT;
    return this.locks.contains(address, bytes, first) ? 0 : -WASI_EFAULT;
  }

  #wordFault(address: number, first: number): number {
    if (address % 4 !== 0) return -WASI_EINVAL;
    return this.locks.contains(address, 4, first) ? 0 : -WASI_EFAULT;
  }

  #isProgram(pointer: number, bytes: number): boolean {
    // What is beyond half of the addresses comes as a negative number where programs cannot have so much memory.
    return bytes === 0 || (pointer > 0 && bytes > 0 && this.#program.contains(pointer, bytes));
  }

  // -- Allocator -----------------------------------------------------------------------------------------------------

  /** Allocates a block of the pool; returns its address. */
  allocate(bytes: number, alignment: number): number {
    const align = alignment === 0 ? 16 : alignment;
    const fault = sizeFault(bytes, align);
    if (fault !== 0) return fault;
    try {
      const address = this.#allocator.tryAllocate(bytes, align);
      return address === 0 ? toWasi(-ENOSPC) : address;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Changes the length of a block; returns its address from then on. Address 0 allocates. */
  reallocate(address: number, bytes: number, alignment: number): number {
    if (address === 0) return this.allocate(bytes, alignment);
    const align = alignment === 0 ? 16 : alignment;
    const fault = sizeFault(bytes, align);
    if (fault !== 0) return fault;
    try {
      return this.#allocator.reallocate(address, bytes, align);
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Frees a block. Address 0 is none. */
  free(address: number): number {
    if (address === 0) return 0;
    try {
      this.#allocator.free(address);
      return 0;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Bytes of a block that may be used. */
  usableSize(address: number): number {
    try {
      return this.#allocator.usableBytes(address);
    } catch (error) {
      return errnoOf(error);
    }
  }
}

/** What no block can be. A `size_t` beyond what a number holds is more than a pool has. */
function sizeFault(bytes: number, align: number): number {
  if (bytes < 1 || align > ALIGNMENT_MAXIMUM || (align & (align - 1)) !== 0) return -WASI_EINVAL;
  return bytes > Number.MAX_SAFE_INTEGER ? toWasi(-ENOSPC) : 0;
}

/** An error of the allocator as a number. Its complaints about addresses are errors of range. */
function errnoOf(error: unknown): number {
  if (error instanceof ErrnoError) return toWasi(error.errno);
  if (error instanceof RangeError) return -WASI_EINVAL;
  throw error;
}
