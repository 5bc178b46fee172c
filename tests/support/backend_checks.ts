/**
 * What every place for artifacts must do, as a list of checks that run wherever JavaScript does: tests run them by
 * `backend_conformance.ts`, pages in browsers as they are. Each makes keys of its own and looks at nothing else, so that
 * they may share a place with each other and with what was there before.
 *
 * Imports the parts of a check, and no host's API.
 *
 * @module
 */
import type { ArtifactBackend, BackendEntry, BackendOptions } from "../../src/artifact/store/backend.ts";
import {
  type BackendCheck,
  type BackendTraits,
  CheckRandom,
  expect,
  reasonOf,
  sleep,
  traitsOf,
} from "./backend_check.ts";
import { LOCK_CHECKS } from "./backend_lock_checks.ts";

function expectSame(found: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  expect(found !== undefined, `${what}: there is nothing`);
  expect(found.length === expected.length, `${what}: ${found.length} bytes instead of ${expected.length}`);
  const at = found.findIndex((byte, index) => byte !== expected[index]);
  expect(at === -1, `${what}: byte ${at} is ${found[at]} instead of ${expected[at]}`);
}

async function readBytes(backend: ArtifactBackend, key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return (await backend.read(key))?.bytes;
}

/** How many entries there are. (Array.fromAsync is not in every host.) */
async function listAll(backend: ArtifactBackend, options?: BackendOptions): Promise<number> {
  let count = 0;
  for await (const _ of backend.list(options)) count++;
  return count;
}

/** The entries of some keys. */
async function entriesOf(backend: ArtifactBackend, keys: readonly string[]): Promise<Map<string, BackendEntry>> {
  const found = new Map<string, BackendEntry>();
  for await (const entry of backend.list()) {
    expect(/^[A-Za-z0-9_-]{43}$/.test(entry.key), `list() gives ${JSON.stringify(entry.key)}, which is no key`);
    if (!keys.includes(entry.key)) continue;
    expect(!found.has(entry.key), `list() gives ${entry.key} twice`);
    found.set(entry.key, entry);
  }
  return found;
}

const BASIC_CHECKS: readonly BackendCheck[] = [
  {
    name: "read() of nothing is undefined, as are touch() and remove() of it without effect",
    async run({ backend, traits, random }) {
      const key = random.key();
      expect(await backend.read(key) === undefined, "read() finds what was never written");
      await backend.touch(key, Date.now());
      expect(await backend.read(key) === undefined, "touch() makes an entry");
      expect(await backend.remove(key) === false, "remove() of nothing says that there was something");
      if (traits.list) expect((await entriesOf(backend, [key])).size === 0, "list() gives what was never written");
    },
  },
  {
    name: "read() gives what write() was given, of all sizes, on both connections",
    async run({ backend, other, traits, random }) {
      for (const size of [0, 1, 100_000, traits.largestBytes]) {
        const [key, bytes] = [random.key(), random.bytes(size)];
        await backend.write(key, bytes);
        expectSame(await readBytes(backend, key), bytes, `${size} bytes`);
        expectSame(await readBytes(other, key), bytes, `${size} bytes by the other connection`);
        await other.remove(key);
      }
    },
  },
  {
    name: "keys that differ in one character, or only in case, are different",
    async run({ backend, random }) {
      const stem = random.key().slice(0, 41);
      const values = new Map(
        ["aA", "AA", "Aa", "aa", "-_", "_-", "--", "zE"].map((end) => [stem + end, random.bytes(9)]),
      );
      for (const [key, bytes] of values) await backend.write(key, bytes);
      for (const [key, bytes] of values) expectSame(await readBytes(backend, key), bytes, key);
      for (const [key] of values) expect(await backend.remove(key), `${key} is gone with another`);
    },
  },
  {
    name: "remove() says whether there was an entry, and leaves none",
    async run({ backend, other, random }) {
      const key = random.key();
      await backend.write(key, random.bytes(10));
      expect(await other.remove(key) === true, "remove() does not say that there was an entry");
      expect(await backend.read(key) === undefined, "remove() leaves the entry");
      expect(await backend.remove(key) === false, "remove() says twice that there was an entry");
      await backend.touch(key, Date.now() + 10_000_000);
      expect(await backend.read(key) === undefined, "touch() brings back what was removed");
      await backend.write(key, Uint8Array.of(7));
      expectSame(await readBytes(other, key), Uint8Array.of(7), "written again");
      await backend.remove(key);
    },
  },
  {
    name: "keys that are none are refused by every method with a TypeError",
    async run({ backend, random }) {
      const key = random.key();
      const nonsense: unknown[] = [
        "",
        "../x",
        "x".repeat(42),
        "x".repeat(44),
        `${key}\n`,
        `${key.slice(1)}/`,
        `${key.slice(1)}é`,
        `../${key.slice(3)}`,
        `${key.slice(1)}\0`,
        undefined,
        null,
        43,
        [key],
      ];
      for (const bad of nonsense as string[]) {
        const calls: Record<string, (() => Promise<unknown>) | undefined> = {
          read: () => backend.read(bad),
          write: () => backend.write(bad, new Uint8Array(1)),
          touch: () => backend.touch(bad, Date.now()),
          remove: () => backend.remove(bad),
          lock: backend.lock && (() => backend.lock!(bad, { timeoutMs: 0 })),
        };
        for (const [method, call] of Object.entries(calls)) {
          if (call === undefined) continue;
          const what = `${method}(${JSON.stringify(bad)})`;
          const reason = await reasonOf(what, call);
          expect(reason instanceof TypeError, `${what} rejects with ${reason} instead of a TypeError`);
        }
      }
    },
  },
];

