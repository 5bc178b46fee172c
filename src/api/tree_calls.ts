/**
 * The node:fs-shaped calls on the tree: making, removing, listing, renaming, linking, copying.
 *
 * @module
 */
import { type EntryVisitor, list, listPlace } from "../file/listing.ts";
import { removeTree } from "../file/remove_tree.ts";
import { changeDescriptor, stat } from "../file/metadata.ts";
import { close, open } from "../file/open.ts";
import { rename } from "../file/rename.ts";
import { link, makeDirectory, makeSymlink, removeDirectory, unlink } from "../file/tree.ts";
import { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } from "../file/flags.ts";
import * as data from "../file/data.ts";
import { EBUSY, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY } from "../layout/errno.ts";
import type { DirectoryPlace } from "../names/walk.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../store/inodes.ts";
import { type PathLike, toBits, toBoolean, toInteger, toMode, toOptions, toPath } from "./arguments.ts";
import { type Encoding, inEncoding, toEncoding } from "./encoding.ts";
import { codedError, systemError, typeError, valueError } from "./errors.ts";
import { MetadataCalls } from "./metadata_calls.ts";
import { join, lastNameOf, namesOf, normalize, parentOf, randomName } from "./path_text.ts";
import { Dirent } from "./stats.ts";
import type { EncodingOptions } from "./whole_file_calls.ts";

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
  /** Accepted for Node's sake: nothing fails here that could succeed later. */
  readonly maxRetries?: number;
  /** Accepted for Node's sake. */
  readonly retryDelay?: number;
}

/** Options of `readdirSync`. */
export interface ReaddirOptions extends EncodingOptions {
  /** Whether entries come as {@linkcode Dirent}. */
  readonly withFileTypes?: boolean;
  /** Whether directories below are listed too. */
  readonly recursive?: boolean;
}

/** Options that ask for bytes. */
export interface BufferEncodingOptions {
  /** For bytes. */
  readonly encoding: "buffer";
}

/** What `readdirSync` returns. */
export type Listing = string[] | Uint8Array<ArrayBuffer>[] | Dirent[] | Dirent<Uint8Array<ArrayBuffer>>[];

/** Mode of `copyFileSync`: fail where the target exists. */
export const COPYFILE_EXCL = 1;

const COPYFILE_MODES = 7;
const COPY_BYTES = 2 ** 20;
const LINK_LIMIT = 1000;
const SYMLINK_TYPES: readonly unknown[] = ["dir", "file", "junction", null, undefined];
const RM_DEFAULTS = { force: false, recursive: false, maxRetries: 0, retryDelay: 100 };

