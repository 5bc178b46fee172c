/**
 * A directory of the pool mounted into a program's tree: what its options say, and its nodes.
 *
 * A node never enters the core's table of names: its core asks the plugin for every name anew, and what another agent has
 * renamed, removed or replaced is seen as it is. Only the nodes of directories are kept, to be found again as long as they
 * are the same inode under the same name, since something may be mounted on them.
 *
 * @module
 */
import type { Context } from "../../file/context.ts";
import { contextOf } from "../../file/context_of.ts";
import { Metadata } from "../../file/metadata.ts";
import { ENOENT, ENOTDIR } from "../../layout/errno.ts";
import { GRANULE_WORDS } from "../../layout/units.ts";
import { FOLLOW } from "../../names/walk.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../store/inodes.ts";
import type { Calls } from "./calls.ts";
import { describe, type FSCore, type FSNode, type Listing } from "./core.ts";
import type { Errors } from "./errors.ts";
import { nodeOps, type NodeOpsByType } from "./node_ops.ts";
import { isName, type Place } from "./place.ts";
import { streamOps, type StreamOpsByType } from "./stream_ops.ts";

/** What a program's mounts have in common. */
export interface Program {
  /** The program's `FS`. */
  readonly core: FSCore;
  /** Its errors. */
  readonly errors: Errors;
  /** Its calls. */
  readonly calls: Calls;
  /** Number of the next mount: what its files report as their device. */
  nextDevice: number;
}

/** The core's own nodes have small numbers; a directory's is above them, so that it is nobody else's parent. */
const DIRECTORY_ID = 2 ** 32;
/** How many nodes of directories are kept. */
const DIRECTORY_LIMIT = 4096;
/** The name of a node that the core has put into its table after a rename: one that nobody asks for. */
const NO_NAME = "//";

/** A mount. */
export class LegacyMount {
  /** The program. */
  readonly program: Program;
  /** The state of the agent's operations. */
  readonly context: Context;
  /** The directory that is mounted. */
  readonly root: Place;
  /** What files report as their device. */
  readonly device: number;
  /** Where metadata are read into. */
  readonly found: Metadata = new Metadata();
  /** The last listing that the program asked for. */
  lastListing: Listing | undefined;
  readonly #nodeOps: NodeOpsByType;
  readonly #streamOps: StreamOpsByType;
  readonly #directories = new Map<number, FSNode>();
  readonly #renamed: FSNode[] = [];

  /**
   * Resolves the options of a mount.
   *
   * @throws {TypeError} if they are none, and the program's error if the directory does not exist.
   */
  constructor(program: Program, options: unknown) {
    const { context, path } = toOptions(options);
    this.program = program;
    this.context = context;
    const { walk } = context;
    const { errors } = program;
    errors.check(context.mayRead());
    errors.check(walk.resolve(path, FOLLOW));
    if (walk.inodeWord === 0) errors.fail(-ENOENT);
    if ((walk.mode & S_IFMT) !== S_IFDIR) errors.fail(-ENOTDIR);
    this.root = { word: walk.inodeWord, generation: walk.generation };
    this.device = program.nextDevice++;
    this.#nodeOps = nodeOps(this);
    this.#streamOps = streamOps(this);
  }

  /** The node of the mounted directory. */
  makeRoot(): FSNode {
    const { walk } = this.context;
    const node = this.makeNode(null, "/", walk.mode, this.root.word);
    node.place = this.root;
    return node;
  }

  /** Makes a node that the core does not keep. */
  makeNode(parent: FSNode | null, name: string, mode: number, inodeWord: number): FSNode {
    const node = new this.program.core.FSNode(parent, name, mode, 0);
    const type = mode & S_IFMT;
    node.id = inodeWord / GRANULE_WORDS;
    if (type === S_IFDIR) {
      node.id += DIRECTORY_ID;
      node.node_ops = this.#nodeOps.directory;
      node.stream_ops = this.#streamOps.directory;
    } else {
      node.node_ops = type === S_IFLNK ? this.#nodeOps.link : this.#nodeOps.file;
      node.stream_ops = this.#streamOps.file;
    }
    return node;
  }

  /** Looks a name up: its node, as it is now. */
  lookUp(parent: FSNode, name: string): FSNode {
    if (this.#renamed.length > 0) this.#forgetRenamed();
    const { errors, calls } = this.program;
    const call = calls.current;
    const place = parent.place!;
    const seen = call?.recall(this, place, name);
    if (seen !== undefined) return seen.node ?? errors.fail(-ENOENT);
    if (!isName(name)) errors.fail(-ENOENT);
    errors.check(this.context.mayRead());
    const { walk } = this.context;
    errors.check(walk.resolve(name, 0, place));
    if (walk.inodeWord === 0) {
      call?.remember(this, place, name, undefined);
      errors.fail(-ENOENT);
    }
    const node = this.#nodeOfWalk(parent, name);
    call?.remember(this, place, name, node);
    return node;
  }

  /** The node of a name that was just created; whoever is faster may have changed it already. */
  nodeOf(parent: FSNode, name: string): FSNode {
    const { walk } = this.context;
    const { errors } = this.program;
    errors.check(walk.resolve(name, 0, parent.place));
    return walk.inodeWord === 0 ? errors.fail(-ENOENT) : this.#nodeOfWalk(parent, name);
  }

  #nodeOfWalk(parent: FSNode, name: string): FSNode {
    const { inodeWord: word, generation, mode } = this.context.walk;
    if ((mode & S_IFMT) !== S_IFDIR) return this.makeNode(parent, name, mode, word);
    const known = this.#directories.get(word);
    const isSame = known?.place?.generation === generation;
    if (isSame && known.parent === parent && known.name === name) {
      known.mode = mode;
      return known;
    }
    const node = this.makeNode(parent, name, mode, word);
    node.place = { word, generation };
    // Renamed by somebody: what is mounted on it moves along.
    if (isSame) node.mounted = known.mounted;
    if (this.#directories.size >= DIRECTORY_LIMIT) this.#forgetDirectories();
    this.#directories.set(word, node);
    return node;
  }

  #forgetDirectories(): void {
    for (const [word, node] of this.#directories) {
      if (!node.mounted) this.#directories.delete(word);
    }
  }

  /** A node that is being renamed: the core will put it into its table, from where it must go again. */
  noteRenamed(node: FSNode): void {
    if (node.place !== undefined) this.#directories.delete(node.place.word);
    node.name = NO_NAME;
    this.#renamed.push(node);
  }

  #forgetRenamed(): void {
    for (const node of this.#renamed.splice(0)) this.program.core.hashRemoveNode(node);
  }
}

function toOptions(options: unknown): { context: Context; path: string } {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`The options of a mount must be { fs, root? }. Received ${describe(options)}`);
  }
  const unknown = Object.keys(options).find((name) => name !== "fs" && name !== "root");
  if (unknown !== undefined) throw new TypeError(`The options of a mount are fs and root. Received ${unknown}`);
  const { fs, root = "/" } = options as { fs?: unknown; root?: unknown };
  const context = contextOf(fs);
  if (context === undefined) {
    throw new TypeError(`The option fs must be a FileSystem attached in this thread. Received ${describe(fs)}`);
  }
  if (typeof root !== "string" || !root.startsWith("/") || root.includes("\0")) {
    throw new TypeError(`The option root must be an absolute path in the pool. Received ${describe(root)}`);
  }
  return { context, path: root };
}
