/**
 * What hosts are found to be, against what they, their operating system and their engine say when asked in another way:
 * Deno, Node 20 and 24 and Bun, each in its main thread and in a worker; browsers are in tests/browser.
 *
 * @module
 */
import { assertConsistent, type FeatureName, FEATURES } from "../../../src/artifact/features.ts";
import {
  consistentPart,
  detectFeatures,
  detectTarget,
  type ProbedFeature,
  PROBES,
} from "../../../src/artifact/host.ts";
import { describeBrowser } from "../../../src/artifact/host_browser.ts";
import { architectureName, operatingSystemName } from "../../../src/artifact/host_names.ts";
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "../../support/assert.ts";
import { bunPath } from "../../support/bun.ts";
import { BINARYEN_FEATURES, featureModules, isValidWith } from "../../support/feature_modules.ts";
import { assertReport, hostReportBundle, machine } from "../../support/host_checks.ts";
import { outputOf, reportOf } from "../../support/hosts.ts";
import { node20Path } from "../../support/node20.ts";
import { node24Path } from "../../support/node24.ts";

/** Makes V8 have what it has only when told to. */
const V8_FLAGS: Readonly<Partial<Record<FeatureName, string>>> = {
  "fp16": "--experimental-wasm-fp16",
  "stack-switching": "--experimental-wasm-wasmfx",
  "wide-arithmetic": "--experimental-wasm-wide-arithmetic",
};

