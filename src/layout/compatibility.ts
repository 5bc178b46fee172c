// Generated from the rows of src/layout by tools/generate_docs.ts (`deno task build`). Do not edit.

/** SHA-256 over the rows of the layout, as eight words: pools whose hashes differ are not attached. */
// deno-fmt-ignore
export const COMPATIBILITY_HASH: readonly number[] = [599562851, 701229440, -476001641, -1564062164, -822639221, -1276908706, -673674338, -15715547];
