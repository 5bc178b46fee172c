/**
 * Operations of the filesystem through the interleavings of their atomic steps. What comes out of each, the results of all
 * calls and the whole tree, must be what some order of the calls, one after the other, gives; `check()` finds nothing, and
 * no block is lost.
 *
 * The complete space is too large for most: schedules with up to `preemptions` preemptions are explored, all of them.
 * `EXTMEMFS_LONG=1` allows one more.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { exploreSchedules, findFailure, type ScheduleOptions } from "../support/schedule.ts";
import { assertEmptied, retireOthers } from "../support/stress.ts";
import { type Call, Player, type Script, stateOf } from "./filesystem_threads.ts";

const MODULE = import.meta.resolve("./filesystem_threads.ts");
const POOL_BYTES = 3 << 19;
const MORE = Deno.env.get("EXTMEMFS_LONG") === "1" ? 1 : 0;

interface Scenario {
  /** Calls that make what the threads find. */
  readonly setUp?: readonly Call[];
  /** The threads. */
  readonly threads: readonly Script[];
  /** See {@linkcode ScheduleOptions.preemptions}; 2 by default, `Infinity` for all. */
  readonly preemptions?: number;
  /** Whether plain accesses are scheduled, too. */
  readonly plain?: boolean;
  /** Instead of any order of the calls: what must hold. */
  readonly expect?: (results: unknown[][], fs: FileSystem) => void;
  /** At most so many executions. */
  readonly executions?: number;
}

function makeFileSystem(scenario: Scenario): FileSystem {
  const fs = FileSystem.create({ initialBytes: POOL_BYTES, maximumBytes: POOL_BYTES, debugLevel: 0 });
  const player = new Player(fs);
  for (const call of scenario.setUp ?? []) {
    const result = player.play(call);
    assert(typeof result !== "string" || !/^E[A-Z]+$/.test(result), `${call.join(" ")}: ${result}`);
  }
  return fs;
}

/** All that comes out where the calls run one after the other, in any order that keeps each thread's own. */
function sequentialEnds(scenario: Scenario): Set<string> {
  const ends = new Set<string>();
  const { threads } = scenario;
  const orders: number[][] = [];
  const extend = (order: number[]) => {
    let complete = true;
    for (let thread = 0; thread < threads.length; thread++) {
      if (order.filter((other) => other === thread).length === threads[thread]!.calls.length) continue;
      complete = false;
      extend([...order, thread]);
    }
    if (complete) orders.push(order);
  };
  extend([]);
  for (const order of orders) {
    const fs = makeFileSystem(scenario);
    const players = threads.map(({ before = [] }) => {
      const player = new Player(FileSystem.attach(fs.handle, { debugLevel: 0 }));
      before.forEach((call) => player.play(call));
      return player;
    });
    const results: unknown[][] = threads.map(() => []);
    for (const thread of order) {
      results[thread]!.push(players[thread]!.play(threads[thread]!.calls[results[thread]!.length]!));
    }
    ends.add(JSON.stringify([results, stateOf(fs)]));
  }
  return ends;
}

function optionsOf(scenario: Scenario, module: string): ScheduleOptions {
  const fs = makeFileSystem(scenario);
  const ends = scenario.expect === undefined ? sequentialEnds(scenario) : new Set<string>();
  const { preemptions = 2, expect } = scenario;
  return {
    memory: fs.pool.memory,
    threads: scenario.threads.map((data) => ({ module, name: "script", data })),
    ...(preemptions === Infinity ? {} : { preemptions: preemptions + MORE }),
    ...(scenario.plain === undefined ? {} : { plain: scenario.plain }),
    ...(scenario.executions === undefined ? {} : { executions: scenario.executions }),
    steps: 10_000,
    check: (results) => {
      assertEquals(fs.check(), []);
      const end = JSON.stringify([results, stateOf(fs)]);
      if (expect !== undefined) expect(results as unknown[][], fs);
      else if (!ends.has(end)) {
        throw new Error(`no order of the calls gives ${end}; these are: ${[...ends].join("\n")}`);
      }
      // Nobody else is there any more: with what they had open all is given back.
      retireOthers(fs);
      for (const entry of fs.readdirSync("/")) fs.rmSync(`/${entry}`, { recursive: true });
      assertEquals(fs.check(), [], "check() after everything has been deleted");
      assertEmptied(fs, "after everything has been deleted");
    },
  };
}

