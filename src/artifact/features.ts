/**
 * The WebAssembly features that decide whether a module is valid on a host: their names, what each of them builds on, and
 * which of them a compiler can take out of a module. Imports errors only.
 *
 * @module
 */
import { ConfigError } from "./errors.ts";

/**
 * The features beyond the first version of WebAssembly, named as their proposals are, in the order in which they are
 * encoded and listed. New ones are added at the end: the encoding is by name, so that adding changes no hash.
 */
export const FEATURES = [
  "mutable-globals",
  "sign-extensions",
  "saturated-float-to-int",
  "multi-value",
  "bulk-memory",
  "reference-types",
  "simd",
  "relaxed-simd",
  "threads",
  "tail-call",
  "extended-const",
  "exceptions",
  "exceptions-final",
  "typed-function-references",
  "gc",
  "memory64",
  "multi-memory",
  "wide-arithmetic",
  "custom-page-sizes",
  "stack-switching",
  "fp16",
] as const;

/** The name of a feature. `exceptions` is the first form of them (`try`), `exceptions-final` the standard (`try_table`). */
export type FeatureName = typeof FEATURES[number];

/** What a feature cannot be without. */
const REQUIRED: Readonly<Partial<Record<FeatureName, readonly FeatureName[]>>> = {
  "relaxed-simd": ["simd"],
  "fp16": ["simd"],
  "exceptions-final": ["reference-types"],
  "typed-function-references": ["reference-types"],
  "gc": ["reference-types", "typed-function-references"],
  "stack-switching": ["typed-function-references", "exceptions-final"],
};

/** Whether a text is the name of a feature. */
export function isFeatureName(name: unknown): name is FeatureName {
  return (FEATURES as readonly unknown[]).includes(name);
}

/** Features in the order of {@linkcode FEATURES}, each once. */
export function sortFeatures(features: Iterable<FeatureName>): FeatureName[] {
  const set = new Set(features);
  return FEATURES.filter((name) => set.has(name));
}

/**
 * Refuses a set of features that contradicts itself.
 *
 * @throws {ConfigError} where one is on without what it is built on.
 */
export function assertConsistent(features: readonly FeatureName[]): void {
  for (const name of features) {
    for (const needed of REQUIRED[name] ?? []) {
      if (features.includes(needed)) continue;
      throw new ConfigError(
        `features.${name}`,
        `is on while '${needed}', which it is built on, is off: switch '${needed}' on or '${name}' off`,
      );
    }
  }
}
