/**
 * The mark by which the agents of a pool tell each other that they have verified what a file holds.
 *
 * A file is marked where its sticky bit is set and its modification time is half its time of birth, in whole milliseconds: a
 * time that lies decades back, so that no write gives it to a file by chance, and that goes with no copy of the file,
 * which is born at another time. A write moves the modification time, and so takes the mark away.
 *
 * A mark is set only while the inode's version is still the one at which the bytes were read: the version counts every
 * change of an inode, and is compared under its lock.
 *
 * @module
 */
import { systemError } from "../../api/errors.ts";
import type { FileSystem } from "../../api/file_system.ts";
import { CONTEXT } from "../../file/context_of.ts";
import { change, changeDescriptor, descriptorVersion } from "../../file/metadata.ts";
import { EAGAIN, ENOENT } from "../../layout/errno.ts";

const STICKY = 0o1000;
/** How often a file is read that others change meanwhile, be it only its access time, before it counts as not marked. */
const READ_TRIES = 4;

/** What an open file held at one moment. */
export interface FileContent {
  /** Its bytes, in memory of this thread alone. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether these very bytes are marked. */
  readonly marked: boolean;
  /** Which file held them, and at which version: for {@linkcode markFile}. */
  readonly state: FileState;
}

/** A file, by its inode number, at a version. */
export interface FileState {
  readonly ino: number;
  readonly version: number;
}

/** Reads an open file as a whole, and whether it is marked. */
export function readMarked(fs: FileSystem, fd: number): FileContent {
  const context = fs[CONTEXT];
  for (let attempt = 1;; attempt++) {
    const version = descriptorVersion(context, fd);
    const { size, mode, mtimeMs, birthtimeMs, ino } = fs.fstatSync(fd);
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const count = fs.readSync(fd, bytes, length, size - length, length);
      if (count === 0) break;
      length += count;
    }
    // A write holds the inode's lock until the version has moved: had there been one, it would show.
    const still = descriptorVersion(context, fd) === version;
    if (!still && attempt < READ_TRIES) continue;
    const marked = still && (mode & STICKY) !== 0 && mtimeMs === markTime(birthtimeMs);
    return { bytes: length === size ? bytes : bytes.slice(0, length), marked, state: { ino, version } };
  }
}

/** Marks an open file if it is the one that was read and nothing of it has changed since; otherwise does nothing. */
export function markFile(fs: FileSystem, fd: number, { ino, version }: FileState): void {
  const { ino: found, mode, birthtimeMs } = fs.fstatSync(fd);
  if (found !== ino) return;
  const result = changeDescriptor(fs[CONTEXT], fd, {
    permissions: (mode & 0o777) | STICKY,
    mtimeMs: markTime(birthtimeMs),
    ifVersion: version,
  });
  if (result !== 0 && result !== -EAGAIN) throw systemError(result, "mark");
}

/**
 * Sets the access time of a file and nothing else: setting both times, as `utimes` does, could bring back a mark that a
 * write has just taken away.
 */
export function setAccessTime(fs: FileSystem, path: string, timeMs: number): void {
  const result = change(fs[CONTEXT], path, true, { atimeMs: timeMs });
  if (result !== 0 && result !== -ENOENT) throw systemError(result, "utime", path);
}

function markTime(birthtimeMs: number): number {
  return Math.floor(birthtimeMs / 2);
}
