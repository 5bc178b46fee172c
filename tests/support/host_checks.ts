/**
 * What a report of a host must say, whatever the host: the same in its threads, and what Binaryen's modules show.
 *
 * @module
 */
import { assertConsistent } from "../../src/artifact/features.ts";
import type { Target } from "../../src/artifact/types.ts";
import { assert, assertEquals } from "./assert.ts";
import { featureModules } from "./feature_modules.ts";
import type { HostReport, RealmReport } from "./host_report.ts";
import { bundleHostReport, outputOf } from "./hosts.ts";

let bundled: Promise<string> | undefined;

/** The report's bundle, with a module for each feature in it. */
export function hostReportBundle(): Promise<string> {
  return bundled ??= bundleHostReport(featureModules());
}

/** What `uname` says of this machine, in the words of targets. */
export async function machine(): Promise<Pick<Target, "architecture" | "operatingSystem">> {
  const architecture = await outputOf("uname", ["-m"]);
  return {
    architecture: architecture === "arm64" ? "aarch64" : architecture,
    operatingSystem: (await outputOf("uname", ["-s"])).toLowerCase(),
  };
}

/** Both threads found the target, and as features those of which the independently made modules can be loaded. */
export function assertReport(report: HostReport, target: Target): void {
  for (const [thread, found] of Object.entries(report) as [string, RealmReport][]) {
    if (thread !== "main" && thread !== "worker") continue;
    assertEquals(found.target, target, thread);
    assertEquals(found.features, found.loadable, `${thread}: features, and those whose modules can be loaded`);
    assertConsistent(found.features);
    assert(found.repeats, `${thread}: second calls give equal answers of the caller's own`);
  }
}
