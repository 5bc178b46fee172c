/**
 * Runs one sequence of operations on both sides and finds the first difference; knows where Node itself is odd.
 *
 * @module
 */

import { Interpreter } from "./interpreter.mts";
import { type Operation, type Outcome, showOperation, showOutcome } from "./language.ts";
import { jailOf } from "./jail.mts";
import type { NodeOracle } from "./node_oracle.ts";
import { createSubject } from "./subject.ts";

/** Where the two sides came to differ. */
export interface Difference {
  /** The index of the operation in the sequence. */
  index: number;
  /** The operation, or what was looked at after the last one. */
  what: string;
  /** What Node gave. */
  expected: string;
  /** What the filesystem under test gave. */
  got: string;
}

/** What became of a sequence. */
export interface Run {
  /** The operations as they were run, with all choices made. */
  operations: Operation[];
  /** The first difference, if there is one. */
  difference?: Difference;
  /** The operations that ran on both sides and were compared. */
  comparedCount: number;
  /** The sandbox in which it ran. */
  sandbox: string;
  /** How often each outcome was seen: `ok`, `skipped`, or the code of an error. */
  tally: Map<string, number>;
}

/** An outcome of Node's that is not demanded of the filesystem under test. */
interface Oddity {
  /** What is odd about it. */
  why: string;
  /** Whether this is a case of it; a case in which the filesystem under test does what the entry allows passes. */
  accepts(operation: Operation, expected: Outcome, got: Outcome): boolean;
}

/**
 * Where Node itself is odd. Some more cases are not even run, because Node changes what it should not (`jail.mts`):
 * `rmSync` of `.` and `..`, which empties the directory and then fails; `copyFileSync` of a directory over a file, which
 * removes the file and then fails; recursive `readdirSync` over links to directories, which it follows, in a loop up to
 * forty times; and what only root may do, where Node is not root.
 */
