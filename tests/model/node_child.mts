/**
 * The oracle's process, run by Node: reads sequences of operations from standard input, one JSON line each, runs each in
 * a fresh directory, and answers with one JSON line of outcomes.
 *
 * @module
 */

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import type { Greeting, Operation, Outcome, Request, Response } from "./language.ts";
import { choose } from "./choices.mts";
import { Interpreter, type Methods } from "./interpreter.mts";
import { jailOf, refusal } from "./jail.mts";

/** In memory where the system has such a directory. */
const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : fs.realpathSync(tmpdir());
const base = fs.mkdtempSync(`${parent}/extmemfs-model-`);
process.on("exit", () => fs.rmSync(base, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

process.umask(0o022);
process.chdir("/");

function send(message: Greeting | Response): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function runSequence({ sandbox, operations }: Request): Response {
  fs.mkdirSync(sandbox, { recursive: true });
  const interpreter = new Interpreter({
    fs: fs as unknown as Methods,
    constants: fs.constants as unknown as Record<string, number>,
    sandbox,
    sparesClosed: true,
  });
  const chosen: Operation[] = [];
  const outcomes: Outcome[] = [];
  for (const open of operations) {
    const operation = choose(open, sandbox, interpreter);
    const skipped = refusal(operation, sandbox);
    chosen.push(operation);
    outcomes.push(skipped === undefined ? interpreter.run(operation) : { skipped });
  }
  interpreter.closeAll();
  fs.rmSync(jailOf(sandbox), { recursive: true, force: true });
  return { operations: chosen, outcomes };
}

send({ version: process.version, base, root: process.getuid?.() === 0 });

// Node's readline also ends lines at U+2028, which names may contain.
let rest = "";
process.stdin.setEncoding("utf8");
for await (const text of process.stdin) {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) send(runSequence(JSON.parse(line) as Request));
}
