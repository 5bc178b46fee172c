/**
 * One worker of the stress tests of file locks: takes locks over and over, and looks for others inside; or does what it is
 * told, call by call.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import type { PoolHandle } from "../../src/store/pool.ts";
import { attempt, passGate, Random, type StressJob } from "../support/stress.ts";

/** What a worker has seen. */
export interface FileLockReport {
  /** Locks taken. */
  readonly count: number;
  /** Times that somebody else was inside who may not be. */
  readonly overlaps: number;
  /** Longest wait for a lock that was then taken, in milliseconds. */
  readonly longestMs: number;
  /** How often each error came. */
  readonly errors: Record<string, number>;
}

/** A call that a worker is told to make: of the filesystem, with descriptors named by path. */
export interface FileLockCall {
  /** Pool to attach to; with the first call. */
  readonly handle?: PoolHandle;
  /** Method of the filesystem, or `detach`, or `die`: waits for ever. */
  readonly name: "openSync" | "closeSync" | "flockSync" | "setLockSync" | "detach" | "die";
  /** Path of the file. */
  readonly path?: string;
  /** Further arguments. */
  readonly args?: readonly unknown[];
}

/** What came of a call. */
export interface FileLockAnswer {
  /** `ok` or the error's code. */
  readonly code: string;
  /** The agent's number. */
  readonly agentId: number;
  /** When the call had ended, in milliseconds since the epoch. */
  readonly endedAt: number;
}

/** First word of the table of who is inside: negative one alone, positive so many. */
const INSIDE = 8;
/** Bytes of each file that are locked. */
const BYTES = 16;
/** Files of the mix of ranges. */
const FILES = 3;

function ranges(fs: FileSystem, job: StressJob, random: Random): FileLockReport {
  const { shared, index } = job;
  const fds = Array.from({ length: FILES }, (_, file) => fs.openSync(`/${file}`, "a+"));
  const ofd = index % 3 === 2;
  const errors: Record<string, number> = {};
  let count = 0, overlaps = 0, longestMs = 0;
  /** What this worker holds: by file and byte 0, 1 shared, -1 exclusive. */
  const held = Array.from({ length: FILES * BYTES }, () => 0);
  const leave = (file: number, start: number, end: number) => {
    for (let at = file * BYTES + start; at < file * BYTES + end; at++) {
      if (held[at] === 1 && Atomics.sub(shared, INSIDE + at, 1) <= 0) overlaps++;
      if (held[at] === -1 && Atomics.compareExchange(shared, INSIDE + at, -1 - index, 0) !== -1 - index) overlaps++;
      held[at] = 0;
    }
  };
  const enter = (file: number, start: number, end: number, exclusive: boolean) => {
    for (let at = file * BYTES + start; at < file * BYTES + end; at++) {
      if (
        exclusive
          ? Atomics.compareExchange(shared, INSIDE + at, 0, -1 - index) !== 0
          : Atomics.add(shared, INSIDE + at, 1) < 0
      ) {
        overlaps++;
      }
      held[at] = exclusive ? -1 : 1;
    }
  };
  const unlock = (file: number, start: number, end: number) => {
    leave(file, start, end);
    fs.setLockSync(fds[file]!, { type: "unlock", start, length: end - start, ofd });
  };
  passGate(job);
  const end = performance.now() + job.durationMs;
  for (let before = performance.now(); before < end; before = performance.now()) {
    const file = random.below(FILES);
    const start = random.below(BYTES);
    const behind = start + 1 + random.below(Math.min(5, BYTES - start));
    const exclusive = random.oneIn(2);
    // Range locks of descriptions are not looked at for circles: then only one is held at a time.
    if (ofd || random.oneIn(2)) { for (let other = 0; other < FILES; other++) unlock(other, 0, BYTES); }
    const kept = held.slice();
    // What is held of the range already is converted: nobody is inside from the other side meanwhile.
    leave(file, start, behind);
    const options = random.of([{}, {}, {}, { wait: false }, { timeoutMs: random.below(10) }]);
    const lock = { type: exclusive ? "write" : "read", start, length: behind - start, ofd } as const;
    const code = attempt(() => fs.setLockSync(fds[file]!, lock, options));
    if (code === "ok") {
      longestMs = Math.max(longestMs, performance.now() - before);
      enter(file, start, behind, exclusive);
      count++;
      if (random.oneIn(8)) {
        for (const until = performance.now() + random.below(300) / 1000; performance.now() < until;);
      }
      if (random.oneIn(3)) unlock(file, start + random.below(behind - start), behind);
    } else {
      errors[code] = (errors[code] ?? 0) + 1;
      // What was held before is held still.
      for (let at = start; at < behind; at++) {
        const was = kept[file * BYTES + at]!;
        if (was !== 0) enter(file, at, at + 1, was < 0);
      }
      if (code === "EDEADLK") { for (let other = 0; other < FILES; other++) unlock(other, 0, BYTES); }
    }
    if (random.oneIn(50)) {
      // Closing any descriptor of the file releases the agent's locks on it, and those of the description.
      leave(file, 0, BYTES);
      fs.closeSync(ofd ? fds[file]! : fs.openSync(`/${file}`, "r"));
      if (ofd) fds[file] = fs.openSync(`/${file}`, "a+");
    }
  }
  for (let other = 0; other < FILES; other++) leave(other, 0, BYTES);
  return { count, overlaps, longestMs, errors };
}

