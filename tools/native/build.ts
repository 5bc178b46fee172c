/**
 * Builds C and C++ programs with Emscripten into an ignored folder, and only when something that they are made of has
 * changed: sources, the headers that these include, flags, files that the flags name, and the compiler's version.
 *
 *     <cache>/native/objects/<hash>/  one compiled source, and the headers that it was made of
 *     <cache>/native/<name>-<hash>/   one linked program
 *
 * @module
 */
import { cacheFolder } from "../cache.ts";
import { emcc, emscriptenVersion } from "./toolchain.ts";

/** What to build. */
export interface Program {
  /** Name of the output, without its ending; a part of the folder's name too. */
  readonly name: string;
  /** Absolute paths of `.c` and `.cpp` files, or of objects and archives, which are linked as they are. */
  readonly sources: readonly string[];
  /** Flags of compiling and linking alike, such as `-O3` and `-pthread`. */
  readonly flags?: readonly string[];
  /** Flags of compiling alone, such as `-D` and `-I`. */
  readonly compileFlags?: readonly string[];
  /** Flags of linking alone, such as `-s` settings and `--js-library`. */
  readonly linkFlags?: readonly string[];
  /** Files that the program depends on beyond its sources, their headers and files that flags name. */
  readonly dependencies?: readonly string[];
  /** Ending of the output, `.mjs` by default; `.a` and `.o` are not for here. */
  readonly extension?: string;
}

/** Flags of a program that a worker of Deno or a browser loads (`run.ts`): an ES module with threads. */
export const WORKER_FLAGS: { readonly flags: readonly string[]; readonly linkFlags: readonly string[] } = {
  flags: ["-O3", "-pthread"],
  linkFlags: ["-sENVIRONMENT=web,worker", "-sEXPORT_ES6", "-sMODULARIZE", "-sEXIT_RUNTIME"],
};

/** Endings of files that are compiled; all others are linked as they are. */
const SOURCE = /\.(c|cc|cpp|cxx|C)$/;

/**
 * Builds a program, or finds it built. Several processes may build at the same time, the same program too.
 *
 * @param program What to build.
 * @returns The absolute path of the output; its `.wasm` lies beside it.
 * @throws {ToolError} When the compiler fails; the message carries its own.
 */
export async function buildProgram(program: Program): Promise<string> {
  const { name, sources, flags = [], compileFlags = [], linkFlags = [], dependencies = [] } = program;
  const version = await emscriptenVersion();
  const objects: string[] = [];
  for (const source of sources) {
    objects.push(SOURCE.test(source) ? await buildObject(source, [...flags, ...compileFlags], version) : source);
  }
  const args = [...flags, ...linkFlags];
  const key = await digest([
    version,
    name,
    ...args,
    ...(await hashFiles([...objects, ...filesOf(args), ...dependencies])).map(([, hash]) => hash),
  ]);
  const folder = `${cacheFolder("native")}/${name}-${key}`;
  const file = `${name}${program.extension ?? ".mjs"}`;
  if (await exists(`${folder}/${file}`)) return `${folder}/${file}`;
  await publish(folder, file, async (scratch) => {
    await emcc([...objects, ...args, "-o", `${scratch}/${file}`]);
  });
  return `${folder}/${file}`;
}

/** Compiles one source, or finds it compiled with the headers as they are now. */
async function buildObject(source: string, flags: readonly string[], version: string): Promise<string> {
  const [[, content]] = await hashFiles([source]);
  const key = await digest([version, source, content, ...flags]);
  const folder = `${cacheFolder("native")}/objects/${key}`;
  const [object, manifest] = [`${folder}/object.o`, `${folder}/headers.json`];
  if (await exists(manifest)) {
    const before: [string, string][] = JSON.parse(await Deno.readTextFile(manifest));
    const now = await hashFiles(before.map(([path]) => path));
    if (JSON.stringify(before) === JSON.stringify(now)) return object;
    await Deno.remove(folder, { recursive: true });
  }
  await publish(folder, "headers.json", async (scratch) => {
    await emcc([...flags, "-c", source, "-MMD", "-MF", `${scratch}/object.d`, "-o", `${scratch}/object.o`]);
    const headers = parseDependencies(await Deno.readTextFile(`${scratch}/object.d`)).filter((path) => path !== source);
    // Last, for it says that the object is complete. Headers of the compiler's own go with its version.
    await Deno.writeTextFile(`${scratch}/headers.json`, JSON.stringify(await hashFiles(headers)));
  });
  return object;
}

/**
 * Reads the prerequisites of a dependency file as compilers write them.
 *
 * @param text Such as `object.o: a.c \` and, on the next line, `a.h`.
 * @returns The paths after the colon.
 */
export function parseDependencies(text: string): string[] {
  const prerequisites = text.replace(/\\\r?\n/g, " ").replace(/^(?:\\.|[^:])*:/, "");
  return [...prerequisites.matchAll(/(?:\\.|\S)+/g)].map(([path]) => path.replace(/\\(.)/g, "$1"));
}

/** The files among flags and after the `=` of flags. */
function filesOf(flags: readonly string[]): string[] {
  return flags.map((flag) => flag.slice(flag.indexOf("=") + 1)).filter((path) => path.startsWith("/"));
}

/** Makes a folder whole in a scratch folder beside it, and moves it to its place in one step. */
async function publish(folder: string, file: string, make: (scratch: string) => Promise<void>): Promise<void> {
  const parent = folder.slice(0, folder.lastIndexOf("/"));
  await Deno.mkdir(parent, { recursive: true });
  const scratch = await Deno.makeTempDir({ dir: parent, prefix: "building-" });
  try {
    await make(scratch);
    await Deno.rename(scratch, folder);
  } catch (error) {
    await Deno.remove(scratch, { recursive: true });
    // Another process was first: what it made is the same.
    if (!await exists(`${folder}/${file}`)) throw error;
  }
}

/** Each path with a hash of what it holds; folders and missing files get a name instead. */
async function hashFiles(paths: readonly string[]): Promise<[path: string, hash: string][]> {
  return await Promise.all(paths.map(async (path): Promise<[string, string]> => {
    try {
      return [path, await sha256(await Deno.readFile(path))];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [path, "missing"];
      if ((await Deno.stat(path)).isDirectory) return [path, "folder"];
      throw error;
    }
  }));
}

/** A short name for a list of texts. */
async function digest(texts: readonly string[]): Promise<string> {
  return (await sha256(new TextEncoder().encode(JSON.stringify(texts)))).slice(0, 16);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
