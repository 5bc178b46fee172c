/** Configurations: defaults, what is refused and under which name, and that nonsense is never taken for something. */
import * as fc from "fast-check";
import {
  MAXIMUM_VERSION_BYTES,
  parseConfig,
  resolveCompilerName,
  resolveConfig,
} from "../../../src/artifact/config.ts";
import { ArtifactError, ConfigError } from "../../../src/artifact/errors.ts";
import { type FeatureName, FEATURES } from "../../../src/artifact/features.ts";
import { COMPILER_SETTINGS, COMPILERS, type SettingRow, TUNABLES } from "../../../src/artifact/settings.ts";
import type { EngineConfig, ResolvedConfig } from "../../../src/artifact/types.ts";
import { assert, assertEquals, assertInstanceOf, assertThrows } from "../../support/assert.ts";
import { assertProperty, NATIVE, PORTABLE, resolved } from "./support.ts";

/** A configuration that no type allows. */
type Nonsense = Record<string, unknown>;

function assertRefused(config: unknown, setting: string, ...texts: string[]): void {
  const error = assertThrows(() => resolveConfig(config as EngineConfig), ConfigError, undefined, setting);
  assertEquals(error.setting, setting, error.message);
  assertEquals(error.code, "ERR_ARTIFACT_CONFIG");
  for (const text of [setting, ...texts]) assert(error.message.includes(text), `"${error.message}" without "${text}"`);
}

/** {@linkcode PORTABLE} with one more row of settings or tunables. */
function withRow(path: string, name: string, value: unknown): Nonsense {
  if (path === "tunables") return { ...PORTABLE, tunables: { [name]: value } };
  return { ...PORTABLE, compiler: { ...PORTABLE.compiler, settings: { [name]: value } } };
}

const ROWS: readonly [string, SettingRow][] = [
  ...COMPILER_SETTINGS.map((row) => ["compiler.settings", row] as [string, SettingRow]),
  ...TUNABLES.map((row) => ["tunables", row] as [string, SettingRow]),
];

/** What a row may not be. */
function wrongValues({ type, minimum, maximum }: SettingRow): unknown[] {
  const never = [null, {}, 1n, Symbol("x"), () => true, new Date(), new Map(), NaN, Infinity, -0.5, "", [[]], [1], [
    "",
  ]];
  switch (type) {
    case "boolean":
      return [...never, 0, 1, "true", "false", [], [true]];
    case "integer":
      return [...never, minimum! - 1, maximum! + 1, 1.5, "1", true, [], [minimum], 2 ** 53];
    case "choice":
      return [...never, 0, true, "Allow", "allow ", "constructor", "none", [], ["allow"]];
    case "names":
      return [
        ...[...never, 0, true, "flatten", ["Flatten"], ["a b"], ["a", 1], ["-a"], ["a\n"], ["\u00fc"]],
        ...[["a", null], [undefined], [["a"]], { 0: "a", length: 1 }],
      ];
  }
}

/** Another value than its default that a row may have. */
function otherValue({ type, default: standard, choices, maximum }: SettingRow): unknown {
  switch (type) {
    case "boolean":
      return !standard;
    case "integer":
      return maximum;
    case "choice":
      return choices!.find((choice) => choice !== standard);
    case "names":
      return ["flatten", "rereloop", "flatten"];
  }
}

Deno.test("resolveConfig() puts every default in its place", () => {
  assertEquals(resolveConfig(PORTABLE), {
    target: { architecture: "x86_64", operatingSystem: "linux", engine: { name: "v8", version: "14.9.207.2" } },
    compiler: {
      name: "binaryen",
      version: "132.0.0",
      settings: {
        optimizeLevel: 2,
        shrinkLevel: 1,
        passes: [],
        debugInfo: false,
        fastMath: false,
        trapsNeverHappen: false,
        closedWorld: false,
        lowMemoryUnused: false,
        zeroFilledMemory: false,
        signatureLowering: false,
      },
    },
    isaFlags: [],
    tunables: {
      asyncify: false,
      denan: false,
      logExecution: false,
      instrumentLocals: false,
      instrumentMemory: false,
      safeHeap: false,
      stackCheck: false,
      trapMode: "allow",
    },
    features: ["mutable-globals", "sign-extensions", "bulk-memory", "reference-types", "simd"],
    version: "engine",
  });
});

