/**
 * SHA-256 and HMAC-SHA-256 at the host's speed, and the texts of digests. Hosts with `node:crypto` (Deno, Node, Bun) use it;
 * others a JavaScript implementation where the caller waits, and Web Crypto where it does not have to.
 *
 * @module
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";

/** How many bytes a digest has. */
export const DIGEST_BYTES = 32;

/** The forms that a digest is given in. */
export type DigestFormat = "hex" | "base64url" | "bytes";

interface NodeDigest {
  update(bytes: Uint8Array): NodeDigest;
  digest(): Uint8Array;
}

interface NodeCrypto {
  createHash(algorithm: "sha256"): NodeDigest;
  createHmac(algorithm: "sha256", key: Uint8Array): NodeDigest;
}

const nodeCrypto: NodeCrypto | undefined =
  (globalThis as { process?: { getBuiltinModule?: (name: string) => NodeCrypto | undefined } })
    .process?.getBuiltinModule?.("node:crypto");

/** The SHA-256 of parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return feed(nodeCrypto === undefined ? nobleSha256.create() : nodeCrypto.createHash("sha256"), parts);
}

/** The HMAC-SHA-256 (RFC 2104) of parts, one after the other. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return feed(nodeCrypto === undefined ? hmac.create(nobleSha256, key) : nodeCrypto.createHmac("sha256", key), parts);
}

/** {@linkcode sha256} off this thread where the host can do that. The parts must not change until it resolves. */
export async function sha256Async(...parts: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return sha256(...parts);
  return new Uint8Array(await subtle.digest("SHA-256", contiguous(parts)));
}

/** {@linkcode hmacSha256} off this thread where the host can do that. The parts must not change until it resolves. */
export async function hmacSha256Async(
  key: Uint8Array,
  ...parts: readonly Uint8Array[]
): Promise<Uint8Array<ArrayBuffer>> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return hmacSha256(key, ...parts);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await subtle.importKey("raw", new Uint8Array(key), algorithm, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", imported, contiguous(parts)));
}

interface Digest {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** Shared memory goes in by pieces of this size: not every host's functions take it as it is. */
const PIECE_BYTES = 1 << 20;

function feed(digest: Digest, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  for (const part of parts) {
    if (isPrivate(part)) {
      digest.update(part);
      continue;
    }
    for (let at = 0; at < part.length; at += PIECE_BYTES) {
      digest.update(new Uint8Array(part.subarray(at, at + PIECE_BYTES)));
    }
  }
  return new Uint8Array(digest.digest());
}

/** One view of all parts, for functions that take just one: a copy only where there are several, or shared memory. */
function contiguous(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1 && isPrivate(parts[0]!)) return parts[0];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Whether bytes lie in memory of this thread alone. */
export function isPrivate(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer;
}

/**
 * A digest in a form.
 *
 * @throws {TypeError} for a form that there is not.
 */
export function formatDigest(digest: Uint8Array, format: DigestFormat): string | Uint8Array<ArrayBuffer> {
  switch (format) {
    case "hex":
      return toHex(digest);
    case "base64url":
      return toBase64Url(digest);
    case "bytes":
      return new Uint8Array(digest);
    default:
      throw new TypeError(`The format of a digest is "hex", "base64url" or "bytes", not ${JSON.stringify(format)}`);
  }
}

/** Bytes as lower-case hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes as base64url (RFC 4648, section 5) without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Whether two digests are equal, in a time that does not tell where they differ. */
export function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= a[index]! ^ b[index]!;
  return difference === 0;
}
