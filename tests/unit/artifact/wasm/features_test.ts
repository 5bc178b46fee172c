import { type FeatureName, FEATURES } from "../../../../src/artifact/features.ts";
import { scanModule } from "../../../../src/artifact/wasm/scan.ts";
import { assert, assertEquals } from "../../../support/assert.ts";
import { SAMPLES } from "./corpus.ts";
import { binaryenReads, binaryenTakes, fromCode, fromSections, leb, wabtKnows, wabtTakes } from "./oracles.ts";

for (const { name, bytes, features } of SAMPLES) {
  Deno.test(`scanModule() finds what is used by: ${name}`, () => {
    const scan = scanModule(bytes);
    assertEquals(scan.features, features);
    assertEquals([...scan.firstUse.keys()], features);
    for (const [feature, offset] of scan.firstUse) assert(offset >= 8 && offset < bytes.length, feature);
  });
}

Deno.test("scanModule() is tested with every feature alone or with what it is built on", () => {
  const shown = new Set(SAMPLES.flatMap(({ features }) => features));
  assertEquals(FEATURES.filter((name) => !shown.has(name)), []);
});

Deno.test("scanModule() finds enough: Binaryen takes every sample with what was found", () => {
  for (const { name, bytes, features, alsoInBinaryen } of SAMPLES) {
    assert(binaryenTakes(bytes, [...features, ...alsoInBinaryen]), name);
    for (const also of alsoInBinaryen) {
      assert(!binaryenTakes(bytes, features), `${name}: ${also} is asked for needlessly`);
    }
  }
});

Deno.test("scanModule() finds nothing needless: every sample is refused without any of what was found", () => {
  let judgements = 0;
  for (const { name, bytes, features, unjudged, alsoInBinaryen } of SAMPLES) {
    const byWabt = wabtKnows(features) && wabtTakes(bytes, features);
    for (const feature of features) {
      const others = features.filter((other) => other !== feature);
      const refused = !binaryenTakes(bytes, [...features, ...alsoInBinaryen], feature) ||
        byWabt && !wabtTakes(bytes, others);
      assertEquals(refused, !unjudged.includes(feature), `${name}: without ${feature}`);
      if (refused) judgements++;
    }
  }
  assert(judgements > 70, `${judgements} features were judged`);
});

Deno.test("scanModule() says that either form of exceptions will do where there are only tags", () => {
  const either = SAMPLES.filter(({ bytes }) => scanModule(bytes).eitherExceptions).map(({ name }) => name);
  assertEquals(either, ["a tag that is only thrown", "a tag imported"]);
});

Deno.test("scanModule() gives the byte offset of the first use", () => {
  const code = [0x41, 0, 0xc0, 0x1a, 0x41, 0, 0xc1, 0x1a, 0x43, 0, 0, 0, 0, 0xfc, 0x00, 0x1a];
  const bytes = fromCode(code);
  const start = bytes.length - code.length - 1;
  assertEquals([...scanModule(bytes).firstUse], [["sign-extensions", start + 2], [
    "saturated-float-to-int",
    start + 13,
  ]]);
});

/** What type 0 of a module may be, so that every instruction with a type has one that fits. */
const FIRST_TYPES: Readonly<Record<string, readonly number[]>> = {
  "a function": [0x60, 0, 0],
  "a struct of i32": [0x5f, 1, 0x7f, 1],
  "a struct of i8": [0x5f, 1, 0x78, 1],
  "an array of i32": [0x5e, 0x7f, 1],
  "an array of i8": [0x5e, 0x78, 1],
  "an array of funcref": [0x5e, 0x70, 1],
  "a continuation": [0x5d, 2],
  "a continuation that takes another": [0x5d, 3],
};

/** A module in which an instruction stands behind `unreachable`, where operands may be anything, and before bytes of 0. */
function around(instruction: readonly number[], zeros: number, firstType: readonly number[]): Uint8Array {
  const body = [1, 1, 0x7f, 0x00, ...instruction, ...new Array(zeros).fill(0), 0x0b];
  return fromSections(
    [1, 1, 0x4e, 4, ...firstType, 0x60, 0, 1, 0x70, 0x60, 0, 0, 0x60, 1, 0x63, 0, 0],
    [3, 1, 1],
    [4, 1, 0x70, 0, 0],
    [5, 1, 0, 1],
    [13, 1, 0, 2],
    [6, 1, 0x7f, 1, 0x41, 0, 0x0b],
    [9, 1, 5, 0x70, 0],
    [12, 1],
    [10, 1, ...leb(body.length), ...body],
    [11, 1, 1, 0],
  );
}

function takes(bytes: Uint8Array): boolean {
  try {
    scanModule(bytes);
    return true;
  } catch {
    return false;
  }
}

/** How many bytes of 0 an instruction needs behind it, which then are what `unreachable` is; undefined for none at all. */
function zerosNeeded(instruction: readonly number[]): number | undefined {
  for (let zeros = 0; zeros <= 18; zeros++) {
    if (takes(around(instruction, zeros, FIRST_TYPES["a function"]))) return zeros;
  }
  return undefined;
}

