/**
 * A worker that frees blocks which another worker frees, too.
 *
 * @module
 */
import { Allocator } from "../../src/alloc/allocator.ts";
import { AllocatorAddressError } from "../../src/alloc/errors.ts";
import { attachHeap } from "../unit/alloc/support.ts";

interface Job {
  readonly memory: WebAssembly.Memory;
  readonly addresses: readonly number[];
  readonly gate: Int32Array;
}

/** Blocks from one gate to the next. */
const CHUNK = 200;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Job>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data: { memory, addresses, gate } }) => {
  try {
    const allocator = new Allocator(attachHeap(memory));
    let freed = 0;
    for (const [index, address] of addresses.entries()) {
      if (index % CHUNK === 0) {
        // Both start on the same blocks at the same time, again and again.
        Atomics.add(gate, 0, 1);
        while (Atomics.load(gate, 0) < 2 * (index / CHUNK + 1));
      }
      try {
        allocator.free(address);
        freed++;
      } catch (error) {
        if (!(error instanceof AllocatorAddressError)) throw error;
      }
    }
    scope.postMessage({ freed });
  } catch (error) {
    scope.postMessage({ error: String(error) });
  }
};