export const KNOWN_ODD: readonly Oddity[] = [
  {
    why:
      "rmSync with `recursive` reports errors of C++'s std::filesystem: an empty code with the errno of UNKNOWN, or a " +
      "positive errno, and a message of another form. It has to fail, and with a plain error.",
    accepts: (operation, expected, got) =>
      operation.call === "rmSync" && expected.error?.syscall === "rm" && expected.error.code !== "ERR_FS_EISDIR" &&
      got.error?.code !== undefined && got.error.errno !== undefined,
  },
  {
    why:
      "copyFileSync opens (and so makes) the destination before it finds that the source is a directory: an error of " +
      "the destination comes first. EISDIR will do. (Where there is a destination, Node removes it: not run.)",
    accepts: (operation, expected, got) =>
      operation.call === "copyFileSync" && expected.error?.syscall === "copyfile" && got.error?.code === "EISDIR",
  },
  {
    why:
      "realpathSync takes what is neither a string nor a URL for its text: `null` is the file `null`, and bytes are " +
      "their numbers. An error of type, or the file that the bytes name, will do.",
    accepts: (operation, _expected, got) => {
      const [path] = operation.args;
      if (operation.call !== "realpathSync" || typeof path === "string") return false;
      if (typeof path !== "object" || path === null || !("at" in path)) return got.error?.name === "TypeError";
      return path.as === "bytes";
    },
  },
  {
    why: "readSync with a bigint for a length throws what JavaScript throws when bigints meet numbers.",
    accepts: (operation, expected, got) =>
      operation.call === "readSync" && expected.error?.name === "TypeError" && expected.error.code === undefined &&
      got.error?.name === "TypeError",
  },
  {
    why: "lstatSync with `throwIfNoEntry: false` throws ENOTDIR, where statSync returns undefined.",
    accepts: (operation, expected, got) =>
      operation.call === "lstatSync" && expected.error?.code === "ENOTDIR" && got.returned === "undefined",
  },
  {
    why:
      "mkdirSync with `recursive` returns the first directory it made with a slash at its end where the path has one.",
    accepts: (operation, expected, got) =>
      operation.call === "mkdirSync" && /\/"$/.test(expected.returned ?? "") &&
      expected.returned?.replace(/\/+"$/, '"') === got.returned,
  },
];

/** Whether two outcomes are the same, or differ in a way that is known; `root` says whether Node ran as root. */
export function agree(operation: Operation, expected: Outcome, got: Outcome, root: boolean): boolean {
  const [wanted, given] = [expected, got].map((outcome) => JSON.stringify(comparable(outcome)));
  if (wanted === given || (!root && withoutOwner(wanted) === withoutOwner(given))) return true;
  return KNOWN_ODD.some((oddity) => oddity.accepts(operation, expected, got));
}

/** The filesystem under test gives all to user 0, as Node does where it runs as root. */
function withoutOwner(outcome: string): string {
  return outcome.replace(/uid=\d+n? gid=\d+n?/g, "");
}

/** The outcome with its fields in one order, and without what depends on the system that Node runs on. */
function comparable(outcome: Outcome): Outcome {
  const { returned, error, buffers } = outcome;
  if (!error) return { returned, buffers };
  const { name, code, errno, syscall, path, dest, message } = error;
  // Other systems number errors differently; the filesystem under test has Linux's numbers everywhere.
  const sameNumbers = Deno.build.os === "linux";
  return { error: { name, code, errno: sameNumbers ? errno : undefined, syscall, path, dest, message }, buffers };
}

/**
 * Runs a sequence on both sides.
 *
 * @param oracle Node.
 * @param operations The sequence; at its end both trees are compared as well.
 */
export async function runSequence(oracle: NodeOracle, operations: Operation[]): Promise<Run> {
  const sandbox = oracle.nextSandbox();
  const tree: Operation = { call: "$tree", args: [jailOf(sandbox)] };
  const { operations: sequence, outcomes } = await oracle.run(sandbox, [...operations, tree]);
  const subject = createSubject();
  const run: Run = { sandbox, operations: sequence.slice(0, -1), comparedCount: 0, tally: new Map() };
  try {
    subject.fs.mkdirSync(sandbox, { recursive: true });
    const interpreter = new Interpreter({ ...subject, sandbox, sparesClosed: false });
    for (const [index, operation] of sequence.entries()) {
      const expected = outcomes[index];
      const kind = expected.skipped !== undefined ? "skipped" : expected.error?.code ?? expected.error?.name ?? "ok";
      run.tally.set(kind, (run.tally.get(kind) ?? 0) + 1);
      if (expected.skipped !== undefined) continue;
      const got = interpreter.run(operation);
      if (index < operations.length) run.comparedCount++;
      if (agree(operation, expected, got, oracle.greeting.root)) continue;
      const what = index === operations.length ? "the whole tree at the end" : showOperation(operation);
      run.difference = { index, what, expected: showOutcome(expected), got: showOutcome(got) };
      return run;
    }
    run.difference = violation("check() with descriptors open", subject.check()) ??
      (interpreter.closeAll(), violation("check() with all closed", subject.check()));
    if (run.difference) run.difference.index = sequence.length;
  } finally {
    subject.dispose();
  }
  return run;
}

function violation(what: string, violations: readonly unknown[]): Difference | undefined {
  if (violations.length === 0) return undefined;
  const got = violations.map((found) => typeof found === "string" ? found : JSON.stringify(found)).join("; ");
  return { index: 0, what, expected: "no violations", got };
}

/**
 * Leaves out of a sequence that makes a difference, one at a time, what it does not need for one.
 *
 * @param oracle Node.
 * @param operations A sequence with its choices made.
 * @returns A sequence that makes a difference in the same call, of which no operation can be left out.
 */
export async function minimize(oracle: NodeOracle, operations: Operation[]): Promise<Operation[]> {
  const method = (run: Run): string | undefined => run.difference?.what.replace(/\(.*/s, "");
  const wanted = method(await runSequence(oracle, operations));
  let smallest = operations;
  for (let index = smallest.length - 1; index >= 0; index = Math.min(index, smallest.length) - 1) {
    const shorter = smallest.toSpliced(index, 1);
    const run = await runSequence(oracle, shorter);
    if (run.difference && method(run) === wanted) smallest = shorter.slice(0, run.difference.index + 1);
  }
  return smallest;
}

/** Writes a run that ended in a difference for a person to read; paths start at the sandbox. */
export function explain({ operations, difference, sandbox }: Run): string {
  if (!difference) return "(no difference)";
  const lines = operations.slice(0, difference.index + 1).map((operation, index) =>
    `  ${String(index + 1).padStart(3)}  ${showOperation(operation)}`
  );
  return [
    ...lines,
    `  at: ${difference.what}`,
    `    Node 24:  ${difference.expected.replaceAll(sandbox, "$").replaceAll(sandbox.slice(1), "$")}`,
    `    ExtMemFS: ${difference.got.replaceAll(sandbox, "$").replaceAll(sandbox.slice(1), "$")}`,
  ].join("\n");
}
