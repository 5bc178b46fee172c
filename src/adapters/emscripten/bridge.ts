/**
 * The bridge: a WebAssembly module over two memories, a program's own and the pool, that carries the hot calls without
 * JavaScript (`bridge.wat`). Each thread of a program has its own; where the engine has no modules of several memories, or
 * an attachment must be looked at closely, there is none, and JavaScript serves all calls.
 *
 * @module
 */
import { SLOT_PINS } from "../../layout/agent_table.ts";
import { Heap } from "../../alloc/heap.ts";
import { SUPER_WORDS } from "../../layout/superblock.ts";
import { PROCESS_TABLE } from "../../layout/process.ts";
import type { Process } from "../../file/process.ts";
import type { PutEntry } from "./descriptor_calls.ts";
import type { Store } from "../../store/store.ts";
import type { ProgramCopies } from "../../memory/shared_memory.ts";
import { lockExclusiveSlow, lockSharedSlow } from "../../sync/raw_lock_slow.ts";
import { BRIDGES } from "./bridge_binary.ts";

/**
 * The calls that the bridge carries, by the names under which programs import them: those of the C library, those of
 * `extmemfs.h`, and those of the WasmFS backend.
 */
export const BRIDGE_CALLS = [
  "fd_read",
  "fd_write",
  "fd_pread",
  "fd_pwrite",
  "fd_seek",
  "extmemfs_pread",
  "extmemfs_pwrite",
  "extmemfs_size",
  "extmemfs_read",
  "extmemfs_write",
  "extmemfs_wasmfs_read",
  "extmemfs_wasmfs_write",
] as const;

/** Name of a call that the bridge carries. */
export type BridgeCall = typeof BRIDGE_CALLS[number];

/** What stands where a program imports a call: a function of JavaScript or an export of WebAssembly. */
export type ImportedCall = (...args: never[]) => unknown;

/** The calls as JavaScript makes them; those that a program does not import may be missing. */
export type SlowCalls = Readonly<Partial<Record<BridgeCall, ImportedCall>>>;

/** The bridge of a thread: WebAssembly functions, with the types of the calls that they stand for. */
export interface Bridge extends Readonly<Record<BridgeCall, ImportedCall>>, ProgramCopies {
  /** Writes an entry of a directory for `getdents`; see `bridge.wat`. */
  putEntry: PutEntry;
  /** How many of its calls JavaScript had to serve. */
  slowCalls(): number;
}

/** What a bridge is made for. */
export interface BridgeOptions {
  /** The thread's access to the pool. */
  readonly store: Store;
  /** The program that the thread belongs to. */
  readonly process: Process;
  /** The program's memory. */
  readonly heap: WebAssembly.Memory;
  /** Bytes of the program's pointers. */
  readonly pointerBytes: 4 | 8;
  /** The same calls in JavaScript. */
  readonly slow: SlowCalls;
}

/** A module that has two memories and nothing else. */
const PROBE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 5, 2, 0, 0, 0, 0);
let multiMemory: boolean | undefined;

/** Whether the engine knows modules of several memories. */
export function hasMultiMemory(): boolean {
  return multiMemory ??= typeof WebAssembly === "object" && WebAssembly.validate(PROBE);
}

const modules = new Map<string, WebAssembly.Module>();

function moduleOf(name: string): WebAssembly.Module {
  let module = modules.get(name);
  if (module === undefined) {
    const binary = Uint8Array.from(atob(BRIDGES[name]!), (character) => character.charCodeAt(0));
    modules.set(name, module = new WebAssembly.Module(binary));
  }
  return module;
}

/**
 * Makes the bridge of a thread. Undefined where there is none: the engine cannot, the attachment is read-only, or it
 * checks what each operation touches (debug level 3).
 */
export function makeBridge(options: BridgeOptions): Bridge | undefined {
  const { store, process, heap, pointerBytes, slow } = options;
  const { agent, memory, wasm } = store;
  if (agent.readOnly || agent.debugLevel >= 3 || !hasMultiMemory()) return undefined;
  const address = (word: number) => BigInt(word) * 4n;
  const imports = {
    extmemfs: { pool: memory.memory, heap },
    agent: {
      owner: agent.owner,
      state: agent.state,
      slotWord: agent.slotWord,
      pinWord: agent.slotWord + SLOT_PINS,
      tableWord: agent.tableWord,
      slotAddr: address(agent.slotWord),
      pagesAddr: address(agent.pagesWord),
      tableAddr: address(process.word + PROCESS_TABLE),
      firstAddr: address(SUPER_WORDS + Heap.headerWords),
    },
    intrinsics: wasm,
    waiting: {
      lockExclusive: (lockWord: number, status: number, record: number) =>
        lockExclusiveSlow(agent, lockWord >>> 0, status, Infinity, record),
      lockShared: (lockWord: number) => lockSharedSlow(agent, lockWord >>> 0, agent.slotWord + SLOT_PINS, Infinity),
      refresh: () => memory.refresh(memory.i32[agent.pagesWord]!),
      now: Date.now,
    },
    slow: Object.fromEntries(BRIDGE_CALLS.map((name) => [name, slow[name] ?? notImported])),
  };
  const kind = `${heap.buffer instanceof SharedArrayBuffer ? "SHARED" : "UNSHARED"}_${pointerBytes * 8}`;
  for (const pool of [32, 64]) {
    try {
      const module = moduleOf(`POOL_${pool}_${kind}`);
      return new WebAssembly.Instance(module, imports as unknown as WebAssembly.Imports).exports as unknown as Bridge;
    } catch (error) {
      // The pool's addresses are of the other width; or the program's memory is none of those that Emscripten makes.
      if (!(error instanceof WebAssembly.LinkError)) throw error;
    }
  }
  return undefined;
}

function notImported(): never {
  throw new TypeError("The program does not import this call");
}
