/**
 * Verifies what the workers left: every hash against the file on disk, every line of the shared log, and that nothing
 * else is there.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { FileSystem } from "../../mod.ts";
import { DemoError } from "./demo_error.ts";
import { LOG, logLine, MOVED, type Result, RESULTS, SCRATCH } from "./plan.ts";

/**
 * Reads the workers' results.
 *
 * @param fs The filesystem.
 * @param files The tree's regular files.
 * @returns The results, in the order of the files.
 * @throws {DemoError} If there is not exactly one for each file.
 */
export function readResults(fs: FileSystem, files: readonly string[]): Result[] {
  const names = new Set(fs.readdirSync(RESULTS) as string[]);
  if (names.size !== files.length) {
    throw new DemoError(`WRONG: ${names.size} result files for ${files.length} files`);
  }
  return files.map((path, index) => {
    if (!names.has(String(index))) throw new DemoError(`WRONG: no result for '${path}'`);
    const result = JSON.parse(fs.readFileSync(`${RESULTS}/${index}`, "utf8")) as Result;
    if (result.path !== path) throw new DemoError(`WRONG: the result for '${path}' is that of '${result.path}'`);
    return result;
  });
}

/**
 * Compares the workers' hashes with the files on disk.
 *
 * @param results What the workers found.
 * @param directory The tree on disk.
 * @param onFile Told after each file.
 * @throws {DemoError} With the path of the first file whose bytes are not the same.
 */
export async function verifyHashes(
  results: readonly Result[],
  directory: string,
  onFile: (done: number) => void,
): Promise<void> {
  let done = 0;
  for (const { path, sha256, bytes } of results) {
    const contents = await Deno.readFile(`${directory}/${path}`);
    const expected = createHash("sha256").update(contents).digest("hex");
    if (expected !== sha256) {
      throw new DemoError(
        `WRONG: '${path}': on disk ${contents.length} bytes with SHA-256 ${expected}, in the pool ${bytes} with ${sha256}`,
      );
    }
    onFile(++done);
  }
}

/**
 * Checks the log that all workers appended to: each file's line exactly once, none torn.
 *
 * @param fs The filesystem.
 * @param results What the workers found.
 * @returns How many neighbouring lines are by different workers.
 * @throws {DemoError} With the first line that is wrong.
 */
export function verifyLog(fs: FileSystem, results: readonly Result[]): number {
  // Each with its line feed, so that a last line without one is seen.
  const lines = fs.readFileSync(LOG, "utf8").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const seen = new Set<string>();
  let alternations = 0;
  let lastWorker: number | undefined;
  for (const line of lines) {
    const index = Number(line.split(" ", 1)[0]);
    const result = results[index];
    if (result === undefined || line !== logLine(index, result) || seen.has(line)) {
      throw new DemoError(`WRONG: line ${seen.size + 1} of the shared log: ${JSON.stringify(line.slice(0, 200))}`);
    }
    seen.add(line);
    if (lastWorker !== undefined && lastWorker !== result.worker) alternations++;
    lastWorker = result.worker;
  }
  if (seen.size !== results.length) {
    throw new DemoError(`WRONG: the shared log has ${seen.size} lines, expected ${results.length}`);
  }
  return alternations;
}

/**
 * Checks that every scratch file was deleted, and lets the filesystem check itself.
 *
 * @param fs The filesystem.
 * @throws {DemoError} With what was left, or the first violation.
 */
export function verifyPool(fs: FileSystem): void {
  for (const directory of [SCRATCH, MOVED]) {
    const left = fs.readdirSync(directory) as string[];
    if (left.length > 0) throw new DemoError(`WRONG: ${left.length} files left in ${directory}, such as '${left[0]}'`);
  }
  const violations = fs.check();
  if (violations.length > 0) {
    throw new DemoError(`WRONG: check() found ${violations.length} violations: ${JSON.stringify(violations[0])}`);
  }
}
