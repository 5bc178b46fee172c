/**
 * A place for artifacts in a Redis or Valkey server: Redis 6 or newer, any Valkey.
 *
 * Below a prefix there are: `data:<key>`, the bytes; `used`, a sorted set of the keys by their last use; `size`, a hash
 * of their sizes; `lock:<key>`, the token of who holds a lock, which expires. What changes more than one of them is one
 * script, so that nobody sees half of it. The server may drop any of them to save memory (`maxmemory-policy`): `data` is
 * what counts, the index follows it. Where the whole index is gone, entries are read as ever, but not listed until they
 * are touched or written again; those that nobody uses are left to the server that dropped it.
 *
 * Imports the contract of backends, the connection, and what networked backends share.
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
import { type Advice, copyOf, failureOf, pause, UNREACHABLE } from "./networked.ts";
import { parseRedisUrl, type RedisCommands, RedisConnection, type RedisConnectionOptions } from "./redis_connection.ts";

export type { RedisCommands, RedisConnectionOptions } from "./redis_connection.ts";

/** Options of {@linkcode RedisBackend}. */
export interface RedisBackendOptions {
  /**
   * What all names in the server begin with. The default, `{extmemfs:artifact}:`, is in braces so that a Redis Cluster
   * puts all of them into one slot; keep a pair of braces where the server is a cluster.
   */
  readonly prefix?: string;
  /** What messages call the backend. Default: the URL without user and password, or `redis`. */
  readonly name?: string;
  /** After which time without news of its holder a lock is free, in milliseconds. Default 30000. */
  readonly lockTtlMs?: number;
}

/** Options of {@linkcode RedisBackend.connect}. */
export interface RedisConnectOptions extends RedisBackendOptions, RedisConnectionOptions {}

/** The longest string that Redis keeps: 512 MiB (`proto-max-bulk-len`). */
const LARGEST_BYTES = 512 * 1024 * 1024;

/** How many entries are listed by one command. */
const PAGE_ENTRIES = 500;

/** The shortest and longest pause between two attempts at a lock, in milliseconds. */
const LOCK_PAUSES_MS = [10, 250] as const;

const ADVICE: Advice = [
  [/WRONGPASS|NOAUTH|AUTH /, "check the user and password"],
  [/NOPERM/, "give the user the permissions for GET, SET, DEL, sorted sets, hashes and EVAL below the prefix"],
  [/READONLY/, "this is a read-only replica: give the address of the primary"],
  [/OOM/, "the server's maxmemory is used up: raise it, or set a maxmemory-policy that evicts, such as allkeys-lru"],
  [/MOVED|ASK |CLUSTERDOWN/, "this is a cluster: give the constructor a client of the cluster"],
  [/CROSSSLOT/, "put a part of the prefix in braces, so that a cluster keeps all of it in one slot"],
  [UNREACHABLE, "does the server run, and is it reached from here?"],
];

/** Notes a use, but never an earlier one. `ZADD GT` would do, from Redis 6.2 on. */
const NOTE_USE = `
local function noteUse(used, key, now)
  local last = redis.call('ZSCORE', used, key)
  if not last or tonumber(last) < tonumber(now) then redis.call('ZADD', used, now, key) end
end
`;

/** Keys: data, used, size. Arguments: key, now, bytes. Redis refuses the first write for want of memory, or none. */
const WRITE = `${NOTE_USE}
redis.call('SET', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], #ARGV[3])
noteUse(KEYS[2], ARGV[1], ARGV[2])
return 1`;

/** Keys: data, used, size. Arguments: key, now. */
const TOUCH = `${NOTE_USE}
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
  return 0
end
redis.call('HSET', KEYS[3], ARGV[1], redis.call('STRLEN', KEYS[1]))
noteUse(KEYS[2], ARGV[1], ARGV[2])
return 1`;

/** Keys: data, used, size. Arguments: key. */
const REMOVE = `
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])`;

/**
 * Keys: used, size, data of each. Arguments: now, key of each. Gives size and last use of each, the size being -1 where
 * the data are gone. Neither EXISTS nor HGET counts as a use of the data for the server's own eviction; STRLEN does.
 */
const DESCRIBE = `
local found = {}
for at = 2, #ARGV do
  local key, data = ARGV[at], KEYS[at + 1]
  local size, last = redis.call('HGET', KEYS[2], key), redis.call('ZSCORE', KEYS[1], key)
  if redis.call('EXISTS', data) == 0 then
    if last then redis.call('ZREM', KEYS[1], key) end
    if size then redis.call('HDEL', KEYS[2], key) end
    size, last = '-1', '0'
  end
  if not size then
    size = redis.call('STRLEN', data)
    redis.call('HSET', KEYS[2], key, size)
  end
  if not last then
    last = ARGV[1]
    redis.call('ZADD', KEYS[1], last, key)
  end
  found[#found + 1] = tostring(size)
  found[#found + 1] = last
end
return found`;

/** Keys: lock. Arguments: token, time to live. To be asked again by the same taker gives the same answer. */
const ACQUIRE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/** Keys: lock. Arguments: token, time to live. */
const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

