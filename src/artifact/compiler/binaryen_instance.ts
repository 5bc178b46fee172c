/**
 * Binaryen itself: loading it, what of its interface is used, its settings, and what it prints.
 *
 * There is one instance a thread, its settings are global, and it prints through the console. So it is called only in
 * {@linkcode BinaryenInstance.call}, which is synchronous from end to end: settings are put before and put back after, and
 * what is printed meanwhile is caught.
 *
 * @module
 */
import { CompileError, CompilerUnavailableError, ConfigError } from "../errors.ts";
import type { FeatureName } from "../features.ts";
import type { CompilerSettings } from "../settings.ts";

/** The version that this library is made for and tested with: what `deno.json` pins. */
export const BINARYEN_VERSION = "132.0.0";

/** A module within Binaryen. */
export interface BinaryenModule {
  /** Sets the flags of the features that it may use. */
  setFeatures(features: number): void;
  /** Runs passes one after the other. */
  runPasses(passes: readonly string[]): void;
  /** Optimizes as the global settings say. */
  optimize(): void;
  /** 1 where it is valid; prints what is not. */
  validate(): number;
  /** Its binary. */
  emitBinary(): Uint8Array;
  /** The address of an export; 0 where there is none. */
  getExport(name: string): number;
  /** Whether it has a memory. */
  hasMemory(): boolean;
  /** Gives its memory back. */
  dispose(): void;
}

/** What is used of Binaryen's interface. Its own types lack some of it. */
export interface Binaryen {
  /** Flags of features by name. */
  readonly Features: Readonly<Record<string, number>>;
  /** Reads a binary in which features may be used. */
  readBinary(bytes: Uint8Array, features: number): BinaryenModule;
  /** Reads a module's text. */
  parseText(text: string): BinaryenModule;
  /** What an exception of C++ says. */
  getExceptionMessage(error: unknown): readonly [type: string, message: string];
}

/** Binaryen's names of features. Both forms of exceptions are one there, as are typed references and objects. */
const FLAGS: Readonly<Record<FeatureName, readonly string[]>> = {
  "mutable-globals": ["MutableGlobals"],
  "sign-extensions": ["SignExt"],
  "saturated-float-to-int": ["NontrappingFPToInt"],
  "multi-value": ["Multivalue"],
  "bulk-memory": ["BulkMemory", "BulkMemoryOpt"],
  "reference-types": ["ReferenceTypes", "CallIndirectOverlong"],
  "simd": ["SIMD128"],
  "relaxed-simd": ["RelaxedSIMD"],
  "threads": ["Atomics"],
  "tail-call": ["TailCall"],
  "extended-const": ["ExtendedConst"],
  "exceptions": ["ExceptionHandling"],
  "exceptions-final": ["ExceptionHandling"],
  "typed-function-references": ["GC"],
  "gc": ["GC"],
  "memory64": ["Memory64"],
  "multi-memory": ["MultiMemory"],
  "wide-arithmetic": ["WideArithmetic"],
  "custom-page-sizes": ["CustomPageSizes"],
  "stack-switching": ["StackSwitching"],
  "fp16": ["FP16"],
};

/** Binaryen's names of settings: there is a function `get…` and one `set…` of each. */
const SETTINGS = {
  optimizeLevel: "OptimizeLevel",
  shrinkLevel: "ShrinkLevel",
  debugInfo: "DebugInfo",
  fastMath: "FastMath",
  trapsNeverHappen: "TrapsNeverHappen",
  closedWorld: "ClosedWorld",
  lowMemoryUnused: "LowMemoryUnused",
  zeroFilledMemory: "ZeroFilledMemory",
} as const;

/** The settings that Binaryen has for all of a thread. */
export type GlobalSettings = Readonly<Pick<CompilerSettings, keyof typeof SETTINGS>>;

/** How many lines of what Binaryen printed go into an error. */
const MESSAGE_LINES = 5;

let sink: string[] | undefined;
let loading: Promise<BinaryenInstance> | undefined;

/**
 * Loads Binaryen, once for all callers of a thread.
 *
 * @throws (rejects) {CompilerUnavailableError} where the package is not there, or cannot be started.
 */
