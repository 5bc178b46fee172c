/**
 * Walks: what they find, what they note, and that they see when it no longer holds.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { ENAMETOOLONG, ENOENT } from "../../../src/layout/errno.ts";
import { GRANULE_WORDS } from "../../../src/layout/units.ts";
import { LAST_DOT, LAST_DOT_DOT, LAST_NAME, LAST_ROOT, PATH_BYTES, Walk } from "../../../src/names/walk.ts";
import { Store } from "../../../src/store/store.ts";
import { assert, assertEquals } from "../../support/assert.ts";

function build(): { fs: FileSystem; walk: Walk; wordOf(path: string): number } {
  const fs = FileSystem.create({ maximumBytes: 16 << 20 });
  fs.mkdirSync("/a/b/c", { recursive: true });
  fs.writeFileSync("/a/b/file", "file");
  const store = Store.open(fs.pool.agent, fs.pool.heap);
  if (typeof store === "number") throw new Error(`Store.open() returned ${store}`);
  return { fs, walk: new Walk(store, 0), wordOf: (path) => fs.lstatSync(path).ino * GRANULE_WORDS };
}

Deno.test("Walk.resolve() finds the inode, its directory and how the path ends", () => {
  const { walk, wordOf } = build();
  const cases: [path: string, inode: string, parent: string, last: number][] = [
    ["/a/b/file", "/a/b/file", "/a/b", LAST_NAME],
    ["a/b", "/a/b", "/a", LAST_NAME],
    ["//a///b/", "/a/b", "/a", LAST_NAME],
    ["/a/./b/../b/c", "/a/b/c", "/a/b", LAST_NAME],
    ["/a/b/.", "/a/b", "/a/b", LAST_DOT],
    ["/a/b/..", "/a", "/a", LAST_DOT_DOT],
    ["/..", "/", "/", LAST_DOT_DOT],
    ["/", "/", "/", LAST_ROOT],
  ];
  for (const [path, inode, parent, last] of cases) {
    assertEquals(walk.resolve(path, 0), 0, path);
    assertEquals([walk.inodeWord, walk.parentWord, walk.last], [wordOf(inode), wordOf(parent), last], path);
    assert(walk.validate(), path);
  }
  assertEquals([walk.resolve("/a/b/none", 0), walk.inodeWord, walk.parentWord], [0, 0, wordOf("/a/b")]);
  assertEquals(walk.resolve("/a/none/x", 0), -ENOENT);
  assertEquals(walk.resolve("", 0), -ENOENT);
});

Deno.test("Walk.validate() tells when something on the way has changed", () => {
  const { fs, walk } = build();
  const changes: (() => void)[] = [
    () => fs.renameSync("/a/b/file", "/a/b/other"),
    () => fs.writeFileSync("/a/b/new", ""),
    () => {
      fs.renameSync("/a/b", "/a/d");
      fs.renameSync("/a/d", "/a/b");
    },
    () => fs.mkdirSync("/top"),
  ];
  for (const change of changes) {
    assertEquals(walk.resolve("/a/b/none", 0), 0);
    assert(walk.validate());
    change();
    assert(!walk.validate(), String(change));
  }
  assertEquals(walk.resolve("/a/b/none", 0), 0);
  fs.writeFileSync("/top/file", "elsewhere");
  assert(walk.validate(), "a change elsewhere is none");
});

Deno.test("Walk.resolve() goes through more directories than it has notes for", () => {
  const { fs, walk } = build();
  const deep = "/d".repeat(1000);
  fs.mkdirSync(deep, { recursive: true });
  fs.writeFileSync(`${deep}/file`, "deep");
  assertEquals(walk.resolve(`${deep}/file`, 0), 0);
  assertEquals(walk.inodeWord, fs.statSync(`${deep}/file`).ino * GRANULE_WORDS);
  const back = `${"/d".repeat(600)}${"/..".repeat(599)}/d/d`;
  assertEquals(walk.resolve(back, 0), 0);
  assertEquals(walk.inodeWord, fs.statSync("/d/d/d".slice(0, 6)).ino * GRANULE_WORDS);
});

Deno.test("Walk.resolve() takes names of 255 bytes and paths of 4095, and no more, in bytes", () => {
  const { walk } = build();
  assertEquals(walk.resolve(`/${"x".repeat(255)}`, 0), 0);
  assertEquals(walk.resolve(`/${"é".repeat(127)}x`, 0), 0);
  assertEquals(walk.resolve(`/${"é".repeat(128)}/x`, 0), -ENAMETOOLONG);
  assertEquals(walk.resolve(`/${"x".repeat(256)}/x`, 0), -ENAMETOOLONG);
  assertEquals(walk.resolve("/.".repeat(2047) + "/", 0), 0);
  assertEquals(walk.resolve("/".repeat(PATH_BYTES + 1), 0), -ENAMETOOLONG);
  assertEquals(walk.resolve("/" + "é/".repeat(1400), 0), -ENAMETOOLONG, "4201 bytes in 2801 characters");
});