/** The calls on the tree of one agent's filesystem. */
export class TreeCalls extends MetadataCalls {
  /**
   * Creates a directory.
   *
   * @returns with `recursive`, the first directory that was made, undefined where there was nothing to make.
   */
  mkdirSync(path: PathLike, options?: MkdirOptions | number | string | null): string | undefined {
    let recursive = false;
    let mode = 0o777;
    if (typeof options === "number" || typeof options === "string") mode = toMode(options, "mode");
    else if (options !== null && options !== undefined) {
      if (options.recursive !== undefined) recursive = toBoolean(options.recursive, "options.recursive");
      if (options.mode !== undefined) mode = toMode(options.mode, "options.mode");
    }
    const text = toPath(path);
    if (recursive) return this.#makeAll(text, mode)?.toWellFormed();
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
        const found = stat(this.context, next, true, this.found);
        if (found !== 0) throw systemError(found, "mkdir", path);
        if ((this.found.mode & S_IFMT) !== S_IFDIR) {
          throw systemError(waiting.length > 1 ? -ENOTDIR : -EEXIST, "mkdir", path);
        }
        waiting.pop();
      } else throw systemError(result, "mkdir", path);
    }
    return first;
  }

  /** Creates a directory whose name is a prefix and six random characters; returns its path. */
  mkdtempSync(prefix: PathLike, options?: Encoding | EncodingOptions | null): string;
  /** Creates a directory of a random name; returns the bytes of its path. */
  mkdtempSync(prefix: PathLike, options: "buffer" | BufferEncodingOptions): Uint8Array<ArrayBuffer>;
  mkdtempSync(
    prefix: PathLike,
    options?: Encoding | "buffer" | EncodingOptions | null,
  ): string | Uint8Array<ArrayBuffer> {
    const { encoding } = toOptions<EncodingOptions>(options);
    toEncoding(encoding);
    const text = toPath(prefix, "prefix").toWellFormed();
    for (;;) {
      const path = text + randomName();
      const result = makeDirectory(this.context, path, 0o700);
      if (result === 0) return inEncoding(path, encoding);
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
  rmSync(path: PathLike, options?: RmOptions): void {
    const { force, recursive } = toRmOptions(options);
    const text = toPath(path);
    const found = stat(this.context, text, false, this.found);
    if (force && (found === -ENOENT || (recursive && found === -ENOTDIR))) return;
    if (found !== 0) throw systemError(found, recursive && force ? "rm" : "lstat", text);
    if ((this.found.mode & S_IFMT) !== S_IFDIR) {
      const result = unlink(this.context, text);
      if (result !== 0 && result !== -ENOENT) throw systemError(result, "rm", text);
      return;
    }
    if (!recursive) {
      const error = codedError("ERR_FS_EISDIR", `Path is a directory: rm returned EISDIR (is a directory) ${text}`);
      throw Object.assign(error, { name: "SystemError", errno: EISDIR, syscall: "rm", path: text });
    }
    // What can itself not be removed is not emptied either.
    const last = lastNameOf(text);
    if (last === "" || last === ".") throw systemError(last === "" ? -EBUSY : -EINVAL, "rm", text);
    if (last === "..") throw systemError(-ENOTEMPTY, "rm", text);
    const result = removeTree(this.context, text);
    if (result !== 0) throw systemError(result, "rm", text);
  }

  /** Lists a directory: names, or {@linkcode Dirent}s. In no particular order. */
  readdirSync(path: PathLike, options?: (ReaddirOptions & { withFileTypes?: false }) | Encoding | null): string[];
  /** Lists a directory: the bytes of names. */
  readdirSync(
    path: PathLike,
    options: "buffer" | (ReaddirOptions & BufferEncodingOptions & { withFileTypes?: false }),
  ): Uint8Array<ArrayBuffer>[];
  /** Lists a directory: {@linkcode Dirent}s with the bytes of names. */
  readdirSync(
    path: PathLike,
    options: ReaddirOptions & BufferEncodingOptions & { withFileTypes: true },
  ): Dirent<Uint8Array<ArrayBuffer>>[];
  /** Lists a directory: {@linkcode Dirent}s. */
  readdirSync(path: PathLike, options: ReaddirOptions & { withFileTypes: true }): Dirent[];
  /** Lists a directory. */
  readdirSync(path: PathLike, options?: ReaddirOptions | Encoding | "buffer" | null): Listing;
  readdirSync(path: PathLike, options?: ReaddirOptions | Encoding | "buffer" | null): Listing {
    const given = toOptions<ReaddirOptions>(options);
    toEncoding(given.encoding);
    const text = toPath(path);
    if (given.recursive !== undefined && given.recursive !== null) toBoolean(given.recursive, "options.recursive");
    if (given.recursive === true) return this.#listAll(text, given);
    const names: string[] = [];
    if (given.withFileTypes !== true) {
      this.#list(text, (name) => names.push(name));
      return inEncodings(names, given.encoding);
    }
    const entries: Dirent<string | Uint8Array<ArrayBuffer>>[] = [];
    this.#list(text, (name, type) => entries.push(new Dirent(inEncoding(name, given.encoding), text, type << 12)));
    return entries as Listing;
  }

  /** Lists a directory and those below it, level by level. Links are told, not followed. */
  #listAll(path: string, options: ReaddirOptions): Listing {
    const names: string[] = [];
    const entries: Dirent<string | Uint8Array<ArrayBuffer>>[] = [];
    const base = normalize(path);
    // By inode, not by path: a tree may be deeper than a path can say.
    const waiting: { below: string; place: DirectoryPlace | undefined }[] = [{ below: "", place: undefined }];
    for (const { below, place } of waiting) {
      const told = below === "" ? path : base === "." ? below : join(base, below);
      const visit: EntryVisitor = (name, type, word, generation) => {
        const relative = below === "" ? name : `${below}/${name}`;
        names.push(relative);
        entries.push(new Dirent(inEncoding(name, options.encoding), told, type << 12));
        if (type << 12 === S_IFDIR) waiting.push({ below: relative, place: { word, generation } });
      };
      const result = place === undefined ? list(this.context, path, visit) : listPlace(this.context, place, visit);
      if (result !== 0) throw systemError(result, "scandir", path);
    }
    return options.withFileTypes === true ? entries as Listing : inEncodings(names, options.encoding);
  }

  #list(path: string, visit: EntryVisitor): void {
    const result = list(this.context, path, visit);
    if (result !== 0) throw systemError(result, "scandir", path);
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
  symlinkSync(target: PathLike, path: PathLike, type?: "dir" | "file" | "junction" | null): void {
    if (!SYMLINK_TYPES.includes(type)) {
      throw valueError("type", type, "must be one of: 'dir', 'file', 'junction', null, undefined");
    }
    const to = toPath(target, "target");
    const text = toPath(path);
    const result = makeSymlink(this.context, to, text);
    if (result !== 0) throw systemError(result, "symlink", to, text);
  }

  /** Target of a symbolic link. */
  readlinkSync(path: PathLike, options?: Encoding | EncodingOptions | null): string;
  /** Target of a symbolic link, in bytes. */
  readlinkSync(path: PathLike, options: "buffer" | BufferEncodingOptions): Uint8Array<ArrayBuffer>;
  readlinkSync(
    path: PathLike,
    options?: Encoding | "buffer" | EncodingOptions | null,
  ): string | Uint8Array<ArrayBuffer> {
    const { encoding } = toOptions<EncodingOptions>(options);
    toEncoding(encoding);
    return inEncoding(this.#readLink(toPath(path)), encoding);
  }

  #readLink(path: string): string {
    const { walk } = this.context;
    for (;;) {
      let result = this.context.mayRead() || walk.resolve(path, 0);
      if (result === 0 && walk.inodeWord === 0) result = -ENOENT;
      if (result === 0 && (walk.mode & S_IFMT) !== S_IFLNK) result = -EINVAL;
      if (result !== 0) throw systemError(result, "readlink", path);
      const target = walk.readLink();
      if (target !== undefined) return target;
    }
  }

  /** The path without symbolic links; `.` and `..` are resolved by text before links are, as Node does. */
  realpathSync(path: PathLike, options?: Encoding | EncodingOptions | null): string;
  /** The bytes of the path without symbolic links. */
  realpathSync(path: PathLike, options: "buffer" | BufferEncodingOptions): Uint8Array<ArrayBuffer>;
  realpathSync(
    path: PathLike,
    options?: Encoding | "buffer" | EncodingOptions | null,
  ): string | Uint8Array<ArrayBuffer> {
    const { encoding } = toOptions<EncodingOptions>(options);
    toEncoding(encoding);
    let names = namesOf(toPath(path));
    const known = new Set<string>();
    let links = 0;
    for (let at = 0; at < names.length;) {
      const next = `/${names.slice(0, at + 1).join("/")}`;
      if (!known.has(next)) {
        const result = stat(this.context, next, false, this.found);
        if (result !== 0) throw systemError(result, "lstat", next);
        if ((this.found.mode & S_IFMT) === S_IFLNK) {
          const leadsTo = ++links > LINK_LIMIT ? -ELOOP : stat(this.context, next, true, this.found);
          if (leadsTo !== 0) throw systemError(leadsTo, "stat", next);
          names = [...namesOf(this.#readLink(next), names.slice(0, at)), ...names.slice(at + 1)];
          at = 0;
          continue;
        }
        known.add(next);
      }
      at++;
    }
    return inEncoding(`/${names.join("/")}`, encoding);
  }

  /**
   * Copies a file's contents, permissions, owner and, where there are no contents, times. A target that cannot be written
   * to its end is removed.
   *
   * @param mode 0, or {@linkcode COPYFILE_EXCL} to fail where the target exists
   */
  copyFileSync(src: PathLike, dest: PathLike, mode: number | null = 0): void {
    const from = toPath(src, "src");
    const to = toPath(dest, "dest");
    const exclusive = (toBits(mode, COPYFILE_MODES) & COPYFILE_EXCL) !== 0;
    const result = this.#copy(from, to, exclusive ? O_EXCL : 0);
    if (result < 0) throw systemError(result, "copyfile", from, to);
  }

  #copy(from: string, to: string, exclusive: number): number {
    const { context } = this;
    const source = open(context, from, O_RDONLY, 0);
    if (source < 0) return source;
    let target = -1;
    let result = 0;
    try {
      const sourceFile = context.descriptors.get(source)!;
      const stats = this.fstatSync(source);
      const existed = sourceFile.directory && stat(context, to, true, this.found) === 0;
      target = open(context, to, O_WRONLY | O_CREAT | exclusive, stats.mode & 0o7777);
      if (target < 0) return target;
      const targetFile = context.descriptors.get(target)!;
      if (targetFile.inodeWord === sourceFile.inodeWord) return 0;
      if (existed) return -EISDIR;
      if (sourceFile.directory) result = -EISDIR;
      else result = data.truncate(context, targetFile, 0);
      if (result === 0) {
        result = changeDescriptor(context, target, {
          permissions: stats.mode & 0o7777,
          uid: stats.uid | 0,
          gid: stats.gid | 0,
          atimeMs: stats.atimeMs,
          mtimeMs: stats.mtimeMs,
        });
      }
      const buffer = new Uint8Array(Math.min(COPY_BYTES, Math.max(1, stats.size)));
      while (result === 0) {
        const read = data.read(context, sourceFile, buffer, 0, buffer.length, -1);
        if (read === 0) break;
        result = read < 0 ? read : Math.min(0, data.write(context, targetFile, buffer, 0, read, -1));
      }
      if (result !== 0) unlink(context, to);
      return result;
    } finally {
      if (target >= 0) close(context, target);
      close(context, source);
    }
  }
}

function toRmOptions(options: RmOptions | undefined): Required<RmOptions> {
  if (options === undefined) return RM_DEFAULTS;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw typeError("options", "of type object", options);
  }
  const given = { ...RM_DEFAULTS, ...options };
  toBoolean(given.recursive, "options.recursive");
  toInteger(given.retryDelay, "options.retryDelay", 0, 0x7fff_ffff);
  toInteger(given.maxRetries, "options.maxRetries", 0, 0xffff_ffff);
  toBoolean(given.force, "options.force");
  return given;
}

function inEncodings(names: string[], encoding: string | null | undefined): string[] | Uint8Array<ArrayBuffer>[] {
  if (encoding === undefined || encoding === null || encoding === "utf8") return names;
  return names.map((name) => inEncoding(name, encoding)) as string[] | Uint8Array<ArrayBuffer>[];
}
