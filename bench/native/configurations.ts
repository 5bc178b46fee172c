/**
 * The filesystems of the native speed table: what the program of workloads is linked with. A filesystem is one entry of
 * {@linkcode CONFIGURATIONS}.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import type { SideKind } from "../harness.ts";
import { buildProgram, WORKER_FLAGS } from "../../tools/native/build.ts";
import { bySystemCalls, byWasmfs } from "../../tools/native/integrations.ts";

/** A filesystem that the workloads run on. */
export interface Configuration {
  /** Column it appears in. */
  readonly name: string;
  readonly kind: SideKind;
  /** Sources beside `workloads.c`: names in this folder, or absolute paths. */
  readonly sources?: readonly string[];
  /** Flags of compiling and linking. */
  readonly flags?: readonly string[];
  /** Flags of compiling. */
  readonly compileFlags?: readonly string[];
  /** Flags of linking. */
  readonly linkFlags: readonly string[];
  /** Arguments of the program, such as `--directory=/pool`. */
  readonly arguments?: readonly string[];
  /** Properties of the program's module, made anew for each run in the process that runs the program. */
  module?(): Readonly<Record<string, unknown>>;
  /** Why it cannot do a workload, by the workload's name; `two` stands for all that need two threads. */
  readonly absent?: Readonly<Record<string, string>>;
  /** What the reader of the table should know. */
  readonly note?: string;
}

/** Of 256 MiB in one file, a copy while it grows, and one more for the bare copies. */
const LINK_FLAGS = ["-sINITIAL_MEMORY=1536MB", "-sSTACK_SIZE=1MB", "-sPTHREAD_POOL_SIZE=4"];
/** main() on a pthread: the worker that loaded the program stays free for what pthreads ask of it. */
const ON_A_PTHREAD = "-sPROXY_TO_PTHREAD";

const SYSTEM_CALLS = await bySystemCalls();
const WASMFS = await byWasmfs();
/** A pool that has room for the largest workload. */
const pool = () => ({ extmemfs: FileSystem.create({ maximumBytes: 1 << 30 }).handle });

/** All filesystems, in the order of the columns. */
export const CONFIGURATIONS: readonly Configuration[] = [
  {
    name: "extmemfs-syscalls",
    kind: "subject",
    ...SYSTEM_CALLS,
    linkFlags: [...SYSTEM_CALLS.linkFlags, ON_A_PTHREAD],
    module: pool,
  },
  {
    name: "extmemfs-wasmfs",
    kind: "subject",
    ...WASMFS,
    linkFlags: [...WASMFS.linkFlags, ON_A_PTHREAD],
    module: pool,
  },
  { name: "wasmfs-memory", kind: "peer", linkFlags: ["-sWASMFS", ON_A_PTHREAD] },
  {
    name: "memfs-main",
    kind: "peer",
    linkFlags: [],
    absent: { two: "legacy MEMFS is called on the main thread only; other threads' calls are proxied (memfs-pthread)" },
  },
  { name: "memfs-pthread", kind: "peer", linkFlags: [ON_A_PTHREAD] },
  {
    name: "wasmfs-jsfile",
    kind: "peer",
    sources: ["mount_jsfile.c"],
    linkFlags: ["-sWASMFS", ON_A_PTHREAD],
    absent: {
      read_64k: "a write that lengthens a file copies all of it",
      write_64k: "a write that lengthens a file copies all of it",
      two: "a file can only be used by the thread that created it",
    },
  },
];

/**
 * Builds the program of workloads with a filesystem, or finds it built.
 *
 * @param configuration The filesystem.
 * @returns The path of the program.
 */
export function buildWorkloads(configuration: Configuration): Promise<string> {
  const { name, sources = [], flags = [], compileFlags = [], linkFlags } = configuration;
  const folder = decodeURIComponent(new URL("./", import.meta.url).pathname);
  return buildProgram({
    name: `workloads-${name}`,
    sources: ["workloads.c", ...sources].map((source) => source.startsWith("/") ? source : `${folder}${source}`),
    flags: [...WORKER_FLAGS.flags, ...flags],
    compileFlags: [...compileFlags, `-I${decodeURIComponent(new URL("../../tools/native", import.meta.url).pathname)}`],
    linkFlags: [...WORKER_FLAGS.linkFlags, ...LINK_FLAGS, ...linkFlags],
  });
}
