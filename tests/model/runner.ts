/**
 * Runs one sequence of operations on both sides and finds the first difference; knows where Node itself is odd.
 *
 * @module
 */

import { Interpreter } from "./interpreter.mts";
import { type Operation, type Outcome, showOperation, showOutcome } from "./language.ts";
import { jailOf } from "./jail.mts";
import type { NodeOracle } from "./node_oracle.ts";
import { createSubject, type Subject, type SubjectOptions } from "./subject.ts";

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
 * `rmSync` of `.`, of `..` and of a link with a slash at its end, which empties the directory and may then fail;
 * `copyFileSync` of a directory over a file, which removes the file and then fails; recursive `readdirSync` over links to
 * directories, which it follows, in a loop up to forty times; and what only root may do, where Node is not root.
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
    why: "rmSync of a directory names the URL or the bytes it was given, not the path.",
    accepts: ({ call, args: [path] }, expected, got) =>
      call === "rmSync" && typeof path === "object" && path !== null && "at" in path && path.as !== undefined &&
      expected.error?.code === "ERR_FS_EISDIR" && got.error?.code === "ERR_FS_EISDIR",
  },
  {
    why: "realpathSync takes what is no path for its text: `null` is the file `null`. An error of type will do.",
    accepts: ({ call, args: [path] }, _expected, got) =>
      call === "realpathSync" && typeof path !== "string" && got.error?.code === "ERR_INVALID_ARG_TYPE",
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
 * @param options How the filesystem under test is used.
 */
export async function runSequence(
  oracle: NodeOracle,
  operations: Operation[],
  options: SubjectOptions = { debugLevel: 3, agentCount: 1 },
): Promise<Run> {
  const sandbox = oracle.nextSandbox();
  const tree: Operation = { call: "$tree", args: [jailOf(sandbox)] };
  const { operations: sequence, outcomes } = await oracle.run(sandbox, [...operations, tree]);
  const run: Run = { sandbox, operations: sequence.slice(0, -1), comparedCount: 0, tally: new Map() };
  try {
    run.difference = compareOn(createSubject(options), run, sequence, outcomes, oracle.greeting.root);
  } catch (error) {
    // The interpreter never throws: making, checking, closing or detaching the filesystem did.
    const got = error instanceof Error ? `${error.stack}` : String(error);
    run.difference = { index: sequence.length, what: "outside of the operations", expected: "no error", got };
  }
  return run;
}

function compareOn(
  subject: Subject,
  run: Run,
  sequence: Operation[],
  outcomes: Outcome[],
  root: boolean,
): Difference | undefined {
  subject.fs.mkdirSync(run.sandbox, { recursive: true });
  const interpreter = new Interpreter({ ...subject, sandbox: run.sandbox, sparesClosed: false });
  for (const [index, operation] of sequence.entries()) {
    const expected = outcomes[index];
    const kind = expected.skipped !== undefined ? "skipped" : expected.error?.code ?? expected.error?.name ?? "ok";
    run.tally.set(kind, (run.tally.get(kind) ?? 0) + 1);
    if (expected.skipped !== undefined) continue;
    const got = interpreter.run(operation);
    const isTree = index === run.operations.length;
    if (!isTree) run.comparedCount++;
    if (agree(operation, expected, got, root)) continue;
    const what = isTree ? "the whole tree at the end" : showOperation(operation);
    return { index, what, expected: showOutcome(expected), got: showOutcome(got) };
  }
  const open = violation(sequence.length, "check() with descriptors open", subject.check());
  if (open) return open;
  interpreter.closeAll();
  const closed = violation(sequence.length, "check() with all closed", subject.check());
  subject.dispose();
  return closed;
}

function violation(index: number, what: string, violations: readonly unknown[]): Difference | undefined {
  if (violations.length === 0) return undefined;
  const got = violations.map((found) => typeof found === "string" ? found : JSON.stringify(found)).join("; ");
  return { index, what, expected: "no violations", got };
}

/**
 * Leaves out of a sequence that makes a difference, one at a time, what it does not need for one.
 *
 * @param oracle Node.
 * @param operations A sequence with its choices made.
 * @param options How the filesystem under test is used.
 * @returns A sequence that makes a difference in the same call, of which no operation can be left out.
 */
export async function minimize(
  oracle: NodeOracle,
  operations: Operation[],
  options?: SubjectOptions,
): Promise<Operation[]> {
  const method = (run: Run): string | undefined => run.difference?.what.replace(/\(.*/s, "");
  const wanted = method(await runSequence(oracle, operations, options));
  let smallest = operations;
  for (let index = smallest.length - 1; index >= 0; index = Math.min(index, smallest.length) - 1) {
    const shorter = smallest.toSpliced(index, 1);
    const run = await runSequence(oracle, shorter, options);
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
