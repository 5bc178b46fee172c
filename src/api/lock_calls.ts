/**
 * Locks on files: `flock` on whole files, and the locks of `fcntl` on ranges. Node has no such calls; the names and the
 * operations follow `flock(2)` and `fcntl(2)`.
 *
 * @module
 */
import type { OpenFile } from "../file/descriptors.ts";
import { agentIdOfOwner } from "../file/file_lock_owner.ts";
import {
  FILE_LOCK_EXCLUSIVE,
  FILE_LOCK_SHARED,
  FILE_LOCK_UNLOCK,
  type FileLockOptions,
  type FileLockOwner,
  type FileLockSpace,
  getFileLock,
  nextDescriptionSerial,
  setFileLock,
  setFileLockAsync,
} from "../file/file_locks.ts";
import { ANY_GENERATION } from "../file/data.ts";
import { EBADF } from "../layout/errno.ts";
import { toBoolean, toDescriptor, toInteger } from "./arguments.ts";
import { rangeError, systemError, typeError, valueError } from "./errors.ts";
import { FileCalls } from "./file_calls.ts";

/** What `flock` does: take the file's lock shared (`"sh"`), exclusively (`"ex"`), or release it (`"un"`). */
export type FlockOperation = "sh" | "ex" | "un";

/** How long to wait for a file lock. */
export interface FileLockWaitOptions {
  /** False tries: where others hold the lock the call fails with `EAGAIN` at once. Default true. */
  readonly wait?: boolean;
  /** Fail with `ETIMEDOUT` after this many milliseconds. Default: never; 0 is a try. */
  readonly timeoutMs?: number;
}

/** How long to wait for a file lock without blocking the thread. */
export interface FileLockAsyncOptions extends FileLockWaitOptions {
  /** Ends the wait: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A range of a file's bytes. */
export interface FileRange {
  /** First byte. Default 0. The range may lie beyond the end of the file. */
  readonly start?: number;
  /** Bytes; 0 stands for all from `start` on, however long the file becomes. Default 0. */
  readonly length?: number;
  /**
   * Whether the lock belongs to the open file description rather than to the agent: an OFD lock (`F_OFD_SETLK`). Two such
   * locks of different descriptions exclude each other in one agent too, and closing another descriptor of the file does
   * not release them. Default false.
   */
  readonly ofd?: boolean;
}

/** A lock on a range, to be taken or released. */
export interface RangeLock extends FileRange {
  /** `"read"`: several may hold it at once. `"write"`: one alone. `"unlock"`: nobody is to hold the range by this owner. */
  readonly type: "read" | "write" | "unlock";
}

/** A lock on a range that would stand in the way of one that is taken. */
export interface RangeLockQuery extends FileRange {
  /** The type of the lock that would be taken. */
  readonly type: "read" | "write";
}

/** A lock on a range that somebody else holds. */
export interface HeldRangeLock {
  /** Its type. */
  readonly type: "read" | "write";
  /** First byte. */
  readonly start: number;
  /** Bytes; 0 stands for all from `start` on. */
  readonly length: number;
  /** Whether it belongs to an open file description rather than to an agent. */
  readonly ofd: boolean;
  /** The number of the agent that holds it, as its `agentId`. */
  readonly agentId: number;
}

const FLOCK_KINDS = new Map<unknown, number>([
  ["sh", FILE_LOCK_SHARED],
  ["ex", FILE_LOCK_EXCLUSIVE],
  ["un", FILE_LOCK_UNLOCK],
]);
const RANGE_KINDS = new Map<unknown, number>([
  ["read", FILE_LOCK_SHARED],
  ["write", FILE_LOCK_EXCLUSIVE],
  ["unlock", FILE_LOCK_UNLOCK],
]);

/** A checked request. */
interface Asked {
  readonly file: OpenFile;
  readonly owner: FileLockOwner;
  readonly space: FileLockSpace;
  readonly kind: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The calls on file locks of one agent's filesystem.
 *
 * Locks hold between all agents of the pool: between workers, and with WebAssembly programs. They are advisory, as on any
 * system: only who asks for a lock waits for one. Whole files and ranges are independent of each other, as on Linux. A
 * read-only attachment takes locks too: they are no change of the file.
 *
 * A lock ends when it is released, when its owner closes the file, detaches, or is retired. The owner of a `flock` or OFD
 * lock is the open file description; that of any other range lock is the agent, as it is the process on POSIX systems:
 * closing _any_ descriptor of a file releases the agent's range locks on it, also one that a call such as `writeFileSync`
 * has opened for itself.
 *
 * @example One writer at a time, whatever the worker
 * ```ts
 * import { FileSystem } from "@extmemfs/extmemfs";
 *
 * using fs = FileSystem.create({ maximumBytes: 64 << 20 });
 * const fd = fs.openSync("/counter", "a+");
 * fs.flockSync(fd, "ex");
 * try {
 *   const count = Number(fs.readFileSync("/counter", "utf8")) + 1;
 *   fs.ftruncateSync(fd);
 *   fs.writeSync(fd, String(count));
 * } finally {
 *   fs.flockSync(fd, "un");
 * }
 * fs.closeSync(fd);
 * ```
 */
export class LockCalls extends FileCalls {
  /**
   * Takes the lock of a whole file, converts it, or releases it, as `flock(2)`. Blocks the thread while others hold it.
   *
   * A lock that is held already is converted. Where that has to wait, the old lock is given up first, as on Linux, so that
   * two who convert do not wait for each other; a try keeps it.
   *
   * @throws {Error} `EAGAIN` where others hold it, if `wait` is false or this thread may not block (then use
   * {@linkcode LockCalls.flock}); `ETIMEDOUT` after `timeoutMs`; `EDEADLK` if another descriptor of this agent holds it;
   * `EBADF` for what is no descriptor; `ENOLCK` if the pool is full; `EIDRM` if the agent has been retired.
   */
  flockSync(fd: number, operation: FlockOperation, options?: FileLockWaitOptions): void {
    const timeoutMs = toTimeoutMs(options);
    this.#set(this.#whole(fd, operation), timeoutMs, "flock");
  }

