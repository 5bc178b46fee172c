/**
 * The bridge: C programs with each kind of memory, on each kind of pool, do the same with it as without it.
 *
 * `EXTMEMFS_SEED` repeats a run of the model test.
 */
import { FileSystem, type PoolHandle } from "../../../mod.ts";
import { buildProgram } from "../../../tools/native/build.ts";
import { buildLibraries } from "../../../tools/native/build_libraries.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import type { Outcome } from "../support/programs.ts";
import { runProgram } from "../support/run_program.ts";
import type { Company } from "./company_worker.ts";

const FOLDER = decodeURIComponent(new URL(".", import.meta.url).pathname);
const INCLUDE = decodeURIComponent(new URL("../../../native/include", import.meta.url).pathname);

interface Heap {
  readonly name: string;
  readonly flags: readonly string[];
}

const THREADS = ["-pthread", "-sPTHREAD_POOL_SIZE=3", "-Wno-pthreads-mem-growth"];
// From -O3 on Emscripten gives the imports short names.
const HEAPS: readonly Heap[] = [
  { name: "unshared_32", flags: ["-O1"] },
  { name: "unshared_32_imported", flags: ["-O2", "-sIMPORTED_MEMORY"] },
  { name: "shared_32", flags: ["-O3", ...THREADS] },
  { name: "unshared_64", flags: ["-O3", "-sMEMORY64", "-Wno-deprecated"] },
  { name: "shared_64", flags: ["-O1", "-sMEMORY64", "-Wno-deprecated", ...THREADS] },
];

async function build(source: string, { name, flags }: Heap): Promise<string> {
  const library = (await buildLibraries())["library_extmemfs.js"]!;
  return await buildProgram({
    name: `bridge-${source}-${name}`,
    sources: [`${FOLDER}${source}.c`],
    flags: flags.filter((flag) => !flag.startsWith("-sPTHREAD") && !flag.startsWith("-sIMPORTED")),
    compileFlags: ["-Wall", `-I${INCLUDE}`],
    linkFlags: [
      ...flags.filter((flag) => flag.startsWith("-s")),
      "-sENVIRONMENT=web,worker",
      "-sEXPORT_ES6",
      "-sMODULARIZE",
      "-sEXIT_RUNTIME",
      "-sALLOW_MEMORY_GROWTH",
      "-sINVOKE_RUN=0",
      "-sEXPORTED_RUNTIME_METHODS=callMain",
      "--js-library",
      library,
    ],
  });
}

/** Keeps a pool busy until the program has ended. */
async function inCompany<T>(company: Company, run: () => Promise<T>): Promise<T> {
  const worker = new Worker(new URL("./company_worker.ts", import.meta.url), { type: "module" });
  const ended = Promise.withResolvers<number>();
  worker.onmessage = ({ data }: MessageEvent<number>) => ended.resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    ended.reject(new Error(event.message));
  };
  worker.postMessage(company);
  try {
    const result = await run();
    worker.postMessage("stop");
    assert(await ended.promise > 0);
    return result;
  } finally {
    worker.terminate();
  }
}

interface Run {
  readonly path: string;
  readonly args: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly address?: "i32" | "i64";
  readonly company?: Company["what"];
}

/** Runs a program on a pool of its own, which must be whole afterwards. */
async function run({ path, args, options = {}, address = "i32", company }: Run): Promise<Outcome> {
  using fs = FileSystem.create({ maximumBytes: 2 ** 28, address });
  fs.writeFileSync("/torn", new Uint8Array(100));
  const handle: PoolHandle = fs.handle;
  const start = () => runProgram({ path, args, module: { extmemfs: handle, extmemfsOptions: options } });
  const outcome = company === undefined ? await start() : await inCompany({ handle, what: company }, start);
  assertEquals(outcome.stderr, []);
  assertEquals(outcome.exitCode, 0, outcome.stdout.join("\n"));
  assertEquals(fs.check(), []);
  return outcome;
}

/** How many of how many calls JavaScript served: the last line that the programs print. */
function slowCalls({ stdout }: Outcome): [slow: number, calls: number] {
  const found = /^slow (-?\d+) of (\d+)$/.exec(stdout.at(-1)!);
  assert(found !== null, stdout.join("\n"));
  return [Number(found[1]), Number(found[2])];
}

const seeds = Deno.env.has("EXTMEMFS_SEED")
  ? [Deno.env.get("EXTMEMFS_SEED")!]
  : ["1", String(2 + Math.floor(Math.random() * 1e6))];

for (const heap of HEAPS) {
  for (const address of ["i32", "i64"] as const) {
    Deno.test(`bridge: heap ${heap.name}, pool ${address}: the same as without, against a model`, async () => {
      const path = await build("model", heap);
      for (const seed of seeds) {
        const args = [seed, "3000"];
        const off = await run({ path, args, address, options: { bridge: false } });
        const on = await run({ path, args, address, company: "grow" });
        assertEquals(on.stdout.slice(0, -1), off.stdout.slice(0, -1), `seed ${seed}`);
        assertEquals(slowCalls(off)[0], -1);
        const [slow, calls] = slowCalls(on);
        // What has no room yet, is empty, or is an error, JavaScript serves.
        assert(slow >= 0 && slow < calls * 0.45, `seed ${seed}: ${slow} of ${calls} calls were slow`);
      }
    });
  }
}

for (const heap of HEAPS.filter(({ flags }) => flags.includes("-pthread"))) {
  for (const bridge of [true, false]) {
    Deno.test(`bridge ${bridge ? "on" : "off"}: heap ${heap.name}: no read is torn`, async () => {
      const path = await build("hammer", heap);
      const outcome = await run({ path, args: ["1500"], company: "tear", options: { bridge } });
      const [slow, calls] = slowCalls(outcome);
      assert(calls > 1000, `${calls} calls`);
      assert(Number(outcome.stdout[0]!.split(" ")[1]) > 100, outcome.stdout[0]);
      if (bridge) assert(slow >= 0 && slow < calls / 2, `${slow} of ${calls} calls were slow`);
    });
  }
}

Deno.test("bridge: none for an agent of debug level 3", async () => {
  const path = await build("model", HEAPS[0]!);
  assertEquals(slowCalls(await run({ path, args: ["3", "300"], options: { debugLevel: 3 } }))[0], -1);
});