const COPY_CHECKS: readonly BackendCheck[] = [
  {
    name: "what was read is the reader's own, over an ArrayBuffer",
    async run({ backend, random }) {
      const [key, bytes] = [random.key(), random.bytes(1000)];
      await backend.write(key, bytes);
      const first = await readBytes(backend, key);
      const second = await readBytes(backend, key);
      expectSame(first, bytes, "first");
      expect(first instanceof Uint8Array && first.buffer instanceof ArrayBuffer, "the bytes are not in an ArrayBuffer");
      first.fill(0);
      expectSame(second, bytes, "what was read before another reader wrote into its copy");
      expectSame(await readBytes(backend, key), bytes, "what is read after a reader wrote into its copy");
      await backend.remove(key);
    },
  },
  {
    name: "what was written stays as it was when the caller uses its array again",
    async run({ backend, other, random }) {
      const [key, bytes] = [random.key(), random.bytes(100_000)];
      const copy = bytes.slice();
      await backend.write(key, bytes);
      bytes.fill(0);
      expectSame(await readBytes(backend, key), copy, "after the caller wrote into its array");
      expectSame(await readBytes(other, key), copy, "by the other connection");
      await backend.remove(key);
    },
  },
  {
    name: "of a view, exactly what it shows is written, and its memory is left alone",
    async run({ backend, random }) {
      const whole = random.bytes(3000);
      const before = whole.slice();
      for (const [from, to] of [[1, 2999], [7, 7], [1024, 2048]] as const) {
        const key = random.key();
        await backend.write(key, whole.subarray(from, to));
        expectSame(await readBytes(backend, key), before.subarray(from, to), `bytes ${from} to ${to}`);
        await backend.remove(key);
      }
      expectSame(whole, before, "the memory behind the views");
    },
  },
  {
    name: "shared memory can be written from, whole and in part",
    async run({ backend, random }) {
      expect(typeof SharedArrayBuffer === "function", "this host has no SharedArrayBuffer: isolate the page");
      const shared = new Uint8Array(new SharedArrayBuffer(70_000));
      shared.set(random.bytes(70_000));
      const whole = shared.slice();
      for (const [from, to] of [[0, 70_000], [33, 65_000]] as const) {
        const key = random.key();
        await backend.write(key, shared.subarray(from, to));
        const found = await readBytes(backend, key);
        expectSame(found, whole.subarray(from, to), `bytes ${from} to ${to} of shared memory`);
        expect(found!.buffer instanceof ArrayBuffer, "the bytes that were read are in shared memory");
        await backend.remove(key);
      }
    },
  },
];

