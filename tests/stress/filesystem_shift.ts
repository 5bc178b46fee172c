/**
 * What the mixes of the filesystem's stress tests share: a worker's time at work, and contents that show when they are
 * torn.
 *
 * @module
 */
import type { FileSystem } from "../../mod.ts";
import type { Random, StressJob } from "../support/stress.ts";

/** A mix of operations. */
export interface Mix {
  /** Whether it is no part of the grid, because it needs a filesystem of its own kind. */
  readonly apart?: boolean;
  /** Makes what the workers find. */
  prepare?(fs: FileSystem, random: Random): void;
  /** Works until the shift ends; what it returns goes to `verify`. */
  work(shift: Shift): unknown;
  /** Looks at what is left, and throws if it is not what the workers have reported. */
  verify?(fs: FileSystem, reports: unknown[]): void;
}

/** Between two looks at the clock. */
const TICKS = 16;
/** Between two checks of the whole pool by one of the workers. */
const CHECK_TICKS = 1500;

/** One worker's time at work. */
export class Shift {
  /** The filesystem, as this worker's agent. */
  readonly fs: FileSystem;
  /** The job. */
  readonly job: StressJob;
  /** This worker's choices. */
  readonly random: Random;
  readonly #end: number;
  #ticks = 0;

  /** Begins the shift. */
  constructor(fs: FileSystem, job: StressJob, random: Random) {
    this.fs = fs;
    this.job = job;
    this.random = random;
    this.#end = performance.now() + job.durationMs;
  }

  /** Whether to go on. Every now and then it checks the pool while the others work. */
  goOn(): boolean {
    const ticks = ++this.#ticks;
    if ((ticks + this.job.index * 197) % CHECK_TICKS === 0) this.check();
    return ticks % TICKS !== 0 || performance.now() < this.#end;
  }

  /** Checks the pool under a freeze, with the others held up in the middle of their work. */
  check(): void {
    const violations = this.fs.check();
    if (violations.length > 0) {
      throw new Error(`check() among ${this.job.workers} workers: ${JSON.stringify(violations.slice(0, 10))}`);
    }
  }

  /** Fails unless something holds. */
  demand(holds: boolean, what: () => string): void {
    if (!holds) throw new Error(what());
  }

  /**
   * Fails unless `count` bytes are all the same, but for zeros at the end where a file was cut and lengthened again, and
   * those around them still are `sentinel`. Returns the byte.
   */
  homogeneous(bytes: Uint8Array, from: number, count: number, sentinel: number, what: string): number {
    const first = bytes[from]!;
    let expected = first;
    for (let at = from; at < from + count; at++) {
      if (bytes[at] === 0) expected = 0;
      if (bytes[at] !== expected) {
        throw new Error(`${what}: byte ${at - from} of ${count} is ${bytes[at]}, the first is ${first}`);
      }
    }
    const end = Math.min(bytes.length, from + count + 64);
    for (let at = from + count; at < end; at++) {
      if (bytes[at] !== sentinel) {
        throw new Error(`${what}: ${count} bytes were read, but byte ${at - from} was written, too`);
      }
    }
    for (let at = Math.max(0, from - 64); at < from; at++) {
      if (bytes[at] !== sentinel) throw new Error(`${what}: a byte before the buffer's range was written`);
    }
    return first;
  }
}

/** What stands at a position of a file that belongs to somebody: differs from file to file and from place to place. */
export function patternAt(owner: number, position: number): number {
  return (Math.imul(position, 31) + (position >>> 8) * 7 + (position >>> 16) * 13 + owner * 101) & 255;
}

/** Fills a buffer with the pattern of an owner from a position on. */
export function fillPattern(bytes: Uint8Array, owner: number, position: number): void {
  for (let at = 0; at < bytes.length; at++) bytes[at] = patternAt(owner, position + at);
}

/** The first byte of a buffer that is not as the pattern has it; -1 if there is none. */
export function patternFault(bytes: Uint8Array, count: number, owner: number, position: number): number {
  for (let at = 0; at < count; at++) if (bytes[at] !== patternAt(owner, position + at)) return at;
  return -1;
}
