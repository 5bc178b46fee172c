import { FileSystem } from "../../../mod.ts";
import { R_OK, W_OK, X_OK } from "../../../src/api/metadata_calls.ts";
import { assertEquals } from "../../support/assert.ts";
import { assertFails, assertSoundAndEmptied, create, failureOf } from "./support.ts";

Deno.test("statSync() makes no error of what is missing where told so", () => {
  using fs = create();
  fs.writeFileSync("/a", "");
  fs.symlinkSync("nowhere", "/l");
  const quiet = { throwIfNoEntry: false };
  assertEquals(["/x", "/x/y", "/l", "/a/x"].map((path) => fs.statSync(path, quiet)), new Array(4).fill(undefined));
  assertEquals(["/x", "/x/y"].map((path) => fs.lstatSync(path, quiet)), new Array(2).fill(undefined));
  assertEquals(fs.lstatSync("/l", quiet)?.isSymbolicLink(), true);
  assertFails(() => fs.lstatSync("/a/x", quiet), "ENOTDIR");
  assertFails(() => fs.statSync(`/${"n".repeat(256)}`, quiet), "ENAMETOOLONG");
});

Deno.test("existsSync() never throws", () => {
  using fs = create();
  fs.writeFileSync("/a", "");
  const none = ["", "/b", "/a/", "/a/b", "a\0", 5, null, undefined, {}, new URL("http://host/a"), new Uint8Array(1)];
  assertEquals(none.map((path) => fs.existsSync(path as string)), none.map(() => false));
  const some = ["/a", "a", "/", "//a", new URL("file:///a"), new TextEncoder().encode("/a")];
  assertEquals(some.map((path) => fs.existsSync(path)), some.map(() => true));
});

Deno.test("accessSync() refuses executing what nobody may, and nobody reading", () => {
  using fs = create();
  using reader = FileSystem.attach(fs.handle, { readOnly: true });
  fs.writeFileSync("/a", "", { mode: 0 });
  fs.accessSync("/a", R_OK | W_OK);
  assertEquals(failureOf(() => fs.accessSync("/a", X_OK)), {
    name: "Error",
    code: "EACCES",
    errno: -13,
    syscall: "access",
    path: "/a",
  });
  assertFails(() => reader.accessSync("/a", W_OK), "EROFS");
  reader.accessSync("/a", R_OK);
  fs.chmodSync("/a", 0o001);
  fs.accessSync("/a", X_OK);
});

Deno.test("chmodSync(), chownSync() and utimesSync() follow links, their l-forms do not", () => {
  using fs = create();
  fs.writeFileSync("/a", "");
  fs.symlinkSync("a", "/l");
  fs.chmodSync("/l", 0o600);
  fs.chownSync("/l", 1, 2);
  fs.lchownSync("/l", 3, 4);
  fs.utimesSync("/l", 10, "20");
  fs.lutimesSync("/l", new Date(30_000), 40);
  const file = fs.statSync("/l");
  const link = fs.lstatSync("/l");
  assertEquals([file.mode & 0o777, file.uid, file.gid, file.atimeMs, file.mtimeMs], [0o600, 1, 2, 10_000, 20_000]);
  assertEquals([link.mode & 0o777, link.uid, link.gid, link.atimeMs, link.mtimeMs], [0o777, 3, 4, 30_000, 40_000]);
  assertSoundAndEmptied(fs);
});

Deno.test("utimesSync() of times that are none, or far off", () => {
  using fs = create();
  fs.writeFileSync("/a", "");
  fs.utimesSync("/a", 1, 2);
  fs.utimesSync("/a", new Date(NaN), new Date(NaN));
  assertEquals([fs.statSync("/a").atimeMs, fs.statSync("/a").mtimeMs], [1000, 2000]);
  fs.utimesSync("/a", "-5", new Date(-1500));
  assertEquals([fs.statSync("/a").atimeMs, fs.statSync("/a").mtimeMs], [-5000, -1500]);
  for (const none of [NaN, Infinity, "x", null, undefined, {}, true]) {
    assertFails(() => fs.utimesSync("/a", none as number, 1), "ERR_INVALID_ARG_TYPE", String(none));
  }
  assertFails(() => fs.utimesSync("/a", 1e300, 1), "EINVAL");
  assertEquals(fs.statSync("/a").mtimeMs, -1500);
});

Deno.test("a time set on a directory of thousands of entries stays until it changes", () => {
  using fs = create();
  fs.mkdirSync("/d");
  for (let index = 0; index < 3000; index++) fs.writeFileSync(`/d/${index}`, "");
  fs.utimesSync("/d", 5, 6);
  assertEquals(fs.statSync("/d").mtimeMs, 6000);
  fs.unlinkSync("/d/77");
  assertEquals(fs.statSync("/d").mtimeMs > 6000, true);
});

Deno.test("truncateSync() cuts, grows, and refuses what is no file", () => {
  using fs = create();
  fs.mkdirSync("/d");
  fs.writeFileSync("/a", "abcdef");
  fs.truncateSync("/a", 3);
  fs.truncateSync("/a", 5);
  assertEquals(fs.readFileSync("/a", "latin1"), "abc\0\0");
  fs.truncateSync("/a", -1);
  assertEquals(fs.statSync("/a").size, 0);
  assertFails(() => fs.truncateSync("/d"), "EISDIR");
  assertFails(() => fs.truncateSync("/x"), "ENOENT");
  assertFails(() => fs.truncateSync("/a", 2 ** 40), "EFBIG");
  assertFails(() => fs.truncateSync("/a", 1.5), "ERR_OUT_OF_RANGE");
  assertEquals(fs.stats().opens, 0);
  assertSoundAndEmptied(fs);
});
