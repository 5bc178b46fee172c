/** Anything at all as an argument of every public method: typed errors, and nothing left open or locked. */
import * as fc from "fast-check";
import { FileSystem } from "../../../../mod.ts";
import { ArtifactError } from "../../../../src/artifact/errors.ts";
import { openStore } from "../../../../src/artifact/store/open_store.ts";
import { PoolBackend } from "../../../../src/artifact/store/pool_backend.ts";
import { ArtifactStore } from "../../../../src/artifact/store/store.ts";
import { assert, assertEquals, assertGreater } from "../../../support/assert.ts";
import { assertSound } from "../../api/support.ts";
import { assertAsyncProperty } from "../support.ts";
import { assertRight, Bench } from "./bench.ts";
import { ENGINE, moduleOf } from "./modules.ts";

const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** Arguments that make sense, by their place, mixed with what does not. */
const mixed = (...good: unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof({ arbitrary: anything, weight: 2 }, { arbitrary: fc.constantFrom(...good), weight: 1 });

function assertTyped(error: unknown, what: string): void {
  const fits = error instanceof TypeError || error instanceof RangeError || error instanceof ArtifactError;
  assert(fits, `${what} gave ${String((error as Error)?.stack ?? error)}`);
}

Deno.test("ArtifactStore: every method takes nonsense for a typed error, and goes on afterwards", async () => {
  await using bench = new Bench();
  const { store, fs } = bench;
  const wasm = moduleOf(1);
  const key = store.key(wasm, ENGINE);
  await store.getOrCompile(wasm, ENGINE);
  const wasms = mixed(wasm, () => wasm, () => 5, wasm.subarray(0, 5), new Uint8Array());
  const engines = mixed(ENGINE, { config: { compiler: { name: "binaryen" } } });
  const keys = mixed(key, "A".repeat(43));
  const options = fc.oneof(
    anything,
    fc.record({
      key: keys,
      extra: mixed(["x"], []),
      signal: mixed(undefined, AbortSignal.timeout(0)),
      onProgress: mixed(() => {}),
    }, { requiredKeys: [] }),
  );
  const limits = fc.oneof(
    anything,
    fc.record({ entries: mixed(1e9), bytes: mixed(Infinity), unusedForMs: mixed(1e9), unusable: mixed(false) }, {
      requiredKeys: [],
    }),
  );
  // deno-lint-ignore no-explicit-any
  const loose = store as any;
  const calls: Record<string, [arguments: fc.Arbitrary<unknown>[], call: (...args: unknown[]) => unknown]> = {
    key: [[wasms, engines, anything], (...args) => loose.key(...args)],
    keyAsync: [[wasms, engines, anything], (...args) => loose.keyAsync(...args)],
    get: [[keys, engines, options], (...args) => loose.get(...args)],
    getOrCompile: [[wasms, engines, options], (...args) => loose.getOrCompile(...args)],
    getOrCompileArtifact: [[wasms, engines, options], (...args) => loose.getOrCompileArtifact(...args)],
    list: [[options], (...args) => Array.fromAsync(loose.list(...args))],
    inspect: [[keys], (...args) => loose.inspect(...args)],
    verify: [[options], (...args) => Array.fromAsync(loose.verify(...args))],
    prune: [[limits], (...args) => loose.prune(...args)],
  };
  let failures = 0;
  for (const [name, [args, call]] of Object.entries(calls)) {
    await assertAsyncProperty(
      fc.asyncProperty(fc.tuple(...args), async (values) => {
        try {
          await call(...values);
        } catch (error) {
          failures++;
          // What a signal was aborted with is the caller's own.
          const { signal } = (values.at(-1) ?? {}) as { signal?: AbortSignal };
          if (signal instanceof AbortSignal && error === signal.reason) return;
          assertTyped(error, name);
        }
        assertEquals(fs.stats().fileLocks, 0, `${name} left a lock`);
      }),
      150,
    );
  }
  assertGreater(failures, 100);
  assertRight(await store.getOrCompile(wasm, ENGINE), 1);
});

Deno.test("ArtifactStore, inPool(), PoolBackend and openStore() made of nonsense throw typed errors and keep nothing", async () => {
  using fs = FileSystem.create({ maximumBytes: 16 << 20 });
  const options = fc.oneof(
    anything,
    fc.record({
      key: mixed(new Uint8Array(32), new Uint8Array(3)),
      limits: mixed({}, { bytes: -1 }),
      locks: mixed(fs),
      lockTimeoutMs: mixed(5, -5, NaN),
      migrate: mixed(() => []),
      onError: mixed(() => {}),
      directory: mixed("/x", "x", ""),
    }, { requiredKeys: [] }),
  );
  const shared = { ...new PoolBackend(fs, { directory: "/y" }), shared: true, read: () => Promise.resolve() };
  // deno-lint-ignore no-explicit-any
  const Loose = ArtifactStore as any;
  let made = 0;
  await assertAsyncProperty(
    fc.asyncProperty(
      mixed(fs),
      mixed(shared, { read: () => {} }),
      options,
      anything,
      async (files, backend, given, url) => {
        for (
          const [name, make] of Object.entries({
            inPool: () => Loose.inPool(files, given),
            constructor: () => new Loose(backend, given),
            PoolBackend: () => new PoolBackend(files as FileSystem, given as Record<string, never>),
            openStore: () => openStore((typeof url === "string" ? `no-scheme:${url}` : url) as string, given as object),
          })
        ) {
          try {
            const store = await make();
            made++;
            await store.close();
          } catch (error) {
            assertTyped(error, name);
          }
        }
        // The backend that `shared` was copied of has its lock file open.
        assertEquals(fs.stats().opens, 1, "a file is left open");
      },
    ),
    400,
  );
  assertGreater(made, 10);
  assertSound(fs);
});
