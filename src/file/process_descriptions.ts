/**
 * The open file descriptions of a process: what one or more descriptors stand for, with the position that all threads move.
 *
 * A description is used without a lock, but for its position. None is given back while the process lives, and one that has
 * been closed has no generation: who uses it while another thread closes it does so before that, or gets `-EBADF`.
 *
 * Lock rank: the process's lock comes after the operation's own, a description's after that; both before all others.
 *
 * @module
 */
import { SLOT_PROCESS } from "../layout/agent_table.ts";
import { EBADF, EBUSY } from "../layout/errno.ts";
import {
  INODE_NLINK,
  LEDGER_COUNT,
  LEDGER_ENTRIES,
  LEDGER_NEXT,
  LEDGER_PENDING,
  LEDGER_WORDS,
} from "../layout/inode.ts";
import * as row from "../layout/process.ts";
import { GRANULE_BYTES, GRANULE_WORDS, LINE_BYTES } from "../layout/units.ts";
import { addOpen, dropOpen } from "../store/inodes.ts";
import { lockExclusive, tryLockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import type { Context } from "./context.ts";
import { trim } from "./data.ts";
import { releaseFileLocks } from "./file_locks.ts";
import { reapInode } from "./open.ts";

const { DESCRIPTION_GENERATION, DESCRIPTION_INODE, DESCRIPTION_LOCK, DESCRIPTION_POSITION, DESCRIPTION_FLAGS } = row;
/** How often the process's lock is asked for before it is waited for. */
const LOOKS = 50;
/** Lines of a block of the ledger. */
const LEDGER_LINES = 4;
/** Serial numbers of descriptions; those from 2^31 on are an agent's own. */
const SERIAL_MASK = 0x7fff_ffff;
/** The generation of a description that is not in use. */
const FREE = -1;

/** What a search has found, as {@linkcode ProcessDescriptions.found} holds it. */
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

/** The open file descriptions of a process, as one of its threads sees them. */
export class ProcessDescriptions {
  /** Word of the process. */
  readonly word: number;
  /** What the last search found. */
  readonly found: Found = { description: 0, inodeWord: 0, generation: 0, flags: 0 };
  /** The operations of this thread. */
  protected readonly context: Context;
  /** A free description that this thread keeps for its next opening, so that closing takes no further lock; or 0. */
  #spare = 0;

  /** Enters the process into the agent's slot. */
  protected constructor(context: Context, word: number) {
    this.context = context;
    this.word = word;
    const { agent, memory } = context.store;
    memory.i32[agent.slotWord + SLOT_PROCESS] = word / GRANULE_WORDS;
  }

  /** Owner word of the agent that keeps the process: the holder of its file locks. */
  get keeper(): number {
    return this.context.store.memory.i32[this.word + row.PROCESS_KEEPER]!;
  }

  /** Takes the process's lock. Returns 0 or a negative errno. */
  protected lock(): number {
    const { agent } = this.context.store;
    const word = this.word + row.PROCESS_LOCK;
    // Held for some words only: looking again costs less than waiting.
    for (let look = 0; look < LOOKS; look++) {
      const locked = tryLockExclusive(agent, word);
      if (locked !== -EBUSY) return locked;
    }
    return lockExclusive(agent, word);
  }

  /** Releases the process's lock. */
  protected unlock(): void {
    unlockExclusive(this.context.store.agent, this.word + row.PROCESS_LOCK);
  }

  /** Finds what a description stands for. Returns 0 or `-EBADF` where it is not in use. */
  protected look(description: number): number {
    const { wasm, memory, agent } = this.context.store;
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

  /** Whether the description of what the last search found stands for the same still; a lock is held. */
  #isInUse(): boolean {
    const { description, generation, inodeWord } = this.found;
    const { i32 } = this.context.store.memory;
    return i32[description + DESCRIPTION_GENERATION] === generation &&
      i32[description + DESCRIPTION_INODE]! * GRANULE_WORDS === inodeWord;
  }

  /**
   * Locks the position of what the last search found. Returns 0 or a negative errno: `-EBADF` if it has been
   * closed meanwhile.
   */
  lockPosition(): number {
    const locked = lockExclusive(this.context.store.agent, this.found.description + DESCRIPTION_LOCK);
    if (locked !== 0) return locked;
    if (this.#isInUse()) return 0;
    this.unlockPosition();
    return -EBADF;
  }

  /** Unlocks the position. */
  unlockPosition(): void {
    unlockExclusive(this.context.store.agent, this.found.description + DESCRIPTION_LOCK);
  }

  /** The position; it is locked. */
  get position(): number {
    return this.context.store.memory.f64[(this.found.description + DESCRIPTION_POSITION) / 2]!;
  }

  /** Sets the position; it is locked. */
  set position(value: number) {
    this.context.store.memory.f64[(this.found.description + DESCRIPTION_POSITION) / 2] = value;
  }

  /** Notes that what was found has made its file longer. */
  noteGrowth(): void {
    this.context.store.wasm.store(this.found.description + row.DESCRIPTION_GREW, 1);
  }

  /** Serial number of what was found: which use of its description it is. */
  get serial(): number {
    return this.context.store.wasm.load(this.found.description + row.DESCRIPTION_SERIAL);
  }

  /** Changes the flags of what was found. */
  setFlags(flags: number): void {
    this.context.store.wasm.store(this.found.description + DESCRIPTION_FLAGS, flags);
  }

  /** Takes a free description; the lock is held. Returns its word or a negative errno. */
  protected takeLocked(): number {
    const { memory, wasm } = this.context.store;
    let description = this.#spare;
    this.#spare = 0;
    if (description === 0) {
      if (memory.i32[this.word + row.PROCESS_FREE] === 0) {
        const added = this.#addChunkLocked();
        if (added !== 0) return added;
      }
      description = memory.i32[this.word + row.PROCESS_FREE]! * GRANULE_WORDS;
      memory.i32[this.word + row.PROCESS_FREE] = memory.i32[description + row.DESCRIPTION_NEXT]!;
    }
    // A number of its own for this use, never 0, which stands for the process itself.
    const serial = memory.i32[this.word + row.PROCESS_SERIAL]!;
    memory.i32[this.word + row.PROCESS_SERIAL] = serial === SERIAL_MASK ? 1 : serial + 1;
    wasm.store(description + row.DESCRIPTION_SERIAL, serial);
    return description;
  }

  protected giveLocked(description: number): void {
    const { i32 } = this.context.store.memory;
    i32[description + row.DESCRIPTION_NEXT] = i32[this.word + row.PROCESS_FREE]!;
    i32[this.word + row.PROCESS_FREE] = description / GRANULE_WORDS;
  }

  #addChunkLocked(): number {
    const { heap, memory, wasm } = this.context.store;
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
    for (let place = LEDGER_COUNT - 1; place >= 0; place--) {
      // Descriptions that are taken one after the other have their ledger entries in different lines.
      const index = (place % LEDGER_LINES) * (LEDGER_COUNT / LEDGER_LINES) + Math.floor(place / LEDGER_LINES);
      const description = chunk + row.DESCRIPTIONS_HEADER_WORDS + index * row.DESCRIPTION_WORDS;
      i32[description + DESCRIPTION_GENERATION] = FREE;
      i32[description + row.DESCRIPTION_ENTRY] = ledger + LEDGER_ENTRIES + index;
      this.giveLocked(description);
    }
    i32[this.word + row.PROCESS_LEDGER] = ledgerAddr / GRANULE_BYTES;
    i32[this.word + row.PROCESS_CHUNKS] = addr / GRANULE_BYTES;
    return 0;
  }

  protected openDescription(
    description: number,
    inodeWord: number,
    flags: number,
    generation: number,
  ): boolean {
    const { store } = this.context;
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
    wasm.store(description + row.DESCRIPTION_GREW, 0);
    wasm.store(description + DESCRIPTION_FLAGS, flags);
    wasm.store(description + DESCRIPTION_INODE, ref);
    wasm.store(description + DESCRIPTION_GENERATION, generation);
    return true;
  }

  /** Closes a description that no descriptor stands for any more: the file, then the description is free. */
  protected closeDescription(description: number): void {
    const context = this.context;
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
    if (this.lock() !== 0) return;
    this.giveLocked(description);
    this.unlock();
  }

  /**
   * One reference more to what the last search found: it stays open though its descriptors are closed. Returns
   * the word of the description, or a negative errno.
   */
  hold(): number {
    const locked = this.lock();
    if (locked !== 0) return locked;
    const { description } = this.found;
    const isInUse = this.#isInUse();
    if (isInUse) this.context.store.memory.i32[description + row.DESCRIPTION_REFERENCES]!++;
    this.unlock();
    return isInUse ? description : -EBADF;
  }

  /** Finds what is held by its description. Returns 0 or `-EBADF`. */
  findHeld(description: number): number {
    return this.look(description);
  }

  /** Gives up what {@linkcode ProcessDescriptions.hold} took. */
  letGo(description: number): void {
    const context = this.context;
    if (context.begin() !== 0) return;
    if (this.lock() === 0) {
      const left = --context.store.memory.i32[description + row.DESCRIPTION_REFERENCES]!;
      this.unlock();
      if (left === 0) this.closeDescription(description);
    }
    context.end();
  }
}
