/**
 * Provides binaries of other JavaScript engines for tests, from the npm packages that hold one for each platform.
 *
 * Such engines' main packages fetch their binary in an install script, which Deno does not run; the platform packages
 * that the script would pick hold the binary itself. Deno installs the right one into a scratch folder, and only the
 * binary is kept, as `<cache>/<kind>/<version>-<platform>/<program>`. Imports nothing of the project but the place of the
 * cache.
 *
 * @module
 */
import { cacheFolder } from "../../tools/cache.ts";

/** An npm package that holds a binary. */
export interface NpmPackage {
  /** Its name. */
  readonly name: string;
  /** The version that is used. */
  readonly version: string;
}

/** A binary to provide. */
export interface NpmBinary {
  /** What it is called in errors, such as `Node 24`. */
  readonly title: string;
  /** The folder of the cache, such as `node24`. */
  readonly kind: string;
  /** The binary's path in the package, such as `bin/node`. */
  readonly path: string;
  /** The environment variable that names a binary to use instead. */
  readonly override: string;
  /** The packages, by {@linkcode platformName}. */
  readonly packages: Readonly<Record<string, NpmPackage>>;
  /** What `--version` prints for the version of a package. */
  printed(version: string): string;
  /** Whether what `--version` prints is that of a binary that the tests can do with. */
  accepts(printed: string): boolean;
}

/** This machine as keys of {@linkcode NpmBinary.packages} say it: `<os>-<arch>`, such as `linux-x64`. */
export function platformName(): string {
  return `${Deno.build.os}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
}

/**
 * Fetches a binary from npm, unless the cache has it, or the environment names another.
 *
 * @returns The absolute path of a binary that has been run and said that it is of the right version.
 * @throws {Error} Where npm has no binary for the platform, the fetch fails, or the binary is not what it should be.
 */
export async function provideNpmBinary(wanted: NpmBinary): Promise<string> {
  const override = Deno.env.get(wanted.override);
  if (override) {
    const version = await versionOf(override);
    if (version === undefined || !wanted.accepts(version)) {
      throw new Error(`${wanted.override} must name a ${wanted.title} binary: ${override} ${describe(version)}`);
    }
    return override;
  }
  const platform = platformName();
  const source = wanted.packages[platform];
  if (!source) {
    throw new Error(
      `no ${wanted.title} binary on npm for ${platform} (known: ${Object.keys(wanted.packages).join(", ")}): ` +
        `set ${wanted.override} to the path of one`,
    );
  }
  const expected = wanted.printed(source.version);
  const cache = cacheFolder(wanted.kind);
  const folder = `${cache}/${source.version}-${platform}`;
  const program = wanted.path.slice(wanted.path.lastIndexOf("/") + 1);
  const binary = `${folder}/${program}`;
  if (await versionOf(binary) === expected) return binary;
  await fetchBinary(source, wanted.path, cache, folder, program);
  const version = await versionOf(binary);
  if (version !== expected) {
    throw new Error(`${source.name}@${source.version} was fetched, but its binary ${describe(version)}`);
  }
  return binary;
}

/** Installs the package in a scratch folder of the cache and moves the binary to its place in one step. */
async function fetchBinary(
  source: NpmPackage,
  path: string,
  cache: string,
  folder: string,
  program: string,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const scratch = await Deno.makeTempDir({ dir: cache, prefix: "install-" });
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
    await Deno.copyFile(`${scratch}/node_modules/${source.name}/${path}`, `${scratch}/${program}`);
    await Deno.chmod(`${scratch}/${program}`, 0o755);
    await Deno.rename(`${scratch}/${program}`, `${folder}/${program}`);
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
