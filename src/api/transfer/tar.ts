/**
 * Reads a tar archive entry by entry: ustar, GNU long names and pax, plain or gzip.
 *
 * The archive is not trusted: checksums are verified, a name that is absolute or climbs with `..` is refused, and so is
 * an archive that ends before its end marker. Imports `byte_source.ts`, `tar_header.ts` and `errors.ts`.
 *
 * @module
 */

import { ByteSource } from "./byte_source.ts";
import { TarError } from "./errors.ts";
import { isZeroBlock, parsePaxRecords, parseTarHeader, TAR_BLOCK_BYTES, type TarHeader, text } from "./tar_header.ts";

/** An entry of the archive. */
export interface TarEntry {
  readonly kind: "file" | "directory" | "symlink" | "hardLink";
  /** Relative, normalised; empty for the root. */
  readonly path: string;
  /** What a link names: any text for a symbolic link, a path like `path` for a hard link. */
  readonly linkTarget: string;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly size: number;
}

/** The longest pax header or GNU long name that is read into memory. */
const LONGEST_EXTENSION_BYTES = 1 << 20;
const GZIP_MAGIC = [0x1f, 0x8b];
const OTHER_COMPRESSIONS: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** Reads one archive. */
export class TarReader {
  readonly #source: ByteSource;
  readonly #globals = new Map<string, string>();
  #unreadBytes = 0;
  #paddingBytes = 0;

  private constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * Opens an archive.
   *
   * @param stream The archive; gzip is recognised by its first bytes.
   * @returns The reader, before the first entry.
   * @throws {TarError} If the stream is empty or compressed in a way that is not supported.
   */
  static async open(stream: ReadableStream<Uint8Array>): Promise<TarReader> {
    const source = new ByteSource(stream);
    try {
      const start = await source.upTo(8);
      if (start.length === 0) throw new TarError("Cannot read the tar archive: the stream is empty");
      const beginsWith = (magic: readonly number[]) => magic.every((byte, index) => start[index] === byte);
      for (const [name, magic] of OTHER_COMPRESSIONS) {
        if (beginsWith(magic)) {
          throw new TarError(`Cannot read the tar archive: it is compressed with ${name}, only gzip is supported`);
        }
      }
      const whole = resume(start, source);
      return new TarReader(new ByteSource(beginsWith(GZIP_MAGIC) ? gunzip(whole) : whole));
    } catch (error) {
      await source.cancel(error).catch(() => {});
      throw error;
    }
  }

  /**
   * Goes on to the next entry, past what was not read of the one before.
   *
   * @returns The entry; `undefined` at the end of the archive.
   * @throws {TarError} If the archive is damaged, cut short, or holds what cannot be imported.
   */
  async next(): Promise<TarEntry | undefined> {
    while (await this.read() !== undefined) { /* past the rest of the last entry's contents */ }
    await this.#skip(this.#paddingBytes);
    this.#paddingBytes = 0;
    let longName: string | undefined;
    let longLink: string | undefined;
    let records = new Map<string, string>();
    for (;;) {
      const position = this.#source.position;
      const block = await this.#block();
      if (isZeroBlock(block)) {
        await this.#drain();
        return undefined;
      }
      const header = parseTarHeader(block, position);
      switch (header.type) {
        case "L":
          longName = text(await this.#extension(header), "a GNU long name");
          break;
        case "K":
          longLink = text(await this.#extension(header), "a GNU long link");
          break;
        case "x":
          records = parsePaxRecords(await this.#extension(header));
          break;
        case "g":
          for (const [keyword, value] of parsePaxRecords(await this.#extension(header))) {
            this.#globals.set(keyword, value);
          }
          break;
        case "V":
          break;
        default:
          return this.#entry(header, new Map([...this.#globals, ...records]), longName, longLink);
      }
    }
  }

  /**
   * Reads more of the entry's contents.
   *
   * @returns Some bytes, valid until the next call; `undefined` at the end of the contents.
   * @throws {TarError} If the archive ends before.
   */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#unreadBytes === 0) return undefined;
    const bytes = await this.#source.some(this.#unreadBytes);
    if (bytes === undefined) throw this.#truncated(`${this.#unreadBytes} bytes of contents are missing`);
    this.#unreadBytes -= bytes.length;
    return bytes;
  }

  /** Tells the producer of the stream that no more is wanted. */
  async cancel(reason: unknown): Promise<void> {
    await this.#source.cancel(reason);
  }

  #entry(
    header: TarHeader,
    records: ReadonlyMap<string, string>,
    longName: string | undefined,
    longLink: string | undefined,
  ): TarEntry {
    const name = records.get("path") || longName || header.name;
    const link = records.get("linkpath") || longLink || header.linkName;
    const kind = kindOf(header.type, name, records);
    const size = kind === "file" ? numberOf(records.get("size"), header.size, name) : 0;
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new TarError(`Cannot import the tar archive: the size of '${name}' is ${size}`);
    }
    this.#unreadBytes = size;
    this.#paddingBytes = -size & (TAR_BLOCK_BYTES - 1);
    return {
      kind,
      path: safePath(name, "entry name"),
      linkTarget: kind === "hardLink" ? safePath(link, "link name") : link,
      mode: header.mode,
      // To the microsecond, which a double still holds.
      mtimeMs: Math.round(numberOf(records.get("mtime"), header.mtimeSec, name) * 1e6) / 1e3,
      size,
    };
  }

  /** Reads the contents of an entry that only says something about the next one. */
  async #extension(header: TarHeader): Promise<Uint8Array> {
    if (header.size < 0 || header.size > LONGEST_EXTENSION_BYTES) {
      throw new TarError(`Cannot read the tar archive: an extended header of ${header.size} bytes`);
    }
    const bytes = await this.#source.upTo(header.size);
    if (bytes.length < header.size) throw this.#truncated("an extended header is incomplete");
    // What follows may reuse the stream's chunk, and the padding is read from it.
    const kept = new Uint8Array(bytes);
    await this.#skip(-header.size & (TAR_BLOCK_BYTES - 1));
    return kept;
  }

