/** Frames of the wire format, which `protocol.ts` explains. */

export const FRAME = {
  request: 0,
  reply: 1,
  error: 2,
  stdout: 3,
  stderr: 4,
  cancel: 5,
  hello: 6,
} as const;

const HEADER_LENGTH = 9;

export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly payload: Buffer;
}

export function encodeFrame(kind: number, id: number, payload: string): Buffer {
  const length = Buffer.byteLength(payload);
  const bytes = Buffer.allocUnsafe(HEADER_LENGTH + length);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt8(kind, 4);
  bytes.writeUInt32LE(id, 5);
  bytes.write(payload, HEADER_LENGTH);
  return bytes;
}

/** Cuts a byte stream into frames, wherever its chunks end. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;
  /** How many bytes the next frame needs before it is worth looking again. */
  #needed = HEADER_LENGTH;

  *push(chunk: Buffer): Generator<Frame> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= this.#needed) {
      const [first = Buffer.alloc(0)] = this.#chunks;
      const bytes = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
      const end = HEADER_LENGTH + bytes.readUInt32LE(0);
      if (this.#length < end) {
        [this.#chunks, this.#needed] = [[bytes], end];
        return;
      }
      const rest = bytes.subarray(end);
      [this.#chunks, this.#length, this.#needed] = [[rest], rest.length, HEADER_LENGTH];
      yield {
        kind: bytes.readUInt8(4),
        id: bytes.readUInt32LE(5),
        payload: bytes.subarray(HEADER_LENGTH, end),
      };
    }
  }
}
