/**
 * The container of artifacts: a WebAssembly binary whose first section is a custom one with the header and a seal over
 * header and payload. docs/artifact.md describes it byte by byte.
 *
 * The header's bytes, all offsets relative to the content that follows the section's name:
 *
 *     0            1    format version, 1
 *     1            1    kind: 0 a module, 1 native code
 *     2            1    v, the length of the version
 *     3            v    the version, UTF-8
 *     3 + v        4    m, the length of the metadata, little-endian
 *     7 + v        m    the metadata: a canonical encoding of a map
 *     7 + v + m    1    kind of seal: 1 SHA-256, 2 HMAC-SHA-256
 *     8 + v + m    8    which key made the seal; zeros for SHA-256
 *    16 + v + m   32    the seal
 *
 * A module's payload are the sections that follow. Native code is the content of one more custom section.
 *
 * @module
 */
import { type CanonicalMap, type CanonicalValue, decodeCanonical, encodeCanonical } from "./canonical.ts";
import { DIGEST_BYTES } from "./digest.ts";
import { IncompatibleArtifactError } from "./errors.ts";
import { SEAL_BYTES, SEAL_HMAC, SEAL_SHA256, type SealKey } from "./seal.ts";
import { describeValue } from "./settings.ts";
import { PREAMBLE_BYTES } from "./wasm/sections.ts";

/** The version of the container's format. */
export const FORMAT_VERSION = 1;

/** The name of the section with the header. */
const HEADER_SECTION = "extmemfs.artifact";
/** The name of the section with native code. */
const NATIVE_SECTION = "extmemfs.native";

/** What an artifact holds: a WebAssembly module, or the code of a native compiler. */
export type ArtifactKind = "module" | "native";

/** The kinds by the byte that stands for them. */
const KINDS: readonly ArtifactKind[] = ["module", "native"];

/** What was true when an artifact was made, and decides nothing. */
export interface Provenance {
  /** The version of the host engine it was made for. */
  readonly engineVersion: string;
  /** The version of the compiler that made it. */
  readonly compilerVersion: string;
  /** How long compiling took, in milliseconds; only stores note it, so that a plain compilation is reproducible. */
  readonly compileMs?: number;
}

/** What an artifact says of itself. */
export interface ArtifactHeader {
  /** What it holds. */
  readonly kind: ArtifactKind;
  /** Which version strategy its engine had. */
  readonly versionStrategy: "engine" | "custom" | "none";
  /** The version: `<host engine's>/<compiler's>`, the custom text, or nothing. */
  readonly version: string;
  /** What it was made for. */
  readonly target: { readonly architecture: string; readonly operatingSystem: string; readonly engine: string };
  /** The name of the compiler. */
  readonly compiler: string;
  /** The compiler settings that were not at their default. */
  readonly settings: CanonicalMap;
  /** The processor flags that were on. */
  readonly isaFlags: readonly string[];
  /** The tunables that were not at their default. */
  readonly tunables: CanonicalMap;
  /** The WebAssembly features that it uses. */
  readonly features: readonly string[];
  /** The features whose lowering gave imports or exports other types than the original's. */
  readonly signatureLowered: readonly string[];
  /** The SHA-256 of the module that it was made of. */
  readonly source: Uint8Array;
  /** The size of that module in bytes. */
  readonly sourceBytes: number;
  /** The SHA-256 of what else went in, empty where nothing did. */
  readonly extra: Uint8Array;
  /** The compatibility hash of its engine. */
  readonly compatibility: Uint8Array;
  /** What decides nothing. */
  readonly provenance: Provenance;
}

/** Where the parts of an artifact lie, in bytes from its start. */
export interface ArtifactLayout {
  /** The header. */
  readonly header: ArtifactHeader;
  /** The kind of seal: {@linkcode SEAL_SHA256} or {@linkcode SEAL_HMAC}. */
  readonly sealKind: number;
  /** Where the 8 bytes that name the key are. */
  readonly keyIdAt: number;
  /** Where the seal is. */
  readonly sealAt: number;
  /** Where the payload begins: the section after the header's. */
  readonly payloadAt: number;
}

