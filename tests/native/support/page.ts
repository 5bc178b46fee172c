/**
 * What a page of the browser tests loads: runs programs in the page itself or in a worker of it, and collects what they
 * print. Bundled by `support/browser.ts`.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { loadProgram, type ProgramEvent, type ProgramLoad } from "./program_host.ts";

/** What a page is asked to do. */
export interface PageRun {
  /** Address of the module. */
  readonly url: string;
  /** Arguments of the program. */
  readonly args: readonly string[];
  /** What it reads from its standard input. */
  readonly stdin: string;
  /** Where it is loaded: in the page's own thread, which may not block, or in a worker. */
  readonly place: "page" | "worker";
  /** The bytes of the pool that it gets; 0 for none. */
  readonly poolBytes: number;
}

/** What the page knows of the program so far. */
export interface PageOutcome {
  readonly stdout: string[];
  readonly stderr: string[];
  exitCode?: number;
  failure?: string;
  /** What `check()` found in the pool after the program. */
  violations?: string[];
}

declare const globalThis: { runProgram?: typeof runProgram; outcome?: PageOutcome };

let fs: FileSystem | undefined;

function runProgram(run: PageRun): void {
  const outcome: PageOutcome = { stdout: [], stderr: [] };
  globalThis.outcome = outcome;
  fs = run.poolBytes > 0 ? FileSystem.create({ maximumBytes: run.poolBytes }) : undefined;
  const load: ProgramLoad = {
    url: run.url,
    args: run.args,
    stdin: run.stdin,
    module: fs === undefined ? {} : { extmemfs: fs.handle },
  };
  const finish = (end: { exitCode?: number; failure?: string }) => {
    if (outcome.exitCode !== undefined || outcome.failure !== undefined) return;
    outcome.violations = fs?.check().map((violation) => JSON.stringify(violation)) ?? [];
    Object.assign(outcome, end);
  };
  const report = (event: ProgramEvent): void => {
    if (event.type === "stdout" || event.type === "stderr") outcome[event.type].push(...event.line.split("\n"));
    else if (event.type === "exit") finish({ exitCode: event.code });
    else if (event.type === "failed") finish({ failure: event.message });
    else worker?.postMessage("start");
  };
  let worker: Worker | undefined;
  if (run.place === "worker") {
    worker = new Worker(new URL("./program_worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<ProgramEvent>) => report(data);
    worker.onerror = (event) => finish({ failure: event.message });
    worker.postMessage(load);
  } else {
    loadProgram(load, report).then((start) => start()).catch((error) => finish({ failure: String(error) }));
  }
}

globalThis.runProgram = runProgram;
