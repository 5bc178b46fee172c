/**
 * One worker of the filesystem's stress tests: attaches, waits at the gate, runs a mix, detaches.
 *
 * @module
 */
import { FileSystem } from "../../mod.ts";
import { passGate, Random, type StressJob, type StressReply } from "../support/stress.ts";
import { MIXES, Shift } from "./filesystem_mixes.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<StressJob>) => void;
  postMessage(message: StressReply): void;
};

scope.onmessage = ({ data: job }) => {
  try {
    const mix = MIXES[job.mix];
    if (mix === undefined) throw new Error(`no mix ${job.mix}`);
    const { debugLevel } = job;
    const fs = FileSystem.attach(job.handle, { debugLevel });
    passGate(job);
    const report = mix.work(new Shift(fs, job, new Random(job.seed)));
    fs.detach();
    scope.postMessage({ report });
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? error.stack ?? error.message : String(error) });
  }
};
