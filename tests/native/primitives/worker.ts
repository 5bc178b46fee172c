/**
 * The JavaScript side of `program.c`: a worker that does the same to the same structures, with the library as it is.
 *
 * @module
 */
import { Condition, Event, FileSystem, Mutex, type PoolHandle, RwLock } from "../../../mod.ts";

/** What a worker shall do. */
export interface Job {
  /** As in `program.c`. */
  readonly command: string;
  /** The pool. */
  readonly handle: PoolHandle;
  /** The program's arguments. */
  readonly addresses: readonly number[];
}

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<Job>) => void) | null;
  postMessage(problems: string[]): void;
};

const problems: string[] = [];

function expect(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) problems.push(`${what} is ${actual}, not ${expected}`);
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Words of the pool, as they are now. */
function words(fs: FileSystem): Int32Array {
  return new Int32Array(fs.pool.memory.buffer);
}

function count(fs: FileSystem, [mutexAt, counter, owner, overlaps, rounds]: readonly number[]): void {
  const mutex = new Mutex(fs.pool, mutexAt!);
  const i32 = words(fs);
  const self = fs.agentId;
  for (let round = 0; round < rounds!; round++) {
    using _guard = mutex.lock();
    Atomics.store(i32, owner! / 4, self);
    const value = Atomics.load(i32, counter! / 4);
    for (let spin = 0; spin < 20; spin++) Atomics.load(i32, counter! / 4);
    if (Atomics.load(i32, owner! / 4) !== self) Atomics.add(i32, overlaps! / 4, 1);
    Atomics.store(i32, counter! / 4, value + 1);
  }
}

function list(fs: FileSystem, [lockAt, head, faults, rounds]: readonly number[]): void {
  const lock = new RwLock(fs.pool, lockAt!);
  const next = random(0x1234567 * fs.agentId);
  for (let round = 0; round < rounds!; round++) {
    if (next() % 4 !== 0) {
      using _guard = lock.lockRead();
      const i32 = words(fs);
      let found = 0;
      // Addresses of the test's pool are below 4 GiB: the upper half is 0.
      for (let at = i32[head! / 4]! >>> 0; at !== 0 && found <= i32[head! / 4 + 2]!; found++) {
        if (i32[at / 4 + 2] !== ~i32[at / 4 + 3]!) Atomics.add(i32, faults! / 4, 1);
        at = i32[at / 4]! >>> 0;
      }
      if (found !== i32[head! / 4 + 2]) Atomics.add(i32, faults! / 4, 1);
      continue;
    }
    using _guard = lock.lockWrite();
    const number = next() | 0;
    let i32 = words(fs);
    if (i32[head! / 4 + 2]! < 20 && (number & 1) !== 0) {
      const node = fs.pool.allocator.allocate(16);
      i32 = words(fs);
      i32.set([i32[head! / 4]!, 0, number, ~number], node / 4);
      i32[head! / 4] = node;
      i32[head! / 4 + 2]! += 1;
    } else if (i32[head! / 4 + 2]! > 0) {
      const first = i32[head! / 4]! >>> 0;
      i32[head! / 4] = i32[first / 4]!;
      i32[head! / 4 + 2]! -= 1;
      fs.pool.allocator.free(first);
    }
  }
}

function pingpong(fs: FileSystem, [mutexAt, conditionAt, turn, rounds, start, end]: readonly number[]): void {
  const mutex = new Mutex(fs.pool, mutexAt!);
  const condition = new Condition(fs.pool, conditionAt!);
  const i32 = words(fs);
  new Event(fs.pool, start!).set();
  {
    using _guard = mutex.lock();
    for (let round = 0; round < rounds!; round++) {
      expect(
        "waitFor",
        condition.waitFor(mutex, () => Atomics.load(i32, turn! / 4) % 2 === 0, { timeoutMs: 60000 }),
        true,
      );
      Atomics.add(i32, turn! / 4, 1);
      if (round % 2 === 0) condition.notifyOne();
      else condition.notifyAll();
    }
  }
  expect("the end", new Event(fs.pool, end!).wait({ timeoutMs: 60000 }), true);
}

function allocate(fs: FileSystem, [slots, slotCount, rounds]: readonly number[]): void {
  const { allocator } = fs.pool;
  const next = random(0x7654321 * fs.agentId);
  for (let round = 0; round < rounds!; round++) {
    const slot = slots! / 4 + next() % slotCount!;
    const bytes = 8 + (next() % 16 === 0 ? next() % 60000 : next() % 300);
    const key = next() | 0;
    const block = allocator.allocate(bytes, round % 8 === 0 ? 256 : 16);
    const u8 = new Uint8Array(fs.pool.memory.buffer, block, bytes);
    u8.fill(key & 255);
    words(fs).set([bytes, key], block / 4);
    const old = Atomics.exchange(words(fs), slot, block / 16);
    if (old === 0) continue;
    let address = old * 16;
    const length = words(fs)[address / 4]!;
    const oldKey = words(fs)[address / 4 + 1]!;
    expect("usableBytes() is enough", allocator.usableBytes(address) >= length, true);
    if (round % 4 === 0) address = allocator.reallocate(address, length * 2);
    const data = new Uint8Array(fs.pool.memory.buffer, address, length).slice(8);
    expect("a block's filling is as it was", data.every((byte) => byte === (oldKey & 255)), true);
    allocator.free(address);
  }
}

function held(fs: FileSystem, [mutexAt, lockAt, taken, release]: readonly number[]): void {
  using _mutex = new Mutex(fs.pool, mutexAt!).lock();
  using _lock = new RwLock(fs.pool, lockAt!).lockWrite();
  new Event(fs.pool, taken!).set();
  expect("the release", new Event(fs.pool, release!).wait({ timeoutMs: 60000 }), true);
}

const COMMANDS: Readonly<Record<string, (fs: FileSystem, addresses: readonly number[]) => void>> = {
  counter: count,
  list,
  pingpong,
  allocate,
  held,
};

scope.onmessage = ({ data: { command, handle, addresses } }) => {
  try {
    using fs = FileSystem.attach(handle);
    COMMANDS[command]!(fs, addresses);
  } catch (error) {
    problems.push((error as Error).stack ?? String(error));
  }
  scope.postMessage(problems);
};
