/**
 * Where a public lock lives, and as whom this thread takes it: in a pool, as the pool's agent, or on a bare shared
 * memory, as a number that the program gives out itself.
 *
 * @module
 */
import { SLOT_HELD_COUNT, SLOT_HELD_INTERNAL, SLOT_PIN_COUNT } from "../layout/agent_table.ts";
import { LINE_BYTES } from "../layout/units.ts";
import { SharedMemory } from "../memory/shared_memory.ts";
import { threadMayBlock } from "../memory/waiting.ts";
import { Agent } from "./agent.ts";
import { BareParty, MAXIMUM_OWNER, type Party, partyOf } from "./party.ts";

/** What a lock needs of a pool: this thread's agent, and an allocator for locks that find their own place. */
export interface LockPool {
  /** The agent that takes the locks: as whom this thread is attached to the pool. */
  readonly agent: object;
  /** Gives the memory of locks made by `create`. */
  readonly allocator: {
    /** Returns the byte address of a new block. */
    allocate(bytes: number, align?: number): number;
    /** Gives a block back. */
    free(address: number): void;
  };
}

/** Who takes a lock on a bare shared memory. */
export interface BareLockOptions {
  /**
   * A number from 1 to 2047 that no other thread uses for this lock. Without it the lock works, but nobody can tell who
   * holds it, and waiting for oneself is not noticed. With or without it, a lock on bare memory is not robust: if a
   * thread ends while it holds the lock, the lock stays locked.
   */
  owner?: number;
  /** Whether this thread may block; found out by default. */
  mayBlock?: boolean;
}

/** How long to wait for a lock. */
export interface LockOptions {
  /** Give up after this many milliseconds; by default never. */
  timeoutMs?: number;
}

/** How long to wait for a lock without blocking the thread. */
export interface LockAsyncOptions extends LockOptions {
  /** Ends the wait: the promise rejects with the signal's reason, and the lock is not taken. */
  signal?: AbortSignal;
}

/** The records and pins of one agent that locks of programs use; known to this thread only. */
export class ProgramRecords {
  readonly #records: number[] = [];
  readonly #pins: number[] = [];
  /** How often each pin is held: taking a lock shared again needs no second pin. */
  readonly pinCounts: number[] = new Array<number>(SLOT_PIN_COUNT).fill(0);

  /** Makes them all free. The first pin and the first records are the filesystem's. */
  constructor() {
    for (let record = SLOT_HELD_COUNT - 1; record >= SLOT_HELD_INTERNAL; record--) this.#records.push(record);
    for (let pin = SLOT_PIN_COUNT - 1; pin >= 1; pin--) this.#pins.push(pin);
  }

  /** Takes a record. */
  takeRecord(): number {
    const record = this.#records.pop();
    if (record === undefined) {
      throw new RangeError(
        `Cannot lock: this agent holds or awaits ${
          SLOT_HELD_COUNT - SLOT_HELD_INTERNAL
        } locks, as many as its slot records`,
      );
    }
    return record;
  }

  /** Gives a record back. */
  giveRecord(record: number): void {
    this.#records.push(record);
  }

  /** Takes a pin. */
  takePin(): number {
    const pin = this.#pins.pop();
    if (pin === undefined) {
      throw new RangeError(
        `Cannot lock: this agent holds or awaits ${SLOT_PIN_COUNT - 1} read locks, as many as its slot has pins`,
      );
    }
    return pin;
  }

  /** Gives a pin back. */
  givePin(pin: number): void {
    this.#pins.push(pin);
  }
}

/** Who takes the locks of a place. */
export interface Seat {
  /** Views and intrinsics. */
  readonly memory: SharedMemory;
  /** Who takes part. */
  readonly party: Party;
  /** The agent; undefined on bare memory. */
  readonly agent: Agent | undefined;
  /** The agent's records; undefined on bare memory. */
  readonly records: ProgramRecords | undefined;
  /** The pool's allocator. */
  readonly allocator: LockPool["allocator"] | undefined;
  /** Nobody else can be told from this party, so waiting for itself cannot be noticed. */
  readonly anonymous: boolean;
}

