/** The hash (what changes it, what does not) and the check (what loads, what does not, and what is said). */
import * as fc from "fast-check";
import type { CanonicalMap } from "../../../src/artifact/canonical.ts";
import { compareWithEngine, encodeCompatibility } from "../../../src/artifact/compatibility.ts";
import { resolveConfig } from "../../../src/artifact/config.ts";
import { decodeContainer } from "../../../src/artifact/container.ts";
import { sha256, toHex } from "../../../src/artifact/digest.ts";
import { IncompatibleArtifactError } from "../../../src/artifact/errors.ts";
import { FEATURES } from "../../../src/artifact/features.ts";
import { COMPILER_SETTINGS, type SettingRow, TUNABLES } from "../../../src/artifact/settings.ts";
import type { EngineConfig, ResolvedConfig, VersionStrategy } from "../../../src/artifact/types.ts";
import { assert, assertEquals, assertNotEquals } from "../../support/assert.ts";
import { assertProperty, headerFor, NATIVE, otherSetting, PORTABLE, resolved, sealedArtifact } from "./support.ts";

const hashOf = (config: ResolvedConfig): string => toHex(sha256(encodeCompatibility(config)));

/** A minimal module, to put headers before. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** What an engine says of an artifact that another made; the header goes through its encoding. */
function check(maker: ResolvedConfig, reader: ResolvedConfig, changes = {}): IncompatibleArtifactError[] {
  return compareWithEngine(decodeContainer(sealedArtifact(headerFor(maker, changes), EMPTY_MODULE)).header, reader);
}

/** The one error that a check gives. */
function onlyError(maker: ResolvedConfig, reader: ResolvedConfig, changes = {}): IncompatibleArtifactError {
  const errors = check(maker, reader, changes);
  assertEquals(errors.length, 1, errors.map(({ message }) => message).join("\n"));
  assertEquals(errors[0]!.code, "ERR_ARTIFACT_INCOMPATIBLE");
  return errors[0]!;
}

/** Checks all that an error says; its message shows the setting, and the values where they are more than on and off. */
function assertError(
  error: IncompatibleArtifactError,
  ...[kind, setting, found, expected]: [kind: string, setting: string, found: string, expected: string]
): void {
  assertEquals([error.kind, error.setting, error.found, error.expected], [kind, setting, found, expected]);
  const shown = ["feature", "isa-flag"].includes(kind) ? [setting] : [found, expected];
  for (const text of shown) assert(error.message.includes(text), error.message);
}

const names = (...all: string[]) => fc.constantFrom(...all);
const versions = names("1", "1.2", "1.3", "2.0.0", "10", "");

const settingsOf = (rows: readonly SettingRow[], only: (row: SettingRow) => boolean = () => true) =>
  fc.record(
    Object.fromEntries(
      rows.filter(only).map((row) => [
        row.name,
        row.type === "boolean"
          ? fc.boolean()
          : row.type === "integer"
          ? fc.integer({ min: row.minimum!, max: row.maximum! })
          : row.type === "choice"
          ? fc.constantFrom(...row.choices!)
          : fc.array(names("flatten", "rereloop", "vacuum"), { maxLength: 3 }),
      ]),
    ) as Record<string, fc.Arbitrary<unknown>>,
    { requiredKeys: [] },
  );

const strategies: fc.Arbitrary<VersionStrategy | undefined> = fc.oneof(
  fc.constantFrom<VersionStrategy | undefined>(undefined, "engine", "none"),
  fc.record({ custom: names("", "1", "1/1", "engine", "none", "\u00fc") }),
);

/** Features that anything may be without, so that every set is consistent. */
const featureLists = fc.subarray(["mutable-globals", "sign-extensions", "simd", "threads", "tail-call"] as const);

