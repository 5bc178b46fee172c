/**
 * What taking a lock can end with, other than the lock.
 *
 * @module
 */
import { EAGAIN, EDEADLK, EIDRM, ETIMEDOUT } from "../layout/errno.ts";
import { LOCK_GENERATION_SHIFT, LOCK_OWNER, LOCK_SLOT_BITS, LOCK_SLOT_SHIFT } from "../layout/lock_word.ts";
import { ErrnoError } from "../memory/errors.ts";

/** Who holds a lock exclusively. */
export interface LockHolder {
  /** The holder's slot in the pool's agent table; for a lock on bare memory, the holder's `owner` number. */
  readonly slot: number;
  /** The low 16 bits of the slot's generation: which of the agents that had the slot it is. 0 on bare memory. */
  readonly generation: number;
}

/** Reads the holder out of a lock's state word; undefined where nobody holds it. `bare`: a lock without a slot table. */
export function holderOf(state: number, bare: boolean): LockHolder | undefined {
  if ((state & LOCK_OWNER) === 0) return undefined;
  const id = (state >>> LOCK_SLOT_SHIFT) & ((1 << LOCK_SLOT_BITS) - 1);
  return { slot: bare ? id : id - 1, generation: state >>> LOCK_GENERATION_SHIFT };
}

function describe(holder: LockHolder | undefined): string {
  return holder === undefined
    ? "readers, or a waiter before this one, keep it"
    : `it is held by slot ${holder.slot}, generation ${holder.generation}`;
}

/** A lock was not released in time. */
export class LockTimeoutError extends ErrnoError {
  /** `LockTimeoutError`. */
  override readonly name = "LockTimeoutError";
  /** Who held the lock when the time was over; undefined where readers did. */
  readonly holder: LockHolder | undefined;
  /** Makes the error. */
  constructor(operation: string, timeoutMs: number, holder: LockHolder | undefined) {
    super(ETIMEDOUT, operation, `not taken within ${timeoutMs} ms, ${describe(holder)}`);
    this.holder = holder;
  }
}

/**
 * The thread may not block (a browser's main thread, or an agent attached with `mayBlock: false`), and what it waits for
 * did not come while it was spinning. Use the `…Async` form there.
 */
export class WouldBlockError extends ErrnoError {
  /** `WouldBlockError`. */
  override readonly name = "WouldBlockError";
  /** Who held the lock; undefined where readers did. */
  readonly holder: LockHolder | undefined;
  /** Makes the error. */
  constructor(operation: string, holder: LockHolder | undefined, advice: string, what: string = describe(holder)) {
    super(EAGAIN, operation, `this thread may not block and ${what}; ${advice}`);
    this.holder = holder;
  }
}

/** The agent waits for a lock that it holds itself. */
export class DeadlockError extends ErrnoError {
  /** `DeadlockError`. */
  override readonly name = "DeadlockError";
  /** Makes the error. */
  constructor(operation: string) {
    super(EDEADLK, operation, "this agent itself holds the lock");
  }
}

/** The agent has been retired, or has detached: it takes no more locks. */
export class AgentRetiredError extends ErrnoError {
  /** `AgentRetiredError`. */
  override readonly name = "AgentRetiredError";
  /** Makes the error. */
  constructor(operation: string) {
    super(EIDRM, operation, "attach again");
  }
}

/** The error for what a lock operation returned. */
export function lockError(
  status: number,
  operation: string,
  timeoutMs: number,
  holder: LockHolder | undefined,
): ErrnoError {
  switch (-status) {
    case ETIMEDOUT:
      return new LockTimeoutError(operation, timeoutMs, holder);
    case EAGAIN:
      return new WouldBlockError(operation, holder, `use ${operation}Async`);
    case EDEADLK:
      return new DeadlockError(operation);
    case EIDRM:
      return new AgentRetiredError(operation);
    default:
      return new ErrnoError(-status, operation);
  }
}
