/** A pool at its end: every kind of operation fails cleanly, nothing that was there changes, and all comes back. */
import { FileSystem } from "../../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../../support/assert.ts";
import { assertEmptied, removeAll } from "../../support/stress.ts";
import { assertFails, assertSound, describeTree, pattern } from "./support.ts";

const LONG_NAME = "n".repeat(200);

/** Operations that need memory, by what they are; each succeeds again and again until there is none. */
const OPERATIONS: Record<string, (fs: FileSystem, round: number) => void> = {
  "empty files": (fs, round) => fs.closeSync(fs.openSync(`/${round}`, "w")),
  "files of one byte": (fs, round) => fs.writeFileSync(`/${round}`, "x"),
  "files of 100 bytes": (fs, round) => fs.writeFileSync(`/${round}`, pattern(100)),
  "files of 4 KiB": (fs, round) => fs.writeFileSync(`/${round}`, pattern(4096)),
  "files of 100,000 bytes": (fs, round) => fs.writeFileSync(`/${round}`, pattern(100_000)),
  "directories": (fs, round) => fs.mkdirSync(`/${round}`),
  "directories one in the other": (fs, round) =>
    fs.mkdirSync(`/${round % 50}${"/d".repeat(1 + Math.floor(round / 50))}`, { recursive: true }),
  "symbolic links": (fs, round) => fs.symlinkSync("t".repeat(1 + round % 1000), `/${round}`),
  "names of 200 bytes": (fs, round) => fs.linkSync("/seed/file", `/${LONG_NAME}${round}`),
  "renames to longer names": (fs, round) => {
    fs.writeFileSync("/seed/moving", "");
    fs.renameSync("/seed/moving", `/seed/${LONG_NAME}${round}`);
  },
  "appends": (fs) => fs.appendFileSync("/log", pattern(1000)),
  "sparse writes": (fs, round) => {
    const fd = fs.openSync("/sparse", "a");
    fs.closeSync(fd);
    const update = fs.openSync("/sparse", "r+");
    try {
      fs.writeSync(update, pattern(70), 0, 70, round * 1000);
    } finally {
      fs.closeSync(update);
    }
  },
  "copies": (fs, round) => fs.copyFileSync("/seed/file", `/${round}`),
  "open files without a name": (fs, round) => {
    const fd = fs.openSync(`/${round}`, "w+");
    fs.unlinkSync(`/${round}`);
    fs.writeSync(fd, pattern(3000));
  },
  "reservations": (fs, round) => {
    const fd = fs.openSync("/reserved", "a");
    try {
      fs.fallocateSync(fd, round % 2, round * 5000, 5000);
    } finally {
      fs.closeSync(fd);
    }
  },
  "attachments": (fs) => {
    const other = FileSystem.attach(fs.handle);
    attached.push(other);
    other.openSync("/seed/file");
  },
};

const attached: FileSystem[] = [];

/** Repeats an operation until there is no space, and returns how often it succeeded. */
function untilFull(
  fs: FileSystem,
  operation: (fs: FileSystem, round: number) => void,
  limit: number,
  first = 0,
): number {
  for (let round = 0; round < limit; round++) {
    try {
      operation(fs, first + round);
    } catch (error) {
      assertEquals((error as { code?: string }).code, "ENOSPC", `in round ${round}`);
      return round;
    }
  }
  return limit;
}

/** Lines about files without their numbers of names. */
function withoutLinks(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/ \d+ 0:0/, ""));
}

for (const [name, operation] of Object.entries(OPERATIONS)) {
  Deno.test(`ENOSPC: ${name} until there is no space`, () => {
    using fs = FileSystem.create({ maximumBytes: 2 << 20, debugLevel: 3 });
    fs.mkdirSync("/seed");
    fs.writeFileSync("/seed/file", pattern(10_000));
    const kept = describeTree(fs, "/seed/file");
    const rounds = untilFull(fs, operation, 100_000);
    assertGreater(rounds, 10);
    assertSound(fs);
    // Again and again: nothing is lost by failing.
    const live = fs.stats().liveBytes;
    for (let again = 0; again < 20; again++) {
      assertLess(untilFull(fs, operation, 50, rounds), 50);
    }
    assert(fs.stats().liveBytes <= live + 65_536);
    assertEquals(fs.readFileSync("/seed/file"), pattern(10_000));
    assertEquals(withoutLinks(describeTree(fs, "/seed/file")), withoutLinks(kept));
    assertSound(fs);
    for (const other of attached.splice(0)) other.detach();
    for (let fd = 3; fd < 2000; fd++) {
      try {
        fs.closeSync(fd);
      } catch { /* was not open */ }
    }
    removeAll(fs);
    assertSound(fs);
    assertEmptied(fs, "after all has been deleted");
    // Inodes stay inodes; all else can become anything. So the same fits once more, but for how memory was cut up.
    fs.mkdirSync("/seed");
    fs.writeFileSync("/seed/file", pattern(10_000));
    assertGreater(untilFull(fs, operation, rounds), 0.9 * rounds);
    for (const other of attached.splice(0)) other.detach();
  });
}

/** Single calls on a full pool: each fails, and the tree is as before, times included. */
const SINGLE: Record<string, (fs: FileSystem) => void> = {
  "writing beyond the end": (fs) => fs.writeSync(fs.openSync("/file", "r+"), new Uint8Array(200_000), 0, 200_000, 5000),
  "writing over what is there and beyond": (fs) => fs.writeSync(fs.openSync("/file", "r+"), new Uint8Array(200_000)),
  "filling a hole": (fs) => fs.writeSync(fs.openSync("/hole", "r+"), new Uint8Array(200_000), 0, 200_000, 100),
  "appending": (fs) => fs.writeSync(fs.openSync("/file", "a"), new Uint8Array(200_000)),
  "writing many buffers": (fs) =>
    fs.writevSync(fs.openSync("/file", "a"), [new Uint8Array(9), new Uint8Array(200_000)]),
  "reserving": (fs) => fs.fallocateSync(fs.openSync("/hole", "r+"), 0, 0, 400_000),
  "reserving beyond the end": (fs) => fs.fallocateSync(fs.openSync("/file", "r+"), 1, 0, 400_000),
};

for (const [name, call] of Object.entries(SINGLE)) {
  Deno.test(`ENOSPC: ${name} changes nothing`, () => {
    using fs = FileSystem.create({ maximumBytes: 2 << 20, debugLevel: 3 });
    fs.writeFileSync("/file", pattern(10_000));
    fs.writeFileSync("/hole", "x");
    fs.truncateSync("/hole", 300_000);
    fs.writeFileSync("/small", pattern(40));
    let size = 1 << 20;
    const filler = fs.openSync("/filler", "w");
    // Until less is left than any of the calls needs.
    while (size >= 65_536) {
      try {
        fs.writeSync(filler, new Uint8Array(size));
      } catch {
        size /= 2;
      }
    }
    fs.closeSync(filler);
    const before = describeTree(fs);
    for (let again = 0; again < 5; again++) assertFails(() => call(fs), "ENOSPC");
    assertEquals(describeTree(fs), before);
    assertSound(fs);
    for (let fd = 3; fd < 10; fd++) if (fs.stats().opens > 0) fs.closeSync(fd);
    assertEquals(describeTree(fs), before);
    removeAll(fs);
    assertSound(fs);
    assertEmptied(fs, "after all has been deleted");
  });
}
