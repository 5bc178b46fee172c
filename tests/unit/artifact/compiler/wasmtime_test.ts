import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { compilerOf } from "../../../../src/artifact/compiler/compilers.ts";
import { runWasmtime, WASMTIME } from "../../../../src/artifact/compiler/wasmtime.ts";
import {
  compileArguments,
  knownOptions,
  runArguments,
  targetTriple,
} from "../../../../src/artifact/compiler/wasmtime_options.ts";
import { wasmtimeVersion } from "../../../../src/artifact/compiler/wasmtime_process.ts";
import {
  CompileError,
  CompilerUnavailableError,
  ConfigError,
  MalformedWasmError,
  UnsupportedFeatureError,
} from "../../../../src/artifact/errors.ts";
import type { ResolvedConfig, Target } from "../../../../src/artifact/types.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../../../support/assert.ts";
import { assemble, type ConfigChanges, configOf, without } from "./support.ts";

const LINUX: Target = {
  architecture: "x86_64",
  operatingSystem: "linux",
  engine: { name: "wasmtime", version: "30.0.0" },
};

function nativeConfig(changes: ConfigChanges = {}, rest: Partial<ResolvedConfig> = {}): ResolvedConfig {
  const config = configOf(changes);
  return { ...config, target: LINUX, compiler: { ...config.compiler, name: "wasmtime", version: "30.0.0" }, ...rest };
}

/** As Wasmtime prints it, for a version without some of the options. */
const HELP = `Available wasm options:

  -W     nan-canonicalization[=y|n] -- Enable canonicalization of all NaN values.
  -W                     fuel=N -- Enable execution fuel with N units fuel
  -W              bulk-memory[=y|n] -- Configure support for the bulk memory proposal.
  -W          reference-types[=y|n] -- Configure support for the reference-types proposal.
  -W                     simd[=y|n] -- Configure support for the simd proposal.
  -W             relaxed-simd[=y|n] -- Configure support for the relaxed-simd proposal.
  -W                  threads[=y|n] -- Configure support for the threads proposal.
  -W                       gc[=y|n] -- Configure support for the GC proposal.

pass \`-W help-long\` to see longer-form explanations
`;

/** Runs a test with a PATH of one directory, in which there is a program `wasmtime` or not. */
async function withPath<T>(script: string | undefined, test: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "extmemfs-path-"));
  const [path, temporary] = [process.env.PATH, process.env.TMPDIR];
  try {
    await mkdir(join(directory, "bin"));
    await mkdir(join(directory, "tmp"));
    if (script !== undefined) {
      await writeFile(join(directory, "bin", "wasmtime"), `#!/bin/sh\n${script}\n`);
      await chmod(join(directory, "bin", "wasmtime"), 0o755);
    }
    process.env.PATH = join(directory, "bin");
    process.env.TMPDIR = join(directory, "tmp");
    return await test(directory);
  } finally {
    process.env.PATH = path;
    if (temporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = temporary;
    await rm(directory, { recursive: true });
  }
}

async function leftOver(directory: string): Promise<string[]> {
  return await readdir(join(directory, "tmp"));
}

/** A program that answers as Wasmtime does until it is to compile or run. */
function imitation(then: string): string {
  return `case "$1 $2" in "--version "*) echo "wasmtime 30.0.2 (abc 2025-02-25)"; exit 0;; esac
case "$2 $3" in "-W help") echo "  -W simd[=y|n] -- SIMD"; exit 0;; esac
${then}`;
}

Deno.test("compilerOf() gives the compilers by name and refuses others", () => {
  assertEquals(compilerOf("wasmtime"), WASMTIME);
  assertEquals(compilerOf("binaryen").name, "binaryen");
  for (const name of ["llvm", "toString", ""]) {
    const error = assertThrows(() => compilerOf(name as "binaryen"), ConfigError) as ConfigError;
    assertEquals(error.setting, "compiler.name");
  }
});

