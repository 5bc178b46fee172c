/**
 * What the tests of the API share: what a call throws, and what must hold of a pool afterwards.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { assertEquals, fail } from "../../support/assert.ts";
import { assertEmptied, removeAll } from "../../support/stress.ts";

/** The fields of an error that callers tell errors by. */
export interface Failure {
  /** Its class. */
  readonly name: string;
  /** Such as `ENOENT` or `ERR_OUT_OF_RANGE`. */
  readonly code: string;
  /** The negated error number, of what a system call would have refused. */
  readonly errno?: number;
  /** The call. */
  readonly syscall?: string;
  /** The path. */
  readonly path?: string;
  /** The second path. */
  readonly dest?: string;
}

/** What a function throws; fails where it throws nothing, or what is no error with a code. */
export function failureOf(action: () => unknown): Failure {
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    if (!(error instanceof Error) || typeof (error as Error & { code?: unknown }).code !== "string") {
      throw new Error("thrown was no error with a code", { cause: error });
    }
    const { name, code, errno, syscall, path, dest } = error as Error & Failure;
    return Object.fromEntries(
      Object.entries({ name, code, errno, syscall, path, dest }).filter(([, value]) => value !== undefined),
    ) as unknown as Failure;
  }
  fail(`nothing was thrown, returned was ${String(result)}`);
}

/** Fails unless a function throws an error with a code. */
export function assertFails(action: () => unknown, code: string, message?: string): void {
  assertEquals(failureOf(action).code, code, message);
}

/** Bytes of a pattern that differs from place to place and from seed to seed. */
export function pattern(bytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at++) made[at] = (at * 31 + (at >> 8) * 7 + seed * 101) & 255;
  return made;
}

/** Fails unless `check()` finds nothing. */
export function assertSound(fs: FileSystem): void {
  assertEquals(fs.check(), []);
}

/** Fails unless everything can be deleted, is given back, and `check()` finds nothing before and afterwards. */
export function assertSoundAndEmptied(fs: FileSystem): void {
  assertSound(fs);
  removeAll(fs);
  assertSound(fs);
  assertEmptied(fs, "after all has been deleted");
}

/** All that is in a filesystem, as text that is equal where the contents are. */
export function describeTree(fs: FileSystem, root = "/"): string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    const stats = fs.lstatSync(path);
    const what = stats.isSymbolicLink()
      ? `-> ${fs.readlinkSync(path)}`
      : stats.isFile()
      ? `${stats.size} bytes ${digest(fs.readFileSync(path))}`
      : "";
    lines.push(`${path} ${stats.mode.toString(8)} ${stats.nlink} ${stats.uid}:${stats.gid} ${stats.mtimeMs} ${what}`);
    if (!stats.isDirectory()) return;
    for (const name of fs.readdirSync(path).sort()) visit(path === "/" ? `/${name}` : `${path}/${name}`);
  };
  visit(root);
  return lines;
}

function digest(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}

/** A filesystem for one test. */
export function create(maximumBytes = 64 << 20): FileSystem {
  return FileSystem.create({ maximumBytes, debugLevel: 3 });
}
