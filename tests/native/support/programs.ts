/**
 * The programs of `tests/native/programs`: what they are made of, how Emscripten and the machine's own compiler build
 * them.
 *
 * @module
 */
import { cacheFolder } from "../../../tools/cache.ts";
import { buildProgram } from "../../../tools/native/build.ts";
import { toolchain } from "../../../tools/native/toolchain.ts";
import { assertEquals } from "../../support/assert.ts";
import type { Configuration, Variant } from "./configurations.ts";

/** Folder of the sources, without a slash at the end. */
export const PROGRAMS_FOLDER: string = decodeURIComponent(new URL("../programs", import.meta.url).pathname);

/** One linked file, which holds one program or several. */
export interface Binary {
  /** Name of the file. */
  readonly name: string;
  /** Names of the sources in the folder of the programs. */
  readonly sources: readonly string[];
  /** Flags of linking with Emscripten. */
  readonly linkFlags?: readonly string[];
  /** Flags of the machine's compiler. */
  readonly nativeFlags?: readonly string[];
  /** Names of the conformance programs in it: each has a file in `programs/expected`. */
  readonly programs: readonly string[];
  /** Of those, what only runs where `flock` locks. */
  readonly needFlock?: readonly string[];
  /** Of those, what needs user 0 natively. */
  readonly needRoot?: readonly string[];
}

const CONFORMANCE = [
  "open",
  "read_write",
  "descriptors",
  "metadata",
  "permissions",
  "directories",
  "names",
  "stdio",
  "mapping",
  "locks",
  "devices",
  "large",
  "flock",
];

/** The conformance programs. */
export const BINARIES: readonly Binary[] = [
  {
    name: "conformance",
    sources: ["steps.c", "programs.c", ...CONFORMANCE.map((name) => `${name}.c`)],
    programs: CONFORMANCE,
    needFlock: ["flock"],
    needRoot: ["permissions"],
  },
  {
    name: "embedded",
    sources: ["steps.c", "preloaded.c"],
    linkFlags: ["--embed-file", `${PROGRAMS_FOLDER}/files@/embedded`],
    programs: ["embedded"],
  },
  {
    name: "preloaded",
    sources: ["steps.c", "preloaded.c"],
    linkFlags: ["--preload-file", `${PROGRAMS_FOLDER}/files@/preloaded`],
    programs: ["preloaded"],
  },
  { name: "cxx", sources: ["steps.c", "cxx.cpp"], programs: ["cxx"], nativeFlags: ["-lstdc++"] },
];

/** The multi-thread model test. */
export const FUZZ: Binary = { name: "fuzz", sources: ["fuzz.c", "fuzz_operations.c"], programs: [] };

/** What two programs on one pool do at the same time. */
export const TWO_PROGRAMS: Binary = { name: "two_programs", sources: ["two_programs.c"], programs: [] };

// Released programs as users build them; Emscripten's debug mode refuses to run where Deno shows a `process`.
const FLAGS = ["-O1", "-Wall", "-Wno-unused-result"];
const LINK_FLAGS = [
  "-sENVIRONMENT=web,worker",
  "-sEXPORT_ES6",
  "-sMODULARIZE",
  "-sEXIT_RUNTIME",
  "-sALLOW_MEMORY_GROWTH",
  "-sINITIAL_MEMORY=32MB",
  "-sSTACK_SIZE=1MB",
  "-sINVOKE_RUN=0",
  "-sEXPORTED_RUNTIME_METHODS=callMain",
  "-Wno-pthreads-mem-growth",
];

let libraries: Promise<void> | undefined;

/** Builds the libraries that programs are linked with anew: they carry the layout of the pool. */
function buildLibraries(): Promise<void> {
  return libraries ??= (async () => {
    const args = [
      "run",
      "-A",
      decodeURIComponent(new URL("../../../tools/native/build_libraries.ts", import.meta.url).pathname),
    ];
    const { success, stderr } = await command(Deno.execPath(), args);
    if (!success) throw new Error(`"deno ${args.join(" ")}" failed:\n${stderr}`);
  })();
}

