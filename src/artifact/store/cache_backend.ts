/**
 * Artifacts in the Cache API: in browsers, for a page, its workers and the other pages of its origin; in any host that
 * has `caches`. Imports the interface of backends and errors.
 *
 * The cache holds up to two responses for a key, under the page's own origin, or `https://extmemfs.invalid` where the host
 * has none:
 *
 * | URL                          | body           | headers                                                        |
 * |------------------------------|----------------|----------------------------------------------------------------|
 * | `/.extmemfs/artifacts/<key>` | the bytes      | `content-type`, `content-length`, `x-extmemfs-last-used`: when  |
 * |                              |                | it was written, in milliseconds since 1970                     |
 * | `/.extmemfs/last-used/<key>` | none           | `x-extmemfs-last-used`: when it was touched                    |
 *
 * A header cannot be changed by itself: to touch an entry by writing it anew would copy its body, and could bring back
 * what another has removed or replaced meanwhile. A second response has neither fault; one that is left without its entry
 * is taken away by the next listing. The last use is the later of the two.
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

/** Options of {@linkcode CacheBackend.open}. */
export interface CacheBackendOptions {
  /** Where the cache is. Default: the host's `caches`. */
  readonly caches?: CacheStorage;
  /** How old the time of the last use must be to be written anew, in milliseconds. Default 60,000. */
  readonly touchIntervalMs?: number;
}

/** The part of the Web Locks API that is used; not every host has it. */
interface LockManager {
  request(
    name: string,
    options: { signal?: AbortSignal; ifAvailable?: boolean },
    held: (lock: unknown) => Promise<void> | void,
  ): Promise<unknown>;
}

/** The part of a cache that is used; some hosts have no `keys`. */
type ListableCache = Omit<Cache, "keys"> & { keys?(): Promise<readonly Request[]> };

const ENTRIES = "/.extmemfs/artifacts/";
const USES = "/.extmemfs/last-used/";
const LAST_USED = "x-extmemfs-last-used";
/** Timers take no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A cache of artifacts.
 *
 * It survives reloads, and may be emptied by the browser when the device runs out of room, unless the page has been
 * granted persistent storage. Nothing of another origin reaches it. There are locks where the host has the Web Locks API;
 * they end with the page or worker that holds them. (Those of Deno hold within one process, its caches reach further.)
 *
 * @example
 * ```ts ignore
 * const backend = await CacheBackend.open();
 * ```
 */
export class CacheBackend implements ArtifactBackend {
  readonly #cache: ListableCache;
  readonly #origin: string;
  readonly #touchIntervalMs: number;
  /** `cache:` and the cache's name. */
  readonly name: string;
  /** False: nothing of another origin reaches the cache. */
  readonly shared: boolean = false;
  /** See {@linkcode ArtifactBackend.lock}; left out where the host has no `navigator.locks`. */
  readonly lock?: (key: string, options: BackendLockOptions) => Promise<BackendLock | undefined>;

  private constructor(cache: ListableCache, name: string, touchIntervalMs: number) {
    this.#cache = cache;
    this.#origin = originOf();
    this.#touchIntervalMs = touchIntervalMs;
    this.name = `cache:${name}`;
    const locks = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
    if (locks !== undefined) {
      this.lock = async (key, options) => {
        assertKey(key);
        options.signal?.throwIfAborted();
        return await takeLock(locks, `extmemfs:${name}:${key}`, options);
      };
    }
  }

  /**
   * Opens a cache, and makes it where there is none. Works also where the host's caches cannot list what they hold; then
   * {@linkcode list} rejects.
   *
   * @param name of the cache; the same opens the same one everywhere in the origin
   * @throws (rejects) {ArtifactStoreError} where the host has no `caches`, as pages have not that come by `http:` from
   * elsewhere than localhost, or does not let the page use them; {RangeError} for an interval that makes no sense.
   */
  static async open(name: string = "extmemfs-artifacts", options: CacheBackendOptions = {}): Promise<CacheBackend> {
    const { touchIntervalMs = 60_000 } = options;
    if (!(touchIntervalMs >= 0)) {
      throw new RangeError(`touchIntervalMs must be a number of milliseconds from 0, not ${touchIntervalMs}`);
    }
    let cache: Cache;
    try {
      const storage = options.caches ?? (globalThis as { caches?: CacheStorage }).caches;
      if (storage === undefined) {
        throw new ArtifactStoreError(
          `The cache of artifacts ${name} needs the Cache API, which a browser gives only in a secure context: https or ` +
            `localhost, and this is ${whereText()}; outside of browsers use DirectoryBackend`,
        );
      }
      cache = await storage.open(name);
    } catch (cause) {
      if (cause instanceof ArtifactStoreError) throw cause;
      throw new ArtifactStoreError(
        `The cache of artifacts ${name} cannot be opened at ${whereText()}: ${cause}; the Cache API needs a secure ` +
          "context: https or localhost, and an origin that may store data",
        { cause },
      );
    }
    return new CacheBackend(cache, name, touchIntervalMs);
  }

