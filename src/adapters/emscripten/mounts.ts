/**
 * Which paths of a program lead into the pool, and which to the filesystem that Emscripten brings along.
 *
 * @module
 */

/** Where a mount leads: a directory of the pool, by its path there, or Emscripten's own filesystem. */
export type MountTarget = string | null;

/** A table of mounts: absolute paths of the program, and where they lead. */
export type MountTable = Readonly<Record<string, MountTarget>>;

/** The pool is the root; devices and what Emscripten tells of the process stay its own. */
export const DEFAULT_MOUNTS: MountTable = { "/": "/", "/dev": null, "/proc": null };

interface Mount {
  /** Path without a slash at its end: empty for the root. */
  readonly prefix: string;
  /** Path in the pool without a slash at its end, or null. */
  readonly target: string | null;
}

/** The mounts of a program. */
export class Mounts {
  readonly #mounts: readonly Mount[];
  /** Whether every path without a mount of its own leads to Emscripten's filesystem. */
  readonly rootIsHost: boolean;

  /** @throws {TypeError} if the table has a path that is not absolute. */
  constructor(table: MountTable) {
    this.#mounts = Object.entries(table)
      .map(([path, target]) => ({ prefix: cleaned(path), target: target === null ? null : cleaned(target) }))
      .sort((a, b) => b.prefix.length - a.prefix.length);
    this.rootIsHost = this.#find("/").target === null;
  }

  /**
   * Finds where an absolute path leads: its path in the pool, or undefined where it is Emscripten's. Mount points are
   * compared by the text of the path; links of the pool lead to the pool only.
   */
  route(path: string): string | undefined {
    let text = path;
    let mount = this.#find(path);
    if (path.includes("//") || path.includes("/.")) {
      // A path that leaves a mount by its text is taken by its text; within one mount links are followed as they stand.
      const plain = normalized(path);
      const other = this.#find(plain);
      if (other !== mount) text = plain;
      mount = other;
    }
    if (mount.target === null) return undefined;
    if (mount.prefix === "" && mount.target === "") return text;
    return mount.target + text.slice(mount.prefix.length) || "/";
  }

  /** The path by which the program knows a path of the pool; undefined where it cannot reach it. */
  pathOf(path: string): string | undefined {
    for (const { prefix, target } of this.#mounts) {
      if (target === null) continue;
      if (target === "" || path === target || path.startsWith(target + "/")) {
        return prefix + (path === "/" ? "" : path.slice(target.length)) || "/";
      }
    }
    return undefined;
  }

  /** Mount points other than the root that lead to the pool. */
  points(): string[] {
    return this.#mounts.filter(({ prefix, target }) => prefix !== "" && target !== null).map(({ prefix }) => prefix);
  }

  /** Directories of the pool that are mounted. */
  targets(): string[] {
    return this.#mounts.flatMap(({ target }) => target === null || target === "" ? [] : [target]);
  }

  #find(path: string): Mount {
    for (const mount of this.#mounts) {
      const { prefix } = mount;
      if (prefix === "") return mount;
      if (path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH)) {
        return mount;
      }
    }
    return HOST;
  }
}

const SLASH = 47;
const HOST: Mount = { prefix: "", target: null };

function cleaned(path: string): string {
  if (typeof path !== "string" || path[0] !== "/") {
    throw new TypeError(`Cannot mount ${JSON.stringify(path)}: a mount is an absolute path`);
  }
  return normalized(path).replace(/\/$/, "");
}

/** A path without empty, `.` and `..` components, by its text alone. A slash at its end stays. */
export function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return "/" + parts.join("/") + (parts.length > 0 && /\/\.{0,2}$/.test(path) ? "/" : "");
}
