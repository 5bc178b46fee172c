/**
 * Range locks against a model that has an entry for every byte; what the core's calls return; memory that runs out.
 *
 * @module
 */
import fc from "fast-check";
import { FileSystem } from "../../../mod.ts";
import {
  FILE_LOCK_EXCLUSIVE,
  FILE_LOCK_SHARED,
  FILE_LOCK_UNLOCK,
  type FileLockOwner,
  getFileLock,
  nextDescriptionSerial,
  releaseAllOf,
  releaseFileLocks,
  setFileLock,
  setFileLockAsync,
} from "../../../src/file/file_locks.ts";
import { EAGAIN, EBADF, EINVAL, ENOLCK, ETIMEDOUT } from "../../../src/layout/errno.ts";
import { GRANULE_WORDS } from "../../../src/layout/units.ts";
import { generationOf } from "../../../src/store/inodes.ts";
import type { Context } from "../../../src/file/context.ts";
import { assert, assertEquals, assertNotEquals } from "../../support/assert.ts";
import { surplusBlocks } from "../../support/stress.ts";
import { contextOf, heldLocks } from "./support.ts";

/** Bytes that the model tells apart; all behind them are one. */
const BYTES = 24;

/** Who holds each byte, and how: by byte, the kind of each owner. */
class Model {
  readonly bytes: Map<number, number>[] = Array.from({ length: BYTES + 1 }, () => new Map<number, number>());

  set(owner: number, kind: number, start: number, end: number): boolean {
    const range = this.bytes.slice(start, end);
    const barred = kind !== FILE_LOCK_UNLOCK &&
      range.some((byte) => [...byte].some(([other, held]) => other !== owner && (held === 1 || kind === 1)));
    if (barred) return false;
    for (const byte of range) {
      byte.delete(owner);
      if (kind !== FILE_LOCK_UNLOCK) byte.set(owner, kind);
    }
    return true;
  }

  /** What each owner holds, in ranges that are as long as can be. */
  ranges(): string[] {
    const lines: string[] = [];
    const owners = new Set(this.bytes.flatMap((byte) => [...byte.keys()]));
    for (const owner of owners) {
      for (let at = 0; at <= BYTES;) {
        const kind = this.bytes[at]!.get(owner);
        let end = at + 1;
        while (end <= BYTES && this.bytes[end]!.get(owner) === kind) end++;
        if (kind !== undefined) lines.push(`${owner}: ${kind} ${at} ${end > BYTES ? Infinity : end}`);
        at = end;
      }
    }
    return lines.sort();
  }
}

Deno.test("setFileLock() on ranges does what a table of all bytes does, whatever is asked for in whatever order", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20, debugLevel: 3 });
  const others = [FileSystem.attach(fs.handle), FileSystem.attach(fs.handle)];
  const agents = [fs, ...others];
  fs.writeFileSync("/f", "x");
  const fds = agents.map((agent) => agent.openSync("/f", "r+"));
  const inode = fs.statSync("/f").ino * GRANULE_WORDS;
  // Three agents, and two open file descriptions of the first.
  const owners: { context: Context; owner: FileLockOwner }[] = [...agents, fs, fs].map((agent, index) => ({
    context: contextOf(agent),
    owner: {
      agentOwner: agent.pool.agent.owner,
      description: index < agents.length ? 0 : nextDescriptionSerial(),
    },
  }));
  const before = surplusBlocks(fs);
  const step = fc.record({
    owner: fc.nat({ max: owners.length - 1 }),
    kind: fc.constantFrom(FILE_LOCK_SHARED, FILE_LOCK_EXCLUSIVE, FILE_LOCK_UNLOCK),
    start: fc.nat({ max: BYTES - 1 }),
    length: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(Infinity)),
    ask: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = new Model();
      for (const { owner, kind, start, length, ask } of steps) {
        const end = Math.min(start + length, BYTES) === BYTES ? Infinity : start + length;
        const behind = end === Infinity ? BYTES + 1 : end;
        const who = owners[owner]!;
        if (ask && kind !== FILE_LOCK_UNLOCK) {
          const found = getFileLock(who.context, inode, who.owner, "range", kind, start, end);
          assert(typeof found !== "number");
          const barring = new Set(
            model.bytes.slice(start, behind).flatMap((byte) =>
              [...byte].filter(([other, held]) => other !== owner && (held === 1 || kind === 1)).map(([other]) => other)
            ),
          );
          assertEquals(found === undefined, barring.size === 0);
          if (found === undefined) continue;
          const holder = owners.findIndex((one) =>
            one.owner.agentOwner === found.owner.agentOwner && one.owner.description === found.owner.description
          );
          assert(barring.has(holder));
          assert(model.ranges().includes(`${holder}: ${found.kind} ${found.start} ${found.end}`));
          assert(found.start < end && start < found.end);
          continue;
        }
        const result = setFileLock(who.context, inode, -1, who.owner, "range", kind, start, end, 0);
        assertEquals(result, model.set(owner, kind, start, behind) ? 0 : -EAGAIN);
        const held = heldLocks(fs, inode).map((lock) => {
          const holder = owners.findIndex((one) =>
            one.owner.agentOwner === lock.agent && one.owner.description === lock.description
          );
          return `${holder}: ${lock.kind} ${lock.start} ${lock.end}`;
        });
        assertEquals(held.sort(), model.ranges());
      }
      assertEquals(fs.check(), []);
      assertEquals(fs.stats().fileLocks, model.ranges().length);
      for (const { context, owner } of owners) releaseFileLocks(context, inode, owner);
      assertEquals(heldLocks(fs, inode), []);
      assertEquals(surplusBlocks(fs), before);
    }),
    { numRuns: 1000 },
  );
  agents.forEach((agent, index) => agent.closeSync(fds[index]!));
  for (const other of others) other.detach();
});

