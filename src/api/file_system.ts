/**
 * The filesystem of a pool as one agent uses it: creating, attaching, and what concerns it as a whole.
 *
 * @module
 */
import { Context } from "../file/context.ts";
import { check } from "../file/check.ts";
import { defragment } from "../file/defragment.ts";
import { releaseAllOf } from "../file/file_locks.ts";
import { formatFilesystem, hasFilesystem } from "../file/format.ts";
import { stat } from "../file/metadata.ts";
import { close } from "../file/open.ts";
import { leaveProcess, retire } from "../file/retire.ts";
import { type FileSystemStats, survey, surveySizes } from "../file/survey.ts";
import { SLOT_SCRATCH } from "../layout/agent_table.ts";
import { EBUSY, EEXIST, EIDRM } from "../layout/errno.ts";
import { ErrnoError, UnformattedError, type Violation } from "../memory/errors.ts";
import { Pool, type PoolHandle, type PoolOptions } from "../store/pool.ts";
import { Store } from "../store/store.ts";
import type { AgentOptions } from "../sync/agent.ts";
import { agentIdOf, fenceSelf } from "../sync/retire.ts";
import { type PathLike, toInteger, toPath } from "./arguments.ts";
import type { StatOptions } from "./file_calls.ts";
import { rangeError, systemError, typeError } from "./errors.ts";
import type { StatFs } from "./stats.ts";
import { exportDirectory } from "./transfer/export_directory.ts";
import { importDirectory } from "./transfer/import_directory.ts";
import type { ExportOptions, ImportOptions, ImportSource, TransferCounts } from "./transfer/types.ts";
import { TreeCalls } from "./tree_calls.ts";

/** Options of an attachment to a filesystem. */
export interface AttachOptions extends AgentOptions {
  /** Permission bits that new files and directories of this agent do not get. Default 0o022. */
  readonly umask?: number;
}

/** Options of {@linkcode FileSystem.create}. */
export interface FileSystemOptions extends PoolOptions, AttachOptions {}

/** What {@linkcode FileSystem.defragment} did. */
export interface DefragmentResult {
  /** Files whose extents were joined. */
  readonly files: number;
  /** Extents that there are less. */
  readonly extents: number;
  /** Bytes that were copied. */
  readonly bytes: number;
  /** Whether the whole pool has been gone through within the budget. */
  readonly complete: boolean;
}

const DEFAULT_UMASK = 0o022;

/**
 * A filesystem in shared memory, with the names and semantics of `node:fs`, synchronous. Every agent that attaches by the
 * handle works on the same live tree at the same time.
 *
 * @example A first file
 * ```ts
 * import { FileSystem } from "@extmemfs/extmemfs";
 *
 * using fs = FileSystem.create({ maximumBytes: 64 << 20 });
 * fs.mkdirSync("/notes");
 * fs.writeFileSync("/notes/first.txt", "hello");
 * console.log(fs.readFileSync("/notes/first.txt", "utf8"));
 * ```
 *
 * @example Another agent, here in the same thread; in a worker it is the same with the handle posted to it
 * ```ts
 * import { FileSystem } from "@extmemfs/extmemfs";
 *
 * using fs = FileSystem.create({ maximumBytes: 64 << 20 });
 * using other = FileSystem.attach(fs.handle);
 * other.writeFileSync("/shared.txt", "seen by all");
 * console.log(fs.readFileSync("/shared.txt", "utf8"));
 * ```
 */
export class FileSystem extends TreeCalls implements Disposable {
  /** The pool that holds the filesystem. */
  readonly pool: Pool;
  #detached = false;

  private constructor(pool: Pool, context: Context) {
    super(context);
    this.pool = pool;
  }

  /**
   * Creates a pool, formats a filesystem into it and attaches to it.
   *
   * @throws {MemoryRefusedError} if the engine does not give a memory of that size.
   * @throws {RangeError} if a size makes no sense.
   */
  static create(options: FileSystemOptions = {}): FileSystem {
    umaskOf(options);
    return FileSystem.format(Pool.create(options), options);
  }

  /**
   * Formats a filesystem into a pool that has none, and attaches to it as the pool's agent.
   *
   * @throws {Error} `ENOSPC` if the pool has no room for it, `EEXIST` if it has one.
   */
  static format(pool: Pool, options: AttachOptions = {}): FileSystem {
    umaskOf(options);
    toPool(pool);
    if (hasFilesystem(pool.agent)) throw new ErrnoError(EEXIST, "format", "the pool holds a filesystem already");
    const result = formatFilesystem(pool.agent, pool.heap);
    if (result !== 0) throw new ErrnoError(-result, "format");
    return FileSystem.over(pool, options);
  }

  /**
   * Attaches to the filesystem of a pool. Each attach is an agent of its own: descriptors belong to it alone.
   *
   * @throws {AttachError} if the handle's memory holds no pool, or one that this library does not read.
   * @throws {UnformattedError} if the pool holds no filesystem.
   * @throws {AgentTableFullError} if 1,024 agents are attached.
   */
  static attach(handle: PoolHandle, options: AttachOptions = {}): FileSystem {
    umaskOf(options);
    const pool = Pool.attach(handle, options);
    try {
      return FileSystem.over(pool, options);
    } catch (error) {
      pool.detach();
      throw error;
    }
  }