Deno.test("resolveConfig() takes from the host what is left out, and nothing else", () => {
  const host = {
    target: { architecture: "riscv64", operatingSystem: "freebsd", engine: { name: "v8", version: "1.2" } },
    features: ["simd", "mutable-globals", "relaxed-simd"] as const,
    compilerVersion: "7.8.9",
  };
  const all = resolveConfig({}, host);
  assertEquals(all.target, host.target);
  assertEquals(all.features, ["mutable-globals", "simd", "relaxed-simd"]);
  assertEquals(all.compiler.version, "7.8.9");
  assertEquals(resolveConfig(PORTABLE, host), resolveConfig(PORTABLE));
  assertEquals(resolveConfig({ features: {} }, host).features, all.features);
  assertEquals(resolveConfig({ features: [] }, host).features, []);
  const changed = resolveConfig({ features: { "relaxed-simd": false, "threads": true, "gc": false } }, host);
  assertEquals(changed.features, ["mutable-globals", "simd", "threads"]);
  const undefinedMembers = { target: undefined, compiler: undefined, isaFlags: undefined, tunables: undefined };
  assertEquals(
    resolveConfig({ ...undefinedMembers, features: undefined, version: undefined } as EngineConfig, host),
    all,
  );
});

Deno.test("resolveConfig() names what is missing", () => {
  assertRefused({ ...PORTABLE, target: undefined }, "target", "missing", "Engine.create");
  assertRefused({ ...PORTABLE, compiler: {} }, "compiler.version", "missing", "binaryen");
  assertRefused({ ...PORTABLE, features: undefined }, "features", "missing");
  assertRefused({ ...PORTABLE, features: { simd: true } }, "features", "missing");
  for (const member of ["architecture", "operatingSystem", "engine"]) {
    assertRefused({ ...PORTABLE, target: { ...PORTABLE.target, [member]: undefined } }, `target.${member}`);
  }
  for (const member of ["name", "version"]) {
    const engine = { ...PORTABLE.target!.engine, [member]: undefined };
    assertRefused({ ...PORTABLE, target: { ...PORTABLE.target, engine } }, `target.engine.${member}`);
  }
});

Deno.test("resolveConfig() refuses each setting and tunable with each wrong value, naming it", () => {
  for (const [path, row] of ROWS) {
    for (const value of wrongValues(row)) assertRefused(withRow(path, row.name, value), `${path}.${row.name}`);
  }
});

Deno.test("resolveConfig() takes each setting and tunable with another value, and copies it", () => {
  for (const [path, row] of ROWS) {
    const value = otherValue(row);
    const config = resolveConfig(withRow(path, row.name, value) as EngineConfig);
    const found = (path === "tunables" ? config.tunables : config.compiler.settings) as unknown as Nonsense;
    assertEquals(found[row.name], value, row.name);
    for (const [, other] of ROWS.filter(([where, { name }]) => where === path && name !== row.name)) {
      assertEquals(found[other.name], other.default, `${other.name} beside ${row.name}`);
    }
    assertEquals(
      resolveConfig(withRow(path, row.name, undefined) as EngineConfig),
      resolved(),
      `${row.name} undefined`,
    );
  }
  const { minimum, maximum } = COMPILER_SETTINGS[0]!;
  for (let level = minimum!; level <= maximum!; level++) {
    assertEquals(
      resolved({ compiler: { version: "1", settings: { optimizeLevel: level } } }).compiler.settings.optimizeLevel,
      level,
    );
  }
});

Deno.test("resolveConfig() refuses unknown names everywhere, naming them", () => {
  const { target, compiler } = PORTABLE;
  const cases: readonly [string, Nonsense][] = [
    ["optimise", { ...PORTABLE, optimise: 1 }],
    ["__proto__", JSON.parse(JSON.stringify(PORTABLE).replace("{", '{"__proto__":{},'))],
    ["target.triple", { ...PORTABLE, target: { ...target, triple: "x" } }],
    ["target.engine.major", { ...PORTABLE, target: { ...target, engine: { ...target!.engine, major: 1 } } }],
    ["compiler.level", { ...PORTABLE, compiler: { ...compiler, level: 1 } }],
    ["compiler.settings.o", withRow("compiler.settings", "o", 1)],
    ["compiler.settings.asyncify", withRow("compiler.settings", "asyncify", true)],
    ["compiler.settings.constructor", withRow("compiler.settings", "constructor", true)],
    ["tunables.fastMath", withRow("tunables", "fastMath", true)],
    ["tunables.__proto__", { ...PORTABLE, tunables: JSON.parse('{"__proto__":1}') }],
    ["features.simd128", { ...PORTABLE, features: ["simd128"] }],
    ["features.SIMD", { ...PORTABLE, features: { SIMD: true } }],
    ["features.toString", { ...PORTABLE, features: { toString: false } }],
    ["features", { ...PORTABLE, features: [1] }],
    ["version.custom2", { ...PORTABLE, version: { custom: "1", custom2: "2" } }],
  ];
  for (const [setting, config] of cases) assertRefused(config, setting);
  // A near miss is told what there is.
  assertRefused({ ...PORTABLE, features: ["simd128"] }, "features.simd128", "relaxed-simd");
  assertRefused(withRow("tunables", "asincify", true), "tunables.asincify", "asyncify");
});

