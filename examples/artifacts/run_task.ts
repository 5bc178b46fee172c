/**
 * Starting workers with tasks.
 *
 * @module
 */
import type { Outcome, Task } from "./worker.ts";

/**
 * Performs a task in a fresh worker, so that nothing is there of what was done before.
 *
 * @throws (rejects) {Error} with the message of what the worker threw.
 */
export async function runTask(task: Task): Promise<Outcome> {
  const worker = new Worker(import.meta.resolve("./worker.ts"), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Outcome>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(task);
    });
  } finally {
    worker.terminate();
  }
}
