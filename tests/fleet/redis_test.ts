import { openBackend, openStore } from "../../src/artifact/store/open_store.ts";
import { RedisBackend, type RedisConnectOptions } from "../../src/artifact/store/redis_backend.ts";
import { assert, assertEquals, assertGreater, assertNotEquals } from "../support/assert.ts";
import { backendConformance } from "../support/backend_conformance.ts";
import { RedisServer, type RedisServerOptions } from "./support/redis_server.ts";
import { assertSecret, assertStoreError, bytesOf, entriesOf, keyOf } from "./support/store_checks.ts";
import { until } from "./support/ports.ts";

const PREFIX = "{extmemfs:artifact}:";

/** Runs a test with a server and a store in it. */
async function withRedis(
  test: (backend: RedisBackend, server: RedisServer) => Promise<void>,
  serverOptions: RedisServerOptions = {},
  options: RedisConnectOptions = {},
): Promise<void> {
  await using server = await RedisServer.start(serverOptions);
  const backend = await RedisBackend.connect(server.url, options);
  try {
    await test(backend, server);
  } finally {
    await backend.close();
  }
}

/** The numbers of data, uses and sizes in a server. */
async function countsOf(server: RedisServer): Promise<number[]> {
  const data = (await server.cli("KEYS", `${PREFIX}data:*`)).split("\n").filter((line) => line !== "");
  const [uses, sizes] = [await server.cli("ZCARD", `${PREFIX}used`), await server.cli("HLEN", `${PREFIX}size`)];
  return [data.length, Number(uses), Number(sizes)];
}

backendConformance("RedisBackend", async () => {
  const server = await RedisServer.start();
  const backend = await RedisBackend.connect(server.url);
  return {
    backend,
    another: () => RedisBackend.connect(server.url.replace("redis:", "valkey:")),
    async close() {
      await backend.close();
      await server[Symbol.asyncDispose]();
    },
  };
});

Deno.test("RedisBackend rejects within seconds while the server is gone, and works when it is back", () =>
  withRedis(async (backend, server) => {
    const [key, bytes] = [keyOf(1), bytesOf(1, 3_000_000)];
    await backend.write(key, bytes);
    const inFlight = Array.from({ length: 8 }, () => backend.read(key).then(() => "read", (error) => error.code));
    await server.stop();
    for (const outcome of await Promise.all(inFlight)) assert(["read", "ERR_ARTIFACT_STORE"].includes(outcome));
    for (let attempt = 0; attempt < 3; attempt++) {
      const calls = [
        () => backend.read(key),
        () => backend.write(key, bytes),
        () => backend.touch(key, Date.now()),
        () => backend.remove(key),
        () => Array.fromAsync(backend.list()),
        () => backend.lock(key, { timeoutMs: 60_000 }),
      ];
      for (const call of calls) await assertStoreError(call, 3000, `redis://127.0.0.1:${server.port}/0`, "reached");
    }
    await server.restart();
    assertEquals(await backend.read(key), undefined, "the server is another one, and empty");
    await backend.write(key, bytes);
    assertEquals((await backend.read(key))?.bytes, bytes);
    // What the client has had no chance to notice yet must not fail what it is asked for next.
    server.closeConnectionsSync();
    assertEquals((await backend.read(key))?.bytes, bytes);
    await server.stop();
    await server.restart();
    assertEquals(await backend.read(key), undefined);
  }));

Deno.test("RedisBackend rejects within seconds while the server hangs, and works when it goes on", () =>
  withRedis(
    async (backend, server) => {
      await backend.write(keyOf(1), bytesOf(1, 100));
      server.hang();
      await assertStoreError(() => backend.read(keyOf(1)), 3000, "read failed");
      await assertStoreError(() => backend.write(keyOf(1), bytesOf(1, 5_000_000)), 3000, "write failed");
      await assertStoreError(() => RedisBackend.connect(server.url, { timeoutMs: 500 }), 3000, "connect failed");
      const signal = AbortSignal.timeout(50);
      const reason = await backend.read(keyOf(1), { signal }).then(() => "read", (error) => error);
      assertEquals(reason, signal.reason);
      server.resume();
      assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(1, 100));
    },
    {},
    { timeoutMs: 500 },
  ));

