/**
 * Starts the `wasmtime` program, and gives it files that are gone afterwards. Node's modules are imported where they are
 * used, so that the rest loads in browsers.
 *
 * @module
 */
import { CompilerUnavailableError } from "../errors.ts";

/** The oldest version whose command line is understood here. */
export const OLDEST_WASMTIME = 25;

/** What a program that ended left behind. */
export interface ProcessResult {
  /** Its exit code; 128 and the number of the signal where it was killed by one, as shells say it. */
  readonly code: number;
  /** What it wrote to its output. */
  readonly stdout: Uint8Array;
  /** What it wrote about errors. */
  readonly stderr: Uint8Array;
}

const ADVICE =
  `install wasmtime ${OLDEST_WASMTIME} or later (https://wasmtime.dev) so that 'wasmtime --version' works, ` +
  "or use the compiler 'binaryen'";

/**
 * Runs `wasmtime` from the PATH until it ends.
 *
 * @throws (rejects) {CompilerUnavailableError} where there is none, or none may be started; the signal's reason.
 */
export async function spawnWasmtime(args: readonly string[], signal?: AbortSignal): Promise<ProcessResult> {
  signal?.throwIfAborted();
  const { spawn } = await nodeModule("child_process", () => import("node:child_process"));
  const { constants } = await nodeModule("os", () => import("node:os"));
  return await new Promise((resolve, reject) => {
    const unavailable = (cause: Error & { code?: string }) => {
      const why = cause.code === "ENOENT" || cause.name === "NotFound"
        ? "there is no program 'wasmtime' on the PATH, which was searched"
        : `'wasmtime' on the PATH cannot be started (${cause.message})`;
      reject(new CompilerUnavailableError("wasmtime", `${why}: ${ADVICE}`, { cause }));
    };
    let child: ReturnType<typeof spawn>;
    try {
      child = spawn("wasmtime", [...args], { stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
    } catch (error) {
      return unavailable(error as Error);
    }
    const [stdout, stderr]: Uint8Array[][] = [[], []];
    child.stdout?.on("data", (chunk: Uint8Array) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Uint8Array) => stderr.push(chunk));
    const kill = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });
    child.once("error", (error) => {
      signal?.removeEventListener("abort", kill);
      unavailable(error);
    });
    child.once("close", (code, killedBy) => {
      signal?.removeEventListener("abort", kill);
      if (signal?.aborted) return reject(signal.reason);
      const number = killedBy === null ? 0 : constants.signals[killedBy] ?? 0;
      resolve({ code: code ?? 128 + number, stdout: join(stdout), stderr: join(stderr) });
    });
  });
}

/**
 * The version of the `wasmtime` on the PATH.
 *
 * @throws (rejects) {CompilerUnavailableError} where there is none, it is too old, or is something else.
 */
export async function wasmtimeVersion(signal?: AbortSignal): Promise<string> {
  const { code, stdout, stderr } = await spawnWasmtime(["--version"], signal);
  const said = textOf(stdout);
  const version = /^wasmtime(?:-cli)? (\d+)(\.\d+\.\d+[^\s]*)/.exec(said);
  if (code !== 0 || version === null) {
    const answer = code === 0
      ? `said ${JSON.stringify(said.slice(0, 80))}`
      : `ended with code ${code}: ${JSON.stringify(textOf(stderr).slice(0, 200))}`;
    throw new CompilerUnavailableError(
      "wasmtime",
      `the program 'wasmtime' on the PATH is not Wasmtime: asked for its --version it ${answer}; ${ADVICE}`,
    );
  }
  if (Number(version[1]) < OLDEST_WASMTIME) {
    throw new CompilerUnavailableError(
      "wasmtime",
      `the program 'wasmtime' on the PATH has version ${version[1]}${version[2]}, which is too old: ${ADVICE}`,
    );
  }
  return version[1] + version[2];
}

/**
 * Makes a directory for temporary files that only this user can read, and removes it when the work is done or has failed.
 *
 * @throws (rejects) {CompilerUnavailableError} where there are no files, as in browsers; what the work rejects with.
 */
export async function withTemporaryDirectory<T>(work: (path: string) => Promise<T>): Promise<T> {
  const files = await nodeModule("fs", () => import("node:fs/promises"));
  const { tmpdir } = await nodeModule("os", () => import("node:os"));
  const { join: joinPath } = await nodeModule("path", () => import("node:path"));
  const directory = await files.mkdtemp(joinPath(tmpdir(), "extmemfs-wasmtime-"));
  try {
    return await work(directory);
  } finally {
    await files.rm(directory, { recursive: true, force: true });
  }
}

/** Imports a module of Node's, which browsers do not have. */
async function nodeModule<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new CompilerUnavailableError(
      "wasmtime",
      `Wasmtime is a program, and this host starts none (it has no node:${name}): use it in Deno, Node or Bun, or use ` +
        "the compiler 'binaryen'",
      { cause },
    );
  }
}

/** What a program wrote, as text. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trim();
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
