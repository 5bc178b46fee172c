/**
 * Locks between processes in a folder that they share: one holder for each name, which loses its lock when it gives no
 * sign of life. No call locks a file: the folder may be on a network drive. Imports nothing; node's modules are handed
 * in.
 *
 * A lock is a folder `<name>.lock` with one empty file in it, named by the holder's id: 32 hexadecimal digits at random,
 * used for one hold only. All that anybody does is one call of the filesystem each, and safe in any order:
 *
 * | state of `<name>.lock`      | means    | who leaves it, and by which call                                          |
 * |-----------------------------|----------|---------------------------------------------------------------------------|
 * | absent, or an empty folder  | free     | a taker, by `rename` of a folder of its own that has its id in it already |
 * | holds the file X            | X has it | X, or whoever breaks X's lock, by `unlink(<name>.lock/X)`                 |
 *
 * - take: `rename(own folder, <name>.lock)` succeeds only where that is absent or empty, for one of any number of takers,
 *   and publishes the id with it: nobody sees a lock that is taken but does not say by whom. Where a system does not
 *   rename over an empty folder (Windows), `rmdir` goes before, which never takes away a folder that is not empty.
 * - release, and breaking: the name of the file that is removed is the comparison. Ids are never used twice, so that
 *   `unlink(<name>.lock/X)` ends the hold of X or does nothing.
 *
 * Two takers, A and B, that both find X without a sign of life, in every order:
 *
 * | order                                       | outcome                                                              |
 * |---------------------------------------------|----------------------------------------------------------------------|
 * | A unlinks X, B unlinks X, A renames, B too  | B's unlink finds no X: nothing. B's rename finds A's file: refused   |
 * | A unlinks X, A renames, B unlinks X         | B's unlink finds no X, as the file there is called A: nothing        |
 * | A unlinks X, A dies                         | an empty folder: free, for B                                         |
 * | A unlinks X, C renames, A renames           | A's rename finds C's file: refused, A waits for C                    |
 * | X wakes and releases meanwhile              | X's unlink or the breaker's finds no X: nothing                      |
 * | X wakes and releases after A has taken      | X's unlink finds no X; its `rmdir` finds A's file: refused           |
 * | X gives a sign of life between look, unlink | X loses a lock that it holds: it was silent for `staleMs`            |
 *
 * So two never hold a lock at once but in the last row, which is what a holder that stops for longer than `staleMs` has
 * to expect: the id in its heartbeat's path is gone then, and it stops.
 *
 * A sign of life is a new modification time on the holder's file. Takers compare it only with what they saw before, and
 * measure how long it stays with their own clock, so that hosts' clocks need not agree; a taker that was asleep itself
 * counts a second for that at most, however long it was.
 *
 * @module
 */

/** What locks need of node's modules. */
export interface LockHost {
  /** `node:fs/promises`. */
  readonly fs: typeof import("node:fs/promises");
  /** `node:timers`: their timers can be told not to keep a process alive, in all hosts in the same way. */
  readonly timers: typeof import("node:timers");
  /** Random hexadecimal digits. */
  readonly newId: () => string;
}

/** The times of locks, in milliseconds. */
export interface LockTimes {
  /** Between two signs of life of a holder. */
  readonly heartbeatMs: number;
  /** Without a sign of life for so long, a holder loses its lock. */
  readonly staleMs: number;
}

/** A lock that is held. */
export interface HeldLock extends AsyncDisposable {}

/** What was seen of a holder. */
interface Sighting {
  readonly id: string;
  readonly mtimeMs: number;
  /** How long it has been seen without a sign of life. */
  readonly quietMs: number;
  /** When it was looked at, by `performance.now()`. */
  readonly seenAtMs: number;
}

/** The state of a lock. */
type Look = "free" | "held" | "broken";

const ID = /^[0-9a-f]{32}$/;
/** What the time between two looks counts for at most. */
const MOST_CREDIT_MS = 1000;
/** Between two looks of one who waits: from the first to the second, doubling. */
const FIRST_POLL_MS = 4;
const LAST_POLL_MS = 250;
/** How many sightings are kept of locks that nobody may ask for again. */
const SIGHTINGS_KEPT = 256;
/** After so many refusals in a row for a reason that is no sign of a holder, the reason is given. */
const MOST_REFUSALS = 8;

/** The error's code, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}

/** Undefined where there is no such file or folder. */
export async function ifThere<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The locks of one folder, for all that use one connection. */
export class DirectoryLocks {
  readonly #host: LockHost;
  readonly #times: LockTimes;
  /** By path; kept between calls, so that many takers of little patience find out together that a holder is gone. */
  readonly #sightings = new Map<string, Sighting>();

  /** Locks with these times. */
  constructor(host: LockHost, times: LockTimes) {
    this.#host = host;
    this.#times = times;
  }

