/**
 * Which features can be taken out of a module for a target that lacks them, and how: a table, and the plan that is made
 * of it before anything is compiled.
 *
 * A lowering keeps the meaning of the module, traps included. Where Binaryen's own pass does not, the module is prepared
 * for it (guards.ts), or the lowering is done here (replacements.ts).
 *
 * @module
 */
import { UnsupportedFeatureError } from "../errors.ts";
import type { FeatureName } from "../features.ts";
import { sortFeatures } from "../features.ts";
import type { ResolvedConfig, Target } from "../types.ts";
import type { ModuleScan } from "../wasm/scan.ts";
import { decideGuards } from "./guards.ts";
import { readParts } from "./module_parts.ts";
import { decideBulk, decideSaturation } from "./replacements.ts";
import { rewrite } from "./rewrite.ts";

/** How a feature is lowered. */
export interface Lowering {
  /**
   * - `memories`: a pass of Binaryen over the module with guards in it, before all others.
   * - `instructions`: replacement of instructions, on the binary.
   * - `pass`: a pass of Binaryen.
   */
  readonly step: "memories" | "instructions" | "pass";
  /** Binaryen's passes. */
  readonly passes: readonly string[];
  /** A feature that the target must have for it. */
  readonly needs?: FeatureName;
  /** Whether imports or exports of a module change. */
  readonly changesSignature: (scan: ModuleScan) => boolean;
}

const never = (): boolean => false;

/** The features that can be lowered. */
export const LOWERINGS: Readonly<Partial<Record<FeatureName, Lowering>>> = {
  "sign-extensions": { step: "pass", passes: ["signext-lowering"], changesSignature: never },
  "saturated-float-to-int": { step: "instructions", passes: [], changesSignature: never },
  "bulk-memory": { step: "instructions", passes: [], changesSignature: never },
  // The type of addresses is part of what a module means to its host, be the memory imported, exported or neither.
  "memory64": { step: "memories", passes: ["memory64-lowering"], changesSignature: () => true },
  "multi-memory": {
    step: "memories",
    passes: ["multi-memory-lowering"],
    changesSignature: (scan) => [...scan.imports, ...scan.exports].some((extern) => extern.kind === "memory"),
  },
  "exceptions": {
    step: "pass",
    passes: ["translate-to-exnref"],
    needs: "exceptions-final",
    changesSignature: never,
  },
};

/** What is to be lowered. */
export interface LoweringPlan {
  /** The features that the module uses, in terms of the target: see {@linkcode usedFeatures}. */
  readonly used: readonly FeatureName[];
  /** Features of the first step. */
  readonly memories: readonly FeatureName[];
  /** Features whose instructions are replaced. */
  readonly instructions: readonly FeatureName[];
  /** Passes of Binaryen. */
  readonly passes: readonly string[];
}

/**
 * The features that a module uses. A module that only has a tag is valid with either form of exceptions: it counts for
 * the one that the target has.
 */
export function usedFeatures(scan: ModuleScan, target: readonly FeatureName[]): readonly FeatureName[] {
  if (!scan.eitherExceptions || target.includes("exceptions") || !target.includes("exceptions-final")) {
    return scan.features;
  }
  return sortFeatures(scan.features.map((name) => name === "exceptions" ? "exceptions-final" : name));
}

/**
 * Plans the lowering of a module.
 *
 * @throws {UnsupportedFeatureError} for features that the target lacks and that cannot be lowered, or only with
 * `signatureLowering`.
 */
export function planLowering(scan: ModuleScan, config: ResolvedConfig): LoweringPlan {
  const used = usedFeatures(scan, config.features);
  const missing = used.filter((name) => !config.features.includes(name));
  const lowerable = (name: FeatureName): boolean => {
    const lowering = LOWERINGS[name];
    return lowering !== undefined && (lowering.needs === undefined || config.features.includes(lowering.needs));
  };
  const lost = missing.filter((name) => !lowerable(name));
  if (lost.length > 0) {
    throw new UnsupportedFeatureError(
      lost,
      `the module uses ${listUses(lost, scan)}, which the target ${describeTarget(config.target)} lacks by this ` +
        "configuration and which cannot be lowered: configure the feature as on if the target has it, or build the " +
        "module without it",
    );
  }
  const changing = missing.filter((name) => LOWERINGS[name]!.changesSignature(scan));
  if (changing.length > 0 && !config.compiler.settings.signatureLowering) {
    throw new UnsupportedFeatureError(
      changing,
      `the module uses ${listUses(changing, scan)}, which the target ${describeTarget(config.target)} lacks by this ` +
        "configuration; lowering changes what the module imports or exports: set compiler.settings.signatureLowering to " +
        "true to allow that, and link the module accordingly",
    );
  }
  const ofStep = (step: Lowering["step"]) => missing.filter((name) => LOWERINGS[name]!.step === step);
  return {
    used,
    memories: ofStep("memories"),
    instructions: ofStep("instructions"),
    passes: ofStep("pass").flatMap((name) => LOWERINGS[name]!.passes),
  };
}

