/**
 * Derives `native/include/extmemfs_layout.h` from the rows of src/layout: the format's version and hash, the sizes of its
 * structures, the offsets of their fields, the sizes of locks. With `--check` it only compares and exits with 1 where the
 * header is out of date.
 *
 *     deno run -A tools/generate_header.ts [--check]
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { ALIGNMENT_MAXIMUM } from "../src/layout/heap.ts";
import { COMPATIBILITY_HASH } from "../src/layout/compatibility.ts";
import type { Row, Structure } from "../src/layout/rows.ts";
import { STRUCTURES } from "../src/layout/structures.ts";
import { FORMAT_VERSION, MAGIC_0, MAGIC_1 } from "../src/layout/superblock.ts";
import { GRANULE_BYTES, LINE_BYTES, MAXIMUM_POOL_BYTES, PAGE_BYTES } from "../src/layout/units.ts";
import { Condition } from "../src/sync/condition.ts";
import { Event } from "../src/sync/event.ts";
import { Mutex } from "../src/sync/mutex.ts";
import { RwLock } from "../src/sync/rw_lock.ts";

const PATH = "native/include/extmemfs_layout.h";
const WIDTH = 120;

/** A definition: name without prefix, value, and what it is. */
type Definition = readonly [name: string, value: string | number, doc: string];

/** `agentSlot` becomes `AGENT_SLOT`. */
function constantName(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, "0")}u`;
}

/** A text as a comment of C, wrapped; what would end the comment is taken apart. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = "/*";
  for (const word of text.replaceAll("*/", "* /").split(" ")) {
    // Room for the end of the comment on every line.
    if (line.length + 1 + word.length + 3 > WIDTH) {
      lines.push(line);
      line = " *";
    }
    line += ` ${word}`;
  }
  return [...lines, `${line} */`];
}

function define([name, value, doc]: Definition): string[] {
  return [...comment(doc), `#define EXTMEMFS_${name} ${value}`];
}

function fieldLines(structure: Structure, row: Row): string[] {
  const name = `${constantName(structure.name)}_${constantName(row.name)}`;
  return [
    ...comment(`${row.type}, ${row.access}: ${row.doc}`),
    `#define EXTMEMFS_${name}_OFFSET ${row.word * 4}`,
    ...(row.words * 4 === (row.type === "f64" ? 8 : 4) ? [] : [`#define EXTMEMFS_${name}_WORDS ${row.words}`]),
  ];
}

function structureLines(structure: Structure): string[] {
  const { name, bytes, doc, rows } = structure;
  return [
    "",
    ...comment(`${name}. ${doc}`),
    ...(bytes === 0 ? [] : [`#define EXTMEMFS_${constantName(name)}_BYTES ${bytes}`]),
    ...rows.flatMap((row) => fieldLines(structure, row)),
  ];
}

function header(): string {
  const [major, minor, patch] = config.version.split(".");
  const definitions: readonly Definition[] = [
    ["VERSION", JSON.stringify(config.version), "Version of the library."],
    ["VERSION_MAJOR", major!, "Its first number."],
    ["VERSION_MINOR", minor!, "Its second number."],
    ["VERSION_PATCH", patch!, "Its third number."],
    ["FORMAT_VERSION", FORMAT_VERSION, "Version of the format, in the superblock."],
    ["MAGIC_0", hex(MAGIC_0), "First magic word of the superblock."],
    ["MAGIC_1", hex(MAGIC_1), "Second magic word of the superblock."],
    [
      "COMPATIBILITY_HASH",
      `{${COMPATIBILITY_HASH.map(hex).join(", ")}}`,
      "SHA-256 over the rows, as the superblock has it: an initializer of uint32_t[8].",
    ],
    ["PAGE_BYTES", PAGE_BYTES, "Bytes of a page of WebAssembly: the unit in which a pool grows."],
    ["GRANULE_BYTES", GRANULE_BYTES, "Bytes of a granule: a ref times this is an address."],
    ["LINE_BYTES", LINE_BYTES, "Bytes of a cache line: what two threads write at once should not share one."],
    ["POOL_BYTES_MAXIMUM", `${MAXIMUM_POOL_BYTES}LL`, "Bytes of the largest pool."],
    ["ALIGNMENT_MAXIMUM", ALIGNMENT_MAXIMUM, "The largest alignment that the allocator gives."],
    ["MUTEX_BYTES", Mutex.BYTES, "Bytes of a mutex. All locks: at a multiple of 8, best on lines of their own."],
    ["RWLOCK_BYTES", RwLock.BYTES, "Bytes of a read-write lock."],
    ["CONDITION_BYTES", Condition.BYTES, "Bytes of a condition."],
    ["EVENT_BYTES", Event.BYTES, "Bytes of an event."],
    ["LOCK_ALIGNMENT", 8, "What the address of a lock is a multiple of."],
  ];
  return [
    ...comment(
      "What C has to know of a pool. Generated from src/layout by tools/generate_header.ts (`deno task build`). Do not edit.",
    ),
    "#ifndef EXTMEMFS_LAYOUT_H",
    "#define EXTMEMFS_LAYOUT_H",
    "",
    ...definitions.flatMap(define),
    "",
    ...comment(
      "The structures of the format: offsets in bytes from a structure's beginning; numbers are little-endian, a ref is an " +
        "address divided by EXTMEMFS_GRANULE_BYTES; ..._WORDS where a field has more than one word (f64: two). " +
        "docs/format.md says the same in tables. This is for looking: what changes a pool are the functions of extmemfs.h, " +
        "under the locks that the rows name.",
    ),
    ...STRUCTURES.flatMap(structureLines),
    "",
    "#endif",
    "",
  ].join("\n");
}

if (import.meta.main) {
  const url = new URL(`../${PATH}`, import.meta.url);
  const text = header();
  if (!Deno.args.includes("--check")) {
    await Deno.mkdir(new URL(".", url), { recursive: true });
    await Deno.writeTextFile(url, text);
  } else if (await Deno.readTextFile(url).catch(() => "") !== text) {
    console.error(`${PATH} does not match src/layout: run \`deno task build\``);
    Deno.exit(1);
  }
}
