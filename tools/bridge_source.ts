/**
 * Expands the template src/adapters/emscripten/bridge.wat into WebAssembly text for one kind of pool and of program
 * memory.
 *
 * @module
 */
import { SEEK_CUR, SEEK_END } from "../src/adapters/emscripten/abi.ts";
import * as flags from "../src/file/flags.ts";
import * as inode from "../src/layout/inode.ts";
import * as process from "../src/layout/process.ts";
import { LOCKED_DRAIN } from "../src/memory/intrinsics.ts";

/** What to expand the template for. */
export interface BridgeVariant {
  /** Index type of the pool. */
  readonly pool: "i32" | "i64";
  /** Index type of the program's memory. */
  readonly heap: "i32" | "i64";
  /** Whether the program's memory is shared. */
  readonly shared: boolean;
}

/** All variants, by the names of their constants. */
export const BRIDGE_VARIANTS: Readonly<Record<string, BridgeVariant>> = Object.fromEntries(
  (["i32", "i64"] as const).flatMap((pool) =>
    (["i32", "i64"] as const).flatMap((heap) =>
      [true, false].map((shared) => [
        `POOL_${pool.slice(1)}_${shared ? "SHARED" : "UNSHARED"}_${heap.slice(1)}`,
        { pool, heap, shared },
      ])
    )
  ),
);

const CONSTANTS: Readonly<Record<string, number>> = {
  LOCKED_DRAIN,
  SEEK_CUR,
  SEEK_END,
  O_APPEND: flags.O_APPEND,
  O_DIRECTORY: flags.O_DIRECTORY,
  POSITION_LIMIT: Number.MAX_SAFE_INTEGER,
  POSITION_SPAN: Number.MAX_SAFE_INTEGER * 2,
  DESCRIPTION_INODE: process.DESCRIPTION_INODE * 4,
  DESCRIPTION_GENERATION: process.DESCRIPTION_GENERATION * 4,
  DESCRIPTION_POSITION: process.DESCRIPTION_POSITION * 4,
  INODE_VERSION: inode.INODE_VERSION * 4,
  INODE_OPENS: inode.INODE_OPENS * 4,
  INODE_SIZE: inode.INODE_SIZE * 4,
  INODE_EXTENT_COUNT: inode.INODE_EXTENT_COUNT * 4,
  INODE_EXTENT_BLOCK: inode.INODE_EXTENT_BLOCK * 4,
  INODE_BODY: inode.INODE_BODY * 4,
  INODE_INLINE_BYTES: inode.INODE_INLINE_BYTES,
  INODE_INLINE_EXTENTS: inode.INODE_INLINE_EXTENTS,
  OPENS_GENERATION_SHIFT: inode.OPENS_GENERATION_SHIFT,
  EXTENT_FILE: inode.EXTENT_FILE * 4,
  EXTENT_REF: inode.EXTENT_REF * 4,
  EXTENT_UNITS: inode.EXTENT_UNITS * 4,
  EXTENT_BYTES: inode.EXTENT_WORDS * 4,
  EXTENT_SHIFT: Math.log2(inode.EXTENT_UNIT_BYTES),
  // struct dirent: two numbers of 64 bits, a length of 16, a type of 8, the name with a zero at its end.
  DIRENT_NAME: 19,
  DIRENT_NAME_END: 19 + 1 + 7,
};

const LOCALS = `(local $ref i32) (local $flags i32) (local $generation i32) (local $pieces i32) (local $inodeRef i32)
    (local $at i64) (local $description i64) (local $inode i64) (local $base i64) (local $bytes i64) (local $done i64)`;

