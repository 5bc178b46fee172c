/**
 * From a configuration as users write it to one that is whole: defaults, validation, one way to write each thing.
 *
 * @module
 */
import { isPlain } from "./canonical.ts";
import { ArtifactError, ConfigError } from "./errors.ts";
import { assertConsistent, type FeatureName, FEATURES, isFeatureName, sortFeatures } from "./features.ts";
import {
  COMPILER_SETTINGS,
  type CompilerName,
  COMPILERS,
  type CompilerSettings,
  describeValue,
  resolveSettings,
  TUNABLES,
  type Tunables,
} from "./settings.ts";
import type { EngineConfig, ResolvedConfig, Target, VersionStrategy } from "./types.ts";

/** The longest custom version, in bytes of UTF-8: its length is one byte of an artifact's header. */
export const MAXIMUM_VERSION_BYTES = 255;

/** What a configuration takes from the host where it says nothing. */
export interface HostFacts {
  /** The host as a target; undefined where nobody has looked. */
  readonly target?: Target | undefined;
  /** The host's features; undefined where nobody has looked. */
  readonly features?: readonly FeatureName[] | undefined;
  /** The compiler's version; undefined where nobody has asked. */
  readonly compilerVersion?: string | undefined;
}

/**
 * Makes a configuration whole.
 *
 * @throws {ConfigError} naming the part that makes no sense, contradicts another, or is missing.
 */
export function resolveConfig(config: EngineConfig, host: HostFacts = {}): ResolvedConfig {
  assertObject("config", config, ["target", "compiler", "isaFlags", "tunables", "features", "version"]);
  const { compiler = {}, isaFlags = {}, tunables = {} } = config;
  assertObject("compiler", compiler, ["name", "version", "settings"]);
  const { settings = {} } = compiler;
  assertObject("compiler.settings", settings);
  assertObject("tunables", tunables);
  const name = resolveCompilerName(compiler.name);
  const version = resolveVersion(config.version);
  const resolved: ResolvedConfig = {
    target: resolveTarget(config.target === undefined ? host.target : config.target),
    compiler: {
      name,
      version: resolveCompilerVersion(compiler.version === undefined ? host.compilerVersion : compiler.version, name),
      settings: resolveSettings<CompilerSettings>("compiler.settings", COMPILER_SETTINGS, settings),
    },
    isaFlags: resolveIsaFlags(isaFlags),
    tunables: resolveSettings<Tunables>("tunables", TUNABLES, tunables),
    features: resolveFeatures(config.features, host.features),
    version,
  };
  assertNoContradiction(resolved);
  return freezeDeep(resolved);
}

/** The name of the compiler that a configuration asks for. */
export function resolveCompilerName(name: CompilerName | undefined): CompilerName {
  if (name === undefined) return "binaryen";
  if (COMPILERS.includes(name)) return name;
  throw new ConfigError("compiler.name", `must be one of ${COMPILERS.join(", ")}, not ${describeValue(name)}`);
}

function resolveCompilerVersion(version: string | undefined, name: CompilerName): string {
  if (version === undefined) {
    throw new ConfigError(
      "compiler.version",
      `is missing: give the version of ${name}, or use await Engine.create(config)`,
    );
  }
  assertVersion("compiler.version", version);
  return version;
}

function resolveTarget(target: Target | undefined): Target {
  if (target === undefined) {
    throw new ConfigError("target", "is missing: give it, or use await Engine.create(config), which asks the host");
  }
  assertObject("target", target, ["architecture", "operatingSystem", "engine"]);
  const { architecture, operatingSystem, engine } = target;
  assertName("target.architecture", architecture);
  assertName("target.operatingSystem", operatingSystem);
  assertObject("target.engine", engine, ["name", "version"]);
  assertName("target.engine.name", engine.name);
  const { version } = engine;
  if (version !== "") assertVersion("target.engine.version", version);
  return { architecture, operatingSystem, engine: { name: engine.name, version } };
}

function resolveIsaFlags(flags: Readonly<Record<string, boolean>>): readonly string[] {
  assertObject("isaFlags", flags);
  for (const [name, on] of Object.entries(flags)) {
    if (!/^[a-z0-9][a-z0-9_.-]*$/.test(name)) {
      throw new ConfigError(`isaFlags.${name}`, 'is no name of a flag: such names are like "has_avx2"');
    }
    if (typeof on !== "boolean") {
      throw new ConfigError(`isaFlags.${name}`, `must be true or false, not ${describeValue(on)}`);
    }
  }
  return Object.keys(flags).filter((name) => flags[name]).sort();
}

function resolveFeatures(
  given: EngineConfig["features"] = {},
  host: readonly FeatureName[] | undefined,
): FeatureName[] {
  const names = Array.isArray(given) ? given as readonly FeatureName[] : undefined;
  if (names === undefined) assertObject("features", given);
  for (const name of names ?? Object.keys(given)) assertFeatureName(name);
  let features: FeatureName[];
  if (names !== undefined) features = sortFeatures(names);
  else {
    if (host === undefined) {
      throw new ConfigError(
        "features",
        "are missing: list them, or use await Engine.create(config), which asks the host",
      );
    }
    const changes = given as Readonly<Partial<Record<FeatureName, boolean>>>;
    for (const [name, on] of Object.entries(changes)) {
      if (typeof on !== "boolean") {
        throw new ConfigError(`features.${name}`, `must be true or false, not ${describeValue(on)}`);
      }
    }
    features = FEATURES.filter((name) => changes[name] ?? host.includes(name));
  }
  assertConsistent(features);
  return features;
}

