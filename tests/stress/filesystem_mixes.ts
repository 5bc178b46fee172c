/**
 * The mixes of operations that the filesystem's stress tests run, by name.
 *
 * @module
 */
import { CONTENT_MIXES } from "./filesystem_mixes_content.ts";
import { NAME_MIXES } from "./filesystem_mixes_names.ts";
import { PROCESS_MIXES } from "./filesystem_mixes_process.ts";
import type { Mix } from "./filesystem_shift.ts";

export { Shift } from "./filesystem_shift.ts";

/** All mixes. */
export const MIXES: Readonly<Record<string, Mix>> = { ...NAME_MIXES, ...CONTENT_MIXES, ...PROCESS_MIXES };