// As Process.entry and Process.find, in their order of loads; the agent must be live.
const FIND = `
      (br_if $slow (i32.ge_u (local.get $fd) (i32.const ${process.PROCESS_TABLE_PARTS * process.PART_DESCRIPTORS})))
      (local.set $at (i64.add (global.get $table)
        (i64.extend_i32_u (i32.shl (i32.shr_u (local.get $fd) (i32.const ${process.PART_SHIFT})) (i32.const 2)))))
      (local.set $ref (i32.atomic.load {p (local.get $at)}))
      (br_if $slow (i32.eqz (local.get $ref)))
      (local.set $at (i64.add (i64.shl (i64.extend_i32_u (local.get $ref)) (i64.const 4))
        (i64.extend_i32_u (i32.or (i32.shl (i32.and (local.get $fd) (i32.const 63)) (i32.const 6))
          (i32.shl (i32.and (i32.shr_u (local.get $fd) (i32.const 6)) (i32.const 15)) (i32.const 2))))))
      (br_if $slow (i64.ge_u (local.get $at) {poolEnd}))
      (local.set $ref (i32.atomic.load {p (local.get $at)}))
      (br_if $slow (i32.le_s (local.get $ref) (i32.const 0)))
      (local.set $description (i64.shl
        (i64.extend_i32_u (i32.and (local.get $ref) (i32.const ${~process.DESCRIPTOR_CLOEXEC}))) (i64.const 4)))
      (br_if $slow (i64.gt_u (i64.add (local.get $description) (i64.const ${process.DESCRIPTION_WORDS * 4})) {poolEnd}))
      (local.set $inodeRef (i32.atomic.load offset={DESCRIPTION_INODE} {p (local.get $description)}))
      (local.set $flags (i32.atomic.load offset=${process.DESCRIPTION_FLAGS * 4} {p (local.get $description)}))
      (local.set $generation (i32.atomic.load offset={DESCRIPTION_GENERATION} {p (local.get $description)}))
      (br_if $slow (i32.eq (local.get $generation) (i32.const -1)))
      (br_if $slow (i32.ne (local.get $inodeRef)
        (i32.atomic.load offset={DESCRIPTION_INODE} {p (local.get $description)})))
      (local.set $inode (i64.shl (i64.extend_i32_u (local.get $inodeRef)) (i64.const 4)))
      (br_if $slow (i64.gt_u (i64.add (local.get $inode) (i64.const ${inode.INODE_WORDS * 4})) {poolEnd}))
      (br_if $slow (i32.ne (i32.load $pool {p (global.get $slot)}) (global.get $state)))`;

const INODE_OF_REF = `
      (local.set $inode (i64.shl (i64.extend_i32_u (local.get $ref)) (i64.const 4)))
      (br_if $slow (i64.gt_u (i64.add (local.get $inode) (i64.const ${inode.INODE_WORDS * 4})) {poolEnd}))
      (br_if $slow (i32.ne (i32.load $pool {p (global.get $slot)}) (global.get $state)))
      (local.set $bytes {wide $size})
      (br_if $slow (i64.gt_u (local.get $bytes) (i64.const 0x7fffffff)))
      (br_if $slow (i64.gt_u (local.get $bytes) {heapEnd}))
      (local.set $position (i64.trunc_sat_f64_s (local.get $place)))`;

const READABLE = `
      (br_if $slow (i32.eq (i32.and (local.get $flags) (i32.const ${flags.O_ACCMODE})) (i32.const ${flags.O_WRONLY})))
      (br_if $slow (i32.and (local.get $flags) (i32.const {O_DIRECTORY})))`;

const WRITABLE = `
      (br_if $slow (i32.eq (i32.and (local.get $flags) (i32.const ${flags.O_ACCMODE})) (i32.const ${flags.O_RDONLY})))`;

/** Where a call with iovecs reads or writes, if all that the program names lies in its memory and is not empty. */
function ranges(pointerBytes: number): string {
  return `
      (br_if $slow (i64.gt_u {wide $result} (i64.sub {heapEnd} (i64.const ${pointerBytes}))))
      (br_if $slow (i64.gt_u (i64.sub {wide $count} (i64.const 1)) (i64.const 1023)))
      (br_if $slow (i64.gt_u (i64.mul {wide $count} (i64.const {IOV_BYTES})) {heapEnd}))
      (br_if $slow (i64.gt_u {wide $iov} (i64.sub {heapEnd} (i64.mul {wide $count} (i64.const {IOV_BYTES})))))
      (if (i64.eq {wide $count} (i64.const 1))
        (then
          (local.set $base {iovBase {wide $iov}})
          (local.set $bytes {iovLength {wide $iov}})
          (br_if $slow (i64.gt_u (local.get $bytes) {heapEnd}))
          (br_if $slow (i64.gt_u (local.get $base) (i64.sub {heapEnd} (local.get $bytes)))))
        (else
          (local.set $bytes (call $totalOf {wide $iov} {wide $count}))
          (local.set $pieces (i32.wrap_i64 {wide $count}))))
      (br_if $slow (i64.eqz (local.get $bytes)))`;
}

