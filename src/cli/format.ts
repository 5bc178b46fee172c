/**
 * How the command line shows things to people: sizes, times, colours, tables.
 *
 * @module
 */
import type { Output } from "./io.ts";

/** A size in bytes as people read it: `123 B`, `4.56 kB`, `7.89 MB`; powers of 1,000. */
export function formatBytes(bytes: number): string {
  const units = ["kB", "MB", "GB", "TB"];
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toPrecision(3)} ${units[unit]}`;
}

/** A time in milliseconds as people read it: `12 ms`, `3.46 s`, `2 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A moment in milliseconds since 1970 as `2025-01-31T23:59:59Z`. */
export function formatMoment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** A count with its noun: `1 entry`, `2 entries`. */
export function formatCount(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/**
 * Text in which nothing is left that a terminal obeys, on one line: what artifacts say of themselves may come from
 * anybody.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    if (character === "\n") return " ";
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** Text in colours, or as it is. */
export interface Style {
  /** What stands out. */
  bold(text: string): string;
  /** What matters less. */
  dim(text: string): string;
  /** What is well. */
  good(text: string): string;
  /** What is not. */
  bad(text: string): string;
}

/**
 * The style for an output: colours on terminals that have them, unless `NO_COLOR` is set and not
 * empty (https://no-color.org).
 */
export function styleOf(output: Output, env: (name: string) => string | undefined): Style {
  const colours = output.isTerminal && !env("NO_COLOR") && env("TERM") !== "dumb";
  const paint = (on: number, off: number) => (text: string) => colours ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return { bold: paint(1, 22), dim: paint(2, 22), good: paint(32, 39), bad: paint(31, 39) };
}

const NO_LINES = {
  "top": "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  "bottom": "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  "left": "",
  "left-mid": "",
  "mid": "",
  "mid-mid": "",
  "right": "",
  "right-mid": "",
  "middle": "  ",
};

/** Columns side by side under their heads, without lines, so that other programs can read them as well. */
export async function formatColumns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  options: { readonly style: Style; readonly right?: readonly number[] },
): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const table = new Table({
    chars: NO_LINES,
    style: { "padding-left": 0, "padding-right": 0, "head": [], "border": [] },
    colAligns: head.map((_, index) => options.right?.includes(index) ? "right" : "left"),
    head: head.map((text) => options.style.bold(text)),
  });
  table.push(...rows.map((row) => row.map(printable)));
  return withoutTrailingBlanks(table.toString());
}

/** What something says of itself: a name and a text in each row, in a frame; long texts are wrapped on terminals. */
export async function formatProperties(
  rows: readonly (readonly [name: string, text: string])[],
  options: { readonly style: Style; readonly columns: number | undefined },
): Promise<string> {
  const { default: Table } = await import("cli-table3");
  // Beside the texts stand the names, three lines of the frame and a blank on each side of both.
  const width = options.columns === undefined
    ? Infinity
    : Math.max(20, options.columns - Math.max(...rows.map(([name]) => name.length)) - 7);
  const table = new Table({ chars: NO_LINES_BETWEEN_ROWS, style: { head: [], border: [] } });
  table.push(...rows.map(([name, text]) => [options.style.bold(name), wrap(printable(text), width)]));
  return table.toString();
}

const NO_LINES_BETWEEN_ROWS = { "left-mid": "", "mid": "", "mid-mid": "", "right-mid": "" };

/** Breaks a text into lines: at blanks where it can, within words where it must. */
function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  lines.push(line);
  return lines.join("\n");
}

function withoutTrailingBlanks(text: string): string {
  return text.split("\n").map((line) => line.trimEnd()).join("\n");
}
