/**
 * Artifacts in Chromium: the bundle that users make, hashes and artifacts as everywhere else, one compilation for a page
 * and its workers, a cache that outlives the page, and no Binaryen where nothing is compiled.
 *
 * @module
 */
import { chromium } from "playwright-core";
import { Engine, type EngineConfig } from "../../artifact.ts";
import { SAMPLE_CONFIG, SAMPLE_RESULT, SAMPLE_TEXT } from "../support/artifact_sample.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type Bundle, bundleModules, loadedWith, modulesWith } from "../support/bundle.ts";
import { ISOLATED, provideProgram } from "../support/hosts.ts";
import { assemble } from "../unit/artifact/compiler/support.ts";
import type { ArtifactPage } from "./artifact_page.ts";
import type { Asked, EngineReport, Question } from "./artifact_realm.ts";

const CHROMIUM = "/usr/bin/chromium";
const WORKERS = 4;
const CACHE = "artifacts-of-the-test";

/** What the page has put into its global scope. */
declare const artifactPage: ArtifactPage;

async function bundle(): Promise<Bundle> {
  const here = (name: string) => new URL(name, import.meta.url);
  return await bundleModules({
    "artifact_page": here("./artifact_page.ts"),
    "artifact_worker": here("./artifact_worker.ts"),
    "artifact": here("../../artifact.ts"),
  }, "browser");
}

/** What an answer says, without times and sizes. */
function outcome({ result, counted, read, errors }: Asked): unknown {
  const { hits = 0, misses = 0, compiled = 0, unusable = 0, failures = 0 } = counted;
  return { result, counted: { hits, misses, compiled, unusable, failures }, read, errors };
}

/** What is expected of a look-up that hits. */
const hit = (marked: boolean) => ({
  result: SAMPLE_RESULT,
  counted: { hits: 1, misses: 0, compiled: 0, unusable: 0, failures: 0 },
  read: [marked],
  errors: [],
});
/** What is expected of a look-up that misses and compiles: it looks once more when it has the lock. */
const COMPILED = {
  result: SAMPLE_RESULT,
  counted: { hits: 0, misses: 1, compiled: 1, unusable: 0, failures: 0 },
  read: [null, null],
  errors: [],
};
/** What is expected of one that finds an altered entry. */
const REPLACED = {
  result: SAMPLE_RESULT,
  counted: { hits: 0, misses: 1, compiled: 1, unusable: 1, failures: 0 },
  read: [false, false],
  errors: ["ERR_ARTIFACT_ALTERED"],
};

Deno.test("a browser's bundle loads Binaryen, clients and Node's modules only when they are asked for", async () => {
  const modules = await bundle();
  const binaryen = modulesWith(modules, "node_modules/binaryen/index.js");
  assertEquals(binaryen.length, 1, "Binaryen is in one module");
  assertEquals(modules.get(binaryen[0]!)!.sources.length, 1, "with nothing else");
  for (const entry of ["artifact", "artifact_page", "artifact_worker"]) {
    assert(!loadedWith(modules, `${entry}.mjs`).has(binaryen[0]!), `${entry} loads Binaryen`);
  }
  for (const [name, { external }] of modules) assertEquals(external, [], `${name} cannot be loaded in a browser`);
});

