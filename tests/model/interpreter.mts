/**
 * Runs operations on a filesystem and turns what comes of them into text: the same code on both sides, in Deno over the
 * filesystem under test and in Node over `node:fs`.
 *
 * Node runs this file as it is (it strips the types).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Argument, DataArgument, ErrorFields, IntoArgument, Operation, Outcome, ViewKind } from "./language.ts";

/** Methods by name: `node:fs`, or a filesystem with its names. */
// deno-lint-ignore no-explicit-any
export type Methods = Record<string, (...args: any[]) => any>;

/** A descriptor that no side ever has open. */
const NEVER_OPEN = 1_000_000;

/** What buffers to read into contain before the call. */
const SENTINEL = 0xee;

/** Times this near to the present are those that the clock gave. */
const NEAR_MS = 24 * 60 * 60 * 1000;

/** How an interpreter is set up. */
export interface Setting {
  /** The filesystem. */
  fs: Methods;
  /** Its `O_…`, `COPYFILE_…` and `…_OK` numbers. */
  constants: Record<string, number>;
  /** The directory that the operations' paths start at. */
  sandbox: string;
  /** Whether numbers of closed descriptors must not be used: in Node something else may own them by then. */
  sparesClosed: boolean;
}

/** The parts of `Stats` that are looked at. */
interface StatsLike {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  mode: number | bigint;
  nlink: number | bigint;
  size: number | bigint;
  uid: number | bigint;
  gid: number | bigint;
  ino: number | bigint;
  mtimeMs: number | bigint;
  ctimeMs: number | bigint;
  mtime: Date;
}

/** Runs the operations of one sequence, and knows the descriptors that it opened. */
export class Interpreter {
  readonly #setting: Setting;
  readonly #descriptors: { number: number; open: boolean }[] = [];

  /** Starts with no descriptor open. */
  constructor(setting: Setting) {
    this.#setting = setting;
  }

