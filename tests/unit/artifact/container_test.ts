/** The container: what it reads back, what it refuses as what, and how little is needed to know one. */
import * as fc from "fast-check";
import {
  type ArtifactHeader,
  decodeContainer,
  detectKind,
  encodeContainer,
  FORMAT_VERSION,
  nativePayload,
} from "../../../src/artifact/container.ts";
import { encodeCanonical } from "../../../src/artifact/canonical.ts";
import { resolveConfig } from "../../../src/artifact/config.ts";
import { type IncompatibilityKind, IncompatibleArtifactError } from "../../../src/artifact/errors.ts";
import { applySeal, SEAL_BYTES, SEAL_HMAC, SEAL_SHA256, sealKey, verifySeal } from "../../../src/artifact/seal.ts";
import { assert, assertEquals, assertInstanceOf, assertThrows } from "../../support/assert.ts";
import {
  ANSWER_MODULE,
  assertProperty,
  fromHex,
  headerFor,
  mapOf,
  NATIVE,
  resolved,
  sealedArtifact,
  toShared,
} from "./support.ts";

const EMPTY_MODULE = fromHex("0061736d01000000");
const KEY = sealKey(new Uint8Array(32).fill(7));
const SECTION_NAME = new TextEncoder().encode("extmemfs.artifact");

const MODULE = sealedArtifact(headerFor(resolved()), ANSWER_MODULE);
const nativeHeader = headerFor(resolveConfig({ ...NATIVE, isaFlags: { has_avx: true } }));
const NATIVE_CODE = Uint8Array.from({ length: 300 }, (_, index) => index * 3);
const NATIVE_ARTIFACT = sealedArtifact(nativeHeader, NATIVE_CODE, KEY);

function assertRefused(bytes: Uint8Array, kind: IncompatibilityKind, ...texts: string[]): IncompatibleArtifactError {
  const error = assertThrows(() => decodeContainer(bytes), IncompatibleArtifactError, undefined, kind);
  assertEquals(error.kind, kind, error.message);
  assertEquals(error.setting, kind);
  for (const text of texts) assert(error.message.includes(text), `"${error.message}" without "${text}"`);
  return error;
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** A module whose first section is a custom one of a name with any content. */
function withSection(content: readonly number[], name: Uint8Array = SECTION_NAME): Uint8Array<ArrayBuffer> {
  const body = [...leb(name.length), ...name, ...content];
  return Uint8Array.from([...EMPTY_MODULE, 0, ...leb(body.length), ...body]);
}

/** A header's content with metadata of any bytes, unsealed. */
function contentOf(
  metadata: Uint8Array,
  { format = 1, kind = 0, version = [65], seal = 1, extra = [] as number[] } = {},
) {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, metadata.length, true);
  const head = [format, kind, version.length, ...version, ...length, ...metadata];
  return [...head, seal, ...new Array(SEAL_BYTES - 1).fill(0), ...extra];
}

Deno.test("decodeContainer() reads what encodeContainer() was given", () => {
  const texts = fc.string({ unit: "binary", maxLength: 60 });
  const lists = fc.array(texts, { maxLength: 5 });
  const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const settings = fc.dictionary(texts, fc.oneof(fc.boolean(), fc.nat(), texts, lists), { maxKeys: 5 })
    .map((map) => mapOf(Object.entries(map)));
  const headers: fc.Arbitrary<ArtifactHeader> = fc.record({
    kind: fc.constantFrom("module", "native"),
    versionStrategy: fc.constantFrom("engine", "custom", "none"),
    version: fc.string({ unit: "binary", maxLength: 63 }),
    target: fc.record({ architecture: texts, operatingSystem: texts, engine: texts }),
    compiler: texts,
    settings,
    isaFlags: lists,
    tunables: settings,
    features: lists,
    signatureLowered: lists,
    source: digests,
    sourceBytes: fc.maxSafeNat(),
    extra: fc.oneof(digests, fc.constant(new Uint8Array(0))),
    compatibility: digests,
    provenance: fc.record({ engineVersion: texts, compilerVersion: texts, compileMs: fc.nat() }, {
      requiredKeys: ["engineVersion", "compilerVersion"],
    }),
  });
  assertProperty(
    fc.property(headers, fc.boolean(), fc.uint8Array({ maxLength: 500 }), (header, keyed, code) => {
      const payload = header.kind === "native" ? code : ANSWER_MODULE;
      const key = keyed ? KEY : undefined;
      const { bytes, sealAt } = encodeContainer(header, payload, key);
      for (const view of [bytes, toShared(bytes)]) {
        const layout = decodeContainer(view);
        assertEquals(layout.header, header);
        assertEquals([layout.sealAt, layout.keyIdAt], [sealAt, sealAt - 8]);
        assertEquals(layout.sealKind, keyed ? SEAL_HMAC : SEAL_SHA256);
        assertEquals(view.slice(layout.keyIdAt, sealAt), keyed ? KEY.id : new Uint8Array(8));
        if (header.kind === "native") assertEquals(nativePayload(view, layout), code);
        else assertEquals(view.subarray(layout.payloadAt), ANSWER_MODULE.subarray(8));
        assertEquals(detectKind(view), header.kind);
        assertEquals(detectKind(view.subarray(0, 64)), header.kind);
      }
      // Whatever it says, it is a module to those who do not know it.
      assert(WebAssembly.validate(bytes));
    }),
    300,
  );
});