/** Keys: lock. Arguments: token. */
const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/**
 * A place for artifacts in a Redis or Valkey server.
 *
 * All methods reject with an {@linkcode ArtifactStoreError} that has the server's text where it refuses, or is not
 * reached; with a `TypeError` for what is no key.
 */
export class RedisBackend implements ArtifactBackend {
  /** See {@linkcode ArtifactBackend.name}. */
  readonly name: string;
  /** Other hosts may write: true. */
  readonly shared = true;
  readonly #client: RedisCommands;
  readonly #prefix: string;
  readonly #lockTtlMs: number;
  #owned: RedisConnection | undefined;

  /**
   * Makes a backend over a client that somebody else connects and closes.
   *
   * @throws {RangeError} where `lockTtlMs` is no integer from 100 on.
   */
  constructor(client: RedisCommands, options: RedisBackendOptions = {}) {
    const { prefix = "{extmemfs:artifact}:", name = "redis", lockTtlMs = 30_000 } = options;
    if (!Number.isSafeInteger(lockTtlMs) || lockTtlMs < 100) {
      throw new RangeError(`lockTtlMs must be an integer from 100 on, not ${lockTtlMs}`);
    }
    this.#client = client;
    this.#prefix = prefix;
    this.#lockTtlMs = lockTtlMs;
    this.name = name;
  }

  /**
   * Connects to a server by npm's `redis`, and asks it for a sign of life.
   *
   * @param url `redis://user:password@host:port/database`, `rediss:` for TLS; `valkey:` and `valkeys:` mean the same.
   * @throws {ArtifactStoreError} where the URL is none, the server is not reached, or refuses the user.
   */
  static async connect(url: string, options: RedisConnectOptions = {}): Promise<RedisBackend> {
    const address = parseRedisUrl(url);
    const connection = new RedisConnection(address, options);
    const backend = new RedisBackend(connection, { name: address.name, ...options });
    backend.#owned = connection;
    try {
      await backend.#send("connect", ["PING"]);
    } catch (error) {
      await connection.close();
      throw error;
    }
    return backend;
  }

  /** See {@linkcode ArtifactBackend.read}. */
  async read(key: string, options: BackendOptions = {}): Promise<BackendValue | undefined> {
    assertKey(key);
    const reply = await this.#send("read", ["GET", this.#data(key)], options.signal);
    if (reply === null || reply === undefined) return undefined;
    if (!(reply instanceof Uint8Array)) {
      throw new ArtifactStoreError(
        `${this.name}: read got a ${typeof reply} where bytes are due: the client must give bulk strings as Uint8Array`,
      );
    }
    // A client may give a view of what it has received, of which other replies are part, too.
    return { bytes: copyOf(reply), verified: false };
  }

  /**
   * See {@linkcode ArtifactBackend.write}.
   *
   * @throws {ArtifactStoreError} also for more than 512 MiB.
   */
  async write(key: string, bytes: Uint8Array, options: BackendOptions = {}): Promise<void> {
    assertKey(key);
    if (bytes.length > LARGEST_BYTES) {
      throw new ArtifactStoreError(
        `${this.name}: write of ${bytes.length} bytes: Redis keeps at most ${LARGEST_BYTES} (512 MiB) in one string; ` +
          `use a store of another kind for modules of this size`,
      );
    }
    options.signal?.throwIfAborted();
    const now = String(Date.now());
    await this.#send("write", ["EVAL", WRITE, "3", ...this.#names(key), key, now, copyOf(bytes)], options.signal);
  }

  /** See {@linkcode ArtifactBackend.touch}. Puts back what of the index the server has dropped. */
  async touch(key: string, nowMs: number): Promise<void> {
    assertKey(key);
    await this.#send("touch", ["EVAL", TOUCH, "3", ...this.#names(key), key, String(nowMs)]);
  }

