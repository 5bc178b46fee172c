/** Artifacts in a pool: the checks of all backends, the mark of what was verified, and pools that are full or read-only. */
import { FileSystem } from "../../../../mod.ts";
import type { BackendValue } from "../../../../src/artifact/store/backend.ts";
import { PoolBackend } from "../../../../src/artifact/store/pool_backend.ts";
import { markFile, readMarked } from "../../../../src/artifact/store/pool_mark.ts";
import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertRejects,
  assertThrows,
} from "../../../support/assert.ts";
import { CheckRandom } from "../../../support/backend_check.ts";
import { backendConformance } from "../../../support/backend_conformance.ts";
import { assertFails, assertSound, pattern } from "../../api/support.ts";
import { SEED } from "../support.ts";

const random = new CheckRandom(SEED);
const KEY = random.key();
const PATH = `/artifacts/${KEY}`;
/** Longer than what one extent of a growing file takes, so that it lies in several pieces. */
const BYTES = pattern(100_000);

function create(maximumBytes = 64 << 20): FileSystem {
  return FileSystem.create({ maximumBytes, debugLevel: 3 });
}

for (const [name, sameAgent] of Object.entries({ agent: false, object: true })) {
  backendConformance(`PoolBackend, two of one ${sameAgent ? "agent" : "pool"}`, () => {
    const fs = create();
    const backend = new PoolBackend(fs, { directory: `/deep/${name}` });
    const others: FileSystem[] = [];
    return Promise.resolve({
      backend,
      another: () => {
        const other = sameAgent ? fs : FileSystem.attach(fs.handle, { debugLevel: 3 });
        if (!sameAgent) others.push(other);
        return Promise.resolve(new PoolBackend(other, { directory: `/deep/${name}/` }));
      },
      close: async () => {
        await backend.close();
        for (const other of others) other.detach();
        assertSound(fs);
        const { opens, fileLocks, orphans } = fs.stats();
        assertEquals({ opens, fileLocks, orphans }, { opens: 0, fileLocks: 0, orphans: 0 });
        assertEquals(fs.readdirSync(`/deep/${name}`).filter((entry) => entry.startsWith(".write-")), []);
        fs.detach();
      },
    });
  });
}

/** Reads an entry that is there. */
async function read(backend: PoolBackend, key = KEY): Promise<Required<BackendValue>> {
  const value = await backend.read(key);
  assert(value?.confirm !== undefined);
  return value as Required<BackendValue>;
}

const isVerified = async (backend: PoolBackend) => (await read(backend)).verified;

Deno.test("PoolBackend.read() tells that an entry is verified after confirm(), to all agents, and until it is written", async () => {
  using fs = create();
  const backend = new PoolBackend(fs, { touchIntervalMs: 0 });
  await backend.write(KEY, BYTES);
  assertFalse(await isVerified(backend));
  (await read(backend)).confirm();
  assert(await isVerified(backend));
  assertEquals((await read(backend)).bytes, BYTES);
  {
    using other = FileSystem.attach(fs.handle);
    assert(await isVerified(new PoolBackend(other)));
    using reader = FileSystem.attach(fs.handle, { readOnly: true });
    assert(await isVerified(new PoolBackend(reader)));
  }
  const { atimeMs } = fs.statSync(PATH);
  await backend.touch(KEY, atimeMs + 5);
  assert(await isVerified(backend), "a use takes the mark away");
  (await read(backend)).confirm();
  assert(await isVerified(backend), "a second confirmation takes the mark away");
  assertSound(fs);
});

/** What may happen to an inode. */
const CHANGES: Record<string, (fs: FileSystem, path: string) => void> = {
  "a byte is overwritten": (fs, path) => {
    const fd = fs.openSync(path, "r+");
    fs.writeSync(fd, Uint8Array.of(9), 0, 1, 50_000);
    fs.closeSync(fd);
  },
  "a byte is overwritten by itself": (fs, path) => {
    const fd = fs.openSync(path, "r+");
    fs.writeSync(fd, BYTES, 7, 1, 7);
    fs.closeSync(fd);
  },
  "a byte is appended": (fs, path) => fs.appendFileSync(path, "x"),
  "it is cut short": (fs, path) => fs.truncateSync(path, BYTES.length - 1),
  "it is emptied and written again": (fs, path) => fs.writeFileSync(path, BYTES),
  "it is made longer without a write": (fs, path) => {
    const fd = fs.openSync(path, "r+");
    fs.fallocateSync(fd, 0, 0, BYTES.length + 1);
    fs.closeSync(fd);
  },
};

