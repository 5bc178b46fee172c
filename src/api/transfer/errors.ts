/**
 * Errors of a transfer that come from neither filesystem: an archive that cannot be read, an entry that may not be
 * written. Imports nothing.
 *
 * @module
 */

/**
 * A tar archive that cannot be imported: not a tar archive, damaged, cut short, or with an entry that would leave the
 * target directory or that no file, directory or link can stand for.
 *
 * @example Importing what is not an archive
 * ```ts
 * import { FileSystem, TarError } from "@extmemfs/extmemfs";
 *
 * using fs = FileSystem.create({ maximumBytes: 16 << 20 });
 * const stream = new Blob(["not a tar archive"]).stream();
 * try {
 *   await fs.importDirectory(stream);
 * } catch (error) {
 *   if (!(error instanceof TarError)) throw error;
 *   console.log(error.message);
 * }
 * ```
 */
export class TarError extends Error {
  /** The error's class name. */
  override readonly name = "TarError";
}

/** An error in node's form, with `code`, `syscall` and `path`. */
export interface TransferError extends Error {
  /** Node's name of the error, such as `EEXIST`. */
  code: string;
  /** The call that failed. */
  syscall: string;
  /** The path it failed at. */
  path: string;
}

/**
 * Makes an error in node's form for a refusal of the transfer's own.
 *
 * @param code Node's name of the error.
 * @param what Says what is wrong.
 * @param syscall The call that refuses.
 * @param path The path it refuses.
 * @returns The error, to be thrown.
 */
export function transferError(code: string, what: string, syscall: string, path: string): TransferError {
  return Object.assign(new Error(`${code}: ${what}, ${syscall} '${path}'`), { code, syscall, path });
}
