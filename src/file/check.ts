/**
 * Proving a pool: heap, inodes, extents, directories, open counts, the tree. Under a freeze, so that what is seen is one
 * state; only descriptors open and close meanwhile, which their counts are checked with patience for.
 *
 * What must hold:
 *
 *     every directory entry leads to an inode in use, of the entry's type, and to each directory exactly one does
 *     nlink of a file = entries that name it; nlink of a directory = 2 + its subdirectories
 *     opens of an inode = ledger entries of live agents that name it; those in transition may count or not
 *     inodes in use = reachable from the root, or open; free inodes = those in the shards' lists
 *     file locks as file_lock_table.ts says, each on an open file, of an agent that is attached
 *     blocks in use = superblock's own + chunks + extents + extent lists + buckets + tables + indexes + ledgers + scratches
 *
 * @module
 */
import { checkHeap, walkHeap } from "../alloc/heap_inspect.ts";
import {
  SLOT_LEDGER,
  SLOT_LIVE,
  SLOT_PROCESS,
  SLOT_SCRATCH,
  SLOT_STATE,
  SLOT_STATE_MASK,
  TABLE_HIGH,
} from "../layout/agent_table.ts";
import {
  BUCKET_DEPTH,
  INDEX_NEXT_ALL,
  INDEX_NEXT_FREE,
  INDEX_TABLE,
  SLOT_IS_TABLE,
  STRIPE_COUNT,
  STRIPE_COUNT_PER_INDEX,
  STRIPE_SUBDIRS,
  STRIPE_WORDS,
  TABLE_SLOTS,
} from "../layout/directory.ts";
import {
  CHUNK_NEXT,
  DIR_BUCKET,
  DIR_COUNT,
  DIR_INDEX,
  DIR_PARENT,
  INODE_BODY,
  INODE_MODE,
  INODE_NLINK,
  INODE_OPENS,
  INODE_VERSION,
  LEDGER_COUNT,
  LEDGER_ENTRIES,
  LEDGER_NEXT,
  LEDGER_PENDING,
  OPENS_COUNT,
} from "../layout/inode.ts";
import { PROCESS_KEEPER, PROCESS_LEDGER } from "../layout/process.ts";
import {
  SHARD_CHUNKS,
  SHARD_COUNT,
  SHARD_FREE,
  SHARD_FREE_COUNT,
  SHARD_INDEX_FREE,
  SHARD_INDEXES,
} from "../layout/superblock.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../layout/units.ts";
import type { Violation } from "../memory/errors.ts";
import { inspectBucket } from "../names/inspect_bucket.ts";
import { S_IFDIR, S_IFMT, shardWordOf } from "../store/inodes.ts";
import { inspectFile } from "../store/inspect_file.ts";
import { ownerOf, slotWordOf } from "../sync/agent.ts";
import { freeze, thaw } from "../sync/raw_freeze.ts";
import type { Context } from "./context.ts";
import { inspectFileLocks } from "./file_lock_check.ts";
import { eachProcessBlock } from "./process_blocks.ts";
import { eachInode } from "./survey.ts";

/** How long a check waits for others to finish what they are in. */
const FREEZE_TIMEOUT_MS = 10_000;
/** How many times open counts are compared again before a difference is believed. */
const OPEN_TRIES = 20;

/** Checks a pool. Returns what is wrong, an empty list when all is well. */
export function check(context: Context): Violation[] {
  const { store } = context;
  const frozen = freeze(store.agent, FREEZE_TIMEOUT_MS);
  if (frozen !== 0) {
    return [{ where: "pool", what: `could not be frozen (errno ${-frozen}): an agent does not finish what it is in` }];
  }
  try {
    store.memory.sync(store.agent.pagesWord);
    return new Check(context).run();
  } finally {
    thaw(store.agent);
  }
}

/** How often ledgers have an inode. */
interface LedgerCount {
  /** Entries that are counted in the inode. */
  readonly entries: number;
  /** Entries in transition. */
  readonly pending: number;
}

const NOT_OPEN: LedgerCount = { entries: 0, pending: 0 };

class Check {
  readonly #context: Context;
  readonly #i32: Int32Array;
  readonly #violations: Violation[] = [];
  /** Payload addresses that something refers to, and what does. */
  readonly #blocks = new Map<number, string>();
  /** Names that lead to each inode in use. */
  readonly #names = new Map<number, number>();
  readonly #freeInodes = new Set<number>();

  constructor(context: Context) {
    this.#context = context;
    this.#i32 = context.store.memory.i32;
  }

  #report(where: string, what: string): void {
    if (this.#violations.length < 100) this.#violations.push({ where, what });
  }

