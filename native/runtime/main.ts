/**
 * What is linked into a WebAssembly program: the filesystem as every worker has it, and the program's system calls on it.
 * Bundled into the libraries of `native/dist` by `tools/native/build_libraries.ts`; used by `native/runtime/library.js`.
 *
 * @module
 */
import { type AttachOptions, FileSystem, type PoolHandle } from "../../mod.ts";
import { Program, type ProgramHost, type ProgramMessage } from "../../src/adapters/emscripten/program.ts";
import type { MountTable } from "../../src/adapters/emscripten/mounts.ts";
import { Primitives, type PrimitivesHost } from "../../src/adapters/emscripten/primitives.ts";
import { WasmfsCalls } from "../../src/adapters/emscripten/wasmfs.ts";
import { type Bridge, makeBridge, type SlowCalls } from "../../src/adapters/emscripten/bridge.ts";
import { ENOENT, ERRNO_TEXT } from "../../src/layout/errno.ts";
import { contextOf } from "../../src/file/context_of.ts";

/** What a program may be given: `Module.extmemfs` and `Module.extmemfsOptions`. */
export interface ProgramOptions extends AttachOptions {
  /** Which paths of the program lead into the pool. Default: all but `/dev` and `/proc`. */
  readonly mounts?: MountTable;
  /** The most bytes of the pool that is made where the program is given none. */
  readonly maximumBytes?: number;
  /** False: no call goes to the pool but through JavaScript. */
  readonly bridge?: boolean;
}

/** What the threads of a program are told, in a message before all others. */
export interface ThreadMessage extends ProgramMessage {
  /** The pool. */
  readonly handle: PoolHandle;
  /** How each thread attaches. */
  readonly options: AttachOptions;
  /** Whether hot calls go to the pool without JavaScript, where the engine can. */
  readonly bridge: boolean;
}

/** One thread of a program, attached. */
export interface AttachedThread {
  /** The filesystem as this thread's agent has it: `Module.extmemfs`. */
  readonly fs: FileSystem;
  /** Its system calls. */
  readonly program: Program;
  /** What further threads are told. */
  readonly message: ThreadMessage;
}

/**
 * Attaches a program's first thread.
 *
 * @param given a filesystem, the handle of a pool, or nothing for a pool of the program's own
 * @throws {Error} as `FileSystem.attach`; `ENOSPC` if the pool has no room for the program's descriptors.
 */
export function attachMain(
  given: FileSystem | PoolHandle | undefined,
  options: ProgramOptions | undefined,
  host: ProgramHost,
): AttachedThread {
  const { mounts, maximumBytes, bridge = true, ...attach } = options ?? {};
  // A filesystem may come from another copy of this library: its handle is what both understand.
  const handle = given === undefined
    ? undefined
    : "handle" in given && given.handle !== undefined
    ? given.handle
    : given as PoolHandle;
  const fs = handle === undefined
    ? FileSystem.create({ ...attach, ...(maximumBytes === undefined ? {} : { maximumBytes }) })
    : FileSystem.attach(handle, attach);
  const program = Program.start(contextOf(fs)!.store, mounts, host);
  if (typeof program === "number") {
    fs.detach();
    const [code, text] = ERRNO_TEXT.get(-program) ?? [`errno ${-program}`, "unknown error"];
    throw new Error(
      `${code}: ${text}, starting a program on the pool` +
        (program === -ENOENT ? `; a mount leads to a directory that does not exist: ${JSON.stringify(mounts)}` : ""),
    );
  }
  return { fs, program, message: { ...program.message, handle: fs.handle, options: attach, bridge } };
}

export { copyPreloaded } from "./preloaded.ts";

/** Attaches a further thread, which was told what the first knows. */
export function attachThread(message: ThreadMessage, host: ProgramHost): AttachedThread {
  const fs = FileSystem.attach(message.handle, message.options);
  return { fs, program: Program.join(contextOf(fs)!.store, message, host), message };
}

export { makeRelay } from "../../src/adapters/emscripten/bridge_relay.ts";

/** The bridge of an attached thread; undefined where JavaScript serves all calls. */
export function attachBridge(
  { fs, program, message }: AttachedThread,
  heap: WebAssembly.Memory,
  pointerBytes: 4 | 8,
  slow: SlowCalls,
): Bridge | undefined {
  if (!message.bridge) return undefined;
  const { store } = contextOf(fs)!;
  const bridge = makeBridge({ store, process: program.process, heap, pointerBytes, slow });
  // What JavaScript copies for the program, it leaves to the bridge as well.
  if (bridge !== undefined) {
    program.memory.follow((bytes) => store.memory.useProgram(bytes, bridge));
    program.system.useEntries(bridge.putEntry);
  }
  return bridge;
}

/** What `native/include/extmemfs.h` declares, for one attached thread. */
export function attachPrimitives({ fs, program }: AttachedThread, host: PrimitivesHost): Primitives {
  return new Primitives(contextOf(fs)!.store, program.process, program.system, host);
}

/** What the WasmFS backend calls, for one attached thread. */
export function attachWasmfs({ fs, program }: AttachedThread, memory: () => WebAssembly.Memory): WasmfsCalls {
  return new WasmfsCalls(contextOf(fs)!.store, program.process, memory);
}
