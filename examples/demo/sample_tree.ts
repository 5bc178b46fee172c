/**
 * The demo's default input: a real package tree of thousands of files from npm, fetched by Deno itself into the
 * ignored folder `.cache/demo` and kept there.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { DemoError } from "./demo_error.ts";

/** What is fetched; a change of it gets a folder of its own. */
const DEPENDENCIES: Readonly<Record<string, string>> = {
  "date-fns": "4.4.0",
  "lodash": "4.18.1",
  "typescript": "6.0.3",
};

/**
 * Makes sure that the tree is there.
 *
 * @param say Told what is being done when it takes time.
 * @returns The tree's path.
 * @throws {DemoError} If it cannot be fetched.
 */
export async function provideSampleTree(say: (message: string) => void): Promise<string> {
  const name = Object.entries(DEPENDENCIES).map(([name, version]) => `${name}-${version}`).join("+");
  const cache = new URL("../../.cache/demo/", import.meta.url);
  const tree = new URL(`${name}/`, cache);
  // Written last, so that an interrupted fetch is not taken for a tree.
  const complete = new URL(`${name}.complete`, cache);
  if (!exists(complete)) {
    say(`fetching ${Object.keys(DEPENDENCIES).join(", ")} from npm into .cache/demo ...`);
    await fetchTree(tree);
    Deno.writeTextFileSync(complete, "");
  }
  for (const dependency of Object.keys(DEPENDENCIES)) {
    if (!exists(new URL(`node_modules/${dependency}/package.json`, tree))) {
      Deno.removeSync(complete);
      throw new DemoError(`the cached package tree lacks ${dependency}; run the demo again to fetch it anew`);
    }
  }
  return fileURLToPath(tree).replace(/[\\/]$/, "");
}

async function fetchTree(tree: URL): Promise<void> {
  Deno.mkdirSync(tree, { recursive: true });
  Deno.writeTextFileSync(
    new URL("package.json", tree),
    JSON.stringify({ name: "demo-tree", private: true, dependencies: DEPENDENCIES }, null, 2) + "\n",
  );
  // A configuration of its own, so that it is not taken for a part of this repository.
  Deno.writeTextFileSync(new URL("deno.json", tree), JSON.stringify({ nodeModulesDir: "auto", lock: false }) + "\n");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet"],
    cwd: tree,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) {
    const why = new TextDecoder().decode(stderr).trim().split("\n")[0];
    throw new DemoError(`cannot fetch the default tree from npm (pass a DIR instead): ${why}`);
  }
}

function exists(url: URL): boolean {
  try {
    Deno.statSync(url);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
