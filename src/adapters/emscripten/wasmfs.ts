/**
 * What the WasmFS backend (`native/wasmfs`) calls: operations on inodes, and on names relative to a directory's inode. One
 * object a thread. An inode is said by its ref and its generation; whatever has been reused since is told apart by the
 * latter, so that the backend may keep both for as long as it likes.
 *
 * All calls return negated WASI error numbers.
 *
 * @module
 */
import { Context } from "../../file/context.ts";
import { readInode, truncateInode, writeInode } from "../../file/data.ts";
import { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } from "../../file/flags.ts";
import { CURSOR_END, pathOf, readEntries } from "../../file/listing.ts";
import { changeFound, Metadata, type MetadataChange, statInode } from "../../file/metadata.ts";
import { open, openInode } from "../../file/open.ts";
import type { Process } from "../../file/process.ts";
import { rename } from "../../file/rename.ts";
import { link, makeDirectory, makeSymlink, removeDirectory, unlink } from "../../file/tree.ts";
import { EISDIR } from "../../layout/errno.ts";
import { ENTRY_INODE } from "../../layout/directory.ts";
import {
  DIR_INDEX,
  DIR_PARENT,
  INODE_ATIME,
  INODE_CTIME,
  INODE_MODE,
  INODE_MTIME,
  INODE_NLINK,
  INODE_OPENS,
  INODE_SIZE,
  INODE_VERSION,
  INODE_WORDS,
  OPENS_GENERATION_SHIFT,
} from "../../layout/inode.ts";
import { GRANULE_WORDS } from "../../layout/units.ts";
import { Directories, entryCount, guardOf, isDirectory, type Name, versionOf } from "../../names/directory.ts";
import { hashByte, hashFinish } from "../../names/hash.ts";
import { decodeName } from "../../names/text.ts";
import { type DirectoryPlace, ENTRY, NAME_BYTES } from "../../names/walk.ts";
import { generationOf, S_IFDIR, S_IFMT } from "../../store/inodes.ts";
import type { Store } from "../../store/store.ts";
import { toWasi, WASI_EBADF, WASI_EINVAL, WASI_ENAMETOOLONG, WASI_ENOENT, WASI_ERANGE } from "../wasi_errno.ts";
import { ProgramMemory } from "./program_memory.ts";

/** Bytes of a node: `struct Node` of `native/wasmfs/backend.cpp`. */
const NODE_BYTES = 80;
/** Words of a node. */
const NODE_INODE = 0;
const NODE_GENERATION = 1;
const NODE_MODE = 2;
const NODE_NLINK = 3;
const NODE_DIRECTORY_MODE = 4;
const NODE_DIRECTORY_PARENT = 5;
/** Doubles of a node. */
const NODE_SIZE = 3;
const NODE_ATIME = 4;
const NODE_MTIME = 5;
const NODE_CTIME = 6;
const NODE_ALLOCATED = 7;
/** Words of a node again. */
const NODE_DESCRIPTOR = 16;

/** What {@linkcode WasmfsCalls.change} is to change. */
const CHANGE_MODE = 1;
const CHANGE_ATIME = 2;
const CHANGE_MTIME = 4;

/** Bytes of an entry of a listing before its name. */
const LISTED_BYTES = 8;
const OPTIMISTIC_TRIES = 64;
const decoder = new TextDecoder();

/** A name that a look-up found, so that a rename knows under which name the backend has a file. */
interface Seen {
  directory: number;
  generation: number;
  readonly name: Uint8Array<ArrayBuffer>;
  nameBytes: number;
  inode: number;
  inodeGeneration: number;
}

function seenNothing(): Seen {
  return {
    directory: 0,
    generation: 0,
    name: new Uint8Array(NAME_BYTES),
    nameBytes: 0,
    inode: 0,
    inodeGeneration: 0,
  };
}

/** The calls of one thread. Numbers that are pointers are addresses in the program's memory. */
export class WasmfsCalls {
  readonly #context: Context;
  readonly #store: Store;
  readonly #directories: Directories;
  readonly #process: Process;
  readonly #memory: ProgramMemory;
  readonly #metadata: Metadata = new Metadata();
  readonly #name: Name = { hash: 0, nameOffset: 0, nameBytes: 0 };
  /** The last two look-ups, the later one first: a rename looks up both of its names before it moves. */
  #last = seenNothing();
  #before = seenNothing();
  #i32: Int32Array = new Int32Array(0);
  #f64: Float64Array = new Float64Array(0);
  #u8: Uint8Array = new Uint8Array(0);

