/**
 * A process: what the threads of one WebAssembly program share of the filesystem. Each thread is an agent of its own; the
 * process is kept by one of them, and lives in the pool (`src/layout/process.ts`). Here are its beginning, its mask of
 * permissions, its current directory and its mappings of files; it inherits descriptors and descriptions.
 *
 * @module
 */
import { SLOT_PROCESS } from "../layout/agent_table.ts";
import { EBADF, ENOENT, ENOTDIR } from "../layout/errno.ts";
import { INODE_MODE } from "../layout/inode.ts";
import * as row from "../layout/process.ts";
import { GRANULE_BYTES, GRANULE_WORDS, LINE_BYTES } from "../layout/units.ts";
import { FOLLOW } from "../names/walk.ts";
import { S_IFDIR, S_IFMT } from "../store/inodes.ts";
import type { Context } from "./context.ts";
import { O_DIRECTORY } from "./flags.ts";
import { descriptionOf, entryOfHost, ProcessDescriptors } from "./process_descriptors.ts";

/** The standard streams, which the host has open. */
const HOST_DESCRIPTORS = 3;

/** A process as one of its threads sees it. */
export class Process extends ProcessDescriptors {
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
      const part = process.addPartLocked(0);
      if (part < 0) {
        i32[store.agent.slotWord + SLOT_PROCESS] = 0;
        store.heap.free(addr);
        result = part;
      } else {
        for (let host = 0; host < HOST_DESCRIPTORS; host++) {
          store.wasm.store(process.entryWord(host), entryOfHost(host));
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

  /** Permission bits that new files do not get. */
  get umask(): number {
    return this.context.store.wasm.load(this.word + row.PROCESS_UMASK);
  }

  /** Sets the mask; returns the old one. */
  setUmask(mask: number): number {
    return this.context.store.wasm.exchange(this.word + row.PROCESS_UMASK, mask);
  }

  /** The directory that relative paths begin at: 0 and `found`, or `-ENOENT` where it lies outside of the pool. */
  findDirectory(): number {
    const { wasm } = this.context.store;
    for (;;) {
      const ref = wasm.load(this.word + row.PROCESS_DIRECTORY);
      if (ref === 0) return -ENOENT;
      // Closed since by a thread that changed the directory: then there is another.
      if (this.look(ref * GRANULE_WORDS) === 0) return 0;
    }
  }

  /**
   * Makes a directory of the pool the one that relative paths begin at; or none, with an empty path: it then lies with the
   * host. Returns 0 or a negative errno.
   */
  changeDirectory(path: string): number {
    const context = this.context;
    const began = context.begin();
    if (began !== 0) return began;
    const result = path === "" ? this.#setDirectory(0) : this.#changeDirectorySteps(path);
    context.end();
    return result;
  }

  #changeDirectorySteps(path: string): number {
    const { walk } = this.context;
    const locked = this.lock();
    if (locked !== 0) return locked;
    const description = this.takeLocked();
    this.unlock();
    if (description < 0) return description;
    let result: number;
    for (;;) {
      result = walk.resolve(path, FOLLOW);
      if (result !== 0) break;
      if (walk.inodeWord === 0) result = -ENOENT;
      else if ((walk.mode & S_IFMT) !== S_IFDIR) result = -ENOTDIR;
      else if (!this.openDescription(description, walk.inodeWord, O_DIRECTORY, walk.generation)) continue;
      break;
    }
    if (result === 0) return this.#setDirectory(description / GRANULE_WORDS);
    if (this.lock() === 0) {
      this.giveLocked(description);
      this.unlock();
    }
    return result;
  }

  /** Makes the directory of a descriptor the one that relative paths begin at. Returns 0 or a negative errno. */
  changeDirectoryTo(descriptor: number): number {
    const context = this.context;
    const began = context.begin();
    if (began !== 0) return began;
    let result = this.lock();
    if (result === 0) {
      const entry = this.entry(descriptor);
      const description = entry <= 0 ? 0 : descriptionOf(entry);
      const { i32 } = context.store.memory;
      if (description === 0) result = -EBADF;
      else if ((i32[i32[description + row.DESCRIPTION_INODE]! * GRANULE_WORDS + INODE_MODE]! & S_IFMT) !== S_IFDIR) {
        result = -ENOTDIR;
      } else i32[description + row.DESCRIPTION_REFERENCES]!++;
      this.unlock();
      if (result === 0) result = this.#setDirectory(description / GRANULE_WORDS);
    }
    context.end();
    return result;
  }

  /** Puts a description in the place of the current directory's, whose reference is given up. */
  #setDirectory(ref: number): number {
    const { wasm, memory } = this.context.store;
    const old = wasm.exchange(this.word + row.PROCESS_DIRECTORY, ref) * GRANULE_WORDS;
    if (old === 0) return 0;
    const locked = this.lock();
    if (locked !== 0) return locked;
    const left = --memory.i32[old + row.DESCRIPTION_REFERENCES]!;
    this.unlock();
    if (left === 0) this.closeDescription(old);
    return 0;
  }

  /** Notes that a file is mapped at an address, which keeps a held description open. Returns 0 or a negative errno. */
  noteMapping(address: number, description: number): number {
    const locked = this.lock();
    if (locked !== 0) return locked;
    const { heap, memory } = this.context.store;
    const addr = heap.allocate(row.MAPPING_WORDS * 4);
    if (addr >= 0) {
      const { i32, f64 } = memory;
      const mapping = addr / 4;
      i32[mapping + row.MAPPING_NEXT] = i32[this.word + row.PROCESS_MAPPINGS]!;
      i32[mapping + row.MAPPING_DESCRIPTION] = description / GRANULE_WORDS;
      f64[(mapping + row.MAPPING_ADDRESS) / 2] = address;
      i32[this.word + row.PROCESS_MAPPINGS] = addr / GRANULE_BYTES;
    }
    this.unlock();
    return addr < 0 ? addr : 0;
  }

  /** Word of the description that a mapping at an address keeps open; 0 where none is noted. */
  mappingAt(address: number): number {
    return this.#withMapping(address, () => {});
  }

  /** Forgets the mapping at an address. */
  forgetMapping(address: number): void {
    const { heap, memory: { i32 } } = this.context.store;
    this.#withMapping(address, (linkWord, mapping) => {
      i32[linkWord] = i32[mapping + row.MAPPING_NEXT]!;
      heap.free(mapping * 4);
    });
  }

  /** Calls a function with the mapping at an address and the word that refers to it; returns its description, or 0. */
  #withMapping(address: number, use: (linkWord: number, mapping: number) => void): number {
    if (this.lock() !== 0) return 0;
    const { i32, f64 } = this.context.store.memory;
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
    this.unlock();
    return description;
  }
}
