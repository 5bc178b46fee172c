/**
 * The checks of every backend on a folder, as a program for hosts other than Deno:
 *
 *     node <bundle of this> <folder> <seed>
 *
 * @module
 */
import process from "node:process";
import { DirectoryBackend } from "../../../../src/artifact/store/directory_backend.ts";
import { BACKEND_CHECKS, runBackendCheck } from "../../../support/backend_checks.ts";

const [folder, seed] = process.argv.slice(2);
const open = () => DirectoryBackend.open(folder!, { touchIntervalMs: 1000 });
for (const [index, check] of BACKEND_CHECKS.entries()) {
  try {
    await runBackendCheck(check, await open(), open, { touchIntervalMs: 1000 }, Number(seed) + index);
  } catch (error) {
    console.error(`${check.name}: ${error}`);
    process.exit(1);
  }
}
console.log(`${BACKEND_CHECKS.length} checks passed`);
