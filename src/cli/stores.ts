/**
 * Stores that the command line names.
 *
 * @module
 */
import type { ArtifactBackend } from "../../artifact.ts";
import { UsageError } from "./errors.ts";
import { assertDirectory } from "./host.ts";
import { KEY_VARIABLE } from "./options.ts";

/** What `--store` takes. */
export const STORE_HELP: string = "a directory, redis://HOST:PORT/DB, rediss:, valkey:, s3://BUCKET/PREFIX?endpoint=…";

/** The schemes that `openStore()` knows; `cache:` is in there for hosts that have the Cache API, as Deno has. */
const SCHEMES: readonly string[] = ["file", "redis", "rediss", "valkey", "valkeys", "s3", "cache"];

/**
 * Opens the place that `--store` names. A directory must be there: what is misspelt is not made.
 *
 * @throws (rejects) {UsageError} where the URL or the directory makes no sense; {ArtifactStoreError} where the place is not
 * reached.
 */
export async function openNamedBackend(url: string): Promise<ArtifactBackend> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined && !SCHEMES.includes(scheme)) {
    throw new UsageError(`There is no store '${scheme}:': --store takes ${STORE_HELP}`);
  }
  if (scheme === undefined) await assertDirectory(url);
  else if (scheme === "file") await assertDirectory(parseFileUrl(url));
  const { openBackend } = await import("../artifact/store/open_store.ts");
  return await openBackend(url);
}

function parseFileUrl(url: string): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (error) {
    throw new UsageError(`The URL of the store makes no sense: ${(error as Error).message}`, { cause: error });
  }
  parsed.search = "";
  return parsed;
}

/**
 * Refuses to judge what others may have written without the key that says who did.
 *
 * @throws {UsageError} for a shared store without a key.
 */
export function assertKeyForShared(backend: ArtifactBackend, key: Uint8Array | undefined): void {
  if (!backend.shared || key !== undefined) return;
  throw new UsageError(
    `${backend.name} is shared between hosts, and what is whole in there only its key tells: give --key-file, or set ` +
      KEY_VARIABLE,
    { code: "ERR_ARTIFACT_KEY" },
  );
}
