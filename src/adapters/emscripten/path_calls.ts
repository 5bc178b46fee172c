/**
 * The system calls on paths: each path leads into the pool or to the host, as the mounts say, from the root, from the
 * current directory or from the directory of a descriptor.
 *
 * @module
 */
import { truncateInode } from "../../file/data.ts";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_WRONLY } from "../../file/flags.ts";
import { pathOf } from "../../file/listing.ts";
import { change, type MetadataChange, stat } from "../../file/metadata.ts";
import { open } from "../../file/open.ts";
import { hostOf } from "../../file/process_descriptors.ts";
import { rename } from "../../file/rename.ts";
import { surveySizes } from "../../file/survey.ts";
import { link, makeDirectory, makeSymlink, removeDirectory, unlink } from "../../file/tree.ts";
import { EBADF, EINVAL, EISDIR, ENOENT } from "../../layout/errno.ts";
import { FOLLOW, NAME_BYTES, type Walk } from "../../names/walk.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../store/inodes.ts";
import {
  toWasi,
  WASI_EACCES,
  WASI_EBADF,
  WASI_EFBIG,
  WASI_EINVAL,
  WASI_ENOENT,
  WASI_ENOTDIR,
  WASI_EPERM,
  WASI_ERANGE,
  WASI_EXDEV,
} from "../wasi_errno.ts";
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  UTIME_NOW,
  UTIME_OMIT,
} from "./abi.ts";
import type { CallState } from "./descriptor_calls.ts";
import { InodeCalls } from "./inode_calls.ts";
import { type Mounts, normalized } from "./mounts.ts";

/** The path leads to the host. */
const AT_HOST = 0;
const X_OK = 1;
const ACCESS_MODES = 7;

/** What the calls on paths need besides. */
export interface PathState extends CallState {
  /** Where paths lead. */
  readonly mounts: Mounts;
  /** Calls a function with a C string in the program's memory, which is gone afterwards. */
  withString(text: string, call: (pointer: number) => number): number;
}

/** The calls on paths of one thread. */
export class PathCalls extends InodeCalls {
  /** What the calls work with. */
  declare protected readonly state: PathState;
  /** Where a path leads that {@linkcode PathCalls.locate} sends to the host: the descriptor it begins at. */
  #hostDirectory = AT_FDCWD;
  /** The path that the host is to see, where it is not the one in the program's memory. */
  #hostPath: string | undefined;

  /** @param state what the calls work with */
  constructor(state: PathState) {
    super(state);
  }

