/**
 * Formatting a filesystem into a pool: its root directory, and the feature bit that says that it is there.
 *
 * @module
 */
import type { Heap } from "../alloc/heap.ts";
import { DIR_PARENT } from "../layout/inode.ts";
import { FEATURE_FILESYSTEM, SUPER_FEATURES, SUPER_ROOT } from "../layout/superblock.ts";
import { GRANULE_WORDS } from "../layout/units.ts";
import { S_IFDIR, takeInode } from "../store/inodes.ts";
import { Store } from "../store/store.ts";
import type { Agent } from "../sync/agent.ts";

/** Whether a pool holds a filesystem. */
export function hasFilesystem(agent: Agent): boolean {
  return (agent.wasm.load(SUPER_FEATURES) & FEATURE_FILESYSTEM) !== 0;
}

/** Makes the root directory. Returns 0 or a negative errno. */
export function formatFilesystem(agent: Agent, heap: Heap): number {
  const store = Store.open(agent, heap);
  if (typeof store === "number") return store;
  const root = takeInode(store, S_IFDIR | 0o755, 2, Date.now());
  if (root > 0) {
    const { i32 } = store.memory;
    i32[root + DIR_PARENT] = root / GRANULE_WORDS;
    i32[SUPER_ROOT] = root / GRANULE_WORDS;
    // Pairs with the load in hasFilesystem: who sees the bit sees the root.
    agent.wasm.or(SUPER_FEATURES, FEATURE_FILESYSTEM);
  }
  store.close();
  return root > 0 ? 0 : root;
}
