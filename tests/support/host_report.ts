/**
 * What a realm reports of its host. Bundled for all hosts by `support/hosts.ts`; uses nothing that only one of them has.
 *
 * @module
 */
import { detectFeatures, detectTarget } from "../../src/artifact/host.ts";
import type { FeatureName } from "../../src/artifact/features.ts";
import type { Target } from "../../src/artifact/types.ts";

/** What one thread found. */
export interface RealmReport {
  /** What `detectTarget()` gave. */
  readonly target: Target;
  /** What `detectFeatures()` gave. */
  readonly features: readonly FeatureName[];
  /** The modules of {@linkcode reportRealm} that can be instantiated, by name. */
  readonly loadable: readonly string[];
  /** Whether second calls gave equal answers that are the caller's own. */
  readonly repeats: boolean;
}

/** What a host's main thread and a worker of it found. */
export interface HostReport {
  readonly main: RealmReport;
  readonly worker: RealmReport;
}

/** What a page in a browser found. */
export interface PageReport extends HostReport {
  /** Whether the page is isolated from other origins. */
  readonly isolated: boolean;
  /** Whether it is in a secure context: there are client hints in no other. */
  readonly secure: boolean;
}

/**
 * Asks this realm's host.
 *
 * @param modules WebAssembly binaries by name, as lists of their bytes.
 */
export async function reportRealm(modules: Readonly<Record<string, readonly number[]>>): Promise<RealmReport> {
  const target = await detectTarget();
  const features = await detectFeatures();
  const again = [await detectTarget(), await detectFeatures()];
  return {
    target,
    features,
    loadable: await loadable(modules),
    repeats: JSON.stringify(again) === JSON.stringify([target, features]) && again[0] !== target &&
      again[1] !== features,
  };
}

/** The names of the modules that this host can instantiate. */
async function loadable(modules: Readonly<Record<string, readonly number[]>>): Promise<string[]> {
  const names: string[] = [];
  for (const [name, bytes] of Object.entries(modules)) {
    try {
      const imports = { a: { b: new WebAssembly.Global({ value: "i32", mutable: true }, 0) } };
      await WebAssembly.instantiate(Uint8Array.from(bytes), imports);
      names.push(name);
    } catch {
      // Why it cannot be is of no interest: what is detected must agree.
    }
  }
  return names;
}
