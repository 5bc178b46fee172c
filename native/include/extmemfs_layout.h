/* What C has to know of a pool. Generated from src/layout by tools/generate_header.ts (`deno task build`). Do not
 * edit. */
#ifndef EXTMEMFS_LAYOUT_H
#define EXTMEMFS_LAYOUT_H

/* Version of the library. */
#define EXTMEMFS_VERSION "0.1.0"
/* Its first number. */
#define EXTMEMFS_VERSION_MAJOR 0
/* Its second number. */
#define EXTMEMFS_VERSION_MINOR 1
/* Its third number. */
#define EXTMEMFS_VERSION_PATCH 0
/* Version of the format, in the superblock. */
#define EXTMEMFS_FORMAT_VERSION 1
/* First magic word of the superblock. */
#define EXTMEMFS_MAGIC_0 0x4d747845u
/* Second magic word of the superblock. */
#define EXTMEMFS_MAGIC_1 0x53466d65u
/* SHA-256 over the rows, as the superblock has it: an initializer of uint32_t[8]. */
#define EXTMEMFS_COMPATIBILITY_HASH {0xd6b78d7au, 0x203489aeu, 0xcc2bec0fu, 0x371bf349u, 0xbf726c23u, 0x73f9ff32u, 0xffb6fb15u, 0x1a3242e5u}
/* Bytes of a page of WebAssembly: the unit in which a pool grows. */
#define EXTMEMFS_PAGE_BYTES 65536
/* Bytes of a granule: a ref times this is an address. */
#define EXTMEMFS_GRANULE_BYTES 16
/* Bytes of a cache line: what two threads write at once should not share one. */
#define EXTMEMFS_LINE_BYTES 64
/* Bytes of the largest pool. */
#define EXTMEMFS_POOL_BYTES_MAXIMUM 17179869184LL
/* The largest alignment that the allocator gives. */
#define EXTMEMFS_ALIGNMENT_MAXIMUM 4096
/* Bytes of a mutex. All locks: at a multiple of 8, best on lines of their own. */
#define EXTMEMFS_MUTEX_BYTES 8
/* Bytes of a read-write lock. */
#define EXTMEMFS_RWLOCK_BYTES 256
/* Bytes of a condition. */
#define EXTMEMFS_CONDITION_BYTES 8
/* Bytes of an event. */
#define EXTMEMFS_EVENT_BYTES 8
/* What the address of a lock is a multiple of. */
#define EXTMEMFS_LOCK_ALIGNMENT 8

/* The structures of the format: offsets in bytes from a structure's beginning; numbers are little-endian, a ref is
 * an address divided by EXTMEMFS_GRANULE_BYTES; ..._WORDS where a field has more than one word (f64: two).
 * docs/format.md says the same in tables. This is for looking: what changes a pool are the functions of extmemfs.h,
 * under the locks that the rows name. */

