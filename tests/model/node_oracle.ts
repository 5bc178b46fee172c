/**
 * The oracle: Node 24's own `node:fs` in a child process, which runs whole sequences of operations.
 *
 * @module
 */

import { node24Path } from "../support/node24.ts";
import type { Greeting, Operation, Request, Response } from "./language.ts";

/** A process that runs sequences of operations on a real filesystem, each in a directory of its own. */
export class NodeOracle implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: AsyncIterator<string>;
  #greeting: Greeting = { version: "", base: "", root: false };
  #sequenceCount = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#lines = readLines(child.stdout);
  }

  /** Starts the process (and fetches Node 24 where the machine does not have it yet). */
  static async start(): Promise<NodeOracle> {
    const script = decodeURIComponent(new URL("./node_child.mts", import.meta.url).pathname);
    const command = new Deno.Command(await node24Path(), {
      args: ["--no-warnings", script],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    });
    const oracle = new NodeOracle(command.spawn());
    oracle.#greeting = await oracle.#receive() as Greeting;
    return oracle;
  }

  /** What the process said of itself. */
  get greeting(): Greeting {
    return this.#greeting;
  }

  /** Returns a path for the sandbox of a further sequence; all have the same length. */
  nextSandbox(): string {
    return `${this.#greeting.base}/${String(this.#sequenceCount++).padStart(7, "0")}/d/w`;
  }

  /**
   * Runs a sequence.
   *
   * @param sandbox What {@linkcode nextSandbox} gave.
   * @param operations The calls, in order.
   * @returns The operations with their choices made, and what came of each.
   */
  async run(sandbox: string, operations: Operation[]): Promise<Response> {
    const request: Request = { sandbox, operations };
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    return await this.#receive() as Response;
  }

  /** Ends the process, which removes its directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#lines.return?.();
    await this.#child.status;
  }

  async #receive(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) {
      throw new Error(`the Node process ended with code ${(await this.#child.status).code}: see its error above`);
    }
    return JSON.parse(value);
  }
}

async function* readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
