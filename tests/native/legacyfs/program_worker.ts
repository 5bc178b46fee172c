/**
 * A worker that runs one of the programs over the shared tree, at `/shared`, and does what it is told.
 *
 * @module
 */
import { FileSystem, type PoolHandle } from "../../../mod.ts";
import { createExtMemFS } from "../../../emscripten.ts";
import { loadGit, loadPython, loadSql, type ProgramFS, type SqlDatabase } from "./programs.ts";

/** What a worker is told: first to load a program, then what the program is to do. */
export type Order =
  | { readonly load: "python" | "git" | "sql"; readonly handle: PoolHandle }
  | { readonly run: string | readonly string[] };

/** What it answers. */
export interface Answer {
  readonly result?: unknown;
  readonly error?: string;
}

type Run = (what: never) => unknown;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(message: Answer): void;
};

let run: Run;

async function load(program: "python" | "git" | "sql", handle: PoolHandle): Promise<void> {
  const fs = FileSystem.attach(handle, { debugLevel: 1 });
  const mount = (FS: ProgramFS) => {
    FS.mkdir("/shared");
    FS.mount(createExtMemFS(FS), { fs }, "/shared");
  };
  if (program === "python") {
    const { python, FS } = await loadPython();
    mount(FS);
    run = (code: string) => python.runPython(code);
  } else if (program === "git") {
    const git = await loadGit();
    mount(git.FS);
    run = ([folder, ...args]: string[]) => {
      git.FS.chdir(folder!);
      return git.run(...args);
    };
  } else {
    const { SQL, FS } = await loadSql();
    mount(FS);
    let database: SqlDatabase | undefined;
    run = ([name, text]: [string, string]) => {
      if (name !== "") database = new SQL.Database(name, { filename: true });
      const rows = database!.exec(text).at(-1)?.values ?? [];
      if (text === "") database!.close();
      return rows;
    };
  }
}

scope.onmessage = async ({ data: order }) => {
  try {
    const result = "load" in order ? await load(order.load, order.handle) : run(order.run as never);
    scope.postMessage({ result });
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? error.stack ?? error.message : String(error) });
  }
};
