/**
 * Operations of the filesystem, through the interleavings of their steps. After each execution `check()` finds nothing.
 *
 * @module
 */
import { FileSystem } from "../../src/api/file_system.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { exploreSchedules, findFailure, type ScheduleOptions } from "../support/schedule.ts";
import { FILE_BYTES } from "./file_threads.ts";

const MODULE = import.meta.resolve("./file_threads.ts");
const thread = (name: string, data: unknown) => ({ module: MODULE, name, data });
const MORE = Deno.env.get("EXTMEMFS_LONG") === "1" ? 1 : 0;

type Options = Omit<ScheduleOptions, "memory" | "check">;
type SetUp = (fs: FileSystem) => void;
type Check = (fs: FileSystem, results: unknown[]) => void;

function optionsOf(options: Options, setUp: SetUp, check: Check): ScheduleOptions {
  const bytes = 2 ** 21;
  const fs = FileSystem.create({ initialBytes: bytes, maximumBytes: bytes, debugLevel: 0 });
  setUp(fs);
  return {
    steps: 10_000,
    // Directories and inodes are read without locks.
    plain: true,
    ...options,
    memory: fs.pool.memory,
    check: (results) => {
      assertEquals(fs.check(), []);
      check(fs, results);
    },
  };
}

function scheduled(name: string, options: Options, setUp: SetUp, check: Check): void {
  Deno.test(name, async () => {
    const start = performance.now();
    const { executions, longest } = await exploreSchedules(optionsOf(options, setUp, check));
    console.log(`  ${executions} executions, at most ${longest} steps, ${(performance.now() - start).toFixed(0)} ms`);
  });
}

/** The same with a fault planted into the intrinsics: it has to be found. */
function planted(name: string, options: Options, setUp: SetUp, check: Check): void {
  Deno.test(`a planted fault is found: ${name}`, async () => {
    const { failure, executions } = await findFailure(optionsOf(options, setUp, check));
    assert(failure !== undefined, `not found in ${executions} executions`);
  });
}

scheduled(
  "rename: two directories that move into each other never detach a cycle",
  { threads: [thread("renamer", ["/a/x", "/b/y/x"]), thread("renamer", ["/b/y", "/a/x/y"])], preemptions: 2 + MORE },
  (fs) => {
    fs.mkdirSync("/a/x", { recursive: true });
    fs.mkdirSync("/b/y", { recursive: true });
  },
  (fs, results) => {
    // Whoever comes second finds its target gone, with the directory that has moved, or finds itself above its target.
    assert(["ENOENT,ok", "EINVAL,ok"].includes([...results].sort().join()), results.join());
    assertEquals(fs.readdirSync("/", { recursive: true }).length, 4);
  },
);

scheduled(
  "rename: two names onto one leave one file",
  { threads: [thread("renamer", ["/one", "/target"]), thread("renamer", ["/two", "/target"])], preemptions: 2 + MORE },
  (fs) => {
    fs.writeFileSync("/one", "1");
    fs.writeFileSync("/two", "2");
    fs.writeFileSync("/target", "0");
  },
  (fs, results) => {
    assertEquals(results, ["ok", "ok"]);
    assertEquals(fs.readdirSync("/"), ["target"]);
    assert(["1", "2"].includes(fs.readFileSync("/target", "utf8") as string));
  },
);

scheduled(
  "open with O_EXCL creates once",
  { threads: [thread("creator", "/new"), thread("creator", "/new")], preemptions: 2 + MORE },
  () => {},
  (fs, results) => {
    assertEquals([...results].sort(), ["EEXIST", "ok"]);
    assertEquals(fs.readdirSync("/"), ["new"]);
  },
);

