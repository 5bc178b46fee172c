/**
 * What fleets compile: small modules that tell themselves apart, and the configurations that they are compiled for.
 *
 * @module
 */
import type { EngineConfig, FeatureName } from "../../../artifact.ts";

/** A module. */
export interface FleetModule {
  /** Its text. `tell` depends on its argument, so that no compiler can leave out what it does. */
  readonly text: string;
  /** What `tell` gives for 1000. */
  readonly tells: number;
  /** The features that it uses. */
  readonly uses: readonly FeatureName[];
}

const moduleOf = (tells: number, uses: readonly FeatureName[], body: string): FleetModule => ({
  text: `(module (memory (export "memory") 1) (func (export "tell") (param i32) (result i32) ${body}))`,
  tells,
  uses,
});

/** The modules by name. */
export const MODULES: Readonly<Record<string, FleetModule>> = {
  arithmetic: moduleOf(7001, [], "(i32.add (i32.mul (local.get 0) (i32.const 7)) (i32.const 1))"),
  sign: moduleOf(-24, ["sign-extensions"], "(i32.extend8_s (local.get 0))"),
  bulk: moduleOf(
    0xe8e8e8e8 | 0,
    ["bulk-memory"],
    `(memory.fill (i32.const 0) (local.get 0) (i32.const 4))
     (memory.copy (i32.const 16) (i32.const 0) (i32.const 4))
     (i32.load (i32.const 16))`,
  ),
  float: moduleOf(
    2 ** 31 - 1,
    ["saturated-float-to-int"],
    "(i32.trunc_sat_f64_s (f64.mul (f64.convert_i32_s (local.get 0)) (f64.const 1e9)))",
  ),
};

/** A module that nobody has asked for. */
export const EVIL: FleetModule = moduleOf(-666, [], "(i32.sub (i32.const 334) (local.get 0))");

/** What {@linkcode LOWERED} is without: what the modules use. */
const TAKEN_OUT: readonly FeatureName[] = ["sign-extensions", "bulk-memory", "saturated-float-to-int"];

/** The configurations by name; each host has its own version and features. */
export const CONFIGS: Readonly<Record<"plain" | "lowered" | "asyncify", EngineConfig>> = {
  plain: {},
  lowered: {
    compiler: { settings: { optimizeLevel: 0 } },
    features: Object.fromEntries(TAKEN_OUT.map((name) => [name, false])),
  },
  asyncify: { compiler: { settings: { optimizeLevel: 0 } }, tunables: { asyncify: true } },
};

/** What is expected of a module that was compiled for one of {@linkcode CONFIGS}. */
export interface Expected {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tunables: Readonly<Record<string, unknown>>;
  readonly features: readonly string[];
  readonly exports: readonly string[];
}

const ASYNCIFY_EXPORTS = ["start_unwind", "stop_unwind", "start_rewind", "stop_rewind", "get_state"];

/** What the header and the exports of a module say once it is compiled for a configuration. */
export function expectedOf(module: string, config: string): Expected {
  const { uses } = MODULES[module]!;
  const exports = ["memory", "tell"];
  switch (config) {
    case "plain":
      return { settings: {}, tunables: {}, features: uses, exports };
    case "lowered":
      return { settings: { optimizeLevel: 0 }, tunables: {}, features: [], exports };
    case "asyncify":
      return {
        settings: { optimizeLevel: 0 },
        tunables: { asyncify: true },
        features: uses,
        exports: [...exports, ...ASYNCIFY_EXPORTS.map((name) => `asyncify_${name}`)],
      };
  }
  throw new TypeError(`no such configuration: ${config}`);
}

/** Whether an engine of a configuration loads what one of the same version made of a module for another. */
export function loadsFrom(config: string, made: string, module: string): boolean {
  if (config === made) return true;
  if (config === "plain") return made === "lowered";
  return config === "lowered" && made === "plain" && MODULES[module]!.uses.length === 0;
}
