/** One agent's store: what is found, compiled, shared, given up, refused and counted. */
import { FileSystem } from "../../../../mod.ts";
import { decodeContainer } from "../../../../src/artifact/container.ts";
import { Engine } from "../../../../src/artifact/engine.ts";
import {
  AlteredArtifactError,
  ArtifactKeyError,
  ArtifactStoreError,
  IncompatibleArtifactError,
  MalformedWasmError,
  UnsafeArtifactError,
} from "../../../../src/artifact/errors.ts";
import type { ArtifactBackend } from "../../../../src/artifact/store/backend.ts";
import { PoolBackend } from "../../../../src/artifact/store/pool_backend.ts";
import { ArtifactStore } from "../../../../src/artifact/store/store.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../../support/assert.ts";
import { CheckRandom } from "../../../support/backend_check.ts";
import { assertSound } from "../../api/support.ts";
import { NATIVE, SEED } from "../support.ts";
import { assertRight, Bench, counted, PLAIN, sleep } from "./bench.ts";
import { BASE, ENGINE, engineOf, moduleOf, VARIANTS, wrongWith } from "./modules.ts";

const random = new CheckRandom(SEED);
const SECRET = random.bytes(32);

Deno.test("ArtifactStore counts misses, compilations and hits exactly, and all of their bytes", async () => {
  await using bench = new Bench();
  const { store, fs } = bench;
  const wasm = moduleOf(1);
  const key = store.key(wasm, ENGINE);
  assertEquals(await store.get(key, ENGINE), undefined);
  assertEquals(counted(store), { misses: 1 });
  assertRight(await store.getOrCompile(wasm, ENGINE), 1);
  const { size } = fs.statSync(bench.path(key));
  assertEquals(counted(store), { misses: 2, compiled: 1, bytesWritten: size });
  assertGreater(store.counters.compileMs, 0);
  assertRight(await store.getOrCompile(wasm, ENGINE), 1);
  assertRight(await store.get(key, ENGINE), 1);
  const expected = { hits: 2, misses: 2, compiled: 1, bytesRead: 2 * size, bytesWritten: size };
  assertEquals(counted(store), expected);
  const { counters } = store;
  (counters as { hits: number }).hits = 99;
  assertEquals(counted(store), expected, "counters are a copy");
  assertEquals(bench.told, []);
  assertEquals(bench.keys(), [key]);

  const another = bench.open();
  assertRight(await another.getOrCompile(wasm, ENGINE), 1);
  assertEquals(counted(another), { hits: 1, bytesRead: size });
});

Deno.test("ArtifactStore.counters.savedMs is what compiling took, less what loading takes", async () => {
  await using bench = new Bench();
  const { store } = bench;
  // Large enough that compiling takes some milliseconds, which the artifact notes in whole ones.
  const wasm = moduleOf(1, 300_000);
  await store.getOrCompile(wasm, ENGINE);
  assertEquals(store.counters.savedMs, 0);
  const { header } = (await store.inspect(store.key(wasm, ENGINE)))!;
  const { compileMs } = header!.provenance;
  assert(compileMs! >= 1 && compileMs! <= store.counters.compileMs + 1);
  await store.getOrCompile(wasm, ENGINE);
  assert(store.counters.savedMs > 0 && store.counters.savedMs < compileMs!);
});

Deno.test("ArtifactStore gives each module and configuration its own artifact", async () => {
  await using bench = new Bench();
  const { store } = bench;
  for (const turn of [1, 2]) {
    for (const variant of VARIANTS) {
      for (const id of [1, 2]) {
        const module = await store.getOrCompile(moduleOf(id), engineOf(variant));
        assertEquals(wrongWith(module, id, variant), undefined, `turn ${turn}`);
      }
    }
  }
  assertEquals(store.counters.compiled, 2 * VARIANTS.length);
  assertEquals(bench.keys().length, 2 * VARIANTS.length);
  await store.getOrCompile(moduleOf(1), ENGINE, { extra: ["release"] });
  assertEquals(store.counters.compiled, 2 * VARIANTS.length + 1, "extra inputs are part of the key");
});

Deno.test("ArtifactStore.getOrCompile() at the same time in one agent compiles once, for all of them", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const key = store.key(moduleOf(3), ENGINE);
  const modules = await Promise.all(Array.from({ length: 8 }, () => store.getOrCompile(moduleOf(3), ENGINE, { key })));
  for (const module of modules) assertRight(module, 3);
  const { bytesWritten, ...rest } = counted(store);
  assertEquals(rest, { misses: 1, compiled: 1 });
  assertGreater(bytesWritten!, 0);
});

