/**
 * Hosts with engines of three versions, each with three configurations, share one Redis: each gets its own artifacts and
 * never another's, each is compiled once, whatever is written into the store, and whether or not it is there.
 *
 * `EXTMEMFS_SEED` repeats the order in which hosts ask.
 *
 * @module
 */
import { type ArtifactStore, type EngineConfig, openStore } from "../../artifact.ts";
import { toHex } from "../../src/artifact/digest.ts";
import { scanModule } from "../../src/artifact/wasm/scan.ts";
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { SEED } from "../support/stress.ts";
import { Fleet, type FleetHost } from "./support/fleet.ts";
import { CONFIGS, expectedOf, loadsFrom, MODULES } from "./support/fleet_modules.ts";
import {
  assertHits,
  assertOnce,
  assertQuiet,
  idOf,
  PROCESSES,
  REQUESTS,
  Scene,
  shuffled,
  sum,
} from "./support/fleet_scene.ts";
import { FORGERIES, type Forgery, KEYLESS } from "./support/forgeries.ts";
import { until } from "./support/ports.ts";
import { RedisServer } from "./support/redis_server.ts";

async function compilesOnce(scene: Scene): Promise<void> {
  const versions = new Map([...scene.described].map(([{ kind }, { v8 }]) => [kind, v8.split(".")[0]!]));
  assertEquals(new Set(versions.values()).size, 3, `engines of three major versions: ${[...versions]}`);
  const first = await scene.load();
  assertOnce(scene, first);
  assertQuiet(first);
  for (const [{ kind }, { loaded }] of first) {
    for (const { key, ...request } of loaded) {
      const id = idOf(kind, request);
      assertEquals(scene.keys.get(id) ?? key, key, `${id}: processes of one kind ask for one key`);
      scene.keys.set(id, key);
    }
  }
  assertEquals(new Set(scene.keys.values()).size, REQUESTS.length * 3);
  await scene.assertGood();
  const second = await scene.load();
  assertHits(second);
  assertQuiet(second);
}

/** What the headers say is true of the code: what was to be lowered is, and only that. */
async function lowers(scene: Scene): Promise<void> {
  for (const [kind] of scene.kinds) {
    for (const request of REQUESTS) {
      const { features, exports } = scanModule(await scene.artifact(kind, request));
      const expected = expectedOf(request.module, request.config);
      const found = { features, exports: exports.map(({ name }) => name) };
      assertEquals(found, { features: expected.features, exports: expected.exports }, idOf(kind, request));
    }
  }
}

async function looksAtAll(scene: Scene): Promise<void> {
  const ids = new Map([...scene.keys].map(([id, key]) => [key, id]));
  for (const config of Object.keys(CONFIGS)) {
    const found = await scene.fleet.ask("look", { store: "main", keys: [...ids.keys()], config });
    for (const [{ name, kind }, keys] of found) {
      const expected = REQUESTS.filter(({ module, config: made }) => loadsFrom(config, made, module));
      const names = keys.map((key) => ids.get(key)!).sort();
      assertEquals(names, expected.map((request) => idOf(kind, request)).sort(), `${name} as ${config}`);
    }
  }
}

async function refusesForgeries(scene: Scene): Promise<void> {
  assertEquals(FORGERIES.length, REQUESTS.length, "every forgery in the place of an entry of every kind of host");
  const entries = new Map<string, Uint8Array>();
  const planned = new Map<string, Forgery>();
  for (const [kind] of scene.kinds) {
    const victims = shuffled(REQUESTS);
    for (const [index, forgery] of FORGERIES.entries()) {
      const id = idOf(kind, victims[index]!);
      planned.set(id, forgery);
      entries.set(scene.keys.get(id)!, await scene.forge(forgery, kind, victims[index]!));
    }
  }
  await scene.overwrite(entries);
  for await (const { key, problem } of scene.store.verify()) {
    assert(problem !== undefined, `verify() finds nothing wrong about ${key}`);
  }
  await Promise.all(scene.kinds.map(async ([kind, [first]]) => {
    for (const request of REQUESTS) {
      const { loaded, counters, errors } = await first!.ask("load", { store: "main", requests: [request] });
      scene.assertOwn(first!, loaded[0]!);
      const { name, refusal: [code, fault] } = planned.get(idOf(kind, request))!;
      const label = `${idOf(kind, request)}: ${name}`;
      const { hits, unusable, compiled, failures } = counters;
      assertEquals({ hits, unusable, compiled, failures }, { hits: 0, unusable: 1, compiled: 1, failures: 0 }, label);
      assertEquals(errors.map((error) => [error.during, error.code, error.kind]), [["read", code, fault]], label);
    }
  }));
  const answers = await scene.load();
  assertHits(answers);
  assertQuiet(answers);
  await scene.assertGood();
}

