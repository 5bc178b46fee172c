import * as esbuild from "esbuild";
import { Engine } from "../../artifact.ts";
import { VERSION } from "../../src/cli/version.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { node20Path } from "../support/node20.ts";
import { feed, finish, largeModule, namesIn, ROOT, smallModule, spawn, withFolder } from "./support.ts";

Deno.test("the command line in a pipe: compile - - gives the artifact, verify - takes it", async () => {
  const wasm = smallModule();
  const compiled = await finish(spawn(["artifact", "compile", "-", "-"], { stdin: "piped" }), wasm);
  assertEquals(compiled.code, 0, compiled.err);
  assertEquals(compiled.outBytes, await (await Engine.create()).precompileModule(wasm));
  const verify = ["artifact", "verify", "-", "--json"];
  const [whole, cut] = await Promise.all([
    finish(spawn(verify, { stdin: "piped" }), compiled.outBytes),
    finish(spawn(verify, { stdin: "piped" }), compiled.outBytes.slice(0, -1)),
  ]);
  assertEquals([whole.code, JSON.parse(whole.out).fits, whole.err], [0, true, ""]);
  assertEquals([cut.code, JSON.parse(cut.out).fits, cut.err], [1, false, ""]);
});

Deno.test("exit codes reach the shell: 0 done, 1 failed, 2 misuse", async () => {
  const [version, failed, misuse] = await Promise.all([
    finish(spawn(["--version"])),
    finish(spawn(["artifact", "compile", "-", "-"], { stdin: "piped" }), new Uint8Array([1])),
    finish(spawn(["artifact", "inspect", "no-such-file"])),
  ]);
  assertEquals([version.code, version.out, version.err], [0, `${VERSION}\n`, ""]);
  assertEquals([failed.code, failed.out], [1, ""]);
  assertEquals([misuse.code, misuse.out], [2, ""]);
  assertEquals(misuse.err, "extmemfs: Cannot read no-such-file: no such file or directory\n");
});

Deno.test("SIGINT in the middle of a compilation: exit code 130, no file is left", () =>
  withFolder(async (folder) => {
    const child = spawn(["artifact", "compile", "-", `${folder}/out.wasm`], { stdin: "piped" });
    const output = child.output();
    // More than a pipe holds: when it is written, the program reads, and so listens to signals.
    const wasm = largeModule();
    assert(wasm.length > 200_000);
    await feed(child, wasm);
    await new Promise((resolve) => setTimeout(resolve, 400));
    child.kill("SIGINT");
    const { code, signal, stdout, stderr } = await output;
    assertEquals([code, signal], [130, null]);
    assertEquals(stdout.length, 0);
    assertEquals(new TextDecoder().decode(stderr), "extmemfs: interrupted\n");
    assertEquals(namesIn(folder), []);
  }));

Deno.test("SIGINT while standard input is waited for ends the program", async () => {
  const child = spawn(["artifact", "detect", "-"], { stdin: "piped" });
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(300_000));
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [130, "extmemfs: interrupted\n"]);
  await writer.abort().catch(() => {});
});

Deno.test("output that nobody reads ends the program without a word", async () => {
  for (const args of [["artifact", "compile", "-", "-"], ["artifact", "inspect", "--help"]]) {
    const child = spawn(args, { stdin: "piped" });
    await child.stdout.cancel();
    await feed(child, smallModule()).catch(() => {});
    const stderr = await new Response(child.stderr).text();
    assertEquals([(await child.status).code, stderr], [141, ""], args.join(" "));
  }
});

Deno.test("the command line, bundled, runs in Node 20", () =>
  withFolder(async (folder) => {
    try {
      await esbuild.build({
        entryPoints: [decodeURIComponent(new URL("cli.ts", ROOT).pathname)],
        bundle: true,
        splitting: true,
        platform: "node",
        format: "esm",
        target: "node20",
        // Packages of the older kind ask for node's modules by require().
        banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);` },
        outExtension: { ".js": ".mjs" },
        outdir: `${folder}/bundle`,
        logLevel: "error",
      });
    } finally {
      await esbuild.stop();
    }
    const node = await node20Path();
    const start = (...args: string[]) =>
      new Deno.Command(node, {
        args: [`${folder}/bundle/cli.mjs`, ...args],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    const cli = (stdin: Uint8Array, ...args: string[]) => finish(start(...args), stdin);

    const compiled = await cli(smallModule(), "artifact", "compile", "-", `${folder}/out.wasm`, "--json");
    assertEquals([compiled.code, compiled.err], [0, ""]);
    assertEquals(JSON.parse(compiled.out).output.file, `${folder}/out.wasm`);
    const verified = await cli(new Uint8Array(), "artifact", "verify", `${folder}/out.wasm`);
    assertEquals([verified.code, verified.out], [0, `${folder}/out.wasm: whole, and fits\n`], verified.err);
    const listed = await cli(new Uint8Array(), "artifact", "ls", "--store", folder);
    assertEquals(listed.code, 0, listed.err);
    const misuse = await cli(new Uint8Array(), "artifact", "hash", "--frobnicate");
    assertEquals([misuse.code, misuse.out], [2, ""]);
    assertStringIncludes(misuse.err, "unknown option '--frobnicate'");

    const closed = start("artifact", "compile", "-", "-");
    await closed.stdout.cancel();
    await feed(closed, smallModule());
    const stderr = await new Response(closed.stderr).text();
    assertEquals([(await closed.status).code, stderr], [141, ""]);

    const interrupted = start("artifact", "compile", "-", `${folder}/no.wasm`);
    const output = interrupted.output();
    await feed(interrupted, largeModule());
    await new Promise((resolve) => setTimeout(resolve, 400));
    interrupted.kill("SIGINT");
    assertEquals((await output).code, 130);
    assertEquals(namesIn(folder), ["bundle", "out.wasm"]);
  }));
