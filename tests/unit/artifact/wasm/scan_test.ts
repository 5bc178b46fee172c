import { MalformedWasmError } from "../../../../src/artifact/errors.ts";
import { type ExternKind, scanModule } from "../../../../src/artifact/wasm/scan.ts";
import { binaryKind, sections } from "../../../../src/artifact/wasm/sections.ts";
import { assert, assertEquals, assertLess, assertThrows } from "../../../support/assert.ts";
import { SAMPLES } from "./corpus.ts";
import { binaryenTakes, fromBinaryenText, fromCode, fromSections, fromText, leb, PREAMBLE } from "./oracles.ts";

const SEED = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** Modules that others have built, by their place among the packages. */
const REAL_MODULES = [
  "sql.js/dist/sql-wasm.wasm",
  "wasm-git/lg2_opfs_jspi.wasm",
  "pyodide/pyodide.asm.wasm",
  "esbuild-wasm/esbuild.wasm",
];

function readPackage(path: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`../../../../node_modules/${path}`, import.meta.url));
}

/** Kinds and names as the engine has them. */
function linksOf(module: WebAssembly.Module): unknown[] {
  return [
    WebAssembly.Module.imports(module).map(({ module, name, kind }) => ({ module, name, kind })),
    WebAssembly.Module.exports(module).map(({ name, kind }) => ({ name, kind })),
  ];
}

function linksFound(bytes: Uint8Array): unknown[] {
  const { imports, exports } = scanModule(bytes);
  return [
    imports.map(({ module, name, kind }) => ({ module, name, kind })),
    exports.map(({ name, kind }) => ({ name, kind })),
  ];
}

for (const path of REAL_MODULES) {
  Deno.test(`scanModule() agrees with the engine and Binaryen on ${path}`, () => {
    const bytes = readPackage(path);
    assertEquals(linksFound(bytes), linksOf(new WebAssembly.Module(bytes)));
    const { features } = scanModule(bytes);
    assert(binaryenTakes(bytes, features), `${features} are too few`);
    for (const feature of ["sign-extensions", "bulk-memory", "saturated-float-to-int"] as const) {
      assert(features.includes(feature), feature);
    }
  });
}

Deno.test("scanModule() agrees with the engine on the imports and exports of samples", () => {
  let compiled = 0;
  for (const { name, bytes } of SAMPLES) {
    if (!WebAssembly.validate(bytes.slice())) continue;
    assertEquals(linksFound(bytes), linksOf(new WebAssembly.Module(bytes.slice())), name);
    compiled++;
  }
  assert(compiled > 50, `${compiled} samples were compiled`);
});

Deno.test("scanModule() reads 14 MB in less than 300 ms", () => {
  const bytes = readPackage("esbuild-wasm/esbuild.wasm");
  // The best of five: what else runs on the machine is not what is asked.
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    scanModule(bytes);
    return performance.now() - start;
  });
  assertLess(Math.min(...times), 300);
});

/** The types of what a module exports, by name. */
function exportTypes(bytes: Uint8Array): Record<string, [ExternKind, string]> {
  return Object.fromEntries(scanModule(bytes).exports.map(({ name, kind, type }) => [name, [kind, type]]));
}

Deno.test("scanModule() writes types as texts", () => {
  const bytes = fromBinaryenText(`(module
    (import "\\c3\\a9" "" (func $f (param i32 i64) (result f64))) (export "f" (func $f))
    (table (export "t") i64 1 16 externref) (table (export "u") 0 funcref)
    (memory (export "m") i64 1 16 shared) (memory (export "n") 2) (memory (export "p") 3 4 (pagesize 1))
    (global (export "g") (mut v128) (v128.const i64x2 0 0)) (global (export "h") anyref (ref.null none))
    (tag (export "e") (param i32)))`);
  assertEquals(scanModule(bytes).imports, [{ module: "é", name: "", kind: "function", type: "(i32, i64) -> (f64)" }]);
  assertEquals(exportTypes(bytes), {
    f: ["function", "(i32, i64) -> (f64)"],
    t: ["table", "i64 1..16 externref"],
    u: ["table", "i32 0.. funcref"],
    m: ["memory", "i64 1..16 shared"],
    n: ["memory", "i32 2.."],
    p: ["memory", "i32 3..4 pages of 1"],
    g: ["global", "mut v128"],
    h: ["global", "anyref"],
    e: ["tag", "(i32) -> ()"],
  });
});

Deno.test("scanModule() writes types by what they are, whatever their order", () => {
  const list = `(rec (type $node (struct (field i32) (field (mut (ref null $node))))))`;
  const text = "((ref null #1=(struct i32 (mut (ref null #1))))) -> ((ref #1))";
  const code = `(func (export "f") (param (ref null $node)) (result (ref $node)) (unreachable))`;
  assertEquals(exportTypes(fromBinaryenText(`(module ${list} ${code})`)), { f: ["function", text] });
  const others = `(type $other (array i8)) (func (export "g") (param (ref $other) (ref null func)) (unreachable))`;
  assertEquals(exportTypes(fromBinaryenText(`(module ${others} ${list} ${code})`)), {
    f: ["function", text],
    g: ["function", "((ref #1=(array i8)), funcref) -> ()"],
  });
});

