import * as host from "node:fs";
import { compareTrees } from "../examples/demo/compare_trees.ts";
import { explain } from "../examples/demo/demo_error.ts";
import type { Report } from "../examples/demo/report.ts";
import { LOG, logLine, MOVED, SCRATCH } from "../examples/demo/plan.ts";
import { verifyHashes, verifyLog, verifyPool } from "../examples/demo/verify.ts";
import { FileSystem } from "../mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "./support/assert.ts";

const DEMO = new URL("../examples/demo.ts", import.meta.url).href;

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function runDemo(...args: string[]): Promise<Run> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", DEMO, ...args],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A small tree with everything that is kept. */
function makeTree(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "extmemfs_demo_test_" });
  for (let index = 0; index < 200; index++) {
    const directory = `${path}/directory ${index % 7}/${index % 3}`;
    host.mkdirSync(directory, { recursive: true });
    host.writeFileSync(`${directory}/file-${index}`, new Uint8Array(index * 97).map((_, at) => at * index));
  }
  host.writeFileSync(`${path}/large`, new Uint8Array(1_000_001).map((_, at) => at >> 3));
  host.writeFileSync(`${path}/naïve\nnewline`, "odd name");
  host.chmodSync(`${path}/large`, 0o755);
  host.linkSync(`${path}/large`, `${path}/directory 0/large too`);
  host.symlinkSync("large", `${path}/link`);
  host.symlinkSync("/nowhere", `${path}/outward`);
  host.utimesSync(`${path}/directory 1`, 1_000_000_000, 1_000_000_000);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** One line on the error output, a non-zero exit, and no stack. */
function assertFailsInOneLine(run: Run, message: string | RegExp): void {
  assert(run.code !== 0, run.stdout);
  assertEquals(run.stderr.trim().split("\n").length, 1, run.stderr);
  if (typeof message === "string") assertStringIncludes(run.stderr, message);
  else assertMatch(run.stderr, message);
}

for (const workers of [1, 2, 8]) {
  Deno.test(`demo brings a tree through ${workers} workers unharmed`, async () => {
    using tree = makeTree();
    const run = await runDemo(tree.path, "--json", "--workers", String(workers));
    assertEquals(run.code, 0, run.stderr);
    const report = JSON.parse(run.stdout) as Report;
    assertEquals([report.files, report.symlinks, report.hardLinks], [202, 2, 1]);
    assertEquals(report.directories, 7 + 21);
    assertEquals(report.workers.length, workers);
    assertEquals(report.workers.reduce((sum, { files }) => sum + files, 0), 203);
    assertEquals(report.compared.files, 203);
    assertEquals(report.phases.map(({ name }) => name), ["import", "work", "verify", "check", "export", "compare"]);
    assert(report.pool.liveBytes > report.bytes && report.pool.footprintBytes >= report.pool.liveBytes);
    const overlapping = report.workers.filter((a) =>
      report.workers.some((b) => b !== a && a.startMs < b.endMs && b.startMs < a.endMs)
    );
    assert(workers === 1 || overlapping.length >= 2, "no two workers ran at the same time");
  });
}

Deno.test("demo takes an empty tree", async () => {
  using tree = makeTree();
  host.mkdirSync(`${tree.path}/empty/inside`, { recursive: true });
  const run = await runDemo(`${tree.path}/empty`, "--json", "--workers", "2");
  assertEquals(run.code, 0, run.stderr);
  assertEquals((JSON.parse(run.stdout) as Report).directories, 1);
});

Deno.test("demo prints a table", async () => {
  using tree = makeTree();
  const run = await runDemo(tree.path, "--workers", "2");
  assertEquals(run.code, 0, run.stderr);
  for (
    const line of [/^phase +files +MB +seconds +MB\/s$/m, /^work +203 /m, /^pool +[0-9.]+ MB/m, /^lock waits +\d/m]
  ) {
    assertMatch(run.stdout, line);
  }
  assertStringIncludes(run.stdout, "Every byte is right");
});

Deno.test("demo names the file that came out wrong, and exits non-zero", async () => {
  // A directory of Linux in which a file has other bytes each time it is read.
  if (Deno.build.os !== "linux") return console.log("only Linux has such a directory");
  const run = await runDemo("/proc/sys/kernel/random", "--workers", "1");
  assertFailsInOneLine(run, "demo: WRONG: 'uuid': on disk 37 bytes with SHA-256 ");
});

Deno.test("demo says in one line that DIR is missing or not a directory", async () => {
  using tree = makeTree();
  assertFailsInOneLine(await runDemo(`${tree.path}/missing`), `'${tree.path}/missing' does not exist`);
  assertFailsInOneLine(await runDemo(`${tree.path}/large`), `'${tree.path}/large' is not a directory`);
});

