/**
 * Names and paths between JavaScript's strings and UTF-8 bytes.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Encodes a text; a lone surrogate becomes U+FFFD. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Decodes a name. Takes private memory only: browsers refuse to decode shared memory. */
export function decodeName(bytes: Uint8Array<ArrayBuffer>): string {
  return decoder.decode(bytes);
}