function scheduled(name: string, scenario: Scenario): void {
  Deno.test(`schedules: ${name}`, async () => {
    const start = performance.now();
    const { executions, longest } = await exploreSchedules(optionsOf(scenario, MODULE));
    console.log(`  ${executions} executions, at most ${longest} steps, ${(performance.now() - start).toFixed(0)} ms`);
  });
}

const FILE = 300;

// -- Crossing renames --------------------------------------------------------------------------------------------------

const crossing: Scenario = {
  setUp: [["mkdir", "/a"], ["mkdir", "/b"]],
  threads: [{ calls: [["rename", "/a", "/b/a"]] }, { calls: [["rename", "/b", "/a/b"]] }],
};
scheduled("two directories that are moved into each other: one moves, the tree stays connected", crossing);

scheduled("three directories that are moved into each other in a circle", {
  setUp: [["mkdir", "/a"], ["mkdir", "/b"], ["mkdir", "/c"]],
  threads: [
    { calls: [["rename", "/a", "/b/a"]] },
    { calls: [["rename", "/b", "/c/b"]] },
    { calls: [["rename", "/c", "/a/c"]] },
  ],
  preemptions: 1,
});

const moving: Scenario = {
  setUp: [["mkdir", "/a"], ["mkdir", "/a/x"], ["mkdir", "/b"], ["create", "/a/f"], ["create", "/b/f"]],
  threads: [{ calls: [["rename", "/a/x", "/b/x"]] }, { calls: [["stat", "/a/x/../f"], ["stat", "/b/x/../f"]] }],
};
scheduled("a directory that moves while a path leads through it and back", moving);

// -- Reading, and space that is used again --------------------------------------------------------------------------------

const reuse: Scenario = {
  setUp: [["open", "f", "/f", "w"], ["write", "f", "A", FILE], ["close", "f"]],
  threads: [
    { before: [["open", "f", "/f", "r"]], calls: [["read", "f", FILE]] },
    {
      before: [["open", "f", "/f", "r+"], ["open", "g", "/g", "w"]],
      calls: [["ftruncate", "f", 0], ["write", "g", "B", FILE]],
    },
  ],
};
scheduled(
  "a read against cutting the file off and writing another: bytes of one moment, and no more than counted",
  reuse,
);
scheduled("the same, with every plain access a step", { ...reuse, plain: true, preemptions: 1 });

scheduled("a read against a write over several extents", {
  setUp: [
    ["open", "f", "/f", "w"],
    ["write", "f", "A", 64, 0],
    ["write", "f", "A", 64, 128],
    ["write", "f", "A", 64, 64],
    ["close", "f"],
  ],
  threads: [
    { before: [["open", "f", "/f", "r"]], calls: [["read", "f", 190, 1]] },
    { before: [["open", "f", "/f", "r+"]], calls: [["write", "f", "B", 192, 0]] },
  ],
  plain: true,
});

scheduled("appends: both records whole", {
  setUp: [["create", "/log"]],
  threads: ["A", "B"].map((byte) => ({
    before: [["open", "log", "/log", "a"]],
    calls: [["write", "log", byte, 100]],
  })),
  preemptions: 3,
});

scheduled("an append against cutting the file off", {
  setUp: [["open", "log", "/log", "w"], ["write", "log", "C", 200], ["close", "log"]],
  threads: [
    { before: [["open", "log", "/log", "a"]], calls: [["write", "log", "A", 100]] },
    { before: [["open", "log", "/log", "r+"]], calls: [["ftruncate", "log", 0]] },
  ],
  preemptions: 3,
});

