/**
 * The worker of `run.ts`: loads a program and passes on what it prints and how it ends.
 *
 * @module
 */

/** What the worker is started with. */
export interface ProgramStart {
  readonly url: string;
  readonly arguments: string[];
  readonly module: Readonly<Record<string, unknown>>;
}

/** What the worker says. */
export type WorkerMessage =
  | { readonly kind: "stdout" | "stderr"; readonly line: string }
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "failure"; readonly reason: string };

/** The part of a worker's scope that is used. */
interface Scope {
  onmessage: ((event: MessageEvent<ProgramStart>) => void) | null;
  postMessage(message: WorkerMessage): void;
}

const scope = self as unknown as Scope;

scope.onmessage = async ({ data: start }) => {
  try {
    const { default: createProgram } = await import(start.url);
    await createProgram({
      ...start.module,
      arguments: start.arguments,
      print: (line: string) => scope.postMessage({ kind: "stdout", line }),
      printErr: (line: string) => scope.postMessage({ kind: "stderr", line }),
      onExit: (code: number) => scope.postMessage({ kind: "exit", code }),
      onAbort: (reason: unknown) => scope.postMessage({ kind: "failure", reason: `aborted: ${reason}` }),
    });
  } catch (error) {
    // How emscripten unwinds an exit; onExit has said its code.
    if ((error as Error)?.name === "ExitStatus") return;
    scope.postMessage({
      kind: "failure",
      reason: error instanceof Error ? error.stack ?? error.message : String(error),
    });
  }
};
