import { findViolations } from "../tools/check_layers.ts";
import { assert, assertEquals, assertStringIncludes } from "./support/assert.ts";

Deno.test("findViolations() accepts imports that point downwards, into the same room, or at node's modules", () => {
  assertEquals(
    findViolations([
      { path: "mod.ts", imports: ["src/api/file_system.ts"] },
      { path: "src/api/file_system.ts", imports: ["src/file/a.ts", "src/api/b.ts", "src/layout/c.ts", "node:fs"] },
      { path: "src/artifact/a.ts", imports: ["npm:/binaryen@1.0.0", "npm:/@noble/hashes@2.0.0/sha2.js", "npm:redis"] },
      { path: "cli.ts", imports: ["src/cli/main.ts"] },
      { path: "src/cli/main.ts", imports: ["artifact.ts", "npm:/commander@1.0.0"] },
    ]),
    [],
  );
});

Deno.test("findViolations() names imports that point upwards, sideways, outside, or at a surface", () => {
  assertEquals(
    findViolations([
      { path: "src/sync/mutex.ts", imports: ["src/alloc/allocator.ts"] },
      { path: "src/image/snapshot.ts", imports: ["src/artifact/store.ts"] },
      { path: "src/file/open.ts", imports: ["npm:lodash", "tests/support/assert.ts"] },
      { path: "src/adapters/emscripten.ts", imports: ["src/api/file_system.ts", "src/file/open.ts"] },
      { path: "src/store/pool.ts", imports: ["npm:/@noble/hashes@2.0.0/sha2.js"] },
      { path: "src/artifact/a.ts", imports: ["npm:/binaryen-fork@1.0.0", "src/cli/main.ts"] },
      { path: "src/lost.ts", imports: [] },
    ]),
    [
      "src/sync/mutex.ts: imports src/alloc/allocator.ts, which lies above it",
      "src/image/snapshot.ts: imports src/artifact/store.ts, which stands beside it",
      "src/file/open.ts: imports npm:lodash, which is not part of the library",
      "src/file/open.ts: imports tests/support/assert.ts, which is not part of the library",
      "src/adapters/emscripten.ts: imports src/api/file_system.ts: adapters stand on src/file, never on a surface",
      "src/store/pool.ts: imports npm:/@noble/hashes@2.0.0/sha2.js, which is not part of the library",
      "src/artifact/a.ts: imports npm:/binaryen-fork@1.0.0, which is not part of the library",
      "src/artifact/a.ts: imports src/cli/main.ts, which lies above it",
      "src/lost.ts: lies in no known room of src/ (tools/check_layers.ts lists them)",
    ],
  );
});

Deno.test("deno lint refuses Atomics above src/memory and toResizableBuffer anywhere", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "extmemfs_lint_" });
  try {
    const source = "export const value: number = Atomics.load(new Int32Array(1), 0);\n" +
      "export const name: string = new WebAssembly.Memory({ initial: 1 }).toResizableBuffer.name;\n";
    const plugin = new URL("../tools/lint_house.ts", import.meta.url).href;
    Deno.writeTextFileSync(`${directory}/deno.json`, JSON.stringify({ lint: { plugins: [plugin] } }));
    for (const room of ["sync", "memory"]) {
      Deno.mkdirSync(`${directory}/src/${room}`, { recursive: true });
      Deno.writeTextFileSync(`${directory}/src/${room}/code.ts`, source);
    }
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["lint", "--compact"],
      cwd: directory,
      env: { NO_COLOR: "1" },
    }).output();
    const lines = new TextDecoder().decode(stderr).split("\n").filter((line) => line.includes("house/"));
    assert(code !== 0);
    assertEquals(lines.length, 3, lines.join("\n"));
    assertStringIncludes(lines.join("\n"), "src/sync/code.ts: line 1, col 30 - Atomics used here");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