  /**
   * @param store the pool, as this thread is attached to it
   * @param process the program's descriptors
   * @param memory returns the program's memory
   */
  constructor(store: Store, process: Process, memory: () => WebAssembly.Memory) {
    this.#context = new Context(store, 0);
    this.#store = store;
    this.#directories = new Directories(store);
    this.#process = process;
    this.#memory = new ProgramMemory(memory, 4);
  }

  /** Views that reach an address. */
  #reach(end: number): void {
    if (end <= this.#u8.length) return;
    this.#memory.reach(end);
    this.#u8 = this.#memory.u8;
    const { buffer, length } = this.#u8;
    this.#i32 = new Int32Array(buffer, 0, Math.floor(length / 4));
    this.#f64 = new Float64Array(buffer, 0, Math.floor(length / 8));
  }

  #text(pointer: number, bytes: number): string {
    this.#reach(pointer + bytes);
    const u8 = this.#u8;
    let text = "";
    for (let at = pointer; at < pointer + bytes; at++) {
      const byte = u8[at]!;
      // A copy: decoders refuse shared memory.
      if (byte > 127) return decoder.decode(u8.slice(pointer, pointer + bytes));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #place(ref: number, generation: number): DirectoryPlace {
    return { word: ref * GRANULE_WORDS, generation };
  }

  // -- Looking ---------------------------------------------------------------------------------------------------------

  /** The root of the pool. */
  root(node: number): number {
    const { rootWord } = this.#store;
    return this.stat(rootWord / GRANULE_WORDS, generationOf(this.#store, rootWord), node);
  }

  /** Finds a name in a directory: what it names, and of the directory its mode and its parent. */
  lookUp(ref: number, generation: number, pointer: number, bytes: number, node: number): number {
    if (bytes > NAME_BYTES) return -WASI_ENAMETOOLONG;
    this.#reach(Math.max(pointer + bytes, node + NODE_BYTES));
    const word = ref * GRANULE_WORDS;
    this.#i32[node / 4 + NODE_DIRECTORY_PARENT] = 0;
    this.#scan(pointer, bytes);
    for (let attempt = 0; attempt < OPTIMISTIC_TRIES; attempt++) {
      const inode = this.#find(word, generation, node);
      if (inode === 0) return -WASI_ENOENT;
      if (inode > 0) {
        this.#see(ref, generation, pointer, bytes, node);
        return 0;
      }
    }
    return this.#lookUpSlow(ref, generation, pointer, bytes, node);
  }

  /** Takes a name into the scratch and the hash. */
  #scan(pointer: number, bytes: number): void {
    const { names, hashSeed } = this.#store;
    const u8 = this.#u8;
    const name = this.#name;
    let hash = hashSeed;
    for (let index = 0; index < bytes; index++) {
      const byte = u8[pointer + index]!;
      names[index] = byte;
      hash = hashByte(hash, byte);
    }
    name.nameBytes = bytes;
    name.hash = hashFinish(hash);
  }

  /**
   * One attempt without locks, as a walk makes it: everything that is read is validated by the versions of the directory,
   * of the guard of the name, and of the inode. Returns the inode's word, 0, or -1 where something changed meanwhile.
   */
  #find(directory: number, generation: number, node: number): number {
    const { wasm, memory, agent } = this.#store;
    const version = wasm.load(directory + INODE_VERSION);
    if ((version & 1) !== 0) return -1;
    memory.sync(agent.pagesWord);
    let { i32 } = memory;
    if (!isDirectory(i32, directory, generation)) {
      return wasm.fenceLoad(directory + INODE_VERSION) === version ? 0 : -1;
    }
    const name = this.#name;
    const guard = guardOf(i32, directory, name.hash);
    let guardVersion = 0;
    if (guard !== directory) {
      if (guard < 0 || versionOf(guard) >= i32.length) return -1;
      guardVersion = wasm.load(versionOf(guard));
      if ((guardVersion & 1) !== 0) return -1;
      memory.sync(agent.pagesWord);
      i32 = memory.i32;
    }
    const entry = this.#directories.find(directory, name);
    let inode = 0;
    let inodeVersion = 0;
    if (entry !== 0) {
      inode = (i32[entry + ENTRY_INODE]! | 0) * GRANULE_WORDS;
      if (inode <= 0 || inode + INODE_WORDS > i32.length) return -1;
      inodeVersion = wasm.load(inode + INODE_VERSION);
      if ((inodeVersion & 1) !== 0) return -1;
      const type = i32[inode + INODE_MODE]! & S_IFMT;
      if (type === S_IFDIR && i32[inode + DIR_INDEX] !== 0) this.#copyMetadata(inode, node);
      else this.#copy(inode, node);
    }
    const at = node / 4;
    this.#i32[at + NODE_DIRECTORY_MODE] = i32[directory + INODE_MODE]!;
    this.#i32[at + NODE_DIRECTORY_PARENT] = i32[directory + DIR_PARENT]!;
    if (wasm.fenceLoad(directory + INODE_VERSION) !== version) return -1;
    if (guard !== directory && wasm.load(versionOf(guard)) !== guardVersion) return -1;
    if (inode !== 0 && wasm.load(inode + INODE_VERSION) !== inodeVersion) return -1;
    return inode;
  }