  /** Runs one operation; never throws. */
  run(operation: Operation): Outcome {
    const buffers: Uint8Array[] = [];
    let outcome: Outcome;
    try {
      const args = operation.args.map((argument) => this.value(argument, buffers));
      outcome = { returned: this.#call(operation.call, args) };
    } catch (error) {
      outcome = { error: errorFields(error) };
    }
    if (buffers.length > 0) outcome.buffers = buffers.map(showBytes);
    return outcome;
  }

  /** The descriptors that are open, each as how many were opened after it. */
  get open(): number[] {
    const last = this.#descriptors.length - 1;
    return this.#descriptors.flatMap(({ open }, index) => open ? [last - index] : []).reverse();
  }

  /** Closes what is still open. */
  closeAll(): void {
    for (const descriptor of this.#descriptors) {
      if (descriptor.open) this.#setting.fs.closeSync(descriptor.number);
      descriptor.open = false;
    }
  }

  /** Returns what an argument stands for; adds to `buffers` what is to be looked at after the call. */
  value(argument: Argument, buffers: Uint8Array[]): unknown {
    if (argument === null || typeof argument !== "object") return argument;
    if ("at" in argument) {
      const path = expandPath(argument, this.#setting.sandbox);
      if (argument.as === "bytes") return Buffer.from(path);
      return argument.as === "url" ? new URL(`file://${path}`) : path;
    }
    if ("data" in argument) return patternView(argument);
    if ("into" in argument) return sentinelView(argument, buffers);
    if ("pick" in argument || "openFd" in argument) throw new Error("a choice that was not made");
    if ("fd" in argument) return this.#descriptor(argument.fd);
    if ("flags" in argument) {
      return argument.flags.reduce((bits, name) => bits | this.#setting.constants[name], 0);
    }
    if ("list" in argument) return argument.list.map((item) => this.value(item, buffers));
    if ("options" in argument) {
      return Object.fromEntries(
        Object.entries(argument.options).map(([name, item]) => [name, this.value(item, buffers)]),
      );
    }
    if (argument.value === "undefined") return undefined;
    return argument.value.endsWith("n") ? BigInt(argument.value.slice(0, -1)) : Number(argument.value);
  }

  #descriptor(back: number): number {
    const count = this.#descriptors.length;
    if (count === 0) return NEVER_OPEN;
    const descriptor = this.#descriptors[count - 1 - back % count];
    if (descriptor.open) return descriptor.number;
    const taken = this.#descriptors.some((other) => other.open && other.number === descriptor.number);
    return taken || this.#setting.sparesClosed ? NEVER_OPEN : descriptor.number;
  }

  #call(name: string, args: unknown[]): string {
    const { fs } = this.#setting;
    if (name === "$tree") return showTree(fs, args[0] as string);
    if (typeof fs[name] !== "function") throw new Error(`no method ${name}`);
    const result = fs[name](...args);
    switch (name) {
      case "openSync":
        if (!Number.isInteger(result) || result < 0) return `the descriptor ${result}`;
        this.#descriptors.push({ number: result, open: true });
        return "a descriptor";
      case "closeSync":
        for (const descriptor of this.#descriptors) if (descriptor.number === args[0]) descriptor.open = false;
        return show(result);
      case "mkdtempSync": {
        // The suffix is random: the directory goes away again, so that both sides contain the same.
        const made = String(result);
        const suffix = made.slice(String(args[0]).length);
        const stats = showStats(fs.lstatSync(made) as StatsLike);
        fs.rmdirSync(made);
        return `${made.slice(0, -suffix.length)} and ${
          /^[A-Za-z0-9]{6}$/.test(suffix) ? "6 letters" : suffix
        }, ${stats}`;
      }
      default:
        return show(result);
    }
  }
}

/** Returns the path that an argument stands for. */
export function expandPath(path: { at: string; relative?: true; bytes?: number }, sandbox: string): string {
  const start = path.relative ? sandbox.slice(1) : sandbox;
  const end = path.at === "" ? "" : `/${path.at}`;
  const missing = (path.bytes ?? 0) - utf8Length(start + end);
  if (missing <= 0) return start + end;
  return `${start}${"/.".repeat(missing >> 1)}${missing & 1 ? "/" : ""}${end}`;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Lays a view of the asked kind over fresh memory; for elements of two bytes the length is rounded up. */
function makeView(length: number, kind: ViewKind = "Uint8Array"): { bytes: Uint8Array; view: ArrayBufferView } {
  const even = kind === "Uint16Array" ? length + (length & 1) : length;
  const memory = kind === "shared" ? new SharedArrayBuffer(even) : new ArrayBuffer(kind === "inside" ? even + 8 : even);
  const bytes = new Uint8Array(memory, kind === "inside" ? 3 : 0, even);
  if (kind === "Uint16Array") return { bytes, view: new Uint16Array(memory) };
  if (kind === "DataView") return { bytes, view: new DataView(memory) };
  return { bytes, view: bytes };
}

function patternView(argument: DataArgument): ArrayBufferView {
  const { bytes, view } = makeView(argument.length, argument.view);
  for (let i = 0; i < bytes.length; i++) bytes[i] = argument.data * 31 + i * 7 + (i >> 8) * 13 + 1;
  return view;
}

function sentinelView(argument: IntoArgument, buffers: Uint8Array[]): ArrayBufferView {
  const { bytes, view } = makeView(argument.into, argument.view);
  bytes.fill(SENTINEL);
  buffers.push(bytes);
  return view;
}

/** Writes bytes as their count and their hexadecimal digits, or a digest of them where they are many. */
function showBytes(bytes: Uint8Array): string {
  if (bytes.length <= 32) return `${bytes.length} bytes ${Array.from(bytes, (byte) => hex(byte, 2)).join("")}`;
  let digest = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) digest = Math.imul(digest ^ bytes[i], 0x01000193);
  return `${bytes.length} bytes #${hex(digest >>> 0, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) return showBytes(value);
  if (Array.isArray(value)) return `[${value.map(showEntry).sort().join(", ")}]`;
  if ("isFile" in value && "nlink" in value) return showStats(value as StatsLike);
  return JSON.stringify(value);
}

function showEntry(entry: unknown): string {
  if (typeof entry !== "object" || entry === null || entry instanceof Uint8Array) return show(entry);
  const { name, parentPath } = entry as { name: string; parentPath: string };
  return `${JSON.stringify(name)} in ${JSON.stringify(parentPath)}: ${kindOf(entry as StatsLike)}`;
}

function kindOf(of: Pick<StatsLike, "isFile" | "isDirectory" | "isSymbolicLink">): string {
  const kinds = [of.isFile() ? "file" : "", of.isDirectory() ? "directory" : "", of.isSymbolicLink() ? "link" : ""];
  return kinds.filter((kind) => kind).join("+") || "unknown";
}

/** A time as such where a call has set it, `now` where the clock gave it. */
function showTime(ms: number | bigint): string {
  return Math.abs(Number(ms) - Date.now()) < NEAR_MS ? "now" : String(Math.round(Number(ms)));
}

function showStats(stats: StatsLike): string {
  const size = stats.isDirectory() ? "" : ` size=${show(stats.size)}`;
  const mtime = showTime(stats.mtimeMs);
  const date = showTime(stats.mtime.getTime());
  return `${kindOf(stats)} mode=${stats.mode.toString(8)} nlink=${show(stats.nlink)}${size} ` +
    `uid=${show(stats.uid)} gid=${show(stats.gid)} mtime=${mtime}${date === mtime ? "" : ` (Date ${date})`} ` +
    `ctime=${showTime(stats.ctimeMs)}`;
}

/** Lists all below `root` with stats, contents and which names are one inode. */
function showTree(fs: Methods, root: string): string {
  const inodes = new Map<number | bigint, number>();
  const lines: string[] = [];
  const visit = (path: string): void => {
    const stats = fs.lstatSync(path) as StatsLike;
    if (!inodes.has(stats.ino)) inodes.set(stats.ino, inodes.size);
    let content = "";
    if (stats.isSymbolicLink()) content = ` -> ${JSON.stringify(fs.readlinkSync(path))}`;
    if (stats.isFile()) content = ` ${showBytes(fs.readFileSync(path) as Uint8Array)}`;
    lines.push(`${path.slice(root.length)} [${inodes.get(stats.ino)}] ${showStats(stats)}${content}`);
    if (!stats.isDirectory()) return;
    for (const name of (fs.readdirSync(path) as string[]).sort()) visit(`${path}/${name}`);
  };
  visit(root);
  return lines.join("\n    ");
}

function errorFields(error: unknown): ErrorFields {
  if (!(error instanceof Error)) return { name: `threw ${String(error)}` };
  const { name, message } = error;
  const { code, errno, syscall, path, dest } = error as Error & Partial<ErrorFields>;
  if (errno === undefined) return code === undefined ? { name, message } : { name, code };
  return { name, code, errno, syscall, path, dest, message };
}
