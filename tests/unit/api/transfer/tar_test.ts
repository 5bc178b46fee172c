import { importDirectory } from "../../../../src/api/transfer/import_directory.ts";
import { TarError } from "../../../../src/api/transfer/errors.ts";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "../../../support/assert.ts";
import {
  makeTar,
  openFileSystem,
  paxRecord,
  readFile,
  readText,
  streamOf,
  type TarMember,
  temporaryDirectory,
  writeFile,
} from "./support.ts";

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function assertRefused(members: readonly TarMember[], message: string): Promise<void> {
  using fs = openFileSystem();
  await assertRejects(() => importDirectory(fs, streamOf(makeTar(members))), TarError, message);
}

const SAMPLE: readonly TarMember[] = [
  { name: "a/", type: "5", mode: 0o755, mtime: 1_500_000_000 },
  { name: "a/file.txt", contents: "contents", mode: 0o640, mtime: 1_400_000_000 },
  { name: "a/link", type: "2", link: "file.txt" },
  { name: "a/same", type: "1", link: "a/file.txt" },
  { name: "empty", contents: "" },
];

Deno.test("importDirectory() of a tar keeps files, directories, links, modes and times", async () => {
  using fs = openFileSystem();
  const counts = await importDirectory(fs, streamOf(makeTar(SAMPLE)));
  assertEquals(counts, { files: 2, directories: 1, symlinks: 1, hardLinks: 1, bytes: 8 });
  assertEquals(readText(fs, "/a/file.txt"), "contents");
  assertEquals(readText(fs, "/a/link"), "contents");
  assertEquals(fs.readlinkSync("/a/link"), "file.txt");
  assertEquals(fs.statSync("/a/file.txt").mode & 0o7777, 0o640);
  assertEquals(fs.statSync("/a/file.txt").mtimeMs, 1_400_000_000_000);
  assertEquals(fs.statSync("/a").mode & 0o7777, 0o755);
  assertEquals(fs.statSync("/a").mtimeMs, 1_500_000_000_000);
  assertEquals(fs.statSync("/a/same").ino, fs.statSync("/a/file.txt").ino);
  assertEquals(fs.statSync("/a/same").nlink, 2);
  assertEquals(fs.statSync("/empty").size, 0);
});

Deno.test("importDirectory() of a tar takes chunks of any size", async () => {
  const bytes = makeTar([{ name: "data", contents: new Uint8Array(5000).map((_, index) => index % 251) }, ...SAMPLE]);
  for (const chunkBytes of [1, 7, 511, 512, 513, 4096]) {
    using fs = openFileSystem();
    await importDirectory(fs, streamOf(bytes, chunkBytes));
    assertEquals(readFile(fs, "/data"), new Uint8Array(5000).map((_, index) => index % 251));
    assertEquals(readText(fs, "/a/file.txt"), "contents");
  }
});

Deno.test("importDirectory() of a tar recognises gzip, whole and in single bytes", async () => {
  const bytes = await gzip(makeTar(SAMPLE));
  for (const chunkBytes of [1, 65536]) {
    using fs = openFileSystem();
    await importDirectory(fs, streamOf(bytes, chunkBytes), { into: "/deep/er" });
    assertEquals(readText(fs, "/deep/er/a/file.txt"), "contents");
  }
});

Deno.test("importDirectory() of a tar joins ustar's prefix, and leaves GNU's old fields alone", async () => {
  using fs = openFileSystem();
  await importDirectory(
    fs,
    streamOf(makeTar([
      { name: "leaf", prefix: "long/way", contents: "1" },
      { name: "gnu", prefix: "14000000000", magic: "ustar  \0", contents: "2" },
    ])),
  );
  assertEquals(readText(fs, "/long/way/leaf"), "1");
  assertEquals(readText(fs, "/gnu"), "2");
});

Deno.test("importDirectory() of a tar reads GNU long names and links, and binary sizes", async () => {
  const name = `${"d".repeat(120)}/${"f".repeat(130)}`;
  const target = "t".repeat(150);
  using fs = openFileSystem();
  await importDirectory(
    fs,
    streamOf(makeTar([
      { name: "././@LongLink", type: "L", contents: `${name}\0` },
      { name: name.slice(0, 100), contents: "long", binarySize: true },
      { name: "././@LongLink", type: "K", contents: `${target}\0` },
      { name: "link", type: "2", link: target.slice(0, 100) },
    ])),
  );
  assertEquals(readText(fs, `/${name}`), "long");
  assertEquals(fs.readlinkSync("/link"), target);
});