const portableConfigs: fc.Arbitrary<EngineConfig> = fc.record({
  target: fc.record({
    architecture: names("x86_64", "aarch64", "any"),
    operatingSystem: names("linux", "darwin", "any"),
    engine: fc.record({ name: names("v8", "spidermonkey"), version: versions }),
  }),
  compiler: fc.record({
    version: versions.filter((version) => version !== ""),
    // Of two settings that may not stand together one is left as it is.
    settings: settingsOf(COMPILER_SETTINGS, ({ name }) => name !== "trapsNeverHappen"),
  }),
  tunables: settingsOf(TUNABLES),
  features: featureLists,
  version: strategies,
}) as fc.Arbitrary<EngineConfig>;

const nativeConfigs: fc.Arbitrary<EngineConfig> = fc.record({
  target: fc.record({
    architecture: names("x86_64", "aarch64"),
    operatingSystem: names("linux", "darwin"),
    engine: fc.record({ name: fc.constant("wasmtime"), version: versions }),
  }),
  compiler: fc.record({
    name: fc.constant("wasmtime"),
    version: versions.filter((version) => version !== ""),
    settings: settingsOf(COMPILER_SETTINGS, ({ name }) => ["optimizeLevel", "passes"].includes(name)),
  }),
  isaFlags: fc.dictionary(names("has_avx", "has_avx2", "has_sse3"), fc.boolean()),
  features: featureLists,
  version: strategies,
}) as fc.Arbitrary<EngineConfig>;

const configs = fc.oneof(portableConfigs, nativeConfigs);

/** A configuration that has been changed in one thing, and whether the hash must tell. */
interface Change {
  readonly what: string;
  readonly config: ResolvedConfig;
  readonly counts: boolean;
}

/** All single changes of a whole configuration, whether they make sense or not. */
function singleChanges(config: ResolvedConfig): Change[] {
  const { target, compiler, tunables, isaFlags, features, version } = config;
  const { engine } = target;
  const bound = version === "engine";
  const changes: Change[] = [];
  const add = (what: string, change: object, counts = true) => {
    changes.push({ what, config: { ...config, ...change } as ResolvedConfig, counts });
  };
  add("architecture", { target: { ...target, architecture: `${target.architecture}2` } });
  add("operating system", { target: { ...target, operatingSystem: `${target.operatingSystem}2` } });
  add("engine", { target: { ...target, engine: { ...engine, name: `${engine.name}2` } } });
  add("engine version", { target: { ...target, engine: { ...engine, version: `${engine.version}.1` } } }, bound);
  add("compiler", { compiler: { ...compiler, name: compiler.name === "binaryen" ? "wasmtime" : "binaryen" } });
  add("compiler version", { compiler: { ...compiler, version: `${compiler.version}.1` } }, bound);
  for (const row of COMPILER_SETTINGS) {
    const value = otherSetting(row, compiler.settings[row.name as keyof typeof compiler.settings]);
    add(row.name, { compiler: { ...compiler, settings: { ...compiler.settings, [row.name]: value } } });
  }
  for (const row of TUNABLES) {
    add(row.name, {
      tunables: { ...tunables, [row.name]: otherSetting(row, tunables[row.name as keyof typeof tunables]) },
    });
  }
  const toggled = (list: readonly string[], name: string) =>
    list.includes(name) ? list.filter((other) => other !== name) : [...list, name];
  for (const flag of ["has_avx", "has_avx512", "has_sse3"]) add(flag, { isaFlags: toggled(isaFlags, flag) });
  for (const feature of FEATURES) add(feature, { features: toggled(features, feature) });
  const texts = [`${engine.version}/${compiler.version}`, engine.version, compiler.version, "", "none", "engine", "x"];
  const others: VersionStrategy[] = ["engine", "none", ...[...new Set(texts)].map((custom) => ({ custom }))];
  for (const other of others) {
    if (JSON.stringify(other) !== JSON.stringify(version)) add(JSON.stringify(other), { version: other });
  }
  return changes;
}

Deno.test("the compatibility hash changes with each thing that counts, and with nothing else", () => {
  assertProperty(
    fc.property(configs, (written) => {
      const config = resolveConfig(written);
      const hash = hashOf(config);
      const seen = new Map<string, string>();
      for (const { what, config: changed, counts } of singleChanges(config)) {
        const other = hashOf(changed);
        assertEquals(other !== hash, counts, what);
        if (!counts) continue;
        assert(!seen.has(other), `${what} gives the hash that ${seen.get(other)} gives`);
        seen.set(other, what);
      }
      assert(seen.size > 45, `${seen.size}`);
    }),
    150,
  );
});

