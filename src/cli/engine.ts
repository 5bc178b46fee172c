/**
 * The engine that a command works for: of a configuration file, or this host.
 *
 * @module
 */
import type { Engine } from "../../artifact.ts";
import { ArtifactError, ConfigError } from "../artifact/errors.ts";
import { UsageError } from "./errors.ts";
import { readNamedFile } from "./host.ts";

/**
 * Makes the engine of a configuration file: JSON of an `EngineConfig`. Without one it is the host that runs the command,
 * with all defaults.
 *
 * @throws (rejects) {UsageError} naming the file, and the setting in it that makes no sense; {CompilerUnavailableError}.
 */
export async function createEngine(configFile: string | undefined): Promise<Engine> {
  // Loaded when it is needed: it is most of the program, and help and version go without it.
  const { Engine, parseConfig } = await import("../../artifact.ts");
  return await blaming(configFile, async () => {
    if (configFile === undefined) return await Engine.create();
    const text = new TextDecoder().decode(await readNamedFile(configFile));
    return await Engine.create(parseConfig(text));
  });
}

/**
 * Does something with a configuration. Some of it is judged only when it is used: errors name the file all the same.
 *
 * @throws (rejects) {UsageError} for an error in the configuration; otherwise what the work throws.
 */
export async function blaming<T>(configFile: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ArtifactError) || error.code !== "ERR_ARTIFACT_CONFIG") throw error;
    throw new UsageError(configFile === undefined ? error.message : `${configFile}: ${error.message}`, {
      code: error.code,
      cause: error,
      ...(configFile === undefined ? {} : { file: configFile }),
      ...(error instanceof ConfigError ? { setting: error.setting } : {}),
    });
  }
}
