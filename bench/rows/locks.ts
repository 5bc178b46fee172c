/**
 * Rows of the locks: what taking and giving back costs when nobody else wants them.
 *
 * @module
 */
import { measureSides, type Side, specialize } from "../harness.ts";
import * as ours from "../ours.ts";
import { atMost, type Experiment, OURS, type RowSpec } from "../row.ts";

const OPS_PER_BATCH = 20_000;
/** Column of a lock that does nothing but its two atomic steps, from JavaScript. */
const BARE_ATOMICS = "two bare Atomics";

/** Locks and unlocks in a row. Refers to nothing outside itself. */
function mutexLoop(lock: ours.OurLock, count: number): () => number {
  return () => {
    for (let index = 0; index < count; index++) {
      lock.lock();
      lock.unlock();
    }
    return count;
  };
}

/** Takes and gives back a read lock in a row. Refers to nothing outside itself. */
function readLoop(lock: { lockRead(): void; unlockRead(): void }, count: number): () => number {
  return () => {
    for (let index = 0; index < count; index++) {
      lock.lockRead();
      lock.unlockRead();
    }
    return count;
  };
}

/** The two atomic steps of an uncontended lock, and nothing else. Refers to nothing outside itself. */
function atomicsLoop(word: Int32Array, count: number): () => number {
  return () => {
    let taken = 0;
    for (let index = 0; index < count; index++) {
      if (Atomics.compareExchange(word, 0, 0, 1) === 0) taken += 1;
      Atomics.exchange(word, 0, 0);
    }
    return taken;
  };
}

/** One experiment per kind of lock. */
function lockExperiment(row: RowSpec, loop: (pool: ours.OurPool) => () => number): Experiment {
  return {
    id: row.id,
    group: "Locks",
    rows: [row],
    measure(context) {
      const subject = ours.available
        ? {
          name: OURS,
          kind: "subject" as const,
          opsPerBatch: OPS_PER_BATCH,
          batch: loop(ours.createPool({ maximumBytes: 16 * 2 ** 20 })),
        }
        : { name: OURS, kind: "subject" as const, absent: ours.unavailable };
      const bare: Side = {
        name: BARE_ATOMICS,
        kind: "floor",
        opsPerBatch: OPS_PER_BATCH,
        batch: specialize(atomicsLoop, new Int32Array(new SharedArrayBuffer(64)), OPS_PER_BATCH),
      };
      return Promise.resolve({ [row.id]: { sides: measureSides([subject, bare], context) } });
    },
  };
}

export const experiments: readonly Experiment[] = [
  lockExperiment(
    { id: "locks.mutex", work: "mutex, lock + unlock", unit: "ns", targets: [atMost("≤ 30 ns", 30)] },
    (pool) => specialize(mutexLoop, ours.createMutex(pool), OPS_PER_BATCH),
  ),
  lockExperiment(
    { id: "locks.read", work: "read lock, lock + unlock", unit: "ns", targets: [atMost("≤ 60 ns", 60)] },
    (pool) => specialize(readLoop, ours.createReadLock(pool), OPS_PER_BATCH),
  ),
];
