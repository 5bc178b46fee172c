import { runContention, runSpeedtest, type SqliteBuild } from "../../native/sqlite/programs.ts";
import { FileSystem } from "../../mod.ts";
import { buildLibraries } from "../../tools/native/build_libraries.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** A filesystem that SQLite runs on: a row of {@linkcode CONFIGURATIONS}. */
interface Configuration extends SqliteBuild {
  /** Properties of the program's module, made anew for each program. */
  module?(): Readonly<Record<string, unknown>>;
}

const CONFIGURATIONS: readonly Configuration[] = [
  { name: "wasmfs-memory", linkFlags: ["-sWASMFS"] },
  { name: "memfs", linkFlags: [] },
  {
    name: "extmemfs-syscalls",
    linkFlags: ["--js-library", (await buildLibraries())["library_extmemfs.js"]!],
    module: () => ({ extmemfs: FileSystem.create({ maximumBytes: 256 << 20 }).handle }),
  },
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

  for (const journal of ["delete", "truncate", "persist", "wal"]) {
    Deno.test(`SQLite's threads lose no transaction on one database, journal_mode=${journal}, on ${name}`, async () => {
      const result = await runContention(configuration, {
        arguments: ["--agents=2", "--count=50", `--journal=${journal}`],
        module: module(),
      });
      assertEquals(result, { made: 100, counter: 100, rows: 100, integrity: "ok" });
    });
  }
}
