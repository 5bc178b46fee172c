/**
 * What the tests of artifacts share: seeded properties, values that have a canonical encoding, a configuration to vary.
 *
 * `EXTMEMFS_SEED` repeats a run; fast-check prints the seed with each failure.
 *
 * @module
 */
import * as fc from "fast-check";
import type { CanonicalMap, CanonicalValue } from "../../../src/artifact/canonical.ts";
import { differing, encodeCompatibility, strategyName, versionText } from "../../../src/artifact/compatibility.ts";
import { resolveConfig } from "../../../src/artifact/config.ts";
import { type ArtifactHeader, encodeContainer } from "../../../src/artifact/container.ts";
import { sha256 } from "../../../src/artifact/digest.ts";
import { applySeal, type SealKey } from "../../../src/artifact/seal.ts";
import { COMPILER_SETTINGS, type SettingRow, type SettingValue, TUNABLES } from "../../../src/artifact/settings.ts";
import type { EngineConfig, ResolvedConfig } from "../../../src/artifact/types.ts";

/** Seed of all properties of a run, within the 32 bits that fast-check takes. */
export const SEED: number = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** Checks a property as often as told, from {@linkcode SEED}. */
export function assertProperty<T>(property: fc.IProperty<T>, numRuns: number): void {
  fc.assert(property, { seed: SEED, numRuns });
}

/** {@linkcode assertProperty} for a property that waits. */
export async function assertAsyncProperty<T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void> {
  await fc.assert(property, { seed: SEED, numRuns });
}

/** Every kind of value that has a canonical encoding. */
export const canonicalValues: fc.Arbitrary<CanonicalValue> = fc.letrec<{ value: CanonicalValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    // Lengths of heads change at these; fast-check alone would hardly meet them.
    fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
    fc.constantFrom(-1, -24, -25, -256, -257, -65_536, -65_537, -(2 ** 32), -(2 ** 32) - 1, Number.MIN_SAFE_INTEGER),
    fc.maxSafeInteger(),
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 30 }),
    fc.dictionary(fc.string({ unit: "binary", maxLength: 30 }), tie("value"), { maxKeys: 30 }),
  ),
})).value.map(withoutMinusZero);

/** Minus zero is encoded as zero, so that it does not come back. */
function withoutMinusZero(value: CanonicalValue): CanonicalValue {
  if (typeof value === "number") return value + 0;
  if (Array.isArray(value)) return value.map(withoutMinusZero);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return mapOf(Object.entries(value as CanonicalMap).map(([key, item]) => [key, withoutMinusZero(item)]));
}

/** A map as the decoder makes one: without a prototype, so that `__proto__` is a key like others. */
export function mapOf(entries: Iterable<readonly [string, CanonicalValue]>): CanonicalMap {
  const map: Record<string, CanonicalValue> = Object.create(null);
  for (const [key, value] of entries) map[key] = value;
  return map;
}

/** Bytes of hexadecimal digits, which may be grouped by blanks. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new TypeError(`no hexadecimal digits: ${text}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** A copy of bytes in shared memory, at an offset that is not 0. */
export function toShared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 24), 13, bytes.length);
  shared.set(bytes);
  return shared;
}

/** A configuration that leaves nothing to the host. */
export const PORTABLE: EngineConfig = {
  target: { architecture: "x86_64", operatingSystem: "linux", engine: { name: "v8", version: "14.9.207.2" } },
  compiler: { name: "binaryen", version: "132.0.0" },
  features: ["bulk-memory", "mutable-globals", "reference-types", "sign-extensions", "simd"],
};

/** A configuration for native code that leaves nothing to the host. */
export const NATIVE: EngineConfig = {
  target: { architecture: "aarch64", operatingSystem: "linux", engine: { name: "wasmtime", version: "29.0.1" } },
  compiler: { name: "wasmtime", version: "29.0.1" },
  features: ["bulk-memory", "mutable-globals", "reference-types", "simd"],
};

/** {@linkcode PORTABLE} with other members, whole. */
export function resolved(changes: EngineConfig = {}): ResolvedConfig {
  return resolveConfig({ ...PORTABLE, ...changes });
}

/** The header of an artifact that an engine of a configuration makes of a module which uses some features. */
export function headerFor(config: ResolvedConfig, changes: Partial<ArtifactHeader> = {}): ArtifactHeader {
  const { target, compiler } = config;
  return {
    kind: compiler.name === "wasmtime" ? "native" : "module",
    versionStrategy: strategyName(config.version),
    version: versionText(config),
    target: {
      architecture: target.architecture,
      operatingSystem: target.operatingSystem,
      engine: target.engine.name,
    },
    compiler: compiler.name,
    settings: differing(COMPILER_SETTINGS, compiler.settings),
    isaFlags: config.isaFlags,
    tunables: differing(TUNABLES, config.tunables),
    features: config.features,
    signatureLowered: [],
    source: new Uint8Array(32).fill(0x55),
    sourceBytes: 1234,
    extra: new Uint8Array(0),
    compatibility: sha256(encodeCompatibility(config)),
    provenance: { engineVersion: target.engine.version, compilerVersion: compiler.version },
    ...changes,
  };
}

/** An artifact of a header and a payload, sealed. */
export function sealedArtifact(header: ArtifactHeader, payload: Uint8Array, key?: SealKey): Uint8Array<ArrayBuffer> {
  const { bytes, sealAt } = encodeContainer(header, payload, key);
  applySeal(bytes, sealAt, key);
  return bytes;
}

/** Another value than the given one that a setting may have. */
export function otherSetting({ type, choices, maximum, minimum }: SettingRow, value: SettingValue): SettingValue {
  switch (type) {
    case "boolean":
      return !value;
    case "integer":
      return value === maximum ? minimum! : (value as number) + 1;
    case "choice":
      return choices![(choices!.indexOf(value as string) + 1) % choices!.length]!;
    case "names":
      return [...(value as readonly string[]), "flatten"];
  }
}

/** A module that exports a function `answer`, which returns 42. */
export const ANSWER_MODULE: Uint8Array<ArrayBuffer> = fromHex(
  "0061736d01000000 01050160 00017f 03020100 070a0106 616e73776572 0000 0a060104 00412a0b",
);
