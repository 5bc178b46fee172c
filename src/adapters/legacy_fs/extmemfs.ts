/**
 * The plugin: a type of filesystem for the `FS` of an Emscripten program that is built without WasmFS.
 *
 * @module
 */
import { readToEnd } from "../../file/data.ts";
import { Calls } from "./calls.ts";
import { type FSCore, type FSMount, type FSNode, toCore } from "./core.ts";
import { Errors } from "./errors.ts";
import { LegacyMount, type Program } from "./mount.ts";

/** A type of filesystem as `FS.mount` takes it. */
export interface ExtMemFS {
  /**
   * Makes the root of a mount; `FS.mount` calls it.
   *
   * @throws {TypeError} if the options of the mount are not {@linkcode ExtMemFSOptions}.
   */
  mount(mount: { readonly opts: unknown }): object;
}

const known = new WeakMap<object, ExtMemFS>();
const FIRST_DEVICE = 64;

/**
 * Makes the type of filesystem for a program.
 *
 * `FS.open`, `FS.rename` and `FS.readFile` of the program are wrapped, so that each of them acts on the tree at one moment;
 * on other filesystems they do what they did.
 *
 * @param FS the program's `FS` object
 * @returns what `FS.mount` takes; the same for the same program.
 * @throws {TypeError} if it is no such object.
 */
export function createExtMemFS(FS: object): ExtMemFS {
  const core = toCore(FS);
  let type = known.get(core);
  if (type === undefined) known.set(core, type = makeType(core));
  return type;
}

function makeType(core: FSCore): ExtMemFS {
  const errors = new Errors(core);
  const mounts = new WeakMap<FSMount, LegacyMount>();
  const calls = new Calls(core, errors.changed, readWhole);
  const program: Program = { core, errors, calls, nextDevice: FIRST_DEVICE };

  function readWhole(path: string): Uint8Array<ArrayBuffer> | undefined {
    const node = core.lookupPath(path, { follow: true }).node;
    if (!node || !mounts.has(node.mount)) return undefined;
    const stream = core.open(path, 0);
    try {
      return contentsOf(stream.node);
    } finally {
      core.close(stream);
    }
  }

  function contentsOf(node: FSNode): Uint8Array<ArrayBuffer> | undefined {
    const mount = mounts.get(node.mount);
    const file = mount?.context.descriptors.get(node.descriptor ?? -1);
    if (file === undefined) return undefined;
    const bytes = readToEnd(mount!.context, file, 0);
    return typeof bytes === "number" ? errors.fail(bytes) : bytes;
  }

  return {
    mount(mount: FSMount): object {
      const made = new LegacyMount(program, mount.opts);
      mounts.set(mount, made);
      return made.makeRoot();
    },
  };
}
