/**
 * The descriptors of a process: what the threads of one WebAssembly program have open together. Each thread is an agent of
 * its own; the process is kept by one of them, and lives in the pool (`src/layout/process.ts`).
 *
 * Opening, closing and duplicating take the process's lock for a few words; what is opened is looked up, created and
 * counted without it, under a descriptor that is reserved meanwhile. A descriptor is used without any lock: its word leads
 * to a description, that to an inode and the generation at which it was opened. Descriptions are not given back while the
 * process lives, and a description that has been closed has no generation: who uses a descriptor that another thread is
 * closing does so before that, or gets `-EBADF`.
 *
 * Lock rank: the process's lock comes after the operation's own, a description's after that; both before all others.
 *
 * @module
 */
import { SLOT_PROCESS } from "../layout/agent_table.ts";
import { EBADF, EBUSY, EINVAL, EMFILE, ENOENT, ENOTDIR } from "../layout/errno.ts";
import {
  INODE_MODE,
  INODE_NLINK,
  LEDGER_COUNT,
  LEDGER_ENTRIES,
  LEDGER_NEXT,
  LEDGER_PENDING,
  LEDGER_WORDS,
} from "../layout/inode.ts";
import * as row from "../layout/process.ts";
import { GRANULE_BYTES, GRANULE_WORDS, LINE_BYTES } from "../layout/units.ts";
import { FOLLOW } from "../names/walk.ts";
import { addOpen, dropOpen, S_IFDIR, S_IFMT } from "../store/inodes.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import { trim } from "./data.ts";
import type { DescriptorTable } from "./descriptors.ts";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_TRUNC } from "./flags.ts";
import { reapInode } from "./open.ts";
import { releaseFileLocks } from "./file_locks.ts";
import { closeLedger } from "./ledger.ts";

const { DESCRIPTION_GENERATION, DESCRIPTION_INODE, DESCRIPTION_LOCK, DESCRIPTION_POSITION, DESCRIPTION_FLAGS } = row;
/** The most descriptors of a process. */
const DESCRIPTOR_LIMIT = row.PROCESS_TABLE_PARTS * row.PART_DESCRIPTORS;
/** The standard streams, which the host has open. */
const HOST_DESCRIPTORS = 3;
/** Serial numbers of descriptions; those from 2^31 on are an agent's own. */
const SERIAL_MASK = 0x7fff_ffff;
/** The generation of a description that is not in use. */
const FREE = -1;

/** What a descriptor leads to, as {@linkcode Process.find} leaves it. */
export interface Found {
  /** Word of the description. */
  description: number;
  /** Word of the inode. */
  inodeWord: number;
  /** Generation at which it was opened. */
  generation: number;
  /** Flags of the description. */
  flags: number;
}

/** A process as one of its threads sees it. */
export class Process implements DescriptorTable {
  /** Word of the process. */
  readonly word: number;
  /** What the last {@linkcode Process.find} found. */
  readonly found: Found = { description: 0, inodeWord: 0, generation: 0, flags: 0 };
  readonly #context: Context;
  /** Description taken by the opening that is in progress in this thread. */
  #taken = 0;
  /** A free description that this thread keeps for its next opening, so that closing takes no further lock; or 0. */
  #spare = 0;

  private constructor(context: Context, word: number) {
    this.#context = context;
    this.word = word;
    const { agent, memory } = context.store;
    memory.i32[agent.slotWord + SLOT_PROCESS] = word / GRANULE_WORDS;
  }

