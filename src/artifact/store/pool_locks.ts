/**
 * Locks of keys between all agents of a pool: one byte of a lock file stands for a key, and whoever works on the key has it
 * locked as an open file description's range (`F_OFD_SETLKW`). Nothing is created or removed for a key, so there is nothing
 * that a holder which is gone leaves behind; its lock ends when its agent is retired.
 *
 * @module
 */
import type { FileSystem } from "../../api/file_system.ts";
import type { SystemError } from "../../api/errors.ts";
import type { BackendLock, BackendLockOptions } from "./backend.ts";

/** The locks of keys, as one agent takes them. */
export class PoolLocks implements Disposable {
  readonly #fs: FileSystem;
  readonly #fd: number;
  /** Keys that this object holds: one description owns all its locks, so that it does not keep itself out. */
  readonly #held = new Map<number, Promise<void>>();
  #closed = false;

  /**
   * Opens the lock file.
   *
   * @param path The lock file; made where it is missing, its directory must be there.
   */
  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#fd = fs.openSync(path, "a+");
  }

  /** Takes the lock of a key, as {@linkcode ArtifactBackend.lock}. */
  async lock(key: string, { signal, timeoutMs }: BackendLockOptions): Promise<BackendLock | undefined> {
    signal?.throwIfAborted();
    const start = byteOf(key);
    const deadline = performance.now() + timeoutMs;
    for (let held = this.#held.get(start); held !== undefined; held = this.#held.get(start)) {
      if (!(await settlesBefore(held, deadline, signal))) return undefined;
    }
    let release!: () => void;
    this.#held.set(start, new Promise((resolve) => release = resolve));
    const forget = () => {
      this.#held.delete(start);
      release();
    };
    const range = { start, length: 1, ofd: true } as const;
    try {
      const left = Math.max(0, deadline - performance.now());
      await this.#fs.setLock(this.#fd, { type: "write", ...range }, {
        timeoutMs: left,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      forget();
      if ((error as SystemError).code === "ETIMEDOUT" || (error as SystemError).code === "EAGAIN") return undefined;
      throw error;
    }
    let disposed = false;
    return {
      [Symbol.asyncDispose]: async () => {
        if (disposed) return;
        disposed = true;
        forget();
        if (!this.#closed) this.#fs.setLockSync(this.#fd, { type: "unlock", ...range });
        await Promise.resolve();
      },
    };
  }

  /** Closes the lock file, and with it what is locked. A second call does nothing. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fs.closeSync(this.#fd);
  }
}

/** The byte of a key: 48 bits of the digest that it is. Two keys with one byte only wait for each other. */
function byteOf(key: string): number {
  let byte = 0;
  for (const character of key.slice(0, 8)) byte = byte * 64 + ALPHABET.indexOf(character);
  return byte;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A timer of more milliseconds than this goes off at once; nobody waits for so long. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits for a promise that never rejects. Resolves to false at the deadline, rejects with the signal's reason. */
async function settlesBefore(promise: Promise<void>, deadline: number, signal?: AbortSignal): Promise<boolean> {
  signal?.throwIfAborted();
  const left = deadline - performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      promise.then(() => resolve(true));
      if (left <= LONGEST_TIMER_MS) timer = setTimeout(() => resolve(false), Math.max(0, left));
      onAbort = () => reject(signal!.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
  }
}
