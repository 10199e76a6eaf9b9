/** Takes secrets out of what a RUN writes (T-55). Pure. */

type Sink = (stream: 'stdout' | 'stderr', data: Uint8Array) => void;

const MASK = new TextEncoder().encode('***');

/** What a secret is in part may be held back until more comes, or `end()`. */
export class OutputMask {
  readonly #secrets: readonly Buffer[];
  readonly #sink: Sink;
  readonly #held = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

  constructor(secrets: readonly Buffer[], sink: Sink) {
    // Of two that begin alike the longer one is meant.
    this.#secrets = secrets.toSorted((a, b) => b.length - a.length);
    this.#sink = sink;
  }

  write(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    if (this.#secrets.length === 0) return this.#sink(stream, data);
    let rest: Buffer = Buffer.concat([this.#held[stream], data]);
    const out: Uint8Array[] = [];
    for (let found = this.#first(rest); found !== undefined; found = this.#first(rest)) {
      out.push(rest.subarray(0, found.at), MASK);
      rest = rest.subarray(found.at + found.length);
    }
    const keep = Math.max(...this.#secrets.map((secret) => begun(secret, rest)));
    out.push(rest.subarray(0, rest.length - keep));
    this.#held[stream] = Buffer.from(rest.subarray(rest.length - keep));
    const bytes = Buffer.concat(out);
    if (bytes.length > 0) this.#sink(stream, bytes);
  }

  /** What was held back is no secret. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const bytes = this.#held[stream];
      this.#held[stream] = Buffer.alloc(0);
      if (bytes.length > 0) this.#sink(stream, bytes);
    }
  }

  #first(bytes: Buffer): { readonly at: number; readonly length: number } | undefined {
    let first: { at: number; length: number } | undefined;
    for (const { length, at } of this.#secrets.map((secret) => ({
      length: secret.length,
      at: bytes.indexOf(secret),
    }))) {
      if (at !== -1 && (first === undefined || at < first.at)) first = { at, length };
    }
    return first;
  }
}

/** How many bytes at the end of `bytes` are the beginning of a secret, but not all of it. */
function begun(secret: Buffer, bytes: Buffer): number {
  const [first = 0] = secret;
  let at = bytes.indexOf(first, Math.max(0, bytes.length - secret.length + 1));
  while (at !== -1) {
    const length = bytes.length - at;
    if (bytes.subarray(at).equals(secret.subarray(0, length))) return length;
    at = bytes.indexOf(first, at + 1);
  }
  return 0;
}
