/** Moving artifacts from the keys that an earlier version of a program had for them. */
import { compareWithEngine } from "../../../../src/artifact/compatibility.ts";
import { decodeContainer } from "../../../../src/artifact/container.ts";
import { AlteredArtifactError, ArtifactKeyError, IncompatibleArtifactError } from "../../../../src/artifact/errors.ts";
import { sealKey, verifySeal } from "../../../../src/artifact/seal.ts";
import type { KeyInputs } from "../../../../src/artifact/store/key.ts";
import { digestExtra, keyOfHeader } from "../../../../src/artifact/store/key.ts";
import { rekey } from "../../../../src/artifact/store/migration.ts";
import { sha256 } from "../../../../src/artifact/digest.ts";
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "../../../support/assert.ts";
import { CheckRandom } from "../../../support/backend_check.ts";
import { SEED } from "../support.ts";
import { assertRight, Bench, counted } from "./bench.ts";
import { BASE, ENGINE, engineOf, moduleOf, VARIANTS } from "./modules.ts";

const random = new CheckRandom(SEED);
const SECRET = random.bytes(32);
const OLD_KEY = random.key();
/** What loads in {@linkcode ENGINE}, and has another hash: the optimization level decides speed only. */
const EARLIER = engineOf(VARIANTS[0]!, { compiler: { ...BASE.compiler!, settings: { optimizeLevel: 1 } } });

for (const key of [undefined, SECRET]) {
  Deno.test(`rekey() ${key ? "with" : "without"} a key keeps the payload and names the new inputs`, async () => {
    const options = key === undefined ? {} : { key };
    const old = await EARLIER.precompileModule(moduleOf(1, 500), options);
    const layout = decodeContainer(old);
    const inputs = { ...layout.header, compatibility: ENGINE.serializationCompatibilityHash("bytes") };
    const moved = rekey(old, layout, inputs, key && sealKey(key));
    const found = decodeContainer(moved);
    verifySeal(moved, found, key && sealKey(key));
    assertEquals(found.header, { ...layout.header, compatibility: inputs.compatibility });
    assertEquals(moved.subarray(found.payloadAt), old.subarray(layout.payloadAt));
    assertEquals(compareWithEngine(found.header, ENGINE.config), []);
    assertRight(ENGINE.deserialize(moved, options), 1);
    // The same inputs give the same bytes.
    assertEquals(rekey(old, layout, layout.header, key && sealKey(key)), old);
    for (const part of ["source", "extra"]) {
      const other = { ...inputs, [part]: random.bytes(32) };
      assertThrows(() => rekey(old, layout, other, key && sealKey(key)), AlteredArtifactError);
    }
  });
}

/** A store that moves from {@linkcode OLD_KEY}, where something is already. */
async function withOld(
  old: Uint8Array,
  options: { key?: Uint8Array; oldKeys?: (inputs: KeyInputs) => readonly string[] } = {},
): Promise<Bench> {
  const { oldKeys = () => [OLD_KEY], key } = options;
  const bench = new Bench({ migrate: oldKeys, ...(key === undefined ? {} : { key }) });
  await bench.store.backend.write(OLD_KEY, old);
  return bench;
}

for (const key of [undefined, SECRET]) {
  Deno.test(`ArtifactStore with migrate moves what it finds ${key ? "with" : "without"} a key instead of compiling`, async () => {
    const options = key === undefined ? {} : { key };
    const seen: KeyInputs[] = [];
    const oldKeys = (inputs: KeyInputs) => {
      seen.push(inputs);
      // What is not there, and the new key itself, are passed over.
      return [random.key(), bench.store.key(moduleOf(1), ENGINE), OLD_KEY];
    };
    await using bench: Bench = await withOld(await EARLIER.precompileModule(moduleOf(1), options), {
      ...options,
      oldKeys,
    });
    const { store } = bench;
    assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
    const newKey = store.key(moduleOf(1), ENGINE);
    assertEquals(bench.keys(), [newKey], "the old entry is left, or the new one is not there");
    const { bytesWritten: _, ...rest } = counted(store);
    assertEquals(rest, { misses: 1, migrated: 1 });
    assertEquals(bench.told, []);
    const found = await store.inspect(newKey);
    assertEquals(found?.problem, undefined);
    assertEquals(keyOfHeader(found!.header!), newKey);
    assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
    assertEquals([store.counters.hits, seen.length], [1, 1], "it was asked again");
    assertEquals(seen[0], {
      source: sha256(moduleOf(1)),
      compatibility: ENGINE.serializationCompatibilityHash("bytes"),
      extra: digestExtra(),
    });
  });
}

/** What must not be moved, and why it is refused. */
const REFUSED: Record<string, [make: () => Promise<Uint8Array>, error: unknown]> = {
  "another module's artifact": [() => EARLIER.precompileModule(moduleOf(2), { key: SECRET }), AlteredArtifactError],
  "an artifact sealed without a key": [() => EARLIER.precompileModule(moduleOf(1)), ArtifactKeyError],
  "an artifact that does not fit": [
    () => engineOf(VARIANTS[1]!).precompileModule(moduleOf(1), { key: SECRET }),
    IncompatibleArtifactError,
  ],
  "a damaged artifact": [async () => {
    const bytes = await EARLIER.precompileModule(moduleOf(1), { key: SECRET });
    bytes[bytes.length - 1]! ^= 1;
    return bytes;
  }, AlteredArtifactError],
  "nonsense": [() => Promise.resolve(random.bytes(500)), IncompatibleArtifactError],
};

for (const [name, [make, error]] of Object.entries(REFUSED)) {
  Deno.test(`ArtifactStore with migrate compiles where the old key holds ${name}, and tells why`, async () => {
    const old = await make();
    await using bench = await withOld(old, { key: SECRET });
    const { store } = bench;
    assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
    const { bytesWritten: _, ...rest } = counted(store);
    assertEquals(rest, { misses: 1, compiled: 1, unusable: 1 });
    assertInstanceOf(bench.told[0]![0], error as typeof Error);
    assertEquals(bench.told.length, 1);
    assert(bench.keys().includes(OLD_KEY), "what was refused is somebody else's, and was removed");
    assertEquals((await store.inspect(store.key(moduleOf(1), ENGINE)))?.problem, undefined);
  });
}

Deno.test("ArtifactStore with migrate keeps the old entry where the new one cannot be written", async () => {
  await using bench = await withOld(await EARLIER.precompileModule(moduleOf(1)));
  const { store } = bench;
  // A directory where the entry should be: reading and writing fail.
  bench.fs.mkdirSync(bench.path(store.key(moduleOf(1), ENGINE)));
  assertRight(await store.getOrCompile(moduleOf(1), ENGINE), 1);
  assert(bench.keys().includes(OLD_KEY));
  assertEquals(bench.told.map(([, during]) => during), ["read", "read", "write"]);
});

Deno.test("ArtifactStore with a migrate that fails, or gives no keys, rejects with that, and nothing stays locked", async () => {
  const failures: [oldKeys: () => readonly string[], error: unknown][] = [
    [() => {
      throw new RangeError("no idea");
    }, RangeError],
    [() => ["no key"], TypeError],
    [() => 5 as unknown as string[], TypeError],
  ];
  for (const [oldKeys, error] of failures) {
    await using bench = await withOld(await EARLIER.precompileModule(moduleOf(1)), { oldKeys });
    await assertRejects(() => bench.store.getOrCompile(moduleOf(1), ENGINE), error as typeof Error);
  }
});