for (const [name, change] of Object.entries(CHANGES)) {
  Deno.test(`PoolBackend.read() takes an entry for not verified after ${name}, also in the millisecond of its birth`, async () => {
    // With the clock at rest the times tell nothing apart that happens one after the other.
    const now = Date.now;
    const at = now();
    Date.now = () => at;
    try {
      using fs = create();
      const backend = new PoolBackend(fs);
      await backend.write(KEY, BYTES);
      (await read(backend)).confirm();
      change(fs, PATH);
      assertFalse(await isVerified(backend), "the mark is still there");

      await backend.write(KEY, BYTES);
      const { confirm } = await read(backend);
      change(fs, PATH);
      confirm();
      assertFalse(await isVerified(backend), "what was written after the read was marked");
      assertSound(fs);
    } finally {
      Date.now = now;
    }
  });
}

Deno.test("PoolBackend: a new entry under the key has no mark, and is not marked for the old one's sake", async () => {
  const now = Date.now;
  const at = now();
  Date.now = () => at;
  try {
    using fs = create();
    const backend = new PoolBackend(fs);
    await backend.write(KEY, BYTES);
    (await read(backend)).confirm();
    await backend.write(KEY, BYTES);
    assertFalse(await isVerified(backend), "the mark was inherited");
    const replacements: Record<string, () => Promise<unknown>> = {
      replaced: () => backend.write(KEY, pattern(BYTES.length, 2)),
      "removed and written": async () => {
        await backend.remove(KEY);
        await backend.write(KEY, pattern(BYTES.length, 3));
      },
      gone: () => backend.remove(KEY),
    };
    for (const [name, replace] of Object.entries(replacements)) {
      // Inodes are used again: many turns, so that the new entry comes to be the old one's inode.
      const inodes = new Set<number>();
      for (let turn = 0; turn < 20; turn++) {
        await backend.write(KEY, BYTES);
        const { confirm } = await read(backend);
        inodes.add(fs.statSync(PATH).ino);
        await replace();
        confirm();
        if (name !== "gone") assertFalse(await isVerified(backend), name);
      }
      assert(inodes.size < 20, "no inode was used twice");
    }
    assertSound(fs);
  } finally {
    Date.now = now;
  }
});

Deno.test("PoolBackend.touch() notes a use once an interval", async () => {
  using fs = FileSystem.create({ maximumBytes: 2 ** 24 });
  const backend = new PoolBackend(fs, { touchIntervalMs: 500 });
  await backend.write(KEY, Uint8Array.of(1));
  const lastUsed = async () => (await Array.fromAsync(backend.list()))[0]!.lastUsedMs;
  const wroteMs = await lastUsed();
  await backend.touch(KEY, wroteMs + 499);
  assertEquals(await lastUsed(), wroteMs);
  await backend.touch(KEY, wroteMs + 500);
  assertEquals(await lastUsed(), wroteMs + 500);
  await backend.touch(KEY, wroteMs);
  assertEquals(await lastUsed(), wroteMs + 500);
});

Deno.test("PoolBackend.touch() gives no mark back that a write has taken away meanwhile", async () => {
  using fs = create();
  const backend = new PoolBackend(fs, { touchIntervalMs: 0 });
  await backend.write(KEY, BYTES);
  (await read(backend)).confirm();
  const { atimeMs } = fs.statSync(PATH);
  // The write comes between the touch's look at the file and its change of it.
  const { statSync } = fs;
  let writes = 0;
  fs.statSync = ((path: string) => {
    const stats = statSync.call(fs, path);
    if (writes++ === 0) CHANGES["a byte is overwritten"]!(fs, PATH);
    return stats;
  }) as typeof fs.statSync;
  await backend.touch(KEY, atimeMs + 1000);
  assertEquals(writes, 1);
  fs.statSync = statSync;
  assertEquals(fs.statSync(PATH).atimeMs, atimeMs + 1000);
  assertFalse(await isVerified(backend), "touch() brought the mark back");
});