// -- Names that go while they are used ----------------------------------------------------------------------------------

const openAgainstReuse: Scenario = {
  setUp: [["open", "f", "/f", "w"], ["write", "f", "A", FILE], ["close", "f"]],
  threads: [
    { calls: [["open", "f", "/f", "r"], ["read", "f", FILE], ["close", "f"]] },
    { calls: [["unlink", "/f"], ["open", "g", "/g", "wx"], ["write", "g", "B", FILE], ["close", "g"]] },
  ],
};
scheduled("unlink and create against open: the file that was meant, or none", openAgainstReuse);

const lastClose: Scenario = {
  setUp: [["open", "f", "/f", "w"], ["write", "f", "A", FILE], ["close", "f"]],
  threads: [
    { before: [["open", "f", "/f", "r"]], calls: [["close", "f"]] },
    { calls: [["unlink", "/f"]] },
  ],
  preemptions: 3,
};
scheduled("the last close against unlink: the file goes once", lastClose);

scheduled("two last closes of a file without a name", {
  setUp: [["open", "f", "/f", "w"], ["write", "f", "A", FILE], ["close", "f"]],
  threads: [
    { before: [["open", "f", "/f", "r"]], calls: [["close", "f"]] },
    { before: [["open", "f", "/f", "r"], ["unlink", "/f"]], calls: [["close", "f"]] },
  ],
  preemptions: 3,
});

scheduled("link against unlink of the only name", {
  setUp: [["create", "/f"]],
  threads: [{ calls: [["link", "/f", "/g"]] }, { calls: [["unlink", "/f"]] }],
});

scheduled("two links to one file, and an unlink", {
  setUp: [["create", "/f"], ["mkdir", "/d"]],
  threads: [{ calls: [["link", "/f", "/d/g"]] }, { calls: [["link", "/f", "/d/h"]] }, { calls: [["unlink", "/f"]] }],
  preemptions: 1,
});

scheduled("two unlinks of one name", {
  setUp: [["create", "/f"]],
  threads: [{ calls: [["unlink", "/f"]] }, { calls: [["unlink", "/f"]] }],
});

scheduled("a name that is renamed, against unlink", {
  setUp: [["create", "/f"]],
  threads: [{ calls: [["rename", "/f", "/g"]] }, { calls: [["unlink", "/f"], ["unlink", "/g"]] }],
});

scheduled("two equal renames: one moves the file, the other finds nothing", {
  setUp: [["mkdir", "/d"], ["create", "/f"]],
  threads: [{ calls: [["rename", "/f", "/d/f"]] }, { calls: [["rename", "/f", "/d/f"]] }],
});

scheduled("a rename between two names of one file changes nothing, also while one of them goes", {
  setUp: [["create", "/f"], ["link", "/f", "/g"]],
  threads: [{ calls: [["rename", "/f", "/g"]] }, { calls: [["unlink", "/f"]] }],
});

// -- Names that come ----------------------------------------------------------------------------------------------------

for (const create of [["create", "/n"], ["mkdir", "/n"], ["symlink", "x", "/n"]] as Call[]) {
  scheduled(`two creations of one name: ${create[0]}`, {
    threads: [{ calls: [create] }, { calls: [create] }],
  });
}

scheduled("open with O_CREAT against unlink", {
  setUp: [["open", "f", "/f", "w"], ["write", "f", "A", 10], ["close", "f"]],
  threads: [
    { calls: [["open", "f", "/f", "a+"], ["write", "f", "A", 10], ["fstat", "f"], ["close", "f"]] },
    { calls: [["unlink", "/f"]] },
  ],
});

scheduled("rmdir against a creation in it", {
  setUp: [["mkdir", "/d"]],
  threads: [{ calls: [["create", "/d/f"]] }, { calls: [["rmdir", "/d"]] }],
});

