/**
 * Binaryen as a compiler: makes of a module another one, with what the target lacks taken out, with what the tunables ask
 * for put in, and optimized.
 *
 * The order: what is put in and reports or checks what the module does (accesses, ways, conversions that trap) comes
 * before the optimization, which otherwise would have removed some of it. Asyncify comes after it, since it has to rewrite
 * what can be paused and is the cheaper the less that is, and the optimization once more after that, for what Asyncify
 * leaves behind; so does Emscripten. The removal of NaNs is last: under `fastMath` the optimizer may take its comparisons
 * away.
 *
 * The result is the same each time, byte for byte, with one exception: the tunables that report number the places they
 * report with counters of Binaryen's that go on from module to module.
 *
 * @module
 */
import { CompileError, ConfigError, UnsupportedFeatureError } from "../errors.ts";
import type { FeatureName } from "../features.ts";
import { type CompilerSettings, describeValue, type Tunables } from "../settings.ts";
import type { CompileProgress, ResolvedConfig } from "../types.ts";
import { type ModuleScan, scanModule } from "../wasm/scan.ts";
import {
  type Binaryen,
  BINARYEN_VERSION,
  type BinaryenInstance,
  type BinaryenModule,
  loadBinaryen,
} from "./binaryen_instance.ts";
import type { Compiled, CompileOptions, Compiler } from "./compiler.ts";
import {
  compareSignatures,
  guardMemories,
  type LoweringPlan,
  planLowering,
  replaceInstructions,
  usedFeatures,
} from "./lowering.ts";

export { BINARYEN_VERSION } from "./binaryen_instance.ts";

/**
 * Binaryen, from npm. What it makes runs wherever the target's features are there.
 *
 * Its version is that which this library pins, and is told without loading it: whether it is there shows when it compiles.
 */
export const BINARYEN: Compiler = {
  name: "binaryen",
  version: () => Promise.resolve(BINARYEN_VERSION),
  compile: async (wasm, config, options = {}) => {
    options.signal?.throwIfAborted();
    // A copy: the caller's bytes may change, or be shared, while this waits.
    const job = new Job(new Uint8Array(wasm), config, options);
    return await job.run();
  },
};

/** Instrumentation before the optimization, in this order: reports of what the module does come before checks of it. */
const BEFORE: readonly (readonly [isOn: (tunables: Tunables) => boolean, pass: string])[] = [
  [(tunables) => tunables.instrumentLocals, "instrument-locals"],
  [(tunables) => tunables.instrumentMemory, "instrument-memory"],
  [(tunables) => tunables.logExecution, "log-execution"],
  [(tunables) => tunables.trapMode === "clamp", "trap-mode-clamp"],
  [(tunables) => tunables.trapMode === "js", "trap-mode-js"],
  [(tunables) => tunables.safeHeap, "safe-heap"],
  [(tunables) => tunables.stackCheck, "stack-check"],
];

/** Settings for what is no optimization. */
const PLAIN: CompilerSettings = {
  optimizeLevel: 0,
  shrinkLevel: 0,
  passes: [],
  debugInfo: true,
  fastMath: false,
  trapsNeverHappen: false,
  closedWorld: false,
  lowMemoryUnused: false,
  zeroFilledMemory: false,
  signatureLowering: false,
};

/** A module on which any pass can be tried: passes assume that there is a memory, or a function. */
const TRIAL_MODULE = '(module (memory 1) (func (export "f")))';

/** A step of a compilation. */
interface Step {
  readonly phase: CompileProgress["phase"];
  readonly run: () => void;
}

/** The compilation of one module. */
class Job {
  readonly #config: ResolvedConfig;
  readonly #options: CompileOptions;
  readonly #input: ModuleScan;
  readonly #plan: LoweringPlan;
  /** The binary, as far as lowering on binaries has come. */
  #bytes: Uint8Array;
  #instance!: BinaryenInstance;
  #module: BinaryenModule | undefined;
  #signatureLowered: readonly FeatureName[] = [];
  /** The features of the binary that is read last: those of the module, without those lowered already. */
  #used: readonly FeatureName[];

