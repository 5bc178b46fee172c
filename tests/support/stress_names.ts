/**
 * Names whose hashes are chosen, so that directories are divided as a test wants it.
 *
 * @module
 */
import { FileSystem, type FileSystemOptions, Pool } from "../../mod.ts";
import { SUPER_HASH_SEED } from "../../src/layout/superblock.ts";
import { hashByte, hashFinish } from "../../src/names/hash.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

function seedOf(fs: FileSystem): number {
  return fs.pool.agent.memory.i32[SUPER_HASH_SEED]!;
}

/** The hash that a filesystem gives to an ASCII name. */
export function hashOf(fs: FileSystem, name: string): number {
  let hash = seedOf(fs);
  for (let at = 0; at < name.length; at++) hash = hashByte(hash, name.charCodeAt(at));
  return hashFinish(hash);
}

/** Names of a length whose hashes begin with the same bits; the same for every call on one filesystem. */
export function namesBelowPrefix(
  fs: FileSystem,
  bits: number,
  prefix: number,
  count: number,
  length: number,
): string[] {
  const names: string[] = [];
  for (let number = 0; names.length < count; number++) {
    const name = `${number}-`.padEnd(length, "x");
    if (hashOf(fs, name) >>> (32 - bits) === prefix) names.push(name);
  }
  return names;
}

/** Creates a filesystem with a seed of name hashes that is always the same, so that names need to be found once only. */
export function createWithSeed(options: FileSystemOptions): FileSystem {
  const pool = Pool.create(options);
  pool.agent.memory.i32[SUPER_HASH_SEED] = 0x5eed;
  return FileSystem.format(pool, options);
}

const found = new Map<string, string[]>();

/**
 * `2^doublings` names of one and the same hash: blocks of letters are joined, for each of which there are two that lead
 * the hash from one state to the same next one (Joux, CRYPTO 2004).
 */
export function namesOfOneHash(fs: FileSystem, doublings: number): string[] {
  const key = `${seedOf(fs)} ${doublings}`;
  const known = found.get(key);
  if (known !== undefined) return known;
  let names = [""];
  let state = seedOf(fs);
  for (let block = 0; block < doublings; block++) {
    const seen = new Map<number, string>();
    for (let number = 0;; number++) {
      let text = "";
      let next = state;
      for (let rest = number, letter = 0; letter < 4; letter++, rest = Math.floor(rest / LETTERS.length)) {
        const character = LETTERS[rest % LETTERS.length]!;
        text += character;
        next = hashByte(next, character.charCodeAt(0));
      }
      const other = seen.get(next);
      if (other !== undefined) {
        names = names.flatMap((name) => [name + text, name + other]);
        state = next;
        break;
      }
      seen.set(next, text);
    }
  }
  found.set(key, names);
  return names;
}
