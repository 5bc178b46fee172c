/**
 * Mixes about descriptors that workers share, as the threads of a WebAssembly program do.
 *
 * @module
 */
import type { FileSystem } from "../../mod.ts";
import { Context } from "../../src/file/context.ts";
import { contextOf } from "../../src/file/context_of.ts";
import { AT_END, readInode, writeInode } from "../../src/file/data.ts";
import { O_APPEND, O_CREAT, O_RDWR } from "../../src/file/flags.ts";
import { open } from "../../src/file/open.ts";
import { Process } from "../../src/file/process.ts";
import { leaveProcess } from "../../src/file/retire.ts";
import { EBADF, EBUSY, ENOENT } from "../../src/layout/errno.ts";
import { SLOT_PROCESS } from "../../src/layout/agent_table.ts";
import { GRANULE_WORDS } from "../../src/layout/units.ts";
import { assertEquals, assertGreater } from "../support/assert.ts";
import type { Mix, Shift } from "./filesystem_shift.ts";

const RECORD_BYTES = 16;
const FILE_BYTES = 500;
/** Descriptors that workers open, duplicate, use and close under each other's hands. */
const FIRST_LOOSE = 10;
const LOOSE = 24;
const SENTINEL = 0xa5;
/** Descriptors of the two files that stay open: one written at a shared position, one appended to. */
const SHARED_FD = 3;
const APPENDED_FD = 4;

function keep(fs: FileSystem): void {
  const context = new Context(contextOf(fs)!.store, 0);
  const process = Process.create(context, 0);
  if (typeof process === "number") throw new Error(`Process.create returned ${process}`);
  assertEquals(open(context, "/shared", O_CREAT | O_RDWR, 0o644, process), SHARED_FD);
  assertEquals(open(context, "/appended", O_CREAT | O_RDWR | O_APPEND, 0o644, process), APPENDED_FD);
  fs.mkdirSync("/loose");
  fs.writeFileSync("/process", String(process.word));
}

function record(worker: number, count: number): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, worker);
  view.setUint32(4, count);
  view.setUint32(8, ~worker >>> 0);
  view.setUint32(12, ~count >>> 0);
  return bytes;
}

function writeRecord(
  { context, process }: ThreadOf,
  fd: number,
  position: number | undefined,
  bytes: Uint8Array,
): number {
  const found = process.find(fd);
  if (found !== 0) return found;
  const locked = process.lockPosition();
  if (locked !== 0) return locked;
  const { inodeWord, generation } = process.found;
  const at = position ?? process.position;
  const written = writeInode(context, inodeWord, generation, bytes, 0, bytes.length, at);
  if (written > 0 && position === undefined) process.position = context.endOfWrite;
  process.unlockPosition();
  return written;
}

interface ThreadOf {
  readonly context: Context;
  readonly process: Process;
}

function work(shift: Shift): { records: number; uses: number } {
  const { fs, random, job } = shift;
  const context = new Context(contextOf(fs)!.store, 0);
  const process = Process.join(context, Number(fs.readFileSync("/process", "utf8")));
  const thread = { context, process };
  const own = new Uint8Array(FILE_BYTES).fill(job.index + 1);
  const bytes = new Uint8Array(FILE_BYTES + 256);
  let records = 0;
  let uses = 0;
  const tolerate = (result: number, ...errnos: number[]) => {
    shift.demand(result >= 0 || errnos.includes(-result), () => `a call on a shared descriptor returned ${result}`);
    return result;
  };
  const loose = () => FIRST_LOOSE + random.below(LOOSE);
  while (shift.goOn()) {
    const what = random.below(10);
    if (what < 2) {
      const bytes = record(job.index, records);
      tolerate(writeRecord(thread, SHARED_FD, undefined, bytes));
      tolerate(writeRecord(thread, APPENDED_FD, AT_END, bytes));
      records++;
    } else if (what < 4) {
      // A file of one byte value, under a name that is soon gone.
      const path = `/loose/${job.index}-${random.below(4)}`;
      const fd = tolerate(open(context, path, O_CREAT | O_RDWR, 0o644, process), ENOENT);
      if (fd < 0) continue;
      const found = process.find(fd);
      if (found === 0) {
        const { inodeWord, generation } = process.found;
        tolerate(writeInode(context, inodeWord, generation, own, 0, FILE_BYTES, 0), EBADF);
      }
      if (random.oneIn(2)) fs.rmSync(path, { force: true });
      if (random.oneIn(3)) tolerate(process.duplicateTo(fd, loose(), false), EBADF, EBUSY);
      if (fd >= FIRST_LOOSE + LOOSE || random.oneIn(2)) tolerate(process.close(fd), EBADF);
    } else if (what === 4) tolerate(process.close(loose()), EBADF);
    else if (what === 5) tolerate(process.duplicateTo(loose(), loose(), false), EBADF, EBUSY);
    else if (what === 6) tolerate(process.duplicate(loose(), FIRST_LOOSE, random.oneIn(2)), EBADF);
    else if (process.find(loose()) === 0) {
      const { inodeWord, generation } = process.found;
      bytes.fill(SENTINEL);
      const count = tolerate(readInode(context, inodeWord, generation, bytes, 64, FILE_BYTES, 0), EBADF);
      if (count > 0) {
        const value = shift.homogeneous(bytes, 64, count, SENTINEL, "reading through a shared descriptor");
        shift.demand(value >= 1 && value <= job.workers, () => `a file holds ${value}, which no worker writes`);
      }
      uses++;
    }
  }
  return { records, uses };
}

function verify(fs: FileSystem, reports: unknown[]): void {
  const counts = (reports as ReturnType<typeof work>[]).map(({ records }) => records);
  assertGreater(counts.reduce((sum, count) => sum + count, 0), 0);
  for (const path of ["/shared", "/appended"]) {
    // Each record once, each worker's in their order: no position was used twice, none was left out.
    const view = new DataView(fs.readFileSync(path).buffer);
    const next = counts.map(() => 0);
    for (let at = 0; at < view.byteLength; at += RECORD_BYTES) {
      const worker = view.getUint32(at);
      const count = view.getUint32(at + 4);
      assertEquals(
        [view.getUint32(at + 8), view.getUint32(at + 12)],
        [~worker >>> 0, ~count >>> 0],
        `${path} at ${at}`,
      );
      assertEquals(count, next[worker]!++, `${path} at ${at}: worker ${worker}`);
    }
    assertEquals(next, counts, path);
  }
  const { agent, memory } = contextOf(fs)!.store;
  const process = memory.i32[agent.slotWord + SLOT_PROCESS]! * GRANULE_WORDS;
  if (process === 0) throw new Error("the process is gone");
  leaveProcess(contextOf(fs)!);
  assertEquals(fs.stats().opens, 0);
}

/** The mixes. */
export const PROCESS_MIXES: Readonly<Record<string, Mix>> = {
  "descriptors shared by the threads of a process": { prepare: keep, work, verify },
};