Deno.test("importDirectory() of a tar reads pax path, linkpath, size and mtime", async () => {
  const name = `ünïcode/${"x".repeat(200)}`;
  using fs = openFileSystem();
  await importDirectory(
    fs,
    streamOf(makeTar([
      { name: "global", type: "g", contents: paxRecord("mtime", "1000000000") + paxRecord("comment", "c") },
      {
        name: "pax",
        type: "x",
        contents: paxRecord("path", name) + paxRecord("size", "4") + paxRecord("mtime", "1500000000.25"),
      },
      { name: "short", contents: "paxy", size: 0 },
      { name: "pax", type: "x", contents: paxRecord("linkpath", "über/" + "y".repeat(120)) },
      { name: "link", type: "2", link: "short" },
      { name: "plain", contents: "p" },
    ])),
  );
  assertEquals(readText(fs, `/${name}`), "paxy");
  assertEquals(Math.round(fs.statSync(`/${name}`).mtimeMs), 1_500_000_000_250);
  assertEquals(fs.readlinkSync("/link"), "über/" + "y".repeat(120));
  assertEquals(fs.statSync("/plain").mtimeMs, 1_000_000_000_000);
});

Deno.test("importDirectory() of a tar lets the later of two entries with one path win", async () => {
  using fs = openFileSystem();
  await importDirectory(
    fs,
    streamOf(makeTar([{ name: "twice", contents: "first, longer" }, { name: "./twice", contents: "second" }])),
  );
  assertEquals(readText(fs, "/twice"), "second");
});

Deno.test("importDirectory() of a tar refuses names that leave the target", async () => {
  await assertRefused([{ name: "/etc/passwd", contents: "x" }], "entry name '/etc/passwd' is absolute");
  await assertRefused([{ name: "a/../../b", contents: "x" }], "entry name 'a/../../b' leaves the target directory");
  await assertRefused([{ name: "..", type: "5" }], "leaves the target directory");
  await assertRefused([{ name: "h", type: "1", link: "../../etc/passwd" }], "link name '../../etc/passwd' leaves");
  await assertRefused([{ name: "h", type: "1", link: "/etc/passwd" }], "link name '/etc/passwd' is absolute");
  const pax = { name: "pax", type: "x", contents: paxRecord("path", "../up") };
  await assertRefused([pax, { name: "ok", contents: "x" }], "entry name '../up' leaves the target directory");
});

Deno.test("importDirectory() of a tar does not write through a symbolic link of the archive", async () => {
  using fs = openFileSystem();
  fs.mkdirSync("/outside");
  const archive = makeTar([
    { name: "exit", type: "2", link: "/outside" },
    { name: "exit/file", contents: "escaped" },
  ]);
  const error = await assertRejects(() => importDirectory(fs, streamOf(archive), { into: "/in" }), Error);
  assertEquals((error as Error & { code?: string }).code, "ENOTDIR");
  assertEquals(fs.readdirSync("/outside"), []);
});

Deno.test("importDirectory() of a tar does not make a hard link to a symbolic link", async () => {
  await assertRejects(
    async () => {
      using fs = openFileSystem();
      await importDirectory(
        fs,
        streamOf(makeTar([{ name: "s", type: "2", link: "/etc/passwd" }, { name: "h", type: "1", link: "s" }])),
      );
    },
    Error,
    "must name a regular file",
  );
});

Deno.test("importDirectory() of a tar refuses what it cannot store", async () => {
  await assertRefused([{ name: "null", type: "3" }], "'null' is a device");
  await assertRefused([{ name: "pipe", type: "6" }], "'pipe' is a FIFO");
  await assertRefused([{ name: "holes", type: "S" }], "'holes' is stored in GNU's sparse form");
  await assertRefused([{ name: "odd", type: "Z" }], `'odd' has the unknown type "Z"`);
});

Deno.test("importDirectory() of a tar verifies checksums", async () => {
  const bytes = makeTar(SAMPLE);
  bytes[3] = 0x41;
  using fs = openFileSystem();
  await assertRejects(() => importDirectory(fs, streamOf(bytes)), TarError, "the checksum of the header at byte 0 is");
  await assertRejects(
    () => importDirectory(fs, streamOf(new TextEncoder().encode("hello ".repeat(200)))),
    TarError,
    "damaged, or not a tar archive",
  );
});

Deno.test("importDirectory() of a tar says where a truncated archive ends", async () => {
  const bytes = makeTar([{ name: "f", contents: new Uint8Array(3000).fill(7) }]);
  const cases: readonly [length: number, message: string][] = [
    [0, "the stream is empty"],
    [100, "cut short at byte 100: a header is incomplete"],
    [1000, "cut short at byte 1000: 2512 bytes of contents are missing"],
    [3520, "cut short at byte 3520: the padding after the last contents is incomplete"],
    [3584, "cut short at byte 3584: its end marker is missing"],
  ];
  for (const [length, message] of cases) {
    using fs = openFileSystem();
    await assertRejects(() => importDirectory(fs, streamOf(bytes.subarray(0, length))), TarError, message);
    assertEquals(fs.readdirSync("/").includes("f"), length > 3500, "no half-written file stays");
  }
  const packed = await gzip(bytes);
  using fs = openFileSystem();
  await assertRejects(
    () => importDirectory(fs, streamOf(packed.subarray(0, packed.length - 12))),
    TarError,
    "gzip data is damaged or cut short",
  );
});