/** All opcodes there could be. */
function* opcodes(): Generator<number[]> {
  for (let opcode = 0; opcode < 0x100; opcode++) {
    if (opcode < 0xfb || opcode === 0xff) yield [opcode];
  }
  for (const [prefix, count] of [[0xfb, 0x90], [0xfc, 0x90], [0xfd, 0x200], [0xfe, 0x90]]) {
    for (let low = 0; low < count; low++) yield [prefix, ...leb(low)];
  }
}

/** Instructions that cannot stand alone: `else`, `catch`, `delegate` and `catch_all`. There are samples with them. */
const PARTS = ["5", "7", "18", "19"];

/**
 * Instructions of Binaryen's that belong to no feature of FEATURES: strings, custom descriptors, relaxed and shared atomics
 * of structs, `pause`, accesses to several bytes of arrays.
 */
const FOREIGN = /^(fb (1f|[2-9a-f].*)|fe ([4-7]|[5-9a-f].))$/;

Deno.test("scanModule() knows the instructions that Binaryen knows, and what follows each of them", () => {
  const differences: string[] = [];
  let known = 0;
  for (const instruction of opcodes()) {
    const text = instruction.map((byte) => byte.toString(16)).join(" ");
    if (PARTS.includes(text)) continue;
    const zeros = zerosNeeded(instruction);
    const fits = (count: number) =>
      Object.values(FIRST_TYPES).some((firstType) => binaryenReads(around(instruction, count, firstType)));
    if (zeros === undefined) {
      if (fits(18) && !FOREIGN.test(text)) differences.push(`${text} is unknown here`);
      continue;
    }
    known++;
    if (!fits(zeros)) differences.push(`${text} is refused by Binaryen with ${zeros} bytes behind it`);
    if (zeros > 0 && fits(zeros - 1)) differences.push(`${text} needs fewer than ${zeros} bytes`);
  }
  assertEquals(differences, []);
  assert(known > 550, `${known} instructions are known`);
});

/** Operands that instructions may want, as the locals with these types: i32, i64, f32, f64, v128. */
const OPERANDS = [
  ...["", "0", "1", "2", "3", "4", "44", "444", "04", "40", "41", "42", "43", "00", "01", "02", "03"],
  ...["11", "000", "001", "011", "1111"],
].map((locals) => [...locals].flatMap((local) => [0x20, Number(local)]));

/** A function that gives operands to an instruction. */
function withOperands(instruction: readonly number[], operands: readonly number[]): Uint8Array {
  const vector = operands.includes(4) ? 0x7b : 0x7f;
  const locals = [5, 1, 0x7f, 1, 0x7e, 1, 0x7d, 1, 0x7c, 1, vector];
  const body = [...locals, ...operands, ...instruction, 0x00, 0x0b];
  return fromSections(
    [1, 1, 0x60, 0, 0],
    [3, 1, 0],
    [4, 1, 0x70, 0, 1],
    [5, 1, 1, 1, 1],
    [9, 1, 1, 0, 0],
    [12, 1],
    [10, 1, ...leb(body.length), ...body],
    [11, 1, 1, 0],
  );
}

/**
 * What Binaryen cannot tell: `table.grow` and `table.fill` have references as operands (there are samples with them), and
 * it does not ask for the features of some instructions of half precision, all of which V8 has behind one flag.
 */
const UNJUDGED = [
  ...["fc f", "fc 11", "fc 30 without fp16", "fc 31 without fp16", "fd a0 2 without simd"],
  ...["c5", "c6", "c7", "c8", "c9", "ca", "cb"].map((low) => `fd ${low} 2 without fp16`),
];

/** The instruction with such immediates and operands that Binaryen takes it, if it is one that has operands of numbers. */
function fitting(instruction: readonly number[], zeros: number): Uint8Array | undefined {
  // Atomic accesses must have their natural alignment.
  for (const alignment of instruction[0] === 0xfe ? [0, 1, 2, 3] : [0]) {
    const immediates = new Array(zeros).fill(0);
    if (zeros > 0) immediates[0] = alignment;
    for (const operands of OPERANDS) {
      const bytes = withOperands([...instruction, ...immediates], operands);
      if (binaryenReads(bytes) && binaryenTakes(bytes, FEATURES)) return bytes;
    }
  }
  return undefined;
}

Deno.test("scanModule() gives each instruction the features that Binaryen asks for, and no others", () => {
  const unjudged: string[] = [];
  let judged = 0;
  const base = scanModule(withOperands([], [])).features;
  for (const instruction of opcodes()) {
    if (instruction[0] < 0xc0 || instruction[0] > 0xc4 && instruction[0] < 0xfc) continue;
    const zeros = zerosNeeded(instruction);
    if (zeros === undefined) continue;
    const text = instruction.map((byte) => byte.toString(16)).join(" ");
    const bytes = fitting(instruction, zeros);
    if (bytes === undefined) {
      unjudged.push(text);
      continue;
    }
    const found = scanModule(bytes).features;
    // Binaryen wants the first for the table's segment, the second for instructions with two results.
    const features: FeatureName[] = [...found, "reference-types", "multi-value"];
    assert(binaryenTakes(bytes, features), `${text}: ${found} are too few`);
    for (const feature of found) {
      if (base.includes(feature)) continue;
      if (binaryenTakes(bytes, features, feature)) unjudged.push(`${text} without ${feature}`);
      else judged++;
    }
  }
  assertEquals(unjudged, UNJUDGED);
  assert(judged > 300, `${judged} were judged`);
});