const reusedParent: Scenario = {
  setUp: [["mkdir", "/d"]],
  threads: [
    { calls: [["create", "/d/f"]] },
    // The inode of the directory becomes that of a file, whose bytes stand where the directory had its index.
    {
      calls: [["rmdir", "/d"], ["open", "g", "/g", "wx+"], ["write", "g", "}", 40], ["read", "g", 40], [
        "close",
        "g",
      ]],
    },
  ],
};
scheduled("a creation in a directory that is removed and whose inode becomes a file", reusedParent);

scheduled("a rename into a directory that is removed and made again", {
  setUp: [["mkdir", "/d"], ["create", "/f"]],
  threads: [{ calls: [["rename", "/f", "/d/f"]] }, { calls: [["rmdir", "/d"], ["mkdir", "/e"]] }],
});

scheduled("rmdir against rename of it", {
  setUp: [["mkdir", "/d"], ["mkdir", "/e"]],
  threads: [{ calls: [["rename", "/d", "/e/d"]] }, { calls: [["rmdir", "/d"]] }],
});

// -- Targets that are replaced -------------------------------------------------------------------------------------------

scheduled("stat and open of a name that a rename replaces: always there", {
  setUp: [
    ["open", "f", "/f", "w"],
    ["write", "f", "A", 100],
    ["close", "f"],
    ["open", "t", "/t", "w"],
    ["write", "t", "B", 200],
    ["close", "t"],
  ],
  threads: [
    { calls: [["rename", "/f", "/t"]] },
    { calls: [["stat", "/t"], ["open", "t", "/t"], ["read", "t", 300], ["close", "t"]] },
  ],
  expect: (results) => {
    assertEquals(results[0], ["ok"]);
    const [stats, open, read] = results[1]!;
    // A file that is replaced while it is looked at has no name any more.
    assert(["[33188,1,200]", "[33188,0,200]", "[33188,1,100]"].includes(JSON.stringify(stats)), JSON.stringify(stats));
    assertEquals(open, "ok");
    assert(read === "200 B" || read === "100 A", String(read));
  },
});

scheduled("a directory that a rename replaces: always there, and nothing gets into the old one", {
  setUp: [["mkdir", "/d"], ["mkdir", "/t"]],
  threads: [{ calls: [["rename", "/d", "/t"]] }, { calls: [["create", "/t/f"], ["exists", "/t"]] }],
});

scheduled("two renames onto one name", {
  setUp: [["create", "/f"], ["mkdir", "/d"], ["create", "/d/g"], ["create", "/t"]],
  threads: [{ calls: [["rename", "/f", "/t"]] }, { calls: [["rename", "/d/g", "/t"]] }],
});

scheduled("readdir against a rename in the directory: what is there throughout appears once", {
  setUp: [["create", "/x"], ["create", "/y"]],
  threads: [{ calls: [["rename", "/x", "/z"]] }, { calls: [["readdir", "/"]] }],
  plain: true,
});

scheduled("a symbolic link that is replaced while it is followed", {
  setUp: [["mkdir", "/a"], ["mkdir", "/b"], ["create", "/a/f"], ["symlink", "a", "/l"], ["symlink", "b", "/m"]],
  threads: [{ calls: [["rename", "/m", "/l"]] }, { calls: [["stat", "/l/f"], ["create", "/l/g"]] }],
});

// -- Whole subtrees ------------------------------------------------------------------------------------------------------

scheduled("mkdir with all parents against removing them", {
  setUp: [["mkdir", "/a"], ["mkdir", "/a/b"]],
  threads: [{ calls: [["makeAll", "/a/b/c"]] }, { calls: [["rm", "/a"]] }],
  expect: ([made], fs) => {
    // Each is made of several operations: parents may go in between.
    assert(made![0] === "ok" || typeof made![0] === "string", String(made));
    assertEquals(fs.existsSync("/a/b/c") || !fs.existsSync("/a/b/c"), true);
  },
  preemptions: 1,
});