Deno.test("the compatibility hash of strategy engine is that of no custom text", () => {
  const engine = resolved();
  const { target, compiler } = engine;
  const texts = [
    ...["engine", "none", "", `${target.engine.version}/${compiler.version}`, target.engine.version, compiler.version],
    ...[`${target.engine.version}${compiler.version}`, `engine${target.engine.version}`],
  ];
  const all = [engine, resolved({ version: "none" }), ...texts.map((custom) => resolved({ version: { custom } }))];
  assertEquals(new Set(all.map(hashOf)).size, texts.length + 2);
  // Where one version ends and the other begins counts.
  const versioned = (a: string, b: string) =>
    hashOf(resolved({
      target: { ...PORTABLE.target!, engine: { name: "v8", version: a } },
      compiler: { version: b },
    }));
  assertNotEquals(versioned("1.2", "3"), versioned("1.", "23"));
  assertNotEquals(versioned("", "12"), versioned("1", "2"));
});

/** An object with its members the other way round, and all in it alike. */
function turned(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toReversed().map(([key, item]) => [key, turned(item)]));
}

Deno.test("equal configurations that are written differently have equal hashes", () => {
  assertProperty(
    fc.property(configs, fc.array(fc.nat(), { minLength: 1 }), (written, order) => {
      const config = resolveConfig(written);
      const hash = hashOf(config);
      const list = [...config.features];
      const shuffled = list.map((name, index) => [order[index % order.length]!, name] as const)
        .toSorted(([a], [b]) => a - b).map(([, name]) => name);
      const off = Object.fromEntries(FEATURES.filter((name) => !list.includes(name)).map((name) => [name, false]));
      const on = Object.fromEntries(list.map((name) => [name, true]));
      const ways: [string, EngineConfig, ResolvedConfig["features"]?][] = [
        ["as written", written],
        ["with its members the other way round", turned(written) as EngineConfig],
        ["with its features in another order", { ...written, features: shuffled }],
        ["with its features twice", { ...written, features: [...shuffled, ...list] }],
        ["with its features as changes", { ...written, features: { ...on, ...off } }, FEATURES],
        ["with what the host has", { ...written, features: undefined as never }, shuffled],
        ["with all tunables", { ...written, tunables: config.tunables }],
        ["with all settings", { ...written, compiler: { ...written.compiler, settings: config.compiler.settings } }],
        ["with its version strategy", { ...written, version: config.version }],
      ];
      const flags = { ...written.isaFlags };
      for (const flag of ["has_avx", "has_fma", "has_bmi1"]) flags[flag] ??= false;
      if (config.compiler.name === "wasmtime") ways.push(["with flags that are off", { ...written, isaFlags: flags }]);
      const bare = Object.fromEntries(Object.entries(flags).filter(([, on]) => on));
      ways.push(["without flags that are off", { ...written, isaFlags: bare }]);
      for (const [what, way, features] of ways) assertEquals(hashOf(resolveConfig(way, { features })), hash, what);
    }),
    250,
  );
});

Deno.test("engines with equal hashes load each other's artifacts", () => {
  let equal = 0;
  const pairs = fc.oneof(
    fc.tuple(configs, configs),
    // Two that differ in little, or in what does not count.
    fc.tuple(configs, versions, versions, strategies).map(([config, engineVersion, version, strategy]) => {
      const engine = { ...config.target!.engine, version: engineVersion };
      const compiler = { ...config.compiler, version: version || "0" };
      const one = { ...config, version: strategy as VersionStrategy };
      return [one, { ...one, target: { ...config.target!, engine }, compiler }] as [EngineConfig, EngineConfig];
    }),
  );
  assertProperty(
    fc.property(pairs, ([a, b]) => {
      const [one, other] = [resolveConfig(a), resolveConfig(b)];
      assertEquals(check(one, one).length, 0);
      if (hashOf(one) !== hashOf(other)) return;
      equal++;
      assertEquals(check(one, other), []);
      assertEquals(check(other, one), []);
    }),
    1500,
  );
  assert(equal > 50, `only ${equal} pairs were equal`);
});

