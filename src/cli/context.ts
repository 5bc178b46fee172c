/**
 * What all commands get.
 *
 * @module
 */
import type { Command } from "commander";
import { readNamedFile } from "./host.ts";
import type { CliIo } from "./io.ts";
import type { Reporter } from "./reporter.ts";

/** What a command works with. */
export interface CommandContext {
  /** The process. */
  readonly io: CliIo;
  /** Where results go. */
  readonly reporter: Reporter;
  /** Adds a command that has the options which all have. */
  addCommand(parent: Command, name: string, description: string): Command;
  /** Runs a command; its exit code becomes that of the program. */
  run(work: () => Promise<number>): Promise<void>;
}

/**
 * Reads a file that the command line names, or standard input for `-`.
 *
 * @throws (rejects) {UsageError} where it cannot be read.
 */
export async function readInput(name: string, io: CliIo): Promise<Uint8Array<ArrayBuffer>> {
  return name === "-" ? await io.readStdin() : await readNamedFile(name);
}
