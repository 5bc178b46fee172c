/**
 * `native/extmemfs.cmake`, with the machine's CMake and Ninja and Emscripten's own toolchain file.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { buildLibraries } from "../../tools/native/build_libraries.ts";
import { runProgram } from "../../tools/native/run.ts";
import { toolchain } from "../../tools/native/toolchain.ts";
import { assertEquals } from "../support/assert.ts";

const SOURCE = decodeURIComponent(new URL("primitives/cmake", import.meta.url).pathname);

async function run(cwd: string, program: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd }).output().catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`There is no ${program} to test native/extmemfs.cmake with: install cmake and ninja-build`);
  });
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed:\n${text.decode(stdout)}${text.decode(stderr)}`);
}

/** Makes a folder that CMake takes for Emscripten's: its tools may have to be run in another root than this process's. */
async function makeTools(tools: string, cwd: string): Promise<string> {
  const emscripten = await toolchain();
  await Deno.mkdir(tools);
  for (const name of ["emcc", "em++", "emar", "emranlib", "emnm", "em-config"]) {
    const command = emscripten.command(name, cwd).map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    await Deno.writeTextFile(`${tools}/${name}`, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`, { mode: 0o755 });
  }
  for (const name of ["system", "cmake"]) await Deno.symlink(`${emscripten.root}/${name}`, `${tools}/${name}`);
  return `${emscripten.root}/cmake/Modules/Platform/Emscripten.cmake`;
}

Deno.test("target_link_extmemfs() links programs with the pool, in its three ways", async () => {
  await buildLibraries();
  const folder = await Deno.makeTempDir();
  try {
    const build = `${folder}/build`;
    await Deno.mkdir(build);
    const file = await makeTools(`${folder}/tools`, build);
    await run(
      build,
      "cmake",
      "-GNinja",
      "-DCMAKE_BUILD_TYPE=Release",
      `-DCMAKE_TOOLCHAIN_FILE=${file}`,
      `-DEMSCRIPTEN_ROOT_PATH=${folder}/tools`,
      SOURCE,
    );
    await run(build, "cmake", "--build", ".");
    for (const name of ["system_calls", "root", "mounted"]) {
      using fs = FileSystem.create({ maximumBytes: 64 << 20 });
      fs.writeFileSync("/hello.txt", "hello");
      const { code, stdout } = await runProgram(`${build}/${name}.mjs`, { module: { extmemfs: fs.handle } });
      assertEquals({ name, code, stdout }, { name, code: 0, stdout: "hello, 5 bytes\n" });
      assertEquals(fs.check(), []);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
