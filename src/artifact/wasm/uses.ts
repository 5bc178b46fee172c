/**
 * Sets of features as bits, and where each was seen first. Imports the features only.
 *
 * @module
 */
import { type FeatureName, FEATURES } from "../features.ts";

/** A set of features: bit `i` stands for the `i`-th of {@linkcode FEATURES}. */
export type FeatureBits = number;

/** The set of some features. */
export function featureBits(...names: FeatureName[]): FeatureBits {
  let bits = 0;
  for (const name of names) bits |= 1 << FEATURES.indexOf(name);
  return bits;
}

/** `mutable-globals` */
export const MUTABLE_GLOBALS: FeatureBits = featureBits("mutable-globals");
/** `multi-value` */
export const MULTI_VALUE: FeatureBits = featureBits("multi-value");
/** `bulk-memory` */
export const BULK_MEMORY: FeatureBits = featureBits("bulk-memory");
/** `reference-types` */
export const REFERENCE_TYPES: FeatureBits = featureBits("reference-types");
/** `simd` */
export const SIMD: FeatureBits = featureBits("simd");
/** `threads` */
export const THREADS: FeatureBits = featureBits("threads");
/** `extended-const` */
export const EXTENDED_CONST: FeatureBits = featureBits("extended-const");
/** `exceptions` */
export const EXCEPTIONS: FeatureBits = featureBits("exceptions");
/** `exceptions-final` */
export const EXCEPTIONS_FINAL: FeatureBits = featureBits("exceptions-final");
/** `typed-function-references` */
export const TYPED_FUNCTION_REFERENCES: FeatureBits = featureBits("typed-function-references");
/** `gc` */
export const GC: FeatureBits = featureBits("gc");
/** `memory64` */
export const MEMORY64: FeatureBits = featureBits("memory64");
/** `multi-memory` */
export const MULTI_MEMORY: FeatureBits = featureBits("multi-memory");
/** `custom-page-sizes` */
export const CUSTOM_PAGE_SIZES: FeatureBits = featureBits("custom-page-sizes");
/** `stack-switching` */
export const STACK_SWITCHING: FeatureBits = featureBits("stack-switching");

/** The features that were seen in a module. */
export class FeatureUses {
  /** Those seen so far. */
  seen: FeatureBits = 0;
  readonly #first = new Map<FeatureName, number>();

  /** Notes the use of features at a byte offset. */
  add(bits: FeatureBits, offset: number): void {
    const fresh = bits & ~this.seen;
    if (fresh === 0) return;
    this.seen |= fresh;
    FEATURES.forEach((name, index) => {
      if (fresh & 1 << index) this.#first.set(name, offset);
    });
  }

  /** The names, in the order of {@linkcode FEATURES}. */
  names(): FeatureName[] {
    return FEATURES.filter((name) => this.#first.has(name));
  }

  /** The offset in bytes at which each feature was seen first, in the order of {@linkcode FEATURES}. */
  firstUses(): Map<FeatureName, number> {
    return new Map(this.names().map((name) => [name, this.#first.get(name)!]));
  }
}
