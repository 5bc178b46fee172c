/**
 * Which of a program's paths lead into the pool.
 *
 * @module
 */
import { DEFAULT_MOUNTS, Mounts, type MountTable, normalized } from "../../../src/adapters/emscripten/mounts.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("Mounts.route() takes the longest mount whose components begin the path", () => {
  const mounts = new Mounts({ "/": null, "/data": "/", "/data/deep": "/elsewhere/", "/data/deep/host": null });
  assertEquals(mounts.rootIsHost, true);
  const routes: [string, string | undefined][] = [
    ["/", undefined],
    ["/dat", undefined],
    ["/database", undefined],
    ["/data", "/"],
    ["/data/", "/"],
    ["/data/a/b", "/a/b"],
    ["/data/deeper", "/deeper"],
    ["/data/deep", "/elsewhere"],
    ["/data/deep/a/", "/elsewhere/a/"],
    ["/data/deep/host", undefined],
    ["/data/deep/host/a", undefined],
    ["/data/deep/hosts", "/elsewhere/hosts"],
  ];
  for (const [path, expected] of routes) assertEquals(mounts.route(path), expected, path);
});

Deno.test("Mounts.route() leaves a path as it stands within a mount, and takes it by its text across mounts", () => {
  const mounts = new Mounts(DEFAULT_MOUNTS);
  assertEquals(mounts.rootIsHost, false);
  assertEquals(mounts.route("/a/../b"), "/a/../b", "a may be a link");
  assertEquals(mounts.route("//a//b/./c"), "//a//b/./c");
  assertEquals(mounts.route("/dev/../a"), "/a");
  assertEquals(mounts.route("/a/../dev/null"), undefined);
  assertEquals(mounts.route("//dev/null"), undefined);
  assertEquals(mounts.route("/./proc/self"), undefined);
  assertEquals(mounts.route("/device"), "/device");
  assertEquals(mounts.route("/../.."), "/../..", "the root is its own parent");
});

Deno.test("Mounts.pathOf() is the way back, and undefined where none leads", () => {
  const mounts = new Mounts({ "/": null, "/work": "/projects/one", "/tmp": "/scratch" });
  assertEquals(mounts.pathOf("/projects/one"), "/work");
  assertEquals(mounts.pathOf("/projects/one/a/b"), "/work/a/b");
  assertEquals(mounts.pathOf("/scratch/x"), "/tmp/x");
  for (const path of ["/", "/projects", "/projects/one_more"]) assertEquals(mounts.pathOf(path), undefined, path);
  assertEquals(mounts.points().toSorted(), ["/tmp", "/work"]);
  assertEquals(mounts.targets().toSorted(), ["/projects/one", "/scratch"]);
  const whole = new Mounts({ "/pool": "/" });
  assertEquals([whole.pathOf("/"), whole.pathOf("/a")], ["/pool", "/pool/a"]);
  const root = new Mounts(DEFAULT_MOUNTS);
  assertEquals([root.pathOf("/"), root.pathOf("/a")], ["/", "/a"]);
  assertEquals([root.points(), root.targets()], [[], []]);
});

Deno.test("Mounts: without a table everything is the host's", () => {
  const mounts = new Mounts({});
  assertEquals([mounts.rootIsHost, mounts.route("/a"), mounts.pathOf("/a")], [true, undefined, undefined]);
});

Deno.test("Mounts: a path that is not absolute is refused", () => {
  for (const table of [{ "": "/" }, { "data": "/" }, { "/": "pool" }, { "/": "" }, { "/": 1 }, { "/": undefined }]) {
    assertThrows(() => new Mounts(table as unknown as MountTable), TypeError, "a mount is an absolute path");
  }
});

Deno.test("normalized() takes empty, . and .. components away; a slash at the end stays", () => {
  const texts: [string, string][] = [
    ["/", "/"],
    ["//", "/"],
    ["/..", "/"],
    ["/a/..", "/"],
    ["/a//b/./c", "/a/b/c"],
    ["/a/b/../c", "/a/c"],
    ["/../../a", "/a"],
    ["/a/", "/a/"],
    ["/a/.", "/a/"],
    ["/a/b/..", "/a/"],
    ["/a/...", "/a/..."],
    ["/.a/..b", "/.a/..b"],
  ];
  for (const [path, expected] of texts) assertEquals(normalized(path), expected, path);
});
