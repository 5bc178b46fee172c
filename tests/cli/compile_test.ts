import { Engine, parseConfig } from "../../artifact.ts";
import { InterruptedError } from "../../src/cli/errors.ts";
import { prepareOutput } from "../../src/cli/host.ts";
import { fromHex, PORTABLE } from "../unit/artifact/support.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { largeModule, moduleOf, namesIn, run, runJson, smallModule, withFolder, writeJson } from "./support.ts";

Deno.test("hash prints the compatibility hash of this host, or of a configuration, in both forms", () =>
  withFolder(async (folder) => {
    const here = await Engine.create();
    const hash = await run(["artifact", "hash"]);
    assertEquals(hash, { ...hash, code: 0, out: `${here.serializationCompatibilityHash()}\n`, err: "" });

    const config = writeJson(`${folder}/config.json`, PORTABLE);
    const portable = new Engine(PORTABLE);
    for (const format of ["hex", "base64url"] as const) {
      const { code, out } = await run(["artifact", "hash", "--config", config, "--format", format]);
      assertEquals([code, out], [0, `${portable.serializationCompatibilityHash(format)}\n`]);
    }
    const { document } = await runJson(["artifact", "hash", "--config", config]);
    assertEquals(Object.keys(document), ["hash", "format", "config", "encoding"]);
    assertEquals(document.format, "hex");
    assertEquals(document.config, JSON.parse(JSON.stringify(portable.config)));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", fromHex(document.encoding)));
    assertEquals(digest, fromHex(document.hash));
    assertEquals(document.hash, portable.serializationCompatibilityHash());
  }));

Deno.test("compile makes the very artifact that the library makes, and says what it did", () =>
  withFolder(async (folder) => {
    const wasm = smallModule();
    Deno.writeFileSync(`${folder}/in.wasm`, wasm);
    const config = writeJson(`${folder}/config.json`, { ...PORTABLE, features: ["mutable-globals"] });
    const engine = await Engine.create(parseConfig(Deno.readTextFileSync(config)));
    const args = ["artifact", "compile", `${folder}/in.wasm`, `${folder}/out.wasm`, "--config", config];
    const { code, out, err } = await run(args);
    assertEquals([code, err], [0, ""]);
    const artifact = Deno.readFileSync(`${folder}/out.wasm`);
    assertEquals(artifact, await engine.precompileModule(wasm));
    assertMatch(out, /│ lowered +│ sign-extensions +│/);
    assertMatch(out, /│ features used +│ none +│/);
    assertStringIncludes(out, engine.serializationCompatibilityHash());
    assert(!out.includes("\x1b"));

    const { document } = await runJson(args);
    assertEquals(document.input, { file: `${folder}/in.wasm`, bytes: wasm.length });
    assertEquals(document.output, { file: `${folder}/out.wasm`, bytes: artifact.length });
    assertEquals(document.lowered, ["sign-extensions"]);
    assertEquals(document.seal, { kind: "sha256" });
    assertEquals(document.header.compatibility, engine.serializationCompatibilityHash());
    assert(Number.isInteger(document.compileMs));
    assertEquals(namesIn(folder), ["config.json", "in.wasm", "out.wasm"]);
  }));

Deno.test("compile to standard output keeps it for the artifact: what it did is on standard error", async () => {
  const engine = await Engine.create();
  const stdin = smallModule();
  const text = await run(["artifact", "compile", "-", "-"], { stdin });
  assertEquals(text.code, 0);
  assertEquals(text.outBytes, await engine.precompileModule(stdin));
  assertStringIncludes(text.err, "standard output");

  const json = await run(["artifact", "compile", "-", "-", "--json"], { stdin });
  assertEquals(json.outBytes, text.outBytes);
  assertEquals(JSON.parse(json.err).output, { file: null, bytes: text.outBytes.length });

  const failed = await run(["artifact", "compile", "-", "-", "--json"], { stdin: new Uint8Array([1, 2, 3]) });
  assertEquals([failed.code, failed.out], [1, ""]);
  assertEquals(JSON.parse(failed.err).error.code, "ERR_ARTIFACT_MALFORMED_WASM");
});

Deno.test("compile refuses to write an artifact on a terminal", async () => {
  const { code, outBytes, err } = await run(["artifact", "compile", "-", "-"], {
    stdin: smallModule(),
    terminals: ["stdout", "stderr"],
  });
  assertEquals([code, outBytes.length], [2, 0]);
  assertStringIncludes(err, "Standard output is a terminal");
});

Deno.test("compile shows a bar on a terminal, takes it away, and shows none elsewhere", async () => {
  const terminal = await run(["artifact", "compile", "-", "-"], { stdin: smallModule(), terminals: ["stderr"] });
  assertEquals(terminal.code, 0);
  assertMatch(terminal.err, /parse +\[-+\] 0\/\d+/);
  assertMatch(terminal.err, /emit +\[=+-+\] \d+\/\d+/);
  const bar = terminal.err.lastIndexOf("\x1b[2K");
  assert(bar > 0 && terminal.err.indexOf("standard output") > bar, "the bar is cleared before the summary");
  assertStringIncludes(terminal.err, "\x1b[?25h", "the cursor is shown again");
  const { err } = await run(["artifact", "compile", "-", "-"], { stdin: smallModule() });
  assert(!err.includes("[-") && !err.includes("\x1b"), err);
});

