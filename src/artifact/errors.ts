/**
 * The errors of artifacts and their stores. Each has a `code`, says what was asked, what was found and what to do.
 * Imports nothing.
 *
 * @module
 */

/** The codes of {@linkcode ArtifactError}. */
export type ArtifactErrorCode =
  | "ERR_ARTIFACT_CONFIG"
  | "ERR_ARTIFACT_UNSUPPORTED_FEATURE"
  | "ERR_ARTIFACT_COMPILER_UNAVAILABLE"
  | "ERR_ARTIFACT_COMPILE"
  | "ERR_ARTIFACT_MALFORMED_WASM"
  | "ERR_ARTIFACT_INCOMPATIBLE"
  | "ERR_ARTIFACT_ALTERED"
  | "ERR_ARTIFACT_KEY"
  | "ERR_ARTIFACT_UNSAFE"
  | "ERR_ARTIFACT_ENCODING"
  | "ERR_ARTIFACT_STORE";

/** What all errors of artifacts have in common. */
export class ArtifactError extends Error {
  /** Name of the class. */
  override readonly name: string = "ArtifactError";
  /** What kind of failure this is. */
  readonly code: ArtifactErrorCode;

  /** Makes an error. */
  constructor(code: ArtifactErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A configuration that makes no sense; `setting` names the part of it, such as `tunables.trapMode`. */
export class ConfigError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "ConfigError";
  /** The part of the configuration that is wrong, as a path. */
  readonly setting: string;

  /** Makes an error about one part of a configuration. */
  constructor(setting: string, message: string) {
    super("ERR_ARTIFACT_CONFIG", `${setting}: ${message}`);
    this.setting = setting;
  }
}

/** A module uses features that the target lacks and that cannot be lowered. */
export class UnsupportedFeatureError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "UnsupportedFeatureError";
  /** The names of the features. */
  readonly features: readonly string[];

  /** Makes an error about features. */
  constructor(features: readonly string[], message: string) {
    super("ERR_ARTIFACT_UNSUPPORTED_FEATURE", message);
    this.features = features;
  }
}

/** A compiler that cannot be had on this host. */
export class CompilerUnavailableError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "CompilerUnavailableError";
  /** The name of the compiler. */
  readonly compiler: string;

  /** Makes an error about a compiler. */
  constructor(compiler: string, message: string, options?: ErrorOptions) {
    super("ERR_ARTIFACT_COMPILER_UNAVAILABLE", message, options);
    this.compiler = compiler;
  }
}

/** A compiler refused a module, or failed. */
export class CompileError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "CompileError";
  /** Makes an error of a compilation. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ARTIFACT_COMPILE", message, options);
  }
}

/** Bytes that are no WebAssembly; `offset` is where reading them failed. */
export class MalformedWasmError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "MalformedWasmError";
  /** The offset in bytes. */
  readonly offset: number;

  /** Makes an error about bytes at an offset. */
  constructor(offset: number, message: string) {
    super("ERR_ARTIFACT_MALFORMED_WASM", `not a WebAssembly binary: ${message} (at byte ${offset})`);
    this.offset = offset;
  }
}

/** What does not fit, in the order in which it is looked at. */
export type IncompatibilityKind =
  | "container"
  | "module-kind"
  | "header-missing"
  | "header-invalid"
  | "format-version"
  | "version"
  | "compiler"
  | "architecture"
  | "operating-system"
  | "host-engine"
  | "setting"
  | "isa-flag"
  | "tunable"
  | "feature";

/** An artifact that an engine does not load. */
export class IncompatibleArtifactError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "IncompatibleArtifactError";
  /** Which check failed. */
  readonly kind: IncompatibilityKind;
  /** The setting, flag, tunable or feature it is about, or the kind where there is just one of it. */
  readonly setting: string;
  /** What the artifact has. */
  readonly found: string;
  /** What the engine asks for. */
  readonly expected: string;

  /** Makes an error of one check. */
  constructor(kind: IncompatibilityKind, setting: string, found: string, expected: string, message: string) {
    super("ERR_ARTIFACT_INCOMPATIBLE", message);
    this.kind = kind;
    this.setting = setting;
    this.found = found;
    this.expected = expected;
  }
}

/** An artifact whose bytes are not those that were sealed, or that is not what it was asked for as. */
export class AlteredArtifactError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "AlteredArtifactError";
  /** Makes an error about an artifact's integrity. */
  constructor(message: string) {
    super("ERR_ARTIFACT_ALTERED", message);
  }
}

/** A key that is missing, too short, or another than the one that sealed the artifact. */
export class ArtifactKeyError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "ArtifactKeyError";
  /** Makes an error about a key. */
  constructor(message: string) {
    super("ERR_ARTIFACT_KEY", message);
  }
}

/** Native code that was to be loaded without saying so. */
export class UnsafeArtifactError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "UnsafeArtifactError";
  /** Makes an error about foreign code. */
  constructor(message: string) {
    super("ERR_ARTIFACT_UNSAFE", message);
  }
}

/** Bytes that are no canonical encoding, or a value that has none. */
export class EncodingError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "EncodingError";
  /** Makes an error of the encoder or decoder. */
  constructor(message: string) {
    super("ERR_ARTIFACT_ENCODING", message);
  }
}

/** A store that cannot be used as it was asked to, or is not reached. */
export class ArtifactStoreError extends ArtifactError {
  /** Name of the class. */
  override readonly name: string = "ArtifactStoreError";
  /** Makes an error of a store. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_ARTIFACT_STORE", message, options);
  }
}
