/**
 * The system calls that lock files: `flock`, and `fcntl` for ranges of bytes. The locks are the pool's: they hold between
 * programs, workers and threads.
 *
 * @module
 */
import { O_ACCMODE, O_DIRECTORY, O_RDONLY, O_WRONLY } from "../../file/flags.ts";
import { agentIdOfOwner } from "../../file/file_lock_owner.ts";
import {
  FILE_LOCK_EXCLUSIVE,
  FILE_LOCK_SHARED,
  FILE_LOCK_UNLOCK,
  type FileLockOwner,
  getFileLock,
  setFileLock,
} from "../../file/file_locks.ts";
import { statInode } from "../../file/metadata.ts";
import { toWasi, WASI_EBADF, WASI_EINVAL } from "../wasi_errno.ts";
import {
  F_GETLK,
  F_GETLK_LONG64,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_RDLCK,
  F_SETLK,
  F_SETLKW,
  F_UNLCK,
  F_WRLCK,
  FLOCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "./abi.ts";
import { PathCalls } from "./path_calls.ts";

/** Commands by which an open file description owns the lock, not the process. */
const OFD_COMMANDS: readonly number[] = [F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW];
const LOCK_COMMANDS: readonly number[] = [F_GETLK, F_SETLK, F_SETLKW, ...OFD_COMMANDS];

/** The locking calls of one thread. */
export class LockCalls extends PathCalls {
  /** Locks a whole file: {@linkcode LOCK_SH}, {@linkcode LOCK_EX} or {@linkcode LOCK_UN}, with {@linkcode LOCK_NB}. */
  flock(fd: number, operation: number): number {
    const { process, context } = this.state;
    const entry = process.entry(fd);
    // Nobody else has what is the host's.
    if (entry < 0) return 0;
    if (process.find(fd) !== 0) return -WASI_EBADF;
    const kind = WHOLE_KINDS.get(operation & ~LOCK_NB);
    if (kind === undefined) return -WASI_EINVAL;
    const { inodeWord, generation, description } = process.found;
    const { serial } = process;
    const owner: FileLockOwner = { agentOwner: process.keeper, description: serial };
    const timeoutMs = (operation & LOCK_NB) !== 0 ? 0 : Infinity;
    return toWasi(
      setFileLock(context, inodeWord, generation, owner, "flock", kind, 0, Infinity, timeoutMs, {
        isOpen: () => process.findHeld(description) === 0 && process.serial === serial,
      }),
    );
  }

  /** Locks ranges; all other commands as {@linkcode DescriptorCalls.fcntl64}. */
  override fcntl64(fd: number, command: number, varargs: number): number {
    if (command >= F_GETLK_LONG64 && command < F_GETLK_LONG64 + 3) command += F_GETLK - F_GETLK_LONG64;
    if (!LOCK_COMMANDS.includes(command)) return super.fcntl64(fd, command, varargs);
    const { process, memory } = this.state;
    const entry = process.entry(fd);
    if (entry < 0) return super.fcntl64(fd, command, varargs);
    if (process.find(fd) !== 0) return -WASI_EBADF;
    return this.#lockRange(command, memory.pointer(varargs));
  }

  #lockRange(command: number, pointer: number): number {
    const { process, context, memory } = this.state;
    const { inodeWord, generation, flags, description } = process.found;
    if ((flags & O_DIRECTORY) !== 0) return -WASI_EINVAL;
    const { serial } = process;
    const isOfDescription = OFD_COMMANDS.includes(command);
    const owner: FileLockOwner = { agentOwner: process.keeper, description: isOfDescription ? serial : 0 };
    if (isOfDescription && memory.i32(pointer + FLOCK.pid) !== 0) return -WASI_EINVAL;
    const kind = RANGE_KINDS.get(memory.i16(pointer + FLOCK.type));
    const start = this.#startOf(memory.i16(pointer + FLOCK.whence), memory.i64(pointer + FLOCK.start));
    const length = memory.i64(pointer + FLOCK.length);
    if (kind === undefined || Number.isNaN(start)) return -WASI_EINVAL;
    const first = length < 0 ? start + length : start;
    const end = length === 0 ? Infinity : length < 0 ? start : start + length;
    if (first < 0) return -WASI_EINVAL;
    if (command === F_GETLK || command === F_OFD_GETLK) return this.#tellLock(pointer, owner, kind, first, end);
    const access = flags & O_ACCMODE;
    if (kind === FILE_LOCK_SHARED && access === O_WRONLY) return -WASI_EBADF;
    if (kind === FILE_LOCK_EXCLUSIVE && access === O_RDONLY) return -WASI_EBADF;
    const waits = command === F_SETLKW || command === F_OFD_SETLKW;
    return toWasi(
      setFileLock(context, inodeWord, generation, owner, "range", kind, first, end, waits ? Infinity : 0, {
        isOpen: () => process.findHeld(description) === 0 && process.serial === serial,
      }),
    );
  }

  /** Where a range begins; not a number for what is no origin. */
  #startOf(whence: number, start: number): number {
    const { process, context } = this.state;
    if (whence === SEEK_SET) return start;
    if (whence === SEEK_END) {
      return statInode(context, process.found.inodeWord, this.metadata) === 0 ? this.metadata.size + start : NaN;
    }
    if (whence !== SEEK_CUR || process.lockPosition() !== 0) return NaN;
    const { position } = process;
    process.unlockPosition();
    return position + start;
  }

  #tellLock(pointer: number, owner: FileLockOwner, kind: number, start: number, end: number): number {
    const { process, context, memory } = this.state;
    const found = getFileLock(context, process.found.inodeWord, owner, "range", kind, start, end);
    if (typeof found === "number") return toWasi(found);
    memory.setI16(pointer + FLOCK.type, found === undefined ? F_UNLCK : RANGE_TYPES[found.kind]!);
    if (found === undefined) return 0;
    memory.setI16(pointer + FLOCK.whence, SEEK_SET);
    memory.setI64(pointer + FLOCK.start, found.start);
    memory.setI64(pointer + FLOCK.length, found.end === Infinity ? 0 : found.end - found.start);
    const { agent } = context.store;
    memory.setI32(
      pointer + FLOCK.pid,
      found.owner.description !== 0 ? -1 : agentIdOfOwner(agent, found.owner.agentOwner) ?? -1,
    );
    return 0;
  }
}

const WHOLE_KINDS: ReadonlyMap<number, number> = new Map([
  [LOCK_SH, FILE_LOCK_SHARED],
  [LOCK_EX, FILE_LOCK_EXCLUSIVE],
  [LOCK_UN, FILE_LOCK_UNLOCK],
]);
const RANGE_KINDS: ReadonlyMap<number, number> = new Map([
  [F_RDLCK, FILE_LOCK_SHARED],
  [F_WRLCK, FILE_LOCK_EXCLUSIVE],
  [F_UNLCK, FILE_LOCK_UNLOCK],
]);
const RANGE_TYPES: readonly number[] = [F_RDLCK, F_WRLCK];
