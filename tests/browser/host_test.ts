/**
 * What browsers are found to be, in pages and workers, against what they say when asked in another way.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { assertReport, hostReportBundle, machine } from "../support/host_checks.ts";
import { ISOLATED, type Page, reportOfChromium, reportOfFirefox } from "../support/hosts.ts";

/** An isolated page, one that is not, and one in a context that is not secure. */
const PAGES: readonly Page[] = [
  { host: "127.0.0.1", headers: ISOLATED },
  { host: "127.0.0.1", headers: {} },
  { host: "host.test", headers: {} },
];
/** A policy that forbids a page and its workers to compile modules. */
const NO_WEBASSEMBLY: Page = {
  host: "127.0.0.1",
  headers: { "Content-Security-Policy": "script-src 'self' blob:; worker-src blob:" },
};

Deno.test("detectTarget() and detectFeatures() find what Chromium is, in pages and workers", async () => {
  const { version, reports } = await reportOfChromium(await hostReportBundle(), [...PAGES, NO_WEBASSEMBLY]);
  assertEquals(reports.map(({ isolated, secure }) => ({ isolated, secure })), [
    { isolated: true, secure: true },
    { isolated: false, secure: true },
    { isolated: false, secure: false },
    { isolated: false, secure: true },
  ]);
  const target = { ...await machine(), engine: { name: "v8", version } };
  assertReport(reports[0], target);
  assertReport(reports[1], target);
  // Without client hints there is only the string, whose processor and minor version are made up.
  const major = version.slice(0, version.indexOf("."));
  assertReport(reports[2], { ...target, architecture: "unknown", engine: { name: "v8", version: major } });
  for (const { main, worker } of reports.slice(1, 3)) {
    assertEquals(main.features, reports[0].main.features, "isolation changes no feature");
    assertEquals(worker.features, reports[0].main.features, "isolation changes no feature");
  }
  assert(reports[0].main.features.includes("threads"));
  assertEquals(reports[3].main.target, target);
  assertEquals([reports[3].main.features, reports[3].worker.features], [[], []], "where modules cannot be compiled");
});

Deno.test("detectTarget() and detectFeatures() find what Firefox is, in pages and workers", async () => {
  const { version, reports } = await reportOfFirefox(await hostReportBundle(), PAGES.slice(0, 2));
  assertEquals(reports.map(({ isolated }) => isolated), [true, false]);
  const { architecture, operatingSystem } = await machine();
  const major = version.slice(0, version.indexOf("."));
  for (const report of reports) {
    assertReport(report, {
      // That it is an x86_64 Firefox says everywhere where it resists fingerprinting.
      architecture: architecture === "x86_64" ? "unknown" : architecture,
      operatingSystem,
      engine: { name: "spidermonkey", version: `${major}.0` },
    });
    assertEquals(report.main.features, reports[0].main.features, "isolation changes no feature");
  }
  assert(reports[0].main.features.includes("threads"));
});
