/**
 * The locks, through all interleavings of their atomic steps.
 *
 * Parked threads whose wake-up would be lost are found by `timeouts: "never"`: then nothing but a wake-up ends parking,
 * and a lost one is a deadlock.
 *
 * @module
 */
import { LOCK_OWNER, LOCK_RESERVATION, LOCK_RESERVED } from "../../src/layout/lock_word.ts";
import { SLOT_HELD, SLOT_PINS } from "../../src/layout/agent_table.ts";
import { slotWordOf } from "../../src/sync/agent.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { createLockMemory, TABLE_WORD } from "../support/lock_pool.ts";
import { exploreSchedules, findFailure, type ScheduleOptions, type ThreadSpec } from "../support/schedule.ts";
import { COUNTER, INNER_LOCK, ITEMS, LOCK, READERS, SIGNAL, WRITER } from "./lock_threads.ts";
import type { LockThreadData } from "./lock_threads.ts";

const MODULE = import.meta.resolve("./lock_threads.ts");

function thread(name: string, data: LockThreadData = {}): ThreadSpec {
  return { module: MODULE, name, data };
}

const NAMES = new Map([
  [LOCK, "lock"],
  [LOCK + LOCK_RESERVATION, "lock.reservation"],
  [INNER_LOCK, "inner lock"],
  [WRITER, "writer"],
  [READERS, "readers"],
  [COUNTER, "counter"],
  [ITEMS, "items"],
  [SIGNAL, "signal"],
]);
for (let slot = 0; slot < 4; slot++) {
  const word = slotWordOf(TABLE_WORD, slot);
  NAMES.set(word, `slot ${slot}.state`);
  for (let k = 0; k < 16; k++) NAMES.set(word + SLOT_PINS + k, `slot ${slot}.pin ${k}`);
  for (let k = 0; k < 64; k++) NAMES.set(word + SLOT_HELD + k, `slot ${slot}.held ${k}`);
}

/** One preemption more where their number is bounded. */
const MORE = Deno.env.get("EXTMEMFS_LONG") === "1" ? 1 : 0;

type Case = Omit<ScheduleOptions, "memory" | "check" | "nameWord">;

function optionsOf(options: Case, check?: (results: unknown[], words: Int32Array) => void): ScheduleOptions {
  const memory = createLockMemory();
  const words = new Int32Array(memory.buffer);
  return {
    ...options,
    memory,
    executions: MORE === 0 ? 200_000 : 5_000_000,
    nameWord: (word) => NAMES.get(word) ?? `word ${word}`,
    check: (results) => {
      assertEquals(words[LOCK]! & LOCK_OWNER, 0, "nobody holds the lock afterwards");
      assertEquals(words[LOCK]! & LOCK_RESERVED, 0, "no reservation is left behind");
      for (let slot = 0; slot < 4; slot++) {
        const held = slotWordOf(TABLE_WORD, slot);
        assert(
          words.subarray(held + SLOT_HELD, held + SLOT_HELD + 64).every((word) => word === 0),
          "records are clear",
        );
        assert(words.subarray(held + SLOT_PINS, held + SLOT_PINS + 16).every((word) => word === 0), "pins are clear");
      }
      check?.(results, words);
    },
  };
}

function scheduled(
  name: string,
  options: Case,
  check?: (results: unknown[], words: Int32Array) => void,
): void {
  Deno.test(name, async () => {
    const start = performance.now();
    const { executions, longest } = await exploreSchedules(optionsOf(options, check));
    console.log(`  ${executions} executions, at most ${longest} steps, ${(performance.now() - start).toFixed(0)} ms`);
  });
}

const sum = (results: unknown[]) => (results as number[]).reduce((total, value) => total + value, 0);
const allWrote = (results: unknown[], words: Int32Array) => assertEquals(words[COUNTER], sum(results));

scheduled("lock: two writers exclude each other and lose no wake-up", {
  threads: [thread("writer"), thread("writer")],
  timeouts: "never",
}, allWrote);

scheduled("lock: two writers that come back exclude each other", {
  threads: [thread("writer", { times: 2 }), thread("writer", { times: 2 })],
  timeouts: "never",
}, allWrote);

scheduled("lock: three writers exclude each other and lose no wake-up", {
  threads: [thread("writer"), thread("writer"), thread("writer")],
  timeouts: "never",
  preemptions: 3 + MORE,
}, allWrote);

scheduled("lock: a reader and a writer exclude each other, and the writer waits for the reader to leave", {
  threads: [thread("reader"), thread("writer")],
  timeouts: "never",
});

scheduled("lock: two readers and a writer exclude each other", {
  threads: [thread("reader"), thread("reader"), thread("writer")],
  timeouts: "never",
  preemptions: 2 + MORE,
});