Deno.test("RedisBackend closes a connection that is idle, and opens another when it is needed", () =>
  withRedis(
    async (backend, server) => {
      await backend.write(keyOf(1), bytesOf(1, 100));
      const connections = async () => (await server.cli("CLIENT", "LIST", "TYPE", "normal")).split("\n").length;
      assertEquals(await connections(), 2, "the store's, and the one that asks");
      await until("an idle connection is closed", 5000, async () => await connections() === 1);
      assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(1, 100));
      await backend.close();
      await until("close() closes it", 5000, async () => await connections() === 1);
      await assertStoreError(() => backend.read(keyOf(1)), 1000, "closed");
    },
    {},
    { timeoutMs: 300 },
  ));

Deno.test("RedisBackend.connect() needs the right password, and tells it nobody", async () => {
  const password = "s3cret/@:%word";
  await using server = await RedisServer.start({ password });
  const url = (userInfo: string) => server.url.replace(/\/\/.*@/, `//${userInfo}`);
  const backend = await RedisBackend.connect(url(`default:${encodeURIComponent(password)}@`));
  await backend.write(keyOf(1), bytesOf(1, 10));
  assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(1, 10));
  assertEquals(backend.name, `redis://127.0.0.1:${server.port}/0`);
  await backend.close();
  for (const userInfo of [":wr0ng-secret@", "default:wr0ng-secret@", "nobody:wr0ng-secret@"]) {
    const error = await assertStoreError(
      () => RedisBackend.connect(url(userInfo)),
      3000,
      "WRONGPASS",
      "check the user",
    );
    assertSecret(error, "wr0ng-secret");
  }
  await assertStoreError(() => RedisBackend.connect(url("")), 3000, "NOAUTH");
});

Deno.test("RedisBackend does not repeat a password that the server repeats", async () => {
  await using server = await RedisServer.start({ args: ["--rename-command", "AUTH", ""] });
  const url = server.url.replace("//", "//:correct-horse@");
  const error = await assertStoreError(() => RedisBackend.connect(url), 3000, "unknown command", "…");
  assertSecret(error, "correct-horse");
});

Deno.test("RedisBackend.connect() takes URLs of Redis and Valkey, and refuses others without repeating them", async () => {
  await using server = await RedisServer.start();
  for (const url of [`redis://127.0.0.1:${server.port}`, `valkey://127.0.0.1:${server.port}/3`]) {
    const backend = await RedisBackend.connect(url);
    assertEquals(backend.name, `redis://127.0.0.1:${server.port}/${url.endsWith("/3") ? 3 : 0}`);
    await backend.close();
  }
  const wrong = [
    "",
    "redis:",
    "http://:secret-word@h/",
    "redis://:secret-word@h/x",
    "redis://:secret-word@h:99999",
    "//",
  ];
  for (const url of [...wrong, "redis://h/0?x=1", "redis://:%zz-secret-word@h"]) {
    assertSecret(await assertStoreError(() => RedisBackend.connect(url), 3000, "Redis server"), "secret-word");
  }
  await assertStoreError(() => RedisBackend.connect(`redis://127.0.0.1:${server.port}/99`), 3000, "DB index");
});

Deno.test("openStore() keeps stores of one database apart by their prefixes", async () => {
  await using server = await RedisServer.start();
  const key = crypto.getRandomValues(new Uint8Array(32));
  const keysOf = async (url: string) => {
    await using store = await openStore(url, { key });
    return (await Array.fromAsync(store.list())).map((entry) => entry.key);
  };
  const backend = await openBackend(`${server.url}?prefix={blue}:`);
  await backend.write(keyOf(1), bytesOf(1, 100));
  await backend.close!();
  assertEquals(await keysOf(`${server.url}?prefix={blue}:`), [keyOf(1)]);
  assertEquals(await keysOf(`${server.url}?prefix={red}:`), []);
  assertEquals(await keysOf(server.url), []);
  assertEquals(await server.cli("STRLEN", `{blue}:data:${keyOf(1)}`), "100");
  for (const search of ["?prefix=", "?prefix=a&x=1", "?prefix=a&prefix=b"]) {
    await assertStoreError(() => openBackend(`${server.url}${search}`), 3000, "Redis server");
  }
});

