/**
 * Loads a program built by Emscripten into the thread that it is called in, in Deno or a browser, and reports what it
 * prints.
 *
 * @module
 */

/** What to load. */
export interface ProgramLoad {
  /** Address of the module. */
  readonly url: string;
  /** Arguments of the program. */
  readonly args: readonly string[];
  /** What it reads from its standard input. */
  readonly stdin: string;
  /** Further properties of the module, such as `extmemfs`. */
  readonly module: Readonly<Record<string, unknown>>;
}

/** What happens to a program. */
export type ProgramEvent =
  | { readonly type: "ready" }
  | { readonly type: "stdout" | "stderr"; readonly line: string }
  | { readonly type: "exit"; readonly code: number }
  | { readonly type: "failed"; readonly message: string };

interface ProgramModule {
  callMain(args: string[]): unknown;
}

/** Loads a program; what is returned runs its main(). */
export async function loadProgram(load: ProgramLoad, report: (event: ProgramEvent) => void): Promise<() => void> {
  const input = new TextEncoder().encode(load.stdin);
  let position = 0;
  const create = (await import(load.url)).default as (options: Record<string, unknown>) => Promise<ProgramModule>;
  const options: Record<string, unknown> = {
    ...load.module,
    // Preloaded files are looked for beside the page otherwise, not beside the module.
    locateFile: (name: string) => new URL(name, load.url).href,
    print: (line: string) => {
      report({ type: "stdout", line });
      // A program on a thread waits for this: see finish.h.
      if (line === "# end") options.sawEnd = true;
    },
    printErr: (line: string) => report({ type: "stderr", line }),
    stdin: () => position < input.length ? input[position++] : null,
    onExit: (code: number) => report({ type: "exit", code }),
    onAbort: (what: unknown) => report({ type: "failed", message: `abort(${what})` }),
  };
  const module = await create(options);
  return () => {
    try {
      module.callMain([...load.args]);
    } catch (error) {
      // exit() leaves by throwing; it has been reported.
      if ((error as Error)?.name !== "ExitStatus") {
        report({ type: "failed", message: String((error as Error)?.stack ?? error) });
      }
    }
  };
}
