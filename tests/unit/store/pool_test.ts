/**
 * Pools: creating, attaching, and what is refused, with what was found and what was expected.
 *
 * @module
 */
import { FileSystem, Pool } from "../../../mod.ts";
import {
  SUPER_COMPATIBILITY,
  SUPER_FEATURES,
  SUPER_MAGIC,
  SUPER_PAGES,
  SUPER_READY,
  SUPER_VERSION,
} from "../../../src/layout/superblock.ts";
import { SLOT_STATE } from "../../../src/layout/agent_table.ts";
import { PAGE_BYTES } from "../../../src/layout/units.ts";
import {
  AttachError,
  IncompatibleLayoutError,
  MemoryRefusedError,
  TruncatedMemoryError,
  UnformattedError,
  UnknownVersionError,
  WrongMagicError,
} from "../../../src/memory/errors.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../support/assert.ts";

function words(pool: Pool): Int32Array {
  return pool.agent.memory.i32;
}

Deno.test("Pool.create() rounds sizes up to pages and grows to its maximum only", () => {
  using pool = Pool.create({ initialBytes: 2_000_001, maximumBytes: 3_000_001 });
  assertEquals(pool.memory.buffer.byteLength, Math.ceil(2_000_001 / PAGE_BYTES) * PAGE_BYTES);
  const before = pool.memory.buffer.byteLength;
  let addresses = 0;
  while (pool.heap.allocate(65536) > 0) addresses++;
  assert(addresses > 30, `${addresses} blocks`);
  assert(pool.memory.buffer.byteLength > before);
  assertEquals(pool.memory.buffer.byteLength, Math.ceil(3_000_001 / PAGE_BYTES) * PAGE_BYTES);
});

Deno.test("Pool.create() refuses sizes that make no sense", () => {
  assertThrows(() => Pool.create({ maximumBytes: 0 }), RangeError, "maximumBytes must be a positive number");
  assertThrows(() => Pool.create({ maximumBytes: NaN }), RangeError, "got NaN");
  assertThrows(() => Pool.create({ maximumBytes: "1" as unknown as number }), TypeError, "got 1");
  assertThrows(() => Pool.create({ maximumBytes: 65536 }), RangeError, "a pool needs at least");
  assertThrows(() => Pool.create({ initialBytes: 2 ** 22, maximumBytes: 2 ** 21 }), RangeError, "above maximumBytes");
  assertThrows(() => Pool.create({ address: "i16" as "i32" }), TypeError, 'expected "i32" or "i64"');
});

Deno.test("Pool.create() says what was asked and what the engine allows", () => {
  const error = assertThrows(() => Pool.create({ maximumBytes: 2 ** 33 }), MemoryRefusedError);
  assertEquals([error.askedBytes, error.allowedBytes], [2 ** 33, 2 ** 32]);
  assertStringIncludes(error.message, "8589934592");
  assertStringIncludes(error.message, "4294967296");
  assertStringIncludes(error.message, '"i64"');
  const wide = assertThrows(() => Pool.create({ maximumBytes: 2 ** 40, address: "i64" }), MemoryRefusedError);
  assertStringIncludes(wide.message, String(2 ** 40));
  assertEquals(wide.code, "ERR_POOL_MEMORY");
});

function refuses<E extends AttachError>(
  name: string,
  damage: (i32: Int32Array) => void,
  kind: abstract new (...args: never[]) => E,
  code: string,
  found: RegExp,
  expected: RegExp,
): void {
  Deno.test(`Pool.attach() refuses ${name}`, () => {
    using pool = Pool.create({ maximumBytes: 2 << 20 });
    // The agent's own word goes on living where it was.
    damage(words(pool));
    const error = assertThrows(() => Pool.attach(pool.handle)) as E;
    assert(error instanceof kind, `${error}`);
    assert(error instanceof AttachError);
    assertEquals(error.code, code);
    assert(found.test(error.found), `found ${error.found}`);
    assert(expected.test(error.expected), `expected ${error.expected}`);
    assertStringIncludes(error.message, error.found);
    assertStringIncludes(error.message, error.expected);
  });
}

