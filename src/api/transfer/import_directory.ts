/**
 * Brings a host directory or a tar archive into the filesystem. Imports its neighbours only.
 *
 * @module
 */

import { copyTree } from "./copy_tree.ts";
import { transferError } from "./errors.ts";
import { type Host, loadHost } from "./host.ts";
import { Pacer } from "./pacer.ts";
import { TarReader } from "./tar.ts";
import { TreeWriter } from "./tree_writer.ts";
import type { ImportOptions, ImportSource, TransferCounts, TransferFileSystem } from "./types.ts";

const SYSCALL = "importDirectory";

/**
 * Imports a directory tree.
 *
 * Symbolic links (as they are), permission bits, times and hard links within the tree are kept; owners are not.
 * A failed or aborted import leaves what was imported so far, without a half-written file.
 *
 * @param fs The filesystem that receives the tree.
 * @param source A directory of the host, or a stream of a tar archive: ustar, GNU or pax, plain or gzip.
 * @param options Where to, progress, abort, overwriting.
 * @returns What was written.
 * @throws Node's error where the source cannot be read (`ENOENT`, `EACCES`, …), `ENOTSUP` for a device, socket or
 * FIFO in it, `ENOSPC` where the pool is full, `EEXIST` for an entry in the way, {@linkcode TarError} for an archive
 * that cannot be imported, the signal's reason when aborted, `TypeError` for a path where there is no `node:fs`.
 */
export async function importDirectory(
  fs: TransferFileSystem,
  source: ImportSource,
  options: ImportOptions = {},
): Promise<TransferCounts> {
  if (source instanceof ReadableStream) return await importTar(fs, source, options);
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new TypeError(`Cannot import a directory: the source must be a path, a URL or a stream, not ${source}`);
  }
  const pacer = new Pacer(options);
  const host = await loadHost("import a directory");
  const root = host.toPath(source);
  assertSourceDirectory(host, root);
  const writer = openWriter(fs, options, pacer, false);
  await copyTree({ fs: host.fs, root, readFlags: host.readFlags, syscall: SYSCALL }, writer, pacer);
  pacer.report();
  return pacer.counts;
}

/** Lets node say what is wrong with a source that is not there or may not be read. */
function assertSourceDirectory(host: Host, root: string): void {
  if (!host.fs.statSync(root).isDirectory()) {
    throw transferError("ENOTDIR", "not a directory (pass a tar archive as a stream)", SYSCALL, root);
  }
}

function openWriter(fs: TransferFileSystem, options: ImportOptions, pacer: Pacer, replaceOwn: boolean): TreeWriter {
  return new TreeWriter({
    fs,
    root: options.into ?? "/",
    pacer,
    syscall: SYSCALL,
    createFlags: "wx",
    forbiddenInNames: undefined,
    fileModeMask: 0o7777,
    overwrite: options.overwrite ?? false,
    replaceOwn,
  });
}

async function importTar(
  fs: TransferFileSystem,
  stream: ReadableStream<Uint8Array>,
  options: ImportOptions,
): Promise<TransferCounts> {
  const pacer = new Pacer(options);
  const { signal } = options;
  // Ends also a read that waits for a stalled producer.
  const guarded = signal === undefined ? stream : stream.pipeThrough(new TransformStream(), { signal });
  let reader: TarReader | undefined;
  let writer: TreeWriter | undefined;
  try {
    reader = await TarReader.open(guarded);
    writer = openWriter(fs, options, pacer, true);
    await writeEntries(reader, writer, pacer);
    writer.finish();
  } catch (error) {
    writer?.abandon();
    // An abort may look like a damaged archive; what counts is why.
    signal?.throwIfAborted();
    await reader?.cancel(error).catch(() => {});
    throw error;
  }
  pacer.report();
  return pacer.counts;
}

async function writeEntries(reader: TarReader, writer: TreeWriter, pacer: Pacer): Promise<void> {
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    pacer.path = entry.path;
    const metadata = { mode: entry.mode, atimeMs: entry.mtimeMs, mtimeMs: entry.mtimeMs };
    if (entry.kind === "directory") writer.directory(entry.path, metadata);
    else if (entry.kind === "symlink") writer.symlink(entry.path, entry.linkTarget, metadata);
    else if (entry.kind === "hardLink") writer.hardLink(entry.path, entry.linkTarget);
    else {
      writer.beginFile(entry.path, metadata);
      for (let bytes = await reader.read(); bytes !== undefined; bytes = await reader.read()) {
        writer.write(bytes, 0, bytes.length);
        if (pacer.isDue()) await pacer.breathe();
      }
      writer.endFile();
    }
    if (pacer.isDue()) await pacer.breathe();
  }
}
