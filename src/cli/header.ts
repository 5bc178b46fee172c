/**
 * What an artifact says of itself, as JSON and as text. Nothing of it is to be trusted before the seal was verified.
 *
 * @module
 */
import type { CanonicalValue } from "../../artifact.ts";
import { type ArtifactHeader, type ArtifactLayout, FORMAT_VERSION } from "../artifact/container.ts";
import { toHex } from "../artifact/digest.ts";
import { SEAL_HMAC } from "../artifact/seal.ts";
import { formatBytes, formatMs } from "./format.ts";

/** A header as `--json` prints it: as {@linkcode ArtifactHeader}, digests being hexadecimal digits. */
export function headerDocument(header: ArtifactHeader): object {
  const { source, extra, compatibility } = header;
  return { ...header, source: toHex(source), extra: toHex(extra), compatibility: toHex(compatibility) };
}

/** How an artifact is sealed, as `--json` prints it; `keyId` is the name of the key. */
export interface SealDocument {
  /** A digest, which only tells damage, or a code that only who has the key can make. */
  readonly kind: "sha256" | "hmac-sha256";
  /** The name of the key: the first 8 bytes of a digest of it, as hexadecimal digits. */
  readonly keyId?: string;
}

/** Tells how an artifact is sealed. */
export function sealDocument(bytes: Uint8Array, { sealKind, keyIdAt }: ArtifactLayout): SealDocument {
  if (sealKind !== SEAL_HMAC) return { kind: "sha256" };
  return { kind: "hmac-sha256", keyId: toHex(bytes.subarray(keyIdAt, keyIdAt + 8)) };
}

/** The rows of a table about an artifact. */
export function headerRows(bytes: Uint8Array, layout: ArtifactLayout): [name: string, text: string][] {
  const { header, payloadAt } = layout;
  const { provenance } = header;
  const seal = sealDocument(bytes, layout);
  return [
    ["kind", header.kind === "module" ? "module (WebAssembly)" : "native code"],
    ["format version", String(FORMAT_VERSION)],
    ["size", `${formatBytes(bytes.length)} (payload ${formatBytes(bytes.length - payloadAt)})`],
    ["target", `${targetText(header)} ${provenance.engineVersion}`.trimEnd()],
    ["version", versionText(header)],
    ["compiler", `${header.compiler} ${provenance.compilerVersion}`.trimEnd()],
    ["settings", settingsText(header.settings)],
    ["processor flags", listText(header.isaFlags)],
    ["tunables", settingsText(header.tunables)],
    ["features used", listText(header.features)],
    ["types lowered", listText(header.signatureLowered)],
    ["source", `${toHex(header.source)} (SHA-256 of ${formatBytes(header.sourceBytes)})`],
    ["extra inputs", header.extra.length === 0 ? "none" : `${toHex(header.extra)} (SHA-256)`],
    ["compatibility", toHex(header.compatibility)],
    ["compiled in", provenance.compileMs === undefined ? "not noted" : formatMs(provenance.compileMs)],
    ["seal", seal.keyId === undefined ? "SHA-256, without a key" : `HMAC-SHA-256, key ${seal.keyId}`],
  ];
}

/** What an artifact was made for. */
export function targetText({ target }: ArtifactHeader): string {
  return `${target.architecture} ${target.operatingSystem} ${target.engine}`;
}

/** The version that an artifact is bound to, with its strategy. */
export function versionText({ versionStrategy, version }: ArtifactHeader): string {
  return versionStrategy === "none" ? "none" : `${versionStrategy} ${version}`;
}

/** Settings that are not at their default. */
export function settingsText(settings: Readonly<Record<string, CanonicalValue>>): string {
  const texts = Object.entries(settings).map(([name, value]) => `${name}=${valueText(value)}`);
  return texts.length === 0 ? "defaults" : texts.join(" ");
}

function valueText(value: CanonicalValue): string {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(valueText).join(",");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** Names, or that there are none. */
export function listText(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
