/**
 * Artifacts in a folder: the checks of every backend in Deno, Node.js and Bun, what lies in the folder, and what may go
 * wrong with it.
 *
 * @module
 */
import * as esbuild from "esbuild";
import fc from "fast-check";
import { ArtifactStoreError } from "../../../../src/artifact/errors.ts";
import { DirectoryBackend } from "../../../../src/artifact/store/directory_backend.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../../support/assert.ts";
import { CheckRandom, mustLock } from "../../../support/backend_check.ts";
import { backendConformance } from "../../../support/backend_conformance.ts";
import { bunPath } from "../../../support/bun.ts";
import { node20Path } from "../../../support/node20.ts";
import { node24Path } from "../../../support/node24.ts";

const SEED = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const HOUR_MS = 3_600_000;
/** A key, and the name that its file has. */
const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const NAME = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0";

/** A folder that goes with the test. */
async function scratch(): Promise<{ folder: string; remove(): Promise<void> } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "extmemfs-directory-" });
  const remove = () => Deno.remove(folder, { recursive: true });
  return { folder, remove, [Symbol.asyncDispose]: remove };
}

async function keysOf(backend: DirectoryBackend): Promise<string[]> {
  const keys = [];
  for await (const { key } of backend.list()) keys.push(key);
  return keys.sort();
}

async function namesIn(folder: string): Promise<string[]> {
  const names = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}

async function bundle(entry: string): Promise<string> {
  try {
    const { outputFiles } = await esbuild.build({
      entryPoints: [decodeURIComponent(new URL(entry, import.meta.url).pathname)],
      bundle: true,
      format: "esm",
      platform: "neutral",
      external: ["node:*"],
      target: "es2022",
      write: false,
    });
    return outputFiles[0].text;
  } finally {
    await esbuild.stop();
  }
}

/** Runs a program to its end, which must be good. */
async function run(program: string, args: string[], options: Deno.CommandOptions = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null", ...options }).output();
  const [printed, failure] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(success, `${program} ${args.join(" ")} failed (EXTMEMFS_SEED=${SEED}):\n${printed}${failure}`);
  return printed!;
}

for (const touchIntervalMs of [0, 60_000]) {
  backendConformance(`DirectoryBackend (touched every ${touchIntervalMs} ms)`, async () => {
    const { folder, remove: close } = await scratch();
    const another = () => DirectoryBackend.open(folder, { touchIntervalMs });
    return { backend: await another(), another, close };
  }, { touchIntervalMs });
}

Deno.test("DirectoryBackend passes the same checks in Node.js and Bun", async (t) => {
  const source = await bundle("./directory_backend_checks.ts");
  const hosts = [["Node.js 20", node20Path], ["Node.js 24", node24Path], ["Bun", bunPath]] as const;
  for (const [name, provide] of hosts) {
    await t.step(name, async () => {
      await using place = await scratch();
      await Deno.writeTextFile(`${place.folder}/checks.mjs`, source);
      const printed = await run(await provide(), [
        `${place.folder}/checks.mjs`,
        `${place.folder}/artifacts`,
        String(SEED),
      ]);
      assertMatch(printed, /^[1-9]\d checks passed\n$/);
    });
  }
});

Deno.test("DirectoryBackend.open() makes the folder and those above it, of a path or a URL, and says which", async () => {
  await using place = await scratch();
  const backend = await DirectoryBackend.open(`${place.folder}/a/b c`, { shared: true });
  assertEquals([backend.name, backend.shared], [`directory:${place.folder}/a/b c`, true]);
  await backend.write(KEY, Uint8Array.of(1));
  const same = await DirectoryBackend.open(new URL(`file://${place.folder}/a/b%20c`));
  assertEquals([same.name, same.shared], [backend.name, false]);
  assertEquals((await same.read(KEY))?.bytes, Uint8Array.of(1));
});

Deno.test("DirectoryBackend.open() of what is no folder, and with times that make no sense, says what to do", async () => {
  await using place = await scratch();
  const file = `${place.folder}/file`;
  await Deno.writeTextFile(file, "");
  await assertRejects(() => DirectoryBackend.open(file), ArtifactStoreError, "it is a file");
  await assertRejects(() => DirectoryBackend.open(`${file}/below`), ArtifactStoreError, "something above it is a file");
  await assertRejects(() => DirectoryBackend.open(new URL("https://host/folder")), TypeError);
  const { folder } = place;
  await assertRejects(() => DirectoryBackend.open(folder, { touchIntervalMs: -1 }), RangeError, "touchIntervalMs");
  await assertRejects(() => DirectoryBackend.open(folder, { lockHeartbeatMs: NaN }), RangeError, "lockHeartbeatMs");
  await assertRejects(() => DirectoryBackend.open(folder, { lockStaleMs: 5000 }), RangeError, "lockStaleMs");
});

