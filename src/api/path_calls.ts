/**
 * The node:fs-shaped calls on paths.
 *
 * @module
 */
import { close, open } from "../file/open.ts";
import { list } from "../file/listing.ts";
import { change, Metadata, type MetadataChange, stat } from "../file/metadata.ts";
import { rename } from "../file/rename.ts";
import { link, makeDirectory, makeSymlink, removeDirectory, unlink } from "../file/tree.ts";
import { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } from "../file/flags.ts";
import * as data from "../file/data.ts";
import { EACCES, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } from "../layout/errno.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../store/inodes.ts";
import { type PathLike, type TimeLike, toInteger, toMode, toOptions, toPath, toTimeMs } from "./arguments.ts";
import { type Encoding, toEncoding } from "./encoding.ts";
import { codedError, systemError, typeError } from "./errors.ts";
import { type EncodingOptions, FileCalls, type StatOptions } from "./file_calls.ts";
import { BigIntStats, Dirent, Stats } from "./stats.ts";

/** Options of `statSync` and `lstatSync`. */
export interface PathStatOptions extends StatOptions {
  /** Whether a missing entry is an error; where not, the call returns undefined. Default true. */
  readonly throwIfNoEntry?: boolean;
}

/** Options of `mkdirSync`. */
export interface MkdirOptions {
  /** Whether missing parents are made, and an existing directory is no error. */
  readonly recursive?: boolean;
  /** Permissions. Default 0o777, less the umask. */
  readonly mode?: number | string;
}

/** Options of `rmSync`. */
export interface RmOptions {
  /** Whether a missing path is no error. */
  readonly force?: boolean;
  /** Whether directories are removed with all that is in them. */
  readonly recursive?: boolean;
}

/** Options of `readdirSync`. */
export interface ReaddirOptions extends EncodingOptions {
  /** Whether entries come as {@linkcode Dirent}. */
  readonly withFileTypes?: boolean;
  /** Whether directories below are listed too. */
  readonly recursive?: boolean;
}

/** Mode of `accessSync`: the path exists. */
export const F_OK = 0;
/** Mode of `accessSync`: it may be executed. */
export const X_OK = 1;
/** Mode of `accessSync`: it may be written. */
export const W_OK = 2;
/** Mode of `accessSync`: it may be read. */
export const R_OK = 4;
/** Mode of `copyFileSync`: fail where the target exists. */
export const COPYFILE_EXCL = 1;

const COPY_BYTES = 2 ** 20;

/** The calls on paths of one agent's filesystem. */
export class PathCalls extends FileCalls {
  readonly #found = new Metadata();

  /** Metadata of what a path leads to, through symbolic links. */
  statSync(path: PathLike, options?: PathStatOptions & { bigint?: false; throwIfNoEntry?: true }): Stats;
  statSync(path: PathLike, options: PathStatOptions & { bigint: true; throwIfNoEntry?: true }): BigIntStats;
  statSync(path: PathLike, options: PathStatOptions & { bigint?: false }): Stats | undefined;
  statSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined;
  statSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined {
    return this.#stat(path, true, "stat", options);
  }

  /** Metadata of what a path names, a symbolic link itself included. */
  lstatSync(path: PathLike, options?: PathStatOptions & { bigint?: false; throwIfNoEntry?: true }): Stats;
  lstatSync(path: PathLike, options: PathStatOptions & { bigint: true; throwIfNoEntry?: true }): BigIntStats;
  lstatSync(path: PathLike, options: PathStatOptions & { bigint?: false }): Stats | undefined;
  lstatSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined;
  lstatSync(path: PathLike, options?: PathStatOptions): Stats | BigIntStats | undefined {
    return this.#stat(path, false, "lstat", options);
  }

