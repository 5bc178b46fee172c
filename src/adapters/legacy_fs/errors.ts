/**
 * Errors as a program's core throws them: its own class, its own numbers.
 *
 * @module
 */
import { ENOENT } from "../../layout/errno.ts";
import { toWasi, WASI_ENODEV, WASI_ENOENT, WASI_EXDEV } from "../wasi_errno.ts";
import type { FSCore } from "./core.ts";

const LINUX_EXDEV = 18;
const LINUX_ENODEV = 19;

/** The errors of one program. */
export class Errors {
  /** Met when an entry has become something else between two steps of the core: the call begins anew. */
  readonly changed: Error;
  readonly #core: FSCore;
  /** Whether the program counts as Linux does: those of Emscripten before 1.39. */
  readonly #isLinux: boolean;
  readonly #missing: Error;

  /** Asks the core for something that cannot exist, to learn how it counts. */
  constructor(core: FSCore) {
    this.#core = core;
    let errno: unknown = WASI_ENOENT;
    try {
      core.lookupPath("/\0", {});
    } catch (error) {
      errno = (error as { errno?: unknown }).errno;
    }
    this.#isLinux = errno === ENOENT;
    // Names that are not there are asked for all the time: their error is made once, as MEMFS does, without a stack.
    this.#missing = this.make(-ENOENT);
    this.#missing.stack = "ErrnoError: no such entry";
    this.changed = this.make(-ENOENT);
  }

  /** The error of a negated errno. */
  make(result: number): Error & { errno: number } {
    return new this.#core.ErrnoError(this.#isLinux ? -result : -toWasi(result));
  }

  /** Throws the error of a negated errno. */
  fail(result: number): never {
    throw result === -ENOENT ? this.#missing : this.make(result);
  }

  /** Throws the error of a negated errno; gives back what is none. */
  check(result: number): number {
    return result >= 0 ? result : this.fail(result);
  }

  /** The error of what leads to another filesystem. */
  elsewhere(): Error {
    return new this.#core.ErrnoError(this.#isLinux ? LINUX_EXDEV : WASI_EXDEV);
  }

  /** The error of what cannot be mapped. */
  unmappable(): Error {
    return new this.#core.ErrnoError(this.#isLinux ? LINUX_ENODEV : WASI_ENODEV);
  }
}
