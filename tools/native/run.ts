/**
 * Runs a program built by Emscripten in a Deno worker, as a page would: the worker is the program's main thread, and its
 * pthreads are workers of that worker.
 *
 * @module
 */
import type { ProgramStart, WorkerMessage } from "./program_worker.ts";

/** How to run a program. */
export interface RunOptions {
  /** Arguments of `main`. */
  readonly arguments?: readonly string[];
  /** Further properties of the program's module, such as `extmemfs`; they are posted to the worker. */
  readonly module?: Readonly<Record<string, unknown>>;
  /** After this many milliseconds the program is ended, and running it fails; 120,000 by default. */
  readonly limitMs?: number;
  /** Called with each line at the moment it is printed. */
  onLine?(line: string): void;
}

/** What a program did. */
export interface RunResult {
  /** Its exit code. */
  readonly code: number;
  /** What it printed, with a line end after each line. */
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end. It must have been linked with `-sEXIT_RUNTIME`, or it has none (`WORKER_FLAGS` has it).
 *
 * @param path Absolute path of the program's ES module.
 * @param options Arguments and the like.
 * @returns Its exit code and what it printed.
 * @throws {Error} When it cannot be loaded, throws, or takes too long; the message carries what it printed till then.
 */
export async function runProgram(path: string, options: RunOptions = {}): Promise<RunResult> {
  const { limitMs = 120_000 } = options;
  const start: ProgramStart = {
    url: new URL(`file://${path}`).href,
    arguments: [...options.arguments ?? []],
    module: options.module ?? {},
  };
  let [stdout, stderr] = ["", ""];
  const worker = new Worker(new URL("./program_worker.ts", import.meta.url), { type: "module", name: "program" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const code = await new Promise<number>((resolve, reject) => {
      const fail = (reason: string) => reject(new Error(`${path}: ${reason}\n${stdout}${stderr}`.trimEnd()));
      timer = setTimeout(() => fail(`not at its end after ${limitMs} ms`), limitMs);
      worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
        if (data.kind === "exit") resolve(data.code);
        else if (data.kind === "failure") fail(data.reason);
        else {
          if (data.kind === "stdout") stdout += `${data.line}\n`;
          else stderr += `${data.line}\n`;
          options.onLine?.(data.line);
        }
      };
      worker.onerror = (event) => {
        event.preventDefault();
        fail(event.message);
      };
      worker.postMessage(start);
    });
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}