async function recoversTogether(scene: Scene): Promise<void> {
  const entries = new Map<string, Uint8Array>();
  for (const [kind] of scene.kinds) {
    for (const request of REQUESTS) {
      entries.set(scene.keys.get(idOf(kind, request))!, await scene.forge(KEYLESS, kind, request));
    }
  }
  await scene.overwrite(entries);
  const answers = await scene.load();
  assertOnce(scene, answers);
  for (const [kind, hosts] of scene.kinds) {
    const unusable = sum(answers, "unusable", hosts);
    assert(unusable >= REQUESTS.length && unusable <= REQUESTS.length * PROCESSES, `${kind}: ${unusable}`);
  }
  assertEquals(sum(answers, "failures"), 0);
  await scene.assertGood();
}

/** A host with another key cannot read what others have sealed, nor they what it has: each change costs a compilation. */
async function changesKeys(scene: Scene): Promise<void> {
  const { url } = scene.redis;
  const secret = crypto.getRandomValues(new Uint8Array(32));
  await Promise.all(scene.kinds.map(async ([kind, [first, second]]) => {
    await first!.ask("open", { store: "stranger", url, key: toHex(secret) });
    const requests = REQUESTS.filter(({ config }) => config === "lowered");
    const all = requests.length;
    const turns: [FleetHost, string, number][] = [
      [first!, "stranger", all],
      [first!, "stranger", 0],
      [second!, "main", all],
      [first!, "main", 0],
    ];
    for (const [turn, [host, store, unusable]] of turns.entries()) {
      const { loaded, counters, errors } = await host.ask("load", { store, requests });
      for (const module of loaded) scene.assertOwn(host, module);
      const found = [counters.unusable, counters.compiled, counters.hits, counters.failures];
      assertEquals(found, [unusable, unusable, all - unusable, 0], `${kind}, turn ${turn}`);
      assertEquals(errors.map(({ code }) => code), Array(unusable).fill("ERR_ARTIFACT_KEY"), `${kind}, turn ${turn}`);
    }
  }));
  await scene.assertGood();
}

/** Gives each host an engine of a version of the fleet's own; all else is equal, but for the engine's true version. */
async function describeShared(scene: Scene, version: string): Promise<void> {
  const features = scene.described.get(scene.fleet.hosts.at(-1)!)!.engines.plain!.config.features;
  const configOf = (host: FleetHost): EngineConfig => ({
    target: scene.described.get(host)!.engines.plain!.config.target,
    features,
    version: { custom: version },
  });
  const described = await scene.fleet.ask("describe", (host) => ({ configs: { [version]: configOf(host) } }));
  assertEquals(new Set([...described.values()].map(({ engines }) => engines[version]!.hash)).size, 1, "one hash");
}

async function sharesCustomVersion(scene: Scene): Promise<void> {
  await describeShared(scene, "fleet-1");
  await describeShared(scene, "fleet-2");
  const requests = Object.keys(MODULES).map((module) => ({ module, config: "fleet-1" }));
  const answers = await scene.fleet.ask("load", () => ({ store: "main", requests: shuffled(requests) }));
  assertQuiet(answers);
  const { size } = answers;
  assertEquals([sum(answers, "compiled"), sum(answers, "hits")], [requests.length, requests.length * (size - 1)]);
  const loaded = [...answers.values()].flatMap((answer) => answer.loaded);
  const makers = new Map(loaded.map(({ module, header }) => [module, header.provenance.engineVersion]));
  for (const { module, told, header } of loaded) {
    assertEquals(told, MODULES[module]!.tells);
    assertEquals([header.versionStrategy, header.version], ["custom", "fleet-1"]);
    assertEquals(header.provenance.engineVersion, makers.get(module), "hosts of all versions load the same");
  }
  const keys = [...new Set(loaded.map(({ key }) => key))];
  assertEquals(keys.length, requests.length);
  for (const config of ["fleet-2", "plain"]) {
    for (const found of (await scene.fleet.ask("look", { store: "main", keys, config })).values()) {
      assertEquals(found, [], config);
    }
  }
  for (const key of keys) assert(await scene.store.backend.remove(key));
}

