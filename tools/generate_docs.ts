/**
 * Derives from the rows of src/layout: docs/format.md, and the compatibility hash in src/layout/compatibility.ts.
 * With `--check` it only compares and exits with 1 where either is out of date.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Row, Structure } from "../src/layout/rows.ts";
import { STRUCTURES } from "../src/layout/structures.ts";
import { FORMAT_VERSION } from "../src/layout/superblock.ts";

/** The bytes that the hash is taken over: each text preceded by its length, so that no two layouts encode alike. */
function encode(structures: readonly Structure[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const add = (value: string | number) => {
    const bytes = new TextEncoder().encode(String(value));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length, true);
    parts.push(length, bytes);
  };
  add("extmemfs-layout");
  add(FORMAT_VERSION);
  add(structures.length);
  for (const structure of structures) {
    add(structure.name);
    add(structure.bytes);
    add(structure.rows.length);
    for (const row of structure.rows) {
      for (const value of [row.name, row.word, row.words, row.type, row.access]) add(value);
    }
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function assertSound(structure: Structure): void {
  let end = 0;
  for (const row of structure.rows) {
    if (row.word < end) throw new Error(`${structure.name}.${row.name} overlaps the row before it`);
    if (row.type === "f64" && row.word % 2 !== 0) throw new Error(`${structure.name}.${row.name} is not aligned`);
    end = row.word + row.words;
  }
  if (structure.bytes !== 0 && end * 4 > structure.bytes) throw new Error(`${structure.name} is longer than its size`);
}

function rowLine(row: Row): string {
  const bytes = row.words * 4;
  return `| ${row.word * 4} | ${bytes} | \`${row.name}\` | ${row.type} | ${row.access} | ${
    row.doc.replaceAll("|", "\\|")
  } |`;
}

function formatDocument(hash: string): string {
  const lines = [
    "# The format of a pool",
    "",
    "<!-- Generated from src/layout by tools/generate_docs.ts (`deno task build`). Do not edit. -->",
    "",
    `Format version ${FORMAT_VERSION}. Compatibility hash \`${hash}\`.`,
    "",
    "All numbers are little-endian. A *ref* is an address divided by 16. Offsets and sizes are in bytes. The access classes:",
    "`const` is written by format or attach before anybody else can see it; `atomic` is touched by atomic operations only;",
    "`guarded` is plain, under the lock that the row or structure names; `owner` is written by one agent.",
    "",
  ];
  for (const structure of STRUCTURES) {
    lines.push(`## ${structure.name}`, "", structure.doc, "");
    if (structure.bytes !== 0) lines.push(`Size: ${structure.bytes} bytes.`, "");
    lines.push("| offset | bytes | field | type | access | meaning |", "| --- | --- | --- | --- | --- | --- |");
    lines.push(...structure.rows.map(rowLine), "");
  }
  return lines.join("\n");
}

for (const structure of STRUCTURES) assertSound(structure);
const digest = createHash("sha256").update(encode(STRUCTURES)).digest();
const words = Array.from({ length: 8 }, (_, index) => digest.readInt32BE(index * 4));
const outputs: [string, string][] = [
  [
    "../src/layout/compatibility.ts",
    [
      "// Generated from the rows of src/layout by tools/generate_docs.ts (`deno task build`). Do not edit.",
      "",
      "/** SHA-256 over the rows of the layout, as eight words: pools whose hashes differ are not attached. */",
      "// deno-fmt-ignore",
      `export const COMPATIBILITY_HASH: readonly number[] = [${words.join(", ")}];`,
      "",
    ].join("\n"),
  ],
  ["../docs/format.md", formatDocument(digest.toString("hex"))],
];
let stale = false;
for (const [path, text] of outputs) {
  const url = new URL(path, import.meta.url);
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(url, text);
  else if (await Deno.readTextFile(url).catch(() => "") !== text) {
    console.error(`${path.slice(3)} does not match src/layout: run \`deno task build\``);
    stale = true;
  }
}
if (stale) Deno.exit(1);