scheduled("removing a tree while a directory in it is replaced by another that is not empty", {
  setUp: [["mkdir", "/a"], ["mkdir", "/a/b"], ["create", "/a/b/f"], ["mkdir", "/d"], ["create", "/d/g"]],
  threads: [{ calls: [["rm", "/a"]] }, { calls: [["rename", "/a/b", "/c"], ["rename", "/d", "/a/b"]] }],
  expect: ([removed], fs) => {
    assertEquals(removed, ["ok"]);
    assertEquals(fs.existsSync("/a"), false);
  },
  // With one more there are too many.
  preemptions: 2 - MORE,
});

scheduled("removing a tree while a directory in it becomes a file", {
  setUp: [["mkdir", "/a"], ["mkdir", "/a/b"], ["create", "/f"]],
  threads: [{ calls: [["rm", "/a"]] }, { calls: [["rename", "/a/b", "/c"], ["rename", "/f", "/a/b"]] }],
  expect: ([removed], fs) => {
    assertEquals(removed, ["ok"]);
    assertEquals(fs.existsSync("/a"), false);
  },
  // With one more there are too many.
  preemptions: 2 - MORE,
});

scheduled("two agents that make the same path", {
  threads: [{ calls: [["makeAll", "/a/b"]] }, { calls: [["makeAll", "/a/b"]] }],
  expect: (results, fs) => {
    assertEquals(fs.readdirSync("/", { recursive: true }).sort(), ["a", "a/b"]);
    for (const [made] of results) assert(["ok", "/a", "/a/b"].includes(made as string), String(made));
  },
  preemptions: 1,
});

// -- A directory that is given an index ----------------------------------------------------------------------------------

/** So many names of this length that the next one gives their directory its index. */
const LONG_NAME = "n".repeat(200);
const nearlyFull: Call[] = [
  ["mkdir", "/d"],
  ["create", "/f"],
  ...[1, 2, 3, 4].map((number): Call => ["link", "/f", `/d/${LONG_NAME}${number}`]),
];

const conversion: Scenario = {
  setUp: nearlyFull,
  threads: [
    { calls: [["link", "/f", `/d/${LONG_NAME}5`]] },
    { calls: [["exists", `/d/${LONG_NAME}1`], ["exists", `/d/${LONG_NAME}5`]] },
  ],
};
scheduled("the insertion that gives a directory its index, against looking a name up", conversion);

scheduled("the same, with every plain access a step", {
  ...conversion,
  threads: [conversion.threads[0]!, { calls: [["exists", `/d/${LONG_NAME}1`]] }],
  plain: true,
  preemptions: 1,
});

scheduled("the insertion that gives a directory its index, against another", {
  setUp: nearlyFull,
  threads: [{ calls: [["link", "/f", `/d/${LONG_NAME}5`]] }, { calls: [["link", "/f", `/d/${LONG_NAME}6`]] }],
});

scheduled("the insertion that gives a directory its index, against listing it", {
  setUp: nearlyFull,
  threads: [{ calls: [["link", "/f", `/d/${LONG_NAME}5`]] }, { calls: [["list", "/d", `${LONG_NAME}1`]] }],
});

scheduled("the insertion that gives a directory its index, against moving the directory", {
  setUp: [...nearlyFull, ["mkdir", "/e"]],
  threads: [{ calls: [["link", "/f", `/d/${LONG_NAME}5`]] }, { calls: [["rename", "/d", "/e/d"]] }],
});

scheduled("removing a directory with an index, against a creation in it", {
  setUp: [
    ...nearlyFull,
    ["link", "/f", `/d/${LONG_NAME}5`],
    ...[1, 2, 3, 4, 5].map((number): Call => ["unlink", `/d/${LONG_NAME}${number}`]),
  ],
  threads: [{ calls: [["rmdir", "/d"]] }, { calls: [["link", "/f", "/d/g"]] }],
  preemptions: 1,
});

// -- Metadata ----------------------------------------------------------------------------------------------------------

