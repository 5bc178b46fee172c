/**
 * What a row of the layout is: the one description of a field of shared memory from which the format document, the
 * compatibility hash and the C header derive. Imports nothing.
 *
 * @module
 */

/**
 * Who may touch a field, and how:
 *
 * - `const`: written once by format or attach, before anybody else can see it; then read plainly by all.
 * - `atomic`: only through the atomic intrinsics.
 * - `guarded`: plain access under the lock that the row names; an unlocked read is legal only where the row names the
 *   version word that validates it.
 * - `owner`: written by one agent only; others read it as a hint or under a freeze.
 */
export type Access = "const" | "atomic" | "guarded" | "owner";

/** One field of a structure in shared memory. */
export interface Row {
  /** Index of the field's first 32-bit word from the start of its structure. */
  readonly word: number;
  /** How many 32-bit words it takes. */
  readonly words: number;
  /** The field's name. */
  readonly name: string;
  /** How the words are read: a bit pattern, a count, a reference in granules, a double, or bytes. */
  readonly type: "i32" | "u32" | "ref" | "f64" | "bytes";
  /** The access rule. */
  readonly access: Access;
  /** What it means, what guards it, which bits it has. */
  readonly doc: string;
}

/** A structure of shared memory: a name, a size and its rows, in ascending order without overlap. */
export interface Structure {
  /** The structure's name. */
  readonly name: string;
  /** Its size in bytes; 0 where it is open-ended. */
  readonly bytes: number;
  /** What it is and where it lives. */
  readonly doc: string;
  /** Its fields. */
  readonly rows: readonly Row[];
}

/** Makes a {@linkcode Row}. */
export function row(
  word: number,
  name: string,
  type: Row["type"],
  access: Access,
  doc: string,
  words: number = type === "f64" ? 2 : 1,
): Row {
  return { word, words, name, type, access, doc };
}