Deno.test("scanModule() reads types that are nested without end in time", () => {
  const count = 100_000;
  const chain = Array.from(
    { length: count },
    (_, index) => [0x5f, 1, 0x64, ...leb(Math.min(index + 1, count - 1), 0x40), 0],
  );
  const bytes = fromSections(
    [1, ...leb(2), 0x4e, ...leb(count), ...chain.flat(), 0x60, 1, 0x64, 0, 0],
    [2, 1, 0, 0, 0, ...leb(count)],
  );
  const [{ type }] = scanModule(bytes).imports;
  assert(type.includes("…") && type.length < 1000, type);
});

Deno.test("scanModule() and sections() find custom sections, with and without contents", () => {
  const bytes = fromSections([0, 1, 0x61, 7, 8, 9], [1, 0], [0, 0], [0, 2, 0xc3, 0xa9]);
  assertEquals(scanModule(bytes).customSections, [
    { name: "a", offset: 12, bytes: 3 },
    { name: "", offset: 21, bytes: 0 },
    { name: "é", offset: 26, bytes: 0 },
  ]);
  assertEquals([...sections(bytes)], [
    { id: 0, start: 8, contentStart: 12, end: 15, name: "a" },
    { id: 1, start: 15, contentStart: 17, end: 18 },
    { id: 0, start: 18, contentStart: 21, end: 21, name: "" },
    { id: 0, start: 21, contentStart: 26, end: 26, name: "é" },
  ]);
});

Deno.test("scanModule() reads what is in shared memory, and a part of a buffer", () => {
  const { bytes, features } = SAMPLES[1];
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 20), 10, bytes.length);
  shared.set(bytes);
  assertEquals(scanModule(shared).features, features);
  assertEquals(scanModule(shared).exports, scanModule(bytes).exports);
});

Deno.test("binaryKind() tells modules, components and others apart", () => {
  assertEquals(binaryKind(new Uint8Array(PREAMBLE)), "module");
  assertEquals(binaryKind(new Uint8Array([...PREAMBLE.slice(0, 4), 0x0d, 0, 1, 0])), "component");
  for (const other of [[], PREAMBLE.slice(0, 7), [...PREAMBLE.slice(0, 4), 2, 0, 0, 0], PREAMBLE.with(0, 1)]) {
    assertEquals(binaryKind(new Uint8Array(other)), undefined);
  }
});

const ONE_TYPE = [1, 1, 0x60, 0, 0];

/** What is no module: why, the bytes, the message, the offset. */
const MALFORMED: readonly (readonly [why: string, bytes: Uint8Array, message: RegExp, offset: number])[] = [
  ["nothing", new Uint8Array(), /0 bytes/, 0],
  ["half of a preamble", new Uint8Array(PREAMBLE.slice(0, 5)), /5 bytes/, 5],
  ["a text", new TextEncoder().encode("(module)"), /starts with/, 0],
  ["another version", new Uint8Array(PREAMBLE.with(4, 2)), /starts with/, 4],
  ["a component", new Uint8Array([...PREAMBLE.slice(0, 4), 0x0d, 0, 1, 0]), /component/, 4],
  ["an unknown section", fromSections([14]), /no section 14/, 8],
  ["a section past the end", new Uint8Array([...PREAMBLE, 1, 5, 0]), /5 bytes, of which 1/, 8],
  ["a section without a size", new Uint8Array([...PREAMBLE, 1]), /missing/, 9],
  ["a size of more than 32 bits", new Uint8Array([...PREAMBLE, 1, 0xff, 0xff, 0xff, 0xff, 0x1f]), /32 bits/, 9],
  ["a size that does not end", new Uint8Array([...PREAMBLE, 1, 0x80, 0x80]), /missing/, 11],
  ["a section twice", fromSections(ONE_TYPE, ONE_TYPE), /twice/, 14],
  ["sections in disorder", fromSections([3, 0], [1, 0]), /too late/, 11],
  ["a section with more than is in it", fromSections([1, 0, 0]), /longer/, 11],
  ["a custom section without a name", fromSections([0]), /missing/, 10],
  ["a name that is no text", fromSections([0, 1, 0xff]), /UTF-8/, 11],
  ["more types than there are", fromSections([1, ...leb(0xffff_ffff)]), /missing/, 15],
  ["an unknown form of types", fromSections([1, 1, 0x61]), /form 0x61/, 11],
  ["an unknown type of values", fromSections([1, 1, 0x60, 1, 0x79, 0]), /reference type/, 13],
  ["an unknown kind of imports", fromSections([2, 1, 0, 0, 5]), /kind 5/, 13],
  ["an import of a type that is missing", fromSections([2, 1, 0, 0, 0, 3]), /type 3 of 0/, 14],
  ["an export of what is missing", fromSections([7, 1, 0, 0, 3]), /function 3 of 0/, 13],
  ["unknown limits", fromSections([5, 1, 0x10, 0]), /flags 0x10/, 11],
  ["a shared table", fromSections([4, 1, 0x70, 3, 0, 0]), /flags 0x3/, 12],
  ["functions without bodies", fromSections(ONE_TYPE, [3, 2, 0, 0]), /2 functions and has 0/, 19],
  ["fewer data segments than announced", fromSections([12, 1]), /1 data segments and has 0/, 11],
  ["an unknown instruction", fromCode([0xff]), /no instruction 0xff/, 23],
  ["an unknown vector instruction", fromCode([0xfd, 0x9a, 0x01]), /no instruction 0xfd 0x9a/, 23],
  ["an instruction of a huge number", fromCode([0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f]), /0xfc 0xffffffff/, 23],
  ["a constant of more than 32 bits", fromCode([0x41, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x1a]), /32 bits/, 24],
  ["a constant of more than 64 bits", fromCode([0x42, ...new Array(9).fill(0x80), 2]), /64 bits/, 24],
  ["an index that is too long", fromCode([0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0]), /32 bits/, 24],
  ["an access with unknown flags", fromCode([0x28, 0x80, 0x01, 0]), /flags 0x80/, 24],
  ["a block that does not end", fromCode([0x02, 0x40]), /does not end/, 26],
  ["a body that goes on", fromCode([0x0b, 0x01]), /longer/, 24],
  ["'delegate' of a body", fromCode([0x18, 0]), /delegate/, 23],
  [
    "too many locals",
    fromSections(ONE_TYPE, [3, 1, 0], [10, 1, 14, 2, ...[1, 2].flatMap(() => [...leb(0xffff_ffff), 0x7f]), 0x0b]),
    /local/,
    34,
  ],
];

