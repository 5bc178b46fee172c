/**
 * File locks, through the interleavings of their atomic steps: exclusion, no wake-up lost (with `timeouts: "never"` a lost
 * one is a deadlock), circles, closing, detaching, retiring.
 *
 * `EXTMEMFS_LONG=1` allows one preemption more where their number is bounded.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { CHAIN_WAITERS } from "../../src/layout/file_locks.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { exploreSchedules, findFailure, type ScheduleOptions, type ThreadSpec } from "../support/schedule.ts";
import { assertEmptied, retireOthers } from "../support/stress.ts";
import { heldLocks } from "../unit/file/support.ts";
import { inodeWordOf, type LockScript, type LockStep, type ProcessScript } from "./file_lock_threads.ts";

const MODULE = import.meta.resolve("./file_lock_threads.ts");
const POOL_BYTES = 3 << 19;
const MORE = Deno.env.get("EXTMEMFS_LONG") === "1" ? 1 : 0;

type Scenario = Partial<Omit<ScheduleOptions, "memory" | "threads" | "check">> & {
  readonly threads: readonly (readonly LockStep[])[];
  readonly spins?: boolean;
  readonly fault?: LockScript["fault"];
  /** What must come out; `ok` everywhere by default. */
  readonly expect?: (results: string[][], fs: FileSystem) => void;
};

function create(): { fs: FileSystem; inode: number; marks: number } {
  const fs = FileSystem.create({ initialBytes: POOL_BYTES, maximumBytes: POOL_BYTES, debugLevel: 0 });
  fs.writeFileSync("/f", "x");
  const marks = fs.pool.heap.allocate(256) / 4;
  fs.pool.agent.memory.i32.fill(0, marks, marks + 64);
  return { fs, inode: inodeWordOf(fs, "/f"), marks };
}

function optionsOf({ threads, spins = false, fault, expect, preemptions = 2, ...rest }: Scenario): ScheduleOptions {
  const { fs, inode, marks } = create();
  return {
    ...rest,
    memory: fs.pool.memory,
    threads: threads.map((steps) => ({ module: MODULE, name: "locker", data: { marks, steps, spins, fault } })),
    ...(preemptions === Infinity ? {} : { preemptions: preemptions + MORE }),
    steps: 10_000,
    executions: 2_000_000,
    check: (results) => {
      if (expect === undefined) assertEquals((results as string[][]).flat().filter((code) => code !== "ok"), []);
      else expect(results as string[][], fs);
      assertEquals(fs.check(), []);
      assertEquals(heldLocks(fs, inode, CHAIN_WAITERS), [], "nobody waits any more");
      retireOthers(fs);
      assertEquals(heldLocks(fs, inode), []);
      assertEquals(fs.check(), []);
      fs.unlinkSync("/f");
      fs.pool.heap.free(marks * 4);
      assertEmptied(fs, "after everything has been deleted");
    },
  };
}

function scheduled(name: string, scenario: Scenario): void {
  Deno.test(`schedules: ${name}`, async () => {
    const start = performance.now();
    const { executions, longest } = await exploreSchedules(optionsOf(scenario));
    console.log(`  ${executions} executions, at most ${longest} steps, ${(performance.now() - start).toFixed(0)} ms`);
  });
}

const inside = (type: "read" | "write", byte = 0): LockStep[] => [["enter", type, byte], ["leave", type, byte]];
const exclusive: LockStep[] = [["flock", "ex"], ...inside("write"), ["flock", "un"]];
const shared: LockStep[] = [["flock", "sh"], ...inside("read"), ["flock", "un"]];

