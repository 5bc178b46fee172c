/**
 * What a folder of artifacts does for one who may not write it, as JSON:
 *
 *     deno run -A <bundle of this> <folder above> <key>
 *
 * @module
 */
import process from "node:process";
import { DirectoryBackend } from "../../../../src/artifact/store/directory_backend.ts";

const [above, key] = process.argv.slice(2) as [string, string];

async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return "done";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const backend = await DirectoryBackend.open(`${above}/artifacts`);
const entries = [];
for await (const entry of backend.list()) entries.push(entry);
console.log(JSON.stringify({
  touch: await outcomeOf(backend.touch(key, Date.now())),
  write: await outcomeOf(backend.write(key, new Uint8Array(1))),
  remove: await outcomeOf(backend.remove(key)),
  lock: await outcomeOf(backend.lock(key, { timeoutMs: 100 })),
  openMissing: await outcomeOf(DirectoryBackend.open(`${above}/missing`)),
  read: [...(await backend.read(key))!.bytes],
  list: entries,
}));