const LISTING_CHECKS: readonly BackendCheck[] = [
  {
    name: "list() gives exact sizes and sane times, or says that it cannot",
    async run({ backend, other, traits, random }) {
      if (!traits.list) {
        const reason = await reasonOf("list()", () => listAll(backend));
        const code = (reason as { code?: unknown }).code;
        expect(code === "ERR_ARTIFACT_STORE", `list() rejects with ${reason} instead of an error of a store`);
        return;
      }
      const start = Date.now();
      const values = new Map([0, 1, 777, 65_536].map((size) => [random.key(), random.bytes(size)]));
      for (const [key, bytes] of values) await backend.write(key, bytes);
      const entries = await entriesOf(other, [...values.keys()]);
      for (const [key, bytes] of values) {
        const entry = entries.get(key);
        expect(entry !== undefined, `list() lacks ${key}`);
        expect(entry.bytes === bytes.length, `list() gives ${entry.bytes} bytes instead of ${bytes.length}`);
        const slackMs = traits.clockSkewMs + traits.touchIntervalMs;
        expect(
          entry.lastUsedMs >= start - slackMs && entry.lastUsedMs <= Date.now() + slackMs,
          `list() gives a last use at ${entry.lastUsedMs}, and it is ${Date.now()}`,
        );
      }
      for (const key of values.keys()) await backend.remove(key);
      expect((await entriesOf(backend, [...values.keys()])).size === 0, "list() gives what was removed");
    },
  },
  {
    name: "touch() moves the last use, never back, and changes nothing else",
    async run({ backend, other, traits, random }) {
      const [key, bytes] = [random.key(), random.bytes(5000)];
      await backend.write(key, bytes);
      const lastUsedMs = async () => (await entriesOf(other, [key])).get(key)?.lastUsedMs ?? NaN;
      if (traits.list) {
        const start = await lastUsedMs();
        const later = Date.now() + 2 * traits.touchIntervalMs + 10_000_000;
        await backend.touch(key, later);
        const touched = await lastUsedMs();
        if (traits.touchTakesTime) {
          const lag = later - touched;
          expect(
            lag >= -1 && lag <= traits.touchIntervalMs + 1000,
            `touch(${later}) led to ${touched}, after ${start}`,
          );
        } else {
          expect(touched >= start, `touch() led from ${start} back to ${touched}`);
        }
        await backend.touch(key, later - 5_000_000);
        expect(await lastUsedMs() >= touched, `touch() with an earlier time went back from ${touched}`);
      } else {
        await backend.touch(key, Date.now() + 10_000_000_000);
      }
      expectSame(await readBytes(other, key), bytes, "after touch()");
      await backend.remove(key);
    },
  },
  {
    name: "list() while others write gives only whole entries, and all that stay",
    async run({ backend, other, traits, random }) {
      if (!traits.list) return;
      const sizes = new Map<string, number>();
      const staying: string[] = [];
      for (let index = 0; index < 12; index++) {
        const [key, size] = [random.key(), 1 + random.below(20_000)];
        sizes.set(key, size);
        if (index % 2 === 0) {
          await backend.write(key, random.bytes(size));
          staying.push(key);
        }
      }
      let writing = true;
      const writer = (async () => {
        for (let round = 0; round < 10; round++) {
          for (const [key, size] of sizes) {
            if (staying.includes(key)) await backend.write(key, random.bytes(size));
            else if (random.below(2) === 0) await backend.write(key, random.bytes(size));
            else await backend.remove(key);
          }
        }
      })().finally(() => writing = false);
      let lists = 0;
      while (writing || lists === 0) {
        const entries = await entriesOf(other, [...sizes.keys()]);
        lists++;
        for (const { key, bytes } of entries.values()) {
          expect(bytes === sizes.get(key), `list() gives ${bytes} bytes instead of ${sizes.get(key)}`);
        }
        for (const key of staying) expect(entries.has(key), `list() lacks ${key}, which is only replaced`);
      }
      await writer;
      for (const key of sizes.keys()) await backend.remove(key);
    },
  },
];

