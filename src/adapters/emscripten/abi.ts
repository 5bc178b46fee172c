/**
 * What a compiled program and the library that serves it must agree on: where the fields of its structures are, and the
 * values of its constants. Offsets come from the compiler, when the program is linked; constants are Emscripten's.
 *
 * @module
 */

/** Offsets in bytes of the fields of `struct stat`. */
export interface StatOffsets {
  /** Device. */
  readonly st_dev: number;
  /** Mode. */
  readonly st_mode: number;
  /** Number of names. */
  readonly st_nlink: number;
  /** Owner. */
  readonly st_uid: number;
  /** Group. */
  readonly st_gid: number;
  /** Device that a special file stands for. */
  readonly st_rdev: number;
  /** Size. */
  readonly st_size: number;
  /** Best size for reading. */
  readonly st_blksize: number;
  /** Blocks of 512 bytes. */
  readonly st_blocks: number;
  /** Access time. */
  readonly st_atim: TimeOffsets;
  /** Modification time. */
  readonly st_mtim: TimeOffsets;
  /** Change time. */
  readonly st_ctim: TimeOffsets;
  /** Inode. */
  readonly st_ino: number;
}

/** Offsets of a `struct timespec`, within the structure that it is part of. */
export interface TimeOffsets {
  /** Seconds. */
  readonly tv_sec: number;
  /** Nanoseconds. */
  readonly tv_nsec: number;
}

/** Offsets of the structures that calls pass. */
export interface Abi {
  /** Bytes of a pointer: 4 or 8. */
  readonly pointerBytes: 4 | 8;
  /** `struct stat`. */
  readonly stat: StatOffsets;
  /** `struct statfs`. */
  readonly statfs: Readonly<
    Record<
      | "f_bsize"
      | "f_frsize"
      | "f_blocks"
      | "f_bfree"
      | "f_bavail"
      | "f_files"
      | "f_ffree"
      | "f_fsid"
      | "f_flags"
      | "f_namelen",
      number
    >
  >;
  /** `struct dirent`. */
  readonly dirent: Readonly<Record<"d_ino" | "d_off" | "d_reclen" | "d_type" | "d_name", number>>;
  /** `struct iovec`. */
  readonly iovec: Readonly<Record<"__size__" | "iov_base" | "iov_len", number>>;
  /** `struct timespec`. */
  readonly timespec: TimeOffsets & { readonly __size__: number };
  /** `struct pollfd`. */
  readonly pollfd: Readonly<Record<"__size__" | "fd" | "events" | "revents", number>>;
  /** WASI's `fdstat`. */
  readonly fdstat: Readonly<Record<"fs_filetype" | "fs_flags" | "fs_rights_base" | "fs_rights_inheriting", number>>;
}

/** Offsets of `struct flock`: two shorts, two 64-bit offsets, a process id. */
export const FLOCK = { type: 0, whence: 2, start: 8, length: 16, pid: 24 } as const;

/** The calling process's current directory, instead of a descriptor. */
export const AT_FDCWD = -100;
/** Do not follow a symbolic link at the end of the path. */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** Remove a directory. */
export const AT_REMOVEDIR = 0x200;
/** Follow a symbolic link at the end of the path. */
export const AT_SYMLINK_FOLLOW = 0x400;
/** Test access with the effective ids. */
export const AT_EACCESS = 0x200;
/** Do not mount anything: nothing is. */
export const AT_NO_AUTOMOUNT = 0x800;
/** An empty path names what the descriptor stands for. */
export const AT_EMPTY_PATH = 0x1000;

/** `fcntl`: duplicate a descriptor. */
export const F_DUPFD = 0;
/** `fcntl`: flags of the descriptor. */
export const F_GETFD = 1;
/** `fcntl`: set the flags of the descriptor. */
export const F_SETFD = 2;
/** `fcntl`: flags of the open file. */
export const F_GETFL = 3;
/** `fcntl`: set the flags of the open file. */
export const F_SETFL = 4;
/** `fcntl`: what lock would be in the way. The C library has other numbers where `long` has 64 bits. */
export const F_GETLK = 12;
/** `fcntl`: set a lock if nobody is in the way. */
export const F_SETLK = 13;
/** `fcntl`: set a lock, waiting for it. */
export const F_SETLKW = 14;
/** `fcntl`: {@linkcode F_GETLK} where `long` has 64 bits; setting and waiting are the two numbers after it. */
export const F_GETLK_LONG64 = 5;
/** `fcntl`: {@linkcode F_GETLK} for a lock of an open file description. */
export const F_OFD_GETLK = 36;
/** `fcntl`: {@linkcode F_SETLK} for such a lock. */
export const F_OFD_SETLK = 37;
/** `fcntl`: {@linkcode F_SETLKW} for such a lock. */
export const F_OFD_SETLKW = 38;
/** `fcntl`: duplicate a descriptor, closed on exec. */
export const F_DUPFD_CLOEXEC = 1030;
/** The descriptor's only flag. */
export const FD_CLOEXEC = 1;
/** A lock for reading. */
export const F_RDLCK = 0;
/** A lock for writing. */
export const F_WRLCK = 1;
/** No lock. */
export const F_UNLCK = 2;

/** `flock`: shared. */
export const LOCK_SH = 1;
/** `flock`: exclusive. */
export const LOCK_EX = 2;
/** `flock`: do not wait. */
export const LOCK_NB = 4;
/** `flock`: unlock. */
export const LOCK_UN = 8;

/** Nanoseconds that stand for the present time. */
export const UTIME_NOW = 0x3fff_ffff;
/** Nanoseconds that stand for leaving a time as it is. */
export const UTIME_OMIT = 0x3fff_fffe;

/** Pages may be written. */
export const PROT_WRITE = 2;
/** Changes of a mapping are seen by others. */
export const MAP_SHARED = 1;
/** Changes of a mapping are its own. */
export const MAP_PRIVATE = 2;
/** The bits of a mapping's kind. */
export const MAP_TYPE = 15;

/** Positions count from the beginning. */
export const SEEK_SET = 0;
/** Positions count from the current one. */
export const SEEK_CUR = 1;
/** Positions count from the end. */
export const SEEK_END = 2;

/** Flags of an open file that `F_SETFL` changes: append, non-blocking. */
export const CHANGEABLE_FLAGS = 0o2000 | 0o4000;
/** Close on exec, in the flags of `open` and `dup3`. */
export const O_CLOEXEC = 0o2000000;
/** Files beyond 2 GiB, in the flags of `open`: all files here may be. */
export const O_LARGEFILE = 0o100000;

/** WASI's types of files. */
export const FILETYPE = { directory: 3, regular: 4 } as const;
