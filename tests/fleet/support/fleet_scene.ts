/**
 * A fleet with its server: rounds in which everybody asks for everything, and what must hold of what comes back.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createClient } from "redis";
import { type ArtifactStore, Engine, openStore } from "../../../artifact.ts";
import { BINARYEN_VERSION } from "../../../src/artifact/compiler/binaryen.ts";
import { toHex } from "../../../src/artifact/digest.ts";
import { assertEquals } from "../../support/assert.ts";
import { Random, SEED } from "../../support/stress.ts";
import { assemble } from "../../unit/artifact/compiler/support.ts";
import type { Answers, LoadAnswer, LoadedModule, ModuleRequest } from "./fleet_host_main.ts";
import type { Fleet, FleetHost } from "./fleet.ts";
import { CONFIGS, EVIL, expectedOf, MODULES } from "./fleet_modules.ts";
import type { Forgery } from "./forgeries.ts";
import type { RedisServer } from "./redis_server.ts";

/** What processes have answered in a round. */
export type Load = Map<FleetHost, LoadAnswer>;
/** The name of a counter. */
export type Counter = keyof LoadAnswer["counters"];

/** How many processes each kind of host has. */
export const PROCESSES = 2;
/** Every module for every configuration. */
export const REQUESTS: readonly ModuleRequest[] = Object.keys(MODULES).flatMap((module) =>
  Object.keys(CONFIGS).map((config) => ({ module, config }))
);
const DATA = "{extmemfs:artifact}:data:";
const random = new Random(SEED);
/** The name of an entry. */
export const idOf = (kind: string, { module, config }: ModuleRequest): string => `${kind}: ${module}, ${config}`;

/** A fleet, its server, and what is known of both. */
export class Scene implements AsyncDisposable {
  /** The store's secret. */
  readonly secret: Uint8Array<ArrayBuffer> = crypto.getRandomValues(new Uint8Array(32));
  /** The processes. */
  readonly fleet: Fleet;
  /** The server. */
  readonly redis: RedisServer;
  /** The test's own view of the store. */
  readonly store: ArtifactStore;
  /** What each host is. */
  readonly described: ReadonlyMap<FleetHost, Answers["describe"]>;
  /** The kinds of hosts, and the processes of each. */
  readonly kinds: readonly (readonly [string, readonly FleetHost[]])[];
  /** The keys of entries by kind of host, module and configuration. */
  readonly keys = new Map<string, string>();
  /** The SHA-256 of each module. */
  readonly #sources = new Map<string, string>();

  private constructor(fleet: Fleet, redis: RedisServer, store: ArtifactStore, described: Scene["described"]) {
    this.fleet = fleet;
    this.redis = redis;
    this.store = store;
    this.described = described;
    this.kinds = [...fleet.kinds];
  }

  /** Makes engines and opens the store in all processes. */
  static async make(fleet: Fleet, redis: RedisServer): Promise<Scene> {
    const described = await fleet.ask("describe", { configs: CONFIGS });
    for (const [{ name }, { engines }] of described) {
      for (const { config: { target, compiler, tunables, features, version }, hash } of Object.values(engines)) {
        const engine = new Engine({ target, compiler, tunables, features, version });
        assertEquals(engine.serializationCompatibilityHash(), hash, `${name} hashes as this host does`);
      }
    }
    const key = crypto.getRandomValues(new Uint8Array(32));
    const scene = new Scene(fleet, redis, await openStore(redis.url, { key }), described);
    scene.secret.set(key);
    for (const [name, bytes] of fleet.modules) {
      scene.#sources.set(name, toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))));
    }
    await fleet.ask("open", { store: "main", url: redis.url, key: toHex(key) });
    return scene;
  }

  /** Has all processes ask for everything at once, each in an order of its own. */
  async load(options: { extra?: string; inTurn?: boolean } = {}): Promise<Load> {
    const answers = await this.fleet.ask("load", () => ({ store: "main", requests: shuffled(REQUESTS), ...options }));
    for (const [host, { loaded }] of answers) {
      assertEquals(loaded.length, REQUESTS.length, host.name);
      for (const module of loaded) this.assertOwn(host, module);
    }
    return answers;
  }

