/**
 * Expands the template src/memory/intrinsics.wat into WebAssembly text for one kind of memory and processor.
 *
 * @module
 */
import * as agents from "../src/layout/agent_table.ts";
import * as directory from "../src/layout/directory.ts";
import * as inode from "../src/layout/inode.ts";
import * as lock from "../src/layout/lock_word.ts";

/** What to expand the template for. */
export interface IntrinsicsVariant {
  /** Index type of the memory. */
  readonly address: "i32" | "i64";
  /** `tso` leaves out the fences that x86 does not need. */
  readonly order: "weak" | "tso";
  /** Whether every atomic step first calls the imported `step`, and waiting is imported: for schedule tests. */
  readonly scheduled?: boolean;
}

const CONSTANTS: Record<string, number> = {
  SLOT_HELD: agents.SLOT_HELD,
  SLOT_HELD_INNER: agents.SLOT_HELD_INTERNAL - 1,
  SLOT_WORDS: agents.SLOT_WORDS,
  SLOT_PIN_COUNT: agents.SLOT_PIN_COUNT,
  SLOT_PINS_IN_TABLE: agents.TABLE_HEADER_WORDS + agents.SLOT_PINS,
  TABLE_FREEZE: agents.TABLE_FREEZE,
  TABLE_HIGH: agents.TABLE_HIGH,
  LOCK_PARKED: lock.LOCK_PARKED,
  LOCK_READERS: lock.LOCK_READERS,
  LOCK_RESERVED: lock.LOCK_RESERVED,
  LOCK_DRAINING: lock.LOCK_DRAINING,
  LOCK_OWNER: lock.LOCK_OWNER,
  LOCK_RESERVED_PARKED: lock.LOCK_RESERVED | lock.LOCK_PARKED,
  LOCK_RESERVATION: lock.LOCK_RESERVATION,
  LOCK_RESERVATION_TICK: 1 << lock.LOCK_SLOT_BITS,
  LOCK_BARS_READERS: lock.LOCK_OWNER | lock.LOCK_RESERVED,
  INODE_VERSION: inode.INODE_VERSION,
  INODE_SIZE: inode.INODE_SIZE,
  INODE_MTIME: inode.INODE_MTIME,
  INODE_CTIME: inode.INODE_CTIME,
  INODE_SIZE_BYTE: inode.INODE_SIZE * 4,
  INODE_MTIME_BYTE: inode.INODE_MTIME * 4,
  INODE_CTIME_BYTE: inode.INODE_CTIME * 4,
  BUCKET_ENTRIES_BYTE: directory.BUCKET_ENTRIES * 4,
  ENTRY_NAME_BYTE: directory.ENTRY_NAME * 4,
};

const WAIT = `
  ;; Parks while the word has the expected value: 0 woken, 1 not equal, 2 timed out. Traps where the thread may not block.
  (func (export "wait") (param $atW i32) (param $expected i32) (param $timeoutMs f64) (result i32)
    (memory.atomic.wait32 {word $atW} (local.get $expected)
      (i64.trunc_sat_f64_s (f64.mul (local.get $timeoutMs) (f64.const 1e6)))))

  ;; Wakes at most $count of the parked; returns how many.
  (func (export "notify") (param $atW i32) (param $count i32) (result i32)
    (memory.atomic.notify {word $atW} (local.get $count)))`;

const SCHEDULED_WAIT = `
  (func (export "wait") (param $atW i32) (param $expected i32) (param $timeoutMs f64) (result i32)
    (call $wait (local.get $atW) (local.get $expected) (local.get $timeoutMs)))
  (func (export "notify") (param $atW i32) (param $count i32) (result i32)
    (call $notify (local.get $atW) (local.get $count)))`;

const SCHEDULED_IMPORTS = `
  (import "extmemfs" "step" (func $step (param i32 i32)))
  (import "extmemfs" "stepRange" (func $stepRange (param f64 f64 i32)))
  (import "extmemfs" "stepWords" (func $stepWords (param i32 i32 i32)))
  (import "extmemfs" "wait" (func $wait (param i32 i32 f64) (result i32)))
  (import "extmemfs" "notify" (func $notify (param i32 i32) (result i32)))`;

