/**
 * Reports of a host: what its main thread finds and what a worker finds. Prints it; a page sends it to its server.
 *
 * @module
 */
import { type HostReport, type PageReport, type RealmReport, reportRealm } from "./host_report.ts";

/** The modules to instantiate, and the bundled worker, put in by the bundler. */
declare const MODULES: Record<string, number[]>;
declare const WORKER_SOURCE: string;

/** Starts a web worker, or where there are none (Node) a thread, and waits for what it sends. */
function reportWorker(): Promise<RealmReport> {
  return new Promise((resolve, reject) => {
    if (typeof Worker === "undefined") {
      import("node:worker_threads").then(({ Worker }) => {
        const url = new URL(`data:text/javascript,${encodeURIComponent(WORKER_SOURCE)}`);
        const worker = new Worker(url);
        worker.once("message", resolve);
        worker.once("error", reject);
      });
      return;
    }
    // A blob can be loaded without permission to read files.
    const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.onerror = (event) => reject(new Error(event.message));
  });
}

declare const globalThis: { crossOriginIsolated: boolean; isSecureContext: boolean };

const report: HostReport = { main: await reportRealm(MODULES), worker: await reportWorker() };
if ("document" in globalThis) {
  const page: PageReport = { ...report, isolated: globalThis.crossOriginIsolated, secure: globalThis.isSecureContext };
  await fetch("/report", { method: "POST", body: JSON.stringify(page) });
} else {
  console.log(JSON.stringify(report));
}
