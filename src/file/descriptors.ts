/**
 * Open files of one agent, and the ledger of them in the pool.
 *
 * A descriptor is a number that this agent alone knows; what the pool knows is the ledger: for each descriptor the inode
 * that it keeps open, so that whoever retires the agent can close for it. An inode's open count is the number of ledger
 * entries that name it. The entry is written, marked as pending, before the count changes, and the mark is taken away
 * afterwards: an agent cut off in between leaves a count that is off by at most its one pending entry.
 *
 * @module
 */
import { EMFILE } from "../layout/errno.ts";
import { SLOT_LEDGER } from "../layout/agent_table.ts";
import { LEDGER_COUNT, LEDGER_ENTRIES, LEDGER_NEXT, LEDGER_PENDING, LEDGER_WORDS } from "../layout/inode.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import { addOpen, dropOpen } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { O_ACCMODE, O_APPEND, O_RDONLY, O_WRONLY } from "./flags.ts";

/** The first descriptor that is given out: 0 to 2 mean the standard streams everywhere. */
const FIRST_DESCRIPTOR = 3;
/** The most descriptors of an agent. */
const DESCRIPTOR_LIMIT = 65536;

/** An open file: what a descriptor stands for. */
export class OpenFile {
  /** Word of the inode. */
  readonly inodeWord: number;
  /** Flags it was opened with. */
  readonly flags: number;
  /** Whether it may be read. */
  readonly readable: boolean;
  /** Whether it may be written. */
  readonly writable: boolean;
  /** Whether every write goes to the end. */
  readonly append: boolean;
  /** Whether it is a directory. */
  readonly directory: boolean;
  /** The current position. */
  position = 0;
  /** Whether it made the file longer, so that room was allocated ahead that closing gives back. */
  grew = false;
  /** Serial number of the open file description, by which locks name it; 0 as long as it has had none. */
  serial = 0;

  /** Makes an open file. */
  constructor(inodeWord: number, flags: number, directory: boolean) {
    const access = flags & O_ACCMODE;
    this.inodeWord = inodeWord;
    this.flags = flags;
    this.readable = access !== O_WRONLY;
    this.writable = access !== O_RDONLY;
    this.append = (flags & O_APPEND) !== 0;
    this.directory = directory;
  }
}

/** What gives descriptors to files that are opened: an agent's own table, or that of a process of several agents. */
export interface DescriptorTable {
  /** The lowest free descriptor, reserved; a negative errno where there is none. */
  reserve(): number;
  /** Gives back a reserved descriptor under which nothing was opened. */
  cancel(descriptor: number): void;
  /** Opens an inode of a generation under the reserved descriptor. False where it is not of that generation any more. */
  open(descriptor: number, inodeWord: number, flags: number, generation: number, directory: boolean): boolean;
}

/** The descriptors of an agent. */
export class Descriptors implements DescriptorTable {
  readonly #store: Store;
  readonly #files: (OpenFile | undefined)[] = [];
  readonly #blocks: number[] = [];
  #lowestFree = 0;

  /** Makes the table of an agent that has nothing open. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** The open file of a descriptor. */
  get(descriptor: number): OpenFile | undefined {
    return this.#files[descriptor - FIRST_DESCRIPTOR];
  }

  /** All descriptors in use. */
  all(): number[] {
    return this.#files.flatMap((file, index) => file === undefined ? [] : [index + FIRST_DESCRIPTOR]);
  }

  /** The lowest free descriptor, with room for it in the ledger; a negative errno where there is none. */
  reserve(): number {
    let index = this.#lowestFree;
    while (this.#files[index] !== undefined) index++;
    this.#lowestFree = index;
    if (index >= DESCRIPTOR_LIMIT) return -EMFILE;
    while (index >= this.#blocks.length * LEDGER_COUNT) {
      const added = this.#addBlock();
      if (added !== 0) return added;
    }
    return index + FIRST_DESCRIPTOR;
  }

  /** Nothing is noted of a descriptor that is reserved: the agent opens one file at a time. */
  cancel(): void {}

  /**
   * Opens an inode of a generation under a reserved descriptor. False where it is not of that generation any more.
   */
  open(descriptor: number, inodeWord: number, flags: number, generation: number, directory: boolean): boolean {
    const file = new OpenFile(inodeWord, flags, directory);
    const entry = this.#entryWordOf(descriptor);
    const { i32 } = this.#store.memory;
    const ref = inodeWord / GRANULE_WORDS;
    i32[entry] = ref | LEDGER_PENDING;
    if (!addOpen(this.#store, inodeWord, generation)) {
      i32[entry] = 0;
      return false;
    }
    i32[entry] = ref;
    this.#files[descriptor - FIRST_DESCRIPTOR] = file;
    return true;
  }

  /** Gives a descriptor up. Returns how often its inode is open still. */
  close(descriptor: number): number {
    const index = descriptor - FIRST_DESCRIPTOR;
    const file = this.#files[index]!;
    this.#files[index] = undefined;
    if (index < this.#lowestFree) this.#lowestFree = index;
    const entry = this.#entryWordOf(descriptor);
    const { i32 } = this.#store.memory;
    i32[entry]! |= LEDGER_PENDING;
    const left = dropOpen(this.#store, file.inodeWord);
    i32[entry] = 0;
    return left;
  }

  /** Gives the ledger's blocks back. Nothing is open any more. */
  release(): void {
    this.#store.memory.i32[this.#store.agent.slotWord + SLOT_LEDGER] = 0;
    for (const block of this.#blocks) this.#store.heap.free(block * 4);
    this.#blocks.length = 0;
  }

  #entryWordOf(descriptor: number): number {
    const index = descriptor - FIRST_DESCRIPTOR;
    return this.#blocks[Math.floor(index / LEDGER_COUNT)]! + LEDGER_ENTRIES + index % LEDGER_COUNT;
  }

  #addBlock(): number {
    const { heap, memory, agent } = this.#store;
    const addr = heap.allocate(LEDGER_WORDS * 4);
    if (addr < 0) return addr;
    const { i32 } = memory;
    const block = addr / 4;
    i32.fill(0, block, block + LEDGER_WORDS);
    const last = this.#blocks[this.#blocks.length - 1];
    if (last === undefined) i32[agent.slotWord + SLOT_LEDGER] = addr / GRANULE_BYTES;
    else i32[last + LEDGER_NEXT] = addr / GRANULE_BYTES;
    this.#blocks.push(block);
    return 0;
  }
}
