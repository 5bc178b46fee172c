/**
 * A program's JavaScript: `Module.extmemfs` is the ordinary filesystem in every thread, and the options say where paths lead.
 *
 * @module
 */
import { FALLOC_FL_KEEP_SIZE, FileSystem } from "../../mod.ts";
import { buildProgram, WORKER_FLAGS } from "../../tools/native/build.ts";
import { bySystemCalls, byWasmfs } from "../../tools/native/integrations.ts";
import { runProgram } from "../../tools/native/run.ts";
import { assert, assertEquals } from "../support/assert.ts";

const SOURCE = decodeURIComponent(new URL("./module/module.c", import.meta.url).pathname);
const INTEGRATIONS = { syscalls: bySystemCalls, wasmfs: byWasmfs };

async function programFor(name: keyof typeof INTEGRATIONS): Promise<string> {
  const { sources, compileFlags, linkFlags } = await INTEGRATIONS[name]();
  return await buildProgram({
    name: `module-${name}`,
    sources: [SOURCE, ...sources],
    flags: WORKER_FLAGS.flags,
    compileFlags,
    linkFlags: [...WORKER_FLAGS.linkFlags, "-sPTHREAD_POOL_SIZE=1", "-sPROXY_TO_PTHREAD", ...linkFlags],
  });
}

for (const name of Object.keys(INTEGRATIONS) as (keyof typeof INTEGRATIONS)[]) {
  Deno.test(`Module.extmemfs is the program's own tree in each of its threads, ${name}`, async () => {
    using fs = FileSystem.create({ maximumBytes: 64 << 20 });
    const { code, stdout, stderr } = await runProgram(await programFor(name), { module: { extmemfs: fs.handle } });
    assertEquals([code, stderr], [0, ""]);
    const said = (who: string) => [
      `${who}: JavaScript sees 5 bytes`,
      `${who}: C reads 21 bytes: written by JavaScript`,
      `${who}: nothing at /none: -1`,
    ];
    assertEquals(stdout.trim().split("\n"), [...said("main"), ...said("pthread"), "agents differ: yes"]);
    assertEquals(fs.readFileSync("/from_c_pthread", "utf8"), "12345");
    assertEquals(fs.stats().agents, 1, "the program's threads have left");
    assertEquals(fs.check(), []);
  });
}

Deno.test("a program's files lie beyond 4 GiB of a pool with 64-bit addresses", async () => {
  using fs = FileSystem.create({ maximumBytes: 8 * 2 ** 30, address: "i64" });
  const filler = fs.openSync("/filler", "w");
  // What is reserved, but not touched, takes no memory of the machine.
  fs.fallocateSync(filler, FALLOC_FL_KEEP_SIZE, 0, 4.5 * 2 ** 30);
  const address = fs.pool.allocator.allocate(64);
  assert(address > 2 ** 32, `blocks are at ${address}`);
  fs.pool.allocator.free(address);
  for (const name of Object.keys(INTEGRATIONS) as (keyof typeof INTEGRATIONS)[]) {
    const { code, stdout } = await runProgram(await programFor(name), { module: { extmemfs: fs.handle } });
    assertEquals(code, 0);
    assert(stdout.includes("pthread: C reads 21 bytes: written by JavaScript"), stdout);
  }
  fs.closeSync(filler);
  assertEquals(fs.check(), []);
});

Deno.test("extmemfsOptions.mounts say which paths lead into the pool", async () => {
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  fs.mkdirSync("/inner/deep", { recursive: true });
  const { code, stdout } = await runProgram(await programFor("syscalls"), {
    arguments: [
      "/outside",
      "/shared/a",
      "/shared/../outside2",
      "@/shared/deep",
      "b",
      "../c",
      "../../outside3",
      "@/tmp",
      "d",
    ],
    module: { extmemfs: fs.handle, extmemfsOptions: { mounts: { "/": null, "/shared": "/inner" } } },
  });
  assertEquals(code, 0);
  assertEquals(stdout.trim().split("\n"), [
    "/outside: made",
    "/shared/a: made",
    "/shared/../outside2: made",
    "chdir /shared/deep: 0, in /shared/deep",
    "b: made",
    "../c: made",
    "../../outside3: made",
    "chdir /tmp: 0, in /tmp",
    "d: made",
  ]);
  assertEquals(fs.readdirSync("/").sort(), ["inner"]);
  assertEquals(fs.readdirSync("/inner").sort(), ["a", "c", "deep"]);
  assertEquals(fs.readdirSync("/inner/deep"), ["b"]);
  assertEquals(fs.check(), []);
});

Deno.test("a program without a pool makes its own; a read-only one changes nothing; nonsense is refused by name", async () => {
  const path = await programFor("syscalls");
  const own = await runProgram(path, { arguments: ["/a", "/a"], module: {} });
  assertEquals(own.stdout.trim().split("\n"), ["/a: made", "/a: File exists"]);
  using fs = FileSystem.create({ maximumBytes: 64 << 20 });
  const options = { extmemfs: fs.handle, extmemfsOptions: { readOnly: true } };
  const readOnly = await runProgram(path, { arguments: ["/a"], module: options });
  assertEquals(readOnly.stdout.trim(), "/a: Read-only file system");
  for (
    const [module, message] of [
      [{ extmemfs: { kind: "other" } }, /handle of a pool/],
      [{ extmemfs: fs.handle, extmemfsOptions: { mounts: { relative: "/" } } }, /absolute path/],
      [{ extmemfs: fs.handle, extmemfsOptions: { mounts: { "/": "/none" } } }, /ENOENT.*"\/none"/],
      [{ extmemfs: fs.handle, extmemfsOptions: { umask: -1 } }, /umask/],
    ] as const
  ) {
    let failure = "";
    try {
      const { code, stderr } = await runProgram(path, { arguments: ["/b"], module });
      failure = code === 0 ? "" : stderr;
    } catch (error) {
      failure = String(error);
    }
    assert(message.test(failure), `${JSON.stringify(module)}: ${failure}`);
  }
  assertEquals(fs.readdirSync("/"), []);
  assertEquals(fs.check(), []);
});
