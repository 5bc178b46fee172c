/**
 * Writes the little WebAssembly that lowerings put into modules: numbers, instructions, functions. Imports nothing.
 *
 * @module
 */

/** The code of a value type. */
export type ValueType = number;
/** `i32` */
export const I32: ValueType = 0x7f;
/** `i64` */
export const I64: ValueType = 0x7e;
/** `f32` */
export const F32: ValueType = 0x7d;
/** `f64` */
export const F64: ValueType = 0x7c;
/** `v128` */
export const V128: ValueType = 0x7b;

/** Bytes of code; lists in it are written one after the other. */
export type Code = readonly (number | Code)[];

/** A function to be added to a module. */
export interface Helper {
  /** The types of its parameters. */
  readonly params: readonly ValueType[];
  /** The types of its results. */
  readonly results: readonly ValueType[];
  /** The types of its other locals. */
  readonly locals: readonly ValueType[];
  /** Its instructions, without the last `end`. */
  readonly code: Code;
}

/** An unsigned number as LEB128. */
export function unsigned(value: number | bigint): number[] {
  let rest = BigInt(value);
  const bytes: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return bytes;
}

/** A signed number as LEB128. */
export function signed(value: number | bigint): number[] {
  let rest = BigInt(value);
  const bytes: number[] = [];
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** All bytes of some code. */
export function flatten(code: Code): number[] {
  return (code as readonly unknown[]).flat(Infinity) as number[];
}

/** A list: how many, then each. */
export function list(items: readonly Code[]): number[] {
  return flatten([unsigned(items.length), ...items]);
}

/** `unreachable` */
export const UNREACHABLE: Code = [0x00];
/** `end` */
export const END: Code = [0x0b];
/** `return` */
export const RETURN: Code = [0x0f];

/** `local.get` */
export function get(local: number): Code {
  return [0x20, unsigned(local)];
}

/** `local.set` */
export function set(local: number): Code {
  return [0x21, unsigned(local)];
}

/** `i32.const` */
export function i32(value: number | bigint): Code {
  return [0x41, signed(value)];
}

/** `i64.const`; values from 2^63 on stand for the negative number of the same bits. */
export function i64(value: number | bigint): Code {
  return [0x42, signed(BigInt.asIntN(64, BigInt(value)))];
}

/** `f32.const` */
export function f32(value: number): Code {
  return [0x43, [...new Uint8Array(new Float32Array([value]).buffer)]];
}

/** `f64.const` */
export function f64(value: number): Code {
  return [0x44, [...new Uint8Array(new Float64Array([value]).buffer)]];
}

/** `if` on what is on the stack, without results. */
export function when(code: Code): Code {
  return [0x04, 0x40, code, END];
}

/** Instructions on numbers of 64 bits. */
export const I64_OPS = { gtU: 0x56, add: 0x7c, sub: 0x7d, shl: 0x86, extend: 0xad } as const;

/** What differs between memories with addresses of 32 and of 64 bits. */
export interface AddressOps {
  /** The type of an address. */
  readonly type: ValueType;
  /** Puts an address on the stack. */
  readonly constant: (value: number) => Code;
  /** The opcode that compares with 0. */
  readonly eqz: number;
  /** The opcode of less than, without sign. */
  readonly ltU: number;
  /** The opcode of the sum. */
  readonly add: number;
  /** The opcode of the difference. */
  readonly sub: number;
  /** Makes 64 bits of an address on the stack. */
  readonly widen: Code;
}

/** Addresses of 32 bits. */
export const NARROW: AddressOps = {
  type: I32,
  constant: i32,
  eqz: 0x45,
  ltU: 0x49,
  add: 0x6a,
  sub: 0x6b,
  widen: [I64_OPS.extend],
};

/** Addresses of 64 bits. */
export const WIDE: AddressOps = {
  type: I64,
  constant: i64,
  eqz: 0x50,
  ltU: 0x54,
  add: 0x7c,
  sub: 0x7d,
  widen: [],
};

/** What follows the opcode of an access without alignment: 1 byte aligned, offset 0. */
export function memarg(memory: number): Code {
  return memory === 0 ? [0, 0] : [0x40, unsigned(memory), 0];
}

/** The type of a function. */
export function functionType(helper: Helper): number[] {
  return [0x60, ...list(helper.params.map((type) => [type])), ...list(helper.results.map((type) => [type]))];
}

/** The body of a function, with its size. */
export function functionBody(helper: Helper): number[] {
  const body = flatten([list(helper.locals.map((type) => [1, type])), helper.code, END]);
  return [...unsigned(body.length), ...body];
}
