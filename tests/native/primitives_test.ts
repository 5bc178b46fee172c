/**
 * The functions of `native/include/extmemfs.h`: what they return for nonsense, and that C threads and JavaScript workers
 * share counters, lists, conditions and blocks of one pool at the same time.
 *
 * @module
 */
import { Condition, Event, FileSystem, Mutex, RwLock } from "../../mod.ts";
import { buildProgram, WORKER_FLAGS } from "../../tools/native/build.ts";
import { buildLibraries } from "../../tools/native/build_libraries.ts";
import { runProgram } from "../../tools/native/run.ts";
import { emscriptenRoot, tool } from "../../tools/native/toolchain.ts";
import { assertEquals } from "../support/assert.ts";
import type { Job } from "./primitives/worker.ts";

const INCLUDE = decodeURIComponent(new URL("../../native/include", import.meta.url).pathname);
const SOURCE = decodeURIComponent(new URL("primitives/program.c", import.meta.url).pathname);
const THREADS = 4;
const WORKERS = 2;

interface Variant {
  readonly name: string;
  readonly flags: readonly string[];
  readonly linkFlags: readonly string[];
  /** Threads that the program starts for a command. */
  readonly threads: number;
  /** Width of the pool's addresses. */
  readonly address: "i32" | "i64";
  /** Whether the program's files are WasmFS's, with the pool as their root. */
  readonly wasmfs?: boolean;
}

const WITH_THREADS = ["-pthread"];
const VARIANTS: readonly Variant[] = [
  {
    name: "threads",
    flags: WITH_THREADS,
    linkFlags: [`-sPTHREAD_POOL_SIZE=${THREADS}`],
    threads: THREADS,
    address: "i32",
  },
  {
    name: "memory64",
    flags: [...WITH_THREADS, "-sMEMORY64"],
    linkFlags: [`-sPTHREAD_POOL_SIZE=${THREADS}`],
    threads: THREADS,
    address: "i64",
  },
  {
    name: "wasmfs",
    flags: WITH_THREADS,
    linkFlags: [`-sPTHREAD_POOL_SIZE=${THREADS}`],
    threads: THREADS,
    address: "i32",
    wasmfs: true,
  },
  {
    name: "unshared",
    flags: [],
    linkFlags: ["-sMAXIMUM_MEMORY=4GB", "-sALLOW_MEMORY_GROWTH"],
    threads: 1,
    address: "i64",
  },
];

const built = new Map<Variant, Promise<string>>();

function build(variant: Variant): Promise<string> {
  let path = built.get(variant);
  if (path === undefined) built.set(variant, path = compile(variant));
  return path;
}

async function compile({ name, flags, linkFlags, wasmfs = false }: Variant): Promise<string> {
  const [libraries, emscripten] = await Promise.all([buildLibraries(), emscriptenRoot()]);
  const folder = `${INCLUDE}/../wasmfs`;
  const backend = wasmfs
    ? {
      sources: ["backend", "calls", "root"].map((part) => `${folder}/extmemfs_${part}.cpp`),
      compileFlags: [`-idirafter${emscripten}/system/lib`],
      linkFlags: [
        "-sWASMFS",
        "-sFORCE_FILESYSTEM",
        ...(await Deno.readTextFile(`${folder}/flags.txt`)).trim().split("\n"),
      ],
    }
    : { sources: [], compileFlags: ["-DSYSTEM_CALLS", "-Wextra", "-Werror", "-std=gnu11"], linkFlags: [] };
  return await buildProgram({
    name: `primitives-${name}`,
    sources: [SOURCE, ...backend.sources],
    flags: ["-O2", ...flags],
    compileFlags: ["-Wall", `-I${INCLUDE}`, ...backend.compileFlags],
    linkFlags: [
      ...WORKER_FLAGS.linkFlags,
      ...linkFlags,
      ...backend.linkFlags,
      "--js-library",
      libraries[wasmfs ? "library_extmemfs_wasmfs.js" : "library_extmemfs.js"]!,
    ],
  });
}

/** Runs the program and workers at the same time. */
async function run(
  path: string,
  fs: FileSystem,
  command: string,
  addresses: readonly number[],
  workers = 0,
  workerCommand = command,
): Promise<void> {
  const started = Array.from({ length: workers }, () => {
    const worker = new Worker(new URL("primitives/worker.ts", import.meta.url), { type: "module" });
    const done = new Promise<string[]>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    });
    worker.postMessage({ command: workerCommand, handle: fs.handle, addresses } satisfies Job);
    return { worker, done };
  });
  try {
    const program = runProgram(path, {
      arguments: [command, ...addresses.map(String)],
      module: { extmemfs: fs.handle },
      limitMs: 60_000,
    });
    const [{ code, stdout, stderr }, ...problems] = await Promise.all([program, ...started.map(({ done }) => done)]);
    assertEquals({ code, stdout, stderr, problems: problems.flat() }, {
      code: 0,
      stdout: "",
      stderr: "",
      problems: [],
    });
  } finally {
    for (const { worker } of started) worker.terminate();
  }
}

/** Zeroed memory of the pool. */
function zeroed(fs: FileSystem, bytes: number): number {
  const address = fs.pool.allocator.allocate(bytes, 64);
  new Uint8Array(fs.pool.memory.buffer, address, bytes).fill(0);
  return address;
}

function wordsOf(fs: FileSystem): Int32Array {
  return new Int32Array(fs.pool.memory.buffer);
}