  /** See {@linkcode ArtifactBackend.remove}. */
  async remove(key: string): Promise<boolean> {
    assertKey(key);
    return toNumber(await this.#send("remove", ["EVAL", REMOVE, "3", ...this.#names(key), key])) > 0;
  }

  /**
   * See {@linkcode ArtifactBackend.list}. Drops from the index what the server has dropped or let expire. An entry whose
   * last use the server has dropped counts as used now.
   */
  async *list(options: BackendOptions = {}): AsyncGenerator<BackendEntry, void> {
    const { signal } = options;
    // A scan may give what it gave before when the set is resized.
    const seen = new Set<string>();
    for await (const keys of this.#scan("ZSCAN", "used", seen, signal)) yield* await this.#describe(keys, signal);
    // Entries are in both or none, but for what the server has dropped: of these there are more sizes than uses.
    const [uses, sizes] = [["ZCARD", `${this.#prefix}used`], ["HLEN", `${this.#prefix}size`]];
    if (toNumber(await this.#send("list", sizes, signal)) <= toNumber(await this.#send("list", uses, signal))) return;
    for await (const keys of this.#scan("HSCAN", "size", seen, signal)) yield* await this.#describe(keys, signal);
  }

  /**
   * See {@linkcode ArtifactBackend.lock}. The lock is renewed while it is held; of a holder that is gone it is free
   * after `lockTtlMs`. A holder that does not reach the server for that long loses it without being told: locks save
   * work, correctness does not rest on them.
   */
  async lock(key: string, options: BackendLockOptions): Promise<BackendLock | undefined> {
    assertKey(key);
    const { signal, timeoutMs } = options;
    signal?.throwIfAborted();
    const name = `${this.#prefix}lock:${key}`;
    const token = crypto.randomUUID();
    const acquire = ["EVAL", ACQUIRE, "1", name, token, String(this.#lockTtlMs)];
    const deadline = performance.now() + timeoutMs;
    let [pauseMs, longestMs] = LOCK_PAUSES_MS as readonly [number, number];
    for (;;) {
      let taken: number;
      try {
        taken = toNumber(await this.#send("lock", acquire, signal));
      } catch (error) {
        // Whether the server has done it is not known; if so, nobody should wait for it to expire.
        this.#release(name, token).catch(() => {});
        throw error;
      }
      if (taken === 1) return this.#hold(name, token);
      const leftMs = deadline - performance.now();
      if (!(leftMs > 0)) return undefined;
      await pause(Math.min(leftMs, pauseMs * (0.5 + Math.random())), signal);
      pauseMs = Math.min(longestMs, pauseMs * 1.5);
    }
  }

  /** Closes the connection where {@linkcode connect} has opened it. */
  async close(): Promise<void> {
    try {
      await this.#owned?.close();
    } catch (error) {
      throw failureOf(this.name, "close", error, ADVICE, undefined);
    }
  }

  #data(key: string): string {
    return `${this.#prefix}data:${key}`;
  }

  #names(key: string): string[] {
    return [this.#data(key), `${this.#prefix}used`, `${this.#prefix}size`];
  }

  async #send(asked: string, args: readonly (string | Uint8Array)[], signal?: AbortSignal): Promise<unknown> {
    try {
      signal?.throwIfAborted();
      return await this.#client.send(args, signal === undefined ? {} : { signal });
    } catch (error) {
      throw failureOf(this.name, asked, error, ADVICE, signal);
    }
  }

  /** Gives the keys in a part of the index, page by page, each once. */
  async *#scan(
    command: "ZSCAN" | "HSCAN",
    part: string,
    seen: Set<string>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<string[], void> {
    let cursor = "0";
    do {
      const args = [command, `${this.#prefix}${part}`, cursor, "COUNT", String(PAGE_ENTRIES)];
      const [next, pairs] = await this.#send("list", args, signal) as [unknown, readonly unknown[]];
      cursor = toText(next);
      let keys: string[] = [];
      for (let at = 0; at < pairs.length; at += 2) {
        const key = toText(pairs[at]);
        if (seen.has(key) || !/^[A-Za-z0-9_-]{43}$/.test(key)) continue;
        seen.add(key);
        keys.push(key);
        if (keys.length < PAGE_ENTRIES) continue;
        yield keys;
        keys = [];
      }
      if (keys.length > 0) yield keys;
    } while (cursor !== "0");
  }

  async #describe(keys: readonly string[], signal: AbortSignal | undefined): Promise<BackendEntry[]> {
    const names = [`${this.#prefix}used`, `${this.#prefix}size`, ...keys.map((key) => this.#data(key))];
    const args = ["EVAL", DESCRIBE, String(names.length), ...names, String(Date.now()), ...keys];
    const found = await this.#send("list", args, signal) as readonly unknown[];
    return keys
      .map((key, at) => ({ key, bytes: toNumber(found[2 * at]), lastUsedMs: toNumber(found[2 * at + 1]) }))
      .filter(({ bytes }) => bytes >= 0);
  }

  #release(name: string, token: string): Promise<unknown> {
    return this.#send("unlock", ["EVAL", RELEASE, "1", name, token]);
  }

  #hold(name: string, token: string): BackendLock {
    const renew = ["EVAL", RENEW, "1", name, token, String(this.#lockTtlMs)];
    let renewal: Promise<void> | undefined;
    const timer = setInterval(() => {
      renewal ??= this.#send("renew a lock", renew).then((reply) => {
        if (toNumber(reply) !== 1) clearInterval(timer);
      }).catch(() => {}).finally(() => renewal = undefined);
    }, this.#lockTtlMs / 3);
    // A lock that is forgotten must not keep a process alive.
    (timer as { unref?: () => void }).unref?.();
    let released: Promise<void> | undefined;
    const release = async () => {
      clearInterval(timer);
      await renewal;
      // What fails here is over anyway: the lock expires, and what was done under it is done.
      await this.#release(name, token).catch(() => {});
    };
    return { [Symbol.asyncDispose]: () => released ??= release() };
  }
}

function toText(reply: unknown): string {
  return reply instanceof Uint8Array ? new TextDecoder().decode(reply) : String(reply);
}

function toNumber(reply: unknown): number {
  return typeof reply === "number" ? reply : Number(toText(reply));
}
