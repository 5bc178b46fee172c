/**
 * Two programs, one with the pool mounted and one with it as the root, each with two threads, and a worker of Deno: all on
 * one tree (`together.c`).
 *
 * @module
 */
import { runProgram } from "../../../tools/native/run.ts";
import { assertEquals } from "../../support/assert.ts";
import { baseOf, build, type Linking, makePool } from "./support.ts";

const ROUNDS = 100;

Deno.test("WasmFS, two programs and a worker on one tree", async () => {
  const linkings: Linking[] = [{ root: false, calls: true }, { root: true, calls: true }];
  const paths = [];
  for (const linking of linkings) paths.push(await build("together", linking));
  using fs = makePool();
  fs.mkdirSync("/test");
  fs.writeFileSync("/test/counter", new Uint8Array(4));
  const worker = new Worker(new URL("./together_worker.ts", import.meta.url), { type: "module" });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    const programs = Promise.all(paths.map((path, role) =>
      runProgram(path, {
        arguments: [String(role), baseOf(linkings[role]!, "test"), "/test"],
        module: { extmemfs: fs.handle },
        limitMs: 60_000,
      })
    ));
    worker.postMessage(fs.handle);
    const [results, won] = await Promise.all([programs, promise]);
    assertEquals(
      results.map(({ code, stderr }) => [code, stderr]),
      [[0, ""], [0, ""]],
      results[0]!.stdout + results[1]!.stdout,
    );
    const wins = results.map(({ stdout }) => Number(/^won (\d+)$/m.exec(stdout)?.[1]));
    assertEquals(wins[0]! + wins[1]! + won, ROUNDS, "each name has one winner");
  } finally {
    worker.terminate();
  }
  const lines = fs.readFileSync("/test/log", "utf8").trimEnd().split("\n");
  assertEquals(lines.filter((line) => !/^line of (\d|worker)-\d-\d+$/.test(line)), []);
  assertEquals(new Set(lines).size, 5 * ROUNDS);
  const counter = new DataView(fs.readFileSync("/test/counter").buffer);
  assertEquals(counter.getInt32(0, true), 2 * ROUNDS);
  assertEquals(fs.readdirSync("/test").filter((name) => String(name).startsWith("own")), []);
  assertEquals(fs.check(), []);
  assertEquals([fs.stats().opens, fs.stats().orphans], [0, 0]);
});
