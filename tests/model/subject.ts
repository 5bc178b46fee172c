/**
 * The filesystem under test, as the runner uses it.
 *
 * @module
 */

import { constants } from "node:fs";
import { FileSystem } from "../../mod.ts";
import * as openFlags from "../../src/file/flags.ts";
import type { Methods } from "./interpreter.mts";

/** Enough for any sequence, holes not counted. */
const MAXIMUM_BYTES = 64 << 20;

/** A fresh, empty filesystem. */
export interface Subject {
  /** Its methods, named as in `node:fs`. */
  fs: Methods;
  /** Its numbers for flags: those of Linux on x86-64 for `open`, on every machine. */
  constants: Record<string, number>;
  /** Lists what is wrong inside it. */
  check(): readonly unknown[];
  /** Gives back what it holds. */
  dispose(): void;
}

/** Makes a filesystem for one sequence. */
export function createSubject(): Subject {
  const fs = FileSystem.create({ maximumBytes: MAXIMUM_BYTES, umask: 0o022 });
  return {
    fs: fs as unknown as Methods,
    constants: { ...(constants as unknown as Record<string, number>), ...openFlags },
    check: () => fs.check(),
    dispose: () => fs.detach(),
  };
}
