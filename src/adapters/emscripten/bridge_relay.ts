/**
 * A relay: a WebAssembly function that calls what it is told to, and may be told later. A program whose memory is its own
 * export gets its imports before that memory exists, and the bridge can only be made afterwards.
 *
 * @module
 */
import type { ImportedCall } from "./bridge.ts";

/** A relay. */
export interface Relay {
  /** What the program imports. */
  readonly call: ImportedCall;
  /** Makes it call another function of WebAssembly, of the same type. */
  aim(target: ImportedCall): void;
}

const I32 = 0x7f;
const I64 = 0x7e;
const F64 = 0x7c;

/**
 * Makes a relay to a function of JavaScript, which it calls until it is aimed at another.
 *
 * @param signature the result, then the parameters, as Emscripten writes them: `i` and `j` of 32 and 64 bits, `p` a
 * pointer, `d` a double
 */
export function makeRelay(signature: string, pointerBytes: 4 | 8, target: ImportedCall): Relay {
  const types = [...signature].map((letter) =>
    letter === "d" ? F64 : letter === "j" || (letter === "p" && pointerBytes === 8) ? I64 : I32
  );
  const parameters = types.slice(1);
  const body = [
    0, // no locals
    ...parameters.flatMap((_, index) => [0x20, index]), // local.get
    0x41,
    0, // i32.const 0
    0x11,
    0,
    0, // call_indirect of type 0 through table 0
    0x0b,
  ];
  const binary = Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 1, types[0]!]),
    ...section(2, [1, 1, 0x6a, 1, 0x66, 0, 0]), // imports function 0: "j" "f"
    ...section(3, [1, 0]), // function 1, of type 0
    ...section(4, [1, 0x70, 0, 1]), // a table of one function
    ...section(7, [2, 1, 0x66, 0, 1, 1, 0x74, 1, 0]), // exports "f", the function, and "t", the table
    ...section(9, [1, 0, 0x41, 0, 0x0b, 1, 0]), // the table's element is the import
    ...section(10, [1, body.length, ...body]),
  );
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { j: { f: target } });
  return {
    call: exports.f as unknown as ImportedCall,
    aim: (other) => (exports.t as WebAssembly.Table).set(0, other),
  };
}

/** A section of a module; all are shorter than 128 bytes. */
function section(id: number, content: readonly number[]): number[] {
  return [id, content.length, ...content];
}