const ATOMIC_CHECKS: readonly BackendCheck[] = [
  {
    name: "a reader finds one of the values whole while they replace each other",
    async run({ backend, other, traits, random }) {
      const key = random.key();
      const values = [300_000, 1_000_000, 70_001].map((size) => random.bytes(size));
      await backend.write(key, values[0]!);
      let writing = true;
      const writer = (async () => {
        for (let round = 0; round < 12; round++) {
          const via = round % 3 === 0 ? other : backend;
          await via.write(key, values[(round + 1) % values.length]!);
        }
      })().finally(() => writing = false);
      let reads = 0;
      while (writing || reads === 0) {
        const found = await readBytes(other, key);
        reads++;
        if (found === undefined && !traits.replacesAtOnce) continue;
        expect(found !== undefined, "for a moment there was nothing");
        const value = values.find(({ length }) => length === found.length);
        expect(value !== undefined, `a reader found ${found.length} bytes, which nobody wrote`);
        expectSame(found, value, "a reader's value");
      }
      await writer;
      await backend.remove(key);
    },
  },
  {
    name: "of writers at the same moment one wins whole",
    async run({ backend, other, random }) {
      const key = random.key();
      const values = Array.from({ length: 8 }, (_, index) => random.bytes(50_000 + index));
      await Promise.all(values.map((value, index) => (index % 2 ? backend : other).write(key, value)));
      const found = await readBytes(backend, key);
      const value = values.find(({ length }) => length === found?.length);
      expect(value !== undefined, `${found?.length} bytes, which nobody wrote`);
      expectSame(found, value, "the winner");
      await backend.remove(key);
    },
  },
];

const ENDING_CHECKS: readonly BackendCheck[] = [
  {
    name: "a signal that has aborted ends every call with its reason, before it has an effect",
    async run({ backend, traits, random }) {
      const key = random.key();
      await backend.write(key, Uint8Array.of(1, 2, 3));
      const reason = new Error("enough");
      const options: BackendOptions = { signal: AbortSignal.abort(reason) };
      const calls: Record<string, () => Promise<unknown>> = {
        read: () => backend.read(key, options),
        write: () => backend.write(key, Uint8Array.of(4), options),
      };
      if (traits.list) calls.list = () => listAll(backend, options);
      for (const [method, call] of Object.entries(calls)) {
        expect(await reasonOf(method, call) === reason, `${method}() does not reject with the signal's reason`);
      }
      expectSame(await readBytes(backend, key), Uint8Array.of(1, 2, 3), "after a write that was aborted");
      await backend.remove(key);
    },
  },
  {
    name: "a signal that aborts during a write leaves the old value or the new, whole",
    async run({ backend, traits, random }) {
      const [key, old] = [random.key(), random.bytes(100)];
      await backend.write(key, old);
      const fresh = random.bytes(traits.largestBytes);
      const reason = new Error("enough");
      const controller = new AbortController();
      const written = backend.write(key, fresh, { signal: controller.signal }).then(() => true, (error) => {
        expect(error === reason, `write() rejects with ${error} instead of the signal's reason`);
        return false;
      });
      await sleep(1);
      controller.abort(reason);
      const done = await written;
      const found = await readBytes(backend, key);
      expect(!done || found?.length === fresh.length, "write() resolved, and the old value is there");
      expectSame(found, found?.length === fresh.length ? fresh : old, "after a write that was aborted");
      await backend.remove(key);
    },
  },
  {
    name: "it has a name without a password, and says whether it is shared",
    // deno-lint-ignore require-await
    async run({ backend }) {
      expect(typeof backend.name === "string" && backend.name.length > 0, "it has no name");
      expect(!/:\/\/[^/]*:[^/]*@/.test(backend.name), `its name tells a password: ${backend.name}`);
      expect(typeof backend.shared === "boolean", "it does not say whether it is shared");
    },
  },
  {
    name: "close() twice is harmless",
    async run({ backend, random }) {
      await backend.read(random.key());
      await backend.close?.();
      await backend.close?.();
    },
  },
];

/** All checks, in the order in which to run them: the last closes the backend. */
export const BACKEND_CHECKS: readonly BackendCheck[] = [
  ...BASIC_CHECKS,
  ...COPY_CHECKS,
  ...LISTING_CHECKS,
  ...ATOMIC_CHECKS,
  ...LOCK_CHECKS,
  ...ENDING_CHECKS,
];

/**
 * Runs one check.
 *
 * @param another opens a second connection to the same place; left out, the first is used in its place
 * @param seed of its random numbers; take another for every run, as keys are made of it
 */
export async function runBackendCheck(
  check: BackendCheck,
  backend: ArtifactBackend,
  another: (() => Promise<ArtifactBackend>) | undefined,
  traits: BackendTraits,
  seed: number,
): Promise<void> {
  const other = await another?.() ?? backend;
  try {
    await check.run({ backend, other, traits: traitsOf(traits), random: new CheckRandom(seed) });
  } finally {
    if (other !== backend) await other.close?.();
  }
}