Deno.test("RedisBackend speaks TLS with a server whose certificate it trusts, and with no other", async () => {
  await using server = await RedisServer.start({ tls: true });
  const backend = await RedisBackend.connect(server.url, { ca: await server.certificate() });
  await backend.write(keyOf(1), bytesOf(1, 200_000));
  assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(1, 200_000));
  await backend.close();
  await assertStoreError(() => RedisBackend.connect(server.url), 3000, "connect failed");
  await assertStoreError(() => RedisBackend.connect(server.url.replace("rediss:", "redis:")), 8000, "connect failed");
});

Deno.test("RedisBackend keeps bytes as they are, also those of its own protocol", () =>
  withRedis(async (backend, server) => {
    const values = ["\r\n$5\r\nhello\r\n", "*1\r\n$4\r\nPING\r\n", "\0\xff\xfe\x80", "nil", ""].map((text) =>
      Uint8Array.from(text, (character) => character.charCodeAt(0))
    );
    values.push(Uint8Array.from({ length: 256 * 256 }, (_, at) => at));
    for (const [index, bytes] of values.entries()) {
      await backend.write(keyOf(index), bytes);
      assertEquals((await backend.read(keyOf(index)))?.bytes, bytes);
      assertEquals(await server.cli("STRLEN", `${PREFIX}data:${keyOf(index)}`), String(bytes.length));
    }
    const read = await Promise.all(values.map((_, index) => backend.read(keyOf(index))));
    assertEquals(read.map((value) => value?.bytes), values);
  }));

Deno.test("RedisBackend.list() gives each of 2,500 entries once, also while others go", () =>
  withRedis(async (backend, server) => {
    const count = 2500;
    for (let from = 0; from < count; from += 100) {
      const indexes = Array.from({ length: 100 }, (_, index) => from + index);
      await Promise.all(indexes.map((index) => backend.write(keyOf(index), bytesOf(index, index % 97))));
    }
    const entries = await entriesOf(backend);
    assertEquals(entries.size, count);
    for (let index = 0; index < count; index++) assertEquals(entries.get(keyOf(index))?.bytes, index % 97);
    const seen = new Set<string>();
    for await (const { key } of backend.list()) {
      seen.add(key);
      if (seen.size <= 1000) assert(await backend.remove(key), "what is listed is gone");
    }
    assertEquals(seen.size, count, "entries that stayed are missing");
    assertEquals((await entriesOf(backend)).size, count - 1000);
    assertEquals(await countsOf(server), [1500, 1500, 1500]);
  }));

Deno.test("RedisBackend.list() agrees with what is left after the server has evicted", () =>
  withRedis(async (backend, server) => {
    const count = 300;
    for (let index = 0; index < count; index++) await backend.write(keyOf(index), bytesOf(index, 40_000 + index));
    assertGreater(
      Number(/evicted_keys:(\d+)/.exec(await server.cli("INFO", "stats"))?.[1]),
      100,
      "nothing was evicted",
    );
    // From here on the server evicts no more, so that what is counted is what was listed.
    await server.cli("CONFIG", "SET", "maxmemory", "0");
    const listed = await entriesOf(backend);
    const [data, uses, sizes] = await countsOf(server);
    assertEquals([uses, sizes], [listed.size, listed.size], "the index has more, or less, than what is listed");
    for (const { key, bytes } of listed.values()) assertEquals((await backend.read(key))?.bytes.length, bytes);
    // Within one second, all keys are equally old to the server: it may have dropped the index, too.
    for (let index = 0; index < count; index++) await backend.touch(keyOf(index), Date.now());
    const entries = await entriesOf(backend);
    assertEquals(await countsOf(server), [data, data, data]);
    assertEquals(entries.size, data);
    for (let index = 0; index < count; index++) {
      const found = (await backend.read(keyOf(index)))?.bytes;
      assertEquals(entries.get(keyOf(index))?.bytes, found?.length);
      if (found !== undefined) assertEquals(found, bytesOf(index, 40_000 + index));
    }
  }, { args: ["--maxmemory", "5mb", "--maxmemory-policy", "allkeys-lru"] }));