Deno.test("artifacts in Chromium", async (t) => {
  await provideProgram(CHROMIUM, "chromium");
  const modules = await bundle();
  const [binaryen] = modulesWith(modules, "node_modules/binaryen/index.js");
  const wasm = await assemble(SAMPLE_TEXT);
  let requested: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const name = new URL(request.url).pathname.slice(1);
    const headers = { ...ISOLATED, "Cache-Control": "no-store" };
    if (name === "") {
      const page = '<!doctype html><meta charset="utf-8"><script type="module" src="/artifact_page.mjs"></script>';
      return new Response(page, { headers: { ...headers, "Content-Type": "text/html" } });
    }
    requested.push(name);
    const module = modules.get(name);
    if (module === undefined) return new Response("not found", { status: 404, headers });
    return new Response(module.bytes, { headers: { ...headers, "Content-Type": "text/javascript" } });
  });
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  /** How often Binaryen has been requested since the last call. */
  const fetched = () => {
    const count = requested.filter((name) => name === binaryen).length;
    requested = [];
    return count;
  };
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    const load = async () => {
      await page.goto(`http://127.0.0.1:${server.addr.port}/`);
      await page.waitForFunction(() => "artifactPage" in globalThis);
    };
    await load();

    await t.step("hashes as Deno does, by itself and by the browser's cryptography", async () => {
      const expected = new Engine(SAMPLE_CONFIG).serializationCompatibilityHash();
      const reports: EngineReport[] = [
        await page.evaluate((config: EngineConfig) => artifactPage.here("describe", config), SAMPLE_CONFIG),
        await page.evaluate((config: EngineConfig) => artifactPage.inWorker(0, "describe", config), SAMPLE_CONFIG),
      ];
      for (const { sync, async, hasProcess } of reports) {
        assertEquals({ sync, async, hasProcess }, { sync: expected, async: expected, hasProcess: false });
      }
    });
    await t.step("finds out what this browser is", async () => {
      const { config, sync, async } = await page.evaluate(() => artifactPage.here("describe", {}));
      assertEquals(config.target.engine, { name: "v8", version: browser.version() });
      assert(config.features.includes("threads"));
      assertEquals(async, sync);
      const { isaFlags: _, ...same } = config;
      assertEquals(sync, new Engine(same).serializationCompatibilityHash());
    });
    await t.step("downloads Binaryen for none of that", () => assertEquals(fetched(), 0));
    await t.step("compiles in a worker what Deno compiles, byte for byte", async () => {
      const artifact = await page.evaluate(
        ([config, wasm]: [EngineConfig, Uint8Array]) => artifactPage.inWorker(0, "precompile", config, wasm),
        [SAMPLE_CONFIG, wasm] as [EngineConfig, Uint8Array],
      );
      assertEquals(artifact, await new Engine(SAMPLE_CONFIG).precompileModule(wasm));
      const result = await page.evaluate(
        ([config, artifact]: [EngineConfig, Uint8Array]) => artifactPage.here("run", config, artifact),
        [SAMPLE_CONFIG, artifact] as [EngineConfig, Uint8Array],
      );
      assertEquals(result, [...SAMPLE_RESULT]);
      assertEquals(fetched(), 1);
    });

    const inPage = (question: Question) =>
      page.evaluate((question: Question) => artifactPage.here("askPool", question), question);
    const inWorker = (number: number, question: Question) =>
      page.evaluate(
        ([number, question]: [number, Question]) => artifactPage.inWorker(number, "askPool", question),
        [number, question] as [number, Question],
      );
    const question: Question = { wasm, compile: true };

    await t.step("is asked by a page and its workers at once, and compiles once", async () => {
      // Of new workers none has Binaryen.
      await load();
      await page.evaluate((workers: number) => artifactPage.share(workers), WORKERS);
      fetched();
      const answers = await page.evaluate(
        ([workers, question]: [number, Question]) => artifactPage.askAll(workers, question),
        [WORKERS, question] as [number, Question],
      );
      assertEquals(answers.map(({ result }) => result), Array(WORKERS + 1).fill(SAMPLE_RESULT));
      const sum = (name: string) => answers.reduce((sum, { counted }) => sum + (counted[name] ?? 0), 0);
      assertEquals({ compiled: sum("compiled"), hits: sum("hits"), failures: sum("failures") }, {
        compiled: 1,
        hits: WORKERS,
        failures: 0,
      });
      assert(answers.some(({ read }) => read.includes(false)), "somebody has verified it");
      assertEquals(fetched(), 1, "only who compiles needs Binaryen");
    });
    await t.step("takes from the pool what another has verified", async () => {
      for (let number = 0; number < WORKERS; number++) {
        assertEquals(outcome(await inWorker(number, question)), hit(true), `worker ${number}`);
      }
      assertEquals(outcome(await inPage(question)), hit(true));
      assertEquals(fetched(), 0);
    });
    await t.step("marks an entry when the first verifies it who has not made it", async () => {
      const second: Question = { ...question, extra: ["second"] };
      assertEquals(outcome(await inWorker(0, second)), COMPILED);
      assertEquals(outcome(await inWorker(1, second)), hit(false));
      assertEquals(outcome(await inWorker(2, second)), hit(true));
    });
    await t.step("compiles in the page's main thread, for its workers too", async () => {
      assertEquals(outcome(await inPage({ ...question, extra: ["page"] })), COMPILED);
      assertEquals(outcome(await inWorker(3, { ...question, extra: ["page"] })), hit(false));
    });
    await t.step("refuses what was altered in the pool, and compiles it again", async () => {
      await page.evaluate(async (question: Question) => {
        await artifactPage.inWorker(0, "alterInPool", await artifactPage.here("keyOf", question));
      }, question);
      assertEquals(outcome(await inWorker(1, question)), REPLACED);
      assertEquals(outcome(await inWorker(2, question)), hit(false));
      assertEquals(outcome(await inPage(question)), hit(true));
    });

    const askCache = (question: Question) =>
      page.evaluate((question: Question) => artifactPage.here("askOpened", question), question);
    const open = () => page.evaluate((url: string) => artifactPage.here("open", url), `cache:${CACHE}`);

    await t.step("keeps in the cache what it compiled", async () => {
      await load();
      await open();
      fetched();
      assertEquals(outcome(await askCache(question)), COMPILED);
      assertEquals(fetched(), 1);
    });
    await t.step("finds it after a reload, without Binaryen", async () => {
      await page.reload();
      await page.waitForFunction(() => "artifactPage" in globalThis);
      await open();
      assertEquals(outcome(await askCache({ ...question, compile: false })), hit(false));
      assertEquals(outcome(await askCache(question)), hit(false));
      const bytes = requested.reduce((sum, name) => sum + modules.get(name)!.bytes.length, 0);
      assert(bytes < modules.get(binaryen!)!.bytes.length / 10, `${bytes} bytes were downloaded`);
      assertEquals(fetched(), 0);
    });
    await t.step("refuses what was altered in the cache, and compiles it again", async () => {
      await page.evaluate(async ([name, question]: [string, Question]) => {
        await artifactPage.here("alterInCache", name, await artifactPage.here("keyOf", question));
      }, [CACHE, question] as [string, Question]);
      const altered = await askCache({ ...question, compile: false });
      assertEquals([altered.result, altered.errors], [undefined, ["ERR_ARTIFACT_ALTERED"]]);
      assertEquals(outcome(await askCache(question)), REPLACED);
      assertEquals(outcome(await askCache(question)), hit(false));
    });

    await t.step("says what a page cannot have", async () => {
      const failure = (what: "open" | "create", value: string) =>
        page.evaluate(
          ([what, value]: ["open" | "create", string]) => artifactPage.here("failure", what, value),
          [what, value] as ["open" | "create", string],
        );
      const directory = await failure("open", "/artifacts");
      assert(directory.startsWith("ERR_ARTIFACT_STORE: "), directory);
      assertStringIncludes(directory, "needs node:fs");
      for (const [url, name] of [["redis://127.0.0.1:1", "redis"], ["s3://bucket/prefix", "@aws-sdk/client-s3"]]) {
        const client = await failure("open", url!);
        assert(client.startsWith("ERR_ARTIFACT_STORE: "), client);
        assertStringIncludes(client, `"${name}" cannot be loaded`);
      }
      const native = await failure("create", "wasmtime");
      assert(native.startsWith("ERR_ARTIFACT_COMPILER_UNAVAILABLE: "), native);
    });
  } finally {
    await browser.close();
    await server.shutdown();
  }
});