refuses(
  "a wrong magic number",
  (i32) => i32[SUPER_MAGIC] = 0x21212121,
  WrongMagicError,
  "ERR_POOL_MAGIC",
  /!!!!emFS/,
  /ExtMemFS/,
);
refuses(
  "another version of the format",
  (i32) => i32[SUPER_VERSION] = 77,
  UnknownVersionError,
  "ERR_POOL_VERSION",
  /^77$/,
  /^1$/,
);
refuses(
  "features that it does not know",
  (i32) => i32[SUPER_FEATURES]! |= 0x100,
  UnknownVersionError,
  "ERR_POOL_VERSION",
  /1 with features 0x0000010/,
  /within 0x00000003/,
);
refuses(
  "another layout",
  (i32) => i32[SUPER_COMPATIBILITY + 7]! ^= 1,
  IncompatibleLayoutError,
  "ERR_POOL_COMPATIBILITY",
  /^[0-9a-f]{64}$/,
  /^[0-9a-f]{64}$/,
);
refuses(
  "a memory that has been cut off",
  (i32) => i32[SUPER_PAGES] = 1000,
  TruncatedMemoryError,
  "ERR_POOL_TRUNCATED",
  /^\d+ bytes$/,
  /65536000/,
);
refuses(
  "a pool whose formatting was not completed",
  (i32) => i32[SUPER_READY] = 0,
  UnformattedError,
  "ERR_POOL_UNFORMATTED",
  /not formatted/,
  /formatted/,
);

Deno.test("Pool.attach() refuses what is no handle", () => {
  assertThrows(() => Pool.attach(null as never), TypeError, "expected the handle of a pool");
  assertThrows(() => Pool.attach({ kind: "other" } as never), TypeError, "expected the handle of a pool");
  assertThrows(
    () => Pool.attach({ kind: "extmemfs", memory: {} } as never),
    TypeError,
    "expected a WebAssembly.Memory",
  );
  const memory = new WebAssembly.Memory({ initial: 20, maximum: 20 });
  assertThrows(() => Pool.attach({ kind: "extmemfs", memory }), TypeError, "not shared");
  const empty = new WebAssembly.Memory({ initial: 0, maximum: 20, shared: true });
  assertThrows(() => Pool.attach({ kind: "extmemfs", memory: empty }), WrongMagicError);
});

Deno.test("Pool.format() makes a pool of a memory that the caller has made", () => {
  const memory = new WebAssembly.Memory({ initial: 20, maximum: 40, shared: true });
  assertThrows(() => Pool.attach({ kind: "extmemfs", memory }), WrongMagicError);
  Pool.format(memory, { maximumBytes: 40 * PAGE_BYTES });
  using pool = Pool.attach({ kind: "extmemfs", memory });
  using fs = FileSystem.format(pool);
  fs.writeFileSync("/f", "contents");
  using other = FileSystem.attach(fs.handle);
  assertEquals(other.readFileSync("/f", "utf8"), "contents");
  const small = new WebAssembly.Memory({ initial: 1, maximum: 40, shared: true });
  assertThrows(() => Pool.format(small, { maximumBytes: 40 * PAGE_BYTES }), TruncatedMemoryError);
});

Deno.test("FileSystem.attach() refuses a pool without a filesystem, FileSystem.format() one that has it", () => {
  using pool = Pool.create({ maximumBytes: 2 << 20 });
  assertThrows(() => FileSystem.attach(pool.handle), UnformattedError, "filesystem");
  using fs = FileSystem.format(pool);
  assertThrows(() => FileSystem.format(pool), Error, "EEXIST");
  assertEquals(fs.check(), []);
});

Deno.test("Pool.detach() frees the slot, once, and the next agent in it has another number", () => {
  using fs = FileSystem.create({ maximumBytes: 4 << 20 });
  const first = FileSystem.attach(fs.handle);
  const { slot, slotWord } = first.pool.agent;
  first.detach();
  const state = words(fs.pool)[slotWord + SLOT_STATE];
  first.detach();
  assertEquals(words(fs.pool)[slotWord + SLOT_STATE], state);
  const second = FileSystem.attach(fs.handle);
  assertEquals(second.pool.agent.slot, slot);
  assert(second.agentId !== first.agentId);
  first.detach();
  assert(second.pool.agent.live, "a late detach of the first does nothing to the second");
  second.detach();
});