/* superblock. At address 0. The agent table follows it, then the heap's header. */
#define EXTMEMFS_SUPERBLOCK_BYTES 5120
/* bytes, const: "ExtMemFS" */
#define EXTMEMFS_SUPERBLOCK_MAGIC_OFFSET 0
#define EXTMEMFS_SUPERBLOCK_MAGIC_WORDS 2
/* u32, const: version of this format */
#define EXTMEMFS_SUPERBLOCK_FORMAT_VERSION_OFFSET 8
/* u32, atomic: bit 0 filesystem formatted, bit 1 64-bit addresses */
#define EXTMEMFS_SUPERBLOCK_FEATURES_OFFSET 12
/* bytes, const: SHA-256 over the rows of the layout */
#define EXTMEMFS_SUPERBLOCK_COMPATIBILITY_OFFSET 16
#define EXTMEMFS_SUPERBLOCK_COMPATIBILITY_WORDS 8
/* u32, const: random seed of the name hash */
#define EXTMEMFS_SUPERBLOCK_HASH_SEED_OFFSET 48
/* u32, const: largest size in 64 KiB pages */
#define EXTMEMFS_SUPERBLOCK_MAXIMUM_PAGES_OFFSET 52
/* u32, atomic: 1 once formatting is complete; stored last */
#define EXTMEMFS_SUPERBLOCK_READY_OFFSET 56
/* ref, const: inode of the root directory */
#define EXTMEMFS_SUPERBLOCK_ROOT_OFFSET 60
/* u32, atomic: current size in pages; stored after growth, before any ref beyond the old size */
#define EXTMEMFS_SUPERBLOCK_PAGES_OFFSET 64
/* u32, guarded: 1 once there has been a file lock; stored under a chain's lock, read without one before a close */
#define EXTMEMFS_SUPERBLOCK_FILE_LOCKS_USED_OFFSET 68
/* u32, atomic: held while a directory moves between parents */
#define EXTMEMFS_SUPERBLOCK_RENAME_LOCK_OFFSET 128
#define EXTMEMFS_SUPERBLOCK_RENAME_LOCK_WORDS 2
/* u32, atomic: held while a circle of waiting file locks is looked for */
#define EXTMEMFS_SUPERBLOCK_DEADLOCK_LOCK_OFFSET 192
#define EXTMEMFS_SUPERBLOCK_DEADLOCK_LOCK_WORDS 2
/* u32, guarded: eight inode shards, each a line */
#define EXTMEMFS_SUPERBLOCK_SHARDS_OFFSET 256
#define EXTMEMFS_SUPERBLOCK_SHARDS_WORDS 128
/* u32, guarded: 64 chains of file locks, each a line */
#define EXTMEMFS_SUPERBLOCK_FILE_LOCKS_OFFSET 1024
#define EXTMEMFS_SUPERBLOCK_FILE_LOCKS_WORDS 1024

/* agentTable. Header of the table of agents; `capacity` slots follow it. */
#define EXTMEMFS_AGENT_TABLE_BYTES 128
/* u32, atomic: lock over taking and giving back slots */
#define EXTMEMFS_AGENT_TABLE_LOCK_OFFSET 0
#define EXTMEMFS_AGENT_TABLE_LOCK_WORDS 2
/* u32, const: number of slots */
#define EXTMEMFS_AGENT_TABLE_CAPACITY_OFFSET 8
/* u32, atomic: slots below this index have been used; only grows */
#define EXTMEMFS_AGENT_TABLE_HIGH_OFFSET 64
/* u32, atomic: owner word of the agent that stops all mutation, or 0 */
#define EXTMEMFS_AGENT_TABLE_FREEZE_OFFSET 68
/* u32, atomic: number of thaws; parked on by agents that wait for one */
#define EXTMEMFS_AGENT_TABLE_THAWS_OFFSET 72

/* agentSlot. What one attached agent is, holds and is doing. Lines that its owner writes often stand apart from
 * lines that others scan. */