scheduled("lock: a reader and two writers exclude each other", {
  threads: [thread("reader"), thread("writer"), thread("writer")],
  timeouts: "never",
  preemptions: 2 + MORE,
}, (results, words) => assertEquals(words[COUNTER], (results as number[])[1]! + (results as number[])[2]!));

scheduled("reservation: two impatient writers get their turns, and lose no wake-up", {
  threads: [thread("writer", { times: 2 }), thread("writer")],
  timeouts: "never",
  tuning: { patienceMs: 0 },
}, allWrote);

scheduled("reservation: three impatient writers get their turns, and lose no wake-up", {
  threads: [thread("writer"), thread("writer"), thread("writer")],
  timeouts: "never",
  tuning: { patienceMs: 0 },
  preemptions: 2 + MORE,
}, allWrote);

// Three preemptions: with so many a renewal once restored the word that the draining owner had read, and hid from it that
// the reader had left.
scheduled("reservation: an impatient reader among writers gets its turn", {
  threads: [thread("writer"), thread("reader"), thread("writer")],
  timeouts: "never",
  tuning: { patienceMs: 0 },
  preemptions: 3 + MORE,
});

scheduled("reservation: one that has expired is taken over, and its waiter still gets the lock", {
  threads: [thread("writer"), thread("writer"), thread("writer")],
  timeouts: 2,
  tuning: { patienceMs: 0, reservationMs: 2, sliceMs: 5 },
  preemptions: 1 + MORE,
}, allWrote);

scheduled("timeout: a writer that gives up leaves nothing behind and passes its wake-up on", {
  threads: [thread("writer"), thread("writer", { timeoutMs: 5 }), thread("writer")],
  timeouts: 1,
  preemptions: 2 + MORE,
}, allWrote);

scheduled("timeout: a writer that gives up with a reservation ends it", {
  threads: [thread("writer"), thread("writer", { timeoutMs: 5 }), thread("writer")],
  timeouts: 1,
  tuning: { patienceMs: 0 },
  preemptions: 1 + MORE,
}, allWrote);

scheduled("timeout: a writer that gives up while readers are inside leaves them known to the next", {
  threads: [thread("reader"), thread("writer", { timeoutMs: 5 }), thread("writer")],
  timeouts: 1,
  preemptions: 2 + MORE,
}, (results, words) => assertEquals(words[COUNTER], (results as number[])[1]! + (results as number[])[2]!));

scheduled("spinning: a thread that may not block gets the lock, or gives up and leaves nothing behind", {
  threads: [thread("mutexUser"), thread("mutexUser", { spins: true })],
  tuning: { patienceMs: 1, spinLimitMs: 3 },
  preemptions: 2 + MORE,
}, allWrote);

scheduled("retired: a writer whose agent is retired meanwhile does not keep the lock", {
  threads: [thread("retiredWriter"), thread("retirer")],
  timeouts: "never",
}, (results, words) => assertEquals(words[COUNTER], (results as number[])[0] === 0 ? 1 : 0));

scheduled("freeze: no writer is inside while the pool is frozen, and all go on after the thaw", {
  threads: [thread("freezer"), thread("writer")],
}, (_results, words) => assertEquals(words[COUNTER], 1));

scheduled("freeze: waits for a writer with nested locks", {
  threads: [thread("nestedWriter"), thread("freezer")],
}, (_results, words) => assertEquals(words[COUNTER], 1));

scheduled("freeze: two freezers take turns", {
  threads: [thread("freezer"), thread("freezer")],
});

scheduled("freeze: two writers and a freezer", {
  threads: [thread("writer"), thread("freezer"), thread("writer")],
  preemptions: 1 + MORE,
}, (_results, words) => assertEquals(words[COUNTER], 2));

scheduled("Mutex: two users exclude each other", {
  threads: [thread("mutexUser"), thread("mutexUser")],
  timeouts: "never",
}, allWrote);

scheduled("Mutex on bare memory: two users exclude each other", {
  threads: [thread("bareMutexUser"), thread("bareMutexUser")],
  timeouts: "never",
}, allWrote);

scheduled("RwLock on bare memory: readers and a writer exclude each other", {
  threads: [thread("bareReader"), thread("bareWriter")],
  timeouts: "never",
  preemptions: 3 + MORE,
});

scheduled("RwLock: an agent that reads twice keeps the writer out until it has left twice", {
  threads: [thread("recursiveReader"), thread("poolWriter")],
  timeouts: "never",
  preemptions: 3 + MORE,
});

scheduled("RwLock.tryLock…() either holds the lock or leaves no trace", {
  threads: [thread("tryReader"), thread("tryWriter"), thread("poolWriter")],
  timeouts: "never",
  preemptions: 1 + MORE,
});

