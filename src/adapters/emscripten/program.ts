/**
 * One thread of a WebAssembly program, attached to a pool: its system calls, and what it tells the program's other threads.
 *
 * @module
 */
import { Context } from "../../file/context.ts";
import { Process } from "../../file/process.ts";
import { makeDirectory } from "../../file/tree.ts";
import { EEXIST, EROFS } from "../../layout/errno.ts";
import type { Store } from "../../store/store.ts";
import type { Abi } from "./abi.ts";
import type { HostCalls } from "./descriptor_calls.ts";
import { DEFAULT_MOUNTS, Mounts, type MountTable } from "./mounts.ts";
import { ProgramMemory } from "./program_memory.ts";
import { System } from "./system.ts";

/** What a program's JavaScript gives to the library: its memory, its structures, its own calls. */
export interface ProgramHost {
  /** Returns the program's memory as it is now. */
  readonly memory: () => WebAssembly.Memory;
  /** Where the fields of its structures are. */
  readonly abi: Abi;
  /** Emscripten's own calls. */
  readonly calls: HostCalls;
  /** Calls a function with a C string in the program's memory, which is gone afterwards. */
  withString(text: string, call: (pointer: number) => number): number;
  /** Allocates zeroed memory of the program; 0 where there is none. */
  allocateMapping(bytes: number): number;
}

/** What a thread has to be told to join its program: plain, structured-cloneable. */
export interface ProgramMessage {
  /** Word of the process in the pool. */
  readonly process: number;
  /** Which paths lead into the pool. */
  readonly mounts: MountTable;
}

/** The mask of permissions that a program begins with. */
const UMASK = 0o022;

/** One thread of a program. */
export class Program {
  /** The system calls of this thread. */
  readonly system: System;
  /** The process that the thread belongs to. */
  readonly process: Process;
  /** What another thread has to be told to join. */
  readonly message: ProgramMessage;
  /** Where the program's paths lead. */
  readonly mounts: Mounts;

  /** The program's memory. */
  readonly memory: ProgramMemory;

  private constructor(context: Context, process: Process, mounts: MountTable, host: ProgramHost) {
    this.process = process;
    this.memory = new ProgramMemory(host.memory, host.abi.pointerBytes);
    this.mounts = new Mounts(mounts);
    this.message = { process: process.word, mounts };
    this.system = new System({
      context,
      process,
      memory: this.memory,
      abi: host.abi,
      host: host.calls,
      mounts: this.mounts,
      withString: host.withString,
      allocateMapping: host.allocateMapping,
    });
  }

  /**
   * Makes the process of a program, kept by this attachment, and its first thread.
   *
   * @returns the thread, or a negative errno where the pool has no room.
   * @throws {TypeError} if the mounts make no sense.
   */
  static start(store: Store, mounts: MountTable | undefined, host: ProgramHost): Program | number {
    const table = mounts ?? DEFAULT_MOUNTS;
    const known = new Mounts(table);
    const context = new Context(store, 0);
    const process = Process.create(context, UMASK);
    if (typeof process === "number") return process;
    if (!known.rootIsHost) {
      const root = known.route("/")!;
      const changed = process.changeDirectory(root);
      if (changed !== 0) return changed;
      // What C programs take for granted.
      const made = makeDirectory(context, root === "/" ? "/tmp" : `${root}/tmp`, 0o1777);
      if (made !== 0 && made !== -EEXIST && made !== -EROFS) return made;
    }
    return new Program(context, process, table, host);
  }

  /** Joins the process of a program as a further thread. */
  static join(store: Store, message: ProgramMessage, host: ProgramHost): Program {
    const context = new Context(store, 0);
    return new Program(context, Process.join(context, message.process), message.mounts, host);
  }
}
