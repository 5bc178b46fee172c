/**
 * A worker that loads one program built by Emscripten, and runs it when told to. Also bundled for browsers.
 *
 * @module
 */
import { loadProgram, type ProgramEvent, type ProgramLoad } from "./program_host.ts";

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<ProgramLoad | "start">) => void) | null;
  postMessage(event: ProgramEvent): void;
};

let start: (() => void) | undefined;

scope.onmessage = async ({ data }) => {
  if (data === "start") return start?.();
  try {
    start = await loadProgram(data, (event) => scope.postMessage(event));
    scope.postMessage({ type: "ready" });
  } catch (error) {
    scope.postMessage({ type: "failed", message: String((error as Error)?.stack ?? error) });
  }
};