Deno.test("DirectoryBackend names files by lower-case digits, one name for each key, and list() finds the keys", async () => {
  await using place = await scratch();
  const backend = await DirectoryBackend.open(place.folder);
  await backend.write(KEY, Uint8Array.of(1, 2));
  assertEquals(await namesIn(place.folder), ["00"]);
  assertEquals(await namesIn(`${place.folder}/00`), [`${NAME}.wasm`]);

  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
  const keys = fc.uniqueArray(
    fc.array(fc.constantFrom(...letters), { minLength: 43, maxLength: 43 }).map((parts) => parts.join("")),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(keys, async (keys) => {
      for (const key of keys) await backend.write(key, new Uint8Array(3));
      assertEquals(await keysOf(backend), [KEY, ...keys.filter((key) => key !== KEY)].sort());
      for (const key of keys) if (key !== KEY) assert(await backend.remove(key));
    }),
    { seed: SEED, numRuns: 40 },
  );
});

Deno.test("DirectoryBackend.write() that fails or is aborted leaves no temporary file, and the entry as it was", async () => {
  await using place = await scratch();
  const backend = await DirectoryBackend.open(place.folder);
  const path = `${place.folder}/00/${NAME}.wasm`;
  await Deno.mkdir(`${path}/occupied`, { recursive: true });
  await assertRejects(() => backend.write(KEY, new Uint8Array(10)));
  assertEquals(await namesIn(`${place.folder}/00`), [`${NAME}.wasm`]);

  await Deno.remove(path, { recursive: true });
  await backend.write(KEY, Uint8Array.of(1));
  const controller = new AbortController();
  let writing = true;
  const written = backend.write(KEY, new Uint8Array(64 << 20), { signal: controller.signal })
    .finally(() => writing = false);
  while (writing && (await namesIn(`${place.folder}/00`)).length === 1) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  controller.abort(new RangeError("enough"));
  await assertRejects(() => written, RangeError, "enough");
  assertEquals(await namesIn(`${place.folder}/00`), [`${NAME}.wasm`]);
  assertEquals((await backend.read(KEY))?.bytes, Uint8Array.of(1));
});