Deno.test("importDirectory() of a tar names a compression it does not read", async () => {
  using fs = openFileSystem();
  const start = (bytes: number[]) => streamOf(new Uint8Array([...bytes, 0, 0, 0, 0, 0, 0]));
  await assertRejects(() => importDirectory(fs, start([0x28, 0xb5, 0x2f, 0xfd])), TarError, "compressed with zstd");
  await assertRejects(() => importDirectory(fs, start([0x42, 0x5a, 0x68])), TarError, "compressed with bzip2");
});

Deno.test("importDirectory() of a tar refuses malformed pax records", async () => {
  for (const contents of ["7 a=b\n", "x path=a\n", "99 path=a\n", "6 path\n", "0 path=a\n"]) {
    await assertRefused([{ name: "p", type: "x", contents }, { name: "f" }], "malformed pax record");
  }
  const bad = [{ name: "p", type: "x", contents: paxRecord("size", "many") }, { name: "f" }];
  await assertRefused(bad, `"many" of 'f' is not a number`);
});

Deno.test("importDirectory() of a tar aborts a stalled stream with the signal's reason, and cancels it", async () => {
  using fs = openFileSystem();
  const bytes = makeTar([{ name: "first", contents: "1" }, { name: "second", contents: new Uint8Array(2000) }]);
  let cancelled: unknown;
  const stalled = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes.subarray(0, 2000));
    },
    cancel(reason) {
      cancelled = reason;
    },
  });
  const reason = new Error("enough");
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(reason), 30);
  const error = await assertRejects(() => importDirectory(fs, stalled, { signal: abort.signal }));
  clearTimeout(timer);
  assertStrictEquals(error, reason);
  assertStrictEquals(cancelled, reason);
  assertEquals(fs.readdirSync("/").filter((name) => name === "first" || name === "second"), ["first"]);
});

Deno.test("importDirectory() of a tar reads what the system's tar writes", async (t) => {
  const hasTar = await new Deno.Command("tar", { args: ["--version"], stdout: "null", stderr: "null" }).output()
    .then((result) => result.success, () => false);
  // The formats are covered above without it; a real writer is a second opinion where there is one.
  if (!hasTar) return console.log("no tar on PATH");
  using directory = temporaryDirectory();
  const tree = `${directory.path}/tree`;
  const deep = `${"a".repeat(90)}/${"b".repeat(90)}/${"c".repeat(90)}`;
  Deno.mkdirSync(`${tree}/${deep}`, { recursive: true });
  const host = await import("node:fs");
  writeFile(host, `${tree}/${deep}/${"d".repeat(120)}`, "deep");
  writeFile(host, `${tree}/ünï`, new Uint8Array(100_000).map((_, index) => index * 31));
  Deno.symlinkSync("z".repeat(140), `${tree}/link`);
  Deno.linkSync(`${tree}/ünï`, `${tree}/same`);
  Deno.chmodSync(`${tree}/ünï`, 0o600);
  host.utimesSync(`${tree}/ünï`, 1_234_567_890, 1_234_567_890);
  for (const format of ["ustar", "gnu", "pax"]) {
    for (const zipped of [false, true]) {
      await t.step(`${format}${zipped ? ", gzip" : ""}`, async () => {
        // ustar cannot say names this long.
        const exclude = format === "ustar" ? [`--exclude=${"a".repeat(90)}`, "--exclude=link"] : [];
        const { stdout, success } = await new Deno.Command("tar", {
          args: [`--format=${format}`, ...exclude, zipped ? "-cz" : "-c", "-C", tree, "."],
        }).output();
        assert(success);
        using fs = openFileSystem();
        const counts = await importDirectory(fs, streamOf(stdout), { into: "/t" });
        assertEquals(readFile(fs, "/t/ünï"), new Uint8Array(100_000).map((_, index) => index * 31));
        assertEquals(fs.statSync("/t/ünï").mode & 0o7777, 0o600);
        assertEquals(Math.round(fs.statSync("/t/ünï").mtimeMs), 1_234_567_890_000);
        assertEquals(fs.statSync("/t/ünï").ino, fs.statSync("/t/same").ino);
        assertEquals(counts.hardLinks, 1);
        if (format === "ustar") return;
        assertEquals(readText(fs, `/t/${deep}/${"d".repeat(120)}`), "deep");
        assertEquals(fs.readlinkSync("/t/link"), "z".repeat(140));
      });
    }
  }
});
