/**
 * Runs programs built by Emscripten, each in a worker of its own, and collects what they print. A program that does not
 * end is a failure that shows what it printed so far.
 *
 * @module
 */
import type { ProgramEvent, ProgramLoad } from "./program_host.ts";
import type { Outcome } from "./programs.ts";

/** What to run. */
export interface ProgramRun {
  /** Path of the module. */
  readonly path: string;
  /** Arguments of the program. */
  readonly args: readonly string[];
  /** What it reads from its standard input. */
  readonly stdin?: string;
  /** Further properties of the module, such as `extmemfs`. */
  readonly module?: Readonly<Record<string, unknown>>;
  /** When it has hung, in milliseconds; 30 seconds by default. */
  readonly timeoutMs?: number;
}

/** A program that is loaded and waits to be started. */
export interface LoadedProgram extends Disposable {
  /** Runs it to its end. */
  run(): Promise<Outcome>;
}

/** Loads a program and runs it. */
export async function runProgram(run: ProgramRun): Promise<Outcome> {
  using program = await loadProgram(run);
  return await program.run();
}

/** Loads a program into a worker. */
export async function loadProgram(run: ProgramRun): Promise<LoadedProgram> {
  const { path, args, timeoutMs = 30_000 } = run;
  const stdout: string[] = [];
  const stderr: string[] = [];
  const worker = new Worker(new URL("./program_worker.ts", import.meta.url), { type: "module" });
  const events = new EventTarget();
  const failure = (message: string) =>
    new Error(
      [
        `${path.slice(path.lastIndexOf("/") + 1)} ${args.join(" ")}: ${message}`,
        "printed so far:",
        ...stdout,
        ...stderr,
      ]
        .join("\n"),
    );
  worker.onmessage = ({ data }: MessageEvent<ProgramEvent>) => {
    if (data.type === "stdout") stdout.push(...data.line.split("\n"));
    else if (data.type === "stderr") stderr.push(...data.line.split("\n"));
    else events.dispatchEvent(new CustomEvent("end", { detail: data }));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    events.dispatchEvent(new CustomEvent("end", { detail: { type: "failed", message: event.message } }));
  };
  const next = () => {
    const { promise, resolve, reject } = Promise.withResolvers<ProgramEvent>();
    const timer = setTimeout(() => reject(failure(`no end after ${timeoutMs} ms`)), timeoutMs);
    events.addEventListener("end", (event) => {
      clearTimeout(timer);
      const { detail } = event as CustomEvent<ProgramEvent>;
      if (detail.type === "failed") reject(failure(detail.message));
      else resolve(detail);
    }, { once: true });
    return promise;
  };
  const loaded = next();
  worker.postMessage(
    { url: `file://${path}`, args, stdin: run.stdin ?? "", module: run.module ?? {} } satisfies ProgramLoad,
  );
  try {
    await loaded;
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return {
    async run() {
      const ended = next();
      worker.postMessage("start");
      const event = await ended;
      return { stdout, stderr, exitCode: event.type === "exit" ? event.code : -1 };
    },
    [Symbol.dispose]: () => worker.terminate(),
  };
}
