import { runContention, runSpeedtest, type SqliteBuild } from "../../native/sqlite/programs.ts";
import { FileSystem } from "../../mod.ts";
import { bySystemCalls, byWasmfs } from "../../tools/native/integrations.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { LONG } from "../support/stress.ts";

/** A filesystem that SQLite runs on: a row of {@linkcode CONFIGURATIONS}. */
interface Configuration extends SqliteBuild {
  /** Properties of the program's module, made anew for each program. */
  module?(): Readonly<Record<string, unknown>>;
}

const pool = () => ({ extmemfs: FileSystem.create({ maximumBytes: 512 << 20 }).handle });

const CONFIGURATIONS: readonly Configuration[] = [
  { name: "wasmfs-memory", linkFlags: ["-sWASMFS"] },
  { name: "memfs", linkFlags: [] },
  { name: "extmemfs-syscalls", ...await bySystemCalls(), module: pool },
  { name: "extmemfs-wasmfs", ...await byWasmfs(), module: pool },
];

for (const configuration of CONFIGURATIONS) {
  const { name } = configuration;
  const module = () => configuration.module?.() ?? {};

  Deno.test(`SQLite's speedtest1 runs in one thread and in two on ${name}`, async () => {
    for (const agents of [1, 2]) {
      const result = await runSpeedtest(configuration, {
        arguments: [`--agents=${agents}`, "--size", "2"],
        module: module(),
      });
      assertEquals(result.agents.map(({ integrity }) => integrity), Array(agents).fill("ok"));
      assert(result.lines.some((line) => /PRAGMA integrity_check/.test(line)), result.lines.join("\n"));
    }
  });

  // Emscripten's own file systems are here for comparison.
  const journals = configuration.module === undefined ? ["delete"] : ["delete", "wal"];
  for (const journal of LONG ? ["delete", "truncate", "persist", "wal"] : journals) {
    Deno.test(`SQLite's threads lose no transaction on one database, journal_mode=${journal}, on ${name}`, async () => {
      const result = await runContention(configuration, {
        arguments: ["--agents=2", "--count=50", `--journal=${journal}`],
        module: module(),
      });
      assertEquals(result, { made: 100, counter: 100, rows: 100, integrity: "ok" });
    });
  }
}

// A write-ahead log between programs needs memory that they share; a mapping here is a copy (native/README.md).
for (const journal of LONG ? ["delete", "truncate", "persist"] : ["persist"]) {
  Deno.test(`SQLite's locks hold between two programs on one database, journal_mode=${journal}`, async () => {
    using fs = FileSystem.create({ maximumBytes: 512 << 20 });
    const build: Configuration = { name: "extmemfs-syscalls", ...await bySystemCalls() };
    const options = {
      arguments: ["--agents=2", "--count=40", `--journal=${journal}`],
      module: { extmemfs: fs.handle },
    };
    const results = await Promise.all([runContention(build, options), runContention(build, options)]);
    assertEquals(results.map(({ made, integrity }) => [made, integrity]), [[80, "ok"], [80, "ok"]]);
    // Whoever ended last has seen what both have written.
    assertEquals(Math.max(...results.map(({ counter }) => counter)), 160);
    assertEquals(Math.max(...results.map(({ rows }) => rows)), 160);
    assertEquals(fs.check(), []);
    assertEquals(fs.stats().fileLocks, 0);
  });
}
