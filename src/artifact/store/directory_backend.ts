/**
 * Artifacts in a folder, for Deno, Node.js and Bun: also one that several processes or hosts share. Imports the
 * interface of backends, errors, and the folder's locks.
 *
 * An entry is the file `<folder>/<first two digits>/<name>.wasm`. The name is the key's 258 bits in 65 lower-case
 * hexadecimal digits (the last one is 0 where the key stands for 32 bytes, as a store's do), since there are filesystems
 * that take `a` and `A` for the same letter. Beside it may be, for as long as they are needed, `<name>.<id>.tmp`, a file
 * that is being written or a folder that is to become a lock, and `<name>.lock`, a lock (`directory_lock.ts`).
 *
 * When an entry was last used is its file's modification time, which writing and {@linkcode DirectoryBackend.touch} set. The
 * access time would say more than that: filesystems move it when somebody lists what there is.
 *
 * @module
 */
import { ArtifactStoreError } from "../errors.ts";
import {
  type ArtifactBackend,
  assertKey,
  type BackendEntry,
  type BackendLock,
  type BackendLockOptions,
  type BackendOptions,
  type BackendValue,
} from "./backend.ts";
import { codeOf, DirectoryLocks, ifThere, type LockHost, type LockTimes } from "./directory_lock.ts";

/** Options of {@linkcode DirectoryBackend.open}. */
export interface DirectoryBackendOptions {
  /**
   * Whether hosts that need not trust each other may write the folder, such as a network drive: the store then needs a
   * key. Default false.
   */
  readonly shared?: boolean;
  /** How old the time of the last use must be to be written anew, in milliseconds. Default 60,000. */
  readonly touchIntervalMs?: number;
  /** How often the holder of a lock gives a sign of life, in milliseconds. Default 2000. */
  readonly lockHeartbeatMs?: number;
  /**
   * After how long without a sign of life another takes over a lock, in milliseconds; at least three times
   * `lockHeartbeatMs`. A thread that computes without a pause gives none. Default 30,000.
   */
  readonly lockStaleMs?: number;
}

interface Host extends LockHost {
  readonly path: typeof import("node:path");
}

/** How much is read or written in one call, so that a signal is looked at in between. */
const CHUNK_BYTES = 4 << 20;
/** Temporary files and locks that show no life for so long are left by somebody who is gone. */
const ABANDONED_MS = 3_600_000;
const FOLDER = /^[0-9a-f]{2}$/;
const ENTRY = /^[0-9a-f]{65}\.wasm$/;
const TEMPORARY = /^[0-9a-f]{65}\.[0-9a-f]{32}\.tmp$/;
const LOCK = /^[0-9a-f]{65}\.lock$/;
/** What says that a file or folder may not be written. */
const READ_ONLY: readonly (string | undefined)[] = ["EACCES", "EPERM", "EROFS"];

/**
 * A folder of artifacts.
 *
 * Folders that are emptied stay: there are 256 at most, and taking them away would race with those who write. In a
 * folder that may not be written, reading and listing work, `touch` does nothing, and the rest rejects.
 *
 * @example
 * ```ts ignore
 * const backend = await DirectoryBackend.open("/var/cache/artifacts");
 * ```
 */
export class DirectoryBackend implements ArtifactBackend {
  readonly #host: Host;
  readonly #root: string;
  readonly #touchIntervalMs: number;
  readonly #locks: DirectoryLocks;
  /** `directory:` and the absolute path. */
  readonly name: string;
  /** See {@linkcode DirectoryBackendOptions.shared}. */
  readonly shared: boolean;

  private constructor(host: Host, root: string, options: Required<DirectoryBackendOptions>) {
    this.#host = host;
    this.#root = root;
    this.#touchIntervalMs = options.touchIntervalMs;
    const times: LockTimes = { heartbeatMs: options.lockHeartbeatMs, staleMs: options.lockStaleMs };
    this.#locks = new DirectoryLocks(host, times);
    this.name = `directory:${root}`;
    this.shared = options.shared;
  }

  /**
   * Opens a folder, and makes it where there is none, with those above it.
   *
   * @param path of the folder, or its `file:` URL
   * @throws (rejects) {ArtifactStoreError} where the host has no `node:fs`, where the path is that of something else than
   * a folder, or where the folder cannot be made; {TypeError} for a URL of another kind; {RangeError} for times that make
   * no sense.
   */
  static async open(path: string | URL, options: DirectoryBackendOptions = {}): Promise<DirectoryBackend> {
    const settings = {
      shared: options.shared ?? false,
      touchIntervalMs: atLeast("touchIntervalMs", options.touchIntervalMs ?? 60_000, 0),
      lockHeartbeatMs: atLeast("lockHeartbeatMs", options.lockHeartbeatMs ?? 2000, 1),
      lockStaleMs: options.lockStaleMs ?? 30_000,
    };
    atLeast("lockStaleMs", settings.lockStaleMs, 3 * settings.lockHeartbeatMs);
    const { host, pathOfUrl } = await loadHost();
    const root = host.path.resolve(path instanceof URL ? pathOfUrl(path) : path);
    await makeFolder(host, root);
    return new DirectoryBackend(host, root, settings);
  }