Deno.test("WASMTIME says what to install where there is none on the PATH", async () => {
  const module = await assemble("(module)");
  await withPath(undefined, async (directory) => {
    const calls = [
      () => WASMTIME.version(),
      () => WASMTIME.compile(module, nativeConfig()),
      () => runWasmtime(module),
    ];
    for (const call of calls) {
      const error = await assertRejects(call, CompilerUnavailableError);
      assertEquals(error.compiler, "wasmtime");
      assertStringIncludes(error.message, "PATH");
      assertStringIncludes(error.message, "install wasmtime");
    }
    assertEquals(await leftOver(directory), []);
  });
});

Deno.test("WASMTIME.version() refuses a program that is something else", async () => {
  const scripts = ["exit 1", "echo 'no such option' >&2; exit 2", "echo hello", "true", "echo 'wasmtime twelve'"];
  for (const script of [...scripts, "kill -9 $$"]) {
    await withPath(script, async () => {
      const error = await assertRejects(() => WASMTIME.version(), CompilerUnavailableError, "is not Wasmtime");
      assertStringIncludes(error.message, "install wasmtime");
    });
  }
  await withPath("echo 'wasmtime 24.0.1 (abc)'", async () => {
    await assertRejects(() => WASMTIME.version(), CompilerUnavailableError, "24.0.1, which is too old");
  });
});

Deno.test("WASMTIME.version() refuses a file that cannot be run", async () => {
  await withPath("exit 0", async (directory) => {
    await chmod(join(directory, "bin", "wasmtime"), 0o644);
    await assertRejects(() => WASMTIME.version(), CompilerUnavailableError, "wasmtime");
  });
});

Deno.test("wasmtimeVersion() reads versions as Wasmtime prints them", async () => {
  for (
    const [line, version] of [
      ["wasmtime 25.0.0", "25.0.0"],
      ["wasmtime 30.0.2 (d2c5b2b2a 2025-03-20)", "30.0.2"],
      ["wasmtime-cli 26.0.1-rc.1", "26.0.1-rc.1"],
    ]
  ) {
    await withPath(`echo '${line}'`, async () => assertEquals(await wasmtimeVersion(), version));
  }
});

Deno.test("WASMTIME.compile() passes on what the program says, and removes its files", async () => {
  const module = await assemble("(module)");
  await withPath(imitation("echo 'error: out of luck' >&2; exit 3"), async (directory) => {
    await assertRejects(() => WASMTIME.compile(module, nativeConfig()), CompileError, "code 3: error: out of luck");
    assertEquals(await leftOver(directory), []);
  });
  await withPath(imitation("exit 0"), async (directory) => {
    await assertRejects(() => WASMTIME.compile(module, nativeConfig()), CompileError, "without a result");
    assertEquals(await leftOver(directory), []);
  });
});

Deno.test("WASMTIME.compile() hands over the module and takes back what the program writes", async () => {
  const module = await assemble(`(module (func (export "f") (result i32) (i32.const 7)))`);
  const script = imitation(`while [ $# -gt 2 ]; do shift; done
/bin/cat "$2" > "$1"`);
  await withPath(script, async (directory) => {
    const phases: string[] = [];
    const compiled = await WASMTIME.compile(module, nativeConfig(), { onProgress: ({ phase }) => phases.push(phase) });
    assertEquals(compiled, { kind: "native", bytes: module, features: [], signatureLowered: [] });
    assertEquals(phases, ["parse", "optimize", "emit"]);
    assertEquals(await leftOver(directory), []);
  });
});

Deno.test("WASMTIME.compile() ends the program when it is aborted", async () => {
  const module = await assemble("(module)");
  await withPath(imitation("exec /bin/sleep 60"), async (directory) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const started = performance.now();
    const compiling = WASMTIME.compile(module, nativeConfig(), {
      signal: controller.signal,
      onProgress: ({ phase }) => phase === "optimize" && setTimeout(() => controller.abort(reason), 50),
    });
    const error = await assertRejects(() => compiling);
    assert(error === reason);
    assert(performance.now() - started < 20_000);
    assertEquals(await leftOver(directory), []);
  });
});

Deno.test("runWasmtime() gives code, output and errors, and removes its file", async () => {
  const script = imitation(`echo "$1 $2 $3 $4"; shift 5; echo "$@" >&2; exit 5`);
  await withPath(script, async (directory) => {
    const result = await runWasmtime(Uint8Array.of(1, 2, 3), { invoke: "main", args: ["a", "b c"] });
    assertEquals(result.code, 5);
    assertEquals(new TextDecoder().decode(result.stdout), "run --allow-precompiled --invoke main\n");
    assertEquals(new TextDecoder().decode(result.stderr), "a b c\n");
    assertEquals(await leftOver(directory), []);
  });
});

