/** What tests of stores share: a store over a pool of its own, and what must hold of both at the end. */
import { FileSystem } from "../../../../mod.ts";
import { ArtifactStore } from "../../../../src/artifact/store/store.ts";
import type { ArtifactStoreOptions } from "../../../../src/artifact/store/store_types.ts";
import { assert, assertEquals } from "../../../support/assert.ts";
import { assertSound } from "../../api/support.ts";
import { type Variant, VARIANTS, wrongWith } from "./modules.ts";

/** The variant of tests that need just one. */
export const PLAIN: Variant = VARIANTS[0]!;

/** A store in a pool of its own, what it told of errors, and what must hold when it is closed. */
export class Bench implements AsyncDisposable {
  readonly fs: FileSystem;
  readonly told: [error: Error, during: string][] = [];
  readonly #stores: ArtifactStore[] = [];
  readonly store: ArtifactStore;

  constructor(options: ArtifactStoreOptions = {}, maximumBytes = 64 << 20) {
    this.fs = FileSystem.create({ maximumBytes, debugLevel: 3 });
    this.store = this.open(options);
  }

  /** Another store over the same pool. */
  open(options: ArtifactStoreOptions = {}): ArtifactStore {
    const onError = (error: unknown, during: string) => void this.told.push([error as Error, during]);
    const store = ArtifactStore.inPool(this.fs, { onError, touchIntervalMs: 0, ...options });
    this.#stores.push(store);
    return store;
  }

  /** The path of an entry. */
  path(key: string): string {
    return `/artifacts/${key}`;
  }

  /** The keys of all entries, by what is in the directory. */
  keys(): string[] {
    return this.fs.readdirSync("/artifacts").filter((name) => !name.startsWith(".")).sort();
  }

  /** Changes what is under a key in place. */
  alter(key: string, change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): void {
    const bytes = new Uint8Array(this.fs.readFileSync(this.path(key)));
    this.fs.writeFileSync(this.path(key), change(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assertEquals(this.fs.stats().fileLocks, 0, "a lock is left");
    for (const store of this.#stores) await store.close();
    const { opens, orphans } = this.fs.stats();
    assertEquals([opens, orphans], [0, 0], "something is left open");
    assertEquals(this.fs.readdirSync("/artifacts").filter((name) => name.startsWith(".write-")), []);
    assertSound(this.fs);
    this.fs.detach();
  }
}

/** The counters that are not 0, without times. */
export function counted(store: ArtifactStore): Record<string, number> {
  const { compileMs: _, savedMs: __, ...counters } = store.counters;
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
}

/** Fails unless a module is the one of a number and a variant. */
export function assertRight(
  module: WebAssembly.Module | undefined,
  id: number,
  variant: Variant = PLAIN,
): void {
  assert(module !== undefined, "there is no module");
  assertEquals(wrongWith(module, id, variant), undefined);
}

/** Waits, in milliseconds. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
