/**
 * The main job: a real directory tree is loaded into one shared memory, several workers read, write, create, rename
 * and delete in it at the same time, and what comes out is byte for byte right.
 *
 *     deno task demo [DIR] [--workers N] [--json] [--maximum-bytes N]
 *
 * @module
 */

import { parseArgs } from "node:util";
import { FileSystem } from "../mod.ts";
import { compareTrees } from "./demo/compare_trees.ts";
import { DemoError, explain, isExpected } from "./demo/demo_error.ts";
import { TREE } from "./demo/plan.ts";
import { type Progress, startProgress } from "./demo/progress.ts";
import { overlapOf, type Phase, renderReport, type Report } from "./demo/report.ts";
import { runWorkers } from "./demo/run_workers.ts";
import { provideSampleTree } from "./demo/sample_tree.ts";
import { readResults, verifyHashes, verifyLog, verifyPool } from "./demo/verify.ts";

const USAGE = `usage: deno task demo [DIR] [--workers N] [--json] [--maximum-bytes N]

  DIR                the tree to load; default: some packages from npm, fetched on the first run
  --workers N        how many workers share it, 1 to 64; default: the number of cores
  --json             print the figures as JSON
  --maximum-bytes N  how far the pool may grow`;

interface Options {
  readonly directory: string | undefined;
  readonly workers: number;
  readonly json: boolean;
  readonly maximumBytes: number | undefined;
}

/** A command line that cannot be understood. */
class UsageError extends Error {}

function parseOptions(args: string[]): Options | "help" {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        "workers": { type: "string" },
        "json": { type: "boolean" },
        "maximum-bytes": { type: "string" },
        "help": { type: "boolean", short: "h" },
      },
    });
    if (values.help) return "help";
    if (positionals.length > 1) throw new UsageError(`more than one DIR: '${positionals[1]}'`);
    return {
      directory: positionals[0],
      workers: count(values.workers, "--workers", 1, 64) ?? Math.min(navigator.hardwareConcurrency, 64),
      json: values.json ?? false,
      maximumBytes: count(values["maximum-bytes"], "--maximum-bytes", 1, Number.MAX_SAFE_INTEGER),
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError((error as Error).message.split("\n")[0]);
  }
}

function count(value: string | undefined, name: string, least: number, most: number): number | undefined {
  if (value === undefined) return undefined;
  const parsed = /^[0-9]+$/.test(value) ? Number(value) : NaN;
  if (!(parsed >= least && parsed <= most)) {
    throw new UsageError(`${name} must be a whole number from ${least} to ${most}, not '${value}'`);
  }
  return parsed;
}

