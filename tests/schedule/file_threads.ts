/**
 * What the threads of the filesystem schedules do: each is an agent that attaches while it prepares.
 *
 * @module
 */
import { FileSystem } from "../../src/api/file_system.ts";
import { Pool } from "../../src/store/pool.ts";
import type { ScheduledThread } from "../support/schedule_worker.ts";

/** Bytes of the file that is read while others change it; more than an inode keeps inside. */
export const FILE_BYTES = 300;
/** What the buffer holds before a read. */
const SENTINEL = 0xee;

function attach(thread: ScheduledThread): FileSystem {
  return FileSystem.over(Pool.attachTo(thread.memory, { debugLevel: 0 }));
}

/** What a call ended with: "ok", or the error's code. */
function outcome(call: () => void): string {
  try {
    call();
    return "ok";
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined || (error as Error).name === "ExecutionEnded") throw error;
    return code;
  }
}

/** Renames. */
export function renamer(thread: ScheduledThread): () => string {
  const fs = attach(thread);
  const [from, to] = thread.data as [string, string];
  return () => outcome(() => fs.renameSync(from, to));
}

/** Makes a directory. */
export function maker(thread: ScheduledThread): () => string {
  const fs = attach(thread);
  return () => outcome(() => fs.mkdirSync(thread.data as string));
}

/** Removes a directory. */
export function remover(thread: ScheduledThread): () => string {
  const fs = attach(thread);
  return () => outcome(() => fs.rmdirSync(thread.data as string));
}

/** Creates a file that must not exist. */
export function creator(thread: ScheduledThread): () => string {
  const fs = attach(thread);
  return () => outcome(() => fs.closeSync(fs.openSync(thread.data as string, "wx")));
}

/** Unlinks. */
export function unlinker(thread: ScheduledThread): () => string {
  const fs = attach(thread);
  return () => outcome(() => fs.unlinkSync(thread.data as string));
}

/** Opens and reads; the whole file is to be there or no file at all. */
export function opener(thread: ScheduledThread): () => string {
  const fs = attach(thread);
  return () =>
    outcome(() => {
      const descriptor = fs.openSync(thread.data as string, "r");
      const buffer = new Uint8Array(FILE_BYTES + 10);
      const count = fs.readSync(descriptor, buffer, 0, buffer.length, 0);
      if (count !== FILE_BYTES) throw new Error(`read ${count} bytes of ${FILE_BYTES}`);
      if (buffer.subarray(0, count).some((byte) => byte !== 65)) throw new Error("read other bytes than were written");
      fs.closeSync(descriptor);
    });
}

/** Reads a file, open already, that others cut off: what it gets was once in the file, the rest of its buffer stays. */
export function reader(thread: ScheduledThread): () => number {
  const fs = attach(thread);
  const descriptor = fs.openSync(thread.data as string, "r");
  return () => {
    const buffer = new Uint8Array(FILE_BYTES + 40).fill(SENTINEL);
    const count = fs.readSync(descriptor, buffer, 8, FILE_BYTES, 0);
    buffer.forEach((byte, at) => {
      const expected = at >= 8 && at < 8 + count ? 65 : SENTINEL;
      if (byte !== expected) throw new Error(`byte ${at} is ${byte} after a read of ${count} bytes`);
    });
    return count;
  };
}

/** Cuts a file off, and writes another, which gets the memory that has become free. */
export function reuser(thread: ScheduledThread): () => void {
  const fs = attach(thread);
  const other = fs.openSync("/other", "w");
  const data = new Uint8Array(FILE_BYTES).fill(66);
  return () => {
    fs.truncateSync(thread.data as string, 0);
    fs.writeSync(other, data, 0, data.length, 0);
  };
}

/** Appends a record. */
export function appender(thread: ScheduledThread): () => number {
  const fs = attach(thread);
  const descriptor = fs.openSync("/log", "a");
  const record = new Uint8Array(40).fill(97 + thread.index);
  return () => fs.writeSync(descriptor, record);
}

/** Asks twice whether a name exists, once by its status. Returns how often it did. */
export function looker(thread: ScheduledThread): () => number {
  const fs = attach(thread);
  const path = thread.data as string;
  return () => Number(fs.existsSync(path)) + Number(fs.statSync(path, { throwIfNoEntry: false }) !== undefined);
}

/** Asks for a file's status; returns its size, and whether its times agree with each other. */
export function stater(thread: ScheduledThread): () => number[] {
  const fs = attach(thread);
  const path = thread.data as string;
  return () => {
    const { size, mtimeMs, ctimeMs } = fs.statSync(path);
    return [size, mtimeMs - ctimeMs];
  };
}

/** Writes a file's beginning. */
export function writer(thread: ScheduledThread): () => number {
  const fs = attach(thread);
  const descriptor = fs.openSync(thread.data as string, "r+");
  const data = new Uint8Array(FILE_BYTES).fill(65);
  return () => fs.writeSync(descriptor, data, 0, data.length, 0);
}

/** Makes calls, each a method and its arguments, one after the other; returns what each ended with. */
export function caller(thread: ScheduledThread): () => string[] {
  const fs = attach(thread) as unknown as Record<string, (...values: unknown[]) => void>;
  const calls = thread.data as [string, ...unknown[]][];
  return () => calls.map(([method, ...values]) => outcome(() => fs[method]!(...values)));
}

/** Closes a file that it has opened while it prepared. */
export function closer(thread: ScheduledThread): () => string {
  const fs = attach(thread);
  const descriptor = fs.openSync(thread.data as string, "r");
  return () => outcome(() => fs.closeSync(descriptor));
}