scheduled(
  "rmdir against a create in it: one of them fails",
  { threads: [thread("remover", "/d"), thread("creator", "/d/f")], preemptions: 2 + MORE },
  (fs) => fs.mkdirSync("/d"),
  (fs, results) => {
    assert(["ok,ENOENT", "ENOTEMPTY,ok"].includes(results.join()), results.join());
    assertEquals(fs.existsSync("/d/f"), results[1] === "ok");
  },
);

scheduled(
  "unlink against open: the whole file, or none",
  { threads: [thread("opener", "/f"), thread("unlinker", "/f")], preemptions: 2 + MORE },
  (fs) => fs.writeFileSync("/f", new Uint8Array(FILE_BYTES).fill(65)),
  (fs, results) => {
    assertEquals(results[1], "ok");
    assert(["ok", "ENOENT"].includes(results[0] as string));
    assertEquals(fs.readdirSync("/"), []);
  },
);

scheduled(
  "read against truncate and reuse: bytes of the file, and a buffer that keeps its bytes beyond the count",
  { threads: [thread("reader", "/f"), thread("reuser", "/f")], preemptions: 2 + MORE },
  (fs) => fs.writeFileSync("/f", new Uint8Array(FILE_BYTES).fill(65)),
  (_fs, results) => assert([0, FILE_BYTES].includes(results[0] as number), `read ${results[0]} bytes`),
);

scheduled(
  "append: two agents leave two whole records",
  { threads: [thread("appender", ""), thread("appender", "")], preemptions: 2 + MORE },
  (fs) => fs.writeFileSync("/log", ""),
  (fs, results) => {
    assertEquals(results, [40, 40]);
    const text = fs.readFileSync("/log", "utf8") as string;
    assert([`${"a".repeat(40)}${"b".repeat(40)}`, `${"b".repeat(40)}${"a".repeat(40)}`].includes(text), text);
  },
);

const call = (...calls: [string, ...unknown[]][]) => thread("caller", calls);
const file: SetUp = (fs) => fs.writeFileSync("/f", new Uint8Array(FILE_BYTES).fill(65));

scheduled(
  "unlink against unlink: one of them removes it",
  { threads: [call(["unlinkSync", "/f"]), call(["unlinkSync", "/f"])], preemptions: 2 + MORE },
  file,
  (fs, results) => {
    assertEquals(results.flat().sort(), ["ENOENT", "ok"]);
    assertEquals(fs.readdirSync("/"), []);
  },
);

scheduled(
  "unlink against the last close: the file is given back once",
  { threads: [thread("closer", "/f"), call(["unlinkSync", "/f"])], preemptions: 2 + MORE },
  file,
  (_fs, results) => assertEquals(results.flat(), ["ok", "ok"]),
);

scheduled(
  "the last closes of an unlinked file against each other, and a create that may get its inode",
  {
    threads: [
      thread("closer", "/f"),
      thread("closer", "/f"),
      call(["unlinkSync", "/f"], ["writeFileSync", "/g", "new"]),
    ],
    preemptions: 1 + MORE,
  },
  file,
  (fs, results) => {
    assertEquals(results.flat(), ["ok", "ok", "ok", "ok"]);
    assertEquals(fs.readFileSync("/g", "utf8"), "new");
  },
);

scheduled(
  "link against unlink of the last name: a second name, or none",
  { threads: [call(["linkSync", "/f", "/g"]), call(["unlinkSync", "/f"])], preemptions: 2 + MORE },
  file,
  (fs, results) => {
    assertEquals(results[1], ["ok"]);
    const linked = (results[0] as string[])[0];
    assert(linked === "ok" || linked === "ENOENT", linked);
    assertEquals(fs.readdirSync("/"), linked === "ok" ? ["g"] : []);
    if (linked === "ok") assertEquals(fs.statSync("/g").nlink, 1);
  },
);

