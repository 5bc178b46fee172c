/**
 * Error numbers as Linux has them; operations below the surfaces return them negated. Imports nothing.
 *
 * @module
 */

/** Operation not permitted. */
export const EPERM = 1;
/** No such file or directory. */
export const ENOENT = 2;
/** Bad file descriptor. */
export const EBADF = 9;
/** Resource temporarily unavailable. */
export const EAGAIN = 11;
/** Permission denied. */
export const EACCES = 13;
/** Resource busy or locked. */
export const EBUSY = 16;
/** File already exists. */
export const EEXIST = 17;
/** Not a directory. */
export const ENOTDIR = 20;
/** Illegal operation on a directory. */
export const EISDIR = 21;
/** Invalid argument. */
export const EINVAL = 22;
/** Too many open files. */
export const EMFILE = 24;
/** File too large. */
export const EFBIG = 27;
/** No space left on device. */
export const ENOSPC = 28;
/** Read-only file system. */
export const EROFS = 30;
/** Too many links. */
export const EMLINK = 31;
/** Resource deadlock would occur. */
export const EDEADLK = 35;
/** Name too long. */
export const ENAMETOOLONG = 36;
/** No locks available. */
export const ENOLCK = 37;
/** Directory not empty. */
export const ENOTEMPTY = 39;
/** Too many symbolic links. */
export const ELOOP = 40;
/** Identifier removed: the agent has been retired. */
export const EIDRM = 43;
/** Value too large. */
export const EOVERFLOW = 75;
/** Operation not supported. */
export const EOPNOTSUPP = 95;
/** Connection timed out: a bounded wait has ended. */
export const ETIMEDOUT = 110;
/** Operation canceled. */
export const ECANCELED = 125;

/** Code and message, worded as libuv words them, of each error number. */
export const ERRNO_TEXT: ReadonlyMap<number, readonly [code: string, message: string]> = new Map([
  [EPERM, ["EPERM", "operation not permitted"]],
  [ENOENT, ["ENOENT", "no such file or directory"]],
  [EBADF, ["EBADF", "bad file descriptor"]],
  [EAGAIN, ["EAGAIN", "resource temporarily unavailable"]],
  [EACCES, ["EACCES", "permission denied"]],
  [EBUSY, ["EBUSY", "resource busy or locked"]],
  [EEXIST, ["EEXIST", "file already exists"]],
  [ENOTDIR, ["ENOTDIR", "not a directory"]],
  [EISDIR, ["EISDIR", "illegal operation on a directory"]],
  [EINVAL, ["EINVAL", "invalid argument"]],
  [EMFILE, ["EMFILE", "too many open files"]],
  [EFBIG, ["EFBIG", "file too large"]],
  [ENOSPC, ["ENOSPC", "no space left on device"]],
  [EROFS, ["EROFS", "read-only file system"]],
  [EMLINK, ["EMLINK", "too many links"]],
  [EDEADLK, ["EDEADLK", "resource deadlock would occur"]],
  [ENAMETOOLONG, ["ENAMETOOLONG", "name too long"]],
  [ENOLCK, ["ENOLCK", "no locks available"]],
  [ENOTEMPTY, ["ENOTEMPTY", "directory not empty"]],
  [ELOOP, ["ELOOP", "too many symbolic links encountered"]],
  [EIDRM, ["EIDRM", "agent has detached or been retired"]],
  [EOVERFLOW, ["EOVERFLOW", "value too large for defined data type"]],
  [EOPNOTSUPP, ["EOPNOTSUPP", "operation not supported on socket"]],
  [ETIMEDOUT, ["ETIMEDOUT", "connection timed out"]],
  [ECANCELED, ["ECANCELED", "operation canceled"]],
]);
