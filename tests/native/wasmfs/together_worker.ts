/**
 * The worker of `together_test.ts`: what the programs do, through the library.
 *
 * @module
 */
import { FileSystem, type PoolHandle } from "../../../mod.ts";

const ROUNDS = 100;

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<PoolHandle>) => void) | null;
  postMessage(won: number): void;
};

scope.onmessage = ({ data: handle }) => {
  using fs = FileSystem.attach(handle);
  let won = 0;
  for (let i = 0; i < ROUNDS; i++) {
    fs.appendFileSync("/test/log", `line of worker-0-${i}\n`);
    try {
      fs.writeFileSync(`/test/claim-${i}`, "", { flag: "wx" });
      won++;
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    }
    fs.writeFileSync(`/test/own-worker-${i}`, "text");
    fs.renameSync(`/test/own-worker-${i}`, `/test/replaced-${i % 5}`);
  }
  scope.postMessage(won);
};
