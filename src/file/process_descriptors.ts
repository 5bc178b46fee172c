/**
 * The descriptors of a process: numbers, and what each stands for: an open file description, or a descriptor of the host.
 *
 * Opening, closing and duplicating take the process's lock for a few words; what is opened is looked up, created and
 * counted without it, under a descriptor that is reserved meanwhile. A descriptor is used without any lock: its word leads
 * to a description, that to an inode and the generation at which it was opened.
 *
 * @module
 */
import { EBADF, EBUSY, EINVAL, EMFILE } from "../layout/errno.ts";
import * as row from "../layout/process.ts";
import { GRANULE_BYTES, GRANULE_WORDS, LINE_BYTES } from "../layout/units.ts";
import type { DescriptorTable } from "./descriptors.ts";
import { releaseFileLocks } from "./file_locks.ts";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_TRUNC } from "./flags.ts";
import { ProcessDescriptions } from "./process_descriptions.ts";

/** The most descriptors of a process. */
const DESCRIPTOR_LIMIT = row.PROCESS_TABLE_PARTS * row.PART_DESCRIPTORS;

/** The descriptors of a process, as one of its threads sees them. */
export class ProcessDescriptors extends ProcessDescriptions implements DescriptorTable {
  /** Description taken by the opening that is in progress in this thread. */
  #taken = 0;

  /**
   * The word of a descriptor: a description's ref, the host's, or {@linkcode row.DESCRIPTOR_CLOSED}, also for one that is
   * reserved.
   */
  entry(descriptor: number): number {
    const at = this.entryWord(descriptor);
    if (at === 0) return row.DESCRIPTOR_CLOSED;
    const entry = this.context.store.wasm.load(at);
    return entry === row.DESCRIPTOR_RESERVED ? row.DESCRIPTOR_CLOSED : entry;
  }

  /** Finds what a descriptor of the pool leads to, for {@linkcode ProcessDescriptions.found}. Returns 0 or `-EBADF`. */
  find(descriptor: number): number {
    const entry = this.entry(descriptor);
    return entry <= 0 ? -EBADF : this.look(descriptionOf(entry));
  }

  /** Word of a descriptor's entry; 0 where its part of the table does not exist. */
  protected entryWord(descriptor: number): number {
    if (descriptor < 0 || descriptor >= DESCRIPTOR_LIMIT) return 0;
    const { wasm, memory, agent } = this.context.store;
    const part = wasm.load(this.word + row.PROCESS_TABLE + (descriptor >>> row.PART_SHIFT));
    if (part === 0) return 0;
    memory.sync(agent.pagesWord);
    return part * GRANULE_WORDS + row.wordInPart(descriptor);
  }

  /** Whether a descriptor of the pool is closed on exec. */
  closesOnExec(descriptor: number): boolean {
    const entry = this.entry(descriptor);
    return entry > 0 && (entry & row.DESCRIPTOR_CLOEXEC) !== 0;
  }

  /** Marks a descriptor of the pool as closed on exec, or takes the mark away. */
  setClosesOnExec(descriptor: number, value: boolean): void {
    const at = this.entryWord(descriptor);
    const { wasm } = this.context.store;
    if (value) wasm.or(at, row.DESCRIPTOR_CLOEXEC);
    else wasm.and(at, ~row.DESCRIPTOR_CLOEXEC);
  }

