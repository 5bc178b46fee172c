/**
 * Resolving a path: from its text to the inode that it names, and to the directory and name by which it does.
 *
 * A walk takes no lock. It notes the version of everything that it looked at; in the end all are compared once more, so
 * that the whole path is known to have led there at one moment. Where that fails again and again, because a directory on
 * the way never stops changing, the walk goes on with the guards of the directories, one at a time.
 *
 * The text is walked by character code: names that are ASCII go into the scratch and the hash as they are read.
 *
 * @module
 */
import { EIDRM, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR } from "../layout/errno.ts";
import {
  DIR_PARENT,
  INODE_LOCK,
  INODE_MODE,
  INODE_OPENS,
  INODE_SIZE,
  INODE_VERSION,
  INODE_WORDS,
  OPENS_GENERATION_SHIFT,
} from "../layout/inode.ts";
import { ENTRY_INODE } from "../layout/directory.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { readBytes } from "../store/extents.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../store/inodes.ts";
import { NAMES_BYTES, type Store } from "../store/store.ts";
import { lockShared, unlockShared } from "../sync/raw_lock.ts";
import {
  Directories,
  ESTALE,
  guardOf,
  isDirectory,
  isGeneration,
  lockGuard,
  type Name,
  unlockGuard,
  versionOf,
} from "./directory.ts";
import { hashByte, hashFinish } from "./hash.ts";
import { decodeName, encodeText } from "./text.ts";

/** The longest path in bytes, as Linux has it: PATH_MAX without the terminating zero. */
export const PATH_BYTES = 4095;
/** The longest name in bytes. */
export const NAME_BYTES = 255;
/** How many symbolic links a path may lead through, as Linux has it. */
export const LINK_COUNT = 40;

/** What the last component of a path is. */
export const LAST_NAME = 0;
/** The path ends in no name: it is made of slashes. */
export const LAST_ROOT = 1;
/** The path ends in `.`. */
export const LAST_DOT = 2;
/** The path ends in `..`. */
export const LAST_DOT_DOT = 3;

/** The name at the end of the path is longer than a name may be; only where an entry is asked for. */
export const LAST_TOO_LONG = 4;

/** How to resolve a path: a symbolic link at its end is followed. */
export const FOLLOW = 1;
/** What is asked for is the entry itself: a link at the end is not followed, and a slash behind it demands nothing. */
export const ENTRY = 2;
/** A file may be made: a slash at the end is refused with `EISDIR`. */
export const CREATE = 4;

const OPTIMISTIC_TRIES = 64;
const NOTES = 128;
const SLASH = 47;
const DOT = 46;

/** A directory found before, from which a path can be resolved without saying the directory's own. */
export interface DirectoryPlace {
  /** Word of its inode. */
  readonly word: number;
  /** Its generation. */
  readonly generation: number;
}

