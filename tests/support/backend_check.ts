/**
 * What checks of places for artifacts are made of: what they get, and what they ask with. Needs no host's API.
 *
 * @module
 */
import type { ArtifactBackend, BackendLock } from "../../src/artifact/store/backend.ts";
import { Random } from "./random.ts";

/** What differs between backends. */
export interface BackendTraits {
  /** Whether there are locks; a check asserts that this is so. Default true. */
  readonly lock?: boolean;
  /** By how much what `list()` tells of the last use may lag behind a `touch()`, in milliseconds. Default 0. */
  readonly touchIntervalMs?: number;
  /** Whether `touch()` takes the time it is given, or the medium has a clock of its own. Default true. */
  readonly touchTakesTime?: boolean;
  /** By how much the medium's clock may differ from this host's, in milliseconds. Default 5000. */
  readonly clockSkewMs?: number;
  /** Whether `list()` works here. Where it does not, it must reject with an error of a store. Default true. */
  readonly list?: boolean;
  /** Whether readers find a value at every moment while one replaces another, and not nothing at some. Default true. */
  readonly replacesAtOnce?: boolean;
  /** The size of the largest value that is written, in bytes. Default 5,000,000. */
  readonly largestBytes?: number;
}

/** What a check works with. */
export interface CheckSetting {
  /** The backend. */
  readonly backend: ArtifactBackend;
  /** A second connection to the same place, or the same where there is no such thing. */
  readonly other: ArtifactBackend;
  /** What differs between backends. */
  readonly traits: Required<BackendTraits>;
  /** Random numbers of a seed. */
  readonly random: CheckRandom;
}

/** A check: rejects where the backend does something else. */
export interface BackendCheck {
  /** What it asserts, in words. */
  readonly name: string;
  /** Runs it. */
  run(setting: CheckSetting): Promise<void>;
}

/** Random bytes and keys that a seed determines. */
export class CheckRandom extends Random {
  /** So many bytes. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at++) bytes[at] = this.below(256);
    return bytes;
  }

  /** A key as a store makes it: 32 bytes in base64url. */
  key(): string {
    return btoa(String.fromCharCode(...this.bytes(32))).replace(/=$/, "").replaceAll("+", "-").replaceAll("/", "_");
  }
}

/** Fails where something does not hold. */
export function expect(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message);
}

/** Waits, in milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What a call rejects with; fails where it does not, or throws instead. */
export async function reasonOf(what: string, call: () => Promise<unknown>): Promise<unknown> {
  let promise: Promise<unknown>;
  try {
    promise = call();
  } catch (error) {
    throw new Error(`${what} throws instead of rejecting: ${error}`, { cause: error });
  }
  let outcome: unknown;
  try {
    outcome = await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error(`${what} should reject, and gave ${String(outcome)}`);
}

/** Traits with their defaults. */
export function traitsOf(traits: BackendTraits = {}): Required<BackendTraits> {
  return {
    lock: true,
    touchIntervalMs: 0,
    touchTakesTime: true,
    clockSkewMs: 5000,
    list: true,
    replacesAtOnce: true,
    largestBytes: 5_000_000,
    ...traits,
  };
}

/** Takes a lock that must be to be had. */
export async function mustLock(backend: ArtifactBackend, key: string, timeoutMs: number): Promise<BackendLock> {
  const lock = await backend.lock!(key, { timeoutMs });
  expect(lock !== undefined, `a lock that is free, or comes free, was not to be had in ${timeoutMs} ms`);
  return lock;
}
