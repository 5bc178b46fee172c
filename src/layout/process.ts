/**
 * A process: what the threads of one WebAssembly program share of the filesystem. Descriptors, open file descriptions,
 * the current directory and the mask of permissions, all in the pool, so that a file that one thread opens another can
 * read, with the position that both move.
 *
 * @module
 */
import { row, type Structure } from "./rows.ts";
import { LEDGER_COUNT } from "./inode.ts";

/** Process word: lock over the descriptors, the list of free descriptions and the current directory. */
export const PROCESS_LOCK = 0;
/** Process word: owner word of the agent that keeps the process. */
export const PROCESS_KEEPER = 2;
/** Process word: permission bits that new files do not get. */
export const PROCESS_UMASK = 3;
/** Process word: ref of the description of the current directory, or 0 where that lies outside of the pool. */
export const PROCESS_DIRECTORY = 4;
/** Process word: ref of the first free description, or 0. */
export const PROCESS_FREE = 5;
/** Process word: a number at or below the lowest free descriptor. */
export const PROCESS_LOWEST = 6;
/** Process word: ref of the newest chunk of descriptions, or 0. */
export const PROCESS_CHUNKS = 7;
/** Process word: ref of the newest block of the process's ledger of open files, or 0. */
export const PROCESS_LEDGER = 8;
/** Process word: serial number that the next description gets. */
export const PROCESS_SERIAL = 9;
/** Process word: ref of the newest mapping of a file, or 0. */
export const PROCESS_MAPPINGS = 10;
/** First of the refs of the parts of the descriptor table. */
export const PROCESS_TABLE = 16;
/** Parts of the descriptor table. */
export const PROCESS_TABLE_PARTS = 64;
/** Words of a process. */
export const PROCESS_WORDS = PROCESS_TABLE + PROCESS_TABLE_PARTS;
/** Descriptors in a part of the table; one word each. */
export const PART_DESCRIPTORS = 1024;
/** Shift that gives the part of a descriptor. */
export const PART_SHIFT = 10;

/**
 * Where in its part a descriptor's word is: neighbours stand a line apart, as threads open and close neighbours at the same
 * time.
 */
export function wordInPart(descriptor: number): number {
  return ((descriptor & 63) << 4) | ((descriptor >>> 6) & 15);
}

/** A descriptor's word: closed. */
export const DESCRIPTOR_CLOSED = 0;
/** A descriptor's word: taken by a thread that is opening something. */
export const DESCRIPTOR_RESERVED = -0x8000_0000;
/** Bit of the word of a descriptor into the pool: close on exec. It means nothing here, but programs read it back. */
export const DESCRIPTOR_CLOEXEC = 0x4000_0000;

/** The process. */
export const PROCESS: Structure = {
  name: "process",
  bytes: PROCESS_WORDS * 4,
  doc:
    "What the threads of a WebAssembly program share. Aligned to a line; found by the slot of the agent that keeps it.",
  rows: [
    row(PROCESS_LOCK, "lock", "u32", "atomic", "guards the descriptors and descriptions", 2),
    row(PROCESS_KEEPER, "keeper", "u32", "const", "owner word of the agent that keeps the process"),
    row(PROCESS_UMASK, "umask", "u32", "atomic", "permission bits that new files do not get"),
    row(
      PROCESS_DIRECTORY,
      "directory",
      "ref",
      "atomic",
      "description of the current directory; 0: outside of the pool",
    ),
    row(PROCESS_FREE, "free", "ref", "guarded", "first free description"),
    row(PROCESS_LOWEST, "lowest", "u32", "guarded", "at or below the lowest free descriptor"),
    row(
      PROCESS_CHUNKS,
      "chunks",
      "ref",
      "guarded",
      "newest chunk of descriptions; none is given back while the process lives",
    ),
    row(PROCESS_LEDGER, "ledger", "ref", "guarded", "newest block of the ledger of open files"),
    row(PROCESS_SERIAL, "serial", "u32", "guarded", "serial number of the next description"),
    row(PROCESS_MAPPINGS, "mappings", "ref", "guarded", "newest mapping of a file into the program's memory"),
    row(
      PROCESS_TABLE,
      "table",
      "ref",
      "atomic",
      "parts of the descriptor table, 1024 words each, that of descriptor d at (d & 63) << 4 | d >> 6 & 15: 0 closed, positive a description's ref (bit 30: close on exec), -2^31 reserved, other negative -1 - a descriptor of the host",
      PROCESS_TABLE_PARTS,
    ),
  ],
};

