/**
 * The process of one run of one program: runs some workloads on one filesystem and prints the program's lines.
 *
 *     deno run -A bench/native/program.ts CONFIGURATION [ARGUMENT...]
 *
 * @module
 */
import { runProgram } from "../../tools/native/run.ts";
import { buildWorkloads, CONFIGURATIONS } from "./configurations.ts";

/** All workloads of one run may take this long. */
const LIMIT_MS = 5 * 60_000;

const [name, ...args] = Deno.args;
const configuration = CONFIGURATIONS.find((candidate) => candidate.name === name);
if (configuration === undefined) throw new Error(`There is no configuration '${name}'`);
const { code, stderr } = await runProgram(await buildWorkloads(configuration), {
  arguments: [...configuration.arguments ?? [], ...args],
  module: configuration.module?.() ?? {},
  limitMs: LIMIT_MS,
  onLine: (line) => console.log(line),
});
if (stderr !== "") console.error(stderr.trimEnd());
// Workers and pools may keep the process alive.
Deno.exit(code);
