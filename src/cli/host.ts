/**
 * The process and its files: all that the command line needs of a host, over `node:` modules, which Deno, Node.js and Bun
 * have.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import type { WriteStream } from "node:tty";
import { ClosedOutputError, EXIT_INTERRUPTED, InterruptedError, systemText, UsageError } from "./errors.ts";
import type { CliIo, Output } from "./io.ts";

/**
 * Standard input and output, environment and signals of this process. The first SIGINT aborts what is under way, a second
 * one ends the process at once.
 */
export function processIo(): CliIo {
  const controller = new AbortController();
  process.on("SIGINT", () => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort(new InterruptedError());
  });
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    signal: controller.signal,
    readStdin: () => readStdin(controller.signal),
    env: (name) => process.env[name],
  };
}

function outputOf(stream: WriteStream): Output {
  // Failures reach those who write; without a listener they would also end the process, with a stack trace.
  stream.on("error", () => {});
  return {
    isTerminal: stream.isTTY === true,
    // Some terminals do not know how wide they are, and say 0.
    columns: stream.isTTY === true && stream.columns > 0 ? stream.columns : undefined,
    write: (data) =>
      new Promise((resolve, reject) => {
        stream.write(data, (error) => {
          if (error === null || error === undefined) return resolve();
          reject(CLOSED_CODES.has((error as { code?: string }).code!) ? new ClosedOutputError(error) : error);
        });
      }),
  };
}

/** What writing to a pipe gives that nobody reads any more. */
const CLOSED_CODES: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED"]);

async function readStdin(signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  const ended = (async () => {
    for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  })();
  await Promise.race([ended, aborted]);
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/**
 * Reads a file that the command line names.
 *
 * @throws (rejects) {UsageError} where it cannot be read.
 */
export async function readNamedFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await fs.readFile(path));
  } catch (error) {
    throw fileError("Cannot read", path, error);
  }
}

/**
 * Refuses a directory that the command line names and that is not there.
 *
 * @throws (rejects) {UsageError} where there is none.
 */
export async function assertDirectory(path: string | URL): Promise<void> {
  let found;
  try {
    found = await fs.stat(path);
  } catch (error) {
    throw fileError("Cannot open the store", String(path), error);
  }
  if (!found.isDirectory()) {
    throw new UsageError(`Cannot open the store ${path}: it is no directory`, { code: "ENOTDIR", file: String(path) });
  }
}

/** A file that is to be written. */
export interface OutputFile {
  /**
   * Writes all of it, atomically: whoever looks sees what was there before or everything.
   *
   * @throws (rejects) the system's error, or the signal's reason; what was there before is untouched then, and no
   * temporary is left.
   */
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
}

/**
 * Looks whether a file can be written before it takes long to make what goes in there.
 *
 * @throws (rejects) {UsageError} where it cannot.
 */
export async function prepareOutput(path: string): Promise<OutputFile> {
  try {
    const found = await fs.stat(path).catch((error) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (found?.isDirectory()) throw Object.assign(new Error("it is a directory"), { code: "EISDIR" });
    if (found !== undefined && !found.isFile()) {
      // A device or a pipe: it would be replaced by a file.
      return { write: (bytes) => fs.writeFile(path, bytes) };
    }
    // What a link leads to is replaced, not the link.
    const target = found === undefined ? path : await fs.realpath(path);
    await fs.access(dirname(target), fs.constants.W_OK);
    return { write: (bytes, signal) => replaceFile(target, bytes, signal) };
  } catch (error) {
    throw fileError("Cannot write", path, error);
  }
}

async function replaceFile(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString("hex")}.tmp`);
  try {
    const file = await fs.open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    signal.throwIfAborted();
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

function fileError(failed: string, path: string, error: unknown): UsageError {
  const { code } = error as { code?: string };
  return new UsageError(`${failed} ${path}: ${systemText(error)}`, {
    ...(code === undefined ? {} : { code }),
    file: path,
    cause: error,
  });
}
