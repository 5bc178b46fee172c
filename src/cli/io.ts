/**
 * What the command line sees of the process that it runs in, so that tests can run it without one. Types only.
 *
 * @module
 */

/** Standard output, or standard error. */
export interface Output {
  /** Whether a person looks at it: decides about colours, progress, and whether binary data may go there. */
  readonly isTerminal: boolean;
  /** How wide the terminal is, in characters; undefined where there is none. */
  readonly columns: number | undefined;
  /**
   * Writes text or bytes; resolves when the host has taken them.
   *
   * @throws (rejects) {ClosedOutputError} where nobody reads any more.
   */
  write(data: string | Uint8Array): Promise<void>;
}

/** What the command line reads from and writes to, files aside. */
export interface CliIo {
  /** Results. */
  readonly stdout: Output;
  /** Progress, and errors for people. */
  readonly stderr: Output;
  /** Aborts when the user interrupts the program; the reason is an {@linkcode InterruptedError}. */
  readonly signal: AbortSignal;
  /** Reads standard input to its end. */
  readStdin(): Promise<Uint8Array<ArrayBuffer>>;
  /** A variable of the environment; undefined where it is not set. */
  env(name: string): string | undefined;
}