  /** See {@linkcode ArtifactBackend.read}. */
  async read(key: string, options: BackendOptions = {}): Promise<BackendValue | undefined> {
    const url = this.#urlOf(ENTRIES, key);
    options.signal?.throwIfAborted();
    const response = await this.#cache.match(url);
    if (response === undefined) return undefined;
    if (options.signal?.aborted) {
      await response.body?.cancel();
      throw options.signal.reason;
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    options.signal?.throwIfAborted();
    return { bytes, verified: false };
  }

  /**
   * See {@linkcode ArtifactBackend.write}.
   *
   * @throws (rejects) {DOMException} `QuotaExceededError` where the origin may store no more.
   */
  async write(key: string, bytes: Uint8Array, options: BackendOptions = {}): Promise<void> {
    const url = this.#urlOf(ENTRIES, key);
    options.signal?.throwIfAborted();
    // No host makes responses of shared or of resizable memory.
    const plain = bytes.buffer instanceof ArrayBuffer && !bytes.buffer.resizable;
    const own = plain ? bytes as Uint8Array<ArrayBuffer> : bytes.slice();
    await this.#cache.put(
      url,
      new Response(own, {
        headers: {
          "content-type": "application/wasm",
          "content-length": String(own.length),
          [LAST_USED]: String(Date.now()),
        },
      }),
    );
  }

  /** See {@linkcode ArtifactBackend.touch}. */
  async touch(key: string, nowMs: number): Promise<void> {
    const [entry, use] = [this.#urlOf(ENTRIES, key), this.#urlOf(USES, key)];
    const writtenMs = lastUsedOf(await this.#headersOf(entry));
    if (writtenMs === undefined) return;
    const lastUsedMs = Math.max(writtenMs, lastUsedOf(await this.#headersOf(use)) ?? 0);
    if (!(nowMs - lastUsedMs > this.#touchIntervalMs)) return;
    await this.#cache.put(use, new Response("", { headers: { [LAST_USED]: String(nowMs) } }));
  }

  /** See {@linkcode ArtifactBackend.remove}. */
  async remove(key: string): Promise<boolean> {
    const removed = await this.#cache.delete(this.#urlOf(ENTRIES, key));
    await this.#cache.delete(this.#urlOf(USES, key));
    return removed;
  }

  /**
   * See {@linkcode ArtifactBackend.list}.
   *
   * @throws (rejects) {ArtifactStoreError} where the host's caches have no `keys()`.
   */
  async *list(options: BackendOptions = {}): AsyncGenerator<BackendEntry, void, unknown> {
    options.signal?.throwIfAborted();
    if (typeof this.#cache.keys !== "function") {
      throw new ArtifactStoreError(
        `${this.name} cannot be listed: this host's caches have no keys(); use a store without limits, or another backend`,
      );
    }
    const urls = new Set((await this.#cache.keys()).map(({ url }) => url));
    for (const url of urls) {
      options.signal?.throwIfAborted();
      const key = keyOf(url, this.#origin + ENTRIES);
      if (key === undefined) {
        const left = keyOf(url, this.#origin + USES);
        if (left !== undefined && !urls.has(this.#urlOf(ENTRIES, left))) await this.#clear(left);
        continue;
      }
      const headers = await this.#headersOf(url);
      const writtenMs = lastUsedOf(headers);
      if (headers === undefined || writtenMs === undefined) continue;
      const use = this.#urlOf(USES, key);
      const touchedMs = urls.has(use) ? lastUsedOf(await this.#headersOf(use)) ?? 0 : 0;
      yield { key, bytes: Number(headers.get("content-length")), lastUsedMs: Math.max(writtenMs, touchedMs) };
    }
  }

  /** Does nothing: nothing is kept open. */
  async close(): Promise<void> {}

  #urlOf(folder: string, key: string): string {
    assertKey(key);
    return this.#origin + folder + key;
  }

  /** The headers of a response, whose body is let go. */
  async #headersOf(url: string): Promise<Headers | undefined> {
    const response = await this.#cache.match(url);
    await response?.body?.cancel();
    return response?.headers;
  }

  /** Takes away the time of a use that has no entry. */
  async #clear(key: string): Promise<void> {
    if (await this.#headersOf(this.#urlOf(ENTRIES, key)) === undefined) {
      await this.#cache.delete(this.#urlOf(USES, key));
    }
  }
}

/** Takes a Web Lock; undefined where it is not to be had in time. */
function takeLock(locks: LockManager, name: string, options: BackendLockOptions): Promise<BackendLock | undefined> {
  const { timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    let expired = false;
    const expire = () => {
      expired = true;
      controller.abort();
    };
    const abort = () => controller.abort(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const timer = timeoutMs > 0 && timeoutMs <= LONGEST_TIMER_MS ? setTimeout(expire, timeoutMs) : undefined;
    const waitNoMore = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    const ended = locks.request(name, timeoutMs > 0 ? { signal: controller.signal } : { ifAvailable: true }, (lock) => {
      waitNoMore();
      if (lock === null) return resolve(undefined);
      return new Promise<void>((release) =>
        resolve({
          async [Symbol.asyncDispose]() {
            release();
            await ended;
          },
        })
      );
    });
    ended.catch((error) => {
      waitNoMore();
      if (expired) resolve(undefined);
      else reject(signal?.aborted ? signal.reason : error);
    });
  });
}

/** What stands before the paths: the origin of the page, also in workers that were made of a blob. */
function originOf(): string {
  const origin = (globalThis as { location?: { origin?: string } }).location?.origin;
  return origin !== undefined && /^https?:/.test(origin) ? origin : "https://extmemfs.invalid";
}

function whereText(): string {
  return (globalThis as { location?: { href?: string } }).location?.href ?? "a host without a location";
}

function keyOf(url: string, prefix: string): string | undefined {
  const key = url.startsWith(prefix) ? url.slice(prefix.length) : "";
  return /^[A-Za-z0-9_-]{43}$/.test(key) ? key : undefined;
}

/** Undefined where there is no response, or one that the backend did not write. */
function lastUsedOf(headers: Headers | undefined): number | undefined {
  const text = headers?.get(LAST_USED);
  return text !== null && text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
