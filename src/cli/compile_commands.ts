/**
 * The commands that make something of a configuration: `artifact hash`, `artifact compile`.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { usedFeatures } from "../artifact/compiler/lowering.ts";
import { decodeContainer } from "../artifact/container.ts";
import { toHex } from "../artifact/digest.ts";
import type { ResolvedConfig } from "../artifact/types.ts";
import { scanModule } from "../artifact/wasm/scan.ts";
import { type CommandContext, readInput } from "./context.ts";
import { blaming, createEngine } from "./engine.ts";
import { EXIT_DONE, UsageError } from "./errors.ts";
import { formatBytes, formatMs, formatProperties } from "./format.ts";
import { headerDocument, listText, sealDocument, targetText } from "./header.ts";
import { prepareOutput } from "./host.ts";
import { readKey } from "./options.ts";
import { showProgress } from "./progress.ts";

/** Adds the commands. */
export function addCompileCommands(artifact: Command, context: CommandContext): void {
  context.addCommand(artifact, "hash", "print the serialization compatibility hash of a configuration")
    .option("--config <file>", "JSON of the engine's configuration (default: this host)")
    .addOption(
      new Option("--format <format>", "how the hash is written").choices(["hex", "base64url"]).default("hex"),
    )
    .action((options: HashOptions) => context.run(() => hash(options, context)));

  context.addCommand(artifact, "compile", "precompile a module")
    .argument("<in>", "the module's file; - for standard input")
    .argument("<out>", "the artifact's file; - for standard output")
    .option("--config <file>", "JSON of the engine's configuration (default: this host)")
    .option("--key-file <file>", "seal with this key (or that of EXTMEMFS_ARTIFACT_KEY)")
    .action((input: string, output: string, options: CompileOptions) =>
      context.run(() => compile(input, output, options, context))
    );
}

interface HashOptions {
  readonly config?: string;
  readonly format: "hex" | "base64url";
}

async function hash(options: HashOptions, { reporter }: CommandContext): Promise<number> {
  const engine = await createEngine(options.config);
  const digest = engine.serializationCompatibilityHash(options.format);
  await reporter.result({
    hash: digest,
    format: options.format,
    config: engine.config,
    encoding: toHex(engine.compatibilityEncoding()),
  }, () => digest);
  return EXIT_DONE;
}

interface CompileOptions {
  readonly config?: string;
  readonly keyFile?: string;
}

async function compile(
  input: string,
  output: string,
  options: CompileOptions,
  { io, reporter }: CommandContext,
): Promise<number> {
  const { signal } = io;
  if (output === "-") reporter.keepStdoutFree();
  if (output === "-" && io.stdout.isTerminal) {
    throw new UsageError("Standard output is a terminal, and an artifact is no text: name a file, or redirect it");
  }
  // All that can be wrong with the command line is found before the work, which may take long.
  const key = await readKey(options.keyFile, io);
  const file = output === "-" ? undefined : await prepareOutput(output);
  const engine = await createEngine(options.config);
  const wasm = await readInput(input, io);

  const began = performance.now();
  const artifact = await blaming(options.config, async () => {
    await using progress = await showProgress(io.stderr);
    return await engine.precompileModule(wasm, {
      signal,
      ...(key === undefined ? {} : { key }),
      ...(progress === undefined ? {} : { onProgress: progress.onProgress }),
    });
  });
  const compileMs = performance.now() - began;
  signal.throwIfAborted();
  if (file === undefined) await io.stdout.write(artifact);
  else await file.write(artifact, signal);

  const layout = decodeContainer(artifact);
  const { header } = layout;
  const lowered = loweredFeatures(wasm, engine.config);
  const document = {
    input: { file: nameOf(input), bytes: wasm.length },
    output: { file: nameOf(output), bytes: artifact.length },
    compileMs: Math.round(compileMs),
    lowered,
    seal: sealDocument(artifact, layout),
    header: headerDocument(header),
  };
  await reporter.result(document, () =>
    formatProperties([
      ["module", `${input === "-" ? "standard input" : input}, ${formatBytes(wasm.length)}`],
      ["artifact", `${output === "-" ? "standard output" : output}, ${sizeText(artifact.length, wasm.length)}`],
      ["time", formatMs(compileMs)],
      ["target", `${targetText(header)} ${engine.config.target.engine.version}`.trimEnd()],
      ["compiler", `${header.compiler} ${engine.config.compiler.version}`],
      ["features used", listText(header.features)],
      ["lowered", loweredText(lowered, header.signatureLowered)],
      ["seal", key === undefined ? "SHA-256, without a key" : "HMAC-SHA-256, with the key"],
      ["compatibility", engine.serializationCompatibilityHash()],
    ], reporter));
  return EXIT_DONE;
}

function nameOf(file: string): string | null {
  return file === "-" ? null : file;
}

function sizeText(artifactBytes: number, wasmBytes: number): string {
  return `${formatBytes(artifactBytes)} (${Math.round(100 * artifactBytes / wasmBytes)} % of the module)`;
}

/** The features that the module uses and the target lacks: that it was compiled says that they have been lowered. */
function loweredFeatures(wasm: Uint8Array, { compiler, features }: ResolvedConfig): readonly string[] {
  if (compiler.name !== "binaryen") return [];
  return usedFeatures(scanModule(wasm), features).filter((name) => !features.includes(name));
}

function loweredText(lowered: readonly string[], changing: readonly string[]): string {
  const texts = lowered.map((name) => changing.includes(name) ? `${name} (changes imports or exports)` : name);
  return listText(texts);
}