  /**
   * Finds where a path leads: the path that the walk resolves from its base, {@linkcode AT_HOST}, or a negated error number.
   */
  #locate(walk: Walk, directory: number, pointer: number): string | number {
    const { memory, process, mounts } = this.state;
    const path = memory.string(pointer);
    this.#hostDirectory = directory;
    this.#hostPath = undefined;
    walk.base = undefined;
    if (path.charCodeAt(0) === SLASH) return mounts.route(path) ?? AT_HOST;
    if (path === "") return -WASI_ENOENT;
    if (directory === AT_FDCWD) {
      if (process.findDirectory() !== 0) return this.#locateInHost(path);
    } else {
      const entry = process.entry(directory);
      if (entry < 0) {
        this.#hostDirectory = hostOf(entry);
        return AT_HOST;
      }
      if (process.find(directory) !== 0) return -WASI_EBADF;
      if ((process.found.flags & O_DIRECTORY) === 0) return -WASI_ENOTDIR;
    }
    const { inodeWord: word, generation } = process.found;
    const { context } = this.state;
    if (word === context.store.rootWord || path.includes("..")) {
      const absolute = this.#absolute(word, generation, path);
      if (absolute !== undefined && mounts.route(absolute) === undefined) {
        this.#hostDirectory = AT_FDCWD;
        this.#hostPath = normalized(absolute);
        return AT_HOST;
      }
    }
    walk.base = { word, generation };
    return path;
  }

  /** The path that begins at a directory of the pool, from the program's root; undefined where it has none. */
  #absolute(word: number, generation: number, path: string): string | undefined {
    const base = pathOf(this.state.context, { word, generation });
    const known = typeof base === "string" ? this.state.mounts.pathOf(base) : undefined;
    return known === undefined ? undefined : `${known}/${path}`;
  }

  /** Where a path leads while the current directory is the host's. */
  #locateInHost(path: string): string | number {
    const { mounts } = this.state;
    if (mounts.points().length === 0) return AT_HOST;
    const base = this.#hostDirectoryPath();
    return base === undefined ? AT_HOST : mounts.route(`${base}/${path}`) ?? AT_HOST;
  }

  #hostDirectoryPath(): string | undefined {
    const { memory } = this.state;
    return this.#withBuffer((pointer, bytes) =>
      this.callHost("getcwd", pointer, bytes) > 0 ? memory.string(pointer) : undefined
    );
  }

  #withBuffer<T>(use: (pointer: number, bytes: number) => T): T | undefined {
    let result: T | undefined;
    this.state.withString(" ".repeat(BUFFER_BYTES - 1), (pointer) => {
      result = use(pointer, BUFFER_BYTES);
      return 0;
    });
    return result;
  }

  /** Passes a call on to the host, with the path as it has to see it. */
  #toHost(name: string, pointer: number, ...rest: number[]): number {
    const directory = this.#hostDirectory;
    if (this.#hostPath === undefined) return this.callHost(name, directory, pointer, ...rest);
    return this.state.withString(this.#hostPath, (own) => this.callHost(name, directory, own, ...rest));
  }

  /** The same for calls that take no descriptor. */
  #pathToHost(name: string, pointer: number, ...rest: number[]): number {
    if (this.#hostPath === undefined) return this.callHost(name, pointer, ...rest);
    return this.state.withString(this.#hostPath, (own) => this.callHost(name, own, ...rest));
  }

  // -- Opening -------------------------------------------------------------------------------------------------------

  /** Opens a file. */
  openat(directory: number, pointer: number, flags: number, varargs: number): number {
    const { context, process, memory } = this.state;
    const path = this.#locate(context.walk, directory, pointer);
    if (typeof path === "number") {
      if (path < 0) return path;
      const opened = this.#toHost("openat", pointer, flags, varargs);
      return opened < 0 ? opened : this.adoptHost(opened);
    }
    const mode = (flags & O_CREAT) === 0 || varargs === 0 ? 0 : memory.i32(varargs) & ~process.umask;
    const fd = open(context, path, flags & ~O_CLOEXEC, mode, process);
    if (fd >= 0 && (flags & O_CLOEXEC) !== 0) process.setClosesOnExec(fd, true);
    return toWasi(fd);
  }

  /** Gives a descriptor of the program's to one of the host's. */
  protected adoptHost(hostDescriptor: number): number {
    const fd = this.state.process.adopt(hostDescriptor);
    if (fd < 0) this.callHostWasi("fd_close", hostDescriptor);
    return toWasi(fd);
  }

  /** Makes a regular file; other kinds are for the host. */
  mknodat(directory: number, pointer: number, mode: number, device: number): number {
    const { context, process } = this.state;
    const path = this.#locate(context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("mknodat", pointer, mode, device);
    const type = mode & S_IFMT;
    if (type !== S_IFREG && type !== 0) return type === S_IFDIR || type === S_IFLNK ? -WASI_EINVAL : -WASI_EPERM;
    const fd = open(context, path, O_CREAT | O_EXCL | O_WRONLY, mode & 0o7777 & ~process.umask, process);
    if (fd < 0) return toWasi(fd);
    process.close(fd);
    return 0;
  }

  // -- Names ---------------------------------------------------------------------------------------------------------

  /** Makes a directory. */
  mkdirat(directory: number, pointer: number, mode: number): number {
    const { context, process } = this.state;
    const path = this.#locate(context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("mkdirat", pointer, mode);
    return toWasi(makeDirectory(context, path, mode & ~process.umask));
  }

  /** Removes a name, or an empty directory. */
  unlinkat(directory: number, pointer: number, flags: number): number {
    const { context } = this.state;
    const path = this.#locate(context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("unlinkat", pointer, flags);
    if ((flags & ~AT_REMOVEDIR) !== 0) return -WASI_EINVAL;
    return toWasi(flags === AT_REMOVEDIR ? removeDirectory(context, path) : unlink(context, path));
  }

  /** Removes an empty directory. */
  rmdir(pointer: number): number {
    const { context } = this.state;
    const path = this.#locate(context.walk, AT_FDCWD, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#pathToHost("rmdir", pointer);
    return toWasi(removeDirectory(context, path));
  }

  /** Both ends of a call on two paths: their texts, {@linkcode AT_HOST} where both are the host's, or an error number. */
  #locateBoth(fromDirectory: number, from: number, toDirectory: number, to: number): [string, string] | number {
    const { context } = this.state;
    const source = this.#locate(context.walk, fromDirectory, from);
    if (typeof source === "number" && source < 0) return source;
    const sourceDirectory = this.#hostDirectory;
    const target = this.#locate(context.secondWalk, toDirectory, to);
    if (typeof target === "number" && target < 0) return target;
    if (typeof source === "string" && typeof target === "string") return [source, target];
    if (typeof source === "string" || typeof target === "string") return -WASI_EXDEV;
    this.#hostSourceDirectory = sourceDirectory;
    return AT_HOST;
  }

  #hostSourceDirectory = AT_FDCWD;

  /** Renames. */
  renameat(fromDirectory: number, from: number, toDirectory: number, to: number): number {
    const paths = this.#locateBoth(fromDirectory, from, toDirectory, to);
    if (typeof paths === "object") return toWasi(rename(this.state.context, paths[0], paths[1]));
    return paths < 0 ? paths : this.callHost("renameat", this.#hostSourceDirectory, from, this.#hostDirectory, to);
  }

  /** Gives a file a further name. */
  linkat(fromDirectory: number, from: number, toDirectory: number, to: number, flags: number): number {
    const paths = this.#locateBoth(fromDirectory, from, toDirectory, to);
    if (typeof paths === "object") {
      if ((flags & ~AT_SYMLINK_FOLLOW) !== 0) return -WASI_EINVAL;
      return toWasi(link(this.state.context, paths[0], paths[1], flags === AT_SYMLINK_FOLLOW));
    }
    return paths < 0 ? paths : this.callHost("linkat", this.#hostSourceDirectory, from, this.#hostDirectory, to, flags);
  }

  /** Makes a symbolic link. */
  symlinkat(target: number, directory: number, pointer: number): number {
    const { context, memory } = this.state;
    const path = this.#locate(context.walk, directory, pointer);
    if (typeof path === "number") {
      return path < 0 ? path : this.callHost("symlinkat", target, this.#hostDirectory, pointer);
    }
    return toWasi(makeSymlink(context, memory.string(target), path));
  }

  /** Reads where a symbolic link leads. */
  readlinkat(directory: number, pointer: number, buffer: number, bytes: number): number {
    const { context, memory } = this.state;
    const { walk } = context;
    const path = this.#locate(walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("readlinkat", pointer, buffer, bytes);
    if (bytes <= 0) return -WASI_EINVAL;
    const may = context.mayRead();
    if (may !== 0) return toWasi(may);
    for (;;) {
      const resolved = walk.resolve(path, 0);
      if (resolved !== 0) return toWasi(resolved);
      if (walk.inodeWord === 0) return -WASI_ENOENT;
      if ((walk.mode & S_IFMT) !== S_IFLNK) return -WASI_EINVAL;
      const target = walk.readLink();
      if (target !== undefined) return memory.writeBytes(buffer, bytes, target);
    }
  }

  // -- The current directory and the mask ----------------------------------------------------------------------------

  /** Changes the current directory. */
  chdir(pointer: number): number {
    const { context, process } = this.state;
    const path = this.#locate(context.walk, AT_FDCWD, pointer);
    if (typeof path === "string") return toWasi(process.changeDirectory(path));
    if (path < 0) return path;
    const changed = this.#pathToHost("chdir", pointer);
    return changed < 0 ? changed : toWasi(process.changeDirectory(""));
  }

  /** Changes the current directory to that of a descriptor. */
  fchdir(fd: number): number {
    const { process } = this.state;
    const entry = process.entry(fd);
    if (entry >= 0) return toWasi(process.changeDirectoryTo(fd));
    const changed = this.callHost("fchdir", hostOf(entry));
    return changed < 0 ? changed : toWasi(process.changeDirectory(""));
  }

  /** The path of the current directory, as it is called now. */
  getcwd(buffer: number, bytes: number): number {
    const { context, process, mounts, memory } = this.state;
    if (bytes === 0) return -WASI_EINVAL;
    if (process.findDirectory() !== 0) return this.callHost("getcwd", buffer, bytes);
    const { inodeWord: word, generation } = process.found;
    const path = pathOf(context, { word, generation });
    if (typeof path === "number") return toWasi(path);
    const known = mounts.pathOf(path);
    if (known === undefined) return -WASI_ENOENT;
    const written = memory.writeString(buffer, bytes, known);
    return written < 0 ? -WASI_ERANGE : written;
  }

  /** Sets the mask of permissions that new files do not get; returns the old one. */
  umask(mask: number): number {
    this.callHost("umask", mask);
    return this.state.process.setUmask(mask & 0o777);
  }

  // -- Metadata ------------------------------------------------------------------------------------------------------

  /** Metadata of a path. */
  newfstatat(directory: number, pointer: number, buffer: number, flags: number): number {
    const { context, memory } = this.state;
    if ((flags & AT_EMPTY_PATH) !== 0 && directory !== AT_FDCWD && memory.string(pointer) === "") {
      return this.fstat64(directory, buffer);
    }
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)) !== 0) return -WASI_EINVAL;
    const path = this.#locate(context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("newfstatat", pointer, buffer, flags);
    const found = stat(context, path, (flags & AT_SYMLINK_NOFOLLOW) === 0, this.metadata);
    return found !== 0 ? toWasi(found) : this.writeStat(buffer);
  }

  /** Metadata of a path. */
  stat64(pointer: number, buffer: number): number {
    return this.#statPath("stat64", pointer, buffer, true);
  }

  /** Metadata of a path, of a symbolic link itself. */
  lstat64(pointer: number, buffer: number): number {
    return this.#statPath("lstat64", pointer, buffer, false);
  }

  #statPath(name: string, pointer: number, buffer: number, follow: boolean): number {
    const { context } = this.state;
    const path = this.#locate(context.walk, AT_FDCWD, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#pathToHost(name, pointer, buffer);
    const found = stat(context, path, follow, this.metadata);
    return found !== 0 ? toWasi(found) : this.writeStat(buffer);
  }

  /** Whether a path may be used in a way. Programs run as the superuser: only what nobody may run is refused. */
  faccessat(directory: number, pointer: number, mode: number, flags: number): number {
    const { context } = this.state;
    const path = this.#locate(context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("faccessat", pointer, mode, flags);
    const known = AT_SYMLINK_NOFOLLOW | AT_EACCESS;
    if ((mode & ~ACCESS_MODES) !== 0 || (flags & ~known) !== 0) return -WASI_EINVAL;
    const found = stat(context, path, (flags & AT_SYMLINK_NOFOLLOW) === 0, this.metadata);
    if (found !== 0) return toWasi(found);
    const isFile = (this.metadata.mode & S_IFMT) === S_IFREG;
    return isFile && (mode & X_OK) !== 0 && (this.metadata.mode & 0o111) === 0 ? -WASI_EACCES : 0;
  }

  #changePath(path: string, follow: boolean, changes: MetadataChange): number {
    return toWasi(change(this.state.context, path, follow, changes));
  }

  /** Changes permissions. */
  chmod(pointer: number, mode: number): number {
    const path = this.#locate(this.state.context.walk, AT_FDCWD, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#pathToHost("chmod", pointer, mode);
    return this.#changePath(path, true, { permissions: mode });
  }

  /** Changes permissions. */
  fchmodat2(directory: number, pointer: number, mode: number, flags: number): number {
    const path = this.#locate(this.state.context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("fchmodat2", pointer, mode, flags);
    return this.#changePath(path, (flags & AT_SYMLINK_NOFOLLOW) === 0, { permissions: mode });
  }

  /** Changes the owner. */
  fchownat(directory: number, pointer: number, uid: number, gid: number, flags: number): number {
    if ((flags & AT_EMPTY_PATH) !== 0 && this.state.memory.string(pointer) === "") {
      return this.fchown32(directory, uid, gid);
    }
    const path = this.#locate(this.state.context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("fchownat", pointer, uid, gid, flags);
    return this.#changePath(path, (flags & AT_SYMLINK_NOFOLLOW) === 0, { uid, gid });
  }

  /** Changes access and modification time, of a path or, without one, of a descriptor. */
  utimensat(directory: number, pointer: number, times: number, flags: number): number {
    const { memory, process } = this.state;
    if ((flags & ~AT_SYMLINK_NOFOLLOW) !== 0) return -WASI_EINVAL;
    if (pointer === 0 || memory.string(pointer) === "") {
      const entry = process.entry(directory);
      if (entry < 0) return this.callHost("utimensat", hostOf(entry), pointer, times, flags);
      if (entry === 0) return -WASI_EBADF;
      const changes = this.#timesOf(times);
      return changes === undefined ? -WASI_EINVAL : this.changeDescriptor(directory, changes);
    }
    const path = this.#locate(this.state.context.walk, directory, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#toHost("utimensat", pointer, times, flags);
    const changes = this.#timesOf(times);
    if (changes === undefined) return -WASI_EINVAL;
    return this.#changePath(path, (flags & AT_SYMLINK_NOFOLLOW) === 0, changes);
  }

  /** The times of two `struct timespec`; undefined where one has no time. */
  #timesOf(times: number): MetadataChange | undefined {
    const now = Date.now();
    if (times === 0) return { atimeMs: now, mtimeMs: now };
    const { memory, abi: { timespec } } = this.state;
    const timeAt = (at: number): number | undefined => {
      const nanoseconds = memory.i32(at + timespec.tv_nsec);
      if (nanoseconds === UTIME_NOW) return now;
      if (nanoseconds === UTIME_OMIT) return undefined;
      if (nanoseconds < 0 || nanoseconds >= 1e9) return NaN;
      return memory.i64(at + timespec.tv_sec) * 1000 + nanoseconds / 1e6;
    };
    const atimeMs = timeAt(times);
    const mtimeMs = timeAt(times + timespec.__size__);
    return Number.isNaN(atimeMs) || Number.isNaN(mtimeMs) ? undefined : { atimeMs, mtimeMs };
  }

  /** Changes the length of a path's file. */
  truncate64(pointer: number, length: number): number {
    const { context } = this.state;
    const { walk } = context;
    const path = this.#locate(walk, AT_FDCWD, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#pathToHost("truncate64", pointer, length);
    if (Number.isNaN(length)) return -WASI_EFBIG;
    if (length < 0) return -WASI_EINVAL;
    for (;;) {
      let result = walk.resolve(path, FOLLOW);
      if (result === 0) {
        if (walk.inodeWord === 0) result = -ENOENT;
        else if ((walk.mode & S_IFMT) === S_IFDIR) result = -EISDIR;
        else if ((walk.mode & S_IFMT) !== S_IFREG) result = -EINVAL;
        else result = truncateInode(context, walk.inodeWord, walk.generation, length);
      }
      // Removed between the walk and the change.
      if (result !== -EBADF) return toWasi(result);
    }
  }

  /** Sizes of the filesystem of a path. */
  statfs64(pointer: number, bytes: number, buffer: number): number {
    const { context } = this.state;
    const path = this.#locate(context.walk, AT_FDCWD, pointer);
    if (typeof path === "number") return path < 0 ? path : this.#pathToHost("statfs64", pointer, bytes, buffer);
    const found = stat(context, path, true, this.metadata);
    return found !== 0 ? toWasi(found) : this.#writeStatfs(buffer);
  }

  /** Sizes of the filesystem of a descriptor. */
  fstatfs64(fd: number, bytes: number, buffer: number): number {
    const entry = this.state.process.entry(fd);
    if (entry > 0) return this.#writeStatfs(buffer);
    return entry === 0 ? -WASI_EBADF : this.callHost("fstatfs64", hostOf(entry), bytes, buffer);
  }

  #writeStatfs(buffer: number): number {
    const { memory, context, abi: { statfs } } = this.state;
    const sizes = surveySizes(context);
    memory.setI32(buffer + statfs.f_bsize, sizes.bsize);
    memory.setI32(buffer + statfs.f_frsize, sizes.frsize);
    memory.setI64(buffer + statfs.f_blocks, sizes.blocks);
    memory.setI64(buffer + statfs.f_bfree, sizes.bfree);
    memory.setI64(buffer + statfs.f_bavail, sizes.bavail);
    memory.setI64(buffer + statfs.f_files, sizes.files);
    memory.setI64(buffer + statfs.f_ffree, sizes.ffree);
    memory.setI64(buffer + statfs.f_fsid, sizes.type);
    memory.setI32(buffer + statfs.f_flags, 0);
    memory.setI32(buffer + statfs.f_namelen, NAME_BYTES);
    return 0;
  }
}

const SLASH = 47;
const BUFFER_BYTES = 4096;