#define EXTMEMFS_AGENT_SLOT_BYTES 512
/* u32, atomic: bits 0-1 free, live or retired; bits 2-31 generation */
#define EXTMEMFS_AGENT_SLOT_STATE_OFFSET 0
/* ref, owner: first block of the ledger of open files, or 0 */
#define EXTMEMFS_AGENT_SLOT_LEDGER_OFFSET 4
/* ref, owner: scratch block for paths and small copies, or 0 */
#define EXTMEMFS_AGENT_SLOT_SCRATCH_OFFSET 8
/* u32, owner: bit 0: attached read-only */
#define EXTMEMFS_AGENT_SLOT_FLAGS_OFFSET 12
/* f64, owner: milliseconds since the epoch */
#define EXTMEMFS_AGENT_SLOT_ATTACHED_AT_OFFSET 16
/* u32, owner: acquisitions that met contention, by all agents that had the slot */
#define EXTMEMFS_AGENT_SLOT_LOCK_WAITS_OFFSET 24
/* u32, owner: times an agent in the slot parked */
#define EXTMEMFS_AGENT_SLOT_PARKS_OFFSET 28
/* f64, owner: milliseconds that agents in the slot waited for locks */
#define EXTMEMFS_AGENT_SLOT_WAITED_MS_OFFSET 32
/* u32, atomic: lock held by the agent through an operation of several steps */
#define EXTMEMFS_AGENT_SLOT_OPERATION_OFFSET 40
#define EXTMEMFS_AGENT_SLOT_OPERATION_WORDS 2
/* ref, owner: process of a WebAssembly program that the agent keeps, or 0 */
#define EXTMEMFS_AGENT_SLOT_PROCESS_OFFSET 48
/* u32, atomic: word index of each lock held shared, or 0; scanned by writers */
#define EXTMEMFS_AGENT_SLOT_PINS_OFFSET 64
#define EXTMEMFS_AGENT_SLOT_PINS_WORDS 16
/* u32, owner: word index of each lock held, or about to be taken, exclusively; stored before the acquiring
 * compare-exchange; the first 24 for the pool's own locks, outermost first */
#define EXTMEMFS_AGENT_SLOT_HELD_OFFSET 128
#define EXTMEMFS_AGENT_SLOT_HELD_WORDS 64
/* u32, owner: operation in progress and its operands; operation 0 is none */
#define EXTMEMFS_AGENT_SLOT_INTENT_OFFSET 384
#define EXTMEMFS_AGENT_SLOT_INTENT_WORDS 16

/* lock. A mutex or read-write lock: two words, never shared with another lock's 64-byte line. */
#define EXTMEMFS_LOCK_BYTES 8
/* u32, atomic: bit 0 PARKED, bit 1 READERS, bit 2 RESERVED, bit 3 DRAINING, bits 5-15 owner's slot + 1, bits 16-31
 * owner's generation */
#define EXTMEMFS_LOCK_STATE_OFFSET 0
/* u32, atomic: bits 0-10 slot + 1 of the waiter, bits 11-31 deadline in ms modulo 2^21; means nothing unless
 * RESERVED */
#define EXTMEMFS_LOCK_RESERVATION_OFFSET 4

/* shard. Free inodes and directory indexes; agents are spread over the shards by slot. */
#define EXTMEMFS_SHARD_BYTES 64
/* u32, atomic: guards the shard */
#define EXTMEMFS_SHARD_LOCK_OFFSET 0
#define EXTMEMFS_SHARD_LOCK_WORDS 2
/* ref, guarded: first free inode, linked through its body */
#define EXTMEMFS_SHARD_FREE_OFFSET 8
/* u32, guarded: number of free inodes */
#define EXTMEMFS_SHARD_FREE_COUNT_OFFSET 12
/* ref, guarded: newest chunk of inodes; chunks are never given back */
#define EXTMEMFS_SHARD_CHUNKS_OFFSET 16
/* ref, guarded: first free directory index */
#define EXTMEMFS_SHARD_INDEX_FREE_OFFSET 20
/* ref, guarded: newest directory index of all; never given back */
#define EXTMEMFS_SHARD_INDEXES_OFFSET 24

/* inodeChunk. A block of inodes, aligned to 128 bytes, never given back. */
#define EXTMEMFS_INODE_CHUNK_BYTES 8192
/* ref, const: next older chunk of the shard */
#define EXTMEMFS_INODE_CHUNK_NEXT_OFFSET 0
/* u32, const: inodes in the chunk */
#define EXTMEMFS_INODE_CHUNK_COUNT_OFFSET 4

