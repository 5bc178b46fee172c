/**
 * `deno task bench:native`: builds the workloads for every filesystem and measures them in Deno workers. A round runs
 * each program once, in a process of its own, and each round begins with another program: a machine that slows down
 * slows all of them.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { absentResult, median, resultOf, type SideResult } from "../harness.ts";
import { describeMachine, fallsShort, formatMarkdown, formatTable } from "../report.ts";
import { judge, type RowResult } from "../row.ts";
import { buildWorkloads, type Configuration, CONFIGURATIONS } from "./configurations.ts";
import { COMPUTE, COMPUTE_WORKLOAD, COPY, type NativeRow, ROWS } from "./rows.ts";

const USAGE = `Usage: deno task bench:native [OPTION]...

  --only PATTERN   only rows whose id or work matches this regular expression (case ignored)
  --rounds N       rounds (default 5); in each, every program runs once
  --round-ms N     least timed part of a repetition, in milliseconds (default 60)
  --reps N         repetitions within a round, of which the median counts (default 3)
  --without NAME   leave out a filesystem; may be repeated. One of: ${CONFIGURATIONS.map(({ name }) => name).join(", ")}
  --json           print the run as JSON
  --markdown       print the run as Markdown
  --list           print the rows' ids and end
  --help           print this and end`;

/** Reads the command line, or explains it and ends. */
function readArguments() {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        only: { type: "string", default: "" },
        rounds: { type: "string", default: "5" },
        "round-ms": { type: "string", default: "60" },
        reps: { type: "string", default: "3" },
        without: { type: "string", multiple: true, default: [] },
        json: { type: "boolean", default: false },
        markdown: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const count = (name: "rounds" | "reps" | "round-ms") => {
      const value = Number(values[name]);
      if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${name} must be 1 or more: ${values[name]}`);
      return value;
    };
    const unknown = values.without.find((name) => !CONFIGURATIONS.some((candidate) => candidate.name === name));
    if (unknown !== undefined) throw new RangeError(`--without does not know "${unknown}"`);
    return {
      ...values,
      rounds: count("rounds"),
      roundMs: count("round-ms"),
      reps: count("reps"),
      only: new RegExp(values.only, "i"),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    Deno.exit(2);
  }
}

/** What was measured of one filesystem: nanoseconds per operation, one value per round, by the name of the line. */
interface Measured {
  readonly configuration: Configuration;
  readonly workloads: readonly string[];
  readonly lines: Map<string, number[]>;
  failure?: string;
}

/** Where pure computing grows less than this, no second core was free, and quotients say nothing about locks. */
const LEAST_GROWTH = 1.2;

/** Why a filesystem cannot do a workload. */
function absence({ absent }: Configuration, workload: string): string | undefined {
  return absent?.[workload] ?? (workload.startsWith("two_") ? absent?.two : undefined);
}

/** The program that runs now, to be ended with this process. */
let running: Deno.ChildProcess | undefined;

/** Runs a program once and keeps what it measured. */
async function runRound(measured: Measured): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", new URL("./program.ts", import.meta.url).pathname, measured.configuration.name],
      ...[`--ms=${options.roundMs}`, `--reps=${options.reps}`, ...measured.workloads],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  running = child;
  const { code, stdout } = await child.output();
  running = undefined;
  for (const line of new TextDecoder().decode(stdout).trimEnd().split("\n")) {
    const [name, value] = line.split("\t");
    if (value === undefined) continue;
    const values = measured.lines.get(name);
    if (values === undefined) measured.lines.set(name, [Number(value)]);
    else values.push(Number(value));
  }
  if (code !== 0) measured.failure = `its program ended with ${code}`;
}

/** How much faster two threads are than one, round by round. */
function growth({ lines }: Measured, workload: string): number[] | undefined {
  const [one, two] = [lines.get(`${workload}.one`), lines.get(`${workload}.two`)];
  return one === undefined || two === undefined ? undefined : one.map((value, round) => value / two[round]);
}

/** The result of one filesystem for a row. */
function sideOf(row: NativeRow, measured: Measured): SideResult {
  const { name, kind, note } = measured.configuration;
  const absent = absence(measured.configuration, row.workload);
  if (absent !== undefined) return absentResult(name, kind, absent);
  if (measured.failure !== undefined) return absentResult(name, kind, measured.failure);
  if (row.unit !== "times") {
    const values = measured.lines.get(row.workload);
    return values === undefined ? absentResult(name, kind, "not answered") : resultOf(name, kind, values, note);
  }
  const [grown, computing] = [growth(measured, row.workload), growth(measured, COMPUTE_WORKLOAD)];
  if (grown === undefined || computing === undefined) return absentResult(name, kind, "not answered");
  if (median(computing) < LEAST_GROWTH) {
    return absentResult(name, kind, `no second core was free: pure computing grew ${median(computing).toFixed(2)} ×`);
  }
  const [one, two] = ["one", "two"].map((of) => Math.round(median(measured.lines.get(`${row.workload}.${of}`)!)));
  return resultOf(
    name,
    kind,
    grown.map((value, round) => value / computing[round]),
    [...note === undefined ? [] : [note], `one thread ${one} ns, two threads ${two} ns in all`].join("; "),
  );
}

/** The bare cost beside a row. */
function floorsOf(row: NativeRow, all: readonly Measured[]): SideResult[] {
  const [first] = all;
  if (row.unit === "times") {
    const values = all.flatMap((measured) => growth(measured, COMPUTE_WORKLOAD) ?? []);
    return values.length === 0 ? [] : [resultOf(COMPUTE, "floor", values)];
  }
  const values = row.floor === undefined ? undefined : first?.lines.get(row.floor);
  return values === undefined ? [] : [resultOf(COPY, "floor", values)];
}

const options = readArguments();
if (options.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const rows = ROWS.filter(({ id, work }) => options.only.test(id) || options.only.test(work));
if (options.list) {
  for (const { id, work } of rows) console.log(`${id.padEnd(24)}${work}`);
  Deno.exit(0);
}
if (rows.length === 0) {
  console.error("No row matches; --list prints them all");
  Deno.exit(2);
}
const startedAt = new Date().toISOString();
const began = performance.now();
const wanted = CONFIGURATIONS.filter(({ name }) => !options.without.includes(name));
const all = wanted.map((configuration, index): Measured => {
  const workloads = rows.map(({ workload }) => workload).filter((name) => absence(configuration, name) === undefined);
  // The bare copies are the same in all programs: the first measures them.
  const floors = index === 0 ? rows.flatMap(({ floor }) => floor ?? []) : [];
  const computing = workloads.some((name) => name.startsWith("two_")) ? [COMPUTE_WORKLOAD] : [];
  return { configuration, workloads: [...new Set([...workloads, ...floors, ...computing])], lines: new Map() };
});
for (const { configuration } of all) {
  console.error(`building ${configuration.name}`);
  await buildWorkloads(configuration);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    running?.kill("SIGKILL");
    Deno.exit(signal === "SIGINT" ? 130 : 143);
  });
}
for (let round = 0; round < options.rounds; round++) {
  for (let turn = 0; turn < all.length; turn++) {
    const measured = all[(turn + round) % all.length];
    if (measured.failure !== undefined || measured.workloads.length === 0) continue;
    console.error(`[round ${round + 1} of ${options.rounds}] ${measured.configuration.name}`);
    await runRound(measured);
  }
}
const subject = wanted.find(({ kind }) => kind === "subject") ?? wanted[0];
const results = rows.map((row): RowResult =>
  judge(row.group, { subject: subject?.name, ...row }, {
    sides: [...all.map((measured) => sideOf(row, measured)), ...floorsOf(row, all)],
  })
);
const report = {
  startedAt,
  seconds: Math.round((performance.now() - began) / 1000),
  rounds: options.rounds,
  machine: describeMachine(),
  rows: results,
  short: results.filter(fallsShort).map(({ id }) => id),
};
if (options.json) console.log(JSON.stringify(report, null, 2));
else if (options.markdown) console.log(formatMarkdown(report));
else console.log(formatTable(report));
Deno.exit(all.some(({ failure }) => failure !== undefined) ? 1 : 0);
