/**
 * Two C programs and a JavaScript worker work in one tree at the same time.
 *
 *     deno task native [--jobs N]
 *
 * `producer.c`, with four threads, writes jobs into `/queue`; `consumer.c`, another program with two threads, takes each
 * job once and writes its result; `watcher.ts`, a worker of Deno, reads the results. All call the filesystem in their own
 * threads. At the end everything is verified. The programs are built first, by a compiler that is installed where there
 * is none (native/README.md).
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { buildProgram, WORKER_FLAGS } from "../../tools/native/build.ts";
import { buildLibraries } from "../../tools/native/build_libraries.ts";
import { runProgram } from "../../tools/native/run.ts";
import { emscriptenVersion } from "../../tools/native/toolchain.ts";
import type { WatcherReport, WatcherStart } from "./watcher.ts";

const THREADS = 4;
/** After this many milliseconds something hangs. */
const LIMIT_MS = 60_000;

/** A path in this folder or above. */
function path(name: string): string {
  return decodeURIComponent(new URL(name, import.meta.url).pathname);
}

/** Builds one program. All that makes it a program on the pool is `--js-library`. */
async function build(name: string): Promise<string> {
  const libraries = await buildLibraries();
  return await buildProgram({
    name: `example-${name}`,
    sources: [path(`${name}.c`)],
    flags: WORKER_FLAGS.flags,
    compileFlags: ["-Wall", "-Werror", `-I${path("../include")}`],
    linkFlags: [
      ...WORKER_FLAGS.linkFlags,
      `-sPTHREAD_POOL_SIZE=${THREADS}`,
      "--js-library",
      libraries["library_extmemfs.js"]!,
    ],
  });
}

/** Runs a program to its end. The filesystem reaches it, and all its threads, as `Module.extmemfs`. */
async function run(module: string, fs: FileSystem, ...args: string[]): Promise<string> {
  const options = { arguments: args, module: { extmemfs: fs.handle }, limitMs: LIMIT_MS };
  const { code, stdout, stderr } = await runProgram(module, options);
  if (code !== 0 || stderr !== "") throw new Error(`${module} ended with code ${code}:\n${stdout}${stderr}`);
  return stdout.trimEnd();
}

/** Runs the worker until it has read all results. */
async function watch(fs: FileSystem, results: number): Promise<WatcherReport> {
  const worker = new Worker(new URL("watcher.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<WatcherReport>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      setTimeout(() => reject(new Error(`the worker is not at its end after ${LIMIT_MS} ms`)), LIMIT_MS);
      worker.postMessage({ handle: fs.handle, results } satisfies WatcherStart);
    });
  } finally {
    worker.terminate();
  }
}

/** Finds what is not as it has to be after all have worked. Empty when all is well. */
function verify(fs: FileSystem, jobs: number, { wrong, results }: WatcherReport): string[] {
  const problems = wrong.map((name) => `the result of ${name} is wrong`);
  const names = Array.from({ length: jobs }, (_, index) => `job-${index % THREADS}-${Math.floor(index / THREADS)}`);

  // Each job has three lines in the journal, in that order, and they agree about its length.
  const notes = new Map<string, string[]>();
  for (const line of fs.readFileSync("/journal", "utf8").trimEnd().split("\n")) {
    const [what, name, bytes] = line.split(" ");
    notes.set(name!, [...notes.get(name!) ?? [], `${what} ${bytes}`]);
  }
  for (const name of names) {
    const bytes = fs.statSync(`/results/${name}`).size;
    const expected = ["produced", "consumed", "read"].map((what) => `${what} ${bytes}`).join(", ");
    const found = notes.get(name)?.join(", ");
    if (found !== expected) problems.push(`the journal has of ${name}: ${found}; expected: ${expected}`);
  }
  if (notes.size !== jobs || results !== jobs) problems.push(`${notes.size} jobs in the journal, ${results} read`);

  // The consumer counted each job, and so did the worker.
  const counter = Number(fs.readFileSync("/counter", "utf8"));
  if (counter !== 2 * jobs) problems.push(`the counter is ${counter}, expected ${2 * jobs}`);
  for (const directory of ["/new", "/queue", "/claimed"]) {
    for (const name of fs.readdirSync(directory)) problems.push(`${directory}/${name} is left`);
  }
  return [...problems, ...fs.check().map(({ where, what }) => `check(): ${where}: ${what}`)];
}

async function main(): Promise<number> {
  const jobsPerThread = Number(Deno.args[0] === "--jobs" ? Deno.args[1] : 500);
  if (!(Number.isInteger(jobsPerThread) && jobsPerThread > 0) || (Deno.args.length > 0 && Deno.args.length !== 2)) {
    console.error("usage: deno task native [--jobs N]    (jobs of each of the producer's four threads)");
    return 2;
  }
  console.log("ExtMemFS: two C programs and a worker in one tree, at the same time\n");

  const begin = performance.now();
  const version = await emscriptenVersion();
  const [producer, consumer] = await Promise.all([build("producer"), build("consumer")]);
  console.log(`build     two programs with Emscripten ${version}, in ${seconds(begin)}`);

  // The pool, and the folders that all agree on.
  using fs = FileSystem.create({ maximumBytes: 256 << 20 });
  for (const directory of ["/new", "/queue", "/claimed", "/results"]) fs.mkdirSync(directory);
  fs.writeFileSync("/counter", "0");

  const jobs = THREADS * jobsPerThread;
  const start = performance.now();
  const [produced, consumed, watched] = await Promise.all([
    run(producer, fs, String(jobsPerThread)),
    run(consumer, fs),
    watch(fs, jobs),
  ]);
  console.log(`producer  ${produced}`);
  console.log(`consumer  ${consumed}`);
  console.log(
    `worker    read ${watched.results} results, ${watched.bytes} bytes, in ${watched.seconds.toFixed(2)} s; ` +
      `${watched.early} while the producer still wrote; at most ${watched.longestQueue} jobs queued`,
  );

  const problems = verify(fs, jobs, watched);
  console.log(`\nall       ${jobs} jobs in ${seconds(start)}, loading the programs included`);
  for (const problem of problems.slice(0, 20)) console.error(`WRONG     ${problem}`);
  if (problems.length > 0) {
    console.error(`WRONG     ${problems.length} in all`);
    return 1;
  }
  console.log(
    `verified  each job once; results right; ${3 * jobs} lines in the journal; counter ${
      2 * jobs
    }; check() found nothing`,
  );
  return 0;
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(2)} s`;
}

if (import.meta.main) Deno.exit(await main());