Deno.test("PoolBackend.read() of what is written meanwhile does not tell that it was verified", async () => {
  using fs = create();
  using hostile = FileSystem.attach(fs.handle);
  const backend = new PoolBackend(fs);
  await backend.write(KEY, BYTES);
  (await read(backend)).confirm();
  const { readSync } = fs;
  fs.readSync = ((...args: Parameters<typeof readSync>) => {
    CHANGES["a byte is overwritten"]!(hostile, PATH);
    return readSync.apply(fs, args);
  }) as typeof readSync;
  const value = await read(backend);
  fs.readSync = readSync;
  assertEquals(value.bytes[50_000], 9);
  assertFalse(value.verified);
  value.confirm();
  assertFalse(await isVerified(backend), "what nobody verified was marked");
});

Deno.test("PoolBackend.read() of what is damaged and put right while it is read does not tell that it was verified", async () => {
  using fs = create();
  using other = FileSystem.attach(fs.handle);
  const backend = new PoolBackend(fs);
  await backend.write(KEY, BYTES);
  (await read(backend)).confirm();
  const { readSync } = fs;
  fs.readSync = ((...args: Parameters<typeof readSync>) => {
    const fd = other.openSync(PATH, "r+");
    other.writeSync(fd, Uint8Array.of(9), 0, 1, 50_000);
    const count = readSync.apply(fs, args);
    // Put right, and marked by one who has seen only that.
    other.writeSync(fd, BYTES, 50_000, 1, 50_000);
    markFile(other, fd, readMarked(other, fd).state);
    other.closeSync(fd);
    return count;
  }) as typeof readSync;
  const value = await read(backend);
  fs.readSync = readSync;
  assertEquals(value.bytes[50_000], 9);
  assertFalse(value.verified);
  assert(await isVerified(backend), "nobody marked it: nothing was tried");
});

Deno.test("PoolBackend: an inode with as many changes as the one that was read is not marked in its place", async () => {
  using fs = create();
  const backend = new PoolBackend(fs);
  await backend.write(KEY, BYTES);
  const { confirm } = await read(backend);
  await backend.write(KEY, pattern(BYTES.length, 2));
  confirm();
  assertFalse(await isVerified(backend));
});

Deno.test("PoolBackend: a copy of a verified entry, with its times and permissions, is not verified", async () => {
  using fs = create();
  const backend = new PoolBackend(fs);
  await backend.write(KEY, BYTES);
  (await read(backend)).confirm();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const other = random.key();
  fs.copyFileSync(PATH, `/artifacts/${other}`);
  const { mode, atimeMs, mtimeMs } = fs.statSync(PATH);
  fs.chmodSync(`/artifacts/${other}`, mode & 0o7777);
  fs.utimesSync(`/artifacts/${other}`, new Date(atimeMs), new Date(mtimeMs));
  assertFalse((await read(backend, other)).verified);
  // Renamed it is the same file still; the store looks at what is in it.
  fs.renameSync(PATH, `/artifacts/${other}`);
  assert((await read(backend, other)).verified);
});

Deno.test("PoolBackend: marks and last uses outlive the agents that made them", async () => {
  const fs = create();
  const backend = new PoolBackend(fs, { touchIntervalMs: 0 });
  await backend.write(KEY, BYTES);
  (await read(backend)).confirm();
  const usedMs = Date.now() + 123_456;
  await backend.touch(KEY, usedMs);
  await backend.close();
  const { handle } = fs;
  fs.detach();
  using again = FileSystem.attach(handle);
  const reopened = new PoolBackend(again);
  assert(await isVerified(reopened));
  assertEquals(await Array.fromAsync(reopened.list()), [{ key: KEY, bytes: BYTES.length, lastUsedMs: usedMs }]);
});

Deno.test("PoolBackend over a read-only attachment reads and lists, marks and touches nothing, and writes nothing", async () => {
  using fs = create();
  using reader = FileSystem.attach(fs.handle, { readOnly: true });
  const early = new PoolBackend(reader);
  assertEquals(await early.read(KEY), undefined);
  assertEquals(await Array.fromAsync(early.list()), []);
  assertFalse(fs.existsSync("/artifacts"), "a read-only attachment has made the directory");

  const backend = new PoolBackend(fs);
  await backend.write(KEY, BYTES);
  const before = fs.statSync(PATH);
  const value = await read(early);
  assertEquals(value.bytes, BYTES);
  value.confirm();
  await early.touch(KEY, Date.now() + 99_999);
  assertEquals(await early.lock(KEY, { timeoutMs: 0 }), undefined);
  assertEquals((await Array.fromAsync(early.list())).map(({ key }) => key), [KEY]);
  for (const call of [() => early.write(KEY, BYTES), () => early.remove(KEY)]) {
    const error = await assertRejects(call);
    assertEquals((error as Error & { code: string }).code, "EROFS");
  }
  await early.close();
  assertEquals(fs.statSync(PATH), before);
  assertSound(fs);
});

