/**
 * Instantiates the WebAssembly intrinsics over a shared memory. The only place that knows of their binaries.
 *
 * @module
 */
import { INTRINSICS_32, INTRINSICS_32_TSO, INTRINSICS_64, INTRINSICS_64_TSO } from "./intrinsics_binary.ts";

/**
 * The intrinsics, documented in `intrinsics.wat`. A parameter named `…Word` is a word index (address / 4), `…Addr` a byte
 * address. All loads, stores and exchanges are sequentially consistent.
 */
export interface Intrinsics {
  /** Copies bytes as `memmove` does. */
  copy(toAddr: number, fromAddr: number, bytes: number): void;
  /** Sets bytes to a value. */
  fill(addr: number, value: number, bytes: number): void;
  /** Compares bytes as `memcmp` does: -1, 0 or 1. */
  compare(leftAddr: number, rightAddr: number, bytes: number): number;
  /** Loads a word atomically. */
  load(word: number): number;
  /** Stores a word atomically. */
  store(word: number, value: number): void;
  /** Stores `value` if the word is `expected`; returns the old value. */
  compareExchange(word: number, expected: number, value: number): number;
  /** Stores a value and returns the old one. */
  exchange(word: number, value: number): number;
  /** Adds and returns the old value. */
  add(word: number, value: number): number;
  /** Bitwise and; returns the old value. */
  and(word: number, value: number): number;
  /** Bitwise or; returns the old value. */
  or(word: number, value: number): number;
  /** A full fence. */
  fence(): void;
  /** A fence between the loads before it and the atomic load that it does. */
  fenceLoad(word: number): number;
  /** Parks while the word is `expected`, at most `timeoutMs`: 0 woken, 1 not equal, 2 timed out. */
  wait(word: number, expected: number, timeoutMs: number): number;
  /** Wakes at most `count` parked threads (-1: all); returns how many. */
  notify(word: number, count: number): number;
  /** Takes a free lock exclusively; see `intrinsics.wat` for the result. */
  lockExclusive(
    lockWord: number,
    owner: number,
    slotWord: number,
    held: number,
    tableWord: number,
    state: number,
  ): number;
  /** Releases a lock held exclusively; nothing but the record changes where its owner is another. */
  unlockExclusive(lockWord: number, owner: number, slotWord: number, held: number): void;
  /** Releases a lock whose state word was seen as `old` and has flags, of which those in `keep` stay. */
  releaseSlow(lockWord: number, owner: number, old: number, keep: number): void;
  /** Changes a lock's reservation word and wakes who is parked on it. */
  bump(reservationWord: number): void;
  /** Takes a lock shared through a pin: 0 held, 1 not. */
  lockShared(lockWord: number, pinWord: number): number;
  /** Releases a pin. */
  unlockShared(lockWord: number, pinWord: number): void;
  /** First slot at or after `from` with a pin on the lock, or -1. */
  findPin(lockWord: number, tableWord: number, from: number): number;
  /** Makes a version odd. */
  beginChange(versionWord: number): void;
  /** Makes a version even. */
  endChange(versionWord: number): void;
  /** Sets an inode's size, modification and change time as one change. */
  publishWrite(inodeWord: number, size: number, timeMs: number): void;
  /** {@linkcode publishWrite}, then releases the inode's lock. */
  publishAndUnlock(
    inodeWord: number,
    size: number,
    timeMs: number,
    owner: number,
    slotWord: number,
    held: number,
  ): void;
  /** Index of a name's entry in a bucket, or -1. */
  bucketFind(bucketWord: number, hash: number, nameWord: number, nameOffset: number, nameBytes: number): number;
}

/** Status of {@linkcode Intrinsics.lockExclusive}: the lock is held. */
export const LOCKED = 0;
/** Status: somebody else holds the lock. */
export const LOCK_CONTENDED = 1;
/** Status: held, but mutation is frozen. */
export const LOCKED_FROZEN = 2;
/** Status: held, but the agent has been retired. */
export const LOCKED_RETIRED = 3;
/** Status: held, but readers may still be inside. */
export const LOCKED_DRAIN = 4;

/** Whether this thread runs on a processor with total store order; `false` where that cannot be told. */
export function hasTotalStoreOrder(): boolean {
  const scope = globalThis as {
    Deno?: { build?: { arch?: string } };
    process?: { arch?: string };
  };
  const architecture = scope.Deno?.build?.arch ?? scope.process?.arch;
  return architecture === "x86_64" || architecture === "x64";
}

const modules = new Map<string, WebAssembly.Module>();

function moduleOf(base64: string): WebAssembly.Module {
  let module = modules.get(base64);
  if (module === undefined) {
    module = new WebAssembly.Module(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
    modules.set(base64, module);
  }
  return module;
}

/**
 * Instantiates the intrinsics over a memory; finds out by itself whether its addresses are 32 or 64 bits wide.
 *
 * @throws {WebAssembly.LinkError} if the memory is not shared.
 */
export function instantiateIntrinsics(memory: WebAssembly.Memory): Intrinsics {
  const tso = hasTotalStoreOrder();
  const imports = { extmemfs: { memory } };
  try {
    const narrow = moduleOf(tso ? INTRINSICS_32_TSO : INTRINSICS_32);
    return new WebAssembly.Instance(narrow, imports).exports as unknown as Intrinsics;
  } catch (error) {
    if (!(error instanceof WebAssembly.LinkError)) throw error;
    const wide = moduleOf(tso ? INTRINSICS_64_TSO : INTRINSICS_64);
    return new WebAssembly.Instance(wide, imports).exports as unknown as Intrinsics;
  }
}