  /** Makes a process, kept by this agent, with the host's descriptors 0 to 2. Returns it, or a negative errno. */
  static create(context: Context, umask: number): Process | number {
    const { store } = context;
    const began = context.begin();
    if (began !== 0) return began;
    let result: Process | number;
    const addr = store.heap.allocate(row.PROCESS_WORDS * 4, LINE_BYTES);
    if (addr < 0) result = addr;
    else {
      store.wasm.fill(addr, 0, row.PROCESS_WORDS * 4);
      const { i32 } = store.memory;
      const word = addr / 4;
      i32[word + row.PROCESS_KEEPER] = store.agent.owner;
      i32[word + row.PROCESS_UMASK] = umask;
      // A serial number of 0 would be taken for the process itself.
      i32[word + row.PROCESS_SERIAL] = 1;
      const process = new Process(context, word);
      const part = process.#addPartLocked(0);
      if (part < 0) {
        i32[store.agent.slotWord + SLOT_PROCESS] = 0;
        store.heap.free(addr);
        result = part;
      } else {
        for (let host = 0; host < HOST_DESCRIPTORS; host++) {
          store.wasm.store(process.#entryWord(host), entryOfHost(host));
        }
        result = process;
      }
    }
    context.end();
    return result;
  }

  /** Joins a process that another agent keeps. */
  static join(context: Context, word: number): Process {
    return new Process(context, word);
  }

  /** Owner word of the agent that keeps the process: the holder of its file locks. */
  get keeper(): number {
    return this.#context.store.memory.i32[this.word + row.PROCESS_KEEPER]!;
  }

  /** Permission bits that new files do not get. */
  get umask(): number {
    return this.#context.store.wasm.load(this.word + row.PROCESS_UMASK);
  }

  /** Sets the mask; returns the old one. */
  setUmask(mask: number): number {
    return this.#context.store.wasm.exchange(this.word + row.PROCESS_UMASK, mask);
  }

  /**
   * The word of a descriptor: {@linkcode row.DESCRIPTOR_CLOSED}, reserved, a description's ref, or the host's.
   */
  entry(descriptor: number): number {
    const at = this.#entryWord(descriptor);
    if (at === 0) return row.DESCRIPTOR_CLOSED;
    const entry = this.#context.store.wasm.load(at);
    return entry === row.DESCRIPTOR_RESERVED ? row.DESCRIPTOR_CLOSED : entry;
  }

  /** Finds what a descriptor of the pool leads to. Returns 0, leaving it in {@linkcode Process.found}, or `-EBADF`. */
  find(descriptor: number): number {
    const entry = this.entry(descriptor);
    return entry <= 0 ? -EBADF : this.#look((entry & ~row.DESCRIPTOR_CLOEXEC) * GRANULE_WORDS);
  }

  /** The directory that relative paths begin at: 0 and `found`, or `-ENOENT` where it lies outside of the pool. */
  findDirectory(): number {
    const { wasm } = this.#context.store;
    for (;;) {
      const ref = wasm.load(this.word + row.PROCESS_DIRECTORY);
      if (ref === 0) return -ENOENT;
      // Closed since by a thread that changed the directory: then there is another.
      if (this.#look(ref * GRANULE_WORDS) === 0) return 0;
    }
  }

  #look(description: number): number {
    const { wasm, memory, agent } = this.#context.store;
    memory.sync(agent.pagesWord);
    const inode = wasm.load(description + DESCRIPTION_INODE);
    const flags = wasm.load(description + DESCRIPTION_FLAGS);
    const generation = wasm.load(description + DESCRIPTION_GENERATION);
    // The inode is stored before the generation: where it is the same again, the generation is of this use.
    if (generation === FREE || wasm.load(description + DESCRIPTION_INODE) !== inode) return -EBADF;
    const { found } = this;
    found.description = description;
    found.inodeWord = inode * GRANULE_WORDS;
    found.generation = generation;
    found.flags = flags;
    return 0;
  }

  /**
   * Locks the position of what {@linkcode Process.find} found. Returns 0 or a negative errno: `-EBADF` if it has been
   * closed meanwhile.
   */
  lockPosition(): number {
    const { agent, memory } = this.#context.store;
    const { description, generation, inodeWord } = this.found;
    const locked = lockExclusive(agent, description + DESCRIPTION_LOCK);
    if (locked !== 0) return locked;
    const { i32 } = memory;
    if (
      i32[description + DESCRIPTION_GENERATION] === generation &&
      i32[description + DESCRIPTION_INODE]! * GRANULE_WORDS === inodeWord
    ) return 0;
    this.unlockPosition();
    return -EBADF;
  }

  /** Unlocks the position. */
  unlockPosition(): void {
    unlockExclusive(this.#context.store.agent, this.found.description + DESCRIPTION_LOCK);
  }

  /** The position; it is locked. */
  get position(): number {
    return this.#context.store.memory.f64[(this.found.description + DESCRIPTION_POSITION) / 2]!;
  }

  /** Sets the position; it is locked. */
  set position(value: number) {
    this.#context.store.memory.f64[(this.found.description + DESCRIPTION_POSITION) / 2] = value;
  }

  /** Notes that what was found has made its file longer. */
  noteGrowth(): void {
    this.#context.store.wasm.store(this.found.description + row.DESCRIPTION_GREW, 1);
  }

  /** Serial number of what was found: which use of its description it is. */
  get serial(): number {
    return this.#context.store.wasm.load(this.found.description + row.DESCRIPTION_SERIAL);
  }

  /** Changes the flags of what was found. */
  setFlags(flags: number): void {
    this.#context.store.wasm.store(this.found.description + DESCRIPTION_FLAGS, flags);
  }

  /** Whether a descriptor of the pool is closed on exec. */
  closesOnExec(descriptor: number): boolean {
    return this.entry(descriptor) > 0 && (this.entry(descriptor) & row.DESCRIPTOR_CLOEXEC) !== 0;
  }

  /** Marks a descriptor of the pool as closed on exec, or takes the mark away. */
  setClosesOnExec(descriptor: number, value: boolean): void {
    const at = this.#entryWord(descriptor);
    const { wasm } = this.#context.store;
    if (value) wasm.or(at, row.DESCRIPTOR_CLOEXEC);
    else wasm.and(at, ~row.DESCRIPTOR_CLOEXEC);
  }

  /** Word of a descriptor's entry; 0 where its part of the table does not exist. */
  #entryWord(descriptor: number): number {
    if (descriptor < 0 || descriptor >= DESCRIPTOR_LIMIT) return 0;
    const { wasm, memory, agent } = this.#context.store;
    const part = wasm.load(this.word + row.PROCESS_TABLE + (descriptor >>> row.PART_SHIFT));
    if (part === 0) return 0;
    memory.sync(agent.pagesWord);
    return part * GRANULE_WORDS + (descriptor & (row.PART_DESCRIPTORS - 1));
  }

  #lock(): number {
    return lockExclusive(this.#context.store.agent, this.word + row.PROCESS_LOCK);
  }

  #unlock(): void {
    unlockExclusive(this.#context.store.agent, this.word + row.PROCESS_LOCK);
  }

  /** The lowest closed descriptor from a number on, with its part of the table; the lock is held. */
  #lowestLocked(from: number): number {
    const { memory } = this.#context.store;
    let descriptor = Math.max(from, memory.i32[this.word + row.PROCESS_LOWEST]!);
    for (; descriptor < DESCRIPTOR_LIMIT; descriptor++) {
      const added = this.#addPartLocked(descriptor);
      if (added !== 0) return added;
      if (memory.i32[this.#entryWord(descriptor)] === row.DESCRIPTOR_CLOSED) break;
    }
    if (descriptor >= DESCRIPTOR_LIMIT) return -EMFILE;
    if (from <= memory.i32[this.word + row.PROCESS_LOWEST]!) memory.i32[this.word + row.PROCESS_LOWEST] = descriptor;
    return descriptor;
  }

  /** Makes sure that a descriptor's part of the table exists; the lock is held. */
  #addPartLocked(descriptor: number): number {
    const { heap, memory, wasm } = this.#context.store;
    const partAt = this.word + row.PROCESS_TABLE + (descriptor >>> row.PART_SHIFT);
    if (memory.i32[partAt] !== 0) return 0;
    const addr = heap.allocate(row.PART_DESCRIPTORS * 4, LINE_BYTES);
    if (addr < 0) return addr;
    wasm.fill(addr, 0, row.PART_DESCRIPTORS * 4);
    // Pairs with the load in `#entryWord`: who finds the part finds it zeroed.
    wasm.store(partAt, addr / GRANULE_BYTES);
    return 0;
  }

  #clearLocked(descriptor: number): void {
    const { memory, wasm } = this.#context.store;
    wasm.store(this.#entryWord(descriptor), row.DESCRIPTOR_CLOSED);
    const lowest = this.word + row.PROCESS_LOWEST;
    if (descriptor < memory.i32[lowest]!) memory.i32[lowest] = descriptor;
  }

  /** Takes a free description; the lock is held. Returns its word or a negative errno. */
  #takeLocked(): number {
    const { memory } = this.#context.store;
    if (this.#spare !== 0) {
      const spare = this.#spare;
      this.#spare = 0;
      return spare;
    }
    if (memory.i32[this.word + row.PROCESS_FREE] === 0) {
      const added = this.#addChunkLocked();
      if (added !== 0) return added;
    }
    const { i32 } = memory;
    const ref = i32[this.word + row.PROCESS_FREE]!;
    const description = ref * GRANULE_WORDS;
    i32[this.word + row.PROCESS_FREE] = i32[description + row.DESCRIPTION_NEXT]!;
    return description;
  }

