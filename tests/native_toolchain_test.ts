import { cacheFolder } from "../tools/cache.ts";
import { parseDependencies } from "../tools/native/build.ts";
import { type Machine, refusal } from "../tools/native/debian.ts";
import { findToolchain, type Toolchain } from "../tools/native/toolchain.ts";
import { parseVersion } from "../tools/native/version.ts";
import { assert, assertEquals, assertStringIncludes } from "./support/assert.ts";

const BANNER = "emcc (Emscripten gcc/clang-like replacement + linker emulating GNU ld)";

Deno.test("parseVersion() reads what emcc prints", () => {
  const cases: [string, string | undefined][] = [
    [`${BANNER} 6.0.5 ()`, "6.0.5"],
    [`${BANNER} 4.0.10 (09b2b9c3b1f2f2e2)`, "4.0.10"],
    [`${BANNER} 3.1.6~dfsg`, "3.1.6"],
    [`${BANNER} 5.0.1-git (1234567)`, "5.0.1"],
    ['"6.0.5"', "6.0.5"],
    ["6.0.5", "6.0.5"],
    ["", undefined],
    ["emcc: command not found", undefined],
    ["version 1.2", undefined],
  ];
  for (const [printed, version] of cases) assertEquals(parseVersion(printed)?.text, version, printed);
  assertEquals(parseVersion(`${BANNER} 10.2.3 ()`)?.major, 10);
});

/** Puts an `emcc` that prints a version, as a program of its own, into a folder laid out like emsdk's. */
async function withFakeEmcc(version: string, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "extmemfs_emcc_" }));
  try {
    await Deno.mkdir(`${folder}/system/lib/wasmfs`, { recursive: true });
    await Deno.writeTextFile(`${folder}/emcc`, `#!/bin/sh\necho '${BANNER} ${version} ()'\n`, { mode: 0o755 });
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PROVIDED: Toolchain = { version: "6.0.5", root: "/provided", command: (name) => [name] };

Deno.test("findToolchain() takes emcc from PATH when it is 4 or newer, and provides nothing", async () => {
  for (const version of ["4.0.0", "6.0.5"]) {
    await withFakeEmcc(version, async (folder) => {
      const provision = () => Promise.reject(new Error("provision() was called"));
      const found = await findToolchain({ path: `/nowhere:${folder}:/usr/bin`, provision });
      assertEquals(found.version, version);
      assertEquals(found.root, folder);
      assertEquals(found.command("em++", "/"), [`${folder}/em++`]);
    });
  }
});

Deno.test("findToolchain() has one provided when PATH has none, an old one, a silent one or a plain file", async () => {
  const reasons: string[] = [];
  const provision = (reason: string) => {
    reasons.push(reason);
    return Promise.resolve(PROVIDED);
  };
  assertEquals(await findToolchain({ path: "/nowhere:relative:", provision }), PROVIDED);
  await withFakeEmcc("3.1.6", async (folder) => {
    assertEquals(await findToolchain({ path: folder, provision }), PROVIDED);
    assertEquals(reasons[1], `${folder}/emcc is 3.1.6, which is older than 4`);
  });
  await withFakeEmcc("of no number", async (folder) => {
    await findToolchain({ path: folder, provision });
    assertStringIncludes(reasons[2], `${folder}/emcc does not say its version: "${BANNER} of no number`);
    await Deno.chmod(`${folder}/emcc`, 0o644);
    await findToolchain({ path: folder, provision });
  });
  assertEquals([reasons[0], reasons[3]], ["no emcc on PATH", "no emcc on PATH"]);
});

Deno.test("refusal() says what was asked, what was found and what to do", () => {
  const able: Machine = {
    os: "linux",
    uid: 0,
    debootstrap: true,
    apt: true,
    mirrors: ["http://mirror.example/debian/"],
    namespace: true,
  };
  assertEquals(refusal(able, "no emcc on PATH"), undefined);
  assertEquals(refusal({ ...able, debootstrap: false }, ""), undefined, "apt-get can install debootstrap");
  assertEquals(refusal({ ...able, apt: false }, ""), undefined, "debootstrap is there already");
  const cases: [Partial<Machine>, string][] = [
    [{ os: "darwin" }, "this is darwin"],
    [{ uid: 1000 }, "runs as user 1000"],
    [{ namespace: "Operation not permitted" }, "may not mount folders (unshare -m: Operation not permitted)"],
    [{ debootstrap: false, apt: false }, "neither debootstrap nor apt-get"],
    [{ mirrors: [] }, "the apt sources name no Debian mirror"],
  ];
  for (const [change, found] of cases) {
    const message = refusal({ ...able, ...change }, "no emcc on PATH");
    assert(message !== undefined, found);
    assertStringIncludes(message, "Emscripten 4 or newer is needed, and no emcc on PATH");
    assertStringIncludes(message, found);
    assertStringIncludes(message, "put its emcc on PATH");
  }
});

Deno.test("parseDependencies() reads continued lines and escaped blanks", () => {
  assertEquals(parseDependencies("/x/object.o: /a/b.c \\\n  /a/with\\ blank.h \\\n  /a/c.h\n"), [
    "/a/b.c",
    "/a/with blank.h",
    "/a/c.h",
  ]);
  assertEquals(parseDependencies("object.o:\n"), []);
});

Deno.test("cacheFolder() lies in the repository unless EXTMEMFS_CACHE names a folder", () => {
  const before = Deno.env.get("EXTMEMFS_CACHE");
  try {
    Deno.env.delete("EXTMEMFS_CACHE");
    assertEquals(cacheFolder("x"), decodeURIComponent(new URL("../.cache/x", import.meta.url).pathname));
    Deno.env.set("EXTMEMFS_CACHE", "/somewhere/else/");
    assertEquals(cacheFolder("x"), "/somewhere/else/x");
  } finally {
    if (before === undefined) Deno.env.delete("EXTMEMFS_CACHE");
    else Deno.env.set("EXTMEMFS_CACHE", before);
  }
});
