/**
 * Flags of `open`, with the values of Linux.
 *
 * @module
 */

/** Mask of the access mode. */
export const O_ACCMODE = 3;
/** Open for reading only. */
export const O_RDONLY = 0;
/** Open for writing only. */
export const O_WRONLY = 1;
/** Open for reading and writing. */
export const O_RDWR = 2;
/** Create the file where it does not exist. */
export const O_CREAT = 0o100;
/** With `O_CREAT`: fail where it exists. */
export const O_EXCL = 0o200;
/** Truncate to length 0. */
export const O_TRUNC = 0o1000;
/** Every write goes to the end of the file. */
export const O_APPEND = 0o2000;
/** Fail unless the path names a directory. */
export const O_DIRECTORY = 0o200000;
/** Fail where the last component is a symbolic link. */
export const O_NOFOLLOW = 0o400000;
/** Unnamed temporary file; not supported. */
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;
