/**
 * All experiments, in the order of the table.
 *
 * @module
 */
import type { Experiment } from "./row.ts";
import { experiments as allocator } from "./rows/allocator.ts";
import { experiments as artifacts } from "./rows/artifacts.ts";
import { experiments as bulk } from "./rows/bulk.ts";
import { experiments as data } from "./rows/data.ts";
import { experiments as directories } from "./rows/directories.ts";
import { experiments as footprint } from "./rows/footprint.ts";
import { experiments as high } from "./rows/high.ts";
import { experiments as locks } from "./rows/locks.ts";
import { experiments as metadata } from "./rows/metadata.ts";
import { experiments as scaling } from "./rows/scaling.ts";

/** Every experiment of the benchmark. */
export const EXPERIMENTS: readonly Experiment[] = [
  ...allocator,
  ...locks,
  ...data,
  ...high,
  ...metadata,
  ...directories,
  ...bulk,
  ...scaling,
  ...footprint,
  ...artifacts,
];
