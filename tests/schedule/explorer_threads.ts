/**
 * Threads for the explorer's own tests: they interpret small programs over two words.
 *
 * @module
 */
import { placeOf } from "../support/lock_pool.ts";
import type { ScheduledThread } from "../support/schedule_worker.ts";

/** One instruction: what, on which of the two words, and with which operand. */
export interface Instruction {
  /** `spill` stores what the thread saw last. */
  readonly what: "load" | "store" | "add" | "exchange" | "spill";
  /** 0 or 1. */
  readonly word: number;
  /** Operand. */
  readonly value: number;
}

/** The two words. */
export const WORDS: readonly number[] = [placeOf(0) / 4, placeOf(1) / 4];

/** Runs the program that it is given; returns all that it saw. */
export function interpreter(thread: ScheduledThread): () => number[] {
  const program = thread.data as Instruction[];
  const { wasm } = thread;
  return () => {
    const seen: number[] = [];
    for (const { what, word, value } of program) {
      const at = WORDS[word]!;
      if (what === "load") seen.push(wasm.load(at));
      else if (what === "store") wasm.store(at, value);
      else if (what === "add") seen.push(wasm.add(at, value));
      else if (what === "exchange") seen.push(wasm.exchange(at, value));
      else wasm.store(at, seen.at(-1) ?? 0);
    }
    return seen;
  };
}

/** Parks on the first word while it is 0; returns how parking ended. */
export function parker(thread: ScheduledThread): () => number {
  return () => thread.wasm.wait(WORDS[0]!, 0, thread.data as number);
}

/** Stores into the first word, then wakes. */
export function waker(thread: ScheduledThread): () => number {
  return () => {
    thread.wasm.store(WORDS[0]!, 1);
    return thread.wasm.notify(WORDS[0]!, 1);
  };
}

/** Wakes, then stores: whoever looks in between sleeps on. */
export function carelessWaker(thread: ScheduledThread): () => number {
  return () => {
    const woken = thread.wasm.notify(WORDS[0]!, 1);
    thread.wasm.store(WORDS[0]!, 1);
    return woken;
  };
}

/** Never ends. */
export function spinner(thread: ScheduledThread): () => void {
  return () => {
    while (thread.wasm.load(WORDS[0]!) === 0);
  };
}

/** Version, then two words that change together. */
const SEQLOCK: readonly number[] = [placeOf(2) / 4, placeOf(2) / 4 + 1, placeOf(2) / 4 + 2];

/** Changes two words by plain stores under a version. */
export function versionedWriter(thread: ScheduledThread): () => void {
  const [version, first, second] = SEQLOCK as [number, number, number];
  return () => {
    thread.wasm.beginChange(version);
    thread.memory.i32[first]! += 1;
    thread.memory.i32[second]! += 1;
    thread.wasm.endChange(version);
  };
}

/** Reads both words by plain loads, and checks the version unless told not to. Returns the difference, or -1 to retry. */
export function versionedReader(thread: ScheduledThread): () => number {
  const [version, first, second] = SEQLOCK as [number, number, number];
  return () => {
    const before = thread.wasm.load(version);
    const difference = Math.abs(thread.memory.i32[first]! - thread.memory.i32[second]!);
    if ((before & 1) !== 0 || (thread.data !== "careless" && thread.wasm.fenceLoad(version) !== before)) return -1;
    return difference;
  };
}
