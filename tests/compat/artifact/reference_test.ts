/**
 * The encoding, hash, keys, container and seal of docs/artifact.md: the library and a second implementation, in Python,
 * against vectors that never change.
 *
 * Where the library's output differs from vectors.json, artifacts and stores of earlier versions are lost: what has to be
 * done then is in docs/artifact.md, "What changes the hash". Vectors are added, never rewritten.
 *
 * @module
 */
import { loadPyodide } from "pyodide";
import {
  type CanonicalMap,
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
} from "../../../src/artifact/canonical.ts";
import { encodeCompatibility } from "../../../src/artifact/compatibility.ts";
import { resolveConfig } from "../../../src/artifact/config.ts";
import {
  type ArtifactHeader,
  type ArtifactKind,
  decodeContainer,
  encodeContainer,
} from "../../../src/artifact/container.ts";
import { sha256, toHex } from "../../../src/artifact/digest.ts";
import { Engine } from "../../../src/artifact/engine.ts";
import { COMPILER_SETTINGS, type SettingRow, TUNABLES } from "../../../src/artifact/settings.ts";
import { applySeal, sealKey } from "../../../src/artifact/seal.ts";
import { digestExtra, encodeKey, keyOfHeader } from "../../../src/artifact/store/key.ts";
import type { EngineConfig, ResolvedConfig } from "../../../src/artifact/types.ts";
import { COMPATIBILITY_HASH } from "../../../src/layout/compatibility.ts";
import { STRUCTURES } from "../../../src/layout/structures.ts";
import { FORMAT_VERSION } from "../../../src/layout/superblock.ts";
import { encodeLayout } from "../../../tools/generate_docs.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { fromHex } from "../../unit/artifact/support.ts";

/** A value as JSON: bytes are `{ hex }`. */
type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

interface Vectors {
  readonly values: readonly { readonly value: JsonValue; readonly encoding: string }[];
  readonly configs: readonly ConfigVector[];
  readonly artifacts: readonly ArtifactVector[];
}

interface ConfigVector {
  readonly name: string;
  readonly written: EngineConfig;
  readonly resolved: ResolvedConfig;
  readonly wasm: string;
  readonly extra: readonly (string | { readonly hex: string })[];
  readonly encoding: string;
  readonly hash: string;
  readonly extraDigest: string;
  readonly storeKey: string;
}

interface ArtifactVector {
  readonly name: string;
  readonly config: string;
  readonly key: string | null;
  readonly kind: ArtifactKind;
  readonly version: string;
  readonly metadata: JsonValue;
  readonly payload: string;
  readonly storeKey: string;
  readonly base64: string;
}

const read = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));
const VECTORS: Vectors = JSON.parse(read("./vectors.json"));
const DOCUMENT = read("../../../docs/artifact.md");

function fromJson(value: JsonValue): CanonicalValue {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== "object" || value === null) return value as CanonicalValue;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === "hex") return fromHex(entries[0]![1] as string);
  return Object.fromEntries(entries.map(([name, item]) => [name, fromJson(item)]));
}

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const extraOf = ({ extra }: ConfigVector) => extra.map((item) => typeof item === "string" ? item : fromHex(item.hex));
const configOf = ({ config }: ArtifactVector) => VECTORS.configs.find(({ name }) => name === config)!;

Deno.test("the vectors cover every setting, tunable and type of value", () => {
  assert(VECTORS.configs.length >= 12 && VECTORS.artifacts.length >= 2);
  const differs = (rows: readonly SettingRow[], settingsOf: (config: ResolvedConfig) => object) => {
    for (const row of rows) {
      const found = VECTORS.configs.map(({ resolved }) => (settingsOf(resolved) as Record<string, unknown>)[row.name]);
      assert(found.some((value) => JSON.stringify(value) !== JSON.stringify(row.default)), `${row.name} never differs`);
    }
  };
  differs(COMPILER_SETTINGS, ({ compiler }) => compiler.settings);
  differs(TUNABLES, ({ tunables }) => tunables);
});