Deno.test("ArtifactStore.getOrCompile() of several stores of one agent compiles once", async () => {
  await using bench = new Bench();
  const stores = [bench.store, ...Array.from({ length: 4 }, () => bench.open())];
  const modules = await Promise.all(stores.map((store) => store.getOrCompile(moduleOf(3), ENGINE)));
  for (const module of modules) assertRight(module, 3);
  const sum = (name: "compiled" | "misses" | "hits" | "waited") =>
    stores.reduce((total, { counters }) => total + counters[name], 0);
  // One that comes late finds it at once.
  assertEquals([sum("compiled"), sum("hits"), sum("misses") - sum("waited")], [1, 4, 1]);
});

Deno.test("ArtifactStore.getOrCompileArtifact() gives each caller bytes of its own", async () => {
  await using bench = new Bench();
  const { store } = bench;
  for (const turn of ["compiled", "found"]) {
    const artifacts = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const bytes = await store.getOrCompileArtifact(moduleOf(3), ENGINE);
        const copy = bytes.slice();
        // As postMessage() with a transfer does to the sender.
        structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
        return copy;
      }),
    );
    for (const artifact of artifacts) {
      assertGreater(artifact.length, 0, turn);
      assertRight(ENGINE.deserialize(artifact), 3);
    }
  }
});

Deno.test("ArtifactStore.getOrCompile() with a key asks for the module only where it has to compile", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const wasm = moduleOf(4);
  const key = store.key(wasm, ENGINE);
  assertEquals(await store.keyAsync(wasm, ENGINE), key);
  let asked = 0;
  const source = async () => {
    asked++;
    await sleep(1);
    return wasm;
  };
  for (const expected of [1, 1, 1]) {
    assertRight(await store.getOrCompile(source, ENGINE, { key }), 4);
    assertEquals(asked, expected);
  }
  const shared = new Uint8Array(new SharedArrayBuffer(wasm.length));
  shared.set(wasm);
  assertEquals(store.key(shared, ENGINE), key);
  await store.backend.remove(key);
  assertRight(await store.getOrCompile(() => shared, ENGINE, { key }), 4);
});

Deno.test("ArtifactStore.getOrCompile() refuses a module that belongs under another key, and compiles nothing", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const key = store.key(moduleOf(1), ENGINE);
  for (const source of [moduleOf(2), () => moduleOf(2), () => Promise.resolve(moduleOf(2))]) {
    await assertRejects(() => store.getOrCompile(source, ENGINE, { key }), TypeError, key);
  }
  await assertRejects(() => store.getOrCompile(moduleOf(1), ENGINE, { key, extra: ["x"] }), TypeError, key);
  await assertRejects(() => store.getOrCompile(moduleOf(1), engineOf(VARIANTS[1]!), { key }), TypeError, key);
  await assertRejects(() => store.getOrCompile(() => moduleOf(1), ENGINE), TypeError, "key");
  for (const bad of ["", `${key}A`, "../../etc/passwd"]) {
    await assertRejects(() => store.getOrCompile(moduleOf(1), ENGINE, { key: bad }), TypeError);
    await assertRejects(() => store.get(bad, ENGINE), TypeError);
  }
  assertEquals(store.counters.compiled, 0);
  assertEquals(bench.keys(), []);
});

Deno.test("ArtifactStore.getOrCompile(): the mistake of one caller does not fail another who asks for the same", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const key = store.key(moduleOf(1), ENGINE);
  const outcomes = await Promise.allSettled([
    store.getOrCompile(moduleOf(2), ENGINE, { key }),
    store.getOrCompile(() => Promise.reject(new Error("no network")), ENGINE, { key }),
    store.getOrCompile(moduleOf(1), engineOf(VARIANTS[1]!), { key }),
    store.getOrCompile(() => 5 as unknown as Uint8Array, ENGINE, { key }),
    store.getOrCompile(moduleOf(1), ENGINE, {
      key,
      onProgress: () => {
        throw new Error("broken progress");
      },
    }),
    store.getOrCompile(moduleOf(1), ENGINE),
    store.getOrCompile(() => Promise.resolve(moduleOf(1)), ENGINE, { key }),
  ]);
  const [wrongModule, noNetwork, wrongEngine, noModule, progress, ...right] = outcomes;
  const reasonOf = (outcome: PromiseSettledResult<unknown> | undefined) =>
    outcome?.status === "rejected" ? outcome.reason : undefined;
  for (const outcome of [wrongModule, wrongEngine, noModule]) assertInstanceOf(reasonOf(outcome), TypeError);
  assertEquals(reasonOf(noNetwork)?.message, "no network");
  assertEquals(reasonOf(progress)?.message, "broken progress");
  for (const outcome of right) assertRight(outcome.status === "fulfilled" ? outcome.value : undefined, 1);
  assertEquals(store.counters.compiled, 1);
});

