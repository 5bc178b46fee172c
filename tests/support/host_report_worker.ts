/**
 * The worker of `host_report_main.ts`: a thread of Node's, else a web worker. It sends one report.
 *
 * @module
 */
import { reportRealm } from "./host_report.ts";

/** The modules to instantiate, put in by the bundler. */
declare const MODULES: Record<string, number[]>;

const scope = globalThis as unknown as { postMessage?(message: unknown): void };

const report = await reportRealm(MODULES);
if (scope.postMessage !== undefined) scope.postMessage(report);
else (await import("node:worker_threads")).parentPort!.postMessage(report);
