/**
 * A fleet: processes of hosts with engines of several versions, which do the jobs of fleet_host_main.ts.
 *
 * @module
 */
import { assertEquals } from "../../support/assert.ts";
import { bundleModules } from "../../support/bundle.ts";
import { node20Path } from "../../support/node20.ts";
import { node24Path } from "../../support/node24.ts";
import { assemble } from "../../unit/artifact/compiler/support.ts";
import type { Answers, Jobs } from "./fleet_host_main.ts";
import { MODULES } from "./fleet_modules.ts";

/** How long a host may live, in milliseconds. */
const LIFETIME_MS = 180_000;

/** How to run a program in hosts of one kind. */
interface HostKind {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** A process of a host. Disposing kills it. */
export class FleetHost implements AsyncDisposable {
  /** Its kind and number, such as `Node 24 #1`. */
  readonly name: string;
  /** Its kind: processes of one have one engine. */
  readonly kind: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string, void>;
  readonly #failed: Promise<string>;
  readonly #timer: ReturnType<typeof setTimeout>;

  /** Starts a process. */
  constructor({ name, program, args }: HostKind, number: number, folder: string) {
    this.kind = name;
    this.name = `${name} #${number}`;
    this.#child = new Deno.Command(program, {
      args: [...args, `${folder}/modules`],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = linesOf(this.#child.stdout);
    this.#failed = new Response(this.#child.stderr).text();
    this.#timer = setTimeout(() => this.#kill(), LIFETIME_MS);
  }

  /**
   * Has it do a job. One job at a time.
   *
   * @throws {Error} where it has ended, with what it wrote to its standard error.
   */
  async ask<Name extends keyof Jobs>(name: Name, job: Jobs[Name]): Promise<Answers[Name]> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify({ name, job })}\n`)).catch(() => {});
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} has ended at '${name}':\n${await this.#failed}`);
    return JSON.parse(value);
  }

  /** Closes its input, and expects that it ends by itself without a complaint. */
  async end(): Promise<void> {
    await this.#input.close();
    const rest = await this.#lines.next();
    const { code } = await this.#child.status;
    assertEquals([rest.done, code, (await this.#failed).trim()], [true, 0, ""], this.name);
  }

  /** Ends it in any case. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    clearTimeout(this.#timer);
    await this.#lines.return();
    await this.#input.close().catch(() => {});
    await Promise.all([this.#failed, this.#child.status]);
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

/** The processes of a fleet, and the folder of what they run. Disposing ends all. */
export class Fleet implements AsyncDisposable {
  /** All processes. */
  readonly hosts: readonly FleetHost[];
  /** The modules as binaries, by name. */
  readonly modules: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly #folder: string;

  private constructor(
    hosts: readonly FleetHost[],
    modules: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
    folder: string,
  ) {
    this.hosts = hosts;
    this.modules = modules;
    this.#folder = folder;
  }

  /** Starts so many processes each of Deno, Node 24 and Node 20. */
  static async start(count: number): Promise<Fleet> {
    const folder = await Deno.makeTempDir({ prefix: "extmemfs-fleet-" });
    try {
      const modules = new Map<string, Uint8Array<ArrayBuffer>>();
      await Deno.mkdir(`${folder}/modules`);
      for (const [name, { text }] of Object.entries(MODULES)) {
        modules.set(name, (await assemble(text)).slice());
        await Deno.writeFile(`${folder}/modules/${name}.wasm`, modules.get(name)!);
      }
      const kinds = await makeKinds(folder);
      const hosts = kinds.flatMap((kind) =>
        Array.from({ length: count }, (_, index) => new FleetHost(kind, index + 1, folder))
      );
      return new Fleet(hosts, modules, folder);
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** The processes by their kind. */
  get kinds(): ReadonlyMap<string, readonly FleetHost[]> {
    return Map.groupBy(this.hosts, ({ kind }) => kind);
  }

  /** Has all processes do a job at once. */
  async ask<Name extends keyof Jobs>(
    name: Name,
    job: Jobs[Name] | ((host: FleetHost) => Jobs[Name]),
  ): Promise<Map<FleetHost, Answers[Name]>> {
    const entries = this.hosts.map(async (host) =>
      [host, await host.ask(name, typeof job === "function" ? job(host) : job)] as const
    );
    return new Map(await Promise.all(entries));
  }

  /** Expects of all processes that they end by themselves. */
  async end(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.end()));
  }

  /** Ends all and removes the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.hosts.map((host) => host[Symbol.asyncDispose]()));
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Puts a bundle into the folder, beside the packages that users of the library install for it. */
async function makeKinds(folder: string): Promise<HostKind[]> {
  const entry = new URL("./fleet_host_main.ts", import.meta.url);
  for (const [name, { bytes }] of await bundleModules({ "fleet_host_main": entry }, "node")) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
  const packages = decodeURIComponent(new URL("../../../node_modules", import.meta.url).pathname);
  await Deno.symlink(packages, `${folder}/node_modules`);
  const [node24, node20] = await Promise.all([node24Path(), node20Path()]);
  const bundle = [`${folder}/fleet_host_main.mjs`];
  return [
    { name: "Deno", program: Deno.execPath(), args: ["run", "--quiet", "-A", decodeURIComponent(entry.pathname)] },
    { name: "Node 24", program: node24, args: bundle },
    { name: "Node 20", program: node20, args: bundle },
  ];
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
