/**
 * What a program is to print: what it prints on Linux (`programs/expected`), and what is known to differ elsewhere, with
 * the reason (`programs/differences`).
 *
 * A file of differences:
 *
 *     @ program
 *     ! case: why the case is left out altogether
 *     # case
 *     = why the lines below differ, until the next reason
 *     - a line that is expected on Linux
 *     + the line that is printed instead
 *
 * An empty line ends a group of lines that belong together. Groups are looked for from the top of the case to its bottom. One
 * that is not found is an error: a difference that is gone must not stay in the file.
 *
 * @module
 */
import { PROGRAMS_FOLDER } from "./programs.ts";

/** Some lines of one case that differ. */
export interface Hunk {
  readonly reason: string;
  readonly removed: string[];
  readonly added: string[];
}

/** What differs in one program. */
export interface ProgramDifferences {
  /** Cases that are left out, with the reason. */
  readonly omitted: Map<string, string>;
  /** Lines that differ, by case. */
  readonly hunks: Map<string, Hunk[]>;
}

/** What a program is expected to print. */
export interface Expectation {
  /** Cases to leave out. */
  readonly without: readonly string[];
  /** The lines. */
  readonly lines: readonly string[];
}

/** Reads the lines that a program prints on Linux. */
export async function readExpected(program: string): Promise<string[]> {
  const text = await Deno.readTextFile(`${PROGRAMS_FOLDER}/expected/${program}.txt`);
  return text.trimEnd().split("\n");
}

/** Reads a file of differences; one that does not exist is empty. */
export async function readDifferences(name: string): Promise<Map<string, ProgramDifferences>> {
  let text = "";
  try {
    text = await Deno.readTextFile(`${PROGRAMS_FOLDER}/differences/${name}.txt`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return parseDifferences(text, name);
}

/** Parses a file of differences. */
export function parseDifferences(text: string, name: string): Map<string, ProgramDifferences> {
  const programs = new Map<string, ProgramDifferences>();
  let program: ProgramDifferences | undefined;
  let hunks: Hunk[] | undefined;
  let reason = "";
  let ended = false;
  for (const [index, line] of text.split("\n").entries()) {
    const [mark, rest] = [line.slice(0, 2), line.slice(2)];
    const fail = (what: string) => new Error(`differences/${name}.txt:${index + 1}: ${what}: ${line}`);
    if (line === "") {
      ended = true;
      continue;
    }
    if (mark === "@ ") {
      programs.set(rest, program = { omitted: new Map(), hunks: new Map() });
      hunks = undefined;
      continue;
    }
    if (program === undefined) throw fail("no program yet");
    if (mark === "! ") {
      const [, name, why] = /^(\w+): (.+)$/.exec(rest) ?? [];
      if (name === undefined) throw fail("a case and a reason are wanted");
      program.omitted.set(name, why!);
    } else if (mark === "# ") program.hunks.set(rest, hunks = []);
    else if (mark === "= ") reason = rest;
    else if (mark === "- " || mark === "+ ") {
      if (hunks === undefined) throw fail("no case yet");
      if (reason === "") throw fail("no reason yet");
      let hunk = hunks.at(-1);
      if (hunk === undefined || ended || hunk.reason !== reason || (mark === "- " && hunk.added.length > 0)) {
        hunks.push(hunk = { reason, removed: [], added: [] });
      }
      ended = false;
      (mark === "- " ? hunk.removed : hunk.added).push(rest);
      if (hunk.removed.length === 0) throw fail("nothing that it stands for");
    } else throw fail("unknown mark");
  }
  return programs;
}

/** Applies differences to the lines of a program. */
export function applyDifferences(
  lines: readonly string[],
  differences: ProgramDifferences | undefined,
  where: string,
): string[] {
  if (differences === undefined) return [...lines];
  const result: string[] = [];
  for (const section of splitCases(lines)) {
    const name = section[0]!.slice(2);
    if (differences.omitted.has(name)) continue;
    let from = 0;
    for (const { removed, added } of differences.hunks.get(name) ?? []) {
      const at = findLines(section, removed, from);
      if (at < 0) throw new Error(`${where}: case ${name} has no lines any more that are\n${removed.join("\n")}`);
      section.splice(at, removed.length, ...added);
      from = at + added.length;
    }
    result.push(...section);
  }
  return result;
}

/** Where some lines begin among others, from a place on; -1 if nowhere. */
export function findLines(lines: readonly string[], wanted: readonly string[], from: number): number {
  for (let at = from; at + wanted.length <= lines.length; at++) {
    if (wanted.every((line, index) => lines[at + index] === line)) return at;
  }
  return -1;
}

/** Divides output at its `# case` lines. */
export function splitCases(lines: readonly string[]): string[][] {
  const cases: string[][] = [];
  for (const line of lines) {
    if (line.startsWith("# ") || cases.length === 0) cases.push([]);
    cases.at(-1)!.push(line);
  }
  return cases;
}

/** What a program is to print with some files of differences. */
export async function expectationFor(program: string, files: readonly string[]): Promise<Expectation> {
  let lines = await readExpected(program);
  const without: string[] = [];
  for (const file of files) {
    const differences = (await readDifferences(file)).get(program);
    without.push(...(differences?.omitted.keys() ?? []));
    lines = applyDifferences(lines, differences, `differences/${file}.txt, ${program}`);
  }
  return { without, lines };
}

/** Finds the groups of lines that differ. The first line of a case is taken to be equal. */
export function diffLines(expected: readonly string[], actual: readonly string[]): Hunk[] {
  const width = actual.length + 1;
  const lengths = new Uint32Array((expected.length + 1) * width);
  for (let i = expected.length - 1; i >= 0; i--) {
    for (let j = actual.length - 1; j >= 0; j--) {
      lengths[i * width + j] = expected[i] === actual[j]
        ? lengths[(i + 1) * width + j + 1]! + 1
        : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const hunks: Hunk[] = [];
  const takesExpected = (i: number, j: number) =>
    i < expected.length && (j === actual.length || lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!);
  /** The lines as applyDifferences() has them by now, and how far it has come. */
  const current = [...expected];
  let shift = 0;
  let from = 0;
  for (let i = 0, j = 0; i < expected.length || j < actual.length;) {
    if (i < expected.length && j < actual.length && expected[i] === actual[j]) {
      i++;
      j++;
      continue;
    }
    let at = i + shift;
    const removed: string[] = [];
    const added: string[] = [];
    while ((i < expected.length || j < actual.length) && expected[i] !== actual[j]) {
      if (takesExpected(i, j)) removed.push(expected[i++]!);
      else added.push(actual[j++]!);
    }
    // Lines before them, so that they are found here and not further up, and that there is something to find.
    while (at > from && (removed.length === 0 || findLines(current, removed, from) !== at)) {
      at--;
      removed.unshift(current[at]!);
      added.unshift(current[at]!);
    }
    current.splice(at, removed.length, ...added);
    shift += added.length - removed.length;
    from = at + added.length;
    hunks.push({ reason: "", removed, added });
  }
  return hunks;
}
