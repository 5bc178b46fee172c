/**
 * Proving the chains of file locks: see the equations in `file_lock_table.ts`. The pool is frozen.
 *
 * @module
 */
import { SLOT_FREE, SLOT_STATE_MASK } from "../layout/agent_table.ts";
import {
  CHAIN_COUNT,
  CHAIN_ENTRIES,
  CHAIN_HELD,
  CHAIN_TURN,
  CHAIN_WAITERS,
  CHAIN_WAITING,
  FILE_LOCK_AGENT,
  FILE_LOCK_DESCRIPTION,
  FILE_LOCK_END,
  FILE_LOCK_FLAG_EXCLUSIVE,
  FILE_LOCK_FLAG_WHOLE,
  FILE_LOCK_FLAGS,
  FILE_LOCK_INODE,
  FILE_LOCK_NEXT,
  FILE_LOCK_START,
  FILE_LOCK_WAITER,
} from "../layout/file_locks.ts";
import { INODE_MODE, INODE_OPENS, INODE_WORDS, OPENS_COUNT } from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import type { Store } from "../store/store.ts";
import { slotStateOfOwner } from "./file_lock_owner.ts";
import { chainWordAt, chainWordOf } from "./file_lock_table.ts";

const FLAGS_KNOWN = FILE_LOCK_FLAG_EXCLUSIVE | FILE_LOCK_FLAG_WHOLE;

interface Held {
  readonly owner: string;
  readonly exclusive: boolean;
  readonly start: number;
  readonly end: number;
}

/** Says what is wrong with the file locks, and claims their blocks. */
export function inspectFileLocks(
  store: Store,
  report: (where: string, what: string) => void,
  claim: (ref: number, what: string) => void,
): void {
  const { i32 } = store.memory;
  for (let index = 0; index < CHAIN_COUNT; index++) {
    const chain = chainWordAt(index);
    const where = `file locks ${index}`;
    const groups = new Map<string, Held[]>();
    const seen = new Set<number>();
    const walk = (list: number, visit: (block: number) => void): number => {
      const before = seen.size;
      for (let ref = i32[chain + list]!; ref !== 0; ref = i32[ref * GRANULE_WORDS + FILE_LOCK_NEXT]!) {
        if (seen.has(ref)) {
          report(where, `lists the lock ${ref} twice`);
          break;
        }
        seen.add(ref);
        claim(ref, `lock of ${where}`);
        inspectBlock(store, chain, ref * GRANULE_WORDS, report);
        visit(ref * GRANULE_WORDS);
      }
      return seen.size - before;
    };
    walk(CHAIN_HELD, (block) => {
      if (i32[block + FILE_LOCK_WAITER] !== 0) report(where, `holds ${block / GRANULE_WORDS}, which waits`);
      const { key, held } = heldOf(store, block);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [held]);
      else group.push(held);
    });
    const waiting = walk(CHAIN_WAITERS, (block) => {
      if (i32[block + FILE_LOCK_WAITER] === 0) report(where, `lets ${block / GRANULE_WORDS} wait, which is held`);
    });
    const turn = i32[chain + CHAIN_TURN]!;
    if (turn !== 0 && (!seen.has(turn) || i32[turn * GRANULE_WORDS + FILE_LOCK_WAITER] === 0)) {
      report(where, `gives the turn to ${turn}, which does not wait`);
    }
    if (i32[chain + CHAIN_ENTRIES] !== seen.size || i32[chain + CHAIN_WAITING] !== waiting) {
      report(
        where,
        `counts ${i32[chain + CHAIN_ENTRIES]} locks, ${
          i32[chain + CHAIN_WAITING]
        } of them waiting; its lists have ${seen.size} and ${waiting}`,
      );
    }
    for (const [key, group] of groups) inspectGroup(group, (what) => report(`file locks of inode ${key}`, what));
  }
}

function heldOf(store: Store, block: number): { key: string; held: Held } {
  const { i32, f64 } = store.memory;
  const flags = i32[block + FILE_LOCK_FLAGS]!;
  const whole = (flags & FILE_LOCK_FLAG_WHOLE) !== 0;
  return {
    key: `${i32[block + FILE_LOCK_INODE]}${whole ? " as a whole" : ""}`,
    held: {
      owner: `${i32[block + FILE_LOCK_AGENT]! >>> 0}.${i32[block + FILE_LOCK_DESCRIPTION]! >>> 0}`,
      exclusive: (flags & FILE_LOCK_FLAG_EXCLUSIVE) !== 0,
      start: f64[(block + FILE_LOCK_START) / 2]!,
      end: f64[(block + FILE_LOCK_END) / 2]!,
    },
  };
}

function inspectBlock(
  store: Store,
  chain: number,
  block: number,
  report: (where: string, what: string) => void,
): void {
  const { i32, f64 } = store.memory;
  const where = `file lock ${block / GRANULE_WORDS}`;
  const inode = i32[block + FILE_LOCK_INODE]! * GRANULE_WORDS;
  if (inode % INODE_WORDS !== 0 || chainWordOf(inode) !== chain) report(where, `is in a chain that is not its inode's`);
  const waits = i32[block + FILE_LOCK_WAITER] !== 0;
  // A request may still have to find that its file has been closed.
  if (!waits && i32[inode + INODE_MODE] === 0) report(where, `is on the free inode ${inode / GRANULE_WORDS}`);
  else if (!waits && (i32[inode + INODE_OPENS]! & OPENS_COUNT) === 0) {
    report(where, `is on inode ${inode / GRANULE_WORDS}, which nobody has open`);
  }
  for (const word of waits ? [FILE_LOCK_AGENT, FILE_LOCK_WAITER] : [FILE_LOCK_AGENT]) {
    const state = slotStateOfOwner(store.agent, i32[block + word]!);
    if (state === undefined || (state & SLOT_STATE_MASK) === SLOT_FREE) {
      report(where, `belongs to the agent ${i32[block + word]! >>> 0}, which is gone`);
    }
  }
  const start = f64[(block + FILE_LOCK_START) / 2]!;
  const end = f64[(block + FILE_LOCK_END) / 2]!;
  const flags = i32[block + FILE_LOCK_FLAGS]!;
  const whole = (flags & FILE_LOCK_FLAG_WHOLE) !== 0;
  if (!(start >= 0 && start < end) || (whole && (start !== 0 || end !== Infinity))) {
    report(where, `is on bytes ${start} to ${end}`);
  }
  if ((flags & ~FLAGS_KNOWN) !== 0 || (whole && i32[block + FILE_LOCK_DESCRIPTION] === 0)) {
    report(where, `has flags ${flags}`);
  }
}

function inspectGroup(group: Held[], report: (what: string) => void): void {
  group.sort((a, b) => a.start - b.start);
  let active: Held[] = [];
  for (const held of group) {
    active = active.filter(({ end }) => end >= held.start);
    for (const other of active) {
      const meet = other.end === held.start;
      const wrong = other.owner === held.owner
        ? !meet || other.exclusive === held.exclusive
        : !meet && (other.exclusive || held.exclusive);
      if (wrong) {
        report(
          `${held.owner} holds ${held.start} to ${held.end} beside ${other.owner} with ${other.start} to ${other.end}`,
        );
      }
    }
    active.push(held);
  }
}
