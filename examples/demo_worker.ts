/**
 * A worker of the demo. It is sent one message, the handle; everything else it finds in the pool: the plan in a file,
 * the next file to take in a shared word. It answers only when it fails.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { FileSystem } from "../mod.ts";
import { DemoError } from "./demo/demo_error.ts";
import {
  LOG,
  logLine,
  MOVED,
  PLAN,
  type Plan,
  REPORTS,
  type Result,
  RESULTS,
  SCRATCH,
  sharedWords,
  TREE,
  WORD,
  type WorkerReport,
} from "./demo/plan.ts";

const PIECE_BYTES = 64 * 1024;
const encoder = new TextEncoder();

/** Hashes one file of the shared tree. */
function hashFile(fs: FileSystem, path: string, buffer: Uint8Array): { sha256: string; bytes: number } {
  const hash = createHash("sha256");
  const fd = fs.openSync(path, "r");
  let bytes = 0;
  for (;;) {
    const count = fs.readSync(fd, buffer, 0, buffer.length, null);
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    bytes += count;
  }
  fs.closeSync(fd);
  return { sha256: hash.digest("hex"), bytes };
}

/** Writes, renames, reads back and deletes a file in directories that all workers use at the same time. */
function scratch(fs: FileSystem, index: number, contents: string): void {
  const from = `${SCRATCH}/${index}.tmp`;
  const to = `${MOVED}/${index}.tmp`;
  fs.writeFileSync(from, contents, { flag: "wx" });
  fs.renameSync(from, to);
  const found = fs.readFileSync(to, "utf8");
  if (found !== contents) throw new DemoError(`WRONG: '${to}' holds ${JSON.stringify(found)}, expected '${contents}'`);
  fs.unlinkSync(to);
}

function work(fs: FileSystem, plan: Plan, words: Int32Array, worker: number): WorkerReport {
  const buffer = new Uint8Array(PIECE_BYTES);
  const log = fs.openSync(LOG, "a");
  const startMs = performance.timeOrigin + performance.now();
  let files = 0;
  let bytes = 0;
  for (;;) {
    const index = Atomics.add(words, WORD.next, 1);
    const path = plan.files[index];
    if (path === undefined) break;
    const result: Result = { path, ...hashFile(fs, `${TREE}/${path}`, buffer), worker };
    fs.writeFileSync(`${RESULTS}/${index}`, JSON.stringify(result), { flag: "wx" });
    fs.writeSync(log, encoder.encode(logLine(index, result)));
    scratch(fs, index, result.sha256);
    files++;
    bytes += result.bytes;
  }
  fs.closeSync(log);
  return { worker, files, bytes, startMs, endMs: performance.timeOrigin + performance.now() };
}

function run(handle: FileSystem["handle"]): void {
  const fs = FileSystem.attach(handle);
  const plan = JSON.parse(fs.readFileSync(PLAN, "utf8")) as Plan;
  const words = sharedWords(fs, plan.wordsAddr);
  const worker = Atomics.add(words, WORD.attached, 1);
  // Nobody starts before all are there: what follows happens at the same time, or not at all.
  Atomics.wait(words, WORD.gate, 0);
  const report = work(fs, plan, words, worker);
  fs.writeFileSync(`${REPORTS}/${worker}.json`, JSON.stringify(report));
  Atomics.add(words, WORD.finished, 1);
  // The main program counts lock waits, which live in the slots of attached agents.
  Atomics.wait(words, WORD.gate, 1);
  fs.detach();
  Atomics.add(words, WORD.detached, 1);
}

// A worker's own scope has the methods of a Worker; the library's configuration declares a window's.
const scope = self as unknown as Worker;
scope.onmessage = (event) => {
  try {
    run(event.data);
  } catch (error) {
    // Only what went wrong is ever sent back; an error's own properties do not survive the passage by themselves.
    const { name, message, stack, code, path } = error as Error & { code?: string; path?: string };
    scope.postMessage({ name, message, stack, code, path });
  }
};
