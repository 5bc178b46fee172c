/**
 * Moving an artifact to a new key: the same payload under a header that names the new inputs.
 *
 * @module
 */
import { type ArtifactLayout, encodeContainer, nativePayload } from "../container.ts";
import { equalDigests } from "../digest.ts";
import { AlteredArtifactError } from "../errors.ts";
import { applySeal, type SealKey } from "../seal.ts";
import type { KeyInputs } from "./key.ts";
import { PREAMBLE_BYTES } from "../wasm/sections.ts";

/**
 * Makes the artifact that belongs under other inputs out of one that has been verified and was found to fit.
 *
 * @throws {AlteredArtifactError} where it was made of another module, or of other further inputs.
 */
export function rekey(
  bytes: Uint8Array,
  layout: ArtifactLayout,
  inputs: KeyInputs,
  key: SealKey | undefined,
): Uint8Array<ArrayBuffer> {
  const { header, payloadAt } = layout;
  if (!equalDigests(header.source, inputs.source) || !equalDigests(header.extra, inputs.extra)) {
    throw new AlteredArtifactError("The artifact under the old key was made of another module, or of other inputs");
  }
  const payload = header.kind === "native" ? nativePayload(bytes, layout) : withPreamble(bytes, payloadAt);
  const moved = encodeContainer({ ...header, compatibility: inputs.compatibility }, payload, key);
  applySeal(moved.bytes, moved.sealAt, key);
  return moved.bytes;
}

/** A module's sections without the header's, behind a preamble of their own. */
function withPreamble(bytes: Uint8Array, payloadAt: number): Uint8Array {
  const module = new Uint8Array(PREAMBLE_BYTES + bytes.length - payloadAt);
  module.set(bytes.subarray(0, PREAMBLE_BYTES));
  module.set(bytes.subarray(payloadAt), PREAMBLE_BYTES);
  return module;
}
