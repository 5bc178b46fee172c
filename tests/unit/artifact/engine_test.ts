/** Engines: what they precompile, what they load, and that nothing altered, foreign or unsealed gets through. */
import * as fc from "fast-check";
import { BINARYEN_VERSION } from "../../../src/artifact/compiler/binaryen.ts";
import { resolveConfig } from "../../../src/artifact/config.ts";
import { decodeContainer, encodeContainer } from "../../../src/artifact/container.ts";
import { sha256, toHex } from "../../../src/artifact/digest.ts";
import { Engine, type PrecompileOptions, type SealOptions } from "../../../src/artifact/engine.ts";
import {
  AlteredArtifactError,
  ArtifactError,
  ArtifactKeyError,
  CompileError,
  ConfigError,
  IncompatibleArtifactError,
  MalformedWasmError,
  UnsafeArtifactError,
} from "../../../src/artifact/errors.ts";
import { FEATURES } from "../../../src/artifact/features.ts";
import { applySeal, sealKey } from "../../../src/artifact/seal.ts";
import type { EngineConfig } from "../../../src/artifact/types.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import {
  ANSWER_MODULE,
  assertAsyncProperty,
  fromHex,
  headerFor,
  NATIVE,
  PORTABLE,
  sealedArtifact,
  SEED,
  toShared,
} from "./support.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index);
const OTHER_KEY = KEY.map((byte) => byte + 1);
const CONFIG: EngineConfig = { ...PORTABLE, compiler: { name: "binaryen", version: BINARYEN_VERSION } };
const ENGINE = new Engine(CONFIG);
const ARTIFACT = await ENGINE.precompileModule(ANSWER_MODULE);
const SEALED = await ENGINE.precompileModule(ANSWER_MODULE, { key: KEY });
const NATIVE_ENGINE = new Engine(NATIVE);
const NATIVE_ARTIFACT = sealedArtifact(headerFor(resolveConfig(NATIVE)), Uint8Array.of(1, 2, 3));

const answerOf = (module: WebAssembly.Module) => (new WebAssembly.Instance(module).exports.answer as () => number)();

/** How an artifact is refused by the waiting and by the other way to load one: by the same error. */
async function refusal(artifact: Uint8Array, options: SealOptions = {}, engine = ENGINE): Promise<ArtifactError> {
  const error = assertThrows(() => engine.deserialize(artifact, options), ArtifactError);
  const other = await assertRejects(() => engine.deserializeAsync(artifact, options), ArtifactError);
  assertEquals([other.constructor, other.message], [error.constructor, error.message]);
  return error;
}

/** An artifact with one byte changed. */
function changed(artifact: Uint8Array, at: number, by = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(artifact);
  bytes[at]! ^= by;
  return bytes;
}

Deno.test("new Engine() refuses nonsense with a ConfigError, and asks for what only a host could tell", () => {
  const nonsense: unknown[] = [null, undefined, 1, "x", [], true, new Map(), () => 0, { compiler: null }, {
    compiler: 1,
  }];
  for (const config of [...nonsense, {}, { target: null }, { ...CONFIG, compiler: { name: "v8" } }]) {
    assertThrows(() => new Engine(config as EngineConfig), ConfigError);
  }
  const { target, features } = CONFIG;
  assertEquals(
    new Engine({ target: target!, features: features! }).config,
    ENGINE.config,
    "Binaryen's version is known",
  );
  const unknown = assertThrows(() => new Engine({ ...NATIVE, compiler: { name: "wasmtime" } }), ConfigError);
  assertEquals(unknown.setting, "compiler.version");
});

Deno.test("Engine.create() asks the host for what is left out, and for nothing else", async () => {
  const host = await Engine.create();
  assertEquals(host.config.target.architecture, Deno.build.arch);
  assertEquals(host.config.target.operatingSystem, Deno.build.os);
  assertEquals(host.config.target.engine, { name: "v8", version: Deno.version.v8 });
  assertEquals(host.config.compiler.version, BINARYEN_VERSION);
  assert(host.config.features.includes("simd") && host.config.features.includes("threads"));
  assertEquals((await Engine.create()).serializationCompatibilityHash(), host.serializationCompatibilityHash());
  assertEquals((await Engine.create(CONFIG)).config, ENGINE.config);
  const without = await Engine.create({ features: { simd: false, "relaxed-simd": false } });
  assertEquals(without.config.features, host.config.features.filter((name) => !name.endsWith("simd")));
  assertEquals(without.config.target, host.config.target);
});

