/**
 * The page of `artifact_test.ts`: what the test calls in it, as `globalThis.artifactPage`.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { type Asked, type Question, type Realm, realm } from "./artifact_realm.ts";

/** What the test can have the page do, beyond what a realm can. */
export interface ArtifactPage {
  /** Calls a function of the page's own realm. */
  here<M extends keyof Realm>(method: M, ...args: Parameters<Realm[M]>): Promise<Awaited<ReturnType<Realm[M]>>>;
  /** Calls a function of a worker, which is started where there is none of that number yet. */
  inWorker<M extends keyof Realm>(
    worker: number,
    method: M,
    ...args: Parameters<Realm[M]>
  ): Promise<Awaited<ReturnType<Realm[M]>>>;
  /** Makes a pool that the page and as many workers are attached to. */
  share(workers: number): Promise<void>;
  /** Asks the store in the pool, in all workers and the page at once. */
  askAll(workers: number, question: Question): Promise<Asked[]>;
}

const workers = new Map<number, Worker>();
let fs: FileSystem | undefined;

function start(number: number): Worker {
  const worker = new Worker(new URL("./artifact_worker.mjs", import.meta.url), { type: "module" });
  workers.set(number, worker);
  return worker;
}

const page: ArtifactPage = {
  here: async (method, ...args) => await (realm[method] as (...args: unknown[]) => never)(...args),
  inWorker(number, method, ...args) {
    const worker = workers.get(number) ?? start(number);
    return new Promise((resolve, reject) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => "failure" in data ? reject(new Error(data.failure)) : resolve(data.value);
      worker.onerror = (event) => reject(new Error(`worker ${number}: ${event.message}`));
      worker.postMessage({ method, args }, [port2]);
    });
  },
  async share(count) {
    fs = FileSystem.create({ maximumBytes: 64 << 20 });
    const { handle } = fs;
    const numbers = Array.from({ length: count }, (_, number) => number);
    await Promise.all([
      page.here("attach", handle),
      ...numbers.map((number) => page.inWorker(number, "attach", handle)),
    ]);
  },
  async askAll(count, question) {
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const numbers = Array.from({ length: count }, (_, number) => number);
    const answers = numbers.map((number) => page.inWorker(number, "askPool", { ...question, gate }));
    while (Atomics.load(gate, 0) < count) await new Promise((resolve) => setTimeout(resolve, 1));
    Atomics.store(gate, 1, 1);
    Atomics.notify(gate, 1);
    return await Promise.all([...answers, page.here("askPool", question)]);
  },
};

Object.assign(globalThis, { artifactPage: page });
