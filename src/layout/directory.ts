/**
 * Directories: buckets of entries, and the index of a directory too large for one bucket.
 *
 * @module
 */
import { row, type Structure } from "./rows.ts";

/** Bucket word: number of entries. */
export const BUCKET_COUNT = 0;
/** Bucket word: byte offset of the lowest name; names fill the bucket from its end downwards. */
export const BUCKET_NAMES = 1;
/** Bucket word: bytes of the bucket. */
export const BUCKET_BYTES = 2;
/** Bucket word: how many bits of the hash, within its table, all its entries share. */
export const BUCKET_DEPTH = 3;
/** First entry of a bucket. */
export const BUCKET_ENTRIES = 4;
/** Entry word: hash of the name. */
export const ENTRY_HASH = 0;
/** Entry word: ref of the inode. */
export const ENTRY_INODE = 1;
/** Entry word: `type:8 | nameBytes:8 | nameOffset:16`. */
export const ENTRY_NAME = 2;
/** Words of an entry. */
export const ENTRY_WORDS = 3;
/** Sizes of buckets in bytes; with the allocator's header each is a whole number of lines. */
export const BUCKET_SIZES: readonly number[] = [56, 120, 248, 504, 1016];
/** A bucket grows past the largest size only when all bits of its entries' hashes agree; never beyond this. */
export const BUCKET_LIMIT = 65528;

/** A bucket of directory entries. */
export const BUCKET: Structure = {
  name: "bucket",
  bytes: 0,
  doc:
    "Entries grow upwards behind the header, names downwards from the end. Guarded by the lock of its stripe (or of a small directory's inode), validated by that lock's version.",
  rows: [
    row(BUCKET_COUNT, "count", "u32", "guarded", "entries"),
    row(BUCKET_NAMES, "names", "u32", "guarded", "offset of the lowest name"),
    row(BUCKET_BYTES, "bytes", "u32", "guarded", "size of the bucket"),
    row(BUCKET_DEPTH, "depth", "u32", "guarded", "bits of the hash that its table slots share"),
    row(BUCKET_ENTRIES, "entries", "u32", "guarded", "hash, inode ref, type:8 | nameBytes:8 | nameOffset:16", 3),
  ],
};

/** Stripe words: lock of the stripe. */
export const STRIPE_LOCK = 0;
/** Stripe word: seqlock version, never reset. */
export const STRIPE_VERSION = 2;
/** Stripe word: entries in the stripe. */
export const STRIPE_COUNT = 3;
/** Stripe word: subdirectories among them. */
export const STRIPE_SUBDIRS = 4;
/** Stripe words: when an entry last changed. */
export const STRIPE_MTIME = 6;
/** Words of a stripe: a line. */
export const STRIPE_WORDS = 16;
/** Stripes of an index; the top four bits of the hash choose one. */
export const STRIPE_COUNT_PER_INDEX = 16;
/** Shift of the hash that gives its stripe. */
export const STRIPE_SHIFT = 28;

/** First word of an index's table. */
export const INDEX_TABLE = STRIPE_WORDS * STRIPE_COUNT_PER_INDEX;
/** Slots of a table; each level consumes eight bits of the hash, the highest first. */
export const TABLE_SLOTS = 256;
/** Index word: ref of the next index in the list of all indexes of a shard (behind the table). */
export const INDEX_NEXT_ALL = INDEX_TABLE + TABLE_SLOTS;
/** Index word: ref of the next free index. */
export const INDEX_NEXT_FREE = INDEX_NEXT_ALL + 1;
/** Words of an index. */
export const INDEX_WORDS = INDEX_NEXT_ALL + 16;
/** Tag of a table slot that refers to a further table rather than to a bucket. */
export const SLOT_IS_TABLE = 0x4000_0000;

/** The index of a large directory. */
export const INDEX: Structure = {
  name: "directoryIndex",
  bytes: INDEX_WORDS * 4,
  doc:
    "Sixteen stripes, then the first table: 256 refs of buckets (several slots may share one) or, tagged, of further tables. Type-stable.",
  rows: [
    row(
      0,
      "stripes",
      "u32",
      "guarded",
      "lock 2, version, count, subdirectories, -, mtime f64; a line each",
      INDEX_TABLE,
    ),
    row(
      INDEX_TABLE,
      "table",
      "ref",
      "guarded",
      "by the stripe of the slot's top four bits; bit 30 tags a table",
      TABLE_SLOTS,
    ),
    row(INDEX_NEXT_ALL, "nextAll", "ref", "const", "next index of the shard"),
    row(INDEX_NEXT_FREE, "nextFree", "ref", "guarded", "next free index, by the shard's lock"),
  ],
};
