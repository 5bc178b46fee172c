/**
 * The checks that every place for artifacts must pass, as tests. `EXTMEMFS_SEED` repeats a run's choices.
 *
 * @module
 */
import type { ArtifactBackend } from "../../src/artifact/store/backend.ts";
import type { BackendTraits } from "./backend_check.ts";
import { BACKEND_CHECKS, runBackendCheck } from "./backend_checks.ts";

/** A backend that was opened for one check. */
export interface OpenedBackend {
  /** The backend. */
  readonly backend: ArtifactBackend;
  /** Opens a second connection to the same place; checks close it. */
  readonly another?: () => Promise<ArtifactBackend>;
  /** Closes the backend, which a check may have done already, and clears up. */
  close(): Promise<void>;
}

/**
 * Declares a test with one step for each check.
 *
 * @param name of the backend, for the test
 * @param open opens the backend; called once for each check, and may give the same place every time
 * @param traits what differs between backends
 */
export function backendConformance(name: string, open: () => Promise<OpenedBackend>, traits: BackendTraits = {}): void {
  const seed = Number(Deno.env.get("EXTMEMFS_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  Deno.test(`${name} conforms to what stores ask of a backend`, async (t) => {
    for (const [index, check] of BACKEND_CHECKS.entries()) {
      await t.step(check.name, async () => {
        const { backend, another, close } = await open();
        try {
          await runBackendCheck(check, backend, another, traits, seed + index);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          throw new Error(`${name}: ${message} (EXTMEMFS_SEED=${seed})`, { cause: error });
        } finally {
          await close();
        }
      });
    }
  });
}
