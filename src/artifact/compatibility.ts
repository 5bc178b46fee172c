/**
 * The two answers to "does this artifact load here": the hash, which is deliberately fine (equal hashes load, different ones
 * may), and the check, which knows what does not matter.
 *
 * Both follow the model of Wasmtime's `precompile_compatibility_hash` and `check_compatible`; the order of the check is
 * that of {@linkcode IncompatibilityKind}.
 *
 * @module
 */
import { type CanonicalMap, type CanonicalValue, encodeTagged } from "./canonical.ts";
import type { ArtifactHeader } from "./container.ts";
import { FORMAT_VERSION } from "./container.ts";
import { type IncompatibilityKind, IncompatibleArtifactError } from "./errors.ts";
import { COMPILER_SETTINGS, type SettingRow, type SettingValue, TUNABLES } from "./settings.ts";
import type { ResolvedConfig, VersionStrategy } from "./types.ts";

/** The domain and version of the encoding that is hashed. */
const DOMAIN = "extmemfs.serialization-compatibility";
const ENCODING_VERSION = 1;

/** The bytes whose SHA-256 is the compatibility hash: docs/artifact.md describes them. */
export function encodeCompatibility(config: ResolvedConfig): Uint8Array<ArrayBuffer> {
  const { target, compiler, isaFlags, tunables, features } = config;
  return encodeTagged(DOMAIN, ENCODING_VERSION, [
    FORMAT_VERSION,
    [target.architecture, target.operatingSystem, target.engine.name],
    compiler.name,
    differing(COMPILER_SETTINGS, compiler.settings),
    [...isaFlags].sort(),
    differing(TUNABLES, tunables),
    [...features].sort(),
    encodeVersion(config),
  ]);
}

function encodeVersion({ version, target, compiler }: ResolvedConfig): CanonicalValue {
  if (version === "none") return ["none"];
  if (version === "engine") return ["engine", target.engine.version, compiler.version];
  return ["custom", version.custom];
}

/**
 * The settings that are not at their default. Those at it are left out, so that a setting which a later version of this
 * library adds changes no hash of a configuration that does not use it. For the same reason a default never changes.
 */
export function differing(rows: readonly SettingRow[], settings: object): CanonicalMap {
  const map: Record<string, CanonicalValue> = {};
  for (const row of rows) {
    const value = (settings as Record<string, SettingValue>)[row.name]!;
    if (!equalSettings(value, row.default)) map[row.name] = value;
  }
  return map;
}

/** The text of a version as the header carries it. */
export function versionText({ version, target, compiler }: ResolvedConfig): string {
  if (version === "none") return "";
  if (version === "engine") return `${target.engine.version}/${compiler.version}`;
  return version.custom;
}

/** The name of a version strategy. */
export function strategyName(version: VersionStrategy): "engine" | "custom" | "none" {
  return typeof version === "string" ? version : "custom";
}

/**
 * Compares what an artifact was made for with an engine.
 *
 * @returns what does not fit, in the order of {@linkcode IncompatibilityKind}; empty where the artifact loads.
 */
export function compareWithEngine(header: ArtifactHeader, config: ResolvedConfig): IncompatibleArtifactError[] {
  const problems: IncompatibleArtifactError[] = [];
  const report = (kind: IncompatibilityKind, setting: string, found: string, expected: string, message: string) => {
    problems.push(new IncompatibleArtifactError(kind, setting, found, expected, message));
  };
  compareVersion(header, config, report);
  const { target, compiler } = config;
  const same: readonly [IncompatibilityKind, string, string, string][] = [
    ["compiler", "the compiler", header.compiler, compiler.name],
    ["architecture", "the architecture", header.target.architecture, target.architecture],
    ["operating-system", "the operating system", header.target.operatingSystem, target.operatingSystem],
    ["host-engine", "the host engine", header.target.engine, target.engine.name],
  ];
  for (const [kind, what, found, expected] of same) {
    if (found === expected || (found === "any" && kind !== "compiler")) continue;
    report(kind, kind, found, expected, `The artifact was made for ${what} '${found}', this engine has '${expected}'`);
  }
  compareSettings("setting", "compiler setting", COMPILER_SETTINGS, header.settings, compiler.settings, report);
  for (const flag of header.isaFlags) {
    if (config.isaFlags.includes(flag)) continue;
    report(
      "isa-flag",
      flag,
      "on",
      "off",
      `The artifact was compiled with the processor flag '${flag}', which is off in this engine`,
    );
  }
  compareSettings("tunable", "tunable", TUNABLES, header.tunables, config.tunables, report);
  for (const feature of header.features) {
    if ((config.features as readonly string[]).includes(feature)) continue;
    report(
      "feature",
      feature,
      "used",
      "off",
      `The artifact uses the WebAssembly feature '${feature}', which this engine does not have: ` +
        `compile it for this target, or switch the feature on where the host has it`,
    );
  }
  return problems;
}

type Report = (kind: IncompatibilityKind, setting: string, found: string, expected: string, message: string) => void;

function compareVersion(header: ArtifactHeader, config: ResolvedConfig, report: Report): void {
  const strategy = strategyName(config.version);
  if (strategy === "none") return;
  const expected = versionText(config);
  const describe = (name: string, text: string) => name === "none" ? "none" : `${name} '${text}'`;
  const anyEngine = header.target.engine === "any";
  const fits = header.versionStrategy === strategy &&
    (strategy === "custom"
      ? header.version === expected
      : majors(header.version, anyEngine) === majors(expected, anyEngine));
  if (fits) return;
  const found = describe(header.versionStrategy, header.version);
  const rule = strategy === "engine" ? " (the numbers before the first dots must agree)" : "";
  report(
    "version",
    "version",
    found,
    describe(strategy, expected),
    `The artifact is of version ${found}, this engine asks for ${describe(strategy, expected)}${rule}`,
  );
}

/** The major versions of a text `<host engine's>/<compiler's>`; without the host engine's, where any one will do. */
function majors(version: string, anyEngine: boolean): string {
  const [engine, compiler] = version.split("/").map((part) => part.split(".")[0]);
  return anyEngine ? `${compiler}` : `${engine}/${compiler}`;
}

/** Compares the settings that decide a meaning. A name that this library does not know never fits. */
function compareSettings(
  kind: "setting" | "tunable",
  what: string,
  rows: readonly SettingRow[],
  found: CanonicalMap,
  expected: object,
  report: Report,
): void {
  const mine = expected as Record<string, SettingValue>;
  for (const { name, decides, default: standard } of rows) {
    if (decides === "speed") continue;
    const value = Object.hasOwn(found, name) ? found[name] as SettingValue : standard;
    if (equalSettings(value, mine[name]!)) continue;
    const [a, b] = [JSON.stringify(value), JSON.stringify(mine[name])];
    report(kind, name, a, b, `The artifact was compiled with the ${what} '${name}' ${a}, this engine has ${b}`);
  }
  for (const name of Object.keys(found)) {
    if (rows.some((row) => row.name === name)) continue;
    const value = JSON.stringify(found[name]);
    report(kind, name, value, "unknown", `The artifact was compiled with the ${what} '${name}' ${value}, unknown here`);
  }
}

function equalSettings(a: SettingValue, b: SettingValue): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
