/** Names and paths: what may be in them, and how long they may be. */
import { assert, assertEquals } from "../../support/assert.ts";
import { Random, SEED } from "../../support/stress.ts";
import { assertFails, assertSoundAndEmptied, create } from "./support.ts";

const encoder = new TextEncoder();

Deno.test("names of any UTF-8 up to 255 bytes come back as they were", () => {
  using fs = create();
  const random = new Random(SEED);
  const names = new Set<string>();
  const alphabets = [[1, 127], [0x80, 0x7ff], [0x800, 0xd7ff], [0x1f000, 0x1ffff], [1, 0x2fff]] as const;
  while (names.size < 400) {
    const [low, high] = random.of(alphabets);
    let name = "";
    const length = 1 + random.below(255);
    for (;;) {
      const next = name + String.fromCodePoint(low + random.below(high - low + 1));
      if (encoder.encode(next).length > length) break;
      name = next;
    }
    if (name !== "" && name !== "." && name !== ".." && !name.includes("/")) names.add(name);
  }
  for (const name of names) fs.writeFileSync(`/${name}`, name);
  assertEquals(new Set(fs.readdirSync("/")), names, `EXTMEMFS_SEED=${SEED}`);
  for (const name of names) {
    assertEquals(fs.readFileSync(`/${name}`, "utf8"), name);
    assertEquals(fs.readFileSync(encoder.encode(`/${name}`), "utf8"), name);
    assertEquals(fs.realpathSync(`/${name}`), `/${name}`);
  }
  assertSoundAndEmptied(fs);
});

Deno.test("every name of one character", () => {
  using fs = create();
  const names = Array.from({ length: 127 }, (_, code) => String.fromCharCode(code + 1)).filter((name) =>
    !"/.".includes(name)
  );
  for (const name of names) fs.mkdirSync(`/${name}`);
  assertEquals(fs.readdirSync("/").sort(), names.sort());
  for (const name of names) fs.rmdirSync(`/${name}`);
  assertSoundAndEmptied(fs);
});

Deno.test("names of 255 bytes fit, of 256 do not, and nothing is left of them", () => {
  using fs = create();
  for (const unit of ["a", "é", "日", "🙂"]) {
    const bytes = encoder.encode(unit).length;
    const longest = unit.repeat(Math.floor(255 / bytes)) + "x".repeat(255 % bytes);
    fs.writeFileSync(`/${longest}`, "x");
    assertEquals(fs.existsSync(`/${longest}`), true);
    const calls: (() => unknown)[] = [
      () => fs.writeFileSync(`/${longest}x`, "x"),
      () => fs.mkdirSync(`/${longest}x`),
      () => fs.statSync(`/${longest}x`),
      () => fs.renameSync(`/${longest}`, `/${longest}x`),
      () => fs.linkSync(`/${longest}`, `/${longest}x`),
      () => fs.symlinkSync("x", `/${longest}x`),
      () => fs.unlinkSync(`/${longest}x`),
      () => fs.rmdirSync(`/${longest}x`),
      () => fs.openSync(`/${longest}x/y`),
    ];
    for (const call of calls) assertFails(call, "ENAMETOOLONG", String(call));
  }
  assertEquals(fs.readdirSync("/").length, 4);
  assertSoundAndEmptied(fs);
});

Deno.test("paths of 4,095 bytes fit, of 4,096 do not, whatever they are made of", () => {
  using fs = create();
  fs.writeFileSync("/f", "x");
  for (const unit of ["/.", "/", "/./"]) {
    const longest = (unit.repeat(4095).slice(0, 4093).replace(/\.$/, "/")) + "/f";
    assertEquals(fs.readFileSync(longest, "utf8"), "x");
    assertFails(() => fs.readFileSync(`/${longest}`), "ENAMETOOLONG");
  }
  const wide = "/é".repeat(1364) + "/éx";
  assertEquals(encoder.encode(wide).length, 4096);
  assertFails(() => fs.statSync(wide), "ENAMETOOLONG");
  assertFails(() => fs.statSync(wide.slice(0, -1)), "ENOENT");
  assertFails(() => fs.symlinkSync("x".repeat(4096), "/l"), "ENAMETOOLONG");
  fs.symlinkSync("x".repeat(4095), "/l");
  assertEquals(fs.readlinkSync("/l").length, 4095);
  assertFails(() => fs.statSync("/l"), "ENAMETOOLONG");
});

Deno.test("half a surrogate pair becomes U+FFFD, in names, links and errors", () => {
  using fs = create();
  fs.writeFileSync("/a\ud800", "x");
  assertEquals(fs.readdirSync("/"), ["a\ufffd"]);
  assertEquals(fs.readFileSync("/a\udfff", "utf8"), "x");
  assertFails(() => fs.mkdirSync("/a\udc01"), "EEXIST");
  fs.symlinkSync("\ud83d", "/l");
  assertEquals(fs.readlinkSync("/l"), "\ufffd");
  let path: unknown;
  try {
    fs.statSync("/missing\udfff");
  } catch (error) {
    path = (error as { path: string }).path;
  }
  assertEquals(path, "/missing\ufffd");
  assertEquals(fs.mkdirSync("/x\ud800/y", { recursive: true }), "/x\ufffd");
  assertSoundAndEmptied(fs);
});

Deno.test("names that differ in one bit are different names", () => {
  using fs = create();
  const names = ["a", "A", "a ", " a", "a.", "é", "e\u0301", "ａ", "a\u0000".slice(0, 1) + "\u200b", "\ufeffa"];
  names.forEach((name, index) => fs.writeFileSync(`/${name}`, String(index)));
  names.forEach((name, index) => assertEquals(fs.readFileSync(`/${name}`, "utf8"), String(index)));
  assertEquals(new Set(fs.readdirSync("/")), new Set(names));
});

Deno.test("paths as bytes and as URLs", () => {
  using fs = create();
  fs.writeFileSync(encoder.encode("/é f"), "x");
  assertEquals(fs.readFileSync(new URL("file:///%C3%A9%20f"), "utf8"), "x");
  assertEquals(fs.readFileSync(new URL("file://localhost/é f"), "utf8"), "x");
  assert(fs.existsSync(encoder.encode("\ufeff/../é f")) === false);
  fs.mkdirSync(encoder.encode("/\ufeffmark"));
  assertEquals(fs.existsSync("/\ufeffmark"), true);
  assertEquals(fs.realpathSync(encoder.encode("/é f")), "/é f");
  assertFails(() => fs.statSync(new URL("http://host/a")), "ERR_INVALID_URL_SCHEME");
  assertFails(() => fs.statSync(new URL("file://host/a")), "ERR_INVALID_FILE_URL_HOST");
  assertFails(() => fs.statSync(new URL("file:///a%2Fb")), "ERR_INVALID_FILE_URL_PATH");
  assertFails(() => fs.statSync(new URL("file:///a%E0b")), "ERR_INVALID_FILE_URL_PATH");
  assertFails(() => fs.statSync(new URL("file:///a%00b")), "ERR_INVALID_ARG_VALUE");
  assertFails(() => fs.statSync(Uint8Array.of(47, 0)), "ERR_INVALID_ARG_VALUE");
  const shared = new Uint8Array(new SharedArrayBuffer(5));
  shared.set(encoder.encode("/é f").subarray(0, 5));
  assertEquals(fs.existsSync(shared), true);
});
