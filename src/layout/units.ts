/**
 * Units of shared memory and the limits that follow from them. Imports nothing.
 *
 * An *address* is a byte address, a *word* the index of a 32-bit word (address / 4), a *ref* the index of a 16-byte
 * granule (address / 16). References stored in the pool are refs; code computes in words, which stay small integers up
 * to 8 GiB; only bytes of files are addressed by byte.
 *
 * @module
 */

/** Bytes in a WebAssembly page. */
export const PAGE_BYTES = 65536;
/** Bytes in a granule, the unit of stored references. */
export const GRANULE_BYTES = 16;
/** 32-bit words in a granule. */
export const GRANULE_WORDS = 4;
/** Bytes of a cache line: what two agents write at once never shares one. */
export const LINE_BYTES = 64;
/** 32-bit words in a cache line. */
export const LINE_WORDS = 16;
/** The largest pool: refs keep two bits for tags, so 2^30 granules. It is also the largest memory V8 gives. */
export const MAXIMUM_POOL_BYTES = 2 ** 34;
/** The largest memory with 32-bit addresses. */
export const MAXIMUM_MEMORY32_BYTES = 2 ** 32;