Deno.test("ArtifactStore.getOrCompile() with a key of another engine is not given what that is being given", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const key = store.key(moduleOf(1), ENGINE);
  const led = store.getOrCompile(moduleOf(1), ENGINE, { key });
  await assertRejects(() => store.getOrCompileArtifact(moduleOf(1), engineOf(VARIANTS[1]!), { key }), TypeError, key);
  assertRight(await led, 1);
});

Deno.test("ArtifactStore.getOrCompile() of a module that cannot be compiled tries once, and fails all who wait", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const broken = moduleOf(1).subarray(0, -1);
  const key = store.key(broken, ENGINE);
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => store.getOrCompile(broken, ENGINE, { key })));
  for (const outcome of outcomes) {
    assertInstanceOf(outcome.status === "rejected" ? outcome.reason : undefined, MalformedWasmError);
  }
  assertEquals(counted(store), { misses: 1 });
  await assertRejects(() => store.getOrCompile(broken, ENGINE), MalformedWasmError);
});

Deno.test("ArtifactStore.getOrCompile(): where the caller who leads gives up, one who waits compiles for all others", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const key = store.key(moduleOf(5), ENGINE);
  for (const when of ["while the module is fetched", "while it is compiled"]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    const fetched = Promise.withResolvers<Uint8Array>();
    const led = assertRejects(() =>
      store.getOrCompile(when.includes("fetched") ? () => fetched.promise : moduleOf(5), ENGINE, {
        key,
        signal: controller.signal,
        onProgress: () => controller.abort(reason),
      })
    );
    const waiting = [1, 2, 3].map(() => store.getOrCompile(() => moduleOf(5), ENGINE, { key }));
    if (when.includes("fetched")) {
      await sleep(5);
      controller.abort(reason);
      fetched.resolve(moduleOf(5));
    }
    assertEquals(await led, reason);
    for (const module of await Promise.all(waiting)) assertRight(module, 5);
    assertEquals(await store.backend.remove(key), true, when);
  }
  assertEquals(store.counters.compiled, 2);
});

Deno.test("ArtifactStore.getOrCompile(): where all give up nothing is compiled, and nothing stays locked", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const reason = new Error("enough");
  const key = store.key(moduleOf(5), ENGINE);
  await assertRejects(
    () => store.getOrCompile(moduleOf(5), ENGINE, { signal: AbortSignal.abort(reason) }),
    Error,
    "enough",
  );
  await assertRejects(() => store.get(key, ENGINE, { signal: AbortSignal.abort(reason) }), Error, "enough");
  const controller = new AbortController();
  const fetched = Promise.withResolvers<Uint8Array>();
  const calls = Promise.allSettled(
    Array.from(
      { length: 4 },
      () => store.getOrCompile(() => fetched.promise, ENGINE, { key, signal: controller.signal }),
    ),
  );
  await sleep(5);
  assertEquals(bench.fs.stats().fileLocks, 1);
  controller.abort(reason);
  fetched.resolve(moduleOf(5));
  for (const outcome of await calls) assertEquals(outcome, { status: "rejected", reason });
  assertEquals(bench.fs.stats().fileLocks, 0);
  assertEquals(counted(store), { misses: 1 });
  assertRight(await store.getOrCompile(moduleOf(5), ENGINE), 5);
});

