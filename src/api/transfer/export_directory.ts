/**
 * Writes a tree of the filesystem to a directory of the host. Imports its neighbours only.
 *
 * @module
 */

import { copyTree } from "./copy_tree.ts";
import { transferError } from "./errors.ts";
import { type Host, loadHost } from "./host.ts";
import { Pacer } from "./pacer.ts";
import { TreeWriter } from "./tree_writer.ts";
import type { ExportOptions, TransferCounts, TransferFileSystem } from "./types.ts";

const SYSCALL = "exportDirectory";

/**
 * Permission bits that files keep on the host: all but set-user-ID and set-group-ID. Owners are not kept, so those bits
 * would hand out the rights of whoever exports.
 */
const HOST_FILE_MODE_MASK = 0o1777;

/**
 * Exports a directory tree.
 *
 * Symbolic links (as they are), permission bits (but set-user-ID and set-group-ID of files), times and hard links
 * within the tree are kept; owners are not. Nothing is ever written outside of the target: no link is followed, neither
 * one of the tree nor one that lies in the target. A failed or aborted export leaves what was written so far, without a
 * half-written file.
 *
 * @param fs The filesystem that holds the tree.
 * @param target A directory of the host; made where it is missing, refused where it is not empty unless
 * `options.overwrite`.
 * @param options Where from, progress, abort, overwriting.
 * @returns What was written.
 * @throws `ENOTEMPTY` for a target that holds something, `ENOTDIR` for a target or `from` that is no directory,
 * `ENOENT` where `from` is missing, node's error where the target cannot be written, the signal's reason when aborted,
 * `TypeError` where there is no `node:fs`.
 */
export async function exportDirectory(
  fs: TransferFileSystem,
  target: string | URL,
  options: ExportOptions = {},
): Promise<TransferCounts> {
  if (typeof target !== "string" && !(target instanceof URL)) {
    throw new TypeError(`Cannot export a directory: the target must be a path or a URL, not ${target}`);
  }
  const pacer = new Pacer(options);
  const from = options.from ?? "/";
  if (!fs.statSync(from).isDirectory()) throw transferError("ENOTDIR", "not a directory", SYSCALL, from);
  const host = await loadHost("export a directory");
  const root = host.toPath(target);
  if (!options.overwrite) assertEmpty(host, root);
  const writer = new TreeWriter({
    fs: host.fs,
    root,
    pacer,
    syscall: SYSCALL,
    createFlags: host.createFlags,
    forbiddenInNames: host.forbiddenInNames,
    fileModeMask: HOST_FILE_MODE_MASK,
    overwrite: options.overwrite ?? false,
    replaceOwn: false,
  });
  await copyTree({ fs, root: from, readFlags: "r", syscall: SYSCALL }, writer, pacer);
  pacer.report();
  return pacer.counts;
}

/** Refuses a target that holds something; one that is not there, or is no directory, is the writer's business. */
function assertEmpty(host: Host, root: string): void {
  if (host.fs.lstatSync(root, { throwIfNoEntry: false }) === undefined) return;
  if (!host.fs.statSync(root).isDirectory()) return;
  if (host.fs.readdirSync(root).length > 0) {
    throw transferError("ENOTEMPTY", "the target is not empty (pass overwrite: true to write into it)", SYSCALL, root);
  }
}
