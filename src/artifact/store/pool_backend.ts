/**
 * Artifacts in the filesystem of a pool: every worker that is attached finds them at memory speed, and what one has
 * verified the others need not verify again.
 *
 * An entry is the file `<directory>/<key>`. It is written under a name of its own and renamed, so that it is there whole or
 * not at all, and its inode never changes its content afterwards. Two notes are on the inode:
 *
 * - **last used** is the access time, which reading does not set here;
 * - **verified** is the mark of pool_mark.ts. Whatever should write to the inode later takes it away, and a new entry under
 *   the same key is a new inode without it. Whoever can write the pool can set the mark, and could as well write whatever
 *   the readers do next: the mark saves time between agents that trust each other as one program.
 *
 * @module
 */
import type { SystemError } from "../../api/errors.ts";
import type { FileSystem } from "../../api/file_system.ts";
import {
  type ArtifactBackend,
  assertKey,
  type BackendEntry,
  type BackendLock,
  type BackendLockOptions,
  type BackendOptions,
  type BackendValue,
} from "./backend.ts";
import { assertLimit } from "./store_arguments.ts";
import { PoolLocks } from "./pool_locks.ts";
import { type FileState, markFile, readMarked, setAccessTime } from "./pool_mark.ts";

/** Options of {@linkcode PoolBackend}. */
export interface PoolBackendOptions {
  /** Where entries are kept: an absolute path. Default `/artifacts`. */
  readonly directory?: string;
  /** How much later than the last noted one a use must be to be noted, in milliseconds. Default 1,000. */
  readonly touchIntervalMs?: number;
}

/** Often enough to tell uses apart; a change of a file's times makes those who are reading it read it again. */
const DEFAULT_TOUCH_INTERVAL_MS = 1000;

/** A temporary file older than this is of a writer that is gone. */
const STALE_MS = 600_000;

const TEMPORARY = ".write-";

/** Artifacts in the filesystem of a pool. */
export class PoolBackend implements ArtifactBackend {
  readonly name: string;
  readonly shared = false;
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #touchIntervalMs: number;
  readonly #locks: PoolLocks | undefined;
  #serial = 0;

  /**
   * Uses a directory of a filesystem, which is made where it is missing.
   *
   * @throws {Error} the system error where that fails.
   */
  constructor(fs: FileSystem, options: PoolBackendOptions = {}) {
    const { directory = "/artifacts", touchIntervalMs = DEFAULT_TOUCH_INTERVAL_MS } = options;
    assertLimit("touchIntervalMs", touchIntervalMs);
    if (typeof directory !== "string" || !directory.startsWith("/")) {
      throw new TypeError(`"directory" must be an absolute path, not ${JSON.stringify(directory)}`);
    }
    this.#fs = fs;
    this.#touchIntervalMs = touchIntervalMs;
    this.#directory = directory.replace(/\/+$/, "");
    this.name = `pool:${this.#directory || "/"}`;
    if (this.#mayWrite()) {
      fs.mkdirSync(this.#directory || "/", { recursive: true });
      this.#locks = new PoolLocks(fs, `${this.#directory}/.locks`);
    }
  }

  /** Reads an entry; see {@linkcode ArtifactBackend.read}. */
  async read(key: string, { signal }: BackendOptions = {}): Promise<BackendValue | undefined> {
    const path = this.#path(key);
    signal?.throwIfAborted();
    const fs = this.#fs;
    let fd: number;
    try {
      fd = fs.openSync(path);
    } catch (error) {
      if ((error as SystemError).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { bytes, marked, state } = readMarked(fs, fd);
      return await Promise.resolve({ bytes, verified: marked, confirm: () => this.#confirm(path, state) });
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Marks the entry as verified, if it still is the one whose bytes were. */
  #confirm(path: string, state: FileState): void {
    if (!this.#mayWrite()) return;
    ignoreGone(() => {
      const fd = this.#fs.openSync(path);
      try {
        markFile(this.#fs, fd, state);
      } finally {
        this.#fs.closeSync(fd);
      }
    });
  }

  /** Publishes an entry; see {@linkcode ArtifactBackend.write}. */
  async write(key: string, bytes: Uint8Array, { signal }: BackendOptions = {}): Promise<void> {
    const path = this.#path(key);
    signal?.throwIfAborted();
    const fs = this.#fs;
    const temporary = `${this.#directory}/${TEMPORARY}${fs.agentId}-${this.#serial++}-${key}`;
    const fd = fs.openSync(temporary, "w");
    try {
      try {
        for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at, bytes.length - at, at);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(temporary, path);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    await Promise.resolve();
  }

  /** Notes a use; see {@linkcode ArtifactBackend.touch}. */
  async touch(key: string, nowMs: number): Promise<void> {
    const path = this.#path(key);
    if (!this.#mayWrite()) return;
    ignoreGone(() => {
      const { atimeMs } = this.#fs.statSync(path);
      if (nowMs > atimeMs && nowMs - atimeMs >= this.#touchIntervalMs) setAccessTime(this.#fs, path, nowMs);
    });
    await Promise.resolve();
  }

  /** Removes an entry; see {@linkcode ArtifactBackend.remove}. */
  async remove(key: string): Promise<boolean> {
    const path = this.#path(key);
    return await Promise.resolve(ignoreGone(() => this.#fs.unlinkSync(path)));
  }

  /** All entries; see {@linkcode ArtifactBackend.list}. */
  async *list({ signal }: BackendOptions = {}): AsyncGenerator<BackendEntry> {
    await Promise.resolve();
    let names: string[] = [];
    // A read-only attachment may come before the first who makes the directory.
    ignoreGone(() => names = this.#fs.readdirSync(this.#directory || "/") as string[]);
    for (const name of names) {
      signal?.throwIfAborted();
      const path = `${this.#directory}/${name}`;
      if (name.startsWith(TEMPORARY)) this.#removeStale(path);
      if (!KEY.test(name)) continue;
      let entry: BackendEntry | undefined;
      ignoreGone(() => {
        const stats = this.#fs.statSync(path);
        if (stats.isFile()) entry = { key: name, bytes: stats.size, lastUsedMs: stats.atimeMs };
      });
      if (entry !== undefined) yield entry;
    }
  }

  #removeStale(path: string): void {
    if (!this.#mayWrite()) return;
    ignoreGone(() => {
      if (this.#fs.statSync(path).mtimeMs < Date.now() - STALE_MS) this.#fs.unlinkSync(path);
    });
  }

  /** Takes the lock of a key; see {@linkcode ArtifactBackend.lock}. */
  async lock(key: string, options: BackendLockOptions): Promise<BackendLock | undefined> {
    assertKey(key);
    return await this.#locks?.lock(key, options);
  }

  /** Closes the lock file. */
  close(): Promise<void> {
    this.#locks?.[Symbol.dispose]();
    return Promise.resolve();
  }

  #mayWrite(): boolean {
    return !this.#fs.pool.agent.readOnly;
  }

  #path(key: string): string {
    assertKey(key);
    return `${this.#directory}/${key}`;
  }
}

const KEY = /^[A-Za-z0-9_-]{43}$/;

/** Does what another agent may have made impossible by removing the file. Returns whether it was there. */
function ignoreGone(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as SystemError).code === "ENOENT") return false;
    throw error;
  }
}
