/**
 * The keys of a store: one for each module, engine and further input.
 *
 * @module
 */
import { encodeTagged } from "../canonical.ts";
import type { ArtifactHeader } from "../container.ts";
import { DIGEST_BYTES, sha256, toBase64Url } from "../digest.ts";

const DOMAIN = "extmemfs.artifact-key";
const EXTRA_DOMAIN = "extmemfs.artifact-extra";
const ENCODING_VERSION = 1;

/** What a key is made of. */
export interface KeyInputs {
  /** The SHA-256 of the module. */
  readonly source: Uint8Array;
  /** The compatibility hash of the engine. */
  readonly compatibility: Uint8Array;
  /** The SHA-256 of what else decides the result; empty where nothing does. */
  readonly extra: Uint8Array;
}

/**
 * What else decides the result of a compilation, beyond module and engine: texts or bytes, in order. They are part of the
 * key and noted in the artifact.
 */
export type ExtraInputs = readonly (string | Uint8Array)[];

/** The SHA-256 of further inputs; empty where there are none. */
export function digestExtra(extra: ExtraInputs = []): Uint8Array {
  if (!Array.isArray(extra) || !extra.every((item) => typeof item === "string" || item instanceof Uint8Array)) {
    throw new TypeError(`"extra" must be a list of texts and Uint8Arrays`);
  }
  return extra.length === 0 ? new Uint8Array(0) : sha256(encodeTagged(EXTRA_DOMAIN, ENCODING_VERSION, [...extra]));
}

/** The key of an artifact, as 43 characters of base64url. */
export function encodeKey({ source, compatibility, extra }: KeyInputs): string {
  if (source.length !== DIGEST_BYTES) {
    throw new TypeError(`A SHA-256 has ${DIGEST_BYTES} bytes, this has ${source.length}`);
  }
  return toBase64Url(sha256(encodeTagged(DOMAIN, ENCODING_VERSION, [source, compatibility, extra])));
}

/** The key that an artifact belongs under, by its own header. */
export function keyOfHeader({ source, compatibility, extra }: ArtifactHeader): string {
  return encodeKey({ source, compatibility, extra });
}
