/**
 * Reads the version that a compiler prints. Imports nothing.
 *
 * @module
 */

/** The oldest major version of Emscripten that builds the backend. */
export const MINIMUM_MAJOR = 4;

/** A version of Emscripten. */
export interface Version {
  readonly major: number;
  /** The whole version, such as `6.0.5`. */
  readonly text: string;
}

/**
 * Finds the version in the first line of `emcc --version`, or in Emscripten's `emscripten-version.txt`.
 *
 * @param printed Such as `emcc (Emscripten gcc/clang-like replacement + linker emulating GNU ld) 6.0.5 (abc)`.
 * @returns The version, or `undefined` where there is none.
 */
export function parseVersion(printed: string): Version | undefined {
  const match = /(?:^|[\s")])(\d+)\.(\d+)\.(\d+)(?=$|[\s("~+-])/.exec(printed);
  return match === null ? undefined : { major: Number(match[1]), text: `${match[1]}.${match[2]}.${match[3]}` };
}