Deno.test("RedisBackend puts right an index of which the server has dropped a part", () =>
  withRedis(async (backend, server) => {
    const now = Date.now();
    for (const index of [1, 2, 3]) await backend.write(keyOf(index), bytesOf(index, index * 10));
    const sizes = async () => [...(await entriesOf(backend)).values()].map(({ bytes }) => bytes).sort();
    await server.cli("DEL", `${PREFIX}size`);
    assertEquals(await sizes(), [10, 20, 30]);
    await server.cli("DEL", `${PREFIX}used`);
    assertEquals(await sizes(), [10, 20, 30]);
    await server.cli("ZREM", `${PREFIX}used`, keyOf(2));
    assertEquals(await sizes(), [10, 20, 30]);
    assertEquals(await countsOf(server), [3, 3, 3]);
    await server.cli("DEL", `${PREFIX}used`, `${PREFIX}size`);
    assertEquals(await sizes(), [], "what is in no index is not found");
    await backend.touch(keyOf(2), now + 5000);
    assertEquals([...(await entriesOf(backend)).values()], [{ key: keyOf(2), bytes: 20, lastUsedMs: now + 5000 }]);
    await server.cli("DEL", `${PREFIX}data:${keyOf(2)}`);
    assertEquals(await sizes(), []);
    assertEquals(await countsOf(server), [2, 0, 0]);
    await backend.write(keyOf(4), bytesOf(4, 7));
    await server.cli("PEXPIRE", `${PREFIX}data:${keyOf(4)}`, "1");
    await new Promise((resolve) => setTimeout(resolve, 20));
    await backend.touch(keyOf(4), now);
    assertEquals(await countsOf(server), [2, 0, 0]);
  }));

