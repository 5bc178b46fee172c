/**
 * `deno task bench`: measures every row of the speed table beside its peers and prints the table. Each experiment runs
 * in a process of its own, one after the other, so that neither the compiled code nor the memory of one is in the way
 * of the next; within an experiment all sides run in the same process, interleaved round by round.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { type Context, judge, OURS, type RowMeasurement, type RowResult, THI_NG } from "./row.ts";
import { absentResult } from "./harness.ts";
import { describeMachine, fallsShort, formatMarkdown, formatTable, type Report } from "./report.ts";
import { EXPERIMENTS } from "./rows.ts";
import { DENO_TMPFS, makeTmpfsDirectory, MEMFS, SCRATCH_VARIABLE, TMPFS, ZENFS } from "./subjects.ts";

/** Sides that can be left out. */
const SIDES = [OURS, MEMFS, ZENFS, TMPFS, DENO_TMPFS, THI_NG];

const USAGE = `Usage: deno task bench [OPTION]...

  --only PATTERN   only rows whose id or work matches this regular expression (case ignored)
  --rounds N       measured rounds of each row (default 7)
  --round-ms N     timed part of one round of one side, in milliseconds (default 80)
  --without NAME   leave out a side; may be repeated. One of: ${SIDES.map((side) => `"${side}"`).join(", ")}
  --json           print the run as JSON
  --markdown       print the run as Markdown
  --list           print the rows' ids and end
  --help           print this and end`;

/** A process of one experiment may take this long. */
const EXPERIMENT_LIMIT_MS = 20 * 60_000;

/** Reads the command line, or explains it and ends. */
function readArguments() {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        only: { type: "string", default: "" },
        rounds: { type: "string", default: "7" },
        "round-ms": { type: "string", default: "80" },
        without: { type: "string", multiple: true, default: [] },
        json: { type: "boolean", default: false },
        markdown: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        experiment: { type: "string" },
      },
    });
    const rounds = Number(values.rounds);
    const roundMs = Number(values["round-ms"]);
    if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError(`--rounds must be 1 or more: ${values.rounds}`);
    if (!(roundMs > 0)) throw new RangeError(`--round-ms must be above 0: ${values["round-ms"]}`);
    const unknown = values.without.find((name) => !SIDES.includes(name));
    if (unknown !== undefined) throw new RangeError(`--without does not know "${unknown}"`);
    return { ...values, rounds, roundMs, only: new RegExp(values.only, "i") };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    Deno.exit(2);
  }
}

/** In the child: measures one experiment and prints its rows' measurements as JSON. */
async function runExperiment(id: string): Promise<void> {
  const experiment = EXPERIMENTS.find((candidate) => candidate.id === id);
  if (experiment === undefined) throw new Error(`There is no experiment "${id}"`);
  const context: Context = {
    rounds: options.rounds,
    roundMs: options.roundMs,
    without: new Set(options.without),
  };
  const measurements = await experiment.measure(context);
  console.log(JSON.stringify(measurements));
  // Workers, pools and mounts of the peers may keep the process alive.
  Deno.exit(0);
}

/** The child that measures now, to be ended with this process. */
let running: Deno.ChildProcess | undefined;

/** Measures an experiment in a child of its own. */
async function measureInChild(id: string, scratch: string): Promise<Record<string, RowMeasurement>> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      import.meta.filename!,
      `--experiment=${id}`,
      `--rounds=${options.rounds}`,
      `--round-ms=${options.roundMs}`,
      ...options.without.map((name) => `--without=${name}`),
    ],
    cwd: new URL("..", import.meta.url),
    env: { [SCRATCH_VARIABLE]: scratch },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  running = child;
  const timer = setTimeout(() => child.kill("SIGKILL"), EXPERIMENT_LIMIT_MS);
  const { code, signal, stdout } = await child.output();
  clearTimeout(timer);
  running = undefined;
  if (code !== 0) throw new Error(`failed: its process ended with ${signal ?? code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Measures all rows wanted and prints them. */
async function runAll(): Promise<void> {
  const wanted = EXPERIMENTS.map((experiment) => ({
    experiment,
    rows: experiment.rows.filter(({ id, work }) => options.only.test(id) || options.only.test(work)),
  })).filter(({ rows }) => rows.length > 0);
  if (options.list) {
    for (const { rows } of wanted) for (const { id, work } of rows) console.log(`${id.padEnd(34)}${work}`);
    return;
  }
  if (wanted.length === 0) {
    console.error("No row matches; --list prints them all");
    Deno.exit(2);
  }
  const startedAt = new Date().toISOString();
  const began = performance.now();
  const scratch = makeTmpfsDirectory();
  const removeScratch = () => Deno.removeSync(scratch, { recursive: true });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      running?.kill("SIGKILL");
      removeScratch();
      Deno.exit(signal === "SIGINT" ? 130 : 143);
    });
  }
  const results: RowResult[] = [];
  try {
    for (const [index, { experiment, rows }] of wanted.entries()) {
      console.error(`[${index + 1}/${wanted.length}] ${experiment.id}`);
      let measurements: Record<string, RowMeasurement> = {};
      let reason = "not answered";
      try {
        measurements = await measureInChild(experiment.id, scratch);
      } catch (error) {
        reason = (error as Error).message;
      }
      for (const row of rows) {
        const missing = { sides: [absentResult(row.subject ?? OURS, "subject", reason)] };
        results.push(judge(experiment.group, row, measurements[row.id] ?? missing));
      }
    }
  } finally {
    removeScratch();
  }
  const report: Report = {
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
}

const options = readArguments();
if (options.help) {
  console.log(USAGE);
} else if (options.experiment !== undefined) {
  await runExperiment(options.experiment);
} else {
  await runAll();
}
