/**
 * Modules that tell which they are, and engines whose work can be told by what a module does: for tests that must know
 * that nobody was given another's artifact. Used by tests in this folder and by stress tests.
 *
 * @module
 */
import { Engine } from "../../../../src/artifact/engine.ts";
import type { EngineConfig } from "../../../../src/artifact/types.ts";

/** An unsigned LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

/** A signed LEB128 of a number that is not negative. */
function positive(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, ...positive(value >>> 7)];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = [...unsigned(items.length), ...items.flat()];
  return [id, ...unsigned(content.length), ...content];
}

const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];

/**
 * A module of two functions: `id()` gives its number, `trunc(x)` converts a float with an instruction that traps on what
 * is out of range. So many bytes of data make it larger.
 */
export function moduleOf(id: number, dataBytes = 0): Uint8Array<ArrayBuffer> {
  const sized = (body: readonly number[]) => [...unsigned(body.length + 2), 0, ...body, 0x0b];
  const code = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, 0, 1, 0x7f], [0x60, 1, 0x7d, 1, 0x7f]]),
    ...section(3, [[0], [1]]),
    ...section(5, [[0, ...unsigned(Math.ceil(dataBytes / 65536))]]),
    ...section(7, [[...text("id"), 0, 0], [...text("trunc"), 0, 1], [...text("memory"), 2, 0]]),
    ...section(10, [sized([0x41, ...positive(id)]), sized([0x20, 0, 0xa8])]),
  ];
  if (dataBytes === 0) return new Uint8Array(code);
  const segment = [0, 0x41, 0, 0x0b, ...unsigned(dataBytes)];
  const head = [11, ...unsigned(1 + segment.length + dataBytes), 1, ...segment];
  const bytes = new Uint8Array(code.length + head.length + dataBytes);
  bytes.set(code);
  bytes.set(head, code.length);
  // No zeros: those are left out of what is compiled.
  for (let at = 0; at < dataBytes; at++) bytes[code.length + head.length + at] = 1 + (id * 31 + at * 7) % 255;
  return bytes;
}

/** What shows of a configuration in what was compiled. */
export interface Variant {
  /** Its name, for messages. */
  readonly name: string;
  /** What is configured beyond {@linkcode BASE}. */
  readonly config: Pick<EngineConfig, "tunables">;
  /** What `trunc(1e20)` does. */
  readonly trunc: number | "trap";
  /** Whether the module exports Asyncify's functions. */
  readonly asyncify: boolean;
}

const TRAP_MODES = { allow: "trap", clamp: -(2 ** 31), js: 0 } as const;

/** Configurations that can be told apart. */
export const VARIANTS: readonly Variant[] = [false, true].flatMap((asyncify) =>
  Object.entries(TRAP_MODES).map(([trapMode, trunc]) => ({
    name: `${trapMode}${asyncify ? " with asyncify" : ""}`,
    config: { tunables: { trapMode: trapMode as keyof typeof TRAP_MODES, asyncify } },
    trunc,
    asyncify,
  }))
);

/** A configuration that leaves nothing to the host, and nothing to optimize. */
export const BASE: EngineConfig = {
  target: { architecture: "any", operatingSystem: "any", engine: { name: "any", version: "" } },
  compiler: { name: "binaryen", version: "132.0.0", settings: { optimizeLevel: 0, shrinkLevel: 0 } },
  features: ["mutable-globals", "bulk-memory", "sign-extensions", "saturated-float-to-int"],
};

/** The engine of a variant. */
export function engineOf(variant: Variant, changes: EngineConfig = {}): Engine {
  return new Engine({ ...BASE, ...variant.config, ...changes });
}

/** An engine of the first variant. */
export const ENGINE: Engine = engineOf(VARIANTS[0]!);

/** What is wrong with a module that was asked for by number and variant; undefined where it is the right one. */
export function wrongWith(module: WebAssembly.Module, id: number, variant: Variant): string | undefined {
  // Conversions as JavaScript does them are asked of the host.
  const imports: Record<string, Record<string, (value: number) => number>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = (value) => value | 0;
  }
  const { exports } = new WebAssembly.Instance(module, imports);
  const found = (exports.id as () => number)();
  let trunc: number | string;
  try {
    trunc = (exports.trunc as (value: number) => number)(1e20);
  } catch (error) {
    trunc = error instanceof WebAssembly.RuntimeError ? "trap" : String(error);
  }
  const asyncify = "asyncify_get_state" in exports;
  if (found === id && trunc === variant.trunc && asyncify === variant.asyncify) return undefined;
  return `asked for module ${id} with ${variant.name}, found ${found} with trunc ${trunc} and asyncify ${asyncify}`;
}