Deno.test("encodeContainer() leaves 32 zeros for the seal, which verifies once it is applied", () => {
  const { bytes, sealAt } = encodeContainer(headerFor(resolved()), ANSWER_MODULE, KEY);
  assertEquals(bytes.subarray(sealAt, sealAt + 32), new Uint8Array(32));
  const layout = decodeContainer(bytes);
  assertThrows(() => verifySeal(bytes, layout, KEY));
  applySeal(bytes, sealAt, KEY);
  verifySeal(bytes, layout, KEY);
});

Deno.test("detectKind() knows an artifact by 64 bytes or fewer, and takes nothing else for one", () => {
  for (const [artifact, kind] of [[MODULE, "module"], [NATIVE_ARTIFACT, "native"]] as const) {
    let known = 0;
    for (let length = 0; length <= artifact.length; length++) {
      const found = detectKind(artifact.subarray(0, length));
      if (known === 0 && found !== undefined) known = length;
      assertEquals(found, known > 0 ? kind : undefined, `${length} bytes`);
      assertEquals(detectKind(toShared(artifact.subarray(0, length))), found);
    }
    assert(known > 0 && known <= 64, `${known}`);
  }
  const none: readonly [string, Uint8Array][] = [
    ["an ordinary module", ANSWER_MODULE],
    ["the empty module", EMPTY_MODULE],
    ["a component", fromHex("0061736d0d000100")],
    ["a module with names", withSection([1, 0], new TextEncoder().encode("name"))],
    ["a longer name", withSection([1, 0], new TextEncoder().encode("extmemfs.artifacts"))],
    ["a shorter name", withSection([1, 0], new TextEncoder().encode("extmemfs.artifac"))],
    ["the name without content", withSection([])],
    ["the name and one byte", withSection([1])],
    ["a kind that there is not", withSection([1, 2])],
    ["the section in another place", Uint8Array.from([...ANSWER_MODULE, ...MODULE.subarray(8)])],
    ["text", new TextEncoder().encode("extmemfs.artifact")],
    ["zeros", new Uint8Array(100)],
  ];
  for (const [what, bytes] of none) assertEquals(detectKind(bytes), undefined, what);
});

Deno.test("detectKind() of any bytes returns", () => {
  assertProperty(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(40), (bytes, keep) => {
      detectKind(bytes);
      detectKind(Uint8Array.from([...MODULE.subarray(0, keep), ...bytes]));
    }),
    2000,
  );
});

Deno.test("decodeContainer() refuses each thing that is no artifact as what it is", () => {
  assertEquals(assertRefused(new Uint8Array(0), "container").found, "nothing");
  assertRefused(new TextEncoder().encode("hello, world"), "container", "no WebAssembly");
  assertEquals(
    assertRefused(fromHex("7f454c4602010100"), "container").found,
    "bytes that begin with 7f 45 4c 46 02 01 01 00",
  );
  for (let length = 1; length < 8; length++) assertRefused(EMPTY_MODULE.subarray(0, length), "container");

  const component = assertRefused(fromHex("0061736d0d000100"), "module-kind", "component");
  assertEquals([component.found, component.expected], ["component", "module"]);
  assertEquals(assertRefused(fromHex("0061736d02000000"), "module-kind").found, "binary version 02 00 00 00");

  for (const bytes of [EMPTY_MODULE, ANSWER_MODULE, withSection([1], new TextEncoder().encode("name"))]) {
    const missing = assertRefused(bytes, "header-missing", "precompiled");
    assertEquals([missing.found, missing.expected], ["none", "extmemfs.artifact"]);
  }

  for (const format of [0, 2, 3, 255]) {
    const changed = new Uint8Array(MODULE);
    const at = headerStart(MODULE);
    assertEquals(changed[at], FORMAT_VERSION);
    changed[at] = format;
    const error = assertRefused(changed, "format-version", "compile the module again");
    assertEquals([error.found, error.expected], [String(format), "1"]);
  }
  // Of another version nothing else is read.
  assertRefused(withSection([2]), "format-version");
  assertRefused(withSection([2, 77, 255, 1, 2, 3]), "format-version");
});

