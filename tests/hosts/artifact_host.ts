/**
 * What the hosts of `artifact_hosts_test.ts` do, as a program: of sources in Deno, as a bundle in Node and Bun.
 *
 *     <host> artifact_host visit <job>   one VisitJob as JSON; prints a VisitReport
 *     <host> artifact_host share <job>   one ShareJob as JSON; prints `ready`, waits for a line, prints a ShareReport
 *
 * @module
 */
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { type ArtifactHeader, Engine, type EngineConfig, openStore, type Target } from "../../artifact.ts";
import { runSample } from "../support/artifact_sample.ts";

/** What to do alone. */
export interface VisitJob {
  /** A configuration that leaves nothing to the host. */
  readonly config: EngineConfig;
  /** The text of a custom version. */
  readonly version: string;
  /** The path of the module. */
  readonly wasm: string;
  /** The path of an artifact for that configuration. */
  readonly artifact: string;
  /** The beginning of the paths of what this host makes: `explicit`, `engine` and `custom` are put behind. */
  readonly output: string;
}

/** What was found alone. */
export interface VisitReport {
  /** This host. */
  readonly target: Target;
  /** The hash of the configuration, as each of the two ways to it has it. */
  readonly sync: string;
  readonly async: string;
  /** What came of running the artifact, loaded in both ways. */
  readonly results: readonly (readonly number[])[];
  /** What came of running this host's own. */
  readonly own: readonly number[];
}

/** What to do together with others. */
export interface ShareJob {
  /** The URL or path of the store. */
  readonly store: string;
  /** The path of the module. */
  readonly wasm: string;
}

/** What was found together. */
export interface ShareReport {
  /** This host. */
  readonly target: Target;
  /** The key of the module for this host's engine. */
  readonly key: string;
  /** What the artifact under that key says of itself. */
  readonly made: Pick<ArtifactHeader, "version" | "versionStrategy" | "target">;
  /** Who made it. */
  readonly engineVersion: string;
  /** What came of running it. */
  readonly result: readonly number[];
  /** What the store counted until then. */
  readonly compiled: number;
  readonly hits: number;
  readonly failures: number;
  /** How many entries there are under other keys, and how many of them this host's engine was given a module of. */
  readonly others: number;
  readonly loadedOthers: number;
}

async function visit({ config, version, wasm, artifact, output }: VisitJob): Promise<VisitReport> {
  const [source, given] = [new Uint8Array(await readFile(wasm)), new Uint8Array(await readFile(artifact))];
  const engine = new Engine(config);
  const modules = [engine.deserialize(given), await engine.deserializeAsync(given)];
  const own = await Engine.create();
  const makers = {
    explicit: engine,
    engine: own,
    custom: await Engine.create({ version: { custom: version } }),
  };
  const made = new Map<string, Uint8Array>();
  for (const [name, maker] of Object.entries(makers)) {
    const bytes = await maker.precompileModule(source);
    made.set(name, bytes);
    await writeFile(`${output}${name}`, bytes);
  }
  return {
    target: own.config.target,
    sync: engine.serializationCompatibilityHash(),
    async: await new Engine(config).serializationCompatibilityHashAsync(),
    results: await Promise.all(modules.map(runSample)),
    own: await runSample(own.deserialize(made.get("engine")!)),
  };
}

async function share(job: ShareJob): Promise<ShareReport> {
  const wasm = new Uint8Array(await readFile(job.wasm));
  const engine = await Engine.create();
  await using store = await openStore(job.store);
  process.stdout.write("ready\n");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.destroy();
  const result = await runSample(await store.getOrCompile(wasm, engine));
  const { compiled, hits, failures } = store.counters;
  const key = store.key(wasm, engine);
  const { header } = (await store.inspect(key))!;
  let [others, loadedOthers] = [0, 0];
  for await (const entry of store.list()) {
    if (entry.key === key) continue;
    others++;
    if (await store.get(entry.key, engine) !== undefined) loadedOthers++;
  }
  const { version, versionStrategy, target, provenance } = header!;
  return {
    target: engine.config.target,
    key,
    made: { version, versionStrategy, target },
    engineVersion: provenance.engineVersion,
    result,
    compiled,
    hits,
    failures,
    others,
    loadedOthers,
  };
}

const [task, job] = process.argv.slice(2);
const report = task === "visit" ? await visit(JSON.parse(job!)) : await share(JSON.parse(job!));
process.stdout.write(`${JSON.stringify(report)}\n`);