  async #block(): Promise<Uint8Array> {
    const block = await this.#source.upTo(TAR_BLOCK_BYTES);
    if (block.length === 0) throw this.#truncated("its end marker is missing");
    if (block.length < TAR_BLOCK_BYTES) throw this.#truncated("a header is incomplete");
    return block;
  }

  async #skip(count: number): Promise<void> {
    if (count === 0) return;
    const bytes = await this.#source.upTo(count);
    if (bytes.length < count) throw this.#truncated("the padding after the last contents is incomplete");
  }

  /** Reads what follows the end marker, so that the producer ends and gzip's checksum is verified. */
  async #drain(): Promise<void> {
    while (await this.#source.some(1 << 20) !== undefined) { /* nothing of it matters */ }
  }

  #truncated(what: string): TarError {
    return new TarError(`Cannot read the tar archive: it is cut short at byte ${this.#source.position}: ${what}`);
  }
}

/** The kind of an entry that can be imported. */
function kindOf(type: string, name: string, records: ReadonlyMap<string, string>): TarEntry["kind"] {
  if (type === "S" || [...records.keys()].some((keyword) => keyword.startsWith("GNU.sparse."))) {
    throw new TarError(`Cannot import the tar archive: '${name}' is stored in GNU's sparse form`);
  }
  switch (type) {
    case "0":
    case "7":
    case "\0":
      // Archives older than ustar mark a directory by its name alone.
      return name.endsWith("/") ? "directory" : "file";
    case "1":
      return "hardLink";
    case "2":
      return "symlink";
    case "5":
      return "directory";
    case "3":
    case "4":
      throw new TarError(`Cannot import the tar archive: '${name}' is a device`);
    case "6":
      throw new TarError(`Cannot import the tar archive: '${name}' is a FIFO`);
    default:
      throw new TarError(`Cannot import the tar archive: '${name}' has the unknown type ${JSON.stringify(type)}`);
  }
}

/** Normalises a path and refuses one that leaves the target directory. */
function safePath(name: string, what: string): string {
  if (name === "") throw new TarError(`Cannot import the tar archive: empty ${what}`);
  if (name.startsWith("/")) throw new TarError(`Cannot import the tar archive: ${what} '${name}' is absolute`);
  const names = name.split("/").filter((part) => part !== "" && part !== ".");
  if (names.includes("..")) {
    throw new TarError(`Cannot import the tar archive: ${what} '${name}' leaves the target directory`);
  }
  return names.join("/");
}

function numberOf(record: string | undefined, otherwise: number, name: string): number {
  if (record === undefined || record === "") return otherwise;
  if (!/^-?[0-9]+(\.[0-9]*)?$/.test(record)) {
    throw new TarError(`Cannot import the tar archive: ${JSON.stringify(record)} of '${name}' is not a number`);
  }
  return Number(record);
}

/** A stream of what was already read and all that follows. */
function resume(start: Uint8Array, source: ByteSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  let first: Uint8Array | undefined = new Uint8Array(start);
  return new ReadableStream({
    async pull(controller) {
      const bytes = first ?? await source.some(Infinity);
      first = undefined;
      if (bytes === undefined) controller.close();
      else controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
    },
    cancel: (reason) => source.cancel(reason),
  });
}

/** Decompresses, naming what failed when the data is damaged. */
function gunzip(stream: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array> {
  const reader = stream.pipeThrough(new DecompressionStream("gzip")).getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        throw new TarError(`Cannot read the tar archive: its gzip data is damaged or cut short (${cause.message})`, {
          cause,
        });
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
