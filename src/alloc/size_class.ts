/**
 * Size classes of the two-level segregated fit (Masmano, Ripoll, Crespo and Real, "TLSF: a new dynamic memory allocator
 * for real-time systems", ECRTS 2004), with 32 subclasses per power of two.
 *
 * A class is an index `row * 32 + column`. Below 64 granules there is a class for each size and the index is the size;
 * above, the row is the power of two and the column the five bits behind the leading one, so that a class is at most
 * 1/32 wide.
 *
 * @module
 */
import { CLASS_COLUMN_SHIFT, CLASS_COLUMNS, CLASS_EXACT_GRANULES } from "../layout/heap.ts";

/** The class of a block of so many granules. */
export function classOf(granules: number): number {
  if (granules < CLASS_EXACT_GRANULES) return granules;
  const power = 31 - Math.clz32(granules);
  return (
    ((power - CLASS_COLUMN_SHIFT + 1) << CLASS_COLUMN_SHIFT) |
    ((granules >>> (power - CLASS_COLUMN_SHIFT)) & (CLASS_COLUMNS - 1))
  );
}

/** The first class in which every block has at least so many granules. */
export function classAtLeast(granules: number): number {
  if (granules < CLASS_EXACT_GRANULES) return granules;
  return classOf(granules - 1) + 1;
}