scheduled("stat against changing both times: times of one moment", {
  setUp: [["create", "/f"], ["setTimes", "/f", 1, 1]],
  threads: [{ calls: [["setTimes", "/f", 2, 2]] }, { calls: [["bothTimes", "/f"]] }],
  plain: true,
  preemptions: 2,
});

scheduled("stat against writes: size and modification time of one moment", {
  setUp: [["create", "/f"], ["setTimes", "/f", 1, 1]],
  threads: [
    { before: [["open", "f", "/f", "r+"]], calls: [["write", "f", "A", 50]] },
    { calls: [["times", "/f"]] },
  ],
  plain: true,
  expect: ([, times]) => {
    // The writer's clock stands at 1,700,000,000,000 ms.
    const [size, mtime] = times![0] as [number, number];
    assert((size === 0 && mtime === 1000) || (size === 50 && mtime >= 1.7e12), `size ${size} with mtime ${mtime}`);
  },
});

// -- Agents ------------------------------------------------------------------------------------------------------------

for (
  const calls of [
    [["rename", "/a/f", "/b/f"]],
    [["create", "/b/g"], ["unlink", "/a/f"]],
    [["open", "f", "/a/f", "a"], ["write", "f", "B", FILE], ["close", "f"]],
  ] as Call[][]
) {
  scheduled(`check() against ${calls.map(([name]) => name).join(", ")}: it sees what is between operations`, {
    setUp: [["mkdir", "/a"], ["mkdir", "/b"], ["open", "f", "/a/f", "w"], ["write", "f", "A", FILE], ["close", "f"]],
    threads: [{ calls }, { calls: [["check"]] }],
    expect: (results) => assertEquals(results, [calls.map(([name]) => name === "write" ? FILE : "ok"), ["ok"]]),
    preemptions: 1,
  });
}

scheduled("an agent that detaches with a file open, against unlink", {
  setUp: [["open", "f", "/f", "w"], ["write", "f", "A", FILE], ["close", "f"]],
  threads: [{ before: [["open", "f", "/f", "r"]], calls: [["detach"]] }, { calls: [["unlink", "/f"]] }],
});

/** The number of the agent of thread 0: slot 1 in its first generation. */
const FIRST_AGENT = 1024 + 1;
const retired: readonly (readonly [name: string, call: Call])[] = [
  ["creating", ["open", "n", "/n", "wx"]],
  ["opening", ["open", "g", "/f", "r"]],
  ["opening and cutting off", ["open", "g", "/f", "w"]],
  ["writing", ["write", "f", "B", FILE, 0]],
  ["reading", ["read", "f", FILE]],
  ["closing", ["close", "f"]],
  ["unlinking", ["unlink", "/f"]],
  ["renaming", ["rename", "/f", "/d/f"]],
  ["making a directory", ["mkdir", "/n"]],
  ["listing", ["list", "/", "d"]],
];
for (const [name, call] of retired) {
  const setUp: Call[] = [["mkdir", "/d"], ["open", "f", "/f", "w"], ["write", "f", "A", FILE], ["close", "f"]];
  const states = ["nop", ""].map((instead) => {
    const fs = makeFileSystem({ setUp, threads: [] });
    const player = new Player(FileSystem.attach(fs.handle));
    player.play(["open", "f", "/f", "r+"]);
    if (instead === "") player.play(call);
    player.fs.detach();
    return JSON.stringify(stateOf(fs));
  });
  scheduled(`an agent that is retired while ${name}: it has done so, or nothing`, {
    setUp,
    threads: [
      { before: [["open", "f", "/f", "r+"]], calls: [call, ["exists", "/f"]] },
      { calls: [["retire", FIRST_AGENT]] },
    ],
    expect: (results, fs) => {
      const [result, after] = results[0]!;
      retireOthers(fs);
      assertEquals(fs.check(), [], "check() after the agent has been retired");
      const state = JSON.stringify(stateOf(fs));
      assertEquals(state, states[result === "EIDRM" ? 0 : 1], `the call gave ${result}, the next ${after}`);
    },
  });
}

