/**
 * Digests in a thread that has neither `node:crypto` nor, if it is told so, Web Crypto: what a browser has.
 *
 * @module
 */

/** What this thread is asked for. */
export interface DigestJob {
  readonly subtle: boolean;
  readonly key: Uint8Array;
  readonly partLists: readonly (readonly Uint8Array[])[];
}

/** What it answers for each list of parts: digest and code, from the waiting functions and from the others. */
export type DigestAnswer = readonly (readonly Uint8Array[])[];

const scope = globalThis as unknown as {
  process?: { getBuiltinModule?: unknown };
  onmessage: ((event: MessageEvent<DigestJob>) => void) | null;
  postMessage(answer: DigestAnswer): void;
};

scope.onmessage = async ({ data: { subtle, key, partLists } }) => {
  delete scope.process;
  if (!subtle) Object.defineProperty(globalThis, "crypto", { value: undefined });
  if (scope.process !== undefined) throw new Error("this thread still has a process");
  const { hmacSha256, hmacSha256Async, sha256, sha256Async } = await import("../../../src/artifact/digest.ts");
  scope.postMessage(
    await Promise.all(partLists.map(async (parts) => [
      sha256(...parts),
      hmacSha256(key, ...parts),
      await sha256Async(...parts),
      await hmacSha256Async(key, ...parts),
    ])),
  );
};
