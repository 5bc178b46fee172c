/**
 * Assembles WebAssembly text with wabt (npm).
 *
 * @module
 */
import wabt from "wabt";

/** Assembles a module's text into its binary. */
export async function assembleIntrinsics(source: string): Promise<Uint8Array<ArrayBuffer>> {
  const assembler = await wabt();
  // A variable, since wabt's types do not know of several memories yet.
  const features = {
    threads: true,
    bulk_memory: true,
    sat_float_to_int: true,
    memory64: true,
    multi_memory: true,
  };
  const module = assembler.parseWat("module.wat", source, features);
  try {
    return new Uint8Array(module.toBinary({ write_debug_names: false }).buffer);
  } finally {
    module.destroy();
  }
}