scheduled("two that take a file's lock exclusively", {
  threads: [exclusive, exclusive],
  timeouts: "never",
  preemptions: 3,
});
scheduled("three that take a file's lock exclusively", {
  threads: [exclusive, exclusive, exclusive],
  timeouts: "never",
  preemptions: 2,
});
scheduled("one exclusive, two shared", { threads: [exclusive, shared, shared], timeouts: "never", preemptions: 2 });
scheduled("an exclusive lock that becomes shared lets the other in", {
  threads: [[["flock", "ex"], ...inside("write"), ["flock", "sh"], ...inside("read")], shared],
  timeouts: "never",
});
scheduled("two who share and both want to be alone: one, then the other", {
  threads: [0, 1].map(() => [["flock", "sh"], ["flock", "ex"], ...inside("write"), ["flock", "un"]] as LockStep[]),
  timeouts: "never",
});
scheduled("parts of a range that are unlocked one by one, and two that wait for them", {
  threads: [
    [["range", "write", 0, 2], ["enter", "write", 0], ["leave", "write", 0], ["range", "unlock", 0, 1], [
      "range",
      "unlock",
      1,
      1,
    ]],
    [["range", "write", 0, 1], ...inside("write", 0), ["range", "unlock", 0, 1]],
    [["range", "write", 1, 1], ...inside("write", 1), ["range", "unlock", 1, 1]],
  ],
  timeouts: "never",
  preemptions: 1,
});
scheduled("a range lock that is lowered, and raised again", {
  threads: [
    [["range", "write", 0, 3], ["range", "read", 1, 1], ["range", "write", 0, 3], ...inside("write", 1), [
      "range",
      "unlock",
      0,
      3,
    ]],
    [["range", "read", 1, 1], ...inside("read", 1), ["range", "unlock", 1, 1]],
  ],
  timeouts: "never",
});
scheduled("a close of any descriptor lets the other in", {
  threads: [
    [["range", "write", 0, 1], ...inside("write"), ["closeOther"]],
    [["range", "write", 0, 1], ...inside("write"), ["close"]],
  ],
  timeouts: "never",
});
scheduled("an agent that detaches lets the other in", {
  threads: [[["flock", "ex"], ...inside("write"), ["detach"]], exclusive],
  timeouts: "never",
});
scheduled("a try takes it or does not", {
  threads: [[["flock", "ex", 0], ...inside("write"), ["flock", "un"]], [["flock", "ex", 0], ...inside("write"), [
    "flock",
    "un",
  ]]],
  preemptions: 3,
  expect: (results) => {
    for (const [taken] of results) assert(["ok", "EAGAIN"].includes(taken!));
    assert(results.some(([taken]) => taken === "ok"));
  },
});
scheduled("a wait whose time is over leaves nothing", {
  threads: [exclusive, [["flock", "ex", 100], ...inside("write"), ["flock", "un"]]],
  timeouts: 1,
  expect: ([first, second]) => {
    assertEquals(first!.filter((code) => code !== "ok"), []);
    assert(["ok", "ETIMEDOUT"].includes(second![0]!));
  },
});
scheduled("threads that may not block spin until it is theirs", {
  threads: [exclusive, exclusive],
  spins: true,
});
scheduled("who has lost patience has the next turn, and the others go on after it", {
  threads: [exclusive, exclusive, exclusive],
  tuning: { patienceMs: 0 },
  timeouts: "never",
  preemptions: 2,
});

// -- Circles -------------------------------------------------------------------------------------------------------------

const circle = (bytes: readonly number[]): LockStep[] => [
  ["range", "write", bytes[0]!, 1],
  ["range", "write", bytes[1]!, 1],
  ...inside("write", bytes[1]),
  ["range", "unlock", 0, 10],
];
const oneAtMost = (results: string[][]) => {
  const codes = results.flat();
  assert(codes.every((code) => ["ok", "EDEADLK", "-"].includes(code)), codes.join(" "));
  assert(codes.filter((code) => code === "EDEADLK").length <= 1, "one is enough to break the circle");
};
scheduled("two that close a circle: one is told, the other goes on", {
  threads: [circle([0, 1]), circle([1, 0])],
  timeouts: "never",
  expect: oneAtMost,
});
scheduled("the same, with every plain access a step", {
  threads: [circle([0, 1]), circle([1, 0])],
  timeouts: "never",
  plain: true,
  preemptions: 2,
  expect: oneAtMost,
});
scheduled("three that close a circle", {
  threads: [circle([0, 1]), circle([1, 2]), circle([2, 0])],
  timeouts: "never",
  preemptions: 2,
  expect: oneAtMost,
});
scheduled("no circle is seen where there is none: all take them in the same order", {
  threads: [circle([0, 1]), circle([0, 1]), circle([1, 2])],
  timeouts: "never",
  preemptions: 1,
});