/** Description word: lock over the position. */
export const DESCRIPTION_LOCK = 0;
/** Description word: ref of the inode. */
export const DESCRIPTION_INODE = 2;
/** Description word: generation of the inode; -1 while the description is free. */
export const DESCRIPTION_GENERATION = 3;
/** Description word: flags of `open`, see `src/file/flags.ts`. */
export const DESCRIPTION_FLAGS = 4;
/** Description word: number of descriptors that stand for it. */
export const DESCRIPTION_REFERENCES = 5;
/** Description words: the current position; of a directory the cursor. */
export const DESCRIPTION_POSITION = 6;
/** Description word: number that tells this use of the description from all others of the process. */
export const DESCRIPTION_SERIAL = 8;
/** Description word: word of its entry in the ledger. */
export const DESCRIPTION_ENTRY = 9;
/** Description word: 1 if it made the file longer, so that room was allocated ahead. */
export const DESCRIPTION_GREW = 10;
/** Description word: ref of the next free description. */
export const DESCRIPTION_NEXT = 11;
/** Words of a description: a line. */
export const DESCRIPTION_WORDS = 16;

/** An open file description. */
export const DESCRIPTION: Structure = {
  name: "description",
  bytes: DESCRIPTION_WORDS * 4,
  doc:
    "An open file as the threads of a process share it: what one or more descriptors stand for. Type-stable while the process lives, so that who uses a descriptor while another closes it finds a generation that differs.",
  rows: [
    row(DESCRIPTION_LOCK, "lock", "u32", "atomic", "guards the position", 2),
    row(DESCRIPTION_INODE, "inode", "ref", "atomic", "the inode; stored before the generation"),
    row(DESCRIPTION_GENERATION, "generation", "i32", "atomic", "the inode's generation; -1: free"),
    row(DESCRIPTION_FLAGS, "flags", "u32", "atomic", "flags of open; append and non-blocking may change"),
    row(DESCRIPTION_REFERENCES, "references", "u32", "guarded", "descriptors that stand for it, by the process's lock"),
    row(DESCRIPTION_POSITION, "position", "f64", "guarded", "current position"),
    row(DESCRIPTION_SERIAL, "serial", "u32", "atomic", "which use of the description this is"),
    row(DESCRIPTION_ENTRY, "entry", "u32", "const", "word of its entry in the ledger"),
    row(DESCRIPTION_GREW, "grew", "u32", "atomic", "1: made the file longer"),
    row(DESCRIPTION_NEXT, "next", "ref", "guarded", "next free description, by the process's lock"),
  ],
};

/** Mapping word: ref of the next older mapping. */
export const MAPPING_NEXT = 0;
/** Mapping word: ref of the description that is held open. */
export const MAPPING_DESCRIPTION = 1;
/** Mapping words: address in the program's memory. */
export const MAPPING_ADDRESS = 2;
/** Words of a mapping. */
export const MAPPING_WORDS = 4;

/** A mapping of a file. */
export const MAPPING: Structure = {
  name: "mapping",
  bytes: MAPPING_WORDS * 4,
  doc: "A file mapped into a program's memory: which description it keeps open. Guarded by the process's lock.",
  rows: [
    row(MAPPING_NEXT, "next", "ref", "guarded", "next older mapping of the process"),
    row(MAPPING_DESCRIPTION, "description", "ref", "const", "the description"),
    row(MAPPING_ADDRESS, "address", "f64", "const", "address in the program's memory"),
  ],
};

/** Word of a chunk of descriptions: ref of the next older chunk. */
export const DESCRIPTIONS_NEXT = 0;
/** Words before the first description of a chunk. */
export const DESCRIPTIONS_HEADER_WORDS = DESCRIPTION_WORDS;
/** Descriptions in a chunk: as many as a block of the ledger has entries. */
export const DESCRIPTIONS_COUNT = LEDGER_COUNT;

/** A chunk of descriptions. */
export const DESCRIPTIONS: Structure = {
  name: "descriptionChunk",
  bytes: (DESCRIPTIONS_HEADER_WORDS + DESCRIPTIONS_COUNT * DESCRIPTION_WORDS) * 4,
  doc: "A line, then as many descriptions as a block of the ledger has entries. Aligned to a line.",
  rows: [row(DESCRIPTIONS_NEXT, "next", "ref", "const", "next older chunk of the process")],
};
