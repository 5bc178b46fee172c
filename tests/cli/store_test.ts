import { type ArtifactStore, Engine, openStore } from "../../artifact.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { run, runJson, smallModule, withFolder } from "./support.ts";

const KEY_HEX = "5a".repeat(32);
const KEY = new Uint8Array(32).fill(0x5a);
const HOUR_MS = 3_600_000;

/** An entry that a test has put into a folder. */
interface Entry {
  readonly key: string;
  readonly path: string;
  readonly bytes: number;
}

/** Fills a folder with entries, the first of which was used last: the n-th n hours ago. */
async function fill(folder: string, count: number, key?: Uint8Array): Promise<Entry[]> {
  const engine = await Engine.create({ compiler: { settings: { optimizeLevel: 0, shrinkLevel: 0 } } });
  const entries: Entry[] = [];
  await using store = await openStore(folder, key === undefined ? {} : { key });
  for (let index = 0; index < count; index++) {
    const wasm = smallModule(1000 + index);
    const { length } = await store.getOrCompileArtifact(wasm, engine);
    const name = store.key(wasm, engine);
    const path = findFile(folder, (file) => !entries.some((entry) => entry.path === file));
    const usedAt = new Date(Date.now() - index * HOUR_MS - 60_000);
    Deno.utimeSync(path, usedAt, usedAt);
    entries.push({ key: name, path, bytes: length });
  }
  return entries;
}

function findFile(folder: string, isNew: (path: string) => boolean): string {
  for (const { name } of Deno.readDirSync(folder)) {
    for (const file of Deno.readDirSync(`${folder}/${name}`)) {
      const path = `${folder}/${name}/${file.name}`;
      if (file.name.endsWith(".wasm") && isNew(path)) return path;
    }
  }
  throw new Error("there is no new file");
}

function alter({ path }: Entry): void {
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  const { atime, mtime } = Deno.statSync(path);
  Deno.writeFileSync(path, bytes);
  Deno.utimeSync(path, atime!, mtime!);
}

async function keysIn(folder: string): Promise<string[]> {
  await using store: ArtifactStore = await openStore(folder);
  const keys: string[] = [];
  for await (const { key } of store.list()) keys.push(key);
  return keys.sort();
}

const keysOf = (entries: readonly { readonly key: string }[]) => entries.map(({ key }) => key).sort();

Deno.test("ls lists a store, what was used last first; --long reads the headers", () =>
  withFolder(async (folder) => {
    assertMatch((await run(["artifact", "ls", "--store", folder])).out, /^0 entries, 0 B in directory:.+\n$/);
    const entries = await fill(folder, 3);
    const { code, out, err } = await run(["artifact", "ls", "--store", folder]);
    assertEquals([code, err], [0, ""]);
    const lines = out.trimEnd().split("\n");
    assertMatch(lines[0]!, /^KEY +SIZE +LAST USED$/);
    assertEquals(lines.slice(1, -1).map((line) => line.split(/ {2,}/)[0]), entries.map(({ key }) => key));
    assertMatch(lines.at(-1)!, /^3 entries, .+ in directory:/);

    const { document } = await runJson(["artifact", "ls", "--store", `file://${folder}`]);
    assertEquals(Object.keys(document), ["store", "entries", "total"]);
    assertEquals(document.total, { entries: 3, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) });
    assertEquals(Object.keys(document.entries[0]), ["key", "bytes", "lastUsedMs"]);
    const age = Date.now() - document.entries[2].lastUsedMs;
    assert(age > 2 * HOUR_MS && age < 3 * HOUR_MS, `${age} ms`);

    Deno.writeTextFileSync(entries[1]!.path, "no artifact");
    const long = await run(["artifact", "ls", "--store", folder, "--long"]);
    assertEquals(long.code, 0);
    assertMatch(long.out, /KIND +TARGET +VERSION +COMPILER +SETTINGS +FEATURES\n/);
    assertMatch(long.out, /module +\S+ \S+ v8 +engine \S+ +binaryen +shrinkLevel=0 optimizeLevel=0 +sign-extensions/);
    assertMatch(long.out, /Z +unreadable\n/);
    assertMatch(long.out, new RegExp(`^${entries[1]!.key}: .+ no WebAssembly binary$`, "m"));
    const details = (await runJson(["artifact", "ls", "--store", folder, "--long"])).document.entries;
    const of = ({ key }: Entry) => details.find((entry: Entry) => entry.key === key);
    assertEquals(of(entries[0]!).header.kind, "module");
    assertEquals(of(entries[1]!).problem.kind, "container");
  }));

Deno.test("verify --store names each entry that is not whole, or lies under a wrong key", () =>
  withFolder(async (folder) => {
    const entries = await fill(folder, 3);
    const whole = await run(["artifact", "verify", "--store", folder]);
    assertEquals(whole.code, 0);
    assertMatch(whole.out, /^3 entries, .+: all whole\n$/);

    alter(entries[0]!);
    Deno.copyFileSync(entries[2]!.path, entries[1]!.path);
    const { code, out } = await run(["artifact", "verify", "--store", folder]);
    assertEquals(code, 1);
    const lines = out.trimEnd().split("\n");
    assertEquals(lines.length, 3);
    assertEquals(lines.slice(0, 2).map((line) => line.split(":")[0]).sort(), keysOf(entries.slice(0, 2)));
    assertMatch(lines[2]!, /^3 entries, .+: 2 not whole$/);
    const { document, ...json } = await runJson(["artifact", "verify", "--store", folder]);
    assertEquals([json.code, document.fits, document.entries.length], [1, false, 3]);
    for (const { key, problem } of document.entries) {
      assertEquals(problem?.code ?? null, key === entries[2]!.key ? null : "ERR_ARTIFACT_ALTERED");
    }
  }));

