/**
 * The public allocator: over the heap of a pool, or over any region of a shared memory. Where the heap returns errnos,
 * it throws.
 *
 * @module
 */
import { EIDRM, EINVAL, ENOSPC, EROFS } from "../layout/errno.ts";
import { ALIGNMENT_MAXIMUM } from "../layout/heap.ts";
import { ErrnoError, type Violation } from "../memory/errors.ts";
import { type AgentOptions, freeSlot } from "../sync/agent.ts";
import { agentIdOf, fence } from "../sync/retire.ts";
import { AllocatorAddressError } from "./errors.ts";
import type { Heap } from "./heap.ts";
import { checkHeap } from "./heap_check.ts";
import { type HeapBlock, type HeapStats, heapStats, walkHeap } from "./heap_inspect.ts";
import { attachRegion, formatRegion, type RegionAttachOptions, type RegionOptions } from "./region.ts";

export type { AgentOptions, HeapBlock, HeapStats, RegionAttachOptions, RegionOptions, Violation };

/** Where a block moves down over less than this part of its length, that takes more than allocating elsewhere. */
const MOVE_SHARE = 64;

/**
 * Allocates blocks of a shared memory. Safe from any number of agents at once: what one allocates, another may free.
 *
 * Two-level segregated fit (Masmano, Ripoll, Crespo and Real, ECRTS 2004): constant time, immediate coalescing with both
 * neighbours. Each block costs 8 bytes, and its length is rounded up to 24, 40, 56 … bytes. Addresses are byte addresses
 * in the memory, multiples of 16, and valid in every agent.
 *
 * At debug level 1, the default, an address is checked before it is freed, lengthened or looked at, against 27 bits that
 * its block carries; that costs some 5 ns. At level 0 it is not, and freeing twice destroys the heap. Level 3 checks the
 * block and its neighbours after each operation, for some 40 ns.
 *
 * @example Over a memory of one's own
 * ```ts
 * import { Allocator } from "@extmemfs/extmemfs";
 *
 * const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
 * Allocator.format(memory, { bytes: 2 ** 20 });
 *
 * using allocator = Allocator.attach(memory);
 * const address = allocator.allocate(1000);
 * new Uint8Array(memory.buffer, address, 1000).fill(7);
 * const longer = allocator.reallocate(address, 5000);
 * allocator.free(longer);
 * ```
 */
export class Allocator implements Disposable {
  readonly #heap: Heap;
  readonly #alone: boolean;
  readonly #checked: boolean;

  /**
   * Formats a region of a shared memory: a table of agents and an empty heap. Whatever the region held is lost; nobody
   * may be using it.
   *
   * @param memory a shared memory that already spans the region
   * @param options where the region lies
   * @throws {TypeError} if the memory is not a shared `WebAssembly.Memory`, or an option is no number.
   * @throws {RangeError} if the region lies beyond the memory or is too small, or the offset is no multiple of 64.
   */
  static format(memory: WebAssembly.Memory, options: RegionOptions): void {
    formatRegion(memory, options);
  }

  /**
   * Attaches this thread to a region that has been formatted. Each attachment is an agent of its own.
   *
   * @param memory the memory
   * @param options where the region lies, and how to attach
   * @throws {TypeError} if the memory is not a shared `WebAssembly.Memory`.
   * @throws {RangeError} if the offset is no multiple of 64.
   * @throws {WrongMagicError} if no region begins there.
   * @throws {UnknownVersionError} if its format version is not this library's.
   * @throws {IncompatibleLayoutError} if its layout is not this library's.
   * @throws {TruncatedMemoryError} if the memory ends before the region does.
   * @throws {UnformattedError} if its formatting has not been completed.
   * @throws {AgentTableFullError} if its table of agents is full.
   */
  static attach(memory: WebAssembly.Memory, options: RegionAttachOptions = {}): Allocator {
    return new Allocator(attachRegion(memory, options), true);
  }

  /**
   * Use {@linkcode Allocator.attach}, or a pool's `allocator`.
   *
   * @param heap the heap, as an agent has attached to it
   * @param alone whether the agent is the allocator's own, and detaches with it
   */
  constructor(heap: Heap, alone = false) {
    this.#heap = heap;
    this.#alone = alone;
    this.#checked = heap.agent.debugLevel >= 1;
  }

  /** The memory. */
  get memory(): WebAssembly.Memory {
    return this.#heap.agent.memory.memory;
  }