scheduled(
  "rename over a file against an open of it: the old or the new, whole",
  { threads: [call(["renameSync", "/f", "/target"]), call(["readFileSync", "/target"])], preemptions: 2 + MORE },
  (fs) => {
    file(fs);
    fs.writeFileSync("/target", new Uint8Array(FILE_BYTES).fill(66));
  },
  (fs, results) => {
    assertEquals(results.flat(), ["ok", "ok"]);
    assertEquals(fs.readdirSync("/"), ["target"]);
  },
);

scheduled(
  "rename of a name there and back, against its removal",
  {
    threads: [call(["renameSync", "/f", "/g"], ["renameSync", "/g", "/f"]), call(["unlinkSync", "/f"])],
    preemptions: 1 + MORE,
  },
  file,
  (fs, results) => {
    const gone = results.flat().at(-1) === "ok";
    assertEquals(fs.readdirSync("/"), gone ? [] : ["f"]);
  },
);

scheduled(
  "mkdir of one name by two, and a file in it",
  {
    threads: [call(["mkdirSync", "/d"], ["writeFileSync", "/d/a", "a"]), call(["mkdirSync", "/d"])],
    preemptions: 1 + MORE,
  },
  () => {},
  (fs, results) => {
    assertEquals([...results.flat()].sort(), ["EEXIST", "ok", "ok"]);
    assertEquals(fs.readdirSync("/d"), ["a"]);
  },
);

scheduled(
  "rmdir against the rename of a directory into it",
  { threads: [call(["rmdirSync", "/d"]), call(["renameSync", "/e", "/d/e"])], preemptions: 1 + MORE },
  (fs) => {
    fs.mkdirSync("/d");
    fs.mkdirSync("/e");
  },
  (fs, results) => {
    assert(["ok,ENOENT", "ENOTEMPTY,ok"].includes(results.flat().join()), results.join());
    assertEquals(fs.readdirSync("/", { recursive: true }).length, results.flat()[0] === "ok" ? 1 : 2);
  },
);

const withTwo: SetUp = (fs) => {
  fs.writeFileSync("/f", "1");
  fs.writeFileSync("/target", "0");
};

scheduled(
  "rename over a name against look-ups of it: it never vanishes",
  { threads: [thread("renamer", ["/f", "/target"]), thread("looker", "/target")], preemptions: 2 + MORE },
  withTwo,
  (_fs, results) => assertEquals(results, ["ok", 2]),
);

const statAgainstWrite: Options = {
  threads: [thread("stater", "/f"), thread("writer", "/f")],
  preemptions: 2 + MORE,
};
const oneByte: SetUp = (fs) => {
  fs.writeFileSync("/f", "1");
  fs.utimesSync("/f", 1, 1);
};
const sizeFitsTimes: Check = (fs, results) => {
  const [size, difference] = results[0] as [number, number];
  // Before the write the times differ, as utimes has set one of them; after it they are the same.
  assert(
    size === FILE_BYTES ? difference === 0 : size === 1 && difference !== 0,
    `size ${size}, times ${difference} apart`,
  );
  assertEquals(fs.statSync("/f").size, FILE_BYTES);
};

scheduled("stat against write: size and times of one moment", statAgainstWrite, oneByte, sizeFitsTimes);

planted(
  "a writer that does not look for readers",
  {
    threads: [thread("reader", "/f"), thread("reuser", "/f")],
    preemptions: 2,
    mutate: (source) => source.replace("(if (local.get $old) (then (return (i32.const 4))))", ""),
  },
  (fs) => fs.writeFileSync("/f", new Uint8Array(FILE_BYTES).fill(65)),
  () => {},
);

planted(
  "a change that leaves the version as it was",
  {
    ...statAgainstWrite,
    mutate: (source) =>
      source.replace(/(\(func \$beginChange[^]*?)\(i32\.const 1\)\)\)/, "$1(i32.const 0)))")
        .replace(/(\(func \$endChange[^]*?)\(i32\.const 1\)\)\)\)/, "$1(i32.const 0))))"),
  },
  oneByte,
  sizeFitsTimes,
);
