// Generated from the rows of src/layout by tools/generate_docs.ts (`deno task build`). Do not edit.

/** SHA-256 over the rows of the layout, as eight words: pools whose hashes differ are not attached. */
// deno-fmt-ignore
export const COMPATIBILITY_HASH: readonly number[] = [-780848339, 1080296457, -1508450264, -195956216, -1926265176, -2015563235, -684818678, -596303935];
