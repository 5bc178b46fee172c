/**
 * ExtMemFS for Emscripten programs that are built without WasmFS: a type of filesystem for their `FS` object, so that a
 * folder of the program is the live shared tree.
 *
 * @example Mounting
 * ```ts ignore
 * import { FileSystem } from "@extmemfs/extmemfs";
 * import { createExtMemFS } from "@extmemfs/extmemfs/emscripten";
 *
 * const fs = FileSystem.attach(handle); // in the thread of the program
 * Module.FS.mkdir("/shared");
 * Module.FS.mount(createExtMemFS(Module.FS), { fs }, "/shared");
 * ```
 *
 * @module
 */
import type { FileSystem } from "./mod.ts";

export { createExtMemFS, type ExtMemFS } from "./src/adapters/legacy_fs/extmemfs.ts";

/** What `FS.mount` takes as its options for {@linkcode ExtMemFS}. */
export interface ExtMemFSOptions {
  /**
   * The filesystem, attached in the thread of the program by the same copy of this library; the program works as its agent,
   * and its files are closed when it detaches.
   */
  readonly fs: FileSystem;
  /** The directory of it that is mounted: an absolute path. Default `/`. */
  readonly root?: string;
}