Deno.test("encodeCanonical() gives the bytes of the vectors", () => {
  for (const { value, encoding } of VECTORS.values) {
    assertEquals(toHex(encodeCanonical(fromJson(value))), encoding, JSON.stringify(value));
    assertEquals(encodeCanonical(decodeCanonical(fromHex(encoding))), fromHex(encoding));
  }
});

Deno.test("configurations, hashes and store keys are those of the vectors", () => {
  for (const vector of VECTORS.configs) {
    const { name, written, resolved, wasm, encoding, hash, extraDigest, storeKey } = vector;
    const config = resolveConfig(written);
    assertEquals(config, resolved, name);
    assertEquals(toHex(encodeCompatibility(config)), encoding, name);
    const engine = new Engine(written);
    assertEquals(engine.serializationCompatibilityHash(), hash, name);
    const extra = digestExtra(extraOf(vector));
    assertEquals(toHex(extra), extraDigest, name);
    const compatibility = engine.serializationCompatibilityHash("bytes");
    assertEquals(encodeKey({ source: sha256(fromHex(wasm)), compatibility, extra }), storeKey, name);
  }
  const [first, , third] = VECTORS.configs;
  assertEquals(first!.hash, third!.hash, "written differently, and the same");
  assertEquals(new Set(VECTORS.configs.map(({ hash }) => hash)).size, VECTORS.configs.length - 1);
});

Deno.test("artifacts are those of the vectors, byte by byte, and load", () => {
  for (const vector of VECTORS.artifacts) {
    const { name, kind, version, storeKey } = vector;
    const bytes = fromBase64(vector.base64);
    const { header, payloadAt } = decodeContainer(bytes);
    assertEquals([header.kind, header.version, keyOfHeader(header)], [kind, version, storeKey], name);
    const { strategy, target, ...rest } = fromJson(vector.metadata) as CanonicalMap;
    const [architecture, operatingSystem, engineName] = target as string[];
    const expected = { ...rest, kind, version, versionStrategy: strategy } as unknown as ArtifactHeader;
    assertEquals({ ...header, target: null }, { ...expected, target: null }, name);
    assertEquals(header.target, { architecture, operatingSystem, engine: engineName }, name);

    const secret = vector.key === null ? undefined : fromHex(vector.key);
    const key = secret && sealKey(secret);
    const payload = kind === "native" ? fromHex(vector.payload) : fromHex(`0061736d01000000${vector.payload}`);
    const again = encodeContainer(header, payload, key);
    applySeal(again.bytes, again.sealAt, key);
    assertEquals(toHex(again.bytes), toHex(bytes), name);

    const engine = new Engine(configOf(vector).written);
    const options = secret === undefined ? {} : { key: secret };
    if (kind === "native") {
      assertEquals(toHex(engine.deserializeNative(bytes, { ...options, unsafe: true }).code), vector.payload);
      continue;
    }
    assertEquals(toHex(bytes.subarray(payloadAt)), vector.payload, name);
    const { answer } = new WebAssembly.Instance(engine.deserialize(bytes, options)).exports;
    assertEquals((answer as () => number)(), 42, name);
  }
});