Deno.test("Engine.create() refuses nonsense with a ConfigError", async () => {
  const nonsense: unknown[] = [
    ...[null, 1, "x", "", [], [1], true, new Map(), new Date(), () => 0, 1n, Symbol("a")],
    ...[{ target: null }, { target: 1 }, { compiler: null }, { compiler: [] }, { compiler: { version: null } }],
    ...[{ features: null }, { features: 1 }, { features: [1] }, { isaFlags: null }, { version: null }, { x: 1 }],
  ];
  for (const config of nonsense) await assertRejects(() => Engine.create(config as EngineConfig), ConfigError);
  const anything = fc.anything({
    withMap: true,
    withSet: true,
    withDate: true,
    withBigInt: true,
    withTypedArray: true,
  });
  await assertAsyncProperty(
    fc.asyncProperty(
      anything,
      fc.constantFrom("target", "compiler", "isaFlags", "tunables", "features", "version"),
      async (value, name) => {
        try {
          // What this takes for a configuration is one: config_test.ts tells what may be.
          assertInstanceOf(await Engine.create({ ...CONFIG, [name]: value }), Engine);
        } catch (error) {
          assertInstanceOf(error, ConfigError, `${name}: ${error}`);
        }
      },
    ),
    300,
  );
});

Deno.test("serializationCompatibilityHash() gives one hash in three forms, waiting or not", async () => {
  const hash = toHex(sha256(ENGINE.compatibilityEncoding()));
  const bytes = fromHex(hash);
  const base64url = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
  for (const engine of [ENGINE, new Engine(CONFIG)]) {
    assertEquals(await engine.serializationCompatibilityHashAsync(), hash);
    assertEquals(engine.serializationCompatibilityHash(), hash);
    assertEquals(engine.serializationCompatibilityHash("hex"), hash);
    assertEquals(engine.serializationCompatibilityHash("base64url"), base64url);
    assertEquals(await engine.serializationCompatibilityHashAsync("base64url"), base64url);
    const copy = engine.serializationCompatibilityHash("bytes");
    assertEquals(copy, bytes);
    copy.fill(0);
    assertEquals(await engine.serializationCompatibilityHashAsync("bytes"), bytes, "the caller's is a copy");
    assertThrows(() => engine.serializationCompatibilityHash("base64" as "hex"), TypeError);
    await assertRejects(() => engine.serializationCompatibilityHashAsync("base64" as "hex"), TypeError);
  }
});

Deno.test("an artifact is a module that any loader takes, with the exports of the original", async () => {
  for (const artifact of [ARTIFACT, SEALED]) {
    const module = await WebAssembly.compile(artifact);
    assertEquals(WebAssembly.Module.exports(module), [{ name: "answer", kind: "function" }]);
    assertEquals(answerOf(module), 42);
    assertEquals(WebAssembly.Module.customSections(module, "extmemfs.artifact").length, 1);
  }
  const plain = WebAssembly.Module.exports(new WebAssembly.Module(ANSWER_MODULE));
  assertEquals(WebAssembly.Module.exports(ENGINE.deserialize(ARTIFACT)), plain);
  assertEquals(answerOf(ENGINE.deserialize(ARTIFACT)), 42);
  assertEquals(answerOf(await ENGINE.deserializeAsync(ARTIFACT)), 42);
  assertEquals(answerOf(ENGINE.deserialize(SEALED, { key: KEY })), 42);
  assertEquals(answerOf(await ENGINE.deserializeAsync(SEALED, { key: KEY })), 42);
});

Deno.test("precompileModule() gives the same bytes for the same module and configuration", async () => {
  const again = new Engine(JSON.parse(JSON.stringify(CONFIG)));
  assertEquals(toHex(await again.precompileModule(ANSWER_MODULE)), toHex(ARTIFACT));
  assertEquals(toHex(await again.precompileModule(toShared(ANSWER_MODULE))), toHex(ARTIFACT));
  assertEquals(toHex(await ENGINE.precompileModule(ANSWER_MODULE, { key: KEY })), toHex(SEALED));
  assertNotEquals(toHex(await ENGINE.precompileModule(ANSWER_MODULE, { key: OTHER_KEY })), toHex(SEALED));
  // Two at a time do not get into each other's way.
  const [a, b] = await Promise.all([ENGINE.precompileModule(ANSWER_MODULE), again.precompileModule(ANSWER_MODULE)]);
  assertEquals([toHex(a), toHex(b)], [toHex(ARTIFACT), toHex(ARTIFACT)]);
});