Deno.test("compile writes what a link leads to, and into what is no file", () =>
  withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/target.wasm`, "before");
    Deno.symlinkSync("target.wasm", `${folder}/link.wasm`);
    const stdin = smallModule();
    const expected = await (await Engine.create()).precompileModule(stdin);
    assertEquals((await run(["artifact", "compile", "-", `${folder}/link.wasm`], { stdin })).code, 0);
    assert(Deno.lstatSync(`${folder}/link.wasm`).isSymlink);
    assertEquals(Deno.readFileSync(`${folder}/target.wasm`), expected);

    assert((await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output()).success);
    const reader = new Deno.Command("cat", { args: [`${folder}/pipe`], stdout: "piped" }).output();
    assertEquals((await run(["artifact", "compile", "-", `${folder}/pipe`], { stdin })).code, 0);
    assertEquals((await reader).stdout, expected);
    assert(Deno.lstatSync(`${folder}/pipe`).isFifo);
    assertEquals(namesIn(folder), ["link.wasm", "pipe", "target.wasm"]);
  }));

Deno.test("compile that fails leaves what was there, names what is wrong, and exits with 1", () =>
  withFolder(async (folder) => {
    const out = `${folder}/out.wasm`;
    Deno.writeTextFileSync(out, "before");
    const config = writeJson(`${folder}/config.json`, { ...PORTABLE, features: ["mutable-globals"] });
    const tail = moduleOf(`(module (func $f (result i32) (return_call $f)))`);
    const threads = moduleOf(`(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))`);
    const { outBytes: artifact } = await run(["artifact", "compile", "-", "-"], { stdin: smallModule() });
    const cases: [stdin: Uint8Array, code: string, text: string][] = [
      [new Uint8Array(0), "ERR_ARTIFACT_MALFORMED_WASM", "not a WebAssembly binary"],
      [new TextEncoder().encode("hello"), "ERR_ARTIFACT_MALFORMED_WASM", "not a WebAssembly binary"],
      [threads, "ERR_ARTIFACT_UNSUPPORTED_FEATURE", "threads"],
      [tail, "ERR_ARTIFACT_UNSUPPORTED_FEATURE", "tail-call"],
      [artifact, "ERR_ARTIFACT_COMPILE", "precompiled already"],
    ];
    for (const [stdin, code, text] of cases) {
      const args = ["artifact", "compile", "-", out, "--config", config];
      const { document, ...json } = await runJson(args, { stdin });
      assertEquals([json.code, json.err, document.error.code], [1, "", code]);
      assertStringIncludes(document.error.message, text);
      const plain = await run(args, { stdin });
      assertEquals([plain.code, plain.out], [1, ""]);
      assertStringIncludes(plain.err, text);
      assertEquals(plain.err.split("\n").length, 2, "one line");
    }
    const { document } = await runJson(["artifact", "compile", "-", out, "--config", config], { stdin: threads });
    assertEquals(document.error.features, ["threads"]);
    assertEquals(Deno.readTextFileSync(out), "before");
    assertEquals(namesIn(folder), ["config.json", "out.wasm"]);
  }));

Deno.test("a file that cannot take its place, or is interrupted while it is written, leaves no temporary", () =>
  withFolder(async (folder) => {
    const bytes = new Uint8Array(4 << 20);
    const taken = await prepareOutput(`${folder}/taken`);
    Deno.mkdirSync(`${folder}/taken`);
    await assertRejects(() => taken.write(bytes, new AbortController().signal));

    const controller = new AbortController();
    const file = await prepareOutput(`${folder}/interrupted`);
    const written = file.write(bytes, controller.signal);
    controller.abort(new InterruptedError());
    await assertRejects(() => written, InterruptedError);
    assertEquals(namesIn(folder), ["taken"]);
  }));

Deno.test("compile that is interrupted exits with 130 and leaves what was there", () =>
  withFolder(async (folder) => {
    const out = `${folder}/out.wasm`;
    Deno.writeTextFileSync(out, "before");
    const controller = new AbortController();
    const { code, err } = await run(["artifact", "compile", "-", out], {
      stdin: largeModule(),
      terminals: ["stderr"],
      signal: controller.signal,
      onError: (text) => text.includes("parse") && controller.abort(new InterruptedError()),
    });
    assertEquals(code, 130);
    assertMatch(err, /extmemfs:.* interrupted\n$/);
    assertNotMatch(err, /optimize/);
    assertEquals(Deno.readTextFileSync(out), "before");
    assertEquals(namesIn(folder), ["out.wasm"]);
  }));

Deno.test("a configuration that makes no sense is misuse: the error names file and setting", () =>
  withFolder(async (folder) => {
    const file = `${folder}/config.json`;
    const cases: [text: string, setting: string | undefined, said: string][] = [
      [`{"tunables": {"denan": 1}}`, "tunables.denan", "tunables.denan: must be true or false, not 1"],
      [`{"compiler": {"settings": {"optimise": 2}}}`, "compiler.settings.optimise", "there is no such setting"],
      [`{"compiler": {"settings": {"passes": ["no-such-pass"]}}}`, "compiler.settings.passes", "no-such-pass"],
      [`{"features": {"smid": true}}`, "features.smid", `"smid" is not the name of a feature`],
      [`{"compilers": {}}`, "compilers", "is unknown"],
      [`[]`, "config", "must be a plain object"],
      [`{"version": `, undefined, "is not JSON"],
    ];
    for (const [text, setting, said] of cases) {
      Deno.writeTextFileSync(file, text);
      const args = ["artifact", "compile", "-", `${folder}/out.wasm`, "--config", file];
      const plain = await run(args, { stdin: smallModule() });
      assertEquals([plain.code, plain.out], [2, ""], text);
      assertStringIncludes(plain.err, `${file}: `);
      assertStringIncludes(plain.err, said);
      const { code, document } = await runJson(args, { stdin: smallModule() });
      assertEquals([code, document.error.code], [2, "ERR_ARTIFACT_CONFIG"]);
      assertEquals([document.error.file, document.error.setting], [file, setting]);
    }
    assertEquals(namesIn(folder), ["config.json"]);
  }));