/** Does the main job. */
async function run(options: Options): Promise<Report> {
  const phases: Phase[] = [];
  /** Runs a phase with its progress bar and notes how long it took. */
  async function phase<T>(
    name: string,
    work: (progress: Progress) => T | Promise<T>,
    size: (result: T) => { files?: number; bytes?: number } = () => ({}),
  ): Promise<T> {
    const progress = startProgress(name, "files");
    const start = performance.now();
    try {
      const result = await work(progress);
      const seconds = (performance.now() - start) / 1000;
      const { files, bytes } = size(result);
      phases.push({ name, files, bytes, seconds });
      return result;
    } finally {
      progress.stop();
    }
  }

  const directory = options.directory ?? await provideSampleTree((message) => console.error(message));
  assertReadableDirectory(directory);
  using fs = createFileSystem(options.maximumBytes);

  const imported = await phase("import", (progress) =>
    fs.importDirectory(directory, {
      into: TREE,
      onProgress: ({ files, totalFiles }) => totalFiles !== undefined && progress.update(files, totalFiles),
    }), (counts) => counts);
  const files = listFiles(fs);
  const all = { files: files.length, bytes: imported.bytes };

  const work = (progress: Progress) => runWorkers(fs, files, options.workers, progress);
  const { reports, stats } = await phase("work", work, ({ reports }) => ({
    files: reports.reduce((sum, report) => sum + report.files, 0),
    bytes: reports.reduce((sum, report) => sum + report.bytes, 0),
  }));
  const results = readResults(fs, files);
  await phase(
    "verify",
    (progress) => verifyHashes(results, directory, (done) => progress.update(done, files.length)),
    () => all,
  );
  const logAlternations = verifyLog(fs, results);
  await phase("check", () => verifyPool(fs));

  const target = Deno.makeTempDirSync({ prefix: "extmemfs_demo_" });
  let compared;
  try {
    await phase("export", (progress) =>
      fs.exportDirectory(`${target}/tree`, {
        from: TREE,
        onProgress: ({ files, totalFiles }) => totalFiles !== undefined && progress.update(files, totalFiles),
      }), (counts) => counts);
    compared = await phase("compare", () => compareTrees(directory, `${target}/tree`), (comparison) => comparison);
  } finally {
    removeTree(target);
  }
  const { differences } = compared;
  if (differences.length > 0) {
    const more = differences.length > 1 ? ` (and ${differences.length - 1} more differences)` : "";
    throw new DemoError(`WRONG: the exported tree is not the imported one: ${differences[0]}${more}`);
  }
  return {
    ok: true,
    directory,
    ...imported,
    phases,
    workers: reports,
    overlap: overlapOf(reports),
    logAlternations,
    pool: { footprintBytes: stats.footprintBytes, liveBytes: stats.liveBytes, poolBytes: stats.poolBytes },
    locks: { waits: stats.lockWaits, parks: stats.parks, waitedMs: stats.waitedMs },
    compared: { files: compared.files, bytes: compared.bytes },
  };
}

/** Creates the filesystem; beyond 4 GiB the memory needs 64-bit addresses. */
function createFileSystem(maximumBytes: number | undefined): FileSystem {
  if (maximumBytes === undefined) return FileSystem.create();
  try {
    return FileSystem.create({ maximumBytes, address: maximumBytes > 2 ** 32 ? "i64" : "i32" });
  } catch (error) {
    throw new DemoError((error as Error).message);
  }
}

/** Says in one line what is wrong with a DIR that cannot be loaded. */
function assertReadableDirectory(directory: string): void {
  try {
    if (!Deno.statSync(directory).isDirectory) throw new DemoError(`'${directory}' is not a directory`);
    Deno.readDirSync(directory)[Symbol.iterator]().next();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new DemoError(`'${directory}' does not exist`);
    throw error;
  }
}

/** The regular files of the imported tree, relative to it. */
function listFiles(fs: FileSystem): string[] {
  const files: string[] = [];
  const walk = (path: string) => {
    for (const entry of fs.readdirSync(`${TREE}/${path}`, { withFileTypes: true })) {
      if (entry.isDirectory()) walk(`${path}${entry.name}/`);
      else if (entry.isFile()) files.push(`${path}${entry.name}`);
    }
  };
  walk("");
  return files.sort();
}

/** Removes a temporary tree whose directories may be write-protected. */
function removeTree(path: string): void {
  for (const entry of Deno.readDirSync(path)) {
    if (!entry.isDirectory) continue;
    Deno.chmodSync(`${path}/${entry.name}`, 0o700);
    removeTree(`${path}/${entry.name}`);
  }
  Deno.removeSync(path, { recursive: true });
}

async function main(args: string[]): Promise<number> {
  let options: Options | "help";
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`demo: ${(error as Error).message} (--help tells more)`);
    return 2;
  }
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  try {
    const report = await run(options);
    console.log(options.json ? JSON.stringify(report, null, 2) : renderReport(report));
    return 0;
  } catch (error) {
    const message = explain(error, options.directory, options.maximumBytes);
    console.error(`demo: ${message}`);
    if (!isExpected(error)) console.error(error);
    if (options.json) console.log(JSON.stringify({ ok: false, error: message }));
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
