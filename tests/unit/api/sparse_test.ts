/** Files with holes, against a plain array. */
import { FALLOC_FL_KEEP_SIZE } from "../../../src/api/file_calls.ts";
import type { FileSystem } from "../../../mod.ts";
import { assert, assertEquals, assertLess } from "../../support/assert.ts";
import { Random, SEED } from "../../support/stress.ts";
import { assertSound, assertSoundAndEmptied, create, pattern } from "./support.ts";

const LIMIT = 1 << 20;

class Model {
  bytes = new Uint8Array(LIMIT);
  size = 0;

  write(data: Uint8Array, at: number): void {
    this.bytes.set(data, at);
    this.size = Math.max(this.size, at + data.length);
  }

  truncate(size: number): void {
    if (size < this.size) this.bytes.fill(0, size, this.size);
    this.size = size;
  }
}

function assertSame(fs: FileSystem, fd: number, model: Model, what: string): void {
  const found = new Uint8Array(model.size + 10).fill(0xee);
  assertEquals(fs.fstatSync(fd).size, model.size, what);
  assertEquals(fs.readSync(fd, found, 0, found.length, 0), model.size, what);
  for (let at = 0; at < model.size; at++) {
    if (found[at] !== model.bytes[at]) {
      assert(false, `${what}: byte ${at} is ${found[at]}, expected ${model.bytes[at]}`);
    }
  }
  assert(found.subarray(model.size).every((byte) => byte === 0xee), what);
}

Deno.test("a sparse file holds what a plain array holds, whatever is done to it", () => {
  const random = new Random(SEED);
  using fs = create();
  for (let round = 0; round < 40; round++) {
    const model = new Model();
    const fd = fs.openSync("/a", "w+");
    const lengths = [1, 10, 63, 64, 65, 300, 4096, 10_000];
    // Small files stay in the inode for long; large ones get many extents.
    const span = random.of([150, 3000, 50_000, LIMIT - 20_000]);
    for (let step = 0; step < 150; step++) {
      const at = random.below(span);
      const length = Math.min(random.of(lengths), span - at + 1);
      const what = `round ${round} step ${step} at ${at} of ${length} bytes; EXTMEMFS_SEED=${SEED}`;
      switch (random.below(8)) {
        case 0:
          fs.ftruncateSync(fd, at);
          model.truncate(at);
          break;
        case 1: {
          const size = Math.max(0, model.size - length);
          fs.ftruncateSync(fd, size);
          model.truncate(size);
          break;
        }
        case 2:
          fs.fallocateSync(fd, FALLOC_FL_KEEP_SIZE, at, length);
          break;
        case 3:
          fs.fallocateSync(fd, 0, at, length);
          model.truncate(Math.max(model.size, at + length));
          break;
        default: {
          const data = pattern(length, step);
          fs.writeSync(fd, data, 0, length, at);
          model.write(data, at);
        }
      }
      if (step % 10 === 9 || random.oneIn(10)) assertSame(fs, fd, model, what);
      if (step % 50 === 49) assertSound(fs);
    }
    fs.closeSync(fd);
    assertSound(fs);
    assertEquals(fs.readFileSync("/a"), model.bytes.slice(0, model.size));
    fs.copyFileSync("/a", "/b");
    assertEquals(fs.readFileSync("/b"), model.bytes.slice(0, model.size));
    fs.defragment();
    assertEquals(fs.readFileSync("/a"), model.bytes.slice(0, model.size));
  }
  assertSoundAndEmptied(fs);
});

Deno.test("a hole takes no memory", () => {
  using fs = create();
  const fd = fs.openSync("/a", "w+");
  fs.ftruncateSync(fd, 2 ** 37);
  assertEquals(fs.fstatSync(fd).blocks, 0);
  fs.writeSync(fd, "end", 2 ** 37 - 3);
  const stats = fs.fstatSync(fd);
  assertEquals(stats.size, 2 ** 37);
  assertLess(stats.blocks, 10);
  const buffer = new Uint8Array(8).fill(1);
  assertEquals(fs.readSync(fd, buffer, 0, 8, 2 ** 36), 8);
  assertEquals([...buffer], [0, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals(fs.readSync(fd, buffer, 0, 8, 2 ** 37 - 5), 5);
  assertEquals([...buffer], [0, 0, 101, 110, 100, 0, 0, 0]);
  fs.closeSync(fd);
  assertSoundAndEmptied(fs);
});

Deno.test("many holes, filled one by one", () => {
  using fs = create();
  const fd = fs.openSync("/a", "w+");
  const model = new Model();
  const places = Array.from({ length: 500 }, (_, index) => index * 1000);
  const random = new Random(SEED);
  for (let left = places.length; left > 0; left--) {
    const [at] = places.splice(random.below(left), 1);
    const data = pattern(100 + random.below(900), at!);
    fs.writeSync(fd, data, 0, data.length, at);
    model.write(data, at!);
  }
  assertSame(fs, fd, model, `EXTMEMFS_SEED=${SEED}`);
  assertSound(fs);
  for (let size = model.size; size > 0; size = Math.max(0, size - 30_001)) {
    fs.ftruncateSync(fd, size);
    model.truncate(size);
    fs.ftruncateSync(fd, size + 5000);
    model.truncate(size + 5000);
    assertSame(fs, fd, model, `cut to ${size}; EXTMEMFS_SEED=${SEED}`);
  }
  fs.closeSync(fd);
  assertSoundAndEmptied(fs);
});
