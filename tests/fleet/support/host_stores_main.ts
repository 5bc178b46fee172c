/**
 * What runs in other hosts, bundled: the checks of the networked stores, then reads while their servers are gone, then
 * reads when they are back. It ends by itself once all is closed.
 *
 * The environment has the URLs and the credentials; each line of input asks for the next step, each line of output is a
 * list of failures.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";
import type { ArtifactBackend } from "../../../src/artifact/store/backend.ts";
import { RedisBackend } from "../../../src/artifact/store/redis_backend.ts";
import { S3Backend } from "../../../src/artifact/store/s3_backend.ts";
import type { BackendTraits } from "../../support/backend_check.ts";
import { BACKEND_CHECKS, runBackendCheck } from "../../support/backend_checks.ts";

const { REDIS_URL, S3_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, SEED } = process.env as Record<string, string>;
const KEY = "k".repeat(43);

async function failuresOf(
  open: () => Promise<ArtifactBackend>,
  traits: BackendTraits,
): Promise<string[]> {
  const failures: string[] = [];
  for (const [index, check] of BACKEND_CHECKS.entries()) {
    const backend = await open();
    await runBackendCheck(check, backend, open, traits, Number(SEED) + index)
      .catch((error) => failures.push(`${backend.name}: ${check.name}: ${error}`));
    await backend.close?.();
  }
  return failures;
}

async function main(): Promise<void> {
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  const openRedis = () => RedisBackend.connect(REDIS_URL);
  const openS3 = () => S3Backend.connect(S3_URL, { credentials, touchIntervalMs: 0 });
  const say = (failures: string[]) => console.log(JSON.stringify(failures));
  const backends = [await openRedis(), await openS3()];
  say([
    ...await failuresOf(openRedis, { largestBytes: 1_000_000 }),
    ...await failuresOf(openS3, {
      lock: false,
      touchTakesTime: false,
      replacesAtOnce: false,
      largestBytes: 1_000_000,
    }),
  ]);
  const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  await input.next();
  const gone = await Promise.all(backends.map((backend) =>
    backend.read(KEY).then(
      () => [`${backend.name}: read() gives something while the server is gone`],
      (error) => error.code === "ERR_ARTIFACT_STORE" ? [] : [`${backend.name}: ${error}`],
    )
  ));
  say(gone.flat());
  await input.next();
  const back = await Promise.all(
    backends.map((backend) =>
      backend.write(KEY, Uint8Array.of(1, 2, 3)).then(() => backend.read(KEY)).then(
        (value) => value?.bytes.join() === "1,2,3" ? [] : [`${backend.name}: ${value?.bytes}`],
        (error) => [`${backend.name}: ${error}`],
      )
    ),
  );
  say(back.flat());
  for (const backend of backends) await backend.close?.();
  await input.return?.();
  process.stdin.unref?.();
}

main();
