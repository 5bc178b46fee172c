/**
 * What agents of the stress tests of stores do, be they workers or processes: ask for modules and look at what they are
 * given; damage what is stored.
 *
 * @module
 */
import type { FileSystem } from "../../mod.ts";
import type { Engine } from "../../src/artifact/engine.ts";
import type { ArtifactStore } from "../../src/artifact/store/store.ts";
import type { StoreCounters } from "../../src/artifact/store/store_types.ts";
import { engineOf, moduleOf, type Variant, VARIANTS, wrongWith } from "../unit/artifact/store/modules.ts";
import type { Random } from "../support/stress.ts";

/** A module and a configuration to ask for. */
export interface Pair {
  /** The module's number. */
  readonly id: number;
  /** The configuration. */
  readonly variant: Variant;
}

/** What an agent has seen. */
export interface ArtifactReport {
  /** How often it was given a module. */
  readonly answers: number;
  /** Modules that were not what was asked for, and errors. */
  readonly wrong: readonly string[];
  /** What `onError` was told, without repetitions. */
  readonly told: readonly string[];
  /** What the store has counted. */
  readonly counters: Readonly<StoreCounters>;
  /** How often it has damaged something. */
  readonly damages: number;
}

/** So many modules in every configuration. */
export function allPairs(modules: number): Pair[] {
  return VARIANTS.flatMap((variant) => Array.from({ length: modules }, (_, index) => ({ id: index + 1, variant })));
}

/** Asks a store for modules, and keeps what came of it. */
export class Customer {
  readonly store: ArtifactStore;
  readonly #random: Random;
  readonly #dataBytes: number;
  readonly #engines = new Map<Variant, Engine>(VARIANTS.map((variant) => [variant, engineOf(variant)]));
  readonly #told: Set<string>;
  readonly #wrong: string[] = [];
  #answers = 0;
  #damages = 0;

  /**
   * @param told what the store's `onError` has been told
   * @param dataBytes of each module
   */
  constructor(store: ArtifactStore, random: Random, told: Set<string>, dataBytes = 0) {
    this.store = store;
    this.#random = random;
    this.#told = told;
    this.#dataBytes = dataBytes;
  }

  /** Loads the compiler, so that it is there when the others begin. */
  async warmUp(): Promise<void> {
    await this.#engines.get(VARIANTS[0]!)!.precompileModule(moduleOf(0));
  }

  /** The key of a pair. */
  keyOf({ id, variant }: Pair): string {
    return this.store.key(moduleOf(id, this.#dataBytes), this.#engines.get(variant)!);
  }

  /** Asks for a pair, in one of the ways that there are. */
  async ask(pair: Pair): Promise<void> {
    const { id, variant } = pair;
    const engine = this.#engines.get(variant)!;
    const wasm = moduleOf(id, this.#dataBytes);
    try {
      let module: WebAssembly.Module | undefined;
      switch (this.#random.below(4)) {
        case 0: {
          const bytes = await this.store.getOrCompileArtifact(wasm, engine);
          module = new WebAssembly.Module(bytes);
          break;
        }
        case 1:
          module = await this.store.getOrCompile(() => wasm, engine, { key: this.store.key(wasm, engine) });
          break;
        default:
          module = await this.store.getOrCompile(wasm, engine);
      }
      this.#answers++;
      const wrong = wrongWith(module, id, variant);
      if (wrong !== undefined) this.#wrong.push(wrong);
    } catch (error) {
      this.#wrong.push(`${id} with ${variant.name}: ${(error as Error)?.stack ?? error}`);
    }
  }

  /** Asks for all pairs in an order of its own, one or several at a time. */
  async askAll(pairs: readonly Pair[]): Promise<void> {
    const left = [...pairs];
    const tasks = 1 + this.#random.below(3);
    await Promise.all(Array.from({ length: tasks }, async () => {
      while (left.length > 0) await this.ask(left.splice(this.#random.below(left.length), 1)[0]!);
    }));
  }

  /** Asks for any of some pairs until a moment, of `performance.now()`. */
  async askUntil(pairs: readonly Pair[], endMs: number, between?: () => Promise<void>): Promise<void> {
    while (performance.now() < endMs && this.#wrong.length === 0) {
      await this.ask(this.#random.of(pairs));
      await between?.();
    }
  }

  /** Damages entries until a moment. */
  async damageUntil(damage: (random: Random) => boolean | Promise<boolean>, endMs: number): Promise<void> {
    while (performance.now() < endMs) {
      if (await damage(this.#random)) this.#damages++;
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(3)));
    }
  }

  /** What has come of it. */
  report(): ArtifactReport {
    return {
      answers: this.#answers,
      wrong: this.#wrong,
      told: [...this.#told],
      counters: this.store.counters,
      damages: this.#damages,
    };
  }
}

/** What to do to the bytes of an entry, such that what is there afterwards is not what was sealed. */
export function damaged(random: Random, bytes: Uint8Array, foreign: Uint8Array): Uint8Array {
  switch (random.below(6)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length));
    case 1:
      return foreign;
    case 2:
      return new Uint8Array([...bytes, random.below(256)]);
    case 3:
      return moduleOf(77);
    case 4:
      return new Uint8Array([...bytes.subarray(0, bytes.length >> 1), ...foreign.subarray(foreign.length >> 1)]);
    default: {
      const changed = bytes.slice();
      changed[random.below(changed.length)]! ^= 1 << random.below(8);
      return changed;
    }
  }
}

/** Damages an entry of a pool: in place, by its name, or with a file that takes its place. False where there is none. */
export function damageInPool(fs: FileSystem, random: Random): boolean {
  const names = fs.readdirSync("/artifacts").filter((name) => name.length === 43);
  if (names.length < 2) return false;
  const [path, other] = [random.of(names), random.of(names)].map((name) => `/artifacts/${name}`) as [string, string];
  if (path === other) return false;
  try {
    const bytes = new Uint8Array(fs.readFileSync(path));
    const foreign = new Uint8Array(fs.readFileSync(other));
    if (bytes.length === 0) return false;
    switch (random.below(5)) {
      case 0: {
        // A few bytes in the middle, while others read; every now and then they are put right again.
        const fd = fs.openSync(path, "r+");
        const at = random.below(bytes.length);
        fs.writeSync(fd, Uint8Array.of(bytes[at]! ^ 0xff), 0, 1, at);
        if (random.oneIn(3)) fs.writeSync(fd, bytes, at, 1, at);
        fs.closeSync(fd);
        break;
      }
      case 1:
        fs.truncateSync(path, random.below(bytes.length));
        break;
      case 2:
        // With its mark, where it has one.
        fs.renameSync(other, path);
        break;
      case 3:
        fs.writeFileSync("/hostile", damaged(random, bytes, foreign));
        fs.renameSync("/hostile", path);
        break;
      default:
        fs.writeFileSync(path, damaged(random, bytes, foreign));
    }
    return true;
  } catch (error) {
    // Others have removed it meanwhile.
    if ((error as { code?: string }).code === "ENOENT") return false;
    throw error;
  }
}
