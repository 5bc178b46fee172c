/**
 * What the tests of the command line share: running it in this process or in one of its own, folders, modules, artifacts.
 *
 * @module
 */
import wabt from "wabt";
import type { CliIo, Output } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";

/** The repository. */
export const ROOT = new URL("../../", import.meta.url);

/** What a run of the command line left. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly outBytes: Uint8Array;
}

/** The process that a run in this one believes to be in. */
export interface Surroundings {
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Which outputs are terminals, 100 characters wide. */
  readonly terminals?: readonly ("stdout" | "stderr")[];
  readonly signal?: AbortSignal;
  /** Told of what is written to standard error. */
  readonly onError?: (text: string) => void;
}

/** Runs the command line in this process. */
export async function run(args: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const { env = {}, terminals = [], signal = new AbortController().signal } = surroundings;
  const chunks = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const output = (name: "stdout" | "stderr"): Output => ({
    isTerminal: terminals.includes(name),
    columns: terminals.includes(name) ? 100 : undefined,
    write: (data) => {
      if (name === "stderr") surroundings.onError?.(typeof data === "string" ? data : "");
      chunks[name].push(typeof data === "string" ? new TextEncoder().encode(data) : data);
      return Promise.resolve();
    },
  });
  const io: CliIo = {
    stdout: output("stdout"),
    stderr: output("stderr"),
    signal,
    readStdin: () => Promise.resolve(new Uint8Array(surroundings.stdin ?? [])),
    env: (name) => env[name],
  };
  const code = await main(args, io);
  const outBytes = join(chunks.stdout);
  return { code, out: decode(outBytes), err: decode(join(chunks.stderr)), outBytes };
}

/** Runs the command line in this process with `--json`, and gives the document as well. */
export async function runJson(
  args: readonly string[],
  surroundings: Surroundings = {},
  // deno-lint-ignore no-explicit-any -- what is in the document is what tests look at
): Promise<Outcome & { readonly document: any }> {
  const outcome = await run([...args, "--json"], surroundings);
  return { ...outcome, document: JSON.parse(outcome.out) };
}

/** Starts the command line in a process of its own, by Deno. */
export function spawn(args: readonly string[], options: { readonly stdin?: "piped" | "null" } = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", new URL("cli.ts", ROOT).href, ...args],
    stdin: options.stdin ?? "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Waits for the end of a process, writing its standard input where there is any. */
export async function finish(child: Deno.ChildProcess, stdin?: Uint8Array): Promise<Outcome> {
  const [output] = await Promise.all([child.output(), stdin === undefined ? undefined : feed(child, stdin)]);
  return {
    code: output.code,
    out: decode(output.stdout),
    err: decode(output.stderr),
    outBytes: output.stdout,
  };
}

/** Writes all of the standard input of a process. */
export async function feed(child: Deno.ChildProcess, stdin: Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(stdin);
  await writer.close();
}

/** Gives a test a folder of its own. */
export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "extmemfs_cli_" }));
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The names in a folder, sorted. */
export function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

const { parseWat } = await wabt();

/** A module of text. */
export function moduleOf(text: string): Uint8Array<ArrayBuffer> {
  const module = parseWat("test.wat", text, { sign_extension: true, threads: true, tail_call: true });
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** A small module that uses the sign extensions. `seed` makes modules that differ. */
export function smallModule(seed = 0): Uint8Array<ArrayBuffer> {
  return moduleOf(`(module
    (func (export "narrow") (param i32) (result i32) (i32.extend8_s (i32.add (local.get 0) (i32.const ${seed})))))`);
}

/** A module that takes seconds to compile. */
export function largeModule(): Uint8Array<ArrayBuffer> {
  const functions = Array.from(
    { length: 6000 },
    (_, index) =>
      `(func (export "f${index}") (param i32 i32) (result i32) (local i32)
      (loop $again
        (local.set 2 (i32.add (local.get 2) (i32.mul (i32.load (local.get 0)) (i32.const ${index}))))
        (i32.store (local.get 0) (local.get 2))
        (local.set 0 (i32.sub (local.get 0) (i32.const 4)))
        (br_if $again (i32.gt_s (local.get 0) (local.get 1))))
      (i32.add (local.get 2) (i32.xor (i32.load (local.get 1)) (i32.const ${index * 7}))))`,
  );
  return moduleOf(`(module (memory 1) ${functions.join("\n")})`);
}

/** Writes JSON into a file. */
export function writeJson(path: string, value: unknown): string {
  Deno.writeTextFileSync(path, JSON.stringify(value));
  return path;
}

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