function turns(fs: FileSystem, job: StressJob): FileLockReport {
  const { shared, index } = job;
  const fd = fs.openSync("/0", "a+");
  const whole = job.mix === "flock";
  let count = 0, overlaps = 0, longestMs = 0;
  passGate(job);
  const end = performance.now() + job.durationMs;
  for (let before = performance.now(); before < end; before = performance.now()) {
    if (whole) fs.flockSync(fd, "ex");
    else fs.setLockSync(fd, { type: "write", start: 3, length: 1 });
    longestMs = Math.max(longestMs, performance.now() - before);
    if (Atomics.compareExchange(shared, INSIDE, 0, 1 + index) !== 0) overlaps++;
    for (const until = performance.now() + 2; performance.now() < until;);
    if (Atomics.compareExchange(shared, INSIDE, 1 + index, 0) !== 1 + index) overlaps++;
    count++;
    if (whole) fs.flockSync(fd, "un");
    else fs.setLockSync(fd, { type: "unlock", start: 3, length: 1 });
  }
  return { count, overlaps, longestMs, errors: {} };
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<StressJob & FileLockCall>) => void;
  postMessage(message: unknown): void;
};

let told: FileSystem | undefined;
const descriptors = new Map<string, number>();

function obey({ handle, name, path = "", args = [] }: FileLockCall): FileLockAnswer {
  told ??= FileSystem.attach(handle!);
  const fs = told;
  const { agentId } = fs;
  const fd = descriptors.get(path)!;
  const code = attempt(() => {
    if (name === "openSync") descriptors.set(path, fs.openSync(path, "a+"));
    else if (name === "closeSync") fs.closeSync(fd);
    else if (name === "detach") fs.detach();
    else if (name === "die") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    else (fs[name] as (fd: number, ...args: unknown[]) => void)(fd, ...args);
  });
  return { code, agentId, endedAt: performance.timeOrigin + performance.now() };
}

scope.onmessage = ({ data }) => {
  try {
    if (data.name !== undefined) {
      scope.postMessage(obey(data));
      return;
    }
    const { debugLevel } = data;
    const fs = FileSystem.attach(data.handle, { debugLevel });
    const report = data.mix === "ranges" ? ranges(fs, data, new Random(data.seed)) : turns(fs, data);
    fs.detach();
    scope.postMessage({ report });
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? error.stack ?? error.message : String(error) });
  }
};
