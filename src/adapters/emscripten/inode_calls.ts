/**
 * The system calls on the file or directory that a descriptor stands for: its metadata, its length, its entries.
 *
 * @module
 */
import type { Context } from "../../file/context.ts";
import { allocateInode, truncateInode } from "../../file/data.ts";
import { O_ACCMODE, O_DIRECTORY, O_RDONLY } from "../../file/flags.ts";
import { readEntries } from "../../file/listing.ts";
import { changeFound, type MetadataChange, statInode } from "../../file/metadata.ts";
import { EINVAL } from "../../layout/errno.ts";
import { DIR_PARENT } from "../../layout/inode.ts";
import { GRANULE_WORDS } from "../../layout/units.ts";
import { isDirectory } from "../../names/directory.ts";
import { S_IFDIR } from "../../store/inodes.ts";
import {
  toWasi,
  WASI_EBADF,
  WASI_EFBIG,
  WASI_EINVAL,
  WASI_ENOENT,
  WASI_ENOTDIR,
  WASI_EOPNOTSUPP,
} from "../wasi_errno.ts";
import { DescriptorCalls, DOTS, type PutEntry } from "./descriptor_calls.ts";

/** Block size that `stat` tells. */
const BLOCK_BYTES = 4096;
/** A device number of the pool's own. */
const POOL_DEVICE = 0x4578;
/** What the length of an entry of `getdents` is a multiple of. */
const DIRENT_ALIGNMENT = 8;
const DOT = 46;
/** Type of a directory in an entry: its mode's type bits, shifted. */
const DIRECTORY_TYPE = S_IFDIR >> 12;
const FALLOC_FL_KEEP_SIZE = 1;

/** The calls on what descriptors stand for, of one thread. */
export class InodeCalls extends DescriptorCalls {
  #putEntry: PutEntry = () => -1;

  /** Leaves the writing of entries to WebAssembly. */
  useEntries(putEntry: PutEntry): void {
    this.#putEntry = putEntry;
  }

  /** Writes metadata as a `struct stat`. */
  protected writeStat(pointer: number): number {
    const { memory, abi: { stat } } = this.state;
    const { metadata } = this;
    memory.setI32(pointer + stat.st_dev, POOL_DEVICE);
    memory.setI32(pointer + stat.st_mode, metadata.mode);
    memory.setPointer(pointer + stat.st_nlink, metadata.nlink);
    memory.setI32(pointer + stat.st_uid, metadata.uid);
    memory.setI32(pointer + stat.st_gid, metadata.gid);
    memory.setI32(pointer + stat.st_rdev, 0);
    memory.setI64(pointer + stat.st_size, metadata.size);
    memory.setI32(pointer + stat.st_blksize, BLOCK_BYTES);
    memory.setI32(pointer + stat.st_blocks, Math.ceil(metadata.allocatedBytes / 512));
    this.#writeTime(pointer + stat.st_atim.tv_sec, pointer + stat.st_atim.tv_nsec, metadata.atimeMs);
    this.#writeTime(pointer + stat.st_mtim.tv_sec, pointer + stat.st_mtim.tv_nsec, metadata.mtimeMs);
    this.#writeTime(pointer + stat.st_ctim.tv_sec, pointer + stat.st_ctim.tv_nsec, metadata.ctimeMs);
    memory.setI64(pointer + stat.st_ino, metadata.ino);
    return 0;
  }

