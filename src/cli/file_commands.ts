/**
 * The commands that look at artifacts in files: `artifact inspect`, `detect`, `verify`; and `verify` over a store.
 *
 * @module
 */
import type { Command } from "commander";
import { type ArtifactLayout, decodeContainer, detectKind, nativePayload } from "../artifact/container.ts";
import { IncompatibleArtifactError } from "../artifact/errors.ts";
import { sealKey, verifySealAsync } from "../artifact/seal.ts";
import { type CommandContext, readInput } from "./context.ts";
import { createEngine } from "./engine.ts";
import { errorDocument, errorText, EXIT_DONE, EXIT_FAILED, UsageError } from "./errors.ts";
import { formatProperties, printable } from "./format.ts";
import { headerDocument, headerRows, sealDocument } from "./header.ts";
import { readKey } from "./options.ts";
import { STORE_HELP } from "./stores.ts";
import { verifyStore } from "./store_commands.ts";

/** Adds the commands. */
export function addFileCommands(artifact: Command, context: CommandContext): void {
  context.addCommand(artifact, "inspect", "print what an artifact says of itself, without verifying it")
    .argument("<file>", "the artifact's file; - for standard input")
    .action((file: string) => context.run(() => inspect(file, context)));

  context.addCommand(artifact, "detect", "print whether a file is an artifact: module, native or none")
    .argument("<file>", "the file; - for standard input")
    .action((file: string) => context.run(() => detect(file, context)));

  context.addCommand(artifact, "verify", "verify that an artifact is whole and fits, or that all of a store are whole")
    .argument("[file]", "the artifact's file; - for standard input")
    .option("--config <file>", "JSON of the engine's configuration (default: this host)")
    .option("--key-file <file>", "the key that it is sealed with (or that of EXTMEMFS_ARTIFACT_KEY)")
    .option("--store <url>", STORE_HELP)
    .action((file: string | undefined, options: VerifyOptions) => context.run(() => verify(file, options, context)));
}

async function inspect(file: string, { io, reporter }: CommandContext): Promise<number> {
  const bytes = await readInput(file, io);
  const layout = decodeContainer(bytes);
  const document = {
    file: nameOf(file),
    bytes: bytes.length,
    payloadBytes: bytes.length - layout.payloadAt,
    seal: sealDocument(bytes, layout),
    header: headerDocument(layout.header),
  };
  await reporter.result(document, () => formatProperties(headerRows(bytes, layout), reporter));
  return EXIT_DONE;
}

async function detect(file: string, { io, reporter }: CommandContext): Promise<number> {
  const kind = detectKind(await readInput(file, io));
  await reporter.result({ file: nameOf(file), kind: kind ?? null }, () => kind ?? "none");
  return kind === undefined ? EXIT_FAILED : EXIT_DONE;
}

interface VerifyOptions {
  readonly config?: string;
  readonly keyFile?: string;
  readonly store?: string;
}

async function verify(file: string | undefined, options: VerifyOptions, context: CommandContext): Promise<number> {
  if ((file === undefined) === (options.store === undefined)) {
    throw new UsageError("artifact verify takes either a file or --store");
  }
  if (file === undefined) {
    if (options.config !== undefined) {
      throw new UsageError("A store has artifacts for many configurations: --config goes with a file only");
    }
    return await verifyStore(options.store!, options, context);
  }
  return await verifyFile(file, options, context);
}

async function verifyFile(file: string, options: VerifyOptions, { io, reporter }: CommandContext): Promise<number> {
  const key = await readKey(options.keyFile, io);
  const engine = await createEngine(options.config);
  const bytes = await readInput(file, io);
  const problems: Error[] = engine.checkCompatible(bytes);
  const layout = tryDecode(bytes);
  if (layout !== undefined) problems.push(...await sealProblems(bytes, layout, key));
  const fits = problems.length === 0;
  const name = nameOf(file);
  await reporter.result({ file: name, fits, problems: problems.map(errorDocument) }, () => {
    const { good, bad } = reporter.style;
    const shown = printable(name ?? "standard input");
    if (fits) return `${shown}: ${good("whole, and fits")}`;
    return problems.map((problem) => `${shown}: ${bad(labelOf(problem))}: ${printable(errorText(problem))}`).join("\n");
  });
  return fits ? EXIT_DONE : EXIT_FAILED;
}

/** The layout of an artifact; undefined where there is none, which `checkCompatible()` has told already. */
function tryDecode(bytes: Uint8Array): ArtifactLayout | undefined {
  try {
    return decodeContainer(bytes);
  } catch (error) {
    if (error instanceof IncompatibleArtifactError) return undefined;
    throw error;
  }
}

async function sealProblems(bytes: Uint8Array, layout: ArtifactLayout, key: Uint8Array | undefined): Promise<Error[]> {
  try {
    await verifySealAsync(bytes, layout, key === undefined ? undefined : sealKey(key));
    if (layout.header.kind === "native") nativePayload(bytes, layout);
    return [];
  } catch (error) {
    return [error as Error];
  }
}

/** What a problem is about: the setting, flag, tunable or feature, or the kind of problem. */
function labelOf(problem: Error): string {
  if (!(problem instanceof IncompatibleArtifactError)) return "seal";
  const { kind, setting } = problem;
  return printable(setting === kind ? kind : `${kind} ${setting}`);
}

function nameOf(file: string): string | null {
  return file === "-" ? null : file;
}
