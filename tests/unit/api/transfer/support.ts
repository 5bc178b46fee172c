/**
 * What the transfer tests share: a filesystem to import into, host directories, and a tar writer that can also write
 * archives no real one would.
 *
 * @module
 */

import { FileSystem } from "../../../../mod.ts";
import { assertEquals } from "../../../support/assert.ts";
import type { TransferFileSystem } from "../../../../src/api/transfer/types.ts";

/** A fresh filesystem, which is checked at the end. */
export function openFileSystem(): FileSystem {
  const fs = FileSystem.create({ maximumBytes: 64 * 2 ** 20 });
  return Object.assign(fs, {
    [Symbol.dispose]() {
      assertEquals(fs.check(), []);
      assertEquals(fs.stats().opens, 0);
      fs.detach();
    },
  });
}

/** The same filesystem with some methods of its own. */
export function overriding(fs: TransferFileSystem, overrides: Partial<TransferFileSystem>): TransferFileSystem {
  return new Proxy(fs, {
    get(target, key) {
      const method = Reflect.get(overrides, key) ?? Reflect.get(target, key, target);
      return typeof method === "function" ? method.bind(target) : method;
    },
  });
}

/** Writes a whole file. */
export function writeFile(fs: TransferFileSystem, path: string, contents: string | Uint8Array): void {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const fd = fs.openSync(path, "w");
  for (let offset = 0; offset < bytes.length;) {
    offset += fs.writeSync(fd, bytes, offset, bytes.length - offset, null);
  }
  fs.closeSync(fd);
}

/** Reads a whole file. */
export function readFile(fs: TransferFileSystem, path: string): Uint8Array {
  const fd = fs.openSync(path, "r");
  const bytes = new Uint8Array(fs.fstatSync(fd).size);
  for (let offset = 0; offset < bytes.length;) {
    const count = fs.readSync(fd, bytes, offset, bytes.length - offset, null);
    if (count === 0) throw new Error(`'${path}' is shorter than its size`);
    offset += count;
  }
  fs.closeSync(fd);
  return bytes;
}

/** Reads a whole file as text. */
export function readText(fs: TransferFileSystem, path: string): string {
  return new TextDecoder().decode(readFile(fs, path));
}

/** A temporary directory of the host that goes away with the test. */
export function temporaryDirectory(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "extmemfs_transfer_" });
  return {
    path,
    [Symbol.dispose]() {
      Deno.removeSync(path, { recursive: true });
    },
  };
}

/** Every entry under a directory of the host, in one comparable line each. */
export function describeTree(root: string, fs: TransferFileSystem): string[] {
  const lines: string[] = [];
  const walk = (path: string) => {
    for (const name of fs.readdirSync(`${root}${path}` || "/")) {
      const entry = `${path}/${name}`;
      const stats = fs.lstatSync(`${root}${entry}`)!;
      const mode = (stats.mode & 0o7777).toString(8);
      const mtime = Math.round(stats.mtimeMs);
      if (stats.isSymbolicLink()) lines.push(`${entry} -> ${fs.readlinkSync(`${root}${entry}`)}`);
      else if (stats.isDirectory()) {
        lines.push(`${entry}/ ${mode} ${mtime}`);
        walk(entry);
      } else {
        const bytes = readFile(fs, `${root}${entry}`);
        lines.push(`${entry} ${mode} ${mtime} links=${stats.nlink} ${bytes.length} ${checksum(bytes)}`);
      }
    }
  };
  walk("");
  return lines.sort();
}

function checksum(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16);
}

/** An entry for {@linkcode makeTar}; fields left out get ordinary values. */
export interface TarMember {
  name: string;
  type?: string;
  contents?: string | Uint8Array;
  link?: string;
  mode?: number;
  mtime?: number;
  /** The size the header claims, where it is not the contents'. */
  size?: number;
  /** Writes the size as GNU's binary number. */
  binarySize?: boolean;
  /** Splits this off into ustar's prefix field. */
  prefix?: string;
  magic?: string;
}

/** Writes a tar archive. */
export function makeTar(members: readonly TarMember[], options: { end?: boolean } = {}): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const member of members) {
    const contents = typeof member.contents === "string"
      ? new TextEncoder().encode(member.contents)
      : member.contents ?? new Uint8Array(0);
    parts.push(tarHeader(member, member.size ?? contents.length), contents);
    parts.push(new Uint8Array(-contents.length & 511));
  }
  if (options.end ?? true) parts.push(new Uint8Array(1024));
  return concatenate(parts);
}

/** One pax record, with the length that counts itself. */
export function paxRecord(keyword: string, value: string): string {
  const rest = new TextEncoder().encode(` ${keyword}=${value}\n`).length;
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${keyword}=${value}\n`;
}

/** A stream of bytes in chunks of a given size. */
export function streamOf(bytes: Uint8Array, chunkBytes = 65536): ReadableStream<Uint8Array<ArrayBuffer>> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + chunkBytes) as Uint8Array<ArrayBuffer>);
      offset += chunkBytes;
    },
  });
}

function tarHeader(member: TarMember, size: number): Uint8Array {
  const block = new Uint8Array(512);
  const put = (offset: number, value: string) => block.set(new TextEncoder().encode(value), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, member.name);
  put(100, octal(member.mode ?? 0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  if (member.binarySize) {
    block[124] = 0x80;
    for (let index = 11, rest = size; index > 0; index--, rest = Math.floor(rest / 256)) {
      block[124 + index] = rest % 256;
    }
  } else put(124, octal(size, 11));
  put(136, octal(member.mtime ?? 1_600_000_000, 11));
  put(148, "        ");
  put(156, member.type ?? "0");
  put(157, member.link ?? "");
  put(257, member.magic ?? "ustar\0" + "00");
  put(345, member.prefix ?? "");
  put(148, octal(block.reduce((sum, byte) => sum + byte, 0), 6) + "\0 ");
  return block;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
