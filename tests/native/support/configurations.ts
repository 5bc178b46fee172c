/**
 * What the programs are built with: the file systems of Emscripten itself, and this library's two ways of giving a
 * program the pool. A file system is one row of {@linkcode CONFIGURATIONS}; every test of this folder runs on all rows.
 *
 * @module
 */

/** How a program's own memory and threads are. */
export interface Variant {
  /** Name, for tests and folders. */
  readonly name: string;
  /** Flags of compiling and linking. */
  readonly flags: readonly string[];
  /** Flags of linking. */
  readonly linkFlags: readonly string[];
  /** Address type of the program's memory. */
  readonly address: "i32" | "i64";
  /** Whether the program can start threads. */
  readonly threads: boolean;
}

const MEMORY64 = ["-sMEMORY64"];
const THREADS = ["-pthread"];
// The program's main() on a thread of its own: the worker that loaded it stays free for what threads send it.
const ON_A_THREAD = ["-sPROXY_TO_PTHREAD", "-sPTHREAD_POOL_SIZE=1"];

/** The variants of a program. */
export const VARIANTS: Readonly<
  Record<"unshared" | "shared" | "thread" | "memory64" | "memory64_thread", Variant>
> = {
  unshared: { name: "unshared", flags: [], linkFlags: [], address: "i32", threads: false },
  shared: { name: "shared", flags: THREADS, linkFlags: [], address: "i32", threads: true },
  thread: { name: "thread", flags: THREADS, linkFlags: ON_A_THREAD, address: "i32", threads: true },
  memory64: { name: "memory64", flags: MEMORY64, linkFlags: [], address: "i64", threads: false },
  memory64_thread: {
    name: "memory64_thread",
    flags: [...THREADS, ...MEMORY64],
    linkFlags: ON_A_THREAD,
    address: "i64",
    threads: true,
  },
};

/** Folder of what programs are linked with. */
const NATIVE = decodeURIComponent(new URL("../../../native", import.meta.url).pathname);

/** A file system that programs are linked with. */
export interface Configuration {
  /** Name, for tests and folders. */
  readonly name: string;
  /** Files of `programs/differences`, applied to the expected output one after the other. */
  readonly differences: readonly string[];
  /** Flags of compiling and linking. */
  readonly flags: readonly string[];
  /** Flags of linking; files by absolute paths. */
  readonly linkFlags: readonly string[];
  /** Absolute paths of further sources. */
  readonly sources: readonly string[];
  /** Whether the files are in a pool, which the test creates and passes as `Module.extmemfs`. */
  readonly pool: boolean;
  /** Whether `flock` locks; Emscripten's own says so and does nothing. */
  readonly flock: boolean;
  /** Operations of `programs/fuzz.c` that its threads leave out. */
  readonly fuzzWithout?: readonly string[];
  /** Which variants there are. */
  readonly variants: readonly Variant[];
  /** Where programs run in Chromium, of what the test knows; everywhere with `EXTMEMFS_LONG=1`. */
  readonly pages: readonly string[];
}

const { unshared, shared, thread, memory64, memory64_thread } = VARIANTS;

/** All file systems. */
export const CONFIGURATIONS: readonly Configuration[] = [
  {
    name: "memfs",
    differences: ["emscripten", "memfs"],
    flags: [],
    linkFlags: ["-sFORCE_FILESYSTEM"],
    sources: [],
    pool: false,
    flock: false,
    variants: [unshared, thread],
    pages: [],
  },
  {
    name: "wasmfs_memory",
    differences: ["emscripten", "wasmfs"],
    flags: [],
    linkFlags: ["-sWASMFS", "-sFORCE_FILESYSTEM"],
    sources: [],
    pool: false,
    flock: false,
    // WasmFS deadlocks where threads rename and create in one directory.
    fuzzWithout: ["take", "publish"],
    variants: [unshared, thread],
    pages: [],
  },
  {
    name: "extmemfs_syscalls",
    differences: ["emscripten", "extmemfs_syscalls"],
    flags: [],
    linkFlags: ["-sFORCE_FILESYSTEM", "--js-library", `${NATIVE}/dist/library_extmemfs.js`],
    sources: [`${NATIVE}/syscalls/flock.c`],
    pool: true,
    flock: true,
    variants: [unshared, shared, thread, memory64, memory64_thread],
    pages: ["unshared, page", "shared, page", "thread, page", "unshared, worker"],
  },
  {
    name: "extmemfs_wasmfs",
    differences: ["emscripten", "extmemfs_wasmfs"],
    flags: [],
    linkFlags: [
      "-sWASMFS",
      "-sFORCE_FILESYSTEM",
      "--js-library",
      `${NATIVE}/dist/library_extmemfs_wasmfs.js`,
      ...Deno.readTextFileSync(`${NATIVE}/wasmfs/flags.txt`).trim().split("\n"),
    ],
    sources: ["backend", "calls", "root"].map((name) => `${NATIVE}/wasmfs/extmemfs_${name}.cpp`),
    pool: true,
    flock: true,
    variants: [unshared, shared, thread, memory64, memory64_thread],
    pages: ["shared, page", "thread, page"],
  },
];

/** The rows that `EXTMEMFS_CONFIGURATIONS` names (separated by commas), or all. */
export function selectedConfigurations(): readonly Configuration[] {
  const names = Deno.env.get("EXTMEMFS_CONFIGURATIONS")?.split(",");
  if (names === undefined) return CONFIGURATIONS;
  return names.map((name) => {
    const found = CONFIGURATIONS.find((row) => row.name === name);
    if (found === undefined) throw new Error(`EXTMEMFS_CONFIGURATIONS names ${name}, which is no configuration`);
    return found;
  });
}

/** The files of differences that apply: with threads, also those that have `_threads` after their names. */
export function differencesOf({ differences }: Configuration, { threads }: Variant): string[] {
  return threads ? differences.flatMap((name) => [name, `${name}_threads`]) : [...differences];
}