  /** Copies what can be read from the inode alone. */
  #copy(inode: number, node: number): void {
    const { i32, f64 } = this.#store.memory;
    const at = node / 4;
    const double = node / 8;
    const mode = i32[inode + INODE_MODE]!;
    this.#i32[at + NODE_INODE] = inode / GRANULE_WORDS;
    this.#i32[at + NODE_GENERATION] = i32[inode + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT;
    this.#i32[at + NODE_MODE] = mode;
    this.#i32[at + NODE_NLINK] = i32[inode + INODE_NLINK]!;
    this.#f64[double + NODE_SIZE] = (mode & S_IFMT) === S_IFDIR ? 4096 : f64[(inode + INODE_SIZE) / 2]!;
    this.#f64[double + NODE_ATIME] = f64[(inode + INODE_ATIME) / 2]!;
    this.#f64[double + NODE_MTIME] = f64[(inode + INODE_MTIME) / 2]!;
    this.#f64[double + NODE_CTIME] = f64[(inode + INODE_CTIME) / 2]!;
    this.#f64[double + NODE_ALLOCATED] = -1;
  }

  /** Copies all of an inode's metadata; who calls validates it. */
  #copyMetadata(inode: number, node: number): void {
    const metadata = this.#metadata;
    const generation = generationOf(this.#store, inode);
    statInode(this.#context, inode, metadata);
    this.#reach(node + NODE_BYTES);
    const at = node / 4;
    const double = node / 8;
    this.#i32[at + NODE_INODE] = metadata.ino;
    this.#i32[at + NODE_GENERATION] = generation;
    this.#i32[at + NODE_MODE] = metadata.mode;
    this.#i32[at + NODE_NLINK] = metadata.nlink;
    this.#f64[double + NODE_SIZE] = metadata.size;
    this.#f64[double + NODE_ATIME] = metadata.atimeMs;
    this.#f64[double + NODE_MTIME] = metadata.mtimeMs;
    this.#f64[double + NODE_CTIME] = metadata.ctimeMs;
    this.#f64[double + NODE_ALLOCATED] = metadata.allocatedBytes;
  }

  /** Looks up with the guards of the directory, which never stops changing. */
  #lookUpSlow(ref: number, generation: number, pointer: number, bytes: number, node: number): number {
    const { walk, store } = this.#context;
    const place = this.#place(ref, generation);
    for (;;) {
      const resolved = walk.resolve(this.#text(pointer, bytes), ENTRY, place);
      if (resolved !== 0) return toWasi(resolved);
      if (walk.inodeWord === 0) return -WASI_ENOENT;
      this.#copyMetadata(walk.inodeWord, node);
      const { i32 } = store.memory;
      this.#i32[node / 4 + NODE_DIRECTORY_MODE] = i32[place.word + INODE_MODE]!;
      this.#i32[node / 4 + NODE_DIRECTORY_PARENT] = i32[place.word + DIR_PARENT]!;
      if (!this.#context.isSame(walk.inodeWord, walk.generation)) continue;
      this.#see(ref, generation, pointer, bytes, node);
      return 0;
    }
  }

  #see(directory: number, generation: number, pointer: number, bytes: number, node: number): void {
    const seen = this.#before;
    this.#before = this.#last;
    this.#last = seen;
    seen.directory = directory;
    seen.generation = generation;
    const u8 = this.#u8;
    const { name } = seen;
    for (let index = 0; index < bytes; index++) name[index] = u8[pointer + index]!;
    seen.nameBytes = bytes;
    seen.inode = this.#i32[node / 4 + NODE_INODE]!;
    seen.inodeGeneration = this.#i32[node / 4 + NODE_GENERATION]!;
  }

  /** The metadata of an inode; `ENOENT` where it is not of that generation any more. */
  stat(ref: number, generation: number, node: number): number {
    const may = this.#context.mayRead();
    if (may !== 0) return toWasi(may);
    const word = ref * GRANULE_WORDS;
    this.#reach(node + NODE_BYTES);
    this.#copyMetadata(word, node);
    if (!this.#context.isSame(word, generation)) return -WASI_ENOENT;
    if ((this.#metadata.mode & S_IFMT) === S_IFDIR) {
      this.#i32[node / 4 + NODE_DIRECTORY_PARENT] = this.#store.memory.i32[word + DIR_PARENT]!;
    }
    return 0;
  }

  /** The metadata of a directory's parent, as it is now. */
  parent(ref: number, generation: number, node: number): number {
    const { walk } = this.#context;
    for (;;) {
      const resolved = walk.resolve("..", 0, this.#place(ref, generation));
      if (resolved !== 0) return toWasi(resolved);
      this.#copyMetadata(walk.inodeWord, node);
      if (this.#context.isSame(walk.inodeWord, walk.generation)) return 0;
    }
  }

  /** The size of a file, or a negated error number. */
  size(ref: number, generation: number): number {
    const word = ref * GRANULE_WORDS;
    const size = this.#store.memory.f64[(word + INODE_SIZE) / 2]!;
    return this.#context.isSame(word, generation) ? size : -WASI_ENOENT;
  }

  /** How many names a directory has. */
  count(ref: number, generation: number): number {
    const word = ref * GRANULE_WORDS;
    const { i32 } = this.#store.memory;
    if (!isDirectory(i32, word, generation)) return 0;
    return Math.max(0, entryCount(i32, word));
  }

  /** The target of a symbolic link, without a terminating zero. Returns its bytes. */
  readLink(ref: number, generation: number, pointer: number, bytes: number): number {
    const { walk } = this.#context;
    walk.inodeWord = ref * GRANULE_WORDS;
    walk.generation = generation;
    const target = walk.readLink();
    return target === undefined ? -WASI_ENOENT : this.#memory.writeBytes(pointer, bytes, target);
  }

  /** What a directory's child is called now, without a terminating zero. Returns its bytes, 0 where it is not there. */
  nameOf(ref: number, generation: number, child: number, pointer: number, bytes: number): number {
    let length = 0;
    const word = child * GRANULE_WORDS;
    this.#reach(pointer + bytes);
    const listed = readEntries(this.#context, ref * GRANULE_WORDS, generation, 0, (addr, count, _type, inode) => {
      if (inode !== word || count > bytes) return true;
      this.#store.memory.copyOut(this.#u8, pointer, addr, count);
      length = count;
      return false;
    });
    return listed < 0 ? toWasi(listed) : length;
  }

  /** The path of a directory from the root of the pool, without a terminating zero. Returns its bytes. */
  pathOf(ref: number, generation: number, pointer: number, bytes: number): number {
    const path = pathOf(this.#context, this.#place(ref, generation));
    if (typeof path === "number") return toWasi(path);
    const written = this.#memory.writeString(pointer, bytes, path);
    return written < 0 ? -WASI_ERANGE : written - 1;
  }

  /**
   * Lists a directory from a cursor on: for each entry its ref, a byte of type, a byte of length and two that mean nothing,
   * then its name, up to the next address that 4 divides. Stores the cursor of what comes next, 0 behind the last, as a
   * double at `next`. Returns how many bytes of the buffer were used.
   */
  list(ref: number, generation: number, cursor: number, pointer: number, bytes: number, next: number): number {
    this.#reach(Math.max(pointer + bytes, next + 8));
    const { memory } = this.#store;
    const u8 = this.#u8;
    const i32 = this.#i32;
    let at = pointer;
    const end = pointer + bytes;
    const result = readEntries(
      this.#context,
      ref * GRANULE_WORDS,
      generation,
      cursor,
      (addr, nameBytes, type, inodeWord) => {
        if (at + LISTED_BYTES + nameBytes > end) return false;
        i32[at / 4] = inodeWord / GRANULE_WORDS;
        i32[at / 4 + 1] = type | (nameBytes << 8);
        at += LISTED_BYTES;
        const from = memory.u8;
        if (addr + nameBytes <= from.length) {
          for (let index = 0; index < nameBytes; index++) u8[at + index] = from[addr + index]!;
        } else memory.copyOut(u8, at, addr, nameBytes);
        at += nameBytes + 3;
        at -= at % 4;
        return true;
      },
    );
    if (result < 0) return toWasi(result);
    this.#f64[next / 8] = result >= CURSOR_END ? 0 : result;
    return at - pointer;
  }

  // -- Changing --------------------------------------------------------------------------------------------------------

  /** Creates a file that must not exist, and opens it: its descriptor is in the node. */
  create(ref: number, generation: number, pointer: number, bytes: number, mode: number, node: number): number {
    const name = this.#text(pointer, bytes);
    const { walk } = this.#context;
    walk.base = this.#place(ref, generation);
    const descriptor = open(this.#context, name, O_CREAT | O_EXCL | O_RDWR, mode, this.#process);
    walk.base = undefined;
    if (descriptor < 0) return toWasi(descriptor);
    const found = this.#process.find(descriptor);
    if (found !== 0) return toWasi(found);
    this.#copyMetadata(this.#process.found.inodeWord, node);
    this.#i32[node / 4 + NODE_DESCRIPTOR] = descriptor;
    return 0;
  }

  /** Makes a directory. */
  makeDirectory(ref: number, generation: number, pointer: number, bytes: number, mode: number, node: number): number {
    const name = this.#text(pointer, bytes);
    const { walk } = this.#context;
    walk.base = this.#place(ref, generation);
    const made = makeDirectory(this.#context, name, mode);
    walk.base = undefined;
    return made !== 0 ? toWasi(made) : this.lookUp(ref, generation, pointer, bytes, node);
  }

  /** Makes a symbolic link. */
  makeSymlink(
    ref: number,
    generation: number,
    pointer: number,
    bytes: number,
    target: number,
    targetBytes: number,
    node: number,
  ): number {
    const name = this.#text(pointer, bytes);
    const { walk } = this.#context;
    walk.base = this.#place(ref, generation);
    const made = makeSymlink(this.#context, this.#text(target, targetBytes), name);
    walk.base = undefined;
    return made !== 0 ? toWasi(made) : this.lookUp(ref, generation, pointer, bytes, node);
  }

  /** Gives a file a further name. */
  link(
    fromRef: number,
    fromGeneration: number,
    from: number,
    fromBytes: number,
    ref: number,
    generation: number,
    pointer: number,
    bytes: number,
  ): number {
    const { walk, secondWalk } = this.#context;
    walk.base = this.#place(fromRef, fromGeneration);
    secondWalk.base = this.#place(ref, generation);
    const linked = link(this.#context, this.#text(from, fromBytes), this.#text(pointer, bytes));
    walk.base = secondWalk.base = undefined;
    return toWasi(linked);
  }

  /**
   * Removes a name, of the kind that the last look-up found it to be. What it named is left in the node.
   */
  remove(ref: number, generation: number, pointer: number, bytes: number, node: number): number {
    const name = this.#text(pointer, bytes);
    const place = this.#place(ref, generation);
    const context = this.#context;
    let removed = unlink(context, name, place);
    if (removed === -EISDIR) removed = removeDirectory(context, name, place);
    if (removed !== 0) return toWasi(removed);
    this.#setInode(node, context.walk.inodeWord, context.walk.generation);
    return 0;
  }

  #setInode(node: number, word: number, generation: number): void {
    this.#reach(node + NODE_BYTES);
    this.#i32[node / 4 + NODE_INODE] = word / GRANULE_WORDS;
    this.#i32[node / 4 + NODE_GENERATION] = generation;
  }

  /**
   * Moves an inode, under the name by which it was looked up last, to a name in a directory, as one change. What it replaced
   * is left in the node; ref 0: nothing.
   */
  move(
    child: number,
    childGeneration: number,
    ref: number,
    generation: number,
    pointer: number,
    bytes: number,
    node: number,
  ): number {
    const seen = [this.#last, this.#before].find((one) =>
      one.inode === child && one.inodeGeneration === childGeneration
    );
    if (seen === undefined) return -WASI_EINVAL;
    const from = this.#place(seen.directory, seen.generation);
    const name = decodeName(seen.name.slice(0, seen.nameBytes));
    const moved = this.#rename(from, name, this.#place(ref, generation), this.#text(pointer, bytes));
    if (moved !== 0) return toWasi(moved);
    this.#setInode(node, this.#context.secondWalk.inodeWord, this.#context.secondWalk.generation);
    return 0;
  }

  #rename(from: DirectoryPlace, fromName: string, to: DirectoryPlace, toName: string): number {
    const { walk, secondWalk } = this.#context;
    walk.base = from;
    secondWalk.base = to;
    secondWalk.inodeWord = 0;
    const renamed = rename(this.#context, fromName, toName);
    walk.base = secondWalk.base = undefined;
    return renamed;
  }

  /** Renames, as one change. What was renamed is left in `moved`, what it replaced in `replaced`; ref 0: nothing. */
  rename(
    fromRef: number,
    fromGeneration: number,
    from: number,
    fromBytes: number,
    ref: number,
    generation: number,
    pointer: number,
    bytes: number,
    moved: number,
    replaced: number,
  ): number {
    const result = this.#rename(
      this.#place(fromRef, fromGeneration),
      this.#text(from, fromBytes),
      this.#place(ref, generation),
      this.#text(pointer, bytes),
    );
    if (result !== 0) return toWasi(result);
    const { walk, secondWalk } = this.#context;
    this.#setInode(moved, walk.inodeWord, walk.generation);
    const isSame = walk.inodeWord === secondWalk.inodeWord;
    this.#setInode(replaced, isSame ? 0 : secondWalk.inodeWord, secondWalk.generation);
    return 0;
  }

  /** Changes permissions and times. */
  change(ref: number, generation: number, what: number, mode: number, atimeMs: number, mtimeMs: number): number {
    const changes: MetadataChange = {
      ...((what & CHANGE_MODE) === 0 ? {} : { permissions: mode & 0o7777 }),
      ...((what & CHANGE_ATIME) === 0 ? {} : { atimeMs }),
      ...((what & CHANGE_MTIME) === 0 ? {} : { mtimeMs }),
    };
    return toWasi(changeFound(this.#context, ref * GRANULE_WORDS, generation, changes));
  }

  /** Changes the length of a file. */
  truncate(ref: number, generation: number, length: number): number {
    return toWasi(truncateInode(this.#context, ref * GRANULE_WORDS, generation, length));
  }

  // -- Open files ------------------------------------------------------------------------------------------------------

  /** Opens an inode, for writing where that may be: returns a descriptor of the process. */
  open(ref: number, generation: number, mode: number): number {
    const flags = this.#store.agent.readOnly ? O_RDONLY : O_RDWR;
    return toWasi(openInode(this.#context, ref * GRANULE_WORDS, generation, mode, flags, this.#process));
  }

  /** Opens an inode of any kind so that what opened it locks it as a whole: returns a descriptor of the process. */
  openLock(ref: number, generation: number): number {
    const word = ref * GRANULE_WORDS;
    const mode = this.#store.memory.i32[word + INODE_MODE]!;
    return toWasi(openInode(this.#context, word, generation, mode, O_RDONLY, this.#process));
  }

  /** Gives back the process's locks of ranges, as closing one of several descriptors does. */
  releaseLocks(descriptor: number): number {
    const copy = this.#process.duplicate(descriptor, 0, false);
    return copy < 0 ? toWasi(copy) : this.close(copy);
  }

  /** Closes a descriptor. */
  close(descriptor: number): number {
    const closed = this.#process.close(descriptor);
    return closed > 0 ? -WASI_EBADF : toWasi(closed);
  }

  /** Reads. */
  read(ref: number, generation: number, pointer: number, bytes: number, position: number): number {
    this.#reach(pointer + bytes);
    return toWasi(readInode(this.#context, ref * GRANULE_WORDS, generation, this.#u8, pointer, bytes, position));
  }

  /** Writes; at a position of -1, at the end. */
  write(
    ref: number,
    generation: number,
    descriptor: number,
    pointer: number,
    bytes: number,
    position: number,
  ): number {
    const may = this.#context.mayWrite();
    if (may !== 0) return toWasi(may);
    if (bytes === 0) return 0;
    this.#reach(pointer + bytes);
    const context = this.#context;
    const written = writeInode(context, ref * GRANULE_WORDS, generation, this.#u8, pointer, bytes, position);
    if (context.grew && descriptor >= 0 && this.#process.find(descriptor) === 0) this.#process.noteGrowth();
    return toWasi(written);
  }
}