Deno.test("checkCompatible() reports what does not fit in the order of the check, each thing once", () => {
  const maker = resolveConfig({
    ...NATIVE,
    compiler: { name: "wasmtime", version: "29.0.1", settings: { passes: ["x"], optimizeLevel: 0 } },
    isaFlags: { has_b: true, has_a: true },
  });
  const reader = resolved({
    target: { architecture: "x86_64", operatingSystem: "darwin", engine: { name: "v8", version: "14.9" } },
    features: ["simd"],
    tunables: { denan: true, trapMode: "js" },
    compiler: { version: "132.0.0", settings: { fastMath: true, debugInfo: true } },
  });
  assertEquals(check(maker, reader, { kind: "module" }).map(({ kind, setting }) => `${kind} ${setting}`), [
    "version version",
    "compiler compiler",
    "architecture architecture",
    "operating-system operating-system",
    "host-engine host-engine",
    "setting passes",
    "setting fastMath",
    "isa-flag has_a",
    "isa-flag has_b",
    "tunable denan",
    "tunable trapMode",
    "feature mutable-globals",
    "feature bulk-memory",
    "feature reference-types",
  ]);
});

Deno.test("checkCompatible() tells for each kind what was found and what was expected", () => {
  const reader = resolved();
  const { target } = PORTABLE;
  const make = (changes: EngineConfig) => resolved(changes);
  const withTarget = (changes: object) => make({ target: { ...target!, ...changes } });
  assertError(
    onlyError(withTarget({ architecture: "aarch64" }), reader),
    ...["architecture", "architecture", "aarch64", "x86_64"] as const,
  );
  assertError(
    onlyError(withTarget({ operatingSystem: "windows" }), reader),
    ...["operating-system", "operating-system", "windows", "linux"] as const,
  );
  assertError(
    onlyError(withTarget({ engine: { name: "spidermonkey", version: "14.1" } }), reader),
    ...["host-engine", "host-engine", "spidermonkey", "v8"] as const,
  );
  assertError(
    onlyError(reader, reader, { compiler: "wasmtime" }),
    ...["compiler", "compiler", "wasmtime", "binaryen"] as const,
  );
  for (const row of COMPILER_SETTINGS.filter(({ decides }) => decides === "meaning")) {
    const value = otherSetting(row, row.default);
    const maker = make({ compiler: { version: "132.0.0", settings: { [row.name]: value } } });
    const [a, b] = [JSON.stringify(value), JSON.stringify(row.default)];
    assertError(onlyError(maker, reader), "setting", row.name, a, b);
    assertError(onlyError(reader, maker), "setting", row.name, b, a);
  }
  for (const row of TUNABLES) {
    const value = otherSetting(row, row.default);
    const maker = make({ tunables: { [row.name]: value } });
    const [a, b] = [JSON.stringify(value), JSON.stringify(row.default)];
    assertError(onlyError(maker, reader), "tunable", row.name, a, b);
    assertError(onlyError(reader, maker), "tunable", row.name, b, a);
  }
  const native = resolveConfig(NATIVE);
  const flagged = resolveConfig({ ...NATIVE, isaFlags: { has_avx2: true } });
  assertError(onlyError(flagged, native), "isa-flag", "has_avx2", "on", "off");
  const threads = make({ features: [...reader.features, "threads"] });
  assertError(onlyError(threads, reader), "feature", "threads", "used", "off");
});

