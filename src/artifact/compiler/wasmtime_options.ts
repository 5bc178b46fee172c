/**
 * The command line of Wasmtime that a configuration asks for: pure functions. The names are those of Wasmtime 25 and
 * later; which of them a version has, it says itself (`-W help`).
 *
 * @module
 */
import { ConfigError } from "../errors.ts";
import { type FeatureName, FEATURES } from "../features.ts";
import { describeValue, TUNABLES } from "../settings.ts";
import type { ResolvedConfig, Target } from "../types.ts";

/** What `-W` calls the features. Those without a name there are always on in Wasmtime, or never: see below. */
const OPTIONS: Readonly<Partial<Record<FeatureName, readonly string[]>>> = {
  "multi-value": ["multi-value"],
  "bulk-memory": ["bulk-memory"],
  "reference-types": ["reference-types"],
  "simd": ["simd"],
  "relaxed-simd": ["relaxed-simd"],
  // Threads came without memories that are shared in later versions: both are needed for what the feature is here.
  "threads": ["threads", "shared-memory"],
  "tail-call": ["tail-call"],
  "extended-const": ["extended-const"],
  "exceptions-final": ["exceptions"],
  "typed-function-references": ["function-references"],
  "gc": ["gc"],
  "memory64": ["memory64"],
  "multi-memory": ["multi-memory"],
  "wide-arithmetic": ["wide-arithmetic"],
  "custom-page-sizes": ["custom-page-sizes"],
  "stack-switching": ["stack-switching"],
};

/** Features that no version of Wasmtime compiles. */
export const NEVER_IN_WASMTIME: readonly FeatureName[] = ["exceptions", "fp16"];

/** The names that `wasmtime compile -W help` lists. */
export function knownOptions(help: string): ReadonlySet<string> {
  return new Set([...help.matchAll(/^\s*-W\s+([a-z0-9-]+)/gm)].map((match) => match[1]));
}

/**
 * The `-W` options of a configuration. A precompiled module is accepted only by a Wasmtime with the same ones.
 *
 * @param known the options that this Wasmtime has: others would be refused. What it has no option for is left as it is.
 */
export function wasmOptions(config: ResolvedConfig, known: ReadonlySet<string>): string[] {
  const options: string[] = [];
  for (const feature of FEATURES) {
    for (const name of OPTIONS[feature] ?? []) {
      if (known.has(name)) options.push("-W", `${name}=${config.features.includes(feature) ? "y" : "n"}`);
    }
  }
  if (config.tunables.denan) options.push("-W", "nan-canonicalization=y");
  return options;
}

/**
 * The arguments of `wasmtime` that compile a file.
 *
 * @param host what this host is; the target is named where it is another, or where flags of the processor are set: then
 * Wasmtime uses those and no others, instead of what it finds out.
 * @throws {ConfigError} for tunables that Wasmtime does not have, and for targets that native code cannot be made for.
 */
export function compileArguments(
  config: ResolvedConfig,
  known: ReadonlySet<string>,
  host: Pick<Target, "architecture" | "operatingSystem">,
  input: string,
  output: string,
): string[] {
  for (const row of TUNABLES) {
    const value = config.tunables[row.name as keyof typeof config.tunables];
    if (row.name === "denan" || value === row.default) continue;
    throw new ConfigError(
      `tunables.${row.name}`,
      `is ${
        describeValue(value)
      }, which Wasmtime cannot put into a module: compile the module with 'binaryen' and that ` +
        "tunable first, and the result with 'wasmtime'",
    );
  }
  const { settings } = config.compiler;
  const args = ["compile", "-O", `opt-level=${Math.min(settings.optimizeLevel, 2)}`];
  for (const option of settings.passes) args.push("-O", option);
  if (settings.debugInfo) args.push("-D", "debug-info=y");
  args.push(...wasmOptions(config, known));
  const triple = targetTriple(config.target);
  const { architecture, operatingSystem } = config.target;
  const foreign = architecture !== host.architecture || operatingSystem !== host.operatingSystem;
  if (foreign || config.isaFlags.length > 0) args.push("--target", triple);
  for (const flag of config.isaFlags) {
    if (!/^[a-z0-9_]+$/.test(flag)) throw new ConfigError(`isaFlags.${flag}`, "is no name such as 'has_avx2'");
    args.push("-C", `cranelift-${flag}`);
  }
  args.push("-o", output, input);
  return args;
}

/** The arguments of `wasmtime` that run a precompiled file. */
export function runArguments(
  path: string,
  options: { readonly args?: readonly string[]; readonly invoke?: string; readonly wasm?: readonly string[] },
): string[] {
  const invoke = options.invoke === undefined ? [] : ["--invoke", options.invoke];
  return ["run", "--allow-precompiled", ...options.wasm ?? [], ...invoke, path, ...options.args ?? []];
}

/** What a triple says of operating systems besides their name. */
const SYSTEMS: Readonly<Record<string, string>> = {
  linux: "unknown-linux-gnu",
  darwin: "apple-darwin",
  windows: "pc-windows-msvc",
  android: "linux-android",
  ios: "apple-ios",
};

/**
 * The triple of a target, such as `x86_64-unknown-linux-gnu`.
 *
 * @throws {ConfigError} for a target that is not one processor and one operating system.
 */
export function targetTriple({ architecture, operatingSystem }: Target): string {
  for (const [name, value] of Object.entries({ architecture, operatingSystem })) {
    if (value !== "any" && value !== "unknown" && /^[a-z0-9_.]+$/.test(value)) continue;
    throw new ConfigError(
      `target.${name}`,
      `is ${describeValue(value)}, and Wasmtime makes native code: name the one it is for, such as x86_64 and linux`,
    );
  }
  return `${architecture}-${SYSTEMS[operatingSystem] ?? `unknown-${operatingSystem}`}`;
}