Deno.test("precompileModule() writes down what went in", () => {
  const { header } = decodeContainer(ARTIFACT);
  assertEquals(header.source, sha256(ANSWER_MODULE));
  assertEquals(header.sourceBytes, ANSWER_MODULE.length);
  assertEquals(header.compatibility, ENGINE.serializationCompatibilityHash("bytes"));
  assertEquals(header.provenance, { engineVersion: "14.9.207.2", compilerVersion: BINARYEN_VERSION });
  assertEquals([header.kind, header.version], ["module", `14.9.207.2/${BINARYEN_VERSION}`]);
});

Deno.test("precompileModule() works on a copy of shared memory", async () => {
  const wasm = toShared(ANSWER_MODULE);
  const work = ENGINE.precompileModule(wasm);
  wasm.fill(0);
  assertEquals(toHex(await work), toHex(ARTIFACT));
});

Deno.test("precompileModule() refuses what is precompiled already, malformed, or no bytes", async () => {
  for (const artifact of [ARTIFACT, SEALED, NATIVE_ARTIFACT]) {
    await assertRejects(() => ENGINE.precompileModule(artifact), CompileError, "precompiled already");
  }
  const text = new TextEncoder().encode("(module)");
  for (const wasm of [new Uint8Array(0), text, ANSWER_MODULE.subarray(0, ANSWER_MODULE.length - 1)]) {
    await assertRejects(() => ENGINE.precompileModule(wasm), MalformedWasmError);
  }
  const noBytes: unknown[] = [
    null,
    undefined,
    "x",
    [0, 0x61],
    ANSWER_MODULE.buffer,
    new DataView(ANSWER_MODULE.buffer),
  ];
  for (const wasm of noBytes) {
    await assertRejects(() => ENGINE.precompileModule(wasm as Uint8Array), TypeError, '"wasm"');
    assertThrows(() => ENGINE.deserialize(wasm as Uint8Array), TypeError, '"artifact"');
    assertThrows(() => ENGINE.checkCompatible(wasm as Uint8Array), TypeError, '"artifact"');
    assertThrows(() => Engine.detectPrecompiled(wasm as Uint8Array), TypeError, '"bytes"');
  }
  const reason = new Error("enough");
  const aborted = { signal: AbortSignal.abort(reason) };
  assertEquals(await assertRejects(() => ENGINE.precompileModule(ANSWER_MODULE, aborted)), reason);
});

Deno.test("keys shorter than 32 bytes, and what is no bytes, are no keys", async () => {
  for (const length of [0, 1, 16, 31]) {
    const options = { key: new Uint8Array(length) };
    await assertRejects(() => ENGINE.precompileModule(ANSWER_MODULE, options), ArtifactKeyError, `${length}`);
    assertInstanceOf(await refusal(SEALED, options), ArtifactKeyError);
  }
  for (const key of ["x".repeat(32), null, 1, [...KEY], KEY.buffer]) {
    const options = { key } as unknown as PrecompileOptions;
    await assertRejects(() => ENGINE.precompileModule(ANSWER_MODULE, options), TypeError, "32 random bytes");
    assertThrows(() => ENGINE.deserialize(SEALED, options), TypeError);
  }
  for (const key of [new Uint8Array(33), new Uint8Array(500), toShared(new Uint8Array(64).fill(9))]) {
    const artifact = await ENGINE.precompileModule(ANSWER_MODULE, { key });
    assertEquals(answerOf(ENGINE.deserialize(artifact, { key: new Uint8Array(key) })), 42);
  }
});

Deno.test("sealKey() keeps a copy of the secret, also of a view that copies nothing when it is sliced", async () => {
  const { Buffer } = await import("node:buffer");
  for (const secret of [new Uint8Array(KEY), Buffer.from(KEY), toShared(KEY)]) {
    const key = sealKey(secret);
    secret.fill(0);
    assertEquals(key.secret, KEY);
    assertEquals(key.id, sealKey(KEY).id);
  }
});

