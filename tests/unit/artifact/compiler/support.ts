/**
 * What the tests of compilers share: configurations, and modules from text.
 *
 * @module
 */
import wabt from "wabt";
import { BINARYEN_VERSION } from "../../../../src/artifact/compiler/binaryen.ts";
import { loadBinaryen } from "../../../../src/artifact/compiler/binaryen_instance.ts";
import { type FeatureName, FEATURES } from "../../../../src/artifact/features.ts";
import {
  COMPILER_SETTINGS,
  type CompilerSettings,
  resolveSettings,
  TUNABLES,
  type Tunables,
} from "../../../../src/artifact/settings.ts";
import type { ResolvedConfig } from "../../../../src/artifact/types.ts";

/** What tests change about a configuration. */
export interface ConfigChanges {
  readonly features?: readonly FeatureName[];
  readonly settings?: Partial<CompilerSettings>;
  readonly tunables?: Partial<Tunables>;
}

/** What V8 has of the features. */
export const HOST_FEATURES: readonly FeatureName[] = FEATURES.filter((name) =>
  !["wide-arithmetic", "custom-page-sizes", "stack-switching", "fp16", "exceptions"].includes(name)
);

/** The host's features without some. */
export function without(...names: FeatureName[]): FeatureName[] {
  return HOST_FEATURES.filter((name) => !names.includes(name));
}

/** A configuration for this kind of tests: Binaryen, and a target with what V8 has. */
export function configOf(changes: ConfigChanges = {}): ResolvedConfig {
  return {
    target: { architecture: "any", operatingSystem: "any", engine: { name: "v8", version: "14.0" } },
    compiler: {
      name: "binaryen",
      version: BINARYEN_VERSION,
      settings: resolveSettings<CompilerSettings>("compiler.settings", COMPILER_SETTINGS, changes.settings),
    },
    isaFlags: [],
    tunables: resolveSettings<Tunables>("tunables", TUNABLES, changes.tunables),
    features: changes.features ?? HOST_FEATURES,
    version: "none",
  };
}

const tools = wabt();

/** A module from text, with all features that wabt has. */
export async function assemble(text: string, names = false): Promise<Uint8Array> {
  const features = {
    exceptions: true,
    mutable_globals: true,
    sat_float_to_int: true,
    sign_extension: true,
    simd: true,
    threads: true,
    multi_value: true,
    tail_call: true,
    bulk_memory: true,
    reference_types: true,
    memory64: true,
    multi_memory: true,
    extended_const: true,
    function_references: true,
  };
  const parsed = (await tools).parseWat("test.wat", text, features);
  try {
    return parsed.toBinary({ write_debug_names: names }).buffer;
  } finally {
    parsed.destroy();
  }
}

/** A module from text by Binaryen: wabt leaves out the memory of data segments that name one. */
export async function assembleByBinaryen(text: string): Promise<Uint8Array> {
  const binaryen = await loadBinaryen();
  const settings = { ...configOf().compiler.settings, optimizeLevel: 0, shrinkLevel: 0 };
  return binaryen.call("assemble", settings, (api) => {
    const module = api.parseText(text);
    try {
      module.setFeatures(binaryen.flags(HOST_FEATURES, HOST_FEATURES));
      return module.emitBinary();
    } finally {
      module.dispose();
    }
  });
}

/** The exports of a new instance, as functions. */
// deno-lint-ignore no-explicit-any
export type Calls = Record<string, (...values: any[]) => any>;

/** Instantiates a module. */
export function instantiate(bytes: Uint8Array, imports: WebAssembly.Imports = {}): Calls {
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  return new WebAssembly.Instance(module, imports).exports as Calls;
}

/** What a call gives, or that it traps. */
export function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return "trap";
    throw error;
  }
}
