/**
 * What the tests of networked stores share.
 *
 * @module
 */
import { ArtifactStoreError } from "../../../src/artifact/errors.ts";
import type { ArtifactBackend, BackendEntry } from "../../../src/artifact/store/backend.ts";
import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "../../support/assert.ts";

/** A key as stores make them, of a number. */
export function keyOf(index: number): string {
  return `key_${index}-`.padEnd(43, "A");
}

/** So many bytes that no two entries share. */
export function bytesOf(index: number, count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, at) => (at * 31 + index * 7 + (at >> 8)) & 255);
}

/** Expects a typed rejection with a text in it, within a time. */
export async function assertStoreError(
  call: () => Promise<unknown>,
  withinMs: number,
  ...texts: readonly string[]
): Promise<ArtifactStoreError> {
  const start = performance.now();
  const error = await assertRejects(call, ArtifactStoreError);
  assertLess(performance.now() - start, withinMs, `it took too long to fail with: ${error.message}`);
  assertEquals(error.code, "ERR_ARTIFACT_STORE");
  for (const text of texts) assertStringIncludes(error.message, text);
  return error;
}

/** Expects that neither an error nor what caused it tells a secret. */
export function assertSecret(error: unknown, secret: string): void {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    assert(!Deno.inspect(at, { showHidden: true, depth: 6 }).includes(secret), `an error tells the password: ${at}`);
  }
}

/** The entries of a backend by their keys, each of which may be listed once. */
export async function entriesOf(backend: ArtifactBackend): Promise<Map<string, BackendEntry>> {
  const entries = new Map<string, BackendEntry>();
  for await (const entry of backend.list()) {
    assert(!entries.has(entry.key), `${entry.key} is listed twice`);
    entries.set(entry.key, entry);
  }
  return entries;
}