  #claim(ref: number, what: string): void {
    const addr = ref * GRANULE_BYTES;
    const other = this.#blocks.get(addr);
    if (other !== undefined) this.#report(what, `shares the block at ${addr} with ${other}`);
    this.#blocks.set(addr, what);
  }

  run(): Violation[] {
    const { store } = this.#context;
    const heap = checkHeap(store.agent, store.heap.headerWord);
    if (typeof heap === "number") return [{ where: "heap", what: `could not be locked (errno ${-heap})` }];
    this.#violations.push(...heap);
    if (heap.length > 0) return this.#violations;
    this.#checkShards();
    this.#walkTree();
    eachInode(this.#i32, (inode) => this.#checkInode(inode));
    this.#checkAgents();
    inspectFileLocks(
      store,
      (where, what) => this.#report(where, what),
      (ref, what) => this.#claim(ref, what),
    );
    this.#checkBlocks();
    return this.#violations;
  }

  #checkShards(): void {
    const i32 = this.#i32;
    for (let shard = 0; shard < SHARD_COUNT; shard++) {
      const shardWord = shardWordOf(shard);
      for (let ref = i32[shardWord + SHARD_CHUNKS]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + CHUNK_NEXT]!) {
        this.#claim(ref, `chunk of shard ${shard}`);
      }
      for (
        let ref = i32[shardWord + SHARD_INDEXES]!;
        ref !== 0;
        ref = i32[ref * GRANULE_WORDS + INDEX_NEXT_ALL]!
      ) this.#claim(ref, `directory index of shard ${shard}`);
      let count = 0;
      for (let ref = i32[shardWord + SHARD_FREE]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + INODE_BODY]!) {
        const inode = ref * GRANULE_WORDS;
        if (this.#freeInodes.has(inode)) {
          this.#report(`shard ${shard}`, `lists the free inode ${ref} twice`);
          break;
        }
        this.#freeInodes.add(inode);
        if (i32[inode + INODE_MODE] !== 0) {
          this.#report(`inode ${ref}`, `is listed as free but has mode ${i32[inode + INODE_MODE]}`);
        }
        count++;
      }
      if (count !== i32[shardWord + SHARD_FREE_COUNT]) {
        this.#report(
          `shard ${shard}`,
          `counts ${i32[shardWord + SHARD_FREE_COUNT]} free inodes, its list has ${count}`,
        );
      }
      for (
        let ref = i32[shardWord + SHARD_INDEX_FREE]!;
        ref !== 0;
        ref = i32[ref * GRANULE_WORDS + INDEX_NEXT_FREE]!
      ) {
        const table = ref * GRANULE_WORDS + INDEX_TABLE;
        if (i32.subarray(table, table + TABLE_SLOTS).some((slot) => slot !== 0)) {
          this.#report(`directory index ${ref}`, "is free but not empty");
        }
      }
    }
  }

  #walkTree(): void {
    const { rootWord } = this.#context.store;
    const waiting: [number, number, string][] = [[rootWord, rootWord, "/"]];
    this.#names.set(rootWord, 1);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [directory, parent, path] = next;
      if (this.#i32[directory + DIR_PARENT]! * GRANULE_WORDS !== parent) {
        this.#report(path, `has parent ${this.#i32[directory + DIR_PARENT]}, is in ${parent / GRANULE_WORDS}`);
      }
      this.#checkDirectory(directory, path, (child, name) => {
        waiting.push([child, directory, path === "/" ? `/${name}` : `${path}/${name}`]);
      });
    }
  }

  #checkDirectory(directory: number, path: string, enter: (child: number, name: string) => void): void {
    const i32 = this.#i32;
    const index = i32[directory + DIR_INDEX]!;
    const counts = new Array<number>(STRIPE_COUNT_PER_INDEX).fill(0);
    const subdirectories = new Array<number>(STRIPE_COUNT_PER_INDEX).fill(0);
    const seen = new Set<string>();
    const visit = (bucket: number, matches: (hash: number) => boolean) => {
      this.#checkBucket(bucket, path, (name, hash, inode, type) => {
        if (!matches(hash)) {
          this.#report(path, `has ${JSON.stringify(name)} in a bucket to which its hash does not lead`);
        }
        if (seen.has(name)) this.#report(path, `has ${JSON.stringify(name)} twice`);
        seen.add(name);
        counts[hash >>> 28]!++;
        if (type << 12 === S_IFDIR) subdirectories[hash >>> 28]!++;
        const names = this.#names.get(inode) ?? 0;
        this.#names.set(inode, names + 1);
        if (type << 12 !== S_IFDIR) return;
        if (names > 0) this.#report(`${path}/${name}`, "is a directory with two names");
        else enter(inode, name);
      });
    };
    const total = (list: number[]) => list.reduce((sum, count) => sum + count, 0);
    if (index === 0) {
      const bucket = i32[directory + DIR_BUCKET]!;
      if (bucket !== 0) visit(bucket * GRANULE_WORDS, () => true);
      this.#equal(path, "entries", i32[directory + DIR_COUNT]!, total(counts));
      this.#equal(path, "nlink", i32[directory + INODE_NLINK]!, 2 + total(subdirectories));
      return;
    }
    this.#checkTable(index * GRANULE_WORDS + INDEX_TABLE, 24, 0, path, visit);
    let links = i32[directory + INODE_NLINK]!;
    for (let stripe = 0; stripe < STRIPE_COUNT_PER_INDEX; stripe++) {
      const stripeWord = index * GRANULE_WORDS + stripe * STRIPE_WORDS;
      this.#equal(`${path} stripe ${stripe}`, "entries", i32[stripeWord + STRIPE_COUNT]!, counts[stripe]!);
      if ((i32[stripeWord + 2]! & 1) !== 0) this.#report(`${path} stripe ${stripe}`, "has an odd version");
      links += i32[stripeWord + STRIPE_SUBDIRS]!;
    }
    this.#equal(path, "nlink", links, 2 + total(subdirectories));
  }

  #equal(where: string, what: string, found: number, expected: number): void {
    if (found !== expected) this.#report(where, `${what} is ${found}, expected ${expected}`);
  }

  #checkTable(
    table: number,
    shift: number,
    prefix: number,
    path: string,
    visit: (bucket: number, matches: (hash: number) => boolean) => void,
  ): void {
    const i32 = this.#i32;
    for (let slot = 0; slot < TABLE_SLOTS;) {
      const ref = i32[table + slot]!;
      const own = prefix | (slot << shift);
      if (ref === 0) {
        slot++;
      } else if ((ref & SLOT_IS_TABLE) !== 0) {
        const child = ref & ~SLOT_IS_TABLE;
        if (shift === 0) this.#report(path, "has a table below the last level");
        else {
          this.#claim(child, `table of ${path}`);
          this.#checkTable(child * GRANULE_WORDS, shift - 8, own, path, visit);
        }
        slot++;
      } else {
        const bucket = ref * GRANULE_WORDS;
        const depth = i32[bucket + BUCKET_DEPTH]!;
        const span = TABLE_SLOTS >> depth;
        if (depth > 8 || (shift === 24 && depth < 4) || slot % span !== 0) {
          this.#report(path, `has a bucket of depth ${depth} at slot ${slot}`);
          return;
        }
        for (let other = slot; other < slot + span; other++) {
          if (i32[table + other] !== ref) {
            this.#report(path, `has slots ${slot} and ${other} that should share a bucket`);
          }
        }
        const mask = (-1 << shift) & ~(((span - 1) << shift) | 0);
        visit(bucket, (hash) => ((hash ^ own) & mask) === 0);
        slot += span;
      }
    }
  }

  #checkBucket(
    bucket: number,
    path: string,
    visit: (name: string, hash: number, inode: number, type: number) => void,
  ): void {
    this.#claim(bucket / GRANULE_WORDS, `bucket of ${path}`);
    inspectBucket(this.#context.store, bucket, (what) => this.#report(path, what), visit);
  }

  #checkInode(inode: number): void {
    const i32 = this.#i32;
    const ref = inode / GRANULE_WORDS;
    const where = `inode ${ref}`;
    const mode = i32[inode + INODE_MODE]!;
    const names = this.#names.get(inode) ?? 0;
    if ((i32[inode + INODE_VERSION]! & 1) !== 0) this.#report(where, "has an odd version");
    if (this.#freeInodes.has(inode)) {
      if (names > 0) this.#report(where, "is free but has a name");
      return;
    }
    if (mode === 0) {
      this.#report(where, "is neither in use nor in a list of free inodes");
      return;
    }
    const isDirectory = (mode & S_IFMT) === S_IFDIR;
    if (!isDirectory) this.#equal(where, "nlink", i32[inode + INODE_NLINK]!, names);
    else if (names === 0 && i32[inode + INODE_NLINK] !== 0) this.#report(where, "is a directory that nothing leads to");
    if (names === 0 && !this.#isOpen(inode)) this.#report(where, "has neither a name nor an open file");
    if (!isDirectory) {
      inspectFile(
        this.#context.store,
        inode,
        (what) => this.#report(where, what),
        (block, what) => this.#claim(block, `${what} of ${where}`),
      );
    }
  }

  #isOpen(inode: number): boolean {
    return (this.#context.store.wasm.load(inode + INODE_OPENS) & OPENS_COUNT) !== 0;
  }

  /** Open counts against ledgers. Descriptors come and go during a check: a difference must last to be one. */
  #checkAgents(): void {
    let differences = new Map<number, string>();
    for (let attempt = 0; attempt < OPEN_TRIES; attempt++) {
      const ledger = this.#ledgerCounts();
      differences = new Map();
      eachInode(this.#i32, (inode) => {
        const opens = this.#context.store.wasm.load(inode + INODE_OPENS) & OPENS_COUNT;
        const { entries, pending } = ledger.get(inode) ?? NOT_OPEN;
        // An agent that is stopped while it opens has its entry, and may or may not have counted it.
        if (opens < entries || opens > entries + pending) {
          differences.set(
            inode,
            `is counted open ${opens} times, ledgers have it ${entries} times and ${pending} times in transition`,
          );
        }
      });
      if (differences.size === 0) break;
    }
    for (const [inode, what] of differences) this.#report(`inode ${inode / GRANULE_WORDS}`, what);
    this.#eachLedger((block) => this.#claim(block / GRANULE_WORDS, "ledger"), () => {});
    this.#eachSlot((slotWord, slot) => {
      const scratch = this.#i32[slotWord + SLOT_SCRATCH]!;
      if (scratch !== 0) this.#claim(scratch, `scratch of agent slot ${slot}`);
      const process = this.#processKeptBy(slotWord, slot);
      if (process !== 0) eachProcessBlock(this.#i32, process, (ref, what) => this.#claim(ref, what));
    });
  }

  #eachSlot(visit: (slotWord: number, slot: number) => void): void {
    const { agent, wasm } = this.#context.store;
    const high = wasm.load(agent.tableWord + TABLE_HIGH);
    for (let slot = 0; slot < high; slot++) {
      const slotWord = slotWordOf(agent.tableWord, slot);
      if ((wasm.load(slotWord + SLOT_STATE) & SLOT_STATE_MASK) >= SLOT_LIVE) visit(slotWord, slot);
    }
  }

  #eachLedger(
    visitBlock: (blockWord: number) => void,
    visitEntry: (inodeWord: number, pending: boolean) => void,
  ): void {
    this.#eachSlot((slotWord, slot) => {
      const i32 = this.#i32;
      const ledgers = [i32[slotWord + SLOT_LEDGER]!];
      const process = this.#processKeptBy(slotWord, slot);
      if (process !== 0) ledgers.push(i32[process + PROCESS_LEDGER]!);
      for (let ref = ledgers.pop(); ref !== undefined; ref = ledgers.pop()) {
        this.#eachLedgerBlock(ref, visitBlock, visitEntry);
      }
    });
  }

  /** Word of the process that the agent of a slot keeps, or 0. */
  #processKeptBy(slotWord: number, slot: number): number {
    const i32 = this.#i32;
    const process = i32[slotWord + SLOT_PROCESS]! * GRANULE_WORDS;
    const kept = process !== 0 && i32[process + PROCESS_KEEPER] === ownerOf(slot, i32[slotWord + SLOT_STATE]!);
    return kept ? process : 0;
  }

  #eachLedgerBlock(
    first: number,
    visitBlock: (blockWord: number) => void,
    visitEntry: (inodeWord: number, pending: boolean) => void,
  ): void {
    const i32 = this.#i32;
    for (let ref = first; ref !== 0;) {
      const block = ref * GRANULE_WORDS;
      visitBlock(block);
      for (let entry = block + LEDGER_ENTRIES; entry < block + LEDGER_ENTRIES + LEDGER_COUNT; entry++) {
        const word = i32[entry]!;
        if (word !== 0) visitEntry((word & ~LEDGER_PENDING) * GRANULE_WORDS, (word & LEDGER_PENDING) !== 0);
      }
      ref = i32[block + LEDGER_NEXT]!;
    }
  }

  #ledgerCounts(): Map<number, LedgerCount> {
    const counts = new Map<number, LedgerCount>();
    this.#eachLedger(() => {}, (inode, isPending) => {
      const { entries, pending } = counts.get(inode) ?? NOT_OPEN;
      counts.set(inode, isPending ? { entries, pending: pending + 1 } : { entries: entries + 1, pending });
    });
    return counts;
  }

  /**
   * Each block that something refers to is in use. Blocks in use that the filesystem does not know may be the program's:
   * the pool's allocator is free for all, so that they are no violation.
   */
  #checkBlocks(): void {
    const { store } = this.#context;
    const blocks = walkHeap(store.agent, store.heap.headerWord);
    if (typeof blocks === "number") return;
    const used = new Set<number>();
    for (const block of blocks) if (!block.free) used.add(block.address);
    for (const [addr, what] of this.#blocks) {
      if (!used.has(addr)) this.#report(what, `refers to the block at ${addr}, which is not in use`);
    }
  }
}
