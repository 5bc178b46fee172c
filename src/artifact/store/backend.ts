/**
 * What a store of artifacts is kept in: a place for bytes by key. Backends know nothing of what they hold; trust, limits
 * and counters are the store's. Imports nothing.
 *
 * @module
 */

/** What a backend knows of an entry without reading it. */
export interface BackendEntry {
  /** The entry's key: 43 characters of base64url. */
  readonly key: string;
  /** Its size in bytes. */
  readonly bytes: number;
  /** When it was last used, in milliseconds since 1970; backends that say so round it to their `touchIntervalMs`. */
  readonly lastUsedMs: number;
}

/** An entry that was read. */
export interface BackendValue {
  /** A copy of the bytes that nobody else can change; over an `ArrayBuffer`, never shared memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether these very bytes have been verified before by somebody whom this reader trusts as itself. */
  readonly verified: boolean;
  /** Notes that these very bytes have been verified, where the backend can. */
  confirm?(): void;
}

/** Options of what may take long. */
export interface BackendOptions {
  /** Ends the wait, or the transfer. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode ArtifactBackend.lock}. */
export interface BackendLockOptions extends BackendOptions {
  /** How long to wait, in milliseconds. */
  readonly timeoutMs: number;
}

/** A lock that is held; disposing gives it back. */
export interface BackendLock extends AsyncDisposable {}

/**
 * A place for artifacts.
 *
 * Every method rejects with what its medium gives where that fails; the store takes a failed read as a miss. Keys are
 * 43 characters of base64url: backends may use them as names of files as they are, and refuse others with a `TypeError`.
 */
export interface ArtifactBackend {
  /** What it is, for messages and listings: `pool:/artifacts`, `redis://host:6379/0`. No passwords. */
  readonly name: string;
  /** Whether hosts that need not trust each other may write it: its store must have a key. */
  readonly shared: boolean;
  /** Reads an entry; undefined where there is none. Does not count as use: see {@linkcode touch}. */
  read(key: string, options?: BackendOptions): Promise<BackendValue | undefined>;
  /**
   * Publishes an entry atomically: readers find all of it or nothing, and what was there before stays until then. The
   * bytes are not kept: the caller may use them again when this resolves.
   */
  write(key: string, bytes: Uint8Array, options?: BackendOptions): Promise<void>;
  /** Notes that an entry was used now; nothing where it is gone. */
  touch(key: string, nowMs: number): Promise<void>;
  /** Removes an entry. Resolves to whether there was one. */
  remove(key: string): Promise<boolean>;
  /** All entries, in no particular order; those that come or go meanwhile may be missing or not. */
  list(options?: BackendOptions): AsyncIterable<BackendEntry>;
  /**
   * Takes the lock of a key, so that one agent compiles and others wait; undefined if it was not to be had in time. A
   * holder that is gone loses it in the end. Rejects with the signal's reason.
   */
  lock?(key: string, options: BackendLockOptions): Promise<BackendLock | undefined>;
  /** Gives back connections and the like. */
  close?(): Promise<void>;
}

/**
 * Refuses what is no key.
 *
 * @throws {TypeError} where a key is not 43 characters of base64url.
 */
export function assertKey(key: string): void {
  if (typeof key === "string" && /^[A-Za-z0-9_-]{43}$/.test(key)) return;
  throw new TypeError(`A key is 43 characters of base64url (store.key() makes it), not ${JSON.stringify(key)}`);
}