/** Live bytes and blocks of the pool. */
function live(fs: FileSystem): { liveBytes: number; liveBlocks: number } {
  const { liveBytes, liveBlocks } = fs.pool.allocator.stats();
  return { liveBytes, liveBlocks };
}

for (const variant of VARIANTS) {
  const create = () => FileSystem.create({ maximumBytes: 256 << 20, address: variant.address });

  /** A test with a pool that is sound afterwards, and holds what it held before. */
  const test = (name: string, body: (path: string, fs: FileSystem) => Promise<void>) =>
    Deno.test(`extmemfs.h ${name} (${variant.name}, ${variant.address} pool)`, async () => {
      const path = await build(variant);
      using fs = create();
      // What programs make themselves, and the first inodes, which stay.
      for (const path of ["/tmp", "/home/web_user"]) fs.mkdirSync(path, { recursive: true });
      fs.writeFileSync("/file", "");
      const before = live(fs);
      await body(path, fs);
      assertEquals(fs.check(), []);
      assertEquals(live(fs), before);
    });

  test("returns errors for nonsense", (path, fs) => run(path, fs, "nonsense", []));

  test("reads and writes files at positions", async (path, fs) => {
    await run(path, fs, "files", []);
    assertEquals(fs.readFileSync("/file", "utf8"), "abcd");
    fs.writeFileSync("/file", "");
  });

  test("excludes C threads and workers from one mutex", async (path, fs) => {
    const rounds = 4000;
    const mutex = Mutex.create(fs.pool);
    const words = zeroed(fs, 192);
    await run(path, fs, "counter", [mutex.address, words, words + 64, words + 128, rounds], WORKERS);
    const i32 = wordsOf(fs);
    assertEquals(
      { count: i32[words / 4], overlaps: i32[words / 4 + 32] },
      { count: rounds * (variant.threads + WORKERS), overlaps: 0 },
    );
    mutex.free();
    fs.pool.allocator.free(words);
  });

  test("guards a list of both sides' blocks by one read-write lock", async (path, fs) => {
    const lock = RwLock.create(fs.pool);
    const head = zeroed(fs, 64);
    const faults = zeroed(fs, 64);
    await run(path, fs, "list", [lock.address, head, faults, 3000], WORKERS);
    let i32 = wordsOf(fs);
    assertEquals(i32[faults / 4], 0);
    for (let node = i32[head / 4]! >>> 0; node !== 0; i32 = wordsOf(fs)) {
      const next = i32[node / 4]! >>> 0;
      fs.pool.allocator.free(node);
      node = next;
    }
    lock.free();
    fs.pool.allocator.free(head);
    fs.pool.allocator.free(faults);
  });

  test("passes a turn between C and a worker by condition and event", async (path, fs) => {
    const locks = [
      Mutex.create(fs.pool),
      Condition.create(fs.pool),
      Event.create(fs.pool),
      Event.create(fs.pool),
    ] as const;
    const [mutex, condition, start, end] = locks;
    const turn = zeroed(fs, 64);
    const rounds = 500;
    await run(path, fs, "pingpong", [mutex.address, condition.address, turn, rounds, start.address, end.address], 1);
    assertEquals(wordsOf(fs)[turn / 4], 2 * rounds);
    for (const lock of locks) lock.free();
    fs.pool.allocator.free(turn);
  });

  test("allocates and frees what both sides allocated", async (path, fs) => {
    const slotCount = 32;
    const slots = zeroed(fs, slotCount * 4);
    await run(path, fs, "allocate", [slots, slotCount, 1500], WORKERS);
    for (let slot = 0; slot < slotCount; slot++) {
      const ref = wordsOf(fs)[slots / 4 + slot]!;
      if (ref !== 0) fs.pool.allocator.free(ref * 16);
    }
    fs.pool.allocator.free(slots);
  });

  test("gives up after a time", async (path, fs) => {
    const mutex = Mutex.create(fs.pool);
    const lock = RwLock.create(fs.pool);
    {
      using _mutex = mutex.lock();
      using _lock = lock.lockWrite();
      await run(path, fs, "waits", [mutex.address, lock.address]);
    }
    mutex.free();
    lock.free();
  });

  test("keeps JavaScript out while C holds", async (path, fs) => {
    const mutex = Mutex.create(fs.pool);
    const lock = RwLock.create(fs.pool);
    const taken = Event.create(fs.pool);
    const release = Event.create(fs.pool);
    const running = run(path, fs, "held", [mutex.address, lock.address, taken.address, release.address]);
    assertEquals(await taken.waitAsync({ timeoutMs: 30_000 }), true);
    assertEquals([mutex.tryLock(), lock.tryLockRead(), lock.tryLockWrite()], [undefined, undefined, undefined]);
    release.set();
    await running;
    mutex.lock()[Symbol.dispose]();
    lock.lockWrite()[Symbol.dispose]();
    for (const each of [mutex, lock, taken, release]) each.free();
  });

  if (variant.threads > 1) {
    test("serves other threads while the main thread waits", async (path, fs) => {
      const mutex = Mutex.create(fs.pool);
      const event = Event.create(fs.pool);
      await run(path, fs, "served", [mutex.address, event.address]);
      mutex.free();
      event.free();
    });
  }
}

Deno.test("extmemfs.h compiles as C11 and as C++ without warnings", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const source = `${folder}/header.c`;
    await Deno.writeTextFile(source, "#include <extmemfs.h>\nint use(void) { return extmemfs_mutex_lock(8); }\n");
    const strict = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", `-I${INCLUDE}`];
    await tool("emcc", [...strict, "-std=c11", source]);
    await tool("em++", [...strict, "-std=c++11", "-x", "c++", source]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
