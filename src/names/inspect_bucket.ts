/**
 * What is wrong with one bucket of a directory: for the whole-pool check, and for debug level 3.
 *
 * @module
 */
import {
  BUCKET_BYTES,
  BUCKET_COUNT,
  BUCKET_ENTRIES,
  BUCKET_NAMES,
  ENTRY_HASH,
  ENTRY_INODE,
  ENTRY_NAME,
  ENTRY_WORDS,
} from "../layout/directory.ts";
import { INODE_MODE } from "../layout/inode.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { S_IFMT } from "../store/inodes.ts";
import type { Store } from "../store/store.ts";
import { entryWordOf } from "./bucket.ts";
import { hashByte, hashFinish } from "./hash.ts";
import { locateBucket, makePlace } from "./table.ts";
import { decodeName } from "./text.ts";

/** Reports what is wrong with a bucket, and tells each sound entry. The bucket's guard is held, or the pool frozen. */
export function inspectBucket(
  store: Store,
  bucketWord: number,
  report: (what: string) => void,
  visit: (name: string, hash: number, inodeWord: number, type: number) => void,
): void {
  const { i32 } = store.memory;
  const bytes = i32[bucketWord + BUCKET_BYTES]!;
  const count = i32[bucketWord + BUCKET_COUNT]!;
  const names = i32[bucketWord + BUCKET_NAMES]!;
  if (count === 0) report("has an empty bucket");
  let sum = 0;
  for (let index = 0; index < count; index++) {
    const entry = entryWordOf(bucketWord, index);
    const word = i32[entry + ENTRY_NAME]!;
    const raw = new Uint8Array((word >>> 16) & 255);
    store.memory.copyOut(raw, 0, bucketWord * 4 + (word & 0xffff), raw.length);
    const name = decodeName(raw);
    let hash = store.hashSeed;
    for (const byte of raw) hash = hashByte(hash, byte);
    if (hashFinish(hash) !== i32[entry + ENTRY_HASH]) report(`has ${JSON.stringify(name)} with a wrong hash`);
    if ((word & 0xffff) < names) report(`has ${JSON.stringify(name)} outside its bucket's names`);
    sum += raw.length;
    const inode = i32[entry + ENTRY_INODE]! * GRANULE_WORDS;
    const mode = i32[inode + INODE_MODE]! | 0;
    if (mode === 0 || (mode & S_IFMT) >> 12 !== word >>> 24) {
      report(`has ${JSON.stringify(name)} of type ${word >>> 24}, whose inode has mode 0${mode.toString(8)}`);
    } else visit(name, i32[entry + ENTRY_HASH]!, inode, word >>> 24);
  }
  if (names !== bytes - sum || names < (BUCKET_ENTRIES + count * ENTRY_WORDS) * 4) {
    report(`has a bucket of ${bytes} bytes whose ${count} names begin at ${names}`);
  }
}

/** At debug level 3: what is wrong with the bucket of a hash, noted in the store. The guard is held. */
export function inspectName(store: Store, directoryWord: number, hash: number): void {
  if (store.agent.debugLevel < 3) return;
  const bucket = locateBucket(store.memory.i32, directoryWord, hash, makePlace());
  if (bucket === 0) return;
  const where = `directory ${directoryWord / GRANULE_WORDS}`;
  inspectBucket(store, bucket, (what) => store.corruption ??= `${where} ${what}`, () => {});
}