export function loadBinaryen(): Promise<BinaryenInstance> {
  loading ??= importBinaryen().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/**
 * Binaryen takes the console's functions while it is loaded, and keeps them. So what it takes are functions that give on
 * what is printed, except during calls.
 *
 * Where somebody else in this thread loaded Binaryen before, it has taken the real ones: what it prints goes there.
 */
async function importBinaryen(): Promise<BinaryenInstance> {
  const { log, error } = console;
  const divert = (print: (...data: unknown[]) => void) => (...data: unknown[]) => {
    if (sink === undefined) print.apply(console, data);
    else sink.push(data.join(" "));
  };
  const [divertedLog, divertedError] = [divert(log), divert(error)];
  console.log = divertedLog;
  console.error = divertedError;
  try {
    const binaryen = (await import("binaryen")).default as unknown as Binaryen;
    return new BinaryenInstance(binaryen);
  } catch (cause) {
    throw new CompilerUnavailableError(
      "binaryen",
      `Binaryen cannot be loaded: ${cause instanceof Error ? cause.message : cause}. It is the npm package ` +
        `'binaryen': install version ${BINARYEN_VERSION}`,
      { cause },
    );
  } finally {
    if (console.log === divertedLog) console.log = log;
    if (console.error === divertedError) console.error = error;
  }
}

/** Binaryen, and how to call it. */
export class BinaryenInstance {
  readonly #binaryen: Binaryen;
  /** Why it cannot be used any more. */
  #broken: string | undefined;

  /** Takes what the package exports. */
  constructor(binaryen: Binaryen) {
    this.#binaryen = binaryen;
  }

  /**
   * Binaryen's flags for features.
   *
   * @param used features of the module. Objects, and typed function references, whose flag is theirs, count only where the
   * module uses them: with that flag Binaryen writes a null of any reference by their types, and so would make a module
   * that needs nothing of the kind load only where they are.
   */
  flags(features: readonly FeatureName[], used: readonly FeatureName[]): number {
    let flags = 0;
    for (const name of features) {
      if ((name === "gc" || name === "typed-function-references") && !used.includes(name)) continue;
      for (const flag of FLAGS[name]) flags |= this.#binaryen.Features[flag];
    }
    return flags;
  }

  /**
   * Calls Binaryen with settings.
   *
   * @param action What is done, as messages name it.
   * @throws {CompileError} where it fails, with what it printed.
   */
  call<T>(action: string, settings: GlobalSettings, work: (binaryen: Binaryen) => T): T {
    if (this.#broken !== undefined) {
      throw new CompileError(
        `Binaryen cannot be used in this thread any more: ${this.#broken}. Start a new worker or process`,
      );
    }
    const exitCode = globalThis.process?.exitCode;
    const restore = this.#configure(settings);
    const printed: string[] = sink = [];
    try {
      return work(this.#binaryen);
    } catch (error) {
      if (error instanceof CompileError || error instanceof ConfigError) throw withLines(error, printed);
      throw this.#failure(action, error, printed);
    } finally {
      sink = undefined;
      if (this.#broken === undefined) restore();
      // Where Binaryen's program exits, it tells the process.
      if (globalThis.process !== undefined && globalThis.process.exitCode !== exitCode) {
        globalThis.process.exitCode = exitCode;
      }
    }
  }

  /** Puts settings in their places; gives a function that puts back what was there. */
  #configure(settings: GlobalSettings): () => void {
    const functions = this.#binaryen as unknown as Record<string, (value?: unknown) => unknown>;
    // As Binaryen's own command does: only there is the order of instructions on the stack optimized.
    const stackIR = settings.optimizeLevel >= 2 || settings.shrinkLevel >= 1;
    const wanted = new Map<string, unknown>([["GenerateStackIR", stackIR], ["OptimizeStackIR", stackIR]]);
    for (const [key, name] of Object.entries(SETTINGS)) wanted.set(name, settings[key as keyof GlobalSettings]);
    const before = new Map([...wanted.keys()].map((name) => [name, functions[`get${name}`]()]));
    const apply = (values: ReadonlyMap<string, unknown>) => {
      for (const [name, value] of values) functions[`set${name}`](value);
    };
    apply(wanted);
    return () => apply(before);
  }

  #failure(action: string, error: unknown, printed: readonly string[]): CompileError {
    const message = this.#messageOf(error);
    // An abort, a failed assertion or an exhausted stack leaves Binaryen's own memory as it was in that moment.
    const fatal = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
    if (fatal && !this.#works()) this.#broken = `it failed to ${action} (${message})`;
    const failure = new CompileError(`Binaryen failed to ${action}: ${message}`, { cause: error });
    return withLines(failure, printed.filter((line) => !line.includes(message)));
  }

  #messageOf(error: unknown): string {
    if (error instanceof Error && error.message) return error.message.replace(/\. Build with -sASSERTIONS.*$/s, "");
    try {
      return this.#binaryen.getExceptionMessage(error)[1].replace(/^Fatal: /, "").trim();
    } catch {
      return String(error);
    }
  }

  /** Whether Binaryen still makes of a module what it should. */
  #works(): boolean {
    try {
      const module = this.#binaryen.parseText(
        `(module (func (export "f") (result i32) (i32.add (i32.const 1) (i32.const 1))))`,
      );
      try {
        module.optimize();
        return module.validate() === 1 && WebAssembly.validate(module.emitBinary() as Uint8Array<ArrayBuffer>);
      } finally {
        module.dispose();
      }
    } catch {
      return false;
    }
  }
}

/** An error with what was printed at its end. */
function withLines<E extends CompileError | ConfigError>(error: E, printed: readonly string[]): E {
  const lines = printed.flatMap((text) => text.split("\n")).map((line) => line.trim()).filter((line) => line !== "");
  if (lines.length === 0) return error;
  const more = lines.length > MESSAGE_LINES ? ` … and ${lines.length - MESSAGE_LINES} more lines` : "";
  error.message += `: ${lines.slice(0, MESSAGE_LINES).join(" ")}${more}`;
  return error;
}
