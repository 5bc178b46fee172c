import { Engine } from "../../artifact.ts";
import { encodeContainer } from "../../src/artifact/container.ts";
import { applySeal } from "../../src/artifact/seal.ts";
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../support/assert.ts";
import { NATIVE, PORTABLE } from "../unit/artifact/support.ts";
import { run, runJson, smallModule, withFolder, writeJson } from "./support.ts";

const KEY_HEX = "00112233445566778899aabbccddeeff".repeat(2);
const KEY = Uint8Array.from(KEY_HEX.match(/../g)!, (pair) => parseInt(pair, 16));
const KEY_BASE64URL = btoa(String.fromCharCode(...KEY)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** An artifact of native code, made up: no compiler is asked. */
async function nativeArtifact(): Promise<Uint8Array<ArrayBuffer>> {
  const engine = await Engine.create(NATIVE);
  const { bytes, sealAt } = encodeContainer(
    {
      kind: "native",
      versionStrategy: "engine",
      version: "29.0.1/29.0.1",
      target: { architecture: "aarch64", operatingSystem: "linux", engine: "wasmtime" },
      compiler: "wasmtime",
      settings: {},
      isaFlags: [],
      tunables: {},
      features: [],
      signatureLowered: [],
      source: new Uint8Array(32),
      sourceBytes: 8,
      extra: new Uint8Array(0),
      compatibility: engine.serializationCompatibilityHash("bytes"),
      provenance: { engineVersion: "29.0.1", compilerVersion: "29.0.1", compileMs: 12 },
    },
    new Uint8Array(100),
    undefined,
  );
  applySeal(bytes, sealAt, undefined);
  return bytes;
}

Deno.test("detect tells modules, native code, and what is neither, by word and exit code", () =>
  withFolder(async (folder) => {
    const file = `${folder}/file`;
    const cases: [bytes: Uint8Array, kind: string | null][] = [
      [await (await Engine.create()).precompileModule(smallModule()), "module"],
      [await nativeArtifact(), "native"],
      [smallModule(), null],
      [new TextEncoder().encode("hello"), null],
      [new Uint8Array(0), null],
    ];
    for (const [bytes, kind] of cases) {
      Deno.writeFileSync(file, bytes);
      const expected = kind === null ? 1 : 0;
      const plain = await run(["artifact", "detect", file]);
      assertEquals([plain.code, plain.out, plain.err], [expected, `${kind ?? "none"}\n`, ""]);
      const { code, document } = await runJson(["artifact", "detect", file]);
      assertEquals([code, document], [expected, { file, kind }]);
      const piped = await runJson(["artifact", "detect", "-"], { stdin: bytes });
      assertEquals([piped.code, piped.document], [expected, { file: null, kind }]);
    }
  }));

Deno.test("inspect prints all of the header; what is no artifact exits with 1 and says why", async () => {
  const artifact = await (await Engine.create(PORTABLE)).precompileModule(smallModule(), { key: KEY });
  const { code, out } = await run(["artifact", "inspect", "-"], { stdin: artifact });
  assertEquals(code, 0);
  assertMatch(out, /│ target +│ x86_64 linux v8 14\.9\.207\.2 /);
  assertMatch(out, /│ seal +│ HMAC-SHA-256, key [0-9a-f]{16} /);
  assertMatch(out, /│ features used +│ sign-extensions /);
  const { document } = await runJson(["artifact", "inspect", "-"], { stdin: artifact });
  assertEquals(Object.keys(document), ["file", "bytes", "payloadBytes", "seal", "header"]);
  assertEquals(document.bytes, artifact.length);
  assertEquals(document.header.kind, "module");
  assertMatch(document.header.source, /^[0-9a-f]{64}$/);
  assertEquals(document.header.sourceBytes, smallModule().length);
  assertEquals(document.seal.kind, "hmac-sha256");
  assertMatch((await run(["artifact", "inspect", "-"], { stdin: await nativeArtifact() })).out, /│ native code /);

  for (const [stdin, kind] of [[smallModule(), "header-missing"], [KEY, "container"]] as const) {
    const failed = await runJson(["artifact", "inspect", "-"], { stdin });
    assertEquals([failed.code, failed.document.error.kind], [1, kind]);
    const plain = await run(["artifact", "inspect", "-"], { stdin });
    assertEquals([plain.code, plain.out], [1, ""]);
    assertMatch(plain.err, /^extmemfs: .+\n$/);
  }
});

Deno.test("verify takes what fits and is whole, native code as well", () =>
  withFolder(async (folder) => {
    const artifact = await (await Engine.create()).precompileModule(smallModule());
    Deno.writeFileSync(`${folder}/a.wasm`, artifact);
    const plain = await run(["artifact", "verify", `${folder}/a.wasm`]);
    assertEquals([plain.code, plain.out], [0, `${folder}/a.wasm: whole, and fits\n`]);
    const { document } = await runJson(["artifact", "verify", "-"], { stdin: artifact });
    assertEquals(document, { file: null, fits: true, problems: [] });
    const config = writeJson(`${folder}/native.json`, NATIVE);
    const native = await nativeArtifact();
    assertEquals((await run(["artifact", "verify", "-", "--config", config], { stdin: native })).code, 0);
    native[native.length - 1]! ^= 1;
    const altered = await runJson(["artifact", "verify", "-", "--config", config], { stdin: native });
    assertEquals([altered.code, altered.document.problems[0].code], [1, "ERR_ARTIFACT_ALTERED"]);
  }));

Deno.test("verify gives every problem a line of its own, each naming its setting, and exits with 1", () =>
  withFolder(async (folder) => {
    const artifact = await (await Engine.create(PORTABLE)).precompileModule(smallModule());
    artifact[artifact.length - 1]! ^= 1;
    Deno.writeFileSync(`${folder}/a.wasm`, artifact);
    const config = writeJson(`${folder}/config.json`, {
      ...PORTABLE,
      target: { ...PORTABLE.target, architecture: "aarch64" },
      tunables: { denan: true },
      features: ["mutable-globals"],
      version: { custom: "mine" },
    });
    const { code, out, err } = await run(["artifact", "verify", `${folder}/a.wasm`, "--config", config]);
    assertEquals([code, err], [1, ""]);
    const labels = out.trimEnd().split("\n").map((line) => line.replace(`${folder}/a.wasm: `, "").split(":")[0]);
    assertEquals(labels, ["version", "architecture", "tunable denan", "feature sign-extensions", "seal"]);
    const { document } = await runJson(["artifact", "verify", `${folder}/a.wasm`, "--config", config]);
    assertEquals(document.fits, false);
    assertEquals(
      document.problems.map(({ kind, setting, code }: Record<string, string>) => [code, kind, setting]),
      [
        ["ERR_ARTIFACT_INCOMPATIBLE", "version", "version"],
        ["ERR_ARTIFACT_INCOMPATIBLE", "architecture", "architecture"],
        ["ERR_ARTIFACT_INCOMPATIBLE", "tunable", "denan"],
        ["ERR_ARTIFACT_INCOMPATIBLE", "feature", "sign-extensions"],
        ["ERR_ARTIFACT_ALTERED", undefined, undefined],
      ],
    );
  }));

Deno.test("verify finds every altered byte: 1 each, never a crash", async () => {
  const artifact = await (await Engine.create()).precompileModule(smallModule());
  for (let at = 0; at < artifact.length; at += 7) {
    const stdin = new Uint8Array(artifact);
    stdin[at]! ^= 0x11;
    const { code, document, err } = await runJson(["artifact", "verify", "-"], { stdin });
    assertEquals([code, document.fits, err], [1, false, ""], `byte ${at}`);
    assert(document.problems.length > 0);
  }
  for (const length of [0, 4, 8, 20, artifact.length - 1]) {
    const { code } = await runJson(["artifact", "verify", "-"], { stdin: artifact.slice(0, length) });
    assertEquals(code, 1, `${length} bytes`);
  }
});

Deno.test("keys are taken from a file, as bytes or text, or from the environment; the file comes first", () =>
  withFolder(async (folder) => {
    const key = `${folder}/key`;
    const sealed = await (await Engine.create()).precompileModule(smallModule(), { key: KEY });
    const forms: (string | Uint8Array)[] = [
      KEY,
      KEY_HEX,
      `${KEY_HEX.toUpperCase()}\n`,
      KEY_BASE64URL,
      `${
        btoa(
          String.fromCharCode(...KEY),
        )
      }\r\n`,
    ];
    for (const form of forms) {
      Deno.writeFileSync(key, typeof form === "string" ? new TextEncoder().encode(form) : form);
      const { outBytes } = await run(["artifact", "compile", "-", "-", "--key-file", key], { stdin: smallModule() });
      assertEquals(outBytes, sealed, String(form));
    }
    for (const form of [KEY_HEX, KEY_BASE64URL]) {
      const env = { EXTMEMFS_ARTIFACT_KEY: form };
      assertEquals((await run(["artifact", "verify", "-"], { stdin: sealed, env })).code, 0);
    }
    const env = { EXTMEMFS_ARTIFACT_KEY: "ff".repeat(32) };
    assertEquals((await run(["artifact", "verify", "-", "--key-file", key], { stdin: sealed, env })).code, 0);
    const { code, document } = await runJson(["artifact", "verify", "-"], { stdin: sealed, env });
    assertEquals([code, document.problems[0].code], [1, "ERR_ARTIFACT_KEY"]);
    const without = await run(["artifact", "verify", "-"], { stdin: sealed });
    assertEquals(without.code, 1);
    assertStringIncludes(without.out, "seal: The artifact is sealed with the key");
  }));

Deno.test("a key that is none, or too short, is misuse, and is not shown", () =>
  withFolder(async (folder) => {
    const key = `${folder}/key`;
    const secrets = [
      "correct horse battery staple, 32 and more",
      "abc",
      KEY_HEX.slice(1),
      "ab".repeat(31),
      "",
      "ü".repeat(8),
    ];
    for (const secret of secrets) {
      Deno.writeTextFileSync(key, secret);
      const args = ["artifact", "compile", "-", "-", "--key-file", key];
      const { code, outBytes, err } = await run(args, { stdin: smallModule() });
      assertEquals([code, outBytes.length], [2, 0], secret);
      assertStringIncludes(err, key);
      assert(secret === "" || !err.includes(secret));
    }
    const env = { EXTMEMFS_ARTIFACT_KEY: "short" };
    const { code, document } = await runJson(["artifact", "verify", "-"], { stdin: smallModule(), env });
    assertEquals([code, document.error.code], [2, "ERR_ARTIFACT_KEY"]);
    assertStringIncludes(document.error.message, "EXTMEMFS_ARTIFACT_KEY");
  }));

Deno.test("colours are for terminals, and not where NO_COLOR is set; what artifacts say is never obeyed", async () => {
  const evil = "\x1b[31m\x9b2J\u202egreen\r\n";
  const engine = await Engine.create({ version: { custom: evil } });
  const stdin = await engine.precompileModule(smallModule());
  const terminals = ["stdout", "stderr"] as const;
  const inspect = ["artifact", "inspect", "-"];
  assertStringIncludes((await run(inspect, { stdin, terminals })).out, "\x1b[1m");
  const shown = [
    await run(inspect, { stdin }),
    await run(inspect, { stdin, terminals, env: { NO_COLOR: "1" } }),
    await run(["artifact", "verify", "-"], { stdin, terminals, env: { NO_COLOR: "1" } }),
    await run([...inspect, "--json"], { stdin, terminals }),
    await run(["artifact", "verify", "-", "--json"], { stdin, terminals }),
  ];
  for (const { out, err } of shown) {
    // deno-lint-ignore no-control-regex -- these are what must not be there
    assertNotMatch(out.replaceAll("\n", ""), /[\x00-\x1f\x7f-\x9f]/);
    assertEquals(err, "");
  }
  assertStringIncludes(shown[0]!.out, "\\u{1b}[31m\\u{9b}2J\\u{202e}green");
  assertEquals(JSON.parse(shown[3]!.out).header.version, evil);
});
