/**
 * A connection to a Redis server by npm's `redis`, which is imported when the first one is opened: made on demand, closed
 * when it is idle, so that nothing keeps trying to reach a server that is gone. Imports errors and what networked
 * backends share.
 *
 * @module
 */
import { ArtifactStoreError } from "../errors.ts";
import { textOf, untilAborted } from "./networked.ts";

/** What a backend asks of a client of Redis: one command at a time, in the order of the calls. */
export interface RedisCommands {
  /**
   * Sends a command.
   *
   * @param args The command and its arguments; bytes stay as they are until the promise is settled.
   * @returns The reply: bulk strings as bytes (`Uint8Array` or Node's `Buffer`), arrays as arrays, numbers as numbers,
   * nothing as null. Errors of the server reject.
   */
  send(args: readonly (string | Uint8Array)[], options?: { readonly signal?: AbortSignal }): Promise<unknown>;
}

/** Where a server is, and as whom to talk to it. */
export interface RedisAddress {
  /** Name or address of the host. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** The number of the database. */
  readonly database: number;
  /** Whether to use TLS. */
  readonly tls: boolean;
  /** The user; left out, the server's default one. */
  readonly username?: string;
  /** The password. */
  readonly password?: string;
  /** The address as a URL without user and password. */
  readonly name: string;
}

/** Options of {@linkcode RedisConnection}. */
export interface RedisConnectionOptions {
  /**
   * How long the server may keep silent, in milliseconds: while it is connected to, and while it owes a reply. A
   * connection that nobody uses is closed after this time, and opened again when it is needed. Default 5000.
   */
  readonly timeoutMs?: number;
  /** For `rediss:`: certificates, in PEM, of the authorities to trust instead of the well-known ones. */
  readonly ca?: string;
}

/** The part of npm's client that is used. */
interface Client {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(args: readonly (string | Uint8Array)[], options: object): Promise<unknown>;
  destroy(): void;
}

interface Opened {
  readonly client: Client;
  /** Whether a command has got a reply over it. */
  used: boolean;
}

/**
 * Takes a URL apart: `redis:` or `valkey:` for plain connections, `rediss:` or `valkeys:` for TLS, with
 * `user:password@` and `/database` where needed.
 *
 * @throws {ArtifactStoreError} where it is no such URL. The message does not repeat it: it may hold a password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const scheme = /^(redis|valkey)(s?):$/.exec(parsed?.protocol ?? "");
  const database = /^\/?(\d{0,9})$/.exec(parsed?.pathname ?? "");
  if (
    parsed === undefined || scheme === null || database === null || parsed.hostname === "" || parsed.search !== "" ||
    parsed.hash !== ""
  ) {
    throw new ArtifactStoreError(
      `the address of a Redis server reads redis://user:password@host:port/database (rediss: for TLS), user, password, ` +
        `port and database being optional; this is ${
          parsed === undefined ? "no URL" : `a URL of ${parsed.protocol} that does not`
        }`,
    );
  }
  const port = parsed.port === "" ? 6379 : Number(parsed.port);
  const tls = scheme[2] === "s";
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
    port,
    database: Number(database[1]),
    tls,
    ...(parsed.username === "" ? {} : { username: decodePart(parsed.username) }),
    ...(parsed.password === "" ? {} : { password: decodePart(parsed.password) }),
    name: `${tls ? "rediss" : "redis"}://${parsed.hostname}:${port}/${Number(database[1])}`,
  };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ArtifactStoreError(
      "the user or password in the address of a Redis server has a stray %: write it as %25",
    );
  }
}

/** A connection that is opened on demand. Commands reject within a few seconds where the server is gone. */
export class RedisConnection implements RedisCommands {
  readonly #address: RedisAddress;
  readonly #options: RedisConnectionOptions;
  #opened: Promise<Opened> | undefined;
  readonly #pending = new Set<Promise<unknown>>();
  #closed = false;

  /** Makes a connection; nothing is opened yet. */
  constructor(address: RedisAddress, options: RedisConnectionOptions = {}) {
    this.#address = address;
    this.#options = options;
  }

