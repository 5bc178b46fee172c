/**
 * Writes expected output and files of differences anew, from what programs print.
 *
 * @module
 */
import { diffLines, type Hunk, type ProgramDifferences, readDifferences, splitCases } from "./expectation.ts";
import { PROGRAMS_FOLDER } from "./programs.ts";

/** Stands where somebody is to say why lines differ. */
export const UNEXPLAINED = "TODO: why";

/** Writes what a program prints on Linux. */
export async function recordExpected(program: string, lines: readonly string[]): Promise<void> {
  await Deno.mkdir(`${PROGRAMS_FOLDER}/expected`, { recursive: true });
  await Deno.writeTextFile(`${PROGRAMS_FOLDER}/expected/${program}.txt`, `${lines.join("\n")}\n`);
}

/** Writes what differs in one program; reasons that were given stay. */
export async function recordDifferences(
  name: string,
  program: string,
  expected: readonly string[],
  actual: readonly string[],
): Promise<void> {
  const all = await readDifferences(name);
  const before = all.get(program);
  const reasons = new Map<string, string>();
  for (const [title, hunks] of before?.hunks ?? []) {
    for (const hunk of hunks) reasons.set(keyOf(title, hunk), hunk.reason);
  }
  const hunks = new Map<string, Hunk[]>();
  const printed = new Map(splitCases(actual).map((lines) => [lines[0], lines]));
  for (const section of splitCases(expected)) {
    const title = section[0]!.slice(2);
    const found = diffLines(section, printed.get(section[0]) ?? []);
    if (found.length > 0) {
      hunks.set(title, found.map((hunk) => ({ ...hunk, reason: reasons.get(keyOf(title, hunk)) ?? UNEXPLAINED })));
    }
  }
  all.set(program, { omitted: before?.omitted ?? new Map(), hunks });
  await Deno.mkdir(`${PROGRAMS_FOLDER}/differences`, { recursive: true });
  await Deno.writeTextFile(`${PROGRAMS_FOLDER}/differences/${name}.txt`, formatDifferences(all));
}

function keyOf(title: string, hunk: Hunk): string {
  return JSON.stringify([title, hunk.removed, hunk.added]);
}

function formatDifferences(programs: ReadonlyMap<string, ProgramDifferences>): string {
  const lines: string[] = [];
  let reason = "";
  for (const [program, { omitted, hunks }] of programs) {
    if (omitted.size === 0 && hunks.size === 0) continue;
    lines.push(`@ ${program}`);
    for (const [title, why] of omitted) lines.push(`! ${title}: ${why}`);
    for (const [title, list] of hunks) {
      lines.push(`# ${title}`);
      for (const hunk of list) {
        if (hunk.reason !== reason) lines.push(`= ${reason = hunk.reason}`);
        else if (lines.at(-1)!.startsWith("- ")) lines.push("");
        lines.push(...hunk.removed.map((line) => `- ${line}`), ...hunk.added.map((line) => `+ ${line}`));
      }
    }
    lines.push("");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