Deno.test("DirectoryBackend.list() passes over what is not the backend's, and clears up after those who are gone", async () => {
  await using place = await scratch();
  const { folder } = place;
  const backend = await DirectoryBackend.open(folder);
  await backend.write(KEY, Uint8Array.of(1));
  const id = "0123456789abcdef".repeat(2);
  const stale = NAME.replace("0001", "0002");
  await Deno.mkdir(`${folder}/zz`);
  await Deno.mkdir(`${folder}/00/${NAME.replace("0001", "0003")}.wasm`);
  await Deno.writeTextFile(`${folder}/ab`, "a file where a folder of entries could be");
  await Deno.writeTextFile(`${folder}/README`, "");
  await Deno.writeTextFile(`${folder}/00/${NAME.toUpperCase()}.wasm`, "");
  await Deno.writeTextFile(`${folder}/00/${NAME.slice(1)}.wasm`, "");
  await Deno.symlink(`${folder}/nowhere`, `${folder}/00/${NAME.replace("0001", "0004")}.wasm`);
  await Deno.mkdir(`${folder}/01`);
  await Deno.writeTextFile(`${folder}/01/${NAME}.wasm`, "in the folder of other names");
  const foreign = new Set(await namesIn(`${folder}/00`));

  const old = (Date.now() - HOUR_MS - 5000) / 1000;
  const leftovers = [`${stale}.${id}.tmp`, `${NAME}.${id.replace("0", "f")}.tmp/${id}`, `${stale}.lock/${id}`];
  const fresh = [`${NAME}.${id}.tmp`, `${NAME}.lock/${id}`];
  for (const path of [...leftovers, ...fresh]) {
    const whole = `${folder}/00/${path}`;
    await Deno.mkdir(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(whole, "");
    if (!leftovers.includes(path)) continue;
    await Deno.utime(whole, old, old);
    if (path.includes(".tmp/")) await Deno.utime(whole.slice(0, whole.lastIndexOf("/")), old, old);
  }
  assertEquals(await keysOf(backend), [KEY]);
  const left = (await namesIn(`${folder}/00`)).filter((name) => !foreign.has(name));
  assertEquals(left, [`${NAME}.${id}.tmp`, `${NAME}.lock`]);
  assertEquals(await namesIn(`${folder}/00/${NAME}.lock`), [id]);

  await Deno.remove(folder, { recursive: true });
  assertEquals(await keysOf(backend), []);
  await backend.write(KEY, Uint8Array.of(1));
  assertEquals(await keysOf(backend), [KEY]);
});

Deno.test("DirectoryBackend.touch() sets the modification time once an interval, and reading does not", async () => {
  await using place = await scratch();
  const backend = await DirectoryBackend.open(place.folder, { touchIntervalMs: 10_000 });
  await backend.write(KEY, Uint8Array.of(1));
  const path = `${place.folder}/00/${NAME}.wasm`;
  await Deno.utime(path, 500_000, 1_000_000);
  const lastUsed = async () => {
    const [entry] = await Array.fromAsync(backend.list());
    return entry?.lastUsedMs;
  };
  await backend.read(KEY);
  await backend.touch(KEY, 1_000_000_000 + 10_000);
  assertEquals(await lastUsed(), 1_000_000_000, "within the interval");
  await backend.touch(KEY, 1_000_000_000 + 10_001);
  assertEquals(await lastUsed(), 1_000_010_001, "after the interval");
  for (const earlier of [5000, NaN, -1]) await backend.touch(KEY, earlier);
  assertEquals(await lastUsed(), 1_000_010_001, "an earlier time, and none");
});

Deno.test("DirectoryBackend.read() of a file that is cut short meanwhile gives what is there", async () => {
  await using place = await scratch();
  const backend = await DirectoryBackend.open(place.folder);
  const bytes = new CheckRandom(SEED).bytes(9_000_000);
  const path = `${place.folder}/00/${NAME}.wasm`;
  for (let round = 0; round < 20; round++) {
    await backend.write(KEY, bytes);
    const read = backend.read(KEY);
    await new Promise((resolve) => setTimeout(resolve, round / 4));
    await Deno.truncate(path, 5_000_000);
    const found = (await read)!.bytes;
    // What was read before the cut may be there, too.
    assert(found.length >= 5_000_000 && found.length <= 9_000_000, `${found.length} bytes`);
    assertEquals(found.buffer.byteLength, found.length);
    for (let at = 0; at < 5_000_000; at += 4999) assertEquals(found[at], bytes[at]);
  }
  await Deno.truncate(path, 0);
  assertEquals((await backend.read(KEY))?.bytes.length, 0);
});

Deno.test("DirectoryBackend reads and lists what it may not write; touch() is silent, and the rest rejects", async () => {
  await using place = await scratch();
  const { folder } = place;
  const backend = await DirectoryBackend.open(`${folder}/artifacts`);
  await backend.write(KEY, Uint8Array.of(1, 2, 3));
  await Deno.utime(`${folder}/artifacts/00/${NAME}.wasm`, 1000, 1000);
  await Deno.writeTextFile(`${folder}/child.mjs`, await bundle("./directory_backend_read_only.ts"));
  await Deno.mkdir(`${folder}/deno`);
  await Deno.chmod(`${folder}/deno`, 0o777);
  for (const path of [folder, `${folder}/artifacts`, `${folder}/artifacts/00`]) await Deno.chmod(path, 0o555);
  try {
    // Who runs the tests may be root, whom no mode keeps from writing: the child is somebody else.
    const somebody = Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};
    const printed = await run(Deno.execPath(), ["run", "-A", "--no-config", `${folder}/child.mjs`, folder, KEY], {
      ...somebody,
      cwd: folder,
      env: { DENO_DIR: `${folder}/deno`, HOME: folder, NO_COLOR: "1" },
    });
    assertEquals(JSON.parse(printed), {
      read: [1, 2, 3],
      list: [{ key: KEY, bytes: 3, lastUsedMs: 1_000_000 }],
      touch: "done",
      write: "EACCES",
      remove: "EACCES",
      lock: "EACCES",
      openMissing: "ERR_ARTIFACT_STORE",
    });
  } finally {
    for (const path of [folder, `${folder}/artifacts`, `${folder}/artifacts/00`]) await Deno.chmod(path, 0o755);
  }
});

Deno.test("DirectoryBackend takes a lock over an empty folder that somebody left, and leaves none", async () => {
  await using place = await scratch();
  const backend = await DirectoryBackend.open(place.folder);
  await Deno.mkdir(`${place.folder}/00/${NAME}.lock`, { recursive: true });
  const lock = await mustLock(backend, KEY, 0);
  assertEquals(await namesIn(`${place.folder}/00`), [`${NAME}.lock`]);
  await lock[Symbol.asyncDispose]();
  assertEquals(await namesIn(`${place.folder}/00`), []);
});