/* inode. A file, directory or symbolic link. Type-stable: its block is never used for anything else. */
#define EXTMEMFS_INODE_BYTES 128
/* u32, atomic: guards the inode; a small directory's entries too */
#define EXTMEMFS_INODE_LOCK_OFFSET 0
#define EXTMEMFS_INODE_LOCK_WORDS 2
/* u32, atomic: odd while guarded metadata changes; validates unlocked reads */
#define EXTMEMFS_INODE_VERSION_OFFSET 8
/* u32, atomic: bits 0-19 open files in all agents, bits 20-31 generation */
#define EXTMEMFS_INODE_OPENS_OFFSET 12
/* u32, guarded: st_mode; validated by version */
#define EXTMEMFS_INODE_MODE_OFFSET 16
/* u32, guarded: names; validated by version */
#define EXTMEMFS_INODE_NLINK_OFFSET 20
/* f64, guarded: bytes; validated by version */
#define EXTMEMFS_INODE_SIZE_OFFSET 24
/* f64, guarded: ms since the epoch; validated by version */
#define EXTMEMFS_INODE_MTIME_OFFSET 32
/* f64, guarded: ms since the epoch; validated by version */
#define EXTMEMFS_INODE_CTIME_OFFSET 40
/* u32, guarded: extents; 0 means inline data if size > 0 */
#define EXTMEMFS_INODE_EXTENT_COUNT_OFFSET 48
/* ref, guarded: block of extents, or 0 */
#define EXTMEMFS_INODE_EXTENT_BLOCK_OFFSET 52
/* u32, guarded: extents the block has room for */
#define EXTMEMFS_INODE_EXTENT_ROOM_OFFSET 56
/* u32, guarded: bit 0 dead directory */
#define EXTMEMFS_INODE_FLAGS_OFFSET 60
/* f64, guarded: ms since the epoch; validated by version */
#define EXTMEMFS_INODE_ATIME_OFFSET 64
/* f64, guarded: ms since the epoch; validated by version */
#define EXTMEMFS_INODE_BTIME_OFFSET 72
/* u32, guarded: validated by version */
#define EXTMEMFS_INODE_UID_OFFSET 80
/* u32, guarded: validated by version */
#define EXTMEMFS_INODE_GID_OFFSET 84
/* bytes, guarded: inline data, extents, or directory roots */
#define EXTMEMFS_INODE_BODY_OFFSET 88
#define EXTMEMFS_INODE_BODY_WORDS 10

/* extent. A run of a file's bytes. Extents are sorted by file position and do not overlap; what none covers reads as
 * zeros. */
#define EXTMEMFS_EXTENT_BYTES 12
/* u32, guarded: position in the file, in 64-byte units */
#define EXTMEMFS_EXTENT_FILE_OFFSET 0
/* ref, guarded: first byte, 64-byte aligned */
#define EXTMEMFS_EXTENT_REF_OFFSET 4
/* u32, guarded: length in 64-byte units */
#define EXTMEMFS_EXTENT_UNITS_OFFSET 8

/* ledger. Which inodes an agent has open, by descriptor; written before the inode's open count changes. */
#define EXTMEMFS_LEDGER_BYTES 248
/* ref, owner: next block */
#define EXTMEMFS_LEDGER_NEXT_OFFSET 0
/* ref, owner: inode of each descriptor, or 0; bit 30: in transition */
#define EXTMEMFS_LEDGER_ENTRIES_OFFSET 8
#define EXTMEMFS_LEDGER_ENTRIES_WORDS 60

/* bucket. Entries grow upwards behind the header, names downwards from the end. Guarded by the lock of its stripe
 * (or of a small directory's inode), validated by that lock's version. */
/* u32, guarded: entries */
#define EXTMEMFS_BUCKET_COUNT_OFFSET 0
/* u32, guarded: offset of the lowest name */
#define EXTMEMFS_BUCKET_NAMES_OFFSET 4
/* u32, guarded: size of the bucket */
#define EXTMEMFS_BUCKET_BYTES_OFFSET 8
/* u32, guarded: bits of the hash that its table slots share */
#define EXTMEMFS_BUCKET_DEPTH_OFFSET 12
/* u32, guarded: hash, inode ref, type:8 | nameBytes:8 | nameOffset:16 */
#define EXTMEMFS_BUCKET_ENTRIES_OFFSET 16
#define EXTMEMFS_BUCKET_ENTRIES_WORDS 3

