/**
 * Real programs in workers of their own, on one tree: Python with Python, git with git, SQLite with SQLite and with Python.
 *
 * @module
 */
import { FileSystem } from "../../../mod.ts";
import { assertEquals, assertGreater, assertMatch, assertRejects } from "../../support/assert.ts";
import { assertSound } from "../../support/stress.ts";
import { ProgramWorker } from "./crew.ts";

const APPENDS = 300;

Deno.test("two Python interpreters share modules, pickles, directories and a database", async () => {
  using fs = FileSystem.create({ maximumBytes: 128 << 20 });
  using one = await ProgramWorker.start("python", fs);
  using two = await ProgramWorker.start("python", fs);
  const both = [one, two];

  // Each writes a module and a pickle, the other imports and reads them.
  for (const [index, [writer, reader]] of [[one, two], [two, one]].entries()) {
    await writer!.run(`
import os, pickle
os.makedirs("/shared/lib", exist_ok=True)
with open("/shared/lib/module${index}.py", "w") as file:
    file.write("def answer():\\n    return ${index} + 42\\n")
with open("/shared/data${index}.pickle", "wb") as file:
    pickle.dump({"numbers": list(range(1000)), "text": "ä€${index}"}, file)
`);
    const result = await reader!.run(`
import importlib, pickle, sys
if "/shared/lib" not in sys.path: sys.path.insert(0, "/shared/lib")
importlib.invalidate_caches()
module = importlib.import_module("module${index}")
with open("/shared/data${index}.pickle", "rb") as file:
    data = pickle.load(file)
f"{module.answer()} {sum(data['numbers'])} {data['text']} {module.__file__}"
`);
    assertEquals(result, `${index + 42} 499500 ä€${index} /shared/lib/module${index}.py`);
  }

  // What one renames and removes, and what JavaScript writes, the other finds.
  await one.run(`import os; os.rename("/shared/data0.pickle", "/shared/renamed"); os.remove("/shared/data1.pickle")`);
  fs.writeFileSync("/from-javascript", "hello");
  const names = await two.run(`
import os
" ".join(sorted(os.listdir("/shared"))) + " " + open("/shared/from-javascript").read()`);
  assertEquals(names, "from-javascript lib renamed hello");
  assertEquals(fs.readdirSync("/lib").filter((name) => name.endsWith(".py")).sort(), ["module0.py", "module1.py"]);

  // All append to one log at once: no line is lost or torn; and of those who create a name one is the first.
  const append = (who: number) => `
import os
won = 0
with open("/shared/log", "a", buffering=1) as log:
    for index in range(${APPENDS}):
        log.write(f"${who} {index} " + "x" * (index % 97) + "\\n")
        try:
            os.close(os.open(f"/shared/lib/turn{index}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            won += 1
        except FileExistsError:
            pass
won
`;
  const wins = await Promise.all([one.run(append(0)), two.run(append(1))]) as number[];
  assertEquals(wins[0]! + wins[1]!, APPENDS);
  const lines = fs.readFileSync("/log", "utf8").trimEnd().split("\n");
  assertEquals(lines.length, 2 * APPENDS);
  for (const who of [0, 1]) {
    const own = lines.filter((line) => line.startsWith(`${who} `));
    assertEquals(own, Array.from({ length: APPENDS }, (_, index) => `${who} ${index} ${"x".repeat(index % 97)}`));
  }

  // A directory that is walked while another empties it tells each name once, and fails for none.
  const walk = one.run(`
import os
seen = [entry.name for entry in os.scandir("/shared/lib")]
str(len(seen) == len(set(seen)))`);
  const removed = two.run(`
import os
for index in range(${APPENDS}): os.remove(f"/shared/lib/turn{index}")`);
  assertEquals(await walk, "True");
  await removed;

  // One database: the VFS that locks by making a directory excludes programs from each other.
  await one.run(`
import sqlite3
def connect():
    return sqlite3.connect("file:/shared/data.db?vfs=unix-dotfile", uri=True, timeout=20)
with connect() as db:
    db.execute("create table counter (value integer)")
    db.execute("insert into counter values (0)")
`);
  const count = `
import sqlite3
db = sqlite3.connect("file:/shared/data.db?vfs=unix-dotfile", uri=True, timeout=20, isolation_level=None)
for _ in range(50):
    db.execute("begin immediate")
    value, = db.execute("select value from counter").fetchone()
    db.execute("update counter set value = ?", (value + 1,))
    db.execute("commit")
db.close()
`;
  await Promise.all(both.map((python) => python.run(count)));
  assertEquals(
    await one.run(`
db = sqlite3.connect("file:/shared/data.db?vfs=unix-dotfile", uri=True)
value, = db.execute("select value from counter").fetchone()
ok, = db.execute("pragma integrity_check").fetchone()
db.close()
f"{value} {ok}"`),
    "100 ok",
  );
  assertSound(fs, "after Python");
});