Deno.test("setFileLock(): ranges are clamped, empty and senseless ones refused", () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const fd = fs.openSync("/f", "w+");
  const context = contextOf(fs);
  const inode = fs.fstatSync(fd).ino * GRANULE_WORDS;
  const owner = { agentOwner: fs.pool.agent.owner, description: 0 };
  const set = (kind: number, start: number, end: number) =>
    setFileLock(context, inode, -1, owner, "range", kind, start, end, 0);
  assertEquals(set(FILE_LOCK_EXCLUSIVE, 2 ** 60, 2 ** 62), 0);
  assertEquals(heldLocks(fs, inode).map(({ start, end }) => [start, end]), [[Number.MAX_SAFE_INTEGER, Infinity]]);
  assertEquals(set(FILE_LOCK_EXCLUSIVE, 10, 2 ** 53), 0);
  assertEquals(heldLocks(fs, inode).map(({ start, end }) => [start, end]), [[10, Infinity]]);
  for (const [start, end] of [[-1, 5], [5, 5], [6, 5], [NaN, 5], [0, NaN]] as const) {
    assertEquals(set(FILE_LOCK_SHARED, start, end), -EINVAL, `${start} ${end}`);
  }
  assertEquals(set(FILE_LOCK_UNLOCK, 0, Infinity), 0);
  assertEquals(setFileLock(context, inode, 4000, owner, "range", 1, 0, 1, 0), -EBADF);
  assertEquals(heldLocks(fs, inode), []);
  fs.closeSync(fd);
});

Deno.test("setFileLock(): a full pool refuses with ENOLCK and changes nothing", () => {
  using fs = FileSystem.create({ initialBytes: 1 << 20, maximumBytes: 1 << 20 });
  const fd = fs.openSync("/f", "w+");
  const context = contextOf(fs);
  const inode = fs.fstatSync(fd).ino * GRANULE_WORDS;
  const owner = { agentOwner: fs.pool.agent.owner, description: 0 };
  assertEquals(setFileLock(context, inode, -1, owner, "range", FILE_LOCK_EXCLUSIVE, 0, 100, 0), 0);
  const blocks: number[] = [];
  for (const bytes of [65536, 4096, 256, 16]) {
    for (let addr = fs.pool.heap.allocate(bytes); addr > 0; addr = fs.pool.heap.allocate(bytes)) blocks.push(addr);
  }
  const before = heldLocks(fs, inode);
  // New, split by an unlock, split by a change of kind.
  assertEquals(setFileLock(context, inode, -1, owner, "range", FILE_LOCK_EXCLUSIVE, 200, 300, 0), -ENOLCK);
  assertEquals(setFileLock(context, inode, -1, owner, "range", FILE_LOCK_UNLOCK, 40, 60, 0), -ENOLCK);
  assertEquals(setFileLock(context, inode, -1, owner, "range", FILE_LOCK_SHARED, 40, 60, 0), -ENOLCK);
  assertEquals(heldLocks(fs, inode), before);
  // One block is not enough for two.
  fs.pool.heap.free(blocks.pop()!);
  assertEquals(setFileLock(context, inode, -1, owner, "range", FILE_LOCK_SHARED, 40, 60, 0), -ENOLCK);
  assertEquals(heldLocks(fs, inode), before);
  // What needs no memory goes on: whole changes, cuts at an end, releases.
  assertEquals(setFileLock(context, inode, -1, owner, "range", FILE_LOCK_UNLOCK, 0, 10, 0), 0);
  assertEquals(setFileLock(context, inode, -1, owner, "range", FILE_LOCK_SHARED, 0, 200, 0), 0);
  releaseFileLocks(context, inode, owner);
  assertEquals(heldLocks(fs, inode), []);
  for (const addr of blocks) fs.pool.heap.free(addr);
  fs.closeSync(fd);
  assertEquals(fs.check(), []);
});