  #writeTime(secondsAt: number, nanosecondsAt: number, ms: number): void {
    const seconds = Math.floor(ms / 1000);
    this.state.memory.setI64(secondsAt, seconds);
    this.state.memory.setPointer(nanosecondsAt, Math.round((ms - seconds * 1000) * 1e6));
  }

  /** Metadata of what a descriptor stands for. */
  fstat64(fd: number, pointer: number): number {
    const { process, context } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.callHostWith("fstat64", entry, pointer);
    if (process.find(fd) !== 0) return -WASI_EBADF;
    const found = statInode(context, process.found.inodeWord, this.metadata);
    return found !== 0 ? toWasi(found) : this.writeStat(pointer);
  }

  /** Changes metadata of what a descriptor stands for. */
  protected changeDescriptor(fd: number, changes: MetadataChange): number {
    const { process, context } = this.state;
    if (process.find(fd) !== 0) return -WASI_EBADF;
    return toWasi(changeFound(context, process.found.inodeWord, process.found.generation, changes));
  }

  /** Changes permissions. */
  fchmod(fd: number, mode: number): number {
    const entry = this.state.process.entry(fd);
    return entry > 0 ? this.changeDescriptor(fd, { permissions: mode }) : this.callHostWith("fchmod", entry, mode);
  }

  /** Changes the owner. */
  fchown32(fd: number, uid: number, gid: number): number {
    const entry = this.state.process.entry(fd);
    return entry > 0 ? this.changeDescriptor(fd, { uid, gid }) : this.callHostWith("fchown32", entry, uid, gid);
  }

  /** Changes the length. */
  ftruncate64(fd: number, length: number): number {
    const { process, context } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.callHostWith("ftruncate64", entry, length);
    if (Number.isNaN(length)) return -WASI_EFBIG;
    if (length < 0) return -WASI_EINVAL;
    if (process.find(fd) !== 0) return -WASI_EBADF;
    const { inodeWord, generation, flags } = process.found;
    if ((flags & O_ACCMODE) === O_RDONLY) return toWasi(-EINVAL);
    return toWasi(truncateInode(context, inodeWord, generation, length));
  }

  /** Reserves room. */
  fallocate(fd: number, mode: number, offset: number, length: number): number {
    const { process, context } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.callHostWith("fallocate", entry, mode, offset, length);
    if ((mode & ~FALLOC_FL_KEEP_SIZE) !== 0) return -WASI_EOPNOTSUPP;
    if (!(offset >= 0 && length > 0)) return -WASI_EINVAL;
    if (process.find(fd) !== 0) return -WASI_EBADF;
    const { inodeWord, generation, flags } = process.found;
    if ((flags & O_ACCMODE) === O_RDONLY) return -WASI_EBADF;
    return toWasi(allocateInode(context, inodeWord, generation, offset, length, mode === FALLOC_FL_KEEP_SIZE));
  }

  /** Advice about use: there is nothing to advise. */
  fadvise64(fd: number, offset: number, length: number, advice: number): number {
    const entry = this.state.process.entry(fd);
    return entry > 0 ? 0 : this.callHostWith("fadvise64", entry, offset, length, advice);
  }

  // -- Directories ---------------------------------------------------------------------------------------------------

  /** Entries of a directory, from its cursor on, as many as fit. Positions 0 and 1 are `.` and `..`. */
  getdents64(fd: number, pointer: number, bytes: number): number {
    const { process, context, memory } = this.state;
    const entry = process.entry(fd);
    if (entry <= 0) return this.callHostWith("getdents64", entry, pointer, bytes);
    if (process.find(fd) !== 0) return -WASI_EBADF;
    if ((process.found.flags & O_DIRECTORY) === 0) return -WASI_ENOTDIR;
    if (!memory.contains(pointer, bytes)) return -WASI_EINVAL;
    const locked = process.lockPosition();
    if (locked !== 0) return toWasi(locked);
    const filled = this.#fillEntries(context, pointer, bytes);
    process.unlockPosition();
    return filled;
  }

  #fillEntries(context: Context, pointer: number, bytes: number): number {
    const { process } = this.state;
    const { inodeWord, generation } = process.found;
    const { i32, u8 } = context.store.memory;
    // Removed: it has no entries, not even its own, and the C library takes this for the end.
    if (!isDirectory(i32, inodeWord, generation)) return -WASI_ENOENT;
    let filled = 0;
    let cursor = process.position;
    if (cursor < 1) {
      const length = this.#writeEntry(pointer, bytes, inodeWord, DIRECTORY_TYPE, 1, 1);
      if (length === 0) return -WASI_EINVAL;
      filled += length;
      cursor = 1;
    }
    if (cursor < DOTS) {
      const parent = i32[inodeWord + DIR_PARENT]! * GRANULE_WORDS;
      const length = this.#writeEntry(pointer + filled, bytes - filled, parent, DIRECTORY_TYPE, 2, DOTS);
      if (length !== 0) cursor = DOTS;
      filled += length;
    }
    if (cursor >= DOTS) {
      let isFull = false;
      const next = readEntries(
        context,
        inodeWord,
        generation,
        cursor - DOTS,
        (nameAddr, nameBytes, type, inode, behind) => {
          const at = pointer + filled;
          const offset = DOTS + Math.floor(behind);
          const put = this.#putEntry(at, bytes - filled, nameAddr, nameBytes, type, inode / GRANULE_WORDS, offset);
          if (put >= 0) {
            isFull = put === 0;
            filled += put;
            return put > 0;
          }
          const length = this.#writeEntry(at, bytes - filled, inode, type, nameBytes, offset);
          isFull = length === 0;
          if (isFull) return false;
          const nameAt = at + this.state.abi.dirent.d_name;
          const to = this.state.memory.u8;
          if (nameAddr + nameBytes <= u8.length) {
            for (let index = 0; index < nameBytes; index++) to[nameAt + index] = u8[nameAddr + index]!;
          } else context.store.memory.copyOut(to, nameAt, nameAddr, nameBytes);
          filled += length;
          return true;
        },
      );
      if (next < 0) return toWasi(next);
      if (isFull && filled === 0) return -WASI_EINVAL;
      cursor = DOTS + next;
    }
    process.position = cursor;
    return filled;
  }

  /** Writes all of an entry but its name, unless that is made of dots. Returns its length, 0 where it does not fit. */
  #writeEntry(at: number, room: number, inodeWord: number, type: number, nameBytes: number, offset: number): number {
    const { memory, abi: { dirent } } = this.state;
    const length = (dirent.d_name + nameBytes + 1 + DIRENT_ALIGNMENT - 1) & -DIRENT_ALIGNMENT;
    if (length > room) return 0;
    memory.setI64(at + dirent.d_ino, inodeWord / GRANULE_WORDS);
    memory.setI64(at + dirent.d_off, offset);
    memory.setI16(at + dirent.d_reclen, length);
    memory.setU8(at + dirent.d_type, type);
    const name = at + dirent.d_name;
    if (offset <= DOTS) memory.u8.fill(DOT, name, name + nameBytes);
    memory.setU8(name + nameBytes, 0);
    return length;
  }
}
