/**
 * Pools beyond the first 2 and 4 GiB: files are stored and read at high addresses. What lies below is reserved by files
 * whose memory is never touched, so that this takes little memory of the machine.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { FALLOC_FL_KEEP_SIZE } from "../../../src/api/file_calls.ts";
import { EXTENT_REF, EXTENT_WORDS, INODE_EXTENT_COUNT } from "../../../src/layout/inode.ts";
import { GRANULE_BYTES, GRANULE_WORDS } from "../../../src/layout/units.ts";
import { extentsWordOf } from "../../../src/store/extents.ts";
import { assert, assertEquals, assertGreaterOrEqual } from "../../support/assert.ts";

const GIB = 2 ** 30;

/** Takes memory, in files whose bytes nobody ever touches, until the next block lies above an address. */
function reserveUpTo(fs: FileSystem, address: number): void {
  for (let file = 0;; file++) {
    const probe = fs.pool.heap.allocate(4096);
    assert(probe > 0, "the pool grows");
    fs.pool.heap.free(probe);
    if (probe >= address) break;
    const fd = fs.openSync(`/ballast-${address}-${file}`, "w");
    fs.fallocateSync(fd, FALLOC_FL_KEEP_SIZE, 0, Math.min(GIB / 4, Math.max(65536, address - probe)));
    fs.closeSync(fd);
  }
}

/** Lowest address of a file's bytes. */
function lowestAddress(fs: FileSystem, path: string): number {
  const { i32 } = fs.pool.agent.memory;
  const inode = fs.statSync(path).ino * GRANULE_WORDS;
  const extents = extentsWordOf(i32, inode);
  const addresses = Array.from(
    { length: i32[inode + INODE_EXTENT_COUNT]! },
    (_, index) => i32[extents + index * EXTENT_WORDS + EXTENT_REF]! * GRANULE_BYTES,
  );
  return Math.min(...addresses);
}

/** Files of several sizes, read and written at aligned and odd offsets, above an address. */
function workAbove(fs: FileSystem, address: number): void {
  reserveUpTo(fs, address);
  const name = `/above-${address}`;
  fs.mkdirSync(name);
  for (const bytes of [200, 5000, 70_001, 3_000_000]) {
    const path = `${name}/${bytes}`;
    const content = Uint8Array.from({ length: bytes }, (_, at) => (at * 7 + (at >>> 9) + bytes) & 255);
    fs.writeFileSync(path, content);
    // Smaller ones fill what is free below.
    if (bytes >= 5000) assertGreaterOrEqual(lowestAddress(fs, path), address, path);
    assertEquals(Deno.inspect(fs.readFileSync(path)), Deno.inspect(content));
    const fd = fs.openSync(path, "r+");
    for (const [offset, position] of [[0, 0], [1, 0], [0, 3], [5, 101]] as const) {
      const part = new Uint8Array(bytes + 16).fill(0xa5);
      const count = fs.readSync(fd, part, offset, bytes, position);
      assertEquals(count, bytes - position);
      assert(part.subarray(offset, offset + count).every((byte, at) => byte === content[position + at]), `${offset}`);
      assert(part.subarray(offset + count).every((byte) => byte === 0xa5));
      content.fill(offset + 1, position, position + 50);
      fs.writeSync(fd, content, position, 50, position);
    }
    fs.closeSync(fd);
    const whole = fs.readFileSync(path) as Uint8Array;
    assert(whole.every((byte, at) => byte === content[at]), path);
  }
  // Directories and inodes up there, too.
  for (let file = 0; file < 300; file++) fs.writeFileSync(`${name}/file-${file}`, `${file}`);
  for (let file = 0; file < 300; file++) assertEquals(fs.readFileSync(`${name}/file-${file}`, "utf8"), `${file}`);
}

Deno.test("a pool with 64-bit addresses stores and reads data above 4 GiB, up to 6 GiB", () => {
  using fs = FileSystem.create({ maximumBytes: 6.25 * GIB, address: "i64" });
  for (const address of [GIB, 2 * GIB, 3.5 * GIB, 4 * GIB, 5 * GIB, 6 * GIB]) workAbove(fs, address);
  using other = FileSystem.attach(fs.handle);
  assertEquals(other.readFileSync(`/above-${6 * GIB}/file-7`, "utf8"), "7");
  assertEquals(fs.check(), []);
});

Deno.test("a file lies on both sides of 4 GiB", () => {
  using fs = FileSystem.create({ maximumBytes: 4.25 * GIB, address: "i64" });
  reserveUpTo(fs, 4 * GIB - 600_000);
  const content = Uint8Array.from({ length: 1_200_000 }, (_, at) => (at * 11 + (at >>> 10)) & 255);
  fs.writeFileSync("/across", content);
  const lowest = lowestAddress(fs, "/across");
  assert(lowest < 4 * GIB && lowest + content.length > 4 * GIB, `it begins at ${lowest}`);
  const read = fs.readFileSync("/across") as Uint8Array;
  assert(read.every((byte, at) => byte === content[at]));
  assertEquals(fs.check(), []);
});

Deno.test("a pool with 32-bit addresses stores and reads data up to 4 GiB, in a file of 3 GiB", () => {
  using fs = FileSystem.create({ maximumBytes: 4 * GIB });
  for (const address of [GIB, 2 * GIB, 3 * GIB, 3.75 * GIB]) workAbove(fs, address);
  // Sparse: what lies between reads as zeros.
  const fd = fs.openSync("/three", "w+");
  const positions = [0, GIB - 5, 1.5 * GIB + 1, 2 * GIB - 3, 2.5 * GIB, 3 * GIB - 10];
  for (const position of positions) fs.writeSync(fd, `at ${position}`.slice(0, 10).padEnd(10), position);
  assertEquals(fs.fstatSync(fd).size, 3 * GIB);
  for (const position of positions) {
    const bytes = new Uint8Array(10);
    assertEquals(fs.readSync(fd, bytes, 0, 10, position), 10);
    assertEquals(new TextDecoder().decode(bytes), `at ${position}`.slice(0, 10).padEnd(10));
    const zeros = new Uint8Array(1000).fill(1);
    const count = fs.readSync(fd, zeros, 0, 1000, position + 64);
    assert(zeros.subarray(0, count).every((byte) => byte === 0));
  }
  fs.ftruncateSync(fd, 2 * GIB);
  assertEquals(fs.fstatSync(fd).size, 2 * GIB);
  fs.closeSync(fd);
  assertEquals(fs.check(), []);
  // All that there is, and not a byte more.
  let code = "";
  try {
    for (let file = 0;; file++) {
      const last = fs.openSync(`/last-${file}`, "w");
      fs.fallocateSync(last, FALLOC_FL_KEEP_SIZE, 0, GIB / 8);
      fs.closeSync(last);
    }
  } catch (error) {
    code = (error as { code: string }).code;
  }
  assertEquals(code, "ENOSPC");
  assertEquals(fs.check(), []);
});