/** Returns the expanded text. */
export async function intrinsicsSource(variant: IntrinsicsVariant): Promise<string> {
  const wide = variant.address === "i64";
  const scheduled = variant.scheduled ?? false;
  const word = (name: string) =>
    wide
      ? `(i64.shl (i64.extend_i32_u (local.get ${name})) (i64.const 2))`
      : `(i32.shl (local.get ${name}) (i32.const 2))`;
  const byte = (name: string) => `(${variant.address}.trunc_sat_f64_u (local.get ${name}))`;
  const notify = (name: string, count: number) =>
    scheduled
      ? `(drop (call $notify (local.get ${name}) (i32.const ${count})))`
      : `(drop (memory.atomic.notify ${word(name)} (i32.const ${count})))`;
  const macros: [RegExp, (...groups: string[]) => string][] = [
    [/\{IMPORTS\}/g, () => scheduled ? SCHEDULED_IMPORTS : ""],
    [/\{WAIT\}/g, () => scheduled ? SCHEDULED_WAIT : WAIT],
    [/\{MEMORY\}/g, () => wide ? "i64 1 262144 shared" : "1 65536 shared"],
    [
      /\{step(Read|Write) (\$\w+) (\$\w+)\}/g,
      (what, at, bytes) =>
        scheduled
          ? `(call $stepRange (local.get ${at}) (local.get ${bytes}) (i32.const ${what === "Write" ? 1 : 0}))`
          : "",
    ],
    [
      /\{stepWords (\$\w+) (\d+|\{[A-Z_]+\}) (\d+) ([01])\}/g,
      (name, offset, words, writes) =>
        scheduled
          ? `(call $stepWords (i32.add (local.get ${name}) (i32.const ${offset})) (i32.const ${words}) (i32.const ${writes}))`
          : "",
    ],
    [/\{step (\$\w+)\}/g, (name) => scheduled ? `(call $step (local.get ${name}) (i32.const 1))` : ""],
    [/\{stepLoad (\$\w+)\}/g, (name) => scheduled ? `(call $step (local.get ${name}) (i32.const 0))` : ""],
    [/\{notifyOne (\$\w+)\}/g, (name) => notify(name, 1)],
    [/\{notifyAll (\$\w+)\}/g, (name) => notify(name, -1)],
    [/\{word (\$\w+)\}/g, word],
    [/\{byte (\$\w+)\}/g, byte],
    [/\{extend (\((?:[^{}])*\))\}/g, (expression) => wide ? `(i64.extend_i32_u ${expression})` : expression],
    [/\{memoryBytes\}/g, () =>
      // A full 4 GiB does not fit into 32 bits: the last granule, which the heap's end mark occupies, then counts as out.
      wide
        ? "(i64.shl (memory.size) (i64.const 16))"
        : "(select (i32.const -16) (i32.shl (memory.size) (i32.const 16)) (i32.eq (memory.size) (i32.const 65536)))"],
    [/\{PTR\}/g, () => variant.address],
    [/\{FENCE\}/g, () => variant.order === "tso" ? "" : "(atomic.fence)"],
    [/\{RELEASE\}/g, () => variant.order === "tso" ? "i32.store" : "i32.atomic.store"],
    [/\{([A-Z_0-9]+)\}/g, (name) => {
      const value = CONSTANTS[name];
      if (value === undefined) throw new Error(`intrinsics.wat uses the unknown constant ${name}`);
      return String(value);
    }],
  ];
  let text = await Deno.readTextFile(new URL("../src/memory/intrinsics.wat", import.meta.url));
  text = text.replace(/^;;.*$/gm, "");
  for (const [pattern, expand] of macros) {
    text = text.replace(pattern, (_whole: string, ...groups: string[]) => expand(...groups));
  }
  return text;
}
