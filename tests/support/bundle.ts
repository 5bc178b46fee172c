/**
 * Bundles the library as its users do: modules and chunks of esbuild's, for browsers, or for Node and Bun.
 *
 * @module
 */
import * as esbuild from "esbuild";

/** What to leave to the host, as the README tells users to: Node's modules, and clients that only some stores need. */
const EXTERNAL: Readonly<Record<"browser" | "node", readonly string[]>> = {
  browser: ["node:*", "redis", "@aws-sdk/client-s3"],
  node: ["redis", "@aws-sdk/client-s3"],
};

/** A module of a bundle. */
export interface BundledModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The source files in it, as paths that end as those of the repository do. */
  readonly sources: readonly string[];
  /** The names of the modules of the bundle that are loaded before it. */
  readonly imports: readonly string[];
  /** What it imports from outside of the bundle before it can run. */
  readonly external: readonly string[];
}

/** A bundle: modules by the names under which they find each other in one folder. */
export type Bundle = ReadonlyMap<string, BundledModule>;

/**
 * Bundles entries, so that they share chunks, and what is imported dynamically has a chunk of its own. What browsers
 * download is minified.
 *
 * @param entries By the name of the module that is made of each.
 */
export async function bundleModules(
  entries: Readonly<Record<string, URL>>,
  platform: "browser" | "node",
): Promise<Bundle> {
  try {
    const { outputFiles, metafile } = await esbuild.build({
      entryPoints: Object.entries(entries).map(([out, url]) => ({ in: decodeURIComponent(url.pathname), out })),
      bundle: true,
      splitting: true,
      format: "esm",
      platform,
      external: [...EXTERNAL[platform]],
      target: "es2022",
      outExtension: { ".js": ".mjs" },
      outdir: "/",
      minify: platform === "browser",
      metafile: true,
      write: false,
    });
    const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [nameOf(path), output]));
    return new Map(outputFiles.map(({ path, contents }) => {
      const { inputs, imports } = outputs.get(nameOf(path))!;
      const eager = imports.filter(({ kind }) => kind === "import-statement");
      return [nameOf(path), {
        bytes: contents.slice(),
        sources: Object.keys(inputs),
        imports: eager.filter(({ external }) => !external).map((entry) => nameOf(entry.path)),
        external: eager.filter(({ external }) => external).map((entry) => entry.path),
      }];
    }));
  } finally {
    await esbuild.stop();
  }
}

/** The names of the modules that a source file whose path ends so is in. */
export function modulesWith(bundle: Bundle, source: string): string[] {
  return [...bundle].filter(([, { sources }]) => sources.some((path) => path.endsWith(source))).map(([name]) => name);
}

/** The names of the modules that are loaded with one, itself included. */
export function loadedWith(bundle: Bundle, name: string): Set<string> {
  const names = new Set([name]);
  for (const reached of names) for (const next of bundle.get(reached)!.imports) names.add(next);
  return names;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