  #giveLocked(description: number): void {
    const { i32 } = this.#context.store.memory;
    i32[description + row.DESCRIPTION_NEXT] = i32[this.word + row.PROCESS_FREE]!;
    i32[this.word + row.PROCESS_FREE] = description / GRANULE_WORDS;
  }

  #addChunkLocked(): number {
    const { heap, memory, wasm } = this.#context.store;
    const ledgerAddr = heap.allocate(LEDGER_WORDS * 4);
    if (ledgerAddr < 0) return ledgerAddr;
    const bytes = (row.DESCRIPTIONS_HEADER_WORDS + row.DESCRIPTIONS_COUNT * row.DESCRIPTION_WORDS) * 4;
    const addr = heap.allocate(bytes, LINE_BYTES);
    if (addr < 0) {
      heap.free(ledgerAddr);
      return addr;
    }
    wasm.fill(ledgerAddr, 0, LEDGER_WORDS * 4);
    wasm.fill(addr, 0, bytes);
    const { i32 } = memory;
    const chunk = addr / 4;
    const ledger = ledgerAddr / 4;
    i32[chunk + row.DESCRIPTIONS_NEXT] = i32[this.word + row.PROCESS_CHUNKS]!;
    i32[ledger + LEDGER_NEXT] = i32[this.word + row.PROCESS_LEDGER]!;
    for (let index = LEDGER_COUNT - 1; index >= 0; index--) {
      const description = chunk + row.DESCRIPTIONS_HEADER_WORDS + index * row.DESCRIPTION_WORDS;
      i32[description + DESCRIPTION_GENERATION] = FREE;
      i32[description + row.DESCRIPTION_ENTRY] = ledger + LEDGER_ENTRIES + index;
      this.#giveLocked(description);
    }
    i32[this.word + row.PROCESS_LEDGER] = ledgerAddr / GRANULE_BYTES;
    i32[this.word + row.PROCESS_CHUNKS] = addr / GRANULE_BYTES;
    return 0;
  }

  /** The lowest free descriptor, reserved together with a description; a negative errno where there is none. */
  reserve(): number {
    const locked = this.#lock();
    if (locked !== 0) return locked;
    let descriptor = this.#lowestLocked(0);
    if (descriptor >= 0) {
      this.#taken = this.#takeLocked();
      if (this.#taken < 0) descriptor = this.#taken;
      else this.#context.store.wasm.store(this.#entryWord(descriptor), row.DESCRIPTOR_RESERVED);
    }
    this.#unlock();
    return descriptor;
  }

  /** Gives back what {@linkcode Process.reserve} reserved, of which nothing was made. */
  cancel(descriptor: number): void {
    if (this.#lock() !== 0) return;
    this.#clearLocked(descriptor);
    this.#giveLocked(this.#taken);
    this.#unlock();
  }

  /** Opens an inode of a generation under the reserved descriptor. False where it is not of that generation any more. */
  open(descriptor: number, inodeWord: number, flags: number, generation: number, directory: boolean): boolean {
    const kept = (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW)) | (directory ? O_DIRECTORY : 0);
    if (!this.#openDescription(this.#taken, inodeWord, kept, generation)) return false;
    // Pairs with the load in `entry`: who finds the descriptor finds the description complete.
    this.#context.store.wasm.store(this.#entryWord(descriptor), this.#taken / GRANULE_WORDS);
    return true;
  }

  #openDescription(
    description: number,
    inodeWord: number,
    flags: number,
    generation: number,
  ): boolean {
    const { store } = this.#context;
    const { wasm } = store;
    const { i32, f64 } = store.memory;
    const entry = i32[description + row.DESCRIPTION_ENTRY]!;
    const ref = inodeWord / GRANULE_WORDS;
    i32[entry] = ref | LEDGER_PENDING;
    if (!addOpen(store, inodeWord, generation)) {
      i32[entry] = 0;
      return false;
    }
    i32[entry] = ref;
    f64[(description + DESCRIPTION_POSITION) / 2] = 0;
    i32[description + row.DESCRIPTION_REFERENCES] = 1;
    wasm.store(description + row.DESCRIPTION_SERIAL, wasm.add(this.word + row.PROCESS_SERIAL, 1) & SERIAL_MASK);
    wasm.store(description + row.DESCRIPTION_GREW, 0);
    wasm.store(description + DESCRIPTION_FLAGS, flags);
    wasm.store(description + DESCRIPTION_INODE, ref);
    wasm.store(description + DESCRIPTION_GENERATION, generation);
    return true;
  }

  /** Closes a description that no descriptor stands for any more: the file, then the description is free. */
  #closeDescription(description: number): void {
    const context = this.#context;
    const { store } = context;
    const { i32 } = store.memory;
    const inodeWord = i32[description + DESCRIPTION_INODE]! * GRANULE_WORDS;
    const generation = i32[description + DESCRIPTION_GENERATION]!;
    if (i32[description + row.DESCRIPTION_GREW] === 1) trim(context, inodeWord);
    const serial = i32[description + row.DESCRIPTION_SERIAL]!;
    store.wasm.store(description + DESCRIPTION_GENERATION, FREE);
    releaseFileLocks(context, inodeWord, { agentOwner: this.keeper, description: serial });
    const entry = i32[description + row.DESCRIPTION_ENTRY]!;
    i32[entry]! |= LEDGER_PENDING;
    const left = dropOpen(store, inodeWord);
    i32[entry] = 0;
    if (left === 0 && i32[inodeWord + INODE_NLINK] === 0) reapInode(context, inodeWord, generation);
    if (this.#spare === 0) {
      this.#spare = description;
      return;
    }
    if (this.#lock() !== 0) return;
    this.#giveLocked(description);
    this.#unlock();
  }

  /**
   * Takes an entry out of the table, or replaces it; the lock is held. Returns the word of the description if no
   * descriptor stands for it any more, and 0 otherwise.
   */
  #replaceLocked(descriptor: number, old: number, entry: number): number {
    const { memory, wasm } = this.#context.store;
    if (entry === row.DESCRIPTOR_CLOSED) this.#clearLocked(descriptor);
    else wasm.store(this.#entryWord(descriptor), entry);
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
    const context = this.#context;
    const began = context.begin();
    if (began !== 0) return began;
    let result = this.#lock();
    if (result === 0) {
      const entry = this.entry(descriptor);
      const unused = entry === row.DESCRIPTOR_CLOSED
        ? 0
        : this.#replaceLocked(descriptor, entry, row.DESCRIPTOR_CLOSED);
      this.#unlock();
      if (entry === row.DESCRIPTOR_CLOSED) result = -EBADF;
      else if (entry < 0) result = -entry;
      else {
        this.#releaseRangeLocks(entry);
        if (unused !== 0) this.#closeDescription(unused);
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
    const locked = this.#lock();
    if (locked !== 0) return locked;
    const entry = this.entry(descriptor);
    const result = entry === row.DESCRIPTOR_CLOSED ? -EBADF : this.#lowestLocked(from);
    if (result >= 0) this.#copyLocked(entry, result, closesOnExec);
    this.#unlock();
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
    const context = this.#context;
    const began = context.begin();
    if (began !== 0) return began;
    let result = this.#lock();
    if (result === 0) {
      let unused = 0;
      let old = row.DESCRIPTOR_CLOSED;
      const entry = this.entry(descriptor);
      if (entry === row.DESCRIPTOR_CLOSED) result = -EBADF;
      else {
        result = this.#addPartLocked(target);
        const at = this.#entryWord(target);
        old = result === 0 ? this.#context.store.wasm.load(at) : old;
        if (old === row.DESCRIPTOR_RESERVED) result = -EBUSY;
        if (result === 0) {
          unused = this.#replaceLocked(target, old, row.DESCRIPTOR_RESERVED);
          this.#copyLocked(entry, target, closesOnExec);
        }
      }
      this.#unlock();
      if (result === 0) {
        if (old > 0) this.#releaseRangeLocks(old);
        if (unused !== 0) this.#closeDescription(unused);
        if (old < 0) result = -old;
      }
    }
    context.end();
    return result;
  }

  #copyLocked(entry: number, target: number, closesOnExec: boolean): void {
    const { memory, wasm } = this.#context.store;
    if (entry > 0) {
      memory.i32[descriptionOf(entry) + row.DESCRIPTION_REFERENCES]!++;
      entry = (entry & ~row.DESCRIPTOR_CLOEXEC) | (closesOnExec ? row.DESCRIPTOR_CLOEXEC : 0);
    }
    wasm.store(this.#entryWord(target), entry);
  }

  /** Gives a descriptor to one of the host's. Returns it, or a negative errno. */
  adopt(hostDescriptor: number, from = 0): number {
    const locked = this.#lock();
    if (locked !== 0) return locked;
    const descriptor = this.#lowestLocked(from);
    if (descriptor >= 0) this.#context.store.wasm.store(this.#entryWord(descriptor), entryOfHost(hostDescriptor));
    this.#unlock();
    return descriptor;
  }

  /** How many descriptors stand for one of the host's. */
  countHost(hostDescriptor: number): number {
    if (this.#lock() !== 0) return 0;
    const entry = entryOfHost(hostDescriptor);
    const { wasm, memory } = this.#context.store;
    let count = 0;
    for (let part = 0; part < row.PROCESS_TABLE_PARTS; part++) {
      const at = wasm.load(this.word + row.PROCESS_TABLE + part) * GRANULE_WORDS;
      if (at === 0) continue;
      for (let index = 0; index < row.PART_DESCRIPTORS; index++) if (memory.i32[at + index] === entry) count++;
    }
    this.#unlock();
    return count;
  }

  /**
   * Makes a directory of the pool the one that relative paths begin at; or none, with an empty path: it then lies with the
   * host. Returns 0 or a negative errno.
   */
  changeDirectory(path: string): number {
    const context = this.#context;
    const began = context.begin();
    if (began !== 0) return began;
    const result = path === "" ? this.#setDirectory(0) : this.#changeDirectorySteps(path);
    context.end();
    return result;
  }

  #changeDirectorySteps(path: string): number {
    const { walk } = this.#context;
    const locked = this.#lock();
    if (locked !== 0) return locked;
    const description = this.#takeLocked();
    this.#unlock();
    if (description < 0) return description;
    let result: number;
    for (;;) {
      result = walk.resolve(path, FOLLOW);
      if (result !== 0) break;
      if (walk.inodeWord === 0) result = -ENOENT;
      else if ((walk.mode & S_IFMT) !== S_IFDIR) result = -ENOTDIR;
      else if (!this.#openDescription(description, walk.inodeWord, O_DIRECTORY, walk.generation)) continue;
      break;
    }
    if (result === 0) return this.#setDirectory(description / GRANULE_WORDS);
    if (this.#lock() === 0) {
      this.#giveLocked(description);
      this.#unlock();
    }
    return result;
  }

  /** Makes the directory of a descriptor the one that relative paths begin at. Returns 0 or a negative errno. */
  changeDirectoryTo(descriptor: number): number {
    const context = this.#context;
    const began = context.begin();
    if (began !== 0) return began;
    let result = this.#lock();
    if (result === 0) {
      const entry = this.entry(descriptor);
      const description = entry <= 0 ? 0 : descriptionOf(entry);
      const { i32 } = context.store.memory;
      if (description === 0) result = -EBADF;
      else if ((i32[i32[description + DESCRIPTION_INODE]! * GRANULE_WORDS + INODE_MODE]! & S_IFMT) !== S_IFDIR) {
        result = -ENOTDIR;
      } else i32[description + row.DESCRIPTION_REFERENCES]!++;
      this.#unlock();
      if (result === 0) result = this.#setDirectory(description / GRANULE_WORDS);
    }
    context.end();
    return result;
  }

  /** Puts a description in the place of the current directory's, whose reference is given up. */
  #setDirectory(ref: number): number {
    const { wasm, memory } = this.#context.store;
    const old = wasm.exchange(this.word + row.PROCESS_DIRECTORY, ref) * GRANULE_WORDS;
    if (old === 0) return 0;
    const locked = this.#lock();
    if (locked !== 0) return locked;
    const left = --memory.i32[old + row.DESCRIPTION_REFERENCES]!;
    this.#unlock();
    if (left === 0) this.#closeDescription(old);
    return 0;
  }

  /** Notes that a file is mapped at an address, which keeps a held description open. Returns 0 or a negative errno. */
  noteMapping(address: number, description: number): number {
    const locked = this.#lock();
    if (locked !== 0) return locked;
    const { heap, memory } = this.#context.store;
    const addr = heap.allocate(row.MAPPING_WORDS * 4);
    if (addr >= 0) {
      const { i32, f64 } = memory;
      const mapping = addr / 4;
      i32[mapping + row.MAPPING_NEXT] = i32[this.word + row.PROCESS_MAPPINGS]!;
      i32[mapping + row.MAPPING_DESCRIPTION] = description / GRANULE_WORDS;
      f64[(mapping + row.MAPPING_ADDRESS) / 2] = address;
      i32[this.word + row.PROCESS_MAPPINGS] = addr / GRANULE_BYTES;
    }
    this.#unlock();
    return addr < 0 ? addr : 0;
  }

  /** Word of the description that a mapping at an address keeps open; 0 where none is noted. */
  mappingAt(address: number): number {
    return this.#withMapping(address, () => {});
  }

  /** Forgets the mapping at an address. */
  forgetMapping(address: number): void {
    const { heap, memory: { i32 } } = this.#context.store;
    this.#withMapping(address, (linkWord, mapping) => {
      i32[linkWord] = i32[mapping + row.MAPPING_NEXT]!;
      heap.free(mapping * 4);
    });
  }

  /** Calls a function with the mapping at an address and the word that refers to it; returns its description, or 0. */
  #withMapping(address: number, use: (linkWord: number, mapping: number) => void): number {
    if (this.#lock() !== 0) return 0;
    const { i32, f64 } = this.#context.store.memory;
    let description = 0;
    let link = this.word + row.PROCESS_MAPPINGS;
    for (let mapping = i32[link]! * GRANULE_WORDS; mapping !== 0; mapping = i32[link]! * GRANULE_WORDS) {
      if (f64[(mapping + row.MAPPING_ADDRESS) / 2] === address) {
        description = i32[mapping + row.MAPPING_DESCRIPTION]! * GRANULE_WORDS;
        use(link, mapping);
        break;
      }
      link = mapping + row.MAPPING_NEXT;
    }
    this.#unlock();
    return description;
  }

  /** Closing any descriptor of a file releases the process's range locks of it, as POSIX has it. */
  #releaseRangeLocks(entry: number): void {
    const inodeWord = this.#context.store.memory.i32[descriptionOf(entry) + DESCRIPTION_INODE]! * GRANULE_WORDS;
    releaseFileLocks(this.#context, inodeWord, { agentOwner: this.keeper, description: 0 });
  }

  /**
   * One reference more to what {@linkcode Process.find} found: it stays open though its descriptors are closed. Returns
   * the word of the description, or a negative errno.
   */
  hold(): number {
    const locked = this.#lock();
    if (locked !== 0) return locked;
    const { description, generation, inodeWord } = this.found;
    const { i32 } = this.#context.store.memory;
    const isSame = i32[description + DESCRIPTION_GENERATION] === generation &&
      i32[description + DESCRIPTION_INODE]! * GRANULE_WORDS === inodeWord;
    if (isSame) i32[description + row.DESCRIPTION_REFERENCES]!++;
    this.#unlock();
    return isSame ? description : -EBADF;
  }

  /** Finds what is held by its description. Returns 0 or `-EBADF`. */
  findHeld(description: number): number {
    return this.#look(description);
  }

  /** Gives up what {@linkcode Process.hold} took. */
  letGo(description: number): void {
    const context = this.#context;
    if (context.begin() !== 0) return;
    if (this.#lock() === 0) {
      const left = --context.store.memory.i32[description + row.DESCRIPTION_REFERENCES]!;
      this.#unlock();
      if (left === 0) this.#closeDescription(description);
    }
    context.end();
  }
}

