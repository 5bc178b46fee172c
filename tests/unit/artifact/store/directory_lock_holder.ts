/**
 * A process that contends for the lock of one key in a folder of artifacts. Each turn makes a file that must not be
 * there: two holders at once find it.
 *
 *     deno run -A directory_lock_holder.ts contend <folder> <key> <stale ms> <turns>
 *     deno run -A directory_lock_holder.ts hold <folder> <key> <stale ms>
 *
 * `contend` prints how many turns it had. `hold` prints `held`, keeps the lock until a line comes, gives it back and
 * prints `released`.
 *
 * @module
 */
import { DirectoryBackend } from "../../../../src/artifact/store/directory_backend.ts";

const [mode, folder, key, staleMs, turns] = Deno.args as [string, string, string, string, string];
const backend = await DirectoryBackend.open(folder, {
  lockHeartbeatMs: Math.min(100, Number(staleMs) / 3),
  lockStaleMs: Number(staleMs),
});
if (mode === "hold") {
  const lock = await backend.lock(key, { timeoutMs: 60_000 });
  if (lock === undefined) throw new Error("the lock was not to be had in a minute");
  console.log("held");
  await Deno.stdin.read(new Uint8Array(1));
  await lock[Symbol.asyncDispose]();
  console.log("released");
} else {
  const marker = `${folder}/marker`;
  let done = 0;
  for (let turn = 0; turn < Number(turns); turn++) {
    const lock = await backend.lock(key, { timeoutMs: 60_000 });
    if (lock === undefined) throw new Error("the lock was not to be had in a minute");
    const file = await Deno.open(marker, { write: true, createNew: true });
    file.close();
    if (turn % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    await Deno.remove(marker);
    await lock[Symbol.asyncDispose]();
    done++;
  }
  console.log(done);
}
