/**
 * The system calls that map files. A mapping is a copy in the program's memory: other programs see what is written to it
 * when it is synchronized or unmapped, and what they write when it is mapped anew.
 *
 * A mapping keeps its file open though the descriptor is closed; the pool remembers which, by the mapping's address, so
 * that any thread can unmap it.
 *
 * @module
 */
import { readInode, writeInode } from "../../file/data.ts";
import { O_ACCMODE, O_DIRECTORY, O_RDONLY, O_WRONLY } from "../../file/flags.ts";
import { statInode } from "../../file/metadata.ts";
import { hostOf } from "../../file/process_descriptors.ts";
import { toWasi, WASI_EACCES, WASI_EBADF, WASI_EINVAL, WASI_ENODEV, WASI_ENOMEM } from "../wasi_errno.ts";
import { MAP_PRIVATE, MAP_SHARED, MAP_TYPE, PROT_WRITE } from "./abi.ts";
import { LockCalls } from "./lock_calls.ts";
import type { PathState } from "./path_calls.ts";

/** What mapping needs besides. */
export interface MappingState extends PathState {
  /** Allocates zeroed memory of the program for a mapping; 0 where there is none. */
  allocateMapping(bytes: number): number;
}

/** The mapping calls of one thread. */
export class MappingCalls extends LockCalls {
  /** What the calls work with. */
  declare protected readonly state: MappingState;

  /** @param state what the calls work with */
  constructor(state: MappingState) {
    super(state);
  }

  /** Maps a file. */
  mmap(
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
    allocatedPointer: number,
    addressPointer: number,
  ): number {
    const { process, context, memory } = this.state;
    const entry = process.entry(fd);
    if (entry < 0) {
      return this.callHost("mmap", bytes, protection, flags, hostOf(entry), offset, allocatedPointer, addressPointer);
    }
    if (process.find(fd) !== 0) return -WASI_EBADF;
    const { inodeWord, generation } = process.found;
    const access = process.found.flags & O_ACCMODE;
    if ((process.found.flags & O_DIRECTORY) !== 0) return -WASI_ENODEV;
    const kind = flags & MAP_TYPE;
    if (bytes === 0 || !(offset >= 0) || kind < MAP_SHARED || kind > (MAP_SHARED | MAP_PRIVATE)) return -WASI_EINVAL;
    const isShared = kind !== MAP_PRIVATE;
    if (access === O_WRONLY || (isShared && (protection & PROT_WRITE) !== 0 && access === O_RDONLY)) {
      return -WASI_EACCES;
    }
    const held = process.hold();
    if (held < 0) return toWasi(held);
    const address = this.state.allocateMapping(bytes);
    if (address === 0) {
      process.letGo(held);
      return -WASI_ENOMEM;
    }
    memory.reach(address + bytes);
    const read = readInode(context, inodeWord, generation, memory.u8, address, bytes, offset);
    const noted = read < 0 ? read : process.noteMapping(address, held);
    if (noted < 0) {
      process.letGo(held);
      return toWasi(noted);
    }
    memory.setI32(allocatedPointer, 1);
    memory.setPointer(addressPointer, address);
    return 0;
  }

  /** Writes a shared mapping back to its file. */
  msync(address: number, bytes: number, protection: number, flags: number, fd: number, offset: number): number {
    const { process } = this.state;
    const held = process.mappingAt(address);
    if (held === 0) return this.#mappingToHost("msync", address, bytes, protection, flags, fd, offset);
    return this.#writeBack(held, address, bytes, protection, flags, offset);
  }

  /** Ends a mapping, written back where it is shared. */
  munmap(address: number, bytes: number, protection: number, flags: number, fd: number, offset: number): number {
    const { process } = this.state;
    const held = process.mappingAt(address);
    if (held === 0) return this.#mappingToHost("munmap", address, bytes, protection, flags, fd, offset);
    const written = this.#writeBack(held, address, bytes, protection, flags, offset);
    process.forgetMapping(address);
    process.letGo(held);
    return written;
  }

  #mappingToHost(
    name: string,
    address: number,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number {
    const entry = this.state.process.entry(fd);
    if (entry >= 0) return -WASI_EBADF;
    return this.callHost(name, address, bytes, protection, flags, hostOf(entry), offset);
  }

  /** Writes what the file's length covers: a mapping does not make its file longer. */
  #writeBack(
    held: number,
    address: number,
    bytes: number,
    protection: number,
    flags: number,
    offset: number,
  ): number {
    const { process, context, memory } = this.state;
    if ((flags & MAP_TYPE) === MAP_PRIVATE || (protection & PROT_WRITE) === 0) return 0;
    if (process.findHeld(held) !== 0) return -WASI_EBADF;
    const { inodeWord, generation } = process.found;
    const found = statInode(context, inodeWord, this.metadata);
    if (found !== 0) return toWasi(found);
    const count = Math.min(bytes, this.metadata.size - offset);
    if (count <= 0) return 0;
    memory.reach(address + count);
    const written = writeInode(context, inodeWord, generation, memory.u8, address, count, offset);
    return written < 0 ? toWasi(written) : 0;
  }
}