  /** See {@linkcode ArtifactBackend.read}. */
  async read(key: string, options: BackendOptions = {}): Promise<BackendValue | undefined> {
    const path = this.#pathOf(key);
    options.signal?.throwIfAborted();
    const file = await ifThere(this.#host.fs.open(`${path}.wasm`, "r"));
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(size);
      let at = 0;
      while (at < size) {
        options.signal?.throwIfAborted();
        const { bytesRead } = await file.read(bytes, at, Math.min(size - at, CHUNK_BYTES), at);
        // Somebody cuts the file short meanwhile, who is no backend: what is there is for the store to judge.
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      options.signal?.throwIfAborted();
      return { bytes: at === size ? bytes : bytes.slice(0, at), verified: false };
    } finally {
      await file.close();
    }
  }

  /**
   * See {@linkcode ArtifactBackend.write}. The bytes are on the medium before the name shows them: after a loss of power
   * there is the old entry or the new one, whole.
   */
  async write(key: string, bytes: Uint8Array, options: BackendOptions = {}): Promise<void> {
    const path = this.#pathOf(key);
    options.signal?.throwIfAborted();
    const { fs } = this.#host;
    const temporary = `${path}.${this.#host.newId()}.tmp`;
    const open = () => fs.open(temporary, "wx", 0o644);
    const file = await ifThere(open()) ?? (await this.#makeFolderOf(path), await open());
    try {
      try {
        for (let at = 0; at < bytes.length;) {
          options.signal?.throwIfAborted();
          const chunk = bytes.subarray(at, at + CHUNK_BYTES);
          // Hosts differ in whether they write from shared memory: it is copied.
          const own = chunk.buffer instanceof ArrayBuffer ? chunk : chunk.slice();
          at += (await file.write(own, 0, own.length, at)).bytesWritten;
        }
        await file.sync();
      } finally {
        await file.close();
      }
      options.signal?.throwIfAborted();
      await this.#rename(temporary, `${path}.wasm`);
    } catch (error) {
      await fs.unlink(temporary).catch(() => {});
      throw error;
    }
  }

  /** See {@linkcode ArtifactBackend.touch}; does nothing in a folder that may not be written. */
  async touch(key: string, nowMs: number): Promise<void> {
    const path = `${this.#pathOf(key)}.wasm`;
    const { fs } = this.#host;
    try {
      const info = await fs.stat(path);
      if (!(nowMs - info.mtimeMs > this.#touchIntervalMs)) return;
      await fs.utimes(path, nowMs / 1000, nowMs / 1000);
    } catch (error) {
      const code = codeOf(error);
      if (code !== "ENOENT" && !READ_ONLY.includes(code)) throw error;
    }
  }

  /** See {@linkcode ArtifactBackend.remove}. */
  async remove(key: string): Promise<boolean> {
    const unlinked = this.#host.fs.unlink(`${this.#pathOf(key)}.wasm`);
    return await ifThere(unlinked.then(() => true)) ?? false;
  }

  /**
   * See {@linkcode ArtifactBackend.list}. Takes away, where it may, what those have left who have been gone for an hour;
   * passes over files and folders that are not the backend's.
   */
  async *list(options: BackendOptions = {}): AsyncGenerator<BackendEntry, void, unknown> {
    const { fs } = this.#host;
    options.signal?.throwIfAborted();
    for (const folder of await ifThere(fs.readdir(this.#root)) ?? []) {
      if (!FOLDER.test(folder)) continue;
      for (const name of await this.#namesIn(folder)) {
        options.signal?.throwIfAborted();
        if (!name.startsWith(folder)) continue;
        const path = `${this.#root}/${folder}/${name}`;
        if (!ENTRY.test(name)) {
          await this.#clear(path, name);
          continue;
        }
        const info = await ifThere(fs.stat(path));
        if (info === undefined || !info.isFile()) continue;
        yield { key: keyOf(name), bytes: info.size, lastUsedMs: info.mtimeMs };
      }
    }
  }

  /**
   * See {@linkcode ArtifactBackend.lock}. Holds between processes and, as far as the drive shows all hosts the same,
   * between hosts. A holder that gives no sign of life for {@linkcode DirectoryBackendOptions.lockStaleMs} loses the lock
   * to one who waits; those who wait for less find that out together if they use the same backend.
   */
  async lock(key: string, options: BackendLockOptions): Promise<BackendLock | undefined> {
    const path = this.#pathOf(key);
    options.signal?.throwIfAborted();
    await this.#makeFolderOf(path);
    return await this.#locks.take(path, options.timeoutMs, options.signal);
  }

  /** Does nothing: nothing is kept open. */
  async close(): Promise<void> {}

  /** The path of what belongs to a key, without its ending. */
  #pathOf(key: string): string {
    const name = nameOf(key);
    return `${this.#root}/${name.slice(0, 2)}/${name}`;
  }

  async #makeFolderOf(path: string): Promise<void> {
    await this.#host.fs.mkdir(this.#host.path.dirname(path), { recursive: true });
  }

  async #namesIn(folder: string): Promise<string[]> {
    try {
      return await this.#host.fs.readdir(`${this.#root}/${folder}`);
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "")) return [];
      throw error;
    }
  }

  /** Takes away what is left of somebody who is gone. */
  async #clear(path: string, name: string): Promise<void> {
    const { fs } = this.#host;
    const beforeMs = Date.now() - ABANDONED_MS;
    try {
      if (LOCK.test(name)) await this.#locks.clear(path, beforeMs);
      else if (TEMPORARY.test(name) && (await fs.stat(path)).mtimeMs < beforeMs) {
        await fs.rm(path, { recursive: true, force: true });
      }
    } catch {
      // Gone, or not ours to take away: a listing does not fail for it.
    }
  }

