/** Stores by URL: which backend a URL names, and what is refused. Those of servers are tested with the servers. */
import { pathToFileURL } from "node:url";
import { ArtifactKeyError, ArtifactStoreError } from "../../../../src/artifact/errors.ts";
import { DirectoryBackend } from "../../../../src/artifact/store/directory_backend.ts";
import { openStore } from "../../../../src/artifact/store/open_store.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { assertRight } from "./bench.ts";
import { ENGINE, moduleOf } from "./modules.ts";

const KEY = new Uint8Array(32).fill(7);

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "artifacts ä#" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openStore() of a path, a file URL and its text opens the same directory", async () => {
  await withFolder(async (folder) => {
    const url = pathToFileURL(folder);
    const compiled: number[] = [];
    for (const place of [folder, url, url.href, `${url.href}?shared=false`]) {
      await using store = await openStore(place);
      assert(store.backend instanceof DirectoryBackend);
      assertEquals(store.backend.shared, false);
      assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
      compiled.push(store.counters.compiled);
    }
    assertEquals(compiled, [1, 0, 0, 0]);
  });
});

Deno.test("openStore() of a shared directory asks for a key", async () => {
  await withFolder(async (folder) => {
    const { href } = pathToFileURL(folder);
    for (const value of ["true", "1"]) {
      await assertRejects(() => openStore(`${href}?shared=${value}`), ArtifactStoreError, "key");
      await using store = await openStore(`${href}?shared=${value}`, { key: KEY });
      assertEquals(store.backend.shared, true);
      assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
    }
    await assertRejects(() => openStore(`${href}?shared=yes`), ArtifactStoreError, "shared=yes");
    await assertRejects(() => openStore(`${href}?share=true`), ArtifactStoreError, "share=true");
    await assertRejects(() => openStore(folder, { key: new Uint8Array(5) }), ArtifactKeyError);
  });
});

Deno.test("openStore() of what names no store says which there are, and makes nothing", async () => {
  await withFolder(async (folder) => {
    const before = Deno.cwd();
    Deno.chdir(folder);
    try {
      for (const bad of ["http://host/x", "mongodb://host", "ftp:x", "data:text/plain,x", ""]) {
        await assertRejects(() => openStore(bad), ArtifactStoreError);
      }
      for (const bad of [undefined, null, 5, {}, [], true, 5n, Symbol("x"), () => "x"]) {
        await assertRejects(() => openStore(bad as unknown as string), TypeError);
      }
      await assertRejects(() => openStore(folder, null as unknown as Record<string, never>), TypeError);
      assertEquals(Array.from(Deno.readDirSync(folder)), []);
    } finally {
      Deno.chdir(before);
    }
    await Deno.writeTextFile(`${folder}/file`, "");
    await assertRejects(() => openStore(`${folder}/file`), ArtifactStoreError);
    await assertRejects(() => openStore(`${folder}/file/below`), ArtifactStoreError);
  });
});

Deno.test("A store in a directory that is no longer there, or is a file now, compiles, and tells of every failure", async () => {
  await withFolder(async (folder) => {
    const told: string[] = [];
    await using store = await openStore(`${folder}/sub`, {
      onError: (error, during) => told.push(`${during} ${(error as { code?: string }).code}`),
    });
    await Deno.remove(`${folder}/sub`);
    assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
    assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
    assertEquals([store.counters.compiled, store.counters.hits, told.length], [1, 1, 0], "it was not made again");
    await Deno.remove(`${folder}/sub`, { recursive: true });
    await Deno.writeTextFile(`${folder}/sub`, "");
    assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
    assertEquals(told.map((text) => text.split(" ")[0]), ["read", "read", "write"]);
    assertEquals([store.counters.compiled, store.counters.failures], [2, 3]);
    await assertRejects(() => openStore(`${folder}/sub`), ArtifactStoreError);
  });
});