Deno.test("resolveConfig() refuses another compiler", () => {
  for (const name of ["v8", "", "Binaryen", null, 1, ["binaryen"], "constructor"]) {
    assertRefused({ ...PORTABLE, compiler: { name, version: "1" } }, "compiler.name", "wasmtime");
    assertThrows(() => resolveCompilerName(name as "binaryen"), ConfigError);
  }
  for (const name of COMPILERS) assertEquals(resolveCompilerName(name), name);
});

Deno.test("resolveConfig() refuses names and versions that are no short printable text", () => {
  const wrong = ["a b", "\u00fc", "a\n", "\0", "a".repeat(101), "\ud800", 1, null, {}, ["x86_64"], true];
  const { target, compiler } = PORTABLE;
  const withEngine = (member: string, value: unknown) => ({
    ...PORTABLE,
    target: { ...target, engine: { ...target!.engine, [member]: value } },
  });
  for (const value of [...wrong, ""]) {
    assertRefused({ ...PORTABLE, target: { ...target, architecture: value } }, "target.architecture");
    assertRefused({ ...PORTABLE, target: { ...target, operatingSystem: value } }, "target.operatingSystem");
    assertRefused(withEngine("name", value), "target.engine.name");
    assertRefused({ ...PORTABLE, compiler: { ...compiler, version: value } }, "compiler.version");
    if (value !== "") assertRefused(withEngine("version", value), "target.engine.version");
  }
  assertEquals(resolveConfig(withEngine("version", "") as EngineConfig).target.engine.version, "");
  assertEquals(resolveConfig(withEngine("version", "v".repeat(100)) as EngineConfig).target.engine.version.length, 100);
  // Two versions stand in one text of the header, with a slash between them.
  assertRefused(withEngine("version", "1/2"), "target.engine.version", "slash");
  assertRefused({ ...PORTABLE, compiler: { ...compiler, version: "1/2" } }, "compiler.version", "slash");
});

Deno.test("resolveConfig() counts a custom version in bytes of UTF-8, up to 255", () => {
  for (const [character, bytes] of [["a", 1], ["\u00fc", 2], ["\u6c34", 3], ["\ud83d\ude00", 4]] as const) {
    const whole = Math.floor(MAXIMUM_VERSION_BYTES / bytes);
    const fits = character.repeat(whole) + "a".repeat(MAXIMUM_VERSION_BYTES - whole * bytes);
    assertEquals(new TextEncoder().encode(fits).length, 255);
    assertEquals(resolved({ version: { custom: fits } }).version, { custom: fits });
    assertRefused({ ...PORTABLE, version: { custom: `${fits}a` } }, "version.custom", "256 bytes", "255");
  }
  assertEquals(resolved({ version: { custom: "" } }).version, { custom: "" });
  for (const lone of ["\ud800", "a\udc00", "\ud83d", "\ude00\ud83d"]) {
    assertRefused({ ...PORTABLE, version: { custom: lone } }, "version.custom", "surrogate");
  }
  for (
    const version of ["Engine", "custom", "", null, 1, {}, [], { custom: 1 }, { custom: null }, {
      custom: new String("a"),
    }]
  ) {
    assertRefused({ ...PORTABLE, version }, "version", "custom");
  }
});