for (const [why, bytes, message, offset] of MALFORMED) {
  Deno.test(`scanModule() refuses ${why}`, () => {
    const error = assertThrows(() => scanModule(bytes), MalformedWasmError);
    assert(message.test(error.message), error.message);
    assertEquals(error.offset, offset, error.message);
    assertEquals(WebAssembly.validate(bytes.slice()), false);
  });
}

Deno.test("sections() leaves the contents alone, and fails where it gets to what is wrong", () => {
  const bytes = new Uint8Array([...fromSections([1, 99]), 1, 9]);
  const iterator = sections(bytes);
  assertEquals(iterator.next().value?.id, 1);
  assertThrows(() => iterator.next(), MalformedWasmError);
});

/** Scans, and gives whether it is a module; anything thrown but MalformedWasmError goes on. */
function scans(bytes: Uint8Array): boolean {
  try {
    scanModule(bytes);
    return true;
  } catch (error) {
    if (!(error instanceof MalformedWasmError)) throw error;
    assert(error.offset >= 0 && error.offset <= bytes.length, `${error.message}, of ${bytes.length}`);
    return false;
  }
}

/** A module with some of everything. */
const RICH = fromText(`(module (type $t (func (param i32) (result i32))) (import "m" "f" (func $f (param i32 i64)))
  (import "m" "g" (global i32)) (memory 1) (table 3 funcref) (elem (i32.const 1) $h) (data (i32.const 1) "abc")
  (func $h (export "h") (type $t) (local i64 f32) (call $f (i32.const 1000) (i64.const 70000000000))
    (block (loop (br_table 0 1 0 (local.get 0)))) (drop (f32.const 1)) (drop (f64.const 1))
    (i32.load8_u offset=1000 (call_indirect (type $t) (i32.const 1) (i32.const 0)))))`);

Deno.test("scanModule() refuses every module that is cut off, but where a section ends", () => {
  for (const { name, bytes } of [...SAMPLES, { name: "rich", bytes: RICH }]) {
    const ends = new Set([8, ...[...sections(bytes)].map(({ end }) => end)]);
    for (let length = 0; length < bytes.length; length++) {
      // Also where the rest is there behind the end, to be read by mistake.
      const cut = scans(bytes.subarray(0, length));
      assertEquals(scans(bytes.slice(0, length)), cut, name);
      if (cut) assert(ends.has(length), `${name}: ${length} of ${bytes.length} bytes are taken for a module`);
    }
  }
});

Deno.test("scanModule() returns or throws MalformedWasmError for altered modules, and takes what the engine takes", () => {
  let state = SEED | 0;
  const random = (below: number) => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) % below;
  };
  let valid = 0;
  for (let round = 0; round < 30_000; round++) {
    const source = round % 2 === 0 ? RICH : SAMPLES[random(SAMPLES.length)].bytes;
    const bytes = source.slice();
    for (let flips = 1 + random(3); flips > 0; flips--) {
      bytes[random(bytes.length)] = random(4) === 0 ? 0xff : random(256);
    }
    const where = `seed ${SEED}, round ${round}: ${
      Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")
    }`;
    let scanned;
    try {
      scanned = scans(bytes);
    } catch (cause) {
      throw new Error(where, { cause });
    }
    if (!WebAssembly.validate(bytes)) continue;
    valid++;
    assert(scanned, `the engine takes what is refused here: ${where}`);
  }
  assert(valid > 500, `${valid} altered modules were valid`);
});
