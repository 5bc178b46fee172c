/**
 * Seals over artifacts: a digest of header and payload, or, with a key, a message authentication code.
 *
 * The seal is taken over the domain `extmemfs.artifact.seal` and a zero byte, then all bytes of the artifact but the seal's
 * own 32. A digest tells what was damaged; only a key tells who wrote it.
 *
 * @module
 */
import { DIGEST_BYTES, equalDigests, hmacSha256, hmacSha256Async, sha256, sha256Async, toHex } from "./digest.ts";
import { AlteredArtifactError, ArtifactKeyError } from "./errors.ts";

/** Kind of seal: SHA-256. */
export const SEAL_SHA256 = 1;
/** Kind of seal: HMAC-SHA-256. */
export const SEAL_HMAC = 2;
/** How many bytes a key's name has. */
const KEY_ID_BYTES = 8;
/** How many bytes the kind of seal, the key's name and the seal have together. */
export const SEAL_BYTES: number = 1 + KEY_ID_BYTES + DIGEST_BYTES;
/** The shortest key, in bytes: as long as the code that it makes (RFC 2104, section 3). */
export const MINIMUM_KEY_BYTES = 32;

const utf8 = new TextEncoder();
const SEAL_DOMAIN = utf8.encode("extmemfs.artifact.seal\0");
const KEY_DOMAIN = utf8.encode("extmemfs.artifact.key\0");

/** A secret that artifacts are sealed with, and the name that they carry of it. */
export interface SealKey {
  /** The secret. */
  readonly secret: Uint8Array;
  /** Its name: the first 8 bytes of a digest of it. */
  readonly id: Uint8Array;
}

/**
 * Makes a key of a secret.
 *
 * @throws {ArtifactKeyError} for one that is shorter than 32 bytes.
 */
export function sealKey(secret: Uint8Array): SealKey {
  if (!(secret instanceof Uint8Array)) throw new TypeError("A key must be a Uint8Array of at least 32 random bytes");
  if (secret.length < MINIMUM_KEY_BYTES) {
    throw new ArtifactKeyError(
      `A key must have at least ${MINIMUM_KEY_BYTES} random bytes, this one has ${secret.length}`,
    );
  }
  const copy = new Uint8Array(secret);
  return { secret: copy, id: sha256(KEY_DOMAIN, copy).subarray(0, KEY_ID_BYTES) };
}

/** Where a seal is, and of which kind. */
export interface SealPlace {
  /** {@linkcode SEAL_SHA256} or {@linkcode SEAL_HMAC}. */
  readonly sealKind: number;
  /** Where the key's name is. */
  readonly keyIdAt: number;
  /** Where the seal is. */
  readonly sealAt: number;
}

function sealedParts(bytes: Uint8Array, sealAt: number): [Uint8Array, Uint8Array, Uint8Array] {
  return [SEAL_DOMAIN, bytes.subarray(0, sealAt), bytes.subarray(sealAt + DIGEST_BYTES)];
}

/** Writes the seal into an artifact. */
export function applySeal(bytes: Uint8Array, sealAt: number, key: SealKey | undefined): void {
  const parts = sealedParts(bytes, sealAt);
  bytes.set(key === undefined ? sha256(...parts) : hmacSha256(key.secret, ...parts), sealAt);
}

/**
 * Verifies the seal of an artifact.
 *
 * @throws {AlteredArtifactError} if the bytes are not those that were sealed.
 * @throws {ArtifactKeyError} if a key is missing, or another sealed it.
 */
export function verifySeal(bytes: Uint8Array, place: SealPlace, key: SealKey | undefined): void {
  assertKeyFits(bytes, place, key);
  const parts = sealedParts(bytes, place.sealAt);
  assertEqualSeals(bytes, place, key === undefined ? sha256(...parts) : hmacSha256(key.secret, ...parts));
}

/** {@linkcode verifySeal} off this thread where the host can do that. The bytes must not change until it settles. */
export async function verifySealAsync(bytes: Uint8Array, place: SealPlace, key: SealKey | undefined): Promise<void> {
  assertKeyFits(bytes, place, key);
  const parts = sealedParts(bytes, place.sealAt);
  const seal = await (key === undefined ? sha256Async(...parts) : hmacSha256Async(key.secret, ...parts));
  assertEqualSeals(bytes, place, seal);
}

/**
 * Refuses an artifact that another key sealed, or none where one is asked for.
 *
 * @throws {ArtifactKeyError} naming the keys.
 */
export function assertKeyFits(bytes: Uint8Array, { sealKind, keyIdAt }: SealPlace, key: SealKey | undefined): void {
  const found = bytes.subarray(keyIdAt, keyIdAt + KEY_ID_BYTES);
  if (key === undefined) {
    if (sealKind === SEAL_SHA256) return;
    throw new ArtifactKeyError(`The artifact is sealed with the key ${toHex(found)}: give that key to load it`);
  }
  if (sealKind !== SEAL_HMAC) {
    throw new ArtifactKeyError(
      `The artifact is sealed without a key, this reader asks for the key ${toHex(key.id)}: ` +
        `anybody may have written it`,
    );
  }
  if (!equalDigests(found, key.id)) {
    throw new ArtifactKeyError(`The artifact is sealed with the key ${toHex(found)}, this reader has ${toHex(key.id)}`);
  }
}

function assertEqualSeals(bytes: Uint8Array, { sealAt }: SealPlace, expected: Uint8Array): void {
  if (equalDigests(bytes.subarray(sealAt, sealAt + DIGEST_BYTES), expected)) return;
  throw new AlteredArtifactError("The artifact is not as it was sealed: it was damaged or altered. Compile it again");
}
