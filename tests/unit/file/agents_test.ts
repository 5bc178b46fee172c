/**
 * What concerns agents and the whole: descriptors and their ledger, retiring, counting, joining extents.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { ledgerOf } from "./support.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { assertEmptied, assertSound, attempt, removeAll } from "../../support/stress.ts";

Deno.test("descriptors: the lowest free number is given out, and the ledger names what is open", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  fs.writeFileSync("/f", "f");
  const fds = Array.from({ length: 130 }, () => fs.openSync("/f", "r"));
  assertEquals(fds, Array.from({ length: 130 }, (_, index) => index + 3));
  const ref = fs.statSync("/f").ino;
  assertEquals(ledgerOf(fs).filter((entry) => entry === ref).length, 130);
  for (const fd of [70, 5, 100]) fs.closeSync(fd);
  assertEquals(ledgerOf(fs).filter((entry) => entry === ref).length, 127);
  assertEquals([5, 70, 100].map(() => fs.openSync("/f", "r")), [5, 70, 100]);
  assertEquals(attempt(() => fs.closeSync(4000)), "EBADF");
  assertSound(fs, "with 130 descriptors");
  for (const fd of fds) fs.closeSync(fd);
  assertEquals(ledgerOf(fs).length, 0);
});

Deno.test("FileSystem.retire() closes, fences and frees; what it cannot do it says", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  fs.writeFileSync("/f", "f");
  const gone = FileSystem.attach(fs.handle);
  const fd = gone.openSync("/f", "r+");
  const nameless = gone.openSync("/nameless", "w");
  gone.unlinkSync("/nameless");
  gone.writeSync(nameless, "x".repeat(10_000));
  const { agentId } = gone;
  assertEquals(attempt(() => fs.retire(fs.agentId)), "EINVAL");
  assertEquals(attempt(() => fs.retire(agentId + 1024)), "EINVAL");
  assertEquals(attempt(() => fs.retire(1023)), "EINVAL");
  fs.retire(agentId);
  assertEquals(attempt(() => fs.retire(agentId)), "EIDRM");
  // Whatever it does now fails and changes nothing.
  const calls: (() => unknown)[] = [
    () => gone.writeSync(fd, "late"),
    () => gone.readSync(fd, new Uint8Array(10), 0, 10, 0),
    () => gone.fstatSync(fd),
    () => gone.ftruncateSync(fd, 0),
    () => gone.closeSync(fd),
    () => gone.openSync("/f"),
    () => gone.openSync("/late", "w"),
    () => gone.mkdirSync("/late"),
    () => gone.symlinkSync("x", "/late"),
    () => gone.linkSync("/f", "/late"),
    () => gone.renameSync("/f", "/late"),
    () => gone.unlinkSync("/f"),
    () => gone.chmodSync("/f", 0o600),
    () => gone.statSync("/f"),
    () => gone.readdirSync("/"),
    () => gone.readFileSync("/f"),
    () => gone.retire(fs.agentId),
  ];
  for (const call of calls) assertEquals(attempt(call), "EIDRM", String(call));
  gone.detach();
  assertEquals(fs.readFileSync("/f", "utf8"), "f");
  assertEquals(fs.readdirSync("/"), ["f"]);
  assertSound(fs, "after an agent has been retired");
  removeAll(fs);
  assertEmptied(fs, "after an agent has been retired");
});

Deno.test("FileSystem.defragment() joins the extents of files that nobody has open", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const content = (file: number, at: number) => (file * 31 + at * 7) & 255;
  for (let file = 0; file < 4; file++) {
    const fd = fs.openSync(`/${file}`, "w");
    for (const phase of [0, 1]) {
      for (let at = phase * 640; at < 20_000; at += 1280) {
        fs.writeSync(fd, Uint8Array.from({ length: 640 }, (_, index) => content(file, at + index)), 0, 640, at);
      }
    }
    fs.closeSync(fd);
  }
  const held = fs.openSync("/3", "r");
  const before = fs.stats().extents;
  const result = fs.defragment({ budgetMs: 10_000 });
  assertEquals([result.files, result.complete], [3, true]);
  assertEquals(fs.stats().extents, before - result.extents);
  assert(result.bytes >= 3 * 20_000);
  fs.closeSync(held);
  fs.defragment({ budgetMs: 10_000 });
  assertEquals(fs.stats().extents, 4, "one for each file");
  for (let file = 0; file < 4; file++) {
    const bytes = fs.readFileSync(`/${file}`) as Uint8Array;
    assertEquals(bytes.findIndex((byte, at) => byte !== content(file, at)), -1);
  }
  assertSound(fs, "after joining extents");
  removeAll(fs);
  assertEmptied(fs, "after joining extents");
});

Deno.test("FileSystem.stats() counts what there is", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const empty = fs.stats();
  assertEquals([empty.files, empty.directories, empty.symlinks, empty.agents], [0, 1, 0, 1]);
  fs.mkdirSync("/d");
  fs.writeFileSync("/d/f", "x".repeat(1000));
  fs.linkSync("/d/f", "/d/g");
  fs.symlinkSync("f", "/d/l");
  const fd = fs.openSync("/gone", "w");
  fs.unlinkSync("/gone");
  const full = fs.stats();
  assertEquals([full.files, full.directories, full.symlinks, full.orphans, full.opens], [2, 2, 1, 1, 1]);
  assertEquals(full.contentBytes, 1001);
  assert(full.liveBytes > empty.liveBytes && full.footprintBytes >= full.liveBytes);
  fs.closeSync(fd);
});