Deno.test("a second implementation, by docs/artifact.md and nothing else, gives the vectors too", async () => {
  const python = await loadPyodide();
  python.runPython(read("./reference.py"));
  const ask = python.runPython("import json\nlambda text: json.dumps(answer(json.loads(text)))") as (
    text: string,
  ) => string;
  const answer = (what: string, vector: object) => JSON.parse(ask(JSON.stringify({ ...vector, what })));

  for (const { value, encoding } of VECTORS.values) assertEquals(answer("value", { value }), { encoding, same: true });
  for (const { name, resolved, wasm, extra, encoding, hash, extraDigest, storeKey } of VECTORS.configs) {
    assertEquals(answer("config", { resolved, wasm, extra }), { encoding, hash, extraDigest, storeKey }, name);
  }
  for (const { name, base64, key, kind, version, metadata, payload, storeKey } of VECTORS.artifacts) {
    const expected = { kind, version, metadata, payload: { hex: payload }, key: storeKey, altered: 0, resealed: true };
    assertEquals(answer("artifact", { base64, key }), expected, name);
  }
  const structures = STRUCTURES.map(({ name, bytes, rows }) => [
    name,
    bytes,
    rows.map(({ name, word, words, type, access }) => [name, word, words, type, access]),
  ]);
  const value = [FORMAT_VERSION, structures];
  const digest = answer("tagged", { domain: "extmemfs.pool-layout", version: 1, value });
  assertEquals(digest, toHex(sha256(encodeLayout(STRUCTURES))));
  assertEquals(digest, COMPATIBILITY_HASH.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join(""));
  assert(read("../../../docs/format.md").includes(digest), "docs/format.md has another hash");
});

/** The text between a heading of docs/artifact.md and the next. */
function sectionOf(heading: string): string {
  const start = DOCUMENT.indexOf(`\n${heading}\n`);
  assert(start >= 0, `docs/artifact.md has no heading "${heading}"`);
  const text = DOCUMENT.slice(start + heading.length + 2);
  return text.slice(0, /\n#/.exec(text)?.index ?? text.length);
}

const blocksOf = (section: string) => [...section.matchAll(/```text\n(.*?)```/gs)].map(([, text]) => text!);

Deno.test("docs/artifact.md: the worked example is what the library gives", () => {
  const vector = VECTORS.configs.find(({ name }) => name.includes("docs/artifact.md"))!;
  const [listing, hash] = blocksOf(sectionOf("### Worked example"));
  // Left of what each line says of itself.
  const hex = listing!.split("\n").map((line) => line.slice(0, 44)).join("");
  assertEquals(toHex(fromHex(hex)), vector.encoding);
  assertEquals(hash!.trim(), vector.hash);
  assert(sectionOf("### Worked example").includes(`${vector.encoding.length / 2} bytes`));
  const keys = sectionOf("## Keys of a store");
  assert(keys.includes(vector.wasm) && vector.extra.length === 0);
  assertEquals(blocksOf(keys)[0]!.trim(), vector.storeKey);
});

Deno.test("docs/artifact.md: the tables of settings and tunables are those of the code", () => {
  const lines = sectionOf("## The compatibility hash").split("\n");
  const cells = lines.filter((line) => line.startsWith("| `")).map((line) =>
    line.split("|").map((cell) => cell.trim())
  );
  const documented = cells.map(([, name, type, standard, decides]) => [name, type, standard, decides].join(" "));
  const typeText = ({ type, minimum, maximum, choices }: SettingRow) =>
    type === "integer"
      ? `integer, ${minimum} to ${maximum}`
      : type === "choice"
      ? `one of ${choices!.map((choice) => `\`${choice}\``).join(", ")}`
      : type;
  const coded = [...COMPILER_SETTINGS, ...TUNABLES].map((row) =>
    `\`${row.name}\` ${typeText(row)} \`${JSON.stringify(row.default)}\` ${row.decides}`
  );
  assertEquals(documented, coded);
});

Deno.test("docs/artifact.md: the table of kinds has every kind, in the order of the check", () => {
  const kinds = sectionOf("## The check").split("\n").map((line) => /^\| `([a-z-]+)`/.exec(line)?.[1]);
  const [, declared] = /export type IncompatibilityKind =([^;]*);/.exec(read("../../../src/artifact/errors.ts"))!;
  const sections = [...declared!.matchAll(/"([a-z-]+)"/g)].map(([, kind]) => kind);
  assertEquals(kinds.filter((kind) => kind !== undefined), sections);
});