/** Limits hold for what all hosts have published, by what all have used. Needs the engines of the custom version. */
async function keepsLimits(scene: Scene): Promise<void> {
  const key = toHex(scene.secret);
  const url = (database: number) => scene.redis.url.replace(/0$/, String(database));
  await scene.fleet.ask("open", { store: "four", url: url(1), key, limits: { entries: 4 } });
  await scene.fleet.ask("open", { store: "one", url: url(2), key, limits: { entries: 1 } });
  await using four = await openStore(url(1), { key: scene.secret });
  await using one = await openStore(url(2), { key: scene.secret });
  const requests = [{ module: "arithmetic", config: "fleet-1" }];
  const load = async (host: FleetHost, store: string, extra: string) => {
    const { loaded, counters, errors } = await host.ask("load", { store, requests, extra });
    assertEquals([loaded[0]!.told, errors], [MODULES.arithmetic!.tells, []]);
    return { key: loaded[0]!.key, ...counters };
  };
  const entries = async (store: ArtifactStore) =>
    new Map((await Array.fromAsync(store.list())).map((entry) => [entry.key, entry.lastUsedMs]));
  const [deno, node24, node20] = scene.kinds.map(([, hosts]) => hosts[0]!) as [FleetHost, FleetHost, FleetHost];

  const published = [await load(deno, "four", "0"), await load(deno, "four", "1")];
  published.push(await load(node24, "four", "2"), await load(node24, "four", "3"));
  const kept = await entries(four);
  assertEquals(new Set(kept.keys()), new Set(published.map(({ key }) => key)), "what is at the limit stays");
  await new Promise((resolve) => setTimeout(resolve, 5));
  const [used] = published;
  assertEquals((await load(node20, "four", "0")).hits, 1);
  await until("the use is noted", 5000, async () => (await entries(four)).get(used!.key)! > Math.max(...kept.values()));
  const last = await load(node24, "four", "4");
  assertEquals([last.compiled, last.evicted], [1, 3], "down to 70 %");
  assertEquals(
    new Set((await entries(four)).keys()),
    new Set([used!.key, last.key]),
    "used by another, or just published",
  );
  assertEquals((await load(deno, "four", "1")).compiled, 1, "what was evicted is compiled again");

  for (const host of scene.fleet.hosts) {
    const { key, compiled } = await load(host, "one", host.name);
    assertEquals([compiled, [...(await entries(one)).keys()]], [1, [key]], "what was just published stays");
  }
  await Promise.all(scene.fleet.hosts.map(async (host) => {
    for (let turn = 0; turn < 3; turn++) await load(host, "four", `${host.name}, ${turn}`);
  }));
  const { size } = await entries(four);
  assert(size >= 1 && size <= 4, `${size} entries where 4 are the limit`);
}

async function outlastsTheServer(scene: Scene): Promise<void> {
  const before = scene.keys.size;
  const round = scene.load({ extra: "while the server is killed", inTurn: true });
  await until("some artifacts are published", 20_000, async () => {
    const entries = await Array.fromAsync(scene.store.list());
    return entries.length >= before + 3;
  });
  await scene.redis.stop();
  const cutOff = await round;
  assertGreater(sum(cutOff, "bytesWritten"), 0, "the server was gone before the round began");
  assertGreater(sum(cutOff, "failures"), 0, "the round was over before the server was gone");
  const gone = await scene.load({ extra: "without the server" });
  for (const [{ name }, { counters: { hits, unusable, compiled, failures } }] of gone) {
    assertEquals({ hits, unusable, compiled }, { hits: 0, unusable: 0, compiled: REQUESTS.length }, name);
    assertGreater(failures, REQUESTS.length, `${name}: every look-up and every publication fails`);
  }
  for (const [{ name }, { counters, errors }] of [...cutOff, ...gone]) {
    assertEquals([counters.unusable, errors.length], [0, counters.failures], name);
    for (const { code, message } of errors) assertEquals(code, "ERR_ARTIFACT_STORE", `${name}: ${message}`);
  }
  await scene.redis.restart();
  const back = await scene.load();
  assertOnce(scene, back);
  assertQuiet(back);
  const again = await scene.load();
  assertHits(again);
  assertQuiet(again);
  await scene.assertGood();
}

Deno.test("hosts with engines of three versions and three configurations share one Redis", async (t) => {
  await using redis = await RedisServer.start();
  await using fleet = await Fleet.start(PROCESSES);
  await using scene = await Scene.make(fleet, redis);
  const steps: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
    "each artifact is compiled once in the fleet, and everybody gets its own": compilesOnce,
    "artifacts are lowered and instrumented as configured": lowers,
    "no host loads the artifact of another version or configuration, not even by its key": looksAtAll,
    "nobody loads what somebody else has written; it is compiled again": refusesForgeries,
    "all at once, what is forged is compiled again once": recoversTogether,
    "hosts with another key compile for themselves": changesKeys,
    "hosts that agree on a version share artifacts across versions of the engine": sharesCustomVersion,
    "limits evict what no host has used for longest, never what was just published": keepsLimits,
    "results come while the server is gone, and the store works when it is back": outlastsTheServer,
  };
  for (const [name, step] of Object.entries(steps)) {
    // Each step builds on what those before have left.
    assert(await t.step(name, () => step(scene)), `the order was that of EXTMEMFS_SEED=${SEED}`);
  }
  await fleet.end();
});
