/**
 * The settings of compilers and the tunables, as rows: name, type, default, what they decide. Validation, encoding, check
 * and documentation go over these rows. Imports errors only.
 *
 * @module
 */
import { ConfigError } from "./errors.ts";

/** The compilers that an engine can be configured for. */
export const COMPILERS = ["binaryen", "wasmtime"] as const;

/** The name of a compiler. */
export type CompilerName = typeof COMPILERS[number];

/** What a setting may be. */
export type SettingValue = boolean | number | string | readonly string[];

/** One setting. */
export interface SettingRow {
  /** Its name. */
  readonly name: string;
  /** Its values: true and false; an integer from `minimum` to `maximum`; one of `choices`; a list of names. */
  readonly type: "boolean" | "integer" | "choice" | "names";
  /** The smallest integer. */
  readonly minimum?: number;
  /** The largest integer. */
  readonly maximum?: number;
  /** The texts of a choice. */
  readonly choices?: readonly string[];
  /** What it is where nothing is said. */
  readonly default: SettingValue;
  /**
   * - `speed`: decides only how good the code is. Part of the hash; an artifact with another value loads.
   * - `meaning`: decides what the code does or needs. Part of the hash, and compared on load.
   */
  readonly decides: "speed" | "meaning";
  /** What it does. */
  readonly doc: string;
}

/** How a module is compiled. `wasmtime` uses `optimizeLevel` and `passes` (its `-O` options) only. */
export interface CompilerSettings {
  /** How hard to try, 0 to 4. Default 2. */
  readonly optimizeLevel: number;
  /** How much size counts, 0 to 2. Default 1. */
  readonly shrinkLevel: number;
  /** Further passes of Binaryen after the optimization, by name. Default none. */
  readonly passes: readonly string[];
  /** Keep names of functions and DWARF sections. Default false. */
  readonly debugInfo: boolean;
  /** Treat floating point as real numbers. Default false. */
  readonly fastMath: boolean;
  /** Assume that no trap happens. Default false. */
  readonly trapsNeverHappen: boolean;
  /** Assume that nothing outside uses types and functions that are not exported. Default false. */
  readonly closedWorld: boolean;
  /** Assume that the first 1,024 bytes of memory are unused. Default false. */
  readonly lowMemoryUnused: boolean;
  /** Assume that memory which the host gives is all zeros. Default false. */
  readonly zeroFilledMemory: boolean;
  /**
   * Allow lowerings that change what the module imports or exports: memory64 (addresses become 32-bit numbers) and
   * multi-memory (all memories become one). Default false.
   */
  readonly signatureLowering: boolean;
}

/** What is put into a module beyond what it does itself. Each but `trapMode` is off by default. */
export interface Tunables {
  /** Let the module be paused and resumed by rewriting it (Binaryen's Asyncify). */
  readonly asyncify: boolean;
  /** Make not-a-number results the same on every host. */
  readonly denan: boolean;
  /** Report the way through the code to an imported function. */
  readonly logExecution: boolean;
  /** Report each access to a local to imported functions. */
  readonly instrumentLocals: boolean;
  /** Report each access to memory to imported functions. */
  readonly instrumentMemory: boolean;
  /** Check each access to memory for alignment and bounds of the allocated part. */
  readonly safeHeap: boolean;
  /** Check the stack of the C program for overflow. */
  readonly stackCheck: boolean;
  /** What a conversion or division does that would trap: `allow` traps, `clamp` saturates, `js` does as JavaScript. */
  readonly trapMode: "allow" | "clamp" | "js";
}

const flag = (name: string, doc: string, decides: SettingRow["decides"] = "meaning"): SettingRow => ({
  name,
  type: "boolean",
  default: false,
  decides,
  doc,
});