/**
 * Puts a header before a compiled module, or wraps native code. The seal is left zero: see seal.ts.
 *
 * @returns the artifact, and where its seal belongs.
 */
export function encodeContainer(
  header: ArtifactHeader,
  payload: Uint8Array,
  key: SealKey | undefined,
): { bytes: Uint8Array<ArrayBuffer>; sealAt: number } {
  const version = new TextEncoder().encode(header.version);
  const metadata = encodeCanonical(metadataOf(header));
  const content = new Uint8Array(7 + version.length + metadata.length + SEAL_BYTES);
  const view = new DataView(content.buffer);
  content[0] = FORMAT_VERSION;
  content[1] = KINDS.indexOf(header.kind);
  content[2] = version.length;
  content.set(version, 3);
  view.setUint32(3 + version.length, metadata.length, true);
  content.set(metadata, 7 + version.length);
  const sealStart = content.length - SEAL_BYTES;
  content[sealStart] = key === undefined ? SEAL_SHA256 : SEAL_HMAC;
  if (key !== undefined) content.set(key.id, sealStart + 1);

  const first = customSection(HEADER_SECTION, content);
  const sections = header.kind === "module" ? payload.subarray(PREAMBLE_BYTES) : customSection(NATIVE_SECTION, payload);
  const bytes = new Uint8Array(PREAMBLE_BYTES + first.length + sections.length);
  bytes.set(PREAMBLE);
  bytes.set(first, PREAMBLE_BYTES);
  bytes.set(sections, PREAMBLE_BYTES + first.length);
  return { bytes, sealAt: PREAMBLE_BYTES + first.length - DIGEST_BYTES };
}

function metadataOf(header: ArtifactHeader): CanonicalMap {
  const { engineVersion, compilerVersion, compileMs } = header.provenance;
  return {
    strategy: header.versionStrategy,
    target: [header.target.architecture, header.target.operatingSystem, header.target.engine],
    compiler: header.compiler,
    settings: header.settings,
    isaFlags: header.isaFlags,
    tunables: header.tunables,
    features: header.features,
    signatureLowered: header.signatureLowered,
    source: header.source,
    sourceBytes: header.sourceBytes,
    extra: header.extra,
    compatibility: header.compatibility,
    provenance: { engineVersion, compilerVersion, ...(compileMs === undefined ? {} : { compileMs }) },
  };
}

/**
 * Finds the kind of an artifact by its first bytes; 64 are enough.
 *
 * @returns undefined for what is no artifact, an ordinary module included.
 */
export function detectKind(bytes: Uint8Array): ArtifactKind | undefined {
  const found = locateHeaderSection(bytes);
  if (found === undefined || found.contentAt + 2 > bytes.length) return undefined;
  return KINDS[bytes[found.contentAt + 1]!];
}

/**
 * Reads an artifact's header. Nothing of it is to be trusted before the seal has been verified.
 *
 * @throws {IncompatibleArtifactError} of the kinds `container`, `module-kind`, `header-missing`, `format-version` and
 * `header-invalid`.
 */
export function decodeContainer(bytes: Uint8Array): ArtifactLayout {
  if (bytes.length < PREAMBLE_BYTES || PREAMBLE.subarray(0, 4).some((byte, index) => bytes[index] !== byte)) {
    const found = bytes.length === 0 ? "nothing" : `bytes that begin with ${hexText(bytes.subarray(0, 8))}`;
    throw refuse("container", found, "a WebAssembly binary", "this is no WebAssembly binary");
  }
  if (PREAMBLE.some((byte, index) => bytes[index] !== byte)) {
    const component = bytes[6] === 1;
    throw refuse(
      "module-kind",
      component ? "component" : `binary version ${hexText(bytes.subarray(4, 8))}`,
      "module",
      component ? "this is a component, not a module" : "this binary is of a version that is not known",
    );
  }
  const section = locateHeaderSection(bytes);
  if (section === undefined) {
    throw refuse("header-missing", "none", HEADER_SECTION, "this module has not been precompiled");
  }
  return decodeHeader(bytes, section.contentAt, section.end);
}

