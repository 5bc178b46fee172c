import * as host from "node:fs";
import { FileSystem } from "../../../../mod.ts";
import { exportDirectory } from "../../../../src/api/transfer/export_directory.ts";
import { importDirectory } from "../../../../src/api/transfer/import_directory.ts";
import type { TransferFileSystem, TransferProgress } from "../../../../src/api/transfer/types.ts";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "../../../support/assert.ts";
import { describeTree, openFileSystem, overriding, readText, temporaryDirectory, writeFile } from "./support.ts";

/** Builds a host tree with everything that is kept. */
function makeTree(root: string): void {
  host.mkdirSync(`${root}/docs/empty`, { recursive: true });
  host.mkdirSync(`${root}/sealed`);
  writeFile(host, `${root}/docs/readme`, "read me");
  writeFile(host, `${root}/big`, new Uint8Array(700_001).map((_, index) => index * 7 + (index >> 8)));
  writeFile(host, `${root}/none`, "");
  writeFile(host, `${root}/sealed/inside`, "sealed");
  writeFile(host, `${root}/naïve ☃`, "unicode");
  host.linkSync(`${root}/docs/readme`, `${root}/sealed/readme`);
  host.linkSync(`${root}/docs/readme`, `${root}/again`);
  host.symlinkSync("docs/readme", `${root}/link`);
  host.symlinkSync("/etc/passwd", `${root}/outward`);
  host.symlinkSync("nowhere", `${root}/dangling`);
  host.symlinkSync("docs", `${root}/to-directory`);
  host.chmodSync(`${root}/big`, 0o755);
  host.chmodSync(`${root}/none`, 0o444);
  host.utimesSync(`${root}/big`, 1_100_000_000, 1_200_000_000.5);
  host.utimesSync(`${root}/docs`, 1_100_000_000, 1_300_000_000);
  host.chmodSync(`${root}/sealed`, 0o555);
}

