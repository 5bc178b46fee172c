/**
 * Large modules of other people, precompiled and shared: how long it takes until a module is ready without a store, for the
 * first who asks one, and for those who come later; and that what was made of it still does what the original does.
 *
 *     deno task artifacts [PROGRAM]... [--level N]
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { EngineConfig } from "../artifact.ts";
import { FileSystem } from "../mod.ts";
import { type ProgramName, PROGRAMS } from "./artifacts/modules.ts";
import { runTask } from "./artifacts/run_task.ts";
import type { Outcome, Task } from "./artifacts/worker.ts";

const NAMES = Object.keys(PROGRAMS) as ProgramName[];

const USAGE = `usage: deno task artifacts [PROGRAM]... [--level N]

  PROGRAM    ${NAMES.join(", ")}; default: all
  --level N  how hard to optimize, 0 to 4; default: 2 for sql.js, 0 for the others, since Binaryen takes 40 s and more
             for each of them at 1`;

/** How far the pool with the store may grow. */
const MAXIMUM_BYTES = 128 << 20;
/** How many workers ask at once at the end. */
const CROWD = 8;

interface Options {
  readonly programs: readonly ProgramName[];
  readonly level: number | undefined;
}

function parseOptions(args: string[]): Options | "help" {
  const { values: { level, help }, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { level: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (help) return "help";
  if (level !== undefined && !/^[0-4]$/.test(level)) throw new TypeError(`--level must be 0 to 4, not '${level}'`);
  const unknown = positionals.find((name) => !NAMES.includes(name as ProgramName));
  if (unknown !== undefined) throw new TypeError(`there is no program '${unknown}', there are ${NAMES.join(", ")}`);
  return {
    programs: positionals.length > 0 ? positionals as ProgramName[] : NAMES,
    level: level === undefined ? undefined : Number(level),
  };
}

function configFor(program: ProgramName, level = program === "sql.js" ? 2 : 0): EngineConfig {
  return { compiler: { settings: { optimizeLevel: level, shrinkLevel: Math.min(level, 1) } } };
}

/** A program, what its module is precompiled for, and the pool with the store. */
interface Job {
  readonly program: ProgramName;
  readonly config: EngineConfig;
  readonly fs: FileSystem;
}

/** Gets a module ready in every way, one worker after the other, and prints how long it took. */
async function measureWays({ program, config, fs }: Job): Promise<void> {
  const outcomes: Outcome[] = [];
  // Of those who ask the store, the first finds it empty, the second verifies what it finds, the third sees that it was.
  for (const from of ["original", "precompile", fs.handle, fs.handle, fs.handle] as const) {
    outcomes.push(await runTask({ program, config, from, run: false }));
  }
  const [original, alone] = outcomes;
  console.log(row([
    program,
    String(config.compiler!.settings!.optimizeLevel),
    megabytes(original!.bytes),
    megabytes(alone!.bytes),
    ...outcomes.map(({ readyMs }) => milliseconds(readyMs)),
  ]));
}

/** Runs the original and what is in the store. Returns whether both put out the same. */
async function compareResults({ program, config, fs }: Job): Promise<boolean> {
  const original = await runTask({ program, config, from: "original", run: true });
  const stored = await runTask({ program, config, from: fs.handle, run: true });
  const equal = original.result === stored.result && stored.counters!.hits === 1;
  console.log(
    `${program}: what it puts out is ${equal ? "equal" : "DIFFERENT"} (${original.result!.length} characters)`,
  );
  return equal;
}

/** Lets many workers ask an empty store at once. Returns whether one of them compiled, and all put out the same. */
async function askAtOnce({ program, config }: Job): Promise<boolean> {
  using fs = FileSystem.create({ maximumBytes: MAXIMUM_BYTES });
  const task: Task = { program, config, from: fs.handle, run: true };
  const outcomes = await Promise.all(Array.from({ length: CROWD }, () => runTask(task)));
  const compiled = outcomes.reduce((sum, { counters }) => sum + counters!.compiled, 0);
  const waited = outcomes.reduce((sum, { counters }) => sum + counters!.waited, 0);
  const different = new Set(outcomes.map(({ result }) => result)).size;
  console.log(
    `${CROWD} workers asked for ${program} at once: compiled ${compiled} x, ${waited} waited for that, ` +
      `${different === 1 ? "all put out the same" : `${different} DIFFERENT results`}`,
  );
  return compiled === 1 && different === 1;
}

const HEAD = [
  ["", "level", "original", "artifact", "as it is", "no store", "store empty", " hit", "hit again"],
  ["", "", "MB", "MB", "ms", "ms", "ms", "ms", "ms"],
];

function row(cells: readonly string[]): string {
  const widths = HEAD[0]!.map(({ length }) => length);
  return cells.map((cell, column) => column === 0 ? cell.padEnd(8) : cell.padStart(widths[column]!)).join("  ");
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}

function milliseconds(time: number): string {
  return time.toFixed(0);
}

async function main(args: string[]): Promise<number> {
  let options: Options | "help";
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`artifacts: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  const { programs, level } = options;
  using pools = new DisposableStack();
  const jobs = programs.map((program): Job => ({
    program,
    config: configFor(program, level),
    fs: pools.use(FileSystem.create({ maximumBytes: MAXIMUM_BYTES })),
  }));
  console.log("The time until a module is ready, each in a fresh worker:\n");
  for (const cells of HEAD) console.log(row(cells).trimEnd());
  // Nothing is run before all is measured: V8 goes on for seconds with optimizing what a worker ran that is gone.
  for (const job of jobs) await measureWays(job);
  console.log();
  const right: boolean[] = [];
  for (const job of jobs) right.push(await compareResults(job));
  right.push(await askAtOnce(jobs[0]!));
  return right.every(Boolean) ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
