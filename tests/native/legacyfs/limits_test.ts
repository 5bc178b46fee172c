/**
 * What a program's core keeps the plugin from: each limit that `native/legacyfs/README.md` names, as it shows.
 *
 * A test that fails here because something works is good news: take it out of the list.
 *
 * @module
 */
import initSql from "@jlongster/sql.js/dist/sql-wasm.js";
import { FileSystem } from "../../../mod.ts";
import { createExtMemFS } from "../../../emscripten.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { ERRNO, errnoOf, FLAGS, type Git, loadPrograms, mountIn, type Python, type Sql } from "./programs.ts";

interface Limit {
  readonly fs: FileSystem;
  readonly sql: Sql;
  readonly python: Python;
  readonly git: Git;
  /** Folder of the pool in Python. */
  readonly folder: string;
  /** Runs Python; `folder` is a variable there. */
  run(code: string): unknown;
}

function limit(name: string, run: (limit: Limit) => void): void {
  Deno.test(`limit: ${name}`, async () => {
    const [sql, python, git] = await loadPrograms() as [Sql, Python, Git];
    using fs = FileSystem.create({ maximumBytes: 32 << 20, debugLevel: 3 });
    const folder = mountIn(python, fs);
    python.python.globals.set("folder", folder);
    run({ fs, sql, python, git, folder, run: (code) => python.python.runPython(code) });
    python.FS.unmount(folder);
    assertEquals(fs.check(), []);
  });
}

limit("locks of fcntl and flock are granted to every program: SQLite's own way of locking does not exclude", (
  { fs, sql, run },
) => {
  const folder = mountIn(sql, fs);
  const database = new sql.SQL.Database(`${folder}/data.db`, { filename: true });
  database.run("create table t (a); begin exclusive; insert into t values (1)");
  assertEquals(
    run(`
import sqlite3
db = sqlite3.connect(folder + "/data.db", timeout=0, isolation_level=None)
db.execute("begin exclusive")
db.execute("rollback"); db.close()
"both"`),
    "both",
  );
  database.run("rollback");
  database.close();
  sql.FS.unmount(folder);
});

limit("a mapped file is a copy: others' writes do not show, and msync writes all of the range back", (
  { fs, run },
) => {
  fs.writeFileSync("/file", "0123456789");
  assertEquals(
    run(`
import mmap, os
fd = os.open(folder + "/file", os.O_RDWR)
mapped = mmap.mmap(fd, 0)
mapped[0:1] = b"A"
mapped[:].decode()`),
    "A123456789",
  );
  fs.writeFileSync("/file", "theirs....");
  assertEquals(run(`mapped[:].decode()`), "A123456789");
  run(`mapped.flush(); mapped.close(); os.close(fd)`);
  assertEquals(fs.readFileSync("/file", "utf8"), "A123456789");
});

limit("a descriptor of a directory stands for its path: another agent's rename leads it astray", ({ fs, run }) => {
  fs.mkdirSync("/d");
  fs.writeFileSync("/d/file", "x");
  run(`import os; directory = os.open(folder + "/d", os.O_RDONLY)`);
  fs.renameSync("/d", "/moved");
  assertThrows(() => run(`os.open("file", os.O_RDONLY, dir_fd=directory)`), Error, "FileNotFoundError");
  run(`os.close(directory)`);
});

limit("fallocate looks at the size and sets it: what another agent adds in between is cut off", ({ fs, git }) => {
  const folder = mountIn(git, fs);
  const { FS } = git;
  fs.writeFileSync("/file", "1234");
  const { fd } = FS.open(`${folder}/file`, FLAGS.RDWR);
  // These are the calls that it makes.
  assertEquals(FS.fstat!(fd).size, 4);
  fs.appendFileSync("/file", "theirs, more than is asked for");
  FS.ftruncate(fd, 10);
  assertEquals(fs.readFileSync("/file", "utf8"), "1234theirs");
  FS.close(FS.streams[fd]!);
  FS.unmount(folder);
});

limit("writev is one write for each piece before Emscripten 6: pieces of appends may come apart", (
  { fs, python, folder, run },
) => {
  const { FS } = python;
  FS.writeFile(`${folder}/log`, "");
  const { write } = FS;
  FS.write = (...args) => {
    const written = write.apply(FS, args);
    fs.appendFileSync("/log", "|");
    return written;
  };
  try {
    run(`
import os
fd = os.open(folder + "/log", os.O_WRONLY | os.O_APPEND)
os.writev(fd, [b"one", b"two"])
os.close(fd)`);
  } finally {
    FS.write = write;
  }
  assertEquals(fs.readFileSync("/log", "utf8"), "one|two|");
});

limit("hard links cannot be made before Emscripten 6; those that others make are what they are", (
  { fs, python, sql, folder, run },
) => {
  fs.writeFileSync("/file", "x");
  fs.linkSync("/file", "/again");
  assertEquals(python.FS.stat(`${folder}/again`).nlink, 2);
  assertThrows(() => run(`import os; os.link(folder + "/file", folder + "/third")`), Error);
  assertEquals(sql.FS.link, undefined);
  assertEquals(fs.statSync("/file").nlink, 2);
});

limit("fstat asks for the path before Emscripten 4: it tells of the file that has replaced the open one", (
  { fs, sql },
) => {
  const folder = mountIn(sql, fs);
  fs.writeFileSync("/file", "old");
  const stream = sql.FS.open(`${folder}/file`, FLAGS.RDONLY);
  fs.writeFileSync("/new", "another");
  fs.renameSync("/new", "/file");
  // This is what its fstat calls.
  assertEquals(sql.FS.fstat, undefined);
  assertEquals(sql.FS.stat(stream.path).size, 7);
  sql.FS.close(stream);
  sql.FS.unmount(folder);
});

limit("the core asks for permissions, which the pool keeps and nobody else asks for", ({ fs, python, folder }) => {
  fs.writeFileSync("/file", "x");
  fs.chmodSync("/file", 0o000);
  assertEquals(errnoOf(() => python.FS.readFile(`${folder}/file`)), ERRNO.EACCES);
  assertEquals(fs.readFileSync("/file", "utf8"), "x");
});

limit("the core does not tell of owners: chown does nothing", ({ fs, python, folder }) => {
  fs.writeFileSync("/file", "x");
  fs.chownSync("/file", 12, 34);
  python.FS.chown(`${folder}/file`, 1, 2);
  assertEquals([fs.statSync("/file").uid, fs.statSync("/file").gid], [12, 34]);
});

limit("an absolute link leads through the program's tree, not through the pool's", ({ fs, python, folder }) => {
  fs.writeFileSync("/file", "x");
  fs.symlinkSync("/file", "/link");
  assertEquals(errnoOf(() => python.FS.stat(`${folder}/link`)), ERRNO.ENOENT);
  assertEquals(fs.readFileSync("/link", "utf8"), "x");
});

limit("devices, pipes and sockets cannot be made in the pool", ({ python, folder, run }) => {
  assertEquals(errnoOf(() => python.FS.mknod(`${folder}/pipe`, 0o010644, 0)), ERRNO.EPERM);
  assertThrows(() => run(`import os; os.mkfifo(folder + "/pipe")`), Error);
});

Deno.test("limit: a program whose names Closure has changed is refused", async () => {
  const wasm = new URL(import.meta.resolve("@jlongster/sql.js/dist/sql-wasm.wasm"));
  const init = initSql as unknown as (options: object) => Promise<{ FS: object }>;
  const { FS } = await init({ wasmBinary: Deno.readFileSync(wasm) });
  assertThrows(() => createExtMemFS(FS), TypeError, "its names kept. It has no ");
});