// -- Those that go --------------------------------------------------------------------------------------------------------

scheduled("an agent that is retired while it holds, waits, or goes on", {
  // No marks: one that is fenced inside does not know it.
  threads: [[["flock", "ex"], ["flock", "un"]], [["retire", 1025]], exclusive],
  preemptions: 1,
  expect: ([gone, ...others], fs) => {
    assertEquals(fs.agentId, 1024);
    assert(gone!.every((code) => ["ok", "EIDRM"].includes(code)), gone!.join(" "));
    assertEquals(others.flat().filter((code) => code !== "ok"), []);
  },
});
scheduled("a check while one waits and another releases", {
  threads: [...[0, 1].map((): LockStep[] => [["range", "write", 0, 1], ["range", "unlock", 0, 1]]), [["check"]]],
  preemptions: 1,
});

Deno.test("schedules: threads of a process, one that takes a lock and one that closes the file: none is left behind", async () => {
  const { fs, inode, marks } = create();
  fs.pool.agent.memory.i32[marks] = 1;
  const data = (closes: boolean): ProcessScript => ({
    open: marks,
    owner: fs.pool.agent.owner,
    closes,
    inodeWord: inode,
  });
  for (const held of [false, true]) {
    using other = FileSystem.attach(fs.handle, { debugLevel: 0 });
    const fd = other.openSync("/f", "r+");
    if (held) other.setLockSync(fd, { type: "write" });
    const results = new Set<unknown>();
    const { executions } = await exploreSchedules({
      memory: fs.pool.memory,
      threads: [false, true].map((closes) => ({ module: MODULE, name: "processThread", data: data(closes) })),
      timeouts: "never",
      preemptions: 2 + MORE,
      plain: true,
      executions: 2_000_000,
      check: ([taken]) => {
        results.add(taken);
        assertEquals(heldLocks(fs, inode).length, held ? 1 : 0);
        assertEquals(heldLocks(fs, inode, CHAIN_WAITERS).length, 0);
      },
    });
    console.log(`  ${executions} executions`);
    assertEquals([...results].sort(), held ? [-9] : [-9, 0]);
    other.closeSync(fd);
  }
});

// -- Planted faults ----------------------------------------------------------------------------------------------------------

Deno.test("schedules of file locks: a release that forgets to wake is found", async () => {
  const { failure } = await findFailure(
    optionsOf({ threads: [exclusive, exclusive], timeouts: "never", preemptions: 1, fault: "noWake" }),
  );
  assertStringIncludes(String(failure), "deadlock");
});

Deno.test("schedules of file locks: a lock that a close does not see is found", async () => {
  const { fs, inode, marks } = create();
  fs.pool.agent.memory.i32[marks] = 1;
  const owner = fs.pool.agent.owner;
  const { failure } = await findFailure({
    memory: fs.pool.memory,
    threads: [false, true].map((closes): ThreadSpec => ({
      module: MODULE,
      name: "processThread",
      data: { open: marks, owner, closes, inodeWord: inode, fault: "looksBefore" } satisfies ProcessScript,
    })),
    timeouts: "never",
    preemptions: 2,
    plain: true,
    check: () => assertEquals(heldLocks(fs, inode).length, 0, "a lock is left behind"),
  });
  assertStringIncludes(String(failure), "a lock is left behind");
});
