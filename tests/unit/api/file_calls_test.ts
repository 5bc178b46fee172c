import { FALLOC_FL_KEEP_SIZE } from "../../../src/api/file_calls.ts";
import { FileSystem } from "../../../mod.ts";
import { assert, assertEquals, assertLess } from "../../support/assert.ts";
import { assertFails, assertSound, assertSoundAndEmptied, create, pattern } from "./support.ts";

Deno.test("openSync() gives the lowest free descriptor, also among thousands of open files", () => {
  using fs = create();
  fs.writeFileSync("/a", "content");
  const first = fs.openSync("/a");
  const descriptors = Array.from({ length: 5000 }, () => fs.openSync("/a"));
  assertEquals(descriptors, Array.from({ length: 5000 }, (_, index) => first + 1 + index));
  assertEquals(fs.stats().opens, 5001);
  assertSound(fs);
  for (const index of [4999, 17, 2500, 0]) fs.closeSync(descriptors[index]!);
  assertEquals([0, 17, 2500, 4999].map(() => fs.openSync("/a")), [0, 17, 2500, 4999].map((at) => descriptors[at]!));
  const buffer = new Uint8Array(7);
  for (const fd of descriptors) assertEquals(fs.readSync(fd, buffer), 7);
  for (const fd of descriptors) fs.closeSync(fd);
  for (const fd of descriptors) assertFails(() => fs.closeSync(fd), "EBADF");
  fs.closeSync(first);
  assertEquals(fs.stats().opens, 0);
  assertSoundAndEmptied(fs);
});

Deno.test("openSync() refuses one descriptor too many with EMFILE, and all can be used", () => {
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  fs.writeFileSync("/a", "x");
  let count = 0;
  let last = 0;
  assertFails(() => {
    for (;; count++) last = fs.openSync("/a");
  }, "EMFILE");
  assert(count >= 65_000, `${count} files could be opened`);
  assertEquals(fs.readSync(last, new Uint8Array(4)), 1);
  fs.closeSync(last);
  assertEquals(fs.openSync("/a"), last);
});

Deno.test("openSync() of flags that contradict each other", () => {
  using fs = create();
  fs.mkdirSync("/d");
  const { O_CREAT, O_DIRECTORY } = { O_CREAT: 0o100, O_DIRECTORY: 0o200000 };
  assertFails(() => fs.openSync("/a", 3), "EINVAL");
  assertFails(() => fs.openSync("/a", O_CREAT | O_DIRECTORY), "EINVAL");
  assertFails(() => fs.openSync("/d", 0o20200000 | 2), "EOPNOTSUPP");
  assertSoundAndEmptied(fs);
});

const SIZES = [0, 1, 7, 8, 63, 64, 65, 200, 4095, 4096, 4097, 20_000, 70_001];

Deno.test("readSync() and writeSync() take every kind of buffer at every offset", () => {
  using fs = create();
  const fd = fs.openSync("/a", "w+");
  for (const size of SIZES) {
    for (const shift of [0, 1, 2, 3, 4, 5, 6, 7, 9]) {
      const contents = pattern(size, shift);
      for (const memory of [new ArrayBuffer(size + 32), new SharedArrayBuffer(size + 32)]) {
        const source = new Uint8Array(memory, shift, size);
        source.set(contents);
        fs.ftruncateSync(fd, 0);
        assertEquals(fs.writeSync(fd, source, 0, size, 0), size);
        const all = new Uint8Array(memory).fill(0xee);
        if (size > 0) assertEquals(fs.readSync(fd, all, shift, size, 0), size);
        assert(all.every((byte, at) => byte === (at >= shift && at < shift + size ? contents[at - shift] : 0xee)));
      }
    }
  }
});

Deno.test("readSync() and writeSync() take a DataView, a Float64Array and subarrays, by bytes", () => {
  using fs = create();
  const fd = fs.openSync("/a", "w+");
  const floats = Float64Array.from([1.5, -2.25, 1e300, NaN]);
  assertEquals(fs.writeSync(fd, floats), 32);
  const back = new Float64Array(6);
  assertEquals(fs.readSync(fd, back.subarray(1, 5), 0, 32, 0), 32);
  assertEquals([...back], [0, 1.5, -2.25, 1e300, NaN, 0]);
  const view = new DataView(new ArrayBuffer(20), 3, 9);
  assertEquals(fs.readSync(fd, view, 1, 8, 8), 8);
  assertEquals(view.getFloat64(1, true), -2.25);
  view.setFloat64(1, 42, true);
  assertEquals(fs.writeSync(fd, view, 1, 8, 0), 8);
  assertEquals(fs.readSync(fd, back, 0, 8, 0), 8);
  assertEquals(back[0], 42);
  const words = Uint16Array.from([1, 2, 3, 4]);
  assertEquals(fs.writeSync(fd, words.subarray(1, 3), { offset: 1, length: 2, position: 0 }), 2);
  const bytes = new Uint8Array(2);
  fs.readSync(fd, bytes, 0, 2, 0);
  assertEquals([...bytes], [0, 3]);
});

