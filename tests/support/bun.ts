/**
 * Provides the Bun binary in which tests run the library on JavaScriptCore.
 *
 * @module
 */
import { platformName, provideNpmBinary } from "./npm_binary.ts";

const VERSION = "1.4.5";

let provisioned: Promise<string> | undefined;

/**
 * Returns the path of a Bun binary, which the first call on a machine fetches from npm (some 40 MB).
 *
 * `EXTMEMFS_BUN` names a binary to use instead.
 *
 * @returns The absolute path of a binary that has been run and said that it is of version 1.
 * @throws {Error} Where npm has no binary for the platform, the fetch fails, or the binary is not Bun 1.
 */
export function bunPath(): Promise<string> {
  return provisioned ??= provide();
}

async function provide(): Promise<string> {
  const packageOf = (platform: string) => ({ name: `@oven/bun-${platform}`, version: VERSION });
  // Bun's ordinary builds for x64 need AVX2, and end with an illegal instruction where there is none.
  const x64 = !platformName().endsWith("x64") || await hasAvx2() ? "x64" : "x64-baseline";
  return await provideNpmBinary({
    title: "Bun 1",
    kind: x64 === "x64" ? "bun" : "bun-baseline",
    path: "bin/bun",
    override: "EXTMEMFS_BUN",
    packages: {
      "linux-x64": packageOf(`linux-${x64}`),
      "linux-arm64": packageOf("linux-aarch64"),
      "darwin-x64": packageOf(`darwin-${x64}`),
      "darwin-arm64": packageOf("darwin-aarch64"),
    },
    printed: (version) => version,
    accepts: (printed) => printed.startsWith("1."),
  });
}

/** Whether the processor, an x64, has AVX2. */
async function hasAvx2(): Promise<boolean> {
  if (Deno.build.os === "linux") return /^flags\s*:.*\bavx2\b/m.test(await Deno.readTextFile("/proc/cpuinfo"));
  const { stdout } = await new Deno.Command("sysctl", { args: ["-n", "machdep.cpu.leaf7_features"], stdin: "null" })
    .output();
  return /\bAVX2\b/.test(new TextDecoder().decode(stdout));
}