  #stat(
    path: PathLike,
    follow: boolean,
    syscall: string,
    options: PathStatOptions | undefined,
  ): Stats | BigIntStats | undefined {
    const text = toPath(path);
    const result = stat(this.context, text, follow, this.#found);
    if (result !== 0) {
      if (options?.throwIfNoEntry === false && (result === -ENOENT || result === -ENOTDIR)) return undefined;
      throw systemError(result, syscall, text);
    }
    return options?.bigint === true ? new BigIntStats(this.#found) : new Stats(this.#found);
  }

  /** Whether a path leads to something. Never throws, and makes no error where it does not. */
  existsSync(path: PathLike): boolean {
    if (typeof path === "string" && !path.includes("\0")) return stat(this.context, path, true, this.#found) === 0;
    try {
      return stat(this.context, toPath(path), true, this.#found) === 0;
    } catch {
      return false;
    }
  }

  /** Checks that a path exists and, with `X_OK`, that somebody may execute it; nobody is refused reading or writing. */
  accessSync(path: PathLike, mode: number = F_OK): void {
    const text = toPath(path);
    toInteger(mode, "mode", 0, F_OK | X_OK | W_OK | R_OK);
    let result = stat(this.context, text, true, this.#found);
    if (result === 0 && (mode & X_OK) !== 0 && (this.#found.mode & S_IFMT) === S_IFREG) {
      if ((this.#found.mode & 0o111) === 0) result = -EACCES;
    }
    if (result === 0 && (mode & W_OK) !== 0) result = this.context.mayWrite();
    if (result !== 0) throw systemError(result, "access", text);
  }

  /**
   * Creates a directory.
   *
   * @returns with `recursive`, the first directory that was made, undefined where there was nothing to make.
   */
  mkdirSync(path: PathLike, options?: MkdirOptions | number | string | null): string | undefined {
    const text = toPath(path);
    let recursive = false;
    let mode = 0o777;
    if (typeof options === "number" || typeof options === "string") mode = toMode(options, "mode");
    else if (options !== null && options !== undefined) {
      if (options.recursive !== undefined) {
        if (typeof options.recursive !== "boolean") {
          throw typeError("options.recursive", "of type boolean", options.recursive);
        }
        recursive = options.recursive;
      }
      mode = toMode(options.mode, "options.mode", 0o777);
    }
    if (recursive) return this.#makeAll(text, mode);
    const result = makeDirectory(this.context, text, mode);
    if (result !== 0) throw systemError(result, "mkdir", text);
    return undefined;
  }

  /** Makes a directory and its missing parents, from the deepest that exists downwards. */
  #makeAll(path: string, mode: number): string | undefined {
    let first: string | undefined;
    const waiting = [path];
    while (waiting.length > 0) {
      const next = waiting[waiting.length - 1]!;
      const result = makeDirectory(this.context, next, mode);
      if (result === 0) {
        first ??= next;
        waiting.pop();
      } else if (result === -ENOENT) {
        const parent = parentOf(next);
        if (parent === next || parent === "") throw systemError(result, "mkdir", path);
        waiting.push(parent);
      } else if (result === -EEXIST) {
        const found = stat(this.context, next, true, this.#found);
        if (found !== 0) throw systemError(found, "mkdir", path);
        if ((this.#found.mode & S_IFMT) !== S_IFDIR) {
          throw systemError(waiting.length > 1 ? -ENOTDIR : -EEXIST, "mkdir", path);
        }
        waiting.pop();
      } else throw systemError(result, "mkdir", path);
    }
    return first === undefined ? undefined : withoutTrailingSlash(first);
  }

  /** Creates a directory whose name is a prefix and six random characters; returns its path. */
  mkdtempSync(prefix: string, options?: Encoding | EncodingOptions | null): string {
    const text = toPath(prefix, "prefix");
    toEncoding(toOptions<EncodingOptions>(options).encoding);
    for (;;) {
      const path = text + randomName();
      const result = makeDirectory(this.context, path, 0o700);
      if (result === 0) return path;
      if (result !== -EEXIST) throw systemError(result, "mkdtemp", text + "XXXXXX");
    }
  }

  /** Removes an empty directory. */
  rmdirSync(path: PathLike): void {
    const text = toPath(path);
    const result = removeDirectory(this.context, text);
    if (result !== 0) throw systemError(result, "rmdir", text);
  }

  /** Removes a file, a symbolic link or, with `recursive`, a directory and all that is in it. */
  rmSync(path: PathLike, options: RmOptions = {}): void {
    const text = toPath(path);
    const found = stat(this.context, text, false, this.#found);
    if (found === -ENOENT && options.force === true) return;
    if (found !== 0) throw systemError(found, "lstat", text);
    if ((this.#found.mode & S_IFMT) !== S_IFDIR) {
      const result = unlink(this.context, text);
      if (result !== 0 && !(result === -ENOENT && options.force === true)) throw systemError(result, "rm", text);
      return;
    }
    if (options.recursive !== true) {
      const error = codedError("ERR_FS_EISDIR", `Path is a directory: rm returned EISDIR (is a directory) ${text}`);
      throw Object.assign(error, { name: "SystemError", errno: EISDIR, syscall: "rm", path: text });
    }
    this.#removeTree(text);
  }

  #removeTree(path: string): void {
    for (;;) {
      const entries: [string, number][] = [];
      const listed = list(this.context, path, (name, type) => entries.push([name, type << 12]));
      if (listed === -ENOENT) return;
      if (listed !== 0) throw systemError(listed, "rm", path);
      for (const [name, type] of entries) {
        const child = `${path}/${name}`;
        if (type === S_IFDIR) {
          this.#removeTree(child);
          continue;
        }
        const result = unlink(this.context, child);
        if (result === -EISDIR) this.#removeTree(child);
        else if (result !== 0 && result !== -ENOENT) throw systemError(result, "rm", child);
      }
      const result = removeDirectory(this.context, path);
      if (result === 0 || result === -ENOENT) return;
      // Another agent has put something there meanwhile: it goes, too.
      if (result !== -ENOTEMPTY) throw systemError(result, "rm", path);
    }
  }

  /** Lists a directory: names, or {@linkcode Dirent}s. In no particular order. */
  readdirSync(path: PathLike, options?: (ReaddirOptions & { withFileTypes?: false }) | Encoding | null): string[];
  readdirSync(path: PathLike, options: ReaddirOptions & { withFileTypes: true }): Dirent[];
  readdirSync(path: PathLike, options?: ReaddirOptions | Encoding | null): string[] | Dirent[];
  readdirSync(path: PathLike, options?: ReaddirOptions | Encoding | null): string[] | Dirent[] {
    const text = toPath(path);
    const given = toOptions<ReaddirOptions>(options);
    toEncoding(given.encoding);
    const recursive = given.recursive === true;
    if (given.withFileTypes !== true && !recursive) {
      const names: string[] = [];
      this.#list(text, (name) => names.push(name));
      return names;
    }
    const names: string[] = [];
    const entries: Dirent[] = [];
    const waiting = [""];
    for (let below = waiting.shift(); below !== undefined; below = waiting.shift()) {
      const directory = below === "" ? text : join(text, below);
      const prefix = below;
      this.#list(directory, (name, type) => {
        const relative = prefix === "" ? name : `${prefix}/${name}`;
        names.push(relative);
        entries.push(new Dirent(name, directory, type << 12));
        if (recursive && type << 12 === S_IFDIR) waiting.push(relative);
      }, below !== "");
    }
    return given.withFileTypes === true ? entries : names;
  }

  #list(path: string, visit: (name: string, type: number) => void, mayBeGone = false): void {
    const result = list(this.context, path, visit);
    if (result === 0 || (mayBeGone && (result === -ENOENT || result === -ENOTDIR))) return;
    throw systemError(result, "scandir", path);
  }

  /** Renames: atomic, also over an existing target. */
  renameSync(oldPath: PathLike, newPath: PathLike): void {
    const from = toPath(oldPath, "oldPath");
    const to = toPath(newPath, "newPath");
    const result = rename(this.context, from, to);
    if (result !== 0) throw systemError(result, "rename", from, to);
  }

  /** Removes a name; the file goes with its last name, once nobody has it open. */
  unlinkSync(path: PathLike): void {
    const text = toPath(path);
    const result = unlink(this.context, text);
    if (result !== 0) throw systemError(result, "unlink", text);
  }

  /** Gives a file a further name. */
  linkSync(existingPath: PathLike, newPath: PathLike): void {
    const from = toPath(existingPath, "existingPath");
    const to = toPath(newPath, "newPath");
    const result = link(this.context, from, to);
    if (result !== 0) throw systemError(result, "link", from, to);
  }

  /** Creates a symbolic link; `type` is accepted for Node's sake and means nothing. */
  symlinkSync(target: PathLike, path: PathLike, type?: string | null): void {
    void type;
    const to = toPath(target, "target");
    const text = toPath(path);
    const result = makeSymlink(this.context, to, text);
    if (result !== 0) throw systemError(result, "symlink", to, text);
  }

  /** Target of a symbolic link. */
  readlinkSync(path: PathLike, options?: Encoding | EncodingOptions | null): string {
    const text = toPath(path);
    toEncoding(toOptions<EncodingOptions>(options).encoding);
    const { walk } = this.context;
    for (;;) {
      let result = this.context.mayRead() || walk.resolve(text, false);
      if (result === 0 && walk.inodeWord === 0) result = -ENOENT;
      if (result !== 0) throw systemError(result, "readlink", text);
      if ((walk.mode & S_IFMT) !== 0o120000) throw systemError(-EINVAL, "readlink", text);
      const target = walk.readLink();
      if (target !== undefined) return target;
    }
  }

  /** The path without symbolic links, `.` and `..`. */
  realpathSync(path: PathLike, options?: Encoding | EncodingOptions | null): string {
    toEncoding(toOptions<EncodingOptions>(options).encoding);
    const text = toPath(path);
    let rest = text.split("/").filter((part) => part !== "" && part !== ".");
    let real = "";
    let links = 0;
    if (text === "") throw systemError(-ENOENT, "lstat", text);
    while (rest.length > 0) {
      const part = rest[0]!;
      rest = rest.slice(1);
      if (part === "..") {
        real = real.slice(0, Math.max(0, real.lastIndexOf("/")));
        continue;
      }
      const next = `${real}/${part}`;
      const result = stat(this.context, next, false, this.#found);
      if (result !== 0) throw systemError(result, "lstat", next);
      const type = this.#found.mode & S_IFMT;
      if (type === 0o120000) {
        if (++links > 40) throw systemError(-40, "stat", next);
        const target = this.readlinkSync(next);
        if (target.startsWith("/")) real = "";
        rest = [...target.split("/").filter((piece) => piece !== "" && piece !== "."), ...rest];
        continue;
      }
      if (type !== S_IFDIR && rest.length > 0) throw systemError(-ENOTDIR, "lstat", `${next}/${rest[0]}`);
      real = next;
    }
    return real === "" ? "/" : real;
  }

  #change(path: PathLike, syscall: string, follow: boolean, changes: MetadataChange): void {
    const text = toPath(path);
    const result = change(this.context, text, follow, changes);
    if (result !== 0) throw systemError(result, syscall, text);
  }

  /** Changes permissions. They are kept, and nobody is refused by them. */
  chmodSync(path: PathLike, mode: number | string): void {
    this.#change(toPath(path), "chmod", true, { permissions: toMode(mode, "mode") });
  }

  /** Changes the owner; -1 leaves an id as it is. */
  chownSync(path: PathLike, uid: number, gid: number): void {
    this.#chown(path, uid, gid, "chown", true);
  }

  /** Changes the owner of a symbolic link itself. */
  lchownSync(path: PathLike, uid: number, gid: number): void {
    this.#chown(path, uid, gid, "lchown", false);
  }

  #chown(path: PathLike, uid: number, gid: number, syscall: string, follow: boolean): void {
    const text = toPath(path);
    toInteger(uid, "uid", -1, 0xffff_ffff);
    toInteger(gid, "gid", -1, 0xffff_ffff);
    this.#change(text, syscall, follow, { uid: uid | 0, gid: gid | 0 });
  }

  /** Changes access and modification time. */
  utimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
    const text = toPath(path);
    this.#change(text, "utime", true, { atimeMs: toTimeMs(atime, "atime"), mtimeMs: toTimeMs(mtime, "mtime") });
  }

  /** Changes access and modification time of a symbolic link itself. */
  lutimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
    const text = toPath(path);
    this.#change(text, "lutime", false, { atimeMs: toTimeMs(atime, "atime"), mtimeMs: toTimeMs(mtime, "mtime") });
  }

  /** Changes the length of a file; what is added reads as zero. */
  truncateSync(path: PathLike | number, length: number | null = 0): void {
    if (typeof path === "number") return this.ftruncateSync(path, length);
    const text = toPath(path);
    const size = Math.max(0, toInteger(length ?? 0, "len"));
    const fd = this.openSync(text, "r+");
    try {
      this.ftruncateSync(fd, size);
    } finally {
      this.closeSync(fd);
    }
  }

  /**
   * Copies a file's contents and permissions.
   *
   * @param mode 0, or {@linkcode COPYFILE_EXCL} to fail where the target exists
   */
  copyFileSync(src: PathLike, dest: PathLike, mode: number = 0): void {
    const from = toPath(src, "src");
    const to = toPath(dest, "dest");
    toInteger(mode, "mode", 0, 7);
    const result = this.#copy(from, to, (mode & COPYFILE_EXCL) !== 0);
    if (result < 0) throw systemError(result, "copyfile", from, to);
  }

  #copy(from: string, to: string, exclusive: boolean): number {
    const { context } = this;
    const source = open(context, from, O_RDONLY, 0);
    if (source < 0) return source;
    let target = -1;
    try {
      const sourceFile = context.descriptors.get(source)!;
      const mode = this.fstatSync(source).mode;
      if (sourceFile.directory) return -EISDIR;
      target = open(context, to, O_WRONLY | O_CREAT | (exclusive ? O_EXCL : 0), mode & 0o7777);
      if (target < 0) return target;
      const targetFile = context.descriptors.get(target)!;
      if (targetFile.inodeWord === sourceFile.inodeWord) return 0;
      this.ftruncateSync(target, 0);
      this.fchmodSync(target, mode & 0o7777);
      const buffer = new Uint8Array(Math.min(COPY_BYTES, Math.max(1, this.fstatSync(source).size)));
      for (;;) {
        const read = data.read(context, sourceFile, buffer, 0, buffer.length, -1);
        if (read <= 0) return read;
        const written = data.write(context, targetFile, buffer, 0, read, -1);
        if (written < 0) return written;
      }
    } finally {
      if (target >= 0) close(context, target);
      close(context, source);
    }
  }
}

function join(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

function parentOf(path: string): string {
  const text = withoutTrailingSlash(path);
  const slash = text.lastIndexOf("/");
  if (slash < 0) return "";
  return withoutTrailingSlash(text.slice(0, slash)) || "/";
}

function withoutTrailingSlash(path: string): string {
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === 47) end--;
  return path.slice(0, end);
}

function randomName(): string {
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return Array.from(crypto.getRandomValues(new Uint32Array(6)), (value) => letters[value % letters.length]).join("");
}