function decodeHeader(bytes: Uint8Array, start: number, end: number): ArtifactLayout {
  if (end > bytes.length) throw invalid(`it is cut off: ${end - bytes.length} bytes are missing`);
  const content = bytes.subarray(start, end);
  if (content.length === 0) throw invalid("it is empty");
  if (content[0] !== FORMAT_VERSION) {
    throw refuse(
      "format-version",
      String(content[0]),
      String(FORMAT_VERSION),
      `its format version is ${content[0]}, this library reads ${FORMAT_VERSION}: compile the module again`,
    );
  }
  const kind = KINDS[content[1]!];
  if (kind === undefined) throw invalid(`its kind is ${content[1]}`);
  const versionLength = content[2] ?? 0;
  if (7 + versionLength + SEAL_BYTES > content.length) throw invalid("it is too short for its version");
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const metadataAt = 7 + versionLength;
  const metadataLength = view.getUint32(3 + versionLength, true);
  if (metadataAt + metadataLength + SEAL_BYTES !== content.length) {
    throw invalid(`its metadata should have ${metadataLength} bytes`);
  }
  const sealKind = content[metadataAt + metadataLength]!;
  if (sealKind !== SEAL_SHA256 && sealKind !== SEAL_HMAC) throw invalid(`its kind of seal is ${sealKind}`);
  let version: string;
  let metadata: CanonicalValue;
  try {
    version = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content.slice(3, 3 + versionLength));
    metadata = decodeCanonical(content.subarray(metadataAt, metadataAt + metadataLength));
  } catch (error) {
    throw invalid((error as Error).message);
  }
  const sealAt = end - DIGEST_BYTES;
  return {
    header: headerOf(kind, version, metadata),
    sealKind,
    keyIdAt: sealAt - 8,
    sealAt,
    payloadAt: end,
  };
}

/** Native code within its container, of which the layout is known. */
export function nativePayload(bytes: Uint8Array, { payloadAt }: ArtifactLayout): Uint8Array {
  const section = readCustomSection(bytes, payloadAt);
  if (section?.name !== NATIVE_SECTION || section.end !== bytes.length) {
    throw invalid(`what follows it is not one section '${NATIVE_SECTION}'`);
  }
  return bytes.subarray(section.contentAt, section.end);
}

function headerOf(kind: ArtifactKind, version: string, metadata: CanonicalValue): ArtifactHeader {
  const map = new Members("metadata", metadata);
  const target = map.texts("target");
  const provenance = new Members("provenance", map.get("provenance"));
  if (target.length !== 3) throw invalid(`its target has ${target.length} parts, not 3`);
  const strategy = map.text("strategy");
  if (strategy !== "engine" && strategy !== "custom" && strategy !== "none") {
    throw invalid(`its version strategy is ${describeValue(strategy)}`);
  }
  const compileMs = provenance.optionalCount("compileMs");
  return {
    kind,
    versionStrategy: strategy,
    version,
    target: { architecture: target[0]!, operatingSystem: target[1]!, engine: target[2]! },
    compiler: map.text("compiler"),
    settings: map.map("settings"),
    isaFlags: map.texts("isaFlags"),
    tunables: map.map("tunables"),
    features: map.texts("features"),
    signatureLowered: map.texts("signatureLowered"),
    source: map.digest("source"),
    sourceBytes: map.optionalCount("sourceBytes") ?? 0,
    extra: map.digest("extra", true),
    compatibility: map.digest("compatibility"),
    provenance: {
      engineVersion: provenance.text("engineVersion"),
      compilerVersion: provenance.text("compilerVersion"),
      ...(compileMs === undefined ? {} : { compileMs }),
    },
  };
}

/** The members of a decoded map, each of the type that the header has it in. Unknown members are notes, and ignored. */
class Members {
  readonly #name: string;
  readonly #map: CanonicalMap;