/** The rows of {@linkcode CompilerSettings}. */
export const COMPILER_SETTINGS: readonly SettingRow[] = [
  {
    name: "optimizeLevel",
    type: "integer",
    minimum: 0,
    maximum: 4,
    default: 2,
    decides: "speed",
    doc: "how hard to optimize",
  },
  {
    name: "shrinkLevel",
    type: "integer",
    minimum: 0,
    maximum: 2,
    default: 1,
    decides: "speed",
    doc: "how much size counts",
  },
  { name: "passes", type: "names", default: [], decides: "meaning", doc: "further passes, in order" },
  flag("debugInfo", "names of functions and DWARF sections are kept", "speed"),
  flag("fastMath", "floating point as real numbers"),
  flag("trapsNeverHappen", "no trap is assumed to happen"),
  flag("closedWorld", "nothing outside uses what is not exported"),
  flag("lowMemoryUnused", "the first 1,024 bytes of memory are unused"),
  flag("zeroFilledMemory", "memory from the host is all zeros"),
  flag("signatureLowering", "lowerings that change imports or exports are allowed"),
];

/** The rows of {@linkcode Tunables}. */
export const TUNABLES: readonly SettingRow[] = [
  flag("asyncify", "the module can be paused and resumed"),
  flag("denan", "not-a-number results are the same everywhere"),
  flag("logExecution", "the way through the code is reported"),
  flag("instrumentLocals", "accesses to locals are reported"),
  flag("instrumentMemory", "accesses to memory are reported"),
  flag("safeHeap", "accesses to memory are checked"),
  flag("stackCheck", "the stack is checked for overflow"),
  {
    name: "trapMode",
    type: "choice",
    choices: ["allow", "clamp", "js"],
    default: "allow",
    decides: "meaning",
    doc: "what conversions and divisions do that would trap",
  },
];

/**
 * Puts defaults in their places and refuses what no row describes.
 *
 * @param path How errors name the settings as a whole, such as `tunables`.
 * @throws {ConfigError} for an unknown name, or a value that a setting cannot have.
 */
export function resolveSettings<T>(path: string, rows: readonly SettingRow[], given: unknown): T {
  if (given !== undefined && (typeof given !== "object" || given === null || Array.isArray(given))) {
    throw new ConfigError(path, `must be an object of settings, not ${describeValue(given)}`);
  }
  const values = (given ?? {}) as Record<string, unknown>;
  for (const name of Object.keys(values)) {
    if (rows.some((row) => row.name === name)) continue;
    throw new ConfigError(
      `${path}.${name}`,
      `there is no such setting; there are ${rows.map((r) => r.name).join(", ")}`,
    );
  }
  const resolved: Record<string, SettingValue> = {};
  for (const row of rows) {
    const value = Object.hasOwn(values, row.name) ? values[row.name] : undefined;
    if (value !== undefined) assertValue(`${path}.${row.name}`, row, value);
    resolved[row.name] = value === undefined ? row.default : Array.isArray(value) ? [...value] : value as SettingValue;
  }
  return resolved as T;
}

function assertValue(path: string, row: SettingRow, value: unknown): void {
  switch (row.type) {
    case "boolean":
      if (typeof value !== "boolean") throw new ConfigError(path, `must be true or false, not ${describeValue(value)}`);
      return;
    case "integer":
      if (!Number.isInteger(value) || (value as number) < row.minimum! || (value as number) > row.maximum!) {
        throw new ConfigError(
          path,
          `must be an integer from ${row.minimum} to ${row.maximum}, not ${describeValue(value)}`,
        );
      }
      return;
    case "choice":
      if (!row.choices!.includes(value as string)) {
        throw new ConfigError(path, `must be one of ${row.choices!.join(", ")}, not ${describeValue(value)}`);
      }
      return;
    case "names":
      if (
        !Array.isArray(value) ||
        !Array.from(value).every((name) => typeof name === "string" && /^[a-z0-9][a-z0-9-]*$/.test(name))
      ) {
        throw new ConfigError(path, `must be a list of names such as "strip-debug", not ${describeValue(value)}`);
      }
  }
}

/** A value as error messages show it: one line, whatever it is. */
export function describeValue(value: unknown): string {
  if (!Array.isArray(value)) return describeOne(value);
  const shown = value.slice(0, 5).map((item) => Array.isArray(item) ? "a list" : describeOne(item));
  return `[${shown.join(", ")}${value.length > 5 ? ", …" : ""}]`;
}

function describeOne(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  const name: unknown = value.constructor?.name;
  return typeof name === "string" ? `an object (${name})` : "an object";
}
