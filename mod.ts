/**
 * ExtMemFS: one shared `WebAssembly.Memory` that holds an allocator, locks and a whole filesystem, which every worker
 * uses at the same time: synchronously, with no messages and no owner thread.
 *
 * Start with {@linkcode FileSystem}; {@linkcode Pool} with its {@linkcode Allocator} and the locks {@linkcode Mutex},
 * {@linkcode RwLock}, {@linkcode Condition} and {@linkcode Event} are usable alone.
 *
 * @example Two agents on one tree
 * ```ts
 * import { FileSystem } from "@extmemfs/extmemfs";
 *
 * using fs = FileSystem.create({ maximumBytes: 64 << 20 });
 * fs.writeFileSync("/hello.txt", "hello");
 * // In a worker that got `fs.handle` by postMessage it is the same:
 * using other = FileSystem.attach(fs.handle);
 * console.log(other.readFileSync("/hello.txt", "utf8"));
 * ```
 *
 * @module
 */
export {
  Allocator,
  type HeapBlock,
  type HeapStats,
  type RegionAttachOptions,
  type RegionOptions,
} from "./src/alloc/allocator.ts";
export { AllocatorAddressError } from "./src/alloc/errors.ts";
export type { PathLike, TimeLike } from "./src/api/arguments.ts";
export type { Encoding } from "./src/api/encoding.ts";
export type { SystemError } from "./src/api/errors.ts";
export { FALLOC_FL_KEEP_SIZE, FileCalls, type ReadWriteOptions, type StatOptions } from "./src/api/file_calls.ts";
export {
  type AttachOptions,
  type DefragmentResult,
  FileSystem,
  type FileSystemOptions,
} from "./src/api/file_system.ts";
export {
  type FileLockAsyncOptions,
  type FileLockWaitOptions,
  type FileRange,
  type FlockOperation,
  type HeldRangeLock,
  LockCalls,
  type RangeLock,
  type RangeLockQuery,
} from "./src/api/lock_calls.ts";
export { F_OK, MetadataCalls, type PathStatOptions, R_OK, W_OK, X_OK } from "./src/api/metadata_calls.ts";
export { BigIntStats, Dirent, type StatFs, Stats } from "./src/api/stats.ts";
export { TarError, type TransferError } from "./src/api/transfer/errors.ts";
export {
  type BufferEncodingOptions,
  COPYFILE_EXCL,
  type Listing,
  type MkdirOptions,
  type ReaddirOptions,
  type RmOptions,
  TreeCalls,
} from "./src/api/tree_calls.ts";
export {
  type EncodingOptions,
  type ReadFileOptions,
  WholeFileCalls,
  type WriteFileOptions,
} from "./src/api/whole_file_calls.ts";
export type {
  ExportOptions,
  ImportOptions,
  ImportSource,
  TransferCounts,
  TransferOptions,
  TransferProgress,
} from "./src/api/transfer/types.ts";
export type { FileSystemStats } from "./src/file/survey.ts";
export {
  AgentTableFullError,
  AttachError,
  type AttachErrorCode,
  CorruptionError,
  ErrnoError,
  IncompatibleLayoutError,
  MemoryRefusedError,
  TruncatedMemoryError,
  UnformattedError,
  UnknownVersionError,
  type Violation,
  WrongMagicError,
} from "./src/memory/errors.ts";
export { Pool, type PoolHandle, type PoolOptions } from "./src/store/pool.ts";
export type { AgentOptions } from "./src/sync/agent.ts";
export { Condition } from "./src/sync/condition.ts";
export {
  AgentRetiredError,
  DeadlockError,
  type LockHolder,
  LockTimeoutError,
  WouldBlockError,
} from "./src/sync/errors.ts";
export { Event } from "./src/sync/event.ts";
export { Mutex, MutexGuard } from "./src/sync/mutex.ts";
export { RwLock, RwLockGuard } from "./src/sync/rw_lock.ts";
export type { BareLockOptions, LockAsyncOptions, LockOptions, LockPool } from "./src/sync/seat.ts";
