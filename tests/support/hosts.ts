/**
 * Runs the report of `host_report_main.ts` in other hosts: programs that are given the bundle, and browsers.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { chromium } from "playwright-core";
import type { HostReport, PageReport } from "./host_report.ts";

const CHROMIUM = "/usr/bin/chromium";
const FIREFOX = "/usr/bin/firefox-esr";

/** How long a page may take, in milliseconds. */
const TIMEOUT_MS = 60_000;

/** Headers of a page that is isolated from other origins. */
export const ISOLATED: Readonly<Record<string, string>> = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/**
 * Bundles the report, its worker within.
 *
 * @param modules WebAssembly binaries that the report is to instantiate, by name.
 * @returns A module that imports nothing.
 */
export async function bundleHostReport(modules: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const bytes = Object.fromEntries(Object.entries(modules).map(([name, module]) => [name, [...module]]));
  const define = { MODULES: JSON.stringify(bytes) };
  try {
    const worker = await bundle("./host_report_worker.ts", define);
    return await bundle("./host_report_main.ts", { ...define, WORKER_SOURCE: JSON.stringify(worker) });
  } finally {
    await esbuild.stop();
  }
}

async function bundle(entry: string, define: Record<string, string>): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [decodeURIComponent(new URL(entry, import.meta.url).pathname)],
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["node:*"],
    target: "es2022",
    define,
    write: false,
  });
  return outputFiles[0].text;
}

/** Runs a program that prints a report. */
export async function reportOf(program: string, args: string[], env: Record<string, string> = {}): Promise<HostReport> {
  return JSON.parse(await outputOf(program, args, env));
}

/**
 * Runs a program.
 *
 * @returns What it wrote to its standard output, trimmed.
 * @throws {Error} where it fails, or writes to its standard error: a prompt or a warning is written there.
 */
export async function outputOf(program: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const run = await new Deno.Command(program, { args, env: { NO_COLOR: "1", ...env }, stdin: "null" }).output();
  const stderr = new TextDecoder().decode(run.stderr).trim();
  if (!run.success || stderr !== "") {
    throw new Error(`${program} ${args.join(" ")} ended with ${run.code}:\n${stderr}`);
  }
  return new TextDecoder().decode(run.stdout).trim();
}

/** A page to load in a browser. */
export interface Page {
  /** The host in its address: `127.0.0.1` is a secure context, another is not. */
  readonly host: string;
  /** The headers that it is served with. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a browser says on its own of its version, and what it found in each page. */
export interface BrowserReport {
  readonly version: string;
  readonly reports: readonly PageReport[];
}

/**
 * Loads the report in pages of headless Chromium, which is installed where it is missing and can be.
 *
 * @param source What {@linkcode bundleHostReport} gave.
 */
export async function reportOfChromium(source: string, pages: readonly Page[]): Promise<BrowserReport> {
  await provideProgram(CHROMIUM, "chromium");
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--host-resolver-rules=MAP *.test 127.0.0.1"],
  });
  try {
    const reports: PageReport[] = [];
    for (const page of pages) {
      reports.push(
        await servePage(source, page, async (url, signal) => {
          const tab = await browser.newPage();
          const errors: string[] = [];
          tab.on("pageerror", (error: Error) => errors.push(String(error)));
          signal.addEventListener("abort", () => tab.close());
          await tab.goto(url);
          return () => errors.join("\n");
        }),
      );
    }
    return { version: browser.version(), reports };
  } finally {
    await browser.close();
  }
}

/**
 * Loads the report in pages of headless Firefox, which is installed where it is missing and can be.
 *
 * @param source What {@linkcode bundleHostReport} gave.
 */
export async function reportOfFirefox(source: string, pages: readonly Page[]): Promise<BrowserReport> {
  await provideProgram(FIREFOX, "firefox-esr");
  const reports: PageReport[] = [];
  for (const page of pages) {
    const profile = await Deno.makeTempDir({ prefix: "extmemfs-firefox-" });
    try {
      await Deno.writeTextFile(
        `${profile}/user.js`,
        'user_pref("network.dns.localDomains", "host.test");\nuser_pref("app.update.enabled", false);\n',
      );
      let ended: Promise<unknown> | undefined;
      reports.push(
        await servePage(source, page, (url, signal) => {
          const child = new Deno.Command(FIREFOX, {
            args: ["--headless", "--no-remote", "--profile", profile, url],
            env: { HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" },
            stdin: "null",
            stdout: "null",
            stderr: "null",
          }).spawn();
          ended = child.status;
          signal.addEventListener("abort", () => child.kill());
          return Promise.resolve(() => "Firefox says nothing");
        }),
      );
      await ended;
    } finally {
      await Deno.remove(profile, { recursive: true });
    }
  }
  const version = /[\d.]+/.exec(await outputOf(FIREFOX, ["--version"]))![0];
  return { version, reports };
}

/**
 * Serves a page until its report arrives.
 *
 * @param open Has a browser load the address; ends it when the signal says so. It returns a function that tells what is
 * known where no report arrives.
 */
async function servePage(
  source: string,
  page: Page,
  open: (url: string, signal: AbortSignal) => Promise<() => string>,
): Promise<PageReport> {
  const html = '<!doctype html><meta charset="utf-8"><script type="module" src="/main.js"></script>';
  const arrived = Promise.withResolvers<PageReport>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/report") arrived.resolve(await request.json());
    const [body, type] = pathname === "/main.js" ? [source, "text/javascript"] : [html, "text/html"];
    return new Response(body, { headers: { ...page.headers, "Content-Type": type, "Cache-Control": "no-store" } });
  });
  const end = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const known = await open(`http://${page.host}:${server.addr.port}/`, end.signal);
    timer = setTimeout(() => arrived.reject(new Error(`no report from ${page.host}: ${known()}`)), TIMEOUT_MS);
    return await arrived.promise;
  } finally {
    clearTimeout(timer);
    end.abort();
    await server.shutdown();
  }
}

/**
 * Installs a Debian package where its program is missing.
 *
 * @throws {Error} where that is not possible.
 */
export async function provideProgram(path: string, debianPackage: string): Promise<void> {
  try {
    await Deno.stat(path);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const install = "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install";
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", `${install} ${debianPackage}`],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`There is no ${path}, and apt-get failed:\n${new TextDecoder().decode(stderr)}`);
}