function headerStart(artifact: Uint8Array): number {
  const { sealAt, header } = decodeContainer(artifact);
  for (let at = sealAt; at > 0; at--) {
    if (SECTION_NAME.every((byte, index) => artifact[at - SECTION_NAME.length + index] === byte)) return at;
  }
  throw new Error(`no header of ${header.kind}`);
}

Deno.test("decodeContainer() refuses an artifact that is cut off anywhere in its header", () => {
  for (const artifact of [MODULE, NATIVE_ARTIFACT]) {
    const { payloadAt } = decodeContainer(artifact);
    for (let length = 0; length < payloadAt; length++) {
      const error = assertThrows(() => decodeContainer(artifact.subarray(0, length)), IncompatibleArtifactError);
      assertEquals(
        error.kind,
        length < 8 ? "container" : length < headerStart(artifact) ? "header-missing" : "header-invalid",
        `${length} bytes: ${error.message}`,
      );
    }
    decodeContainer(artifact.subarray(0, payloadAt));
  }
});

/** The metadata of an artifact as a map that can be changed. */
function metadata(changes: Record<string, unknown> = {}): Uint8Array {
  const map: Record<string, unknown> = {
    strategy: "engine",
    target: ["a", "b", "c"],
    compiler: "binaryen",
    settings: {},
    isaFlags: [],
    tunables: {},
    features: [],
    signatureLowered: [],
    source: new Uint8Array(32),
    sourceBytes: 1,
    extra: new Uint8Array(0),
    compatibility: new Uint8Array(32),
    provenance: { engineVersion: "1", compilerVersion: "2" },
    ...changes,
  };
  for (const [name, value] of Object.entries(map)) if (value === undefined) delete map[name];
  return encodeCanonical(map as Parameters<typeof encodeCanonical>[0]);
}

Deno.test("decodeContainer() refuses metadata that lacks a member, or has one of another type", () => {
  decodeContainer(withSection(contentOf(metadata())));
  const digest = new Uint8Array(32);
  const wrong: Record<string, readonly unknown[]> = {
    strategy: [undefined, "Engine", "", 1, null, ["engine"]],
    target: [undefined, [], ["a", "b"], ["a", "b", "c", "d"], ["a", "b", 1], "abc", {}, null, ["a", "b", null]],
    compiler: [undefined, 1, null, [], {}, digest],
    settings: [undefined, [], "x", 1, null, digest, true],
    tunables: [undefined, [], "x", 1, null, digest],
    isaFlags: [undefined, {}, "x", [1], [null], ["a", ["b"]], digest],
    features: [undefined, {}, "x", [1], [null], digest],
    signatureLowered: [undefined, {}, "x", [1], digest],
    source: [undefined, "x", [], new Uint8Array(31), new Uint8Array(33), new Uint8Array(0), "x".repeat(32)],
    sourceBytes: [-1, "1", null, [], true],
    extra: [undefined, "", [], new Uint8Array(1), new Uint8Array(31), new Uint8Array(64)],
    compatibility: [undefined, "", new Uint8Array(0), new Uint8Array(31)],
    provenance: [
      ...[undefined, "x", [], null, {}, { engineVersion: "1" }, { compilerVersion: "1" }],
      ...[{ engineVersion: 1, compilerVersion: "2" }, { engineVersion: "1", compilerVersion: "2", compileMs: -1 }],
      { engineVersion: "1", compilerVersion: "2", compileMs: "3" },
    ],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const shown = name === "provenance" || (name === "target" && Array.isArray(value)) ? "" : name;
      assertRefused(withSection(contentOf(metadata({ [name]: value }))), "header-invalid", shown);
    }
  }
  for (const value of [null, 1, "x", [], digest]) {
    assertRefused(withSection(contentOf(encodeCanonical(value))), "header-invalid", "metadata");
  }
  // Nothing of a prototype counts as there.
  assertRefused(withSection(contentOf(encodeCanonical({}))), "header-invalid");
  // Notes of later versions are not looked at.
  decodeContainer(withSection(contentOf(metadata({ note: "x", toString: 1 }))));
  decodeContainer(withSection(contentOf(metadata({ sourceBytes: undefined }))));
});

