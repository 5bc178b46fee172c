/**
 * Independent judges of modules: Binaryen and WABT, asked whether they take a module with exactly some features; and
 * modules from texts and from bytes.
 *
 * @module
 */
import wabt from "wabt";
import { type FeatureName, FEATURES } from "../../../../src/artifact/features.ts";

let quiet = false;
const consoleError = console.error;
// Binaryen keeps the function that is there when it is loaded, and reports to it what it refuses.
console.error = (...data: unknown[]) => quiet ? undefined : consoleError(...data);
const { default: binaryen } = await import("binaryen");
console.error = consoleError;

const F = binaryen.Features;

/** Binaryen's bits by the names of features. It has typed function references as part of GC, and one bit for exceptions. */
const BINARYEN_BITS: Readonly<Record<FeatureName, number>> = {
  "mutable-globals": F.MutableGlobals,
  "sign-extensions": F.SignExt,
  "saturated-float-to-int": F.NontrappingFPToInt,
  "multi-value": F.Multivalue,
  "bulk-memory": F.BulkMemory | F.BulkMemoryOpt,
  "reference-types": F.ReferenceTypes | F.CallIndirectOverlong,
  "simd": F.SIMD128,
  "relaxed-simd": F.RelaxedSIMD,
  "threads": F.Atomics,
  "tail-call": F.TailCall,
  "extended-const": F.ExtendedConst,
  "exceptions": F.ExceptionHandling,
  "exceptions-final": F.ExceptionHandling,
  "typed-function-references": F.GC,
  "gc": F.GC,
  "memory64": F.Memory64,
  "multi-memory": F.MultiMemory,
  "wide-arithmetic": F.WideArithmetic,
  "custom-page-sizes": F.CustomPageSizes,
  "stack-switching": F.StackSwitching,
  "fp16": F.FP16,
};

/** Runs what makes Binaryen report, without letting it. */
function silently<T>(run: () => T): T {
  quiet = true;
  try {
    return run();
  } finally {
    quiet = false;
  }
}

/** Whether Binaryen can read a binary at all. */
export function binaryenReads(bytes: Uint8Array): boolean {
  return silently(() => {
    try {
      binaryen.readBinary(bytes).dispose();
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether Binaryen's validator takes a module where these features are on, and those they are built on. */
export function binaryenTakes(bytes: Uint8Array, features: readonly FeatureName[], without?: FeatureName): boolean {
  return silently(() => {
    const module = binaryen.readBinary(bytes);
    try {
      const on = withRequired(features).reduce((bits, name) => bits | BINARYEN_BITS[name], 0);
      module.setFeatures(without === undefined ? on : on & ~BINARYEN_BITS[without]);
      return module.validate() === 1;
    } finally {
      module.dispose();
    }
  });
}

/** Features and what they are built on, as Binaryen has it. */
function withRequired(features: readonly FeatureName[]): FeatureName[] {
  const all = new Set(features);
  if (all.has("stack-switching")) all.add("exceptions-final");
  if (all.has("gc") || all.has("typed-function-references")) all.add("reference-types");
  return [...all];
}

/** A module from Binaryen's text format, which knows all features. */
export function fromBinaryenText(text: string): Uint8Array {
  return silently(() => {
    const module = binaryen.parseText(text);
    try {
      module.setFeatures(F.All);
      return module.emitBinary();
    } finally {
      module.dispose();
    }
  });
}

/** WABT's options by the names of features, where it has one. */
const WABT_OPTIONS: Readonly<Partial<Record<FeatureName, string>>> = {
  "mutable-globals": "mutable_globals",
  "sign-extensions": "sign_extension",
  "saturated-float-to-int": "sat_float_to_int",
  "multi-value": "multi_value",
  "bulk-memory": "bulk_memory",
  "reference-types": "reference_types",
  "simd": "simd",
  "relaxed-simd": "relaxed_simd",
  "threads": "threads",
  "tail-call": "tail_call",
  "extended-const": "extended_const",
  "memory64": "memory64",
};

const { parseWat, readWasm } = await wabt();

function wabtOptions(features: readonly FeatureName[]): Record<string, boolean> {
  return Object.fromEntries(FEATURES.flatMap((name) => {
    const option = WABT_OPTIONS[name];
    // WABT has reference types only together with bulk memory.
    const on = features.includes(name) || name === "bulk-memory" && features.includes("reference-types");
    return option === undefined ? [] : [[option, on]];
  }));
}

/** Whether WABT knows all of these features. */
export function wabtKnows(features: readonly FeatureName[]): boolean {
  return features.every((name) => name in WABT_OPTIONS);
}

/** Whether WABT reads and validates a module where exactly these features are on. It must know them all. */
export function wabtTakes(bytes: Uint8Array, features: readonly FeatureName[]): boolean {
  try {
    const options = wabtOptions(features);
    const module = readWasm(bytes, options);
    try {
      // The types do not tell that validation has options of its own.
      (module.validate as (options: object) => void)(options);
      return true;
    } finally {
      module.destroy();
    }
  } catch {
    return false;
  }
}

/** A module from the text format, assembled by WABT: what is written is what is in it. */
export function fromText(text: string): Uint8Array {
  const module = parseWat("test.wat", text, wabtOptions(FEATURES));
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

/** The first 8 bytes of a module. */
export const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** A number, which is not negative, as the binary format has it: unsigned, or signed where its last byte is below 0x40. */
export function leb(value: number, lastBelow: 0x40 | 0x80 = 0x80): number[] {
  const bytes: number[] = [];
  for (; value >= lastBelow; value = Math.floor(value / 0x80)) bytes.push(value % 0x80 | 0x80);
  return [...bytes, value];
}

/** A module from its sections: the id of each, then its contents. */
export function fromSections(...sections: readonly (readonly number[])[]): Uint8Array {
  return new Uint8Array([
    ...PREAMBLE,
    ...sections.flatMap(([id, ...contents]) => [id, ...leb(contents.length), ...contents]),
  ]);
}

/** A module with one function without parameters and results, from the bytes of its code before the `end`. */
export function fromCode(code: readonly number[], ...between: readonly (readonly number[])[]): Uint8Array {
  const body = [0x00, ...code, 0x0b];
  return fromSections([1, 1, 0x60, 0, 0], [3, 1, 0], ...between, [10, 1, ...leb(body.length), ...body]);
}