Deno.test("ArtifactStore.getOrCompile() that waits for another's lock ends by its signal, or compiles after its time", async () => {
  await using bench = new Bench({ lockTimeoutMs: 40 });
  const { store } = bench;
  const patient = bench.open();
  const key = store.key(moduleOf(6), ENGINE);
  using other = FileSystem.attach(bench.fs.handle);
  const holder = new PoolBackend(other);
  const lock = await holder.lock(key, { timeoutMs: 0 });
  assert(lock !== undefined);
  const reason = new Error("enough");
  const error = await assertRejects(() =>
    patient.getOrCompile(moduleOf(6), ENGINE, { signal: AbortSignal.any([AbortSignal.timeout(20)]) })
  );
  assertEquals((error as Error).name, "TimeoutError", String(reason));
  assertRight(await store.getOrCompile(moduleOf(6), ENGINE), 6);
  assertEquals(store.counters.compiled, 1);
  // Published meanwhile: who gets the lock later finds it.
  const entry = bench.fs.readFileSync(bench.path(key));
  await store.backend.remove(key);
  const waiting = patient.getOrCompile(moduleOf(6), ENGINE);
  await sleep(10);
  bench.fs.writeFileSync(bench.path(key), entry);
  await lock[Symbol.asyncDispose]();
  assertRight(await waiting, 6);
  assertEquals([patient.counters.waited, patient.counters.compiled, patient.counters.hits], [1, 0, 1]);
  await holder.close();
});

Deno.test("ArtifactStore with locks in a pool uses them for a backend that has none", async () => {
  using fs = FileSystem.create({ maximumBytes: 32 << 20 });
  using other = FileSystem.attach(fs.handle);
  const withoutLocks = (at: FileSystem): ArtifactBackend => {
    const { name, shared, read, write, touch, remove, list } = new PoolBackend(at);
    const backend = new PoolBackend(at);
    const bound = { read, write, touch, remove, list };
    for (const [method, call] of Object.entries(bound)) Object.assign(bound, { [method]: call.bind(backend) });
    return { name, shared, ...bound };
  };
  const stores = [fs, other, other].map((at) => new ArtifactStore(withoutLocks(at), { locks: at }));
  for (const module of await Promise.all(stores.map((store) => store.getOrCompile(moduleOf(7), ENGINE)))) {
    assertRight(module, 7);
  }
  assertEquals(stores.reduce((sum, { counters }) => sum + counters.compiled, 0), 1);
  assertEquals(fs.stats().fileLocks, 0);
  for (const store of stores) await store.close();
});

/** Ways to damage an entry, and what is said of it. */
const DAMAGES: Record<string, [change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array, error: unknown]> = {
  "a bit of the payload": [(bytes) => (bytes[bytes.length - 3]! ^= 4, bytes), AlteredArtifactError],
  "a bit of the seal": [(bytes) => (bytes[decodeContainer(bytes).sealAt + 9]! ^= 1, bytes), AlteredArtifactError],
  "the last byte cut off": [(bytes) => bytes.subarray(0, -1), AlteredArtifactError],
  "a byte more": [(bytes) => new Uint8Array([...bytes, 0]), AlteredArtifactError],
  "half of it": [(bytes) => bytes.subarray(0, bytes.length >> 1), IncompatibleArtifactError],
  "nothing left": [() => new Uint8Array(0), IncompatibleArtifactError],
  "zeros": [(bytes) => bytes.fill(0), IncompatibleArtifactError],
  "the module itself": [() => moduleOf(1), IncompatibleArtifactError],
};

for (const [name, [change, error]] of Object.entries(DAMAGES)) {
  Deno.test(`ArtifactStore does not load an entry that is damaged (${name}), tells why, and replaces it`, async () => {
    for (const marked of [false, true]) {
      await using bench = new Bench();
      const { store } = bench;
      const wasm = moduleOf(1);
      const key = store.key(wasm, ENGINE);
      await store.getOrCompile(wasm, ENGINE);
      if (marked) await store.get(key, ENGINE);
      assertEquals((await store.backend.read(key))!.verified, marked);
      bench.alter(key, change);
      const found = await store.inspect(key);
      assertInstanceOf(found?.problem, error as typeof Error);
      assertEquals((await Array.fromAsync(store.verify())).map(({ problem }) => problem?.message), [
        found.problem.message,
      ]);
      const before = store.counters;
      assertEquals(await store.get(key, ENGINE), undefined);
      assertEquals(store.counters.unusable, before.unusable + 1);
      assertInstanceOf(bench.told.at(-1)![0], error as typeof Error);
      assertEquals(bench.told.at(-1)![1], "read");
      assertRight(await store.getOrCompile(wasm, ENGINE), 1);
      // Looked at twice, before the lock and under it, it is one entry.
      assertEquals(store.counters.unusable, before.unusable + 2);
      assertEquals(bench.told.length, 2);
      assertEquals([store.counters.compiled, store.counters.failures], [2, 0]);
      assertEquals((await store.inspect(key))?.problem, undefined);
      assertRight(await store.get(key, ENGINE), 1);
    }
  });
}