Deno.test("WASMTIME.compile() refuses what the target lacks and what is no module, before it looks for a program", async () => {
  const simd = await assemble(`(module (func (export "f") (result v128) (v128.const i32x4 0 0 0 0)))`);
  const error = await assertRejects(
    () => WASMTIME.compile(simd, nativeConfig({ features: without("simd", "relaxed-simd") })),
    UnsupportedFeatureError,
  );
  assertEquals(error.features, ["simd"]);
  await assertRejects(() => WASMTIME.compile(Uint8Array.of(1, 2, 3), nativeConfig()), MalformedWasmError);
});

Deno.test("compileArguments() names features that this Wasmtime has options for, on and off", () => {
  const known = knownOptions(HELP);
  assertEquals(known.has("fuel") && known.has("nan-canonicalization") && !known.has("memory64"), true);
  const args = compileArguments(
    nativeConfig({ features: without("simd", "relaxed-simd", "gc"), settings: { optimizeLevel: 4 } }),
    known,
    LINUX,
    "in.wasm",
    "out.cwasm",
  );
  const expected = ["compile", "-O", "opt-level=2"];
  for (const option of ["bulk-memory=y", "reference-types=y", "simd=n", "relaxed-simd=n", "threads=y", "gc=n"]) {
    expected.push("-W", option);
  }
  assertEquals(args, [...expected, "-o", "out.cwasm", "in.wasm"]);
});

Deno.test("compileArguments() names target and flags of the processor where they are not the host's", () => {
  const none = new Set<string>();
  const flagged = nativeConfig({
    settings: { passes: ["memory-init-cow"], debugInfo: true },
    tunables: { denan: true },
  }, {
    isaFlags: ["has_avx2", "has_bmi1"],
  });
  assertEquals(compileArguments(flagged, none, LINUX, "i", "o"), [
    ...["compile", "-O", "opt-level=2", "-O", "memory-init-cow", "-D", "debug-info=y", "-W", "nan-canonicalization=y"],
    ...["--target", "x86_64-unknown-linux-gnu", "-C", "cranelift-has_avx2", "-C", "cranelift-has_bmi1", "-o", "o", "i"],
  ]);
  const foreign = nativeConfig({ settings: { optimizeLevel: 0 } }, {
    target: { ...LINUX, architecture: "aarch64", operatingSystem: "darwin" },
  });
  assertEquals(
    compileArguments(foreign, none, LINUX, "i", "o"),
    ["compile", "-O", "opt-level=0", "--target", "aarch64-apple-darwin", "-o", "o", "i"],
  );
});

Deno.test("compileArguments() refuses tunables and targets that Wasmtime does not have", () => {
  const none = new Set<string>();
  for (const tunables of [{ asyncify: true }, { safeHeap: true }, { trapMode: "js" }] as const) {
    const error = assertThrows(() => compileArguments(nativeConfig({ tunables }), none, LINUX, "i", "o"), ConfigError);
    assertEquals((error as ConfigError).setting, `tunables.${Object.keys(tunables)[0]}`);
  }
  for (const [name, value] of [["architecture", "any"], ["operatingSystem", "unknown"], ["operatingSystem", "a b"]]) {
    const error = assertThrows(() => targetTriple({ ...LINUX, [name]: value }), ConfigError) as ConfigError;
    assertEquals(error.setting, `target.${name}`);
  }
  assertThrows(() => compileArguments(nativeConfig({}, { isaFlags: ["x -W y"] }), none, LINUX, "i", "o"), ConfigError);
});

Deno.test("runArguments() puts the program's own arguments last", () => {
  assertEquals(runArguments("m.cwasm", {}), ["run", "--allow-precompiled", "m.cwasm"]);
  assertEquals(
    runArguments("m.cwasm", { args: ["--help"], invoke: "f", wasm: ["-W", "simd=n"] }),
    ["run", "--allow-precompiled", "-W", "simd=n", "--invoke", "f", "m.cwasm", "--help"],
  );
});