Deno.test("deserialize() takes an artifact with the reader's key, and one without a key where it has none", async () => {
  const wrong: readonly [string, Uint8Array, SealOptions, string][] = [
    ["another key", SEALED, { key: OTHER_KEY }, toHex(sealKey(OTHER_KEY).id)],
    ["no key given", SEALED, {}, toHex(sealKey(KEY).id)],
    ["no key in it", ARTIFACT, { key: KEY }, "without a key"],
    ["a longer key", SEALED, { key: Uint8Array.from([...KEY, 0]) }, "this reader has"],
  ];
  for (const [what, artifact, options, text] of wrong) {
    const error = await refusal(artifact, options);
    assertInstanceOf(error, ArtifactKeyError, what);
    assert(error.message.includes(text), `${what}: ${error.message}`);
  }
});

Deno.test("deserialize() refuses an artifact of which any byte is another, whichever it is", async () => {
  const kinds = new Map<string, number>();
  for (const [artifact, options] of [[ARTIFACT, {}], [SEALED, { key: KEY }]] as const) {
    for (let at = 0; at < artifact.length; at++) {
      for (const by of [0x01, 0x80, 0xff]) {
        const bytes = changed(artifact, at, by);
        const error = assertThrows(
          () => ENGINE.deserialize(bytes, options),
          ArtifactError,
          undefined,
          `byte ${at} ^ ${by}`,
        );
        kinds.set(error.name, (kinds.get(error.name) ?? 0) + 1);
      }
      await refusal(changed(artifact, at, 1 << (at % 8)), options);
    }
    // Of the payload every change is noticed by the seal, not by chance.
    const { payloadAt } = decodeContainer(artifact);
    for (let at = payloadAt; at < artifact.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        assertThrows(() => ENGINE.deserialize(changed(artifact, at, 1 << bit), options), AlteredArtifactError);
      }
    }
  }
  for (const name of ["AlteredArtifactError", "IncompatibleArtifactError", "ArtifactKeyError"]) assert(kinds.has(name));
});

Deno.test("deserialize() refuses a large artifact of which any bit is another, with a key and without", async () => {
  const random = new Uint8Array(65_536);
  crypto.getRandomValues(random);
  const content = Uint8Array.from({ length: 3 << 20 }, (_, index) => random[index % random.length]!);
  // A custom section at the end, with a name of one byte.
  const size = 2 + content.length;
  const head = [0, (size & 127) | 128, ((size >> 7) & 127) | 128, ((size >> 14) & 127) | 128, size >> 21, 1, 65];
  const large = new Uint8Array(await new Blob([ANSWER_MODULE, Uint8Array.from(head), content]).arrayBuffer());
  for (const [key, options] of [[undefined, {}], [sealKey(KEY), { key: KEY }]] as const) {
    const artifact = sealedArtifact(headerFor(ENGINE.config), large, key);
    assertEquals(answerOf(ENGINE.deserialize(artifact, options)), 42);
    const { payloadAt } = decodeContainer(artifact);
    const places = fc.sample(fc.integer({ min: payloadAt, max: artifact.length - 1 }), { numRuns: 25, seed: SEED });
    for (const at of [...places, payloadAt, artifact.length - 1]) {
      artifact[at]! ^= 1 << (at % 8);
      const what = `byte ${at}, EXTMEMFS_SEED=${SEED}`;
      assertThrows(() => ENGINE.deserialize(artifact, options), AlteredArtifactError, undefined, what);
      await assertRejects(() => ENGINE.deserializeAsync(artifact, options), AlteredArtifactError, undefined, what);
      artifact[at]! ^= 1 << (at % 8);
    }
  }
});

Deno.test("deserialize() refuses an artifact that is cut off, or goes on", async () => {
  for (const [artifact, options] of [[ARTIFACT, {}], [SEALED, { key: KEY }]] as const) {
    const { payloadAt } = decodeContainer(artifact);
    for (let length = 0; length < artifact.length; length++) {
      const error = await refusal(artifact.subarray(0, length), options);
      assertInstanceOf(error, length < payloadAt ? IncompatibleArtifactError : AlteredArtifactError, `${length} bytes`);
    }
    // A custom section with nothing in it is valid everywhere.
    for (const more of [[0], [0, 1, 0], [0, 2, 1, 65], [...artifact.subarray(8)]]) {
      const longer = Uint8Array.from([...artifact, ...more]);
      assertInstanceOf(await refusal(longer, options), AlteredArtifactError);
    }
    const before = Uint8Array.from([...artifact.subarray(0, 8), 0, 1, 0, ...artifact.subarray(8)]);
    const error = await refusal(before, options);
    assertInstanceOf(error, IncompatibleArtifactError);
    assertEquals(error.kind, "header-missing");
  }
});