Deno.test("ArtifactStore does not load a good artifact under another's key, also with a right seal and a mark", async () => {
  await using bench = new Bench({ key: SECRET });
  const { store } = bench;
  const keys = [moduleOf(1), moduleOf(2)].map((wasm) => store.key(wasm, ENGINE));
  await store.getOrCompile(moduleOf(1), ENGINE);
  await store.getOrCompile(moduleOf(2), ENGINE);
  await store.get(keys[1]!, ENGINE);
  // Renamed, the file keeps its mark.
  bench.fs.renameSync(bench.path(keys[1]!), bench.path(keys[0]!));
  assert((await store.backend.read(keys[0]!))!.verified);
  assertEquals(await store.get(keys[0]!, ENGINE), undefined);
  assertEquals(store.counters.unusable, 1);
  assertInstanceOf(bench.told[0]![0], AlteredArtifactError);
  assertStringIncludes((await store.inspect(keys[0]!))!.problem!.message, keys[1]!);
  assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
  assertRight(await store.get(keys[0]!, ENGINE), 1);
});

Deno.test("ArtifactStore does not load what another key sealed, or none, be it marked or not", async () => {
  const secrets = [undefined, SECRET, random.bytes(40)];
  for (const [index, mine] of secrets.entries()) {
    for (const [other, theirs] of secrets.entries()) {
      await using bench = new Bench(theirs === undefined ? {} : { key: theirs });
      await bench.store.getOrCompile(moduleOf(1), ENGINE);
      const key = bench.store.key(moduleOf(1), ENGINE);
      await bench.store.get(key, ENGINE);
      assert((await bench.store.backend.read(key))!.verified);
      const store = bench.open(mine === undefined ? {} : { key: mine });
      const found = await store.get(key, ENGINE);
      if (index === other) {
        assertRight(found, 1);
        continue;
      }
      assertEquals(found, undefined);
      assertEquals(counted(store), { misses: 1, unusable: 1 });
      assertInstanceOf(bench.told.at(-1)![0], ArtifactKeyError);
      assertInstanceOf((await store.inspect(key))!.problem, ArtifactKeyError);
    }
  }
});

Deno.test("ArtifactStore does not load an entry under its key that was made for another target, tunable or feature", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const others: Engine[] = [
    engineOf(VARIANTS[1]!),
    engineOf(PLAIN, {
      target: { architecture: "x86_64", operatingSystem: "linux", engine: { name: "v8", version: "1" } },
    }),
    engineOf(PLAIN, { version: { custom: "2" } }),
  ];
  for (const other of others) {
    const bytes = await store.getOrCompileArtifact(moduleOf(1), other);
    const key = store.key(moduleOf(1), other);
    assertInstanceOf(ENGINE.checkCompatible(bytes)[0], IncompatibleArtifactError);
    const before = store.counters.unusable;
    assertEquals(await store.get(key, ENGINE), undefined);
    assertEquals(store.counters.unusable, before + 1);
  }
});

Deno.test("ArtifactStore.get(), getOrCompile() refuse an engine for native code before anything else", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const native = new Engine(NATIVE);
  const never = () => {
    throw new Error("it was asked for the module");
  };
  const key = store.key(moduleOf(1), native);
  await assertRejects(() => store.get(key, native), UnsafeArtifactError, "getOrCompileArtifact");
  await assertRejects(() => store.getOrCompile(never, native, { key }), UnsafeArtifactError, "deserializeNative");
  await assertRejects(() => store.getOrCompile(moduleOf(1), native), UnsafeArtifactError);
  assertEquals(counted(store), {});
});

