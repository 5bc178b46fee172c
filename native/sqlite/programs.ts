/**
 * Builds and runs programs over SQLite: `speedtest.c`, which is SQLite's own speedtest1, and `contend.c`. The filesystem
 * is what the caller links in.
 *
 *     deno run -A native/sqlite/programs.ts [ARGUMENT OF SPEEDTEST...]
 *
 * runs speedtest on WasmFS's memory backend.
 *
 * @module
 */
import { buildProgram, WORKER_FLAGS } from "../../tools/native/build.ts";
import { type RunOptions, runProgram } from "../../tools/native/run.ts";
import { sqliteSource } from "./source.ts";

/** A filesystem to link SQLite with. */
export interface SqliteBuild {
  /** A part of the program's file name. */
  readonly name: string;
  /** Flags of linking, such as `-sWASMFS`. */
  readonly linkFlags: readonly string[];
  /** Flags of compiling and linking; other flags compile SQLite anew. */
  readonly flags?: readonly string[];
  /** Flags of compiling. */
  readonly compileFlags?: readonly string[];
  /** Absolute paths of further sources; one may define `bench_mount()`. */
  readonly sources?: readonly string[];
}

/** What speedtest did. */
export interface Speedtest {
  /** Seconds of all agents together. */
  readonly wallSeconds: number;
  readonly agents: readonly {
    readonly seconds: number;
    /** What `PRAGMA integrity_check` says of its database. */
    readonly integrity: string;
  }[];
  /** The lines of speedtest1 itself. */
  readonly lines: readonly string[];
}

/** What contend did. */
export interface Contention {
  /** Transactions that the program made. */
  readonly made: number;
  /** The counter at the program's end. */
  readonly counter: number;
  /** The rows at the program's end. */
  readonly rows: number;
  /** What `PRAGMA integrity_check` says. */
  readonly integrity: string;
}

/** Every thread may use SQLite; no part of it that a program in one memory cannot have. */
const COMPILE_FLAGS = [
  "-DSQLITE_THREADSAFE=1",
  "-DSQLITE_OMIT_LOAD_EXTENSION",
  "-DSQLITE_ENABLE_RTREE",
  "-DHAVE_USLEEP=1",
  "-D_GNU_SOURCE",
];
/** main() on a pthread: the worker that loaded the program stays free for what pthreads ask of it. */
const LINK_FLAGS = [
  "-sPROXY_TO_PTHREAD",
  "-sPTHREAD_POOL_SIZE=8",
  "-sINITIAL_MEMORY=512MB",
  "-sSTACK_SIZE=1MB",
  "-sDEFAULT_PTHREAD_STACK_SIZE=1MB",
];

/**
 * Builds a program of this folder over SQLite, or finds it built.
 *
 * @param program Its source's name, without the ending.
 * @param build The filesystem.
 * @returns The path of the program, for `runProgram`.
 */
export async function buildSqliteProgram(program: "speedtest" | "contend", build: SqliteBuild): Promise<string> {
  const source = await sqliteSource();
  const folder = pathOf("./");
  return await buildProgram({
    name: `sqlite-${program}-${build.name}`,
    sources: [`${folder}${program}.c`, `${source}/sqlite3.c`, ...build.sources ?? []],
    flags: [...WORKER_FLAGS.flags, ...build.flags ?? []],
    compileFlags: [...COMPILE_FLAGS, ...build.compileFlags ?? [], `-I${source}`, `-I${pathOf("../../tools/native")}`],
    linkFlags: [...WORKER_FLAGS.linkFlags, ...LINK_FLAGS, ...build.linkFlags],
  });
}

/**
 * Builds and runs speedtest.
 *
 * @param build The filesystem.
 * @param options Arguments (`--agents=N`, `--directory=PATH`, then those of speedtest1), properties of the module.
 * @returns Times, and whether the databases are sound.
 * @throws {Error} When the program fails; the message carries what it printed.
 */
export async function runSpeedtest(build: SqliteBuild, options: RunOptions = {}): Promise<Speedtest> {
  const rows = await run("speedtest", build, options);
  const agents = rows.filter(([kind, , seconds]) => kind === "agent" && seconds !== undefined);
  const wall = rows.find(([kind, seconds]) => kind === "wall" && seconds !== undefined);
  return {
    wallSeconds: Number(wall?.[1]),
    agents: agents.map(([, , seconds, integrity]) => ({ seconds: Number(seconds), integrity })),
    lines: rows.filter((row) => row.length === 1).map(([line]) => line),
  };
}

/**
 * Builds and runs contend.
 *
 * @param build The filesystem.
 * @param options Arguments (`--agents=N`, `--count=N`, `--journal=MODE`, `--directory=PATH`), properties of the module.
 * @returns What it counted.
 * @throws {Error} When the program fails; the message carries what it printed.
 */
export async function runContention(build: SqliteBuild, options: RunOptions = {}): Promise<Contention> {
  const [, made, counter, rows, integrity] = (await run("contend", build, options)).find(([kind]) => kind === "count")!;
  return { made: Number(made), counter: Number(counter), rows: Number(rows), integrity };
}

function pathOf(relative: string): string {
  return decodeURIComponent(new URL(relative, import.meta.url).pathname);
}

async function run(
  program: "speedtest" | "contend",
  build: SqliteBuild,
  options: RunOptions,
): Promise<string[][]> {
  const { code, stdout, stderr } = await runProgram(await buildSqliteProgram(program, build), options);
  if (code !== 0) throw new Error(`${program} on ${build.name} ended with ${code}:\n${stdout}${stderr}`);
  return stdout.trimEnd().split("\n").map((line) => line.split("\t"));
}

if (import.meta.main) {
  const { wallSeconds, agents } = await runSpeedtest({ name: "wasmfs-memory", linkFlags: ["-sWASMFS"] }, {
    arguments: Deno.args,
    limitMs: 10 * 60_000,
    onLine: (line) => console.log(line),
  });
  console.log(`${agents.length} agents, ${wallSeconds} s`);
  Deno.exit(0);
}
