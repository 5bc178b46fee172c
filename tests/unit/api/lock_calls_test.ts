/**
 * `flockSync`, `setLockSync`, `getLockSync` and their asynchronous forms, agents of one thread: what they take, what ends a
 * lock, what they refuse.
 *
 * @module
 */
import { FileSystem, type FileSystem as Agent } from "../../../mod.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { attempt } from "../../support/stress.ts";
import { assertSoundAndEmptied, create, failureOf } from "./support.ts";

const TRY = { wait: false } as const;

/** Two agents with a file that each has open twice. */
function pair(): { fs: Agent; other: Agent; fds: [number, number]; otherFds: [number, number] } {
  const fs = create();
  const other = FileSystem.attach(fs.handle, { debugLevel: 3 });
  const open = (agent: Agent): [number, number] => [agent.openSync("/f", "a+"), agent.openSync("/f", "a+")];
  return { fs, other, fds: open(fs), otherFds: open(other) };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "ok";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

Deno.test("flockSync(): shared with shared, exclusive alone, converted, released", () => {
  const { fs, other, fds: [fd], otherFds: [otherFd] } = pair();
  fs.flockSync(fd, "sh");
  other.flockSync(otherFd, "sh", TRY);
  assertEquals(attempt(() => fs.flockSync(fd, "ex", TRY)), "EAGAIN");
  // A conversion that is tried in vain keeps what is held.
  assertEquals(attempt(() => other.flockSync(otherFd, "ex", TRY)), "EAGAIN");
  assertEquals(fs.stats().fileLocks, 2);
  other.flockSync(otherFd, "un");
  fs.flockSync(fd, "ex", TRY);
  assertEquals(attempt(() => other.flockSync(otherFd, "sh", TRY)), "EAGAIN");
  // One that has to wait gives the old lock up first.
  fs.flockSync(fd, "sh");
  other.flockSync(otherFd, "sh");
  assertEquals(attempt(() => fs.flockSync(fd, "ex", { timeoutMs: 5 })), "ETIMEDOUT");
  other.flockSync(otherFd, "ex", TRY);
  assertEquals(fs.stats().fileLocks, 1);
  other.flockSync(otherFd, "un");
  other.flockSync(otherFd, "un");
  assertEquals(fs.stats().fileLocks, 0);
  other.detach();
  fs.closeSync(fd);
  fs.detach();
});

Deno.test("flockSync(): belongs to the open file description", () => {
  const { fs, other, fds: [first, second], otherFds: [otherFd] } = pair();
  fs.flockSync(first, "ex");
  assertEquals(attempt(() => fs.flockSync(second, "ex", TRY)), "EAGAIN");
  // Another descriptor of the thread that asks holds it: nobody would ever release it.
  assertEquals(attempt(() => fs.flockSync(second, "ex")), "EDEADLK");
  assertEquals(attempt(() => fs.flockSync(second, "ex", { timeoutMs: 1000 })), "EDEADLK");
  fs.closeSync(second);
  assertEquals(attempt(() => other.flockSync(otherFd, "sh", TRY)), "EAGAIN");
  // A lock of the whole file and those of ranges do not meet.
  other.setLockSync(otherFd, { type: "write" }, TRY);
  fs.closeSync(first);
  other.flockSync(otherFd, "ex", TRY);
  other.detach();
  assertSoundAndEmptied(fs);
  fs.detach();
});

Deno.test("setLockSync(): belongs to the agent, and goes when the agent closes any descriptor of the file", () => {
  const { fs, other, fds: [first, second], otherFds: [otherFd] } = pair();
  fs.setLockSync(first, { type: "write", start: 100, length: 50 });
  fs.setLockSync(second, { type: "write", start: 120, length: 10 }, TRY);
  assertEquals(other.getLockSync(otherFd, { type: "read" }), {
    type: "write",
    start: 100,
    length: 50,
    ofd: false,
    agentId: fs.agentId,
  });
  assertEquals(fs.getLockSync(first, { type: "write" }), null);
  assertEquals(other.getLockSync(otherFd, { type: "write", start: 150, length: 0 }), null);
  fs.closeSync(second);
  other.setLockSync(otherFd, { type: "write", start: 100 }, TRY);
  assertEquals(fs.getLockSync(first, { type: "read" }), {
    type: "write",
    start: 100,
    length: 0,
    ofd: false,
    agentId: other.agentId,
  });
  // A file that a call opens for itself is closed too.
  other.writeFileSync("/f", "x");
  fs.setLockSync(first, { type: "write" }, TRY);
  other.detach();
  assertEquals(fs.check(), []);
  fs.detach();
});

Deno.test("setLockSync({ ofd: true }): belongs to the open file description, against others of the same agent too", () => {
  const { fs, other, fds: [first, second], otherFds: [otherFd] } = pair();
  fs.setLockSync(first, { type: "write", length: 10, ofd: true });
  assertEquals(attempt(() => fs.setLockSync(second, { type: "read", ofd: true }, TRY)), "EAGAIN");
  assertEquals(attempt(() => fs.setLockSync(first, { type: "read" }, TRY)), "EAGAIN");
  assertEquals(attempt(() => fs.setLockSync(first, { type: "read" })), "EDEADLK");
  assertEquals(other.getLockSync(otherFd, { type: "read" })?.ofd, true);
  fs.setLockSync(second, { type: "write", start: 10, ofd: true }, TRY);
  fs.closeSync(second);
  assertEquals(attempt(() => other.setLockSync(otherFd, { type: "read" }, TRY)), "EAGAIN");
  other.setLockSync(otherFd, { type: "write", start: 10 }, TRY);
  fs.setLockSync(first, { type: "unlock", start: 3, length: 3, ofd: true });
  other.setLockSync(otherFd, { type: "write", start: 3, length: 3, ofd: true }, TRY);
  assertEquals(fs.stats().fileLocks, 4);
  fs.closeSync(first);
  assertEquals(fs.stats().fileLocks, 2);
  other.detach();
  assertSoundAndEmptied(fs);
  fs.detach();
});

Deno.test("setLockSync(): a read lock needs a readable descriptor, a write lock a writable one; flockSync() any", () => {
  using fs = create();
  fs.writeFileSync("/f", "x");
  fs.mkdirSync("/d");
  const [read, write, directory] = [fs.openSync("/f", "r"), fs.openSync("/f", "a"), fs.openSync("/d", "r")];
  const refused = { name: "Error", code: "EBADF", errno: -9, syscall: "fcntl" };
  assertEquals(failureOf(() => fs.setLockSync(read, { type: "write" })), refused);
  assertEquals(failureOf(() => fs.setLockSync(write, { type: "read" })), refused);
  assertEquals(failureOf(() => fs.setLockSync(99, { type: "read" })), refused);
  assertEquals(failureOf(() => fs.getLockSync(99, { type: "read" })), refused);
  assertEquals(failureOf(() => fs.flockSync(99, "ex")), { ...refused, syscall: "flock" });
  fs.setLockSync(read, { type: "unlock" });
  fs.flockSync(read, "ex");
  fs.flockSync(directory, "ex");
  fs.setLockSync(directory, { type: "read" });
  assertEquals(failureOf(() => fs.flockSync(write, "sh", TRY)), {
    name: "Error",
    code: "EAGAIN",
    errno: -11,
    syscall: "flock",
  });
  // Only taking a lock needs the right to it.
  assertEquals(fs.getLockSync(read, { type: "write" }), null);
  using readOnly = FileSystem.attach(fs.handle, { readOnly: true });
  const fd = readOnly.openSync("/f", "r");
  readOnly.setLockSync(fd, { type: "read" });
  assertEquals(attempt(() => fs.setLockSync(write, { type: "write" }, TRY)), "EAGAIN");
});

Deno.test("file locks: misuse is a TypeError or RangeError that says what", async () => {
  using fs = create();
  const fd = fs.openSync("/f", "w+");
  // deno-lint-ignore no-explicit-any
  const any = fs as any;
  const calls: [call: () => unknown, name: string, code: string][] = [
    [() => any.flockSync(fd, "shared"), "TypeError", "ERR_INVALID_ARG_VALUE"],
    [() => any.flockSync(fd), "TypeError", "ERR_INVALID_ARG_VALUE"],
    [() => any.flockSync("3", "ex"), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.flockSync(-1, "ex"), "RangeError", "ERR_OUT_OF_RANGE"],
    [() => any.flockSync(fd, "ex", 5), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.flockSync(fd, "ex", null), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.flockSync(fd, "ex", { wait: 1 }), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.flockSync(fd, "ex", { timeoutMs: "1" }), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.flockSync(fd, "ex", { timeoutMs: -1 }), "RangeError", "ERR_OUT_OF_RANGE"],
    [() => any.flockSync(fd, "ex", { timeoutMs: NaN }), "RangeError", "ERR_OUT_OF_RANGE"],
    [() => any.setLockSync(fd), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.setLockSync(fd, null), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.setLockSync(fd, {}), "TypeError", "ERR_INVALID_ARG_VALUE"],
    [() => any.setLockSync(fd, { type: "ex" }), "TypeError", "ERR_INVALID_ARG_VALUE"],
    [() => any.setLockSync(fd, { type: "read", start: -1 }), "RangeError", "ERR_OUT_OF_RANGE"],
    [() => any.setLockSync(fd, { type: "read", start: 1.5 }), "RangeError", "ERR_OUT_OF_RANGE"],
    [() => any.setLockSync(fd, { type: "read", start: 1n }), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.setLockSync(fd, { type: "read", start: null }), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.setLockSync(fd, { type: "read", length: -1 }), "RangeError", "ERR_OUT_OF_RANGE"],
    [() => any.setLockSync(fd, { type: "read", length: Infinity }), "RangeError", "ERR_OUT_OF_RANGE"],
    [() => any.setLockSync(fd, { type: "read", ofd: 1 }), "TypeError", "ERR_INVALID_ARG_TYPE"],
    [() => any.getLockSync(fd, { type: "unlock" }), "TypeError", "ERR_INVALID_ARG_VALUE"],
  ];
  for (const [call, name, code] of calls) {
    const failure = failureOf(call);
    assertEquals([failure.name, failure.code], [name, code], String(call));
  }
  assertEquals(await codeOf(any.flock(fd, "nothing")), "ERR_INVALID_ARG_VALUE");
  assertEquals(await codeOf(any.flock(fd, "ex", { signal: {} })), "ERR_INVALID_ARG_TYPE");
  assertEquals(await codeOf(any.setLock(fd, 7)), "ERR_INVALID_ARG_TYPE");
  assertEquals(await codeOf(fs.setLock(99, { type: "read" })), "EBADF");
  fs.setLockSync(fd, { type: "write", start: Number.MAX_SAFE_INTEGER, length: Number.MAX_SAFE_INTEGER });
  assertEquals(fs.stats().fileLocks, 1);
});

Deno.test("file locks: a thread that may not block gives up after a while", () => {
  const { fs, other, fds: [fd], otherFds: [otherFd] } = pair();
  using spinner = FileSystem.attach(fs.handle, { mayBlock: false });
  const spinnerFd = spinner.openSync("/f", "r+");
  fs.flockSync(fd, "ex");
  other.setLockSync(otherFd, { type: "write" });
  const start = performance.now();
  assertEquals(attempt(() => spinner.flockSync(spinnerFd, "sh")), "EAGAIN");
  assert(performance.now() - start < 5000);
  assertEquals(attempt(() => spinner.setLockSync(spinnerFd, { type: "read" }, { timeoutMs: 10 })), "ETIMEDOUT");
  assertEquals(fs.check(), []);
  other.detach();
  fs.detach();
});

Deno.test("flock() and setLock() wait without blocking: the thread itself may release", async () => {
  const { fs, other, fds: [fd, second], otherFds: [otherFd] } = pair();
  await fs.flock(fd, "ex");
  let taken = false;
  const pending = other.flock(otherFd, "ex").then(() => taken = true);
  const own = fs.flock(second, "sh", { timeoutMs: 10_000 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(taken, false);
  assertEquals(fs.check(), []);
  fs.flockSync(fd, "un");
  await pending;
  assertEquals(taken, true);
  other.flockSync(otherFd, "un");
  await own;
  await fs.setLock(fd, { type: "write", start: 5, length: 1 });
  const ranges = [other.setLock(otherFd, { type: "read", length: 3 }), other.setLock(otherFd, { type: "read" })];
  await ranges[0];
  fs.setLockSync(fd, { type: "unlock" });
  await ranges[1];
  assertEquals(await codeOf(fs.setLock(fd, { type: "write" }, TRY)), "EAGAIN");
  assertEquals(await codeOf(fs.setLock(fd, { type: "write" }, { timeoutMs: 5 })), "ETIMEDOUT");
  other.detach();
  assertEquals(fs.check(), []);
  fs.detach();
});

Deno.test("flock(): an abort ends the wait with its reason; a close with EBADF, detaching with EIDRM", async () => {
  const { fs, other, fds: [fd, spare], otherFds: [first, second] } = pair();
  fs.flockSync(fd, "ex");
  const controller = new AbortController();
  const aborted = other.flock(first, "ex", { signal: controller.signal });
  const closed = other.flock(second, "sh");
  setTimeout(() => {
    controller.abort(new Error("enough"));
    other.closeSync(second);
  }, 5);
  await assertRejects(() => aborted, Error, "enough");
  assertEquals(await codeOf(closed), "EBADF");
  await assertRejects(() => other.flock(first, "ex", { signal: controller.signal }), Error, "enough");
  const left = other.flock(first, "ex");
  const unread = other.setLock(first, { type: "write", ofd: true });
  await unread;
  setTimeout(() => other.detach(), 5);
  assertEquals(await codeOf(left), "EIDRM");
  assertEquals(attempt(() => other.flockSync(first, "un")), "EIDRM");
  assertEquals(attempt(() => other.getLockSync(first, { type: "read" })), "EIDRM");
  fs.closeSync(fd);
  fs.closeSync(spare);
  assertSoundAndEmptied(fs);
  fs.detach();
});

Deno.test("setLock(): a circle of two agents is refused, also where both wait asynchronously", async () => {
  const { fs, other, fds: [fd], otherFds: [otherFd] } = pair();
  fs.setLockSync(fd, { type: "write", start: 0, length: 1 });
  other.setLockSync(otherFd, { type: "write", start: 1, length: 1 });
  const pending = fs.setLock(fd, { type: "write", start: 1, length: 1 });
  assertEquals(attempt(() => other.setLockSync(otherFd, { type: "read", length: 1 })), "EDEADLK");
  assertEquals(await codeOf(other.setLock(otherFd, { type: "read", length: 1 })), "EDEADLK");
  // Not those of descriptions, as on Linux.
  assertEquals(
    attempt(() => other.setLockSync(otherFd, { type: "read", length: 1, ofd: true }, { timeoutMs: 5 })),
    "ETIMEDOUT",
  );
  other.setLockSync(otherFd, { type: "unlock" });
  await pending;
  assertEquals(fs.stats().fileLocks, 1);
  other.detach();
  fs.detach();
});

Deno.test("setLock(): a circle that another task closes by taking a lock is found while it is waited for", async () => {
  const { fs, other, fds: [fd], otherFds: [otherFd] } = pair();
  fs.setLockSync(fd, { type: "write", start: 0, length: 1 });
  const waits = other.setLock(otherFd, { type: "write", start: 0, length: 1 });
  const third = FileSystem.attach(fs.handle);
  const thirdFd = third.openSync("/f", "r+");
  third.setLockSync(thirdFd, { type: "write", start: 5, length: 1 });
  const second = fs.setLock(fd, { type: "write", start: 5, length: 1 });
  // `other`, which waits for `fs`, now holds what `fs` waits for.
  third.setLockSync(thirdFd, { type: "unlock" });
  other.setLockSync(otherFd, { type: "write", start: 5, length: 1 }, TRY);
  const codes = await Promise.race([Promise.all([codeOf(second)]), Promise.all([codeOf(waits)])]);
  assertEquals(codes, ["EDEADLK"]);
  other.setLockSync(otherFd, { type: "unlock" });
  fs.setLockSync(fd, { type: "unlock" });
  await Promise.allSettled([second, waits]);
  for (const agent of [third, other, fs]) agent.detach();
});

Deno.test("retire(): ends the locks of the agent, and the waits of one that is gone", async () => {
  const { fs, other, fds: [fd, second], otherFds: [otherFd] } = pair();
  other.flockSync(otherFd, "ex");
  other.setLockSync(otherFd, { type: "write" });
  other.setLockSync(other.openSync("/g", "w+"), { type: "write", ofd: true });
  fs.setLockSync(second, { type: "unlock" });
  const waits = [fs.flock(fd, "ex"), fs.setLock(fd, { type: "write" })];
  const gone = FileSystem.attach(fs.handle);
  const goneFd = gone.openSync("/f", "r+");
  const lost = [gone.flock(goneFd, "sh"), gone.setLock(goneFd, { type: "read" })].map(codeOf);
  assertEquals(fs.check(), []);
  fs.retire(gone.agentId);
  assertEquals(fs.check(), []);
  fs.retire(other.agentId);
  await Promise.all(waits);
  assertEquals(await Promise.all(lost), ["EIDRM", "EIDRM"]);
  assertEquals(fs.stats().fileLocks, 2);
  fs.closeSync(fd);
  fs.closeSync(second);
  assertSoundAndEmptied(fs);
  fs.detach();
});
