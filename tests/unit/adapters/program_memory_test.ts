/**
 * A program's memory as its system calls read and write it.
 *
 * @module
 */
import { ProgramMemory } from "../../../src/adapters/emscripten/program_memory.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

const PAGE_BYTES = 65536;

interface Made {
  readonly wasm: WebAssembly.Memory;
  readonly memory: ProgramMemory;
}

function make(shared: boolean, pointerBytes: 4 | 8 = 4): Made {
  const wasm = new WebAssembly.Memory({ initial: 1, maximum: 4, shared });
  return { wasm, memory: new ProgramMemory(() => wasm, pointerBytes) };
}

function put({ wasm }: Made, at: number, bytes: ArrayLike<number>): void {
  new Uint8Array(wasm.buffer).set(bytes, at);
}

for (const shared of [false, true]) {
  const kind = shared ? "shared" : "not shared";

  Deno.test(`ProgramMemory.string() reads ASCII, UTF-8 and what is neither (${kind})`, () => {
    const made = make(shared);
    const texts = ["", "a", "/a/b c", "é", "/ä/日本/😀", "x".repeat(4096), "y".repeat(10_000), "z".repeat(5000) + "é"];
    for (const text of texts) {
      put(made, 100, [...new TextEncoder().encode(text), 0, 65]);
      assertEquals(made.memory.string(100), text);
    }
    const broken: [number[], string][] = [
      [[0x61, 0xff, 0x62], "a\ufffdb"],
      [[0xc3], "\ufffd"],
      [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
      [[0xc0, 0xaf], "\ufffd\ufffd"],
    ];
    for (const [bytes, text] of broken) {
      put(made, 100, [...bytes, 0]);
      assertEquals(made.memory.string(100), text);
    }
  });

  Deno.test(`ProgramMemory.string() ends with the memory (${kind})`, () => {
    const made = make(shared);
    put(made, PAGE_BYTES - 3, [97, 98, 99]);
    assertEquals(made.memory.string(PAGE_BYTES - 3), "abc");
    put(made, PAGE_BYTES - 3, [97, 0xc3, 0xa9]);
    assertEquals(made.memory.string(PAGE_BYTES - 3), "aé");
    assertEquals(made.memory.string(PAGE_BYTES), "");
  });

  Deno.test(`ProgramMemory follows growth (${kind})`, () => {
    const made = make(shared);
    const { wasm, memory } = made;
    memory.setI32(0, 7);
    assertEquals(memory.contains(PAGE_BYTES - 4, 4), true);
    assertEquals(memory.contains(PAGE_BYTES - 4, 5), false);
    assertThrows(() => memory.setI32(PAGE_BYTES, 1), RangeError);
    put(made, PAGE_BYTES - 2, [97, 98]);
    wasm.grow(1);
    put(made, PAGE_BYTES, [99, 0]);
    assertEquals(memory.string(PAGE_BYTES - 2), "abc");
    assertEquals([memory.contains(PAGE_BYTES, PAGE_BYTES), memory.contains(PAGE_BYTES, PAGE_BYTES + 1)], [true, false]);
    wasm.grow(1);
    memory.setI64(3 * PAGE_BYTES - 8, 5);
    assertEquals([memory.i32(0), memory.i64(3 * PAGE_BYTES - 8)], [7, 5]);
  });
}

Deno.test("ProgramMemory: 64-bit numbers keep sign and value up to 2^53", () => {
  const { memory, wasm } = make(false);
  const view = new DataView(wasm.buffer);
  const numbers = [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, -(2 ** 53) + 1];
  for (const number of numbers) {
    memory.setI64(8, number);
    assertEquals(view.getBigInt64(8, true), BigInt(number));
    assertEquals(memory.i64(8), number);
  }
  view.setBigInt64(8, 2n ** 63n - 1n, true);
  assertEquals(memory.i64(8), 2 ** 63);
});

Deno.test("ProgramMemory: pointers of 32 bits have no sign, those of 64 bits reach beyond", () => {
  const narrow = make(false, 4).memory;
  for (const pointer of [0x7fff_ffff, 0x8000_0000, 0xffff_fff0]) {
    narrow.setPointer(16, pointer);
    assertEquals(narrow.pointer(16), pointer);
  }
  const wide = make(false, 8).memory;
  for (const pointer of [0x8000_0000, 2 ** 33 + 5]) {
    wide.setPointer(16, pointer);
    assertEquals(wide.pointer(16), pointer);
  }
  assertEquals(wide.contains(2 ** 33, 1), false);
  assertEquals(narrow.contains(-8, 4), false);
});

Deno.test("ProgramMemory: addresses beyond 2 GiB are read and written", () => {
  const wasm = new WebAssembly.Memory({ initial: 32_769, maximum: 32_769 });
  const memory = new ProgramMemory(() => wasm, 4);
  const at = 2 ** 31 + 16;
  memory.setI32(at, -2);
  assertEquals([memory.i32(at), memory.u32(at)], [-2, 2 ** 32 - 2]);
  assertEquals(memory.writeString(at, 16, "beyond é"), 10);
  assertEquals(memory.string(at), "beyond é");
});

Deno.test("ProgramMemory.writeString() writes nothing that does not fit; writeBytes() what does", () => {
  const { memory } = make(true);
  memory.u8.fill(0);
  assertEquals(memory.writeString(8, 3, "abc"), -1);
  assertEquals(memory.string(8), "");
  assertEquals(memory.writeString(8, 4, "abc"), 4);
  assertEquals(memory.string(8), "abc");
  assertEquals(memory.writeBytes(8, 2, "xyz"), 2);
  assertEquals(memory.string(8), "xyc");
  memory.clear(9, 1);
  assertEquals(memory.string(8), "x");
});