const recordsOf = new WeakMap<Agent, ProgramRecords>();
const memories = new WeakMap<WebAssembly.Memory, SharedMemory>();

/** Makes locks on a bare memory use these views and intrinsics; only for tests that drive the schedule. */
export function useSharedMemory(shared: SharedMemory): void {
  memories.set(shared.memory, shared);
}

/** Finds the seat, and checks the place: `bytes` at `address`. `lanes`: the readers' words of a lock on bare memory. */
export function takeSeat(
  place: LockPool | WebAssembly.Memory,
  address: number,
  bytes: number,
  options: BareLockOptions,
  what: string,
  lanes: { first: number; count: number } = { first: 0, count: 0 },
): Seat {
  let seat: Seat;
  if (place instanceof WebAssembly.Memory) {
    seat = bareSeat(place, options, what, lanes);
  } else {
    const agent = (place as LockPool | undefined)?.agent;
    if (!(agent instanceof Agent)) {
      throw new TypeError(`Cannot place the ${what}: the first argument is neither a pool nor a WebAssembly.Memory`);
    }
    let records = recordsOf.get(agent);
    if (records === undefined) {
      records = new ProgramRecords();
      recordsOf.set(agent, records);
    }
    seat = {
      memory: agent.memory,
      party: partyOf(agent),
      agent,
      records,
      allocator: place.allocator,
      anonymous: false,
    };
  }
  if (!Number.isSafeInteger(address) || address < 0 || address % 8 !== 0) {
    throw new RangeError(`Cannot place the ${what}: the address must be a multiple of 8, but is ${address}`);
  }
  if (address + bytes > seat.memory.bytes) seat.memory.refresh();
  if (address + bytes > seat.memory.bytes) {
    throw new RangeError(
      `Cannot place the ${what}: ${bytes} bytes at ${address} reach beyond the memory's ${seat.memory.bytes} bytes`,
    );
  }
  return seat;
}

function bareSeat(
  memory: WebAssembly.Memory,
  options: BareLockOptions,
  what: string,
  lanes: { first: number; count: number },
): Seat {
  if (!(memory.buffer instanceof SharedArrayBuffer)) {
    throw new TypeError(`Cannot place the ${what}: the memory is not shared`);
  }
  let shared = memories.get(memory);
  if (shared === undefined) {
    shared = new SharedMemory(memory);
    memories.set(memory, shared);
  }
  const { owner } = options;
  if (owner !== undefined && !(Number.isInteger(owner) && owner >= 1 && owner <= MAXIMUM_OWNER)) {
    throw new RangeError(
      `Cannot place the ${what}: owner must be an integer from 1 to ${MAXIMUM_OWNER}, but is ${owner}`,
    );
  }
  const id = owner ?? 1 + Math.floor(Math.random() * MAXIMUM_OWNER);
  const mayBlock = options.mayBlock ?? threadMayBlock();
  return {
    memory: shared,
    party: new BareParty(shared, id, mayBlock, lanes.first, lanes.count),
    agent: undefined,
    records: undefined,
    allocator: undefined,
    anonymous: owner === undefined,
  };
}

/** Allocates and clears the place of a lock: lines of its own, so that locks do not slow each other down. */
export function allocatePlace(pool: LockPool, bytes: number): number {
  const address = pool.allocator.allocate(Math.ceil(bytes / LINE_BYTES) * LINE_BYTES, LINE_BYTES);
  const { memory } = pool.agent as Agent;
  if (address + bytes > memory.bytes) memory.refresh();
  // Atomic stores: whoever learns of the address by a message or a word sees a lock that is free.
  for (let word = address / 4; word < (address + bytes) / 4; word++) memory.wasm.store(word, 0);
  return address;
}

/** Checks options of a wait, and returns the timeout. */
export function timeoutOf(options: LockOptions | undefined, operation: string): number {
  const timeoutMs = options?.timeoutMs;
  if (timeoutMs === undefined) return Infinity;
  if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
    throw new RangeError(`Cannot ${operation}: timeoutMs must be a number not below 0, but is ${timeoutMs}`);
  }
  return timeoutMs;
}
