/**
 * Reads exact counts of bytes from a stream whose chunks come in any size. Imports nothing.
 *
 * @module
 */

/** A cursor over a stream of bytes. */
export class ByteSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #chunk = new Uint8Array(0);
  #offset = 0;

  /** Bytes read so far. */
  position = 0;

  /** @param stream The bytes; locked from now on. */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /**
   * Reads at most so many bytes, without copying.
   *
   * @param limitBytes The most to return.
   * @returns At least one byte, valid until the next call; `undefined` at the end of the stream.
   */
  async some(limitBytes: number): Promise<Uint8Array | undefined> {
    while (this.#offset === this.#chunk.length) {
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#chunk = value as Uint8Array<ArrayBuffer>;
      this.#offset = 0;
    }
    const end = Math.min(this.#chunk.length, this.#offset + limitBytes);
    const bytes = this.#chunk.subarray(this.#offset, end);
    this.position += end - this.#offset;
    this.#offset = end;
    return bytes;
  }

  /**
   * Reads so many bytes, or fewer where the stream ends before.
   *
   * @param count How many.
   * @returns The bytes; a copy only where they span chunks.
   */
  async upTo(count: number): Promise<Uint8Array> {
    const first = await this.some(count);
    if (first === undefined) return new Uint8Array(0);
    if (first.length === count) return first;
    const bytes = new Uint8Array(count);
    bytes.set(first);
    let filled = first.length;
    while (filled < count) {
      const more = await this.some(count - filled);
      if (more === undefined) return bytes.subarray(0, filled);
      bytes.set(more, filled);
      filled += more.length;
    }
    return bytes;
  }

  /** Tells the producer that no more is wanted. */
  async cancel(reason: unknown): Promise<void> {
    await this.#reader.cancel(reason);
  }
}
