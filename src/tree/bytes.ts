/** Bytes of an index: varints, strings and the random access they come through. */

import { TsbuildError } from '../errors.ts';

/** Random access to an index's bytes. Answers exactly `length` bytes. */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** Grows as it is written to. */
export class ByteWriter {
  #buffer: Buffer;
  length = 0;

  constructor(size = 65_536) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + count));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.length++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.length = this.#buffer.writeUInt32LE(value, this.length);
  }

  u64(value: number): void {
    this.#reserve(8);
    this.length = this.#buffer.writeBigUInt64LE(BigInt(value), this.length);
  }

  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.length++] = rest;
  }

  zigzag(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  text(value: string): void {
    this.#reserve(value.length);
    this.length += this.#buffer.write(value, this.length, 'latin1');
  }

  string(value: string): void {
    this.varint(value.length);
    this.text(value);
  }

  hex(value: string): void {
    this.#reserve(value.length / 2);
    this.length += this.#buffer.write(value, this.length, 'hex');
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.length);
    this.length += value.length;
  }

  /** Starts anew, in the same memory: what `bytes()` answered is overwritten. */
  clear(): void {
    this.length = 0;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }
}

/** Reads from the start; past the end it throws ERR_INDEX_INVALID. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at >= this.#buffer.length;
  }

  u8(): number {
    const value = this.#buffer[this.#at++];
    if (value === undefined) throw invalidIndex();
    return value;
  }

  u32(): number {
    this.#at += 4;
    return this.#buffer.readUInt32LE(this.#at - 4);
  }

  u64(): number {
    this.#at += 8;
    return Number(this.#buffer.readBigUInt64LE(this.#at - 8));
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  raw(length: number): Uint8Array {
    if (this.#at + length > this.#buffer.length) throw invalidIndex();
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }

  text(length: number): string {
    if (this.#at + length > this.#buffer.length) throw invalidIndex();
    this.#at += length;
    return this.#buffer.toString('latin1', this.#at - length, this.#at);
  }

  string(): string {
    return this.text(this.varint());
  }

  hex(length: number): string {
    this.#at += length;
    return this.#buffer.toString('hex', this.#at - length, this.#at);
  }
}

/** The failure of everything that reads an index. */
export function invalidIndex(): TsbuildError {
  return new TsbuildError('ERR_INDEX_INVALID', {
    message: "Cannot read a layer's index: it is damaged or of another version",
    details: undefined,
  });
}
