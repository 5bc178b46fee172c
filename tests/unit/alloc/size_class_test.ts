import { CLASS_COLUMNS, CLASS_ROWS } from "../../../src/layout/heap.ts";
import { classAtLeast, classOf } from "../../../src/alloc/size_class.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const SIZES = [
  ...Array.from({ length: 5000 }, (_, index) => index + 2),
  ...Array.from({ length: 24 }, (_, power) => [2 ** (power + 6) - 1, 2 ** (power + 6), 2 ** (power + 6) + 1]).flat(),
  2 ** 30 - 1,
];

Deno.test("classOf() is monotonous and stays within the table", () => {
  const sorted = SIZES.toSorted((left, right) => left - right);
  for (let index = 1; index < sorted.length; index++) {
    assert(classOf(sorted[index - 1]) <= classOf(sorted[index]), `${sorted[index]}`);
  }
  assert(classOf(2 ** 30 - 1) < CLASS_ROWS * CLASS_COLUMNS);
});

Deno.test("classOf() gives sizes below 64 granules a class each", () => {
  for (let granules = 2; granules < 64; granules++) assertEquals(classOf(granules), granules);
});

Deno.test("classAtLeast() is the first class whose every block is large enough", () => {
  for (const granules of SIZES) {
    const index = classAtLeast(granules);
    // The smallest size of a class is the one whose predecessor is in a lower class.
    if (classOf(granules) === index) assert(granules < 64 || classOf(granules - 1) < index, `${granules}`);
    else {
      assertEquals(index, classOf(granules) + 1);
      assertEquals(classOf(granules - 1), classOf(granules), `${granules}`);
    }
  }
});
