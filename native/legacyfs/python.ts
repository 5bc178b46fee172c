/**
 * Two Python interpreters in two workers: one writes a module into the tree that they share, the other imports it.
 *
 *     deno run -A native/legacyfs/python.ts
 *
 * @module
 */
import { FileSystem, type PoolHandle } from "@extmemfs/extmemfs";

function runPython(handle: PoolHandle, code: string): Promise<unknown> {
  const worker = new Worker(import.meta.resolve("./python_worker.ts"), { type: "module" });
  return new Promise<unknown>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ handle, code });
  }).finally(() => worker.terminate());
}

using fs = FileSystem.create({ maximumBytes: 64 * 2 ** 20 });
await runPython(fs.handle, `open("/shared/greeting.py", "w").write("text = 'hello from the other interpreter'")`);
console.log(await runPython(fs.handle, `import sys; sys.path.append("/shared"); import greeting; greeting.text`));
console.log(fs.readdirSync("/").sort().join(" "));
