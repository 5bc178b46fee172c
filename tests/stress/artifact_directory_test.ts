/**
 * Stores in one directory, used by several processes: who asks at the same time, and what somebody damages on the disk.
 *
 * @module
 */
import { ArtifactStore } from "../../src/artifact/store/store.ts";
import { DirectoryBackend } from "../../src/artifact/store/directory_backend.ts";
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { LONG, Random, SEED } from "../support/stress.ts";
import type { ProcessJob } from "./artifact_process.ts";
import { allPairs, type ArtifactReport, Customer, damaged } from "./artifact_work.ts";

const PROGRAM = new URL(import.meta.resolve("./artifact_process.ts"));
const PROCESSES = 4;
const KEY_BYTE = 0x5a;

/** Runs processes over a directory that is there for them alone. */
async function withProcesses(
  job: Pick<ProcessJob, "modules" | "durationMs">,
  test: (folder: string, reports: Promise<ArtifactReport[]>) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  const [folder, gate] = [`${root}/artifacts`, `${root}/gate`];
  const abort = new AbortController();
  try {
    await Deno.mkdir(gate);
    const reports = Promise.all(Array.from({ length: PROCESSES }, async (_, index) => {
      const seed = Math.imul(SEED, 31) + index * 7919;
      const whole: ProcessJob = { ...job, folder, gate, processes: PROCESSES, seed, key: KEY_BYTE };
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", PROGRAM.href, JSON.stringify(whole)],
        signal: abort.signal,
      }).output();
      assert(success, `process ${index} (EXTMEMFS_SEED=${SEED}): ${new TextDecoder().decode(stderr)}`);
      return JSON.parse(new TextDecoder().decode(stdout)) as ArtifactReport;
    }));
    reports.catch(() => abort.abort());
    await test(folder, reports);
  } finally {
    abort.abort();
    await Deno.remove(root, { recursive: true });
  }
}

/** The paths of all files below a directory. */
async function filesOf(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await filesOf(`${folder}/${name}`));
    else files.push(`${folder}/${name}`);
  }
  return files;
}

const sum = (reports: readonly ArtifactReport[], name: keyof ArtifactReport["counters"]) =>
  reports.reduce((total, { counters }) => total + counters[name], 0);

Deno.test("ArtifactStore in a directory: processes compile each module once for each configuration", async () => {
  await withProcesses({ modules: 4, durationMs: 0 }, async (folder, running) => {
    const reports = await running;
    const pairs = allPairs(4).length;
    assertEquals(reports.flatMap(({ wrong }) => wrong), [], `EXTMEMFS_SEED=${SEED}`);
    assertEquals(reports.map(({ answers }) => answers), reports.map(() => pairs));
    assertEquals(sum(reports, "compiled"), pairs, `EXTMEMFS_SEED=${SEED}`);
    assertEquals(reports.flatMap(({ told }) => told), []);
    const files = await filesOf(folder);
    assertEquals(files.filter((path) => !path.endsWith(".wasm")), [], "something is left");
    assertEquals(files.length, pairs);
  });
});

Deno.test("ArtifactStore in a directory: what is damaged on the disk is never loaded, and is replaced", async () => {
  const durationMs = LONG ? 20_000 : 2500;
  await withProcesses({ modules: 2, durationMs }, async (folder, running) => {
    const random = new Random(SEED);
    let damages = 0;
    let over = false;
    const reports = running.finally(() => over = true);
    reports.catch(() => {});
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, random.below(4)));
      try {
        const files = (await filesOf(folder)).filter((path) => path.endsWith(".wasm"));
        if (files.length < 2) continue;
        const [path, other] = [random.of(files), random.of(files)];
        if (path === other) continue;
        const [bytes, foreign] = await Promise.all([Deno.readFile(path), Deno.readFile(other)]);
        if (bytes.length === 0) continue;
        if (random.oneIn(4)) await Deno.rename(other, path);
        else await Deno.writeFile(path, damaged(random, bytes, foreign));
        damages++;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    const found = await reports;
    assertEquals(found.flatMap(({ wrong }) => wrong), [], `EXTMEMFS_SEED=${SEED}`);
    assertGreater(damages, 10);
    assertGreater(sum(found, "unusable"), 3);
    for (const kind of found.flatMap(({ told }) => told)) assert(/^read ERR_ARTIFACT_/.test(kind), kind);

    await using store = new ArtifactStore(await DirectoryBackend.open(folder), {
      key: new Uint8Array(32).fill(KEY_BYTE),
    });
    const customer = new Customer(store, new Random(SEED), new Set());
    for (const pair of allPairs(2)) await customer.ask(pair);
    for (const pair of allPairs(2)) assertEquals((await store.inspect(customer.keyOf(pair)))?.problem, undefined);
    assertEquals(customer.report().wrong, []);
    const left = (await filesOf(folder)).filter((path) => !path.endsWith(".wasm"));
    assertEquals(left, [], "something is left");
  });
});
