/**
 * A real Redis server on a free port of 127.0.0.1, in a temporary folder; nothing is kept on disk.
 *
 * @module
 */
import { unpackDebian, type Unpacked } from "./debian.ts";
import { endProcess, freePort, isListening, until } from "./ports.ts";

/** How a server is started. */
export interface RedisServerOptions {
  /** What clients must say; left out, nothing. */
  readonly password?: string;
  /** Whether it speaks TLS only, with a certificate of its own making for 127.0.0.1. */
  readonly tls?: boolean;
  /** Further arguments, such as `--maxmemory`, `10mb`. */
  readonly args?: readonly string[];
}

/** A Redis server. Disposing ends it and removes its folder. */
export class RedisServer implements AsyncDisposable {
  /** Its port; the same after {@linkcode restart}. */
  readonly port: number;
  readonly #options: RedisServerOptions;
  readonly #folder: string;
  #process: Deno.ChildProcess | undefined;
  #unpacked: Unpacked | undefined;

  private constructor(port: number, folder: string, options: RedisServerOptions) {
    this.port = port;
    this.#folder = folder;
    this.#options = options;
  }

  /** Starts a server, and waits until it accepts connections. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    for (let attempt = 1;; attempt++) {
      const folder = await Deno.makeTempDir({ prefix: "redis-" });
      const server = new RedisServer(freePort(), folder, options);
      try {
        if (options.tls) await server.#makeCertificate();
        await server.restart();
        return server;
      } catch (error) {
        await server[Symbol.asyncDispose]();
        if (attempt === 3) throw error;
      }
    }
  }

  /** Its URL, with the password. */
  get url(): string {
    const { password, tls } = this.#options;
    return `redis${tls ? "s" : ""}://${password === undefined ? "" : `:${password}@`}127.0.0.1:${this.port}/0`;
  }

  /** Its certificate, in PEM. */
  certificate(): Promise<string> {
    return Deno.readTextFile(`${this.#folder}/certificate.pem`);
  }

  /** Starts it again, empty, after {@linkcode stop}. */
  async restart(): Promise<void> {
    if (this.#process !== undefined) throw new Error("the server runs");
    const { root, env } = this.#unpacked = await unpackRedis();
    const { password, tls, args = [] } = this.#options;
    const port = String(this.port);
    const process = new Deno.Command(`${root}/usr/bin/redis-server`, {
      args: [
        ...["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", this.#folder],
        ...["--logfile", `${this.#folder}/log`, "--daemonize", "no"],
        ...(tls ? ["--port", "0", "--tls-port", port, "--tls-auth-clients", "no"] : ["--port", port]),
        ...(tls ? ["--tls-cert-file", `${this.#folder}/certificate.pem`] : []),
        ...(tls ? ["--tls-key-file", `${this.#folder}/key.pem`] : []),
        ...(password === undefined ? [] : ["--requirepass", password]),
        ...args,
      ],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process = process;
    let ended = false;
    process.status.then(() => ended = true);
    try {
      await until(`redis-server on port ${this.port}`, 10_000, async () => ended || await isListening(this.port));
      if (ended) throw new Error("redis-server has ended");
    } catch (error) {
      const log = await Deno.readTextFile(`${this.#folder}/log`).catch(() => "it has written no log");
      throw new Error(`${error}\n${log}`, { cause: error });
    }
  }

  /** Ends it; by default without a chance to say good-bye. */
  async stop(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process !== undefined) await endProcess(process, signal);
  }

  /** Lets it hang: connections are accepted by the kernel, and nobody answers. */
  hang(): void {
    this.#process!.kill("SIGSTOP");
  }

  /** Ends {@linkcode hang}. */
  resume(): void {
    this.#process!.kill("SIGCONT");
  }

  /** Asks it something by its own client, and gives what that prints. */
  async cli(...args: readonly string[]): Promise<string> {
    const { root, env } = await unpackRedis();
    const { password } = this.#options;
    const { success, stdout, stderr } = await new Deno.Command(`${root}/usr/bin/redis-cli`, {
      args: ["-h", "127.0.0.1", "-p", String(this.port), "--raw", ...args],
      env: { ...env, ...(password === undefined ? {} : { REDISCLI_AUTH: password }) },
    }).output();
    const text = new TextDecoder().decode(stdout).trim();
    if (!success) throw new Error(`redis-cli ${args.join(" ")}: ${text}${new TextDecoder().decode(stderr)}`);
    return text;
  }

  /** Closes all connections, before anything else in this process can happen. */
  closeConnectionsSync(): void {
    const { root, env } = this.#unpacked!;
    const args = ["-h", "127.0.0.1", "-p", String(this.port), "CLIENT", "KILL", "TYPE", "normal"];
    const { success } = new Deno.Command(`${root}/usr/bin/redis-cli`, { args, env }).outputSync();
    if (!success) throw new Error("redis-cli CLIENT KILL failed");
  }

  /** Ends it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #makeCertificate(): Promise<void> {
    const { root, env } = await unpackRedis();
    const { success, stderr } = await new Deno.Command(`${root}/usr/bin/openssl`, {
      args: [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
        ...["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-config", "/dev/null"],
        ...["-keyout", `${this.#folder}/key.pem`, "-out", `${this.#folder}/certificate.pem`],
      ],
      env,
      stdin: "null",
    }).output();
    if (!success) throw new Error(`openssl failed:\n${new TextDecoder().decode(stderr)}`);
  }
}

function unpackRedis(): Promise<Unpacked> {
  return unpackDebian("redis", ["redis-server", "redis-tools", "openssl"]);
}
