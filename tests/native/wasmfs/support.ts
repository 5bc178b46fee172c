/**
 * Builds and runs the programs of this folder.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { buildLibraries } from "../../../tools/native/build_libraries.ts";
import { buildProgram, WORKER_FLAGS } from "../../../tools/native/build.ts";
import { emscriptenRoot } from "../../../tools/native/toolchain.ts";

const HERE = decodeURIComponent(new URL("./", import.meta.url).pathname);
const NATIVE = decodeURIComponent(new URL("../../../native/", import.meta.url).pathname);

/** How a program is linked. */
export interface Linking {
  /** Whether the pool is the root of the program's files; it is mounted at `/pool` where not. */
  readonly root: boolean;
  /** Whether with `extmemfs_calls.cpp` and its flags. */
  readonly calls: boolean;
}

/** The folder of a test in the program. */
export function baseOf({ root }: Linking, name: string): string {
  return root ? `/${name}` : `/pool/${name}`;
}

/** Builds a program of this folder with the backend; returns its path. */
export async function build(name: string, linking: Linking): Promise<string> {
  const { root, calls } = linking;
  const [libraries, emscripten] = await Promise.all([buildLibraries(), emscriptenRoot()]);
  const flags = (await Deno.readTextFile(`${NATIVE}wasmfs/flags.txt`)).trim().split("\n");
  return await buildProgram({
    name: `wasmfs_${name}${root ? "_root" : ""}${calls ? "" : "_plain"}`,
    sources: [
      `${HERE}${name}.c`,
      `${HERE}steps.c`,
      `${NATIVE}wasmfs/extmemfs_backend.cpp`,
      ...(calls ? [`${NATIVE}wasmfs/extmemfs_calls.cpp`] : []),
      ...(root ? [`${NATIVE}wasmfs/extmemfs_root.cpp`] : []),
    ],
    flags: WORKER_FLAGS.flags,
    compileFlags: [
      `-I${NATIVE}wasmfs`,
      `-idirafter${emscripten}/system/lib`,
      "-Wall",
      ...(root ? [] : ["-DMOUNTED"]),
    ],
    linkFlags: [
      ...WORKER_FLAGS.linkFlags,
      "-sWASMFS",
      "-sFORCE_FILESYSTEM",
      "-sPTHREAD_POOL_SIZE=4",
      "--js-library",
      libraries["library_extmemfs_wasmfs.js"]!,
      ...(calls ? flags : []),
    ],
  });
}

/** A pool for one test. */
export function makePool(maximumBytes = 256 << 20): FileSystem {
  return FileSystem.create({ maximumBytes });
}