Deno.test("demo says in one line that DIR does not fit into the pool", async () => {
  using tree = makeTree();
  const run = await runDemo(tree.path, "--maximum-bytes", String(1 << 20), "--json");
  assertFailsInOneLine(run, "does not fit into the pool of at most 1048576 bytes");
  assertEquals(JSON.parse(run.stdout).ok, false);
  assertFailsInOneLine(await runDemo(tree.path, "--maximum-bytes", "1000"), /^demo: Cannot create a pool: /);
});

Deno.test("demo says in one line what is wrong with its arguments", async () => {
  assertFailsInOneLine(await runDemo("--workers", "none"), "--workers must be a whole number from 1 to 64, not 'none'");
  assertFailsInOneLine(await runDemo("--workers", "0"), "--workers must be");
  assertFailsInOneLine(await runDemo("--maximum-bytes", "-5"), "--maximum-bytes");
  assertFailsInOneLine(await runDemo("--wrong"), "--wrong");
  assertFailsInOneLine(await runDemo("a", "b"), "more than one DIR: 'b'");
});

Deno.test("explain() says in one line what cannot be read", () => {
  const denied = Object.assign(new Error("EACCES: permission denied, scandir '/d/sub'"), {
    code: "EACCES",
    path: "/d/sub",
  });
  assertEquals(explain(denied, "/d", undefined), "cannot read '/d': permission denied (at '/d/sub')");
  assertEquals(explain(new Error("first\nsecond"), "/d", undefined), "first");
});

Deno.test("verifyHashes() names the file whose bytes are wrong", async () => {
  using tree = makeTree();
  const result = { path: "directory 0/0/file-21", sha256: "00", bytes: 1, worker: 0 };
  await assertRejects(() => verifyHashes([result], tree.path, () => {}), Error, "WRONG: 'directory 0/0/file-21'");
});

Deno.test("verifyLog() names the line that is torn, missing or there twice", () => {
  const results = ["a", "b", "c"].map((path, index) => ({ path, sha256: `${path}0`, bytes: index, worker: index % 2 }));
  const lines = results.map((result, index) => logLine(index, result));
  const verify = (contents: string) => {
    using fs = FileSystem.create({ maximumBytes: 2 ** 20 });
    fs.mkdirSync("/run");
    fs.writeFileSync(LOG, contents);
    return verifyLog(fs, results);
  };
  assertEquals(verify(lines[0]! + lines[2]! + lines[1]!), 1);
  assertThrows(() => verify(lines[0]! + lines[1]!), Error, "has 2 lines, expected 3");
  assertThrows(() => verify(lines.join("") + lines[1]!), Error, 'line 4 of the shared log: "1 b0 1 1\\n"');
  assertThrows(() => verify(lines[0]! + lines[1]!.slice(0, 3) + lines[2]!), Error, "line 2 of the shared log");
});

Deno.test("verifyPool() names scratch files that were left", () => {
  using fs = FileSystem.create({ maximumBytes: 2 ** 20 });
  for (const directory of [SCRATCH, MOVED]) fs.mkdirSync(directory, { recursive: true });
  verifyPool(fs);
  fs.writeFileSync(`${MOVED}/5.tmp`, "");
  assertThrows(() => verifyPool(fs), Error, "WRONG: 1 files left in /run/moved, such as '5.tmp'");
});

Deno.test("compareTrees() names every difference", () => {
  using a = makeTree();
  using b = makeTree();
  // Same times, so that only the differences made below remain.
  const settle = (path: string) => {
    for (const entry of host.readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) settle(`${path}/${entry.name}`);
      host.lutimesSync(`${path}/${entry.name}`, 1e9, 1e9);
    }
  };
  settle(a.path);
  settle(b.path);
  assertEquals(compareTrees(a.path, b.path).differences, []);
  host.writeFileSync(`${b.path}/directory 3/0/file-3`, new Uint8Array(291).fill(1));
  host.chmodSync(`${b.path}/directory 3/1/file-10`, 0o600);
  host.rmSync(`${b.path}/link`);
  host.symlinkSync("elsewhere", `${b.path}/link`);
  host.rmSync(`${b.path}/outward`);
  host.writeFileSync(`${b.path}/added`, "");
  host.rmSync(`${b.path}/directory 0/large too`);
  host.cpSync(`${b.path}/large`, `${b.path}/directory 0/large too`);
  settle(b.path);
  const { differences } = compareTrees(a.path, b.path);
  for (
    const expected of [
      "'directory 3/0/file-3': the byte at 0 differs",
      "'directory 3/1/file-10': mode 600, expected 644",
      "'link': link target elsewhere, expected large",
      "'outward': missing",
      "'added': unexpected",
      "'large': first name of its hard links large, expected directory 0/large too",
    ]
  ) assert(differences.includes(expected), `${expected} not in\n${differences.join("\n")}`);
  assertEquals(differences.length, 6, differences.join("\n"));
});
