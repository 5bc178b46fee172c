/**
 * Artifacts in Deno, Node 20, Node 24 and Bun: one hash and one artifact for a configuration that leaves nothing to the
 * host; for one that is the host's own, each its artifact and never another's, also where all share a folder at once.
 *
 * @module
 */
import { Engine, IncompatibleArtifactError, openStore } from "../../artifact.ts";
import { runSample, SAMPLE_CONFIG, SAMPLE_RESULT, SAMPLE_TEXT } from "../support/artifact_sample.ts";
import { assert, assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { bunPath } from "../support/bun.ts";
import { bundleModules } from "../support/bundle.ts";
import { outputOf } from "../support/hosts.ts";
import { node20Path } from "../support/node20.ts";
import { node24Path } from "../support/node24.ts";
import { assemble } from "../unit/artifact/compiler/support.ts";
import type { ShareJob, ShareReport, VisitJob, VisitReport } from "./artifact_host.ts";

/** A version that hosts agree on. */
const CUSTOM = "release 7 \u2013 \u00fcber alles";
const SAMPLE = [...SAMPLE_RESULT];

/** How to run the program of artifact_host.ts in a host. */
interface Host {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** Calls `use` with a folder in which the module and the bundle are, and with the hosts. */
async function inFolder(use: (folder: string, hosts: Readonly<Record<string, Host>>) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "extmemfs-artifact-hosts-" });
  try {
    await Deno.writeFile(`${folder}/sample.wasm`, await assemble(SAMPLE_TEXT));
    const entry = new URL("./artifact_host.ts", import.meta.url);
    for (const [name, { bytes }] of await bundleModules({ "artifact_host": entry }, "node")) {
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    const bundle = [`${folder}/artifact_host.mjs`];
    const [node20, node24, bun] = await Promise.all([node20Path(), node24Path(), bunPath()]);
    await use(folder, {
      deno: {
        name: "Deno",
        program: Deno.execPath(),
        args: ["run", "--quiet", "-A", decodeURIComponent(entry.pathname)],
      },
      node20: { name: "Node 20", program: node20, args: bundle },
      node24: { name: "Node 24", program: node24, args: bundle },
      bun: { name: "Bun", program: bun, args: bundle },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The one thing that does not fit of an artifact. */
function onlyProblem(engine: Engine, artifact: Uint8Array): IncompatibleArtifactError {
  const problems = engine.checkCompatible(artifact);
  assertEquals(problems.length, 1, problems.map(({ message }) => message).join("\n"));
  const thrown = assertThrows(() => engine.deserialize(artifact), IncompatibleArtifactError);
  assertEquals(thrown.message, problems[0]!.message);
  return problems[0]!;
}

Deno.test("artifacts go from host to host where the configuration says so, and no further", async (t) => {
  await inFolder(async (folder, { node20, node24, bun }) => {
    const explicit = new Engine(SAMPLE_CONFIG);
    const wasm = await Deno.readFile(`${folder}/sample.wasm`);
    const artifact = await explicit.precompileModule(wasm);
    await Deno.writeFile(`${folder}/artifact.wasm`, artifact);
    const own = await Engine.create();
    const custom = await Engine.create({ version: { custom: CUSTOM } });
    const here = own.config.target;
    const compiler = own.config.compiler.version;

    const reports = new Map<Host, VisitReport>();
    for (const host of [node20!, node24!, bun!]) {
      await t.step(`${host.name} hashes, loads and compiles as Deno does`, async () => {
        const output = `${folder}/${host.name}-`;
        const job: VisitJob = {
          config: SAMPLE_CONFIG,
          version: CUSTOM,
          wasm: `${folder}/sample.wasm`,
          artifact: `${folder}/artifact.wasm`,
          output,
        };
        const report: VisitReport = JSON.parse(
          await outputOf(host.program, [...host.args, "visit", JSON.stringify(job)]),
        );
        const hash = explicit.serializationCompatibilityHash();
        assertEquals([report.sync, report.async], [hash, hash]);
        assertEquals(report.results, [SAMPLE, SAMPLE]);
        assertEquals(report.own, SAMPLE);
        assertEquals(await Deno.readFile(`${output}explicit`), artifact, "compiled here and there byte for byte");
        reports.set(host, report);
      });
    }
    const madeBy = (host: Host, kind: "engine" | "custom") => Deno.readFile(`${folder}/${host.name}-${kind}`);

    for (const host of [node20!, node24!]) {
      await t.step(
        `Deno refuses an artifact of ${host.name}'s version, and takes one of a version they agree on`,
        async () => {
          const { target } = reports.get(host)!;
          assertEquals({ ...target, engine: "v8" }, { ...here, engine: "v8" }, "they differ in V8's version only");
          const major = (version: string) => version.split(".")[0];
          assertNotEquals(major(target.engine.version), major(here.engine.version));
          const problem = onlyProblem(own, await madeBy(host, "engine"));
          assertEquals([problem.kind, problem.found, problem.expected], [
            "version",
            `engine '${target.engine.version}/${compiler}'`,
            `engine '${here.engine.version}/${compiler}'`,
          ]);
          assertStringIncludes(problem.message, "the numbers before the first dots must agree");
          assertEquals(custom.checkCompatible(await madeBy(host, "custom")), []);
          assertEquals(await runSample(await custom.deserializeAsync(await madeBy(host, "custom"))), SAMPLE);
        },
      );
    }
    await t.step("Deno refuses an artifact of Bun's engine, whatever its version", async () => {
      assertEquals(own.checkCompatible(await madeBy(bun!, "engine")).map(({ kind }) => kind), [
        "version",
        "host-engine",
      ]);
      const problem = onlyProblem(custom, await madeBy(bun!, "custom"));
      assertEquals([problem.kind, problem.found, problem.expected], ["host-engine", "javascriptcore", "v8"]);
    });
  });
});

/** A process that has opened the store and waits to be let go. */
interface Waiting {
  readonly host: Host;
  /** Lets it go on, and resolves to its report. */
  go(): Promise<ShareReport>;
}

/** Starts the program in a host. Resolves when it is ready. */
async function start(host: Host, job: ShareJob): Promise<Waiting> {
  const child = new Deno.Command(host.program, {
    args: [...host.args, "share", JSON.stringify(job)],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const failed = new Response(child.stderr).text();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  /** Reads on until the text is as expected, or there is no more. */
  const readUntil = async (isEnough: () => boolean) => {
    while (!isEnough()) {
      const { value, done } = await lines.read();
      if (done) return;
      text += value;
    }
  };
  const stdin = child.stdin.getWriter();
  await readUntil(() => text.includes("ready\n"));
  return {
    host,
    async go() {
      // One that has ended before says why on its standard error.
      await stdin.write(new TextEncoder().encode("go\n")).catch(() => {});
      await stdin.close().catch(() => {});
      await readUntil(() => false);
      const { code } = await child.status;
      const stderr = (await failed).trim();
      if (code !== 0 || stderr !== "") throw new Error(`${host.name} ended with ${code}:\n${stderr}`);
      return JSON.parse(text.slice(text.indexOf("ready\n") + "ready\n".length));
    },
  };
}

Deno.test("a folder that Deno, Node 24 and Bun share gives each its own artifact", async () => {
  await inFolder(async (folder, { deno, node24, bun }) => {
    const hosts = [deno!, node24!, bun!];
    const job: ShareJob = { store: `${folder}/store`, wasm: `${folder}/sample.wasm` };
    /** Two processes of each host, all at once; the reports by host. */
    const round = async () => {
      const waiting = await Promise.all([...hosts, ...hosts].map((host) => start(host, job)));
      const reports = await Promise.all(waiting.map(async (process) => [process.host, await process.go()] as const));
      return new Map(hosts.map((host) => [host, reports.filter(([of]) => of === host).map(([, report]) => report)]));
    };
    const counts = (reports: Map<Host, ShareReport[]>, name: "compiled" | "hits" | "failures") =>
      [...reports.values()].map((of) => of.reduce((sum, report) => sum + report[name], 0));

    const first = await round();
    assertEquals(counts(first, "compiled"), [1, 1, 1], "of each host one process compiles");
    assertEquals(counts(first, "hits"), [1, 1, 1], "and the other waits for it");
    const second = await round();
    assertEquals(counts(second, "compiled"), [0, 0, 0]);
    assertEquals(counts(second, "hits"), [2, 2, 2]);

    const engines = new Set<string>();
    for (const [host, reports] of [...first, ...second]) {
      for (const { target, made, engineVersion, result, failures, others, loadedOthers } of reports) {
        assertEquals(result, SAMPLE, host.name);
        assertEquals(failures, 0, host.name);
        assertEquals(made.versionStrategy, "engine");
        assert(made.version.startsWith(`${target.engine.version}/`), `${host.name} got one of ${made.version}`);
        assertEquals(engineVersion, target.engine.version);
        assertEquals(made.target, { ...target, engine: target.engine.name });
        assertEquals(loadedOthers, 0, host.name);
        if (second.get(host) === reports) assertEquals(others, hosts.length - 1);
        engines.add(target.engine.version);
      }
    }
    assertEquals(engines.size, hosts.length, "engines of three versions");

    await using store = await openStore(job.store);
    const kept = await Array.fromAsync(store.verify());
    assertEquals(kept.map(({ problem }) => problem), [undefined, undefined, undefined]);
    const keys = [...second.values()].flatMap((reports) => reports.map(({ key }) => key));
    assertEquals(new Set(kept.map(({ key }) => key)), new Set(keys));
  });
});
