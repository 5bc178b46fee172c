/**
 * Where results and errors of a command go. With `--json` that is one document on standard output, whether the command
 * succeeds or fails; only where standard output carries an artifact does the document go to standard error.
 *
 * @module
 */
import { errorDocument, errorText } from "./errors.ts";
import { printable, type Style, styleOf } from "./format.ts";
import type { CliIo, Output } from "./io.ts";

/** Says what a command found, or why it failed. */
export class Reporter {
  readonly #io: CliIo;
  /** Whether results and errors are printed as JSON. */
  readonly json: boolean;
  #results: Output;

  /** Makes a reporter for one run of a command. */
  constructor(io: CliIo, json: boolean) {
    this.#io = io;
    this.json = json;
    this.#results = io.stdout;
  }

  /** Keeps standard output for something else: results go to standard error from now on. */
  keepStdoutFree(): void {
    this.#results = this.#io.stderr;
  }

  /** The style for what is printed as a result. */
  get style(): Style {
    return styleOf(this.#results, this.#io.env);
  }

  /** How wide the terminal is that results are printed on; undefined where there is none. */
  get columns(): number | undefined {
    return this.#results.columns;
  }

  /** Prints a result: the document where JSON is asked for, the text otherwise. Called once in a command. */
  async result(document: object, text: () => string | Promise<string>): Promise<void> {
    await this.#results.write(this.json ? toJson(document) : `${await text()}\n`);
  }

  /** Prints why a command failed. */
  async failure(error: unknown): Promise<void> {
    if (this.json) return await this.#results.write(toJson({ error: errorDocument(error) }));
    const { bad } = styleOf(this.#io.stderr, this.#io.env);
    await this.#io.stderr.write(`${bad("extmemfs:")} ${printable(errorText(error))}\n`);
  }
}

/** JSON without anything that a terminal obeys: JSON itself lets the controls from U+007F on pass. */
function toJson(document: object): string {
  const text = JSON.stringify(document, undefined, 2);
  return text.replaceAll(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`) + "\n";
}
