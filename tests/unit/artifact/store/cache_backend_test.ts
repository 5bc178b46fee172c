/**
 * Artifacts in the Cache API outside of browsers, and hosts that have only a part of it. Browsers: see
 * `tests/browser/artifact_cache_test.ts`.
 *
 * @module
 */
import { ArtifactStoreError } from "../../../../src/artifact/errors.ts";
import { CacheBackend } from "../../../../src/artifact/store/cache_backend.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { mustLock } from "../../../support/backend_check.ts";
import { backendConformance } from "../../../support/backend_conformance.ts";
import { node24Path } from "../../../support/node24.ts";

const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/** A cache that goes with the test. */
async function scratch(touchIntervalMs = 0): Promise<{ name: string; backend: CacheBackend } & AsyncDisposable> {
  const name = `extmemfs-test-${crypto.randomUUID()}`;
  const backend = await CacheBackend.open(name, { touchIntervalMs });
  return { name, backend, [Symbol.asyncDispose]: async () => void await caches.delete(name) };
}

for (const touchIntervalMs of [0, 60_000]) {
  backendConformance(`CacheBackend in Deno (touched every ${touchIntervalMs} ms)`, async () => {
    const { name, backend } = await scratch(touchIntervalMs);
    const another = () => CacheBackend.open(name, { touchIntervalMs });
    return { backend, another, close: async () => void await caches.delete(name) };
  }, { touchIntervalMs });
}

Deno.test("CacheBackend.open() names the cache, which others of that name share, and is not for strangers", async () => {
  await using place = await scratch();
  assertEquals([place.backend.name, place.backend.shared], [`cache:${place.name}`, false]);
  await using other = await scratch();
  await place.backend.write(KEY, Uint8Array.of(1));
  assertEquals(await other.backend.read(KEY), undefined);
  const lock = await mustLock(place.backend, KEY, 0);
  await (await mustLock(other.backend, KEY, 0))[Symbol.asyncDispose]();
  await lock[Symbol.asyncDispose]();
});

Deno.test("CacheBackend.touch() copies no body: it makes a second response, which goes with its entry", async () => {
  await using place = await scratch();
  const cache = await caches.open(place.name);
  const urls = async () => (await cache.keys()).map(({ url }) => url).sort();
  const [entry, use] = ["artifacts", "last-used"].map((folder) =>
    `https://extmemfs.invalid/.extmemfs/${folder}/${KEY}`
  );
  await place.backend.write(KEY, Uint8Array.of(1, 2, 3));
  assertEquals(await urls(), [entry!]);
  const response = (await cache.match(entry!))!;
  assertEquals([response.headers.get("content-type"), response.headers.get("content-length")], [
    "application/wasm",
    "3",
  ]);
  await response.body?.cancel();
  await place.backend.touch(KEY, Date.now() + 1000);
  assertEquals(await urls(), [entry!, use!]);
  await place.backend.remove(KEY);
  assertEquals(await urls(), []);

  // As one leaves it who touches what another removes at the same moment.
  await cache.put(use!, new Response("", { headers: { "x-extmemfs-last-used": "5" } }));
  await cache.put("https://extmemfs.invalid/of-another", new Response("foreign"));
  await cache.put(entry!.slice(0, -1), new Response("a key that is none"));
  const listed = [];
  for await (const { key } of place.backend.list()) listed.push(key);
  assertEquals([listed, (await urls()).includes(use!)], [[], false]);
});

Deno.test("CacheBackend.open() where there is no Cache API, or none to be used, says what it needs", async () => {
  const program = `
    import { CacheBackend } from ${
    JSON.stringify(new URL("../../../../src/artifact/store/cache_backend.ts", import.meta.url).href)
  };
    try { await CacheBackend.open("x"); } catch (error) { console.log(error.code + " " + error.message); }`;
  const node = await node24Path();
  const { stdout } = await new Deno.Command(node, { args: ["--input-type=module", "-e", program] }).output();
  const printed = new TextDecoder().decode(stdout);
  assert(
    printed.startsWith("ERR_ARTIFACT_STORE ") && printed.includes("a secure context: https or localhost"),
    printed,
  );

  const denied = new DOMException("denied", "SecurityError");
  const storage = { open: () => Promise.reject(denied) } as unknown as CacheStorage;
  const error = await assertRejects(() => CacheBackend.open("x", { caches: storage }), ArtifactStoreError, "denied");
  assertEquals(error.cause, denied);
  await assertRejects(() => CacheBackend.open("x", { touchIntervalMs: NaN }), RangeError);
});

Deno.test("CacheBackend works in a host whose caches have no keys(), but for list(), which says so", async () => {
  await using place = await scratch();
  // The real cache without one method, as older hosts have it.
  const storage = {
    open: async (name: string) => {
      const cache = await caches.open(name);
      return { match: cache.match.bind(cache), put: cache.put.bind(cache), delete: cache.delete.bind(cache) };
    },
  } as unknown as CacheStorage;
  const backend = await CacheBackend.open(place.name, { caches: storage });
  await backend.write(KEY, Uint8Array.of(4));
  assertEquals((await backend.read(KEY))?.bytes, Uint8Array.of(4));
  await assertRejects(() => Array.fromAsync(backend.list()), ArtifactStoreError, "have no keys()");
});