/** Whether a path names nothing but where it begins. */
function isItself(path: string): boolean {
  return /^\.(\/+\.)*\/*$/.test(path);
}

/** Resolves paths for one agent, and holds the result of the last resolution. */
export class Walk implements Name {
  /** The directory that relative paths begin at where a resolution names none; undefined for the root. */
  base: DirectoryPlace | undefined;
  /** Word of the directory that holds, or would hold, the last name. */
  parentWord = 0;
  /** Its generation. */
  parentGeneration = 0;
  /** Word of the inode that the path names; 0 where nothing has its last name. */
  inodeWord = 0;
  /** Its generation. */
  generation = 0;
  /** Its mode. */
  mode = 0;
  /** What the last component is. */
  last = LAST_ROOT;
  /** Whether the path ends in a slash, and so must name a directory. */
  trailingSlash = false;
  /** Hash of the last name. */
  hash = 0;
  /** Where the last name's bytes stand in the scratch. */
  nameOffset: number;
  /** Their number. */
  nameBytes = 0;

  readonly #store: Store;
  readonly #directories: Directories;
  readonly #noteWords: number[] = new Array<number>(NOTES).fill(0);
  readonly #noteValues: number[] = new Array<number>(NOTES).fill(0);
  #notes = 0;

  /** @param half which half of the scratch for names the walk uses: two walks can stand side by side */
  constructor(store: Store, half: 0 | 1) {
    this.#store = store;
    this.#directories = new Directories(store);
    this.nameOffset = half * NAMES_BYTES;
  }

  /**
   * Resolves a path from the root, or from a directory.
   *
   * @param how 0, {@linkcode FOLLOW}, {@linkcode ENTRY} or {@linkcode CREATE} (with `FOLLOW` or without). Without
   * `FOLLOW`, a symbolic link at the end is followed before a slash only.
   * @returns 0, also where only the last name does not exist (`inodeWord` is 0 then), or a negative errno.
   */
  resolve(path: string, how: number, start?: DirectoryPlace): number {
    if (path.length === 0) return -ENOENT;
    if (start === undefined && path.charCodeAt(0) !== SLASH) start = this.base;
    if (path.length > PATH_BYTES / 3 && (path.length > PATH_BYTES || encodeText(path).length > PATH_BYTES)) {
      return -ENAMETOOLONG;
    }
    for (let attempt = 0;; attempt++) {
      const result = this.#try(path, how, start, attempt >= OPTIMISTIC_TRIES);
      if (result !== -ESTALE) return result;
      if (!this.#store.agent.live) return -EIDRM;
    }
  }

  /** Whether all that the last resolution looked at is still as it was. Loads only. */
  validate(): boolean {
    const { wasm } = this.#store;
    const count = this.#notes;
    if (count === 0) return true;
    if (wasm.fenceLoad(this.#noteWords[0]!) !== this.#noteValues[0]!) return false;
    for (let note = 1; note < count; note++) {
      if (wasm.load(this.#noteWords[note]!) !== this.#noteValues[note]!) return false;
    }
    return true;
  }

  /** Notes a version before what it guards is read; false while it is odd. */
  #note(versionWord: number): boolean {
    const value = this.#store.wasm.load(versionWord);
    if ((value & 1) !== 0) return false;
    if (this.#notes === NOTES) {
      // A path through very many directories: what is noted so far must hold now; the rest of the walk stands alone.
      if (!this.validate()) return false;
      this.#notes = 0;
    }
    this.#noteWords[this.#notes] = versionWord;
    this.#noteValues[this.#notes++] = value;
    return true;
  }

  #fail(errno: number): number {
    return this.validate() ? -errno : -ESTALE;
  }

  #try(path: string, how: number, start: DirectoryPlace | undefined, locked: boolean): number {
    const store = this.#store;
    const { memory } = store;
    let text = path;
    let at = 0;
    let links = 0;
    let directory = store.rootWord;
    memory.sync(store.agent.pagesWord);
    let generation = memory.i32[directory + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT;
    this.#notes = 0;
    this.last = LAST_ROOT;
    this.trailingSlash = false;
    if (start !== undefined) {
      directory = start.word;
      generation = start.generation;
      if (!locked && !this.#note(directory + INODE_VERSION)) return -ESTALE;
      // A directory that has been removed has no entries any more, but is itself.
      if (
        !isDirectory(memory.i32, directory, generation) &&
        !(isItself(path) && isGeneration(store, directory, generation))
      ) {
        return -ENOENT;
      }
    }
    for (;;) {
      let length = text.length;
      while (at < length && text.charCodeAt(at) === SLASH) at++;
      if (at === length) {
        return this.#finish(directory, generation, directory, generation, locked);
      }
      const start = at;
      at = this.#scanName(text, at);
      const end = at;
      while (at < length && text.charCodeAt(at) === SLASH) at++;
      const isLast = at === length;
      if (isLast) this.trailingSlash = end < length;
      if (text.charCodeAt(start) === DOT && end - start <= 2) {
        if (end - start === 1) {
          this.last = LAST_DOT;
          continue;
        }
        if (text.charCodeAt(start + 1) === DOT) {
          this.last = LAST_DOT_DOT;
          const parent = locked ? this.#parentOfLocked(directory, generation) : this.#parentOf(directory);
          if (parent < 0) return parent;
          directory = parent;
          generation = this.generation;
          continue;
        }
      }
      this.last = LAST_NAME;
      if (isLast && this.trailingSlash && (how & CREATE) !== 0) return this.#fail(EISDIR);
      if (this.nameBytes > NAME_BYTES) {
        if (!isLast || (how & ENTRY) === 0) return this.#fail(ENAMETOOLONG);
        this.last = LAST_TOO_LONG;
        return this.#finish(directory, generation, 0, 0, locked);
      }
      const found = locked ? this.#lookUpLocked(directory, generation) : this.#lookUp(directory);
      if (found < 0) return found;
      if (found === 0) {
        if (!isLast) return this.#fail(ENOENT);
        this.mode = 0;
        return this.#finish(directory, generation, 0, 0, locked);
      }
      const inode = found;
      const inodeGeneration = this.generation;
      const { i32 } = memory;
      if (!locked && !this.#note(inode + INODE_VERSION)) return -ESTALE;
      // Without notes there is only what was seen under the guard: the inode may be another file's by now.
      const mode = locked ? this.mode : i32[inode + INODE_MODE]!;
      const type = mode & S_IFMT;
      if (type === S_IFLNK && (!isLast || (how & FOLLOW) !== 0 || (this.trailingSlash && (how & ENTRY) === 0))) {
        if (++links > LINK_COUNT) return this.#fail(ELOOP);
        const target = this.#readLink(inode, inodeGeneration);
        if (target === undefined) return -ESTALE;
        const rest = isLast ? (this.trailingSlash ? "/" : "") : "/" + text.substring(at);
        text = target + rest;
        at = 0;
        length = text.length;
        if (text.charCodeAt(0) === SLASH) {
          directory = store.rootWord;
          generation = i32[directory + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT;
        }
        this.last = LAST_ROOT;
        continue;
      }
      if (isLast) {
        if (this.trailingSlash && type !== S_IFDIR && (how & ENTRY) === 0) return this.#fail(ENOTDIR);
        return this.#finish(directory, generation, inode, inodeGeneration, locked);
      }
      if (type !== S_IFDIR) return this.#fail(ENOTDIR);
      directory = inode;
      generation = inodeGeneration;
    }
  }

  #finish(parent: number, parentGeneration: number, inode: number, generation: number, locked: boolean): number {
    const { i32 } = this.#store.memory;
    this.parentWord = parent;
    this.parentGeneration = parentGeneration;
    this.inodeWord = inode;
    this.generation = generation;
    if (inode !== 0) {
      if (inode === parent && !locked && !this.#note(inode + INODE_VERSION)) return -ESTALE;
      if (!locked || inode === parent) this.mode = i32[inode + INODE_MODE]!;
      // Nothing vouches for the directory that a path without a last name ends at: it is asked after it was looked at.
      if (locked && inode === parent && !isGeneration(this.#store, inode, generation)) return -ESTALE;
    }
    return this.validate() ? 0 : -ESTALE;
  }

  /** Whether a word read without a lock can be an inode's: what is not must not be followed. */
  #isInode(word: number): boolean {
    return word > 0 && word + INODE_WORDS <= this.#store.memory.i32.length;
  }

  /** Reads a component from `at` on into the scratch and the hash; returns where it ends. */
  #scanName(text: string, at: number): number {
    const { names, hashSeed } = this.#store;
    const base = this.nameOffset;
    const length = text.length;
    let hash = hashSeed;
    let count = 0;
    let index = at;
    for (; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code === SLASH) break;
      if (code > 127) return this.#scanWideName(text, at);
      if (count < NAME_BYTES) names[base + count] = code;
      hash = hashByte(hash, code);
      count++;
    }
    this.nameBytes = count;
    this.hash = hashFinish(hash);
    return index;
  }

  #scanWideName(text: string, at: number): number {
    const { names, hashSeed } = this.#store;
    const slash = text.indexOf("/", at);
    const end = slash < 0 ? text.length : slash;
    const bytes = encodeText(text.substring(at, end));
    let hash = hashSeed;
    for (const byte of bytes) hash = hashByte(hash, byte);
    if (bytes.length <= NAME_BYTES) names.set(bytes, this.nameOffset);
    this.nameBytes = bytes.length;
    this.hash = hashFinish(hash);
    return end;
  }

  /** Word of the inode of a directory's parent, or `-ESTALE`. Sets `generation`. */
  #parentOf(directory: number): number {
    const { memory } = this.#store;
    if (!this.#note(directory + INODE_VERSION)) return -ESTALE;
    const parent = (memory.i32[directory + DIR_PARENT]! | 0) * GRANULE_WORDS;
    if (!this.#isInode(parent)) return -ESTALE;
    this.generation = memory.i32[parent + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT;
    return parent;
  }

  /** The same under the lock of the directory's inode, without which it does not move. */
  #parentOfLocked(directory: number, generation: number): number {
    const { agent, memory } = this.#store;
    const locked = lockShared(agent, directory + INODE_LOCK);
    if (locked !== 0) return locked;
    const { i32 } = memory;
    const isThere = isDirectory(i32, directory, generation);
    const parent = isThere ? i32[directory + DIR_PARENT]! * GRANULE_WORDS : -ENOENT;
    if (isThere) this.generation = i32[parent + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT;
    unlockShared(agent, directory + INODE_LOCK);
    return parent;
  }

  /** Looks the scanned name up: word of its inode, 0 where there is none, or a negative errno. Sets `generation`. */
  #lookUp(directory: number): number {
    const { memory } = this.#store;
    if (!this.#note(directory + INODE_VERSION)) return -ESTALE;
    const guard = guardOf(memory.i32, directory, this.hash);
    if (guard !== directory) {
      // An inode reused meanwhile may hold anything where the index was.
      if (guard < 0 || versionOf(guard) >= memory.i32.length || !this.#note(versionOf(guard))) return -ESTALE;
    }
    memory.sync(this.#store.agent.pagesWord);
    const { i32 } = memory;
    const entry = this.#directories.find(directory, this);
    if (entry === 0) return 0;
    const inode = (i32[entry + ENTRY_INODE]! | 0) * GRANULE_WORDS;
    if (!this.#isInode(inode)) return -ESTALE;
    this.generation = i32[inode + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT;
    return inode;
  }

  /** The same under the guard. Sets `mode`, too. */
  #lookUpLocked(directory: number, generation: number): number {
    const store = this.#store;
    const guard = lockGuard(store, directory, generation, this.hash);
    if (guard < 0) {
      return guard === -ESTALE && !isDirectory(store.memory.i32, directory, generation) ? -ENOENT : guard;
    }
    const { i32 } = store.memory;
    const entry = this.#directories.find(directory, this);
    const inode = entry === 0 ? 0 : i32[entry + ENTRY_INODE]! * GRANULE_WORDS;
    if (inode !== 0) {
      this.generation = i32[inode + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT;
      this.mode = i32[inode + INODE_MODE]!;
    }
    unlockGuard(store, guard);
    return inode;
  }

  /** Target of the symbolic link at the end of the last resolution; undefined where it has been removed since. */
  readLink(): string | undefined {
    return this.#readLink(this.inodeWord, this.generation);
  }

  #readLink(inode: number, generation: number): string | undefined {
    const store = this.#store;
    if (lockShared(store.agent, inode + INODE_LOCK) !== 0) return undefined;
    const { i32, f64 } = store.memory;
    let bytes: Uint8Array<ArrayBuffer> | undefined;
    if (
      (i32[inode + INODE_MODE]! & S_IFMT) === S_IFLNK &&
      i32[inode + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT === generation
    ) {
      bytes = new Uint8Array(f64[(inode + INODE_SIZE) / 2]!);
      readBytes(store, inode, bytes, 0, bytes.length, 0);
    }
    unlockShared(store.agent, inode + INODE_LOCK);
    return bytes === undefined ? undefined : decodeName(bytes);
  }
}
