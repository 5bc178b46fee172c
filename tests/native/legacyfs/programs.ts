/**
 * Real programs that nobody here built, by their `FS`: each is of another version of Emscripten.
 *
 * @module
 */
import initSql from "@jlongster/sql.js/dist/sql-wasm-debug.js";
import { loadPyodide, type PyodideInterface } from "pyodide";
import createGit from "wasm-git/lg2.js";
import type { FileSystem } from "../../../mod.ts";
import { createExtMemFS } from "../../../emscripten.ts";

/** What the tests know of a program's streams. */
export interface ProgramStream {
  fd: number;
  path: string;
  position: number;
}

/** What the tests know of a program's nodes. */
export interface ProgramNode {
  node_ops: Record<string, (...args: never[]) => unknown>;
}

/** What the tests know of a program's `stat`. */
export interface ProgramStat {
  dev: number;
  ino: number;
  mode: number;
  nlink: number;
  size: number;
  blocks: number;
  atime: Date;
  mtime: Date;
  ctime: Date;
}

/** A program's `FS` as its own users call it. */
export interface ProgramFS {
  filesystems: Record<string, object>;
  streams: (ProgramStream | null)[];
  nameTable: (({ name_next?: unknown }) | undefined)[];
  mount(type: object, options: object, path: string): unknown;
  unmount(path: string): void;
  mkdir(path: string, mode?: number): unknown;
  rmdir(path: string): void;
  mknod(path: string, mode: number, device: number): unknown;
  unlink(path: string): void;
  rename(from: string, to: string): void;
  symlink(target: string, path: string): unknown;
  link?(existing: string, path: string, flags?: number): unknown;
  readlink(path: string): string;
  readdir(path: string): string[];
  stat(path: string): ProgramStat;
  lstat(path: string): ProgramStat;
  fstat?(fd: number): ProgramStat;
  chmod(path: string, mode: number): void;
  fchmod(fd: number, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  utime(path: string, atime: number, mtime: number): void;
  truncate(path: string, length: number): void;
  ftruncate(fd: number, length: number): void;
  open(path: string, flags: string | number, mode?: number): ProgramStream;
  close(stream: ProgramStream): void;
  dupStream?(stream: ProgramStream): ProgramStream;
  read(stream: ProgramStream, to: ArrayBufferView, offset: number, length: number, position?: number): number;
  write(stream: ProgramStream, from: ArrayBufferView, offset: number, length: number, position?: number): number;
  llseek(stream: ProgramStream, offset: number, whence: number): number;
  mmap(stream: ProgramStream, ...range: number[]): { ptr: number };
  msync(stream: ProgramStream, buffer: Uint8Array, offset: number, length: number, flags: number): number;
  readFile(path: string): Uint8Array;
  readFile(path: string, options: { encoding: "utf8" }): string;
  writeFile(path: string, data: string | Uint8Array): void;
  lookupPath(path: string, options?: object): { path: string; node: ProgramNode };
  chdir(path: string): void;
  cwd(): string;
}

/** A version of Emscripten's core in a program. */
export interface Program {
  /** The program, and the version of Emscripten that it was built with as far as it tells. */
  readonly name: string;
  readonly FS: ProgramFS;
  /** The program's memory. */
  memory(): Uint8Array;
}

/** sql.js of 2021, a debug build of SQLite: the core before `fstat` went by the stream. */
export interface Sql extends Program {
  readonly SQL: SqlModule;
}

/** The part of sql.js that the tests call. */
export interface SqlModule {
  readonly FS: ProgramFS;
  readonly HEAPU8: Uint8Array;
  readonly Database: new (name: string, options: { filename: true }) => SqlDatabase;
}

/** An open database. */
export interface SqlDatabase {
  run(text: string): void;
  exec(text: string): { values: unknown[][] }[];
  close(): void;
}

/** Loads sql.js. */
export async function loadSql(): Promise<Sql> {
  const wasm = new URL(import.meta.resolve("@jlongster/sql.js/dist/sql-wasm-debug.wasm"));
  const init = initSql as unknown as (options: object) => Promise<SqlModule>;
  const SQL = await init({ wasmBinary: Deno.readFileSync(wasm) });
  return { name: "sql.js 1.6.7 (Emscripten 2)", FS: SQL.FS, memory: () => SQL.HEAPU8, SQL };
}

/** git, compiled by a recent version. */
export interface Git extends Program {
  /** Runs a command; what it prints. Throws where it fails. */
  run(...args: string[]): string;
}

/** Loads git. */
export async function loadGit(): Promise<Git> {
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const module = await (createGit as unknown as (options: object) => Promise<
    { FS: ProgramFS; HEAPU8: Uint8Array; callMain(args: string[]): number }
  >)({ print, printErr: print });
  module.FS.writeFile("/home/web_user/.gitconfig", "[user]\nname = Test\nemail = test@example.com\n");
  return {
    name: "wasm-git 0.0.17 (Emscripten 6)",
    FS: module.FS,
    memory: () => module.HEAPU8,
    run(...args) {
      const code = module.callMain(args);
      const text = lines.splice(0).join("\n");
      if (code !== 0) throw new Error(`git ${args.join(" ")} ended with ${code}: ${text}`);
      return text;
    },
  };
}

/** Python. */
export interface Python extends Program {
  readonly python: PyodideInterface;
}

/** Loads Python. */
export async function loadPython(): Promise<Python> {
  const python = await loadPyodide();
  const module = (python as unknown as { _module: { HEAPU8: Uint8Array } })._module;
  return {
    name: `Pyodide ${python.version} (Emscripten 5)`,
    FS: python.FS as unknown as ProgramFS,
    memory: () => module.HEAPU8,
    python,
  };
}

let all: Promise<Program[]> | undefined;

/** All programs, loaded once. */
export function loadPrograms(): Promise<Program[]> {
  return all ??= Promise.all([loadSql(), loadPython(), loadGit()]);
}

let mounts = 0;

/** Mounts a filesystem into a program, at a folder that is new. Returns the folder. */
export function mountIn(program: Program, fs: FileSystem, root?: string): string {
  const folder = `/mount${++mounts}`;
  program.FS.mkdir(folder);
  program.FS.mount(createExtMemFS(program.FS), root === undefined ? { fs } : { fs, root }, folder);
  return folder;
}

/** The error number that an action throws, or `ok`. Other errors pass through. */
export function errnoOf(action: () => unknown): number | "ok" {
  try {
    action();
    return "ok";
  } catch (error) {
    const { errno } = error as { errno?: unknown };
    if (typeof errno !== "number") throw error;
    return errno;
  }
}

/** Numbers of errors as WASI and all three programs count them. */
export const ERRNO = {
  EACCES: 2,
  EBADF: 8,
  EEXIST: 20,
  EFBIG: 22,
  EIDRM: 24,
  EINVAL: 28,
  EISDIR: 31,
  ENODEV: 43,
  ENOENT: 44,
  ENOSPC: 51,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  EPERM: 63,
  EROFS: 69,
  EXDEV: 75,
} as const;

/** Flags of `open`, as musl has them. */
export const FLAGS = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
} as const;