Deno.test("RedisBackend gives the server's own words when it refuses, and leaves nothing half done", async () => {
  await withRedis(async (backend, server) => {
    await assertStoreError(() => backend.write(keyOf(1), bytesOf(1, 3_000_000)).then(() => write(2)), 5000, "OOM");
    async function write(index: number): Promise<void> {
      await backend.write(keyOf(index), bytesOf(index, 3_000_000));
    }
    const [data, uses, sizes] = await countsOf(server);
    assertEquals([uses, sizes], [data, data]);
    const tooLarge = () => backend.write(keyOf(3), new Uint8Array(512 * 1024 * 1024 + 1));
    await assertStoreError(tooLarge, 5000, "536870913 bytes", "512 MiB");
  }, { args: ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"] });
  await withRedis(async (backend, primary) => {
    await backend.write(keyOf(1), bytesOf(1, 50));
    await withRedis(async (replica) => {
      await until("replication", 10_000, async () => await replica.read(keyOf(1)) !== undefined);
      assertEquals((await entriesOf(replica)).get(keyOf(1))?.bytes, 50);
      for (const call of [() => replica.write(keyOf(2), bytesOf(2, 5)), () => replica.remove(keyOf(1))]) {
        await assertStoreError(call, 3000, "READONLY", "primary");
      }
    }, { args: ["--replicaof", "127.0.0.1", String(primary.port)] });
  }, { args: ["--repl-diskless-sync-delay", "0"] });
});

Deno.test("RedisBackend's names are in one slot of a Redis Cluster", () =>
  withRedis(async (backend, server) => {
    await server.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await until("the cluster is up", 10_000, async () => (await server.cli("CLUSTER", "INFO")).includes("state:ok"));
    for (const index of [1, 2, 3]) await backend.write(keyOf(index), bytesOf(index, 9));
    assertEquals((await entriesOf(backend)).size, 3);
    assert(await backend.remove(keyOf(2)));
    const lock = await backend.lock(keyOf(1), { timeoutMs: 0 });
    await lock![Symbol.asyncDispose]();
    const spread = await RedisBackend.connect(server.url, { prefix: "no-braces:" });
    await assertStoreError(() => spread.write(keyOf(1), bytesOf(1, 9)), 3000, "CROSSSLOT", "braces");
    await spread.close();
  }, { args: ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"] }));

Deno.test("RedisBackend works over a client of the user's, and says when that does not give bytes", async () => {
  const { createClient, RESP_TYPES } = await import("redis");
  await using server = await RedisServer.start();
  const client = await createClient({ url: server.url }).connect();
  try {
    const toBuffers = (args: readonly (string | Uint8Array)[]) =>
      args.map((arg) => typeof arg === "string" ? arg : Buffer.from(arg.buffer, arg.byteOffset, arg.length));
    const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer };
    const backend = new RedisBackend({ send: (args) => client.sendCommand(toBuffers(args), { typeMapping }) });
    await backend.write(keyOf(1), bytesOf(1, 1000));
    assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(1, 1000));
    assertEquals([...(await entriesOf(backend)).values()].map(({ bytes }) => bytes), [1000]);
    const received = new Uint8Array(1010);
    const reusing = new RedisBackend({
      async send(args) {
        received.set(await client.sendCommand(toBuffers(args), { typeMapping }) as unknown as Buffer, 5);
        return received.subarray(5, 1005);
      },
    });
    const value = await reusing.read(keyOf(1));
    received.fill(0);
    assertEquals(value?.bytes, bytesOf(1, 1000), "what was read lies in the client's buffer");
    const texts = new RedisBackend({ send: (args) => client.sendCommand(toBuffers(args)) }, { name: "texts" });
    assertEquals([...(await entriesOf(texts)).values()].map(({ bytes }) => bytes), [1000]);
    await assertStoreError(() => texts.read(keyOf(1)), 1000, "texts: read got a string", "Uint8Array");
    await backend.close();
    assert(client.isReady, "close() closes what is not its own");
  } finally {
    client.destroy();
  }
});

Deno.test("RedisBackend.lock() is renewed while its holder lives, and free some time after it was killed", () =>
  withRedis(async (backend, server) => {
    const lockTtlMs = 900;
    const child = spawnChild("hold", server.url, keyOf(1), String(lockTtlMs));
    const reader = child.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "held\n");
    await reader.cancel();
    assertEquals(await backend.lock(keyOf(1), { timeoutMs: 3 * lockTtlMs }), undefined, "its holder lives");
    child.kill("SIGKILL");
    await child.status;
    const start = performance.now();
    const lock = await backend.lock(keyOf(1), { timeoutMs: 10_000 });
    assertNotEquals(lock, undefined, "its holder is dead");
    assert(performance.now() - start < lockTtlMs + 1000, `it took ${performance.now() - start} ms`);
    await lock![Symbol.asyncDispose]();
    assertEquals(await server.cli("KEYS", `${PREFIX}lock:*`), "", "a lock that was given back is still there");
  }));

Deno.test("RedisBackend.lock() that was lost does not take the next holder's away, neither by renewal nor by release", () =>
  withRedis(
    async (backend, server) => {
      const lost = await backend.lock(keyOf(1), { timeoutMs: 0 });
      await server.cli("DEL", `${PREFIX}lock:${keyOf(1)}`);
      const other = await RedisBackend.connect(server.url, { lockTtlMs: 60_000 });
      const held = await other.lock(keyOf(1), { timeoutMs: 0 });
      assertNotEquals(held, undefined);
      // Long enough for a renewal or two of the lock that was lost.
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertGreater(Number(await server.cli("PTTL", `${PREFIX}lock:${keyOf(1)}`)), 30_000, "the other's time was cut");
      await lost![Symbol.asyncDispose]();
      assertEquals(await backend.lock(keyOf(1), { timeoutMs: 0 }), undefined, "the other's lock was given back");
      await held![Symbol.asyncDispose]();
      await other.close();
    },
    {},
    { lockTtlMs: 300 },
  ));

Deno.test("RedisBackend.lock() keeps two processes apart", async () => {
  await using server = await RedisServer.start();
  const folder = await Deno.makeTempDir({ prefix: "locks-" });
  try {
    const turns = 60;
    const children = [1, 2].map(() => spawnChild("contend", server.url, keyOf(1), String(turns), `${folder}/held`));
    const outcomes = await Promise.all(children.map(async (child) => {
      const { success, stdout } = await child.output();
      assert(success, "a child has failed");
      return JSON.parse(new TextDecoder().decode(stdout)) as { met: number; waited: number };
    }));
    assertEquals(outcomes.map(({ met }) => met), [0, 0], "both held the lock at the same time");
    assertGreater(outcomes[0]!.waited + outcomes[1]!.waited, 0, "they never got into each other's way");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function spawnChild(...args: readonly string[]): Deno.ChildProcess {
  const script = decodeURIComponent(new URL("support/lock_child.ts", import.meta.url).pathname);
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}
