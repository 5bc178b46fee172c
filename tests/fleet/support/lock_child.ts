/**
 * A process that takes locks of a Redis store.
 *
 *     lock_child.ts hold <url> <key> <lockTtlMs>          takes a lock, says "held", and keeps it until it is killed
 *     lock_child.ts contend <url> <key> <turns> <file>    takes and gives back a lock, and says how often it met another
 *
 * @module
 */
import { RedisBackend } from "../../../src/artifact/store/redis_backend.ts";

const [mode, url, key, number, file] = Deno.args as [string, string, string, string, string];

if (mode === "hold") {
  const backend = await RedisBackend.connect(url, { lockTtlMs: Number(number) });
  const lock = await backend.lock(key, { timeoutMs: 5000 });
  console.log(lock === undefined ? "not to be had" : "held");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
} else {
  await using backend = await connected();
  let met = 0;
  let waited = 0;
  for (let turn = 0; turn < Number(number); turn++) {
    const free = await backend.lock(key, { timeoutMs: 0 });
    if (free === undefined) waited++;
    const lock = free ?? await backend.lock(key, { timeoutMs: 30_000 });
    if (lock === undefined) throw new Error("a lock was not to be had in 30 s");
    await using _held = lock;
    try {
      (await Deno.open(file, { write: true, createNew: true })).close();
      await new Promise((resolve) => setTimeout(resolve, 2));
      await Deno.remove(file);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotFound)) throw error;
      met++;
    }
  }
  console.log(JSON.stringify({ met, waited }));
}

async function connected(): Promise<RedisBackend & AsyncDisposable> {
  const backend = await RedisBackend.connect(url);
  return Object.assign(backend, { [Symbol.asyncDispose]: () => backend.close() });
}
