/**
 * The command line `extmemfs`: precompiles WebAssembly, tells what artifacts fit whom, tends stores of them.
 *
 *     deno run -A cli.ts artifact compile program.wasm program.artifact.wasm
 *     deno run -A cli.ts artifact verify program.artifact.wasm
 *     deno run -A cli.ts artifact prune --store /var/cache/artifacts --unused-for 30d
 *
 * It needs `node:fs` and `node:process`, which Deno, Node.js and Bun have. docs/cli.md describes commands, exit codes and
 * JSON; {@linkcode main} is the same for programs.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { processIo } from "./src/cli/host.ts";
import { main } from "./src/cli/main.ts";

export type { CliIo, Output } from "./src/cli/io.ts";
export { main };

/** Whether this module is what was started; Node.js has `import.meta.main` from version 24 on only. */
function isStarted(): boolean {
  if (typeof import.meta.main === "boolean") return import.meta.main;
  const script = process.argv[1];
  if (script === undefined || !import.meta.url.startsWith("file:")) return false;
  try {
    return realpathSync(script) === realpathSync(fileURLToPath(import.meta.url));
  } catch {
    return false;
  }
}

// An explicit exit: clients of networked stores may hold the process otherwise. All output has been written by then.
if (isStarted()) process.exit(await main(process.argv.slice(2), processIo()));