Deno.test("Python sees what its own calls and another agent do to descriptors and directories", async () => {
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  using python = await ProgramWorker.start("python", fs);
  const result = await python.run(`
import mmap, os, shutil, tempfile
os.chdir("/shared")
with tempfile.TemporaryFile(dir="/shared") as file:
    file.write(b"unnamed"); file.seek(0); assert file.read() == b"unnamed"
fd = os.open("file", os.O_RDWR | os.O_CREAT)
os.write(fd, b"0123456789" * 1000)
copy = os.dup(fd)
os.close(fd)
assert os.pread(copy, 4, 5) == b"5678"
os.lseek(copy, -4, os.SEEK_END)
assert os.read(copy, 10) == b"6789"
with mmap.mmap(copy, 0) as mapped:
    assert mapped[10:14] == b"0123"
    mapped[0:4] = b"mmap"
    mapped.flush()
assert os.pread(copy, 6, 0) == b"mmap45"
assert os.fstat(copy).st_size == 10000
os.ftruncate(copy, 7)
os.close(copy)
os.makedirs("a/b/c")
open("a/b/c/x", "w").write("x")
shutil.copytree("a", "z")
for entry in os.scandir("z/b"):
    assert entry.inode() == os.stat(entry.path).st_ino and entry.is_dir()
shutil.move("z/b/c/x", "y")
shutil.rmtree("z")
os.utime("y", (1, 2))
os.chmod("y", 0o600)
os.replace("y", "file")
str((sorted(os.listdir()), os.stat("file").st_mtime, oct(os.stat("file").st_mode), os.getcwd()))
`);
  assertEquals(result, `(['a', 'file'], 2.0, '0o100600', '/shared')`);
  assertEquals(fs.stats().opens, 0);
  assertSound(fs, "after Python");
});

Deno.test("two programs of git work on one repository", async () => {
  using fs = FileSystem.create({ maximumBytes: 128 << 20 });
  using one = await ProgramWorker.start("git", fs);
  using two = await ProgramWorker.start("git", fs);
  fs.mkdirSync("/repository");
  await one.run(["/shared/repository", "init", "."]);
  fs.writeFileSync("/repository/readme", "first\n");
  await one.run(["/shared/repository", "add", "readme"]);
  await one.run(["/shared/repository", "commit", "-m", "the first of one"]);
  assertMatch(await two.run(["/shared/repository", "log"]) as string, /the first of one/);
  fs.writeFileSync("/repository/more", "second\n");
  await two.run(["/shared/repository", "add", "more"]);
  await two.run(["/shared/repository", "commit", "-m", "the second of two"]);
  const log = await one.run(["/shared/repository", "log"]) as string;
  assertMatch(log, /the second of two[^]*the first of one/);
  // Each clones the other's work at the same time.
  await Promise.all(
    [one, two].map((git, index) => git.run(["/shared", "clone", "/shared/repository", `clone${index}`])),
  );
  for (const index of [0, 1]) assertEquals(fs.readFileSync(`/clone${index}/more`, "utf8"), "second\n");
  assertSound(fs, "after git");
});

Deno.test("two programs of SQLite, and Python's, count in one database", async () => {
  using fs = FileSystem.create({ maximumBytes: 128 << 20 });
  using one = await ProgramWorker.start("sql", fs);
  using two = await ProgramWorker.start("sql", fs);
  using python = await ProgramWorker.start("python", fs);
  await one.run(["/shared/count.db", "create table t (who, n); insert into t values ('one', 1)"]);
  assertEquals(await two.run(["/shared/count.db", "insert into t values ('two', 2); select * from t"]), [
    ["one", 1],
    ["two", 2],
  ]);
  assertEquals(await one.run(["", "select sum(n) from t"]), [[3]]);
  assertEquals(
    await python.run(`
import sqlite3
db = sqlite3.connect("/shared/count.db")
db.execute("insert into t values ('python', 39)"); db.commit()
db.execute("select sum(n) from t").fetchone()[0]`),
    42,
  );
  assertEquals(await two.run(["", "select sum(n) from t"]), [[42]]);
  // A journal that is being written keeps nobody out by itself: see the limits.
  await assertRejects(() => one.run(["", "select nonsense"]), Error, "no such column");
  assertGreater(fs.statSync("/count.db").size, 0);
  assertSound(fs, "after SQLite");
});
