/** How much of a failed command's output its error carries, bytes. */
const LENGTH = 16 * 1024;

/** The last bytes of a stream of output. */
export class OutputTail {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  add(data: Uint8Array): void {
    this.#chunks.push(data);
    this.#length += data.length;
    while (this.#length - (this.#chunks[0]?.length ?? 0) > LENGTH) {
      this.#length -= this.#chunks.shift()?.length ?? 0;
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-LENGTH).toString('utf8');
  }
}