// -- Planted faults ----------------------------------------------------------------------------------------------------

/** Copies the library with a change, and returns the threads' module over it. */
async function withMutation(directory: string, file: string, from: string, to: string): Promise<string> {
  const root = new URL("../../", import.meta.url);
  const copy = async (path: string) => {
    for await (const entry of Deno.readDir(new URL(path, root))) {
      const child = `${path}${entry.name}`;
      if (entry.isDirectory) {
        await Deno.mkdir(`${directory}/${child}`, { recursive: true });
        await copy(`${child}/`);
      } else if (entry.name.endsWith(".ts")) await Deno.copyFile(new URL(child, root), `${directory}/${child}`);
    }
  };
  for (const folder of ["src", "tests/schedule", "tests/support"]) {
    await Deno.mkdir(`${directory}/${folder}`, { recursive: true });
  }
  await copy("src/");
  for (const module of ["tests/schedule/filesystem_threads.ts", "tests/support/schedule_worker.ts"]) {
    await Deno.copyFile(new URL(module, root), `${directory}/${module}`);
  }
  const text = await Deno.readTextFile(`${directory}/${file}`);
  assert(text.includes(from), `${file} does not have ${from}`);
  await Deno.writeTextFile(`${directory}/${file}`, text.replace(from, to));
  return new URL(`file://${directory}/tests/schedule/filesystem_threads.ts`).href;
}

async function overMutation(
  file: string,
  from: string,
  to: string,
  use: (module: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(await withMutation(directory, file, from, to));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function planted(name: string, scenario: Scenario, file: string, from: string, to: string): void {
  Deno.test(`schedules find a planted fault: ${name}`, () =>
    overMutation(file, from, to, async (module) => {
      const { failure, executions } = await findFailure(optionsOf(scenario, module));
      assert(failure !== undefined, `not found in ${executions} executions`);
    }));
}

planted(
  "directories move without the pool-wide lock",
  crossing,
  "src/file/rename.ts",
  "isDirectory && from.parentWord !== to.parentWord)",
  "false)",
);
planted(
  "a read takes no lock",
  { ...reuse, plain: true },
  "src/file/data.ts",
  "const locked = lockShared(agent, inode + INODE_LOCK);",
  "const locked = 0;",
);
planted(
  "a guard is taken without asking for the directory's generation",
  reusedParent,
  "src/names/directory.ts",
  "if (!isGeneration(store, directoryWord, generation)) return -ESTALE;",
  "",
);
planted(
  "the last close does not ask for the generation",
  lastClose,
  "src/file/open.ts",
  "context.isSame(inodeWord, generation) && ",
  "",
);
planted(
  "a look-up does not validate what it saw",
  { ...openAgainstReuse, plain: true },
  "src/names/walk.ts",
  "return this.validate() ? 0 : -ESTALE;",
  "return 0;",
);

// -- Paths that are walked under the guards of their directories ----------------------------------------------------------

/** What a walk does after it has failed to see a quiet moment; here from the first time on. */
function underGuards(name: string, scenario: Scenario): void {
  Deno.test(`schedules of walks under guards: ${name}`, () =>
    overMutation("src/names/walk.ts", "const OPTIMISTIC_TRIES = 64;", "const OPTIMISTIC_TRIES = 0;", async (module) => {
      await exploreSchedules(optionsOf(scenario, module));
    }));
}

underGuards("open against unlink and create", openAgainstReuse);
underGuards("a creation in a directory that becomes a file", reusedParent);
underGuards("a directory that is replaced, and listed", {
  setUp: [["mkdir", "/d"], ["mkdir", "/t"]],
  threads: [
    { calls: [["rename", "/d", "/t"], ["create", "/f"]] },
    { calls: [["readdir", "/t"], ["readdir", "/t/."]] },
  ],
});
underGuards("a directory that moves while a path leads through it and back", moving);
underGuards("the insertion that gives a directory its index, against looking a name up", conversion);