Deno.test("readSync() and writeSync() take views of the pool's own memory", () => {
  using fs = create();
  const { allocator, memory } = fs.pool;
  const address = allocator.allocate(10_000);
  const view = new Uint8Array(memory.buffer, address, 9_990);
  view.set(pattern(9_990, 5));
  const fd = fs.openSync("/a", "w+");
  for (const [offset, length] of [[0, 9_990], [3, 9_000], [8, 4_096], [1, 100]] as const) {
    fs.ftruncateSync(fd, 0);
    assertEquals(fs.writeSync(fd, view, offset, length, 0), length);
    assertEquals(fs.readFileSync("/a"), pattern(9_990, 5).slice(offset, offset + length));
    const read = new Uint8Array(memory.buffer, address + 1, 9_989);
    assertEquals(fs.readSync(fd, read, 2, length - 3, 1), length - 3);
    assertEquals(
      Uint8Array.from(read.subarray(2, length - 1)),
      pattern(9_990, 5).slice(offset + 1, offset + length - 2),
    );
    view.set(pattern(9_990, 5));
  }
  allocator.free(address);
  fs.closeSync(fd);
  assertSoundAndEmptied(fs);
});

Deno.test("readSync() leaves what lies behind the bytes read as it was", () => {
  using fs = create();
  fs.writeFileSync("/a", "abc");
  const fd = fs.openSync("/a");
  const buffer = new Uint8Array(8).fill(0xee);
  assertEquals(fs.readSync(fd, buffer, 2, 6, 1), 2);
  assertEquals([...buffer], [0xee, 0xee, 98, 99, 0xee, 0xee, 0xee, 0xee]);
  assertEquals(fs.readSync(fd, buffer, 0, 8, 3), 0);
  assertEquals([...buffer], [0xee, 0xee, 98, 99, 0xee, 0xee, 0xee, 0xee]);
});

Deno.test("writeSync() of a text in each encoding", () => {
  using fs = create();
  const cases = [
    ["é", "utf8", [0xc3, 0xa9]],
    ["é", "latin1", [0xe9]],
    ["é", "utf16le", [0xe9, 0]],
    ["c3A9", "hex", [0xc3, 0xa9]],
    ["w6k=", "base64", [0xc3, 0xa9]],
    ["_-8", "base64url", [0xff, 0xef]],
    ["é", "no encoding", [0xc3, 0xa9]],
  ] as const;
  for (const [text, encoding, bytes] of cases) {
    const fd = fs.openSync("/a", "w");
    assertEquals(fs.writeSync(fd, text, null, encoding), bytes.length);
    fs.closeSync(fd);
    assertEquals([...fs.readFileSync("/a")], [...bytes], encoding);
  }
});

Deno.test("readvSync() and writevSync() go through many buffers", () => {
  using fs = create();
  const fd = fs.openSync("/a", "w+");
  const pieces = Array.from({ length: 300 }, (_, index) => pattern(index % 17, index));
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  pieces.reduce((at, piece) => (all.set(piece, at), at + piece.length), 0);
  assertEquals(fs.writevSync(fd, pieces), all.length);
  assertEquals(fs.readFileSync("/a"), all);
  const into = pieces.map((piece) => new Uint8Array(piece.length));
  assertEquals(fs.readvSync(fd, into, 0), all.length);
  assertEquals(into, pieces);
  assertEquals(fs.readvSync(fd, [new Uint8Array(8), new Uint8Array(8)], all.length - 10), 10);
});

Deno.test("O_APPEND writes of two attachments never overlap", () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  const one = fs.openSync("/log", "a");
  const two = other.openSync("/log", "a");
  for (let round = 0; round < 500; round++) {
    fs.writeSync(one, `one ${round}\n`);
    other.writeSync(two, `two ${round}\n`, 0);
    if (round % 100 === 0) fs.truncateSync("/log");
  }
  const lines = fs.readFileSync("/log", "utf8").trimEnd().split("\n");
  assertEquals(lines, Array.from({ length: 99 }, (_, at) => [`one ${401 + at}`, `two ${401 + at}`]).flat());
});

