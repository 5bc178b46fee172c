/**
 * Inodes, extents and the blocks that hold them.
 *
 * @module
 */
import { row, type Structure } from "./rows.ts";

/** Inode words: the inode's lock. */
export const INODE_LOCK = 0;
/** Inode word: seqlock version; odd while metadata changes; never reset, not even when the inode is reused. */
export const INODE_VERSION = 2;
/** Inode word: open count and generation, see {@linkcode OPENS_COUNT}. */
export const INODE_OPENS = 3;
/** Inode word: file type and permission bits as in `st_mode`; 0 for a free inode. */
export const INODE_MODE = 4;
/** Inode word: number of names; for a directory 2 + its own subdirectories kept in this inode. */
export const INODE_NLINK = 5;
/** Inode words: size in bytes. */
export const INODE_SIZE = 6;
/** Inode words: modification time in milliseconds since the epoch. */
export const INODE_MTIME = 8;
/** Inode words: change time. */
export const INODE_CTIME = 10;
/** Inode word: number of extents; 0 for inline data. */
export const INODE_EXTENT_COUNT = 12;
/** Inode word: ref of the block of extents where they do not fit into the body. */
export const INODE_EXTENT_BLOCK = 13;
/** Inode word: extents that the block of extents has room for. */
export const INODE_EXTENT_ROOM = 14;
/** Inode word: flag bits, see {@linkcode INODE_FLAG_DEAD}. */
export const INODE_FLAGS = 15;
/** Inode words: access time. */
export const INODE_ATIME = 16;
/** Inode words: birth time. */
export const INODE_BTIME = 18;
/** Inode word: owner's user id. */
export const INODE_UID = 20;
/** Inode word: owner's group id. */
export const INODE_GID = 21;
/** Inode words: inline data, up to three extents, a directory's roots, or the next free inode. */
export const INODE_BODY = 22;
/** Words of an inode: two lines. */
export const INODE_WORDS = 32;
/** Bytes that a file can keep inside its inode. */
export const INODE_INLINE_BYTES = (INODE_WORDS - INODE_BODY) * 4;
/** Extents that fit into the body. */
export const INODE_INLINE_EXTENTS = 3;

/** Directory body: ref of the only bucket of a small directory, or 0. */
export const DIR_BUCKET = INODE_BODY;
/** Directory body: ref of the index of a large directory, or 0. */
export const DIR_INDEX = INODE_BODY + 1;
/** Directory body: ref of the parent directory. */
export const DIR_PARENT = INODE_BODY + 2;
/** Directory body: number of entries in the bucket of a small directory. */
export const DIR_COUNT = INODE_BODY + 3;

/** Flag: a directory that has been removed; creates in it fail. */
export const INODE_FLAG_DEAD = 1;

/** Mask of the open count in the opens word. */
export const OPENS_COUNT = 0xfffff;
/** Shift of the generation in the opens word. */
export const OPENS_GENERATION_SHIFT = 20;

/** An inode. */
export const INODE: Structure = {
  name: "inode",
  bytes: INODE_WORDS * 4,
  doc: "A file, directory or symbolic link. Type-stable: its block is never used for anything else.",
  rows: [
    row(INODE_LOCK, "lock", "u32", "atomic", "guards the inode; a small directory's entries too", 2),
    row(INODE_VERSION, "version", "u32", "atomic", "odd while guarded metadata changes; validates unlocked reads"),
    row(INODE_OPENS, "opens", "u32", "atomic", "bits 0-19 open files in all agents, bits 20-31 generation"),
    row(INODE_MODE, "mode", "u32", "guarded", "st_mode; validated by version"),
    row(INODE_NLINK, "nlink", "u32", "guarded", "names; validated by version"),
    row(INODE_SIZE, "size", "f64", "guarded", "bytes; validated by version"),
    row(INODE_MTIME, "mtime", "f64", "guarded", "ms since the epoch; validated by version"),
    row(INODE_CTIME, "ctime", "f64", "guarded", "ms since the epoch; validated by version"),
    row(INODE_EXTENT_COUNT, "extentCount", "u32", "guarded", "extents; 0 means inline data if size > 0"),
    row(INODE_EXTENT_BLOCK, "extentBlock", "ref", "guarded", "block of extents, or 0"),
    row(INODE_EXTENT_ROOM, "extentRoom", "u32", "guarded", "extents the block has room for"),
    row(INODE_FLAGS, "flags", "u32", "guarded", "bit 0 dead directory"),
    row(INODE_ATIME, "atime", "f64", "guarded", "ms since the epoch; validated by version"),
    row(INODE_BTIME, "btime", "f64", "guarded", "ms since the epoch; validated by version"),
    row(INODE_UID, "uid", "u32", "guarded", "validated by version"),
    row(INODE_GID, "gid", "u32", "guarded", "validated by version"),
    row(INODE_BODY, "body", "bytes", "guarded", "inline data, extents, or directory roots", INODE_WORDS - INODE_BODY),
  ],
};

