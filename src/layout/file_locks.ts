/**
 * File locks: 64 chains in the superblock, found by the inode, and the blocks in them. Imports `rows.ts`.
 *
 * @module
 */
import { row, type Structure } from "./rows.ts";

/** Number of chains. */
export const CHAIN_COUNT = 64;
/** Words of a chain: a line of its own. */
export const CHAIN_WORDS = 16;

/** Chain word: lock over the chain. */
export const CHAIN_LOCK = 0;
/** Chain word: number of blocks in both lists; 0 tells who closes a file that there is nothing to release. */
export const CHAIN_ENTRIES = 2;
/** Chain word: number of blocks in the list of those that wait. */
export const CHAIN_WAITING = 3;
/** Chain word: counts changes that may let one go on that waits; those park on it. */
export const CHAIN_CHANGES = 4;
/** Chain word: ref of the first lock that is held. */
export const CHAIN_HELD = 5;
/** Chain word: ref of the first request that waits. */
export const CHAIN_WAITERS = 6;
/** Chain word: ref of the request that others let go first, or 0. */
export const CHAIN_TURN = 7;
/** Chain word: until when they do, in milliseconds of the wall clock modulo 2^32. */
export const CHAIN_TURN_UNTIL = 8;

/** A chain of file locks. */
export const FILE_LOCK_CHAIN: Structure = {
  name: "fileLockChain",
  bytes: CHAIN_WORDS * 4,
  doc: "File locks, held and awaited, of the inodes that this chain serves: word index / 32 modulo 64.",
  rows: [
    row(CHAIN_LOCK, "lock", "u32", "atomic", "guards the chain and its blocks", 2),
    row(CHAIN_ENTRIES, "entries", "u32", "guarded", "blocks in both lists; read without the lock before a close"),
    row(CHAIN_WAITING, "waiting", "u32", "guarded", "blocks in the list of those that wait"),
    row(CHAIN_CHANGES, "changes", "u32", "guarded", "changes that may let a waiter go on; parked on without the lock"),
    row(CHAIN_HELD, "held", "ref", "guarded", "first lock that is held"),
    row(CHAIN_WAITERS, "waiters", "ref", "guarded", "first request that waits"),
    row(CHAIN_TURN, "turn", "ref", "guarded", "request that has waited too long, which others let go first, or 0"),
    row(CHAIN_TURN_UNTIL, "turnUntil", "u32", "guarded", "until when, in ms of the wall clock modulo 2^32"),
  ],
};

/** File lock word: ref of the next block of its list. */
export const FILE_LOCK_NEXT = 0;
/** File lock word: ref of the inode. */
export const FILE_LOCK_INODE = 1;
/** File lock word: owner word of the agent that it belongs to. */
export const FILE_LOCK_AGENT = 2;
/** File lock word: serial number of the open file description that it belongs to, or 0: to the agent as a whole. */
export const FILE_LOCK_DESCRIPTION = 3;
/** File lock word: kind and space, see {@linkcode FILE_LOCK_FLAG_EXCLUSIVE}. */
export const FILE_LOCK_FLAGS = 4;
/** File lock word, of a request that waits: owner word of the agent that waits. */
export const FILE_LOCK_WAITER = 5;
/** File lock words: first byte. */
export const FILE_LOCK_START = 6;
/** File lock words: behind the last byte, or infinity. */
export const FILE_LOCK_END = 8;
/** File lock word, of a request that waits: number of the wait among those of its agent. */
export const FILE_LOCK_WAIT = 10;
/** Words of a file lock. */
export const FILE_LOCK_WORDS = 12;

/** Flag: held by one owner alone. */
export const FILE_LOCK_FLAG_EXCLUSIVE = 1;
/** Flag: a lock on the whole file as of `flock`, which meets only its like. */
export const FILE_LOCK_FLAG_WHOLE = 2;

/** A file lock. */
export const FILE_LOCK: Structure = {
  name: "fileLock",
  bytes: FILE_LOCK_WORDS * 4,
  doc: "A lock on a range of a file that is held, or a request for one that waits.",
  rows: [
    row(FILE_LOCK_NEXT, "next", "ref", "guarded", "next of the chain's list"),
    row(FILE_LOCK_INODE, "inode", "ref", "guarded", "the file"),
    row(FILE_LOCK_AGENT, "agent", "u32", "guarded", "owner word of the agent that it belongs to"),
    row(FILE_LOCK_DESCRIPTION, "description", "u32", "guarded", "open file description, or 0: the agent as a whole"),
    row(FILE_LOCK_FLAGS, "flags", "u32", "guarded", "bit 0 exclusive, bit 1 whole file (flock)"),
    row(FILE_LOCK_WAITER, "waiter", "u32", "guarded", "owner word of the agent that waits; 0: held"),
    row(FILE_LOCK_START, "start", "f64", "guarded", "first byte"),
    row(FILE_LOCK_END, "end", "f64", "guarded", "behind the last byte; infinity: to the end, wherever that is"),
    row(FILE_LOCK_WAIT, "wait", "u32", "guarded", "which of its agent's waits this is"),
  ],
};
