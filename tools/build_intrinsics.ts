/**
 * Assembles src/memory/intrinsics.wat with wabt and embeds the binaries in src/memory/intrinsics_binary.ts.
 * With `--check` it only compares and exits with 1 where the embedded binaries do not match their source.
 *
 * @module
 */
import { intrinsicsSource, type IntrinsicsVariant } from "./intrinsics_source.ts";
import { assembleIntrinsics } from "./assemble_intrinsics.ts";

const TARGET = new URL("../src/memory/intrinsics_binary.ts", import.meta.url);

const VARIANTS: Record<string, IntrinsicsVariant> = {
  INTRINSICS_32: { address: "i32", order: "weak" },
  INTRINSICS_32_TSO: { address: "i32", order: "tso" },
  INTRINSICS_64: { address: "i64", order: "weak" },
  INTRINSICS_64_TSO: { address: "i64", order: "tso" },
};

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

const lines = [
  "// Generated from intrinsics.wat by tools/build_intrinsics.ts (`deno task build`). Do not edit.",
  "",
];
for (const [name, variant] of Object.entries(VARIANTS)) {
  const binary = await assembleIntrinsics(await intrinsicsSource(variant));
  const order = variant.order === "tso" ? "processors with total store order" : "any processor";
  lines.push(`/** The intrinsics for memories with ${variant.address} addresses on ${order}, in base64. */`);
  lines.push("// deno-fmt-ignore");
  lines.push(`export const ${name}: string =`);
  lines.push(`  "${base64(binary)}";`);
}
const text = lines.join("\n") + "\n";

if (Deno.args.includes("--check")) {
  const found = await Deno.readTextFile(TARGET).catch(() => "");
  if (found !== text) {
    console.error("src/memory/intrinsics_binary.ts does not match intrinsics.wat: run `deno task build`");
    Deno.exit(1);
  }
} else {
  await Deno.writeTextFile(TARGET, text);
}