Deno.test("decodeContainer() refuses a header whose lengths do not fit", () => {
  const fine = contentOf(metadata());
  const changed = (at: number, value: number) => fine.map((byte, index) => index === at ? value : byte);
  const cases: readonly [string, number[], string][] = [
    ["empty", [], "empty"],
    ["one byte", [1], "kind is undefined"],
    ["another kind", contentOf(metadata(), { kind: 2 }), "kind is 2"],
    ["a kind of 255", contentOf(metadata(), { kind: 255 }), "kind is 255"],
    ["no length of the version", [1, 0], "too short"],
    ["nothing but fixed parts", [1, 0, 0, 0, 0, 0, 0], "too short"],
    ["a longer version", changed(2, 255), ""],
    ["a shorter version", changed(2, 0), "metadata"],
    ["longer metadata", changed(4, fine[4]! + 1), "metadata"],
    ["shorter metadata", changed(4, fine[4]! - 1), "metadata"],
    ["metadata of gigabytes", changed(7, 255), "metadata"],
    ["bytes after the seal", contentOf(metadata(), { extra: [0] }), "metadata"],
    ["a seal of kind 0", contentOf(metadata(), { seal: 0 }), "seal is 0"],
    ["a seal of kind 3", contentOf(metadata(), { seal: 3 }), "seal is 3"],
    ["a version that is no UTF-8", contentOf(metadata(), { version: [0xff] }), ""],
    ["a version that is half a character", contentOf(metadata(), { version: [0xc3] }), ""],
    ["no metadata", contentOf(new Uint8Array(0)), "canonical"],
    ["metadata with a byte too many", contentOf(Uint8Array.from([...metadata(), 0])), "canonical"],
    ["metadata that is not canonical", contentOf(fromHex("b800")), "canonical"],
  ];
  for (const [, content, text] of cases) {
    assertRefused(withSection(content), "header-invalid", text);
  }
  const longest = decodeContainer(withSection(contentOf(metadata(), { version: new Array(255).fill(65) })));
  assertEquals(longest.header.version, "A".repeat(255));
});

Deno.test("decodeContainer() of any bytes throws an IncompatibleArtifactError or reads a header", () => {
  const attempt = (bytes: Uint8Array) => {
    try {
      decodeContainer(bytes);
    } catch (error) {
      assertInstanceOf(error, IncompatibleArtifactError);
    }
  };
  assertProperty(fc.property(fc.uint8Array({ maxLength: 80 }), attempt), 1000);
  assertProperty(fc.property(fc.uint8Array({ maxLength: 120 }), (content) => attempt(withSection([...content]))), 1000);
  assertProperty(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = new Uint8Array(MODULE);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      attempt(bytes);
    }),
    4000,
  );
});

Deno.test("nativePayload() takes one section with the code and nothing else", () => {
  const layout = decodeContainer(NATIVE_ARTIFACT);
  assertEquals(nativePayload(NATIVE_ARTIFACT, layout), NATIVE_CODE);
  const { payloadAt } = layout;
  const wrong: Uint8Array[] = [
    NATIVE_ARTIFACT.subarray(0, payloadAt),
    NATIVE_ARTIFACT.subarray(0, NATIVE_ARTIFACT.length - 1),
    Uint8Array.from([...NATIVE_ARTIFACT, 0]),
    Uint8Array.from([...NATIVE_ARTIFACT, ...NATIVE_ARTIFACT.subarray(payloadAt)]),
    NATIVE_ARTIFACT.map((byte, index) => index === payloadAt ? 1 : byte),
    Uint8Array.from([...NATIVE_ARTIFACT.subarray(0, payloadAt), ...withSection([1, 2]).subarray(8)]),
  ];
  for (const bytes of wrong) {
    const error = assertThrows(() => nativePayload(bytes, layout), IncompatibleArtifactError, "extmemfs.native");
    assertEquals(error.kind, "header-invalid");
  }
});