Deno.test("resolveConfig() refuses contradictions, naming the part", () => {
  const { target } = NATIVE;
  const native = (changes: Nonsense) => ({ ...NATIVE, ...changes });
  const nativeSettings = (settings: Nonsense) => native({ compiler: { ...NATIVE.compiler, settings } });
  assertRefused(native({ target: { ...target, architecture: "any" } }), "target", "native");
  assertRefused(native({ target: { ...target, operatingSystem: "any" } }), "target", "native");
  assertRefused(native({ target: { ...target, engine: { name: "any", version: "" } } }), "target", "native");
  const anyEngine = { ...PORTABLE.target, engine: { name: "any", version: "1" } };
  assertRefused({ ...PORTABLE, target: anyEngine }, "target.engine.version", "any");
  assertRefused({ ...PORTABLE, isaFlags: { has_avx2: true } }, "isaFlags.has_avx2", "binaryen");
  for (const row of TUNABLES) {
    assertRefused(native({ tunables: { [row.name]: otherValue(row) } }), `tunables.${row.name}`, "wasmtime");
    assertEquals(
      resolveConfig(native({ tunables: { [row.name]: row.default } }) as EngineConfig),
      resolveConfig(NATIVE),
    );
  }
  for (const row of COMPILER_SETTINGS) {
    const settings = { [row.name]: otherValue(row) };
    if (["optimizeLevel", "shrinkLevel", "passes"].includes(row.name)) {
      resolveConfig(nativeSettings(settings) as EngineConfig);
    } else assertRefused(nativeSettings(settings), `compiler.settings.${row.name}`, "wasmtime");
  }
  for (const trapMode of ["clamp", "js"]) {
    const compiler = { ...PORTABLE.compiler, settings: { trapsNeverHappen: true } };
    assertRefused({ ...PORTABLE, compiler, tunables: { trapMode } }, "tunables.trapMode", "trapsNeverHappen");
  }
  const incomplete: readonly [needed: FeatureName, features: readonly [FeatureName, ...FeatureName[]]][] = [
    ["simd", ["relaxed-simd"]],
    ["simd", ["fp16"]],
    ["reference-types", ["exceptions-final"]],
    ["reference-types", ["typed-function-references"]],
    ["reference-types", ["gc", "simd"]],
    ["typed-function-references", ["gc", "reference-types"]],
    ["typed-function-references", ["stack-switching", "reference-types", "exceptions-final"]],
    ["exceptions-final", ["stack-switching", "reference-types", "typed-function-references"]],
  ];
  for (const [needed, features] of incomplete) {
    assertRefused({ ...PORTABLE, features }, `features.${features[0]}`, `'${needed}'`);
  }
  assertEquals(resolved({ features: FEATURES }).features, [...FEATURES]);
});

Deno.test("resolveConfig() writes each thing in one way", () => {
  const one = resolveConfig({ ...NATIVE, isaFlags: { has_sse3: true, has_avx: false, has_avx2: true } });
  assertEquals(one.isaFlags, ["has_avx2", "has_sse3"]);
  const turned = resolved({ features: ["simd", "threads", "mutable-globals", "simd"] });
  assertEquals(turned.features, ["mutable-globals", "simd", "threads"]);
  for (const name of ["", "Has", "_a", "a b", "a=b", "\u00fc", "__proto__"]) {
    const isaFlags = JSON.parse(`{${JSON.stringify(name)}:true}`);
    assertRefused({ ...NATIVE, isaFlags }, `isaFlags.${name}`);
  }
  for (const value of [1, null, "true", undefined]) {
    assertRefused({ ...NATIVE, isaFlags: { has_avx: value } }, "isaFlags.has_avx");
    assertRefused({ ...PORTABLE, features: { simd: value } }, "features", "");
  }
});

Deno.test("resolveConfig() gives a configuration that nobody can change, and leaves the user's as it was", () => {
  const passes = ["flatten"];
  const mine = { ...PORTABLE, compiler: { ...PORTABLE.compiler, settings: { passes } } };
  const before = structuredClone(mine);
  const config = resolveConfig(mine);
  assertEquals(mine, before);
  passes.push("rereloop");
  assertEquals(config.compiler.settings.passes, ["flatten"]);
  const assertFrozen = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    assert(Object.isFrozen(value));
    Object.values(value).forEach(assertFrozen);
  };
  assertFrozen(config);
  assert(!Object.isFrozen(mine.target));
});

Deno.test("resolveConfig() of a resolved configuration, as its user would write it, is the same", () => {
  const config = resolved({ tunables: { trapMode: "js" }, version: { custom: "x" } });
  assertEquals(resolveConfig({ ...config, isaFlags: {} }), config);
});

/** Nonsense of every type, without what describeValue() cannot show. */
const nonsense = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withTypedArray: true,
  maxDepth: 3,
});

