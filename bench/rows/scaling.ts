/**
 * Rows of two workers against one: how the throughput grows, divided by how that of pure computing grows in the same
 * run. Both workers of a row exist all the time; the one that does not take part in a window is parked.
 *
 * @module
 */
import nodeFs from "node:fs";
import { absentResult, median, resultOf, type SideResult } from "../harness.ts";
import * as ours from "../ours.ts";
import { atLeast, type Experiment, OURS, type RowMeasurement, type RowSpec } from "../row.ts";
import { enterTmpfs, MEMFS, type NodeLike, TMPFS, ZENFS } from "../subjects.ts";
import { Gate } from "../workers/gate.ts";
import type { Assignment, JobName } from "../workers/scaling_worker.ts";
import { nextMessage, startWorker } from "../workers/start.ts";

const WORKERS = 2;
/** Column of pure computing. */
const COMPUTE = "pure computing";
/** Columns of the rates behind the quotients. */
const RATE_ONE = "one worker";
const RATE_TWO = "two workers";
/** Where pure computing grows less than this, no second core was free, and quotients say nothing about locks. */
const LEAST_GROWTH = 1.2;
const POOL_BYTES = 1024 * 2 ** 20;
const SHARED_FILE_BYTES = 2 ** 20;

/** A crew: two workers that do one job on one filesystem. */
interface Crew {
  readonly name: string;
  readonly gate: Gate;
  readonly workers: readonly Worker[];
  /** Operations per millisecond of one worker, and of both together; one entry per round. */
  readonly one: number[];
  readonly two: number[];
}

/** Starts a crew and waits until its workers are prepared. */
async function startCrew(name: string, assignment: Pick<Assignment, "job" | "handle" | "prefix">): Promise<Crew> {
  const gate = new Gate(WORKERS);
  const workers: Worker[] = [];
  for (let index = 0; index < WORKERS; index++) {
    const worker = await startWorker("scaling_worker.ts");
    worker.postMessage({ ...assignment, index, gate: gate.buffer } satisfies Assignment);
    await nextMessage(worker);
    workers.push(worker);
  }
  return { name, gate, workers, one: [], two: [] };
}

/** One round of a crew: a window for one worker, the first or the second in turn, and a window for both. */
function runRound(crew: Crew, round: number, windowMs: number): void {
  crew.one.push(crew.gate.run(1 << (round % WORKERS), WORKERS, windowMs));
  crew.two.push(crew.gate.run((1 << WORKERS) - 1, WORKERS, windowMs));
}

/** The files and directories that the jobs work on. */
function prepareTree(fs: NodeLike, prefix: string): void {
  const data = new Uint8Array(SHARED_FILE_BYTES).fill(0x66);
  fs.writeFileSync(`${prefix}same.bin`, data);
  fs.mkdirSync(`${prefix}same`);
  for (let index = 0; index < WORKERS; index++) {
    fs.writeFileSync(`${prefix}own${index}.bin`, data);
    fs.mkdirSync(`${prefix}own${index}`);
  }
}

/** Starts the crew of ours, or says why there is none. */
async function startOurs(job: JobName): Promise<{ crew: Crew; dispose(): void } | string> {
  if (!ours.available) return ours.unavailable;
  if (job === "allocate") {
    const pool = ours.createPool({ maximumBytes: POOL_BYTES });
    return { crew: await startCrew(OURS, { job, handle: pool.handle, prefix: "/" }), dispose: () => {} };
  }
  const fs = ours.createFileSystem({ maximumBytes: POOL_BYTES });
  prepareTree(fs, "/");
  return { crew: await startCrew(OURS, { job, handle: fs.handle, prefix: "/" }), dispose: () => fs.detach() };
}

/** Starts the crew of node:fs on tmpfs. */
async function startTmpfs(job: JobName): Promise<{ crew: Crew; dispose(): void }> {
  const dispose = enterTmpfs();
  prepareTree(nodeFs as unknown as NodeLike, "");
  return { crew: await startCrew(TMPFS, { job, prefix: "" }), dispose };
}

