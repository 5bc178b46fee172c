// Generated from the rows of src/layout by tools/generate_docs.ts (`deno task build`). Do not edit.

/** SHA-256 over the rows of the layout, as eight words: pools whose hashes differ are not attached. */
// deno-fmt-ignore
export const COMPATIBILITY_HASH: readonly number[] = [-692613766, 540314030, -869536753, 924578633, -1083020253, 1945763634, -4785387, 439501541];