  /** Expects that what a host has loaded is what it asked for, made for its own engine and configuration. */
  assertOwn(host: FleetHost, { module, config, told, exports, header }: LoadedModule): void {
    const { v8, engines } = this.described.get(host)!;
    const { settings, tunables, features, exports: names } = expectedOf(module, config);
    const label = idOf(host.name, { module, config });
    assertEquals(told, MODULES[module]!.tells, label);
    assertEquals(exports, names, label);
    const { engineVersion, compilerVersion } = header.provenance;
    assertEquals([engineVersion, compilerVersion], [v8, BINARYEN_VERSION], label);
    assertEquals([header.versionStrategy, header.version], ["engine", `${v8}/${BINARYEN_VERSION}`], label);
    const { arch: architecture, os: operatingSystem } = Deno.build;
    assertEquals(header.target, { architecture, operatingSystem, engine: "v8" }, label);
    assertEquals([header.compiler, header.settings, header.tunables], ["binaryen", settings, tunables], label);
    assertEquals(header.features, features, label);
    assertEquals(header.source, this.#sources.get(module), label);
    assertEquals(header.compatibility, engines[config]!.hash, label);
  }

  /** The artifact that is kept for a kind of host. */
  async artifact(kind: string, request: ModuleRequest): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.store.backend.read(this.keys.get(idOf(kind, request))!))!.bytes;
  }

  /** Writes into the server, past the library. */
  async overwrite(entries: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const client = createClient({ url: this.redis.url, socket: { reconnectStrategy: false } });
    await client.connect();
    try {
      for (const [key, bytes] of entries) {
        assertEquals(await client.exists(`${DATA}${key}`), 1, "there is nothing to overwrite");
        await client.set(`${DATA}${key}`, Buffer.from(bytes));
      }
    } finally {
      client.destroy();
    }
  }

  /** Forges the entry of a request of a kind of host. */
  async forge(forgery: Forgery, kind: string, request: ModuleRequest): Promise<Uint8Array> {
    const { module, config } = request;
    const modules = Object.keys(MODULES);
    const kinds = this.kinds.map(([name]) => name);
    return forgery.make({
      artifact: await this.artifact(kind, request),
      ofOtherVersion: await this.artifact(after(kinds, kind), request),
      ofOtherTunables: await this.artifact(kind, { module, config: config === "asyncify" ? "plain" : "asyncify" }),
      ofOtherModule: await this.artifact(kind, { module: after(modules, module), config }),
      secret: this.secret,
      evil: (await assemble(EVIL.text)).slice(),
    });
  }

  /** Expects that the store has exactly the entries of the fleet, each as it should be. */
  async assertGood(): Promise<void> {
    const kept = await Array.fromAsync(this.store.verify());
    for (const { key, problem } of kept) assertEquals(problem, undefined, key);
    assertEquals(new Set(kept.map(({ key }) => key)), new Set(this.keys.values()));
  }

  /** Closes the test's own view. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}

/** The one that follows in a circle. */
function after<T>(list: readonly T[], item: T): T {
  return list[(list.indexOf(item) + 1) % list.length]!;
}

/** A list in an order that the seed determines. */
export function shuffled<T>(list: readonly T[]): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(random.below(rest.length), 1)[0]!);
}

/** What processes have counted together. */
export function sum(answers: Load, counter: Counter, hosts: Iterable<FleetHost> = answers.keys()): number {
  return [...hosts].reduce((total, host) => total + answers.get(host)!.counters[counter], 0);
}

/** Expects that all of each kind of host was compiled by one of its processes, and found by the others. */
export function assertOnce(scene: Scene, answers: Load): void {
  const [all, others] = [REQUESTS.length, REQUESTS.length * (PROCESSES - 1)];
  for (const [kind, hosts] of scene.kinds) {
    assertEquals([sum(answers, "compiled", hosts), sum(answers, "hits", hosts)], [all, others], kind);
  }
}

/** Expects that everything was found. */
export function assertHits(answers: Load): void {
  for (const [{ name }, { counters: { hits, misses, compiled } }] of answers) {
    assertEquals({ hits, misses, compiled }, { hits: REQUESTS.length, misses: 0, compiled: 0 }, name);
  }
}

/** Expects that nothing was found unusable and nothing failed. */
export function assertQuiet(answers: Load): void {
  for (const [{ name }, { counters: { unusable, failures }, errors }] of answers) {
    assertEquals({ unusable, failures, errors }, { unusable: 0, failures: 0, errors: [] }, name);
  }
}
