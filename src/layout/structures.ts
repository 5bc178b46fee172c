/**
 * All structures of the format, in the order in which the format document and the compatibility hash have them.
 *
 * @module
 */
import { AGENT_SLOT, AGENT_TABLE } from "./agent_table.ts";
import { BUCKET, INDEX } from "./directory.ts";
import { FILE_LOCK, FILE_LOCK_CHAIN } from "./file_locks.ts";
import { CHUNK, EXTENT, INODE, LEDGER } from "./inode.ts";
import { LOCK } from "./lock_word.ts";
import { DESCRIPTION, DESCRIPTIONS, MAPPING, PROCESS } from "./process.ts";
import type { Structure } from "./rows.ts";
import { SHARD, SUPERBLOCK } from "./superblock.ts";
import * as heap from "./heap.ts";

const HEAP_STRUCTURES: readonly Structure[] = Object.values(heap).filter(isStructure);

function isStructure(value: unknown): value is Structure {
  return typeof value === "object" && value !== null && "rows" in value;
}

/** The structures. */
export const STRUCTURES: readonly Structure[] = [
  SUPERBLOCK,
  AGENT_TABLE,
  AGENT_SLOT,
  LOCK,
  SHARD,
  CHUNK,
  INODE,
  EXTENT,
  LEDGER,
  BUCKET,
  INDEX,
  FILE_LOCK_CHAIN,
  FILE_LOCK,
  PROCESS,
  DESCRIPTIONS,
  DESCRIPTION,
  MAPPING,
  ...HEAP_STRUCTURES,
];
