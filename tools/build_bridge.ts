/**
 * Assembles src/adapters/emscripten/bridge.wat with wabt and embeds the binaries in
 * src/adapters/emscripten/bridge_binary.ts. With `--check` it only compares and exits with 1 where the embedded binaries
 * do not match their source.
 *
 * @module
 */
import { assembleIntrinsics } from "./assemble_intrinsics.ts";
import { BRIDGE_VARIANTS, bridgeSource } from "./bridge_source.ts";

const TARGET = new URL("../src/adapters/emscripten/bridge_binary.ts", import.meta.url);

const lines = [
  "// Generated from bridge.wat by tools/build_bridge.ts (`deno task build`). Do not edit.",
  "",
  "/** The bridges in base64, by the kinds of the pool and of the program's memory. */",
  "// deno-fmt-ignore",
  "export const BRIDGES: Readonly<Record<string, string>> = {",
];
for (const [name, variant] of Object.entries(BRIDGE_VARIANTS)) {
  const binary = await assembleIntrinsics(await bridgeSource(variant));
  const { pool, heap, shared } = variant;
  lines.push(`  /** A pool with ${pool} addresses, ${shared ? "a shared" : "an unshared"} memory with ${heap}. */`);
  lines.push(`  ${name}:`);
  lines.push(`    "${btoa(String.fromCharCode(...binary))}",`);
}
lines.push("};");
const text = lines.join("\n") + "\n";

if (Deno.args.includes("--check")) {
  const found = await Deno.readTextFile(TARGET).catch(() => "");
  if (found !== text) {
    console.error("src/adapters/emscripten/bridge_binary.ts does not match bridge.wat: run `deno task build`");
    Deno.exit(1);
  }
} else {
  await Deno.writeTextFile(TARGET, text);
}
