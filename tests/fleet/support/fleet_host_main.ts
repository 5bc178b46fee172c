/**
 * A host of a fleet: opens stores, asks them for modules, runs what it gets, and tells what that says of itself.
 *
 *     fleet_host_main <folder of modules>
 *
 * Each line of input is a job as JSON, each line of output its answer. It ends by itself where the input does.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { createInterface } from "node:readline";
import {
  type ArtifactStore,
  Engine,
  type EngineConfig,
  openStore,
  type ResolvedConfig,
  type StoreCounters,
  type StoreLimits,
} from "../../../artifact.ts";
import { decodeContainer } from "../../../src/artifact/container.ts";

/** What is asked for: a module, by the name of its file, for an engine, by the name of its configuration. */
export interface ModuleRequest {
  readonly module: string;
  readonly config: string;
}

/** The jobs of a host. */
export interface Jobs {
  /** Makes engines. */
  describe: { readonly configs: Readonly<Record<string, EngineConfig>> };
  /** Opens a store under a name; its key is in hexadecimal digits. */
  open: { readonly store: string; readonly url: string; readonly key: string; readonly limits?: StoreLimits };
  /** Asks a store for modules: for all at once, or, one `inTurn`, each when the one before has been run. */
  load: {
    readonly store: string;
    readonly requests: readonly ModuleRequest[];
    readonly extra?: string;
    readonly inTurn?: boolean;
  };
  /** Asks a store for entries by their keys, for an engine. */
  look: { readonly store: string; readonly keys: readonly string[]; readonly config: string };
}

/** What they answer. */
export interface Answers {
  describe: {
    /** The version of the engine, as the host tells it. */
    readonly v8: string;
    readonly engines: Readonly<Record<string, { readonly config: ResolvedConfig; readonly hash: string }>>;
  };
  open: null;
  load: LoadAnswer;
  /** The keys under which there is something that the engine loads. */
  look: readonly string[];
}

/** What became of requests. */
export interface LoadAnswer {
  readonly loaded: readonly LoadedModule[];
  /** What the store has counted meanwhile. */
  readonly counters: StoreCounters;
  /** What the store has told of meanwhile. */
  readonly errors: readonly ToldError[];
}

/** A module that was loaded and run. */
export interface LoadedModule extends ModuleRequest {
  /** The key under which it is kept. */
  readonly key: string;
  /** What its function `tell` gives. */
  readonly told: number;
  /** The names of its exports. */
  readonly exports: readonly string[];
  /** What the module that was loaded says of itself; bytes in hexadecimal digits. */
  readonly header: LoadedHeader;
}

/** The members of a header that tests look at. */
export interface LoadedHeader {
  readonly version: string;
  readonly versionStrategy: string;
  readonly target: { readonly architecture: string; readonly operatingSystem: string; readonly engine: string };
  readonly compiler: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tunables: Readonly<Record<string, unknown>>;
  readonly features: readonly string[];
  readonly source: string;
  readonly compatibility: string;
  readonly provenance: { readonly engineVersion: string; readonly compilerVersion: string };
}

/** What `onError` was called with. */
export interface ToldError {
  readonly during: string;
  readonly code: string;
  /** What did not fit, of what does not. */
  readonly kind: string | undefined;
  readonly message: string;
}

/** What modules are run with. */
const ARGUMENT = 1000;

const folder = process.argv[2]!;
const engines = new Map<string, Engine>();
const stores = new Map<string, { readonly store: ArtifactStore; readonly errors: ToldError[] }>();

/** The header that a module carries: nothing but what was compiled by the host says what was loaded. */
function headerOf(module: WebAssembly.Module): LoadedHeader {
  const sections = WebAssembly.Module.customSections(module, "extmemfs.artifact");
  if (sections.length !== 1) throw new Error(`a module with ${sections.length} headers was loaded`);
  const content = new Uint8Array(sections[0]!);
  const name = new TextEncoder().encode("extmemfs.artifact");
  const size = 1 + name.length + content.length;
  const length = [size % 128 | 0x80, Math.floor(size / 128) % 128 | 0x80, Math.floor(size / 2 ** 14)];
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, ...length, name.length, ...name, ...content);
  const toHex = (_: string, value: unknown) =>
    value instanceof Uint8Array ? Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("") : value;
  return JSON.parse(JSON.stringify(decodeContainer(bytes).header, toHex));
}

async function loadOne(store: ArtifactStore, request: ModuleRequest, extra?: string): Promise<LoadedModule> {
  const wasm = new Uint8Array(await readFile(`${folder}/${request.module}.wasm`));
  const engine = engines.get(request.config)!;
  const options = extra === undefined ? {} : { extra: [extra] };
  const module = await store.getOrCompile(wasm, engine, options);
  const { exports } = await WebAssembly.instantiate(module);
  return {
    ...request,
    key: store.key(wasm, engine, options.extra),
    told: (exports as { tell(argument: number): number }).tell(ARGUMENT),
    exports: WebAssembly.Module.exports(module).map(({ name }) => name),
    header: headerOf(module),
  };
}

const handlers: { readonly [Name in keyof Jobs]: (job: Jobs[Name]) => Promise<Answers[Name]> } = {
  async describe({ configs }) {
    const described: Record<string, { config: ResolvedConfig; hash: string }> = {};
    for (const [name, config] of Object.entries(configs)) {
      const engine = await Engine.create(config);
      engines.set(name, engine);
      described[name] = { config: engine.config, hash: engine.serializationCompatibilityHash() };
    }
    return { v8: process.versions.v8!, engines: described };
  },

  async open({ store, url, key, limits }) {
    const errors: ToldError[] = [];
    const opened = await openStore(url, {
      key: Uint8Array.from(key.match(/../g)!, (pair) => parseInt(pair, 16)),
      ...(limits === undefined ? {} : { limits }),
      onError(error, during) {
        const { code, kind, message } = error as Error & { code: string; kind?: string };
        errors.push({ during, code, kind, message });
      },
    });
    stores.set(store, { store: opened, errors });
    return null;
  },

  async load({ store: name, requests, extra, inTurn = false }) {
    const { store, errors } = stores.get(name)!;
    const before = store.counters;
    const loaded: LoadedModule[] = [];
    if (inTurn) { for (const request of requests) loaded.push(await loadOne(store, request, extra)); }
    else loaded.push(...await Promise.all(requests.map((request) => loadOne(store, request, extra))));
    const counters = { ...store.counters };
    for (const counter of Object.keys(counters) as (keyof StoreCounters)[]) counters[counter] -= before[counter];
    return { loaded, counters, errors: errors.splice(0) };
  },

  async look({ store: name, keys, config }) {
    const { store, errors } = stores.get(name)!;
    const found: string[] = [];
    for (const key of keys) if (await store.get(key, engines.get(config)!) !== undefined) found.push(key);
    errors.splice(0);
    return found;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { name, job } = JSON.parse(line) as { name: keyof Jobs; job: never };
  process.stdout.write(`${JSON.stringify(await handlers[name](job))}\n`);
}
for (const { store } of stores.values()) await store.close();