function listUses(names: readonly FeatureName[], scan: ModuleScan): string {
  return names.map((name) => {
    const offset = scan.firstUse.get(name) ?? scan.firstUse.get("exceptions");
    return `'${name}' (first at byte ${offset})`;
  }).join(", ");
}

/** A target as messages name it. */
export function describeTarget(target: Target): string {
  const { name, version } = target.engine;
  return `${target.architecture}-${target.operatingSystem}, ${name}${version === "" ? "" : ` ${version}`},`;
}

/**
 * Puts guards into a module whose memories are to be lowered.
 *
 * @throws {UnsupportedFeatureError} for memories and tables that cannot be lowered.
 */
export function guardMemories(bytes: Uint8Array, features: readonly FeatureName[]): Uint8Array {
  const parts = readParts(bytes);
  const plan = { memory64: features.includes("memory64"), multiMemory: features.includes("multi-memory") };
  return rewrite(parts, decideGuards(parts, plan));
}

/**
 * Replaces the instructions of features that are lowered on the binary.
 *
 * @throws {UnsupportedFeatureError} for instructions of bulk memory other than `memory.copy` and `memory.fill`.
 */
export function replaceInstructions(bytes: Uint8Array, features: readonly FeatureName[]): Uint8Array {
  const parts = readParts(bytes);
  const bulk = features.includes("bulk-memory") ? decideBulk(parts) : undefined;
  const saturation = features.includes("saturated-float-to-int") ? decideSaturation : undefined;
  return rewrite(parts, (instruction) => saturation?.(instruction) ?? bulk?.(instruction));
}

/** What lowering memories did to imports and exports. */
export interface SignatureChange {
  /** The features whose lowering changed something, sorted. */
  readonly features: readonly FeatureName[];
  /** What changed that no lowering explains. */
  readonly unexplained: readonly string[];
}

/** Compares what a module imports and exports before and after the lowering of its memories. */
export function compareSignatures(
  before: ModuleScan,
  after: ModuleScan,
  lowered: readonly FeatureName[],
): SignatureChange {
  const changed = new Set<FeatureName>();
  const unexplained: string[] = [];
  const compare = (label: string, kind: string, was: string, is: string | undefined) => {
    if (was === is) return;
    const limits = kind === "memory" || kind === "table";
    if (limits && was.startsWith("i64") && lowered.includes("memory64")) changed.add("memory64");
    else if (kind === "memory" && lowered.includes("multi-memory")) changed.add("multi-memory");
    else unexplained.push(`${label} was ${was} and is ${is ?? "gone"}`);
    if (kind !== "memory" || is === undefined || !lowered.includes("multi-memory")) return;
    // Both may have changed the same memory: what is left of the difference without the type of addresses is the joining.
    if (was.replace(/^i64/, "i32") !== is) changed.add("multi-memory");
  };
  for (const entry of before.exports) {
    const same = after.exports.find((other) => other.name === entry.name && other.kind === entry.kind);
    compare(`export ${entry.name}`, entry.kind, entry.type, same?.type);
  }
  const left = [...after.imports];
  for (const entry of before.imports) {
    const place = left.findIndex((other) =>
      other.module === entry.module && other.name === entry.name && other.kind === entry.kind
    );
    const same = place < 0 ? undefined : left.splice(place, 1)[0];
    compare(`import ${entry.module}.${entry.name}`, entry.kind, entry.type, same?.type);
  }
  for (const extra of left) unexplained.push(`import ${extra.module}.${extra.name} is new`);
  return { features: sortFeatures(changed), unexplained };
}
