/** The one fact about ELF files that the examples need. */

import { closeSync, openSync, readSync } from 'node:fs';

const PT_INTERP = 3;

/**
 * The path of the program that loads this one and its shared libraries; undefined for a static
 * program and for what is no ELF file. https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html
 */
export function readInterpreter(path: string): string | undefined {
  const file = openSync(path, 'r');
  try {
    const header = read(file, 0, 64);
    if (header.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
    const is64 = header[4] === 2;
    const isLittle = header[5] === 1;
    const u16 = (data: Buffer, at: number) =>
      isLittle ? data.readUInt16LE(at) : data.readUInt16BE(at);
    const u32 = (data: Buffer, at: number) =>
      isLittle ? data.readUInt32LE(at) : data.readUInt32BE(at);
    const word = (data: Buffer, at: number) =>
      is64 ? Number(isLittle ? data.readBigUInt64LE(at) : data.readBigUInt64BE(at)) : u32(data, at);
    const table = word(header, is64 ? 32 : 28);
    const size = u16(header, is64 ? 54 : 42);
    const count = u16(header, is64 ? 56 : 44);
    for (let index = 0; index < count; index++) {
      const entry = read(file, table + index * size, size);
      if (u32(entry, 0) !== PT_INTERP) continue;
      const text = read(file, word(entry, is64 ? 8 : 4), word(entry, is64 ? 32 : 16));
      return text.toString('utf8').replace(/\0.*$/s, '');
    }
    return undefined;
  } finally {
    closeSync(file);
  }
}

function read(file: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  readSync(file, buffer, 0, length, offset);
  return buffer;
}