Deno.test("prune removes the least recently used beyond limits, and what was not used for long", () =>
  withFolder(async (folder) => {
    const entries = await fill(folder, 6);
    const prune = (...args: string[]) => runJson(["artifact", "prune", "--store", folder, ...args]);

    const dry = await prune("--entries", "4", "--dry-run");
    assertEquals([dry.code, dry.document.dryRun], [0, true]);
    assertEquals(keysOf(dry.document.removed), keysOf(entries.slice(4)));
    assertEquals(await keysIn(folder), keysOf(entries), "a dry run removes nothing");

    const byCount = await prune("--entries", "4");
    assertEquals(Object.keys(byCount.document), ["store", "dryRun", "removed", "total", "unjudged"]);
    assertEquals(byCount.document.removed, dry.document.removed);
    assertEquals(byCount.document.total.entries, 2);
    assertEquals(await keysIn(folder), keysOf(entries.slice(0, 4)));

    const byAge = await prune("--unused-for", "2h30m");
    assertEquals(byAge.document.removed, [{ key: entries[3]!.key, bytes: entries[3]!.bytes, reason: "unused" }]);

    const byBytes = await prune("--bytes", `${entries[0]!.bytes + entries[1]!.bytes}B`);
    assertEquals(byBytes.document.removed, [{ key: entries[2]!.key, bytes: entries[2]!.bytes, reason: "limit" }]);
    assertEquals(await keysIn(folder), keysOf(entries.slice(0, 2)));

    const text = await run(["artifact", "prune", "--store", folder, "--bytes", "0"]);
    assertEquals(text.code, 0);
    assertMatch(text.out, /^removed \S{43} .+ \(over the limit\)\n(.+\n)removed 2 entries, .+\n$/);
    assertEquals(await keysIn(folder), []);
  }));

Deno.test("prune --unusable removes what is altered or of another key, and leaves what only a key can judge", () =>
  withFolder(async (folder) => {
    const open = await fill(`${folder}/open`, 2);
    alter(open[1]!);
    const { document } = await runJson(["artifact", "prune", "--store", `${folder}/open`, "--unusable"]);
    assertEquals(document.removed, [{ key: open[1]!.key, bytes: open[1]!.bytes, reason: "unusable" }]);
    assertEquals(document.unjudged, 0);
    assertEquals(await keysIn(`${folder}/open`), [open[0]!.key]);

    const both = await fill(`${folder}/both`, 3);
    alter(both[0]!);
    const { document: combined } = await runJson(
      ["artifact", "prune", "--store", `${folder}/both`, "--unusable", "--unused-for", "90m"],
    );
    assertEquals(
      combined.removed.map(({ key, reason }: Record<string, string>) => [key, reason]),
      [[both[0]!.key, "unusable"], [both[2]!.key, "unused"]],
    );

    const sealed = await fill(`${folder}/sealed`, 2, KEY);
    alter(sealed[1]!);
    const prune = ["artifact", "prune", "--store", `${folder}/sealed`, "--unusable"];
    const blind = await run(prune);
    assertEquals(blind.code, 0);
    assertStringIncludes(blind.out, "left 2 entries that only a key can judge");
    assertEquals(await keysIn(`${folder}/sealed`), keysOf(sealed));

    const env = { EXTMEMFS_ARTIFACT_KEY: KEY_HEX };
    assertEquals((await runJson(prune, { env })).document.removed.map((entry: Entry) => entry.key), [sealed[1]!.key]);
    assertEquals((await run(["artifact", "verify", "--store", `${folder}/sealed`], { env })).code, 0);
    const other = { EXTMEMFS_ARTIFACT_KEY: "77".repeat(32) };
    assertEquals((await runJson(prune, { env: other })).document.removed.length, 1);
    assertEquals(await keysIn(`${folder}/sealed`), []);
  }));

Deno.test("a store that hosts share is listed and pruned by age without its key, and judged only with it", () =>
  withFolder(async (folder) => {
    const entries = await fill(folder, 2, KEY);
    const store = ["--store", `file://${folder}?shared=true`];
    const { document } = await runJson(["artifact", "prune", ...store, "--unused-for", "30m"]);
    assertEquals(document.removed.map((entry: Entry) => entry.key), [entries[1]!.key]);
    assertEquals((await runJson(["artifact", "ls", ...store, "--long"])).document.entries.length, 1);
    for (const command of [["verify"], ["prune", "--unusable"]]) {
      const { code, document } = await runJson(["artifact", ...command, ...store]);
      assertEquals([code, document.error.code], [2, "ERR_ARTIFACT_KEY"]);
      assertStringIncludes(document.error.message, "--key-file");
    }
    const env = { EXTMEMFS_ARTIFACT_KEY: KEY_HEX };
    assertEquals((await run(["artifact", "verify", ...store], { env })).code, 0);
  }));

Deno.test("a store that is not reached exits with 1 and says so, without its password", async () => {
  const args = ["artifact", "ls", "--store", "redis://user:hunter2secret@127.0.0.1:1/0"];
  const { code, document } = await runJson(args);
  assertEquals([code, document.error.code], [1, "ERR_ARTIFACT_STORE"]);
  assert(!document.error.message.includes("hunter2secret"));
  const plain = await run(args);
  assertEquals([plain.code, plain.out], [1, ""]);
  assertMatch(plain.err, /^extmemfs: .+\n$/);
});
