/**
 * What this host is: the target that it makes as an engine describes one, and the WebAssembly features that it has. Runs
 * in threads without any permission: nothing is read but what the host's own globals tell. Imports names, features,
 * errors and what browsers tell.
 *
 * @module
 */
import { ConfigError } from "./errors.ts";
import { assertConsistent, type FeatureName, FEATURES } from "./features.ts";
import { type BrowserNavigator, describeBrowser } from "./host_browser.ts";
import { architectureName, operatingSystemName } from "./host_names.ts";
import type { Target } from "./types.ts";

/** The globals by which hosts are told apart; none of them is everywhere. */
interface HostGlobals {
  readonly Bun?: unknown;
  readonly Deno?: {
    readonly build?: { readonly arch: string; readonly os: string };
    readonly version?: { readonly v8: string };
  };
  readonly process?: {
    readonly arch?: string;
    readonly platform?: string;
    readonly versions?: Readonly<Record<string, string | undefined>>;
  };
  readonly navigator?: BrowserNavigator;
}

let target: Promise<Target> | undefined;
let features: Promise<readonly FeatureName[]> | undefined;

/**
 * This host as a target: Deno, Node, Bun, and browsers with their workers. Found out once in each realm.
 *
 * @returns What the host tells; a name that it does not tell is `unknown`, a version is empty. Never a guess.
 */
export async function detectTarget(): Promise<Target> {
  const { architecture, operatingSystem, engine } = await (target ??= describeHost());
  return { architecture, operatingSystem, engine: { ...engine } };
}

/**
 * The WebAssembly features this host has: those of which a module is valid here. Found out once in each realm; all
 * threads of a host find the same.
 *
 * @returns Their names, in the order of {@linkcode FEATURES}; none where modules cannot be compiled at all.
 * @throws {ConfigError} where the package that knows most of the questions cannot be loaded.
 */
export async function detectFeatures(): Promise<FeatureName[]> {
  features ??= probeFeatures().catch((error) => {
    // In a browser the package may come over a network that is better next time.
    features = undefined;
    throw error;
  });
  return [...await features];
}

async function describeHost(): Promise<Target> {
  // Globals are read only when it is their turn: Deno takes 20 ms to make its `process`.
  const host = globalThis as unknown as HostGlobals;
  // Bun gives itself out as Node, with a version of V8 that it does not have.
  if (host.Bun !== undefined && host.process?.versions?.bun !== undefined) {
    return machine(host.process.arch, host.process.platform, "javascriptcore", host.process.versions.webkit);
  }
  // Deno has Node's `process` too, with the same version.
  if (host.Deno?.build !== undefined && host.Deno.version !== undefined) {
    return machine(host.Deno.build.arch, host.Deno.build.os, "v8", host.Deno.version.v8);
  }
  // Bundlers give pages a `process` without versions.
  if (host.process?.versions?.node !== undefined && host.process.versions.v8 !== undefined) {
    return machine(host.process.arch, host.process.platform, "v8", host.process.versions.v8);
  }
  return await describeBrowser(host.navigator);
}

function machine(arch: string | undefined, os: string | undefined, engine: string, version?: string): Target {
  return {
    architecture: architectureName(arch),
    operatingSystem: operatingSystemName(os),
    engine: { name: engine, version: version ?? "" },
  };
}

/** The features that {@linkcode PROBES} ask for. */
export type ProbedFeature = "threads" | "custom-page-sizes" | "stack-switching" | "fp16";

/** Magic and version of a WebAssembly binary; alone they are the empty module. */
const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const;

