/**
 * A worker of the page of `artifact_test.ts`: does what it is told.
 *
 * @module
 */
import { realm } from "./artifact_realm.ts";

/** A call of one of the realm's functions. */
export interface Call {
  readonly method: keyof typeof realm;
  readonly args: readonly unknown[];
}

globalThis.addEventListener("message", async (event) => {
  const { data: { method, args }, ports: [port] } = event as MessageEvent<Call>;
  try {
    port!.postMessage({ value: await (realm[method] as (...args: unknown[]) => unknown)(...args) });
  } catch (error) {
    port!.postMessage({ failure: (error as Error).stack ?? String(error) });
  }
});
