/**
 * One process of the stress tests of stores in a directory: waits until all are there, works, and writes what it has seen
 * to its standard output. Its only argument is the job, as JSON.
 *
 * @module
 */
import { ArtifactStore } from "../../src/artifact/store/store.ts";
import { DirectoryBackend } from "../../src/artifact/store/directory_backend.ts";
import { Random } from "../support/stress.ts";
import { allPairs, Customer } from "./artifact_work.ts";

/** What a process is to do. */
export interface ProcessJob {
  /** The directory of artifacts. */
  readonly folder: string;
  /** A directory in which each process that is ready puts a file. */
  readonly gate: string;
  /** How many processes there are. */
  readonly processes: number;
  /** Seed of its choices. */
  readonly seed: number;
  /** The secret's bytes are all this. */
  readonly key: number;
  /** Modules to ask for, each in all configurations. */
  readonly modules: number;
  /** How long to ask for any of them, in milliseconds; 0: ask for each once. */
  readonly durationMs: number;
}

if (import.meta.main) {
  const job: ProcessJob = JSON.parse(Deno.args[0]!);
  const told = new Set<string>();
  const store = new ArtifactStore(await DirectoryBackend.open(job.folder), {
    key: new Uint8Array(32).fill(job.key),
    onError: (error, during) => told.add(`${during} ${(error as { code?: string }).code ?? error}`),
  });
  const customer = new Customer(store, new Random(job.seed), told);
  await customer.warmUp();
  await Deno.writeTextFile(`${job.gate}/${Deno.pid}`, "");
  while (Array.from(Deno.readDirSync(job.gate)).length < job.processes) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const pairs = allPairs(job.modules);
  if (job.durationMs === 0) await customer.askAll(pairs);
  else await customer.askUntil(pairs, performance.now() + job.durationMs);
  await store.close();
  console.log(JSON.stringify(customer.report()));
}