Deno.test("deserialize() refuses a payload or a header under the seal of another", async () => {
  const other = await ENGINE.precompileModule(fromHex("0061736d01000000"));
  const swapped = new Uint8Array(SEALED);
  const { sealAt } = decodeContainer(SEALED);
  swapped.set(ARTIFACT.subarray(sealAt, sealAt + 32), sealAt);
  assertInstanceOf(await refusal(swapped, { key: KEY }), AlteredArtifactError);
  const { payloadAt } = decodeContainer(ARTIFACT);
  const joined = Uint8Array.from([
    ...other.subarray(0, decodeContainer(other).payloadAt),
    ...ARTIFACT.subarray(payloadAt),
  ]);
  assertInstanceOf(await refusal(joined), AlteredArtifactError);
  // Who has no key cannot seal what they changed: neither as before nor by taking the key off.
  const payload = SEALED.map((byte, index) => index === SEALED.length - 2 ? 43 : byte);
  for (const key of [undefined, sealKey(OTHER_KEY), { secret: OTHER_KEY, id: sealKey(KEY).id }]) {
    const forged = new Uint8Array(payload);
    applySeal(forged, sealAt, key);
    assertInstanceOf(await refusal(forged, { key: KEY }), AlteredArtifactError);
  }
  const { header } = decodeContainer(SEALED);
  assertInstanceOf(await refusal(sealedArtifact(header, ANSWER_MODULE), { key: KEY }), ArtifactKeyError);
  assertInstanceOf(
    await refusal(sealedArtifact(header, ANSWER_MODULE, sealKey(OTHER_KEY)), { key: KEY }),
    ArtifactKeyError,
  );
});

Deno.test("deserialize() looks at a copy of shared memory, so that what it verifies is what it loads", async () => {
  const shared = toShared(ARTIFACT);
  assertEquals(answerOf(ENGINE.deserialize(shared)), 42);
  assertEquals(ENGINE.checkCompatible(shared), []);
  assertEquals(Engine.detectPrecompiled(shared), "module");
  const work = ENGINE.deserializeAsync(shared);
  shared.fill(0);
  assertEquals(answerOf(await work), 42);
  const native = toShared(NATIVE_ARTIFACT);
  const { code } = NATIVE_ENGINE.deserializeNative(native, { unsafe: true });
  native.fill(0);
  assertEquals(code, Uint8Array.of(1, 2, 3));
});

Deno.test("deserialize() takes native code in no case, deserializeNative() only where it is said to be trusted", async () => {
  assertInstanceOf(await refusal(NATIVE_ARTIFACT, {}, NATIVE_ENGINE), UnsafeArtifactError);
  const { bytes, sealAt } = encodeContainer(headerFor(resolveConfig(NATIVE)), Uint8Array.of(9), sealKey(KEY));
  applySeal(bytes, sealAt, sealKey(KEY));
  assertInstanceOf(await refusal(bytes, { key: KEY }, NATIVE_ENGINE), UnsafeArtifactError);
  for (const unsafe of [undefined, false, 1, "true", {}]) {
    const options = { key: KEY, unsafe } as { key: Uint8Array; unsafe: boolean };
    assertThrows(() => NATIVE_ENGINE.deserializeNative(bytes, options), UnsafeArtifactError, "unsafe: true");
  }
  assertThrows(() => NATIVE_ENGINE.deserializeNative(bytes), UnsafeArtifactError);
  assertEquals(NATIVE_ENGINE.deserializeNative(bytes, { key: KEY, unsafe: true }).code, Uint8Array.of(9));
  assertThrows(() => NATIVE_ENGINE.deserializeNative(bytes, { unsafe: true }), ArtifactKeyError);
  for (let at = 0; at < bytes.length; at++) {
    assertThrows(() => NATIVE_ENGINE.deserializeNative(changed(bytes, at), { key: KEY, unsafe: true }), ArtifactError);
  }
  const module = assertThrows(() => ENGINE.deserializeNative(ARTIFACT, { unsafe: true }), IncompatibleArtifactError);
  assertEquals([module.kind, module.found, module.expected], ["module-kind", "module", "native"]);
});