scheduled("Condition: a notification is not lost between unlock and parking", {
  threads: [thread("consumer"), thread("producer")],
  timeouts: "never",
}, (_results, words) => assertEquals(words[ITEMS], 0));

scheduled("Condition.notifyOne() wakes one of two, twice", {
  threads: [thread("consumer"), thread("consumer"), thread("producer"), thread("producer")],
  timeouts: "never",
  preemptions: 1 + MORE,
}, (_results, words) => assertEquals(words[ITEMS], 0));

scheduled("Condition.notifyAll() wakes both", {
  threads: [thread("consumer"), thread("consumer"), thread("producer", { times: 2 })],
  timeouts: "never",
  preemptions: 1 + MORE,
}, (_results, words) => assertEquals(words[ITEMS], 0));

scheduled("Event: all that wait see what was written before it", {
  threads: [thread("eventWaiter"), thread("eventSetter"), thread("eventWaiter")],
  timeouts: "never",
}, (results) => assertEquals(results, [7, 7, 7]));

// -- Planted faults: the checker finds them --------------------------------------------------------------------------

const LOCK_AT = "(i32.shl (local.get $lockW) (i32.const 2))";

function planted(name: string, message: string, options: Case, check = allWrote): void {
  Deno.test(`a planted fault is found: ${name}`, async () => {
    const found = await findFailure(optionsOf(options, check));
    assert(found.failure !== undefined, `not found in ${found.executions} executions`);
    assertStringIncludes(found.failure.message, message);
    // The schedule that is printed leads there again.
    const again = await findFailure({ ...optionsOf(options, check), replay: found.failure.schedule });
    assertStringIncludes(again.failure?.message ?? "", message);
  });
}

planted("a lock without compare-exchange", "inside", {
  threads: [thread("writer"), thread("writer")],
  timeouts: "never",
  mutate: (source) =>
    source.replace(
      `(local.set $old (i32.atomic.rmw.cmpxchg ${LOCK_AT} (i32.const 0) (local.get $owner)))`,
      `(local.set $old (i32.atomic.load ${LOCK_AT})) (call $step (local.get $lockW) (i32.const 1))
       (if (i32.eqz (local.get $old)) (then (i32.atomic.store ${LOCK_AT} (local.get $owner))))`,
    ),
});

planted("an unlock that forgets to wake", "deadlock", {
  threads: [thread("writer"), thread("writer")],
  timeouts: "never",
  mutate: (source) => source.replace("(then (drop (call $notify (local.get $lockW) (i32.const 1))))", "(then (nop))"),
});

planted("an unlock that does not wake the waiter with the reservation", "deadlock", {
  threads: [thread("writer"), thread("writer")],
  timeouts: "never",
  tuning: { patienceMs: 0 },
  mutate: (source) => source.replace("(call $bump (local.get $reservationW))", "(nop)"),
});

planted(
  "an unlock that wakes the waiter with the reservation, but not so that it can notice before it parks",
  "deadlock",
  {
    threads: [thread("writer"), thread("writer")],
    timeouts: "never",
    tuning: { patienceMs: 0 },
    mutate: (source) => source.replace("(i32.const 2048)", "(i32.const 0)"),
  },
);

planted("a reader that does not look again after it has set the hint", "inside", {
  threads: [thread("reader"), thread("writer")],
  timeouts: "never",
  mutate: (source) =>
    source.replace(
      /(\(local\.set \$old \(i32\.atomic\.rmw\.or [^\n]*)\n\s*\(if [^\n]*/,
      "$1 (return (i32.const 0))))",
    ),
}, () => {});

planted("a writer that does not look for readers", "inside", {
  threads: [thread("reader"), thread("writer")],
  timeouts: "never",
  mutate: (source) => source.replace("(if (local.get $old) (then (return (i32.const 4))))", ""),
}, () => {});

planted("a reader that leaves and does not wake the writer", "deadlock", {
  threads: [thread("reader"), thread("writer")],
  timeouts: "never",
  mutate: (source) => source.replace("(then (call $bump (i32.add (local.get $lockW) (i32.const 1))))", "(then (nop))"),
}, () => {});

planted("a writer that gives up and forgets the readers inside", "inside", {
  threads: [thread("reader"), thread("writer", { timeoutMs: 5 }), thread("writer")],
  timeouts: 1,
  preemptions: 2 + MORE,
  mutate: (source) => source.replace("(i32.and (local.get $old) (local.get $keep))", "(i32.const 0)"),
}, () => {});

planted("a writer that does not look whether the pool is frozen", "frozen", {
  threads: [thread("freezer"), thread("writer")],
  mutate: (source) => source.replace("(then (return (i32.const 2)))", "(then (nop))"),
}, () => {});
