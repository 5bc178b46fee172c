/**
 * What a program's core calls on streams. A stream is a descriptor of the agent; streams that were made of it by `dup`
 * share it, as they share the node.
 *
 * @module
 */
import { allocateInode, ANY_GENERATION, AT_END, readInode, writeInode } from "../../file/data.ts";
import type { OpenFile } from "../../file/descriptors.ts";
import { O_ACCMODE, O_APPEND, O_CREAT, O_DIRECTORY, O_NOFOLLOW } from "../../file/flags.ts";
import { statDescriptor } from "../../file/metadata.ts";
import { close, open } from "../../file/open.ts";
import { EBADF, EINVAL, ELOOP } from "../../layout/errno.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../store/inodes.ts";
import type { FSBuffer, FSStream, StreamOps } from "./core.ts";
import type { LegacyMount } from "./mount.ts";
import { nameOf, placeOf } from "./node_ops.ts";
import { within } from "./place.ts";

/** The calls on streams, by what they are of. */
export interface StreamOpsByType {
  readonly directory: StreamOps;
  readonly file: StreamOps;
}

const SEEK_CUR = 1;
const SEEK_END = 2;
const MAP_PRIVATE = 2;
/** Flags that the pool's opening knows; others mean nothing here. */
const KNOWN_FLAGS = O_ACCMODE | O_CREAT | O_DIRECTORY | O_APPEND;

/** Makes the calls of a mount. */
export function streamOps(mount: LegacyMount): StreamOpsByType {
  const { context, found } = mount;
  const { errors, calls, core } = mount.program;
  let memory: ArrayBufferLike | undefined;
  let memoryBytes: Uint8Array = new Uint8Array(0);

  function fileOf(stream: FSStream): OpenFile {
    return context.descriptors.get(stream.node.descriptor ?? -1) ??
      errors.fail(context.mayRead() || -EBADF);
  }

  /** The bytes of a buffer: in nearly all calls the program's memory, whose view is kept. */
  function bytesOf(buffer: FSBuffer): Uint8Array {
    if (!ArrayBuffer.isView(buffer)) return Uint8Array.from(buffer);
    if (buffer instanceof Uint8Array) return buffer;
    if (buffer.byteOffset !== 0 || buffer.byteLength !== buffer.buffer.byteLength) {
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    }
    if (memory !== buffer.buffer || memoryBytes.length !== buffer.byteLength) {
      memory = buffer.buffer;
      memoryBytes = new Uint8Array(buffer.buffer);
    }
    return memoryBytes;
  }

  function openStream(stream: FSStream): void {
    const { node } = stream;
    const call = calls.current?.opens ? calls.current : undefined;
    // The core has followed the links, in the program's tree: one that appears now is not followed here.
    const flags = (stream.flags & KNOWN_FLAGS) | (call?.flags ?? 0) | O_NOFOLLOW;
    const place = placeOf(node);
    const descriptor = within(context, place, place, () => open(context, nameOf(node), flags, call?.mode ?? 0o666));
    const file = context.descriptors.get(descriptor);
    if (file === undefined || file.directory !== ((node.mode & S_IFMT) === S_IFDIR)) {
      if (file !== undefined) close(context, descriptor);
      core.closeStream(stream.fd);
      if (file !== undefined || descriptor === -ELOOP) throw errors.changed;
      errors.fail(descriptor);
    }
    const own = mount.makeNode(node.parent, node.name, node.mode, 0);
    own.id = node.id;
    own.place = node.place;
    own.descriptor = descriptor;
    stream.node = own;
  }

  function closeStream(stream: FSStream): void {
    const { node } = stream;
    const descriptor = node.descriptor ?? -1;
    if (descriptor < 0 || core.streams.some((other) => other && other !== stream && other.node === node)) return;
    node.descriptor = -1;
    const result = close(context, descriptor);
    // Detaching has closed it already.
    if (context.mayRead() === 0) errors.check(result);
  }

  function sizeOf(stream: FSStream): number {
    errors.check(statDescriptor(context, stream.node.descriptor ?? -1, found));
    return found.size;
  }

  function llseek(stream: FSStream, offset: number, whence: number): number {
    let position = offset;
    if (whence === SEEK_CUR) position += stream.position;
    else if (whence === SEEK_END && (stream.node.mode & S_IFMT) === S_IFREG) position += sizeOf(stream);
    return position < 0 ? errors.fail(-EINVAL) : position;
  }

  function read(stream: FSStream, buffer: FSBuffer, offset: number, length: number, position: number): number {
    const { inodeWord } = fileOf(stream);
    return errors.check(readInode(context, inodeWord, ANY_GENERATION, bytesOf(buffer), offset, length, position));
  }

  function write(stream: FSStream, buffer: FSBuffer, offset: number, length: number, position: number): number {
    const appends = (stream.flags & O_APPEND) !== 0;
    const moves = position === stream.position;
    const written = writeAt(stream, buffer, offset, length, appends ? AT_END : position);
    // The core has looked where the end is, and will add what was written; the end may have been elsewhere.
    if (appends && moves && written > 0) stream.position = context.endOfWrite - written;
    return written;
  }

  function writeAt(stream: FSStream, buffer: FSBuffer, offset: number, length: number, position: number): number {
    const file = fileOf(stream);
    errors.check(context.mayWrite());
    if (length === 0) return 0;
    const bytes = bytesOf(buffer);
    const written = writeInode(context, file.inodeWord, ANY_GENERATION, bytes, offset, length, position);
    if (context.grew) file.grew = true;
    return errors.check(written);
  }

  function allocate(stream: FSStream, offset: number, length: number): void {
    const { inodeWord } = fileOf(stream);
    errors.check(allocateInode(context, inodeWord, ANY_GENERATION, offset, length, false));
  }

  /** A copy of the range in the program's memory, which MEMFS knows how to come by; cores before 2.0.20 say an address. */
  function mmap(stream: FSStream, ...range: number[]): unknown {
    const [length, position] = range.length > 4 ? range.slice(1) : range;
    const map = core.filesystems?.MEMFS?.stream_ops.mmap;
    if ((stream.node.mode & S_IFMT) !== S_IFREG || map === undefined) throw errors.unmappable();
    const contents = new Uint8Array(Math.max(0, Math.min(length!, sizeOf(stream) - position!)));
    const bytes = read(stream, contents, 0, contents.length, position!);
    const rest = range.slice();
    rest[range.length > 4 ? 2 : 1] = 0;
    const node = { mode: S_IFREG, contents: contents.subarray(0, bytes), usedBytes: bytes };
    return map({ node } as unknown as FSStream, ...rest);
  }

  /** Writes the program's copy of a mapped range back; the file does not become longer by that. */
  function msync(stream: FSStream, buffer: FSBuffer, offset: number, length: number, flags: number): number {
    if ((flags & MAP_PRIVATE) !== 0) return 0;
    const bytes = Math.min(length, sizeOf(stream) - offset);
    if (bytes > 0) writeAt(stream, buffer, 0, bytes, offset);
    return 0;
  }

  return {
    directory: { open: openStream, close: closeStream, llseek },
    file: { open: openStream, close: closeStream, llseek, read, write, allocate, mmap, msync },
  };
}
