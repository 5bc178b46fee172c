/**
 * Chromium for tests: Debian's, driven by playwright-core, on pages of a local server that are isolated, so that there
 * is shared memory.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { chromium } from "playwright-core";
import type { PageOutcome, PageRun } from "./page.ts";

const CHROMIUM = "/usr/bin/chromium";
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-store",
};
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

/** A browser and the server of its pages. */
export interface Browser extends AsyncDisposable {
  /** Runs a program in a page of its own; `path` is the module's on this machine. */
  run(path: string, run: Omit<PageRun, "url">, timeoutMs?: number): Promise<PageOutcome>;
}

/** Starts Chromium, and installs it where it is missing and can be installed. */
export async function startBrowser(): Promise<Browser> {
  await provideChromium();
  const bundles = await bundle();
  /** Folders of this machine that the server shows, by their number. */
  const folders: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const type = TYPES[pathname.slice(pathname.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    const headers = { ...HEADERS, "Content-Type": type };
    const bundled = bundles.get(pathname.slice(1));
    if (bundled !== undefined) return new Response(bundled, { headers });
    const [, folder, name] = /^\/built\/(\d+)\/([\w.-]+)$/.exec(pathname) ?? [];
    if (folder === undefined) return new Response("not found", { status: 404, headers });
    return new Response(await Deno.readFile(`${folders[Number(folder)]}/${name}`), { headers });
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  return {
    async run(path, run, timeoutMs = 60_000) {
      const folder = path.slice(0, path.lastIndexOf("/"));
      if (!folders.includes(folder)) folders.push(folder);
      const url = `${origin}/built/${folders.indexOf(folder)}/${path.slice(folder.length + 1)}`;
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on("pageerror", (error: Error) => errors.push(String(error)));
      const read = () => page.evaluate(() => (globalThis as { outcome?: unknown }).outcome) as Promise<PageOutcome>;
      try {
        await page.goto(`${origin}/page.html`);
        await page.waitForFunction(() => "runProgram" in globalThis);
        await page.evaluate(
          (run: PageRun) => (globalThis as unknown as { runProgram(run: PageRun): void }).runProgram(run),
          { ...run, url },
        );
        for (const end = performance.now() + timeoutMs;;) {
          const outcome = await read();
          if (outcome.exitCode !== undefined && errors.length === 0) return outcome;
          const failure = errors[0] ?? outcome.failure ??
            (performance.now() > end ? `no end after ${timeoutMs} ms` : undefined);
          if (failure !== undefined) {
            const printed = [...outcome.stdout, ...outcome.stderr].join("\n");
            throw new Error(
              `${url} ${run.args.join(" ")} in the ${run.place}: ${failure}\nprinted so far:\n${printed}`,
            );
          }
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      } finally {
        await page.close();
      }
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server.shutdown();
    },
  };
}

/** The page, its script and its worker's, by name. */
async function bundle(): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const here = (name: string) => decodeURIComponent(new URL(name, import.meta.url).pathname);
  const { outputFiles } = await esbuild.build({
    entryPoints: [here("./page.ts"), here("./program_worker.ts")],
    bundle: true,
    format: "esm",
    platform: "browser",
    external: ["node:*"],
    target: "esnext",
    outdir: "/",
    write: false,
  });
  await esbuild.stop();
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { path, contents } of outputFiles) files.set(path.slice(path.lastIndexOf("/") + 1), contents.slice());
  files.set(
    "page.html",
    new TextEncoder().encode('<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>'),
  );
  return files;
}

async function provideChromium(): Promise<void> {
  try {
    await Deno.stat(CHROMIUM);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const { success, stderr } = await new Deno.Command("sh", {
    args: [
      "-c",
      "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install chromium",
    ],
    stdin: "null",
  }).output();
  if (!success) {
    throw new Error(`There is no ${CHROMIUM}, and apt-get failed:\n${new TextDecoder().decode(stderr)}`);
  }
}