Deno.test("checkCompatible() refuses settings, tunables, flags and features that it does not know", () => {
  const reader = resolved();
  const odd: readonly [string, CanonicalMap, string][] = [
    ["shiny", { shiny: true }, "true"],
    ["shiny", { shiny: [1, { a: null }] }, '[1,{"a":null}]'],
    ["constructor", { constructor: 1 }, "1"],
    ["__proto__", JSON.parse('{"__proto__":"x"}'), '"x"'],
  ];
  for (const [name, map, shown] of odd) {
    assertError(onlyError(reader, reader, { settings: map }), "setting", name, shown, "unknown");
    assertError(onlyError(reader, reader, { tunables: map }), "tunable", name, shown, "unknown");
  }
  assertError(onlyError(reader, reader, { features: ["teleport"] }), "feature", "teleport", "used", "off");
  assertError(onlyError(reader, reader, { features: ["constructor"] }), "feature", "constructor", "used", "off");
  assertError(onlyError(reader, reader, { isaFlags: ["has_magic"] }), "isa-flag", "has_magic", "on", "off");
  // A known one with a value of another type.
  for (const value of [1, "true", null, [], {}, "allow", new Uint8Array(1)]) {
    assertEquals(onlyError(reader, reader, { settings: { fastMath: value } }).setting, "fastMath");
    assertEquals(onlyError(reader, reader, { tunables: { denan: value } }).setting, "denan");
  }
  assertEquals(onlyError(reader, reader, { settings: { passes: "flatten" } }).setting, "passes");
});

Deno.test("checkCompatible() passes what differs only in how good the code is", () => {
  const reader = resolved();
  for (const row of COMPILER_SETTINGS.filter(({ decides }) => decides === "speed")) {
    const maker = resolved({
      compiler: { version: "132.0.0", settings: { [row.name]: otherSetting(row, row.default) } },
    });
    assertEquals(check(maker, reader), [], row.name);
    assertEquals(check(reader, maker), [], row.name);
    assertNotEquals(hashOf(maker), hashOf(reader), `${row.name} is part of the hash`);
  }
});

Deno.test("checkCompatible() passes a subset of the engine's features and flags, and names what is beyond", () => {
  assertProperty(
    fc.property(featureLists, featureLists, (used, had) => {
      const errors = check(resolved(), resolved({ features: had }), { features: used });
      assertEquals(errors.map(({ kind }) => kind), errors.map(() => "feature"));
      assertEquals(errors.map(({ setting }) => setting), used.filter((name) => !had.includes(name)));
    }),
    300,
  );
  const flags = fc.subarray(["has_avx", "has_avx2", "has_sse3", "has_sse41"]);
  const withFlags = (on: string[]) =>
    resolveConfig({ ...NATIVE, isaFlags: Object.fromEntries(on.map((name) => [name, true])) });
  assertProperty(
    fc.property(flags, flags, (used, had) => {
      const errors = check(withFlags(used), withFlags(had));
      assertEquals(errors.map(({ setting }) => setting), used.filter((name) => !had.includes(name)));
    }),
    300,
  );
  // A flag that is off is a flag that is not there.
  const off = resolveConfig({ ...NATIVE, isaFlags: { has_avx512: false } });
  assertEquals(check(off, resolveConfig(NATIVE)), []);
  assertEquals(check(off, withFlags(["has_avx512"])), []);
});

const engineVersioned = (version: string, compilerVersion: string, strategy: VersionStrategy = "engine") =>
  resolved({
    target: { ...PORTABLE.target!, engine: { name: "v8", version } },
    compiler: { version: compilerVersion },
    version: strategy,
  });

Deno.test("checkCompatible() asks under strategy engine for equal numbers before the first dots", () => {
  const loads: readonly [string, string, string, string, boolean][] = [
    ["14.9.207.2", "132.0.0", "14.9.207.2", "132.0.0", true],
    ["14.9.207.2", "132.0.0", "14.0", "132", true],
    ["14", "132", "14.9-rusty", "132.5", true],
    ["14.9", "132", "15.0", "132", false],
    ["14.9", "132", "14.9", "133", false],
    ["14.9", "132", "140.9", "132", false],
    ["1.2", "3", "12", "3", false],
    ["", "132", "", "132.1", true],
    ["", "132", "14", "132", false],
    ["14", "132", "", "132", false],
    // Unlike a version, the hash of a build has nothing before a dot but all.
    ["a1b2c3", "132", "a1b2c3", "132", true],
    ["a1b2c3", "132", "a1b2c4", "132", false],
    ["132", "14", "14", "132", false],
  ];
  for (const [engine, compiler, hereEngine, here, fits] of loads) {
    const [maker, reader] = [engineVersioned(engine, compiler), engineVersioned(hereEngine, here)];
    if (fits) {
      assertEquals(check(maker, reader), []);
      continue;
    }
    const [a, b] = [`engine '${engine}/${compiler}'`, `engine '${hereEngine}/${here}'`];
    assertError(onlyError(maker, reader), "version", "version", a, b);
    assert(onlyError(maker, reader).message.includes("before the first dots"));
  }
});

