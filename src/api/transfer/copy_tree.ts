/**
 * Copies a directory tree from one filesystem into a {@linkcode TreeWriter}: looks at everything first, so that totals
 * are known and nothing is written of a tree that cannot be, then copies entry by entry.
 *
 * Imports `tree_writer.ts` and its kin. Takes no locks of its own.
 *
 * @module
 */

import { transferError } from "./errors.ts";
import type { Pacer } from "./pacer.ts";
import type { Metadata, TreeWriter } from "./tree_writer.ts";
import type { TransferFileSystem, TransferStats } from "./types.ts";

/** Where a copy reads. */
export interface TreeSource {
  /** The filesystem that is read. */
  readonly fs: TransferFileSystem;
  /** The directory whose entries are copied. */
  readonly root: string;
  /** The flags that open a file for reading. */
  readonly readFlags: string | number;
  /** Names the transfer in errors. */
  readonly syscall: string;
}

/** An entry that was found, in the order it is to be written: a directory before what it holds. */
interface FoundEntry {
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink";
  readonly metadata: Metadata;
  /** `device:inode` of a file with several names. */
  readonly identity: string | undefined;
}

/** Bytes copied at once: large enough to make calls cheap, small enough to stay in the second-level cache. */
const BUFFER_BYTES = 256 * 1024;
/** Holes are looked for in pieces of this size. */
const HOLE_BYTES = 16 * 1024;
/** The unit of `stats.blocks`. */
const BLOCK_BYTES = 512;

/**
 * Copies a tree.
 *
 * @param source Where to read.
 * @param writer Where to write; finished, or abandoned on failure, by this function.
 * @param pacer Reports progress, and counts.
 * @throws An error of either filesystem; `ENOTSUP` for an entry that is no file, directory or link; the reason of an
 * abort.
 */
export async function copyTree(source: TreeSource, writer: TreeWriter, pacer: Pacer): Promise<void> {
  try {
    const entries = await findEntries(source, pacer);
    const buffer = new Uint8Array(BUFFER_BYTES);
    const written = new Map<string, string>();
    for (const entry of entries) {
      pacer.path = entry.path;
      if (entry.kind === "directory") writer.directory(entry.path, entry.metadata);
      else if (entry.kind === "symlink") {
        writer.symlink(entry.path, source.fs.readlinkSync(pathOf(source, entry.path)), entry.metadata);
      } else {
        const firstName = entry.identity === undefined ? undefined : written.get(entry.identity);
        if (firstName !== undefined) writer.hardLink(entry.path, firstName);
        else {
          await copyFile(source, entry.path, writer, pacer, buffer);
          if (entry.identity !== undefined) written.set(entry.identity, entry.path);
        }
      }
      if (pacer.isDue()) await pacer.breathe();
    }
    writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** Walks the tree, without following links, and adds up the totals. */
async function findEntries(source: TreeSource, pacer: Pacer): Promise<FoundEntry[]> {
  const { fs } = source;
  const entries: FoundEntry[] = [
    { path: "", kind: "directory", metadata: metadataOf(fs.statSync(source.root)), identity: undefined },
  ];
  const identities = new Set<string>();
  let files = 0;
  let bytes = 0;
  for (let next = 0; next < entries.length; next++) {
    const parent = entries[next]!;
    if (parent.kind !== "directory") continue;
    for (const name of fs.readdirSync(pathOf(source, parent.path))) {
      const path = parent.path === "" ? name : `${parent.path}/${name}`;
      const fullPath = pathOf(source, path);
      const stats = fs.lstatSync(fullPath)!;
      const kind = stats.isDirectory() ? "directory" : stats.isFile() ? "file" : "symlink";
      if (kind === "symlink" && !stats.isSymbolicLink()) {
        throw transferError("ENOTSUP", "neither a file nor a directory nor a symbolic link", source.syscall, fullPath);
      }
      const identity = kind === "file" && stats.nlink > 1 ? `${stats.dev}:${stats.ino}` : undefined;
      entries.push({ path, kind, metadata: metadataOf(stats), identity });
      if (kind === "file" && (identity === undefined || !identities.has(identity))) {
        files++;
        bytes += stats.size;
        if (identity !== undefined) identities.add(identity);
      }
    }
    if (pacer.isDue()) await pacer.breathe();
  }
  pacer.totalFiles = files;
  pacer.totalBytes = bytes;
  return entries;
}

/** Copies the contents of one file, holes as holes. */
async function copyFile(
  source: TreeSource,
  path: string,
  writer: TreeWriter,
  pacer: Pacer,
  buffer: Uint8Array,
): Promise<void> {
  const { fs } = source;
  const fullPath = pathOf(source, path);
  const fd = fs.openSync(fullPath, source.readFlags);
  try {
    const stats = fs.fstatSync(fd);
    if (!stats.isFile()) {
      throw transferError("ESTALE", "no longer a regular file", source.syscall, fullPath);
    }
    writer.beginFile(path, metadataOf(stats));
    const hasHoles = stats.blocks !== undefined && stats.blocks * BLOCK_BYTES < stats.size;
    for (let position = 0;;) {
      const count = fs.readSync(fd, buffer, 0, buffer.length, null);
      if (hasHoles) writeWithHoles(writer, buffer, count);
      else writer.write(buffer, 0, count);
      position += count;
      // A short read past the size that was seen is the end; only a file that grew meanwhile needs another look.
      if (count === 0 || (count < buffer.length && position >= stats.size)) break;
      if (pacer.isDue()) await pacer.breathe();
    }
    writer.endFile();
  } finally {
    fs.closeSync(fd);
  }
}

/** Writes a piece of a sparse file, leaving out what is all zero. */
function writeWithHoles(writer: TreeWriter, buffer: Uint8Array, count: number): void {
  for (let offset = 0; offset < count; offset += HOLE_BYTES) {
    const length = Math.min(HOLE_BYTES, count - offset);
    if (isZero(buffer, offset, length)) writer.skip(length);
    else writer.write(buffer, offset, length);
  }
}

function isZero(buffer: Uint8Array, offset: number, length: number): boolean {
  for (let index = offset; index < offset + length; index++) {
    if (buffer[index] !== 0) return false;
  }
  return true;
}

function metadataOf(stats: TransferStats): Metadata {
  return { mode: stats.mode, atimeMs: stats.atimeMs, mtimeMs: stats.mtimeMs };
}

function pathOf(source: TreeSource, path: string): string {
  if (path === "") return source.root;
  return source.root.endsWith("/") ? `${source.root}${path}` : `${source.root}/${path}`;
}
