/**
 * Locks in a folder, between processes that die, stop and contend, and between two takers in every order.
 *
 * @module
 */
import fs from "node:fs/promises";
import timers from "node:timers";
import { DirectoryBackend } from "../../../../src/artifact/store/directory_backend.ts";
import { DirectoryLocks, type HeldLock } from "../../../../src/artifact/store/directory_lock.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../../../support/assert.ts";
import { CheckRandom, mustLock, sleep } from "../../../support/backend_check.ts";

const SEED = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/** Long enough that no process that runs is silent for so long, on a busy machine. */
const LONG_STALE_MS = 20_000;

async function scratch(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "extmemfs-lock-" });
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

function spawn(mode: "hold" | "contend", folder: string, staleMs: number, turns = 0): Deno.ChildProcess {
  const program = decodeURIComponent(new URL("./directory_lock_holder.ts", import.meta.url).pathname);
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, mode, folder, KEY, String(staleMs), String(turns)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** A process that has the lock. */
async function spawnHolder(folder: string, staleMs: number): Promise<Deno.ChildProcess> {
  const child = spawn("hold", folder, staleMs);
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "held\n");
  reader.releaseLock();
  return child;
}

async function turnsOf(child: Deno.ChildProcess): Promise<number> {
  await child.stdin.close();
  const { success, stdout } = await child.output();
  assert(success, "two processes held the lock at once, or one did not get it");
  return Number(new TextDecoder().decode(stdout));
}

async function kill(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.stdin.close();
  await child.output();
}

Deno.test("DirectoryBackend.lock() lets one of several processes in at a time", async () => {
  await using place = await scratch();
  const children = Array.from({ length: 4 }, () => spawn("contend", place.folder, LONG_STALE_MS, 25));
  assertEquals(await Promise.all(children.map(turnsOf)), [25, 25, 25, 25]);
});

Deno.test("DirectoryBackend.lock() of a process that was killed goes to one of those who wait, once it is stale", async () => {
  await using place = await scratch();
  const staleMs = 3000;
  const holder = await spawnHolder(place.folder, staleMs);
  // Those who wait have all seen the holder when it dies, and find out at about the same moment.
  const children = Array.from({ length: 3 }, () => spawn("contend", place.folder, staleMs, 5));
  await sleep(1000);
  await kill(holder);
  const start = performance.now();
  assertEquals(await Promise.all(children.map(turnsOf)), [5, 5, 5]);
  assertGreater(
    performance.now() - start,
    staleMs - 500,
    "the lock was taken before its holder could be known to be gone",
  );
});

Deno.test("DirectoryBackend.lock() is taken over after lockStaleMs, not before, also by takers of little patience", async () => {
  await using place = await scratch();
  const staleMs = 900;
  const holder = await spawnHolder(place.folder, staleMs);
  const backend = await DirectoryBackend.open(place.folder, { lockHeartbeatMs: 300, lockStaleMs: staleMs });
  await kill(holder);
  const start = performance.now();
  let lock;
  while (lock === undefined) {
    assertLess(performance.now() - start, 30_000);
    lock = await backend.lock(KEY, { timeoutMs: 20 });
  }
  assertGreater(performance.now() - start, staleMs - 1);
  await lock[Symbol.asyncDispose]();
});

Deno.test("DirectoryBackend.lock() of a holder that lives is kept for longer than lockStaleMs", async () => {
  await using place = await scratch();
  const options = { lockHeartbeatMs: 50, lockStaleMs: 1000 };
  const backend = await DirectoryBackend.open(place.folder, options);
  const other = await DirectoryBackend.open(place.folder, options);
  const lock = await mustLock(backend, KEY, 0);
  assertEquals(await other.lock(KEY, { timeoutMs: 2500 }), undefined);
  await lock[Symbol.asyncDispose]();
});

Deno.test("DirectoryBackend.lock() of a process that was stopped is lost, and its release is not the next holder's", async () => {
  await using place = await scratch();
  const staleMs = 900;
  const holder = await spawnHolder(place.folder, staleMs);
  const backend = await DirectoryBackend.open(place.folder, { lockHeartbeatMs: 50, lockStaleMs: staleMs });
  holder.kill("SIGSTOP");
  const lock = await mustLock(backend, KEY, 30_000);
  holder.kill("SIGCONT");
  const writer = holder.stdin.getWriter();
  await writer.write(Uint8Array.of(10));
  await writer.close();
  const { success, stdout } = await holder.output();
  assertEquals([success, new TextDecoder().decode(stdout)], [true, "released\n"]);
  const other = await DirectoryBackend.open(place.folder);
  assertEquals(await other.lock(KEY, { timeoutMs: 0 }), undefined, "the stopped process gave back another's lock");
  await lock[Symbol.asyncDispose]();
  await (await mustLock(other, KEY, 0))[Symbol.asyncDispose]();
});

Deno.test("DirectoryBackend.lock() is no longer kept alive, and ends no other's, once it was taken away", async () => {
  await using place = await scratch();
  const options = { lockHeartbeatMs: 20, lockStaleMs: 1000 };
  const backend = await DirectoryBackend.open(place.folder, options);
  const lost = await mustLock(backend, KEY, 0);
  const [{ name: shard }] = Deno.readDirSync(place.folder);
  await Deno.remove(`${place.folder}/${shard}`, { recursive: true });
  const lock = await mustLock(backend, KEY, 0);
  await sleep(100);
  await lost[Symbol.asyncDispose]();
  assertEquals(await backend.lock(KEY, { timeoutMs: 0 }), undefined);
  await lock[Symbol.asyncDispose]();
});