/** Whether a value may stand for nothing in the place of an object of settings. */
const saysNothing = (value: unknown) =>
  value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0 &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value)));

Deno.test("resolveConfig() refuses nonsense in the place of each member with a ConfigError", () => {
  const { target, compiler } = PORTABLE;
  const places: readonly [string, (value: unknown) => Nonsense, (value: unknown) => boolean][] = [
    ["config", (value) => value as Nonsense, () => false],
    ["target", (value) => ({ ...PORTABLE, target: value }), () => false],
    ["target.engine", (value) => ({ ...PORTABLE, target: { ...target, engine: value } }), () => false],
    ["compiler", (value) => ({ ...PORTABLE, compiler: value }), () => false],
    ["compiler.settings", (value) => ({ ...PORTABLE, compiler: { ...compiler, settings: value } }), saysNothing],
    ["isaFlags", (value) => ({ ...PORTABLE, isaFlags: value }), (value) => isAllFalse(value)],
    ["tunables", (value) => ({ ...PORTABLE, tunables: value }), saysNothing],
    ["features", (value) => ({ ...PORTABLE, features: value }), (value) => Array.isArray(value) && value.length === 0],
    ["version", (value) => ({ ...PORTABLE, version: value }), (value) => value === undefined],
  ];
  for (const [what, place, accepted] of places) {
    assertProperty(
      fc.property(nonsense, (value) => {
        if (accepted(value)) return;
        const error = assertThrows(() => resolveConfig(place(value) as EngineConfig), Error, undefined, what);
        assertInstanceOf(error, ConfigError);
        assert(what === "config" || error.setting.startsWith(what), `${error.setting} of ${what}: ${error.message}`);
        assert(error.message.length < 2000, error.message);
      }),
      400,
    );
  }
  for (const value of [null, [], new Map(), new Set(), new Date(), new Uint8Array(2), /a/, 0, "", true, 1n, () => 0]) {
    for (const [what, place] of places) {
      if (what === "features" && Array.isArray(value)) continue;
      assertThrows(
        () => resolveConfig(place(value) as EngineConfig),
        ConfigError,
        undefined,
        `${what}: ${String(value)}`,
      );
    }
  }
});

/** Whether a value is an object of flags that are all off and have names: what a compiler of modules takes. */
function isAllFalse(value: unknown): boolean {
  return typeof value === "undefined" || (typeof value === "object" && value !== null &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value)) &&
    Object.entries(value).every(([name, on]) => on === false && /^[a-z0-9][a-z0-9_.-]*$/.test(name)));
}

Deno.test("resolveConfig() refuses nonsense in the place of each setting, with its name", () => {
  for (const [path, row] of ROWS) {
    const valid = (value: unknown) =>
      value === undefined || (row.type === "boolean" && typeof value === "boolean") ||
      (row.type === "integer" && Number.isInteger(value) && row.minimum! <= Number(value) &&
        Number(value) <= row.maximum!) ||
      (row.type === "choice" && row.choices!.includes(value as string)) ||
      (row.type === "names" && Array.isArray(value) &&
        value.every((name) => typeof name === "string" && /^[a-z0-9][a-z0-9-]*$/.test(name)));
    assertProperty(
      fc.property(nonsense, (value) => {
        let config: ResolvedConfig;
        try {
          config = resolveConfig(withRow(path, row.name, value) as EngineConfig);
        } catch (error) {
          assertInstanceOf(error, ConfigError);
          assert(!valid(value));
          assertEquals(error.setting, `${path}.${row.name}`);
          return;
        }
        assert(valid(value), `${row.name} was taken as ${JSON.stringify(config)}`);
      }),
      150,
    );
  }
});

Deno.test("parseConfig() reads JSON and refuses what is none", () => {
  assertEquals(resolveConfig(parseConfig(JSON.stringify(PORTABLE))), resolved());
  for (const text of ["", "{", "{a:1}", "undefined", '{"a":1,}']) {
    const error = assertThrows(() => parseConfig(text), ArtifactError, "JSON");
    assertEquals(error.code, "ERR_ARTIFACT_CONFIG");
  }
  for (const text of ["null", "[]", "1", '"a"', "true"]) {
    assertEquals(assertThrows(() => parseConfig(text), ConfigError).setting, "config");
  }
  const polluted = parseConfig('{"__proto__":{"version":"none"}}');
  assertThrows(() => resolveConfig({ ...polluted, ...PORTABLE }) && resolveConfig(polluted), ConfigError);
});
