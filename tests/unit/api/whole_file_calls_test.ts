import { FileSystem } from "../../../mod.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { assertFails, assertSoundAndEmptied, create, failureOf, pattern } from "./support.ts";

Deno.test("readFileSync() and writeFileSync() of every size, in bytes and in texts", () => {
  using fs = create();
  for (const size of [0, 1, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 65_536, 1_000_003]) {
    const bytes = pattern(size);
    fs.writeFileSync("/a", bytes);
    assertEquals(fs.readFileSync("/a"), bytes);
    assertEquals(fs.readFileSync("/a", "latin1").length, size);
    fs.writeFileSync("/a", fs.readFileSync("/a", "hex"), "hex");
    assertEquals(fs.readFileSync("/a"), bytes);
    fs.writeFileSync("/a", fs.readFileSync("/a", { encoding: "base64" }), "base64");
    assertEquals(fs.readFileSync("/a"), bytes);
    fs.appendFileSync("/a", bytes);
    assertEquals(fs.statSync("/a").size, 2 * size);
  }
  assertSoundAndEmptied(fs);
});

Deno.test("readFileSync() gives private memory of its own", () => {
  using fs = create();
  fs.writeFileSync("/a", "abc");
  const read = fs.readFileSync("/a");
  assert(read.buffer instanceof ArrayBuffer);
  read.fill(0);
  assertEquals(fs.readFileSync("/a", "utf8"), "abc");
});

Deno.test("readFileSync() of a file that no buffer can hold says so", () => {
  using fs = create();
  fs.closeSync(fs.openSync("/a", "w"));
  fs.truncateSync("/a", 2 ** 37);
  assertEquals(failureOf(() => fs.readFileSync("/a")), { name: "RangeError", code: "ERR_FS_FILE_TOO_LARGE" });
  assertEquals(fs.stats().opens, 0, "nothing stays open or locked");
  fs.truncateSync("/a", 3);
  assertEquals([...fs.readFileSync("/a")], [0, 0, 0]);
  assertSoundAndEmptied(fs);
});

Deno.test("readFileSync() keeps a byte order mark, and replaces what is no UTF-8", () => {
  using fs = create();
  fs.writeFileSync("/a", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0xff));
  assertEquals(fs.readFileSync("/a", "utf8"), "\ufeffa\ufffd");
});

Deno.test("whole files by descriptor go on from the current position", () => {
  using fs = create();
  const fd = fs.openSync("/a", "w+");
  fs.writeFileSync(fd, "one");
  fs.appendFileSync(fd, "two");
  assertEquals(fs.readFileSync(fd, "utf8"), "");
  assertEquals(fs.readFileSync("/a", "utf8"), "onetwo");
  assertFails(() => fs.readFileSync(fd + 1), "EBADF");
  assertFails(() => fs.writeFileSync(fd + 1, "x"), "EBADF");
  assertFails(() => fs.readFileSync(1.5), "ERR_INVALID_ARG_TYPE");
});

Deno.test("whole-file calls that fail leave nothing open", () => {
  using fs = create();
  fs.mkdirSync("/d");
  fs.writeFileSync("/a", "x");
  assertFails(() => fs.readFileSync("/d"), "EISDIR");
  assertFails(() => fs.writeFileSync("/a", "x", { flag: "r" }), "EBADF");
  assertFails(() => fs.readFileSync("/a", { flag: "a" }), "EBADF");
  assertFails(() => fs.writeFileSync("/a", 5 as unknown as string), "ERR_INVALID_ARG_TYPE");
  assertFails(() => fs.writeFileSync("/a", "x", "buffer" as "utf8"), "ERR_UNKNOWN_ENCODING");
  assertFails(() => fs.writeFileSync("/a", "x", { flush: 1 as unknown as boolean }), "ERR_INVALID_ARG_TYPE");
  assertEquals(fs.stats().opens, 0);
  assertEquals(fs.readFileSync("/a", "utf8"), "x");
});

Deno.test("writeFileSync() takes bytes of a shared memory, and of the file's own pool", () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  const shared = new Uint8Array(new SharedArrayBuffer(100), 7, 50);
  shared.set(pattern(50));
  fs.writeFileSync("/a", shared);
  assertEquals(other.readFileSync("/a"), pattern(50));
  const address = fs.pool.allocator.allocate(256);
  const inPool = new Uint8Array(fs.pool.memory.buffer, address + 1, 255);
  inPool.set(pattern(255));
  other.writeFileSync("/a", inPool);
  assertEquals(fs.readFileSync("/a"), pattern(255));
  fs.pool.allocator.free(address);
  assertSoundAndEmptied(fs);
});
