/**
 * Rows of the allocator alone: random replacement in a set of live blocks, and what that leaves of the memory. The two
 * workers on one pool are in `scaling.ts`.
 *
 * @module
 */
import {
  type Absent,
  absentResult,
  measureSides,
  resultOf,
  type Side,
  type SideResult,
  specialize,
} from "../harness.ts";
import * as ours from "../ours.ts";
import { replacementTrace, type Trace } from "../random.ts";
import { atMost, type Experiment, OURS, THI_NG } from "../row.ts";

const LIVE_BLOCKS = 10_000;
const TRACE_STEPS = 1 << 18;
const SEED = 7;
/** Room for 10,000 live blocks (about 79 MB) and whatever an allocator wastes. */
const POOL_BYTES = 512 * 2 ** 20;
/** Replacements before the footprint is read. */
const FOOTPRINT_STEPS = 50_000;

/** An allocator as the trace uses it. */
interface Heap {
  allocate(bytes: number): number;
  free(address: number): unknown;
}

/**
 * Makes a function that carries on with the trace for some steps. Refers to nothing outside itself.
 *
 * @param heap Where to allocate.
 * @param trace What to do.
 * @param live Addresses of the live blocks, kept up to date.
 * @returns A function that runs `steps` replacements and returns a sum of the addresses.
 */
export function replacer(heap: Heap, trace: Trace, live: Float64Array): (steps: number) => number {
  const { slots, sizes } = trace;
  let cursor = 0;
  return (steps) => {
    let sum = 0;
    for (let step = 0; step < steps; step++) {
      const slot = slots[cursor];
      heap.free(live[slot]);
      const address = heap.allocate(sizes[cursor]);
      live[slot] = address;
      sum += address;
      cursor = cursor + 1 === slots.length ? 0 : cursor + 1;
    }
    return sum | 0;
  };
}

/** Fills a heap with the first blocks of a trace. */
export function fill(heap: Heap, trace: Trace): Float64Array {
  return Float64Array.from(trace.initial, (bytes) => {
    const address = heap.allocate(bytes);
    if (!(address > 0)) throw new Error(`The heap refused ${bytes} bytes`);
    return address;
  });
}

/** A heap and how to ask how far it reaches. */
interface MeasuredHeap {
  readonly heap: Heap;
  footprintBytes(): number;
}

/** Our allocator in a pool of its own. */
function ourHeap(): MeasuredHeap {
  const pool = ours.createPool({ maximumBytes: POOL_BYTES });
  const before = ours.allocatorFootprintBytes(pool);
  return { heap: pool.allocator, footprintBytes: () => ours.allocatorFootprintBytes(pool) - before };
}

/** @thi.ng/malloc over a private buffer, with its default options. */
async function thingHeap(): Promise<MeasuredHeap> {
  const { MemPool } = await import("@thi.ng/malloc");
  const pool = new MemPool({ buf: new ArrayBuffer(POOL_BYTES) });
  const before = pool.stats().top;
  return {
    heap: { allocate: (bytes) => pool.malloc(bytes), free: (address) => pool.free(address) },
    footprintBytes: () => pool.stats().top - before,
  };
}

/** The side of one heap. */
function replacementSide(
  name: string,
  kind: Side["kind"],
  { heap }: MeasuredHeap,
  trace: Trace,
  opsPerBatch: number,
): Side {
  const run = specialize(replacer, heap, trace, fill(heap, trace));
  return { name, kind, opsPerBatch, batch: () => run(opsPerBatch) };
}

/** Footprint against the peak of the bytes asked for, after a fixed number of replacements. */
function footprint(name: string, kind: Side["kind"], measured: MeasuredHeap, trace: Trace): SideResult {
  const { heap } = measured;
  const bytes = Int32Array.from(trace.initial);
  const live = fill(heap, trace);
  let liveBytes = bytes.reduce((sum, size) => sum + size, 0);
  let peakBytes = liveBytes;
  for (let step = 0; step < FOOTPRINT_STEPS; step++) {
    const slot = trace.slots[step];
    heap.free(live[slot]);
    live[slot] = heap.allocate(trace.sizes[step]);
    if (!(live[slot] > 0)) return absentResult(name, kind, `refused ${trace.sizes[step]} bytes at step ${step}`);
    liveBytes += trace.sizes[step] - bytes[slot];
    bytes[slot] = trace.sizes[step];
    peakBytes = Math.max(peakBytes, liveBytes);
  }
  return resultOf(name, kind, [measured.footprintBytes() / peakBytes]);
}

export const experiments: readonly Experiment[] = [
  {
    id: "allocator.replace",
    group: "Allocator",
    rows: [
      {
        id: "allocator.replace",
        work: "free + allocate, 10k live blocks of 16 B to 64 KiB",
        unit: "ns",
        targets: [atMost("≤ 300 ns a pair", 300)],
      },
      {
        id: "allocator.footprint",
        work: `footprint / peak live bytes, after ${FOOTPRINT_STEPS.toLocaleString("en")} pairs`,
        unit: "times",
        targets: [atMost("≤ 1.10 × peak live", 1.10)],
      },
    ],
    async measure(context) {
      const trace = replacementTrace(LIVE_BLOCKS, TRACE_STEPS, SEED);
      const missing: Absent = { name: OURS, kind: "subject", absent: ours.unavailable };
      const withThing = !context.without.has(THI_NG);
      const sides = measureSides([
        ours.available ? replacementSide(OURS, "subject", ourHeap(), trace, 10_000) : missing,
        ...(withThing ? [replacementSide(THI_NG, "peer", await thingHeap(), trace, 200)] : []),
      ], context);
      const footprints = [
        ours.available ? footprint(OURS, "subject", ourHeap(), trace) : absentResult(OURS, "subject", missing.absent),
        ...(withThing ? [footprint(THI_NG, "peer", await thingHeap(), trace)] : []),
      ];
      return { "allocator.replace": { sides }, "allocator.footprint": { sides: footprints } };
    },
  },
];
