import { posix } from "node:path";
import { join, lastNameOf, namesOf, normalize, parentOf, randomName } from "../../../src/api/path_text.ts";
import { assertEquals, assertMatch, assertNotEquals } from "../../support/assert.ts";

const PATHS = ["/", "//", "/a", "/a/", "/a//b", "/a/./b/../c/", "/..", "/../..", "a", "a/b", "./a", "../a", "..", "."];

Deno.test("normalize() does what path.posix.normalize does, less a slash at the end", () => {
  for (const path of [...PATHS, "", "a/..", "a/../..", "../../a/../b"]) {
    const expected = posix.normalize(path);
    assertEquals(normalize(path), expected.length > 1 ? expected.replace(/\/$/, "") : expected, path);
  }
});

Deno.test("namesOf() does what path.posix.resolve does", () => {
  for (const path of PATHS) {
    assertEquals(`/${namesOf(path).join("/")}`, posix.resolve("/", path), path);
    assertEquals(`/${namesOf(path, ["x", "y"]).join("/")}`, posix.resolve("/x/y", path), path);
  }
});

Deno.test("parentOf() comes to the root, or to nothing, from every path", () => {
  assertEquals(["/a/b", "/a/b/", "/a//b", "/a", "/", "//", "a/b", "a", ""].map(parentOf), [
    "/a",
    "/a/b",
    "/a",
    "/",
    "/",
    "/",
    "a",
    "",
    "",
  ]);
});

Deno.test("lastNameOf(), join() and randomName()", () => {
  assertEquals(["/a/b", "/a/b//", "a", "/", "/a/.."].map(lastNameOf), ["b", "b", "a", "", ".."]);
  assertEquals([join("/", "a"), join("/a", "b"), join("/a/", "b")], ["/a", "/a/b", "/a/b"]);
  assertMatch(randomName(), /^[A-Za-z0-9]{6}$/);
  assertNotEquals(randomName(), randomName());
});