Deno.test("setFileLock(): threads of one process share their range locks, and each of them leaves no wait behind", () => {
  using keeper = FileSystem.create({ maximumBytes: 16 << 20 });
  using thread = FileSystem.attach(keeper.handle);
  using stranger = FileSystem.attach(keeper.handle);
  const fds = [keeper, thread, stranger].map((agent) => [agent, agent.openSync("/f", "a+")] as const);
  const inode = keeper.statSync("/f").ino * GRANULE_WORDS;
  const process = { agentOwner: keeper.pool.agent.owner, description: 0 };
  const other = { agentOwner: stranger.pool.agent.owner, description: 0 };
  const set = (agent: FileSystem, owner: FileLockOwner, kind: number, timeoutMs: number) =>
    setFileLock(contextOf(agent), inode, -1, owner, "range", kind, 0, 10, timeoutMs);
  assertEquals(set(thread, process, FILE_LOCK_EXCLUSIVE, 0), 0);
  assertEquals(set(keeper, process, FILE_LOCK_EXCLUSIVE, 0), 0);
  assertEquals(set(stranger, other, FILE_LOCK_SHARED, 0), -EAGAIN);
  assertEquals(set(stranger, other, FILE_LOCK_SHARED, 5), -ETIMEDOUT);
  assertEquals(set(keeper, process, FILE_LOCK_UNLOCK, 0), 0);
  assertEquals(set(stranger, other, FILE_LOCK_EXCLUSIVE, 0), 0);
  assertEquals(set(thread, process, FILE_LOCK_SHARED, 5), -ETIMEDOUT);
  // A thread that is gone in the middle of a wait takes its request along, not the locks of its process.
  assertEquals(set(stranger, other, FILE_LOCK_UNLOCK, 0), 0);
  assertEquals(set(thread, process, FILE_LOCK_EXCLUSIVE, 0), 0);
  releaseAllOf(contextOf(keeper), thread.pool.agent.owner);
  assertEquals(heldLocks(keeper, inode).length, 1);
  releaseAllOf(contextOf(keeper), process.agentOwner);
  assertEquals(heldLocks(keeper, inode).length, 0);
  for (const [agent, fd] of fds) agent.closeSync(fd);
  assertEquals(keeper.check(), []);
});

Deno.test("setFileLockAsync(): a file that is closed while its lock is being taken leaves none behind", async () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  using other = FileSystem.attach(fs.handle);
  const [fd, otherFd] = [fs.openSync("/f", "a+"), other.openSync("/f", "a+")];
  const inode = fs.statSync("/f").ino * GRANULE_WORDS;
  const owner = { agentOwner: fs.pool.agent.owner, description: 0 };
  let open = true;
  const options = { isOpen: () => open };
  const generation = generationOf(contextOf(fs).store, inode);
  const set = (timeoutMs: number) =>
    setFileLockAsync(contextOf(fs), inode, generation, owner, "range", 1, 0, 10, timeoutMs, undefined, options);
  assertEquals(await set(0), 0);
  open = false;
  assertEquals(await set(0), -EBADF);
  assertEquals(heldLocks(fs, inode), []);
  assertNotEquals(generation, 4000);
  other.setLockSync(otherFd, { type: "write" });
  open = true;
  const pending = set(Infinity);
  open = false;
  releaseFileLocks(contextOf(fs), inode, owner);
  const start = performance.now();
  assertEquals(await pending, -EBADF);
  assert(performance.now() - start < 45, "the close wakes what waits");
  fs.closeSync(fd);
  other.closeSync(otherFd);
  assertEquals(fs.check(), []);
});