  /**
   * Takes a lock.
   *
   * @param path of the lock without `.lock`; its folder must exist
   * @param timeoutMs milliseconds; 0 tries once
   * @returns the lock, or undefined where it was not to be had in time.
   * @throws (rejects) the signal's reason; or the filesystem's error, where the folder cannot be written.
   */
  async take(path: string, timeoutMs: number, signal?: AbortSignal): Promise<HeldLock | undefined> {
    const deadline = performance.now() + timeoutMs;
    const folder = `${path}.lock`;
    let pollMs = FIRST_POLL_MS;
    let refusals = 0;
    while (true) {
      signal?.throwIfAborted();
      const look = await this.#look(folder);
      if (look === "broken") continue;
      if (look === "free") {
        const id = this.#host.newId();
        const refusal = await this.#rename(`${path}.${id}.tmp`, folder, id);
        if (refusal === undefined) {
          const lock = this.#hold(folder, id);
          if (!signal?.aborted) return lock;
          await lock[Symbol.asyncDispose]();
          throw signal.reason;
        }
        const other = ["EEXIST", "ENOTEMPTY"].includes(codeOf(refusal) ?? "");
        refusals = other ? 0 : refusals + 1;
        if (refusals >= MOST_REFUSALS) throw refusal;
      }
      const leftMs = deadline - performance.now();
      if (!(leftMs > 0)) return undefined;
      // Takers that came at the same moment shall not look at the same moments ever after.
      await this.#sleep(Math.min(leftMs, pollMs * (0.5 + Math.random() / 2)), signal);
      pollMs = Math.min(pollMs * 2, LAST_POLL_MS);
    }
  }

  /** Ends holds that have given no sign of life since a moment, which a host's clock tells: for those who clear up. */
  async clear(folder: string, beforeMs: number): Promise<void> {
    const { fs } = this.#host;
    for (const id of await ifThere(fs.readdir(folder)) ?? []) {
      if (!ID.test(id)) continue;
      const info = await ifThere(fs.stat(`${folder}/${id}`));
      if (info !== undefined && info.mtimeMs < beforeMs) await this.#end(folder, id);
    }
  }

  /** Looks at a lock, and breaks it if its holder has been silent for too long. */
  async #look(folder: string): Promise<Look> {
    const { fs } = this.#host;
    const id = (await ifThere(fs.readdir(folder)))?.find((name) => ID.test(name));
    const mtimeMs = id === undefined ? undefined : await this.#lastSign(`${folder}/${id}`);
    if (id === undefined || mtimeMs === undefined) {
      this.#sightings.delete(folder);
      return "free";
    }
    const now = performance.now();
    const last = this.#sightings.get(folder);
    const same = last !== undefined && last.id === id && last.mtimeMs === mtimeMs;
    const quietMs = same ? last.quietMs + Math.min(now - last.seenAtMs, MOST_CREDIT_MS) : 0;
    this.#sightings.delete(folder);
    if (quietMs >= this.#times.staleMs) {
      await this.#end(folder, id);
      return "broken";
    }
    this.#sightings.set(folder, { id, mtimeMs, quietMs, seenAtMs: now });
    if (this.#sightings.size > SIGHTINGS_KEPT) this.#sightings.delete(this.#sightings.keys().next().value!);
    return "held";
  }

  /** When a holder last gave a sign. The file is opened for it: on NFS only that asks the server. */
  async #lastSign(path: string): Promise<number | undefined> {
    const file = await ifThere(this.#host.fs.open(path, "r"));
    try {
      return (await file?.stat())?.mtimeMs;
    } finally {
      await file?.close();
    }
  }

  /** Publishes a folder with an id in it. Returns what stood in the way. */
  async #rename(own: string, folder: string, id: string): Promise<unknown> {
    const { fs } = this.#host;
    await fs.mkdir(own);
    try {
      await fs.writeFile(`${own}/${id}`, "", { flag: "wx" });
      try {
        await fs.rename(own, folder);
        return undefined;
      } catch (error) {
        const code = codeOf(error) ?? "";
        if (!["EEXIST", "ENOTEMPTY", "EPERM", "EACCES", "EBUSY"].includes(code)) throw error;
      }
      await this.#removeEmpty(folder);
      try {
        await fs.rename(own, folder);
        return undefined;
      } catch (error) {
        await fs.rm(own, { recursive: true, force: true });
        return error;
      }
    } catch (error) {
      await fs.rm(own, { recursive: true, force: true });
      throw error;
    }
  }

  /** Gives signs of life until the lock is disposed of, or lost. */
  #hold(folder: string, id: string): HeldLock {
    const { fs, timers } = this.#host;
    const path = `${folder}/${id}`;
    const timer = timers.setInterval(() => {
      const now = Date.now() / 1000;
      fs.utimes(path, now, now).catch((error) => {
        // Lost to another. Any other failure may pass: the next beat comes.
        if (codeOf(error) === "ENOENT") timers.clearInterval(timer);
      });
    }, this.#times.heartbeatMs);
    timer.unref();
    let ended: Promise<void> | undefined;
    return {
      [Symbol.asyncDispose]: () => {
        timers.clearInterval(timer);
        return ended ??= this.#end(folder, id);
      },
    };
  }

  async #end(folder: string, id: string): Promise<void> {
    await ifThere(this.#host.fs.unlink(`${folder}/${id}`));
    await this.#removeEmpty(folder);
  }

  /** Takes an empty folder away. Where that does not work, another has taken the lock, or it stays: free as well. */
  async #removeEmpty(folder: string): Promise<void> {
    await this.#host.fs.rmdir(folder).catch(() => {});
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { timers } = this.#host;
    return new Promise((resolve, reject) => {
      const abort = () => {
        timers.clearTimeout(timer);
        reject(signal!.reason);
      };
      const timer = timers.setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}
