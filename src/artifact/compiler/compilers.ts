/**
 * The compilers by name. Imports them.
 *
 * @module
 */
import { ConfigError } from "../errors.ts";
import { type CompilerName, COMPILERS, describeValue } from "../settings.ts";
import { BINARYEN } from "./binaryen.ts";
import type { Compiler } from "./compiler.ts";
import { WASMTIME } from "./wasmtime.ts";

const BY_NAME: Readonly<Record<CompilerName, Compiler>> = { binaryen: BINARYEN, wasmtime: WASMTIME };

/**
 * The compiler of a name.
 *
 * @throws {ConfigError} where there is none of that name.
 */
export function compilerOf(name: CompilerName): Compiler {
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name];
  throw new ConfigError("compiler.name", `must be one of ${COMPILERS.join(", ")}, not ${describeValue(name)}`);
}