  constructor(bytes: Uint8Array, config: ResolvedConfig, options: CompileOptions) {
    this.#bytes = bytes;
    this.#config = config;
    this.#options = options;
    this.#input = scanModule(bytes);
    this.#plan = planLowering(this.#input, config);
    this.#used = this.#plan.used;
    // Refuses what cannot be lowered while nothing is compiled yet; the results are made again where they are needed.
    if (this.#plan.memories.length > 0) guardMemories(bytes, this.#plan.memories);
    if (this.#plan.instructions.length > 0) replaceInstructions(bytes, this.#plan.instructions);
  }

  async run(): Promise<Compiled> {
    this.#instance = await loadBinaryen();
    this.#options.signal?.throwIfAborted();
    this.#assertPasses();
    let result: Compiled | undefined;
    const steps: Step[] = [...this.#steps(), { phase: "emit", run: () => result = this.#emit() }];
    try {
      for (const [done, step] of steps.entries()) {
        this.#options.onProgress?.({ phase: step.phase, done, total: steps.length });
        await breathe();
        this.#options.signal?.throwIfAborted();
        step.run();
      }
    } finally {
      this.#dispose();
    }
    return result!;
  }

  *#steps(): Iterable<Step> {
    const { tunables } = this.#config;
    const { settings } = this.#config.compiler;
    yield { phase: "parse", run: () => this.#read("the module is not valid") };
    if (this.#plan.memories.length > 0) yield { phase: "lower", run: () => this.#lowerMemories() };
    if (this.#plan.memories.length > 0 || this.#plan.instructions.length > 0) {
      yield { phase: "lower", run: () => this.#replaceInstructions() };
    }
    yield { phase: "lower", run: () => this.#lower() };
    const optimizes = settings.optimizeLevel > 0 || settings.shrinkLevel > 0;
    if (BEFORE.some(([isOn]) => isOn(tunables))) yield { phase: "lower", run: () => this.#instrument() };
    if (optimizes) yield { phase: "optimize", run: () => this.#optimize() };
    if (tunables.asyncify) {
      yield { phase: "optimize", run: () => this.#pass("asyncify") };
      if (optimizes) yield { phase: "optimize", run: () => this.#optimize() };
    }
    if (tunables.denan) yield { phase: "optimize", run: () => this.#pass("denan") };
    for (const pass of settings.passes) yield { phase: "optimize", run: () => this.#pass(pass) };
  }

  #call<T>(action: string, work: (binaryen: Binaryen) => T, settings: CompilerSettings = PLAIN): T {
    return this.#instance.call(action, settings, work);
  }

  /** Refuses names of passes that Binaryen does not know: it looks them up only when they are to run. */
  #assertPasses(): void {
    for (const pass of new Set(this.#config.compiler.settings.passes)) {
      try {
        this.#call(`run the pass '${pass}'`, (binaryen) => {
          const module = binaryen.parseText(TRIAL_MODULE);
          try {
            module.runPasses([pass]);
          } finally {
            module.dispose();
          }
        });
      } catch (error) {
        // Other failures are of this module, or because the pass needs arguments: they show again when it runs.
        if (!(error instanceof CompileError) || !error.message.includes("Could not find pass")) continue;
        throw new ConfigError(
          "compiler.settings.passes",
          `Binaryen ${BINARYEN_VERSION} has no pass named ${
            describeValue(pass)
          }: 'wasm-opt --help' lists those there are`,
        );
      }
    }
  }

  /** Reads the binary and validates it: Binaryen's passes rely on that. */
  #read(invalid = "lowering made a module that is not valid"): void {
    this.#dispose();
    const flags = this.#instance.flags([...this.#used, ...this.#config.features], this.#used);
    this.#module = this.#call("read the module", (binaryen) => binaryen.readBinary(this.#bytes, flags));
    this.#module.setFeatures(flags);
    this.#validate(invalid);
  }

  #validate(message: string): void {
    this.#call("validate the module", () => {
      if (this.#module!.validate() !== 1) throw new CompileError(message);
    });
  }

  /** Lowers memories on a module of their own, so that what else is lowered applies to what comes of it. */
  #lowerMemories(): void {
    const { memories } = this.#plan;
    this.#bytes = guardMemories(this.#bytes, memories);
    this.#used = usedFeatures(scanModule(this.#bytes), this.#config.features);
    this.#read();
    for (const pass of ["memory64-lowering", "multi-memory-lowering"]) {
      if (!memories.some((name) => pass.startsWith(name))) continue;
      this.#call(`lower ${pass.replace("-lowering", "")}`, () => this.#module!.runPasses([pass]));
    }
    this.#bytes = this.#call("write the lowered module", () => this.#module!.emitBinary(), {
      ...PLAIN,
      debugInfo: true,
    });
    const scan = scanModule(this.#bytes);
    const change = compareSignatures(this.#input, scan, memories);
    if (change.unexplained.length > 0) {
      throw new CompileError(`Lowering ${memories.join(" and ")} changed the module: ${change.unexplained.join("; ")}`);
    }
    this.#signatureLowered = change.features;
    this.#used = usedFeatures(scan, this.#config.features);
  }

  /** Joining memories brings copies of memory with it: what the target lacks is looked for again. */
  #replaceInstructions(): void {
    const lowered: FeatureName[] = ["bulk-memory", "saturated-float-to-int"];
    const missing = lowered.filter((name) => this.#used.includes(name) && !this.#config.features.includes(name));
    this.#bytes = replaceInstructions(this.#bytes, missing);
    this.#read();
  }

  /** Runs the passes that lower, and leaves to the optimizer no more features than the target has. */
  #lower(): void {
    const { passes } = this.#plan;
    if (passes.length > 0) this.#call("lower features", () => this.#module!.runPasses(passes));
    this.#module!.setFeatures(this.#instance.flags(this.#config.features, this.#used));
  }

  #instrument(): void {
    const { tunables } = this.#config;
    const module = this.#module!;
    for (const [isOn, pass] of BEFORE) {
      // Without a memory there is nothing to check, and Binaryen aborts.
      if (!isOn(tunables) || (pass === "safe-heap" && !module.hasMemory())) continue;
      this.#pass(pass);
      if (pass !== "stack-check" || module.getExport("__set_stack_limits") !== 0) continue;
      throw new CompileError(
        "tunables.stackCheck is on, and the module has no stack pointer to check: it is looked for as an import " +
          "'__stack_pointer', or by that name in the name section, which clang writes unless told to strip it",
      );
    }
  }

  #pass(name: string): void {
    const { settings } = this.#config.compiler;
    this.#call(`run the pass '${name}'`, () => this.#module!.runPasses([name]), settings);
  }

  #optimize(): void {
    this.#call("optimize the module", () => this.#module!.optimize(), this.#config.compiler.settings);
  }

  #emit(): Compiled {
    const { features, compiler: { settings } } = this.#config;
    const strip = ["strip-producers", "strip-target-features"];
    if (!settings.debugInfo) strip.push("strip-debug", "strip-dwarf");
    this.#call("strip the module", () => this.#module!.runPasses(strip), settings);
    this.#validate("what became of the module is not valid for the target");
    const bytes = this.#call("write the module", () => this.#module!.emitBinary(), settings);
    const scan = scanModule(bytes);
    const used = usedFeatures(scan, features);
    this.#assertFeatures(used.filter((name) => !features.includes(name)));
    if (settings.passes.length === 0) this.#assertExports(scan);
    return { kind: "module", bytes, features: used, signatureLowered: this.#signatureLowered };
  }

  #assertFeatures(excess: readonly FeatureName[]): void {
    if (excess.length === 0) return;
    const names = excess.map((name) => `'${name}'`).join(", ");
    const left = excess.filter((name) => this.#plan.used.includes(name));
    if (left.length > 0) {
      throw new UnsupportedFeatureError(
        left,
        `the module uses ${names}, which the target lacks, in a way that lowering does not cover: compile for a target ` +
          "that has it, or build the module without it",
      );
    }
    throw new CompileError(
      `Binaryen made a module that uses ${names}, which the target lacks and the module did not use: configure the ` +
        "feature as on if the target has it, or lower compiler.settings.optimizeLevel and leave out tunables and passes",
    );
  }

  /** Optimizing must leave what the host calls as it was. Passes of the user's may do what they like. */
  #assertExports(scan: ModuleScan): void {
    for (const entry of this.#input.exports) {
      if (entry.kind === "memory" || entry.kind === "table") continue;
      const found = scan.exports.find((other) => other.name === entry.name);
      if (found?.kind === entry.kind && found.type === entry.type) continue;
      throw new CompileError(
        `Binaryen changed the export ${JSON.stringify(entry.name)}: it was a ${entry.kind} ${entry.type}, and is ` +
          `${found === undefined ? "gone" : `a ${found.kind} ${found.type}`}`,
      );
    }
  }

  #dispose(): void {
    const module = this.#module;
    this.#module = undefined;
    try {
      module?.dispose();
    } catch {
      // Only an instance that is broken fails to; it has been told of, or will be by the next call.
    }
  }
}

/** Lets others run: a progress bar, or who aborts. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
