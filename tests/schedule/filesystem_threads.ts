/**
 * Threads of the filesystem's schedules: each is an agent that runs a small script of calls. The same scripts run without
 * a schedule, call by call in any order, and tell what may come out.
 *
 * @module
 */
import { FileSystem } from "../../src/api/file_system.ts";
import { Pool } from "../../src/store/pool.ts";
import { LOCK_TUNING } from "../../src/sync/lock_tuning.ts";
import type { ScheduledThread } from "../support/schedule_worker.ts";

/** One call: its name, then its arguments. Descriptors go by a name that `open` gives them. */
export type Call = readonly [name: string, ...args: (string | number)[]];

/** What a thread does. */
export interface Script {
  /** Calls before the schedule begins. */
  readonly before?: readonly Call[];
  /** Calls that are scheduled. */
  readonly calls: readonly Call[];
}

/** What a buffer holds before a read. */
const SENTINEL = 0xa5;

/** An agent that runs calls. */
export class Player {
  /** The filesystem as the agent has it. */
  readonly fs: FileSystem;
  readonly #descriptors = new Map<string, number>();

  /** Runs calls on a filesystem. */
  constructor(fs: FileSystem) {
    this.fs = fs;
  }

  /** Runs one call; returns what it gave: a value, or the code of an error. */
  play(call: Call): unknown {
    try {
      return this.#play(call) ?? "ok";
    } catch (error) {
      const { code, errno } = error as { code?: unknown; errno?: unknown };
      if (typeof code === "string" && typeof errno === "number") return code;
      throw error;
    }
  }

  #play([name, ...args]: Call): unknown {
    const { fs } = this;
    const [first, second, third] = args as [string, string, number];
    switch (name) {
      case "open":
        this.#descriptors.set(first, fs.openSync(second, args[2] ?? "r"));
        return;
      case "close":
        fs.closeSync(this.#descriptor(first));
        this.#descriptors.delete(first);
        return;
      case "read":
        return this.#read(this.#descriptor(first), Number(second), third ?? 0);
      case "write": {
        // A byte, so many times, at a position or the current one.
        const bytes = new Uint8Array(third).fill(second.charCodeAt(0));
        return fs.writeSync(this.#descriptor(first), bytes, 0, third, (args[3] as number | undefined) ?? null);
      }
      case "ftruncate":
        return fs.ftruncateSync(this.#descriptor(first), Number(second));
      case "fstat":
        return fs.fstatSync(this.#descriptor(first)).size;
      case "stat": {
        const { size, nlink, mode } = fs.statSync(first);
        return [mode, nlink, (mode & 0o170000) === 0o100000 ? size : 0];
      }
      case "times": {
        const { size, mtimeMs } = fs.statSync(first);
        return [size, mtimeMs];
      }
      case "setTimes":
        return fs.utimesSync(first, Number(second), third);
      case "bothTimes": {
        const { atimeMs, mtimeMs } = fs.statSync(first);
        return [atimeMs, mtimeMs];
      }
      case "exists":
        return fs.existsSync(first);
      case "readdir":
        return fs.readdirSync(first).sort();
      case "list":
        return [fs.readdirSync(first).filter((entry) => entry === second).length];
      case "mkdir":
        fs.mkdirSync(first);
        return;
      case "makeAll":
        return fs.mkdirSync(first, { recursive: true });
      case "rm":
        return fs.rmSync(first, { recursive: true });
      case "rmdir":
        return fs.rmdirSync(first);
      case "rename":
        return fs.renameSync(first, second);
      case "unlink":
        return fs.unlinkSync(first);
      case "link":
        return fs.linkSync(first, second);
      case "symlink":
        return fs.symlinkSync(first, second);
      case "realpath":
        return fs.realpathSync(first);
      case "chmod":
        return fs.chmodSync(first, Number(second));
      case "create":
        fs.closeSync(fs.openSync(first, "wx"));
        return;
      case "attach":
        FileSystem.attach(fs.handle).detach();
        return;
      case "detach":
        return fs.detach();
      case "retire":
        return fs.retire(Number(first));
      case "check": {
        const violations = fs.check();
        if (violations.length > 0) throw new Error(JSON.stringify(violations));
        return;
      }
      case "nop":
        return;
      default:
        throw new Error(`no call ${name}`);
    }
  }

  #descriptor(name: string): number {
    // A number that no descriptor has, where opening it failed.
    return this.#descriptors.get(name) ?? 9999;
  }

  /** Reads, and demands bytes of one value and an untouched rest. */
  #read(descriptor: number, bytes: number, position: number): string {
    const buffer = new Uint8Array(bytes + 16).fill(SENTINEL);
    const count = this.fs.readSync(descriptor, buffer, 3, bytes, position);
    for (let at = 0; at < buffer.length; at++) {
      const inside = at >= 3 && at < 3 + count;
      if (buffer[at] !== (inside ? buffer[3] : SENTINEL)) {
        throw new Error(`byte ${at - 3} is ${buffer[at]} after ${count} bytes of ${buffer[3]} have been read`);
      }
    }
    return `${count} ${count > 0 ? String.fromCharCode(buffer[3]!) : ""}`;
  }
}

/** What a filesystem holds: every path, with its type, its names and its contents. */
export function stateOf(fs: FileSystem): string[] {
  const lines = fs.readdirSync("/", { recursive: true }).map((name) => {
    const path = `/${name}`;
    const stats = fs.lstatSync(path);
    if (stats.isDirectory()) return `${path}/ ${stats.nlink}`;
    if (stats.isSymbolicLink()) return `${path} -> ${fs.readlinkSync(path)}`;
    const content = fs.readFileSync(path);
    const runs = [...content].reduce<string[]>((list, byte, at) => {
      if (at > 0 && content[at - 1] === byte) return list;
      return [...list, `${String.fromCharCode(byte)}@${at}`];
    }, []);
    return `${path} ${stats.nlink} ${content.length} ${runs.join(" ")}`;
  });
  const { orphans } = fs.stats();
  return [...lines.sort(), `orphans ${orphans}`];
}

/** A thread that runs its script as an agent of its own. */
export function script(thread: ScheduledThread): () => unknown {
  Object.assign(LOCK_TUNING, { spins: 0 });
  const { before = [], calls } = thread.data as Script;
  const pool = Pool.attachTo(thread.memory, { debugLevel: 0 });
  const player = new Player(FileSystem.over(pool));
  for (const call of before) {
    const result = player.play(call);
    if (typeof result === "string" && /^E[A-Z]+$/.test(result)) throw new Error(`before: ${call.join(" ")}: ${result}`);
  }
  return () => calls.map((call) => player.play(call));
}
