/**
 * Stores by URL, as a command line or a configuration names them. The client of a networked one is loaded when it is asked
 * for.
 *
 * @module
 */
import { ArtifactStoreError } from "../errors.ts";
import type { ArtifactBackend } from "./backend.ts";
import { ArtifactStore } from "./store.ts";
import type { ArtifactStoreOptions } from "./store_types.ts";

/** Options of {@linkcode openStore}. */
export interface OpenStoreOptions extends ArtifactStoreOptions {}

/**
 * Opens the store that a URL names:
 *
 * - `redis://`, `rediss://`, `valkey://` with `user:password@host:port/database`; `?prefix=…` keeps its entries apart from
 *   those of other stores in that database;
 * - `s3://bucket/prefix?endpoint=…&region=…&forcePathStyle=true`;
 * - `cache:NAME`, the browser's Cache API;
 * - `file:///path`, or anything without a scheme: a directory. `?shared=true` says that other hosts write it, too.
 *
 * @throws (rejects) {ArtifactStoreError} for a scheme that there is not, an option of a `file:` URL that there is not, or a
 * place that cannot be reached; {TypeError} for what is no URL; as the constructor of {@linkcode ArtifactStore}.
 */
export async function openStore(url: string | URL, options: OpenStoreOptions = {}): Promise<ArtifactStore> {
  if (typeof url !== "string" && !(url instanceof URL)) {
    throw new TypeError(`A store is named by a URL or a path, not ${url === null ? "null" : typeof url}`);
  }
  const backend = await openBackend(String(url));
  try {
    return new ArtifactStore(backend, options);
  } catch (error) {
    await backend.close?.();
    throw error;
  }
}

/**
 * Opens the place that a URL names, as {@linkcode openStore} does, without a store over it: for who lists and removes
 * entries by age, and loads none.
 *
 * @throws (rejects) {ArtifactStoreError} for a scheme that there is not, an option of a `file:` URL that there is not, or a
 * place that cannot be reached; {TypeError} for what is no URL; as the constructor of {@linkcode ArtifactStore}.
 */
export async function openBackend(url: string): Promise<ArtifactBackend> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case "redis":
    case "rediss":
    case "valkey":
    case "valkeys":
      return await openRedis(url);
    case "s3":
      return await (await import("./s3_backend.ts")).S3Backend.connect(url);
    case "cache":
      return await (await import("./cache_backend.ts")).CacheBackend.open(url.slice("cache:".length) || undefined);
    case undefined:
      if (url === "") throw new ArtifactStoreError("The store has no name: give a URL, or the path of a directory");
      return await openDirectory(url, false);
    case "file": {
      const parsed = new URL(url);
      const shared = sharedOf(parsed);
      parsed.search = "";
      return await openDirectory(parsed, shared);
    }
  }
  throw new ArtifactStoreError(
    `There is no store '${scheme}:'; there are redis:, rediss:, valkey:, s3:, cache:, file: and paths of directories`,
  );
}

/** Takes the prefix out of a URL; what else it may hold is refused where it is parsed, without being repeated. */
async function openRedis(url: string): Promise<ArtifactBackend> {
  const { RedisBackend } = await import("./redis_backend.ts");
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const prefix = parsed?.searchParams.get("prefix");
  if (parsed === undefined || !prefix || parsed.searchParams.size > 1) return await RedisBackend.connect(url);
  parsed.search = "";
  return await RedisBackend.connect(parsed.href, { prefix });
}

/** Whether a `file:` URL says that others write the directory. What is misspelt must not count as "no". */
function sharedOf({ href, searchParams }: URL): boolean {
  let shared = false;
  for (const [name, value] of searchParams) {
    if (name !== "shared" || !["true", "1", "false", "0"].includes(value)) {
      throw new ArtifactStoreError(`${href}: '${name}=${value}' is unknown; there are shared=true and shared=false`);
    }
    shared = value === "true" || value === "1";
  }
  return shared;
}

async function openDirectory(path: string | URL, shared: boolean): Promise<ArtifactBackend> {
  const { DirectoryBackend } = await import("./directory_backend.ts");
  return await DirectoryBackend.open(path, { shared });
}
