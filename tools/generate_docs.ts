/**
 * Derives from the rows of src/layout: docs/format.md, and the compatibility hash in src/layout/compatibility.ts.
 * With `--check` it only compares and exits with 1 where either is out of date.
 *
 * @module
 */
import { encodeTagged } from "../src/artifact/canonical.ts";
import { sha256, toHex } from "../src/artifact/digest.ts";
import type { Row, Structure } from "../src/layout/rows.ts";
import { STRUCTURES } from "../src/layout/structures.ts";
import { FORMAT_VERSION } from "../src/layout/superblock.ts";

/** The bytes that the hash is taken over: docs/artifact.md describes the encoding. */
export function encodeLayout(structures: readonly Structure[]): Uint8Array {
  return encodeTagged("extmemfs.pool-layout", 1, [
    FORMAT_VERSION,
    structures.map(({ name, bytes, rows }) => [
      name,
      bytes,
      rows.map((row) => [row.name, row.word, row.words, row.type, row.access]),
    ]),
  ]);
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

async function main(): Promise<number> {
  for (const structure of STRUCTURES) assertSound(structure);
  const digest = sha256(encodeLayout(STRUCTURES));
  const view = new DataView(digest.buffer);
  const words = Array.from({ length: 8 }, (_, index) => view.getInt32(index * 4));
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
    ["../docs/format.md", formatDocument(toHex(digest))],
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
  return stale ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main());
