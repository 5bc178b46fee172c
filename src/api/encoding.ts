/**
 * Texts of the encodings that Node's calls take, from and to bytes, with what every host has.
 *
 * @module
 */
import { codedError, valueError } from "./errors.ts";

/** Names of encodings, as Node knows them. */
export type Encoding =
  | "utf8"
  | "utf-8"
  | "latin1"
  | "binary"
  | "ascii"
  | "hex"
  | "base64"
  | "base64url"
  | "utf16le"
  | "utf-16le"
  | "ucs2"
  | "ucs-2";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const CHUNK = 8192;

/** Checks an encoding's name; `buffer` and undefined stand for none. */
export function toEncoding(value: string | null | undefined, name = "encoding"): Encoding | undefined {
  if (value === undefined || value === null || value === "buffer" || value === "") return undefined;
  switch (typeof value === "string" ? value.toLowerCase() : value) {
    case "utf8":
    case "utf-8":
      return "utf8";
    case "latin1":
    case "binary":
      return "latin1";
    case "ascii":
      return "ascii";
    case "hex":
      return "hex";
    case "base64":
      return "base64";
    case "base64url":
      return "base64url";
    case "utf16le":
    case "utf-16le":
    case "ucs2":
    case "ucs-2":
      return "utf16le";
    default:
      throw valueError(name, value, "is invalid encoding");
  }
}

/** The encoding of a text to write, by any value: what names none stands for UTF-8. */
export function encodingOf(text: string, value: unknown): Encoding {
  switch (typeof value === "string" ? value.toLowerCase() : value) {
    case "latin1":
    case "binary":
    case "ascii":
      return "latin1";
    case "hex":
      if (text.length % 2 !== 0) throw valueError("encoding", value, `is invalid for data of length ${text.length}`);
      return "hex";
    case "base64":
      return "base64";
    case "base64url":
      return "base64url";
    case "utf16le":
    case "utf-16le":
    case "ucs2":
    case "ucs-2":
      return "utf16le";
    default:
      return "utf8";
  }
}

function characters(bytes: Uint8Array, mask: number): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const part = bytes.subarray(at, at + CHUNK);
    text += String.fromCharCode(...(mask === 255 ? part : part.map((byte) => byte & mask)));
  }
  return text;
}

/** Gives a text that a call returns in the encoding that was asked for: UTF-8 unless told, `buffer` for bytes. */
export function inEncoding(text: string, encoding: string | null | undefined): string | Uint8Array<ArrayBuffer> {
  if (encoding === undefined || encoding === null || encoding === "" || encoding === "utf8") return text;
  const known = toEncoding(encoding);
  const bytes = encoder.encode(text);
  return known === undefined ? bytes : decode(bytes, known);
}

/** Decodes private bytes. */
export function decode(bytes: Uint8Array<ArrayBuffer>, encoding: Encoding): string {
  try {
    return decodeAll(bytes, encoding);
  } catch (cause) {
    throw Object.assign(
      codedError("ERR_STRING_TOO_LONG", `Cannot create a string from ${bytes.length} bytes of ${encoding}`),
      { cause },
    );
  }
}

function decodeAll(bytes: Uint8Array<ArrayBuffer>, encoding: Encoding): string {
  switch (encoding) {
    case "latin1":
    case "binary":
      return characters(bytes, 255);
    case "ascii":
      return characters(bytes, 127);
    case "hex":
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    case "base64":
      return btoa(characters(bytes, 255));
    case "base64url":
      return btoa(characters(bytes, 255)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    case "utf16le":
    case "utf-16le":
    case "ucs2":
    case "ucs-2": {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let text = "";
      for (let at = 0; at + 1 < bytes.length; at += 2) text += String.fromCharCode(view.getUint16(at, true));
      return text;
    }
    default:
      return decoder.decode(bytes);
  }
}

/** Encodes a text. */
export function encode(text: string, encoding: Encoding): Uint8Array<ArrayBuffer> {
  switch (encoding) {
    case "latin1":
    case "binary":
    case "ascii":
      return Uint8Array.from(text, (character) => character.charCodeAt(0));
    case "hex": {
      const pairs = /^(?:[0-9a-fA-F]{2})*/.exec(text)![0];
      return Uint8Array.from(pairs.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    }
    case "base64":
    case "base64url": {
      const plain = text.replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+/]/g, "");
      return Uint8Array.from(atob(plain.slice(0, plain.length % 4 === 1 ? -1 : undefined)), (c) => c.charCodeAt(0));
    }
    case "utf16le":
    case "utf-16le":
    case "ucs2":
    case "ucs-2": {
      const bytes = new Uint8Array(text.length * 2);
      const view = new DataView(bytes.buffer);
      for (let at = 0; at < text.length; at++) view.setUint16(at * 2, text.charCodeAt(at), true);
      return bytes;
    }
    default:
      return encoder.encode(text);
  }
}