  /**
   * {@linkcode LockCalls.flockSync} without blocking the thread. Another descriptor of this agent may hold the lock: this
   * one waits for it. The process stays alive while this is pending.
   *
   * @throws (rejects) as {@linkcode LockCalls.flockSync}, but for `EDEADLK`; with the signal's reason; `EBADF` if the
   * descriptor is closed meanwhile.
   */
  async flock(fd: number, operation: FlockOperation, options?: FileLockAsyncOptions): Promise<void> {
    const timeoutMs = toTimeoutMs(options);
    const signal = toSignal(options);
    await this.#setAsync(fd, this.#whole(fd, operation), timeoutMs, signal, "flock");
  }

  /**
   * Takes or releases a lock on a range of a file, as `fcntl(2)` with `F_SETLKW`, or `F_SETLK` where `wait` is false. Blocks
   * the thread while others hold a lock that excludes it. What the owner holds of the range is replaced, as one step.
   *
   * @throws {Error} `EAGAIN` where others hold it, if `wait` is false or this thread may not block (then use
   * {@linkcode LockCalls.setLock}); `ETIMEDOUT` after `timeoutMs`; `EDEADLK` if the holders wait, in range locks of agents
   * too, for this agent, or if another owner of this agent holds it; `EBADF` for what is no descriptor, a read lock through
   * one that may not be read, or a write lock through one that may not be written; `ENOLCK` if the pool is full; `EIDRM` if
   * the agent has been retired.
   */
  setLockSync(fd: number, lock: RangeLock, options?: FileLockWaitOptions): void {
    const timeoutMs = toTimeoutMs(options);
    this.#set(this.#range(fd, lock, true), timeoutMs, "fcntl");
  }

  /**
   * {@linkcode LockCalls.setLockSync} without blocking the thread. The process stays alive while this is pending.
   *
   * A wait of one task counts as one of the whole agent: where the agent's other tasks hold what the holders wait for,
   * `EDEADLK` comes although they might release it, as it does for threads on Linux.
   *
   * @throws (rejects) as {@linkcode LockCalls.setLockSync}; with the signal's reason; `EBADF` if the descriptor is closed
   * meanwhile.
   */
  async setLock(fd: number, lock: RangeLock, options?: FileLockAsyncOptions): Promise<void> {
    const timeoutMs = toTimeoutMs(options);
    const signal = toSignal(options);
    await this.#setAsync(fd, this.#range(fd, lock, true), timeoutMs, signal, "fcntl");
  }

