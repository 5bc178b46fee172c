/**
 * A worker that attaches, opens files, says who it is, and never comes back.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import type { PoolHandle } from "../../src/store/pool.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<PoolHandle>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data: handle }) => {
  const fs = FileSystem.attach(handle);
  // More than one block of the ledger holds.
  for (let file = 0; file < 70; file++) fs.openSync("/shared", "r");
  const own = fs.openSync("/nameless", "w+");
  fs.writeSync(own, "x".repeat(100_000));
  fs.unlinkSync("/nameless");
  fs.openSync("/appended", "a");
  scope.postMessage(fs.agentId);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};
