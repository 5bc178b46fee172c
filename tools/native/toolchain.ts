/**
 * The Emscripten compiler: `emcc` of the PATH where it is new enough, else the one of Debian, which the first call
 * installs into an ignored folder (`debian.ts`). Any number of tools may run at the same time.
 *
 *     deno run -A tools/native/toolchain.ts [TOOL ARGUMENT...]
 *
 * runs a tool by hand (`emcc --version` without arguments).
 *
 * @module
 */
import { cacheFolder } from "../cache.ts";
import { provisionDebian } from "./debian.ts";
import { MINIMUM_MAJOR, parseVersion } from "./version.ts";

/** What a tool printed. */
export interface ToolOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a tool. */
export interface ToolOptions {
  /** Working directory; the one of this process by default. */
  readonly cwd?: string;
  /** Whether warnings stay unprinted; they are in the output all the same. */
  readonly quiet?: boolean;
}

/** A compiler that can be run. */
export interface Toolchain {
  /** Version such as `6.0.5`. */
  readonly version: string;
  /** Folder that holds `system/lib/wasmfs`; valid for the compiler and for this process alike. */
  readonly root: string;
  /** Command that runs a tool: a program and its first arguments. */
  command(name: string, cwd: string): readonly [string, ...string[]];
}

/** What is looked at to find a compiler; tests give their own. */
export interface Search {
  /** Folders to look for `emcc` in, separated by colons. */
  readonly path: string;
  /** Provides a compiler where the PATH has none. */
  provision(reason: string): Promise<Toolchain>;
}

/** A tool ended with an exit code other than 0. The message carries what it printed. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  /** What the tool printed to its standard error. */
  readonly stderr: string;

  /**
   * @param command The command that failed.
   * @param code Its exit code.
   * @param output What it printed.
   */
  constructor(command: string, code: number, output: ToolOutput) {
    super(`"${command}" failed with exit code ${code}:\n${(output.stderr || output.stdout).trim()}`);
    this.stderr = output.stderr;
  }
}

let found: Promise<Toolchain> | undefined;

/**
 * Finds a compiler, and installs one where there is none.
 *
 * @returns The compiler that all functions of this module use.
 * @throws {Error} Where none is found and none can be installed: what was asked, what was found, and what to do.
 */
export function toolchain(): Promise<Toolchain> {
  return found ??= findToolchain({
    path: Deno.env.get("PATH") ?? "",
    provision: (reason) => provisionDebian(cacheFolder("emscripten"), reason),
  });
}

/**
 * Looks for a compiler on a PATH before it has one provided.
 *
 * @param search Where to look, and what to do when nothing is there.
 * @returns The compiler found or provided.
 */
export async function findToolchain(search: Search): Promise<Toolchain> {
  const emcc = await findExecutable("emcc", search.path);
  if (emcc === undefined) return search.provision("no emcc on PATH");
  const printed = await firstLine(emcc, ["--version"]);
  const version = parseVersion(printed);
  if (version === undefined) return search.provision(`${emcc} does not say its version: ${JSON.stringify(printed)}`);
  if (version.major < MINIMUM_MAJOR) {
    return search.provision(`${emcc} is ${version.text}, which is older than ${MINIMUM_MAJOR}`);
  }
  const folder = emcc.slice(0, emcc.lastIndexOf("/"));
  return {
    version: version.text,
    root: await rootOf(emcc),
    command: (name) => [`${folder}/${name}`],
  };
}

/**
 * Runs a tool of Emscripten: `emcc`, `em++`, `emar`, `emnm` and their kin.
 *
 * @param name Its name.
 * @param args Its arguments.
 * @param options Working directory, and whether warnings are printed.
 * @returns What it printed.
 * @throws {ToolError} When it fails; the message carries what it printed to its standard error.
 */
export async function tool(name: string, args: readonly string[], options: ToolOptions = {}): Promise<ToolOutput> {
  const cwd = options.cwd ?? Deno.cwd();
  const [program, ...first] = (await toolchain()).command(name, cwd);
  const child = new Deno.Command(program, {
    args: [...first, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ success, code }, stdout, stderr] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
    readMessages(child.stderr),
  ]);
  const output = { stdout, stderr };
  if (!success) throw new ToolError([name, ...args].join(" "), code, output);
  if (!options.quiet && stderr !== "") console.error(stderr.trimEnd());
  return output;
}

/** Collects what a tool says; that it builds a system library, which takes long, is said at once and left out. */
async function readMessages(stream: ReadableStream<Uint8Array>): Promise<string> {
  let [messages, rest] = ["", ""];
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const library = /^cache:INFO: generating system \w+: (?:\S+\/)?(\S+?)\.\.\. /.exec(line)?.[1];
      if (library !== undefined) console.error(`emscripten: building ${library} (once)`);
      else if (!/^(?:cache|system_libs|shared):INFO: /.test(line)) messages += `${line}\n`;
    }
  }
  return messages + rest;
}

/**
 * Runs the compiler.
 *
 * @param args Its arguments.
 * @param options Working directory, and whether warnings are printed.
 * @returns What it printed.
 * @throws {ToolError} When it fails; the message carries the compiler's own.
 */
export function emcc(args: readonly string[], options: ToolOptions = {}): Promise<ToolOutput> {
  return tool("emcc", args, options);
}

/**
 * The folder of Emscripten itself, for headers such as those of WasmFS.
 *
 * @returns An absolute path; `system/lib/wasmfs` lies in it, for this process and for the compiler.
 */
export async function emscriptenRoot(): Promise<string> {
  return (await toolchain()).root;
}

/**
 * The compiler's version.
 *
 * @returns A version such as `6.0.5`.
 */
export async function emscriptenVersion(): Promise<string> {
  return (await toolchain()).version;
}

/** The first executable file of that name in a PATH. */
async function findExecutable(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(":")) {
    if (!folder.startsWith("/")) continue;
    const candidate = `${folder}/${name}`;
    try {
      const { isFile, mode } = await Deno.stat(candidate);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return candidate;
    } catch {
      // Not there: the next folder of the PATH.
    }
  }
  return undefined;
}

/** The first line that a program prints, or the reason why it prints none. */
async function firstLine(program: string, args: readonly string[]): Promise<string> {
  try {
    const run = await new Deno.Command(program, { args: [...args], stdin: "null", stderr: "null" }).output();
    return new TextDecoder().decode(run.stdout).split("\n", 1)[0];
  } catch (error) {
    return (error as Error).message;
  }
}

/** The folder of Emscripten that an `emcc` belongs to: beside it, or where a distribution puts it. */
async function rootOf(emcc: string): Promise<string> {
  const real = await Deno.realPath(emcc);
  const candidates = [real.slice(0, real.lastIndexOf("/")), "/usr/share/emscripten", "/usr/lib/emscripten"];
  for (const candidate of candidates) {
    try {
      if ((await Deno.stat(`${candidate}/system/lib/wasmfs`)).isDirectory) return candidate;
    } catch {
      // Not there: the next candidate.
    }
  }
  throw new Error(
    `Cannot find the folder of Emscripten that ${emcc} belongs to: system/lib/wasmfs is in none of ` +
      `${candidates.join(", ")}. Put emsdk's upstream/emscripten on PATH`,
  );
}

if (import.meta.main) {
  const [name, ...args] = Deno.args.length === 0 ? ["emcc", "--version"] : Deno.args;
  try {
    const { stdout } = await tool(name, args);
    if (stdout !== "") console.log(stdout.trimEnd());
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}