/** Calls `use` with the path of the bundled report. */
async function withBundle<T>(use: (path: string) => Promise<T>): Promise<T> {
  const path = await Deno.makeTempFile({ prefix: "extmemfs-host-", suffix: ".mjs" });
  try {
    await Deno.writeTextFile(path, await hostReportBundle());
    return await use(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("detectTarget() finds in Deno what uname and Deno say", async () => {
  assertEquals(await detectTarget(), {
    ...await machine(),
    engine: { name: "v8", version: await outputOf(Deno.execPath(), ["eval", "console.log(Deno.version.v8)"]) },
  });
});

Deno.test("detectFeatures() finds in Deno the features of which Binaryen's modules are valid", async () => {
  const modules = featureModules();
  const found = await detectFeatures();
  assertEquals(found, FEATURES.filter((name) => WebAssembly.validate(modules[name])));
  assertConsistent(found);
  assert(found.includes("threads") && found.includes("gc"), found.join());
});

Deno.test("detectTarget() and detectFeatures() give each caller a copy", async () => {
  const target = await detectTarget() as { architecture: string; engine: { version: string } };
  const features = await detectFeatures();
  target.architecture = target.engine.version = "changed";
  features.length = 0;
  assertNotEquals((await detectTarget()).architecture, "changed");
  assertNotEquals((await detectTarget()).engine.version, "changed");
  assertNotEquals(await detectFeatures(), []);
});

Deno.test("the modules of PROBES need exactly their feature and what it builds on, says Binaryen", () => {
  const needs: Record<ProbedFeature, FeatureName[]> = {
    "threads": ["threads"],
    "custom-page-sizes": ["custom-page-sizes"],
    "stack-switching": ["stack-switching", "gc", "reference-types", "exceptions-final"],
    "fp16": ["fp16", "simd"],
  };
  const sum = (names: readonly FeatureName[]) => names.reduce((all, name) => all | BINARYEN_FEATURES[name], 0);
  for (const name of Object.keys(PROBES) as ProbedFeature[]) {
    assert(isValidWith(PROBES[name], sum(needs[name])), `${name} is valid with ${needs[name]}`);
    assert(
      !isValidWith(PROBES[name], sum(FEATURES) & ~BINARYEN_FEATURES[name]),
      `${name} is not valid with everything else`,
    );
  }
});

Deno.test("detectFeatures() follows what V8 is told to have", async () => {
  await withBundle(async (path) => {
    const plain = (await reportOf(Deno.execPath(), ["run", path])).main;
    for (const [name, flag] of Object.entries(V8_FLAGS) as [FeatureName, string][]) {
      const { main, worker } = await reportOf(Deno.execPath(), ["run", `--v8-flags=${flag}`, path]);
      assertEquals(main.features, FEATURES.filter((each) => each === name || plain.features.includes(each)), flag);
      assertEquals(main.features, main.loadable, flag);
      assertEquals(worker.features, main.features, flag);
    }
  });
});

Deno.test("consistentPart() leaves out what lacks its basis, and what is built on that", () => {
  assertEquals(consistentPart(FEATURES), [...FEATURES]);
  const without = (...names: FeatureName[]) => consistentPart(FEATURES.filter((name) => !names.includes(name)));
  const rest = (...names: FeatureName[]) => FEATURES.filter((name) => !names.includes(name));
  assertEquals(without("simd"), rest("simd", "relaxed-simd", "fp16"));
  assertEquals(without("exceptions-final"), rest("exceptions-final", "stack-switching"));
  assertEquals(without("typed-function-references"), rest("typed-function-references", "gc", "stack-switching"));
  assertEquals(
    without("reference-types"),
    rest("reference-types", "exceptions-final", "typed-function-references", "gc", "stack-switching"),
  );
  for (const name of FEATURES) assertConsistent(without(name));
});

Deno.test("detectTarget() and detectFeatures() need and ask for no permission of Deno", async () => {
  const folder = await Deno.makeTempDir({ prefix: "extmemfs-host-" });
  try {
    // Deno writes down here each permission that is asked for, granted or not.
    const asked = async (script: string) => {
      const log = `${folder}/asked.jsonl`;
      await Deno.writeTextFile(log, "");
      const path = `${folder}/script.mjs`;
      await Deno.writeTextFile(path, script);
      const printed = await outputOf(Deno.execPath(), ["run", path], { DENO_AUDIT_PERMISSIONS: log });
      return { printed, log: await Deno.readTextFile(log) };
    };
    const { printed, log } = await asked(await hostReportBundle());
    assertEquals(log, "");
    assertReport(JSON.parse(printed), { ...await machine(), engine: { name: "v8", version: Deno.version.v8 } });
    const other = await asked("try { Deno.env.get('HOME'); } catch { console.log('refused'); }");
    assertEquals(other.printed, "refused");
    assertStringIncludes(other.log, '"env"');
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const [name, provide] of [["Node 20", node20Path], ["Node 24", node24Path]] as const) {
  Deno.test(`detectTarget() and detectFeatures() find what ${name} is, in its threads too`, async () => {
    const node = await provide();
    const version = await outputOf(node, ["-p", "process.versions.v8"]);
    assertReport(await withBundle((path) => reportOf(node, [path])), {
      ...await machine(),
      engine: { name: "v8", version },
    });
  });
}

Deno.test("detectFeatures() finds less in Node 20 than in Node 24", async () => {
  const [old, young] = await withBundle(async (path) => [
    (await reportOf(await node20Path(), [path])).main.features,
    (await reportOf(await node24Path(), [path])).main.features,
  ]);
  assertEquals(old.filter((name) => !young.includes(name)), []);
  assert(young.includes("gc") && !old.includes("gc"), old.join());
});

Deno.test("detectTarget() and detectFeatures() find what Bun is, which gives itself out as Node", async () => {
  const bun = await bunPath();
  const version = await outputOf(bun, ["-e", "console.log(process.versions.webkit)"]);
  assertNotEquals(version, "");
  assertReport(await withBundle((path) => reportOf(bun, [path])), {
    ...await machine(),
    engine: { name: "javascriptcore", version },
  });
});

/** User-agent strings that browsers send, in short what is known of each: system, processor, engine, version. */
const USER_AGENTS: readonly (readonly [text: string, os: string, arch: string, engine: string, version: string])[] = [
  [
    "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    "linux",
    "unknown",
    "spidermonkey",
    "153.0",
  ],
  [
    "Mozilla/5.0 (X11; Linux aarch64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "linux",
    "aarch64",
    "spidermonkey",
    "140.0",
  ],
  [
    "Mozilla/5.0 (X11; Linux ppc64le; rv:140.0) Gecko/20100101 Firefox/140.0",
    "linux",
    "powerpc64le",
    "spidermonkey",
    "140.0",
  ],
  [
    "Mozilla/5.0 (X11; FreeBSD amd64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "freebsd",
    "x86_64",
    "spidermonkey",
    "140.0",
  ],
  [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "windows",
    "unknown",
    "spidermonkey",
    "140.0",
  ],
  [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
    "darwin",
    "unknown",
    "spidermonkey",
    "140.0",
  ],
  [
    "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
    "android",
    "unknown",
    "spidermonkey",
    "140.0",
  ],
  [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "unknown",
    "unknown",
    "javascriptcore",
    "18.5",
  ],
  [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "ios",
    "unknown",
    "javascriptcore",
    "18.5",
  ],
  [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/137.0.7151.51 Mobile/15E148 Safari/604.1",
    "ios",
    "unknown",
    "javascriptcore",
    "",
  ],
  [
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15",
    "ios",
    "unknown",
    "javascriptcore",
    "",
  ],
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "linux",
    "unknown",
    "javascriptcore",
    "17.4",
  ],
  [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0",
    "windows",
    "unknown",
    "v8",
    "137",
  ],
  [
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36",
    "android",
    "unknown",
    "v8",
    "137",
  ],
  [
    "Mozilla/5.0 (Linux; Android 9; SM-G960F; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/99.0.4844.58 Mobile Safari/537.36",
    "android",
    "unknown",
    "v8",
    "99.0.4844.58",
  ],
  [
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36",
    "chromeos",
    "unknown",
    "v8",
    "137",
  ],
  [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0.3538.102 Safari/537.36 Edge/18.19042",
    "windows",
    "unknown",
    "unknown",
    "",
  ],
  ["Cloudflare-Workers", "unknown", "unknown", "unknown", ""],
  ["", "unknown", "unknown", "unknown", ""],
];

Deno.test("describeBrowser() takes from user-agent strings what they do not make up", async () => {
  for (const [userAgent, operatingSystem, architecture, name, version] of USER_AGENTS) {
    assertEquals(
      await describeBrowser({ userAgent }),
      { architecture, operatingSystem, engine: { name, version } },
      userAgent,
    );
  }
  assertEquals(await describeBrowser(undefined), await describeBrowser({ userAgent: "" }));
});

Deno.test("describeBrowser() puts client hints together, and does with fewer", async () => {
  const brands = [{ brand: "Not)A;Brand", version: "8" }, { brand: "Chromium", version: "137" }];
  const fullVersionList = [{ brand: "Chromium", version: "137.0.7151.55" }];
  const ask = (platform: string, answer: () => Promise<Record<string, unknown>>) =>
    describeBrowser({ userAgentData: { brands, platform, getHighEntropyValues: answer } });
  for (
    const [architecture, bitness, expected] of [
      ["x86", "64", "x86_64"],
      ["x86", "32", "i686"],
      ["arm", "64", "aarch64"],
      ["arm", "32", "arm"],
      ["arm", "", "unknown"],
      ["", "64", "unknown"],
      ["", "", "unknown"],
    ]
  ) {
    assertEquals(
      await ask("macOS", () => Promise.resolve({ architecture, bitness, platform: "macOS", fullVersionList })),
      { architecture: expected, operatingSystem: "darwin", engine: { name: "v8", version: "137.0.7151.55" } },
      `${architecture}, ${bitness}`,
    );
  }
  const least = { architecture: "unknown", operatingSystem: "chromeos", engine: { name: "v8", version: "137" } };
  assertEquals(await ask("Chrome OS", () => Promise.reject(new DOMException("no", "NotAllowedError"))), least);
  assertEquals(await ask("Chromium OS", () => Promise.resolve({})), least);
});

Deno.test("architectureName() and operatingSystemName() say what LLVM and targets say", () => {
  const bigEndian = new Uint8Array(new Uint32Array([1]).buffer)[3] === 1;
  for (
    const [name, expected] of [
      ["x64", "x86_64"],
      ["arm64", "aarch64"],
      ["ia32", "i686"],
      ["arm", "arm"],
      ["armv7l", "arm"],
      ["ppc64", bigEndian ? "powerpc64" : "powerpc64le"],
      ["ppc64le", "powerpc64le"],
      ["loong64", "loongarch64"],
      ["riscv64", "riscv64"],
      ["s390x", "s390x"],
      ["mipsel", "mipsel"],
      ["__proto__x", "__proto__x"],
      ["constructor", "constructor"],
      ["", "unknown"],
      ["no word", "unknown"],
      [undefined, "unknown"],
    ]
  ) assertEquals(architectureName(name), expected);
  for (
    const [name, expected] of [
      ["win32", "windows"],
      ["macOS", "darwin"],
      ["darwin", "darwin"],
      ["Linux", "linux"],
      ["Android", "android"],
      ["sunos", "solaris"],
      ["Chromium OS", "chromeos"],
      ["Unknown", "unknown"],
      [undefined, "unknown"],
    ]
  ) assertEquals(operatingSystemName(name), expected);
});