/** The calls that others can see the effect of, or that see that of others; the rest is on an actor's own folder. */
const GATED: readonly PropertyKey[] = ["readdir", "open", "unlink", "rmdir", "rename"];

/** One who uses locks, and makes calls of the filesystem one at a time, when it is given a turn. */
class Actor {
  /** Its locks. Free to call until {@linkcode begin}. */
  readonly locks: DirectoryLocks;
  /** Resolves when it is at its next call, to what makes the call; or at its end, to undefined. */
  #arrival: Promise<(() => Promise<void>) | undefined> = Promise.resolve(undefined);
  #arrive: ((call: (() => Promise<void>) | undefined) => void) | undefined;

  /** One with locks of its own. */
  constructor() {
    const host = new Proxy(fs, {
      get: (target, name) => {
        const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        if (this.#arrive === undefined || !GATED.includes(name)) return call;
        return (...args: unknown[]) =>
          new Promise((resolve, reject) => this.#arrive!(() => call(...args).then(resolve, reject)));
      },
    });
    const newId = () => crypto.randomUUID().replaceAll("-", "");
    // Stale after any time at all: but not at the first look.
    this.locks = new DirectoryLocks({ fs: host, timers, newId }, { heartbeatMs: 1_000_000, staleMs: 0.0001 });
  }

  /** Begins, up to the first call. */
  begin(act: () => Promise<unknown>): void {
    this.#expect();
    act().finally(() => {
      this.#arrive!(undefined);
      this.#arrive = undefined;
    });
  }

  /** Whether it has a call to make; waits until that is known. */
  async isReady(): Promise<boolean> {
    return await this.#arrival !== undefined;
  }

  /** Lets it make the call. */
  async turn(): Promise<void> {
    const call = (await this.#arrival)!;
    this.#expect();
    await call();
  }

  #expect(): void {
    this.#arrival = new Promise((resolve) => this.#arrive = resolve);
  }
}

interface Schedule {
  /** The actors that had a turn, in order, as letters. */
  readonly turns: string;
  /** At each turn, how many could have had it. */
  readonly choices: readonly number[];
}

/** Runs actors to their ends; `choose` says who of those that can has the next turn. */
async function interleave(
  actors: readonly Actor[],
  choose: (turn: number, count: number) => number,
): Promise<Schedule> {
  const choices: number[] = [];
  let turns = "";
  while (true) {
    const ready: number[] = [];
    for (const [index, actor] of actors.entries()) if (await actor.isReady()) ready.push(index);
    if (ready.length === 0) return { turns, choices };
    const index = ready[choose(choices.length, ready.length)]!;
    choices.push(ready.length);
    turns += "ABX"[index];
    await actors[index]!.turn();
  }
}

/** Two takers that both know the holder X to be silent; with X, which wakes and gives its lock back, or without. */
async function race(
  folder: string,
  wakes: boolean,
  choose: (turn: number, count: number) => number,
): Promise<Schedule> {
  const path = `${folder}/lock`;
  const [holder, ...takers] = [new Actor(), new Actor(), new Actor()] as const;
  const held = await holder.locks.take(path, 0);
  assert(held !== undefined);
  const got: HeldLock[] = [];
  for (const { locks } of takers) {
    assertEquals(await locks.take(path, 0), undefined, "a holder that was seen once is not stale");
  }
  for (const taker of takers) {
    taker.begin(async () => {
      const lock = await taker.locks.take(path, 0);
      if (lock !== undefined) got.push(lock);
    });
  }
  if (wakes) holder.begin(async () => await held[Symbol.asyncDispose]());
  const schedule = await interleave(wakes ? [...takers, holder] : takers, choose);
  assertEquals(got.length, 1, `${got.length} of two takers have the lock after ${schedule.turns}`);
  await held[Symbol.asyncDispose]();
  assertEquals((await fs.readdir(`${path}.lock`)).length, 1, `the lock is not held after ${schedule.turns}`);
  await got[0]![Symbol.asyncDispose]();
  assertEquals(await fs.readdir(folder), [], `something is left after ${schedule.turns}`);
  return schedule;
}

Deno.test("DirectoryLocks gives a stale lock to exactly one of two takers, in every order of their calls", async () => {
  await using place = await scratch();
  let prefix: number[] = [];
  let count = 0;
  while (true) {
    const taken: number[] = [];
    const { choices } = await race(place.folder, false, (turn) => taken[turn] = prefix[turn] ?? 0);
    count++;
    let turn = choices.length - 1;
    while (turn >= 0 && taken[turn]! + 1 >= choices[turn]!) turn--;
    if (turn < 0) break;
    prefix = [...taken.slice(0, turn), taken[turn]! + 1];
  }
  assertGreater(count, 400);
});

Deno.test("DirectoryLocks gives a stale lock to exactly one of two takers while its holder wakes and gives it back", async () => {
  await using place = await scratch();
  const random = new CheckRandom(SEED);
  const seen = new Set<string>();
  for (let round = 0; round < 600; round++) {
    try {
      seen.add((await race(place.folder, true, (_, count) => random.below(count))).turns);
    } catch (error) {
      throw new Error(`EXTMEMFS_SEED=${SEED}, round ${round}: ${error}`, { cause: error });
    }
  }
  assertGreater(seen.size, 300);
});
