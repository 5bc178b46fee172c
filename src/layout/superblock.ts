/**
 * The first bytes of a pool: what it is, how large it may grow, its agents, and the roots of its filesystem.
 *
 * @module
 */
import { CHAIN_COUNT, CHAIN_WORDS } from "./file_locks.ts";
import { row, type Structure } from "./rows.ts";
import { SLOT_WORDS, TABLE_HEADER_WORDS } from "./agent_table.ts";

/** First magic word, "ExtM" in memory order. */
export const MAGIC_0 = 0x4d747845;
/** Second magic word, "emFS" in memory order. */
export const MAGIC_1 = 0x5346_6d65;
/** Version of the format that this library reads and writes; separate from the library's own version. */
export const FORMAT_VERSION = 1;

/** Word of the first magic number. */
export const SUPER_MAGIC = 0;
/** Word of the format version. */
export const SUPER_VERSION = 2;
/** Word of the feature bits. */
export const SUPER_FEATURES = 3;
/** First word of the compatibility hash (SHA-256, eight words). */
export const SUPER_COMPATIBILITY = 4;
/** Word of the seed of name hashes. */
export const SUPER_HASH_SEED = 12;
/** Word of the largest size in pages. */
export const SUPER_MAXIMUM_PAGES = 13;
/** Word that says that formatting is complete. */
export const SUPER_READY = 14;
/** Word of the filesystem's root inode. */
export const SUPER_ROOT = 15;
/** Word of the current size in pages. */
export const SUPER_PAGES = 16;
/** Word that says whether file locks have ever been used; beside the size, which all read often. */
export const SUPER_FILE_LOCKS_USED = 17;
/** Lock of the pool-wide order of directory moves. */
export const SUPER_RENAME_LOCK = 32;
/** Lock over the search for a circle of waiting file locks. */
export const SUPER_DEADLOCK_LOCK = 48;
/** First word of the inode shards. */
export const SUPER_SHARDS = 64;
/** Words of a shard: a line of its own. */
export const SHARD_WORDS = 16;
/** Number of inode shards. */
export const SHARD_COUNT = 8;
/** First word of the chains of file locks. */
export const SUPER_FILE_LOCKS = 256;
/** First word of the agent table. */
export const SUPER_AGENTS = SUPER_FILE_LOCKS + CHAIN_COUNT * CHAIN_WORDS;
/** Slots of a pool's agent table. */
export const AGENT_CAPACITY = 1024;
/** First word after the superblock: the heap's header. */
export const SUPER_WORDS = SUPER_AGENTS + TABLE_HEADER_WORDS + AGENT_CAPACITY * SLOT_WORDS;

/** Feature bit: a filesystem has been formatted into the pool. */
export const FEATURE_FILESYSTEM = 1;
/** Feature bit: the pool's memory has 64-bit addresses. */
export const FEATURE_MEMORY64 = 2;
/** All feature bits that this library knows. */
export const FEATURES_KNOWN = 3;

/** Shard word: lock over the shard. */
export const SHARD_LOCK = 0;
/** Shard word: ref of the first free inode. */
export const SHARD_FREE = 2;
/** Shard word: number of free inodes. */
export const SHARD_FREE_COUNT = 3;
/** Shard word: ref of the newest chunk of inodes. */
export const SHARD_CHUNKS = 4;
/** Shard word: ref of the first free directory index. */
export const SHARD_INDEX_FREE = 5;
/** Shard word: ref of the first of all directory indexes ever made. */
export const SHARD_INDEXES = 6;

/** The superblock. */
export const SUPERBLOCK: Structure = {
  name: "superblock",
  bytes: SUPER_AGENTS * 4,
  doc: "At address 0. The agent table follows it, then the heap's header.",
  rows: [
    row(SUPER_MAGIC, "magic", "bytes", "const", '"ExtMemFS"', 2),
    row(SUPER_VERSION, "formatVersion", "u32", "const", "version of this format"),
    row(SUPER_FEATURES, "features", "u32", "atomic", "bit 0 filesystem formatted, bit 1 64-bit addresses"),
    row(SUPER_COMPATIBILITY, "compatibility", "bytes", "const", "SHA-256 over the rows of the layout", 8),
    row(SUPER_HASH_SEED, "hashSeed", "u32", "const", "random seed of the name hash"),
    row(SUPER_MAXIMUM_PAGES, "maximumPages", "u32", "const", "largest size in 64 KiB pages"),
    row(SUPER_READY, "ready", "u32", "atomic", "1 once formatting is complete; stored last"),
    row(SUPER_ROOT, "root", "ref", "const", "inode of the root directory"),
    row(
      SUPER_PAGES,
      "pages",
      "u32",
      "atomic",
      "current size in pages; stored after growth, before any ref beyond the old size",
    ),
    row(
      SUPER_FILE_LOCKS_USED,
      "fileLocksUsed",
      "u32",
      "guarded",
      "1 once there has been a file lock; stored under a chain's lock, read without one before a close",
    ),
    row(SUPER_RENAME_LOCK, "renameLock", "u32", "atomic", "held while a directory moves between parents", 2),
    row(
      SUPER_DEADLOCK_LOCK,
      "deadlockLock",
      "u32",
      "atomic",
      "held while a circle of waiting file locks is looked for",
      2,
    ),
    row(SUPER_SHARDS, "shards", "u32", "guarded", "eight inode shards, each a line", SHARD_COUNT * SHARD_WORDS),
    row(
      SUPER_FILE_LOCKS,
      "fileLocks",
      "u32",
      "guarded",
      "64 chains of file locks, each a line",
      CHAIN_COUNT * CHAIN_WORDS,
    ),
  ],
};

/** A shard of the inode table. */
export const SHARD: Structure = {
  name: "shard",
  bytes: SHARD_WORDS * 4,
  doc: "Free inodes and directory indexes; agents are spread over the shards by slot.",
  rows: [
    row(SHARD_LOCK, "lock", "u32", "atomic", "guards the shard", 2),
    row(SHARD_FREE, "free", "ref", "guarded", "first free inode, linked through its body"),
    row(SHARD_FREE_COUNT, "freeCount", "u32", "guarded", "number of free inodes"),
    row(SHARD_CHUNKS, "chunks", "ref", "guarded", "newest chunk of inodes; chunks are never given back"),
    row(SHARD_INDEX_FREE, "indexFree", "ref", "guarded", "first free directory index"),
    row(SHARD_INDEXES, "indexes", "ref", "guarded", "newest directory index of all; never given back"),
  ],
};
