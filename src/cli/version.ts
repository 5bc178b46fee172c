/**
 * The version that `--version` prints: the one of `deno.json`, as a test compares.
 *
 * @module
 */

/** The version of this library. */
export const VERSION: string = "0.1.0";