/** One experiment per job. `divided` says whether the quotient is divided by that of pure computing. */
function scalingExperiment(job: Exclude<JobName, "compute">, row: RowSpec, divided: boolean): Experiment {
  return {
    id: row.id,
    group: "Two workers against one",
    rows: [row],
    async measure(context): Promise<Record<string, RowMeasurement>> {
      const sides: SideResult[] = [];
      const started: { crew: Crew; dispose(): void }[] = [];
      const compute = await startCrew(COMPUTE, { job: "compute", prefix: "" });
      const subject = await startOurs(job).catch((error) => `failed: ${(error as Error).message}`);
      if (typeof subject === "string") sides.push(absentResult(OURS, "subject", subject));
      else started.push(subject);
      const withTmpfs = job !== "allocate" && !context.without.has(TMPFS);
      if (withTmpfs) started.push(await startTmpfs(job));
      const crews = [compute, ...started.map(({ crew }) => crew)];
      for (let round = -1; round < context.rounds; round++) {
        for (const crew of crews) {
          runRound(crew, round + 1, 2.5 * context.roundMs);
          // The first round is the warm-up.
          if (round < 0) crew.one.length = crew.two.length = 0;
        }
      }
      const ideal = compute.two.map((rate, round) => rate / compute.one[round]);
      const growthOfComputing = median(ideal);
      for (const { crew, dispose } of started) {
        const kind = crew.name === OURS ? "subject" : "peer";
        const growth = crew.two.map((rate, round) => rate / crew.one[round] / (divided ? ideal[round] : 1));
        sides.push(
          growthOfComputing < LEAST_GROWTH
            ? absentResult(
              crew.name,
              kind,
              `pure computing itself grows only ${growthOfComputing.toFixed(2)} ×: no second core was free`,
            )
            : resultOf(crew.name, kind, growth),
        );
        end(crew);
        dispose();
      }
      end(compute);
      sides.push(resultOf(COMPUTE, "floor", ideal));
      const notes = started.map(({ crew }) => ratesOf(crew));
      if (job !== "allocate") notes.push(`${MEMFS} is for one thread; ${ZENFS} does not keep two writers apart`);
      return { [row.id]: { sides, notes } };
    },
  };
}

/** Ends a crew. */
function end(crew: Crew): void {
  crew.gate.end();
}

/** The rates behind a quotient, in words. */
function ratesOf(crew: Crew): string {
  const perOperation = (rates: readonly number[]) => (1e6 / median(rates)).toFixed(0);
  return `${crew.name}: ${RATE_ONE} ${perOperation(crew.one)} ns, ${RATE_TWO} ${perOperation(crew.two)} ns in all`;
}

const good = [atLeast("≥ 0.9 of pure computing", 0.9)];
export const experiments: readonly Experiment[] = [
  scalingExperiment("read_same", {
    id: "scaling.read_same",
    work: "read 4 KiB of the same file",
    unit: "times",
    targets: good,
  }, true),
  scalingExperiment("write_own", {
    id: "scaling.write_own",
    work: "write 4 KiB to different files",
    unit: "times",
    targets: good,
  }, true),
  scalingExperiment("create_own", {
    id: "scaling.create_own",
    work: "create in different directories",
    unit: "times",
    targets: good,
  }, true),
  scalingExperiment("create_same", {
    id: "scaling.create_same",
    work: "create in one directory",
    unit: "times",
    targets: [atLeast("≥ 0.6 of pure computing", 0.6)],
  }, true),
  scalingExperiment("allocate", {
    id: "scaling.allocate",
    work: "free + allocate in one pool (not divided)",
    unit: "times",
    targets: [atLeast("≥ 1.5 × one worker", 1.5)],
  }, false),
];