/* directoryIndex. Sixteen stripes, then the first table: 256 refs of buckets (several slots may share one) or,
 * tagged, of further tables. Type-stable. */
#define EXTMEMFS_DIRECTORY_INDEX_BYTES 2112
/* u32, guarded: lock 2, version, count, subdirectories, -, mtime f64; a line each */
#define EXTMEMFS_DIRECTORY_INDEX_STRIPES_OFFSET 0
#define EXTMEMFS_DIRECTORY_INDEX_STRIPES_WORDS 256
/* ref, guarded: by the stripe of the slot's top four bits; bit 30 tags a table */
#define EXTMEMFS_DIRECTORY_INDEX_TABLE_OFFSET 1024
#define EXTMEMFS_DIRECTORY_INDEX_TABLE_WORDS 256
/* ref, const: next index of the shard */
#define EXTMEMFS_DIRECTORY_INDEX_NEXT_ALL_OFFSET 2048
/* ref, guarded: next free index, by the shard's lock */
#define EXTMEMFS_DIRECTORY_INDEX_NEXT_FREE_OFFSET 2052

/* fileLockChain. File locks, held and awaited, of the inodes that this chain serves: word index / 32 modulo 64. */
#define EXTMEMFS_FILE_LOCK_CHAIN_BYTES 64
/* u32, atomic: guards the chain and its blocks */
#define EXTMEMFS_FILE_LOCK_CHAIN_LOCK_OFFSET 0
#define EXTMEMFS_FILE_LOCK_CHAIN_LOCK_WORDS 2
/* u32, guarded: blocks in both lists; read without the lock before a close */
#define EXTMEMFS_FILE_LOCK_CHAIN_ENTRIES_OFFSET 8
/* u32, guarded: blocks in the list of those that wait */
#define EXTMEMFS_FILE_LOCK_CHAIN_WAITING_OFFSET 12
/* u32, guarded: changes that may let a waiter go on; parked on without the lock */
#define EXTMEMFS_FILE_LOCK_CHAIN_CHANGES_OFFSET 16
/* ref, guarded: first lock that is held */
#define EXTMEMFS_FILE_LOCK_CHAIN_HELD_OFFSET 20
/* ref, guarded: first request that waits */
#define EXTMEMFS_FILE_LOCK_CHAIN_WAITERS_OFFSET 24
/* ref, guarded: request that has waited too long, which others let go first, or 0 */
#define EXTMEMFS_FILE_LOCK_CHAIN_TURN_OFFSET 28
/* u32, guarded: until when, in ms of the wall clock modulo 2^32 */
#define EXTMEMFS_FILE_LOCK_CHAIN_TURN_UNTIL_OFFSET 32

/* fileLock. A lock on a range of a file that is held, or a request for one that waits. */
#define EXTMEMFS_FILE_LOCK_BYTES 48
/* ref, guarded: next of the chain's list */
#define EXTMEMFS_FILE_LOCK_NEXT_OFFSET 0
/* ref, guarded: the file */
#define EXTMEMFS_FILE_LOCK_INODE_OFFSET 4
/* u32, guarded: owner word of the agent that it belongs to */
#define EXTMEMFS_FILE_LOCK_AGENT_OFFSET 8
/* u32, guarded: open file description, or 0: the agent as a whole */
#define EXTMEMFS_FILE_LOCK_DESCRIPTION_OFFSET 12
/* u32, guarded: bit 0 exclusive, bit 1 whole file (flock) */
#define EXTMEMFS_FILE_LOCK_FLAGS_OFFSET 16
/* u32, guarded: owner word of the agent that waits; 0: held */
#define EXTMEMFS_FILE_LOCK_WAITER_OFFSET 20
/* f64, guarded: first byte */
#define EXTMEMFS_FILE_LOCK_START_OFFSET 24
/* f64, guarded: behind the last byte; infinity: to the end, wherever that is */
#define EXTMEMFS_FILE_LOCK_END_OFFSET 32
/* u32, guarded: which of its agent's waits this is */
#define EXTMEMFS_FILE_LOCK_WAIT_OFFSET 40

