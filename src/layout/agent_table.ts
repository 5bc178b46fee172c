/**
 * The table of agents: a header line pair and one slot per attached agent. It stands in the superblock of a pool and in
 * the header of an allocator that is used alone. Imports `rows.ts`, `units.ts` and `lock_word.ts`.
 *
 * @module
 */
import { row, type Structure } from "./rows.ts";

/** Lock that guards taking and giving back slots. */
export const TABLE_LOCK = 0;
/** Number of slots. */
export const TABLE_CAPACITY = 2;
/** Slots 0 to this number, exclusive, have ever been used; writers scan only these. */
export const TABLE_HIGH = 16;
/** Owner word of the agent that has frozen all mutation, or 0. */
export const TABLE_FREEZE = 17;
/** Counts thaws, so that agents parked on a freeze have a word that changes. */
export const TABLE_THAWS = 18;
/** Words of the table's header. */
export const TABLE_HEADER_WORDS = 32;

/** The header of the agent table. */
export const AGENT_TABLE: Structure = {
  name: "agentTable",
  bytes: TABLE_HEADER_WORDS * 4,
  doc: "Header of the table of agents; `capacity` slots follow it.",
  rows: [
    row(TABLE_LOCK, "lock", "u32", "atomic", "lock over taking and giving back slots", 2),
    row(TABLE_CAPACITY, "capacity", "u32", "const", "number of slots"),
    row(TABLE_HIGH, "high", "u32", "atomic", "slots below this index have been used; only grows"),
    row(TABLE_FREEZE, "freeze", "u32", "atomic", "owner word of the agent that stops all mutation, or 0"),
    row(TABLE_THAWS, "thaws", "u32", "atomic", "number of thaws; parked on by agents that wait for one"),
  ],
};

/** Slot word: state and generation of the agent in it, see {@linkcode SLOT_LIVE}. */
export const SLOT_STATE = 0;
/** Slot word: ref of the first block of the agent's ledger of open files. */
export const SLOT_LEDGER = 1;
/** Slot word: ref of the agent's scratch block. */
export const SLOT_SCRATCH = 2;
/** Slot word: bit 0 set for an agent attached read-only. */
export const SLOT_FLAGS = 3;
/** Slot words: when the agent attached, milliseconds since the epoch. */
export const SLOT_ATTACHED_AT = 4;
/** Slot word: number of contended lock acquisitions. */
export const SLOT_LOCK_WAITS = 6;
/** Slot word: number of times the agent parked. */
export const SLOT_PARKS = 7;
/** Slot words: milliseconds spent waiting for locks. */
export const SLOT_WAITED_MS = 8;
/** Slot words: lock that only the agent itself takes, around an operation of several steps, as its outermost. */
export const SLOT_OPERATION = 10;
/** Slot word: ref of the process that the agent keeps, or 0. */
export const SLOT_PROCESS = 12;
/** Slot words: refs of locks held shared; the first is the filesystem's own, the rest are public read locks. */
export const SLOT_PINS = 16;
/** How many locks an agent can hold shared at once. */
export const SLOT_PIN_COUNT = 16;
/** Slot words: word indices of the locks that the agent holds or is about to take exclusively. */
export const SLOT_HELD = 32;
/** Records of the pool's own locks come first, outermost first; whoever freezes the pool waits for these. */
export const SLOT_HELD_INTERNAL = 24;
/** All records of locks held exclusively; those behind the pool's own are for locks of the program's. */
export const SLOT_HELD_COUNT = 64;
/** Slot words: what the agent is about to do, for repair. */
export const SLOT_INTENT = 96;
/** Words of an intent record: operation, then operands. */
export const SLOT_INTENT_WORDS = 16;
/** Words of a slot. */
export const SLOT_WORDS = 128;

/** Slot state in bits 0-1: free. Bits 2-31 carry the generation, which changes each time the slot is taken. */
export const SLOT_FREE = 0;
/** Slot state: in use by a live agent. */
export const SLOT_LIVE = 1;
/** Slot state: fenced; its agent is gone and what it held is being given back. */
export const SLOT_RETIRED = 2;
/** Mask of the state in a slot's state word. */
export const SLOT_STATE_MASK = 3;
/** Shift of the generation in a slot's state word. */
export const SLOT_GENERATION_SHIFT = 2;

/** One agent's slot. */
export const AGENT_SLOT: Structure = {
  name: "agentSlot",
  bytes: SLOT_WORDS * 4,
  doc:
    "What one attached agent is, holds and is doing. Lines that its owner writes often stand apart from lines that others scan.",
  rows: [
    row(SLOT_STATE, "state", "u32", "atomic", "bits 0-1 free, live or retired; bits 2-31 generation"),
    row(SLOT_LEDGER, "ledger", "ref", "owner", "first block of the ledger of open files, or 0"),
    row(SLOT_SCRATCH, "scratch", "ref", "owner", "scratch block for paths and small copies, or 0"),
    row(SLOT_FLAGS, "flags", "u32", "owner", "bit 0: attached read-only"),
    row(SLOT_ATTACHED_AT, "attachedAt", "f64", "owner", "milliseconds since the epoch"),
    row(
      SLOT_LOCK_WAITS,
      "lockWaits",
      "u32",
      "owner",
      "acquisitions that met contention, by all agents that had the slot",
    ),
    row(SLOT_PARKS, "parks", "u32", "owner", "times an agent in the slot parked"),
    row(SLOT_WAITED_MS, "waitedMs", "f64", "owner", "milliseconds that agents in the slot waited for locks"),
    row(
      SLOT_OPERATION,
      "operation",
      "u32",
      "atomic",
      "lock held by the agent through an operation of several steps",
      2,
    ),
    row(SLOT_PROCESS, "process", "ref", "owner", "process of a WebAssembly program that the agent keeps, or 0"),
    row(
      SLOT_PINS,
      "pins",
      "u32",
      "atomic",
      "word index of each lock held shared, or 0; scanned by writers",
      SLOT_PIN_COUNT,
    ),
    row(
      SLOT_HELD,
      "held",
      "u32",
      "owner",
      "word index of each lock held, or about to be taken, exclusively; stored before the acquiring compare-exchange; the first 24 for the pool's own locks, outermost first",
      SLOT_HELD_COUNT,
    ),
    row(
      SLOT_INTENT,
      "intent",
      "u32",
      "owner",
      "operation in progress and its operands; operation 0 is none",
      SLOT_INTENT_WORDS,
    ),
  ],
};
