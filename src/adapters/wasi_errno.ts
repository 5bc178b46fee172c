/**
 * Error numbers as Emscripten and WASI count them. The filesystem's own are Linux's.
 *
 * @module
 */
import * as linux from "../layout/errno.ts";

const NUMBERS: readonly (readonly [linux: number, wasi: number])[] = [
  [linux.EPERM, 63],
  [linux.ENOENT, 44],
  [linux.EBADF, 8],
  [linux.EAGAIN, 6],
  [linux.EACCES, 2],
  [linux.EBUSY, 10],
  [linux.EEXIST, 20],
  [linux.ENOTDIR, 54],
  [linux.EISDIR, 31],
  [linux.EINVAL, 28],
  [linux.EMFILE, 33],
  [linux.EFBIG, 22],
  [linux.ENOSPC, 51],
  [linux.EROFS, 69],
  [linux.EMLINK, 34],
  [linux.EDEADLK, 16],
  [linux.ENAMETOOLONG, 37],
  [linux.ENOTEMPTY, 55],
  [linux.ELOOP, 32],
  [linux.EIDRM, 24],
  [linux.EOVERFLOW, 61],
  [linux.EOPNOTSUPP, 138],
  [linux.ETIMEDOUT, 73],
  [linux.ECANCELED, 11],
  [linux.ENOLCK, 46],
];

const WASI = new Int32Array(160);
for (const [from, to] of NUMBERS) WASI[from] = to;

/** Input or output error: what a number stands for that has no other. */
const WASI_EIO = 29;
/** Invalid argument. */
export const WASI_EINVAL = 28;
/** Bad file descriptor. */
export const WASI_EBADF = 8;
/** No such file or directory. */
export const WASI_ENOENT = 44;
/** Function not supported. */
export const WASI_ENOSYS = 52;
/** Inappropriate operation for a device. */
export const WASI_ENOTTY = 59;
/** Not a socket. */
export const WASI_ENOTSOCK = 57;
/** Operation not permitted. */
export const WASI_EPERM = 63;
/** Result too large for the buffer. */
export const WASI_ERANGE = 68;
/** Not on the same filesystem. */
export const WASI_EXDEV = 75;
/** Out of memory. */
export const WASI_ENOMEM = 48;
/** Bad address. */
export const WASI_EFAULT = 21;
/** No such device. */
export const WASI_ENODEV = 43;
/** Permission denied. */
export const WASI_EACCES = 2;
/** Name too long. */
export const WASI_ENAMETOOLONG = 37;
/** File too large. */
export const WASI_EFBIG = 22;
/** Not a directory. */
export const WASI_ENOTDIR = 54;
/** Operation not supported. */
export const WASI_EOPNOTSUPP = 138;

/** Translates a result: what is not negative stays, a negated error number becomes WASI's, negated. */
export function toWasi(result: number): number {
  return result >= 0 ? result : -(WASI[-result] || WASI_EIO);
}
