/**
 * What the page of `artifact_test.ts` and its workers can be told to do.
 *
 * @module
 */
import { type ArtifactError, ArtifactStore, Engine, type EngineConfig, openStore } from "../../artifact.ts";
import { FileSystem } from "../../mod.ts";
import { runSample } from "../support/artifact_sample.ts";

/** What a realm says of an engine. */
export interface EngineReport {
  readonly config: Engine["config"];
  /** The hash as the calling thread computes it, and as the host's own cryptography does. */
  readonly sync: string;
  readonly async: string;
  /** Whether there is a `process`, as Node has one. */
  readonly hasProcess: boolean;
}

/** What came of asking a store for a module. */
export interface Asked {
  /** What the module gave; undefined where the store had none. */
  readonly result: readonly number[] | undefined;
  /** What the store counted meanwhile, without what is 0. */
  readonly counted: Readonly<Record<string, number>>;
  /** For each entry that was read meanwhile whether it was marked as verified; null where there was none. */
  readonly read: readonly (boolean | null)[];
  /** The codes of the errors that the store told of meanwhile. */
  readonly errors: readonly string[];
}

/** How to ask a store. */
export interface Question {
  readonly wasm: Uint8Array;
  readonly extra?: readonly string[];
  /** Whether to compile where there is nothing. */
  readonly compile: boolean;
  /** Where to wait for all others: how many wait, and whether they may go. The main thread does not. */
  readonly gate?: Int32Array;
}

/** A store, and what is noted of it. */
interface Opened {
  readonly store: ArtifactStore;
  readonly engine: Engine;
  readonly read: (boolean | null)[];
  readonly errors: string[];
}

let pool: Opened & { readonly fs: FileSystem } | undefined;
let opened: Opened | undefined;

/** What a page and its workers can do. */
export const realm = {
  /** Makes an engine of a configuration and of this host. */
  async describe(config: EngineConfig): Promise<EngineReport> {
    // An engine keeps its hash: each is asked once.
    const [first, second] = [await Engine.create(config), await Engine.create(config)];
    return {
      config: first.config,
      sync: first.serializationCompatibilityHash(),
      async: await second.serializationCompatibilityHashAsync(),
      hasProcess: "process" in globalThis,
    };
  },
  /** Compiles a module. */
  async precompile(config: EngineConfig, wasm: Uint8Array): Promise<Uint8Array> {
    return await new Engine(config).precompileModule(wasm);
  },
  /** Runs an artifact. */
  async run(config: EngineConfig, artifact: Uint8Array): Promise<number[]> {
    return await runSample(await new Engine(config).deserializeAsync(artifact));
  },
  /** Attaches to a pool and opens the store in it. */
  async attach(handle: FileSystem["handle"]): Promise<void> {
    const fs = FileSystem.attach(handle);
    pool = { fs, ...await note((onError) => ArtifactStore.inPool(fs, { onError })) };
  },
  /** Asks the store in the pool. */
  async askPool(question: Question): Promise<Asked> {
    return await ask(pool!, question);
  },
  /** Changes the last byte of an entry of the pool. */
  alterInPool(key: string): void {
    const { fs } = pool!;
    const path = `/artifacts/${key}`;
    const fd = fs.openSync(path, "r+");
    const byte = new Uint8Array(1);
    const at = fs.fstatSync(fd).size - 1;
    fs.readSync(fd, byte, 0, 1, at);
    byte[0]! ^= 0xff;
    fs.writeSync(fd, byte, 0, 1, at);
    fs.closeSync(fd);
  },
  /** The key of a module in the stores, as this host's engine has it. */
  async keyOf({ wasm, extra }: Question): Promise<string> {
    const { store, engine } = (pool ?? opened)!;
    return await store.keyAsync(wasm, engine, extra);
  },
  /** Opens a store by its URL. */
  async open(url: string): Promise<void> {
    opened = await note((onError) => openStore(url, { onError, key: new Uint8Array(32).fill(7) }));
  },
  /** Asks the store that was opened. */
  async askOpened(question: Question): Promise<Asked> {
    return await ask(opened!, question);
  },
  /** Changes the last byte of an entry of a cache. */
  async alterInCache(name: string, key: string): Promise<void> {
    const cache = await caches.open(name);
    const request = (await cache.keys()).find(({ url }) => url.endsWith(`/artifacts/${key}`))!;
    const response = (await cache.match(request))!;
    const bytes = new Uint8Array(await response.arrayBuffer());
    bytes[bytes.length - 1]! ^= 0xff;
    await cache.put(request, new Response(bytes, { headers: response.headers }));
  },
  /** The code and the message of the error that something fails with. */
  async failure(what: "open" | "create", value: string): Promise<string> {
    try {
      if (what === "open") await openStore(value, { key: new Uint8Array(32) });
      else await Engine.create({ compiler: { name: value as "wasmtime" } });
      return "";
    } catch (error) {
      return `${(error as ArtifactError).code}: ${(error as Error).message}`;
    }
  },
};

/** What a page and its workers can do. */
export type Realm = typeof realm;

async function note(open: (onError: (error: unknown) => void) => ArtifactStore | Promise<ArtifactStore>) {
  const [read, errors]: [Opened["read"], string[]] = [[], []];
  const store = await open((error) => errors.push((error as ArtifactError).code));
  const readEntry = store.backend.read.bind(store.backend);
  store.backend.read = async (key, options) => {
    const value = await readEntry(key, options);
    read.push(value === undefined ? null : value.verified);
    return value;
  };
  return { store, engine: await Engine.create(), read, errors };
}

async function ask({ store, engine, read, errors }: Opened, question: Question): Promise<Asked> {
  const { wasm, compile, gate } = question;
  const extra = question.extra ?? [];
  read.length = errors.length = 0;
  const before = store.counters;
  if (gate !== undefined && !("document" in globalThis)) {
    Atomics.add(gate, 0, 1);
    Atomics.wait(gate, 1, 0, 30_000);
  }
  const module = compile
    ? await store.getOrCompile(wasm, engine, { extra })
    : await store.get(await store.keyAsync(wasm, engine, extra), engine);
  const counted = Object.entries(store.counters)
    .map(([name, count]) => [name, count - before[name as keyof typeof before]] as const)
    .filter(([, count]) => count !== 0);
  return {
    result: module && await runSample(module),
    counted: Object.fromEntries(counted),
    read: [...read],
    errors: [...errors],
  };
}