function descriptionOf(entry: number): number {
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

/** Closes the files of a process that nobody uses any more, and gives its memory back. */
export function freeProcess(context: Context, word: number): void {
  const { store } = context;
  const { i32 } = store.memory;
  closeLedger(context, i32[word + row.PROCESS_LEDGER]! * GRANULE_WORDS);
  for (let ref = i32[word + row.PROCESS_CHUNKS]!; ref !== 0;) {
    const next = i32[ref * GRANULE_WORDS + row.DESCRIPTIONS_NEXT]!;
    store.heap.free(ref * GRANULE_BYTES);
    ref = next;
  }
  for (let ref = i32[word + row.PROCESS_MAPPINGS]!; ref !== 0;) {
    const next = i32[ref * GRANULE_WORDS + row.MAPPING_NEXT]!;
    store.heap.free(ref * GRANULE_BYTES);
    ref = next;
  }
  for (let part = 0; part < row.PROCESS_TABLE_PARTS; part++) {
    const ref = i32[word + row.PROCESS_TABLE + part]!;
    if (ref !== 0) store.heap.free(ref * GRANULE_BYTES);
  }
  store.heap.free(word * 4);
}

/** The blocks of a process, for checks: refs of all but its ledger. */
export function eachProcessBlock(i32: Int32Array, word: number, visit: (ref: number, what: string) => void): void {
  visit(word / GRANULE_WORDS, "process");
  for (let ref = i32[word + row.PROCESS_CHUNKS]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + row.DESCRIPTIONS_NEXT]!) {
    visit(ref, "descriptions of a process");
  }
  for (let ref = i32[word + row.PROCESS_MAPPINGS]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + row.MAPPING_NEXT]!) {
    visit(ref, "mapping of a process");
  }
  for (let part = 0; part < row.PROCESS_TABLE_PARTS; part++) {
    const ref = i32[word + row.PROCESS_TABLE + part]!;
    if (ref !== 0) visit(ref, "descriptors of a process");
  }
}