Deno.test("deserialize() refuses what is no artifact, of another format, or for another engine", async () => {
  const kindOf = async (bytes: Uint8Array, engine = ENGINE) => {
    const error = await refusal(bytes, {}, engine);
    assertInstanceOf(error, IncompatibleArtifactError);
    assertEquals(engine.checkCompatible(bytes)[0]!.message, error.message, "the first that the check finds");
    return error.kind;
  };
  assertEquals(await kindOf(new Uint8Array(0)), "container");
  assertEquals(await kindOf(new TextEncoder().encode("not WebAssembly")), "container");
  assertEquals(await kindOf(fromHex("0061736d0d000100")), "module-kind");
  assertEquals(await kindOf(ANSWER_MODULE), "header-missing");
  const nameEnd = 8 + 1 + (ARTIFACT[9]! < 128 ? 1 : 2) + 1 + 17;
  const future = changed(ARTIFACT, nameEnd, 1 ^ 2);
  assertEquals(future[nameEnd], 2);
  assertEquals(await kindOf(future), "format-version");
  assertEquals(await kindOf(NATIVE_ARTIFACT), "version");
  const { target } = CONFIG;
  assertEquals(
    await kindOf(ARTIFACT, new Engine({ ...CONFIG, target: { ...target!, architecture: "aarch64" } })),
    "architecture",
  );
  assertEquals(await kindOf(ARTIFACT, new Engine({ ...CONFIG, tunables: { denan: true } })), "tunable");
  const newer = { ...target!, engine: { name: "v8", version: "15.0" } };
  assertEquals(await kindOf(ARTIFACT, new Engine({ ...CONFIG, target: newer })), "version");
  assertEquals(new Engine({ ...CONFIG, target: newer, version: "none" }).checkCompatible(ARTIFACT), []);
});

Deno.test("deserialize() tells a module that the host refuses from one that was altered", async () => {
  const broken = ANSWER_MODULE.map((byte, index) => index === ANSWER_MODULE.length - 3 ? 0xff : byte);
  const artifact = sealedArtifact(headerFor(ENGINE.config), broken);
  const error = assertThrows(() => ENGINE.deserialize(artifact), CompileError, "This host refuses the module");
  const other = await assertRejects(() => ENGINE.deserializeAsync(artifact), CompileError, "This host refuses");
  for (const { cause } of [error, other]) assertInstanceOf(cause, WebAssembly.CompileError);
});

Deno.test("an artifact that uses nothing new loads in an engine without features, and the other way round", async () => {
  const all = new Engine({ ...CONFIG, features: FEATURES });
  const none = new Engine({ ...CONFIG, features: [] });
  const artifacts = await Promise.all([all, none].map((engine) => engine.precompileModule(ANSWER_MODULE)));
  for (const engine of [all, none]) {
    for (const artifact of artifacts) assertEquals(answerOf(engine.deserialize(artifact)), 42);
  }
});

Deno.test("Engine.detectPrecompiled() and detectPrecompiledFile() agree, on files, URLs and Blobs", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const cases: readonly [string, Uint8Array<ArrayBuffer>, "module" | "native" | undefined][] = [
      ["artifact", ARTIFACT, "module"],
      ["sealed", SEALED, "module"],
      ["native", NATIVE_ARTIFACT, "native"],
      ["cut", ARTIFACT.slice(0, 64), "module"],
      ["short", ARTIFACT.slice(0, 20), undefined],
      ["plain", ANSWER_MODULE, undefined],
      ["component", fromHex("0061736d0d000100"), undefined],
      ["empty", new Uint8Array(0), undefined],
      ["text", new TextEncoder().encode("extmemfs.artifact".repeat(10)), undefined],
    ];
    for (const [name, bytes, kind] of cases) {
      const path = `${directory}/${name} ü#%.wasm`;
      await Deno.writeFile(path, bytes);
      assertEquals(Engine.detectPrecompiled(bytes), kind, name);
      assertEquals(await Engine.detectPrecompiledFile(path), kind, name);
      const url = new URL(`file://${path.split("/").map(encodeURIComponent).join("/")}`);
      assertEquals(await Engine.detectPrecompiledFile(url), kind, name);
      assertEquals(await Engine.detectPrecompiledFile(new Blob([bytes])), kind, name);
    }
    await assertRejects(() => Engine.detectPrecompiledFile(`${directory}/missing`), Error, "ENOENT");
    await assertRejects(() => Engine.detectPrecompiledFile(directory), Error, "EISDIR");
    for (const file of [null, undefined, 1, ARTIFACT, {}]) {
      await assertRejects(() => Engine.detectPrecompiledFile(file as string), TypeError);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
