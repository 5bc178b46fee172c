/**
 * What the operations of an agent share: its store, its walks, its descriptors.
 *
 * @module
 */
import { SLOT_OPERATION } from "../layout/agent_table.ts";
import { EIDRM, EROFS } from "../layout/errno.ts";
import { INODE_OPENS, INODE_VERSION, OPENS_GENERATION_SHIFT } from "../layout/inode.ts";
import { CorruptionError } from "../memory/errors.ts";
import { Directories } from "../names/directory.ts";
import { Walk } from "../names/walk.ts";
import { fitSize } from "../store/extents.ts";
import { giveInode, S_IFDIR, S_IFMT } from "../store/inodes.ts";
import { INODE_MODE } from "../layout/inode.ts";
import type { Store } from "../store/store.ts";
import { lockExclusive, unlockExclusive } from "../sync/raw_lock.ts";
import { Descriptors } from "./descriptors.ts";

/** The state of one agent's operations. They run one at a time and never call back. */
export class Context {
  /** The store. */
  readonly store: Store;
  /** The walk of the first, or only, path. */
  readonly walk: Walk;
  /** The walk of the second path. */
  readonly secondWalk: Walk;
  /** Directory look-ups. */
  readonly directories: Directories;
  /** Descriptors. */
  readonly descriptors: Descriptors;
  /** Permission bits that new files and directories do not get. */
  umask: number;
  /** Where the last write ended. */
  endOfWrite = 0;
  /** Whether the last write made room for more than the file had. */
  grew = false;

  /** Makes the state of an agent. */
  constructor(store: Store, umask: number) {
    this.store = store;
    this.umask = umask;
    this.walk = new Walk(store, 0);
    this.secondWalk = new Walk(store, 1);
    this.directories = new Directories(store);
    this.descriptors = new Descriptors(store);
  }

  /** 0 if this agent may read, `-EIDRM` if it has been retired. */
  mayRead(): number {
    return this.store.agent.live ? 0 : -EIDRM;
  }

  /** 0 if this agent may change something, `-EROFS` or `-EIDRM` if not. */
  mayWrite(): number {
    const { agent } = this.store;
    if (!agent.live) return -EIDRM;
    return agent.readOnly ? -EROFS : 0;
  }

  /**
   * Begins an operation of several steps: whoever freezes the pool, or retires this agent, waits until {@linkcode end}.
   * Returns 0 or a negative errno.
   */
  begin(): number {
    const { agent } = this.store;
    return lockExclusive(agent, agent.slotWord + SLOT_OPERATION);
  }

  /**
   * Ends what {@linkcode begin} began.
   *
   * @throws {CorruptionError} at debug level 3, if what the operation touched contradicts itself.
   */
  end(): void {
    const { agent, corruption } = this.store;
    unlockExclusive(agent, agent.slotWord + SLOT_OPERATION);
    if (corruption === undefined) return;
    this.store.corruption = undefined;
    throw new CorruptionError(corruption);
  }

  /**
   * The time that changes are stamped with: the wall clock in whole milliseconds. Read once an operation, before any lock.
   */
  now(): number {
    return Date.now();
  }

  /** Whether a held inode is still of the generation at which it was found. */
  isSame(inodeWord: number, generation: number): boolean {
    return this.store.memory.i32[inodeWord + INODE_OPENS]! >>> OPENS_GENERATION_SHIFT === generation;
  }

  /** Gives back an inode that has been claimed, or was never shown: its blocks, then itself. No lock is held on it. */
  dispose(inodeWord: number): void {
    const { store } = this;
    if ((store.memory.i32[inodeWord + INODE_MODE]! & S_IFMT) !== S_IFDIR) {
      store.wasm.beginChange(inodeWord + INODE_VERSION);
      fitSize(store, inodeWord, 0);
      store.wasm.endChange(inodeWord + INODE_VERSION);
    }
    giveInode(store, inodeWord);
  }
}