/** The smallest modules that need one feature, and what that builds on. */
export const PROBES: Readonly<Record<ProbedFeature, Uint8Array<ArrayBuffer>>> = {
  // (memory 0 1 shared) (func i32.const 0  i32.atomic.load  drop)
  // deno-fmt-ignore
  "threads": Uint8Array.of(
    ...PREAMBLE,
    0x01, 0x04, 0x01, 0x60, 0x00, 0x00, // types: one, (func)
    0x03, 0x02, 0x01, 0x00, // functions: one, of type 0
    0x05, 0x04, 0x01, 0x03, 0x00, 0x01, // memories: one, shared with a maximum, 0 to 1 pages
    0x0a, 0x0b, 0x01, 0x09, 0x00, // code: one body of 9 bytes, no locals
    0x41, 0x00, 0xfe, 0x10, 0x02, 0x00, 0x1a, 0x0b, // i32.const 0, i32.atomic.load align=4, drop, end
  ),
  // (memory 0 (pagesize 1))
  // deno-fmt-ignore
  "custom-page-sizes": Uint8Array.of(
    ...PREAMBLE,
    0x05, 0x04, 0x01, 0x08, 0x00, 0x00, // memories: one, with a page size, 0 pages, of 2 ** 0 bytes
  ),
  // (type $f (func)) (type $c (cont $f)) (tag $t (type $f))
  // (func  suspend $t
  //   (block (result (ref null $c))  ref.null $c  resume $c (on $t 0)  ref.null $c)  drop)
  // deno-fmt-ignore
  "stack-switching": Uint8Array.of(
    ...PREAMBLE,
    0x01, 0x06, 0x02, 0x60, 0x00, 0x00, 0x5d, 0x00, // types: (func), (cont 0)
    0x03, 0x02, 0x01, 0x00, // functions: one, of type 0
    0x0d, 0x03, 0x01, 0x00, 0x00, // tags: one, of type 0
    0x0a, 0x15, 0x01, 0x13, 0x00, // code: one body of 19 bytes, no locals
    0xe2, 0x00, // suspend 0
    0x02, 0x63, 0x01, // block (result (ref null 1))
    0xd0, 0x01, 0xe3, 0x01, 0x01, 0x00, 0x00, 0x00, // ref.null 1, resume 1 with one handler: (on 0 0)
    0xd0, 0x01, 0x0b, 0x1a, 0x0b, // ref.null 1, end, drop, end
  ),
  // (func  f32.const 0  f16x8.splat  drop)
  // deno-fmt-ignore
  "fp16": Uint8Array.of(
    ...PREAMBLE,
    0x01, 0x04, 0x01, 0x60, 0x00, 0x00, // types: one, (func)
    0x03, 0x02, 0x01, 0x00, // functions: one, of type 0
    0x0a, 0x0d, 0x01, 0x0b, 0x00, // code: one body of 11 bytes, no locals
    0x43, 0x00, 0x00, 0x00, 0x00, 0xfd, 0xa0, 0x02, 0x1a, 0x0b, // f32.const 0, f16x8.splat, drop, end
  ),
};

type Detectors = typeof import("wasm-feature-detect");

/** The features that the package wasm-feature-detect has questions for, and their names there. */
const DETECTORS: Readonly<Record<Exclude<FeatureName, ProbedFeature>, keyof Detectors>> = {
  "mutable-globals": "mutableGlobals",
  "sign-extensions": "signExtensions",
  "saturated-float-to-int": "saturatedFloatToInt",
  "multi-value": "multiValue",
  "bulk-memory": "bulkMemory",
  "reference-types": "referenceTypes",
  "simd": "simd",
  "relaxed-simd": "relaxedSimd",
  "tail-call": "tailCall",
  "extended-const": "extendedConst",
  "exceptions": "exceptions",
  "exceptions-final": "exceptionsFinal",
  "typed-function-references": "typedFunctionReferences",
  "gc": "gc",
  "memory64": "memory64",
  "multi-memory": "multiMemory",
  "wide-arithmetic": "wideArithmetic",
};

async function probeFeatures(): Promise<readonly FeatureName[]> {
  if (!canCompile()) return [];
  let detectors: Detectors;
  try {
    detectors = await import("wasm-feature-detect");
  } catch (cause) {
    const error = new ConfigError(
      "features",
      "the host's cannot be found out, as the package 'wasm-feature-detect' is not to be loaded: " +
        "install it, or name the features",
    );
    error.cause = cause;
    throw error;
  }
  const answers = await Promise.all(
    FEATURES.map((name) =>
      isProbed(name)
        ? WebAssembly.validate(PROBES[name]) && (name !== "threads" || canShareMemory())
        : detectors[DETECTORS[name]]()
    ),
  );
  return consistentPart(FEATURES.filter((_, index) => answers[index]));
}

function isProbed(name: FeatureName): name is ProbedFeature {
  return Object.hasOwn(PROBES, name);
}

/** Whether modules can be compiled: a page's content security policy may forbid it. */
function canCompile(): boolean {
  try {
    return new WebAssembly.Module(Uint8Array.from(PREAMBLE)) instanceof WebAssembly.Module;
  } catch {
    return false;
  }
}

/**
 * Whether a module with a shared memory can be loaded, not only validated. On a page that is not isolated from other
 * origins there is no global SharedArrayBuffer and memory cannot be sent to a worker, but engines still make shared
 * memories, on which such modules run in one thread. So these pages have the feature (wasm-feature-detect says they have
 * not), and an artifact is for a browser, not for how a site is served.
 */
function canShareMemory(): boolean {
  try {
    return !(new WebAssembly.Memory({ initial: 0, maximum: 1, shared: true }).buffer instanceof ArrayBuffer);
  } catch {
    return false;
  }
}

/**
 * Features without those that lack what they are built on: these are of no use, and no configuration may have them.
 *
 * @param found Features in the order of {@linkcode FEATURES}.
 * @returns Those that are left, in the same order.
 */
export function consistentPart(found: readonly FeatureName[]): FeatureName[] {
  const kept: FeatureName[] = [];
  // What a feature is built on stands before it in FEATURES.
  for (const name of found) {
    try {
      assertConsistent([...kept, name]);
      kept.push(name);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
  }
  return kept;
}