  /**
   * Sends a command, over a new connection where there is none. Where a connection turns out to have been closed by the
   * other side, the command is sent once more over a new one: commands must bear being done twice.
   *
   * @throws {Error} with the text of the server or of the failed connection, without the password; the signal's reason.
   */
  async send(
    args: readonly (string | Uint8Array)[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<unknown> {
    const { signal } = options;
    signal?.throwIfAborted();
    try {
      const [{ Buffer }, { ErrorReply, RESP_TYPES, SocketTimeoutError }] = await Promise.all([
        import("node:buffer"),
        importRedis(),
      ]);
      const parts = args.map((arg) =>
        typeof arg === "string" ? arg : Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
      );
      // Without a timeout of its own: a command may wait while large ones before it are sent.
      const commandOptions = {
        typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer },
        abortSignal: signal,
        timeout: undefined,
      };
      for (let again = true;; again = false) {
        const opened = await untilAborted(this.#open(), signal);
        const { used } = opened;
        try {
          const pending = opened.client.sendCommand(parts, commandOptions);
          this.#pending.add(pending);
          pending.catch(() => {}).finally(() => this.#pending.delete(pending));
          const reply = await untilAborted(pending, signal);
          opened.used = true;
          return reply;
        } catch (error) {
          if (error instanceof ErrorReply) opened.used = true;
          const final = !again || !used || this.#closed || signal?.aborted || opened.client.isReady;
          if (final || error instanceof ErrorReply || error instanceof SocketTimeoutError) throw error;
        }
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw this.#withoutPassword(error);
    }
  }

  /** Waits for replies that are due, no longer than the server may keep silent, and closes. Commands reject from now on. */
  async close(): Promise<void> {
    this.#closed = true;
    // The client's own close() waits for ever where the server hangs.
    await Promise.allSettled(this.#pending);
    const opening = this.#opened;
    this.#opened = undefined;
    const opened = await opening?.catch(() => undefined);
    opened?.client.destroy();
  }

  async #open(): Promise<Opened> {
    if (this.#closed) throw new Error("the connection has been closed by close()");
    const known = this.#opened;
    if (known !== undefined) {
      const opened = await known;
      if (opened.client.isReady) return opened;
      opened.client.destroy();
      // Somebody else may have come first.
      if (this.#opened !== known) return await this.#open();
    }
    const opening = this.#connect();
    this.#opened = opening;
    opening.catch(() => {
      if (this.#opened === opening) this.#opened = undefined;
    });
    return await opening;
  }

  async #connect(): Promise<Opened> {
    const { createClient } = await importRedis();
    const { host, port, tls, username, password, database } = this.#address;
    const { timeoutMs = 5000, ca } = this.#options;
    const common = {
      host,
      port,
      connectTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      reconnectStrategy: false as const,
    };
    const client = createClient({
      RESP: 2,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      database,
      disableOfflineQueue: true,
      disableClientInfo: true,
      maintNotifications: "disabled",
      socket: tls ? { ...common, tls: true, ...(ca === undefined ? {} : { ca }) } : { ...common, tls: false },
    });
    // Failures reach the commands that they fail; without a listener they would be thrown globally.
    client.on("error", () => {});
    try {
      await client.connect();
    } catch (error) {
      client.destroy();
      throw error;
    }
    return { client: client as unknown as Client, used: false };
  }

  /** Servers and proxies that do not know a command repeat its arguments, also those of AUTH. */
  #withoutPassword(error: unknown): unknown {
    const { password = "" } = this.#address;
    if (password === "" || !(error instanceof Error)) return error;
    const text = textOf(error);
    return text.includes(password) ? new Error(text.replaceAll(password, "…")) : error;
  }
}

async function importRedis(): Promise<typeof import("redis")> {
  try {
    return await import("redis");
  } catch (cause) {
    throw new ArtifactStoreError(`npm's package "redis" cannot be loaded (install it beside this module): ${cause}`, {
      cause,
    });
  }
}