/* process. What the threads of a WebAssembly program share. Aligned to a line; found by the slot of the agent that
 * keeps it. */
#define EXTMEMFS_PROCESS_BYTES 320
/* u32, atomic: guards the descriptors and descriptions */
#define EXTMEMFS_PROCESS_LOCK_OFFSET 0
#define EXTMEMFS_PROCESS_LOCK_WORDS 2
/* u32, const: owner word of the agent that keeps the process */
#define EXTMEMFS_PROCESS_KEEPER_OFFSET 8
/* u32, atomic: permission bits that new files do not get */
#define EXTMEMFS_PROCESS_UMASK_OFFSET 12
/* ref, atomic: description of the current directory; 0: outside of the pool */
#define EXTMEMFS_PROCESS_DIRECTORY_OFFSET 16
/* ref, guarded: first free description */
#define EXTMEMFS_PROCESS_FREE_OFFSET 20
/* u32, guarded: at or below the lowest free descriptor */
#define EXTMEMFS_PROCESS_LOWEST_OFFSET 24
/* ref, guarded: newest chunk of descriptions; none is given back while the process lives */
#define EXTMEMFS_PROCESS_CHUNKS_OFFSET 28
/* ref, guarded: newest block of the ledger of open files */
#define EXTMEMFS_PROCESS_LEDGER_OFFSET 32
/* u32, guarded: serial number of the next description */
#define EXTMEMFS_PROCESS_SERIAL_OFFSET 36
/* ref, guarded: newest mapping of a file into the program's memory */
#define EXTMEMFS_PROCESS_MAPPINGS_OFFSET 40
/* ref, atomic: parts of the descriptor table, 1024 words each, that of descriptor d at (d & 63) << 4 | d >> 6 & 15:
 * 0 closed, positive a description's ref (bit 30: close on exec), -2^31 reserved, other negative -1 - a descriptor
 * of the host */
#define EXTMEMFS_PROCESS_TABLE_OFFSET 64
#define EXTMEMFS_PROCESS_TABLE_WORDS 64

/* descriptionChunk. A line, then as many descriptions as a block of the ledger has entries. Aligned to a line. */
#define EXTMEMFS_DESCRIPTION_CHUNK_BYTES 3904
/* ref, const: next older chunk of the process */
#define EXTMEMFS_DESCRIPTION_CHUNK_NEXT_OFFSET 0

/* description. An open file as the threads of a process share it: what one or more descriptors stand for.
 * Type-stable while the process lives, so that who uses a descriptor while another closes it finds a generation that
 * differs. */
#define EXTMEMFS_DESCRIPTION_BYTES 64
/* u32, atomic: guards the position */
#define EXTMEMFS_DESCRIPTION_LOCK_OFFSET 0
#define EXTMEMFS_DESCRIPTION_LOCK_WORDS 2
/* ref, atomic: the inode; stored before the generation */
#define EXTMEMFS_DESCRIPTION_INODE_OFFSET 8
/* i32, atomic: the inode's generation; -1: free */
#define EXTMEMFS_DESCRIPTION_GENERATION_OFFSET 12
/* u32, atomic: flags of open; append and non-blocking may change */
#define EXTMEMFS_DESCRIPTION_FLAGS_OFFSET 16
/* u32, guarded: descriptors that stand for it, by the process's lock */
#define EXTMEMFS_DESCRIPTION_REFERENCES_OFFSET 20
/* f64, guarded: current position */
#define EXTMEMFS_DESCRIPTION_POSITION_OFFSET 24
/* u32, atomic: which use of the description this is */
#define EXTMEMFS_DESCRIPTION_SERIAL_OFFSET 32
/* u32, const: word of its entry in the ledger */
#define EXTMEMFS_DESCRIPTION_ENTRY_OFFSET 36
/* u32, atomic: 1: made the file longer */
#define EXTMEMFS_DESCRIPTION_GREW_OFFSET 40
/* ref, guarded: next free description, by the process's lock */
#define EXTMEMFS_DESCRIPTION_NEXT_OFFSET 44

