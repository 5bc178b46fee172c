/**
 * The rows of the native speed table: which workload of `workloads.c` fills them, and what they are judged by.
 *
 * @module
 */
import { atLeast, atMostTimes, type RowSpec, type Target, timesFasterThan } from "../row.ts";

/** A row, and the workload that fills it. */
export interface NativeRow extends RowSpec {
  /** Heading of the table it appears in. */
  readonly group: string;
  /** Workload of `workloads.c`. */
  readonly workload: string;
  /** The workload that is the bare cost of the same bytes. */
  readonly floor?: string;
}

const CALLS = "Calls of a C program";
const TWO = "Two pthreads against one, divided by how pure computing grows";

/** Column of the bare copy. */
export const COPY = "memory.copy";
/** Column of pure computing. */
export const COMPUTE = "pure computing";
/** The workload of pure computing. */
export const COMPUTE_WORKLOAD = "two_compute";

function call(workload: string, work: string, more: Partial<NativeRow> = {}): NativeRow {
  return { id: `native.${workload}`, group: CALLS, workload, work, unit: "ns", targets: [], ...more };
}

function two(workload: string, work: string): NativeRow {
  return {
    id: `native.${workload}`,
    group: TWO,
    workload,
    work,
    unit: "times",
    targets: [atLeast("≥ 0.9 of pure computing (1.8 × one)", 0.9)],
  };
}

const MEMORY = "wasmfs-memory";
const PROXIED = "memfs-pthread";

/** At least as fast as WasmFS's memory backend. */
const asFast: readonly Target[] = [timesFasterThan(MEMORY, 1)];
/** At most a tenth more than the bare copy of the same bytes. */
const asCopy: readonly Target[] = [atMostTimes(COPY, 1.1)];

/** All rows. */
export const ROWS: readonly NativeRow[] = [
  call("small_read", "seek + read of 16 B (one of 250,000)", {
    targets: [atMostTimes(MEMORY, 1.1), timesFasterThan(PROXIED, 50)],
  }),
  call("pread_4k", "pread 4 KiB, hot", { floor: "copy_4k", targets: asFast }),
  call("pwrite_4k", "pwrite 4 KiB, hot", { floor: "copy_4k", targets: asFast }),
  call("open_close", "open and close", { targets: asFast }),
  call("stat", "stat", { targets: asFast }),
  call("readdir_1000", "list a directory of 1,000 (whole list)", { targets: asFast }),
  call("create_4k", "create, write 4 KiB, close", { targets: [timesFasterThan(MEMORY, 1.5)] }),
  call("unlink", "unlink a file of 4 KiB", { targets: asFast }),
  call("rename", "rename", { targets: asFast }),
  call("read_64k", "read 256 MiB in 64 KiB pieces, warm (per piece)", { floor: "copy_out_64k", targets: asCopy }),
  call("write_64k", "write 256 MiB in 64 KiB pieces, warm (per piece)", { floor: "copy_in_64k", targets: asCopy }),
  two("two_read", "pread 4 KiB of the same file"),
  two("two_write", "pwrite 4 KiB to two files"),
  two("two_create", "create 4 KiB files in two directories"),
];
