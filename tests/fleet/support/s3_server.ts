/**
 * A real server that speaks S3, on a free port of 127.0.0.1, in a temporary folder: OpenStack Swift with its `s3api`,
 * which needs memcached.
 *
 * @module
 */
import { unpackDebian } from "./debian.ts";
import { endProcess, freePort, until } from "./ports.ts";

/** The credentials of the only user. */
export const S3_CREDENTIALS = { accessKeyId: "test:tester", secretAccessKey: "testing-secret" };

/** How many objects the server lists at once. */
export const S3_PAGE_OBJECTS = 100;

/** A server that speaks S3. Disposing ends it and removes its folder. */
export class S3Server implements AsyncDisposable {
  /** Its port; the same after {@linkcode restart}. */
  readonly port: number;
  readonly #folder: string;
  #memcached: Deno.ChildProcess | undefined;
  #swift: Deno.ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /** Starts a server, and waits until it accepts connections. */
  static async start(): Promise<S3Server> {
    for (let attempt = 1;; attempt++) {
      const server = new S3Server(freePort(), await Deno.makeTempDir({ prefix: "s3-" }));
      try {
        await server.restart();
        return server;
      } catch (error) {
        await server[Symbol.asyncDispose]();
        if (attempt === 3) throw error;
      }
    }
  }

  /** Where it is, for clients. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A URL for `S3Backend.connect()`. */
  url(bucket: string, prefix: string): string {
    return `s3://${bucket}/${prefix}?endpoint=${
      encodeURIComponent(this.endpoint)
    }&region=us-east-1&forcePathStyle=true`;
  }

  /** Starts it again, with what it had, after {@linkcode stop}. */
  async restart(): Promise<void> {
    if (this.#swift !== undefined) throw new Error("the server runs");
    const { root, env } = await unpackDebian("swift", [
      ...["swift-proxy", "swift-account", "swift-container", "swift-object", "memcached"],
    ]);
    const cachePort = this.#memcached === undefined ? await this.#startMemcached(root, env) : await this.#cachePort();
    const python = await exists("/usr/bin/python3") ? "/usr/bin/python3" : `${root}/usr/bin/python3`;
    const { accessKeyId, secretAccessKey } = S3_CREDENTIALS;
    const script = decodeURIComponent(new URL("swift_server.py", import.meta.url).pathname);
    const swift = new Deno.Command(python, {
      args: [script, this.#folder, String(this.port), cachePort, accessKeyId, secretAccessKey, String(S3_PAGE_OBJECTS)],
      env: { ...env, PYTHONPATH: `${root}/usr/lib/python3/dist-packages`, PYTHONHOME: "" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#swift = swift;
    const reader = swift.stdout.getReader();
    const timer = setTimeout(() => swift.kill("SIGKILL"), 30_000);
    const { value } = await reader.read();
    clearTimeout(timer);
    await reader.cancel();
    if (value !== undefined && new TextDecoder().decode(value).startsWith("ready")) return;
    const log = await Deno.readTextFile(`${this.#folder}/log`).catch(() => "it has written no log");
    throw new Error(`Swift has not started:\n${log}`);
  }

  /** Ends it; by default without a chance to say good-bye. What it keeps stays. */
  async stop(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const swift = this.#swift;
    this.#swift = undefined;
    if (swift !== undefined) await endProcess(swift, signal);
  }

  /** Lets it hang: connections are accepted by the kernel, and nobody answers. */
  hang(): void {
    this.#swift!.kill("SIGSTOP");
  }

  /** Ends {@linkcode hang}. */
  resume(): void {
    this.#swift!.kill("SIGCONT");
  }

  /** Ends it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.#memcached !== undefined) await endProcess(this.#memcached, "SIGKILL");
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #startMemcached(root: string, env: Readonly<Record<string, string>>): Promise<string> {
    this.#memcached = new Deno.Command(`${root}/usr/bin/memcached`, {
      args: ["-l", "127.0.0.1", "-p", "-1", "-U", "0", "-m", "16", ...(Deno.uid() === 0 ? ["-u", "root"] : [])],
      env: { ...env, MEMCACHED_PORT_FILENAME: `${this.#folder}/memcached` },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until("memcached", 10_000, () => exists(`${this.#folder}/memcached`));
    return this.#cachePort();
  }

  async #cachePort(): Promise<string> {
    const text = await Deno.readTextFile(`${this.#folder}/memcached`);
    const port = /TCP INET: (\d+)/.exec(text)?.[1];
    if (port === undefined) throw new Error(`memcached says that its ports are ${JSON.stringify(text)}`);
    return port;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