  /**
   * Allocates a block. What it holds is undefined.
   *
   * @param bytes how many
   * @param align a power of two up to 4096 that the address shall be a multiple of; it always is one of 16
   * @returns the block's address
   * @throws {ErrnoError} `ENOSPC` if no room is left; `EIDRM` if the agent has detached or was retired; `EROFS` if it
   * is attached read-only; `EAGAIN` if the thread may not block and another agent keeps the heap locked.
   * @throws {TypeError} if an argument is no number.
   * @throws {RangeError} if `bytes` is no positive whole number, or `align` no power of two up to 4096.
   */
  allocate(bytes: number, align = 16): number {
    const address = this.#allocate("allocate", bytes, align);
    if (address < 0) throw noSpace("allocate", bytes, align);
    return address;
  }

  /**
   * As {@linkcode Allocator.allocate}, but returns 0 where that would throw `ENOSPC`.
   *
   * @param bytes how many
   * @param align a power of two up to 4096
   * @returns the block's address, or 0
   * @throws {ErrnoError} `EIDRM`, `EROFS`, `EAGAIN`.
   * @throws {TypeError} if an argument is no number.
   * @throws {RangeError} if `bytes` is no positive whole number, or `align` no power of two up to 4096.
   */
  tryAllocate(bytes: number, align = 16): number {
    return Math.max(0, this.#allocate("allocate", bytes, align));
  }

  /**
   * Frees a block, also one that another agent has allocated. A thread that may not block and finds the heap locked
   * frees it at one of its next calls.
   *
   * @param address what `allocate` or `reallocate` returned
   * @throws {AllocatorAddressError} at debug level 1 and above, if no block in use has that address. Nothing is changed.
   * @throws {ErrnoError} `EIDRM`, `EROFS`.
   */
  free(address: number): void {
    this.#assertWritable("free");
    const status = this.#heap.free(address);
    if (status === 0) return;
    if (status === -EINVAL) throw this.#fault("free", address);
    throw new ErrnoError(-status, "free");
  }

  /**
   * Changes the length of a block and keeps its contents, up to the shorter of both lengths. A block that becomes shorter
   * stays where it is, and what it gives up is free. One that becomes longer grows in place: forwards, into the untouched
   * tail of the heap, or backwards; only where all of that fails it moves elsewhere. If there is no room, it stays as it
   * is.
   *
   * @param address the block
   * @param bytes its new length
   * @param align what the new address shall be a multiple of: what was passed to `allocate`
   * @returns the block's address from now on
   * @throws {AllocatorAddressError} at debug level 1 and above, if no block in use has that address.
   * @throws {ErrnoError} `ENOSPC`, `EIDRM`, `EROFS`, `EAGAIN`.
   * @throws {TypeError} if an argument is no number.
   * @throws {RangeError} if `bytes` is no positive whole number, or `align` no power of two up to 4096.
   */
  reallocate(address: number, bytes: number, align = 16): number {
    const heap = this.#heap;
    this.#assertWritable("reallocate");
    assertSize("reallocate", bytes, align);
    this.#assertAddress("reallocate", address);
    if (!heap.agent.live) throw new ErrnoError(EIDRM, "reallocate");
    const usable = heap.usableBytes(address);
    const aligned = address % align === 0;
    if (aligned && bytes <= usable) {
      heap.shrink(address, bytes);
      return address;
    }
    if (aligned && heap.extend(address, bytes, bytes) !== 0) return address;
    const down = heap.extendDown(address, bytes, align, usable / MOVE_SHARE);
    if (down !== 0) return down;
    const moved = this.#allocate("reallocate", bytes, align);
    if (moved > 0) {
      heap.agent.wasm.copy(moved, address, Math.min(usable, bytes));
      heap.free(address);
      return moved;
    }
    const last = heap.extendDown(address, bytes, align, 0);
    if (last === 0) throw noSpace("reallocate", bytes, align);
    return last;
  }

  /**
   * How many bytes of a block may be used: at least as many as were asked for.
   *
   * @param address the block
   * @returns its length
   * @throws {AllocatorAddressError} at debug level 1 and above, if no block in use has that address.
   */
  usableBytes(address: number): number {
    this.#assertAddress("tell the length", address);
    return this.#heap.usableBytes(address);
  }

  /**
   * Figures of the heap, all of one moment.
   *
   * @returns the figures
   * @throws {ErrnoError} `EIDRM`, `EAGAIN`.
   */
  stats(): HeapStats {
    return valueOf("stats", heapStats(this.#heap.agent, this.#heap.headerWord));
  }

  /**
   * Checks the whole heap, while all others wait: its chains of blocks, tags, lists, bitmaps, counters and segments.
   *
   * @returns what is wrong; empty when all is well
   * @throws {ErrnoError} `EIDRM`, `EAGAIN`.
   */
  check(): Violation[] {
    return valueOf("check", checkHeap(this.#heap.agent, this.#heap.headerWord));
  }

  /**
   * All blocks, used and free, as they are at the moment of the call.
   *
   * @returns the blocks, in the order of their addresses within an arena
   * @throws {ErrnoError} `EIDRM`, `EAGAIN`.
   */
  walk(): IterableIterator<HeapBlock> {
    return valueOf("walk", walkHeap(this.#heap.agent, this.#heap.headerWord)).values();
  }

  /** The number of this attachment, for {@linkcode Allocator.retire}. Never used twice. */
  get agentId(): number {
    return agentIdOf(this.#heap.agent);
  }

  /**
   * Frees the slot of an agent that is known to be gone, such as a worker that was terminated. Whatever it still tried to
   * do with the heap would fail. Its blocks stay allocated. In a pool, use the filesystem's `retire`.
   *
   * @param agentId the agent's `agentId`
   * @throws {TypeError} if this is the allocator of a pool.
   * @throws {ErrnoError} `EINVAL` for a number that no other agent has had; `EIDRM` if the agent has detached or was
   * retired already; `EBUSY` if it was cut off in the middle of a change to the heap.
   */
  retire(agentId: number): void {
    if (!this.#alone) throw new TypeError("Cannot retire an agent of a pool here: use the filesystem's retire");
    this.#assertWritable("retire");
    const { agent } = this.#heap;
    const fenced = fence(agent, agentId);
    if (typeof fenced === "number") throw new ErrnoError(-fenced, "retire", `agent ${agentId}`);
    freeSlot(agent.memory, fenced.slotWord, fenced.state);
  }

  /**
   * Detaches the agent: its slot is free for another, and further calls throw `EIDRM`. Its blocks stay allocated. The
   * allocator of a pool detaches with the pool; here it does nothing. A second call does nothing.
   */
  detach(): void {
    const { agent } = this.#heap;
    if (!this.#alone || !agent.live) return;
    this.#heap.drain();
    agent.release();
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.detach();
  }

  /** An address, or -ENOSPC. */
  #allocate(operation: string, bytes: number, align: number): number {
    this.#assertWritable(operation);
    assertSize(operation, bytes, align);
    const address = this.#heap.allocate(bytes, align);
    if (address < 0 && address !== -ENOSPC) throw new ErrnoError(-address, operation);
    return address;
  }

  #assertWritable(operation: string): void {
    if (this.#heap.agent.readOnly) throw new ErrnoError(EROFS, operation, "attached with { readOnly: true }");
  }

  #assertAddress(operation: string, address: number): void {
    if (this.#checked && this.#heap.faultOf(address) !== "") throw this.#fault(operation, address);
  }

  #fault(operation: string, address: number): AllocatorAddressError {
    const why = typeof address === "number" ? this.#heap.faultOf(address) : "is no number";
    // Another agent may have allocated the block anew since it was found not to be in use.
    return new AllocatorAddressError(operation, address, why !== "" ? why : "was not in use");
  }
}

function assertSize(operation: string, bytes: number, align: number): void {
  if (!(Number.isSafeInteger(bytes) && bytes > 0)) {
    const message = `Cannot ${operation}: bytes is ${String(bytes)}, expected a positive whole number`;
    throw typeof bytes === "number" ? new RangeError(message) : new TypeError(message);
  }
  if (
    align !== 16 &&
    !(Number.isInteger(align) && align >= 1 && align <= ALIGNMENT_MAXIMUM && (align & (align - 1)) === 0)
  ) {
    const message = `Cannot ${operation}: align is ${
      String(align)
    }, expected a power of two up to ${ALIGNMENT_MAXIMUM}`;
    throw typeof align === "number" ? new RangeError(message) : new TypeError(message);
  }
}

function noSpace(operation: string, bytes: number, align: number): ErrnoError {
  return new ErrnoError(ENOSPC, operation, `${bytes} bytes${align > 16 ? ` aligned to ${align}` : ""} asked for`);
}

function valueOf<T>(operation: string, result: T | number): T {
  if (typeof result === "number") throw new ErrnoError(-result, operation);
  return result;
}
