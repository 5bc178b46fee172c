/**
 * The command line as a function: arguments and a process in, an exit code out.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { addCompileCommands } from "./compile_commands.ts";
import type { CommandContext } from "./context.ts";
import { ClosedOutputError, EXIT_CLOSED_OUTPUT, EXIT_DONE, EXIT_MISUSE, exitCodeOf, UsageError } from "./errors.ts";
import { addFileCommands } from "./file_commands.ts";
import type { CliIo } from "./io.ts";
import { Reporter } from "./reporter.ts";
import { addStoreCommands } from "./store_commands.ts";
import { VERSION } from "./version.ts";

/**
 * Runs the command line.
 *
 * @param args The arguments, without those of the host: `Deno.args`, `process.argv.slice(2)`.
 * @param io The process; {@linkcode processIo} gives that which this runs in.
 * @returns the exit code: 0 done, 1 failed or does not fit, 2 misuse, 130 interrupted, 141 the output was closed. It does
 * not reject.
 */
export async function main(args: readonly string[], io: CliIo): Promise<number> {
  const end = args.indexOf("--");
  const reporter = new Reporter(io, (end < 0 ? args : args.slice(0, end)).includes("--json"));
  try {
    return await runProgram(args, io, reporter);
  } catch (error) {
    // Of what fails once it is interrupted, the interruption is the cause.
    const cause = io.signal.aborted && !(error instanceof ClosedOutputError) ? io.signal.reason : error;
    try {
      if (!(cause instanceof ClosedOutputError)) await reporter.failure(cause);
    } catch {
      // Nobody is left to be told.
      return EXIT_CLOSED_OUTPUT;
    }
    return exitCodeOf(cause);
  }
}

async function runProgram(args: readonly string[], io: CliIo, reporter: Reporter): Promise<number> {
  let exitCode = EXIT_DONE;
  const printed = { out: "", err: "" };
  const program = new Command("extmemfs");
  const context: CommandContext = {
    io,
    reporter,
    addCommand: (parent, name, description) =>
      parent.command(name).description(description).option("--json", "print one JSON document"),
    run: async (work) => {
      exitCode = await work();
    },
  };
  // Commands that are added later inherit all of this.
  program.exitOverride().showHelpAfterError("(--help lists commands and options)").configureOutput({
    writeOut: (text) => printed.out += text,
    writeErr: (text) => printed.err += text,
    getOutHelpWidth: () => io.stdout.columns ?? HELP_COLUMNS,
    getErrHelpWidth: () => io.stderr.columns ?? HELP_COLUMNS,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  program.description("Files in shared WebAssembly memory, and precompiled WebAssembly for any engine.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .addHelpText("after", EXIT_CODES_HELP);
  const artifact = program.command("artifact").description("precompiled WebAssembly: make, look at, store");
  addCompileCommands(artifact, context);
  addFileCommands(artifact, context);
  addStoreCommands(artifact, context);

  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return await reportParsing(error, printed, io, reporter);
  }
  return exitCode;
}

/** Says what commander says: help and version, or how the arguments are wrong. */
async function reportParsing(
  error: CommanderError,
  printed: { readonly out: string; readonly err: string },
  io: CliIo,
  reporter: Reporter,
): Promise<number> {
  if (error.exitCode === 0) {
    if (reporter.json && error.code === "commander.version") await reporter.result({ version: VERSION }, () => VERSION);
    else await io.stdout.write(printed.out);
    return EXIT_DONE;
  }
  if (reporter.json) {
    const message = error.code === "commander.help" ? "the command is missing" : error.message.replace(/^error: /, "");
    await reporter.failure(new UsageError(message));
  } else await io.stderr.write(printed.err);
  return EXIT_MISUSE;
}

/** How wide help is where there is no terminal. */
const HELP_COLUMNS = 100;

const EXIT_CODES_HELP = `
Exit codes: 0 done, it fits; 1 it does not fit, was altered, is no artifact, or the work failed;
2 misuse: bad arguments or configuration, a file that cannot be read; 130 interrupted.
With --json, one document is on standard output, errors included: {"error": {…}}.`;