/** Counts descriptors that are open. */
function countDescriptors(fs: TransferFileSystem): { fs: TransferFileSystem; open: () => number } {
  let open = 0;
  const counted = overriding(fs, {
    openSync(path, flags, mode) {
      const fd = fs.openSync(path, flags, mode);
      open++;
      return fd;
    },
    closeSync(fd) {
      fs.closeSync(fd);
      open--;
    },
  });
  return { fs: counted, open: () => open };
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

Deno.test("importDirectory() and exportDirectory() give back the same tree", async () => {
  using source = temporaryDirectory();
  using target = temporaryDirectory();
  makeTree(source.path);
  using fs = openFileSystem();
  const imported = await importDirectory(fs, source.path, { into: "/a/b" });
  assertEquals(imported, { files: 5, directories: 3, symlinks: 4, hardLinks: 2, bytes: 700_001 + 7 + 6 + 7 });
  assertEquals(describeTree("/a/b", fs), describeTree(source.path, host));
  assertEquals(fs.statSync("/a/b/again").ino, fs.statSync("/a/b/docs/readme").ino);
  const exported = await exportDirectory(fs, `${target.path}/new/deep`, { from: "/a/b" });
  assertEquals(exported, imported);
  assertEquals(describeTree(`${target.path}/new/deep`, host), describeTree(source.path, host));
  assertEquals(
    host.statSync(`${target.path}/new/deep/again`).ino,
    host.statSync(`${target.path}/new/deep/docs/readme`).ino,
  );
  host.chmodSync(`${source.path}/sealed`, 0o755);
  host.chmodSync(`${target.path}/new/deep/sealed`, 0o755);
});

Deno.test("importDirectory() and exportDirectory() keep the times and mode of a directory of thousands of entries", async () => {
  using source = temporaryDirectory();
  using target = temporaryDirectory();
  host.mkdirSync(`${source.path}/many`);
  for (let index = 0; index < 2000; index++) writeFile(host, `${source.path}/many/${index}`, "");
  host.chmodSync(`${source.path}/many`, 0o2751);
  host.utimesSync(`${source.path}/many`, 1_000_000_000, 1_000_000_001);
  using fs = openFileSystem();
  await importDirectory(fs, source.path, { into: "/in" });
  assertEquals(fs.statSync("/in/many").mtimeMs, 1_000_000_001_000);
  await exportDirectory(fs, `${target.path}/out`, { from: "/in" });
  assertEquals(describeTree(`${target.path}/out`, host), describeTree(source.path, host));
});

Deno.test("importDirectory() takes a file URL and keeps the root's own mode only where it made the root", async () => {
  using source = temporaryDirectory();
  writeFile(host, `${source.path}/f`, "1");
  host.chmodSync(source.path, 0o750);
  host.utimesSync(source.path, 1_000_000_000, 1_000_000_000);
  using fs = openFileSystem();
  fs.mkdirSync("/there");
  fs.chmodSync("/there", 0o711);
  await importDirectory(fs, new URL(`file://${source.path}/`), { into: "/there" });
  await importDirectory(fs, `${source.path}/`, { into: "/made/" });
  assertEquals(fs.statSync("/there").mode & 0o7777, 0o711);
  assertEquals(fs.statSync("/made").mode & 0o7777, 0o750);
  assertEquals(fs.statSync("/made").mtimeMs, 1_000_000_000_000);
  assertEquals(readText(fs, "/made/f"), "1");
});

Deno.test("importDirectory() gives node's error for a source that is missing, and ENOTDIR for a file", async () => {
  using source = temporaryDirectory();
  using fs = openFileSystem();
  const missing = await assertRejects(() => importDirectory(fs, `${source.path}/missing`), Error, "ENOENT");
  assertEquals(codeOf(missing), "ENOENT");
  assertEquals((missing as Error & { path?: string }).path, `${source.path}/missing`);
  writeFile(host, `${source.path}/file`, "");
  const file = await assertRejects(() => importDirectory(fs, `${source.path}/file`), Error, "pass a tar archive");
  assertEquals(codeOf(file), "ENOTDIR");
  assertEquals(fs.readdirSync("/").filter((name) => name === "file"), []);
  await assertRejects(() => importDirectory(fs, 5 as never), TypeError, "must be a path, a URL or a stream, not 5");
});

Deno.test("importDirectory() refuses what is in the way, and replaces it with overwrite", async () => {
  using source = temporaryDirectory();
  host.mkdirSync(`${source.path}/dir`);
  writeFile(host, `${source.path}/dir/file`, "new");
  using fs = openFileSystem();
  fs.mkdirSync("/dir");
  fs.mkdirSync("/other");
  writeFile(fs, "/precious", "precious");
  fs.symlinkSync("/precious", "/dir/file");
  const error = await assertRejects(() => importDirectory(fs, source.path), Error);
  assertEquals(codeOf(error), "EEXIST");
  await importDirectory(fs, source.path, { overwrite: true });
  assertEquals(readText(fs, "/dir/file"), "new");
  assertEquals(readText(fs, "/precious"), "precious");
  fs.unlinkSync("/dir/file");
  fs.mkdirSync("/dir/file");
  const inTheWay = await assertRejects(() => importDirectory(fs, source.path, { overwrite: true }), Error);
  assertEquals(codeOf(inTheWay), "EISDIR");
});

Deno.test("importDirectory() refuses a FIFO before anything is written", async () => {
  using source = temporaryDirectory();
  writeFile(host, `${source.path}/file`, "x");
  const made = await new Deno.Command("mkfifo", { args: [`${source.path}/pipe`] }).output()
    .then((result) => result.success, () => false);
  // Where the system cannot make one, a tree cannot hold one either.
  if (!made) return console.log("no mkfifo on PATH");
  using fs = openFileSystem();
  const error = await assertRejects(() => importDirectory(fs, source.path, { into: "/in" }), Error, "/pipe'");
  assertEquals(codeOf(error), "ENOTSUP");
  assertEquals(fs.readdirSync("/in"), []);
});

Deno.test("importDirectory() keeps holes", async () => {
  using source = temporaryDirectory();
  const fd = host.openSync(`${source.path}/sparse`, "w");
  host.writeSync(fd, new Uint8Array([1, 2, 3]), 0, 3, 3 * 1024 * 1024);
  host.ftruncateSync(fd, 4 * 1024 * 1024);
  host.closeSync(fd);
  using fs = openFileSystem();
  using target = temporaryDirectory();
  await importDirectory(fs, source.path, { into: "/in" });
  await exportDirectory(fs, `${target.path}/out`, { from: "/in" });
  assertEquals(describeTree(`${target.path}/out`, host), describeTree(source.path, host));
});

Deno.test("importDirectory() reports progress at most 20 times a second, and the totals at the end", async () => {
  using source = temporaryDirectory();
  for (let index = 0; index < 300; index++) writeFile(host, `${source.path}/${index}`, "x".repeat(index));
  using fs = openFileSystem();
  const reports: TransferProgress[] = [];
  const start = performance.now();
  await importDirectory(fs, source.path, { into: "/in", onProgress: (progress) => reports.push(progress) });
  const seconds = (performance.now() - start) / 1000;
  const bytes = 299 * 300 / 2;
  assert(reports.length <= 20 * seconds + 1, `${reports.length} reports in ${seconds} s`);
  const last = reports.at(-1)!;
  assertEquals(last, { files: 300, bytes, totalFiles: 300, totalBytes: bytes, path: last.path });
});

Deno.test("importDirectory() aborted leaves whole files only, and no descriptor open", async () => {
  using source = temporaryDirectory();
  for (let index = 0; index < 5; index++) {
    writeFile(host, `${source.path}/${index}`, new Uint8Array(1 << 20).fill(index));
  }
  using inner = openFileSystem();
  const { fs, open } = countDescriptors(inner);
  const abort = new AbortController();
  const reason = new Error("stop");
  // Slow writes, so that the abort comes in the middle of a file.
  let writes = 0;
  const slow = overriding(fs, {
    writeSync(...args) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      if (++writes === 6) abort.abort(reason);
      return fs.writeSync(...args);
    },
  });
  const error = await assertRejects(() => importDirectory(slow, source.path, { into: "/in", signal: abort.signal }));
  assertStrictEquals(error, reason);
  assertEquals(open(), 0);
  const names = inner.readdirSync("/in");
  assert(names.length >= 1 && names.length < 5, `${names}`);
  for (const name of names) assertEquals(inner.statSync(`/in/${name}`).size, 1 << 20);
  await assertRejects(() => importDirectory(fs, source.path, { signal: AbortSignal.abort(reason) }), Error, "stop");
});