  /** Windows refuses to replace a file at the moment in which another opens it; that passes. */
  async #rename(from: string, to: string): Promise<void> {
    const { fs, path, timers } = this.#host;
    for (let attempt = 1;; attempt++) {
      try {
        return await fs.rename(from, to);
      } catch (error) {
        const passes = path.sep === "\\" && ["EPERM", "EACCES", "EBUSY"].includes(codeOf(error) ?? "");
        if (!passes || attempt === 10) throw error;
      }
      await new Promise<void>((resolve) => void timers.setTimeout(resolve, 5 * attempt));
    }
  }
}

async function loadHost(): Promise<{ host: Host; pathOfUrl: (url: URL) => string }> {
  try {
    const [fs, path, timers, url] = await Promise.all([
      import("node:fs/promises"),
      import("node:path"),
      import("node:timers"),
      import("node:url"),
    ]);
    return { host: { fs, path, timers, newId }, pathOfUrl: url.fileURLToPath };
  } catch (cause) {
    throw new ArtifactStoreError(
      "A folder of artifacts needs node:fs, which Deno, Node.js and Bun have and this host has not; in a browser use " +
        "CacheBackend, or a backend in a pool",
      { cause },
    );
  }
}

async function makeFolder({ fs, path }: Host, root: string): Promise<void> {
  let what: string;
  let cause: unknown;
  try {
    const info = await ifThere(fs.stat(root));
    if (info === undefined) await fs.mkdir(root, { recursive: true });
    if (info === undefined || info.isDirectory()) return;
    what = "it is a file; name a folder, or a path where there is nothing yet";
  } catch (error) {
    cause = error;
    const above = path.dirname(root);
    what = codeOf(error) === "EEXIST" || codeOf(error) === "ENOTDIR"
      ? `something above it is a file, and no folder: look at ${above}`
      : READ_ONLY.includes(codeOf(error))
      ? `it may not be made or reached (${codeOf(error)}); name another, or have ${above} made writable for this user`
      : String(error);
  }
  throw new ArtifactStoreError(`The folder of artifacts ${root} cannot be used: ${what}`, { cause });
}

function atLeast(name: string, value: number, least: number): number {
  if (value >= least) return value;
  throw new RangeError(`${name} must be a number of milliseconds from ${least}, not ${value}`);
}

function newId(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(16)));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A key's 258 bits as hexadecimal digits: every key has a name of its own, also where its last two bits are not 0. */
function nameOf(key: string): string {
  assertKey(key);
  const binary = atob(`${key.replaceAll("-", "+").replaceAll("_", "/")}A`);
  return hexOf(Uint8Array.from(binary, (character) => character.charCodeAt(0))).slice(0, 65);
}

/** The key of a file's name. */
function keyOf(name: string): string {
  const bytes = Uint8Array.from(
    { length: 33 },
    (_, at) => parseInt(`${name.slice(0, 65)}0`.slice(2 * at, 2 * at + 2), 16),
  );
  return btoa(String.fromCharCode(...bytes)).slice(0, 43).replaceAll("+", "-").replaceAll("/", "_");
}