  constructor(name: string, value: CanonicalValue | undefined) {
    this.#name = name;
    this.#map = this.#asMap(name, value);
  }

  get(name: string): CanonicalValue | undefined {
    return this.#map[name];
  }

  text(name: string): string {
    const value = this.get(name);
    return typeof value === "string" ? value : this.#fail(name, "a text");
  }

  texts(name: string): readonly string[] {
    const value = this.get(name);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    return this.#fail(name, "a list of texts");
  }

  map(name: string): CanonicalMap {
    return this.#asMap(name, this.get(name));
  }

  digest(name: string, mayBeEmpty = false): Uint8Array {
    const value = this.get(name);
    if (value instanceof Uint8Array && (value.length === DIGEST_BYTES || (mayBeEmpty && value.length === 0))) {
      return value;
    }
    return this.#fail(name, "a SHA-256");
  }

  optionalCount(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined || (typeof value === "number" && value >= 0)) return value;
    return this.#fail(name, "a count");
  }

  #asMap(name: string, value: CanonicalValue | undefined): CanonicalMap {
    if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
      return value as CanonicalMap;
    }
    return this.#fail(name, "a map");
  }

  #fail(name: string, expected: string): never {
    throw invalid(`'${name}' of its ${this.#name ?? "metadata"} is not ${expected}`);
  }
}

/** `\0asm`, version 1. */
const PREAMBLE = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

interface CustomSection {
  readonly name: string;
  /** Where the content after the name begins. */
  readonly contentAt: number;
  /** Where the section ends; beyond the bytes where only a beginning is at hand. */
  readonly end: number;
}

function locateHeaderSection(bytes: Uint8Array): CustomSection | undefined {
  if (bytes.length < PREAMBLE_BYTES || PREAMBLE.some((byte, index) => bytes[index] !== byte)) return undefined;
  const section = readCustomSection(bytes, PREAMBLE_BYTES);
  return section?.name === HEADER_SECTION ? section : undefined;
}

function readCustomSection(bytes: Uint8Array, at: number): CustomSection | undefined {
  if (bytes[at] !== 0) return undefined;
  const size = readSize(bytes, at + 1);
  if (size === undefined) return undefined;
  const end = size.next + size.value;
  const nameSize = readSize(bytes, size.next);
  if (nameSize === undefined) return undefined;
  const contentAt = nameSize.next + nameSize.value;
  if (contentAt > end || contentAt > bytes.length) return undefined;
  const name = new TextDecoder().decode(bytes.slice(nameSize.next, contentAt));
  return { name, contentAt, end };
}

/** An unsigned LEB128 of up to 32 bits. */
function readSize(bytes: Uint8Array, at: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value < 2 ** 32 ? { value, next: at + index + 1 } : undefined;
  }
  return undefined;
}

function customSection(name: string, content: Uint8Array): Uint8Array {
  const nameBytes = new TextEncoder().encode(name);
  const nameSize = encodeSize(nameBytes.length);
  const size = encodeSize(nameSize.length + nameBytes.length + content.length);
  const section = new Uint8Array(1 + size.length + nameSize.length + nameBytes.length + content.length);
  let at = 1;
  for (const part of [size, nameSize, nameBytes, content]) {
    section.set(part, at);
    at += part.length;
  }
  return section;
}

function encodeSize(value: number): Uint8Array {
  const bytes: number[] = [];
  do {
    const rest = Math.floor(value / 128);
    bytes.push((value % 128) | (rest > 0 ? 0x80 : 0));
    value = rest;
  } while (value > 0);
  return new Uint8Array(bytes);
}

function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function invalid(why: string): IncompatibleArtifactError {
  return refuse("header-invalid", why, "a valid header", `its header is not valid: ${why}`);
}

function refuse(
  kind: "container" | "module-kind" | "header-missing" | "format-version" | "header-invalid",
  found: string,
  expected: string,
  why: string,
): IncompatibleArtifactError {
  return new IncompatibleArtifactError(kind, kind, found, expected, `Not an artifact that can be loaded: ${why}`);
}
