import { COPYFILE_EXCL } from "../../../src/api/tree_calls.ts";
import { FileSystem } from "../../../mod.ts";
import { assert, assertEquals, assertMatch } from "../../support/assert.ts";
import {
  assertFails,
  assertSound,
  assertSoundAndEmptied,
  create,
  describeTree,
  failureOf,
  pattern,
} from "./support.ts";

Deno.test("mkdirSync() recursive makes what is missing, and tells what it made first", () => {
  using fs = create();
  assertEquals(fs.mkdirSync("/a/b/c/d", { recursive: true }), "/a");
  assertEquals(fs.mkdirSync("/a/b/x/y/", { recursive: true, mode: 0o700 }), "/a/b/x");
  assertEquals(fs.mkdirSync("/a/b", { recursive: true }), undefined);
  assertEquals(fs.statSync("/a/b/x/y").mode & 0o777, 0o700);
  fs.writeFileSync("/f", "");
  assertFails(() => fs.mkdirSync("/f", { recursive: true }), "EEXIST");
  assertFails(() => fs.mkdirSync("/f/x", { recursive: true }), "ENOTDIR");
  assertFails(() => fs.mkdirSync("/a"), "EEXIST");
  assertFails(() => fs.mkdirSync("/x/y"), "ENOENT");
  assertSoundAndEmptied(fs);
});

Deno.test("mkdtempSync() makes a directory that was not there", () => {
  using fs = create();
  const made = new Set(Array.from({ length: 200 }, () => fs.mkdtempSync("/tmp-")));
  assertEquals(made.size, 200);
  for (const path of made) {
    assertMatch(path, /^\/tmp-[A-Za-z0-9]{6}$/);
    assertEquals(fs.statSync(path).mode & 0o7777, 0o700);
  }
  assert(fs.mkdtempSync("/b-", "buffer") instanceof Uint8Array);
  assertEquals(failureOf(() => fs.mkdtempSync("/missing/x")).path, "/missing/xXXXXXX");
  assertSoundAndEmptied(fs);
});

Deno.test("trees of 1,000 levels", () => {
  using fs = create();
  let path = "";
  for (let level = 0; level < 1000; level++) {
    path += "/d";
    fs.mkdirSync(path);
  }
  fs.writeFileSync(`${path}/file`, "deep");
  assertEquals(fs.readFileSync(`${path}/file`, "utf8"), "deep");
  assertEquals(fs.realpathSync(`${path}/../d/file`), `${path}/file`);
  assertEquals(fs.statSync(path + "/..".repeat(600)).ino, fs.statSync("/d".repeat(400)).ino);
  assertEquals(fs.readdirSync("/", { recursive: true }).length, 1001);
  fs.renameSync("/d/d", "/e");
  assertEquals(fs.readFileSync(`/e${"/d".repeat(998)}/file`, "utf8"), "deep");
  assertFails(() => fs.renameSync("/e", `/e${"/d".repeat(998)}/x`), "EINVAL");
  assertSoundAndEmptied(fs);
});

Deno.test("rmSync() and readdirSync() reach trees that are deeper than a path can say", () => {
  using fs = create();
  const name = "n".repeat(200);
  for (let part = 0; part < 4; part++) {
    let path = `/part${part}`;
    fs.mkdirSync(path);
    for (let level = 0; level < 15; level++) fs.mkdirSync(path += `/${name}`);
    fs.writeFileSync(`${path}/file`, "x");
    fs.mkdirSync(`${path}/beside`);
  }
  // Each part goes below the deepest directory of the next, so that the whole is four times as deep as a path may be.
  for (let part = 0; part < 3; part++) fs.renameSync(`/part${part}`, `/part${part + 1}${`/${name}`.repeat(15)}/below`);
  assertEquals(fs.readdirSync("/part3", { recursive: true }).length, 4 * 17 + 3);
  assertSound(fs);
  fs.rmSync("/part3", { recursive: true });
  assertEquals(fs.readdirSync("/"), []);
  assertSoundAndEmptied(fs);
});

