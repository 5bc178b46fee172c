/**
 * One worker of the allocator's stress tests: allocates, lengthens, frees, and swaps blocks with the others through
 * mailboxes, so that most blocks are freed by another agent than allocated them.
 *
 * Each block says at its start how long it is and what it is filled with. Whoever comes by a block looks at all of that
 * before anything else; a block that overlaps another cannot agree with both.
 *
 * @module
 */
import { Allocator } from "../../src/alloc/allocator.ts";
import { attachHeap, logUniform, randomOf } from "../unit/alloc/support.ts";

/** What a worker is to do. */
export interface AllocatorJob {
  /** The memory with the heap. */
  readonly memory: WebAssembly.Memory;
  /** Seed of this worker's choices. */
  readonly seed: number;
  /** Number of workers. */
  readonly workers: number;
  /** Times that all workers meet. */
  readonly rounds: number;
  /** Steps from one meeting to the next. */
  readonly steps: number;
  /** Which sizes and alignments. */
  readonly mix: "small" | "logUniform" | "files";
  /** The most blocks that a worker keeps. */
  readonly keep: number;
  /** Debug level to attach at. */
  readonly debugLevel: 0 | 1 | 2 | 3;
  /** Words that all share, see {@linkcode CONTROL_ARRIVED}. */
  readonly control: Int32Array;
}

/** Control word: how many have arrived at the meeting. */
export const CONTROL_ARRIVED = 0;
/** Control word: the round that may begin. */
export const CONTROL_ROUND = 1;
/** Control word: blocks that the workers keep, all together. */
export const CONTROL_KEPT = 2;
/** Control word: how many blocks have gone from one worker to another. */
export const CONTROL_SWAPPED = 3;
/** Control words: granules of blocks that wait for whoever takes them. */
export const CONTROL_MAIL = 16;
/** Number of mailboxes. */
export const MAILBOXES = 64;
/** Words of the control. */
export const CONTROL_WORDS: number = CONTROL_MAIL + MAILBOXES;

const FILE_SIZES = [56, 120, 248, 504, 1016, 4096, 4096, 8192, 65536];
const HEADER_WORDS = 2;

class Workload {
  readonly #job: AllocatorJob;
  readonly #allocator: Allocator;
  readonly #random: () => number;
  readonly #kept: number[] = [];
  #i32: Int32Array;
  #stamp: number;

  constructor(job: AllocatorJob) {
    this.#job = job;
    this.#allocator = new Allocator(attachHeap(job.memory, { debugLevel: job.debugLevel }));
    this.#random = randomOf(job.seed);
    this.#stamp = job.seed;
    this.#i32 = new Int32Array(job.memory.buffer);
  }

  run(): void {
    const { control, rounds, steps } = this.#job;
    for (let round = 0; round < rounds; round++) {
      this.#meet(round);
      const before = this.#kept.length;
      for (let step = 0; step < steps; step++) this.#step();
      if (round === rounds - 1) {
        for (const address of this.#kept.splice(0)) this.#release(address);
      }
      Atomics.add(control, CONTROL_KEPT, this.#kept.length - before);
    }
    this.#meet(rounds);
  }

  /** Waits until the round may begin. */
  #meet(round: number): void {
    const { control } = this.#job;
    Atomics.add(control, CONTROL_ARRIVED, 1);
    while (Atomics.load(control, CONTROL_ROUND) <= round) Atomics.wait(control, CONTROL_ROUND, round, 1000);
  }

  #step(): void {
    const choice = this.#random();
    const kept = this.#kept;
    const index = Math.floor(this.#random() * kept.length);
    if (choice < 0.4 && kept.length < this.#job.keep) kept.push(this.#obtain());
    else if (kept.length === 0) return;
    else if (choice < 0.7) this.#release(this.#take(index));
    else if (choice < 0.8) kept[index] = this.#resize(kept[index]);
    else this.#swap(this.#take(index));
  }

  #take(index: number): number {
    const address = this.#kept[index];
    const last = this.#kept.pop()!;
    if (index < this.#kept.length) this.#kept[index] = last;
    return address;
  }

  #obtain(): number {
    const { mix } = this.#job;
    const random = this.#random;
    if (mix === "files") {
      const bytes = FILE_SIZES[Math.floor(random() * FILE_SIZES.length)];
      return this.#write(this.#allocator.allocate(bytes, bytes >= 4096 ? 64 : 16), bytes);
    }
    const bytes = 8 + logUniform(random, mix === "small" ? 500 : 65536);
    return this.#write(this.#allocator.allocate(bytes), bytes);
  }

  #resize(address: number): number {
    this.#verify(address);
    const bytes = 8 + logUniform(this.#random, this.#job.mix === "small" ? 500 : 65536);
    const old = this.#i32[address / 4];
    const stamp = this.#i32[address / 4 + 1];
    const moved = this.#allocator.reallocate(address, bytes);
    this.#view(moved, bytes);
    const words = Math.floor(Math.min(old, bytes) / 4);
    for (let word = HEADER_WORDS; word < words; word++) {
      if (this.#i32[moved / 4 + word] !== Math.imul(stamp, word)) throw this.#lost(moved, word, "while it moved");
    }
    return this.#write(moved, bytes);
  }

  /** Leaves a block in a mailbox, and keeps the one that was in there. */
  #swap(address: number): void {
    const { control } = this.#job;
    const box = CONTROL_MAIL + Math.floor(this.#random() * MAILBOXES);
    const other = (Atomics.exchange(control, box, address / 16) >>> 0) * 16;
    if (other === 0) return;
    Atomics.add(control, CONTROL_SWAPPED, 1);
    this.#verify(other);
    this.#kept.push(other);
  }

  #release(address: number): void {
    this.#verify(address);
    this.#allocator.free(address);
  }

  #write(address: number, bytes: number): number {
    this.#view(address, bytes);
    const i32 = this.#i32;
    const at = address / 4;
    const stamp = this.#stamp = Math.imul(this.#stamp, 0x9e3779b1) + 1;
    i32[at] = bytes;
    i32[at + 1] = stamp;
    const words = Math.floor(bytes / 4);
    for (let word = HEADER_WORDS; word < words; word++) i32[at + word] = Math.imul(stamp, word);
    return address;
  }

  #verify(address: number): void {
    this.#view(address, 8);
    const i32 = this.#i32;
    const at = address / 4;
    const words = Math.floor(i32[at] / 4);
    this.#view(address, words * 4);
    for (let word = HEADER_WORDS; word < words; word++) {
      if (this.#i32[at + word] !== Math.imul(i32[at + 1], word)) throw this.#lost(address, word, "");
    }
  }

  #lost(address: number, word: number, when: string): Error {
    return new Error(`the block at ${address} has lost its word ${word} of ${this.#i32[address / 4] / 4} ${when}`);
  }

  /** Makes sure that the view reaches a block that another agent may have allocated in memory that it has added. */
  #view(address: number, bytes: number): void {
    if (address + bytes > this.#i32.length * 4) this.#i32 = new Int32Array(this.#job.memory.buffer);
  }
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<AllocatorJob>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data }) => {
  try {
    new Workload(data).run();
    scope.postMessage({});
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? error.stack : String(error) });
  }
};
