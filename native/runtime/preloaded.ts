/**
 * Files that a program brings along (`--preload-file`, `--embed-file`): Emscripten puts them into its own filesystem, and
 * what of it lies where the pool is mounted would be out of sight. They are copied into the pool before the program runs.
 *
 * @module
 */
import type { FileSystem } from "../../mod.ts";
import type { Mounts } from "../../src/adapters/emscripten/mounts.ts";

/** What is used of Emscripten's `FS`. */
export interface HostFS {
  /** Names in a directory, with `.` and `..`. */
  readdir(path: string): string[];
  /** Metadata of a path, of a link itself. */
  lstat(path: string): { readonly mode: number };
  /** Bytes of a file. */
  readFile(path: string): Uint8Array;
  /** Target of a link. */
  readlink(path: string): string;
  /** Makes a directory and those above it. */
  mkdirTree(path: string): void;
  /** Whether a mode is a directory's. */
  isDir(mode: number): boolean;
  /** Whether a mode is a file's. */
  isFile(mode: number): boolean;
  /** Whether a mode is a link's. */
  isLink(mode: number): boolean;
}

/**
 * Copies what lies where the pool is mounted. What the pool has already stays as it is: it may be newer, and others use it.
 * Makes the mount points, so that the host's directories list them.
 */
export function copyPreloaded(fs: FileSystem, mounts: Mounts, host: HostFS): void {
  if (!fs.pool.agent.readOnly) copyDirectory(fs, mounts, host, "/");
  for (const point of mounts.points()) host.mkdirTree(point);
}

function copyDirectory(fs: FileSystem, mounts: Mounts, host: HostFS, directory: string): void {
  for (const name of host.readdir(directory)) {
    if (name === "." || name === "..") continue;
    const path = directory === "/" ? `/${name}` : `${directory}/${name}`;
    const { mode } = host.lstat(path);
    const target = mounts.route(path);
    if (host.isDir(mode)) {
      if (target !== undefined && fs.lstatSync(target, { throwIfNoEntry: false }) === undefined) {
        fs.mkdirSync(target, { recursive: true, mode: mode & 0o7777 });
      }
      if (target !== undefined || mounts.points().some((point) => point.startsWith(`${path}/`))) {
        copyDirectory(fs, mounts, host, path);
      }
    } else if (target !== undefined && fs.lstatSync(target, { throwIfNoEntry: false }) === undefined) {
      if (host.isFile(mode)) copyFile(fs, target, host.readFile(path), mode & 0o7777);
      else if (host.isLink(mode)) fs.symlinkSync(host.readlink(path), target);
    }
  }
}

/** Writes a file under another name first, so that nobody sees half of it; one that has appeared meanwhile stays. */
function copyFile(fs: FileSystem, target: string, bytes: Uint8Array, mode: number): void {
  const aside = `${target}.${fs.agentId}.preloading`;
  fs.writeFileSync(aside, bytes, { mode });
  try {
    fs.linkSync(aside, target);
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  } finally {
    fs.unlinkSync(aside);
  }
}
