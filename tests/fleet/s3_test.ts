import { S3 } from "@aws-sdk/client-s3";
import { S3Backend, type S3ConnectOptions } from "../../src/artifact/store/s3_backend.ts";
import { assert, assertEquals, assertGreaterOrEqual } from "../support/assert.ts";
import { backendConformance } from "../support/backend_conformance.ts";
import { S3_CREDENTIALS, S3_PAGE_OBJECTS, S3Server } from "./support/s3_server.ts";
import { assertSecret, assertStoreError, bytesOf, entriesOf, keyOf } from "./support/store_checks.ts";

const BUCKET = "artifacts";

let server: S3Server;
let client: S3;
let prefixes = 0;

Deno.test.beforeAll(async () => {
  server = await S3Server.start();
  client = new S3({
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: S3_CREDENTIALS,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  await client.createBucket({ Bucket: BUCKET });
});

Deno.test.afterAll(async () => {
  client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

function connect(prefix: string, options: S3ConnectOptions = {}): Promise<S3Backend> {
  return S3Backend.connect(server.url(BUCKET, prefix), { credentials: S3_CREDENTIALS, ...options });
}

/** Runs a test with a store below a prefix of its own. */
async function withS3(
  test: (backend: S3Backend, prefix: string) => Promise<void>,
  options: S3ConnectOptions = {},
): Promise<void> {
  const prefix = `test/${++prefixes}/`;
  const backend = await connect(prefix, options);
  try {
    await test(backend, prefix);
  } finally {
    await backend.close();
  }
}

backendConformance("S3Backend", async () => {
  const prefix = `conformance/${++prefixes}`;
  const open = () => connect(prefix, { touchIntervalMs: 0 });
  const backend = await open();
  return { backend, another: open, close: () => backend.close() };
}, { lock: false, touchTakesTime: false, replacesAtOnce: false });

Deno.test("S3Backend.list() gives each of many entries once, and nothing else that is in the bucket", () =>
  withS3(async (backend, prefix) => {
    const count = 2 * S3_PAGE_OBJECTS + 50;
    for (let from = 0; from < count; from += 10) {
      const indexes = Array.from({ length: 10 }, (_, index) => from + index);
      await Promise.all(indexes.map((index) => backend.write(keyOf(index), bytesOf(index, index % 97))));
    }
    for (
      const name of [`${prefix}readme.txt`, `${prefix}deeper/${keyOf(1)}`, `${prefix.slice(0, -1)}-other/${keyOf(2)}`]
    ) {
      await client.putObject({ Bucket: BUCKET, Key: name, Body: Uint8Array.of(1) });
    }
    const entries = await entriesOf(backend);
    assertEquals(entries.size, count);
    for (let index = 0; index < count; index++) assertEquals(entries.get(keyOf(index))?.bytes, index % 97);
    const pages = await client.listObjectsV2({ Bucket: BUCKET, Prefix: prefix });
    assertEquals(pages.Contents?.length, S3_PAGE_OBJECTS, "the server gives all at once, so nothing was tested");
  }));

Deno.test("S3Backend.touch() copies an object that is older than its interval, and no other", async () => {
  await withS3(async (backend, prefix) => {
    const bytes = bytesOf(1, 70_000);
    await backend.write(keyOf(1), bytes);
    const lastUsedMs = async () => (await entriesOf(backend)).get(keyOf(1))!.lastUsedMs;
    const written = await lastUsedMs();
    // Listings tell milliseconds; HEAD whole seconds, rounded up.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await backend.touch(keyOf(1), Date.now());
    assertEquals(await lastUsedMs(), written, "it was copied, though it was used but now");
    const eager = await connect(prefix, { touchIntervalMs: 50 });
    await eager.touch(keyOf(1), Date.now());
    assertGreaterOrEqual(await lastUsedMs(), written + 1000, "it was not copied, though it is older than the interval");
    assertEquals((await eager.read(keyOf(1)))?.bytes, bytes);
    await eager.touch(keyOf(2), Date.now());
    assertEquals((await entriesOf(eager)).size, 1);
    await eager.close();
  });
});

Deno.test("S3Backend.touch() keeps what somebody replaces meanwhile, and does not bring back what somebody removes", () =>
  withS3(async (backend, prefix) => {
    let meddle: () => Promise<unknown>;
    const meddled = Object.assign(Object.create(client), {
      async headObject(place: { Bucket: string; Key: string }) {
        const found = await client.headObject(place);
        await meddle();
        return found;
      },
    });
    const meddling = new S3Backend(meddled, { bucket: BUCKET, prefix, touchIntervalMs: 0 });
    await backend.write(keyOf(1), bytesOf(1, 100));
    meddle = () => backend.write(keyOf(1), bytesOf(2, 200));
    await meddling.touch(keyOf(1), Date.now() + 5000);
    assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(2, 200));
    meddle = () => backend.remove(keyOf(1));
    await meddling.touch(keyOf(1), Date.now() + 5000);
    assertEquals(await backend.read(keyOf(1)), undefined);
  }));

Deno.test("S3Backend works over a client of the user's, and leaves it open", async () => {
  const backend = new S3Backend(client, { bucket: BUCKET });
  assertEquals(backend.name, "s3://artifacts/extmemfs/artifacts/");
  await backend.write(keyOf(1), bytesOf(1, 1000));
  assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(1, 1000));
  await client.headObject({ Bucket: BUCKET, Key: `extmemfs/artifacts/${keyOf(1)}` });
  await backend.close();
  assert(await backend.remove(keyOf(1)));
});

Deno.test("S3Backend gives the server's own words when it refuses, and no secret", async () => {
  const wrong = { ...S3_CREDENTIALS, secretAccessKey: "wr0ng-secret" };
  const refused = await assertStoreError(() => connect("x", { credentials: wrong }), 8000, "SignatureDoesNotMatch");
  assertSecret(refused, "wr0ng-secret");
  const nobody = { ...wrong, accessKeyId: "nobody" };
  await assertStoreError(() => connect("x", { credentials: nobody }), 8000, "check the credentials");
  const elsewhere = server.url("no-such-bucket", "x");
  const options = { credentials: S3_CREDENTIALS };
  await assertStoreError(() => S3Backend.connect(elsewhere, options), 8000, "NoSuchBucket", "make the bucket");
  const missing = new S3Backend(client, { bucket: "no-such-bucket" });
  await assertStoreError(() => missing.read(keyOf(1)), 8000, "NoSuchBucket");
  await assertStoreError(() => missing.write(keyOf(1), bytesOf(1, 5)), 8000, "NoSuchBucket");
});

Deno.test("S3Backend.connect() refuses URLs that are none without repeating them", async () => {
  const wrong = [
    "",
    "http://artifacts/",
    "s3:///prefix",
    "s3://key:secret-word@artifacts/",
    "s3://artifacts:80/secret-word",
    "s3://artifacts/?endpiont=secret-word",
    "s3://artifacts/?forcePathStyle=secret-word",
    "s3://artifacts/?endpoint=http://user:secret-word@127.0.0.1/",
    "s3://artifacts/%zzsecret-word",
  ];
  for (const url of wrong) {
    assertSecret(await assertStoreError(() => S3Backend.connect(url), 3000, "the address of a bucket"), "secret-word");
  }
});

Deno.test("S3Backend rejects within seconds while the server hangs, and works when it goes on", () =>
  withS3(async (backend) => {
    await backend.write(keyOf(1), bytesOf(1, 100));
    server.hang();
    try {
      await assertStoreError(() => backend.read(keyOf(1)), 6000, "read failed", "reached");
      await assertStoreError(() => backend.write(keyOf(1), bytesOf(1, 5_000_000)), 6000, "write failed");
      const signal = AbortSignal.timeout(50);
      const reason = await backend.read(keyOf(1), { signal }).then(() => "read", (error) => error);
      assertEquals(reason, signal.reason);
    } finally {
      server.resume();
    }
    assertEquals((await backend.read(keyOf(1)))?.bytes, bytesOf(1, 100));
  }, { timeoutMs: 500 }));

Deno.test("S3Backend rejects within seconds while the server is gone, and works when it is back", () =>
  withS3(async (backend) => {
    const [key, bytes] = [keyOf(1), bytesOf(1, 3_000_000)];
    await backend.write(key, bytes);
    const inFlight = Array.from({ length: 8 }, () => backend.read(key).then(() => "read", (error) => error.code));
    await server.stop();
    for (const outcome of await Promise.all(inFlight)) {
      assert(["read", "ERR_ARTIFACT_STORE"].includes(outcome), outcome);
    }
    const calls = [
      () => backend.read(key),
      () => backend.write(key, bytes),
      () => backend.touch(key, Date.now()),
      () => backend.remove(key),
      () => Array.fromAsync(backend.list()),
      () => connect("x"),
    ];
    for (const call of calls) await assertStoreError(call, 4000, "s3://artifacts/", "reached");
    await server.restart();
    assertEquals((await backend.read(key))?.bytes, bytes);
    assert(await backend.remove(key));
  }));
