/**
 * Artifacts in the Cache API of Chromium: in a page and its workers, at once and after a reload, and where a page may not
 * have it.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { chromium } from "playwright-core";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { BACKEND_CHECKS } from "../support/backend_checks.ts";
import { ISOLATED, provideProgram } from "../support/hosts.ts";
import type { CachePage, CacheWorkers } from "./artifact_cache_page.ts";

const CHROMIUM = "/usr/bin/chromium";
const SEED = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** What the page has put into its global scope. */
declare const artifactCache: CachePage;
declare const cacheWorkers: CacheWorkers;

async function bundlePage(): Promise<string> {
  try {
    const { outputFiles } = await esbuild.build({
      entryPoints: [decodeURIComponent(new URL("./artifact_cache_page.ts", import.meta.url).pathname)],
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "esnext",
      write: false,
    });
    return outputFiles[0].text;
  } finally {
    await esbuild.stop();
  }
}

Deno.test("CacheBackend in Chromium", async (t) => {
  await provideProgram(CHROMIUM, "chromium");
  const script = await bundlePage();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const js = request.url.endsWith(".js");
    return new Response(js ? script : '<!doctype html><script type="module" src="/page.js"></script>', {
      headers: { ...ISOLATED, "Content-Type": js ? "text/javascript" : "text/html" },
    });
  });
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--host-resolver-rules=MAP *.test 127.0.0.1"],
  });
  try {
    const context = await browser.newContext();
    const open = async (host: string) => {
      const page = await context.newPage();
      await page.goto(`http://${host}:${server.addr.port}/`);
      await page.waitForFunction(() => "artifactCache" in globalThis);
      return page;
    };
    const page = await open("localhost");
    const startWorker = (name: string, of: "url" | "blob") =>
      page.evaluate(({ name, of }: { name: string; of: "url" | "blob" }) => cacheWorkers.start(name, of), { name, of });

    const expected = { passed: BACKEND_CHECKS.length, failures: [] };
    await t.step("conforms to what stores ask of a backend, in the page", async () => {
      assertEquals(await page.evaluate((seed: number) => artifactCache.check("checks", seed), SEED), expected);
    });
    await t.step("conforms to what stores ask of a backend, in a worker, while the page does as much", async () => {
      await startWorker("checks", "url");
      const [inPage, inWorker] = await page.evaluate((seed: number) =>
        Promise.all([
          artifactCache.check("both", seed + 1000),
          cacheWorkers.in("checks", { method: "check", args: ["both", seed + 2000] }),
        ]), SEED);
      assertEquals([inPage, inWorker], [expected, expected]);
    });
    await t.step("lets one of page and workers in at a time, and shows them whole entries", async () => {
      await startWorker("first", "url");
      await startWorker("second", "blob");
      const failures = await page.evaluate(async (seed: number) => {
        const shared = new Int32Array(new SharedArrayBuffer(8));
        const args = ["contended", seed, shared, 25];
        return (await Promise.all([
          artifactCache.contend("contended", seed, shared, 25),
          cacheWorkers.in("first", { method: "contend", args }),
          cacheWorkers.in("second", { method: "contend", args }),
        ])).flat();
      }, SEED);
      assertEquals(failures, []);
    });
    await t.step("gives the lock of a worker that was terminated to one who waits", async () => {
      await startWorker("holder", "url");
      const outcome = await page.evaluate(async (seed: number) => {
        await cacheWorkers.in("holder", { method: "hold", args: ["held", seed] });
        const meanwhile = await artifactCache.take("held", seed, 100);
        const later = artifactCache.take("held", seed, 20_000);
        cacheWorkers.end("holder");
        return [meanwhile, await later];
      }, SEED);
      assertEquals(outcome, [false, true]);
    });
    await t.step("keeps entries over a reload, for the page, another page, and a worker made of a blob", async () => {
      const lastUsedMs = Date.now() + 10_000_000;
      await page.evaluate(
        (entry: { seed: number; lastUsedMs: number }) => artifactCache.write("kept", entry.seed, entry.lastUsedMs),
        { seed: SEED, lastUsedMs },
      );
      const kept = { same: 300_000, lastUsedMs };
      await page.reload();
      await page.waitForFunction(() => "artifactCache" in globalThis);
      assertEquals(await page.evaluate((seed: number) => artifactCache.read("kept", seed), SEED), kept);
      await startWorker("blob", "blob");
      const call = (seed: number) => cacheWorkers.in("blob", { method: "read", args: ["kept", seed] });
      assertEquals(await page.evaluate(call, SEED), kept);
      const other = await open("localhost");
      assertEquals(await other.evaluate((seed: number) => artifactCache.read("kept", seed), SEED), kept);
      // Another origin sees nothing.
      const stranger = await open("127.0.0.1");
      const found = await stranger.evaluate((seed: number) => artifactCache.read("kept", seed), SEED);
      assertEquals(found, { same: -1, lastUsedMs: -1 });
    });
    await t.step("says in a page that came by http from elsewhere that it needs a secure context", async () => {
      const insecure = await open("host.test");
      const failure = await insecure.evaluate(() => artifactCache.openFailure());
      assert(failure.startsWith("ERR_ARTIFACT_STORE: "), failure);
      assertStringIncludes(failure, "secure context: https or localhost, and this is http://host.test");
    });
  } finally {
    await browser.close();
    await server.shutdown();
  }
});
