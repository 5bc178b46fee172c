/**
 * ExtMemFS: one shared `WebAssembly.Memory` that holds an allocator, locks and a whole filesystem, which every worker
 * uses at the same time: synchronously, with no messages and no owner thread.
 *
 * @module
 */
export { FileSystem } from "./src/api/file_system.ts";
export { Pool } from "./src/store/pool.ts";