  /**
   * The filesystem of a pool that is attached already, as the pool's agent.
   *
   * @throws {UnformattedError} if the pool holds no filesystem.
   * @throws {Error} `EBUSY` if this attachment has its filesystem already.
   */
  static over(pool: Pool, options: AttachOptions = {}): FileSystem {
    const umask = umaskOf(options);
    const { agent } = toPool(pool);
    if (!agent.live) throw new ErrnoError(EIDRM, "attach", "the pool has been detached");
    if (agent.memory.i32[agent.slotWord + SLOT_SCRATCH] !== 0) {
      throw new ErrnoError(EBUSY, "attach", "this attachment of the pool has its filesystem already");
    }
    if (!hasFilesystem(pool.agent)) throw new UnformattedError("the pool's filesystem");
    const store = Store.open(pool.agent, pool.heap);
    if (typeof store === "number") throw new ErrnoError(-store, "attach");
    return new FileSystem(pool, new Context(store, umask));
  }

  /** What another agent attaches by: plain, structured-cloneable. */
  get handle(): PoolHandle {
    return this.pool.handle;
  }

  /** The number of this agent, by which others can {@linkcode FileSystem.retire} it. */
  get agentId(): number {
    return agentIdOf(this.pool.agent);
  }

  /** Closes this agent's files and gives its slot back. A second call does nothing. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    const { context } = this;
    if (context.store.agent.live) {
      for (const fd of context.descriptors.all()) close(context, fd);
      releaseAllOf(context, context.store.agent.owner);
      context.descriptors.release();
      const left = leaveProcess(context);
      context.store.close();
      if (left !== 0) fenceSelf(context.store.agent);
    }
    this.pool.detach();
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.detach();
  }

  #assertLive(call: string): void {
    const may = this.context.mayRead();
    if (may !== 0) throw systemError(may, call);
  }

  /**
   * Retires another agent that is known to be gone, such as a worker that was terminated: fences it, so that it changes
   * nothing any more should it live after all, closes its files and frees its slot.
   *
   * @throws {Error} `EINVAL` for a number that no agent has, `EIDRM` if it has detached or was retired before, `EBUSY` if
   * it was cut off in the middle of a change.
   */
  retire(agentId: number): void {
    const id = toInteger(agentId, "agentId", 0);
    this.#assertLive("retire");
    const result = retire(this.context, id);
    if (result !== 0) throw systemError(result, "retire");
  }

  /**
   * Checks the whole pool: heap, inodes, extents, directories, open counts. Stops changes by all agents meanwhile.
   *
   * @returns what is wrong; empty when all is well.
   */
  check(): Violation[] {
    this.#assertLive("check");
    return check(this.context);
  }

  /** Counts by kind, and where the memory is. Sums of one pass while others work; exact when nobody does. */
  stats(): FileSystemStats {
    this.#assertLive("stats");
    return survey(this.context);
  }

  /**
   * Joins the extents of files that nobody has open, as far as contiguous memory is to be had.
   *
   * @param options.budgetMs when to stop, in milliseconds; it stops at the next file after that. Default: no limit.
   */
  defragment(options: { readonly budgetMs?: number } = {}): DefragmentResult {
    const { budgetMs = Infinity } = toObject(options, "options");
    if (typeof budgetMs !== "number") throw typeError("options.budgetMs", "of type number", budgetMs);
    if (!(budgetMs >= 0)) throw rangeError("options.budgetMs", ">= 0", budgetMs);
    const may = this.context.mayWrite();
    if (may !== 0) throw systemError(may, "defragment");
    return defragment(this.context, budgetMs);
  }

  /** Sizes of the filesystem as a whole, up to the pool's maximum. The path is one that exists in it. */
  statfsSync(path: PathLike, options?: StatOptions & { bigint?: false }): StatFs;
  /** Sizes of the filesystem as a whole, in bigints. */
  statfsSync(path: PathLike, options: StatOptions & { bigint: true }): StatFs<bigint>;
  /** Sizes of the filesystem as a whole. */
  statfsSync(path: PathLike, options?: StatOptions): StatFs | StatFs<bigint>;
  statfsSync(path: PathLike, options?: StatOptions): StatFs | StatFs<bigint> {
    const text = toPath(path);
    const result = stat(this.context, text, true, this.found);
    if (result !== 0) throw systemError(result, "statfs", text);
    const found: StatFs = surveySizes(this.context);
    if (options?.bigint !== true) return found;
    return Object.fromEntries(
      Object.entries(found).map(([name, value]) => [name, BigInt(value)]),
    ) as unknown as StatFs<bigint>;
  }

  /**
   * Brings a directory of the host, or a tar archive, into the filesystem: links, permissions and times are kept.
   *
   * @returns what was written; rejects as documented at {@linkcode ImportOptions}.
   */
  importDirectory(source: ImportSource, options?: ImportOptions): Promise<TransferCounts> {
    return importDirectory(this, source, options);
  }

  /** Writes the filesystem, or a directory of it, to a directory of the host; never beyond that directory. */
  exportDirectory(target: string | URL, options?: ExportOptions): Promise<TransferCounts> {
    return exportDirectory(this, target, options);
  }
}

function umaskOf(options: AttachOptions): number {
  return toInteger(toObject(options, "options").umask ?? DEFAULT_UMASK, "umask", 0, 0o777);
}

function toObject<T extends object>(value: T, name: string): T {
  if (typeof value !== "object" || value === null) throw typeError(name, "of type object", value);
  return value;
}

function toPool(value: Pool): Pool {
  if (!(value instanceof Pool)) throw typeError("pool", "an instance of Pool", value);
  return value;
}
