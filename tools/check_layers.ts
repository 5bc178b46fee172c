/**
 * Checks that imports point downwards only: each room of `src/` may use itself and the rooms below it.
 *
 * The imports are those that Deno itself resolves (`deno info --json`): static, dynamic and type-only alike.
 *
 *     deno run -A tools/check_layers.ts
 *
 * @module
 */

/** The rooms from the bottom up; rooms on one line stand side by side and may not use each other. */
export const LAYERS: readonly (readonly string[])[] = [
  ["layout"],
  ["memory"],
  ["sync"],
  ["alloc"],
  ["store"],
  ["names"],
  ["file"],
  ["api"],
  ["image", "artifact", "adapters"],
  ["mod.ts"],
  ["emscripten.ts", "artifact.ts"],
  ["cli"],
  ["cli.ts"],
];

/** The modules that users import. */
const ENTRIES: readonly string[] = ["mod.ts", "emscripten.ts", "artifact.ts", "cli.ts"];

/** The packages that a room may use; what is not named here depends on nothing. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  artifact: ["binaryen", "wasm-feature-detect", "@noble/hashes", "redis", "@aws-sdk/client-s3"],
  cli: ["commander", "cli-table3", "cli-progress"],
};

/** Pairs that the order alone would allow. */
const FORBIDDEN: readonly (readonly [from: string, to: string, why: string])[] = [
  ["adapters", "api", "adapters stand on src/file, never on a surface"],
];

/** A module and what it imports, as paths relative to the repository, or specifiers where they lie outside of it. */
export interface ModuleImports {
  readonly path: string;
  readonly imports: readonly string[];
}

/**
 * Finds the imports that point the wrong way.
 *
 * @param modules The library's modules.
 * @returns One line for each violation; empty when all is well.
 */
export function findViolations(modules: readonly ModuleImports[]): string[] {
  const violations: string[] = [];
  for (const { path, imports } of modules) {
    const room = roomOf(path);
    const level = levelOf(room);
    if (level < 0) {
      violations.push(`${path}: lies in no known room of src/ (tools/check_layers.ts lists them)`);
      continue;
    }
    for (const target of imports) {
      if (target.startsWith("node:") || PACKAGES[room]?.includes(packageOf(target) ?? "")) continue;
      const targetRoom = roomOf(target);
      const targetLevel = levelOf(targetRoom);
      const forbidden = FORBIDDEN.find(([from, to]) => from === room && to === targetRoom);
      if (targetLevel < 0) violations.push(`${path}: imports ${target}, which is not part of the library`);
      else if (targetLevel > level) violations.push(`${path}: imports ${target}, which lies above it`);
      else if (targetLevel === level && targetRoom !== room) {
        violations.push(`${path}: imports ${target}, which stands beside it`);
      } else if (forbidden !== undefined) violations.push(`${path}: imports ${target}: ${forbidden[2]}`);
    }
  }
  return violations;
}

function roomOf(path: string): string {
  return ENTRIES.includes(path) ? path : /^src\/([^/]+)\/./.exec(path)?.[1] ?? path;
}

/** The name of the npm package that a specifier such as `npm:/@scope/name@1.2.3/file.js` lies in. */
function packageOf(specifier: string): string | undefined {
  return /^npm:\/?((?:@[^/]+\/)?[^@/]+)/.exec(specifier)?.[1];
}

function levelOf(room: string): number {
  return LAYERS.findIndex((rooms) => rooms.includes(room));
}

interface ResolvedSpecifier {
  specifier?: string;
  error?: string;
}

interface DenoInfo {
  modules: {
    specifier: string;
    error?: string;
    dependencies?: { specifier: string; code?: ResolvedSpecifier; type?: ResolvedSpecifier }[];
  }[];
}

/** Asks Deno for the imports of every module of the library. */
async function readImports(root: URL): Promise<ModuleImports[]> {
  const found = new Map<string, ModuleImports>();
  const relative = (specifier: string) =>
    specifier.startsWith(root.href) ? decodeURIComponent(specifier.slice(root.href.length)) : specifier;
  for (const path of [...ENTRIES, ...listSources(new URL("src/", root), "src/")]) {
    // One graph covers nearly all; modules that mod.ts does not reach are asked for one by one.
    if (found.has(path)) continue;
    for (const module of (await denoInfo(root, path)).modules) {
      if (!module.specifier.startsWith(root.href) || module.specifier.includes("/node_modules/")) continue;
      if (module.error !== undefined) throw new Error(`Cannot read the imports of ${path}: ${module.error}`);
      const imports = (module.dependencies ?? []).map(({ specifier, code, type }) => {
        const resolved = code ?? type;
        if (resolved?.error !== undefined) throw new Error(`Cannot resolve '${specifier}': ${resolved.error}`);
        return relative(resolved?.specifier ?? specifier);
      });
      found.set(relative(module.specifier), { path: relative(module.specifier), imports });
    }
  }
  return [...found.values()].filter(({ path }) => ENTRIES.includes(path) || path.startsWith("src/"));
}

function listSources(directory: URL, prefix: string): string[] {
  const paths: string[] = [];
  for (const entry of Deno.readDirSync(directory)) {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory) paths.push(...listSources(new URL(`${entry.name}/`, directory), `${path}/`));
    else if (entry.name.endsWith(".ts")) paths.push(path);
  }
  return paths.sort();
}

async function denoInfo(root: URL, path: string): Promise<DenoInfo> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
    cwd: root,
  }).output();
  if (!success) throw new Error(`Cannot read the imports of ${path}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout)) as DenoInfo;
}

if (import.meta.main) {
  const modules = await readImports(new URL("../", import.meta.url));
  const violations = findViolations(modules);
  for (const violation of violations) console.error(violation);
  if (violations.length > 0) Deno.exit(1);
  console.log(`${modules.length} modules, all imports point downwards`);
}
