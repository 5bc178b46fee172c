/**
 * The hash of a name, over its UTF-8 bytes: FNV-1a, finished as MurmurHash3 does so that the high bits, by which
 * directories are divided, depend on all bytes. The pool's random seed keeps names from being chosen to collide.
 *
 * @module
 */

const PRIME = 0x01000193;

/** Mixes one byte into a hash that began as the pool's seed. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, PRIME);
}

/** Finishes a hash; the result is a signed 32-bit integer. */
export function hashFinish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
