// Generated from the rows of src/layout by tools/generate_docs.ts (`deno task build`). Do not edit.

/** SHA-256 over the rows of the layout, as eight words: pools whose hashes differ are not attached. */
// deno-fmt-ignore
export const COMPATIBILITY_HASH: readonly number[] = [-417117560, 760220501, 1810157336, -884815611, 536779435, -1477541803, 2128745106, 43227366];