Deno.test("ArtifactStore over a filesystem that is gone compiles, and tells of every failure", async () => {
  const fs = FileSystem.create({ maximumBytes: 32 << 20 });
  const other = FileSystem.attach(fs.handle);
  const told: string[] = [];
  const store = ArtifactStore.inPool(other, {
    onError: (error, during) => {
      told.push(`${during} ${(error as { code: string }).code}`);
      throw new Error("an onError that fails itself");
    },
  });
  fs.retire(other.agentId);
  assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
  assertEquals(told, ["read EIDRM", "read EIDRM", "write EIDRM"]);
  assertEquals(counted(store), { misses: 1, compiled: 1, failures: 3 });
  assertEquals(await store.get(store.key(moduleOf(1), ENGINE), ENGINE), undefined);
  await assertRejects(() => store.prune());
  assertSound(fs);
  other.detach();
  fs.detach();
});

Deno.test("ArtifactStore over a read-only attachment finds what is there and compiles the rest", async () => {
  await using bench = new Bench();
  await bench.store.getOrCompile(moduleOf(1), ENGINE);
  using reader = FileSystem.attach(bench.fs.handle, { readOnly: true });
  const told: unknown[] = [];
  await using store = ArtifactStore.inPool(reader, { onError: (error) => told.push((error as { code: string }).code) });
  assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
  await sleep(1);
  assertEquals(told, []);
  assertRight(await store.getOrCompile(moduleOf(2), ENGINE), 2);
  assertEquals(told, ["EROFS"]);
  assertEquals([store.counters.hits, store.counters.compiled, store.counters.failures], [1, 1, 1]);
});

Deno.test("ArtifactStore.close() waits for what it began, ends what waits, and every call after it is refused", async () => {
  const bench = new Bench();
  const { store, fs } = bench;
  const key = store.key(moduleOf(1), ENGINE);
  await store.getOrCompile(moduleOf(1), ENGINE);
  using other = FileSystem.attach(fs.handle);
  const holder = new PoolBackend(other);
  const lock = await holder.lock(store.key(moduleOf(2), ENGINE), { timeoutMs: 0 });
  const waiting = assertRejects(() => store.getOrCompile(moduleOf(2), ENGINE), ArtifactStoreError);
  const hit = store.get(key, ENGINE);
  await sleep(5);
  const closed = store.close();
  await Promise.all([closed, store.close()]);
  assertRight(await hit, 1);
  await waiting;
  await lock![Symbol.asyncDispose]();
  await holder.close();
  for (
    const call of [
      () => store.get(key, ENGINE),
      () => store.getOrCompile(moduleOf(1), ENGINE),
      () => store.getOrCompileArtifact(moduleOf(1), ENGINE),
      () => store.inspect(key),
      () => store.prune(),
      () => Array.fromAsync(store.list()),
      () => Array.fromAsync(store.verify()),
    ]
  ) {
    await assertRejects(call, ArtifactStoreError, "pool:/artifacts");
  }
  await bench[Symbol.asyncDispose]();
});

Deno.test("ArtifactStore refuses a shared backend without a key, and a key that is too short, and opens nothing", () => {
  using fs = FileSystem.create({ maximumBytes: 32 << 20 });
  const backend = new PoolBackend(fs);
  const shared = new Proxy(backend, { get: (target, name) => name === "shared" || Reflect.get(target, name) });
  assertThrows(() => new ArtifactStore(shared), ArtifactStoreError, "key");
  assertThrows(() => new ArtifactStore(backend, { key: new Uint8Array(31) }), ArtifactKeyError, "32");
  assertInstanceOf(new ArtifactStore(shared, { key: SECRET }), ArtifactStore);
  const { opens } = fs.stats();
  assertThrows(() => ArtifactStore.inPool(fs, { key: new Uint8Array(31) }), ArtifactKeyError);
  assertThrows(() => ArtifactStore.inPool(fs, { lockTimeoutMs: -1 }), RangeError);
  assertThrows(() => ArtifactStore.inPool(fs, { limits: { bytes: NaN } }), RangeError);
  assertThrows(() => ArtifactStore.inPool(fs, { onError: "x" as unknown as () => void }), TypeError);
  assertEquals(fs.stats().opens, opens, "what could not be made has left a file open");
});

Deno.test("ArtifactStore is made of engines whose settings differ in speed only, too: each has its own entry", async () => {
  await using bench = new Bench();
  const { store } = bench;
  const fast = engineOf(PLAIN, { compiler: { ...BASE.compiler!, settings: { optimizeLevel: 1 } } });
  assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
  assertRight(await store.getOrCompile(moduleOf(1), fast), 1);
  assertEquals(store.counters.compiled, 2);
});
