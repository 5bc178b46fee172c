/**
 * A worker with a Python interpreter whose `/shared` is the live tree.
 *
 * @module
 */
import { FileSystem, type PoolHandle } from "@extmemfs/extmemfs";
import { createExtMemFS } from "@extmemfs/extmemfs/emscripten";
import { loadPyodide } from "pyodide";

const scope = self as unknown as Worker;

scope.onmessage = async ({ data }: MessageEvent<{ handle: PoolHandle; code: string }>) => {
  using fs = FileSystem.attach(data.handle);
  const python = await loadPyodide();
  python.FS.mkdir("/shared");
  python.FS.mount(createExtMemFS(python.FS), { fs }, "/shared");
  scope.postMessage(python.runPython(data.code));
};