Deno.test("importDirectory() into a full filesystem removes the half-written file and closes its descriptors", async () => {
  using source = temporaryDirectory();
  writeFile(host, `${source.path}/a`, "fits");
  host.mkdirSync(`${source.path}/b`, { mode: 0o750 });
  writeFile(host, `${source.path}/b/large`, new Uint8Array(1 << 20));
  using inner = openFileSystem();
  const { fs, open } = countDescriptors(inner);
  const full = overriding(fs, {
    writeSync(fd, buffer, offset, length, position) {
      if ((position ?? 0) > 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      return fs.writeSync(fd, buffer, offset, Math.min(length, 1000), position);
    },
  });
  const error = await assertRejects(() => importDirectory(full, source.path, { into: "/in" }), Error);
  assertEquals(codeOf(error), "ENOSPC");
  assertEquals(open(), 0);
  assertEquals(readText(inner, "/in/a"), "fits");
  assertEquals(inner.readdirSync("/in/b"), []);
  assertEquals(inner.statSync("/in/b").mode & 0o7777, 0o750);
});

Deno.test("importDirectory() of more than the pool holds gives ENOSPC and leaves the filesystem whole and usable", async () => {
  using source = temporaryDirectory();
  for (let index = 0; index < 40; index++) {
    writeFile(host, `${source.path}/${index}`, new Uint8Array(100_000).fill(index + 1));
  }
  using fs = FileSystem.create({ maximumBytes: 2 << 20 });
  const error = await assertRejects(() => fs.importDirectory(source.path, { into: "/in" }), Error);
  assertEquals(codeOf(error), "ENOSPC");
  assertEquals(fs.check(), []);
  assertEquals(fs.stats().opens, 0);
  const names = fs.readdirSync("/in");
  assert(names.length > 5 && names.length < 40, `${names.length} files`);
  for (const name of names) assertEquals(fs.readFileSync(`/in/${name}`), Deno.readFileSync(`${source.path}/${name}`));
  fs.rmSync("/in", { recursive: true });
  fs.writeFileSync("/after", new Uint8Array(500_000));
  assertEquals(fs.check(), []);
});

Deno.test("exportDirectory() refuses a target that holds something, unless told to overwrite", async () => {
  using target = temporaryDirectory();
  writeFile(host, `${target.path}/kept`, "kept");
  writeFile(host, `${target.path}/file`, "old and longer");
  using fs = openFileSystem();
  fs.mkdirSync("/tree");
  writeFile(fs, "/tree/file", "new");
  const error = await assertRejects(
    () => exportDirectory(fs, target.path, { from: "/tree" }),
    Error,
    "overwrite: true",
  );
  assertEquals(codeOf(error), "ENOTEMPTY");
  assertEquals(readText(host, `${target.path}/file`), "old and longer");
  await exportDirectory(fs, target.path, { from: "/tree", overwrite: true });
  assertEquals(readText(host, `${target.path}/file`), "new");
  assertEquals(readText(host, `${target.path}/kept`), "kept");
});

Deno.test("exportDirectory() refuses a target or a tree that is no directory", async () => {
  using target = temporaryDirectory();
  writeFile(host, `${target.path}/file`, "");
  using fs = openFileSystem();
  writeFile(fs, "/file", "");
  const asTarget = await assertRejects(() => exportDirectory(fs, `${target.path}/file`), Error);
  assertEquals(codeOf(asTarget), "ENOTDIR");
  const asTree = await assertRejects(() => exportDirectory(fs, `${target.path}/new`, { from: "/file" }), Error);
  assertEquals(codeOf(asTree), "ENOTDIR");
  const missing = await assertRejects(() => exportDirectory(fs, `${target.path}/new`, { from: "/missing" }), Error);
  assertEquals(codeOf(missing), "ENOENT");
  assertEquals(host.existsSync(`${target.path}/new`), false);
});

Deno.test("exportDirectory() does not write through links that lie in the target", async () => {
  using outside = temporaryDirectory();
  using target = temporaryDirectory();
  writeFile(host, `${outside.path}/victim`, "untouched");
  host.symlinkSync(outside.path, `${target.path}/dir`);
  host.symlinkSync(`${outside.path}/victim`, `${target.path}/file`);
  host.symlinkSync(`${outside.path}/created`, `${target.path}/dangling`);
  using fs = openFileSystem();
  fs.mkdirSync("/tree/dir", { recursive: true });
  for (const name of ["dir/victim", "file", "dangling"]) writeFile(fs, `/tree/${name}`, "exported");
  await exportDirectory(fs, target.path, { from: "/tree", overwrite: true });
  assertEquals(readText(host, `${outside.path}/victim`), "untouched");
  assertEquals(host.readdirSync(outside.path), ["victim"]);
  for (const name of ["dir/victim", "file", "dangling"]) {
    assert(host.lstatSync(`${target.path}/${name}`).isFile());
    assertEquals(readText(host, `${target.path}/${name}`), "exported");
  }
});

Deno.test("exportDirectory() refuses names that no directory may hold", async () => {
  for (const name of ["../escaped", "..", ".", "", "a/../../escaped", "nul\0byte"]) {
    using target = temporaryDirectory();
    using fs = openFileSystem();
    fs.mkdirSync("/tree/sub", { recursive: true });
    writeFile(fs, "/tree/sub/file", "x");
    const real = fs.lstatSync("/tree/sub/file")!;
    // A hostile agent with the handle could make a directory say anything.
    const forged = overriding(fs, {
      readdirSync: (path) => path === "/tree/sub" ? [name] : fs.readdirSync(path),
      lstatSync: (path) => path.startsWith("/tree/sub/") ? real : fs.lstatSync(path),
      openSync: (_path, flags) => fs.openSync("/tree/sub/file", flags),
    });
    const error = await assertRejects(() => exportDirectory(forged, `${target.path}/t`, { from: "/tree" }), Error);
    assert(["EINVAL", "ENOTDIR"].includes(String(codeOf(error))), `${name}: ${error}`);
    assertEquals(host.readdirSync(target.path), ["t"]);
    assertEquals(host.readdirSync(`${target.path}/t`), ["sub"]);
  }
});

Deno.test("exportDirectory() does not follow a link of the tree that stands where a directory was seen", async () => {
  using outside = temporaryDirectory();
  using target = temporaryDirectory();
  using fs = openFileSystem();
  fs.mkdirSync("/tree");
  fs.symlinkSync(outside.path, "/tree/exit");
  writeFile(fs, "/file", "escaped");
  const file = fs.lstatSync("/file")!;
  // The link is listed, and below it a file, as if the link were a directory.
  const forged = overriding(fs, {
    readdirSync: (path) => path === "/tree" ? ["exit", "exit/file"] : fs.readdirSync(path),
    lstatSync: (path) => path === "/tree/exit/file" ? file : fs.lstatSync(path),
    openSync: (_path, flags) => fs.openSync("/file", flags),
  });
  const error = await assertRejects(() => exportDirectory(forged, `${target.path}/t`, { from: "/tree" }), Error);
  assertEquals(codeOf(error), "ENOTDIR");
  assertEquals(host.readdirSync(outside.path), []);
  assertEquals(host.readlinkSync(`${target.path}/t/exit`), outside.path);
});

Deno.test("exportDirectory() drops set-user-ID and set-group-ID of files", async () => {
  using target = temporaryDirectory();
  using fs = openFileSystem();
  fs.mkdirSync("/tree");
  writeFile(fs, "/tree/tool", "x");
  fs.chmodSync("/tree/tool", 0o6755);
  await exportDirectory(fs, `${target.path}/t`, { from: "/tree" });
  assertEquals(host.statSync(`${target.path}/t/tool`).mode & 0o7777, 0o755);
});
