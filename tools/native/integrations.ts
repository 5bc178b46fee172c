/**
 * How a program is linked with the pool: sources, flags of compiling, flags of linking. What `native/README.md` tells users,
 * for the tests and benchmarks of this repository.
 *
 * @module
 */
import { buildLibraries } from "./build_libraries.ts";
import { emscriptenRoot } from "./toolchain.ts";

/** What a build of a program needs to have its files in a pool. */
export interface Integration {
  /** Absolute paths of sources to compile with the program. */
  readonly sources: readonly string[];
  /** Flags of compiling. */
  readonly compileFlags: readonly string[];
  /** Flags of linking. */
  readonly linkFlags: readonly string[];
}

const NATIVE = decodeURIComponent(new URL("../../native/", import.meta.url).pathname);

/** By the program's system calls; without WasmFS. */
export async function bySystemCalls(): Promise<Integration> {
  const { "library_extmemfs.js": library } = await buildLibraries();
  return { sources: [`${NATIVE}syscalls/flock.c`], compileFlags: [], linkFlags: ["--js-library", library!] };
}

/** By WasmFS's backend, with the pool as the root. */
export async function byWasmfs(): Promise<Integration> {
  const { "library_extmemfs_wasmfs.js": library } = await buildLibraries();
  const flags = (await Deno.readTextFile(`${NATIVE}wasmfs/flags.txt`)).trim().split("\n");
  return {
    sources: ["backend", "calls", "root"].map((part) => `${NATIVE}wasmfs/extmemfs_${part}.cpp`),
    compileFlags: [`-idirafter${await emscriptenRoot()}/system/lib`],
    linkFlags: ["-sWASMFS", "-sFORCE_FILESYSTEM", "--js-library", library!, ...flags],
  };
}