Deno.test("rmSync() refuses what cannot go before it removes what is in it", () => {
  using fs = create();
  fs.mkdirSync("/d/e", { recursive: true });
  fs.writeFileSync("/d/e/f", "x");
  fs.symlinkSync("d", "/l");
  const before = describeTree(fs);
  assertFails(() => fs.rmSync("/", { recursive: true, force: true }), "EBUSY");
  assertFails(() => fs.rmSync("/d/.", { recursive: true }), "EINVAL");
  assertFails(() => fs.rmSync("/d/e/..", { recursive: true }), "ENOTEMPTY");
  assertFails(() => fs.rmSync("/l/", { recursive: true }), "ENOTDIR");
  assertEquals(failureOf(() => fs.rmSync("/d")).code, "ERR_FS_EISDIR");
  assertFails(() => fs.rmSync("/x"), "ENOENT");
  fs.rmSync("/x", { force: true });
  assertEquals(describeTree(fs), before);
  fs.rmSync("/l");
  fs.rmSync("/d", { recursive: true, maxRetries: 3, retryDelay: 10 });
  assertEquals(fs.readdirSync("/"), []);
});

Deno.test("readdirSync() of one to a hundred thousand entries gives each once", () => {
  using fs = FileSystem.create({ maximumBytes: 256 << 20 });
  fs.mkdirSync("/d");
  let count = 0;
  for (const next of [1, 2, 50, 1000, 100_000]) {
    for (; count < next; count++) fs.closeSync(fs.openSync(`/d/${count}`, "w"));
    const names = fs.readdirSync("/d");
    assertEquals(names.length, count);
    assertEquals(new Set(names).size, count);
    assert(names.every((name) => Number(name) < count));
  }
  assertSound(fs);
});

Deno.test("readdirSync() in encodings, and of all below", () => {
  using fs = create();
  fs.mkdirSync("/d/ü/x", { recursive: true });
  fs.writeFileSync("/d/ü/f", "");
  fs.symlinkSync("..", "/d/ü/up");
  assertEquals(fs.readdirSync("/d", "hex"), ["c3bc"] as unknown as string[]);
  assertEquals(fs.readdirSync("/d", "buffer"), [Uint8Array.of(0xc3, 0xbc)]);
  assertEquals(fs.readdirSync("/d", { recursive: true }).sort(), ["ü", "ü/f", "ü/up", "ü/x"]);
  const entries = fs.readdirSync("d/../d/", { recursive: true, withFileTypes: true });
  assertEquals(entries.map((entry) => `${entry.parentPath}|${entry.name}`).sort(), [
    "d/../d/|ü",
    "d/ü|f",
    "d/ü|up",
    "d/ü|x",
  ]);
  assertFails(() => fs.readdirSync("/d/ü/f"), "ENOTDIR");
});

Deno.test("renameSync() replaces in one step, and refuses what would lose something", () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  fs.mkdirSync("/d/e", { recursive: true });
  fs.mkdirSync("/empty");
  fs.writeFileSync("/a", "a");
  fs.writeFileSync("/b", "b");
  fs.linkSync("/a", "/same");
  const inode = fs.statSync("/a").ino;
  fs.renameSync("/a", "/same");
  assertEquals(fs.existsSync("/a"), true, "two names of one file stay as they are");
  fs.renameSync("/a", "/b");
  assertEquals([other.statSync("/b").ino, other.existsSync("/a")], [inode, false]);
  assertFails(() => fs.renameSync("/d", "/d/e/x"), "EINVAL");
  fs.renameSync("/d", "/d");
  assertFails(() => fs.renameSync("/empty", "/d"), "ENOTEMPTY");
  assertFails(() => fs.renameSync("/d/e", "/d"), "ENOTEMPTY");
  assertFails(() => fs.renameSync("/b", "/empty"), "EISDIR");
  assertFails(() => fs.renameSync("/empty", "/b"), "ENOTDIR");
  assertFails(() => fs.renameSync("/x", "/y"), "ENOENT");
  assertFails(() => fs.renameSync("/d/.", "/y"), "EBUSY");
  fs.renameSync("/d", "/empty");
  assertEquals(other.readdirSync("/empty"), ["e"]);
  assertEquals(other.statSync("/empty/e/..").ino, other.statSync("/empty").ino);
  assertSoundAndEmptied(fs);
});

