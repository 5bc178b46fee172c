/**
 * A worker that keeps a pool busy while a program runs on it: it makes the pool grow, changes the length of other files,
 * or truncates and rewrites one that the program uses.
 *
 * @module
 */
import { FileSystem, type PoolHandle } from "../../../mod.ts";

/** What to do. */
export interface Company {
  /** The pool. */
  readonly handle: PoolHandle;
  /** `grow`: other files; `tear`: the file `/torn`. */
  readonly what: "grow" | "tear";
}

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<Company | "stop">) => void) | null;
  postMessage(rounds: number): void;
  close(): void;
};

const LARGEST_BYTES = 48 * 2 ** 20;
const TORN_BYTES = 12000;
let stopped = false;

function grow(fs: FileSystem): () => void {
  const piece = new Uint8Array(200_000).fill(7);
  fs.mkdirSync("/company", { recursive: true });
  let total = 0;
  let round = 0;
  return () => {
    const path = `/company/${round++ % 8}`;
    fs.appendFileSync(path, piece);
    total += piece.length;
    if (total > LARGEST_BYTES) {
      for (let index = 0; index < 8; index++) fs.truncateSync(`/company/${index}`, index * 1000);
      total = 0;
    } else if (round % 5 === 0) fs.truncateSync(path, fs.statSync(path).size + 100_000);
  };
}

function tear(fs: FileSystem): () => void {
  const fd = fs.openSync("/torn", "r+");
  const bytes = new Uint8Array(TORN_BYTES);
  let round = 0;
  return () => {
    round++;
    fs.ftruncateSync(fd, (round * 2311) % TORN_BYTES);
    if (round % 3 === 0) fs.ftruncateSync(fd, 0);
    fs.writeSync(fd, bytes.fill(round % 64), 0, TORN_BYTES, 0);
    if (round % 7 === 0) fs.ftruncateSync(fd, 0);
  };
}

scope.onmessage = ({ data }) => {
  if (data === "stop") {
    stopped = true;
    return;
  }
  const fs = FileSystem.attach(data.handle);
  const step = data.what === "grow" ? grow(fs) : tear(fs);
  let rounds = 0;
  const run = () => {
    for (let index = 0; index < 20; index++) step();
    rounds += 20;
    if (!stopped) {
      setTimeout(run, 0);
      return;
    }
    fs.detach();
    scope.postMessage(rounds);
    scope.close();
  };
  run();
};
