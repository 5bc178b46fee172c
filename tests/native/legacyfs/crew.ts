/**
 * Programs in workers, told what to do one by one or all at once.
 *
 * @module
 */
import type { FileSystem } from "../../../mod.ts";
import type { Answer, Order } from "./program_worker.ts";

/** A program in a worker. */
export class ProgramWorker implements Disposable {
  readonly #worker = new Worker(import.meta.resolve("./program_worker.ts"), { type: "module" });

  private constructor() {}

  /** Starts a program over a filesystem. */
  static async start(program: "python" | "git" | "sql", fs: FileSystem): Promise<ProgramWorker> {
    const made = new ProgramWorker();
    await made.#order({ load: program, handle: fs.handle });
    return made;
  }

  /** Runs something; what it returns. */
  run(what: string | readonly string[]): Promise<unknown> {
    return this.#order({ run: what });
  }

  #order(order: Order): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
        if (data.error === undefined) resolve(data.result);
        else reject(new Error(data.error));
      };
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#worker.postMessage(order);
    });
  }

  /** Ends the worker. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
