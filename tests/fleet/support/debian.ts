/**
 * Programs from Debian packages, unpacked into the cache: nothing is installed, no service is started, root is not
 * needed unless the package lists are missing.
 *
 * @module
 */
import { cacheFolder } from "../../../tools/cache.ts";

/** Programs that were unpacked. */
export interface Unpacked {
  /** The folder that stands for `/`. */
  readonly root: string;
  /** What programs in it need in their environment to find their libraries. */
  readonly env: Readonly<Record<string, string>>;
}

const unpacked = new Map<string, Promise<Unpacked>>();

/**
 * Unpacks Debian packages, with those that they depend on and that are not installed.
 *
 * @param name of the folder in the cache
 * @throws {Error} where this is no Debian, or the packages cannot be fetched.
 */
export function unpackDebian(name: string, packages: readonly string[]): Promise<Unpacked> {
  const known = unpacked.get(name) ?? unpack(name, packages);
  unpacked.set(name, known);
  return known;
}

async function unpack(name: string, packages: readonly string[]): Promise<Unpacked> {
  const folder = `${cacheFolder("debian")}/${name}`;
  const wanted = packages.join(" ");
  if (await contentOf(`${folder}/packages`) !== wanted) {
    await Deno.mkdir(cacheFolder("debian"), { recursive: true });
    const temporary = await Deno.makeTempDir({ dir: cacheFolder("debian"), prefix: `${name}-` });
    try {
      await fetchInto(temporary, packages);
      await Deno.writeTextFile(`${temporary}/packages`, wanted);
      // Another process may have done the same meanwhile, and use it.
      if (await contentOf(`${folder}/packages`) !== wanted) {
        await Deno.remove(folder, { recursive: true }).catch(() => {});
        await Deno.rename(temporary, folder);
      }
    } catch (error) {
      if (await contentOf(`${folder}/packages`) !== wanted) throw error;
    } finally {
      await Deno.remove(temporary, { recursive: true }).catch(() => {});
    }
  }
  const root = `${folder}/root`;
  const libraries: string[] = [];
  for (const parent of [`${root}/usr/lib`, `${root}/lib`]) {
    for await (const { name } of readFolder(parent)) if (/-linux-gnu/.test(name)) libraries.push(`${parent}/${name}`);
  }
  return { root, env: { LD_LIBRARY_PATH: libraries.join(":") } };
}

async function fetchInto(folder: string, packages: readonly string[]): Promise<void> {
  let first: unknown;
  for (const refresh of [false, true]) {
    try {
      if (refresh) await output("apt-get", ["-q", "update"], folder);
      const plan = await output("apt-get", ["-s", "-q", "--no-install-recommends", "install", ...packages], folder);
      const missing = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]!);
      await output("apt-get", ["-q", "download", ...new Set([...packages, ...missing])], folder);
      break;
    } catch (error) {
      if (refresh) {
        const reason = `Tests need the Debian packages ${packages.join(", ")}: ${error}`;
        throw new Error(reason, { cause: first });
      }
      first = error;
    }
  }
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".deb")) continue;
    await output("dpkg-deb", ["-x", name, "root"], folder);
    await Deno.remove(`${folder}/${name}`);
  }
}

async function output(program: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], cwd, env, stdin: "null" })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`"${program} ${args.join(" ")}" failed:\n${text(stderr).trim()}`);
  return text(stdout);
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function* readFolder(path: string): AsyncGenerator<Deno.DirEntry, void> {
  try {
    yield* Deno.readDir(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