/** Builds with Emscripten; returns the path of the module. */
export async function buildForEmscripten(
  binary: Binary,
  configuration: Configuration,
  variant: Variant,
): Promise<string> {
  if (configuration.pool) await buildLibraries();
  const { sources, flags, linkFlags, flock } = configuration;
  return await buildProgram({
    name: `${binary.name}-${configuration.name}-${variant.name}`,
    sources: [...binary.sources.map((name) => `${PROGRAMS_FOLDER}/${name}`), ...sources],
    flags: [...FLAGS, ...variant.flags, ...flags],
    compileFlags: [
      ...(flock ? ["-DWITH_FLOCK"] : []),
      // WasmFS's own headers, which a backend needs and no program sees.
      ...(sources.length > 0 ? [`-I${(await toolchain()).root}/system/lib`] : []),
    ],
    linkFlags: [...LINK_FLAGS, ...variant.linkFlags, ...linkFlags, ...(binary.linkFlags ?? [])],
  });
}

const built = new Map<string, Promise<string>>();

/** Builds with the machine's own compiler; returns the path of the program. */
export function buildNatively(binary: Binary): Promise<string> {
  let path = built.get(binary.name);
  if (path === undefined) built.set(binary.name, path = compileNatively(binary));
  return path;
}

async function compileNatively(binary: Binary): Promise<string> {
  const folder = cacheFolder("native_programs");
  await Deno.mkdir(folder, { recursive: true });
  const output = await Deno.makeTempFile({ dir: folder, prefix: `${binary.name}-` });
  const sources = binary.sources.map((name) => `${PROGRAMS_FOLDER}/${name}`);
  const args = ["-O1", "-w", "-DWITH_FLOCK", "-pthread", ...sources, "-o", output, ...(binary.nativeFlags ?? [])];
  try {
    const { success, stderr } = await command("gcc", args);
    if (!success) throw new Error(`"gcc ${args.join(" ")}" failed:\n${stderr}`);
    await Deno.rename(output, `${folder}/${binary.name}`);
    return `${folder}/${binary.name}`;
  } catch (error) {
    await Deno.remove(output);
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await installCompiler();
    return compileNatively(binary);
  }
}

/** Installs gcc where that is possible. */
async function installCompiler(): Promise<void> {
  const install = await command("sh", [
    "-c",
    "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install gcc g++ libc6-dev",
  ]);
  if (!install.success) {
    throw new Error(`There is no gcc to prove the expected output with, and apt-get failed:\n${install.stderr}`);
  }
}

async function command(program: string, args: readonly string[]): Promise<{ success: boolean; stderr: string }> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args], stdin: "null" }).output();
  return { success, stderr: new TextDecoder().decode(stderr) };
}

/** What a program did. */
export interface Outcome {
  /** The lines of its standard output. */
  readonly stdout: readonly string[];
  /** The lines of its standard error. */
  readonly stderr: readonly string[];
  /** Its exit code. */
  readonly exitCode: number;
}

/** What a program prints, its errors at the end. */
export function linesOf({ stdout, stderr }: Pick<Outcome, "stdout" | "stderr">): string[] {
  return [...stdout, ...stderr.map((line) => `stderr: ${line}`)];
}

/** Compares lines, with their case in front of each. */
export function assertLines(actual: readonly string[], expected: readonly string[]): void {
  const label = (lines: readonly string[]) => {
    let name = "";
    return lines.map((line) => line.startsWith("# ") ? name = line : `${name}: ${line}`).join("\n");
  };
  assertEquals(label(actual), label(expected));
}

/** Runs a native program in an empty folder; the preloaded files lie beside it. */
export async function runNatively(
  path: string,
  args: readonly string[],
  options: { stdin?: string; cwd?: string; timeoutMs?: number } = {},
): Promise<Outcome> {
  const base = options.cwd === undefined ? await Deno.makeTempDir({ prefix: "extmemfs_native_" }) : undefined;
  try {
    let { cwd } = options;
    if (base !== undefined) {
      cwd = `${base}/work`;
      await Deno.mkdir(cwd);
      for (const name of ["embedded", "preloaded"]) await copyTree(`${PROGRAMS_FOLDER}/files`, `${base}/${name}`);
    }
    const child = new Deno.Command(path, {
      args: [...args],
      cwd,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(options.timeoutMs ?? 60_000),
    }).spawn();
    const writer = child.stdin.getWriter();
    // A program that does not read has closed it by then.
    await writer.write(new TextEncoder().encode(options.stdin ?? "")).then(() => writer.close()).catch(() => {});
    const { code, stdout, stderr } = await child.output();
    return { stdout: splitLines(stdout), stderr: splitLines(stderr), exitCode: code };
  } finally {
    if (base !== undefined) await Deno.remove(base, { recursive: true });
  }
}

function splitLines(bytes: Uint8Array): string[] {
  const lines = new TextDecoder().decode(bytes).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
