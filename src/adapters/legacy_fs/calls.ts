/**
 * The calls of a program's core that take several steps, each of which may find another tree: opening and renaming.
 *
 * The core looks a name up, once or twice, and decides what to do; then it creates, truncates, opens or renames. Here these
 * calls are wrapped, so that the plugin knows which call a step belongs to:
 *
 * - within one call a name that was looked up is what it was, so that the core's checks agree with each other;
 * - while a file is opened nothing is created or truncated but by the opening itself, one operation of the pool, which
 *   gets all flags;
 * - where it finds something of another kind than the core did, the call begins anew.
 *
 * Where a program's core cannot be changed the steps are taken one by one.
 *
 * @module
 */
import { O_EXCL, O_TRUNC } from "../../file/flags.ts";
import type { FSCore, FSNode } from "./core.ts";
import type { Place } from "./place.ts";

/** How often a call begins anew before its error is given to the program. */
const ATTEMPT_LIMIT = 100;

interface Seen {
  readonly mount: object;
  readonly word: number;
  readonly generation: number;
  readonly name: string;
  readonly node: FSNode | undefined;
}

/** One call of the core that is in progress. */
export class Call {
  /** Of an opening: its flags `O_EXCL` and `O_TRUNC`, which the core keeps to itself. */
  readonly flags: number;
  /** Of an opening: permissions of a file that is created. */
  readonly mode: number;
  /** Whether it is an opening. */
  readonly opens: boolean;
  /** The node of a file that the core believes to have created; the opening will. */
  created: FSNode | undefined;
  readonly #seen: Seen[] = [];

  /** Takes the arguments of an opening; none for another call. */
  constructor(opens: boolean, flags: unknown, mode: unknown) {
    this.opens = opens;
    this.flags = typeof flags === "string" ? flagsOf(flags) : Number(flags) & (O_EXCL | O_TRUNC);
    this.mode = typeof mode === "number" ? mode & 0o7777 : 0o666;
  }

  /** What a name was when this call looked it up before. */
  recall(mount: object, parent: Place, name: string): Seen | undefined {
    return this.#seen.find((seen) =>
      seen.name === name && seen.word === parent.word && seen.generation === parent.generation && seen.mount === mount
    );
  }

  /** Remembers what a name is; undefined where there is none. */
  remember(mount: object, parent: Place, name: string, node: FSNode | undefined): void {
    this.#seen.push({ mount, word: parent.word, generation: parent.generation, name, node });
  }
}

/** The flags that a mode such as `wx` stands for, of those that the core keeps to itself. */
function flagsOf(text: string): number {
  return (text.startsWith("w") ? O_TRUNC : 0) | (text.includes("x") ? O_EXCL : 0);
}

/** The calls of one program. */
export class Calls {
  /** The one in progress. */
  current: Call | undefined;

  /**
   * Wraps the calls of a core.
   *
   * @param changed the error that begins a call anew
   * @param readWhole reads what a path leads to, or gives undefined where that is not the plugin's
   */
  constructor(core: FSCore, changed: Error, readWhole: (path: string) => Uint8Array<ArrayBuffer> | undefined) {
    const { open, rename, readFile } = core;
    this.#replace(core, "open", (...args: Parameters<FSCore["open"]>) => {
      for (let attempt = 1;; attempt++) {
        const outer = this.current;
        this.current = new Call(true, args[1], args[2]);
        try {
          return open.apply(core, args);
        } catch (error) {
          if (error !== changed || attempt === ATTEMPT_LIMIT) throw error;
        } finally {
          this.current = outer;
        }
      }
    });
    this.#replace(core, "rename", (...args: Parameters<FSCore["rename"]>) => {
      const outer = this.current;
      this.current = new Call(false, 0, 0);
      try {
        return rename.apply(core, args);
      } finally {
        this.current = outer;
      }
    });
    this.#replace(core, "readFile", (path: string | FSNode, options: Parameters<FSCore["readFile"]>[1] = {}) => {
      const { flags = "r", encoding = "binary" } = options;
      const isPlain = typeof path === "string" && (flags === "r" || flags === 0) && encoding === "binary";
      return (isPlain ? readWhole(path) : undefined) ?? readFile.call(core, path, options);
    });
  }

  #replace<Name extends "open" | "rename" | "readFile">(core: FSCore, name: Name, call: FSCore[Name]): void {
    Reflect.set(core, name, call);
  }
}
