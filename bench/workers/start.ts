/**
 * Starting a worker and asking it things, without losing what is said before it listens.
 *
 * @module
 */

/**
 * Waits for the next message of a worker.
 *
 * @param worker The worker.
 * @returns The message; rejects with the worker's error.
 */
export function nextMessage<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<T>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}

/**
 * Starts a worker and waits until it says that it listens: a message that comes while its module is still being
 * evaluated would be lost.
 *
 * @param name File beside this one.
 * @returns The worker, listening.
 */
export async function startWorker(name: string): Promise<Worker> {
  const worker = new Worker(new URL(name, import.meta.url), { type: "module" });
  await nextMessage(worker);
  return worker;
}

/** The scope of a worker, as far as it is used here. */
interface Scope<Q, A> {
  onmessage: ((event: MessageEvent<Q>) => void) | null;
  postMessage(message: A | "listening"): void;
  close(): void;
}

/**
 * In a worker: says that it listens, and hands its one message over.
 *
 * @param serve What to do with the message; `answer` sends one back.
 */
export function listen<Q, A>(serve: (message: Q, answer: (message: A) => void) => void): void {
  const scope = globalThis as unknown as Scope<Q, A>;
  scope.onmessage = ({ data }) => {
    serve(data, (message) => scope.postMessage(message));
    scope.close();
  };
  scope.postMessage("listening");
}