/* mapping. A file mapped into a program's memory: which description it keeps open. Guarded by the process's lock. */
#define EXTMEMFS_MAPPING_BYTES 16
/* ref, guarded: next older mapping of the process */
#define EXTMEMFS_MAPPING_NEXT_OFFSET 0
/* ref, const: the description */
#define EXTMEMFS_MAPPING_DESCRIPTION_OFFSET 4
/* f64, const: address in the program's memory */
#define EXTMEMFS_MAPPING_ADDRESS_OFFSET 8

/* arena. Free lists and counters over the heap's region (arena 0) or over segments of it. Aligned to a line. */
#define EXTMEMFS_ARENA_BYTES 3584
/* u32, atomic: guards the arena and its blocks */
#define EXTMEMFS_ARENA_LOCK_OFFSET 0
#define EXTMEMFS_ARENA_LOCK_WORDS 2
/* u32, guarded: bit per row of columns that is not 0 */
#define EXTMEMFS_ARENA_ROWS_OFFSET 64
/* u32, guarded: granules in used blocks */
#define EXTMEMFS_ARENA_LIVE_GRANULES_OFFSET 68
/* u32, guarded: used blocks */
#define EXTMEMFS_ARENA_LIVE_BLOCKS_OFFSET 72
/* u32, guarded: granules of all blocks */
#define EXTMEMFS_ARENA_GRANULES_OFFSET 76
/* ref, guarded: newest segment, or 0 */
#define EXTMEMFS_ARENA_SEGMENTS_OFFSET 80
/* u32, guarded: segments */
#define EXTMEMFS_ARENA_SEGMENT_COUNT_OFFSET 84
/* ref, guarded: first block of the free segment that is kept, or 0 */
#define EXTMEMFS_ARENA_SPARE_OFFSET 88
/* ref, guarded: arena 0: block ref of the sentinel, the high-water mark */
#define EXTMEMFS_ARENA_TOP_OFFSET 92
/* ref, guarded: arena 0: how far the sentinel may rise without growth */
#define EXTMEMFS_ARENA_END_OFFSET 96
/* u32, guarded: owner word of the agent that allocated here last; read unlocked as a hint */
#define EXTMEMFS_ARENA_USER_OFFSET 100
/* u32, guarded: agents that have left for another arena */
#define EXTMEMFS_ARENA_DEPARTURES_OFFSET 104
/* u32, guarded: bit per list of a row that is not empty */
#define EXTMEMFS_ARENA_COLUMNS_OFFSET 128
#define EXTMEMFS_ARENA_COLUMNS_WORDS 26
/* ref, guarded: first free block of each class, or 0 */
#define EXTMEMFS_ARENA_HEADS_OFFSET 256
#define EXTMEMFS_ARENA_HEADS_WORDS 832

/* block. At 8 modulo 16. The chain of sizes is authoritative; tags, flags of the block before, sizes at the end,
 * lists, bitmaps and counters derive from it. Guarded by the lock of the arena. */
/* u32, guarded: bit 0 free, bit 1 previous block free, bits 2-31 granules */
#define EXTMEMFS_BLOCK_SIZE_OFFSET 0
/* u32, guarded: 0 free; else bits 0-3 arena (15 the heap's own), bit 4 set, bits 5-31 check; read unlocked by who
 * owns the block */
