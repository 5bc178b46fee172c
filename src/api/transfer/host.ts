/**
 * The host's side of a transfer: its `node:fs`, loaded only when it is asked for, and the rules of its names.
 *
 * `node:fs` is imported lazily so that the module loads in a browser, where only the calls that need it fail.
 *
 * @module
 */

import type { TransferFileSystem } from "./types.ts";

/** The host's filesystem and what is particular to it. */
export interface Host {
  /** The host's `node:fs`. */
  readonly fs: TransferFileSystem;
  /** Flags that open a file for reading but refuse a symbolic link. */
  readonly readFlags: number;
  /** Flags that make a new file for writing and refuse whatever is there, links included. */
  readonly createFlags: number;
  /** What may not stand in a name on this host, beyond what no system takes. */
  readonly forbiddenInNames: RegExp | undefined;
  /** Turns a path or a `file:` URL into a path. */
  toPath(path: string | URL): string;
}

/**
 * Loads the host's filesystem.
 *
 * @param action What is being attempted, for the message.
 * @returns The host.
 * @throws {TypeError} Where there is none, as in a browser.
 */
export async function loadHost(action: string): Promise<Host> {
  let fs: typeof import("node:fs");
  let path: typeof import("node:path");
  let url: typeof import("node:url");
  try {
    [fs, path, url] = await Promise.all([import("node:fs"), import("node:path"), import("node:url")]);
  } catch (cause) {
    throw new TypeError(`Cannot ${action}: this environment has no node:fs (a tar stream can be imported anywhere)`, {
      cause,
    });
  }
  const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
  // Windows has no O_NOFOLLOW, nor does it need one: O_EXCL alone refuses an existing link.
  const noFollow: number = fs.constants.O_NOFOLLOW ?? 0;
  return {
    fs,
    readFlags: O_RDONLY | noFollow,
    createFlags: O_WRONLY | O_CREAT | O_EXCL | noFollow,
    // deno-lint-ignore no-control-regex
    forbiddenInNames: path.sep === "\\" ? /[\\:*?"<>|\x00-\x1f]/ : undefined,
    toPath: (source) => (typeof source === "string" ? source : url.fileURLToPath(source)),
  };
}