Deno.test("PoolBackend.write() without space rejects with ENOSPC, leaves no temporary file, and the old entry whole", async () => {
  using fs = create(8 << 20);
  const backend = new PoolBackend(fs);
  await backend.write(KEY, BYTES);
  // Until not even a small entry fits: creating, writing, growing the directory and renaming each run out of space once.
  const keys: string[] = [];
  const sizes = [1 << 20, 100_000, 10_000, 1000, 100, 1];
  const codes = new Set<string>();
  for (const size of sizes) {
    for (;;) {
      const key = random.key();
      const before = fs.readdirSync("/artifacts").sort();
      const { files, orphans, opens, contentBytes, extentBytes } = fs.stats();
      try {
        await backend.write(key, pattern(size));
        keys.push(key);
      } catch (error) {
        codes.add((error as { code: string }).code);
        assertEquals(fs.readdirSync("/artifacts").sort(), before, "a temporary file is left");
        const after = fs.stats();
        assertEquals(
          [after.files, after.orphans, after.opens, after.contentBytes, after.extentBytes],
          [files, orphans, opens, contentBytes, extentBytes],
        );
        break;
      }
    }
    await assertRejects(() => backend.write(KEY, pattern(2 << 20)));
    assertEquals((await read(backend)).bytes, BYTES, "a replacement that failed has destroyed the entry");
    assertSound(fs);
  }
  assertEquals([...codes], ["ENOSPC"]);
  assertGreater(keys.length, 20);
  for (const key of keys) assert(await backend.remove(key));
  await backend.write(KEY, pattern(1 << 20));
  assertEquals((await read(backend)).bytes, pattern(1 << 20));
  await backend.remove(KEY);
  assertSound(fs);
});

Deno.test("PoolBackend.list() removes temporary files of writers that are gone, and no others", async () => {
  using fs = create();
  const backend = new PoolBackend(fs);
  await backend.write(KEY, BYTES);
  const fresh = `/artifacts/.write-99-0-${KEY}`;
  const stale = `/artifacts/.write-99-1-${KEY}`;
  const foreign = "/artifacts/notes.txt";
  for (const path of [fresh, stale, foreign]) fs.writeFileSync(path, "unfinished");
  const old = new Date(Date.now() - 601_000);
  for (const path of [stale, foreign]) fs.utimesSync(path, old, old);
  const key = random.key();
  fs.mkdirSync(`/artifacts/${key}`);
  const listed = (await Array.fromAsync(backend.list())).map((entry) => entry.key);
  assertEquals(listed, [KEY], "a directory, or a file of another name, is no entry");
  assertEquals([fs.existsSync(fresh), fs.existsSync(stale), fs.existsSync(foreign)], [true, false, true]);
});

Deno.test("PoolBackend refuses a directory that is no absolute path, and one that cannot be made", () => {
  using fs = create();
  for (const directory of ["", "artifacts", "./x", 5, null, {}] as string[]) {
    assertThrows(() => new PoolBackend(fs, { directory }), TypeError);
  }
  fs.writeFileSync("/file", "");
  assertFails(() => new PoolBackend(fs, { directory: "/file/below" }), "ENOTDIR");
  assertEquals(fs.stats().opens, 0);
  assertEquals(new PoolBackend(fs, { directory: "/a/b//" }).name, "pool:/a/b");
});

Deno.test("PoolBackend may have the root of a filesystem as its directory", async () => {
  using fs = create();
  const backend = new PoolBackend(fs, { directory: "/" });
  await backend.write(KEY, BYTES);
  assertEquals(fs.readFileSync(`/${KEY}`), BYTES);
  assertEquals((await Array.fromAsync(backend.list())).length, 1);
  assert(await backend.remove(KEY));
});