function assertFeatureName(name: unknown): void {
  if (isFeatureName(name)) return;
  throw new ConfigError(
    typeof name === "string" ? `features.${name}` : "features",
    `${describeValue(name)} is not the name of a feature; there are ${FEATURES.join(", ")}`,
  );
}

function resolveVersion(version: VersionStrategy | undefined): VersionStrategy {
  if (version === undefined || version === "engine" || version === "none") return version ?? "engine";
  if (typeof version !== "object" || version === null || typeof version.custom !== "string") {
    throw new ConfigError("version", `must be "engine", "none" or { custom: text }, not ${describeValue(version)}`);
  }
  assertObject("version", version, ["custom"]);
  const { custom } = version;
  if (!custom.isWellFormed()) throw new ConfigError("version.custom", "holds a lone surrogate, which UTF-8 cannot say");
  const bytes = new TextEncoder().encode(custom).length;
  if (bytes > MAXIMUM_VERSION_BYTES) {
    throw new ConfigError(
      "version.custom",
      `has ${bytes} bytes of UTF-8, at most ${MAXIMUM_VERSION_BYTES} are possible: shorten it, or use its hash`,
    );
  }
  return { custom };
}

/** What single settings allow, but not together. */
function assertNoContradiction({ compiler, target, tunables, isaFlags }: ResolvedConfig): void {
  const native = compiler.name === "wasmtime";
  const { architecture, operatingSystem, engine } = target;
  if (native && (architecture === "any" || operatingSystem === "any" || engine.name === "any")) {
    throw new ConfigError("target", `"any" is for portable modules: what ${compiler.name} makes is native code`);
  }
  if (engine.name === "any" && engine.version !== "") {
    throw new ConfigError(
      "target.engine.version",
      `is ${describeValue(engine.version)} of an engine "any": leave it empty`,
    );
  }
  if (!native && isaFlags.length > 0) {
    throw new ConfigError(
      `isaFlags.${isaFlags[0]}`,
      `is a flag of native code, which ${compiler.name} does not make: leave it out, or use compiler.name "wasmtime"`,
    );
  }
  if (native) {
    for (const { name, default: standard } of TUNABLES) {
      if (tunables[name as keyof Tunables] === standard) continue;
      throw new ConfigError(
        `tunables.${name}`,
        `is not to be had with ${compiler.name}: leave it out, or use binaryen`,
      );
    }
    const ours: readonly (keyof CompilerSettings)[] = ["optimizeLevel", "shrinkLevel", "passes"];
    for (const { name, default: standard } of COMPILER_SETTINGS) {
      if (ours.includes(name as keyof CompilerSettings)) continue;
      if (compiler.settings[name as keyof CompilerSettings] === standard) continue;
      throw new ConfigError(`compiler.settings.${name}`, `is not to be had with ${compiler.name}: leave it out`);
    }
  }
  if (tunables.trapMode !== "allow" && compiler.settings.trapsNeverHappen) {
    throw new ConfigError(
      "tunables.trapMode",
      `changes traps which compiler.settings.trapsNeverHappen says do not happen`,
    );
  }
}

/** Refuses what is no plain object (a Map's members, say, would be overlooked), or has other members than those named. */
function assertObject(path: string, value: unknown, names?: readonly string[]): void {
  if (typeof value !== "object" || value === null || !isPlain(value)) {
    throw new ConfigError(path, `must be a plain object, not ${describeValue(value)}`);
  }
  const unknown = names && Object.keys(value).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new ConfigError(
    path === "config" ? unknown : `${path}.${unknown}`,
    `is unknown; there are ${names!.join(", ")}`,
  );
}

/** Refuses what is no short, printable text: names and versions of targets come from hosts and from users. */
function assertName(path: string, value: unknown): void {
  if (typeof value === "string" && /^[\x21-\x7e]{1,100}$/.test(value)) return;
  throw new ConfigError(path, `must be a text of 1 to 100 printable ASCII characters, not ${describeValue(value)}`);
}

/** As assertName(); without a slash, which stands between two versions in an artifact's header. */
function assertVersion(path: string, value: unknown): void {
  assertName(path, value);
  if ((value as string).includes("/")) throw new ConfigError(path, `must have no slash: ${describeValue(value)}`);
}

function freezeDeep<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === "object" && member !== null) freezeDeep(member);
  return Object.freeze(value);
}

/** A configuration from the text of a file: JSON of an {@linkcode EngineConfig}. */
export function parseConfig(text: string): EngineConfig {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw new ArtifactError("ERR_ARTIFACT_CONFIG", `The configuration is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  assertObject("config", config);
  return config as EngineConfig;
}