  /**
   * Tells whether a lock on a range could be taken at this moment, as `fcntl(2)` with `F_GETLK`.
   *
   * @returns a lock of another owner that stands in the way, or null.
   * @throws {Error} `EBADF` for what is no descriptor, `EIDRM` if the agent has been retired.
   */
  getLockSync(fd: number, lock: RangeLockQuery): HeldRangeLock | null {
    const { file, owner, space, kind, start, end } = this.#range(fd, lock, false);
    const found = getFileLock(this.context, file.inodeWord, owner, space, kind, start, end);
    if (typeof found === "number") throw systemError(found, "fcntl");
    if (found === undefined) return null;
    return {
      type: found.kind === FILE_LOCK_EXCLUSIVE ? "write" : "read",
      start: found.start,
      length: found.end === Infinity ? 0 : found.end - found.start,
      ofd: found.owner.description !== 0,
      agentId: agentIdOfOwner(this.context.store.agent, found.owner.agentOwner) ?? -1,
    };
  }

  #whole(fd: number, operation: FlockOperation): Asked {
    const kind = FLOCK_KINDS.get(operation);
    if (kind === undefined) throw valueError("operation", operation, "must be one of: 'sh', 'ex', 'un'");
    const file = this.fileOf(toDescriptor(fd), "flock");
    return { file, owner: this.#descriptionOf(file), space: "flock", kind, start: 0, end: Infinity };
  }

  #range(fd: number, lock: RangeLock, sets: boolean): Asked {
    if (typeof lock !== "object" || lock === null) throw typeError("lock", "of type object", lock);
    const { type, start = 0, length = 0, ofd = false } = lock;
    const kind = RANGE_KINDS.get(type);
    if (kind === undefined || (!sets && kind === FILE_LOCK_UNLOCK)) {
      throw valueError("lock.type", type, `must be one of: 'read', 'write'${sets ? ", 'unlock'" : ""}`);
    }
    toInteger(start, "lock.start", 0);
    toInteger(length, "lock.length", 0);
    toBoolean(ofd, "lock.ofd");
    const file = this.fileOf(toDescriptor(fd), "fcntl");
    if (sets && ((kind === FILE_LOCK_SHARED && !file.readable) || (kind === FILE_LOCK_EXCLUSIVE && !file.writable))) {
      throw systemError(-EBADF, "fcntl");
    }
    const owner = ofd ? this.#descriptionOf(file) : { agentOwner: this.context.store.agent.owner, description: 0 };
    return { file, owner, space: "range", kind, start, end: length === 0 ? Infinity : start + length };
  }

  #descriptionOf(file: OpenFile): FileLockOwner {
    if (file.serial === 0) file.serial = nextDescriptionSerial();
    return { agentOwner: this.context.store.agent.owner, description: file.serial };
  }

  #set({ file, owner, space, kind, start, end }: Asked, timeoutMs: number, syscall: string): void {
    const { inodeWord } = file;
    const result = setFileLock(
      this.context,
      inodeWord,
      ANY_GENERATION,
      owner,
      space,
      kind,
      start,
      end,
      timeoutMs,
      ALONE,
    );
    if (result !== 0) throw systemError(result, syscall);
  }

  async #setAsync(
    fd: number,
    { file, owner, space, kind, start, end }: Asked,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    syscall: string,
  ): Promise<void> {
    const { context } = this;
    const result = await setFileLockAsync(
      context,
      file.inodeWord,
      ANY_GENERATION,
      owner,
      space,
      kind,
      start,
      end,
      timeoutMs,
      signal,
      { isOpen: () => context.descriptors.get(fd) === file },
    );
    if (result !== 0) throw systemError(result, syscall);
  }
}

/** While this thread waits, nobody releases what its agent holds. */
const ALONE: FileLockOptions = { alone: true };

function toTimeoutMs(options: FileLockWaitOptions | undefined): number {
  if (options === undefined) return Infinity;
  if (typeof options !== "object" || options === null) throw typeError("options", "of type object", options);
  const { wait = true, timeoutMs = Infinity } = options;
  toBoolean(wait, "options.wait");
  if (typeof timeoutMs !== "number") throw typeError("options.timeoutMs", "of type number", timeoutMs);
  if (!(timeoutMs >= 0)) throw rangeError("options.timeoutMs", ">= 0", timeoutMs);
  return wait ? timeoutMs : 0;
}

function toSignal(options: FileLockAsyncOptions | undefined): AbortSignal | undefined {
  const signal = options?.signal;
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw typeError("options.signal", "an instance of AbortSignal", signal);
}
