/**
 * The bridge called from here, with a memory in place of a program's: when it serves a call itself, and when it leaves it
 * to JavaScript.
 */
import { FileSystem } from "../../../mod.ts";
import { type Bridge, BRIDGE_CALLS, type ImportedCall, makeBridge } from "../../../src/adapters/emscripten/bridge.ts";
import { makeRelay } from "../../../src/adapters/emscripten/bridge_relay.ts";
import { Context } from "../../../src/file/context.ts";
import { contextOf } from "../../../src/file/context_of.ts";
import { O_CREAT, O_RDWR, O_TRUNC } from "../../../src/file/flags.ts";
import { open } from "../../../src/file/open.ts";
import { Process } from "../../../src/file/process.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const SLOW = 77;

interface Desk {
  readonly fs: FileSystem;
  readonly process: Process;
  readonly bridge: Bridge;
  readonly heap: Uint8Array;
  readonly fd: number;
  pread(to: number, bytes: number, position: bigint): number;
  pwrite(from: number, bytes: number, position: bigint): number;
}

/** A pool with one file, `/file`, of the bytes 0 to 249 (and room for six more), open in a process; and a heap of 64 KiB. */
function makeDesk(options: { address?: "i32" | "i64"; debugLevel?: 0 | 3 } = {}): Desk | undefined {
  const { address = "i32", debugLevel = 0 } = options;
  const fs = FileSystem.create({ maximumBytes: 2 ** 26, address, debugLevel });
  const { store } = contextOf(fs)!;
  const process = Process.create(new Context(store, 0), 0) as Process;
  const fd = open(new Context(store, 0), "/file", O_RDWR | O_CREAT | O_TRUNC, 0o644, process);
  fs.writeFileSync("/file", Uint8Array.from({ length: 250 }, (_, index) => index));
  const heap = new WebAssembly.Memory({ initial: 1 });
  const slow: Record<string, ImportedCall> = {};
  for (const name of BRIDGE_CALLS) slow[name] = () => name === "extmemfs_size" ? BigInt(SLOW) : SLOW;
  const bridge = makeBridge({ store, process, heap, pointerBytes: 4, slow });
  if (bridge === undefined) return undefined;
  type Move = (fd: number, pointer: number, bytes: number, position: bigint) => number;
  const pread = bridge.extmemfs_pread as unknown as Move;
  const pwrite = bridge.extmemfs_pwrite as unknown as Move;
  return {
    fs,
    process,
    bridge,
    heap: new Uint8Array(heap.buffer),
    fd,
    pread: (to, bytes, position) => pread(fd, to, bytes, position),
    pwrite: (from, bytes, position) => pwrite(fd, from, bytes, position),
  };
}

for (const address of ["i32", "i64"] as const) {
  Deno.test(`Bridge serves reads and writes within a file itself, pool ${address}`, () => {
    const { fs, bridge, heap, pread, pwrite } = makeDesk({ address })!;
    assertEquals(pread(16, 300, 200n), 50);
    assertEquals([...heap.subarray(14, 20)], [0, 0, 200, 201, 202, 203]);
    assertEquals(heap[16 + 50], 0);
    heap.fill(9, 100, 110);
    assertEquals(pwrite(100, 10, 246n), 10);
    assertEquals(pread(200, 20, 244n), 12);
    assertEquals([...heap.subarray(200, 214)], [244, 245, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0]);
    assertEquals(pread(16, 10, 1000n), 0);
    assertEquals(bridge.slowCalls(), 0);
    assertEquals(fs.statSync("/file").size, 256);
    assertEquals(fs.check(), []);
  });
}

Deno.test("Bridge leaves bad pointers and positions to JavaScript, with nothing locked", () => {
  const { fs, pread, pwrite } = makeDesk()!;
  for (const [pointer, bytes] of [[65530, 7], [-1, 1], [0, 1], [16, -1], [16, 65536], [-100, 4096]] as const) {
    assertEquals(pread(pointer, bytes, 0n), SLOW, `${pointer} ${bytes}`);
    assertEquals(pwrite(pointer, bytes, 0n), SLOW, `${pointer} ${bytes}`);
  }
  assertEquals(pread(16, 1, -1n), SLOW);
  assertEquals(pread(16, 1, 2n ** 60n), SLOW);
  fs.writeFileSync("/file", "nobody holds it");
  assertEquals(fs.check(), []);
});

Deno.test("Bridge leaves a write that has no room yet to JavaScript, and a closed descriptor", () => {
  const { process, bridge, fd, pread, pwrite } = makeDesk()!;
  assertEquals(pwrite(16, 60_000, 100n), SLOW);
  assertEquals(pwrite(16, 1, 1000n), SLOW);
  assertEquals(pread(16, 1, 0n), 1);
  process.close(fd);
  assertEquals(pread(16, 1, 0n), SLOW);
  assertEquals(bridge.slowCalls(), 3);
});

Deno.test("Bridge does nothing for an agent that has been retired or has detached", () => {
  const { fs, pread, pwrite } = makeDesk()!;
  const other = FileSystem.attach(fs.handle);
  other.retire(fs.agentId);
  assertEquals(pread(16, 1, 0n), SLOW);
  assertEquals(pwrite(16, 1, 0n), SLOW);
  assertEquals(other.check(), []);
  const desk = makeDesk()!;
  desk.fs.detach();
  assertEquals(desk.pwrite(16, 1, 0n), SLOW);
});

Deno.test("makeBridge() makes none at debug level 3", () => {
  assertEquals(makeDesk({ debugLevel: 3 }), undefined);
});

Deno.test("A relay calls JavaScript until it is aimed at an export", () => {
  const { bridge, fd, heap } = makeDesk()!;
  const seen: unknown[][] = [];
  const relay = makeRelay(
    "pippj",
    4,
    ((...args: unknown[]) => {
      seen.push(args);
      return 5;
    }) as ImportedCall,
  );
  const call = relay.call as unknown as (...args: unknown[]) => number;
  assertEquals(call(fd, 16, 3, 7n), 5);
  assertEquals(seen, [[fd, 16, 3, 7n]]);
  relay.aim(bridge.extmemfs_pread);
  assertEquals(call(fd, 16, 3, 7n), 3);
  assertEquals([...heap.subarray(16, 19)], [7, 8, 9]);
  assertEquals(seen.length, 1);
  const wide = makeRelay("iiippd", 8, ((...args: unknown[]) => args.length) as ImportedCall).call as unknown as (
    ...args: unknown[]
  ) => number;
  assertEquals(wide(1, 2, 3n, 4n, 0.5), 5);
  assert(seen.length === 1);
});
