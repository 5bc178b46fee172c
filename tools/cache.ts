/**
 * Where tools and tests keep what they fetch or build: ignored by git, safe to delete. Imports nothing.
 *
 * @module
 */

/** Names a folder to use instead of `.cache` in the repository, so that several clones share what they fetch. */
export const CACHE_VARIABLE = "EXTMEMFS_CACHE";

/**
 * The folder for one kind of thing that is fetched or built.
 *
 * @param name What is kept in it, such as `emscripten`.
 * @returns The absolute path of `<cache>/<name>`, without a slash at the end; the folder need not exist.
 */
export function cacheFolder(name: string): string {
  const shared = Deno.env.get(CACHE_VARIABLE);
  if (shared === undefined || shared === "") {
    return decodeURIComponent(new URL(`../.cache/${name}`, import.meta.url).pathname);
  }
  if (!shared.startsWith("/")) throw new Error(`${CACHE_VARIABLE} must be an absolute path: ${shared}`);
  return `${shared.replace(/\/+$/, "")}/${name}`;
}