/** Replaces `{name argument}` wherever it stands, the last one first; an argument may hold further macros. */
function expandUnary(text: string, name: string, expand: (argument: string) => string): string {
  const opening = `{${name} `;
  for (;;) {
    const start = text.lastIndexOf(opening);
    if (start < 0) return text;
    let depth = 1;
    let end = start + opening.length;
    for (; depth > 0; end++) {
      if (text[end] === "{") depth++;
      else if (text[end] === "}") depth--;
    }
    text = text.slice(0, start) + expand(text.slice(start + opening.length, end - 1)) + text.slice(end);
  }
}

/** Returns the expanded text. */
export async function bridgeSource({ pool, heap, shared }: BridgeVariant): Promise<string> {
  const index = (type: "i32" | "i64") => (expression: string) =>
    type === "i32" ? `(i32.wrap_i64 ${expression})` : expression;
  const wide = (type: "i32" | "i64") => (expression: string) =>
    type === "i32" ? `(i64.extend_i32_u ${expression})` : expression;
  const pointerBytes = heap === "i32" ? 4 : 8;
  const pages = (memory: string, type: "i32" | "i64") => wide(type)(`(memory.size ${memory})`);
  const end = (memory: string, type: "i32" | "i64") => `(i64.shl ${pages(memory, type)} (i64.const 16))`;
  const simple: Readonly<Record<string, string>> = {
    POOL_MEMORY: pool === "i32" ? "1 65536 shared" : "i64 1 262144 shared",
    HEAP_MEMORY: `${heap === "i64" ? "i64 " : ""}1${
      shared ? (heap === "i32" ? " 65536 shared" : " 262144 shared") : ""
    }`,
    locals: LOCALS,
    find: FIND,
    inodeOfRef: INODE_OF_REF,
    readable: READABLE,
    writable: WRITABLE,
    ranges: ranges(pointerBytes),
    H: heap,
    IOV_BYTES: String(2 * pointerBytes),
    poolPages: pages("$pool", pool),
    poolEnd: end("$pool", pool),
    heapEnd: end("$heap", heap),
  };
  let text = await Deno.readTextFile(new URL("../src/adapters/emscripten/bridge.wat", import.meta.url));
  text = text.replace(/;;.*$/gm, "");
  // Twice: what is expanded may hold further macros.
  for (let round = 0; round < 2; round++) {
    for (const [name, value] of Object.entries(simple)) text = text.replaceAll(`{${name}}`, value);
  }
  // A length is as wide as both memories allow.
  const length = pool === "i64" && heap === "i64" ? index("i64") : index("i32");
  text = expandUnary(text, "copyOut", (list) => {
    const [to, from, bytes] = list.split(", ") as [string, string, string];
    return `(memory.copy $heap $pool {h ${to}} {p ${from}} ${length(bytes)})`;
  });
  text = expandUnary(text, "copyIn", (list) => {
    const [to, from, bytes] = list.split(", ") as [string, string, string];
    return `(memory.copy $pool $heap {p ${to}} {h ${from}} ${length(bytes)})`;
  });
  text = expandUnary(text, "iovBase", (at) => wide(heap)(`(${heap}.load $heap {h ${at}})`));
  text = expandUnary(text, "iovLength", (at) => wide(heap)(`(${heap}.load $heap offset=${pointerBytes} {h ${at}})`));
  text = expandUnary(text, "wide", (name) => wide(heap)(`(local.get ${name})`));
  text = expandUnary(text, "narrow", index(heap));
  text = expandUnary(text, "p", index(pool));
  text = expandUnary(text, "h", index(heap));
  return text.replace(/\{([A-Z_0-9]+)\}/g, (_whole, name: string) => {
    const value = CONSTANTS[name];
    if (value === undefined) throw new Error(`bridge.wat uses the unknown constant ${name}`);
    return name === "POSITION_SPAN" ? String(BigInt(Number.MAX_SAFE_INTEGER) * 2n) : String(value);
  });
}