#define EXTMEMFS_BLOCK_TAG_OFFSET 4
/* ref, guarded: free: next of its class, or 0; used: payload begins here */
#define EXTMEMFS_BLOCK_NEXT_OFFSET 8
/* ref, guarded: free: previous of its class, or 0 */
#define EXTMEMFS_BLOCK_PREVIOUS_OFFSET 12

/* heap. Aligned to a line; the first block follows it. */
#define EXTMEMFS_HEAP_BYTES 3648
/* u32, const: bit 0: may grow the memory */
#define EXTMEMFS_HEAP_FLAGS_OFFSET 0
/* u32, const: random, part of every tag */
#define EXTMEMFS_HEAP_SEED_OFFSET 4
/* ref, const: block ref of the first block */
#define EXTMEMFS_HEAP_FIRST_OFFSET 8
/* ref, const: block ref that the sentinel never passes */
#define EXTMEMFS_HEAP_LIMIT_OFFSET 12
/* u32, atomic: arenas; only grows, under arena 0's lock */
#define EXTMEMFS_HEAP_ARENA_COUNT_OFFSET 16
/* ref, atomic: the arenas; each stored once, before the count */
#define EXTMEMFS_HEAP_ARENAS_OFFSET 32
#define EXTMEMFS_HEAP_ARENAS_WORDS 8
/* bytes, guarded: arena 0 */
#define EXTMEMFS_HEAP_ARENA0_OFFSET 64
#define EXTMEMFS_HEAP_ARENA0_WORDS 896

/* moveIntent. In the agent's slot while it moves a block down. No copy is longer than the distance, so that the
 * source of an unfinished one is whole. */
#define EXTMEMFS_MOVE_INTENT_BYTES 20
/* u32, owner: 0x100; stored after the operands */
#define EXTMEMFS_MOVE_INTENT_OPERATION_OFFSET 0
/* ref, owner: block ref of the old place */
#define EXTMEMFS_MOVE_INTENT_FROM_OFFSET 4
/* ref, owner: block ref of the new place */
#define EXTMEMFS_MOVE_INTENT_TO_OFFSET 8
/* u32, owner: payload to move, in units of 8 bytes */
#define EXTMEMFS_MOVE_INTENT_UNITS_OFFSET 12
/* u32, owner: units moved */
#define EXTMEMFS_MOVE_INTENT_DONE_OFFSET 16

/* region. What a region of a shared memory begins with when an allocator has it for itself; the agent table follows,
 * then the heap. */
#define EXTMEMFS_REGION_BYTES 64
/* bytes, const: "ExtMHeap" */
#define EXTMEMFS_REGION_MAGIC_OFFSET 0
#define EXTMEMFS_REGION_MAGIC_WORDS 2
/* u32, const: version of this format */
#define EXTMEMFS_REGION_FORMAT_VERSION_OFFSET 8
/* u32, const: size of the region */
#define EXTMEMFS_REGION_GRANULES_OFFSET 12
/* bytes, const: SHA-256 over the rows of the layout */
#define EXTMEMFS_REGION_COMPATIBILITY_OFFSET 16
#define EXTMEMFS_REGION_COMPATIBILITY_WORDS 8
/* u32, const: the least size of the memory in 64 KiB pages */
#define EXTMEMFS_REGION_PAGES_OFFSET 48
/* u32, atomic: 1 once formatting is complete; stored last */
#define EXTMEMFS_REGION_READY_OFFSET 52

/* segment. The payload of a block of arena 0, lent to another arena: this header, blocks, a sentinel. Guarded by the
 * latter. */
/* ref, guarded: next older segment, or 0 */
#define EXTMEMFS_SEGMENT_NEXT_OFFSET 0
/* ref, guarded: next newer segment, or 0 */
#define EXTMEMFS_SEGMENT_PREVIOUS_OFFSET 4
/* u32, const: the arena */
#define EXTMEMFS_SEGMENT_ARENA_OFFSET 8
/* u32, guarded: granules of its blocks */
#define EXTMEMFS_SEGMENT_GRANULES_OFFSET 12

#endif
