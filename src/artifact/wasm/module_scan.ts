/**
 * What a scan tells of a module. Types only.
 *
 * @module
 */
import type { FeatureName } from "../features.ts";

/** What can be imported and exported. */
export type ExternKind = "function" | "table" | "memory" | "global" | "tag";

/** What a module exports. */
export interface ModuleExport {
  /** Its name. */
  readonly name: string;
  /** What it is. */
  readonly kind: ExternKind;
  /**
   * Its type as text: `(i32, i64) -> (f64)` of functions and tags, `i64 1..16 shared` of memories (in pages), `i32 1..
   * funcref` of tables, `i32` or `mut i32` of globals. Equal types have equal texts in all modules.
   */
  readonly type: string;
}

/** What a module imports. */
export interface ModuleImport extends ModuleExport {
  /** The name of the module that it comes from. */
  readonly module: string;
}

/** A custom section. */
export interface CustomSection {
  /** Its name. */
  readonly name: string;
  /** Where its contents begin, behind the name: a byte offset. */
  readonly offset: number;
  /** The size of its contents. */
  readonly bytes: number;
}

/** What {@linkcode scanModule} finds. */
export interface ModuleScan {
  /**
   * The features that are used, in the order of FEATURES. Tags without anything that catches are of both forms of
   * exceptions: they count as `exceptions`, or as part of `stack-switching`.
   */
  readonly features: readonly FeatureName[];
  /** The byte offset at which each feature is seen first. */
  readonly firstUse: ReadonlyMap<FeatureName, number>;
  /**
   * Whether `exceptions` is listed for tags only, so that a host with either form of exceptions has what is needed.
   */
  readonly eitherExceptions: boolean;
  /** What the module needs for linking, in the order of the binary. */
  readonly imports: readonly ModuleImport[];
  /** What the module gives, in the order of the binary. */
  readonly exports: readonly ModuleExport[];
  /** The custom sections, in the order of the binary. */
  readonly customSections: readonly CustomSection[];
}
