/**
 * Counting what a pool holds.
 *
 * @module
 */
import { heapStats } from "../alloc/heap_inspect.ts";
import {
  SLOT_LIVE,
  SLOT_LOCK_WAITS,
  SLOT_PARKS,
  SLOT_STATE,
  SLOT_STATE_MASK,
  SLOT_WAITED_MS,
  TABLE_HIGH,
} from "../layout/agent_table.ts";
import { CHAIN_COUNT, CHAIN_ENTRIES, CHAIN_WAITING } from "../layout/file_locks.ts";
import {
  CHUNK_COUNT,
  CHUNK_HEADER_WORDS,
  CHUNK_NEXT,
  INODE_EXTENT_COUNT,
  INODE_MODE,
  INODE_NLINK,
  INODE_OPENS,
  INODE_SIZE,
  INODE_WORDS,
  OPENS_COUNT,
} from "../layout/inode.ts";
import {
  MAGIC_0,
  SHARD_CHUNKS,
  SHARD_COUNT,
  SUPER_MAXIMUM_PAGES,
  SUPER_PAGES,
  SUPER_WORDS,
} from "../layout/superblock.ts";
import { GRANULE_WORDS, PAGE_BYTES } from "../layout/units.ts";
import { ErrnoError } from "../memory/errors.ts";
import { allocatedBytes } from "../store/extents.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, shardWordOf } from "../store/inodes.ts";
import { slotWordOf } from "../sync/agent.ts";
import type { Context } from "./context.ts";
import { chainWordAt } from "./file_lock_table.ts";

/** Counts by kind, and where the memory is. */
export interface FileSystemStats {
  /** Regular files, those without a name that are open included. */
  readonly files: number;
  /** Directories. */
  readonly directories: number;
  /** Symbolic links. */
  readonly symlinks: number;
  /** Files that have no name any more and live until they are closed. */
  readonly orphans: number;
  /** Inodes for which there is memory, used and free. */
  readonly inodes: number;
  /** Open descriptors of all agents. */
  readonly opens: number;
  /** Attached agents. */
  readonly agents: number;
  /** Extents of all files. */
  readonly extents: number;
  /** Sum of the sizes of regular files and symbolic links, in bytes. */
  readonly contentBytes: number;
  /** Memory of their extents, in bytes. */
  readonly extentBytes: number;
  /** Payload bytes of all blocks in use. */
  readonly liveBytes: number;
  /** Bytes of the pool up to the highest block in use, fixed structures included. */
  readonly footprintBytes: number;
  /** Bytes of the memory now. */
  readonly poolBytes: number;
  /** Bytes that it may grow to. */
  readonly maximumBytes: number;
  /** Locks on files that are held; an owner's range is one. */
  readonly fileLocks: number;
  /** Contended lock acquisitions since the pool was formatted. */
  readonly lockWaits: number;
  /** How often an agent parked meanwhile. */
  readonly parks: number;
  /** How long agents waited for locks, in milliseconds, all together. */
  readonly waitedMs: number;
}

/** Sizes of the filesystem, as `statfs` tells them. */
export interface FileSystemSizes {
  /** Type of filesystem: the first magic word of the pool. */
  readonly type: number;
  /** Bytes of a block. */
  readonly bsize: number;
  /** Bytes of a fragment: a block. */
  readonly frsize: number;
  /** Blocks in all, up to the pool's maximum. */
  readonly blocks: number;
  /** Free blocks. */
  readonly bfree: number;
  /** Free blocks, for everybody. */
  readonly bavail: number;
  /** Inodes in all. */
  readonly files: number;
  /** Free inodes. */
  readonly ffree: number;
}

const BLOCK_BYTES = 4096;

/** Calls a function with the word of every inode that there is memory for. Chunks are never given back. */
export function eachInode(i32: Int32Array, visit: (inodeWord: number) => void): void {
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    for (let ref = i32[shardWordOf(shard) + SHARD_CHUNKS]!; ref !== 0;) {
      const chunk = ref * GRANULE_WORDS;
      const count = i32[chunk + CHUNK_COUNT]!;
      for (let index = 0; index < count; index++) visit(chunk + CHUNK_HEADER_WORDS + index * INODE_WORDS);
      ref = i32[chunk + CHUNK_NEXT]!;
    }
  }
}

/** Counts. */
export function survey(context: Context): FileSystemStats {
  const { memory, agent, wasm, heap } = context.store;
  memory.sync(agent.pagesWord);
  const { i32, f64 } = memory;
  let files = 0, directories = 0, symlinks = 0, orphans = 0, inodes = 0, opens = 0, extents = 0;
  let contentBytes = 0, extentBytes = 0;
  eachInode(i32, (inode) => {
    inodes++;
    const type = i32[inode + INODE_MODE]! & S_IFMT;
    if (type === 0) return;
    opens += i32[inode + INODE_OPENS]! & OPENS_COUNT;
    if (type === S_IFDIR) {
      directories++;
      return;
    }
    if (type === S_IFREG) files++;
    else if (type === S_IFLNK) symlinks++;
    if (i32[inode + INODE_NLINK] === 0) orphans++;
    contentBytes += f64[(inode + INODE_SIZE) / 2]!;
    extents += i32[inode + INODE_EXTENT_COUNT]!;
    extentBytes += allocatedBytes(i32, inode);
  });
  let agents = 0, lockWaits = 0, parks = 0, waitedMs = 0;
  const high = wasm.load(agent.tableWord + TABLE_HIGH);
  for (let slot = 0; slot < high; slot++) {
    const slotWord = slotWordOf(agent.tableWord, slot);
    if ((wasm.load(slotWord + SLOT_STATE) & SLOT_STATE_MASK) === SLOT_LIVE) agents++;
    lockWaits += i32[slotWord + SLOT_LOCK_WAITS]!;
    parks += i32[slotWord + SLOT_PARKS]!;
    waitedMs += f64[(slotWord + SLOT_WAITED_MS) / 2]!;
  }
  let fileLocks = 0;
  for (let index = 0; index < CHAIN_COUNT; index++) {
    const chain = chainWordAt(index);
    fileLocks += i32[chain + CHAIN_ENTRIES]! - i32[chain + CHAIN_WAITING]!;
  }
  const use = heapStats(agent, heap.headerWord);
  if (typeof use === "number") throw new ErrnoError(-use, "stats");
  return {
    files,
    directories,
    symlinks,
    orphans,
    inodes,
    opens,
    agents,
    extents,
    contentBytes,
    extentBytes,
    liveBytes: use.liveBytes,
    footprintBytes: use.footprintBytes + SUPER_WORDS * 4,
    poolBytes: i32[SUPER_PAGES]! * PAGE_BYTES,
    maximumBytes: i32[SUPER_MAXIMUM_PAGES]! * PAGE_BYTES,
    fileLocks,
    lockWaits,
    parks,
    waitedMs,
  };
}

/** Counts, as `statfs` tells them. */
export function surveySizes(context: Context): FileSystemSizes {
  const stats = survey(context);
  const free = Math.floor((stats.maximumBytes - stats.liveBytes) / BLOCK_BYTES);
  return {
    type: MAGIC_0,
    bsize: BLOCK_BYTES,
    frsize: BLOCK_BYTES,
    blocks: Math.floor(stats.maximumBytes / BLOCK_BYTES),
    bfree: free,
    bavail: free,
    files: stats.inodes,
    ffree: stats.inodes - stats.files - stats.directories - stats.symlinks,
  };
}
