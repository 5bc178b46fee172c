/**
 * Assembles WebAssembly text with wabt (npm).
 *
 * @module
 */
import wabt from "wabt";

/** Assembles a module's text into its binary. */
export async function assembleIntrinsics(source: string): Promise<Uint8Array<ArrayBuffer>> {
  const assembler = await wabt();
  const module = assembler.parseWat("intrinsics.wat", source, {
    threads: true,
    bulk_memory: true,
    sat_float_to_int: true,
    memory64: true,
  });
  try {
    return new Uint8Array(module.toBinary({ write_debug_names: false }).buffer);
  } finally {
    module.destroy();
  }
}
