/**
 * Threads of the schedules of file locks: each is an agent that opens a file, and whose calls on locks are scheduled. Who is
 * inside leaves a mark by scheduled steps, byte by byte.
 *
 * @module
 */
import { FileSystem } from "../../src/api/file_system.ts";
import { releaseFileLocks, setFileLock } from "../../src/file/file_locks.ts";
import { GRANULE_WORDS } from "../../src/layout/units.ts";
import type { Intrinsics } from "../../src/memory/intrinsics.ts";
import { Pool } from "../../src/store/pool.ts";
import { contextOf } from "../unit/file/support.ts";
import type { ScheduledThread } from "../support/schedule_worker.ts";

/** A step: its name, then its arguments. */
export type LockStep =
  | readonly ["flock", "sh" | "ex" | "un", timeoutMs?: number]
  | readonly ["range", "read" | "write" | "unlock", start: number, length: number, timeoutMs?: number]
  | readonly ["enter" | "leave", "read" | "write", byte: number]
  | readonly ["close" | "closeOther" | "detach" | "check"]
  | readonly ["retire", agentId: number];

/** What a thread does. */
export interface LockScript {
  /** First word of the marks, a word for each byte. */
  readonly marks: number;
  /** The steps; after one that fails the next two are left out: what would be done inside. */
  readonly steps: readonly LockStep[];
  /** Whether the thread may block. */
  readonly spins?: boolean;
  /** A planted fault: nobody is woken. */
  readonly fault?: "noWake" | undefined;
}

function enter(wasm: Intrinsics, word: number, type: "read" | "write", me: number): void {
  const before = type === "write" ? wasm.compareExchange(word, 0, -me) : wasm.add(word, 1);
  if (type === "write" ? before !== 0 : before < 0) throw new Error(`thread ${me - 1} found ${before} inside`);
}

function leave(wasm: Intrinsics, word: number, type: "read" | "write", me: number): void {
  const before = type === "write" ? wasm.compareExchange(word, -me, 0) : wasm.add(word, -1);
  if (type === "write" ? before !== -me : before <= 0) throw new Error(`thread ${me - 1} left, ${before} was inside`);
}

/** Runs a script; returns for each step `ok` or the code of its error, and `-` for those that were left out. */
export function locker(thread: ScheduledThread): () => string[] {
  const { marks, steps, spins = false, fault } = thread.data as LockScript;
  if (fault === "noWake") Object.assign(thread.memory, { wasm: { ...thread.wasm, notify: () => 0 } });
  const fs = FileSystem.over(Pool.attachTo(thread.memory, { debugLevel: 0, mayBlock: !spins }));
  const fd = fs.openSync("/f", "r+");
  const other = steps.some(([name]) => name === "closeOther") ? fs.openSync("/f", "r") : -1;
  const { wasm } = thread;
  const play = (step: LockStep): void => {
    switch (step[0]) {
      case "flock":
        return fs.flockSync(fd, step[1], step[2] === undefined ? {} : { timeoutMs: step[2] });
      case "range": {
        const [, type, start, length, timeoutMs] = step;
        return fs.setLockSync(fd, { type, start, length }, timeoutMs === undefined ? {} : { timeoutMs });
      }
      case "enter":
        return enter(wasm, marks + step[2], step[1], thread.index + 1);
      case "leave":
        return leave(wasm, marks + step[2], step[1], thread.index + 1);
      case "close":
        return fs.closeSync(fd);
      case "closeOther":
        return fs.closeSync(other);
      case "detach":
        return fs.detach();
      case "retire":
        return fs.retire(step[1]);
      case "check": {
        const violations = fs.check();
        if (violations.length > 0) throw new Error(JSON.stringify(violations));
      }
    }
  };
  return () => {
    const results: string[] = [];
    for (let index = 0; index < steps.length; index++) {
      try {
        play(steps[index]!);
        results.push("ok");
      } catch (error) {
        const { code, errno } = error as { code?: unknown; errno?: unknown };
        if (typeof code !== "string" || typeof errno !== "number") throw error;
        results.push(code);
        if (steps[index + 1]?.[0] === "enter") {
          results.push("-", "-");
          index += 2;
        }
      }
    }
    return results;
  };
}

/** What threads of one process share: whether the file is open. */
export interface ProcessScript {
  /** Word that is 1 while the file is open. */
  readonly open: number;
  /** Owner word of the process. */
  readonly owner: number;
  /** Whether this thread closes the file rather than to lock it. */
  readonly closes: boolean;
  /** Word of the inode. */
  readonly inodeWord: number;
  /** A planted fault: whether the file is open is asked before the lock is taken. */
  readonly fault?: "looksBefore";
}

/** A thread of a process: takes a range lock of the process, or closes the file that another takes one of. */
export function processThread(thread: ScheduledThread): () => number {
  const { open, owner: agentOwner, closes, inodeWord, fault } = thread.data as ProcessScript;
  const fs = FileSystem.over(Pool.attachTo(thread.memory, { debugLevel: 0 }));
  const context = contextOf(fs);
  const { wasm } = thread;
  const owner = { agentOwner, description: 0 };
  return () => {
    if (closes) {
      wasm.store(open, 0);
      releaseFileLocks(context, inodeWord, owner);
      return 0;
    }
    const before = wasm.load(open) === 1;
    if (fault !== undefined && !before) return -9;
    const isOpen = () => fault !== undefined || wasm.load(open) === 1;
    return setFileLock(context, inodeWord, -1, owner, "range", 1, 0, 10, Infinity, { isOpen });
  };
}

/** The word of an inode. */
export function inodeWordOf(fs: FileSystem, path: string): number {
  return fs.statSync(path).ino * GRANULE_WORDS;
}
