import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import * as esbuild from "esbuild";
import { assert, assertEquals } from "../support/assert.ts";
import { bunPath } from "../support/bun.ts";
import { node20Path } from "../support/node20.ts";
import { RedisServer } from "./support/redis_server.ts";
import { S3_CREDENTIALS, S3Server } from "./support/s3_server.ts";

/** Bundles the checks; CommonJS with the clients, which are that, in it: it runs where there is no node_modules. */
async function bundleInto(outfile: string): Promise<void> {
  try {
    await esbuild.build({
      entryPoints: [decodeURIComponent(new URL("support/host_stores_main.ts", import.meta.url).pathname)],
      outfile,
      bundle: true,
      format: "cjs",
      platform: "node",
      target: "node20",
      logLevel: "error",
    });
  } finally {
    await esbuild.stop();
  }
}

/** Runs the checks in another host, with servers of its own. */
async function checkIn(program: string, bundle: string): Promise<void> {
  await using redis = await RedisServer.start();
  await using s3 = await S3Server.start();
  const seed = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  await makeBucket(s3.endpoint);
  const child = new Deno.Command(program, {
    args: [bundle],
    env: {
      REDIS_URL: redis.url,
      S3_URL: s3.url("artifacts", "host"),
      AWS_ACCESS_KEY_ID: S3_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: S3_CREDENTIALS.secretAccessKey,
      SEED: String(seed),
      // The SDK warns that it will need a newer Node some day.
      NODE_NO_WARNINGS: "1",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const lines = linesOf(child.stdout);
  const input = child.stdin.getWriter();
  const go = () => input.write(new TextEncoder().encode("go on\n"));
  try {
    const label = `${program} (EXTMEMFS_SEED=${seed})`;
    assertEquals(await lines.next(), { done: false, value: "[]" }, label);
    await redis.stop();
    await s3.stop();
    await go();
    assertEquals(await lines.next(), { done: false, value: "[]" }, label);
    await redis.restart();
    await s3.restart();
    await go();
    assertEquals(await lines.next(), { done: false, value: "[]" }, label);
    assertEquals((await lines.next()).done, true, "it says something else");
    const { code } = await child.status;
    assertEquals(code, 0, "it does not end by itself, or ends with an error");
  } finally {
    clearTimeout(timer);
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await lines.return?.();
    await input.close().catch(() => {});
    await child.status;
  }
}

async function makeBucket(endpoint: string): Promise<void> {
  const options = { endpoint, region: "us-east-1", forcePathStyle: true, credentials: S3_CREDENTIALS };
  const client = new S3Client({ ...options, requestChecksumCalculation: "WHEN_REQUIRED" });
  await client.send(new CreateBucketCommand({ Bucket: "artifacts" }));
  client.destroy();
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  assert(rest === "", `an unfinished line: ${rest}`);
}

Deno.test("networked stores conform in Node 20 and Bun, outlast their servers, and let the process end", async () => {
  const folder = await Deno.makeTempDir({ prefix: "host-stores-" });
  try {
    await bundleInto(`${folder}/main.cjs`);
    const programs = [await node20Path(), await bunPath()];
    const outcomes = await Promise.allSettled(programs.map((program) => checkIn(program, `${folder}/main.cjs`)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
