// Generated from the rows of src/layout by tools/generate_docs.ts (`deno task build`). Do not edit.

/** SHA-256 over the rows of the layout, as eight words: pools whose hashes differ are not attached. */
// deno-fmt-ignore
export const COMPATIBILITY_HASH: readonly number[] = [1534534114, -1188187975, 199720123, -747926594, -2130621270, 970543978, 1421671403, -1364209607];