  /** The lowest closed descriptor from a number on, with its part of the table; the lock is held. */
  #lowestLocked(from: number): number {
    const { memory } = this.context.store;
    let descriptor = Math.max(from, memory.i32[this.word + row.PROCESS_LOWEST]!);
    for (; descriptor < DESCRIPTOR_LIMIT; descriptor++) {
      const added = this.addPartLocked(descriptor);
      if (added !== 0) return added;
      if (memory.i32[this.entryWord(descriptor)] === row.DESCRIPTOR_CLOSED) break;
    }
    if (descriptor >= DESCRIPTOR_LIMIT) return -EMFILE;
    if (from <= memory.i32[this.word + row.PROCESS_LOWEST]!) memory.i32[this.word + row.PROCESS_LOWEST] = descriptor;
    return descriptor;
  }

  /** Makes sure that a descriptor's part of the table exists; the lock is held. */
  protected addPartLocked(descriptor: number): number {
    const { heap, memory, wasm } = this.context.store;
    const partAt = this.word + row.PROCESS_TABLE + (descriptor >>> row.PART_SHIFT);
    if (memory.i32[partAt] !== 0) return 0;
    const addr = heap.allocate(row.PART_DESCRIPTORS * 4, LINE_BYTES);
    if (addr < 0) return addr;
    wasm.fill(addr, 0, row.PART_DESCRIPTORS * 4);
    // Pairs with the load in `entryWord`: who finds the part finds it zeroed.
    wasm.store(partAt, addr / GRANULE_BYTES);
    return 0;
  }

  #clearLocked(descriptor: number): void {
    const { memory, wasm } = this.context.store;
    wasm.store(this.entryWord(descriptor), row.DESCRIPTOR_CLOSED);
    const lowest = this.word + row.PROCESS_LOWEST;
    if (descriptor < memory.i32[lowest]!) memory.i32[lowest] = descriptor;
  }

  /** The lowest free descriptor, reserved together with a description; a negative errno where there is none. */
  reserve(): number {
    const locked = this.lock();
    if (locked !== 0) return locked;
    let descriptor = this.#lowestLocked(0);
    if (descriptor >= 0) {
      this.#taken = this.takeLocked();
      if (this.#taken < 0) descriptor = this.#taken;
      else this.context.store.wasm.store(this.entryWord(descriptor), row.DESCRIPTOR_RESERVED);
    }
    this.unlock();
    return descriptor;
  }

  /** Gives back what {@linkcode ProcessDescriptors.reserve} reserved, of which nothing was made. */
  cancel(descriptor: number): void {
    if (this.lock() !== 0) return;
    this.#clearLocked(descriptor);
    this.giveLocked(this.#taken);
    this.unlock();
  }

  /** Opens an inode of a generation under the reserved descriptor. False where it is not of that generation any more. */
  open(descriptor: number, inodeWord: number, flags: number, generation: number, directory: boolean): boolean {
    const kept = (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW)) | (directory ? O_DIRECTORY : 0);
    if (!this.openDescription(this.#taken, inodeWord, kept, generation)) return false;
    // Pairs with the load in `entry`: who finds the descriptor finds the description complete.
    this.context.store.wasm.store(this.entryWord(descriptor), this.#taken / GRANULE_WORDS);
    return true;
  }

  /**
   * Takes an entry out of the table, or replaces it; the lock is held. Returns the word of the description if no
   * descriptor stands for it any more, and 0 otherwise.
   */
  #replaceLocked(descriptor: number, old: number, entry: number): number {
    const { memory, wasm } = this.context.store;
    if (entry === row.DESCRIPTOR_CLOSED) this.#clearLocked(descriptor);
    else wasm.store(this.entryWord(descriptor), entry);
    if (old <= 0) return 0;
    const description = descriptionOf(old);
    return --memory.i32[description + row.DESCRIPTION_REFERENCES]! === 0 ? description : 0;
  }

  /**
   * Closes a descriptor.
   *
   * @returns 0, a negative errno, or the host's descriptor + 1 that stood for it: the caller closes it there.
   */
  close(descriptor: number): number {
    const context = this.context;
    const began = context.begin();
    if (began !== 0) return began;
    let result = this.lock();
    if (result === 0) {
      const entry = this.entry(descriptor);
      const unused = entry === row.DESCRIPTOR_CLOSED
        ? 0
        : this.#replaceLocked(descriptor, entry, row.DESCRIPTOR_CLOSED);
      this.unlock();
      if (entry === row.DESCRIPTOR_CLOSED) result = -EBADF;
      else if (entry < 0) result = -entry;
      else {
        this.#releaseRangeLocks(entry);
        if (unused !== 0) this.closeDescription(unused);
      }
    }
    context.end();
    return result;
  }

  /**
   * Gives the lowest closed descriptor from a number on to what another stands for, as `F_DUPFD` does.
   *
   * @returns the descriptor or a negative errno.
   */
  duplicate(descriptor: number, from: number, closesOnExec: boolean): number {
    if (from < 0 || from >= DESCRIPTOR_LIMIT) return -EINVAL;
    const locked = this.lock();
    if (locked !== 0) return locked;
    const entry = this.entry(descriptor);
    const result = entry === row.DESCRIPTOR_CLOSED ? -EBADF : this.#lowestLocked(from);
    if (result >= 0) this.#copyLocked(entry, result, closesOnExec);
    this.unlock();
    return result;
  }

  /**
   * Makes one descriptor stand for what another does, as `dup3`; what it stood for before is closed.
   *
   * @returns 0, a negative errno, or the host's descriptor + 1 that it stood for: the caller closes it there.
   */
  duplicateTo(descriptor: number, target: number, closesOnExec: boolean): number {
    if (target < 0 || target >= DESCRIPTOR_LIMIT) return -EBADF;
    if (descriptor === target) return this.entry(descriptor) === row.DESCRIPTOR_CLOSED ? -EBADF : 0;
    const context = this.context;
    const began = context.begin();
    if (began !== 0) return began;
    let result = this.lock();
    if (result === 0) {
      let unused = 0;
      let old = row.DESCRIPTOR_CLOSED;
      const entry = this.entry(descriptor);
      if (entry === row.DESCRIPTOR_CLOSED) result = -EBADF;
      else {
        result = this.addPartLocked(target);
        const at = this.entryWord(target);
        old = result === 0 ? this.context.store.wasm.load(at) : old;
        if (old === row.DESCRIPTOR_RESERVED) result = -EBUSY;
        if (result === 0) {
          unused = this.#replaceLocked(target, old, row.DESCRIPTOR_RESERVED);
          this.#copyLocked(entry, target, closesOnExec);
        }
      }
      this.unlock();
      if (result === 0) {
        if (old > 0) this.#releaseRangeLocks(old);
        if (unused !== 0) this.closeDescription(unused);
        if (old < 0) result = -old;
      }
    }
    context.end();
    return result;
  }

  #copyLocked(entry: number, target: number, closesOnExec: boolean): void {
    const { memory, wasm } = this.context.store;
    if (entry > 0) {
      memory.i32[descriptionOf(entry) + row.DESCRIPTION_REFERENCES]!++;
      entry = (entry & ~row.DESCRIPTOR_CLOEXEC) | (closesOnExec ? row.DESCRIPTOR_CLOEXEC : 0);
    }
    wasm.store(this.entryWord(target), entry);
  }

  /** Closing any descriptor of a file releases the process's range locks of it, as POSIX has it. */
  #releaseRangeLocks(entry: number): void {
    const inodeWord = this.context.store.memory.i32[descriptionOf(entry) + row.DESCRIPTION_INODE]! * GRANULE_WORDS;
    releaseFileLocks(this.context, inodeWord, { agentOwner: this.keeper, description: 0 });
  }

  /** Gives a descriptor to one of the host's. Returns it, or a negative errno. */
  adopt(hostDescriptor: number, from = 0): number {
    const locked = this.lock();
    if (locked !== 0) return locked;
    const descriptor = this.#lowestLocked(from);
    if (descriptor >= 0) this.context.store.wasm.store(this.entryWord(descriptor), entryOfHost(hostDescriptor));
    this.unlock();
    return descriptor;
  }

  /** How many descriptors stand for one of the host's. */
  countHost(hostDescriptor: number): number {
    if (this.lock() !== 0) return 0;
    const entry = entryOfHost(hostDescriptor);
    const { wasm, memory } = this.context.store;
    let count = 0;
    for (let part = 0; part < row.PROCESS_TABLE_PARTS; part++) {
      const at = wasm.load(this.word + row.PROCESS_TABLE + part) * GRANULE_WORDS;
      if (at === 0) continue;
      for (let index = 0; index < row.PART_DESCRIPTORS; index++) if (memory.i32[at + index] === entry) count++;
    }
    this.unlock();
    return count;
  }
}

/** Word of the description that a word of the table refers to. */
export function descriptionOf(entry: number): number {
  return (entry & ~row.DESCRIPTOR_CLOEXEC) * GRANULE_WORDS;
}

/** The word of a descriptor that stands for one of the host's. */
export function entryOfHost(hostDescriptor: number): number {
  return -1 - hostDescriptor;
}

/** The host's descriptor that a word stands for. */
export function hostOf(entry: number): number {
  return -1 - entry;
}