/** Extent word: where in the file it begins, in 64-byte units. */
export const EXTENT_FILE = 0;
/** Extent word: ref of its first byte; a multiple of four granules. */
export const EXTENT_REF = 1;
/** Extent word: its length in 64-byte units. */
export const EXTENT_UNITS = 2;
/** Words of an extent. */
export const EXTENT_WORDS = 3;
/** Bytes of an extent's unit. */
export const EXTENT_UNIT_BYTES = 64;
/** Largest file: 2^32 units. */
export const MAXIMUM_FILE_BYTES = 2 ** 38;

/** An extent. */
export const EXTENT: Structure = {
  name: "extent",
  bytes: EXTENT_WORDS * 4,
  doc:
    "A run of a file's bytes. Extents are sorted by file position and do not overlap; what none covers reads as zeros.",
  rows: [
    row(EXTENT_FILE, "file", "u32", "guarded", "position in the file, in 64-byte units"),
    row(EXTENT_REF, "ref", "ref", "guarded", "first byte, 64-byte aligned"),
    row(EXTENT_UNITS, "units", "u32", "guarded", "length in 64-byte units"),
  ],
};

/** Chunk word: ref of the next older chunk. */
export const CHUNK_NEXT = 0;
/** Chunk word: number of inodes in the chunk. */
export const CHUNK_COUNT = 1;
/** Words before the first inode: the chunk's own line pair, so that inodes stay aligned to 128 bytes. */
export const CHUNK_HEADER_WORDS = 32;
/** Inodes in a chunk. */
export const CHUNK_INODES = 63;

/** A chunk of inodes. */
export const CHUNK: Structure = {
  name: "inodeChunk",
  bytes: (CHUNK_HEADER_WORDS + CHUNK_INODES * INODE_WORDS) * 4,
  doc: "A block of inodes, aligned to 128 bytes, never given back.",
  rows: [
    row(CHUNK_NEXT, "next", "ref", "const", "next older chunk of the shard"),
    row(CHUNK_COUNT, "count", "u32", "const", "inodes in the chunk"),
  ],
};

/** Ledger word: ref of the agent's next ledger block. */
export const LEDGER_NEXT = 0;
/** First entry of a ledger block. */
export const LEDGER_ENTRIES = 2;
/** Entries of a ledger block. */
export const LEDGER_COUNT = 60;
/** Words of a ledger block. */
export const LEDGER_WORDS = LEDGER_ENTRIES + LEDGER_COUNT;
/** Bit of a ledger entry whose open count is not yet, or no longer, certain. */
export const LEDGER_PENDING = 0x4000_0000;

/** A block of an agent's ledger of open files. */
export const LEDGER: Structure = {
  name: "ledger",
  bytes: LEDGER_WORDS * 4,
  doc: "Which inodes an agent has open, by descriptor; written before the inode's open count changes.",
  rows: [
    row(LEDGER_NEXT, "next", "ref", "owner", "next block"),
    row(
      LEDGER_ENTRIES,
      "entries",
      "ref",
      "owner",
      "inode of each descriptor, or 0; bit 30: in transition",
      LEDGER_COUNT,
    ),
  ],
};