Deno.test("checkCompatible() compares version strategies, and custom texts letter by letter", () => {
  const strategy = (version: VersionStrategy) => engineVersioned("14.9", "132.0", version);
  const custom = (text: string) => strategy({ custom: text });
  const all = [strategy("engine"), custom("a"), custom("A"), custom(""), custom("14.9/132.0"), custom("engine")];
  for (const maker of all) {
    for (const reader of all) assertEquals(check(maker, reader).length, maker === reader ? 0 : 1);
  }
  const none = strategy("none");
  for (const maker of [...all, none]) assertEquals(check(maker, none), [], "none accepts any");
  for (const reader of all) {
    const found = onlyError(none, reader);
    assertEquals([found.kind, found.found], ["version", "none"]);
  }
  assertError(onlyError(custom("a"), custom("b")), "version", "version", "custom 'a'", "custom 'b'");
  // Under these strategies the engine's own versions do not matter.
  assertEquals(check(engineVersioned("1", "1", "none"), engineVersioned("2", "2", "none")), []);
  assertEquals(check(engineVersioned("1", "1", { custom: "x" }), engineVersioned("2", "2", { custom: "x" })), []);
});

Deno.test("checkCompatible() passes an artifact for any target, and none that is not for any where any is asked for", () => {
  const any = resolved({
    target: { architecture: "any", operatingSystem: "any", engine: { name: "any", version: "" } },
  });
  const reader = resolved();
  assertEquals(check(any, reader), []);
  assertEquals(check(any, engineVersioned("15", "132.1")), [], "the version of any engine is no version");
  assertError(
    onlyError(any, engineVersioned("14.9", "133")),
    ...["version", "version", "engine '/132.0.0'", "engine '14.9/133'"] as const,
  );
  assertEquals(check(reader, any).map(({ kind, found, expected }) => [kind, found, expected]), [
    ["version", "engine '14.9.207.2/132.0.0'", "engine '/132.0.0'"],
    ["architecture", "x86_64", "any"],
    ["operating-system", "linux", "any"],
    ["host-engine", "v8", "any"],
  ]);
  const anyMachine = resolved({ target: { ...PORTABLE.target!, architecture: "any", operatingSystem: "any" } });
  assertEquals(check(anyMachine, reader), []);
  assertEquals(onlyError(reader, reader, { compiler: "any" }).kind, "compiler");
});

Deno.test("compareWithEngine() never throws, whatever a header says", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), names("any", "binaryen", "v8", "14/132", "/", "//", "."));
  const values = fc.oneof(fc.boolean(), fc.nat(), text, fc.constant(null), fc.array(text), fc.uint8Array());
  const maps = fc.dictionary(fc.oneof(text, names("passes", "fastMath", "trapMode", "denan")), values);
  assertProperty(
    fc.property(
      fc.record({
        versionStrategy: fc.constantFrom("engine", "custom", "none"),
        version: text.filter((version) => new TextEncoder().encode(version).length < 256),
        target: fc.record({ architecture: text, operatingSystem: text, engine: text }),
        compiler: text,
        settings: maps,
        tunables: maps,
        isaFlags: fc.array(text),
        features: fc.array(text),
      }),
      (changes) => {
        for (const error of check(resolved(), resolved(), changes)) assert(error instanceof IncompatibleArtifactError);
      },
    ),
    500,
  );
});