Deno.test("O_EXCL creates once among attachments", () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  for (let round = 0; round < 50; round++) {
    const [first, second] = round % 2 === 0 ? [fs, other] : [other, fs];
    first.closeSync(first.openSync(`/${round}`, "wx"));
    assertFails(() => second.openSync(`/${round}`, "wx"), "EEXIST");
    second.unlinkSync(`/${round}`);
    second.closeSync(second.openSync(`/${round}`, "ax+"));
  }
  assertSoundAndEmptied(fs);
});

Deno.test("a file that lost its name lives until the last close in any attachment", () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  const contents = pattern(100_000);
  fs.writeFileSync("/a", contents);
  const before = fs.stats().liveBytes;
  const here = fs.openSync("/a", "r+");
  const there = other.openSync("/a");
  other.unlinkSync("/a");
  assertEquals(fs.existsSync("/a"), false);
  assertEquals(fs.stats().orphans, 1);
  fs.writeSync(here, "changed", 0);
  fs.closeSync(here);
  const read = new Uint8Array(100_000);
  assertEquals(other.readSync(there, read), 100_000);
  assertEquals(new TextDecoder().decode(read.subarray(0, 7)), "changed");
  assertEquals(read.subarray(7), contents.subarray(7));
  assertEquals(other.fstatSync(there).nlink, 0);
  assertSound(fs);
  other.closeSync(there);
  assertEquals(fs.stats().orphans, 0);
  assertLess(fs.stats().liveBytes, before - 90_000);
  assertSoundAndEmptied(fs);
});

Deno.test("a file replaced by rename lives until its last close in another attachment", () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  fs.writeFileSync("/a", "first");
  fs.writeFileSync("/b", "second");
  const fd = other.openSync("/b");
  fs.renameSync("/a", "/b");
  assertEquals(other.readFileSync("/b", "utf8"), "first");
  assertEquals(other.readFileSync(fd, "utf8"), "second");
  other.detach();
  assertEquals(fs.stats().orphans, 0);
  assertSoundAndEmptied(fs);
});

Deno.test("fallocateSync() reserves what writes then need", () => {
  using fs = FileSystem.create({ maximumBytes: 8 << 20 });
  const fd = fs.openSync("/a", "w+");
  fs.fallocateSync(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20);
  assertEquals(fs.fstatSync(fd).size, 0);
  assertEquals(fs.fstatSync(fd).blocks, 2048);
  const filler = fs.openSync("/filler", "w");
  assertFails(() => {
    for (;;) fs.writeSync(filler, new Uint8Array(65536));
  }, "ENOSPC");
  for (let at = 0; at < 1 << 20; at += 65536) assertEquals(fs.writeSync(fd, pattern(65536, at), 0, 65536, at), 65536);
  for (let at = 0; at < 1 << 20; at += 65536) {
    const read = new Uint8Array(65536);
    fs.readSync(fd, read, 0, 65536, at);
    assertEquals(read, pattern(65536, at));
  }
  fs.fallocateSync(fd, 0, 0, 1 << 20);
  assertEquals(fs.fstatSync(fd).size, 1 << 20);
  assertFails(() => fs.fallocateSync(fd, 0, 0, 32 << 20), "ENOSPC");
  assertEquals(fs.fstatSync(fd).size, 1 << 20);
  assertFails(() => fs.fallocateSync(fs.openSync("/a", "r"), 0, 0, 1), "EBADF");
  assertSound(fs);
});

Deno.test("fstatSync(), fchmodSync(), fchownSync() and futimesSync() work without a name", () => {
  using fs = create();
  const fd = fs.openSync("/a", "w");
  fs.unlinkSync("/a");
  fs.fchmodSync(fd, "4755");
  assertEquals(fs.fstatSync(fd).mode & 0o7777, 0o4755);
  fs.fchownSync(fd, 7, 4_294_967_294);
  fs.futimesSync(fd, 12.5, new Date(99_000));
  const stats = fs.fstatSync(fd);
  assertEquals([stats.uid, stats.gid, stats.atimeMs, stats.mtimeMs, stats.nlink], [
    7,
    4_294_967_294,
    12_500,
    99_000,
    0,
  ]);
  assertEquals(stats.mode & 0o7777, 0o755, "who gives a file away takes its set-user-id bit");
  fs.futimesSync(fd, new Date(NaN), 5);
  assertEquals([fs.fstatSync(fd).atimeMs, fs.fstatSync(fd).mtimeMs], [12_500, 5000]);
  assertFails(() => fs.futimesSync(fd, 1e20, 1), "EINVAL");
  fs.fsyncSync(fd);
  fs.fdatasyncSync(fd);
  fs.closeSync(fd);
  assertFails(() => fs.fsyncSync(fd), "EBADF");
});