Deno.test("a directory that is removed while another attachment has it open takes no more names", () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  fs.mkdirSync("/d");
  const fd = other.openSync("/d");
  fs.rmdirSync("/d");
  assertEquals(other.fstatSync(fd).isDirectory(), true);
  assertEquals(other.fstatSync(fd).nlink, 0);
  assertFails(() => other.writeFileSync("/d/x", ""), "ENOENT");
  fs.mkdirSync("/d");
  assertEquals(fs.readdirSync("/d"), []);
  other.closeSync(fd);
  assertSoundAndEmptied(fs);
});

Deno.test("symbolic links: chains of forty, loops, and links to links", () => {
  using fs = create();
  fs.writeFileSync("/0", "end");
  for (let link = 1; link <= 41; link++) fs.symlinkSync(`/${link - 1}`, `/${link}`);
  assertEquals(fs.readFileSync("/40", "utf8"), "end");
  for (const call of ["openSync", "statSync", "readFileSync", "realpathSync", "accessSync"] as const) {
    assertFails(() => (fs[call] as (path: string) => unknown).call(fs, "/41"), "ELOOP", call);
  }
  assertFails(() => fs.readdirSync("/41"), "ELOOP");
  fs.symlinkSync("b/x", "/a");
  fs.symlinkSync("a/x", "/b");
  assertFails(() => fs.statSync("/a"), "ELOOP");
  assertFails(() => fs.mkdirSync("/a/y"), "ELOOP");
  assertEquals(fs.existsSync("/a"), false);
  assertEquals(fs.readlinkSync("/a"), "b/x");
  assertEquals(fs.readlinkSync("/a", "buffer"), new TextEncoder().encode("b/x"));
  assertEquals(fs.realpathSync("/40", "hex"), "2f30");
  assertFails(() => fs.symlinkSync("x", "/y", "wrong" as "dir"), "ERR_INVALID_ARG_VALUE");
  assertSoundAndEmptied(fs);
});

Deno.test("linkSync() gives names that are worth the same", () => {
  using fs = create();
  fs.writeFileSync("/0", "x");
  for (let name = 1; name < 300; name++) fs.linkSync(`/${name - 1}`, `/${name}`);
  assertEquals(fs.statSync("/7").nlink, 300);
  for (let name = 0; name < 299; name++) fs.unlinkSync(`/${name}`);
  assertEquals([fs.readFileSync("/299", "utf8"), fs.statSync("/299").nlink], ["x", 1]);
  fs.mkdirSync("/d");
  assertFails(() => fs.linkSync("/d", "/e"), "EPERM");
  assertFails(() => fs.linkSync("/299", "/d"), "EEXIST");
  assertSoundAndEmptied(fs);
});

Deno.test("copyFileSync() copies contents, permissions and owner", () => {
  using fs = create();
  for (const size of [0, 5, 100, 5000, 3_000_001]) {
    fs.writeFileSync("/a", pattern(size));
    fs.chmodSync("/a", 0o751);
    fs.chownSync("/a", 5, 6);
    fs.copyFileSync("/a", "/b");
    assertEquals(fs.readFileSync("/b"), pattern(size));
    const { mode, uid, gid } = fs.statSync("/b");
    assertEquals([mode & 0o7777, uid, gid], [0o751, 5, 6]);
  }
  fs.copyFileSync("/a", "/a");
  assertEquals(fs.statSync("/a").size, 3_000_001);
  fs.mkdirSync("/d");
  assertFails(() => fs.copyFileSync("/a", "/b", COPYFILE_EXCL), "EEXIST");
  assertFails(() => fs.copyFileSync("/a", "/d"), "EISDIR");
  assertFails(() => fs.copyFileSync("/d", "/b"), "EISDIR");
  assertFails(() => fs.copyFileSync("/d", "/new"), "EISDIR");
  assertEquals(fs.statSync("/b").size, 3_000_001);
  assertEquals(fs.existsSync("/new"), false);
  assertEquals(fs.stats().opens, 0);
  assertSoundAndEmptied(fs);
});
