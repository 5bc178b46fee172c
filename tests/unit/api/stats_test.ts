import { BigIntStats, Dirent, Stats } from "../../../src/api/stats.ts";
import { assert, assertEquals, assertLessOrEqual, assertNotEquals } from "../../support/assert.ts";
import { create } from "./support.ts";

Deno.test("Stats tells types, sizes, blocks and times", () => {
  using fs = create();
  const before = Date.now();
  fs.writeFileSync("/file", new Uint8Array(5000), { mode: 0o640 });
  fs.mkdirSync("/dir");
  fs.symlinkSync("file", "/link");
  const stats = fs.statSync("/link");
  assert(stats instanceof Stats);
  assertEquals([stats.isFile(), stats.isDirectory(), stats.isSymbolicLink()], [true, false, false]);
  assertEquals([stats.mode, stats.size, stats.nlink, stats.dev, stats.rdev], [0o100640, 5000, 1, 0, 0]);
  assert(stats.blocks * 512 >= 5000);
  assert(stats.mtimeMs >= before && stats.mtimeMs <= Date.now());
  assertEquals(stats.mtime.getTime(), stats.mtimeMs);
  assertEquals(stats.birthtime.getTime(), stats.birthtimeMs);
  assertEquals(stats.atime.getTime(), stats.atimeMs);
  const link = fs.lstatSync("/link");
  assertEquals([link.isSymbolicLink(), link.isFile(), link.size, link.mode], [true, false, 4, 0o120777]);
  const directory = fs.statSync("/dir");
  assertEquals([directory.isDirectory(), directory.nlink, directory.mode], [true, 2, 0o40755]);
  for (const one of [stats, link, directory]) {
    assertEquals([one.isBlockDevice(), one.isCharacterDevice(), one.isFIFO(), one.isSocket()], [
      false,
      false,
      false,
      false,
    ]);
  }
  assertNotEquals(stats.ino, link.ino);
  assertEquals(fs.statSync("/file").ino, stats.ino);
});

Deno.test("BigIntStats tells all in bigints, and times to the nanosecond", () => {
  using fs = create();
  fs.writeFileSync("/a", "abc");
  fs.utimesSync("/a", 1.5, 1234.567891);
  fs.truncateSync("/a", 2 ** 37);
  fs.utimesSync("/a", 1.5, 1234.567891);
  const stats = fs.statSync("/a", { bigint: true });
  const plain = fs.statSync("/a");
  assert(stats instanceof BigIntStats);
  assertEquals([stats.size, stats.nlink, stats.mode], [2n ** 37n, 1n, BigInt(plain.mode)]);
  assertEquals([stats.uid, stats.gid, stats.blocks, stats.ino], [0n, 0n, BigInt(plain.blocks), BigInt(plain.ino)]);
  assertEquals([stats.atimeMs, stats.atimeNs], [1500n, 1_500_000_000n]);
  assertEquals([stats.mtimeMs, stats.mtimeNs], [1_234_567n, 1_234_567_891_000n]);
  assertEquals(stats.mtime, plain.mtime);
  assertEquals([stats.ctimeMs, stats.birthtimeMs], [BigInt(plain.ctimeMs), BigInt(plain.birthtimeMs)]);
  assertEquals([stats.isFile(), stats.isDirectory(), stats.isSymbolicLink()], [true, false, false]);
  const fd = fs.openSync("/a");
  assertEquals(fs.fstatSync(fd, { bigint: true }).size, 2n ** 37n);
  assertEquals(fs.lstatSync("/a", { bigint: true }).ino, stats.ino);
});

Deno.test("Dirent tells name, directory and type", () => {
  using fs = create();
  fs.mkdirSync("/d/e", { recursive: true });
  fs.writeFileSync("/d/f", "");
  fs.symlinkSync("f", "/d/l");
  const entries = fs.readdirSync("/d/", { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1);
  assert(entries.every((entry) => entry instanceof Dirent && entry.parentPath === "/d/"));
  assertEquals(entries.map((entry) => [entry.name, entry.isDirectory(), entry.isFile(), entry.isSymbolicLink()]), [
    ["e", true, false, false],
    ["f", false, true, false],
    ["l", false, false, true],
  ]);
  assertEquals(entries.map((entry) => entry.isSocket() || entry.isFIFO() || entry.isBlockDevice()), [
    false,
    false,
    false,
  ]);
  const [bytes] = fs.readdirSync("/d/", { withFileTypes: true, encoding: "buffer" });
  assert(bytes!.name instanceof Uint8Array);
});

Deno.test("statfsSync() tells the size of the pool and what is free", () => {
  using fs = create(16 << 20);
  const empty = fs.statfsSync("/");
  assertEquals(empty.blocks * empty.bsize, 16 << 20);
  fs.writeFileSync("/a", new Uint8Array(8 << 20));
  const full = fs.statfsSync("/a");
  assertLessOrEqual((empty.bfree - full.bfree) * empty.bsize, (8 << 20) + 65_536);
  assert((empty.bfree - full.bfree) * empty.bsize >= 8 << 20);
  assertEquals([full.bavail, full.frsize], [full.bfree, full.bsize]);
  const big = fs.statfsSync("/", { bigint: true });
  assertEquals([typeof big.blocks, big.bsize, big.type], ["bigint", BigInt(full.bsize), BigInt(full.type)]);
});
